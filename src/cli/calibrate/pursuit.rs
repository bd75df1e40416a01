//! A target that moves along a Lissajous curve and that the eye follows: many places in short time, and no jumps.
//!
//! The gaze of an eye that follows resembles the target's way, a little later; how well and how much later is measured by
//! correlation, which needs no calibration (Vidal, Bulling, Gellersen, *Pursuits*, UbiComp 2013). Parts of the way that were
//! not followed are shown again.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use super::course::{Course, Missed, Seen, Shown, Step};
use crate::clock::Timestamp;
use crate::geometry::ScreenPoint;

/// Once around. With these turns and reach, on a desk's screen, the target stays below 15 degrees a second, which eyes can
/// follow smoothly (up to about 30; Carpenter, *Movements of the Eyes*, 1988).
const LAP_S: f64 = 24.0;
const TURNS: (f64, f64) = (2.0, 3.0);
const REACH: f64 = 0.4;
/// The way is shown and judged in parts.
const PARTS: usize = 8;
const PART_S: f64 = LAP_S / PARTS as f64;
/// Before a part that does not continue the one before, the target stands: the eye has to get there.
const STAND_S: f64 = 1.0;
/// The tracker takes so much of the way as one point, or as much as has so many pictures: short, for the target is taken to
/// stand in its middle, but long enough to tell the eye from its noise.
const SEGMENT_S: f64 = 0.2;
const SEGMENT_PICTURES: f64 = 6.5;
/// An eye is at most so late: smooth pursuit lags by some 0.1 s, jumps after a target by 0.2 s and more.
const LONGEST_LAG_S: f64 = 0.5;
const LAG_STEP_S: f64 = 0.02;
/// Pictures of the last moment are still on their way.
const ON_THE_WAY_S: f64 = 0.2;
/// Gaze that resembles the target's way less did not follow it.
const LEAST_LIKENESS: f64 = 0.7;
const LEAST_SAMPLES: usize = 12;
const ATTEMPTS: u8 = 3;

/// The target's place so long after the curve's beginning.
fn place(seconds: f64) -> ScreenPoint {
    let turn = TAU * seconds / LAP_S;
    ScreenPoint::new(
        0.5 + REACH * (TURNS.0 * turn).sin(),
        0.5 + REACH * (TURNS.1 * turn).sin(),
    )
}

/// A part that is on show.
#[derive(Clone, Copy, Debug)]
struct Part {
    index: usize,
    attempt: u8,
    /// When its movement begins.
    begins: Timestamp,
}

impl Part {
    fn place(&self, now: Timestamp) -> ScreenPoint {
        let along_s = now.seconds_since(self.begins).clamp(0.0, PART_S);
        place(self.index as f64 * PART_S + along_s)
    }

    fn ends(&self) -> Timestamp {
        self.begins.offset_by_seconds(PART_S)
    }
}

#[derive(Debug)]
pub struct Pursuit {
    queue: VecDeque<(usize, u8)>,
    shown: Option<Part>,
    /// Whose last pictures are still coming.
    judged_next: Option<Part>,
    gaze: VecDeque<(Timestamp, ScreenPoint)>,
    /// What the tracker is still to take.
    segments: VecDeque<Step>,
    taken: usize,
    missed: Vec<Missed>,
}

impl Pursuit {
    pub fn new(now: Timestamp) -> Self {
        let mut pursuit = Self {
            queue: (0..PARTS).map(|index| (index, 1)).collect(),
            shown: None,
            judged_next: None,
            gaze: VecDeque::new(),
            segments: VecDeque::new(),
            taken: 0,
            missed: Vec::new(),
        };
        pursuit.next(now, None);
        pursuit
    }

    /// Shows the next part; `before` is the one that has just ended.
    fn next(&mut self, now: Timestamp, before: Option<Part>) {
        self.shown = self.queue.pop_front().map(|(index, attempt)| {
            let continues = before.is_some_and(|before| before.index + 1 == index);
            let begins = match before {
                // From end to beginning without a pause, whenever this is called.
                Some(before) if continues => before.ends(),
                _ => now.offset_by_seconds(STAND_S),
            };
            Part { index, attempt, begins }
        });
    }

