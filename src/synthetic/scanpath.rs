//! Where the user wants to look, and the saccades that bring the gaze there.
//!
//! Time is cut into slices; what happens within a slice is drawn from the seed and the slice's number alone, so any moment,
//! however far away, costs the same and needs no history. A slice is a list of [`Hold`]s: each begins with a saccade from
//! wherever the gaze was and then stays with its target. Steering replaces the holds while it lasts.

use std::f64::consts::TAU;

use crate::geometry::{Screen, ScreenPoint, VisualAngle};

use super::parameters::{Behaviour, Parameters};
use super::random::{Draws, Purpose};
use super::saccade::SaccadeProfile;
use super::steering::SteeringEvent;

const SLICE_S: f64 = 8.0;
/// Pursuit does not quite keep up with its target; catch-up saccades make up for the rest.
const PURSUIT_GAIN: f64 = 0.94;

/// What is looked at during a hold.
#[derive(Clone, Copy, Debug)]
enum Target {
    Still(VisualAngle),
    /// Moves with a constant velocity (deg/s) from where it is at `since_s`.
    Linear {
        at: VisualAngle,
        velocity: VisualAngle,
        since_s: f64,
    },
    /// Runs along a Lissajous figure around the screen's centre.
    Lissajous(Lissajous),
}

#[derive(Clone, Copy, Debug)]
struct Lissajous {
    size: VisualAngle,
    cycles_hz: [f64; 2],
    phase_rad: [f64; 2],
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    start_s: f64,
    target: Target,
}

/// The state of the gaze at one moment, before tremor, drift and micro-saccades.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanState {
    pub(crate) gaze: VisualAngle,
    /// What is looked at, or what the saccade under way goes to.
    pub(crate) target: VisualAngle,
    pub(crate) saccade: bool,
    pub(crate) pursuit: bool,
    /// The target low-passed as the head follows it.
    pub(crate) head_target: VisualAngle,
}

impl Target {
    fn at(&self, time_s: f64) -> VisualAngle {
        match *self {
            Self::Still(angle) => angle,
            Self::Linear { at, velocity, since_s } => {
                let elapsed = time_s - since_s;
                VisualAngle::new(at.x_deg + velocity.x_deg * elapsed, at.y_deg + velocity.y_deg * elapsed)
            }
            Self::Lissajous(figure) => {
                let wave = |axis: usize| (TAU * figure.cycles_hz[axis] * time_s + figure.phase_rad[axis]).sin();
                VisualAngle::new(figure.size.x_deg * wave(0), figure.size.y_deg * wave(1))
            }
        }
    }

    /// Where an eye that began to follow at `since_s` has got to: it lags behind a moving target.
    fn followed_at(&self, time_s: f64, since_s: f64) -> VisualAngle {
        let (start, now) = (self.at(since_s), self.at(time_s));
        lerp(start, now, PURSUIT_GAIN)
    }

    fn moves(&self) -> bool {
        !matches!(self, Self::Still(_))
    }
}

fn lerp(a: VisualAngle, b: VisualAngle, part: f64) -> VisualAngle {
    VisualAngle::new(
        a.x_deg + part * (b.x_deg - a.x_deg),
        a.y_deg + part * (b.y_deg - a.y_deg),
    )
}

/// The scan path of one user.
#[derive(Clone, Debug)]
pub(crate) struct Scanpath {
    seed: u64,
    behaviour: Behaviour,
    /// Half the screen in degrees, less a margin.
    reach: VisualAngle,
    figure: Lissajous,
}

impl Scanpath {
    pub(crate) fn new(parameters: &Parameters) -> Self {
        let edge = Screen::default().visual_angle(ScreenPoint::new(0.97, 0.96), parameters.distance_mm);
        let mut draws = Draws::new(parameters.seed, Purpose::Scanpath, i64::MIN);
        Self {
            seed: parameters.seed,
            behaviour: parameters.behaviour,
            reach: edge,
            figure: Lissajous {
                size: VisualAngle::new(0.8 * edge.x_deg, 0.8 * edge.y_deg),
                cycles_hz: [draws.between(0.08, 0.16), draws.between(0.1, 0.2)],
                phase_rad: [draws.between(0.0, TAU), draws.between(0.0, TAU)],
            },
        }
    }

