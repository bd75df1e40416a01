//! `gazectl evaluate`: calibrates on some frames of a recording, predicts the others, and says how far off they are.
//!
//! Every frame is looked at by itself, so a prediction depends on the calibration frames and its own frame only.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde::Serialize;

use super::{Output, looks};
use crate::calibration::{Features, Fit, FitError, Mapping, Sample};
use crate::capture::recording::Recording;
use crate::geometry::{ScreenPoint, Setup};
use crate::nets::Weights;
use crate::tracking::{Seen, Tracking};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the recording
    recording: PathBuf,
    /// Calibrate on the first N usable frames (tracked, with a target)
    #[arg(long, value_name = "N", required_unless_present = "calibration_blocks", value_parser = clap::value_parser!(u32).range(1..))]
    calibration_frames: Option<u32>,
    /// Calibrate every block by itself, on its own first frames
    #[arg(long, conflicts_with = "calibration_blocks")]
    by_block: bool,
    /// Calibrate on these blocks (all their frames, or the first N of all)
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "test_blocks")]
    calibration_blocks: Vec<String>,
    /// Predict these blocks
    #[arg(long, value_name = "C,D", value_delimiter = ',', requires = "calibration_blocks")]
    test_blocks: Vec<String>,
    /// Print one JSON object instead of lines for people
    #[arg(long)]
    json: bool,
    /// Folder of other weights than the built-in ones
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
}

/// One frame that has a target.
#[derive(Clone, Copy, Debug)]
struct Trial {
    target: ScreenPoint,
    /// `None` where the frame is not tracked.
    features: Option<Features>,
}

/// The errors of all predicted frames.
#[derive(Debug, Serialize)]
struct Report {
    /// Predicted frames, untracked ones included.
    frames: usize,
    tracked: usize,
    median_px: f64,
    mean_px: f64,
    p95_px: f64,
    mean_deg: f64,
    /// The same frames, all answered with the screen's centre.
    centre_baseline_median_px: f64,
}

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let weights = args.models.clone().map_or(Weights::BuiltIn, Weights::Folder);
    let recording = Recording::open(&args.recording)?;
    let setup = recording.setup().unwrap_or_default();
    let trials = trials(&recording, &setup, &weights)?;
    let (mut errors, mut baseline, mut degrees, mut tracked) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for Split { of, calibration, test } in split(args, &trials)? {
        let samples: Vec<Sample> = calibration
            .iter()
            .filter_map(|trial| {
                Some(Sample {
                    target: trial.target,
                    features: trial.features?,
                })
            })
            .collect();
        let fit = match Fit::new(&samples, &setup) {
            Err(FitError::TooFew { found, least }) => bail!(
                "{of} gives {found} usable frames (tracked, with a target) to calibrate on, and at least {least} are needed: \
                 raise --calibration-frames where it is lower, or leave out of frames.csv what cannot be calibrated on"
            ),
            fit => fit.context(of)?,
        };
        let mapping = Mapping::Fitted(Box::new(fit));
        for trial in test {
            let answer = trial
                .features
                .map_or(ScreenPoint::CENTRE, |features| mapping.predict(&features, &setup).point);
            tracked += usize::from(trial.features.is_some());
            errors.push(setup.screen.distance_px(answer, trial.target));
            baseline.push(setup.screen.distance_px(ScreenPoint::CENTRE, trial.target));
            let miss_mm = setup.screen.distance_mm(answer, trial.target);
            degrees.push(miss_mm.atan2(setup.viewing_distance_mm).to_degrees());
        }
    }
    if errors.is_empty() {
        bail!("no frame is left to predict: calibrate on fewer frames, or record more");
    }
    let report = Report {
        frames: errors.len(),
        tracked,
        mean_px: mean(&errors),
        mean_deg: mean(&degrees),
        median_px: quantile(&mut errors, 0.5),
        p95_px: quantile(&mut errors, 0.95),
        centre_baseline_median_px: quantile(&mut baseline, 0.5),
    };
    if args.json {
        out.json_line(&report)?;
    } else {
        use std::io::Write;
        writeln!(
            out,
            "{} frames predicted, {} of them tracked",
            report.frames, report.tracked
        )?;
        writeln!(
            out,
            "error, median   {:7.1} px  (always the centre: {:.1} px)",
            report.median_px, report.centre_baseline_median_px
        )?;
        writeln!(
            out,
            "error, mean     {:7.1} px  {:.2} deg",
            report.mean_px, report.mean_deg
        )?;
        writeln!(out, "error, 95 %     {:7.1} px", report.p95_px)?;
    }
    Ok(())
}

