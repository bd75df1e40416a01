//! What the synthetic user was told to do: to look at points and to hold the head otherwise, as logs over time.
//!
//! A log only ever grows at its end and every entry takes effect a human reaction time after it was made, so that the
//! pictures already rendered ahead stay true and `truth_at` stays a function of time.

use crate::geometry::VisualAngle;

use super::random::{Draws, Purpose};
use super::saccade::minimum_jerk;

/// From this moment on the user looks at `target`, or, where it is `None`, at whatever it likes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SteeringEvent {
    pub(crate) effective_s: f64,
    pub(crate) target: Option<VisualAngle>,
}

/// Reaction time of a saccade to a target that appears: 200 ms, give or take 20.
const REACTION_S: [f64; 2] = [0.18, 0.22];
/// More entries than a day of calibrating makes; beyond it the oldest are forgotten.
const CAPACITY: usize = 50_000;

#[derive(Clone, Debug, Default)]
pub(crate) struct SteeringLog {
    events: Vec<SteeringEvent>,
    added: i64,
}

impl SteeringLog {
    pub(crate) fn add(&mut self, seed: u64, now_s: f64, target: Option<VisualAngle>) {
        let reaction_s = Draws::new(seed, Purpose::Reaction, self.added).between(REACTION_S[0], REACTION_S[1]);
        let mut effective_s = now_s + reaction_s;
        if let Some(last) = self.events.last() {
            // A caller whose clock reads run backwards must not rewrite what has happened.
            effective_s = effective_s.max(last.effective_s + 1e-6);
            if last.target.is_none() && target.is_none() {
                return;
            }
        } else if target.is_none() {
            return;
        }
        if self.events.len() >= CAPACITY {
            self.events.drain(..CAPACITY / 2);
        }
        self.events.push(SteeringEvent { effective_s, target });
        self.added += 1;
    }

    pub(crate) fn events(&self) -> &[SteeringEvent] {
        &self.events
    }
}

/// How the head is held beside its usual pose.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HeadMove {
    /// To the person's left.
    pub yaw_rad: f64,
    /// Up.
    pub pitch_rad: f64,
    /// To the person's left.
    pub left_mm: f64,
    pub down_mm: f64,
}

impl HeadMove {
    pub(crate) fn is_finite(&self) -> bool {
        [self.yaw_rad, self.pitch_rad, self.left_mm, self.down_mm]
            .iter()
            .all(|value| value.is_finite())
    }

    fn towards(self, other: Self, share: f64) -> Self {
        let between = |from: f64, to: f64| from + (to - from) * share;
        Self {
            yaw_rad: between(self.yaw_rad, other.yaw_rad),
            pitch_rad: between(self.pitch_rad, other.pitch_rad),
            left_mm: between(self.left_mm, other.left_mm),
            down_mm: between(self.down_mm, other.down_mm),
        }
    }
}

/// How long a voluntary movement of the head takes, somebody not in a hurry.
const MOVE_S: f64 = 0.9;

#[derive(Clone, Copy, Debug, PartialEq)]
struct MoveEvent {
    effective_s: f64,
    from: HeadMove,
    to: HeadMove,
}

impl MoveEvent {
    fn at(&self, time_s: f64) -> HeadMove {
        let share = minimum_jerk((time_s - self.effective_s) / MOVE_S);
        self.from.towards(self.to, share)
    }
}

/// How the user was told to hold the head.
#[derive(Clone, Debug, Default)]
pub(crate) struct MoveLog {
    events: Vec<MoveEvent>,
    added: i64,
}

impl MoveLog {
    pub(crate) fn add(&mut self, seed: u64, now_s: f64, to: HeadMove) {
        let last = self.events.last();
        if last.map_or(HeadMove::default(), |last| last.to) == to {
            return;
        }
        let reaction_s = Draws::new(seed, Purpose::MoveReaction, self.added).between(REACTION_S[0], REACTION_S[1]);
        let after = last.map_or(f64::NEG_INFINITY, |last| last.effective_s + 1e-6);
        let effective_s = (now_s + reaction_s).max(after);
        let from = self.at(effective_s);
        if self.events.len() >= CAPACITY {
            self.events.drain(..CAPACITY / 2);
        }
        self.events.push(MoveEvent { effective_s, from, to });
        self.added += 1;
    }

    pub(crate) fn at(&self, time_s: f64) -> HeadMove {
        let after = self.events.partition_point(|event| event.effective_s <= time_s);
        match after.checked_sub(1) {
            Some(index) => self.events[index].at(time_s),
            None => self.events.first().map_or(HeadMove::default(), |first| first.from),
        }
    }
}

/// The shortest time before a steering call can change a picture: frames may be rendered this far ahead.
pub const SHORTEST_REACTION_S: f64 = REACTION_S[0];
