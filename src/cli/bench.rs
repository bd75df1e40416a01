//! `gazectl bench`: how long each stage takes here and now, on one thread.
//!
//! The pictures are the synthetic user's, rendered beforehand; only the stages themselves are timed. The machine's other
//! work is in the numbers, so compare only what one run printed.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use hdrhistogram::Histogram;
use serde::Serialize;
use tract_onnx::prelude::*;

use super::Output;
use crate::bus::record::Record;
use crate::calibration::gathering::Gathering;
use crate::calibration::{Fit, Mapping, Sample};
use crate::capture::decode;
use crate::clock::{Timestamp, TimestampSource};
use crate::eyes::EyesNet;
use crate::face::finder::Finder;
use crate::face::{Face, FaceTracker, LandmarkNet};
use crate::forecast::{Forecaster, Method, Observation};
use crate::frame::{BufferPool, Frame, FrameId, GrayImage};
use crate::geometry::{ScreenPoint, VisualAngle};
use crate::nets::Weights;
use crate::pipeline::Pipeline;
use crate::synthetic::{Parameters, SyntheticCamera, SyntheticUser};
use crate::tracking::{Seen, Tracking};

/// The net of the article that EyesNet is named after, in its own architecture: measured beside ours, never used.
const ARTICLE_EYESNET: &[u8] = include_bytes!("../../models/train/yardstick/article_eyesnet.onnx");
/// How often a whole calibration is fitted: it takes as long as hundreds of frames.
const FITS: usize = 10;
/// Distance of the forecast's target from the frame, the bus's default.
const HORIZON_S: f64 = 0.05;

#[derive(Debug, clap::Args)]
/// Measure how long each stage takes, on one thread
pub struct Args {
    /// Print one JSON object a stage instead of a table
    #[arg(long)]
    json: bool,
    /// How often each stage runs
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    rounds: u32,
    /// Seed of the synthetic user whose pictures are used
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Serialize)]
struct Line {
    stage: &'static str,
    p50_us: f64,
    p99_us: f64,
}

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let weights = Weights::BuiltIn;
    let (user, frames) = frames(args.seed)?;
    let first = &frames[0].image;
    let mut bench = Bench {
        rounds: args.rounds as usize,
        json: args.json,
        out,
    };

    let mut finder = Finder::new(&weights)?;
    bench.stage("finder", |round| {
        std::hint::black_box(finder.find(&frames[round % frames.len()].image)?);
        Ok(())
    })?;

    let face = faces(first, &weights)?;
    let mut landmarks = LandmarkNet::new(&weights)?;
    let place = face.landmarks.frame();
    bench.stage("landmarks", |_| {
        std::hint::black_box(landmarks.locate(first, place)?);
        Ok(())
    })?;

    let mut eyes = EyesNet::new(&weights)?;
    bench.stage("eyesnet", |_| {
        std::hint::black_box(eyes.look(first, &face)?);
        Ok(())
    })?;

    let mut article = Article::load()?;
    bench.stage("article_eyesnet", |_| article.run())?;

    let mut forecaster = Forecaster::new(Method::default());
    bench.stage("forecast", |round| {
        let time = Timestamp::from_nanos(1).offset_by_seconds(round as f64 / 60.0);
        // A gaze that jumps every half second, so that every branch of the forecaster takes its turn.
        let x_deg = if round % 60 < 30 { -5.0 } else { 5.0 } + 0.3 * (round as f64).sin();
        let at = VisualAngle::new(x_deg, 0.2 * (1.7 * round as f64).cos());
        forecaster.observe(time, Some(Observation { at, confidence: 1.0 }), false)?;
        std::hint::black_box(forecaster.forecast(time.offset_by_seconds(HORIZON_S)));
        Ok(())
    })?;

    let samples = samples(&user, &frames, &weights)?;
    let many = twenty_points(&samples);
    bench.rounds = FITS;
    bench.stage("fit_20_points", |_| {
        std::hint::black_box(Gathering::of_samples(&many).fit(&user.setup())?);
        Ok(())
    })?;
    bench.rounds = args.rounds as usize;

    let mapping = Mapping::Fitted(Box::new(Fit::new(&samples, &user.setup())?));
    let mut pipeline = Pipeline::new(&weights, user.setup(), false, Method::default(), mapping)?;
    for frame in &frames {
        pipeline.step(frame)?;
    }
    // Frames go forth and back, so that the face moves on from where it was and never has to be found again.
    let order: Vec<usize> = (0..frames.len()).chain((0..frames.len()).rev()).collect();
    let end = frames[frames.len() - 1].captured;
    let mut frames = frames;
    bench.stage("frame", |round| {
        let frame = &mut frames[order[(round + order.len() / 2) % order.len()]];
        frame.captured = end.offset_by_seconds((round + 1) as f64 / 30.0);
        let estimate = pipeline.step(frame)?;
        let target = frame.captured.offset_by_seconds(HORIZON_S);
        let forecast = pipeline.forecast(target);
        let gaze = estimate.gaze.unwrap_or(ScreenPoint::CENTRE);
        let ahead = forecast.map_or(gaze, |forecast| forecast.point);
        let record = Record {
            sequence: round as u64,
            captured_ns: frame.captured.as_nanos(),
            target_ns: target.as_nanos(),
            gaze_x: gaze.x,
            gaze_y: gaze.y,
            forecast_x: ahead.x,
            forecast_y: ahead.y,
            error_radius: forecast.map_or(1.0, |forecast| forecast.error_radius),
            confidence: f64::from(estimate.confidence),
            ..Record::default()
        };
        std::hint::black_box(record.encode());
        Ok(())
    })
}

