//! A mean with a short memory that restarts at a saccade.
//!
//! Inside a fixation the mean of the newest samples has less noise than any of them; across a saccade it would lag. So
//! every sample is first tested against the mean: one that noise alone would hardly put there, or two in a row that
//! agree on a smaller displacement, restart the memory. Thresholds are in units of the measured noise.

use super::Vector;
use super::noise::NoiseMeter;

/// A deviation this many standard deviations long restarts the memory at once: for the Rayleigh-distributed length of
/// two-dimensional noise the chance is exp(-k²/2), 0.4 %.
const JUMP_SD: f64 = 3.3;
/// The same for the mean of two successive deviations.
const STEP_SD: f64 = 3.0;
/// Time after which a sample's weight has fallen to 1/e.
const MEMORY_S: f64 = 0.12;

/// What one sample did to the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Where the mean now is, in degrees.
    pub mean: Vector,
    /// How many fresh samples the mean is worth.
    pub weight: f64,
    /// The mean that was left behind, if this sample restarted the memory.
    pub left: Option<Vector>,
    /// The noise on each axis, in degrees, as it was known before the sample.
    pub noise_sd_deg: f64,
}

/// The mean, its weight, and the noise that its gate is scaled with.
#[derive(Clone, Debug, Default)]
pub struct GatedMean {
    noise: NoiseMeter,
    mean: Vector,
    weight: f64,
    /// The sample before, and its deviation from the mean as it then was.
    last: Option<(Vector, Vector)>,
}

impl GatedMean {
    /// Forgets where the eye was. What has been learned about the noise stays: the camera is still the same.
    pub fn reset(&mut self) {
        self.last = None;
        self.weight = 0.0;
    }

    /// Takes a sample `dt_s` seconds after the one before.
    pub fn update(&mut self, sample: Vector, dt_s: f64) -> Step {
        let sd = self.noise.sd_deg();
        let Some((last, last_deviation)) = self.last else {
            self.last = Some((sample, Vector::zeros()));
            self.mean = sample;
            self.weight = 1.0;
            return Step {
                mean: sample,
                weight: 1.0,
                left: None,
                noise_sd_deg: sd,
            };
        };
        self.noise.push((sample - last).norm());
        let deviation = sample - self.mean;
        let both = 0.5 * (deviation + last_deviation);
        let jumped = deviation.norm() > JUMP_SD * sd * (1.0 + 1.0 / self.weight).sqrt();
        let stepped = self.weight > 2.0 && both.norm() > STEP_SD * sd * (0.5 + 1.0 / self.weight).sqrt();
        if jumped || stepped {
            let left = self.mean;
            // A small step is told by two samples, and both belong to the new place.
            (self.mean, self.weight) = if jumped {
                (sample, 1.0)
            } else {
                (0.5 * (sample + last), 2.0)
            };
            self.last = Some((sample, Vector::zeros()));
            return Step {
                mean: self.mean,
                weight: self.weight,
                left: Some(left),
                noise_sd_deg: sd,
            };
        }
        self.weight = self.weight * (-dt_s.max(0.0) / MEMORY_S).exp() + 1.0;
        self.mean += deviation / self.weight;
        self.last = Some((sample, deviation));
        Step {
            mean: self.mean,
            weight: self.weight,
            left: None,
            noise_sd_deg: sd,
        }
    }

    /// Measured standard deviation of the noise on each axis, in degrees.
    pub fn noise_sd_deg(&self) -> f64 {
        self.noise.sd_deg()
    }
}
