//! The learned forecast: a small net over the newest 24 samples, the gate's state and the runs'.
//!
//! The net answers with how much of some displacements in its input to add to the newest sample, which scales with the
//! movement, with what else to add, and with the error radius. What it was trained on bounds what it is asked: at other
//! sample rates or noises [`Learned::knows`] says so, and the caller falls back to a rule.

use std::cell::RefCell;
use std::fmt;

use super::scene::{BASIS, SEEN, Scene, View};
use crate::filter::Vector;
use crate::filter::gated::Step;
use crate::filter::history::Sample;
use crate::nets::{Net, NetName, Weights, WeightsError};

/// What is seen, and the horizon.
const FEATURES: usize = SEEN + 1;
/// Shares of the displacements, what to add along both axes, and the radius.
const ANSWERS: usize = BASIS + 3;
const PER_SECOND_AHEAD: f64 = 10.0;
/// What the added part of the answer is counted in.
const OFFSET_DEG: f64 = 3.0;

/// The sample intervals that were trained, in seconds (130 to 12 samples a second).
const INTERVALS_S: std::ops::RangeInclusive<f64> = 0.0065..=0.095;
/// The noise that was trained, in degrees on each axis.
const NOISE_DEG: std::ops::RangeInclusive<f64> = 0.05..=3.0;
/// The first sample after a gap says nothing about movement.
const MIN_SAMPLES: usize = 2;
/// An answer further from the newest sample than twice the largest displacement in the input and this is no answer.
const MAX_OFFSET_DEG: f64 = 3.0;

/// The net with the memory its input is made of.
pub(super) struct Learned {
    // The net's buffers change while it answers; a forecast is a question all the same.
    net: RefCell<Net>,
    scene: Scene,
    newest: Vector,
    view: View,
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
            scene: Scene::default(),
            newest: Vector::zeros(),
            view: View::default(),
        })
    }

    /// Forgets where the eye was.
    pub(super) fn clear_position(&mut self) {
        self.scene.clear_position();
    }

    /// Forgets everything but the net.
    pub(super) fn reset(&mut self) {
        self.scene = Scene::default();
    }

    /// Takes a sample `dt_s` after the one before, whether or not the position was cleared between them.
    pub(super) fn update(&mut self, sample: Sample, dt_s: f64, step: &Step, noise_sd_deg: f64) {
        self.scene.update(sample, dt_s, step, noise_sd_deg);
        self.newest = sample.at;
        if let Some(view) = self.scene.view() {
            self.view = view;
        }
    }

    /// Whether the newest samples look like what the net was trained on.
    pub(super) fn knows(&self) -> bool {
        let history = self.scene.history();
        let len = history.len();
        let (Some(newest), Some(oldest)) = (history.newest(), history.get(len.saturating_sub(1))) else {
            return false;
        };
        len >= MIN_SAMPLES
            && INTERVALS_S.contains(&((newest.t_s - oldest.t_s) / (len - 1) as f64))
            && NOISE_DEG.contains(&self.scene.noise_sd_deg())
    }

    /// Where the eye is `horizon_s` after the newest sample; 0 gives the filtered position. `None` where the net fails or
    /// answers nonsense.
    pub(super) fn answer(&self, horizon_s: f64) -> Option<Answer> {
        let mut net = self.net.borrow_mut();
        let input = net.input();
        input[..SEEN].copy_from_slice(&self.view.seen);
        input[SEEN] = (horizon_s * PER_SECOND_AHEAD) as f32;
        // The net was run once when it was loaded; that it fails now would be a defect of tract.
        let answer = net
            .run()
            .inspect_err(|error| tracing::error!("the forecast net failed: {error}"))
            .ok()?;
        let part = |index: usize| f64::from(answer[index]);
        let mut offset = Vector::new(part(BASIS), part(BASIS + 1)) * OFFSET_DEG;
        let mut reach: f64 = 0.0;
        for (index, displacement) in self.view.basis.iter().enumerate() {
            offset += displacement * part(index);
            reach = reach.max(displacement.norm());
        }
        let radius_deg = 2.0 * part(BASIS + 2).exp().ln_1p();
        let sound = offset.norm() <= 2.0 * reach + MAX_OFFSET_DEG && radius_deg.is_finite();
        sound.then(|| Answer {
            at: self.newest + self.view.in_world(offset),
            radius_deg,
        })
    }
}

impl fmt::Debug for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learned")
            .field("scene", &self.scene)
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
                learned.clear_position();
            }
            let step = gate.update(at, dt_s);
            learned.update(Sample { t_s, at }, dt_s, &step, gate.noise_sd_deg());
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
                learned.update(sample, interval_s, &gate.update(sample.at, interval_s), noise_sd_deg);
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