/// Runs stages and prints their times.
struct Bench<'a> {
    rounds: usize,
    json: bool,
    out: &'a mut Output,
}

impl Bench<'_> {
    const LONGEST_NS: u64 = 60_000_000_000;

    /// Times `rounds` runs after a tenth as many to warm up.
    fn stage(&mut self, stage: &'static str, mut run: impl FnMut(usize) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let warm_up = self.rounds.div_ceil(10);
        let mut nanos: Histogram<u64> = Histogram::new_with_max(Self::LONGEST_NS, 3).context("a histogram")?;
        for round in 0..warm_up + self.rounds {
            let start = Instant::now();
            run(round)?;
            let elapsed = start.elapsed();
            if round >= warm_up {
                nanos.saturating_record(elapsed.as_nanos() as u64);
            }
        }
        let us = |quantile: f64| nanos.value_at_quantile(quantile) as f64 / 1000.0;
        let line = Line {
            stage,
            p50_us: us(0.50),
            p99_us: us(0.99),
        };
        if self.json {
            self.out.json_line(&line)?;
        } else {
            writeln!(
                self.out,
                "{:16} p50 {:8.1} us  p99 {:8.1} us",
                line.stage, line.p50_us, line.p99_us
            )?;
        }
        self.out.flush()?;
        Ok(())
    }
}

/// Two seconds of a synthetic user at 640x480, 30 frames a second, of which blinks are left out: they are no work.
fn frames(seed: u64) -> anyhow::Result<(Arc<SyntheticUser>, Vec<Frame>)> {
    let parameters: Parameters = format!("seed={seed},width=640,height=480,fps=30").parse()?;
    let user = Arc::new(SyntheticUser::new(parameters, Timestamp::from_nanos(0)));
    let mut camera = SyntheticCamera::new(Arc::clone(&user));
    let pool = BufferPool::default();
    let mut frames = Vec::new();
    for index in 0..60 {
        let captured = camera.captured(index);
        if user.truth_at(captured).openness.iter().any(|openness| *openness < 0.5) {
            continue;
        }
        let image = decode::jpeg(camera.expose(index)?.jpeg, &pool)?;
        frames.push(Frame {
            id: FrameId(index),
            captured,
            timestamp_source: TimestampSource::Synthetic,
            image,
        });
    }
    Ok((user, frames))
}

fn faces(image: &GrayImage, weights: &Weights) -> anyhow::Result<Face> {
    FaceTracker::new(weights)?
        .track(image)?
        .context("the nets find no face in the synthetic user's picture: they are damaged or of another version")
}

/// What a calibration of this very user would be made from, so that the timed frames take the way of a calibrated person.
fn samples(user: &SyntheticUser, frames: &[Frame], weights: &Weights) -> anyhow::Result<Vec<Sample>> {
    let mut tracking = Tracking::new(weights, false)?;
    let mut samples = Vec::new();
    for frame in frames {
        if let Seen::Gaze(sighting) = tracking.see(frame, &user.setup())? {
            samples.push(Sample {
                target: user.truth_at(frame.captured).gaze,
                features: sighting.features,
            });
        }
    }
    anyhow::ensure!(
        !samples.is_empty(),
        "the nets see no eyes in the synthetic user's pictures"
    );
    Ok(samples)
}

/// As many samples as a calibration of twenty points gathers, out of fewer: each stands for a dozen frames of one look.
fn twenty_points(samples: &[Sample]) -> Vec<Sample> {
    let spread = samples.iter().step_by(samples.len().div_ceil(20)).cycle().take(20);
    let points = spread.enumerate().map(|(number, sample)| Sample {
        // No two points at one place.
        target: ScreenPoint::new(sample.target.x + 1e-4 * number as f64, sample.target.y),
        ..*sample
    });
    points.flat_map(|point| std::iter::repeat_n(point, 12)).collect()
}

/// The article's net with its two inputs, one an eye.
struct Article {
    state: TypedSimpleState,
    eye: Tensor,
}

impl Article {
    fn load() -> anyhow::Result<Self> {
        let model = tract_onnx::onnx()
            .model_for_read(&mut &*ARTICLE_EYESNET)?
            .into_optimized()?;
        let eye = Tensor::from_shape(&[1, 1, 16, 32], &[0.5_f32; 16 * 32])?;
        Ok(Self {
            state: model.into_runnable()?.spawn()?,
            eye,
        })
    }

    fn run(&mut self) -> anyhow::Result<()> {
        let eye = || self.eye.clone().into();
        std::hint::black_box(self.state.run(tvec!(eye(), eye()))?);
        Ok(())
    }
}
