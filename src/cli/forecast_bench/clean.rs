//! A clean eye movement, known at any time by linear interpolation, and what it does within a horizon.

use crate::filter::Vector;

/// The signal of a fast tracker, or of the synthetic user.
pub struct Clean {
    t_s: Vec<f64>,
    at: Vec<Vector>,
    known: Vec<bool>,
    /// deg/s from each sample to the next one; zero where either is unknown.
    speed: Vec<f64>,
    /// Integral of the signal up to each sample, for exposure averaging.
    integral: Vec<Vector>,
    step_s: f64,
}

/// What the eye does between the time of a forecast and its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Fixation,
    /// `in_flight`: it had begun when the forecast was made.
    Saccade {
        in_flight: bool,
    },
    Pursuit,
}

/// Truth moves less than this over the horizon in a fixation, in degrees.
const FIXATION_DEG: f64 = 0.5;
/// Peak speed of a saccade, in deg/s.
const SACCADE_DEG_S: f64 = 40.0;

impl Clean {
    /// Samples in order of time; those that are not `known`, and `margin_s` around them, give no truth.
    pub fn new(t_s: Vec<f64>, mut at: Vec<Vector>, known: &[bool], margin_s: f64) -> Self {
        let len = t_s.len();
        let (mut from, mut to, mut unknown) = (0, 0, 0_usize);
        let mut safe = vec![false; len];
        for i in 0..len {
            while to < len && t_s[to] <= t_s[i] + margin_s + 1e-9 {
                unknown += usize::from(!known[to]);
                to += 1;
            }
            while t_s[from] < t_s[i] - margin_s - 1e-9 {
                unknown -= usize::from(!known[from]);
                from += 1;
            }
            safe[i] = unknown == 0;
        }
        for (at, known) in at.iter_mut().zip(known) {
            if !known {
                *at = Vector::zeros();
            }
        }
        let mut steps: Vec<f64> = t_s.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let speed = (1..len)
            .map(|i| {
                let moved = (at[i] - at[i - 1]).norm();
                if safe[i] && safe[i - 1] {
                    moved / steps[i - 1].max(1e-6)
                } else {
                    0.0
                }
            })
            .collect();
        let mut integral = vec![Vector::zeros(); len];
        for i in 1..len {
            integral[i] = integral[i - 1] + (at[i] + at[i - 1]) * (0.5 * steps[i - 1]);
        }
        steps.sort_by(f64::total_cmp);
        let step_s = steps.get(steps.len() / 2).copied().unwrap_or(1.0);
        Self {
            t_s,
            at,
            known: safe,
            speed,
            integral,
            step_s,
        }
    }

    /// First and last time.
    pub fn span_s(&self) -> (f64, f64) {
        (
            self.t_s.first().copied().unwrap_or(0.0),
            self.t_s.last().copied().unwrap_or(0.0),
        )
    }

    /// The sample at or before `t_s`, such that there is one after it.
    fn index(&self, t_s: f64) -> usize {
        self.t_s
            .partition_point(|&t| t <= t_s)
            .saturating_sub(1)
            .min(self.t_s.len().saturating_sub(2))
    }

    fn interpolated(&self, t_s: f64) -> Vector {
        let i = self.index(t_s);
        let share = (t_s - self.t_s[i]) / (self.t_s[i + 1] - self.t_s[i]);
        self.at[i].lerp(&self.at[i + 1], share)
    }

    /// Position at `t_s`, where it is known.
    pub fn at(&self, t_s: f64) -> Option<Vector> {
        let (first, last) = self.span_s();
        if self.t_s.len() < 2 || t_s < first || t_s > last {
            return None;
        }
        let i = self.index(t_s);
        let near = self.t_s[i + 1] - self.t_s[i] < 3.0 * self.step_s;
        (near && self.known[i] && self.known[i + 1]).then(|| self.interpolated(t_s))
    }

    /// Whether all of the signal between two times is known.
    fn known_between(&self, from_s: f64, to_s: f64) -> bool {
        let (a, b) = (self.index(from_s), self.index(to_s));
        self.known[a..=b].iter().all(|&known| known)
    }

    /// Mean position over an exposure whose middle is `t_s`, where all of it is known.
    pub fn exposed(&self, t_s: f64, exposure_s: f64) -> Option<Vector> {
        let (from, to) = (t_s - exposure_s / 2.0, t_s + exposure_s / 2.0);
        let (a, b) = (self.at(from)?, self.at(to)?);
        let until = |t: f64, at: Vector| {
            let i = self.index(t);
            self.integral[i] + (self.at[i] + at) * (0.5 * (t - self.t_s[i]))
        };
        self.known_between(from, to)
            .then(|| (until(to, b) - until(from, a)) / exposure_s)
    }

    fn peak_speed(&self, from_s: f64, to_s: f64) -> f64 {
        let (a, b) = (self.index(from_s), self.index((to_s - 1e-9).max(from_s)));
        self.speed[a..=b].iter().copied().fold(0.0, f64::max)
    }

    /// Truth at the target of a forecast made at `t_s`, and the class of the movement up to it; `None` where either is
    /// unknown.
    pub fn judge(&self, t_s: f64, horizon_s: f64) -> Option<(Vector, Class)> {
        let (now, then) = (self.at(t_s)?, self.at(t_s + horizon_s)?);
        if !self.known_between(t_s, t_s + horizon_s) {
            return None;
        }
        let class = if (then - now).norm() < FIXATION_DEG {
            Class::Fixation
        } else if self.peak_speed(t_s, t_s + horizon_s) > SACCADE_DEG_S {
            Class::Saccade {
                in_flight: self.peak_speed(t_s - self.step_s, t_s) > SACCADE_DEG_S,
            }
        } else {
            Class::Pursuit
        };
        Some((then, class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 250 Hz: rest, ten degrees in 40 ms from 0.2 s on, rest; unknown around 0.6 s.
    fn jump() -> Clean {
        let t_s: Vec<f64> = (0..250).map(|i| f64::from(i) / 250.0).collect();
        let at = t_s
            .iter()
            .map(|t| Vector::new(((t - 0.2) * 250.0).clamp(0.0, 10.0), 0.0))
            .collect();
        let known: Vec<bool> = t_s.iter().map(|t| !(0.59..0.61).contains(t)).collect();
        Clean::new(t_s, at, &known, 0.04)
    }

    #[test]
    fn movements_are_told_apart() {
        let clean = jump();
        assert_eq!(clean.judge(0.1, 0.05), Some((Vector::zeros(), Class::Fixation)));
        let (then, class) = clean.judge(0.18, 0.05).expect("known");
        assert!((then.x - 7.5).abs() < 1e-9, "{then:?}");
        assert_eq!(class, Class::Saccade { in_flight: false });
        assert_eq!(
            clean.judge(0.22, 0.05).expect("known").1,
            Class::Saccade { in_flight: true }
        );
        assert_eq!(clean.judge(0.5, 0.05), None);
        assert!(clean.judge(0.66, 0.05).is_some());
        assert_eq!(clean.judge(0.98, 0.05), None);
    }

    #[test]
    fn an_exposure_averages_the_movement_within_it() {
        let clean = jump();
        let mean = clean.exposed(0.22, 0.01).expect("known");
        assert!((mean.x - 5.0).abs() < 1e-9, "{mean:?}");
        // Half of the exposure is before the jump.
        let mean = clean.exposed(0.2, 0.01).expect("known");
        assert!((mean.x - 0.3125).abs() < 0.02, "{mean:?}");
        assert_eq!(clean.exposed(0.6, 0.01), None);
    }
}
