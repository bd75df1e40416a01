//! The end of a calibration: the eyes stay on a point while the head turns.
//!
//! Whoever sits still while calibrating shows the tracker one pose of the head, and a map fitted to that is off as soon as the
//! head is elsewhere: how deep somebody's eyes lie and how long the nose is only shows when the head turns. With the gaze held
//! on a point by the vestibulo-ocular reflex, a few turns tell. Nothing is lost where somebody does not turn: the points
//! before make a calibration by themselves.

use std::collections::VecDeque;

use super::course::{Course, Missed, Seen, Shown, Step, Turn};
use super::tour::median;
use crate::clock::Timestamp;
use crate::geometry::ScreenPoint;

/// The turns, each with points of its own: near the middle, where a turned head still sees them well, and at places where no
/// layout has one. Whoever turned to the first is asked to turn once more, to the second: one look alone is noisy.
const TURNS: [(Turn, [ScreenPoint; 2]); 4] = [
    (Turn::Left, [ScreenPoint::new(0.42, 0.47), ScreenPoint::new(0.34, 0.42)]),
    (
        Turn::Right,
        [ScreenPoint::new(0.58, 0.47), ScreenPoint::new(0.66, 0.42)],
    ),
    (Turn::Up, [ScreenPoint::new(0.46, 0.56), ScreenPoint::new(0.38, 0.61)]),
    (Turn::Down, [ScreenPoint::new(0.54, 0.56), ScreenPoint::new(0.62, 0.61)]),
];
/// Nobody needs to turn further than feels easy: this much, in degrees to either side, up or down, is enough.
const ENOUGH_DEG: f64 = 9.0;
const ENOUGH_UP_OR_DOWN_DEG: f64 = 6.0;
/// So much of it must be kept while the tracker looks.
const KEPT: f64 = 0.7;
/// How long the tracker looks at the turned head.
const LOOK_S: f64 = 1.0;
/// The usual pose is seen in this time before the first turn is asked for.
const USUAL_S: f64 = 0.8;
/// A turn that is not seen within this time is left out.
const PATIENCE_S: f64 = 6.0;

/// Yaw and pitch in degrees.
type Pose = [f64; 2];

/// A turn that is asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    turn: Turn,
    point: ScreenPoint,
    /// Where it is asked for once more.
    again: Option<ScreenPoint>,
}

#[derive(Debug)]
pub struct Turns {
    queue: VecDeque<Asked>,
    /// What is asked for now, and since when its point is shown.
    shown: Option<(Asked, Timestamp)>,
    begun: Timestamp,
    /// Poses from before the first turn was asked for.
    usual: Vec<Pose>,
    /// Since when the head is turned far enough, and when it was last seen so.
    turned: Option<(Timestamp, Timestamp)>,
    /// How far the head is turned, in parts of what is enough.
    share: f64,
    taken: usize,
    missed: Vec<Missed>,
}

impl Turns {
    pub fn new(now: Timestamp) -> Self {
        let mut turns = Self {
            queue: TURNS
                .into_iter()
                .map(|(turn, [point, again])| Asked {
                    turn,
                    point,
                    again: Some(again),
                })
                .collect(),
            shown: None,
            begun: now,
            usual: Vec::new(),
            turned: None,
            share: 0.0,
            taken: 0,
            missed: Vec::new(),
        };
        turns.next(now);
        turns
    }

    fn next(&mut self, now: Timestamp) {
        self.turned = None;
        self.share = 0.0;
        self.shown = self.queue.pop_front().map(|asked| (asked, now));
    }

    /// How many turns are asked for in all, if those to come are made.
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

    /// How far a pose is turned, in parts of what is enough; `None` while the usual pose is not known.
    fn share(&self, turn: Turn, pose: Pose) -> Option<f64> {
        let usual = |axis: usize| median(self.usual.iter().map(|pose| pose[axis]));
        let (yaw_deg, pitch_deg) = (pose[0] - usual(0)?, pose[1] - usual(1)?);
        Some(match turn {
            Turn::Left => yaw_deg / ENOUGH_DEG,
            Turn::Right => -yaw_deg / ENOUGH_DEG,
            Turn::Up => pitch_deg / ENOUGH_UP_OR_DOWN_DEG,
            Turn::Down => -pitch_deg / ENOUGH_UP_OR_DOWN_DEG,
        })
    }
}

impl Course for Turns {
    fn shown(&self, now: Timestamp) -> Option<Shown> {
        let (Asked { turn, point, .. }, since) = self.shown?;
        Some(Shown {
            point,
            since,
            number: self.taken + self.missed.len() + 1,
            of: self.expected(),
            turn: self.is_asked_for(now).then_some(turn),
        })
    }

    fn resting(&self) -> f64 {
        self.share.clamp(0.0, 1.0)
    }

