//! The learned forecast: a small net over the newest 24 samples and the gate's state.
//!
//! The net answers with how much of some displacements in its input to add to the newest sample, which turns and scales
//! with the movement, with what else to add, and with the error radius. What it was trained on bounds what it is asked: at
//! other sample rates or noises [`Learned::knows`] says so, and the caller falls back to a rule. The input's layout is that
//! of `models/train/forecast/net.py`.

use std::cell::RefCell;
use std::fmt;

use crate::filter::Vector;
use crate::filter::gated::Step;
use crate::filter::history::{CAPACITY, History, Sample};
use crate::nets::{Net, NetName, Weights, WeightsError};

/// Older samples than the newest one.
const OLDER: usize = CAPACITY - 1;
const FEATURES: usize = 4 * OLDER + 11;
/// The answer has shares of the displacements to this many older samples, to the gated mean and to the place left...
const BASIS: usize = 3;
/// ... then what to add in x and y, and the radius.
const ANSWERS: usize = BASIS + 5;

/// Scales that bring the input to about one, as in training.
const PER_DEGREE: f64 = 1.0 / 3.0;
const PER_SECOND: f64 = 4.0;
const PER_SECOND_AHEAD: f64 = 10.0;
const MAX_AGE_S: f64 = 1.0;

/// The sample intervals that were trained, in seconds (130 to 12 samples a second).
const INTERVALS_S: std::ops::RangeInclusive<f64> = 0.0065..=0.095;
/// The noise that was trained, in degrees on each axis.
const NOISE_DEG: std::ops::RangeInclusive<f64> = 0.05..=3.0;
/// The first samples after a gap say too little.
const MIN_SAMPLES: usize = 3;
/// An answer further from the newest sample than twice the largest displacement in the input and this is no answer.
const MAX_OFFSET_DEG: f64 = 3.0;

/// The net with the memory its input is made of.
pub(super) struct Learned {
    // The net's buffers change while it answers; a forecast is a question all the same.
    net: RefCell<Net>,
    history: History,
    mean: Vector,
    weight: f64,
    left: Vector,
    restarted_s: f64,
    noise_sd_deg: f64,
}

/// What the net says about one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Answer {
    pub at: Vector,
    pub radius_deg: f64,
}

impl Learned {
    pub(super) fn new(weights: &Weights) -> Result<Self, WeightsError> {
        Ok(Self {
            net: RefCell::new(weights.load(NetName::Forecast, &[1, FEATURES], ANSWERS)?),
            history: History::default(),
            mean: Vector::zeros(),
            weight: 0.0,
            left: Vector::zeros(),
            restarted_s: 0.0,
            noise_sd_deg: 0.0,
        })
    }

    pub(super) fn reset(&mut self) {
        self.history.clear();
    }

    pub(super) fn update(&mut self, sample: Sample, step: &Step, noise_sd_deg: f64) {
        if self.history.is_empty() {
            self.left = sample.at;
            self.restarted_s = sample.t_s;
        } else if let Some(left) = step.left {
            self.left = left;
            self.restarted_s = sample.t_s;
        }
        self.history.push(sample);
        self.mean = step.mean;
        self.weight = step.weight;
        self.noise_sd_deg = noise_sd_deg;
    }

    /// Whether the newest samples look like what the net was trained on.
    pub(super) fn knows(&self) -> bool {
        let len = self.history.len();
        let (Some(newest), Some(oldest)) = (self.history.newest(), self.history.get(len.saturating_sub(1))) else {
            return false;
        };
        len >= MIN_SAMPLES
            && INTERVALS_S.contains(&((newest.t_s - oldest.t_s) / (len - 1) as f64))
            && NOISE_DEG.contains(&self.noise_sd_deg)
    }