    /// Whether the eye followed a part, and how late.
    fn judge(&mut self, part: Part) {
        let followed = followed(&self.gaze, part);
        match followed {
            Some(lag_s) => {
                self.taken += 1;
                let during = |(captured, _): &&(Timestamp, ScreenPoint)| {
                    (0.0..=PART_S).contains(&captured.seconds_since(part.begins))
                };
                let pictures = self.gaze.iter().filter(during).count() as f64;
                let longest = SEGMENT_S.max(SEGMENT_PICTURES / pictures.max(1.0) * PART_S);
                let count = (PART_S / longest).floor().max(1.0);
                let length_s = PART_S / count;
                for segment in 0..count as u32 {
                    let from = part.begins.offset_by_seconds(f64::from(segment) * length_s);
                    let middle = part.place(from.offset_by_seconds(0.5 * length_s));
                    let from = from.offset_by_seconds(lag_s);
                    self.segments
                        .push_back(Step::Take(middle, from, from.offset_by_seconds(length_s)));
                }
            }
            None if part.attempt < ATTEMPTS => self.queue.push_back((part.index, part.attempt + 1)),
            None => self.missed.push(Missed {
                point: part.place(part.begins),
                reason: "the eye did not follow from here on".to_owned(),
            }),
        }
        let ended = part.ends();
        self.gaze.retain(|(captured, _)| *captured > ended);
    }
}

