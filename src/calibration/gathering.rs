//! What a calibration gathers: which frames of the time that a point was looked at are believed, and how good the fit is.
//! The daemon's conversation and recordings go through it alike.

use super::features::{HEAD_PITCH, HEAD_YAW};
use super::profile::{Profile, points_of};
use super::quality::{Answers, Quality};
use super::{Features, Fit, FitError, Mapping, Sample};
use crate::eyes::EyeState;
use crate::geometry::{Screen, ScreenPoint, Setup, VisualAngle};
use crate::tracking::Absence;

/// The frames of one point, or why they do not serve, a sentence for people.
pub type Gathered = Result<Vec<Features>, String>;

/// Frames that a point needs at least, and the share of the frames that must show the eyes.
const LEAST_FRAMES: usize = 5;
const LEAST_SHARE: f64 = 0.4;
/// Frames further from the middle of the others than this many times their median distance are looks elsewhere.
const OUTLIER_DISTANCES: f64 = 3.0;
/// Half of the frames lie further from their middle than this where the user did not look at one point: well above what
/// a noisy camera does to a steady gaze.
const UNSTEADY_DEG: f64 = 4.0;
/// A head this far from how it mostly was is turned, 7 degrees: people who only look about the screen turn it less.
const TURNED_RAD: f64 = 0.122;
/// And this far, in mm, it has moved to a side, up or down: less than somebody who slumps or leans does.
const MOVED_MM: f64 = 30.0;

/// Picks the frames that show one steady gaze.
pub fn gather<'f>(frames: impl Iterator<Item = &'f Result<Features, Absence>>, setup: &Setup) -> Gathered {
    let (mut seen, mut missed) = (Vec::new(), Vec::new());
    for features in frames {
        match features {
            Ok(features) if features.is_finite() => seen.push(*features),
            Ok(_) => missed.push(Absence::LowConfidence),
            Err(absence) => missed.push(*absence),
        }
    }
    let all = seen.len() + missed.len();
    if all < LEAST_FRAMES {
        return Err(format!(
            "the camera gave {all} pictures in that time, at least {LEAST_FRAMES} are needed; show the point for longer"
        ));
    }
    if seen.len() < LEAST_FRAMES || (seen.len() as f64) < LEAST_SHARE * all as f64 {
        let count = |absence| missed.iter().filter(|missed| **missed == absence).count();
        let reasons = [
            (count(Absence::EyesClosed), "the eyes were closed"),
            (count(Absence::LowConfidence), "the eyes could not be seen well enough"),
            (count(Absence::NoFace), "no face was in view"),
        ];
        let (_, reason) = reasons.into_iter().max_by_key(|(count, _)| *count).unwrap_or_default();
        return Err(format!("{reason} in {} of {all} pictures", missed.len()));
    }
    for (eye, name) in ["left", "right"].iter().enumerate() {
        let closed = |features: &&Features| features.openness()[eye] < f64::from(EyeState::LEAST_OPENNESS);
        let closed = seen.iter().filter(closed).count();
        if closed as f64 > (1.0 - LEAST_SHARE) * seen.len() as f64 {
            return Err(format!(
                "the {name} eye was closed in {closed} of {} pictures; keep both eyes open",
                seen.len()
            ));
        }
    }
    // The rough gaze of pure geometry is enough to tell a steady look from a moving one, whatever is calibrated.
    let angles: Vec<VisualAngle> = seen
        .iter()
        .map(|features| angle(&Mapping::Average, features, setup))
        .collect();
    let middle = VisualAngle::new(
        median(angles.iter().map(|angle| angle.x_deg).collect()),
        median(angles.iter().map(|angle| angle.y_deg).collect()),
    );
    let distances: Vec<f64> = angles.iter().map(|angle| angle.distance_deg(middle)).collect();
    let typical = median(distances.clone());
    if typical > UNSTEADY_DEG {
        return Err(format!(
            "the gaze was not steady (half of it more than {typical:.1} degrees from its middle); look at the point until \
             it goes"
        ));
    }
    let kept = seen.into_iter().zip(distances);
    Ok(kept
        .filter(|(_, distance)| *distance <= OUTLIER_DISTANCES * typical)
        .map(|(features, _)| features)
        .collect())
}

