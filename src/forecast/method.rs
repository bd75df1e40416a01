//! The methods by name.

use serde::{Deserialize, Serialize};

/// How samples are smoothed and continued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The newest sample as it is.
    Hold,
    /// The line through the two newest samples.
    Linear,
    /// A quadratic through the newest seven samples, extrapolated.
    SavitzkyGolay,
    /// Kalman filter with constant velocity.
    KalmanVelocity,
    /// Kalman filter with constant acceleration.
    KalmanAcceleration,
    /// One Euro filter, held.
    OneEuro,
    /// Fixation mean that restarts at saccades, held.
    Gated,
    /// Fixation mean; a saccade in flight is carried on towards its landing point, by the main sequence.
    Ballistic,
    /// A small net over the newest 24 samples; the ballistic rule where they look unlike what it was trained on.
    #[default]
    Learned,
}

impl Method {
    pub const ALL: [Self; 9] = [
        Self::Hold,
        Self::Linear,
        Self::SavitzkyGolay,
        Self::KalmanVelocity,
        Self::KalmanAcceleration,
        Self::OneEuro,
        Self::Gated,
        Self::Ballistic,
        Self::Learned,
    ];

    /// The name in configuration and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Linear => "linear",
            Self::SavitzkyGolay => "savitzky-golay",
            Self::KalmanVelocity => "kalman-velocity",
            Self::KalmanAcceleration => "kalman-acceleration",
            Self::OneEuro => "one-euro",
            Self::Gated => "gated",
            Self::Ballistic => "ballistic",
            Self::Learned => "learned",
        }
    }
}
