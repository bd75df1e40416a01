//! What the eye is doing, decided online: fixation, saccade, smooth pursuit, blink, lost.
//!
//! A webcam's noise (0.5 to 2 degrees) hides what an infrared tracker's velocity threshold looks for, so the detector
//! stands on the gated mean: a sample that leaves the mean by more than the measured noise explains, and the two samples
//! before it as well, is a saccade's onset, and the saccade lasts until two successive samples agree again. Between
//! saccades a line is fitted to the samples since the last one; a slope that is fast and certain enough is pursuit. Missing samples are a blink while they last as long
//! as a blink can, and the eye is lost after that.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::filter::gated::Step;
use crate::filter::{Vector, angle};
use crate::geometry::VisualAngle;

/// The eye's movement at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Movement {
    Fixation,
    Saccade,
    Pursuit,
    Blink,
    Lost,
}

impl Movement {
    /// The word used in files and on the bus.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixation => "fixation",
            Self::Saccade => "saccade",
            Self::Pursuit => "pursuit",
            Self::Blink => "blink",
            Self::Lost => "lost",
        }
    }
}

/// Whether a movement began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Began,
    Ended,
}

/// A movement that began or ended. Of one that began, only `onset` and `from` are known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub movement: Movement,
    pub phase: Phase,
    pub onset: Timestamp,
    /// The last moment of it; equal to `onset` while it lasts.
    pub offset: Timestamp,
    pub from: VisualAngle,
    pub to: VisualAngle,
    /// Distance from where it began to where it ended.
    pub amplitude_deg: f64,
    /// The largest speed between two successive samples within it; noise included, so only saccades have it.
    pub peak_velocity_deg_s: f64,
}

/// The longest that missing samples are taken for a blink: spontaneous blinks last 100 to 400 ms (Stern, Walrath,
/// Goldstein, *The endogenous eyeblink*, Psychophysiology 21, 1984); half a second leaves room for slow ones.
const LONGEST_BLINK_S: f64 = 0.5;
/// A saccade of 30 degrees lasts about 100 ms (main sequence: 21 ms + 2.2 ms a degree; Carpenter, *Movements of the Eyes*,
/// 1988); what lasts longer than this is not one.
const LONGEST_SACCADE_S: f64 = 0.15;
/// A saccade moves at least this many standard deviations of a difference from one sample to the next...
const STEP_SD: f64 = 2.4;
/// ... or this many over two; what left the mean more slowly has drifted away.
const TWO_STEPS_SD: f64 = 3.3;
/// What is slower than this is no saccade, however little noise there is; smooth pursuit stays below 30 deg/s.
const SLOW_DEG_S: f64 = 25.0;
/// A saccade of moderate size lasts this long; over a longer sample interval its mean speed says less.
const SACCADE_S: f64 = 0.03;
/// Two successive samples this many standard deviations of their difference apart are still moving.
const MOVING_SD: f64 = 2.0;
/// Pursuit is told from the slow drift of a fixation at this speed, in deg/s...
const PURSUIT_DEG_S: f64 = 3.0;
/// ... when the slope is this many times its own standard error...
const PURSUIT_SLOPE_SD: f64 = 4.0;
/// ... over at least this long.
const PURSUIT_S: f64 = 0.1;
/// Time constant of the fading memory of the line fit.
const LINE_MEMORY_S: f64 = 0.15;
/// Once in pursuit, a slope this many times smaller keeps it.
const PURSUIT_HYSTERESIS: f64 = 0.5;
/// Events nobody fetched: the oldest go first.
const EVENTS: usize = 64;

/// The detector's memory.
#[derive(Clone, Debug)]
pub struct Detector {
    state: Movement,
    onset: Timestamp,
    from: Vector,
    peak_velocity_deg_s: f64,
    last: Option<(Timestamp, Vector)>,
    before_last: Option<Vector>,
    /// The newest moment that was told of, with or without a sample: what began or ended since, did so there.
    last_moment: Timestamp,
    line: Line,
    events: VecDeque<Event>,
}

impl Default for Detector {
    fn default() -> Self {
        Self {
            state: Movement::Lost,
            onset: Timestamp::default(),
            from: Vector::zeros(),
            peak_velocity_deg_s: 0.0,
            last: None,
            before_last: None,
            last_moment: Timestamp::default(),
            line: Line::default(),
            events: VecDeque::with_capacity(EVENTS),
        }
    }
}

