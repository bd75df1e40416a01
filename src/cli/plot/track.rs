//! What is drawn: gaze over time with what was forecast and what was true, and how far off forecasts were.

use anyhow::Result;

use crate::clock::Timestamp;
use crate::forecast::{Forecaster, Method, Observation};
use crate::geometry::VisualAngle;
use crate::movement::Movement;

/// The horizons at which forecasts are judged, in ms.
pub const HORIZONS_MS: [f64; 5] = [0.0, 20.0, 33.0, 50.0, 100.0];
/// Between two reference points further apart than this nothing is known.
const LONGEST_GAP_S: f64 = 0.1;
/// Shorter fixations are not told from noise.
const SHORTEST_FIXATION_S: f64 = 0.08;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    pub t_s: f64,
    /// As it was measured.
    pub sample: Option<VisualAngle>,
    pub filtered: Option<VisualAngle>,
    pub movement: Movement,
}

/// A place at a time.
pub type At = (f64, VisualAngle);

/// Mean distances from the reference, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HorizonError {
    pub horizon_ms: f64,
    pub forecast_deg: f64,
    /// Of the newest sample, held.
    pub hold_deg: f64,
}

/// What forecasts are held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    Truth,
    Target,
    /// Nothing else is known than what was measured later.
    LaterGaze,
}

impl Reference {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truth => "where it really looked",
            Self::Target => "what was to be looked at",
            Self::LaterGaze => "the gaze measured later",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Track {
    /// In the order of time.
    pub moments: Vec<Moment>,
    /// True or wanted gaze; empty where neither is known.
    pub truth: Vec<At>,
    /// Forecasts, each at the time that it is for.
    pub forecasts: Vec<At>,
    pub horizon_ms: f64,
    pub errors: Vec<HorizonError>,
    pub reference: Reference,
    /// Half the screen's width and height, in degrees, where a screen is known.
    pub screen: Option<VisualAngle>,
    /// Frames stand alone: they make no path.
    pub stills: bool,
}

/// The user dwelt here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fixation {
    pub at: VisualAngle,
    pub duration_s: f64,
}

impl Track {
    /// Smooths, classifies and forecasts samples, and holds the forecasts against what is known.
    pub fn follow(
        samples: &[(f64, Option<Observation>)],
        truth: Vec<At>,
        reference: Reference,
        method: Method,
        horizon_ms: f64,
    ) -> Result<Self> {
        let mut forecaster = Forecaster::new(method);
        let first_s = samples.first().map_or(0.0, |(t_s, _)| *t_s);
        let measured: Vec<At> = samples
            .iter()
            .filter_map(|(t_s, sample)| sample.map(|sample| (*t_s, sample.at)))
            .collect();
        let held_against = if reference == Reference::LaterGaze {
            &measured
        } else {
            &truth
        };
        let mut sums = [(0.0, 0.0, 0_u32); HORIZONS_MS.len()];
        let (mut moments, mut forecasts) = (Vec::with_capacity(samples.len()), Vec::new());
        for (t_s, sample) in samples {
            let time = Timestamp::default().offset_by_seconds(t_s - first_s);
            let estimate = forecaster.observe(time, *sample, true)?;
            moments.push(Moment {
                t_s: *t_s,
                sample: sample.map(|sample| sample.at),
                filtered: estimate.at,
                movement: estimate.movement,
            });
            let ahead = |ms: f64| {
                forecaster
                    .forecast(time.offset_by_seconds(ms * 1e-3))
                    .map(|forecast| forecast.at)
            };
            if let Some(at) = ahead(horizon_ms) {
                forecasts.push((t_s + horizon_ms * 1e-3, at));
            }
            let Some(sample) = sample else { continue };
            for (sum, ms) in sums.iter_mut().zip(HORIZONS_MS) {
                if let (Some(forecast), Some(truth)) = (ahead(ms), interpolated(held_against, t_s + ms * 1e-3)) {
                    sum.0 += forecast.distance_deg(truth);
                    sum.1 += sample.at.distance_deg(truth);
                    sum.2 += 1;
                }
            }
        }
        let errors = HORIZONS_MS
            .iter()
            .zip(sums)
            .filter(|(_, (.., count))| *count > 0)
            .map(|(horizon_ms, (forecast, hold, count))| HorizonError {
                horizon_ms: *horizon_ms,
                forecast_deg: forecast / f64::from(count),
                hold_deg: hold / f64::from(count),
            })
            .collect();
        Ok(Self {
            moments,
            truth,
            forecasts,
            horizon_ms,
            errors,
            reference,
            screen: None,
            stills: false,
        })
    }