    /// The state at `time_s`, given what steering is known.
    pub(crate) fn state(&self, time_s: f64, steering: &[SteeringEvent]) -> ScanState {
        let holds = self.timeline(time_s, steering);
        // A timeline always reaches back before its moment: it holds the whole slice before.
        let current = holds.iter().rposition(|hold| hold.start_s <= time_s).unwrap_or(0);
        let (gaze, saccade) = position(&holds, current, time_s);
        let hold = &holds[current];
        ScanState {
            gaze,
            target: hold.target.at(time_s),
            saccade,
            pursuit: hold.target.moves() && !saccade,
            head_target: head_target(&holds, current, time_s),
        }
    }

    /// All holds that can matter at `time_s`, in order of time.
    fn timeline(&self, time_s: f64, steering: &[SteeringEvent]) -> Vec<Hold> {
        let slice = (time_s / SLICE_S).floor() as i64;
        let mut base = self.slice(slice - 1);
        base.extend(self.slice(slice));
        let from_s = (slice - 1) as f64 * SLICE_S;
        let known = steering.partition_point(|event| event.effective_s <= time_s);
        let events = &steering[..known];
        if events.is_empty() {
            return base;
        }
        let steered_at = |moment: f64| {
            let last = events.partition_point(|event| event.effective_s <= moment);
            last > 0 && events[last - 1].target.is_some()
        };
        let mut holds: Vec<Hold> = base.iter().copied().filter(|hold| !steered_at(hold.start_s)).collect();
        // One event from before the window may still be in force.
        let first = events
            .partition_point(|event| event.effective_s < from_s)
            .saturating_sub(1);
        for event in &events[first..] {
            let target = match event.target {
                Some(angle) => Target::Still(angle),
                None => {
                    let index = base.iter().rposition(|hold| hold.start_s <= event.effective_s);
                    base[index.unwrap_or(0)].target
                }
            };
            holds.push(Hold {
                start_s: event.effective_s,
                target,
            });
        }
        holds.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
        holds
    }

    fn slice(&self, index: i64) -> Vec<Hold> {
        let start_s = index as f64 * SLICE_S;
        let mut draws = Draws::new(self.seed, Purpose::Scanpath, index);
        let mut holds = Vec::with_capacity(32);
        let mut at = self.anywhere(&mut draws);
        let mut elapsed_s = 0.0;
        while elapsed_s < SLICE_S {
            let begin_s = start_s + elapsed_s;
            let target = match self.behaviour {
                Behaviour::Pursuit => {
                    elapsed_s += draws.between(0.6, 1.4);
                    Target::Lissajous(self.figure)
                }
                Behaviour::Fixate => {
                    at = self.anywhere(&mut draws);
                    elapsed_s += draws.between(1.6, 2.6);
                    Target::Still(at)
                }
                Behaviour::Free => {
                    let (target, duration_s) = self.free_hold(&mut draws, &mut at, begin_s);
                    elapsed_s += duration_s;
                    target
                }
            };
            holds.push(Hold {
                start_s: begin_s,
                target,
            });
        }
        holds
    }

