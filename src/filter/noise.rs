//! How noisy the samples are, measured while they come.
//!
//! The difference of two successive samples of a resting eye is noise alone; its median length over the last two
//! seconds or so ignores the saccades among them. For white Gaussian noise of SD s on each axis the differences have SD
//! s * sqrt(2) on each axis and Rayleigh-distributed lengths, whose median is s * sqrt(2) * sqrt(2 ln 2) = 1.665 s.

const WINDOW: usize = 48;
const MEDIAN_PER_SD: f64 = 1.665_109_222_315_395_6;
/// A webcam's noise is 0.5 to 2 degrees: what is assumed before anything has been measured, and how many samples that
/// assumption is worth.
const PRIOR_SD_DEG: f64 = 0.5;
const PRIOR_SAMPLES: f64 = 8.0;
/// No webcam is better than this; it also keeps thresholds away from zero on perfectly still synthetic input.
pub const FLOOR_SD_DEG: f64 = 0.02;

/// A running median of the lengths of successive differences.
#[derive(Clone, Debug)]
pub struct NoiseMeter {
    lengths: [f32; WINDOW],
    sorted: [f32; WINDOW],
    next: usize,
    len: usize,
}

impl Default for NoiseMeter {
    fn default() -> Self {
        Self {
            lengths: [0.0; WINDOW],
            sorted: [0.0; WINDOW],
            next: 0,
            len: 0,
        }
    }
}

impl NoiseMeter {
    /// Takes the distance in degrees between a sample and the one before it.
    pub fn push(&mut self, length_deg: f64) {
        let new = length_deg as f32;
        let kept = if self.len == WINDOW {
            let old = self.lengths[self.next];
            let gone = self.sorted.partition_point(|&x| x < old);
            self.sorted.copy_within(gone + 1..WINDOW, gone);
            WINDOW - 1
        } else {
            self.len
        };
        let place = self.sorted[..kept].partition_point(|&x| x < new);
        self.sorted.copy_within(place..kept, place + 1);
        self.sorted[place] = new;
        self.lengths[self.next] = new;
        self.next = (self.next + 1) % WINDOW;
        self.len = kept + 1;
    }

    /// Standard deviation of the noise on each axis, in degrees.
    pub fn sd_deg(&self) -> f64 {
        let weight = self.len as f64;
        let measured = if self.len == 0 {
            0.0
        } else {
            f64::from(self.sorted[self.len / 2]) / MEDIAN_PER_SD
        };
        let blended = (measured * weight + PRIOR_SD_DEG * PRIOR_SAMPLES) / (weight + PRIOR_SAMPLES);
        let sd = if self.len == WINDOW { measured } else { blended };
        sd.max(FLOOR_SD_DEG)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn saccades_among_the_differences_do_not_count() {
        let mut meter = NoiseMeter::default();
        for i in 0..200 {
            meter.push(if i % 6 == 0 { 9.0 } else { 0.5 * 1.665 });
        }
        assert!((meter.sd_deg() - 0.5).abs() < 0.01, "{}", meter.sd_deg());
    }

    proptest! {
        #[test]
        fn the_running_median_is_the_median(lengths in prop::collection::vec(0.0..30.0_f64, WINDOW..200)) {
            let mut meter = NoiseMeter::default();
            lengths.iter().for_each(|&length| meter.push(length));
            let mut last: Vec<f32> = lengths[lengths.len() - WINDOW..].iter().map(|&x| x as f32).collect();
            last.sort_by(f32::total_cmp);
            let expected = (f64::from(last[WINDOW / 2]) / MEDIAN_PER_SD).max(FLOOR_SD_DEG);
            prop_assert!((meter.sd_deg() - expected).abs() < 1e-9);
        }
    }
}
