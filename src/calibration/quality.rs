//! How good a mapping is at a point that was looked at, in the field's measures.
//!
//! Accuracy is the distance from the point to the mean of the gaze; precision is how the gaze scatters about that mean: from
//! sample to sample (RMS-S2S) and as a whole (SD). All in degrees of visual angle (Holmqvist, Nystroem, Mulvey, *Eye tracker
//! data quality*, ETRA 2012).

use super::gathering::angle;
use super::{Features, Mapping};
use crate::geometry::{ScreenPoint, Setup, VisualAngle};

/// What a mapping answered while one point was looked at, in the order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    pub at: ScreenPoint,
    /// The point, and the gaze of each frame, as the eyes saw it.
    pub target: VisualAngle,
    pub gaze: Vec<VisualAngle>,
    /// From the eyes to the screen, mean.
    pub distance_mm: f64,
}

impl Answers {
    pub fn of(mapping: &Mapping, at: ScreenPoint, frames: &[Features], setup: &Setup) -> Self {
        let count = frames.len().max(1) as f64;
        let distance_mm = frames.iter().map(|features| features.eyes_mm[2]).sum::<f64>() / count;
        Self {
            at,
            target: setup.screen.visual_angle(at, distance_mm),
            gaze: frames.iter().map(|features| angle(mapping, features, setup)).collect(),
            distance_mm,
        }
    }

    pub fn mean(&self) -> VisualAngle {
        let count = self.gaze.len().max(1) as f64;
        let mean = |of: fn(&VisualAngle) -> f64| self.gaze.iter().map(of).sum::<f64>() / count;
        VisualAngle::new(mean(|gaze| gaze.x_deg), mean(|gaze| gaze.y_deg))
    }

    /// Distance from the point to the middle of the gaze.
    pub fn accuracy_deg(&self) -> f64 {
        self.mean().distance_deg(self.target)
    }

    /// Root mean square of the distances between consecutive samples; `None` of fewer than two.
    pub fn rms_s2s_deg(&self) -> Option<f64> {
        let squares = self.gaze.windows(2).map(|pair| pair[0].distance_deg(pair[1]).powi(2));
        (self.gaze.len() > 1).then(|| (squares.sum::<f64>() / (self.gaze.len() - 1) as f64).sqrt())
    }

    /// Standard deviation, both axes together; `None` of fewer than two samples.
    pub fn sd_deg(&self) -> Option<f64> {
        let mean = self.mean();
        let squares = self.gaze.iter().map(|gaze| gaze.distance_deg(mean).powi(2));
        (self.gaze.len() > 1).then(|| (squares.sum::<f64>() / (self.gaze.len() - 1) as f64).sqrt())
    }
}

/// Accuracy and precision in two numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    pub error_deg: f64,
    /// RMS between consecutive samples; 0 where no two samples follow each other.
    pub precision_deg: f64,
}

impl Quality {
    /// Means over points, each of its own kind of answers: those that measure accuracy, and those that measure precision.
    pub fn mean(accuracy: &[Answers], precision: &[Answers]) -> Self {
        let mean = |values: Vec<f64>| {
            // Summed from +0, for an empty sum is -0.
            values.iter().fold(0.0, |sum, value| sum + value) / values.len().max(1) as f64
        };
        Self {
            error_deg: mean(accuracy.iter().map(Answers::accuracy_deg).collect()),
            precision_deg: mean(precision.iter().filter_map(Answers::rms_s2s_deg).collect()),
        }
    }
}

/// Measures a mapping on frames that it was not made from.
pub fn measure(mapping: &Mapping, target: ScreenPoint, frames: &[Features], setup: &Setup) -> Quality {
    let answers = [Answers::of(mapping, target, frames, setup)];
    Quality::mean(&answers, &answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(gaze: &[(f64, f64)]) -> Answers {
        Answers {
            at: ScreenPoint::CENTRE,
            target: VisualAngle::default(),
            gaze: gaze.iter().map(|(x, y)| VisualAngle::new(*x, *y)).collect(),
            distance_mm: 600.0,
        }
    }

    #[test]
    fn the_measures_are_those_of_their_definitions() {
        // Alternating: every step is 2 degrees, the SD of the two places is 1 but for the correction of small samples.
        let alternating = answers(&[(3.0, 5.0), (3.0, 3.0), (3.0, 5.0), (3.0, 3.0)]);
        assert_eq!(alternating.accuracy_deg(), 5.0);
        assert_eq!(alternating.rms_s2s_deg(), Some(2.0));
        assert!((alternating.sd_deg().expect("four samples") - (4.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        let single = answers(&[(0.0, 1.0)]);
        assert_eq!((single.rms_s2s_deg(), single.sd_deg()), (None, None));
        assert_eq!(
            Quality::mean(&[single], &[]),
            Quality {
                error_deg: 1.0,
                precision_deg: 0.0
            }
        );
    }
}
