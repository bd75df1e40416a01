//! From samples to a steady estimate, a movement, and where the eye will be at a target time.
//!
//! [`Forecaster`] is fed one observation a frame and asked for any number of target times after it. What is smoothed and
//! continued how is the [`Method`]; movement classification and the gated mean run beside every one of them. Nothing reads a
//! clock, and an answer depends only on what was observed before. Nothing allocates after construction but the net, which
//! makes its tensors anew for each answer.

mod learned;
mod method;
mod rules;
mod scene;

use thiserror::Error;

use learned::Learned;
pub use method::Method;
use rules::Rule;

use crate::clock::Timestamp;
use crate::filter::gated::{GatedMean, Step};
use crate::filter::history::Sample;
use crate::filter::{Vector, angle, vector};
use crate::geometry::VisualAngle;
use crate::movement::{Detector, Event, Movement};
use crate::nets::{Weights, WeightsError};

/// How long a lost eye's position is continued before there is no answer.
pub const COAST_S: f64 = 0.150;
/// A gap after which what was known of the eye's position is worthless: filters restart.
pub const RESET_GAP_S: f64 = 0.300;
/// The furthest forecast; later targets are answered as if they were this far ahead.
pub const MAX_HORIZON_S: f64 = 0.200;
/// Samples beyond this are no visual angles but errors upstream, and count as missing.
pub const MAX_ANGLE_DEG: f64 = 360.0;

/// A measured gaze.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    pub at: VisualAngle,
    /// In [0, 1]; at 0 (or NaN) it counts as missing.
    pub confidence: f64,
}

/// Time did not move forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("time went back from {last_ns} ns to {now_ns} ns; samples must come in order of their time stamps")]
pub struct TimeError {
    pub last_ns: u64,
    pub now_ns: u64,
}

/// What is known about the eye at the time of the newest observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub t: Timestamp,
    /// Filtered position; `None` once the eye has been unseen for longer than [`COAST_S`].
    pub at: Option<VisualAngle>,
    pub movement: Movement,
    /// True while no sample was there and the position is continued from earlier ones.
    pub coasting: bool,
    /// Measured noise of the samples on each axis, standard deviation in degrees.
    pub noise_sd_deg: f64,
}

/// Where the eye will be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    pub at: VisualAngle,
    /// Radius that should hold the truth 95 % of the time.
    pub error_radius_deg: f64,
    /// True where the estimate was held instead of moved on: while coasting, and by methods that always hold.
    pub held: bool,
}

/// Smoothing, movement and forecast of one pair of eyes.
#[derive(Debug)]
pub struct Forecaster {
    rule: Rule,
    learned: Option<Learned>,
    /// True while the newest estimate is the net's.
    by_net: bool,
    gate: GatedMean,
    step: Option<Step>,
    detector: Detector,
    /// Start of the time axis on which filters count seconds.
    epoch: Timestamp,
    now: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    estimate: Option<Estimate>,
    filtered: Vector,
}

impl Forecaster {
    /// A forecaster with the weights that are compiled in.
    pub fn new(method: Method) -> Self {
        Self::with_weights(method, &Weights::BuiltIn).unwrap_or_else(|error| {
            // A program with unusable weights inside is a defect, but no reason to stop showing where the eye is.
            tracing::error!("forecasting by rule: {error}");
            Self::build(method, None)
        })
    }

    /// A forecaster whose net, if the method has one, is read from `weights`.
    pub fn with_weights(method: Method, weights: &Weights) -> Result<Self, WeightsError> {
        let learned = (method == Method::Learned).then(|| Learned::new(weights)).transpose()?;
        Ok(Self::build(method, learned))
    }

    fn build(method: Method, learned: Option<Learned>) -> Self {
        Self {
            rule: Rule::new(method),
            learned,
            by_net: false,
            gate: GatedMean::default(),
            step: None,
            detector: Detector::default(),
            epoch: Timestamp::default(),
            now: None,
            last_seen: None,
            estimate: None,
            filtered: Vector::zeros(),
        }
    }

    /// Forgets everything but the method: for a new person, calibration or clock. Movements that were told to have begun are
    /// still told to have ended.
    pub fn reset(&mut self) {
        self.clear_position();
        if let Some(learned) = &mut self.learned {
            learned.reset();
        }
        self.gate = GatedMean::default();
        self.step = None;
        self.now = None;
        self.last_seen = None;
        self.estimate = None;
    }

    /// Forgets where the eye was.
    fn clear_position(&mut self) {
        self.gate.reset();
        self.rule.reset();
        self.detector.lose();
        if let Some(learned) = &mut self.learned {
            learned.clear_position();
        }
    }

