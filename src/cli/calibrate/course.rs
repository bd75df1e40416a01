//! What every way of leading the eye has in common: samples, answers and the present moment go in, what to show and what to
//! ask the tracker to take comes out. No drawing, no bus, no clock.

use crate::clock::Timestamp;
use crate::geometry::ScreenPoint;

/// What the tracker saw at one moment; `gaze` is `None` where there was nothing to see (no face, a blink).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    pub captured: Timestamp,
    pub gaze: Option<ScreenPoint>,
    /// How the head is held, where that is known.
    pub head: Option<Pose>,
}

/// How a head is held: of what is seen beside any fixed pose, of what is asked for beside the usual one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pose {
    /// To the person's left.
    pub yaw_deg: f64,
    /// Up.
    pub pitch_deg: f64,
    /// To the person's left.
    pub left_mm: f64,
    pub down_mm: f64,
}

/// How the head is to be held while the eyes stay on a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posture {
    TurnedLeft,
    TurnedRight,
    TurnedUp,
    TurnedDown,
    Slumped,
    LeaningLeft,
    LeaningRight,
}

impl Posture {
    /// Beside the usual pose, of somebody who does as asked.
    pub fn pose(self) -> Pose {
        let [yaw_deg, pitch_deg, left_mm, down_mm] = match self {
            Self::TurnedLeft => [18.0, 0.0, 0.0, 0.0],
            Self::TurnedRight => [-18.0, 0.0, 0.0, 0.0],
            Self::TurnedUp => [0.0, 11.0, 0.0, 0.0],
            Self::TurnedDown => [0.0, -11.0, 0.0, 0.0],
            Self::Slumped => [0.0, 0.0, 0.0, 45.0],
            Self::LeaningLeft => [12.0, 0.0, 80.0, 0.0],
            Self::LeaningRight => [-12.0, 0.0, -80.0, 0.0],
        };
        Pose {
            yaw_deg,
            pitch_deg,
            left_mm,
            down_mm,
        }
    }

    /// The request in a word, to be read without looking away from the point.
    pub fn word(self) -> &'static str {
        match self {
            Self::TurnedLeft | Self::TurnedRight | Self::TurnedUp | Self::TurnedDown => "turn",
            Self::Slumped => "slump",
            Self::LeaningLeft | Self::LeaningRight => "lean",
        }
    }

    /// What the user is asked to do.
    pub fn request(self) -> &'static str {
        match self {
            Self::TurnedLeft => "turn your head slowly left",
            Self::TurnedRight => "turn your head slowly right",
            Self::TurnedUp => "turn your head slowly up",
            Self::TurnedDown => "turn your head slowly down",
            Self::Slumped => "sit lower, as when you slump",
            Self::LeaningLeft => "lean to the left, your head turned with you",
            Self::LeaningRight => "lean to the right, your head turned with you",
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
    /// How the head is to be held meanwhile, where not as usual.
    pub posture: Option<Posture>,
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

    /// The user clicked here, or pressed a key where `None`.
    fn click(&mut self, _at: Option<ScreenPoint>, _now: Timestamp) {}

    fn points_taken(&self) -> usize;

    fn points_missed(&self) -> &[Missed];
}
