//! How far a map has drifted since the calibration, learnt from clicks: slowly, and so that no click can spoil it.
//!
//! People look at what they click: the eye arrives some hundred milliseconds before the click, some pixels beside it. But
//! some clicks are made without looking, and one look is degrees off with a webcam. So a click moves the map only a little,
//! only towards the median of many, never far from where a person put it, and not at all where it contradicts the gaze.

use std::collections::VecDeque;
use std::time::Duration;

use super::gathering::{angle, median};
use super::{Features, Mapping};
use crate::geometry::{ScreenPoint, Setup, VisualAngle};

/// What clicks have taught since the map was last set by a person.
#[derive(Clone, Debug, Default)]
pub struct Drift {
    /// Where a calibration (zero) or a recentring put it.
    base: VisualAngle,
    offset: VisualAngle,
    /// What the last clicks would have wanted the offset to be.
    wanted: VecDeque<VisualAngle>,
}

impl Drift {
    /// A click that is further from the gaze was made without looking: three times what webcam gaze is off.
    pub const FURTHEST_CLICK_DEG: f64 = 6.0;
    /// One click cannot move the gaze visibly.
    pub const LARGEST_STEP_DEG: f64 = 0.25;
    /// More than this is no drift but a head in another place: for a person to recentre.
    pub const LARGEST_DRIFT_DEG: f64 = 5.0;
    /// Clicks that are remembered, and how many must agree before anything moves.
    pub const REMEMBERED: usize = 11;
    pub const LEAST_CLICKS: usize = 4;
    /// Share of the way to the median that one click goes.
    const GAIN: f64 = 0.3;

    /// A person said where they looked: what clicks taught before does not hold any more.
    pub fn set(&mut self, offset: VisualAngle) {
        *self = Self {
            base: offset,
            offset,
            wanted: VecDeque::new(),
        };
    }

    /// What has to be added to the map's answers.
    pub fn offset(&self) -> VisualAngle {
        self.offset
    }

    /// Takes the offset that would have put the gaze onto a click; `None` where the click is not believed, or changes
    /// nothing yet.
    pub fn add(&mut self, wanted: VisualAngle) -> Option<VisualAngle> {
        if !wanted.is_finite() || wanted.distance_deg(self.offset) > Self::FURTHEST_CLICK_DEG {
            return None;
        }
        if self.wanted.len() == Self::REMEMBERED {
            self.wanted.pop_front();
        }
        self.wanted.push_back(wanted);
        if self.wanted.len() < Self::LEAST_CLICKS {
            return None;
        }
        let middle = VisualAngle::new(
            median(self.wanted.iter().map(|wanted| wanted.x_deg).collect()),
            median(self.wanted.iter().map(|wanted| wanted.y_deg).collect()),
        );
        let step = towards(self.offset, middle, Self::GAIN, Self::LARGEST_STEP_DEG);
        self.offset = towards(self.base, step, 1.0, Self::LARGEST_DRIFT_DEG);
        Some(self.offset)
    }
}

/// The point that is `share` of the way from `from` to `to`, but at most `longest_deg` from `from`.
fn towards(from: VisualAngle, to: VisualAngle, share: f64, longest_deg: f64) -> VisualAngle {
    let way = from.distance_deg(to) * share;
    let share = if way > longest_deg {
        share * longest_deg / way
    } else {
        share
    };
    VisualAngle::new(
        from.x_deg + share * (to.x_deg - from.x_deg),
        from.y_deg + share * (to.y_deg - from.y_deg),
    )
}

/// The eye usually arrives within this time before a click, and looks on until it is made.
pub const BEFORE_CLICK: Duration = Duration::from_millis(300);
/// The gaze before a click must be seen in so many frames, and half of them must lie so near to their middle: else the eye
/// was still on its way.
const LEAST_FRAMES: usize = 3;
const STEADY_DEG: f64 = 2.0;