    fn see(&mut self, seen: Seen) {
        let (Some((Asked { turn, .. }, since)), Some(pose), Some(_)) = (self.shown, seen.head_deg, seen.gaze) else {
            return;
        };
        if !self.is_asked_for(seen.captured) {
            self.usual.push(pose);
            return;
        }
        let Some(share) = self.share(turn, pose) else { return };
        self.share = share;
        // A picture of before the turn was asked for shows the turn before.
        if seen.captured.seconds_since(since) < 0.0 {
            return;
        }
        self.turned = match self.turned {
            Some((from, last)) if share >= KEPT && seen.captured > last => Some((from, seen.captured)),
            Some(turned) if share >= KEPT => Some(turned),
            None if share >= 1.0 => Some((seen.captured, seen.captured)),
            _ => None,
        };
    }

    fn step(&mut self, now: Timestamp) -> Step {
        let Some((Asked { point, .. }, since)) = self.shown else {
            return Step::Over;
        };
        if let Some((from, to)) = self.turned
            && to.seconds_since(from) >= LOOK_S
        {
            return Step::Take(point, from, to);
        }
        let asked = since.max(self.begun.offset_by_seconds(USUAL_S));
        if now.seconds_since(asked) >= PATIENCE_S {
            let reason = if self.usual.is_empty() {
                "how the head is turned was not seen"
            } else {
                "the head was not turned"
            };
            self.give_up(reason, now);
        }
        if self.shown.is_some() { Step::Watch } else { Step::Over }
    }

    fn taken(&mut self, now: Timestamp) {
        self.taken += 1;
        if let Some((
            Asked {
                turn,
                again: Some(point),
                ..
            },
            _,
        )) = self.shown
        {
            self.queue.push_back(Asked {
                turn,
                point,
                again: None,
            });
        }
        self.next(now);
    }

    fn refused(&mut self, reason: &str, now: Timestamp) {
        self.give_up(reason, now);
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

    /// Runs the turns at 30 samples a second; `head` says how the head is turned beside its usual pose, given what is asked
    /// for and since when. Gives the time it took.
    fn run(turns: &mut Turns, head: impl Fn(Option<Turn>, f64) -> Option<Pose>) -> f64 {
        let mut asked = (None, 0.0);
        for frame in 0..30 * 120 {
            let time_s = f64::from(frame) / 30.0;
            let turn = turns.shown(at(time_s)).and_then(|shown| shown.turn);
            if turn != asked.0 {
                asked = (turn, time_s);
            }
            let pose = head(turn, time_s - asked.1);
            turns.see(Seen {
                captured: at(time_s),
                gaze: Some(ScreenPoint::CENTRE),
                head_deg: pose.map(|[yaw, pitch]| [yaw - 3.0, pitch - 8.0]),
            });
            match turns.step(at(time_s)) {
                Step::Watch => {}
                Step::Take(_, from, to) => {
                    assert!(to.seconds_since(from) >= LOOK_S && to <= at(time_s));
                    turns.taken(at(time_s));
                }
                Step::Over => return time_s,
            }
        }
        panic!("the turns never ended");
    }

    fn obedient(turn: Option<Turn>, seconds: f64) -> Option<Pose> {
        let far = (seconds / 0.8).min(1.0);
        Some(turn.map_or([0.0; 2], |turn| turn.pose_deg().map(|angle| angle * far)))
    }

    #[test]
    fn somebody_who_turns_as_asked_is_through_in_some_seconds() {
        let mut turns = Turns::new(at(0.0));
        let took_s = run(&mut turns, obedient);
        assert_eq!((turns.points_taken(), turns.points_missed()), (8, &[][..]));
        assert!((12.0..20.0).contains(&took_s), "{took_s} s");
    }

    #[test]
    fn a_turn_the_other_way_or_none_is_left_out_and_said() {
        let mut turns = Turns::new(at(0.0));
        let wrong = |turn: Option<Turn>, seconds: f64| match turn {
            Some(Turn::Left) => obedient(Some(Turn::Right), seconds),
            Some(Turn::Up) => obedient(None, seconds),
            turn => obedient(turn, seconds),
        };
        assert_eq!(turns.expected(), 8);
        run(&mut turns, wrong);
        assert_eq!(
            (turns.points_taken(), turns.expected()),
            (4, 6),
            "nobody is asked again in vain"
        );
        let reasons: Vec<&str> = turns.missed.iter().map(|missed| missed.reason.as_str()).collect();
        assert_eq!(reasons, ["the head was not turned"; 2]);
    }

    #[test]
    fn a_head_that_turns_back_too_soon_is_waited_for() {
        let mut turns = Turns::new(at(0.0));
        let hasty = |turn: Option<Turn>, seconds: f64| {
            obedient(turn, if seconds > 1.2 && seconds < 2.5 { 0.0 } else { seconds })
        };
        let took_s = run(&mut turns, hasty);
        assert_eq!(turns.points_taken(), 8);
        assert!(took_s > 8.0 * 2.5, "{took_s} s");
    }

    #[test]
    fn a_head_that_is_not_seen_ends_it() {
        let mut turns = Turns::new(at(0.0));
        let took_s = run(&mut turns, |_, _| None);
        assert_eq!(turns.points_taken(), 0);
        assert!(turns.missed.iter().all(|missed| missed.reason.contains("not seen")));
        assert!(took_s < 4.0 * PATIENCE_S + 2.0, "{took_s} s");
    }
}
