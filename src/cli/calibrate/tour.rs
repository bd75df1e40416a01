//! A tour of points the user looks at: which one is shown, when the eye rests on it, which ones are shown again.

use std::collections::VecDeque;

use super::course::{Course, Missed, Seen, Shown, Step};
use crate::cli::looks::{ARRIVAL_S, REST_S};
use crate::clock::Timestamp;
use crate::geometry::ScreenPoint;

/// A point at which the eye did not rest within this time is put off.
const PATIENCE_S: f64 = 5.0;
/// But not before the camera had a chance: so many pictures have come by then, or so much time has passed.
const LEAST_PICTURES: u32 = 20;
const LONGEST_PATIENCE_S: f64 = 20.0;
/// How often one point is shown before it is given up.
const ATTEMPTS: u8 = 3;
/// After so many points in a row at which no open eye was seen the tour ends: nobody is there.
const BLIND_POINTS: u8 = 3;
/// The eye rests where this share of the samples ...
const RESTING_SHARE: f64 = 0.75;
/// ... is this close to their median, in widths and heights of the screen. Wide, for the gaze is not calibrated yet; a
/// saccade between two points of a tour is several times as long.
const RESTING_RADIUS: f64 = 0.06;

const UNSEEN: &str = "no open eyes were seen";

#[derive(Debug)]
pub struct Tour {
    queue: VecDeque<(ScreenPoint, u8)>,
    shown: Option<Shown>,
    attempt: u8,
    recent: VecDeque<Seen>,
    /// Pictures of which something was heard since the point appeared.
    pictures: u32,
    taken: Vec<ScreenPoint>,
    missed: Vec<Missed>,
    total: usize,
    blind: u8,
}

impl Tour {
    pub fn new(points: Vec<ScreenPoint>, now: Timestamp) -> Self {
        let mut tour = Self {
            total: points.len(),
            queue: points.into_iter().map(|point| (point, 1)).collect(),
            shown: None,
            attempt: 1,
            recent: VecDeque::new(),
            pictures: 0,
            taken: Vec::new(),
            missed: Vec::new(),
            blind: 0,
        };
        tour.next(now);
        tour
    }

    fn put_off(&mut self, reason: &str, now: Timestamp) {
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

    fn give_up_all(&mut self) {
        let left = self.shown.take().map(|shown| shown.point);
        let left = left.into_iter().chain(self.queue.drain(..).map(|(point, _)| point));
        self.missed.extend(left.map(|point| Missed {
            point,
            reason: UNSEEN.to_owned(),
        }));
    }

    fn next(&mut self, now: Timestamp) {
        self.recent.clear();
        self.pictures = 0;
        self.shown = self.queue.pop_front().map(|(point, attempt)| {
            self.attempt = attempt;
            Shown {
                point,
                since: now,
                number: self.taken.len() + self.missed.len() + 1,
                of: self.total,
                posture: None,
            }
        });
    }

    fn is_steady(&self) -> bool {
        let points: Vec<ScreenPoint> = self.recent.iter().filter_map(|seen| seen.gaze).collect();
        let (Some(x), Some(y)) = (
            median(points.iter().map(|point| point.x)),
            median(points.iter().map(|point| point.y)),
        ) else {
            return false;
        };
        let near =
            |point: &&ScreenPoint| (point.x - x).abs() <= RESTING_RADIUS && (point.y - y).abs() <= RESTING_RADIUS;
        points.iter().filter(near).count() as f64 >= RESTING_SHARE * self.recent.len() as f64
    }
}

impl Course for Tour {
    fn shown(&self, _: Timestamp) -> Option<Shown> {
        self.shown
    }

    fn resting(&self) -> f64 {
        match (self.recent.front(), self.recent.back()) {
            (Some(first), Some(last)) if self.is_steady() => {
                (last.captured.seconds_since(first.captured) / REST_S).clamp(0.0, 1.0)
            }
            _ => 0.0,
        }
    }

