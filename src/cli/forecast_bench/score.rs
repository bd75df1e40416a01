//! Runs one forecaster over recordings and adds up its errors.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::clean::Class;
use super::recordings::Track;
use crate::clock::Timestamp;
use crate::filter::{Vector, angle, vector};
use crate::forecast::{Forecaster, Method, Observation};

/// The horizon by which fixations are told from the rest for steadiness, and whose error radius is judged.
const MAIN_HORIZON_MS: u32 = 50;

/// A running mean.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    /// `None` for fewer than twenty values, which say nothing.
    fn get(self) -> Option<f64> {
        (self.count >= 20).then(|| self.sum / self.count as f64)
    }
}

/// Errors of a forecast and of holding the newest sample, over the same rows.
#[derive(Clone, Copy, Debug, Default)]
struct Compared {
    forecast: Mean,
    hold: Mean,
}

impl Compared {
    fn add(&mut self, forecast_deg: f64, hold_deg: f64) {
        self.forecast.add(forecast_deg);
        self.hold.add(hold_deg);
    }

    fn ratio(self) -> Option<f64> {
        Some(self.forecast.get()? / self.hold.get()?)
    }
}

#[derive(Default)]
struct Sums {
    all: Compared,
    fixation: Compared,
    saccade: Compared,
    in_flight: Compared,
    pursuit: Compared,
    /// Error, radius and class of every judged row.
    radii: Vec<(f32, f32, Class)>,
    /// Squared steps between successive outputs inside fixations.
    steps: Mean,
}

/// How one method did on one set at one horizon (0: the filtered position). Ratios are to holding the newest sample.
#[derive(Debug, Serialize)]
pub struct Score {
    pub set: String,
    pub method: Method,
    pub horizon_ms: u32,
    pub rows: u64,
    pub mean_deg: Option<f64>,
    pub hold_mean_deg: Option<f64>,
    pub ratio: Option<f64>,
    pub fixation: Option<f64>,
    pub saccade: Option<f64>,
    pub in_flight: Option<f64>,
    pub pursuit: Option<f64>,
    /// RMS between successive outputs inside fixations, in degrees.
    pub rms_s2s_deg: Option<f64>,
    /// Part of the truths within the error radius: all, and by class.
    pub held: Option<f64>,
    pub held_fixation: Option<f64>,
    pub held_saccade: Option<f64>,
    pub held_pursuit: Option<f64>,
    /// Mean error radius, and the constant one that holds as many truths.
    pub radius_deg: Option<f64>,
    pub constant_radius_deg: Option<f64>,
}

/// Every set's scores of `method`, and the mean time of one sample (an observation and one forecast).
pub fn score(method: Method, tracks: &[Track], horizons_ms: &[u32]) -> Result<(Vec<Score>, Duration)> {
    let mut sums: BTreeMap<(&str, u32), Sums> = BTreeMap::new();
    let (mut spent, mut samples) = (Duration::ZERO, 0_u32);
    for track in tracks {
        let mut forecaster = Forecaster::new(method);
        let first_s = track.rows.first().map_or(0.0, |row| row.0);
        let mut outputs: Vec<Option<Vector>> = vec![None; horizons_ms.len()];
        let mut was_fixation = false;
        for &(t_s, sample) in &track.rows {
            let t = Timestamp::default().offset_by_seconds(t_s - first_s);
            let observation = sample.map(|at| Observation {
                at: angle(at),
                confidence: 1.0,
            });
            let begun = Instant::now();
            let estimate = forecaster.observe(t, observation, true)?;
            std::hint::black_box(forecaster.forecast(t + Duration::from_millis(u64::from(MAIN_HORIZON_MS))));
            spent += begun.elapsed();
            samples += 1;
            let main = track.clean.judge(t_s, f64::from(MAIN_HORIZON_MS) * 1e-3);
            let (Some(sample), true) = (sample, t_s >= track.judged_from_s) else {
                outputs.fill(None);
                was_fixation = false;
                continue;
            };
            let is_fixation = matches!(main, Some((_, Class::Fixation)));
            for (&horizon_ms, last) in horizons_ms.iter().zip(&mut outputs) {
                let target = t + Duration::from_millis(u64::from(horizon_ms));
                let (output, radius) = match (horizon_ms, forecaster.forecast(target)) {
                    (0, _) => (estimate.at, 0.0),
                    (_, forecast) => (forecast.map(|f| f.at), forecast.map_or(0.0, |f| f.error_radius_deg)),
                };
                let Some(output) = output.map(vector) else { continue };
                let sums = sums.entry((&track.set, horizon_ms)).or_default();
                if let (Some(last), true, true) = (*last, was_fixation, is_fixation) {
                    sums.steps.add((output - last).norm_squared());
                }
                *last = Some(output);
                if let Some((truth, class)) = track.clean.judge(t_s, f64::from(horizon_ms) * 1e-3) {
                    sums.add((output - truth).norm(), (sample - truth).norm(), radius, class);
                }
            }
            was_fixation = is_fixation;
        }
    }
    let scores = sums
        .into_iter()
        .map(|((set, horizon_ms), sums)| sums.finish(set, method, horizon_ms))
        .collect();
    Ok((scores, spent / samples.max(1)))
}

impl Sums {
    fn add(&mut self, error: f64, hold: f64, radius: f64, class: Class) {
        self.all.add(error, hold);
        match class {
            Class::Fixation => self.fixation.add(error, hold),
            Class::Pursuit => self.pursuit.add(error, hold),
            Class::Saccade { in_flight } => {
                self.saccade.add(error, hold);
                if in_flight {
                    self.in_flight.add(error, hold);
                }
            }
        }
        self.radii.push((error as f32, radius as f32, class));
    }

    fn finish(mut self, set: &str, method: Method, horizon_ms: u32) -> Score {
        let held = |of: fn(Class) -> bool| {
            let mut mean = Mean::default();
            for &(error, radius, class) in &self.radii {
                if of(class) {
                    mean.add(f64::from(u8::from(error <= radius)));
                }
            }
            mean.get().filter(|_| horizon_ms > 0)
        };
        let all = held(|_| true);
        let held_fixation = held(|class| class == Class::Fixation);
        let held_saccade = held(|class| matches!(class, Class::Saccade { .. }));
        let held_pursuit = held(|class| class == Class::Pursuit);
        let mut radius = Mean::default();
        self.radii.iter().for_each(|row| radius.add(f64::from(row.1)));
        self.radii.sort_by(|a, b| a.0.total_cmp(&b.0));
        let constant = all.and_then(|share| {
            let index = (share * self.radii.len() as f64).ceil() as usize;
            Some(f64::from(self.radii.get(index.saturating_sub(1))?.0))
        });
        Score {
            set: set.to_owned(),
            method,
            horizon_ms,
            rows: self.all.forecast.count,
            mean_deg: self.all.forecast.get(),
            hold_mean_deg: self.all.hold.get(),
            ratio: self.all.ratio(),
            fixation: self.fixation.ratio(),
            saccade: self.saccade.ratio(),
            in_flight: self.in_flight.ratio(),
            pursuit: self.pursuit.ratio(),
            rms_s2s_deg: self.steps.get().map(f64::sqrt),
            held: all,
            held_fixation,
            held_saccade,
            held_pursuit,
            radius_deg: radius.get().filter(|_| horizon_ms > 0),
            constant_radius_deg: constant,
        }
    }
}