impl Detector {
    /// Takes a sample and what it did to the gated mean; `noise_sd_deg` is the noise on each axis.
    pub fn seen(&mut self, t: Timestamp, sample: Vector, step: &Step, noise_sd_deg: f64) -> Movement {
        let last_moment = std::mem::replace(&mut self.last_moment, t);
        let Some((last_t, last)) = self.last.replace((t, sample)) else {
            self.before_last = None;
            self.line = Line::default();
            self.line.push(0.0, sample);
            self.change(Movement::Fixation, t, t, step.mean);
            return self.state;
        };
        let before_last = self.before_last.replace(last);
        let dt_s = t.seconds_since(last_t);
        let speed = if dt_s > 0.0 { (sample - last).norm() / dt_s } else { 0.0 };
        let difference_sd = noise_sd_deg * std::f64::consts::SQRT_2;
        let slow_deg = SLOW_DEG_S * dt_s.clamp(0.0, SACCADE_S);
        let jumped = (sample - last).norm() > slow_deg.max(STEP_SD * difference_sd)
            || before_last.is_some_and(|b| (sample - b).norm() > (2.0 * slow_deg).max(TWO_STEPS_SD * difference_sd));
        if let Some(left) = step.left.filter(|_| jumped) {
            self.line = Line::default();
            self.line.push(0.0, sample);
            if self.state != Movement::Saccade {
                self.change(Movement::Saccade, last_moment, last_moment, left);
            }
            self.peak_velocity_deg_s = self.peak_velocity_deg_s.max(speed);
            return self.state;
        }
        self.line.push(dt_s, sample);
        if self.state == Movement::Saccade {
            let moving = (sample - last).norm() > MOVING_SD * difference_sd;
            if moving && t.seconds_since(self.onset) < LONGEST_SACCADE_S {
                self.peak_velocity_deg_s = self.peak_velocity_deg_s.max(speed);
                return self.state;
            }
        }
        let ease = if self.state == Movement::Pursuit {
            PURSUIT_HYSTERESIS
        } else {
            1.0
        };
        let (slope, error) = self.line.slope(noise_sd_deg);
        let pursues =
            self.line.span_s >= PURSUIT_S && slope.norm() > ease * PURSUIT_DEG_S.max(PURSUIT_SLOPE_SD * error);
        let next = if pursues { Movement::Pursuit } else { Movement::Fixation };
        // The sample that shows the eye at rest again is the first one after the movement.
        self.change(next, last_moment, t, step.mean);
        self.state
    }

    /// Takes a moment without a sample. `blink`: the eye was seen closed, or nothing is known about why there is none.
    pub fn missing(&mut self, t: Timestamp, blink: bool, gap_s: f64) -> Movement {
        self.last_moment = t;
        let next = if blink && gap_s <= LONGEST_BLINK_S && self.last.is_some() {
            Movement::Blink
        } else {
            Movement::Lost
        };
        let at = self.last.map_or(Vector::zeros(), |(_, at)| at);
        self.change(next, t, t, at);
        if next == Movement::Lost {
            self.last = None;
        }
        self.state
    }

    /// Nothing is known of the eye since the last moment, so that the movement ends there.
    pub fn lose(&mut self) {
        let at = self.last.take().map_or(Vector::zeros(), |(_, at)| at);
        self.change(Movement::Lost, self.last_moment, self.last_moment, at);
    }

    pub fn movement(&self) -> Movement {
        self.state
    }

    /// Takes the oldest event that has not been fetched.
    pub fn pop_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn change(&mut self, next: Movement, ended: Timestamp, began: Timestamp, at: Vector) {
        if next == self.state {
            return;
        }
        if self.state != Movement::Lost {
            let offset = ended.max(self.onset);
            self.push_event(Event {
                movement: self.state,
                phase: Phase::Ended,
                onset: self.onset,
                offset,
                from: angle(self.from),
                to: angle(at),
                amplitude_deg: (at - self.from).norm(),
                peak_velocity_deg_s: self.peak_velocity_deg_s,
            });
        }
        self.state = next;
        self.onset = began;
        self.from = at;
        self.peak_velocity_deg_s = 0.0;
        if next != Movement::Lost {
            self.push_event(Event {
                movement: next,
                phase: Phase::Began,
                onset: began,
                offset: began,
                from: angle(at),
                to: angle(at),
                amplitude_deg: 0.0,
                peak_velocity_deg_s: 0.0,
            });
        }
    }

