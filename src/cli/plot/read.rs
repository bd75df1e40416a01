//! The files that can be drawn: samples, forecasts, and what `gazectl watch --json` wrote.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Ahead;
use super::track::{At, HorizonError, Moment, Reference, Track};
use crate::bus::record::{Flags, Record};
use crate::cli::samples::{LONGEST_S, Rows};
use crate::forecast::MAX_ANGLE_DEG;
use crate::geometry::{ScreenPoint, Setup, VisualAngle};
use crate::movement::Movement;

/// Reads a file, or standard input where its name is `-`, and tells by its beginning what it is.
pub fn read(path: &Path, ahead: Ahead) -> Result<Track> {
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
        return watched(&text, ahead).with_context(name);
    }
    if text.lines().next().unwrap_or_default().contains("filtered_x_deg") {
        return forecasts(&text, ahead).with_context(name);
    }
    samples(&text, ahead).with_context(name)
}

fn samples(text: &str, ahead: Ahead) -> Result<Track> {
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
    Track::follow(&samples, truth, reference, ahead.method(), ahead.horizon_ms())
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

fn forecasts(text: &str, ahead: Ahead) -> Result<Track> {
    let horizon_ms = ahead
        .horizon_ms
        .context("the file does not say how far ahead it looks; give the --horizon-ms that it was made with")?;
    Ahead {
        horizon_ms: None,
        ..ahead
    }
    .refuse("what is in the file was forecast already")?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader.headers().context("the CSV's header cannot be read")?.clone();
    let (mut moments, mut forecasts) = (Vec::<Moment>::new(), Vec::new());
    for record in reader.records() {
        let record = record.context("the CSV is malformed")?;
        let line = record.position().map_or(0, csv::Position::line);
        let row: ForecastRow = record
            .deserialize(Some(&header))
            .context("not what `gazectl forecast` writes")?;
        let last_s = moments.last().map_or(row.t_s, |moment| moment.t_s);
        let first_s = moments.first().map_or(row.t_s, |moment| moment.t_s);
        if !(last_s - first_s..=LONGEST_S).contains(&(row.t_s - first_s)) {
            bail!(
                "line {line}: time goes from {last_s} s to {} s; sort the rows by t_s, in seconds",
                row.t_s
            );
        }
        let place = |x: Option<f64>, y: Option<f64>| place(x, y).with_context(|| format!("line {line}"));
        moments.push(Moment {
            t_s: row.t_s,
            sample: None,
            filtered: place(row.filtered_x_deg, row.filtered_y_deg)?,
            movement: row.movement,
        });
        let forecast = place(row.forecast_x_deg, row.forecast_y_deg)?;
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

/// A place that may be missing, or NaN, which is how some programs write that there is nothing.
fn place(x: Option<f64>, y: Option<f64>) -> Result<Option<VisualAngle>> {
    let (Some(x_deg), Some(y_deg)) = (x, y) else {
        return Ok(None);
    };
    if x_deg.abs().max(y_deg.abs()) > MAX_ANGLE_DEG {
        bail!("{x_deg:?}, {y_deg:?} is no visual angle (at most {MAX_ANGLE_DEG} degrees either way)");
    }
    let at = VisualAngle::new(x_deg, y_deg);
    Ok(at.is_finite().then_some(at))
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

fn watched(text: &str, ahead: Ahead) -> Result<Track> {
    ahead.refuse("what was watched was forecast already")?;
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
