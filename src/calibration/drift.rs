//! How far a map has drifted since the calibration, learnt from clicks: slowly, and so that no click can spoil it.
//!
//! People look at what they click: the eye arrives some hundred milliseconds before the click, some pixels beside it. So a
//! click is one more observation of the person, and the map's linear part is corrected by what all remembered clicks make
//! most probable, given what the calibration left uncertain: somebody who slides down in the chair is off by other amounts
//! from one minute to the next and from the screen's top to its bottom, which no constant shift would follow.
//!
//! But some clicks are made without looking, and one look is degrees off with a webcam. So a click moves the map only a
//! little, counts the less the more it contradicts the others, never moves the gaze far from where a person put it, and does
//! nothing at all where it contradicts the gaze.

use std::collections::VecDeque;
use std::time::Duration;

use nalgebra::{DMatrix, DVector, Vector2};

use super::gathering::{angle, median};
use super::prior::{Basis, Prior};
use super::process::Doubt;
use super::{Features, Mapping};
use crate::geometry::{ScreenPoint, Setup, VisualAngle};

/// What has to be added to a map's answers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shift {
    /// Where a calibration (zero) or a recentring put the map.
    base: VisualAngle,
    /// What clicks have taught: weights of the standardised basis, in degrees right and down.
    learnt: [Basis; 2],
}

impl Shift {
    /// To the answer for these features.
    pub fn at(&self, features: &Features) -> VisualAngle {
        self.of(&Prior::built_in().standardised(features))
    }

    fn of(&self, basis: &Basis) -> VisualAngle {
        let learnt = dot(&self.learnt, basis);
        let learnt = learnt * (Drift::LARGEST_DRIFT_DEG / learnt.norm().max(Drift::LARGEST_DRIFT_DEG));
        VisualAngle::new(self.base.x_deg + learnt.x, self.base.y_deg + learnt.y)
    }
}

fn dot(weights: &[Basis; 2], basis: &Basis) -> Vector2<f64> {
    Vector2::from(weights.each_ref().map(|weights| weights.dot(basis)))
}

/// What clicks have taught since the map was last set by a person.
#[derive(Clone, Debug, Default)]
pub struct Drift {
    shift: Shift,
    clicks: VecDeque<Click>,
}

impl Drift {
    /// A click that is further from the gaze was made without looking: three times what webcam gaze is off.
    pub const FURTHEST_CLICK_DEG: f64 = 6.0;
    /// One click cannot move the gaze visibly: at no place where one was made, nor at any between them, by more than this.
    pub const LARGEST_STEP_DEG: f64 = 0.25;
    /// More than this is no drift but a head in another place: for a person to recentre.
    pub const LARGEST_DRIFT_DEG: f64 = 5.0;
    /// Clicks that are remembered: what was long ago does not hold any more. And how many there must be before anything
    /// moves.
    pub const REMEMBERED: usize = 20;
    pub const LEAST_CLICKS: usize = 4;
    /// Scatter of clicks about what is looked at, standard deviation of each axis: 30 px on a desktop screen at arm's length.
    const CLICK_SD_DEG: f64 = 0.8;
    /// A click that contradicts the others by this much counts a quarter (the weights of Geman and McClure, 1987).
    const DISTRUST_DEG: f64 = 4.0;
    /// The calibration doubts the person as they sat; a head that has sunk since is seen less well than that. So much larger
    /// the variance of every weight is taken to be: with 4, 6 and 10 eight synthetic people who slid down by 6 cm were at last
    /// off by 0.11 degrees more than at first, with 1 by 0.13.
    const MOVED_SINCE: f64 = 4.0;
    /// Rounds of weighing the clicks anew; more change nothing that can be seen.
    const ROUNDS: usize = 5;

    /// A person said where they looked: what clicks taught before does not hold any more.
    pub fn set(&mut self, offset: VisualAngle) {
        *self = Self {
            shift: Shift {
                base: offset,
                ..Shift::default()
            },
            clicks: VecDeque::new(),
        };
    }

    pub fn shift(&self) -> Shift {
        self.shift
    }

    /// Takes a click, with what the map does not know of the person; `None` where the click is not believed, or changes
    /// nothing yet.
    pub fn add(&mut self, click: Click, doubts: &[Doubt; 2]) -> Option<Shift> {
        let contradiction_deg = click.wanted.distance_deg(self.shift.of(&click.basis));
        if contradiction_deg.is_nan() || contradiction_deg > Self::FURTHEST_CLICK_DEG {
            return None;
        }
        if self.clicks.len() == Self::REMEMBERED {
            self.clicks.pop_front();
        }
        self.clicks.push_back(click);
        if self.clicks.len() < Self::LEAST_CLICKS {
            return None;
        }
        let wanted = self.most_probable(doubts)?;
        let learnt = self.shift.learnt;
        let way = [wanted[0] - learnt[0], wanted[1] - learnt[1]];
        let steps = self.clicks.iter().map(|click| dot(&way, &click.basis).norm());
        let share = (Self::LARGEST_STEP_DEG / steps.fold(0.0, f64::max)).min(1.0);
        self.shift.learnt = [learnt[0] + share * way[0], learnt[1] + share * way[1]];
        Some(self.shift)
    }

