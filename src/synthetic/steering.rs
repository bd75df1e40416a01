//! What the synthetic user was told to look at, as a log over time.
//!
//! The log only ever grows at its end and every entry takes effect a human reaction time after it was made, so that the
//! pictures already rendered ahead stay true and `truth_at` stays a function of time.

use crate::geometry::VisualAngle;

use super::random::{Draws, Purpose};

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

/// The shortest time before a steering call can change a picture: frames may be rendered this far ahead.
pub const SHORTEST_REACTION_S: f64 = REACTION_S[0];