/// The offset that a click wants, from the frames of the moments before it.
///
/// # Errors
/// Where the gaze was not seen, or moved; a sentence for people.
pub fn wanted_by_click(
    mapping: &Mapping,
    at: ScreenPoint,
    frames: &[Features],
    setup: &Setup,
) -> Result<VisualAngle, String> {
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
    Ok(VisualAngle::new(
        target.x_deg - middle.x_deg,
        target.y_deg - middle.y_deg,
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn angle_strategy(limit: f64) -> impl Strategy<Value = VisualAngle> {
        (-limit..limit, -limit..limit).prop_map(|(x, y)| VisualAngle::new(x, y))
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

    #[test]
    fn a_drift_is_learnt_from_clicks_with_some_made_without_looking() {
        let mut drift = Drift::default();
        let truth = VisualAngle::new(2.0, -1.0);
        for click in 0..80_u32 {
            // A small scatter around the truth, and every fourth click somewhere else.
            let noise = [1.0, -0.7, 0.4, -1.1, 0.2, 0.9, -0.6][click as usize % 7];
            let wanted = if click % 4 == 3 {
                VisualAngle::new(-3.0, 4.0)
            } else {
                VisualAngle::new(truth.x_deg + noise, truth.y_deg - 0.5 * noise)
            };
            drift.add(wanted);
        }
        assert!(drift.offset().distance_deg(truth) < 0.8, "{:?}", drift.offset());
    }

    #[test]
    fn a_few_clicks_and_far_ones_change_nothing() {
        let mut drift = Drift::default();
        for _ in 1..Drift::LEAST_CLICKS {
            assert_eq!(drift.add(VisualAngle::new(3.0, 0.0)), None);
        }
        for _ in 0..100 {
            assert_eq!(drift.add(VisualAngle::new(7.0, 0.0)), None, "nobody looked there");
            assert_eq!(drift.add(VisualAngle::new(f64::NAN, 0.0)), None);
        }
        assert_eq!(drift.offset(), VisualAngle::default());
        assert!(drift.add(VisualAngle::new(3.0, 0.0)).is_some(), "one more that agrees");
    }

    #[test]
    fn a_recentring_begins_anew_from_where_it_put_the_gaze() {
        let mut drift = Drift::default();
        let put = VisualAngle::new(9.0, 0.0);
        drift.set(put);
        for _ in 0..200 {
            drift.add(VisualAngle::new(drift.offset().x_deg + 5.0, 0.0));
        }
        let away = drift.offset().distance_deg(put);
        assert!((away - Drift::LARGEST_DRIFT_DEG).abs() < 1e-9, "{away}");
    }

    #[test]
    fn a_click_wants_the_gaze_on_it() {
        let setup = Setup::default();
        let mapping = Mapping::Average;
        let centre = ScreenPoint::CENTRE;
        let looked = frames(&[(0.45, 0.5), (0.45, 0.5), (0.45, 0.5), (0.9, 0.9)]);
        let wanted = wanted_by_click(&mapping, centre, &looked, &setup).expect("a steady look");
        // Three of the four frames look at one place, which is where the gaze is.
        let gaze = angle(&mapping, &looked[0], &setup);
        let target = setup.screen.visual_angle(centre, looked[0].eyes_mm[2]);
        let expected = VisualAngle::new(target.x_deg - gaze.x_deg, target.y_deg - gaze.y_deg);
        assert!(wanted.distance_deg(expected) < 0.1, "{wanted:?}, not {expected:?}");
        let moved = frames(&[(0.1, 0.5), (0.4, 0.5), (0.7, 0.5), (1.0, 0.5)]);
        assert!(wanted_by_click(&mapping, centre, &moved, &setup).is_err_and(|reason| reason.contains("moving")));
        assert!(wanted_by_click(&mapping, centre, &looked[..2], &setup).is_err());
    }

    proptest! {
        #[test]
        fn no_clicks_move_it_far_or_fast(base in angle_strategy(10.0), clicks in proptest::collection::vec(angle_strategy(12.0), 0..200)) {
            let mut drift = Drift::default();
            drift.set(base);
            for wanted in clicks {
                let before = drift.offset();
                drift.add(wanted);
                prop_assert!(drift.offset().distance_deg(before) <= Drift::LARGEST_STEP_DEG + 1e-9);
                prop_assert!(drift.offset().distance_deg(base) <= Drift::LARGEST_DRIFT_DEG + 1e-9);
            }
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
                drift.add(wanted);
            }
            let offset = drift.offset();
            prop_assert!(offset.x_deg.abs() <= 0.5 + 1e-9 && offset.y_deg.abs() <= 0.5 + 1e-9, "{offset:?}");
        }
    }
}
