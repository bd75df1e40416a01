//! Smoothing: pure values that take time as an argument and never look ahead.
//!
//! All of them work in degrees of visual angle, accept irregular sampling, treat a missing sample as a step without a
//! measurement and are reset by their owner after a gap. None allocates once built.
//!
//! | filter | for |
//! |---|---|
//! | [`gated::GatedMean`] | a mean with a short memory that restarts at a saccade: little noise and no lag |
//! | [`runs::RunMean`] | a mean over the present fixation, weighed over when it may have begun |
//! | [`kalman::Kalman`] | constant velocity or constant acceleration, with covariance |
//! | [`savitzky_golay::SavitzkyGolay`] | the end point (or any derivative) of a local polynomial |
//! | [`one_euro::OneEuro`] | a low-pass whose cut-off rises with speed |

pub mod gated;
pub mod history;
pub mod kalman;
pub mod noise;
pub mod one_euro;
pub mod runs;
pub mod savitzky_golay;

use nalgebra::Vector2;

use crate::geometry::VisualAngle;

/// A position or velocity of both axes, in degrees or degrees a second: x right, y down.
pub type Vector = Vector2<f64>;

/// From the public newtype into what the filters compute with.
pub(crate) fn vector(angle: VisualAngle) -> Vector {
    Vector::new(angle.x_deg, angle.y_deg)
}

/// The way back.
pub(crate) fn angle(vector: Vector) -> VisualAngle {
    VisualAngle::new(vector.x, vector.y)
}
