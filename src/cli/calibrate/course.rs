//! What every way of leading the eye has in common: samples, answers and the present moment go in, what to show and what to
//! ask the tracker to take comes out. No drawing, no bus, no clock.

use crate::clock::Timestamp;
use crate::geometry::ScreenPoint;

/// What the tracker saw at one moment; `gaze` is `None` where there was nothing to see (no face, a blink).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    pub captured: Timestamp,
    pub gaze: Option<ScreenPoint>,
    /// Yaw and pitch of the head, where they are known.
    pub head_deg: Option<[f64; 2]>,
}

/// How the head is to be turned while the eyes stay on a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Left,
    Right,
    Up,
    Down,
}

impl Turn {
    /// Yaw (to the person's left) and pitch (up) beside the usual pose of somebody who turns as asked, in degrees.
    pub fn pose_deg(self) -> [f64; 2] {
        match self {
            Self::Left => [18.0, 0.0],
            Self::Right => [-18.0, 0.0],
            Self::Up => [0.0, 11.0],
            Self::Down => [0.0, -11.0],
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Show [`Course::shown`] and come back with the next sample.
    Watch,
    /// The eye rested on the point from the first moment to the last: ask the tracker to take it, and say
    /// [`Course::taken`] or [`Course::refused`].
    Take(ScreenPoint, Timestamp, Timestamp),
    /// All points were taken or given up.
    Over,
}

/// The point on show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    pub point: ScreenPoint,
    /// When it appeared.
    pub since: Timestamp,
    /// Counts the points from 1.
    pub number: usize,
    pub of: usize,
    /// How the head is to be turned meanwhile.
    pub turn: Option<Turn>,
}

/// A point that was given up, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Missed {
    pub point: ScreenPoint,
    pub reason: String,
}

/// A way of leading the eye over the screen.
pub trait Course: std::fmt::Debug {
    /// The point on show; `None` when all is over.
    fn shown(&self, now: Timestamp) -> Option<Shown>;

    /// How much of the time that the eye has to rest on the point has passed, 0..=1.
    fn resting(&self) -> f64;

    /// Takes what the tracker saw.
    fn see(&mut self, seen: Seen);

    fn step(&mut self, now: Timestamp) -> Step;

    /// The tracker took what [`Step::Take`] asked for.
    fn taken(&mut self, now: Timestamp);

    /// The tracker had no use for it.
    fn refused(&mut self, reason: &str, now: Timestamp);

    /// The user clicked here, or pressed a key for it where `None`.
    fn click(&mut self, _at: Option<ScreenPoint>, _now: Timestamp) {}

    fn points_taken(&self) -> usize;

    fn points_missed(&self) -> &[Missed];
}