    /// Takes what was measured at `t`: a sample, or none (and whether the eye was seen closed). A second observation
    /// with the same stamp changes nothing unless it is the first one with a sample.
    pub fn observe(
        &mut self,
        t: Timestamp,
        observation: Option<Observation>,
        blink: bool,
    ) -> Result<Estimate, TimeError> {
        let sample = observation
            .filter(|o| o.at.is_finite() && o.at.x_deg.abs() <= MAX_ANGLE_DEG && o.at.y_deg.abs() <= MAX_ANGLE_DEG)
            .filter(|o| o.confidence > 0.0)
            .map(|o| vector(o.at));
        match (self.now, self.estimate) {
            (Some(now), _) if t < now => {
                return Err(TimeError {
                    last_ns: now.as_nanos(),
                    now_ns: t.as_nanos(),
                });
            }
            (Some(now), Some(estimate)) if t == now && (sample.is_none() || self.last_seen == Some(t)) => {
                return Ok(estimate);
            }
            _ => {}
        }
        self.now = Some(t);
        let estimate = match sample {
            Some(sample) => self.seen(t, sample),
            None => self.missing(t, blink),
        };
        self.estimate = Some(estimate);
        Ok(estimate)
    }

    /// Lets time pass while nothing is observed. What is observed next may be of an earlier moment: it is known only a while
    /// after it happened.
    pub fn coast(&mut self, t: Timestamp) -> Estimate {
        self.detector.lose();
        let estimate = self.unseen(self.now.map_or(t, |now| t.max(now)));
        self.estimate = Some(estimate);
        estimate
    }

    /// Where the eye will be at `target`; `None` while there is no estimate. Targets before the newest observation are
    /// answered with the estimate itself, those later than [`MAX_HORIZON_S`] as if they were that far ahead.
    pub fn forecast(&self, target: Timestamp) -> Option<Forecast> {
        let (estimate, last_seen) = (self.estimate?, self.last_seen?);
        estimate.at?;
        let unseen_s = estimate.t.seconds_since(last_seen);
        let horizon_s = target.seconds_since(estimate.t).clamp(0.0, MAX_HORIZON_S);
        let learned = self
            .learned
            .as_ref()
            .filter(|_| self.by_net)
            .and_then(|net| net.answer(horizon_s));
        let (at, radius, held) = match learned {
            Some(answer) => (answer.at, answer.radius_deg, false),
            None => self
                .rule
                .forecast(horizon_s, self.filtered, &self.gate, self.step.as_ref(), &self.detector),
        };
        let (at, radius, held) = if estimate.coasting {
            (self.filtered, radius.hypot(self.rule.radius(unseen_s, 0.0)), true)
        } else {
            (at, radius, held)
        };
        Some(Forecast {
            at: angle(at),
            error_radius_deg: radius,
            held,
        })
    }

    /// Takes the oldest event that has not been fetched: a movement began or ended.
    pub fn pop_event(&mut self) -> Option<Event> {
        self.detector.pop_event()
    }

    fn seen(&mut self, t: Timestamp, sample: Vector) -> Estimate {
        let gap_s = self.last_seen.map(|last| t.seconds_since(last));
        if gap_s.is_none_or(|gap| gap > RESET_GAP_S) {
            self.clear_position();
            self.epoch = t;
        }
        let dt_s = gap_s.unwrap_or(0.0);
        let step = self.gate.update(sample, dt_s);
        let noise = self.gate.noise_sd_deg();
        let movement = self.detector.seen(t, sample, &step, noise);
        let sample = Sample {
            t_s: t.seconds_since(self.epoch),
            at: sample,
        };
        self.filtered = self.rule.update(sample, dt_s, noise, &step);
        self.by_net = false;
        if let Some(learned) = &mut self.learned {
            learned.update(sample, dt_s, &step, noise);
            if let Some(answer) = learned.answer(0.0).filter(|_| learned.knows()) {
                self.filtered = answer.at;
                self.by_net = true;
            }
        }
        self.step = Some(step);
        self.last_seen = Some(t);
        Estimate {
            t,
            at: Some(angle(self.filtered)),
            movement,
            coasting: false,
            noise_sd_deg: noise,
        }
    }

    fn missing(&mut self, t: Timestamp, blink: bool) -> Estimate {
        self.detector.missing(t, blink, self.unseen_s(t));
        self.unseen(t)
    }

    fn unseen_s(&self, t: Timestamp) -> f64 {
        self.last_seen.map_or(f64::INFINITY, |last| t.seconds_since(last))
    }

    fn unseen(&self, t: Timestamp) -> Estimate {
        Estimate {
            t,
            at: (self.unseen_s(t) <= COAST_S).then(|| angle(self.filtered)),
            movement: self.detector.movement(),
            coasting: true,
            noise_sd_deg: self.gate.noise_sd_deg(),
        }
    }
}

#[cfg(test)]
mod tests;