    /// The weights that the remembered clicks make most probable, by reweighted least squares from the middle of all, which
    /// fewer than half wrong ones cannot move far. `None` where the numbers have no solution.
    fn most_probable(&self, doubts: &[Doubt; 2]) -> Option<[Basis; 2]> {
        let base = self.shift.base;
        let wanted = |click: &Click| Vector2::new(click.wanted.x_deg - base.x_deg, click.wanted.y_deg - base.y_deg);
        let wanted: Vec<Vector2<f64>> = self.clicks.iter().map(wanted).collect();
        let middle = Vector2::from([0, 1].map(|axis| median(wanted.iter().map(|wanted| wanted[axis]).collect())));
        let mut weights = [Basis::zeros(); 2];
        let mut answers = vec![middle; wanted.len()];
        for _ in 0..Self::ROUNDS {
            let contradictions = wanted
                .iter()
                .zip(&answers)
                .map(|(wanted, answer)| (wanted - answer).norm());
            let trust: Vec<f64> = contradictions
                .map(|contradiction_deg| (1.0 + (contradiction_deg / Self::DISTRUST_DEG).powi(2)).powi(-2))
                .collect();
            for (axis, weights) in weights.iter_mut().enumerate() {
                let wanted = DVector::from_iterator(wanted.len(), wanted.iter().map(|wanted| wanted[axis]));
                *weights = self.most_probable_of_axis(&doubts[axis], &wanted, &trust)?;
            }
            answers = self.clicks.iter().map(|click| dot(&weights, &click.basis)).collect();
        }
        Some(weights)
    }

    /// With `C` the weights' covariance, `B` the clicks' basis and `N` their noise, `C Bᵀ (B C Bᵀ + N)⁻¹ y` (Rasmussen and
    /// Williams, Gaussian Processes for Machine Learning, 2006, section 2.1.2).
    fn most_probable_of_axis(&self, doubt: &Doubt, wanted: &DVector<f64>, trust: &[f64]) -> Option<Basis> {
        let covariance = doubt.covariance * Self::MOVED_SINCE * 1.0_f64.to_degrees().powi(2);
        let variance = doubt.variance * 1.0_f64.to_degrees().powi(2) + Self::CLICK_SD_DEG.powi(2);
        let turned: Vec<Basis> = self.clicks.iter().map(|click| covariance * click.basis).collect();
        let matrix = DMatrix::from_fn(turned.len(), turned.len(), |row, column| {
            let noise = if row == column { variance / trust[row] } else { 0.0 };
            turned[row].dot(&self.clicks[column].basis) + noise
        });
        let shares = matrix.cholesky()?.solve(wanted);
        let weights: Basis = turned.iter().zip(&shares).map(|(turned, share)| turned * *share).sum();
        weights.iter().all(|weight| weight.is_finite()).then_some(weights)
    }
}

/// The eye usually arrives within this time before a click, and looks on until it is made.
pub const BEFORE_CLICK: Duration = Duration::from_millis(300);
/// The gaze before a click must be seen in so many frames, and half of them must lie so near to their middle: else the eye
/// was still on its way.
const LEAST_FRAMES: usize = 3;
const STEADY_DEG: f64 = 2.0;

/// What one click says of the map.
#[derive(Clone, Copy, Debug)]
pub struct Click {
    /// What was seen of the person at the time.
    basis: Basis,
    /// What would have had to be added to the map's answer.
    wanted: VisualAngle,
}

