//! What the forecast net is told: the newest samples and the gate's state, in a frame of their own.
//!
//! The origin of the frame is the newest sample, its first axis points from the mean of the newest four samples to the
//! newest one, and its second axis to the side on which the place left behind lies. So a movement is the same to the net
//! in whatever direction it goes. The order of the numbers is that of `models/train/forecast/net.py`.

use crate::filter::Vector;
use crate::filter::gated::Step;
use crate::filter::history::{CAPACITY, History, Sample};
use crate::filter::noise::NoiseMeter;
use crate::filter::runs::{Resting, RunMean};

/// Single samples before the newest one whose displacements are told.
const SINGLES: usize = 3;
/// Means over so many of the newest samples.
const MEANS: [usize; 8] = [2, 3, 4, 6, 8, 12, 16, 24];
/// Which of the means the first axis points away from.
const AXIS_MEAN: usize = 2;
/// The samples before the newest one whose ages are told.
const AGES: [usize; 9] = [1, 2, 3, 4, 5, 7, 11, 15, 23];
/// Displacements that the net's answer combines: single samples, means, the gated mean, the place left, the usual place, the
/// mean over when the fixation may have begun, and the place left then.
pub(super) const BASIS: usize = SINGLES + MEANS.len() + 5;
const GATED: usize = SINGLES + MEANS.len();
const LEFT: usize = GATED + 1;
/// How many numbers describe the moment.
pub(super) const SEEN: usize = 3 * BASIS + MEANS.len() + AGES.len() + 8 + 7;

/// Scales that bring the numbers to about one, as in training.
const PER_SECOND: f64 = 4.0;
const MAX_AGE_S: f64 = 1.0;
const PER_JUMP: f64 = 1.0 / 3.0;
const PER_SURPRISE: f64 = 1.0 / 5.0;
/// Time constants of what is remembered across fixations: where the gaze has been, and how much it has jumped.
const PLACE_S: f64 = 5.0;
const ACTIVITY_S: f64 = 2.0;

/// The memory that the description is made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    history: History,
    mean: Vector,
    weight: f64,
    left: Vector,
    restarted_s: f64,
    noise_sd_deg: f64,
    /// The same from differences over two samples: larger where the noise of successive samples is alike.
    slow_noise: NoiseMeter,
    place: Vector,
    place_weight: f64,
    jumped_deg: f64,
    jumps: f64,
    runs: RunMean,
    resting: Resting,
}

/// One moment as the net sees it, and the way back from its frame.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub seen: [f32; SEEN],
    /// Displacements from the newest sample in the frame's axes, in degrees.
    pub basis: [Vector; BASIS],
    axis: Vector,
    side: Vector,
}

impl Default for View {
    fn default() -> Self {
        Self {
            seen: [0.0; SEEN],
            basis: [Vector::zeros(); BASIS],
            axis: Vector::x(),
            side: Vector::y(),
        }
    }
}

impl View {
    /// A vector of the frame in the world's axes.
    pub fn in_world(&self, v: Vector) -> Vector {
        self.axis * v.x + self.side * v.y
    }
}

impl Scene {
    /// Forgets where the eye was; where it usually is and how much it jumps stay, fading with time.
    pub fn clear_position(&mut self) {
        self.history.clear();
        self.runs.reset();
    }

    /// Takes a sample `dt_s` after the one before, whether or not there was a reset between them.
    pub fn update(&mut self, sample: Sample, dt_s: f64, step: &Step, noise_sd_deg: f64) {
        let dt_s = dt_s.max(0.0);
        let fade = (-dt_s / ACTIVITY_S).exp();
        self.jumped_deg *= fade;
        self.jumps *= fade;
        if self.history.is_empty() {
            self.left = sample.at;
            self.restarted_s = sample.t_s;
        } else if let Some(left) = step.left {
            self.left = left;
            self.restarted_s = sample.t_s;
            self.jumped_deg += (step.mean - left).norm();
            self.jumps += 1.0;
        }
        self.place_weight = self.place_weight * (-dt_s / PLACE_S).exp() + 1.0;
        self.place += (sample.at - self.place) / self.place_weight;
        self.history.push(sample);
        if let Some(earlier) = self.history.get(2) {
            self.slow_noise.push((sample.at - earlier.at).norm());
        }
        self.resting = self.runs.update(sample.at, dt_s, step.noise_sd_deg);
        self.mean = step.mean;
        self.weight = step.weight;
        self.noise_sd_deg = noise_sd_deg;
    }

    pub fn history(&self) -> &History {
        &self.history
    }

    pub fn noise_sd_deg(&self) -> f64 {
        self.noise_sd_deg
    }

