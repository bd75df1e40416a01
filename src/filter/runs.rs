//! A mean over the present fixation, weighed over all the moments at which it may have begun.
//!
//! The gated mean decides at every sample whether the gaze has jumped; near the threshold that decision is a coin toss, and
//! its output jumps with it. Here no decision is made: every sample since which the gaze may have rested is a *run* with a
//! mean, a variance and a probability, and the answer is their weighted mean. This is Bayesian online change-point
//! detection (Adams and MacKay, arXiv:0710.3742, 2007) for a gaze that drifts a little between changes, with Gaussian noise
//! of the measured size and jumps of exponentially distributed length. The constants were chosen on people who are not
//! scored.

use std::f64::consts::TAU;

use super::Vector;

/// Longer runs than this many samples are taken together.
const RUNS: usize = 32;
/// Growth of a resting gaze's variance on each axis, in square degrees a second.
const DRIFT_DEG2_S: f64 = 0.3;
/// Saccades a second in free viewing: three to four (Rayner, Psychological Bulletin 124, 1998).
const CHANGES_S: f64 = 4.0;
/// A sample in flight is mostly followed by another change: the chance that a run of one sample ends.
const AGAIN: f64 = 0.5;
/// Mean length of a jump.
const JUMP_DEG: f64 = 3.0;
/// A sample that no run explains, not even as a jump, begins everything anew.
const LEAST_EVIDENCE: f64 = 1e-25;
/// Beyond these the surprise says no more.
const SURPRISE: (f64, f64) = (-2.0, 20.0);

/// The gaze as it is if the present fixation began with a certain sample.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    weight: f64,
    mean: Vector,
    /// Of the mean, on each axis, in square degrees.
    variance: f64,
    /// Where the gaze was before.
    left: Vector,
    age_s: f64,
    /// How old the run before had become.
    age_before_s: f64,
}

impl Run {
    /// Takes in a run that is not told apart from this one any more.
    fn absorb(&mut self, other: Self) {
        let sum = self.weight + other.weight;
        if sum <= 0.0 {
            return;
        }
        let share = other.weight / sum;
        let mix = |a: f64, b: f64| a + (b - a) * share;
        self.weight = sum;
        self.mean = self.mean.lerp(&other.mean, share);
        self.variance = mix(self.variance, other.variance);
        self.left = self.left.lerp(&other.left, share);
        self.age_s = mix(self.age_s, other.age_s);
        self.age_before_s = mix(self.age_before_s, other.age_before_s);
    }
}

/// What is known about the present fixation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Resting {
    /// Where it is, and where the gaze was before it.
    pub mean: Vector,
    pub left: Vector,
    /// Chances that it began with the newest sample, the one before, or one of the three before that.
    pub first: f64,
    pub second: f64,
    pub few: f64,
    /// Expected age, and expected age at its end of the fixation before.
    pub age_s: f64,
    pub age_before_s: f64,
    /// How far the runs' means are apart, root mean square, in standard deviations of the noise.
    pub spread_sd: f64,
    /// Minus the logarithm of the newest sample's probability density, relative to that of the noise at its middle.
    pub surprise: f64,
}

/// The runs, shortest first.
#[derive(Clone, Debug, Default)]
pub struct RunMean {
    runs: [Run; RUNS],
    len: usize,
}

impl RunMean {
    /// Forgets where the eye was.
    pub fn reset(&mut self) {
        self.len = 0;
    }

