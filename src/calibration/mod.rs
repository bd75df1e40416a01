//! From features to the screen: the fit of one person, and the profile it is kept in.

mod appearance;
pub mod drift;
pub mod features;
pub mod gathering;
mod prior;
mod process;
pub mod profile;
pub mod quality;
mod region;

use nalgebra::Vector2;
use serde::{Deserialize, Serialize};

pub use appearance::Appearance;
pub use features::Features;
use prior::Prior;
pub use prior::basis;
use process::{Doubt, Process, Scales};
pub use region::Departure;
use region::Region;

use crate::geometry::{ScreenPoint, Setup};

/// One moment at which the user is known to have looked at a point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub target: ScreenPoint,
    pub features: Features,
}

/// A gaze point as calibration gives it, before any smoothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    pub point: ScreenPoint,
    /// Radius that should hold the true gaze point 95 % of the time, in mm on the screen.
    pub error_radius_mm: f64,
}

/// Why samples make no calibration.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum FitError {
    #[error(
        "only {found} usable samples, at least {least} are needed: look at every point until it is taken, with both eyes open"
    )]
    TooFew { found: usize, least: usize },
    #[error("all points lie at one place of the screen: look at points spread over the whole of it")]
    OnePlace,
    #[error("the samples contradict each other: calibrate again")]
    Degenerate,
}

/// The least number of samples that a fit makes sense with.
pub const LEAST_SAMPLES: usize = 4;

/// Maps features to the screen.
#[derive(Clone, Debug, Default)]
pub enum Mapping {
    /// Geometry corrected as for an average person: rough, several degrees off.
    #[default]
    Average,
    /// Geometry corrected for one person.
    Fitted(Box<Fit>),
}

impl Mapping {
    /// Somebody who is not calibrated differs from the average by this much: 6 degrees in tangents, one standard deviation.
    const AVERAGE_SD: f64 = 0.105;

    pub fn predict(&self, features: &Features, setup: &Setup) -> Prediction {
        let (tangents, sd) = match self {
            Self::Average => (
                features.gaze_tangents() + Prior::built_in().average(features),
                Self::AVERAGE_SD,
            ),
            Self::Fitted(fit) => fit.predict(features),
        };
        Prediction {
            point: features.screen_point(tangents, setup),
            error_radius_mm: RADIUS_95_PER_SD * sd * features.eyes_mm[2],
        }
    }

    /// What is not known of the person, for each axis.
    pub fn doubts(&self) -> [Doubt; 2] {
        match self {
            Self::Average => Doubt::beforehand(Prior::built_in()),
            Self::Fitted(fit) => fit.process.doubts(),
        }
    }

    /// How the head has left the region in which the person calibrated, where it has.
    pub fn departure(&self, features: &Features) -> Option<Departure> {
        match self {
            Self::Average => None,
            Self::Fitted(fit) => fit.region.departure(features),
        }
    }

    pub fn is_fitted(&self) -> bool {
        matches!(self, Self::Fitted(_))
    }
}

/// A circle of this many standard deviations of one axis holds 95 % of a round normal distribution in the plane:
/// sqrt(-2 ln 0.05).
const RADIUS_95_PER_SD: f64 = 2.447_746_83;

/// A person's correction of the geometric gaze.
#[derive(Clone, Debug)]
pub struct Fit {
    process: Process,
    /// Of the head.
    region: Region,
}

impl Fit {
    /// Frames of one point resemble each other: more than this many of them only cost time,
    const MOST_FRAMES_OF_A_POINT: usize = 12;
    /// which grows with the cube of all frames; where points are many, fewer frames of each do.
    const MOST_FRAMES: usize = 192;
    /// Of a file with more samples than any calibration gathers, so many are used: memory grows with their square.
    const MOST_SAMPLES: usize = 1024;

