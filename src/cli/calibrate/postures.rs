//! The end of a calibration: the eyes stay on a point while the head moves.
//!
//! Whoever sits still while calibrating shows the tracker one pose of the head, and a map fitted to that is off as soon as the
//! head is elsewhere: how deep somebody's eyes lie and how long the nose is only shows when the head turns, and a head that has
//! sunk or leans shows itself to the camera from another side. With the gaze held on a point by the vestibulo-ocular reflex, a
//! few postures tell. Nothing is lost where somebody does not take one: the points before make a calibration by themselves.

use std::collections::VecDeque;

use super::course::{Course, Missed, Pose, Posture, Seen, Shown, Step};
use super::tour::median;
use crate::clock::Timestamp;
use crate::geometry::ScreenPoint;

/// The postures, each with points of its own: near the middle, where a turned head still sees them well, and at places where
/// no layout has one. Whoever took one is asked to take it once more where there is a second point: one look alone is noisy,
/// and so people sit for most of the day.
const POSTURES: [(Posture, ScreenPoint, Option<ScreenPoint>); 7] = [
    (Posture::TurnedLeft, ScreenPoint::new(0.42, 0.47), None),
    (Posture::TurnedRight, ScreenPoint::new(0.58, 0.47), None),
    (Posture::TurnedUp, ScreenPoint::new(0.46, 0.56), None),
    (Posture::TurnedDown, ScreenPoint::new(0.54, 0.56), None),
    (
        Posture::Slumped,
        ScreenPoint::new(0.46, 0.38),
        Some(ScreenPoint::new(0.56, 0.63)),
    ),
    (
        Posture::LeaningLeft,
        ScreenPoint::new(0.34, 0.42),
        Some(ScreenPoint::new(0.55, 0.39)),
    ),
    (
        Posture::LeaningRight,
        ScreenPoint::new(0.66, 0.42),
        Some(ScreenPoint::new(0.45, 0.62)),
    ),
];
/// Nobody needs to go further than feels easy: this part of what a posture is is enough.
const ENOUGH: f64 = 0.5;
/// So much of that must be kept while the tracker looks.
const KEPT: f64 = 0.7;
/// A head that has gone far enough may be on its way further: it comes to rest in this time.
const SETTLED_S: f64 = 0.5;
/// How long the tracker looks then.
const LOOK_S: f64 = 1.0;
/// The usual pose is seen in this time before the first posture is asked for.
const USUAL_S: f64 = 0.8;
/// A posture that is not seen within this time is left out.
const PATIENCE_S: f64 = 6.0;

/// A posture that is asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    posture: Posture,
    point: ScreenPoint,
    /// Where it is asked for once more.
    again: Option<ScreenPoint>,
}

#[derive(Debug)]
pub struct Postures {
    queue: VecDeque<Asked>,
    /// What is asked for now, and since when its point is shown.
    shown: Option<(Asked, Timestamp)>,
    begun: Timestamp,
    /// Poses from before the first posture was asked for.
    usual: Vec<Pose>,
    /// Since when the head has been far enough, and when it was last seen so.
    held: Option<(Timestamp, Timestamp)>,
    /// How far the head has moved, in parts of what is enough.
    share: f64,
    taken: usize,
    missed: Vec<Missed>,
}

impl Postures {
    pub fn new(now: Timestamp) -> Self {
        let queue = POSTURES
            .into_iter()
            .map(|(posture, point, again)| Asked { posture, point, again });
        let mut postures = Self {
            queue: queue.collect(),
            shown: None,
            begun: now,
            usual: Vec::new(),
            held: None,
            share: 0.0,
            taken: 0,
            missed: Vec::new(),
        };
        postures.next(now);
        postures
    }

    fn next(&mut self, now: Timestamp) {
        self.held = None;
        self.share = 0.0;
        self.shown = self.queue.pop_front().map(|asked| (asked, now));
    }

    /// How many looks are asked for in all, if all postures to come are taken.
    fn expected(&self) -> usize {
        let to_come = self.shown.iter().map(|(asked, _)| asked).chain(&self.queue);
        let to_come: usize = to_come.map(|asked| 1 + usize::from(asked.again.is_some())).sum();
        self.taken + self.missed.len() + to_come
    }

    fn is_asked_for(&self, now: Timestamp) -> bool {
        now.seconds_since(self.begun) >= USUAL_S
    }

    fn give_up(&mut self, reason: &str, now: Timestamp) {
        if let Some((Asked { point, .. }, _)) = self.shown {
            let reason = reason.to_owned();
            self.missed.push(Missed { point, reason });
            self.next(now);
        }
    }

