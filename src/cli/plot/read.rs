//! The files that can be drawn: samples, forecasts, and what `gazectl watch --json` wrote.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::track::{At, HorizonError, Moment, Reference, Track};
use crate::bus::record::{Flags, Record};
use crate::cli::samples::Rows;
use crate::forecast::Method;
use crate::geometry::{ScreenPoint, Setup, VisualAngle};
use crate::movement::Movement;

/// Reads a file, or standard input where its name is `-`, and tells by its beginning what it is.
pub fn read(path: &Path, method: Method, horizon_ms: f64) -> Result<Track> {
    let mut bytes = Vec::new();
    let opened = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        fs::read(path).map(|read| bytes = read)
    };
    opened.with_context(|| format!("{} cannot be read", path.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let name = || path.display().to_string();
    if text.trim_start().starts_with('{') {
        return watched(&text).with_context(name);
    }
    if text.lines().next().unwrap_or_default().contains("filtered_x_deg") {
        return forecasts(&text, horizon_ms).with_context(name);
    }
    samples(&text, method, horizon_ms).with_context(name)
}

fn samples(text: &str, method: Method, horizon_ms: f64) -> Result<Track> {
    let mut rows = Rows::new(text.as_bytes())?;
    let (mut samples, mut truth) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next_row()? {
        samples.push((row.t_s, row.observation));
        truth.extend(row.truth.map(|at| (row.t_s, at)));
    }
    let reference = if truth.is_empty() {
        Reference::LaterGaze
    } else {
        Reference::Truth
    };
    Track::follow(&samples, truth, reference, method, horizon_ms)
}

/// A row of what `gazectl forecast` writes.
#[derive(Deserialize)]
struct ForecastRow {
    t_s: f64,
    filtered_x_deg: Option<f64>,
    filtered_y_deg: Option<f64>,
    forecast_x_deg: Option<f64>,
    forecast_y_deg: Option<f64>,
    movement: Movement,
}

fn forecasts(text: &str, horizon_ms: f64) -> Result<Track> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let place = |x: Option<f64>, y: Option<f64>| {
        let at = VisualAngle::new(x?, y?);
        at.is_finite().then_some(at)
    };
    let (mut moments, mut forecasts) = (Vec::<Moment>::new(), Vec::new());
    for row in reader.deserialize() {
        let row: ForecastRow = row.context("not what `gazectl forecast` writes")?;
        let last_s = moments.last().map_or(f64::NEG_INFINITY, |moment| moment.t_s);
        if !row.t_s.is_finite() || row.t_s < last_s {
            bail!("time goes back from {last_s} s to {} s; sort the rows by t_s", row.t_s);
        }
        moments.push(Moment {
            t_s: row.t_s,
            sample: None,
            filtered: place(row.filtered_x_deg, row.filtered_y_deg),
            movement: row.movement,
        });
        let forecast = place(row.forecast_x_deg, row.forecast_y_deg);
        forecasts.extend(forecast.map(|at| (row.t_s + horizon_ms * 1e-3, at)));
    }
    if moments.is_empty() {
        bail!("the CSV has a header but no rows; there is nothing to draw");
    }
    Ok(Track {
        moments,
        truth: Vec::new(),
        forecasts,
        horizon_ms,
        errors: Vec::new(),
        reference: Reference::LaterGaze,
        screen: None,
        stills: false,
    })
}

/// A line of `gazectl watch --json`.
#[derive(Deserialize)]
struct Line {
    #[serde(flatten)]
    record: Record,
    truth_x: Option<f64>,
    truth_y: Option<f64>,
    truth_target_x: Option<f64>,
    truth_target_y: Option<f64>,
}

fn watched(text: &str) -> Result<Track> {
    // The bus tells neither the screen's size nor, always, the distance: the usual ones stand in.
    let setup = Setup::default();
    let angle = |x: f64, y: f64| {
        let point = ScreenPoint::new(x, y);
        let angle = setup.screen.visual_angle(point, setup.viewing_distance_mm);
        point.is_finite().then_some(angle)
    };
    let pair = |x: Option<f64>, y: Option<f64>| angle(x?, y?);
    let (mut moments, mut truth, mut forecasts) = (Vec::new(), Vec::<At>::new(), Vec::new());
    // Distances now, ahead, and of holding what is now.
    let mut sums = [(0.0, 0_u32); 3];
    let (mut start_ns, mut ahead_s) = (None, 0.0);
    for (number, line) in (1..).zip(text.lines()) {
        let Line {
            record,
            truth_x,
            truth_y,
            truth_target_x,
            truth_target_y,
        } = serde_json::from_str(line)
            .with_context(|| format!("line {number}: not a sample of `gazectl watch --json`"))?;
        let start_ns = *start_ns.get_or_insert(record.captured_ns);
        let seconds = |ns: u64| ns.saturating_sub(start_ns) as f64 * 1e-9;
        let t_s = seconds(record.captured_ns);
        let gaze = angle(record.gaze_x, record.gaze_y).filter(|_| record.is_valid());
        let forecast = angle(record.forecast_x, record.forecast_y).filter(|_| record.is_valid());
        let (now, later) = (pair(truth_x, truth_y), pair(truth_target_x, truth_target_y));
        if let Some(at) = forecast {
            ahead_s += seconds(record.target_ns) - t_s;
            forecasts.push((seconds(record.target_ns), at));
        }
        truth.extend(now.map(|at| (t_s, at)));
        for (sum, (seen, real)) in sums.iter_mut().zip([(gaze, now), (forecast, later), (gaze, later)]) {
            if let (Some(seen), Some(real)) = (seen, real) {
                *sum = (sum.0 + seen.distance_deg(real), sum.1 + 1);
            }
        }
        moments.push(Moment {
            t_s,
            sample: None,
            filtered: gaze,
            movement: movement(record.flags),
        });
    }
    if forecasts.is_empty() {
        bail!("it holds no valid sample; was the camera covered, or the time too short?");
    }
    let horizon_ms = 1e3 * ahead_s / forecasts.len() as f64;
    let [now, ahead, held] = sums.map(|(sum, count)| (count > 0).then(|| sum / f64::from(count)));
    let error = |horizon_ms, forecast: Option<f64>, hold: Option<f64>| {
        Some(HorizonError {
            horizon_ms,
            forecast_deg: forecast?,
            hold_deg: hold?,
        })
    };
    let errors = [error(0.0, now, now), error(horizon_ms, ahead, held)];
    Ok(Track {
        moments,
        reference: if truth.is_empty() {
            Reference::LaterGaze
        } else {
            Reference::Truth
        },
        truth,
        forecasts,
        horizon_ms,
        errors: errors.into_iter().flatten().collect(),
        screen: Some(half_screen(&setup)),
        stills: false,
    })
}

fn movement(flags: Flags) -> Movement {
    let named = [
        (Flags::BLINK, Movement::Blink),
        (Flags::FIXATION, Movement::Fixation),
        (Flags::SACCADE, Movement::Saccade),
        (Flags::PURSUIT, Movement::Pursuit),
    ];
    let found = named.into_iter().find(|(flag, _)| flags.contains(*flag));
    found.map_or(Movement::Lost, |(_, movement)| movement)
}

/// Half of a screen's width and height in degrees.
pub fn half_screen(setup: &Setup) -> VisualAngle {
    setup
        .screen
        .visual_angle(ScreenPoint::new(1.0, 1.0), setup.viewing_distance_mm)
}
