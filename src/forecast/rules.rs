//! The forecasting rules that need no training.

use super::Method;
use crate::filter::Vector;
use crate::filter::gated::{GatedMean, Step};
use crate::filter::history::{History, Sample};
use crate::filter::kalman::{KalmanAcceleration, KalmanVelocity};
use crate::filter::one_euro::OneEuro;
use crate::filter::savitzky_golay::SavitzkyGolay;
use crate::movement::{Detector, Movement};

/// Spectral density of the acceleration of an eye that fixates and pursues, deg²/s³.
const VELOCITY_DENSITY: f64 = 3.0e3;
/// The same for the jerk, deg²/s⁵.
const ACCELERATION_DENSITY: f64 = 1.0e7;

/// A method with its memory.
#[derive(Debug)]
pub(super) enum Rule {
    Hold,
    Linear(History),
    SavitzkyGolay(SavitzkyGolay, f64),
    KalmanVelocity(KalmanVelocity),
    KalmanAcceleration(KalmanAcceleration),
    OneEuro(OneEuro),
    Gated,
    /// Time between the two newest samples, in seconds.
    Ballistic(f64),
}

impl Rule {
    pub(super) fn new(method: Method) -> Self {
        match method {
            Method::Hold => Self::Hold,
            Method::Linear => Self::Linear(History::default()),
            Method::SavitzkyGolay => Self::SavitzkyGolay(SavitzkyGolay::new(7, 2), 0.0),
            Method::KalmanVelocity => Self::KalmanVelocity(KalmanVelocity::new(VELOCITY_DENSITY)),
            Method::KalmanAcceleration => Self::KalmanAcceleration(KalmanAcceleration::new(ACCELERATION_DENSITY)),
            Method::OneEuro => Self::OneEuro(OneEuro::new(2.0, 0.3)),
            Method::Gated => Self::Gated,
            // The rule that the learned forecast falls back to.
            Method::Ballistic | Method::Learned => Self::Ballistic(0.0),
        }
    }

    pub(super) fn reset(&mut self) {
        match self {
            Self::Hold | Self::Gated | Self::Ballistic(_) => {}
            Self::Linear(history) => history.clear(),
            Self::SavitzkyGolay(filter, _) => filter.reset(),
            Self::KalmanVelocity(filter) => filter.reset(),
            Self::KalmanAcceleration(filter) => filter.reset(),
            Self::OneEuro(filter) => filter.reset(),
        }
    }

    /// Takes a sample and returns the filtered position.
    pub(super) fn update(&mut self, sample: Sample, dt_s: f64, noise_sd_deg: f64, step: &Step) -> Vector {
        match self {
            Self::Hold => sample.at,
            Self::Linear(history) => {
                history.push(sample);
                sample.at
            }
            Self::SavitzkyGolay(filter, newest_s) => {
                *newest_s = sample.t_s;
                filter.update(sample);
                filter.evaluate(sample.t_s, 0).unwrap_or(sample.at)
            }
            Self::KalmanVelocity(filter) => {
                filter.predict(dt_s);
                filter.update(sample.at, noise_sd_deg);
                filter.position(0.0).map_or(sample.at, |(at, _)| at)
            }
            Self::KalmanAcceleration(filter) => {
                filter.predict(dt_s);
                filter.update(sample.at, noise_sd_deg);
                filter.position(0.0).map_or(sample.at, |(at, _)| at)
            }
            Self::OneEuro(filter) => filter.update(sample.at, dt_s),
            Self::Gated => step.mean,
            Self::Ballistic(interval_s) => {
                *interval_s = dt_s;
                step.mean
            }
        }
    }

    /// Position, error radius and whether it is the estimate held, `horizon_s` after the newest sample.
    pub(super) fn forecast(
        &self,
        horizon_s: f64,
        filtered: Vector,
        gate: &GatedMean,
        step: Option<&Step>,
        detector: &Detector,
    ) -> (Vector, f64, bool) {
        let noise = gate.noise_sd_deg();
        let radius = self.radius(horizon_s, noise);
        let moved = match self {
            Self::Hold | Self::OneEuro(_) | Self::Gated => None,
            Self::Linear(history) => match (history.get(0), history.get(1)) {
                (Some(new), Some(old)) if new.t_s > old.t_s => {
                    Some(new.at + (new.at - old.at) * (horizon_s / (new.t_s - old.t_s)))
                }
                _ => None,
            },
            Self::SavitzkyGolay(filter, newest_s) => filter.evaluate(newest_s + horizon_s, 0),
            Self::KalmanVelocity(filter) => filter.position(horizon_s).map(|(at, _)| at),
            Self::KalmanAcceleration(filter) => filter.position(horizon_s).map(|(at, _)| at),
            Self::Ballistic(interval_s) => step
                .and_then(|step| step.left.map(|left| step.mean - left))
                .filter(|_| detector.movement() == Movement::Saccade)
                .map(|jump| filtered + jump * still_to_come(jump.norm(), *interval_s, horizon_s)),
        };
        (moved.unwrap_or(filtered), radius, moved.is_none())
    }

    /// A radius that holds 95 % of truths, of an estimate that is `age_s` old. All rules share it, those with a covariance of
    /// their own too: that one knows of noise and pursuit, and most of the error ahead is the chance of a saccade.
    pub(super) fn radius(&self, age_s: f64, noise_sd_deg: f64) -> f64 {
        // Noise is Rayleigh distributed in the plane (95 % within 2.45 SD); the rest is the chance of a saccade.
        (2.45 * noise_sd_deg).hypot(SPREAD_DEG_S * age_s)
    }
}

/// How much of the jump seen so far is still to come within the horizon, if a saccade was first seen in the newest sample.
///
/// The main sequence gives the duration of a saccade of that size. It began half a sample interval ago on average: the
/// larger the part of it that is over by now, the less is left, and at slow rates nothing.
fn still_to_come(jump_deg: f64, interval_s: f64, horizon_s: f64) -> f64 {
    let duration_s = SHORTEST_SACCADE_S + SACCADE_S_PER_DEG * jump_deg;
    let left = (1.0 - 0.5 * interval_s / duration_s).max(0.0);
    CONTINUATION * left * (horizon_s / FULL_CONTINUATION_S).min(1.0)
}

/// Duration of saccades (main sequence; Carpenter, *Movements of the Eyes*, 1988).
const SHORTEST_SACCADE_S: f64 = 0.021;
const SACCADE_S_PER_DEG: f64 = 0.0022;
/// How much of the jump seen so far is still to come, on average, of a saccade that has only just begun...
const CONTINUATION: f64 = 0.4;
/// ... reached this long after the sample.
const FULL_CONTINUATION_S: f64 = 0.05;
/// Growth of the radius that holds 95 % of truths: 5 degrees in 50 ms, as measured on free viewing.
const SPREAD_DEG_S: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saccade_is_carried_on_only_while_it_can_last() {
        let after = |interval_s: f64| still_to_come(5.0, interval_s, 0.05);
        // Five degrees take 32 ms: at 120 Hz much of it is to come, at 15 Hz it is over.
        assert!(after(1.0 / 120.0) > after(1.0 / 30.0) && after(1.0 / 30.0) > 0.0);
        assert_eq!(after(1.0 / 15.0), 0.0);
        assert!(still_to_come(10.0, 1.0 / 30.0, 0.05) > after(1.0 / 30.0));
        assert!(still_to_come(5.0, 1.0 / 60.0, 0.02) < after(1.0 / 60.0));
        assert_eq!(still_to_come(5.0, 1.0 / 60.0, 0.2), after(1.0 / 60.0));
    }
}