    /// Fits samples of one person.
    ///
    /// What is fitted is the difference between the geometric gaze and the true one, in tangents, by a Gaussian process
    /// whose prior is what people have in common. Samples that stay far off (blinks, looks elsewhere) lose their weight.
    pub fn new(samples: &[Sample], setup: &Setup) -> Result<Self, FitError> {
        Self::with_scales(samples, setup, None)
    }

    /// Fits other samples of the same person: how much the person differs from others is known from this fit, which saves
    /// most of the time.
    pub fn of_same_person(&self, samples: &[Sample], setup: &Setup) -> Result<Self, FitError> {
        Self::with_scales(samples, setup, Some(self.process.scales()))
    }

    fn with_scales(samples: &[Sample], setup: &Setup, scales: Option<Scales>) -> Result<Self, FitError> {
        let usable: Vec<&Sample> = samples
            .iter()
            .filter(|sample| sample.features.is_finite() && sample.target.is_finite())
            .collect();
        if usable.len() < LEAST_SAMPLES {
            return Err(FitError::TooFew {
                found: usable.len(),
                least: LEAST_SAMPLES,
            });
        }
        let first = usable[0].target;
        if usable
            .iter()
            .all(|sample| setup.screen.distance_mm(sample.target, first) < 5.0)
        {
            return Err(FitError::OnePlace);
        }
        let step = usable.len().div_ceil(Self::MOST_SAMPLES);
        let usable: Vec<&Sample> = usable.into_iter().step_by(step).collect();
        let (kept, points) = thinned(&usable);
        let features: Vec<&Features> = kept.iter().map(|sample| &sample.features).collect();
        let wanted: Vec<Vector2<f64>> = kept
            .iter()
            .map(|sample| sample.features.tangents_to(sample.target, setup) - sample.features.gaze_tangents())
            .collect();
        let process =
            Process::fit(&features, &wanted, &points, Prior::built_in(), scales).ok_or(FitError::Degenerate)?;
        let region = Region::of(&features);
        Ok(Self { process, region })
    }

    /// Tangents of the gaze and the standard deviation of one axis.
    fn predict(&self, features: &Features) -> (Vector2<f64>, f64) {
        let (correction, sd) = self.process.predict(features, Prior::built_in());
        (features.gaze_tangents() + correction, sd)
    }
}