    /// The next hold of free viewing. Amplitudes and durations have the long tails seen in scene viewing: most saccades
    /// are of a few degrees and most fixations of 200 to 400 ms.
    fn free_hold(&self, draws: &mut Draws, at: &mut VisualAngle, begin_s: f64) -> (Target, f64) {
        let next = if draws.chance(0.35) {
            self.anywhere(draws)
        } else {
            let amplitude = 0.8 - 5.0 * (1.0 - draws.unit()).ln();
            let (sin, cos) = draws.between(0.0, TAU).sin_cos();
            self.on_screen(VisualAngle::new(
                at.x_deg + amplitude * cos,
                at.y_deg + 0.7 * amplitude * sin,
            ))
        };
        if draws.chance(0.07) {
            let velocity = draws.between(5.0, 16.0);
            let (sin, cos) = draws.between(0.0, TAU).sin_cos();
            let velocity = VisualAngle::new(velocity * cos, 0.6 * velocity * sin);
            let mut duration_s = draws.between(0.6, 1.8);
            let end = |duration: f64| {
                VisualAngle::new(
                    next.x_deg + velocity.x_deg * duration,
                    next.y_deg + velocity.y_deg * duration,
                )
            };
            // What is followed stays on the screen.
            while duration_s > 0.3 && self.on_screen(end(duration_s)) != end(duration_s) {
                duration_s *= 0.8;
            }
            *at = self.on_screen(end(duration_s));
            let target = Target::Linear {
                at: next,
                velocity,
                since_s: begin_s,
            };
            return (target, duration_s);
        }
        *at = next;
        let duration_s = (0.29 * (0.45 * draws.normal()).exp()).clamp(0.16, 1.5);
        (Target::Still(next), duration_s)
    }

    fn anywhere(&self, draws: &mut Draws) -> VisualAngle {
        VisualAngle::new(
            draws.between(-self.reach.x_deg, self.reach.x_deg),
            draws.between(-self.reach.y_deg, self.reach.y_deg),
        )
    }

    fn on_screen(&self, angle: VisualAngle) -> VisualAngle {
        VisualAngle::new(
            angle.x_deg.clamp(-self.reach.x_deg, self.reach.x_deg),
            angle.y_deg.clamp(-self.reach.y_deg, self.reach.y_deg),
        )
    }
}

/// Gaze during hold `index` at `time_s`, and whether a saccade is under way.
fn position(holds: &[Hold], index: usize, time_s: f64) -> (VisualAngle, bool) {
    let hold = &holds[index];
    let aim = hold.target.followed_at(time_s, hold.start_s);
    // After this long even a large saccade and its correction are over.
    const SETTLED_S: f64 = 0.35;
    if index == 0 || time_s - hold.start_s > SETTLED_S {
        return (aim, false);
    }
    // Holds follow each other closely only where steering cuts in; the chain ends at the first completed saccade.
    let (from, _) = position(holds, index - 1, hold.start_s);
    let landing = hold.target.at(hold.start_s);
    let amplitude = from.distance_deg(landing);
    let elapsed_s = time_s - hold.start_s;
    // Large saccades fall short by a twentieth to a tenth and are corrected after another reaction time.
    let gain = if amplitude > 6.0 { 0.93 } else { 1.0 };
    let primary = SaccadeProfile::new(gain * amplitude);
    let mut done = gain * primary.progress(elapsed_s);
    let mut saccade = elapsed_s < primary.duration_s;
    if gain < 1.0 {
        let correction = SaccadeProfile::new((1.0 - gain) * amplitude);
        let since_s = elapsed_s - primary.duration_s - 0.13;
        done += (1.0 - gain) * correction.progress(since_s);
        saccade |= (0.0..correction.duration_s).contains(&since_s);
    }
    (lerp(from, aim, done), saccade && amplitude > 0.05)
}

/// The head starts after the eyes and takes half a second for its part of the way.
fn head_target(holds: &[Hold], current: usize, time_s: f64) -> VisualAngle {
    const DELAY_S: f64 = 0.06;
    const DURATION_S: f64 = 0.55;
    let begin = holds[..=current]
        .iter()
        .rposition(|hold| hold.start_s + DELAY_S + DURATION_S <= time_s)
        .unwrap_or(0);
    let end_s = |index: usize| holds.get(index + 1).map_or(time_s, |next| next.start_s.min(time_s));
    let mut at = holds[begin].target.at(end_s(begin));
    for index in begin + 1..=current {
        let step_from = holds[index - 1].target.at(end_s(index - 1));
        let goal = holds[index].target.at(end_s(index));
        let part = super::saccade::minimum_jerk((time_s - holds[index].start_s - DELAY_S) / DURATION_S);
        at.x_deg += part * (goal.x_deg - step_from.x_deg);
        at.y_deg += part * (goal.y_deg - step_from.y_deg);
    }
    at
}