/// Every frame with a target, with its block.
fn trials(recording: &Recording, setup: &Setup, weights: &Weights) -> anyhow::Result<Vec<(String, Trial)>> {
    let mut tracking = Tracking::new(weights, true)?;
    let mut trials = Vec::new();
    for (row, frame) in recording.frames() {
        let Some(target) = looks::target(row, setup) else {
            continue;
        };
        let features = match frame {
            Ok(frame) => match tracking.see(&frame, setup)? {
                Seen::Gaze(sighting) => Some(sighting.features),
                Seen::Nothing(..) => None,
            },
            Err(error) => {
                tracing::warn!("{error}");
                None
            }
        };
        trials.push((row.block.clone().unwrap_or_default(), Trial { target, features }));
    }
    Ok(trials)
}

/// Calibration and test frames of one calibration to be made.
#[derive(Debug)]
struct Split {
    /// The frames that are calibrated on, in words.
    of: String,
    calibration: Vec<Trial>,
    test: Vec<Trial>,
}

fn split(args: &Args, trials: &[(String, Trial)]) -> anyhow::Result<Vec<Split>> {
    let count = args.calibration_frames.map(|count| count as usize);
    if !args.calibration_blocks.is_empty() {
        let of = |blocks: &[String]| -> anyhow::Result<Vec<Trial>> {
            for block in blocks {
                trials
                    .iter()
                    .find(|(name, _)| name == block)
                    .with_context(|| format!("there is no block '{block}' in the recording"))?;
            }
            Ok(trials
                .iter()
                .filter(|(name, _)| blocks.contains(name))
                .map(|(_, trial)| *trial)
                .collect())
        };
        if let Some(both) = args
            .calibration_blocks
            .iter()
            .find(|block| args.test_blocks.contains(block))
        {
            bail!("block '{both}' is named for calibration and for testing: name it once");
        }
        let calibration = of(&args.calibration_blocks)?;
        let first = usable(&calibration).take(count.unwrap_or(usize::MAX)).collect();
        return Ok(vec![Split {
            of: format!("block {}", args.calibration_blocks.join(", ")),
            calibration: first,
            test: of(&args.test_blocks)?,
        }]);
    }
    let count = count.unwrap_or(usize::MAX);
    if !args.by_block {
        let all: Vec<Trial> = trials.iter().map(|(_, trial)| *trial).collect();
        return Ok(vec![first_and_rest("the recording".to_owned(), &all, count)]);
    }
    let mut blocks: BTreeMap<&str, Vec<Trial>> = BTreeMap::new();
    for (block, trial) in trials {
        blocks.entry(block).or_default().push(*trial);
    }
    let split = |(name, trials): (_, &Vec<Trial>)| first_and_rest(format!("block '{name}'"), trials, count);
    Ok(blocks.iter().map(split).collect())
}

fn usable(trials: &[Trial]) -> impl Iterator<Item = Trial> {
    trials.iter().filter(|trial| trial.features.is_some()).copied()
}

/// The first `count` usable frames, and every frame that is not among them.
fn first_and_rest(of: String, trials: &[Trial], count: usize) -> Split {
    let (mut calibration, mut test) = (Vec::new(), Vec::new());
    for trial in trials {
        if trial.features.is_some() && calibration.len() < count {
            calibration.push(*trial);
        } else {
            test.push(*trial);
        }
    }
    Split { of, calibration, test }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The value below which the given share of the values lies (nearest rank).
fn quantile(values: &mut [f64], share: f64) -> f64 {
    let index = (share * (values.len() - 1) as f64).round() as usize;
    *values.select_nth_unstable_by(index, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::Appearance;
    use crate::calibration::features::COUNT;

    fn trial(x: f64, tracked: bool) -> Trial {
        let features = Features {
            values: [x; COUNT],
            appearance: Appearance::NONE,
            eyes_mm: [0.0, 0.0, 600.0],
            position_known: false,
        };
        Trial {
            target: ScreenPoint::new(x, 0.5),
            features: tracked.then_some(features),
        }
    }

    #[test]
    fn untracked_frames_are_never_calibrated_on_and_always_judged() {
        let trials: Vec<Trial> = (0..10)
            .map(|index| trial(index as f64 / 10.0, index % 3 != 0))
            .collect();
        let Split { calibration, test, .. } = first_and_rest(String::new(), &trials, 4);
        assert_eq!(
            calibration.iter().map(|trial| trial.target.x).collect::<Vec<_>>(),
            [0.1, 0.2, 0.4, 0.5]
        );
        assert_eq!(test.len(), 6);
        assert_eq!(test.iter().filter(|trial| trial.features.is_none()).count(), 4);
    }

    #[test]
    fn quantiles_are_values_of_the_list() {
        let mut values = vec![5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(quantile(&mut values, 0.5), 3.0);
        assert_eq!(quantile(&mut values, 0.95), 5.0);
    }
}
