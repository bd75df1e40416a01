//! `gazectl forecast-bench`: scores every filter and forecaster on real eye movements and on the synthetic user, so that
//! the choice of the default can be repeated by anyone.
//!
//! Webcams are simulated from fast recordings: the signal averaged over a 10 ms exposure, with noise of 0.5 degrees SD on
//! each axis. A row counts as a fixation if the truth moves less than 0.5 degrees over the horizon, else as a saccade if
//! it is faster than 40 deg/s within it, else as pursuit; a saccade that has begun when the forecast is made is in flight.

mod clean;
mod npz;
mod recordings;
mod score;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::Output;
use crate::forecast::Method;
use score::Score;

/// Score the filters and forecasters on recorded eye movements and on the synthetic user
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder with gaze60/train.npz and gazecom250/train.npz; else $GAZED_DATA, else ../shared/data
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Use every person, also those that the net was trained on
    #[arg(long)]
    everyone: bool,
    /// Only the synthetic user, which needs no data
    #[arg(long)]
    synthetic: bool,
    /// Only these methods
    #[arg(long, value_name = "M", value_enum, value_delimiter = ',')]
    methods: Vec<Method>,
    /// Horizons in milliseconds; 0 is the filtered position
    #[arg(long, value_name = "MS", value_delimiter = ',', default_values_t = [0, 20, 33, 50, 100], value_parser = clap::value_parser!(u32).range(0..=200))]
    horizons_ms: Vec<u32>,
    /// One JSON object for each method, set and horizon
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, out: &mut Output) -> Result<()> {
    let mut tracks = recordings::synthetic();
    if !args.synthetic {
        let from_environment = || std::env::var_os("GAZED_DATA").map(PathBuf::from);
        let data = args
            .data
            .clone()
            .or_else(from_environment)
            .unwrap_or_else(|| PathBuf::from("../shared/data"));
        let advice = || {
            format!(
                "{} has no recordings to judge on; name their folder with --data or use --synthetic",
                data.display()
            )
        };
        tracks.extend(recordings::gaze60(&data, args.everyone).with_context(advice)?);
        tracks.extend(recordings::gazecom(&data, args.everyone).with_context(advice)?);
    }
    if tracks.iter().all(|track| track.rows.is_empty()) {
        bail!("there is nothing to judge on: no person of the data was held out of training; try --everyone");
    }
    let methods = if args.methods.is_empty() {
        &Method::ALL[..]
    } else {
        &args.methods
    };
    for &method in methods {
        let (scores, cost) = score::score(method, &tracks, &args.horizons_ms)?;
        let cost_us = cost.as_secs_f64() * 1e6;
        if args.json {
            for score in &scores {
                out.json_line(score)?;
            }
            out.json_line(&json!({ "method": method, "us_per_sample": cost_us }))?;
        } else {
            print(&scores, method, cost_us, out)?;
        }
        out.flush()?;
    }
    Ok(())
}

fn print(scores: &[Score], method: Method, cost_us: f64, out: &mut Output) -> Result<()> {
    writeln!(
        out,
        "{}: {cost_us:.1} us a sample (filter, movement and one forecast)",
        method.name()
    )?;
    writeln!(
        out,
        "  {:<15} {:>4} {:>6} {:>6} | {:>5} {:>5} {:>5} {:>6} {:>5} | {:>5} | {:>5} {:>5} {:>5} {:>5} {:>6} {:>6}",
        "set",
        "ms",
        "hold",
        "mean",
        "ratio",
        "fix",
        "sacc",
        "flight",
        "purs",
        "s2s",
        "held",
        "fix",
        "sacc",
        "purs",
        "radius",
        "const"
    )?;
    let cell = |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |value| format!("{value:.digits$}"));
    for s in scores {
        writeln!(
            out,
            "  {:<15} {:>4} {:>6} {:>6} | {:>5} {:>5} {:>5} {:>6} {:>5} | {:>5} | {:>5} {:>5} {:>5} {:>5} {:>6} {:>6}",
            s.set,
            s.horizon_ms,
            cell(s.hold_mean_deg, 3),
            cell(s.mean_deg, 3),
            cell(s.ratio, 3),
            cell(s.fixation, 3),
            cell(s.saccade, 3),
            cell(s.in_flight, 3),
            cell(s.pursuit, 3),
            cell(s.rms_s2s_deg, 3),
            cell(s.held, 3),
            cell(s.held_fixation, 3),
            cell(s.held_saccade, 3),
            cell(s.held_pursuit, 3),
            cell(s.radius_deg, 2),
            cell(s.constant_radius_deg, 2),
        )?;
    }
    Ok(())
}