    /// Frames that stand alone: as they were measured.
    pub fn of_stills(samples: &[(f64, Option<Observation>)], truth: Vec<At>, reference: Reference) -> Self {
        let moment = |(t_s, sample): &(f64, Option<Observation>)| {
            let at = sample.map(|sample| sample.at);
            Moment {
                t_s: *t_s,
                sample: at,
                filtered: at,
                movement: if at.is_some() {
                    Movement::Fixation
                } else {
                    Movement::Lost
                },
            }
        };
        Self {
            moments: samples.iter().map(moment).collect(),
            truth,
            forecasts: Vec::new(),
            horizon_ms: 0.0,
            errors: Vec::new(),
            reference,
            screen: None,
            stills: true,
        }
    }

    /// Times count from the first moment on, and only the part from `from_s` for `length_s` stays. The errors stay those of
    /// the whole.
    pub fn cut(&mut self, from_s: f64, length_s: f64) {
        let start_s = self.moments.first().map_or(0.0, |moment| moment.t_s);
        let shown = from_s..=from_s + length_s;
        for moment in &mut self.moments {
            moment.t_s -= start_s;
        }
        self.moments.retain(|moment| shown.contains(&moment.t_s));
        for list in [&mut self.truth, &mut self.forecasts] {
            for (t_s, _) in list.iter_mut() {
                *t_s -= start_s;
            }
            list.retain(|(t_s, _)| shown.contains(t_s));
        }
    }

    pub fn filtered(&self) -> impl Iterator<Item = At> {
        self.moments
            .iter()
            .filter_map(|moment| Some((moment.t_s, moment.filtered?)))
    }

    /// Runs of one movement: its beginning and its end.
    pub fn movements(&self) -> Vec<(Movement, f64, f64)> {
        let mut runs: Vec<(Movement, f64, f64)> = Vec::new();
        for pair in self.moments.windows(2) {
            match runs.last_mut() {
                Some((movement, _, end_s)) if *movement == pair[0].movement => *end_s = pair[1].t_s,
                _ => runs.push((pair[0].movement, pair[0].t_s, pair[1].t_s)),
            }
        }
        runs
    }

    pub fn fixations(&self) -> Vec<Fixation> {
        if self.stills {
            return Vec::new();
        }
        let runs = self.movements().into_iter();
        runs.filter(|(movement, from_s, to_s)| *movement == Movement::Fixation && to_s - from_s >= SHORTEST_FIXATION_S)
            .filter_map(|(_, from_s, to_s)| {
                let within = |moment: &&Moment| (from_s..to_s).contains(&moment.t_s);
                let points: Vec<VisualAngle> = self
                    .moments
                    .iter()
                    .filter(within)
                    .filter_map(|moment| moment.filtered)
                    .collect();
                let count = points.len() as f64;
                let mean = |of: fn(&VisualAngle) -> f64| points.iter().map(of).sum::<f64>() / count;
                (count > 0.0).then(|| Fixation {
                    at: VisualAngle::new(mean(|at| at.x_deg), mean(|at| at.y_deg)),
                    duration_s: to_s - from_s,
                })
            })
            .collect()
    }
}