impl Click {
    /// A click at a point, and the frames of the moments before it.
    ///
    /// # Errors
    /// Where the gaze was not seen, or moved; a sentence for people.
    pub fn new(mapping: &Mapping, at: ScreenPoint, frames: &[Features], setup: &Setup) -> Result<Self, String> {
        if frames.len() < LEAST_FRAMES {
            return Err(format!(
                "the gaze was seen in {} pictures before the click, {LEAST_FRAMES} are needed",
                frames.len()
            ));
        }
        let angles: Vec<VisualAngle> = frames.iter().map(|features| angle(mapping, features, setup)).collect();
        let middle = VisualAngle::new(
            median(angles.iter().map(|angle| angle.x_deg).collect()),
            median(angles.iter().map(|angle| angle.y_deg).collect()),
        );
        let scatter = median(angles.iter().map(|angle| angle.distance_deg(middle)).collect());
        if scatter.is_nan() || scatter > STEADY_DEG {
            return Err(format!("the gaze was moving before the click ({scatter:.1} degrees)"));
        }
        let distance_mm = median(frames.iter().map(|features| features.eyes_mm[2]).collect());
        let target = setup.screen.visual_angle(at, distance_mm);
        let bases: Vec<Basis> = frames
            .iter()
            .map(|features| Prior::built_in().standardised(features))
            .collect();
        Ok(Self {
            basis: Basis::from_fn(|index, _| median(bases.iter().map(|basis| basis[index]).collect())),
            wanted: VisualAngle::new(target.x_deg - middle.x_deg, target.y_deg - middle.y_deg),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::calibration::prior::{BASIS, Covariance, POSE};

    fn angle_strategy(limit: f64) -> impl Strategy<Value = VisualAngle> {
        (-limit..limit, -limit..limit).prop_map(|(x, y)| VisualAngle::new(x, y))
    }

    /// What is seen of a person anywhere: a constant and what is standardised.
    fn basis_strategy() -> impl Strategy<Value = Basis> {
        proptest::collection::vec(-4.0..4.0_f64, BASIS).prop_map(|values| {
            let mut basis = Basis::from_vec(values);
            basis[0] = 1.0;
            basis
        })
    }

    fn click_strategy(limit: f64) -> impl Strategy<Value = Click> {
        (basis_strategy(), angle_strategy(limit)).prop_map(|(basis, wanted)| Click { basis, wanted })
    }

    /// About a person whose every weight may be a degree off, and every look at a point too.
    fn doubts() -> [Doubt; 2] {
        let variance = 1.0_f64.to_radians().powi(2);
        [0, 1].map(|_| Doubt {
            covariance: variance * Covariance::identity(),
            variance,
        })
    }

    /// A click of somebody whose head is where it is on the average, but for one function of the basis.
    fn click(index: usize, value: f64, wanted: VisualAngle) -> Click {
        let mut basis = Basis::zeros();
        basis[index] = value;
        basis[0] = 1.0;
        Click { basis, wanted }
    }

    fn usual_click(x_deg: f64, y_deg: f64) -> Click {
        click(0, 1.0, VisualAngle::new(x_deg, y_deg))
    }

    fn usual(drift: &Drift) -> VisualAngle {
        drift.shift().of(&usual_click(0.0, 0.0).basis)
    }

    /// Frames of somebody who looks at a point, with the average eye.
    fn frames(points: &[(f64, f64)]) -> Vec<Features> {
        let setup = Setup::default();
        let look = |&(x, y): &(f64, f64)| {
            let mut features = Features::blank();
            let truth = features.tangents_to(ScreenPoint::new(x, y), &setup);
            features.values[16..20].copy_from_slice(&[truth.x, truth.y, truth.x, truth.y]);
            features
        };
        points.iter().map(look).collect()
    }

    /// A small scatter with mean zero.
    fn scatter(click: usize) -> f64 {
        [1.0, -0.7, 0.4, -1.1, 0.2, 0.9, -0.6][click % 7]
    }

    #[test]
    fn a_drift_is_learnt_from_clicks_with_some_made_without_looking() {
        let mut drift = Drift::default();
        let truth = VisualAngle::new(2.0, -1.0);
        for click in 0..80 {
            let noise = scatter(click);
            drift.add(
                if click % 4 == 3 {
                    usual_click(-3.0, 4.0)
                } else {
                    usual_click(truth.x_deg + noise, truth.y_deg - 0.5 * noise)
                },
                &doubts(),
            );
        }
        assert!(usual(&drift).distance_deg(truth) < 0.8, "{:?}", usual(&drift));
    }

    #[test]
    fn a_drift_that_grows_with_how_the_head_sinks_is_followed_and_foreseen() {
        const PITCH: usize = POSE + 1;
        let mut drift = Drift::default();
        let truth = |pitch: f64| VisualAngle::new(0.0, 0.5 + pitch);
        for click in 0..Drift::REMEMBERED {
            let pitch = 2.0 * click as f64 / Drift::REMEMBERED as f64;
            let wanted = VisualAngle::new(0.3 * scatter(click), truth(pitch).y_deg);
            drift.add(super::tests::click(PITCH, pitch, wanted), &doubts());
        }
        for pitch in [0.0, 1.0, 2.0, 2.3] {
            let shift = drift.shift().of(&click(PITCH, pitch, VisualAngle::default()).basis);
            assert!(shift.distance_deg(truth(pitch)) < 0.6, "{shift:?} at {pitch}");
        }
    }

    #[test]
    fn a_few_clicks_and_far_ones_change_nothing() {
        let mut drift = Drift::default();
        for _ in 1..Drift::LEAST_CLICKS {
            assert_eq!(drift.add(usual_click(3.0, 0.0), &doubts()), None);
        }
        for _ in 0..100 {
            assert_eq!(drift.add(usual_click(7.0, 0.0), &doubts()), None, "nobody looked there");
            assert_eq!(drift.add(usual_click(f64::NAN, 0.0), &doubts()), None);
            assert_eq!(drift.add(click(1, f64::NAN, VisualAngle::default()), &doubts()), None);
        }
        assert_eq!(drift.shift(), Shift::default());
        assert!(
            drift.add(usual_click(3.0, 0.0), &doubts()).is_some(),
            "one more that agrees"
        );
    }

    #[test]
    fn a_recentring_begins_anew_from_where_it_put_the_gaze() {
        let mut drift = Drift::default();
        let put = VisualAngle::new(9.0, 0.0);
        drift.set(put);
        assert_eq!(usual(&drift), put);
        for _ in 0..200 {
            drift.add(usual_click(usual(&drift).x_deg + 5.0, 0.0), &doubts());
        }
        let away = usual(&drift).distance_deg(put);
        assert!((away - Drift::LARGEST_DRIFT_DEG).abs() < 1e-9, "{away}");
        drift.set(put);
        assert_eq!(usual(&drift), put);
    }

    #[test]
    fn a_click_wants_the_gaze_on_it() {
        let setup = Setup::default();
        let mapping = Mapping::Average;
        let centre = ScreenPoint::CENTRE;
        let looked = frames(&[(0.45, 0.5), (0.45, 0.5), (0.45, 0.5), (0.9, 0.9)]);
        let click = Click::new(&mapping, centre, &looked, &setup).expect("a steady look");
        // Three of the four frames look at one place, which is where the gaze is.
        let gaze = angle(&mapping, &looked[0], &setup);
        let target = setup.screen.visual_angle(centre, looked[0].eyes_mm[2]);
        let expected = VisualAngle::new(target.x_deg - gaze.x_deg, target.y_deg - gaze.y_deg);
        assert!(click.wanted.distance_deg(expected) < 0.1, "{click:?}, not {expected:?}");
        assert_eq!(click.basis, Prior::built_in().standardised(&looked[0]));
        let moved = frames(&[(0.1, 0.5), (0.4, 0.5), (0.7, 0.5), (1.0, 0.5)]);
        assert!(Click::new(&mapping, centre, &moved, &setup).is_err_and(|reason| reason.contains("moving")));
        assert!(Click::new(&mapping, centre, &looked[..2], &setup).is_err());
    }

    proptest! {
        #[test]
        fn no_clicks_move_it_far_or_fast(
            base in angle_strategy(10.0), clicks in proptest::collection::vec(click_strategy(12.0), 0..100),
            anywhere in basis_strategy(), share in 0.0..1.0_f64,
        ) {
            let mut drift = Drift::default();
            drift.set(base);
            let mut last = anywhere;
            for click in clicks {
                let before = drift.shift();
                let after = drift.add(click, &doubts()).unwrap_or(before);
                prop_assert!(after.of(&anywhere).distance_deg(base) <= Drift::LARGEST_DRIFT_DEG + 1e-9);
                let places = drift.clicks.iter().map(|click| click.basis);
                let between = drift.clicks.iter().map(|other| share * other.basis + (1.0 - share) * click.basis);
                for place in places.chain(between) {
                    let step = after.of(&place).distance_deg(before.of(&place));
                    prop_assert!(step <= Drift::LARGEST_STEP_DEG + 1e-9, "{step}");
                }
                last = click.basis;
            }
            prop_assert!(drift.shift().of(&last).is_finite());
        }

        #[test]
        fn fewer_than_half_wrong_clicks_cannot_pull_it_out_of_the_right_ones(
            wrong in proptest::collection::vec(angle_strategy(5.0), 40), right in proptest::collection::vec(angle_strategy(0.5), 60),
        ) {
            let mut drift = Drift::default();
            // Three right ones, then two wrong ones: never half of the remembered ones are wrong.
            let mut clicks = Vec::new();
            for (three, two) in right.chunks_exact(3).zip(wrong.chunks_exact(2)) {
                clicks.extend_from_slice(three);
                clicks.extend_from_slice(two);
            }
            for wanted in clicks {
                drift.add(usual_click(wanted.x_deg, wanted.y_deg), &doubts());
            }
            let shift = usual(&drift);
            prop_assert!(shift.distance_deg(VisualAngle::default()) <= 1.4, "{shift:?}");
        }
    }
}