pub(super) fn angle(mapping: &Mapping, features: &Features, setup: &Setup) -> VisualAngle {
    let point = mapping.predict(features, setup).point;
    setup.screen.visual_angle(point, features.eyes_mm[2])
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// How far a mapping is off at a point that is looked at: what has to be added to its answers.
pub fn drift(mapping: &Mapping, target: ScreenPoint, frames: &[Features], setup: &Setup) -> VisualAngle {
    let distance_mm = median(frames.iter().map(|features| features.eyes_mm[2]).collect());
    let target = setup.screen.visual_angle(target, distance_mm);
    let angles = || frames.iter().map(|features| angle(mapping, features, setup));
    VisualAngle::new(
        target.x_deg - median(angles().map(|angle| angle.x_deg).collect()),
        target.y_deg - median(angles().map(|angle| angle.y_deg).collect()),
    )
}

/// One point and the frames that show somebody looking at it.
#[derive(Clone, Debug)]
struct Target {
    at: ScreenPoint,
    frames: Vec<Features>,
}

/// A fit, and how good it is at points that it has not seen.
#[derive(Clone, Debug)]
pub struct Fitted {
    pub mapping: Mapping,
    /// The error to be expected between the points, from what it was at each of them, left out in turn; see
    /// [`Gathering::fit`].
    pub quality: Quality,
}

/// The mean of a round normal distribution in the plane, in parts of the radius that holds 95 % of it:
/// sqrt(pi / 2) / sqrt(-2 ln 0.05).
const MEAN_PER_RADIUS_95: f64 = 0.512_028;

/// A point, asked of a fit that was made without it.
struct LeftOut {
    answers: Answers,
    /// The error radius that the fit itself gave, mean.
    radius_mm: f64,
}

impl LeftOut {
    fn of(mapping: &Mapping, target: &Target, setup: &Setup) -> Self {
        Self {
            answers: Answers::of(mapping, target.at, &target.frames, setup),
            radius_mm: target.radius_mm(mapping, setup),
        }
    }

    fn radius_deg(&self) -> f64 {
        (self.radius_mm / self.answers.distance_mm).atan().to_degrees()
    }
}

impl Target {
    /// How the head was held: yaw and pitch in parts of what counts as turned, the place to the right and below in parts of
    /// what counts as moved.
    fn pose(&self) -> [f64; 4] {
        let of = |of: &dyn Fn(&Features) -> f64| median(self.frames.iter().map(of).collect());
        [
            of(&|frame| frame.values[HEAD_YAW] / TURNED_RAD),
            of(&|frame| frame.values[HEAD_PITCH] / TURNED_RAD),
            of(&|frame| frame.eyes_mm[0] / MOVED_MM),
            of(&|frame| frame.eyes_mm[1] / MOVED_MM),
        ]
    }

    /// How far off the mapping itself thinks to be, mean over the frames.
    fn radius_mm(&self, mapping: &Mapping, setup: &Setup) -> f64 {
        let radii = self
            .frames
            .iter()
            .map(|frame| mapping.predict(frame, setup).error_radius_mm);
        radii.sum::<f64>() / self.frames.len().max(1) as f64
    }
}

/// The points gathered so far.
#[derive(Clone, Debug, Default)]
pub struct Gathering {
    targets: Vec<Target>,
    fitted: Option<Fitted>,
}

impl Gathering {
    /// More points than any calibration shows.
    pub const MOST_TARGETS: usize = 256;
    /// A fit takes as long as the cube of its samples, and one more frame of the same look says little.
    pub const MOST_SAMPLES: usize = 360;
    /// The fit is made anew so often, each time without some of the points: without each of them where they are fewer.
    const FOLDS: usize = 16;

    /// Takes the frames of one point; an earlier fit does not hold any more.
    pub fn add(&mut self, at: ScreenPoint, frames: Vec<Features>) -> Result<(), String> {
        if self.targets.len() >= Self::MOST_TARGETS {
            return Err(format!("{} points are enough for any calibration", Self::MOST_TARGETS));
        }
        self.targets.push(Target { at, frames });
        self.fitted = None;
        Ok(())
    }

    pub fn points(&self) -> usize {
        self.targets.len()
    }

    pub fn samples(&self) -> Vec<Sample> {
        Self::samples_of(self.targets.iter())
    }

    /// From the eyes to the screen, the mean over all frames; `None` while there are none.
    pub fn distance_mm(&self) -> Option<f64> {
        let frames = || self.targets.iter().flat_map(|target| &target.frames);
        let count = frames().count();
        (count > 0).then(|| frames().map(|features| features.eyes_mm[2]).sum::<f64>() / count as f64)
    }

    pub fn fitted(&self) -> Option<&Fitted> {
        self.fitted.as_ref()
    }

    /// The points of samples that were gathered before, as in a profile.
    pub fn of_samples(samples: &[Sample]) -> Self {
        let targets = points_of(samples).filter_map(|point| {
            Some(Target {
                at: point.first()?.target,
                frames: point.iter().map(|sample| sample.features).collect(),
            })
        });
        Self {
            targets: targets.collect(),
            fitted: None,
        }
    }

    /// The points looked at with the head as it mostly was: not those for which it was turned or moved, which say what another
    /// posture brings, but nothing of what is to be expected of somebody who sits as usual. All of them where hardly any pose was
    /// usual.
    fn usual(&self) -> Vec<bool> {
        let poses: Vec<[f64; 4]> = self.targets.iter().map(Target::pose).collect();
        let middle = [0, 1, 2, 3].map(|axis| median(poses.iter().map(|pose| pose[axis]).collect()));
        let is_usual = |pose: &[f64; 4]| {
            let [yaw, pitch, right, below] = [0, 1, 2, 3].map(|axis| pose[axis] - middle[axis]);
            yaw.hypot(pitch) < 1.0 && right.hypot(below) < 1.0
        };
        let usual: Vec<bool> = poses.iter().map(is_usual).collect();
        let count = usual.iter().filter(|usual| **usual).count();
        // Of five points and all postures a third are usual, or a little less where a point was missed.
        if count >= super::LEAST_SAMPLES && 4 * count >= usual.len() {
            usual
        } else {
            vec![true; usual.len()]
        }
    }

    /// Fits all points, and tells the error to be expected between them.
    ///
    /// Two opinions of it are heard. Each point is asked of a fit that was made without it: the median over the points, for one
    /// look beside a point is not what is to come. That error is too large all the same: most points lie at the edge of all,
    /// and without one there is nothing near it, while where people look there mostly is. How much that matters the fit itself
    /// knows: a place of the screen is taken to be midway between a point that the fit has seen and the same one left out, by
    /// the radii that it gives for both. The other opinion is the fit's own, by the same radii: a few points say less of a
    /// person than what people have in common. The geometric mean of the two was nearer to the truth than either.
    pub fn fit(&mut self, setup: &Setup) -> Result<&Fitted, FitError> {
        let fit = Fit::new(&self.samples(), setup)?;
        let held_out = self.left_out(&fit, setup);
        let mapping = Mapping::Fitted(Box::new(fit));
        if held_out.is_empty() {
            return Err(FitError::TooFew {
                found: self.targets.len(),
                least: super::LEAST_SAMPLES,
            });
        }
        let usual = self.targets.iter().zip(self.usual()).filter(|(_, usual)| *usual);
        let seen: Vec<LeftOut> = usual.map(|(target, _)| LeftOut::of(&mapping, target, setup)).collect();
        let mean_radius_deg =
            |points: &[LeftOut]| points.iter().map(LeftOut::radius_deg).sum::<f64>() / points.len() as f64;
        let (near_deg, far_deg) = (mean_radius_deg(&seen), mean_radius_deg(&held_out));
        let [held_out, seen] = [held_out, seen].map(answers);
        let at_points_deg = median(held_out.iter().map(Answers::accuracy_deg).collect());
        let measured_deg = at_points_deg * 0.5 * (1.0 + (near_deg / far_deg).clamp(0.0, 1.0));
        let expected_deg = MEAN_PER_RADIUS_95 * 0.5 * (near_deg + far_deg);
        Ok(self.fitted.insert(Fitted {
            quality: Quality {
                error_deg: (measured_deg * expected_deg).sqrt(),
                ..Quality::mean(&held_out, &seen)
            },
            mapping,
        }))
    }

    /// What fits answer that were made without the point they are asked for; empty where the points make no fit.
    pub fn held_out(&self, setup: &Setup) -> Vec<Answers> {
        Fit::new(&self.samples(), setup).map_or_else(|_| Vec::new(), |all| answers(self.left_out(&all, setup)))
    }

    /// What fits answer that were made without the point they are asked for. Points without which there is no fit are
    /// missing, and those for which the head was held otherwise.
    fn left_out(&self, all: &Fit, setup: &Setup) -> Vec<LeftOut> {
        let mut held_out = Vec::with_capacity(self.targets.len());
        let (count, folds) = (self.targets.len(), Self::FOLDS.min(self.targets.len()));
        let usual = self.usual();
        for fold in 0..folds {
            // Points that follow each other stay together: what is next to a point in time says too much about it.
            let of = |left_out: bool| {
                let chosen = self.targets.iter().enumerate();
                chosen.filter(move |(index, _)| (index * folds / count == fold) == left_out)
            };
            let asked = || of(true).filter(|(index, _)| usual[*index]);
            if asked().next().is_none() {
                continue;
            }
            let others = of(false).map(|(_, target)| target);
            if let Ok(fit) = all.of_same_person(&Self::samples_of(others), setup) {
                let mapping = Mapping::Fitted(Box::new(fit));
                held_out.extend(asked().map(|(_, target)| LeftOut::of(&mapping, target, setup)));
            }
        }
        held_out
    }

    /// What is to be kept of the last fit; `None` before [`Gathering::fit`]. `date` is for people only (RFC 3339).
    pub fn profile(&self, name: &str, weights: &str, date: String, screen: Screen) -> Option<Profile> {
        let quality = self.fitted.as_ref()?.quality;
        let samples = self.samples();
        Some(Profile {
            format: Profile::FORMAT,
            name: name.to_owned(),
            weights: weights.to_owned(),
            date,
            points: points_of(&samples).count() as u32,
            accuracy_deg: quality.error_deg,
            precision_deg: quality.precision_deg,
            screen,
            camera: String::new(),
            monitor: String::new(),
            samples,
        })
    }

    fn samples_of<'t>(targets: impl Iterator<Item = &'t Target> + Clone) -> Vec<Sample> {
        let most = (Self::MOST_SAMPLES / targets.clone().count().max(1)).max(1);
        targets
            .flat_map(|target| {
                // Evenly spread over the look.
                let step = target.frames.len().div_ceil(most).max(1);
                target.frames.iter().step_by(step).map(|features| Sample {
                    target: target.at,
                    features: *features,
                })
            })
            .collect()
    }
}

