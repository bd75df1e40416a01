//! Points that the user clicks on: where people click they look, shortly before and while they do.

use std::collections::VecDeque;

use super::course::{Course, Missed, Seen, Shown, Step};
use crate::clock::Timestamp;
use crate::geometry::ScreenPoint;

/// The eye reaches what is clicked on 0 to 300 ms before the click, and stays a little: only around the click itself is it
/// surely there.
const BEFORE_S: f64 = 0.35;
const AFTER_S: f64 = 0.15;
/// Pictures of the last moment are still on their way.
const ON_THE_WAY_S: f64 = 0.2;
/// A click further from the point, in widths or heights of the screen, is not meant for it.
const TOLERANCE: f64 = 0.05;
/// How often one point is shown before it is given up.
const ATTEMPTS: u8 = 3;
/// Nobody clicks any more: the tour ends.
const PATIENCE_S: f64 = 90.0;

#[derive(Debug)]
pub struct Clicks {
    queue: VecDeque<(ScreenPoint, u8)>,
    shown: Option<Shown>,
    attempt: u8,
    clicked: Option<Timestamp>,
    taken: usize,
    missed: Vec<Missed>,
    total: usize,
}

impl Clicks {
    pub fn new(points: Vec<ScreenPoint>, now: Timestamp) -> Self {
        let mut clicks = Self {
            total: points.len(),
            queue: points.into_iter().map(|point| (point, 1)).collect(),
            shown: None,
            attempt: 1,
            clicked: None,
            taken: 0,
            missed: Vec::new(),
        };
        clicks.next(now);
        clicks
    }

    fn next(&mut self, now: Timestamp) {
        self.clicked = None;
        self.shown = self.queue.pop_front().map(|(point, attempt)| {
            self.attempt = attempt;
            Shown {
                point,
                since: now,
                number: self.taken + self.missed.len() + 1,
                of: self.total,
                posture: None,
            }
        });
    }

    fn give_up_all(&mut self) {
        let left = self.shown.take().map(|shown| shown.point);
        let left = left.into_iter().chain(self.queue.drain(..).map(|(point, _)| point));
        self.missed.extend(left.map(|point| Missed {
            point,
            reason: "it was not clicked on".to_owned(),
        }));
    }
}

impl Course for Clicks {
    fn shown(&self, _: Timestamp) -> Option<Shown> {
        self.shown
    }

    fn resting(&self) -> f64 {
        if self.clicked.is_some() { 1.0 } else { 0.0 }
    }

    fn see(&mut self, _: Seen) {}

    fn step(&mut self, now: Timestamp) -> Step {
        let Some(shown) = self.shown else { return Step::Over };
        match self.clicked {
            Some(clicked) if now.seconds_since(clicked) >= AFTER_S + ON_THE_WAY_S => Step::Take(
                shown.point,
                clicked.offset_by_seconds(-BEFORE_S),
                clicked.offset_by_seconds(AFTER_S),
            ),
            Some(_) => Step::Watch,
            None if now.seconds_since(shown.since) >= PATIENCE_S => {
                self.give_up_all();
                Step::Over
            }
            None => Step::Watch,
        }
    }

    fn taken(&mut self, now: Timestamp) {
        self.taken += 1;
        self.next(now);
    }

    fn refused(&mut self, reason: &str, now: Timestamp) {
        if let Some(shown) = self.shown {
            if self.attempt < ATTEMPTS {
                self.queue.push_back((shown.point, self.attempt + 1));
            } else {
                self.missed.push(Missed {
                    point: shown.point,
                    reason: reason.to_owned(),
                });
            }
            self.next(now);
        }
    }

    fn click(&mut self, at: Option<ScreenPoint>, now: Timestamp) {
        let Some(shown) = self.shown else { return };
        let on_it =
            at.is_none_or(|at| (at.x - shown.point.x).abs() <= TOLERANCE && (at.y - shown.point.y).abs() <= TOLERANCE);
        if on_it && self.clicked.is_none() && now.seconds_since(shown.since) >= BEFORE_S {
            self.clicked = Some(now);
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

    fn two_points() -> Clicks {
        Clicks::new(vec![ScreenPoint::new(0.2, 0.3), ScreenPoint::new(0.8, 0.7)], at(0.0))
    }

    #[test]
    fn a_click_on_the_point_takes_the_time_around_it() {
        let mut clicks = two_points();
        clicks.click(Some(ScreenPoint::new(0.8, 0.7)), at(1.0));
        assert_eq!(clicks.step(at(2.0)), Step::Watch, "that click was elsewhere");
        clicks.click(Some(ScreenPoint::new(0.21, 0.31)), at(3.0));
        assert_eq!(clicks.step(at(3.1)), Step::Watch, "the pictures are not there yet");
        let Step::Take(point, from, to) = clicks.step(at(3.5)) else {
            panic!("taken")
        };
        assert_eq!(point, ScreenPoint::new(0.2, 0.3));
        assert!(from < at(3.0) && at(3.0) < to && to < at(3.5));
        clicks.taken(at(3.5));
        assert_eq!(clicks.shown(at(3.5)).map(|shown| shown.number), Some(2));
    }

    #[test]
    fn refused_points_come_again_and_silence_ends_it() {
        let mut clicks = two_points();
        for time in [1.0, 2.0, 3.0, 4.0, 5.0] {
            clicks.click(None, at(time));
            assert!(matches!(clicks.step(at(time + 0.5)), Step::Take(..)));
            clicks.refused("the eyes were closed", at(time + 0.5));
        }
        assert_eq!(clicks.points_missed().len(), 1);
        assert_eq!(clicks.step(at(200.0)), Step::Over);
        assert_eq!(clicks.points_missed().len(), 2);
        assert_eq!(clicks.points_missed()[1].reason, "it was not clicked on");
    }
}