    /// Where the eye is `horizon_s` after the newest sample; 0 gives the filtered position. `None` before the first
    /// sample and where the net fails or answers nonsense.
    pub(super) fn answer(&self, horizon_s: f64) -> Option<Answer> {
        let newest = self.history.newest()?;
        let mean = self.mean - newest.at;
        let left = self.left - self.mean;
        let length = |v: Vector| (v.norm() / self.noise_sd_deg).ln_1p();
        let mut net = self.net.borrow_mut();
        let mut reach = mean.norm().max(left.norm());

        let input = net.input();
        input[..4 * OLDER].fill(0.0);
        for (i, sample) in self.history.iter().skip(1).enumerate() {
            let displacement = sample.at - newest.at;
            reach = reach.max(displacement.norm());
            input[2 * i] = (displacement.x * PER_DEGREE) as f32;
            input[2 * i + 1] = (displacement.y * PER_DEGREE) as f32;
            input[2 * OLDER + i] = length(displacement) as f32;
            input[3 * OLDER + i] = ((newest.t_s - sample.t_s).min(MAX_AGE_S) * PER_SECOND) as f32;
        }
        let state = [
            mean.x * PER_DEGREE,
            mean.y * PER_DEGREE,
            length(mean),
            left.x * PER_DEGREE,
            left.y * PER_DEGREE,
            length(left),
            self.weight.ln(),
            (newest.t_s - self.restarted_s).min(MAX_AGE_S) * PER_SECOND,
            self.noise_sd_deg.ln(),
            (self.history.len() - 1) as f64 / OLDER as f64,
            horizon_s * PER_SECOND_AHEAD,
        ];
        for (slot, value) in input[4 * OLDER..].iter_mut().zip(state) {
            *slot = value as f32;
        }

        // The net was run once when it was loaded; that it fails now would be a defect of tract.
        let answer = net
            .run()
            .inspect_err(|error| tracing::error!("the forecast net failed: {error}"))
            .ok()?;
        let older = self.history.iter().skip(1).map(|sample| sample.at - newest.at);
        let part = |index: usize| f64::from(answer[index]);
        let mut at = newest.at + Vector::new(part(BASIS + 2), part(BASIS + 3)) / PER_DEGREE;
        for (index, displacement) in older.take(BASIS).enumerate() {
            at += displacement * part(index);
        }
        at += mean * part(BASIS) + left * part(BASIS + 1);
        let radius_deg = 2.0 * part(BASIS + 4).exp().ln_1p();
        let sound = (at - newest.at).norm() <= 2.0 * reach + MAX_OFFSET_DEG && radius_deg.is_finite();
        sound.then_some(Answer { at, radius_deg })
    }
}

impl fmt::Debug for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learned")
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::gated::GatedMean;
    use crate::forecast::RESET_GAP_S;

    /// Gate, features and net in Rust give what the training's Python gave for the same samples.
    #[test]
    fn answers_are_those_of_the_training_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/golden/forecast.csv");
        let mut reader = csv::Reader::from_path(path).expect("the golden file is part of the project");
        let mut learned = Learned::new(&Weights::BuiltIn).expect("the weights are part of the project");
        let mut gate = GatedMean::default();
        let mut last_s = None;
        let mut rows = 0;
        for record in reader.deserialize::<[f64; 8]>() {
            let [t_s, x, y, x_now, y_now, x_50ms, y_50ms, radius_50ms] = record.expect("it is well formed");
            let at = Vector::new(x, y);
            let dt_s = last_s.replace(t_s).map_or(0.0, |last| t_s - last);
            if dt_s > RESET_GAP_S {
                gate.reset();
                learned.reset();
            }
            let step = gate.update(at, dt_s);
            learned.update(Sample { t_s, at }, &step, gate.noise_sd_deg());
            let now = learned.answer(0.0).expect("it is sound");
            let ahead = learned.answer(0.05).expect("it is sound");
            assert!((now.at - Vector::new(x_now, y_now)).norm() < 2e-3, "{t_s}: {now:?}");
            assert!(
                (ahead.at - Vector::new(x_50ms, y_50ms)).norm() < 2e-3,
                "{t_s}: {ahead:?}"
            );
            assert!((ahead.radius_deg - radius_50ms).abs() < 5e-3, "{t_s}: {ahead:?}");
            rows += 1;
        }
        assert_eq!(rows, 160);
    }

    #[test]
    fn rates_and_noises_beyond_training_are_not_known() {
        let known = |interval_s: f64, noise_sd_deg: f64| {
            let mut learned = Learned::new(&Weights::BuiltIn).expect("the weights are part of the project");
            let mut gate = GatedMean::default();
            for i in 0..10 {
                let sample = Sample {
                    t_s: f64::from(i) * interval_s,
                    at: Vector::zeros(),
                };
                learned.update(sample, &gate.update(sample.at, interval_s), noise_sd_deg);
            }
            learned.knows()
        };
        assert!(known(1.0 / 60.0, 0.5) && known(1.0 / 15.0, 1.5) && known(1.0 / 120.0, 0.2));
        assert!(!known(1.0 / 500.0, 0.5));
        assert!(!known(1.0 / 8.0, 0.5));
        assert!(!known(1.0 / 60.0, 0.02));
        assert!(!known(1.0 / 60.0, 5.0));
    }
}