fn answers(points: Vec<LeftOut>) -> Vec<Answers> {
    points.into_iter().map(|point| point.answers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::profile::Profiles;
    use crate::calibration::quality::measure;

    /// Somebody whose eyes turn a fifth more than geometry thinks, looking at a point.
    fn look(x: f64, y: f64, noise: f64) -> Features {
        let setup = Setup::default();
        let mut features = Features::blank();
        let truth = features.tangents_to(ScreenPoint::new(x, y), &setup);
        let seen = [truth.x / 1.2 + noise, truth.y / 1.2 - noise];
        features.values[16..20].copy_from_slice(&[seen[0], seen[1], seen[0], seen[1]]);
        features.values[8..10].copy_from_slice(&[1.0, 1.0]);
        features
    }

    type Frames = Vec<Result<Features, Absence>>;

    /// A small noise with mean zero.
    fn noise(n: u32) -> f64 {
        [0.004, -0.004, 0.002, -0.002][n as usize % 4]
    }

    #[test]
    fn looks_elsewhere_are_left_out() {
        let steady = (0..20).map(|n| Ok(look(0.5, 0.5, noise(n))));
        let frames: Frames = steady
            .chain([Ok(look(0.1, 0.1, 0.0)), Err(Absence::EyesClosed)])
            .collect();
        let gathered = gather(frames.iter(), &Setup::default()).expect("a steady look");
        assert_eq!(gathered.len(), 20);
    }

    #[test]
    fn a_point_that_was_not_looked_at_is_refused_with_the_reason() {
        let setup = Setup::default();
        let blinks: Frames = (0..20)
            .map(|n| {
                if n < 5 {
                    Ok(look(0.5, 0.5, 0.0))
                } else {
                    Err(Absence::EyesClosed)
                }
            })
            .collect();
        let reason = gather(blinks.iter(), &setup).expect_err("eyes closed");
        assert!(reason.contains("the eyes were closed in 15 of 20"), "{reason}");
        let one_eyed = |features: Features| {
            let mut features = features;
            features.values[9] = 0.1;
            features
        };
        let winking: Frames = (0..20).map(|n| Ok(one_eyed(look(0.5, 0.5, noise(n))))).collect();
        let reason = gather(winking.iter(), &setup).expect_err("one eye closed");
        assert!(reason.contains("the right eye was closed in 20 of 20"), "{reason}");
        let wandering: Frames = (0..20).map(|n| Ok(look(f64::from(n) / 20.0, 0.5, 0.0))).collect();
        let reason = gather(wandering.iter(), &setup).expect_err("moving");
        assert!(reason.contains("not steady"), "{reason}");
        let reason = gather([].iter(), &setup).expect_err("nothing");
        assert!(reason.contains("gave 0 pictures"), "{reason}");
    }

    #[test]
    fn a_drift_is_what_has_to_be_added() {
        let setup = Setup::default();
        let frames: Vec<Features> = (0..10).map(|n| look(0.5, 0.5, noise(n))).collect();
        let exact = measure(&Mapping::Average, ScreenPoint::CENTRE, &frames, &setup).error_deg;
        let drift = drift(&Mapping::Average, ScreenPoint::CENTRE, &frames, &setup);
        assert!(
            (drift.x_deg.hypot(drift.y_deg) - exact).abs() < 0.3,
            "{drift:?}, {exact}"
        );
        let right = super::drift(&Mapping::Average, ScreenPoint::new(0.9, 0.5), &frames, &setup);
        assert!(
            right.x_deg > drift.x_deg + 10.0,
            "the screen's right is at positive angles"
        );
    }

    #[test]
    fn a_turned_head_is_learned_from_but_not_measured_by() {
        let setup = Setup::default();
        let turned = |yaw: f64, n: u32| {
            let mut features = look(0.45, 0.5, noise(n));
            features.values[HEAD_YAW] = yaw;
            // A head turned by 16 degrees shifts this person's gaze by four.
            for index in [16, 18] {
                features.values[index] += 0.25 * yaw;
            }
            features
        };
        let mut gathering = Gathering::default();
        for x in [0.1, 0.5, 0.9] {
            for y in [0.1, 0.5, 0.9] {
                let frames = (0..10).map(|n| look(x, y, noise(n))).collect();
                gathering.add(ScreenPoint::new(x, y), frames).expect("room");
            }
        }
        let usual = gathering.fit(&setup).expect("nine points").clone();
        for (x, yaw) in [(0.44, 0.28), (0.45, -0.28)] {
            let frames: Vec<Features> = (0..10).map(|n| turned(yaw, n)).collect();
            gathering.add(ScreenPoint::new(x, 0.5), frames).expect("room");
        }
        // One that has sunk by 45 mm looks up by four degrees more, and sees as well as ever.
        let mut slumped = gathering.clone();
        for n in 0..10 {
            let (x, sunk_mm) = (0.46 + 0.01 * f64::from(n), 45.0);
            let frames = (0..10).map(|m| {
                let mut features = look(x, 0.5, noise(10 * n + m));
                features.eyes_mm[1] += sunk_mm;
                for index in [17, 19] {
                    features.values[index] -= sunk_mm / features.eyes_mm[2];
                }
                features
            });
            let frames = frames.collect();
            slumped.add(ScreenPoint::new(x, 0.5), frames).expect("room");
        }
        for (gathering, points) in [(&gathering, 11), (&slumped, 21)] {
            assert_eq!((gathering.held_out(&setup).len(), gathering.points()), (9, points));
        }
        let fitted = gathering.fit(&setup).expect("eleven points");
        let [before, after] = [usual.quality.error_deg, fitted.quality.error_deg];
        assert!(
            (0.5..2.0).contains(&(after / before)),
            "{before} and then {after} degrees"
        );
        let off = |mapping: &Mapping| {
            let frames: Vec<Features> = (0..10).map(|n| turned(0.2, n)).collect();
            measure(mapping, ScreenPoint::new(0.45, 0.5), &frames, &setup).error_deg
        };
        assert!(
            off(&fitted.mapping) < 0.7 * off(&usual.mapping),
            "{} {}",
            off(&fitted.mapping),
            off(&usual.mapping)
        );
    }

    #[test]
    fn a_point_that_was_shown_twice_in_a_row_makes_a_profile_that_can_be_read() {
        let setup = Setup::default();
        let mut gathering = Gathering::default();
        for (x, y) in [(0.1, 0.1), (0.9, 0.1), (0.5, 0.5), (0.5, 0.5), (0.1, 0.9), (0.9, 0.9)] {
            let frames = (0..10).map(|n| look(x, y, noise(n))).collect();
            gathering.add(ScreenPoint::new(x, y), frames).expect("room");
        }
        gathering.fit(&setup).expect("five points");
        let made = gathering.profile("desk", "abc", "2026-01-01T00:00:00Z".into(), setup.screen);
        let made = made.expect("it is fitted");
        assert_eq!((made.points, made.samples.len()), (5, 60));
        let folder = tempfile::tempdir().expect("a folder");
        let profiles = Profiles::in_folder(folder.path());
        profiles.save(&made).expect("saves");
        assert_eq!(profiles.load("desk", "abc").expect("loads"), made);
    }

    #[test]
    fn somebody_who_sits_in_two_ways_is_measured_in_both() {
        let setup = Setup::default();
        let mut gathering = Gathering::default();
        for (index, x) in [0.1, 0.5, 0.9, 0.2, 0.6, 0.8].into_iter().enumerate() {
            for y in [0.1, 0.9] {
                let yaw: f64 = if index % 2 == 0 { 0.25 } else { -0.25 };
                let frames = (0..10).map(|n| {
                    let mut features = look(x, y, noise(n));
                    features.values[HEAD_YAW] = yaw + if y < 0.5 { 0.0 } else { 0.2 * yaw.signum() };
                    features
                });
                gathering.add(ScreenPoint::new(x, y), frames.collect()).expect("room");
            }
        }
        assert!(gathering.fit(&setup).is_ok());
        assert_eq!(gathering.held_out(&setup).len(), 12);
    }

    #[test]
    fn the_fit_is_measured_at_points_it_has_not_seen() {
        let setup = Setup::default();
        let mut gathering = Gathering::default();
        assert!(gathering.fit(&setup).is_err());
        for x in [0.1, 0.5, 0.9] {
            for y in [0.1, 0.5, 0.9] {
                let frames = (0..10).map(|n| look(x, y, noise(n))).collect();
                gathering.add(ScreenPoint::new(x, y), frames).expect("room");
            }
        }
        assert_eq!((gathering.points(), gathering.samples().len()), (9, 90));
        let long = Target {
            at: ScreenPoint::CENTRE,
            frames: vec![look(0.5, 0.5, 0.0); 500],
        };
        let thinned = Gathering::samples_of([&long, &long].into_iter());
        assert!(
            (200..=Gathering::MOST_SAMPLES).contains(&thinned.len()),
            "{}",
            thinned.len()
        );
        let fitted = gathering.fit(&setup).expect("nine points").clone();
        assert!(fitted.quality.error_deg < 1.0, "{:?}", fitted.quality);
        let mut careless = Gathering::default();
        for (index, target) in gathering.targets.iter().enumerate() {
            // Looks that end beside their points, to all sides.
            let (sin, cos) = (2.4 * index as f64).sin_cos();
            let beside = (0..10).map(|n| look(target.at.x + 0.06 * cos, target.at.y + 0.1 * sin, noise(n)));
            careless.add(target.at, beside.collect()).expect("room");
        }
        let told = careless.fit(&setup).expect("nine points").quality.error_deg;
        assert!(
            (1.0..4.0).contains(&told) && told > 2.0 * fitted.quality.error_deg,
            "{told} where looks end about 3 degrees beside the points, and {:?}",
            fitted.quality
        );
        assert!(
            (0.1..2.0).contains(&fitted.quality.precision_deg),
            "{:?}",
            fitted.quality
        );
        let fresh: Vec<Features> = (0..10).map(|n| look(0.3, 0.7, noise(n))).collect();
        let at = ScreenPoint::new(0.3, 0.7);
        let uncalibrated = measure(&Mapping::Average, at, &fresh, &setup);
        assert!(measure(&fitted.mapping, at, &fresh, &setup).error_deg < uncalibrated.error_deg);
    }
}
