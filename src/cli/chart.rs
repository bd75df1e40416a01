//! `gazectl chart`: what `gazectl watch --json` wrote, as a picture.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::Output;
use super::window::{Area, Canvas, Colour};
use crate::bus::record::Record;
use crate::geometry::{PointPx, ScreenPoint};

/// Draws what `gazectl watch --json` wrote: the way of the gaze on the screen, and both coordinates over time.
///
/// With the synthetic user, where it really looked is drawn, too.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Lines of JSON as `gazectl watch --json` prints them; - reads standard input
    input: PathBuf,
    /// The PNG to write
    picture: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Line {
    #[serde(flatten)]
    record: Record,
    truth_x: Option<f64>,
    truth_y: Option<f64>,
}

/// One moment of the chart.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Moment {
    seconds: f64,
    /// `None` where nothing valid was measured.
    gaze: Option<ScreenPoint>,
    truth: Option<ScreenPoint>,
}

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let moments = read(&args.input)?;
    let mut pixels = vec![0; (WIDTH * HEIGHT) as usize];
    draw(&mut Canvas::new(&mut pixels, WIDTH, HEIGHT, 1), &moments);
    let bytes: Vec<u8> = pixels
        .iter()
        .flat_map(|pixel| pixel.to_be_bytes().into_iter().skip(1))
        .collect();
    image::save_buffer(&args.picture, &bytes, WIDTH, HEIGHT, image::ExtendedColorType::Rgb8).with_context(|| {
        format!(
            "{} cannot be written (its name should end with .png)",
            args.picture.display()
        )
    })?;
    writeln!(out, "{}", summary(&moments))?;
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<Moment>> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    let text = text.with_context(|| format!("{} cannot be read", path.display()))?;
    let mut moments = Vec::new();
    let mut start = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line: Line = serde_json::from_str(line).with_context(|| {
            format!(
                "{}, line {number}: not a sample of `gazectl watch --json`",
                path.display()
            )
        })?;
        let captured_ns = line.record.captured_ns;
        let seconds = captured_ns.saturating_sub(*start.get_or_insert(captured_ns)) as f64 * 1e-9;
        let valid = line.record.is_valid();
        moments.push(Moment {
            seconds,
            gaze: valid.then(|| ScreenPoint::new(line.record.gaze_x, line.record.gaze_y)),
            truth: line.truth_x.zip(line.truth_y).map(|(x, y)| ScreenPoint::new(x, y)),
        });
    }
    if moments.is_empty() {
        bail!(
            "{} holds no sample; was the camera covered, or the time too short?",
            path.display()
        );
    }
    Ok(moments)
}