/// How late the gaze followed a part; `None` where it did not.
fn followed(gaze: &VecDeque<(Timestamp, ScreenPoint)>, part: Part) -> Option<f64> {
    let steps = (LONGEST_LAG_S / LAG_STEP_S) as u32;
    let (lag_s, likeness) = (0..=steps)
        .filter_map(|step| {
            let lag_s = f64::from(step) * LAG_STEP_S;
            let pairs: Vec<(ScreenPoint, ScreenPoint)> = gaze
                .iter()
                .map(|(captured, gaze)| (captured.seconds_since(part.begins) - lag_s, captured, gaze))
                .filter(|(along_s, ..)| (0.0..=PART_S).contains(along_s))
                .map(|(_, captured, gaze)| (part.place(captured.offset_by_seconds(-lag_s)), *gaze))
                .collect();
            Some((lag_s, likeness(&pairs)?))
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    (likeness >= LEAST_LIKENESS).then_some(lag_s)
}

/// Correlation of two ways over both axes, each counting by how much the first one moves along it.
fn likeness(pairs: &[(ScreenPoint, ScreenPoint)]) -> Option<f64> {
    let count = pairs.len() as f64;
    if pairs.len() < LEAST_SAMPLES {
        return None;
    }
    let along = |of: fn(&ScreenPoint) -> f64| {
        let mean = |which: fn(&(ScreenPoint, ScreenPoint)) -> &ScreenPoint| {
            pairs.iter().map(|pair| of(which(pair))).sum::<f64>() / count
        };
        let (way, gaze) = (mean(|pair| &pair.0), mean(|pair| &pair.1));
        let sum = |product: &dyn Fn(f64, f64) -> f64| {
            let products = pairs.iter().map(|pair| product(of(&pair.0) - way, of(&pair.1) - gaze));
            products.sum::<f64>()
        };
        let (together, of_way, of_gaze) = (sum(&|w, g| w * g), sum(&|w, _| w * w), sum(&|_, g| g * g));
        let correlation = together / (of_way * of_gaze).sqrt().max(1e-12);
        (correlation, of_way)
    };
    let ((x, x_moves), (y, y_moves)) = (along(|point| point.x), along(|point| point.y));
    Some((x * x_moves + y * y_moves) / (x_moves + y_moves).max(1e-12))
}

impl Course for Pursuit {
    fn shown(&self, now: Timestamp) -> Option<Shown> {
        let part = self.shown.or(self.judged_next)?;
        Some(Shown {
            point: part.place(now),
            since: part.begins.offset_by_seconds(-STAND_S),
            number: (self.taken + self.missed.len() + 1).min(PARTS),
            of: PARTS,
            posture: None,
        })
    }

    fn resting(&self) -> f64 {
        0.0
    }

    fn see(&mut self, seen: Seen) {
        let in_order = self.gaze.back().is_none_or(|(last, _)| *last < seen.captured);
        if let Some(gaze) = seen.gaze.filter(|gaze| gaze.is_finite() && in_order) {
            self.gaze.push_back((seen.captured, gaze));
        }
    }

    fn step(&mut self, now: Timestamp) -> Step {
        if let Some(part) = self.judged_next
            && now.seconds_since(part.ends()) >= LONGEST_LAG_S + ON_THE_WAY_S
        {
            self.judged_next = None;
            self.judge(part);
            if self.shown.is_none() {
                self.next(now, None);
            }
        }
        if let Some(part) = self.shown
            && self.judged_next.is_none()
            && now >= part.ends()
        {
            self.judged_next = Some(part);
            self.next(now, Some(part));
        }
        match self.segments.front() {
            Some(take) => take.clone(),
            None if self.shown.is_none() && self.judged_next.is_none() => Step::Over,
            None => Step::Watch,
        }
    }

    fn taken(&mut self, _: Timestamp) {
        self.segments.pop_front();
    }

    /// One blink costs a segment; there are many.
    fn refused(&mut self, _: &str, _: Timestamp) {
        self.segments.pop_front();
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

    /// Runs it at 30 samples a second; `user` says where the eye is, given where the target was at any moment. Gives what
    /// was taken.
    fn follow(user: impl Fn(&[(f64, ScreenPoint)], f64) -> Option<ScreenPoint>) -> (Pursuit, Vec<(ScreenPoint, f64)>) {
        let mut pursuit = Pursuit::new(at(0.0));
        let (mut way, mut takes) = (Vec::new(), Vec::new());
        for frame in 0..30 * 300 {
            let now_s = f64::from(frame) / 30.0;
            if let Some(shown) = pursuit.shown(at(now_s)) {
                way.push((now_s, shown.point));
            }
            pursuit.see(Seen {
                head: None,
                captured: at(now_s),
                gaze: user(&way, now_s),
            });
            loop {
                match pursuit.step(at(now_s)) {
                    Step::Watch => break,
                    Step::Take(point, from, to) => {
                        takes.push((point, 0.5 * (from.seconds_since(at(0.0)) + to.seconds_since(at(0.0)))));
                        pursuit.taken(at(now_s));
                    }
                    Step::Over => return (pursuit, takes),
                }
            }
        }
        panic!("it never ended");
    }

    fn late(way: &[(f64, ScreenPoint)], now_s: f64, lag_s: f64) -> Option<ScreenPoint> {
        let index = way.partition_point(|(time, _)| *time <= now_s - lag_s);
        way.get(index.saturating_sub(1)).map(|(_, point)| *point)
    }

    #[test]
    fn an_eye_that_follows_late_and_askew_is_taken_where_it_was_right() {
        // Uncalibrated gaze: another gain, another middle.
        let askew = |point: ScreenPoint| ScreenPoint::new(0.3 + 0.6 * point.x, 0.1 + 0.4 * point.y);
        let (pursuit, takes) = follow(|way, now_s| late(way, now_s, 0.2).map(askew));
        assert_eq!((pursuit.points_taken(), pursuit.points_missed().len()), (PARTS, 0));
        assert!(takes.len() >= PARTS * 10, "{}", takes.len());
        // One lap, begun after a stand: the point that is taken is where the target was one lag before.
        for (point, middle_s) in takes {
            let target = place(middle_s - 0.2 - STAND_S);
            let off = (point.x - target.x).hypot(point.y - target.y);
            assert!(off < 0.02, "{point:?} at {middle_s}: {off}");
        }
    }

    #[test]
    fn an_eye_that_rests_or_closes_is_not_taken() {
        let (pursuit, takes) = follow(|_, _| Some(ScreenPoint::new(0.4, 0.6)));
        assert!(takes.is_empty());
        assert_eq!(pursuit.points_missed().len(), PARTS);
        let (_, takes) = follow(|_, _| None);
        assert!(takes.is_empty());
    }

    #[test]
    fn a_part_that_was_missed_is_shown_again() {
        let (pursuit, takes) = follow(|way, now_s| {
            if (4.0..7.0).contains(&now_s) {
                Some(ScreenPoint::CENTRE)
            } else {
                late(way, now_s, 0.1)
            }
        });
        assert_eq!((pursuit.points_taken(), pursuit.points_missed().len()), (PARTS, 0));
        assert!(takes.len() >= PARTS * 10);
        assert!(takes.last().is_some_and(|(_, middle_s)| *middle_s > LAP_S + STAND_S));
    }

    #[test]
    fn the_way_stays_on_the_screen_and_slow_enough() {
        let screen = crate::geometry::Screen::default();
        for tick in 0..2400 {
            let (a, b) = (place(f64::from(tick) * 0.01), place(f64::from(tick + 1) * 0.01));
            assert!((0.05..=0.95).contains(&a.x) && (0.05..=0.95).contains(&a.y));
            let speed = screen
                .visual_angle(a, 600.0)
                .distance_deg(screen.visual_angle(b, 600.0))
                / 0.01;
            assert!(speed < 15.0, "{speed} degrees a second");
        }
    }
}
