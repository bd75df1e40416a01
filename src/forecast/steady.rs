//! Steadies the net's answers from one sample to the next.
//!
//! Each answer of the net is the best for its own moment, but two neighbouring ones differ by more than the eye has moved.
//! A first-order low-pass whose weight rises with the change, in units of the noise, takes that out inside fixations and
//! lets real movements pass at once.

use crate::filter::Vector;

/// Weight of a new answer that differs little, after [`REFERENCE_S`].
const SMALL_CHANGE_WEIGHT: f64 = 0.3;
const REFERENCE_S: f64 = 1.0 / 60.0;
/// Change at which half of the rest of the weight is reached, in standard deviations of the noise.
const HALF_SD: f64 = 1.0;

/// The newest steadied position and how far it stands from the answer it was made of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Steady {
    last: Option<Vector>,
    offset: Vector,
}

impl Steady {
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Takes the net's answer `dt_s` after the one before and returns the steadied position.
    pub(super) fn update(&mut self, answer: Vector, dt_s: f64, noise_sd_deg: f64) -> Vector {
        let position = self.last.map_or(answer, |last| {
            let change = answer - last;
            let small = 1.0 - (1.0 - SMALL_CHANGE_WEIGHT).powf(dt_s.max(0.0) / REFERENCE_S);
            let square = change.norm_squared();
            let real = square / (square + (HALF_SD * noise_sd_deg).powi(2));
            last + change * (small + (1.0 - small) * real)
        });
        self.last = Some(position);
        self.offset = position - answer;
        position
    }

    /// What steadying added to the newest answer; forecasts from the same sample are moved by the same.
    pub(super) fn offset(&self) -> Vector {
        self.offset
    }
}