    /// Samples from before the eye can have arrived, or out of order, are of no use.
    fn see(&mut self, seen: Seen) {
        let Some(shown) = self.shown else { return };
        let in_order = self.recent.back().is_none_or(|last| last.captured < seen.captured);
        if in_order && seen.captured.seconds_since(shown.since) >= ARRIVAL_S {
            self.pictures += 1;
            self.recent.push_back(seen);
            // One sample older than the window stays, so that the window is known to be covered.
            while self.recent.len() > 2 && seen.captured.seconds_since(self.recent[1].captured) >= REST_S {
                self.recent.pop_front();
            }
        }
    }

    fn step(&mut self, now: Timestamp) -> Step {
        let Some(shown) = self.shown else { return Step::Over };
        if let (Some(first), Some(last)) = (self.recent.front(), self.recent.back())
            && last.captured.seconds_since(first.captured) >= REST_S
            && self.is_steady()
        {
            return Step::Take(shown.point, first.captured, last.captured);
        }
        let waited_s = now.seconds_since(shown.since);
        if waited_s >= LONGEST_PATIENCE_S || (waited_s >= PATIENCE_S && self.pictures >= LEAST_PICTURES) {
            if self.recent.iter().any(|seen| seen.gaze.is_some()) {
                self.blind = 0;
                self.put_off("the eye did not come to rest on it", now);
            } else {
                self.blind += 1;
                self.put_off(UNSEEN, now);
                if self.blind >= BLIND_POINTS {
                    self.give_up_all();
                }
            }
        }
        if self.shown.is_some() { Step::Watch } else { Step::Over }
    }

    fn taken(&mut self, now: Timestamp) {
        self.blind = 0;
        if let Some(shown) = self.shown {
            self.taken.push(shown.point);
            self.next(now);
        }
    }

    /// The point is shown again later.
    fn refused(&mut self, reason: &str, now: Timestamp) {
        self.put_off(reason, now);
    }

    fn points_taken(&self) -> usize {
        self.taken.len()
    }