    fn push_event(&mut self, event: Event) {
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

/// A line fitted to the samples with a fading memory: weighted sums relative to the newest sample's time.
#[derive(Clone, Debug, Default)]
struct Line {
    weight: f64,
    t: f64,
    tt: f64,
    x: Vector,
    tx: Vector,
    /// Positions are counted from here, so that large ones lose no precision.
    origin: Vector,
    span_s: f64,
}

impl Line {
    fn push(&mut self, dt_s: f64, sample: Vector) {
        if self.weight == 0.0 {
            self.origin = sample;
        }
        let dt_s = dt_s.max(0.0);
        // Move the time axis so that the new sample is at zero, then let the old ones fade.
        self.tt += dt_s * (dt_s * self.weight - 2.0 * self.t);
        self.tx -= self.x * dt_s;
        self.t -= dt_s * self.weight;
        let fade = (-dt_s / LINE_MEMORY_S).exp();
        self.weight = self.weight * fade + 1.0;
        self.t *= fade;
        self.tt *= fade;
        self.x = self.x * fade + (sample - self.origin);
        self.tx *= fade;
        self.span_s += dt_s;
    }

    /// Slope in deg/s, and its standard error on either axis for white noise (weights taken as counts).
    fn slope(&self, noise_sd_deg: f64) -> (Vector, f64) {
        let spread = self.tt - self.t * self.t / self.weight.max(1.0);
        if spread < 1e-6 {
            return (Vector::zeros(), f64::INFINITY);
        }
        let slope = (self.tx - self.x * (self.t / self.weight)) / spread;
        (slope, noise_sd_deg / spread.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::gated::GatedMean;

    /// Feeds positions at 60 Hz with a deterministic wobble of about 0.1 degrees; returns movements and events.
    fn watch(at: impl Fn(f64) -> Option<Vector>, seconds: f64) -> (Vec<Movement>, Vec<Event>) {
        let (mut gate, mut detector) = (GatedMean::default(), Detector::default());
        let (mut movements, mut events) = (Vec::new(), Vec::new());
        let mut gap_s = 0.0;
        for i in 0..(seconds * 60.0) as u64 {
            let t_s = i as f64 / 60.0;
            let t = Timestamp::from_nanos(i * 16_666_667);
            let wobble = Vector::new((i as f64 * 2.4).sin(), (i as f64 * 1.7).cos()) * 0.1;
            movements.push(match at(t_s) {
                Some(at) => {
                    let dt_s = gap_s + 1.0 / 60.0;
                    gap_s = 0.0;
                    let step = gate.update(at + wobble, dt_s);
                    detector.seen(t, at + wobble, &step, gate.noise_sd_deg())
                }
                None => {
                    gap_s += 1.0 / 60.0;
                    detector.missing(t, true, gap_s)
                }
            });
            while let Some(event) = detector.pop_event() {
                events.push(event);
            }
        }
        (movements, events)
    }

    #[test]
    fn a_jump_is_one_saccade_between_two_fixations() {
        let (movements, events) = watch(
            |t| Some(Vector::new((10.0 * (t - 1.0) / 0.05).clamp(0.0, 10.0), 0.0)),
            2.0,
        );
        let saccades: Vec<_> = events
            .iter()
            .filter(|event| event.movement == Movement::Saccade && event.phase == Phase::Ended)
            .collect();
        assert_eq!(saccades.len(), 1, "{events:?}");
        let saccade = saccades[0];
        assert!((saccade.amplitude_deg - 10.0).abs() < 0.4, "{saccade:?}");
        assert!((150.0..260.0).contains(&saccade.peak_velocity_deg_s), "{saccade:?}");
        assert!(
            (saccade.onset.as_nanos() as f64 * 1e-9 - 1.0).abs() < 0.04,
            "{saccade:?}"
        );
        assert!(
            (saccade.offset.as_nanos() as f64 * 1e-9 - 1.05).abs() < 0.04,
            "{saccade:?}"
        );
        assert_eq!(movements[50], Movement::Fixation);
        assert_eq!(movements[119], Movement::Fixation);
    }

    #[test]
    fn a_slow_steady_movement_is_pursuit() {
        let (movements, _) = watch(|t| Some(Vector::new(12.0 * (t - 1.0).max(0.0), 0.0)), 2.0);
        assert!(
            movements[..58].iter().all(|&m| m == Movement::Fixation),
            "{movements:?}"
        );
        let pursuit = movements[75..].iter().filter(|&&m| m == Movement::Pursuit).count();
        assert!(pursuit > 40, "{movements:?}");
    }

    #[test]
    fn a_blink_lasts_until_the_eye_is_seen_again_wherever_it_looks_then() {
        for moved_deg in [0.0, 10.0] {
            let at = |t: f64| {
                let closed = (1.0..1.15).contains(&t);
                (!closed).then(|| Vector::new(if t < 1.0 { 0.0 } else { moved_deg }, 0.0))
            };
            let (_, events) = watch(at, 2.0);
            let ended: Vec<_> = events.iter().filter(|event| event.phase == Phase::Ended).collect();
            let blink = ended.iter().find(|event| event.movement == Movement::Blink);
            let blink = blink.expect("the eye was closed");
            let lasted_s = blink.offset.seconds_since(blink.onset);
            assert!((0.12..=0.15).contains(&lasted_s), "{lasted_s} s, {events:?}");
            let saccade = ended.iter().find(|event| event.movement == Movement::Saccade);
            assert_eq!(saccade.is_some(), moved_deg > 0.0, "{events:?}");
            if let Some(saccade) = saccade {
                assert!(saccade.onset >= blink.offset, "{events:?}");
            }
            assert!(
                ended.windows(2).all(|pair| pair[0].offset <= pair[1].onset),
                "{events:?}"
            );
        }
    }

    #[test]
    fn missing_samples_are_a_blink_and_then_lost() {
        let (movements, events) = watch(|t| (!(1.0..1.9).contains(&t)).then(Vector::zeros), 2.5);
        assert_eq!(movements[65], Movement::Blink);
        assert_eq!(movements[85], Movement::Blink);
        assert_eq!(movements[100], Movement::Lost);
        assert_eq!(movements[119], Movement::Fixation);
        assert!(
            events
                .iter()
                .any(|event| event.movement == Movement::Blink && event.phase == Phase::Ended)
        );
    }
}