    /// Takes a sample `dt_s` seconds after the one before; `noise_sd_deg` is the noise on each axis as known before it.
    pub fn update(&mut self, sample: Vector, dt_s: f64, noise_sd_deg: f64) -> Resting {
        let (dt_s, noise) = (dt_s.max(0.0), noise_sd_deg * noise_sd_deg);
        let mut newest = Run {
            mean: sample,
            variance: noise,
            ..Run::default()
        };
        let usual = -(-CHANGES_S * dt_s).exp_m1();
        for (index, run) in self.runs[..self.len].iter_mut().enumerate() {
            run.variance += DRIFT_DEG2_S * dt_s;
            run.age_s += dt_s;
            let off = sample - run.mean;
            let (square, total) = (off.norm_squared(), noise + run.variance);
            let stays = (-0.5 * square / total).exp() / (TAU * total);
            // The density of a jump of this length in any direction, with the noise as its least length.
            let length = (square + total).sqrt();
            let jumps = (-length / JUMP_DEG).exp() / (TAU * JUMP_DEG * length);
            let hazard = if index == 0 { usual.max(AGAIN) } else { usual };
            let change = run.weight * hazard * jumps;
            newest.weight += change;
            newest.left += run.mean * change;
            newest.age_before_s += run.age_s * change;
            run.weight *= (1.0 - hazard) * stays;
            let gain = run.variance / total;
            run.mean += off * gain;
            run.variance *= 1.0 - gain;
        }
        if newest.weight > 0.0 {
            newest.left /= newest.weight;
            newest.age_before_s /= newest.weight;
        }
        if self.len == RUNS {
            self.len -= 1;
            let oldest = self.runs[self.len];
            self.runs[self.len - 1].absorb(oldest);
        }
        self.runs.copy_within(0..self.len, 1);
        self.runs[0] = newest;
        self.len += 1;
        let mut evidence: f64 = self.runs[..self.len].iter().map(|run| run.weight).sum();
        // Also where it is not a number.
        if !(evidence > LEAST_EVIDENCE && evidence.is_finite()) {
            evidence = 1.0;
            self.len = 1;
            self.runs[0] = Run {
                weight: 1.0,
                left: sample,
                age_before_s: 0.0,
                ..newest
            };
        }
        self.runs[..self.len].iter_mut().for_each(|run| run.weight /= evidence);
        self.resting(noise, -(evidence * TAU * noise).ln())
    }

    fn resting(&self, noise: f64, surprise: f64) -> Resting {
        let runs = &self.runs[..self.len];
        let chance = |range: std::ops::Range<usize>| {
            let end = range.end.min(self.len);
            runs[range.start.min(end)..end].iter().map(|run| run.weight).sum()
        };
        let mut resting = Resting {
            first: chance(0..1),
            second: chance(1..2),
            few: chance(2..5),
            surprise: surprise.clamp(SURPRISE.0, SURPRISE.1),
            ..Resting::default()
        };
        for run in runs {
            resting.mean += run.mean * run.weight;
            resting.left += run.left * run.weight;
            resting.age_s += run.age_s * run.weight;
            resting.age_before_s += run.age_before_s * run.weight;
        }
        let apart = |run: &Run| run.weight * (run.mean - resting.mean).norm_squared();
        resting.spread_sd = (runs.iter().map(apart).sum::<f64>() / noise).sqrt();
        resting
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DT_S: f64 = 1.0 / 60.0;

    /// Noise of 0.5 degrees or so that is the same in every run.
    fn wobble(i: u32) -> Vector {
        let k = f64::from(i);
        Vector::new((k * 2.399).sin(), (k * 1.711).cos()) * 0.7
    }

    #[test]
    fn a_rest_is_averaged_and_a_jump_is_followed_at_once() {
        let mut runs = RunMean::default();
        let mut resting = Resting::default();
        for i in 0..40 {
            resting = runs.update(wobble(i), DT_S, 0.5);
        }
        assert!(resting.mean.norm() < 0.15, "{resting:?}");
        assert!(resting.first < 0.05 && resting.age_s > 0.3, "{resting:?}");
        let place = Vector::new(6.0, -3.0);
        let jumped = runs.update(place + wobble(40), DT_S, 0.5);
        assert!((jumped.mean - place).norm() < 1.0 && jumped.first > 0.99, "{jumped:?}");
        assert!(jumped.left.norm() < 0.2 && jumped.surprise > resting.surprise + 3.0);
        assert!((jumped.age_before_s - resting.age_s).abs() < 0.05, "{jumped:?}");
    }

    #[test]
    fn a_sample_that_nothing_explains_begins_anew() {
        let mut runs = RunMean::default();
        (0..10).for_each(|i| _ = runs.update(wobble(i), DT_S, 0.02));
        let far = Vector::new(300.0, 0.0);
        let resting = runs.update(far, DT_S, 0.02);
        assert_eq!(resting.mean, far);
        assert_eq!(resting.first, 1.0);
    }

    proptest! {
        #[test]
        fn the_mean_stays_among_the_samples(
            samples in prop::collection::vec((-30.0..30.0_f64, -20.0..20.0_f64, 0.0..0.3_f64), 1..120),
            noise in 0.02..3.0_f64,
        ) {
            let mut runs = RunMean::default();
            for &(x, y, dt_s) in &samples {
                let resting = runs.update(Vector::new(x, y), dt_s, noise);
                prop_assert!(resting.mean.x.abs() <= 30.0 && resting.mean.y.abs() <= 20.0);
                let chances = resting.first + resting.second + resting.few;
                prop_assert!((-1e-9..=1.0 + 1e-9).contains(&chances), "{resting:?}");
                prop_assert!(resting.spread_sd.is_finite() && resting.surprise.is_finite());
            }
        }
    }
}