/// The median distance from the truth in widths and heights of the screen; `None` where there is no truth.
fn median_error(moments: &[Moment]) -> Option<(f64, f64)> {
    let pairs: Vec<_> = moments
        .iter()
        .filter_map(|moment| moment.gaze.zip(moment.truth))
        .collect();
    let median = |of: fn(&(ScreenPoint, ScreenPoint)) -> f64| {
        let mut values: Vec<f64> = pairs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    median(|(gaze, truth)| (gaze.x - truth.x).abs()).zip(median(|(gaze, truth)| (gaze.y - truth.y).abs()))
}

fn summary(moments: &[Moment]) -> String {
    let seconds = moments.last().map_or(0.0, |moment| moment.seconds);
    let valid = moments.iter().filter(|moment| moment.gaze.is_some()).count();
    let count = format!("{} samples in {seconds:.1} s, {valid} of them valid", moments.len());
    match median_error(moments) {
        Some((x, y)) => format!(
            "{count}; median error {:.1} % of the screen's width and {:.1} % of its height",
            x * 100.0,
            y * 100.0
        ),
        None => count,
    }
}

const WIDTH: u32 = 1200;
const HEIGHT: u32 = 980;
const PAPER: Colour = Colour::new(250, 250, 248);
const SCREEN: Colour = Colour::new(236, 237, 240);
const INK: Colour = Colour::new(40, 42, 46);
const FAINT: Colour = Colour::new(200, 202, 206);
const TRUTH: Colour = Colour::new(70, 130, 200);
const GAZE: Colour = Colour::new(200, 70, 40);
/// Samples further apart than this are not joined by a line.
const LONGEST_GAP_S: f64 = 0.25;
const MAP: Area = Area {
    x: 60.0,
    y: 80.0,
    width: 1080.0,
    height: 500.0,
};
/// The curves over time, one below the other.
const CURVES: [Area; 2] = [
    Area {
        x: 60.0,
        y: 620.0,
        width: 1080.0,
        height: 150.0,
    },
    Area {
        x: 60.0,
        y: 800.0,
        width: 1080.0,
        height: 150.0,
    },
];

fn draw(canvas: &mut Canvas<'_>, moments: &[Moment]) {
    canvas.fill(PAPER);
    canvas.text(&summary(moments), PointPx::new(60.0, 14.0), 1, false, INK);
    let mut x = 60.0;
    for (name, colour, present) in [
        (
            "where it really looked",
            TRUTH,
            moments.iter().any(|moment| moment.truth.is_some()),
        ),
        ("measured gaze", GAZE, true),
    ] {
        if present {
            canvas.disc(PointPx::new(x + 6.0, 54.0), 6.0, colour);
            canvas.text(name, PointPx::new(x + 20.0, 43.0), 1, false, INK);
            x += 60.0 + canvas.text_width(name, 1);
        }
    }
    // The screen keeps a margin for gaze beyond its edges.
    let screen = Area {
        x: MAP.x + 130.0,
        y: MAP.y + 20.0,
        width: 818.0,
        height: 460.0,
    };
    canvas.block(MAP, FAINT);
    canvas.block(screen, SCREEN);
    let on_map = |point: ScreenPoint, _: f64| {
        let at = PointPx::new(
            screen.x + point.x as f32 * screen.width,
            screen.y + point.y as f32 * screen.height,
        );
        PointPx::new(
            at.x.clamp(MAP.x, MAP.x + MAP.width),
            at.y.clamp(MAP.y, MAP.y + MAP.height),
        )
    };
    path(canvas, moments, TRUTH, |moment| moment.truth, on_map);
    path(canvas, moments, GAZE, |moment| moment.gaze, on_map);
    for moment in moments {
        if let Some(gaze) = moment.gaze {
            canvas.disc(on_map(gaze, 0.0), 2.5, GAZE);
        }
    }
    let end = moments.last().map_or(1.0, |moment| moment.seconds.max(1e-3));
    for (area, name, of) in [
        (CURVES[0], "x", (|point: ScreenPoint| point.x) as fn(ScreenPoint) -> f64),
        (CURVES[1], "y", |point| point.y),
    ] {
        canvas.block(area, SCREEN);
        canvas.text(
            name,
            PointPx::new(area.x - 28.0, area.y + area.height / 2.0 - 10.0),
            1,
            false,
            INK,
        );
        for edge in [0.0, 1.0] {
            let y = area.y + level(edge) * area.height;
            canvas.line(
                PointPx::new(area.x, y),
                PointPx::new(area.x + area.width, y),
                1.0,
                FAINT,
            );
            canvas.text(
                if edge == 0.0 { "0" } else { "1" },
                PointPx::new(area.x + area.width + 8.0, y - 10.0),
                1,
                false,
                INK,
            );
        }
        let on_curve = |point: ScreenPoint, seconds: f64| {
            PointPx::new(
                area.x + (seconds / end) as f32 * area.width,
                area.y + level(of(point)).clamp(0.0, 1.0) * area.height,
            )
        };
        path(canvas, moments, TRUTH, |moment| moment.truth, on_curve);
        path(canvas, moments, GAZE, |moment| moment.gaze, on_curve);
    }
    canvas.text(&format!("{end:.0} s"), PointPx::new(1100.0, 954.0), 1, false, INK);
}

/// The height of a coordinate in its curve: the screen takes the middle, with a margin beyond both edges.
fn level(coordinate: f64) -> f32 {
    (0.1 + 0.8 * coordinate) as f32
}

/// Joins what `of` gives wherever it gives something twice in a row.
fn path(
    canvas: &mut Canvas<'_>,
    moments: &[Moment],
    colour: Colour,
    of: impl Fn(&Moment) -> Option<ScreenPoint>,
    place: impl Fn(ScreenPoint, f64) -> PointPx,
) {
    for pair in moments.windows(2) {
        if let (Some(a), Some(b)) = (of(&pair[0]), of(&pair[1]))
            && pair[1].seconds - pair[0].seconds <= LONGEST_GAP_S
        {
            canvas.line(place(a, pair[0].seconds), place(b, pair[1].seconds), 1.6, colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(offset: f64) -> Vec<Moment> {
        (0..100)
            .map(|i| {
                let truth = ScreenPoint::new(0.2 + 0.006 * f64::from(i), 0.3);
                Moment {
                    seconds: f64::from(i) / 30.0,
                    gaze: (i % 10 > 0).then(|| ScreenPoint::new(truth.x + offset, truth.y - 2.0 * offset)),
                    truth: Some(truth),
                }
            })
            .collect()
    }

    #[test]
    fn the_error_is_that_of_valid_samples() {
        let (x, y) = median_error(&moments(0.02)).expect("there is a truth");
        assert!((x - 0.02).abs() < 1e-9 && (y - 0.04).abs() < 1e-9);
        assert_eq!(median_error(&[]), None);
        assert!(summary(&moments(0.02)).starts_with("100 samples in 3.3 s, 90 of them valid; median error 2.0 %"));
    }

    #[test]
    fn both_ways_are_drawn_and_wild_values_do_no_harm() {
        let mut pixels = vec![0; (WIDTH * HEIGHT) as usize];
        let mut wild = moments(0.1);
        wild[5].gaze = Some(ScreenPoint::new(f64::INFINITY, f64::NAN));
        wild[6].truth = Some(ScreenPoint::new(-1e300, 1e300));
        draw(&mut Canvas::new(&mut pixels, WIDTH, HEIGHT, 1), &wild);
        let shown = |red: u32, green: u32, blue: u32| {
            pixels
                .iter()
                .filter(|pixel| **pixel == red << 16 | green << 8 | blue)
                .count()
        };
        assert!(shown(70, 130, 200) > 300 && shown(200, 70, 40) > 300);
    }
}