/// The place at a time between two that are known.
fn interpolated(track: &[At], t_s: f64) -> Option<VisualAngle> {
    let after = track.partition_point(|(known_s, _)| *known_s < t_s);
    let (next_s, next) = *track.get(after)?;
    if next_s == t_s {
        return Some(next);
    }
    let (last_s, last) = *track.get(after.checked_sub(1)?)?;
    let share = (t_s - last_s) / (next_s - last_s);
    (next_s - last_s <= LONGEST_GAP_S).then(|| {
        VisualAngle::new(
            last.x_deg + share * (next.x_deg - last.x_deg),
            last.y_deg + share * (next.y_deg - last.y_deg),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second at one place, a jump of ten degrees, a second there, at 60 Hz.
    fn jump() -> Vec<(f64, Option<Observation>)> {
        (0..120)
            .map(|n| {
                let at = VisualAngle::new(if n < 60 { 0.0 } else { 10.0 }, -3.0);
                (5.0 + f64::from(n) / 60.0, Some(Observation { at, confidence: 1.0 }))
            })
            .collect()
    }

    #[test]
    fn two_dwells_are_two_fixations_where_they_were() {
        let track =
            Track::follow(&jump(), Vec::new(), Reference::LaterGaze, Method::default(), 50.0).expect("in order");
        let fixations = track.fixations();
        assert!((2..=3).contains(&fixations.len()), "{fixations:?}");
        assert!(fixations[0].at.distance_deg(VisualAngle::new(0.0, -3.0)) < 0.3);
        let last = fixations[fixations.len() - 1];
        assert!(
            last.at.distance_deg(VisualAngle::new(10.0, -3.0)) < 0.5 && last.duration_s > 0.7,
            "{fixations:?}"
        );
        let lasts: f64 = track.movements().iter().map(|(_, from_s, to_s)| to_s - from_s).sum();
        assert!(
            (lasts - 119.0 / 60.0).abs() < 1e-9,
            "every moment belongs to one movement"
        );
    }

    #[test]
    fn forecasts_are_held_against_the_truth_at_their_own_time() {
        // The truth runs 50 ms ahead of the samples, so holding is exact at that horizon and nowhere else.
        let samples: Vec<_> = (0..90)
            .map(|n| {
                let at = VisualAngle::new(f64::from(n) * 0.1, 0.0);
                (f64::from(n) * 0.01, Some(Observation { at, confidence: 1.0 }))
            })
            .collect();
        let truth = samples
            .iter()
            .filter_map(|(t_s, sample)| Some((t_s + 0.05, sample.as_ref()?.at)))
            .collect();
        let track = Track::follow(&samples, truth, Reference::Truth, Method::Hold, 50.0).expect("in order");
        let hold = |ms: f64| {
            let found = track.errors.iter().find(|error| error.horizon_ms == ms);
            found.expect("truth at this horizon").hold_deg
        };
        assert!(hold(50.0) < 1e-9);
        assert!((hold(100.0) - 0.5).abs() < 1e-6, "five samples further");
    }

    #[test]
    fn nothing_is_made_up_in_gaps() {
        let track = [
            (0.0, VisualAngle::new(0.0, 0.0)),
            (0.05, VisualAngle::new(1.0, 2.0)),
            (1.0, VisualAngle::new(9.0, 9.0)),
        ];
        assert_eq!(interpolated(&track, 0.025), Some(VisualAngle::new(0.5, 1.0)));
        assert_eq!(interpolated(&track, 0.5), None);
        assert_eq!((interpolated(&track, -0.1), interpolated(&track, 1.1)), (None, None));
    }

    #[test]
    fn a_cut_counts_from_the_beginning() {
        let mut track = Track::follow(
            &jump(),
            vec![(5.5, VisualAngle::default())],
            Reference::Truth,
            Method::Hold,
            50.0,
        )
        .expect("in order");
        track.cut(0.5, 1.0);
        assert_eq!(track.truth.len(), 1);
        assert!(track.moments.iter().all(|moment| (0.5..=1.5).contains(&moment.t_s)));
        assert_eq!(track.moments.len(), 61);
    }
}