/// Some samples of each point, evenly spaced, and the point that each belongs to.
fn thinned<'s>(samples: &[&'s Sample]) -> (Vec<&'s Sample>, Vec<usize>) {
    let mut points: Vec<(ScreenPoint, Vec<&Sample>)> = Vec::new();
    for sample in samples {
        match points.iter_mut().find(|(target, _)| *target == sample.target) {
            Some((_, members)) => members.push(sample),
            None => points.push((sample.target, vec![sample])),
        }
    }
    let most = (Fit::MOST_FRAMES / points.len().max(1)).clamp(1, Fit::MOST_FRAMES_OF_A_POINT);
    let (mut kept, mut point_of) = (Vec::new(), Vec::new());
    for (point, (_, members)) in points.into_iter().enumerate() {
        let count = members.len().min(most);
        kept.extend((0..count).map(|index| members[index * members.len() / count]));
        point_of.resize(kept.len(), point);
    }
    (kept, point_of)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A person whose eyes turn 20 % more than geometry thinks and look 5 degrees aside.
    fn sample(x: f64, y: f64, noise: f64) -> Sample {
        let setup = Setup::default();
        let mut features = Features::blank();
        let target = ScreenPoint::new(x, y);
        let truth = features.tangents_to(target, &setup);
        let seen = [(truth.x - 0.09) / 1.2 + noise, truth.y / 1.2 - noise];
        features.values[16..20].copy_from_slice(&[seen[0], seen[1], seen[0], seen[1]]);
        Sample { target, features }
    }

    fn nine_points() -> Vec<Sample> {
        let at = [0.1, 0.5, 0.9];
        at.iter().flat_map(|x| at.iter().map(|y| sample(*x, *y, 0.0))).collect()
    }

    #[test]
    fn nine_points_correct_gain_and_offset() {
        let setup = Setup::default();
        let mapping = Mapping::Fitted(Box::new(Fit::new(&nine_points(), &setup).expect("a fit")));
        for (x, y) in [(0.3, 0.3), (0.7, 0.2), (0.5, 0.8)] {
            let fresh = sample(x, y, 0.0);
            let error = setup
                .screen
                .distance_mm(mapping.predict(&fresh.features, &setup).point, fresh.target);
            assert!(error < 6.0, "{error} mm at ({x}, {y})");
            let raw = setup
                .screen
                .distance_mm(Mapping::Average.predict(&fresh.features, &setup).point, fresh.target);
            assert!(raw > 4.0 * error, "uncalibrated {raw} mm");
        }
    }

    #[test]
    fn one_look_elsewhere_does_not_spoil_the_fit() {
        let setup = Setup::default();
        let mut samples: Vec<Sample> = nine_points().into_iter().flat_map(|sample| [sample; 4]).collect();
        samples[7].target = ScreenPoint::new(0.9, 0.9);
        let mapping = Mapping::Fitted(Box::new(Fit::new(&samples, &setup).expect("a fit")));
        let fresh = sample(0.3, 0.6, 0.0);
        let error = setup
            .screen
            .distance_mm(mapping.predict(&fresh.features, &setup).point, fresh.target);
        assert!(error < 12.0, "{error} mm");
    }

    #[test]
    fn a_file_of_endless_samples_is_fitted_to_some_of_them() {
        let many = (0..20_000).map(|n| sample(f64::from(n) / 20_000.0, f64::from(n % 97) / 97.0, 0.0));
        assert!(Fit::new(&many.collect::<Vec<_>>(), &Setup::default()).is_ok());
    }

    #[test]
    fn what_cannot_be_fitted_says_why() {
        let setup = Setup::default();
        assert_eq!(
            Fit::new(&[], &setup).err(),
            Some(FitError::TooFew {
                found: 0,
                least: LEAST_SAMPLES
            })
        );
        let one_place = vec![sample(0.5, 0.5, 0.0); 9];
        assert_eq!(Fit::new(&one_place, &setup).err(), Some(FitError::OnePlace));
        let mut broken = nine_points();
        broken
            .iter_mut()
            .for_each(|sample| sample.features.values[3] = f64::NAN);
        assert!(matches!(
            Fit::new(&broken, &setup).err(),
            Some(FitError::TooFew { found: 0, .. })
        ));
    }

    #[test]
    fn more_samples_leave_less_uncertain() {
        let setup = Setup::default();
        let few = Fit::new(&nine_points()[..5], &setup).expect("a fit");
        let all = few.of_same_person(&nine_points(), &setup).expect("a fit");
        let doubts = [few, all].map(|fit| Mapping::Fitted(Box::new(fit)).doubts());
        for axis in 0..2 {
            let [few, all] = doubts.each_ref().map(|doubts| doubts[axis].covariance);
            assert!(few.cholesky().is_some() && all.cholesky().is_some(), "no covariance");
            assert!(all.trace() < few.trace(), "{} after {}", all.trace(), few.trace());
        }
    }

    proptest! {
        #[test]
        fn no_samples_whatever_make_it_panic_or_predict_nonsense(
            seeds in proptest::collection::vec((0.0..1.0_f64, 0.0..1.0_f64, -0.5..0.5_f64), 4..40)
        ) {
            let setup = Setup::default();
            let samples: Vec<Sample> = seeds.iter().map(|(x, y, noise)| sample(*x, *y, *noise)).collect();
            if let Ok(fit) = Fit::new(&samples, &setup) {
                let prediction = Mapping::Fitted(Box::new(fit)).predict(&samples[0].features, &setup);
                prop_assert!(prediction.point.is_finite());
                prop_assert!(prediction.error_radius_mm > 0.0);
            }
        }
    }
}