    /// How far a pose is that of the posture, in parts of what is enough: as far as what is asked for that it is least of.
    /// `None` while the usual pose is not known.
    fn share(&self, posture: Posture, pose: Pose) -> Option<f64> {
        let wanted = posture.pose();
        let mut least = f64::INFINITY;
        for of in [
            |pose: &Pose| pose.yaw_deg,
            |pose: &Pose| pose.pitch_deg,
            |pose: &Pose| pose.left_mm,
            |pose: &Pose| pose.down_mm,
        ] {
            let moved = of(&pose) - median(self.usual.iter().map(of))?;
            if of(&wanted) != 0.0 {
                least = least.min(moved / of(&wanted) / ENOUGH);
            }
        }
        Some(least)
    }
}

impl Course for Postures {
    fn shown(&self, now: Timestamp) -> Option<Shown> {
        let (Asked { posture, point, .. }, since) = self.shown?;
        Some(Shown {
            point,
            since,
            number: self.taken + self.missed.len() + 1,
            of: self.expected(),
            posture: self.is_asked_for(now).then_some(posture),
        })
    }

    fn resting(&self) -> f64 {
        self.share.clamp(0.0, 1.0)
    }

    fn see(&mut self, seen: Seen) {
        let (Some((Asked { posture, .. }, since)), Some(pose), Some(_)) = (self.shown, seen.head, seen.gaze) else {
            return;
        };
        if !self.is_asked_for(seen.captured) {
            self.usual.push(pose);
            return;
        }
        let Some(share) = self.share(posture, pose) else { return };
        self.share = share;
        // A picture of before the posture was asked for shows the one before.
        if seen.captured.seconds_since(since) < 0.0 {
            return;
        }
        self.held = match self.held {
            Some((from, last)) if share >= KEPT && seen.captured > last => Some((from, seen.captured)),
            Some(held) if share >= KEPT => Some(held),
            None if share >= 1.0 => Some((seen.captured, seen.captured)),
            _ => None,
        };
    }

    fn step(&mut self, now: Timestamp) -> Step {
        let Some((Asked { point, .. }, since)) = self.shown else {
            return Step::Over;
        };
        if let Some((reached, to)) = self.held {
            let from = reached.offset_by_seconds(SETTLED_S);
            if to.seconds_since(from) >= LOOK_S {
                return Step::Take(point, from, to);
            }
        }
        let asked = since.max(self.begun.offset_by_seconds(USUAL_S));
        // Whoever has taken the posture is not given up for having been slow.
        let last = self.held.map_or(asked, |(_, seen)| seen);
        if now.seconds_since(last) >= PATIENCE_S {
            let reason = if self.usual.is_empty() {
                "how the head is held was not seen"
            } else {
                "the head was not seen to move so"
            };
            self.give_up(reason, now);
        }
        if self.shown.is_some() { Step::Watch } else { Step::Over }
    }

    fn taken(&mut self, now: Timestamp) {
        self.taken += 1;
        if let Some((
            Asked {
                posture,
                again: Some(point),
                ..
            },
            _,
        )) = self.shown
        {
            self.queue.push_back(Asked {
                posture,
                point,
                again: None,
            });
        }
        self.next(now);
    }

    fn refused(&mut self, reason: &str, now: Timestamp) {
        self.give_up(reason, now);
    }

    /// A key leaves a posture out that somebody cannot or does not want to take; clicks mean nothing here.
    fn click(&mut self, at: Option<ScreenPoint>, now: Timestamp) {
        if at.is_none() && self.is_asked_for(now) {
            self.give_up("it was left out", now);
        }
    }

    fn points_taken(&self) -> usize {
        self.taken
    }