    fn points_missed(&self) -> &[Missed] {
        &self.missed
    }
}

pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000).offset_by_seconds(seconds)
    }

    fn points(count: usize) -> Vec<ScreenPoint> {
        (0..count).map(|i| ScreenPoint::new(0.1 * i as f64, 0.5)).collect()
    }

    /// Runs a tour at 30 samples a second; `user` says where the eye is, given the point and its age. Gives the moments of
    /// the takes.
    fn walk(tour: &mut Tour, user: impl Fn(Shown, f64) -> Option<ScreenPoint>, refuse: u32) -> Vec<f64> {
        let (mut takes, mut refused) = (Vec::new(), 0);
        for frame in 0..30 * 600 {
            let now = at(f64::from(frame) / 30.0);
            if let Some(shown) = tour.shown {
                let gaze = user(shown, now.seconds_since(shown.since));
                tour.see(Seen {
                    captured: now,
                    gaze,
                    head: None,
                });
            }
            match tour.step(now) {
                Step::Watch => {}
                Step::Take(..) if refused < refuse => {
                    refused += 1;
                    tour.refused("too dark", now);
                }
                Step::Take(..) => {
                    takes.push(now.seconds_since(at(0.0)));
                    tour.taken(now);
                }
                Step::Over => return takes,
            }
        }
        panic!("the tour never ended");
    }

    #[test]
    fn a_user_who_looks_gets_through_without_delay() {
        let mut tour = Tour::new(points(3), at(0.0));
        let takes = walk(&mut tour, |shown, _| Some(shown.point), 0);
        assert_eq!(tour.taken, points(3));
        for (number, moment) in (1..).zip(takes) {
            let soonest = f64::from(number) * (ARRIVAL_S + REST_S);
            assert!(
                (soonest - 0.01..soonest + 0.3).contains(&moment),
                "point {number} taken at {moment}"
            );
        }
    }

    #[test]
    fn a_late_eye_is_waited_for() {
        let mut tour = Tour::new(points(1), at(0.0));
        let late = |shown: Shown, age: f64| {
            Some(if age < 2.0 {
                ScreenPoint::new(0.9, 0.9)
            } else {
                shown.point
            })
        };
        // Resting elsewhere cannot be told from resting on the point before the gaze is calibrated, so this one wanders.
        let wandering = |shown: Shown, age: f64| {
            if age < 2.0 {
                Some(ScreenPoint::new((age * 3.0).fract(), 0.5))
            } else {
                late(shown, age)
            }
        };
        let takes = walk(&mut tour, wandering, 0);
        assert!(takes[0] > 2.0 + 0.7 * REST_S && takes[0] < 3.2, "taken at {takes:?}");
    }

    #[test]
    fn blinks_do_not_disturb_and_closed_eyes_are_named() {
        let mut tour = Tour::new(points(2), at(0.0));
        let blinking = |shown: Shown, age: f64| (!(0.9..1.05).contains(&age)).then_some(shown.point);
        walk(&mut tour, blinking, 0);
        assert_eq!(tour.taken.len(), 2);

        let mut tour = Tour::new(points(2), at(0.0));
        walk(&mut tour, |_, _| None, 0);
        assert!(tour.taken.is_empty());
        assert_eq!(tour.points_missed()[0].reason, UNSEEN);
    }

    #[test]
    fn nobody_there_is_noticed_soon_and_all_points_are_accounted_for() {
        let mut tour = Tour::new(points(9), at(0.0));
        let mut now = at(0.0);
        while tour.step(now) != Step::Over {
            now = now.offset_by_seconds(0.1);
        }
        let passed = now.seconds_since(at(0.0));
        assert!(
            passed < f64::from(BLIND_POINTS) * (LONGEST_PATIENCE_S + 0.2),
            "{passed} s"
        );
        let mut missed: Vec<ScreenPoint> = tour.points_missed().iter().map(|missed| missed.point).collect();
        missed.sort_by(|a, b| a.x.total_cmp(&b.x));
        assert_eq!(missed, points(9));
    }

    #[test]
    fn a_refused_point_comes_again_at_the_end() {
        let mut tour = Tour::new(points(3), at(0.0));
        walk(&mut tour, |shown, _| Some(shown.point), 1);
        let order = points(3);
        assert_eq!(tour.taken, [order[1], order[2], order[0]]);
        assert!(tour.points_missed().is_empty());
    }

    #[test]
    fn a_point_refused_every_time_is_given_up() {
        let mut tour = Tour::new(points(1), at(0.0));
        walk(&mut tour, |shown, _| Some(shown.point), u32::from(ATTEMPTS));
        assert_eq!(tour.points_missed().len(), 1);
        assert_eq!(tour.points_missed()[0].reason, "too dark");
    }

    proptest! {
        #[test]
        fn every_point_is_taken_or_missed_whatever_is_seen(
            count in 0..8_usize,
            seen in prop::collection::vec((0.0..0.2_f64, prop::option::of((-2.0..3.0_f64, -2.0..3.0_f64))), 0..400),
        ) {
            let mut tour = Tour::new(points(count), at(0.0));
            let mut now = at(0.0);
            let mut over = false;
            // A user who goes on doing what was drawn until patience runs out everywhere.
            let seen = if seen.is_empty() { vec![(0.1, None)] } else { seen };
            for (pause, gaze) in seen.iter().cycle().take(40_000) {
                now = now.offset_by_seconds(*pause);
                tour.see(Seen { captured: now, gaze: gaze.map(|(x, y)| ScreenPoint::new(x, y)), head: None });
                match tour.step(now) {
                    Step::Watch => prop_assert!(tour.shown.is_some()),
                    Step::Take(point, from, to) => {
                        prop_assert_eq!(Some(point), tour.shown.map(|shown| shown.point));
                        prop_assert!(to.seconds_since(from) >= REST_S && to <= now);
                        tour.taken(now);
                    }
                    Step::Over => { over = true; break; }
                }
            }
            let passed = now.seconds_since(at(0.0));
            prop_assert!(over || passed < 8.0 * 3.0 * (LONGEST_PATIENCE_S + 0.5), "not over after {} s", passed);
            if over {
                prop_assert_eq!(tour.points_taken() + tour.points_missed().len(), count);
            }
        }
    }
}
