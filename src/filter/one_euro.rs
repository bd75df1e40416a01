//! The One Euro filter: a first-order low-pass whose cut-off frequency rises with speed.
//!
//! Casiez, Roussel, Vogel, *1€ Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive Systems*,
//! CHI 2012. One speed for both axes, so that a diagonal movement is not filtered differently from a level one.

use std::f64::consts::TAU;

use super::Vector;

/// Filter state and its two knobs.
#[derive(Clone, Debug)]
pub struct OneEuro {
    /// Cut-off of a resting eye, in Hz: lower is steadier.
    pub min_cutoff_hz: f64,
    /// Hz of cut-off gained for each deg/s: higher lags less.
    pub beta: f64,
    last: Option<(Vector, Vector)>,
}

/// Cut-off of the speed estimate, as the paper sets it.
const SPEED_CUTOFF_HZ: f64 = 1.0;

impl OneEuro {
    pub fn new(min_cutoff_hz: f64, beta: f64) -> Self {
        Self {
            min_cutoff_hz,
            beta,
            last: None,
        }
    }

    pub fn reset(&mut self) {
        self.last = None;
    }

    /// Takes a sample `dt_s` after the one before and returns the filtered position. A `dt_s` that is not positive
    /// leaves the filter as it is.
    pub fn update(&mut self, sample: Vector, dt_s: f64) -> Vector {
        let Some((position, velocity)) = self.last else {
            self.last = Some((sample, Vector::zeros()));
            return sample;
        };
        if dt_s.is_nan() || dt_s <= 0.0 {
            return position;
        }
        let velocity = velocity.lerp(&((sample - position) / dt_s), weight(SPEED_CUTOFF_HZ, dt_s));
        let cutoff_hz = self.min_cutoff_hz + self.beta * velocity.norm();
        let position = position.lerp(&sample, weight(cutoff_hz, dt_s));
        self.last = Some((position, velocity));
        position
    }
}

/// Weight of the new value in a first-order low-pass: 1 / (1 + tau / dt) with tau = 1 / (2 pi f).
fn weight(cutoff_hz: f64, dt_s: f64) -> f64 {
    let turns = TAU * cutoff_hz * dt_s;
    turns / (1.0 + turns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_steadies_rest_and_follows_a_jump() {
        let mut filter = OneEuro::new(1.0, 0.5);
        let mut at = Vector::zeros();
        let mut widest: f64 = 0.0;
        for i in 0..240 {
            let wobble = if i % 2 == 0 { 0.5 } else { -0.5 };
            at = filter.update(Vector::new(wobble, 0.0), 1.0 / 60.0);
            if i > 120 {
                widest = widest.max(at.x.abs());
            }
        }
        assert!(widest < 0.25, "rest wobbles by {widest}");
        for _ in 0..12 {
            at = filter.update(Vector::new(10.0, 0.0), 1.0 / 60.0);
        }
        assert!(at.x > 9.0, "after 0.2 s it is at {at:?}");
    }
}