    fn points_missed(&self) -> &[Missed] {
        &self.missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000).offset_by_seconds(seconds)
    }

    /// Runs the postures at 30 samples a second; `head` says how the head is held beside its usual pose, given what is asked
    /// for and since when. Gives the time it took.
    fn run(postures: &mut Postures, head: impl Fn(Option<Posture>, f64) -> Option<Pose>) -> f64 {
        let mut asked = (None, 0.0);
        for frame in 0..30 * 120 {
            let time_s = f64::from(frame) / 30.0;
            let posture = postures.shown(at(time_s)).and_then(|shown| shown.posture);
            if posture != asked.0 {
                asked = (posture, time_s);
            }
            let pose = head(posture, time_s - asked.1);
            postures.see(Seen {
                captured: at(time_s),
                gaze: Some(ScreenPoint::CENTRE),
                head: pose.map(|pose| Pose {
                    yaw_deg: pose.yaw_deg - 3.0,
                    pitch_deg: pose.pitch_deg - 8.0,
                    left_mm: pose.left_mm + 20.0,
                    down_mm: pose.down_mm + 60.0,
                }),
            });
            match postures.step(at(time_s)) {
                Step::Watch => {}
                Step::Take(_, from, to) => {
                    assert!(to.seconds_since(from) >= LOOK_S && to <= at(time_s));
                    postures.taken(at(time_s));
                }
                Step::Over => return time_s,
            }
        }
        panic!("the postures never ended");
    }

    fn obedient(posture: Option<Posture>, seconds: f64) -> Option<Pose> {
        let far = (seconds / 0.8).min(1.0);
        let pose = posture.map_or(Pose::default(), Posture::pose);
        Some(Pose {
            yaw_deg: pose.yaw_deg * far,
            pitch_deg: pose.pitch_deg * far,
            left_mm: pose.left_mm * far,
            down_mm: pose.down_mm * far,
        })
    }

    #[test]
    fn somebody_who_does_as_asked_is_through_in_half_a_minute() {
        let mut postures = Postures::new(at(0.0));
        let took_s = run(&mut postures, obedient);
        assert_eq!((postures.points_taken(), postures.points_missed()), (10, &[][..]));
        assert!((18.0..30.0).contains(&took_s), "{took_s} s");
    }

    #[test]
    fn the_other_way_or_not_at_all_is_left_out_and_said() {
        let mut postures = Postures::new(at(0.0));
        let wrong = |posture: Option<Posture>, seconds: f64| match posture {
            Some(Posture::TurnedLeft) => obedient(Some(Posture::TurnedRight), seconds),
            Some(Posture::Slumped) => obedient(None, seconds),
            posture => obedient(posture, seconds),
        };
        assert_eq!(postures.expected(), 10);
        run(&mut postures, wrong);
        assert_eq!(
            (postures.points_taken(), postures.expected()),
            (7, 9),
            "nobody is asked again in vain"
        );
        let reasons: Vec<&str> = postures.missed.iter().map(|missed| missed.reason.as_str()).collect();
        assert_eq!(reasons, ["the head was not seen to move so"; 2]);
    }

    #[test]
    fn whoever_leans_must_turn_as_well() {
        let mut postures = Postures::new(at(0.0));
        let stiff = |posture: Option<Posture>, seconds: f64| match posture {
            Some(Posture::LeaningLeft | Posture::LeaningRight) => {
                obedient(posture, seconds).map(|pose| Pose { yaw_deg: 0.0, ..pose })
            }
            posture => obedient(posture, seconds),
        };
        run(&mut postures, stiff);
        assert_eq!((postures.points_taken(), postures.points_missed().len()), (6, 2));
    }

    #[test]
    fn a_key_leaves_a_posture_out() {
        let mut postures = Postures::new(at(0.0));
        let first = postures.shown(at(1.0)).expect("a point");
        postures.click(None, at(0.5));
        postures.click(Some(first.point), at(1.0));
        assert_eq!(
            postures.points_missed().len(),
            0,
            "it was not asked for, and nothing was to be clicked"
        );
        for n in 1..=POSTURES.len() {
            postures.click(None, at(1.0));
            assert_eq!(postures.points_missed().len(), n);
        }
        assert_eq!(postures.step(at(1.0)), Step::Over);
    }

    #[test]
    fn a_head_that_goes_back_too_soon_is_waited_for() {
        let mut postures = Postures::new(at(0.0));
        let hasty = |posture: Option<Posture>, seconds: f64| {
            obedient(posture, if seconds > 1.2 && seconds < 2.5 { 0.0 } else { seconds })
        };
        let took_s = run(&mut postures, hasty);
        assert_eq!(postures.points_taken(), 10);
        assert!(took_s > 10.0 * 2.5, "{took_s} s");
    }

    #[test]
    fn whoever_is_slow_is_looked_at_all_the_same() {
        let mut postures = Postures::new(at(0.0));
        run(&mut postures, |posture, seconds| {
            obedient(posture.filter(|_| seconds > PATIENCE_S - 0.6), 1.0)
        });
        assert_eq!(postures.points_taken(), 10);
    }

    #[test]
    fn a_head_that_is_not_seen_ends_it() {
        let mut postures = Postures::new(at(0.0));
        let took_s = run(&mut postures, |_, _| None);
        assert_eq!(postures.points_taken(), 0);
        assert!(postures.missed.iter().all(|missed| missed.reason.contains("not seen")));
        assert!(took_s < 7.0 * PATIENCE_S + 2.0, "{took_s} s");
    }
}
