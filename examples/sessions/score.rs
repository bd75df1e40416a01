//! Errors of many frames, and how far the error radius can be believed.

use std::fmt;

use gazed::synthetic::Movement;

use super::world::Look;

/// Ninths of the screen, row by row.
const REGIONS: usize = 9;

#[derive(Clone, Debug, Default)]
pub struct Score {
    /// Degrees between the filtered gaze and the true one, of every frame that gave one.
    errors: Vec<f64>,
    /// Those of frames in which the eye rested.
    rested: Vec<f64>,
    /// Error of the forecast, its radius, both in degrees, and the region of the true point.
    forecasts: Vec<(f64, f64, usize)>,
    frames: usize,
}

impl Score {
    pub fn add(&mut self, look: &Look) {
        self.frames += 1;
        if let Some(gaze) = look.gaze {
            let error = look.degrees(gaze, look.truth);
            self.errors.push(error);
            if look.movement == Movement::Fixation {
                self.rested.push(error);
            }
        }
        if let Some(forecast) = look.forecast {
            let degree = look.setup.screen.widths_per_degree(look.distance_mm);
            let place = |at: f64| ((at * 3.0).clamp(0.0, 2.0)) as usize;
            let region = 3 * place(look.truth_then.y) + place(look.truth_then.x);
            let error = look.degrees(forecast.point, look.truth_then);
            self.forecasts.push((error, forecast.error_radius / degree, region));
        }
    }

    pub fn join(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.rested.extend(other.rested);
        self.forecasts.extend(other.forecasts);
        self.frames += other.frames;
    }

    /// Median and 95 % of all frames.
    pub fn error_deg(&self) -> (f64, f64) {
        (
            quantile(&mut self.errors.clone(), 0.5),
            quantile(&mut self.errors.clone(), 0.95),
        )
    }

    /// Mean of the frames in which the eye rested: what the mean over the points of a calibration foretells.
    pub fn of_fixations_deg(&self) -> f64 {
        self.rested.iter().sum::<f64>() / self.rested.len().max(1) as f64
    }

    fn held<'f>(forecasts: impl Iterator<Item = &'f (f64, f64, usize)>) -> f64 {
        let (mut held, mut all) = (0_usize, 0_usize);
        for (error, radius, _) in forecasts {
            held += usize::from(error <= radius);
            all += 1;
        }
        held as f64 / all.max(1) as f64
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (median, p95) = self.error_deg();
        let seen = self.errors.len() as f64 / self.frames.max(1) as f64;
        write!(
            f,
            "{} frames, gaze in {:.1} %, median {median:.2} 95 % {p95:.2} deg",
            self.frames,
            100.0 * seen
        )?;
        let held = Self::held(self.forecasts.iter());
        let mean = self.forecasts.iter().map(|(_, radius, _)| radius).sum::<f64>() / self.forecasts.len().max(1) as f64;
        let constant = quantile(
            &mut self.forecasts.iter().map(|(error, ..)| *error).collect::<Vec<_>>(),
            held,
        );
        let regions =
            (0..REGIONS).map(|region| 100.0 * Self::held(self.forecasts.iter().filter(|(.., at)| *at == region)));
        let regions: Vec<String> = regions.map(|held| format!("{held:.0}")).collect();
        write!(
            f,
            "\n  radius of the forecast holds {:.1} %, by region {} %; its mean {mean:.2} deg, {:.2} of the constant one",
            100.0 * held,
            regions.join(" "),
            mean / constant
        )
    }
}

/// The value that a share of the values stays under; NaN of none.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (share * values.len() as f64) as usize;
    values
        .get(index.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

/// The middle value, or the mean of both where they are even in number.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values {
        [] => f64::NAN,
        values if values.len() % 2 == 0 => values[middle - 1].midpoint(values[middle]),
        values => values[middle],
    }
}
