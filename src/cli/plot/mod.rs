//! `gazectl plot`: a recording, samples, forecasts or a watched session as one picture.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use clap::builder::{PathBufValueParser, TypedValueParser};
use plotters::prelude::{IntoDrawingArea, SVGBackend};

use super::forecast::horizon_ms;
use super::window::Canvas;
use super::{LONGEST_S, Output, duration};
use crate::forecast::Method;
use on_canvas::OnCanvas;
use track::Track;

mod heat;
mod on_canvas;
mod panels;
mod read;
mod recorded;
mod track;

const WIDTH: u32 = 1500;
const HEIGHT: u32 = 1180;

/// Draws gaze as a picture: position over time with movements shaded, the forecast, where the gaze was on the screen (heat
/// map and scan path), and how far off forecasts are by horizon.
///
/// INPUT is a recording's folder (its truth.csv or targets are drawn beside the gaze), a CSV of samples
/// (t_s,x_deg,y_deg[,confidence][,truth_x_deg,truth_y_deg]), a CSV that `gazectl forecast` wrote, or lines that `gazectl
/// watch --json` wrote. Where no truth is known, forecasts are held against the gaze measured later.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to draw; - reads standard input
    input: PathBuf,
    /// The picture to write: PNG or SVG, as its name ends
    #[arg(value_parser = PathBufValueParser::new().try_map(Picture::named))]
    picture: Picture,
    #[command(flatten)]
    ahead: Ahead,
    /// Map a recording's gaze with this stored calibration; without it the gaze is rough
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Begin so many seconds after the first sample
    #[arg(long, value_name = "S", value_parser = duration)]
    from: Option<Duration>,
    /// Draw so many seconds; the errors by horizon stay those of the whole
    #[arg(long, value_name = "S", value_parser = duration)]
    seconds: Option<Duration>,
}

/// How to forecast, and how far ahead.
#[derive(Clone, Copy, Debug, clap::Args)]
struct Ahead {
    /// How far ahead the forecasts that are drawn look, in milliseconds (0 to 200), 50 by default; of a CSV of forecasts, how
    /// far ahead they look
    #[arg(long, value_name = "H", value_parser = horizon_ms)]
    horizon_ms: Option<f64>,
    /// How to smooth and forecast samples
    #[arg(long, value_name = "M", value_enum)]
    method: Option<Method>,
}

impl Ahead {
    fn horizon_ms(self) -> f64 {
        self.horizon_ms.unwrap_or(50.0)
    }

    fn method(self) -> Method {
        self.method.unwrap_or_default()
    }

    /// Fails where an option was given that cannot be followed.
    fn refuse(self, why: &str) -> anyhow::Result<()> {
        ensure!(self.method.is_none(), "--method does not apply: {why}");
        ensure!(self.horizon_ms.is_none(), "--horizon-ms does not apply: {why}");
        Ok(())
    }
}

#[derive(Clone, Debug)]
struct Picture {
    path: PathBuf,
    format: Format,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Png,
    Svg,
}

impl Picture {
    fn named(path: PathBuf) -> Result<Self, &'static str> {
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        let format = match ending.as_deref().and_then(|ending| ending.to_str()) {
            Some("png") => Format::Png,
            Some("svg") => Format::Svg,
            _ => return Err("it must end with .png or .svg"),
        };
        Ok(Self { path, format })
    }
}

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let Picture { path, format } = &args.picture;
    let mut track = if args.input.is_dir() {
        recorded::read(&args.input, args.profile.as_deref(), args.ahead)?
    } else {
        ensure!(
            args.profile.is_none(),
            "--profile goes with a recording; here the gaze is known already"
        );
        read::read(&args.input, args.ahead)?
    };
    let from_s = args.from.map_or(0.0, |from| from.as_secs_f64());
    track.cut(from_s, args.seconds.map_or(LONGEST_S, |length| length.as_secs_f64()));
    if track.moments.is_empty() {
        bail!(
            "there is nothing from {from_s} s on: {} is shorter",
            args.input.display()
        );
    }
    let summary = summary(&track);
    let name = args.input.file_name().unwrap_or(args.input.as_os_str());
    let title = format!("{}: {summary}", name.display());
    match format {
        Format::Png => png(path, &track, &title),
        Format::Svg => svg(path, &track, &title),
    }?;
    writeln!(out, "{summary}")?;
    Ok(())
}

fn summary(track: &Track) -> String {
    let count = track.moments.len();
    let seen = track.filtered().count();
    let seconds = match (track.moments.first(), track.moments.last()) {
        (Some(first), Some(last)) => last.t_s - first.t_s,
        _ => 0.0,
    };
    let mut text = format!("{count} samples in {seconds:.1} s, {seen} of them with gaze");
    if !track.stills {
        text += &format!(", {} fixations", track.fixations().len());
    }
    if let Some(error) = track
        .errors
        .iter()
        .rfind(|error| error.horizon_ms <= track.horizon_ms + 0.5)
    {
        text += &format!(
            "; {:.0} ms ahead off by {:.2} degrees in the mean, held {:.2}",
            error.horizon_ms, error.forecast_deg, error.hold_deg
        );
    }
    text
}

fn png(path: &Path, track: &Track, title: &str) -> anyhow::Result<()> {
    let mut pixels = vec![0; (WIDTH * HEIGHT) as usize];
    let mut canvas = Canvas::new(&mut pixels, WIDTH, HEIGHT, 1);
    let root = OnCanvas::new(&mut canvas).into_drawing_area();
    panels::draw(&root, track, title).map_err(|error| anyhow!("the picture cannot be drawn: {error}"))?;
    drop(root);
    let bytes: Vec<u8> = pixels
        .iter()
        .flat_map(|pixel| pixel.to_be_bytes().into_iter().skip(1))
        .collect();
    image::save_buffer(path, &bytes, WIDTH, HEIGHT, image::ExtendedColorType::Rgb8)
        .with_context(|| format!("{} cannot be written", path.display()))
}

fn svg(path: &Path, track: &Track, title: &str) -> anyhow::Result<()> {
    let mut text = String::new();
    let root = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
    panels::draw(&root, track, title).map_err(|error| anyhow!("the picture cannot be drawn: {error}"))?;
    drop(root);
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}