    /// The newest moment; `None` before the first sample.
    pub fn view(&self) -> Option<View> {
        let newest = self.history.newest()?;
        let older = self.history.len() - 1;
        let sd = self.noise_sd_deg;
        let mut basis = [Vector::zeros(); BASIS];
        let mut scatter = [0.0; MEANS.len()];
        let (mut sum, mut square) = (Vector::zeros(), 0.0);
        for (back, sample) in self.history.iter().enumerate() {
            let displacement = sample.at - newest.at;
            if (1..=SINGLES).contains(&back) {
                basis[back - 1] = displacement;
            }
            sum += displacement;
            square += displacement.norm_squared();
            let count = back + 1;
            for (i, &wanted) in MEANS.iter().enumerate() {
                // A mean over more samples than there are is the mean of all there are.
                if count == wanted || (back == older && wanted > count) {
                    let mean = sum / count as f64;
                    basis[SINGLES + i] = mean;
                    scatter[i] = (square / count as f64 - mean.norm_squared()).max(0.0).sqrt() / sd;
                }
            }
        }
        basis[GATED] = self.mean - newest.at;
        basis[LEFT] = self.left - self.mean;
        basis[LEFT + 1] = self.place - newest.at;
        basis[LEFT + 2] = self.resting.mean - newest.at;
        basis[LEFT + 3] = self.resting.left - self.resting.mean;

        let away = -basis[SINGLES + AXIS_MEAN];
        let axis = if away.norm() > 1e-9 {
            away.normalize()
        } else {
            Vector::x()
        };
        let mut side = Vector::new(-axis.y, axis.x);
        // Two samples lie on one line with the place left; rounding must not choose the side then.
        if basis[LEFT].dot(&side) < -1e-3 {
            side = -side;
        }
        let mut seen = [0.0_f32; SEEN];
        let (vectors, rest) = seen.split_at_mut(2 * BASIS);
        let (lengths, rest) = rest.split_at_mut(BASIS);
        for (i, v) in basis.iter_mut().enumerate() {
            *v = Vector::new(v.dot(&axis), v.dot(&side));
            let length = v.norm();
            let compressed = (length / sd).ln_1p();
            let direction = *v / length.max(1e-9);
            vectors[2 * i] = (direction.x * compressed) as f32;
            vectors[2 * i + 1] = (direction.y * compressed) as f32;
            lengths[i] = compressed as f32;
        }
        let age = |back: usize| {
            let sample = self.history.get(back.min(older)).unwrap_or(newest);
            PER_SECOND * (newest.t_s - sample.t_s).min(MAX_AGE_S)
        };
        let state = [
            self.weight.ln(),
            PER_SECOND * (newest.t_s - self.restarted_s).min(MAX_AGE_S),
            self.jumped_deg.ln_1p(),
            self.jumps * PER_JUMP,
            sd.ln(),
            (self.slow_noise.sd_deg() / sd).ln(),
            axis.x * axis.x,
            older as f64 / (CAPACITY - 1) as f64,
            self.resting.first,
            self.resting.second,
            self.resting.few,
            PER_SECOND * self.resting.age_s.min(MAX_AGE_S),
            PER_SECOND * self.resting.age_before_s.min(MAX_AGE_S),
            self.resting.spread_sd.ln_1p(),
            self.resting.surprise * PER_SURPRISE,
        ];
        let numbers = scatter.iter().map(|s| s.ln_1p()).chain(AGES.map(age)).chain(state);
        for (slot, number) in rest.iter_mut().zip(numbers) {
            *slot = number as f32;
        }
        Some(View {
            seen,
            basis,
            axis,
            side,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::gated::GatedMean;

    /// A look at a scan path that is turned by `angle` and mirrored or not.
    fn view(angle: f64, mirror: f64) -> View {
        let (sin, cos) = angle.sin_cos();
        let (mut gate, mut scene) = (GatedMean::default(), Scene::default());
        for i in 0..40_u32 {
            let k = f64::from(i);
            let flat = Vector::new(
                if i < 20 { 0.0 } else { 6.0 } + 0.4 * (k * 2.4).sin(),
                mirror * (0.3 * k.cos() + 0.02 * k),
            );
            let at = Vector::new(cos * flat.x - sin * flat.y, sin * flat.x + cos * flat.y);
            let step = gate.update(at, 1.0 / 60.0);
            let sample = Sample { t_s: k / 60.0, at };
            scene.update(sample, 1.0 / 60.0, &step, gate.noise_sd_deg());
        }
        scene.view().expect("it has seen samples")
    }

    #[test]
    fn a_turned_or_mirrored_movement_looks_the_same() {
        let reference = view(0.0, 1.0);
        // One number is the direction itself: the last but one before those of the runs.
        let direction = SEEN - 9;
        for (angle, mirror) in [(1.0, 1.0), (-2.5, 1.0), (0.0, -1.0), (0.7, -1.0)] {
            let turned = view(angle, mirror);
            for i in (0..SEEN).filter(|&i| i != direction) {
                assert!(
                    (turned.seen[i] - reference.seen[i]).abs() < 1e-4,
                    "{angle} {mirror} {i}"
                );
            }
            let (sin, cos) = angle.sin_cos();
            let expected = reference.in_world(Vector::new(2.0, 1.0));
            let expected = Vector::new(
                cos * expected.x - sin * mirror * expected.y,
                sin * expected.x + cos * mirror * expected.y,
            );
            assert!((turned.in_world(Vector::new(2.0, 1.0)) - expected).norm() < 1e-6);
        }
    }
}
