//! The panels of a picture: position over time, the screen with heat map and scan path, error by horizon.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::heat::Heat;
use super::track::{At, Track};
use crate::geometry::VisualAngle;
use crate::movement::Movement;

const INK: RGBColor = RGBColor(40, 42, 46);
const GRID: RGBColor = RGBColor(228, 229, 232);
const TRUTH: RGBColor = RGBColor(70, 130, 200);
const GAZE: RGBColor = RGBColor(200, 70, 40);
const FORECAST: RGBColor = RGBColor(120, 60, 170);
const SAMPLE: RGBColor = RGBColor(160, 163, 168);
const SCREEN: RGBColor = RGBColor(90, 92, 96);
const SACCADE: RGBColor = RGBColor(253, 230, 200);
const PURSUIT: RGBColor = RGBColor(216, 238, 214);
const BLINK: RGBColor = RGBColor(222, 226, 240);
const LOST: RGBColor = RGBColor(232, 232, 232);

/// Points further apart in time are not joined.
const LONGEST_GAP_S: f64 = 0.15;
/// More fixations than this are drawn without numbers.
const NUMBERED: usize = 40;
/// Room above a panel for its name.
const CAPTION: i32 = 30;
const FONT: (&str, u32) = ("sans-serif", 17);

type Area<DB> = DrawingArea<DB, Shift>;
type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Draws everything that is known of a track.
pub fn draw<DB: DrawingBackend>(root: &Area<DB>, track: &Track, title: &str) -> Drawn<DB> {
    root.fill(&WHITE)?;
    let (head, rest) = root.split_vertically(64);
    let (width, height) = rest.dim_in_pixel();
    legend(&head, track, title)?;
    let (above, below) = rest.split_vertically(height * 50 / 100);
    let rows = above.split_evenly((2, 1));
    for (row, name, of) in [
        (
            &rows[0],
            "horizontal, degrees (right is up)",
            (|at| at.x_deg) as fn(VisualAngle) -> f64,
        ),
        (&rows[1], "vertical, degrees (up is up)", |at| -at.y_deg),
    ] {
        over_time(row, track, name, of)?;
    }
    if track.errors.is_empty() {
        return on_screen(&below, track);
    }
    let (left, right) = below.split_horizontally(width * 64 / 100);
    on_screen(&left, track)?;
    by_horizon(&right, track)
}

fn legend<DB: DrawingBackend>(area: &Area<DB>, track: &Track, title: &str) -> Drawn<DB> {
    let font = FONT.into_font().color(&INK);
    area.draw(&Text::new(title.to_owned(), (16, 8), font.clone()))?;
    let mut x = 16;
    let has = |movement| track.moments.iter().any(|moment| moment.movement == movement);
    let sampled = track.moments.iter().any(|moment| moment.sample.is_some());
    let forecast = format!("forecast, {:.0} ms ahead", track.horizon_ms);
    for (name, colour, shown) in [
        (track.reference.name(), TRUTH, !track.truth.is_empty()),
        ("measured", SAMPLE, sampled && !track.stills),
        (if track.stills { "gaze" } else { "filtered gaze" }, GAZE, true),
        (&*forecast, FORECAST, !track.forecasts.is_empty()),
        ("saccade", SACCADE, has(Movement::Saccade)),
        ("pursuit", PURSUIT, has(Movement::Pursuit)),
        ("blink", BLINK, has(Movement::Blink)),
        ("lost", LOST, has(Movement::Lost)),
    ] {
        if shown {
            area.draw(&Rectangle::new([(x, 38), (x + 16, 54)], colour.filled()))?;
            area.draw(&Text::new(name.to_owned(), (x + 22, 35), font.clone()))?;
            let (text_width, _) = area.estimate_text_size(name, &font)?;
            x += 22 + text_width as i32 + 22;
        }
    }
    Ok(())
}

fn over_time<DB: DrawingBackend>(area: &Area<DB>, track: &Track, name: &str, of: fn(VisualAngle) -> f64) -> Drawn<DB> {
    let times = || track.moments.iter().map(|moment| moment.t_s);
    let (start_s, end_s) = (times().next().unwrap_or(0.0), times().next_back().unwrap_or(1.0));
    let filtered: Vec<At> = track.filtered().collect();
    let values = filtered.iter().chain(&track.truth).map(|(_, at)| of(*at));
    let range = robust_range(values.collect());
    let mut chart = ChartBuilder::on(area)
        .margin(6)
        .margin_top(CAPTION)
        .margin_right(16)
        .x_label_area_size(28)
        .y_label_area_size(64)
        .build_cartesian_2d(start_s..end_s.max(start_s + 1e-3), range.clone())?;
    for (movement, from_s, to_s) in track.movements() {
        let colour = match movement {
            Movement::Fixation => continue,
            Movement::Saccade => SACCADE,
            Movement::Pursuit => PURSUIT,
            Movement::Blink => BLINK,
            Movement::Lost => LOST,
        };
        chart.draw_series([Rectangle::new(
            [(from_s, range.start), (to_s, range.end)],
            colour.filled(),
        )])?;
    }
    chart
        .configure_mesh()
        .light_line_style(WHITE.mix(0.0))
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_labels(12)
        .y_labels(6)
        .label_style(FONT.into_font().color(&INK))
        .x_label_formatter(&|t_s| format!("{t_s:.1} s"))
        .y_label_formatter(&|deg| format!("{deg:.0}"))
        .draw()?;
    let held = |at: &VisualAngle| of(*at).clamp(range.start, range.end);
    let samples = track
        .moments
        .iter()
        .filter_map(|moment| Some((moment.t_s, moment.sample?)));
    if !track.stills {
        chart.draw_series(samples.map(|(t_s, at)| Circle::new((t_s, held(&at)), 2, SAMPLE.filled())))?;
    }
    for (line, colour) in [(&track.truth, TRUTH), (&track.forecasts, FORECAST), (&filtered, GAZE)] {
        if track.stills {
            chart.draw_series(
                line.iter()
                    .map(|(t_s, at)| Circle::new((*t_s, held(at)), 2, colour.filled())),
            )?;
            continue;
        }
        for run in line.chunk_by(|a, b| b.0 - a.0 <= LONGEST_GAP_S) {
            let points = run.iter().map(|(t_s, at)| (*t_s, held(at)));
            chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
        }
    }
    let corner = FONT.into_font().color(&INK);
    area.draw(&Text::new(name.to_owned(), (70, 4), corner))
}

/// Where most values are, with room around; wild ones are drawn at its edge.
fn robust_range(mut values: Vec<f64>) -> Range<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let (Some(last), false) = (values.len().checked_sub(1), values.is_empty()) else {
        return -1.0..1.0;
    };
    let (low, high) = (values[last / 100], values[last - last / 100]);
    let room = (0.12 * (high - low)).max(0.5);
    low - room..high + room
}

/// Heat map and scan path; right is right and down is down.
fn on_screen<DB: DrawingBackend>(area: &Area<DB>, track: &Track) -> Drawn<DB> {
    let filtered: Vec<At> = track.filtered().collect();
    let x = robust_range(filtered.iter().chain(&track.truth).map(|(_, at)| at.x_deg).collect());
    let y = robust_range(filtered.iter().chain(&track.truth).map(|(_, at)| -at.y_deg).collect());
    let (x, y) = match track.screen {
        Some(half) => (
            x.start.min(-half.x_deg - 1.0).max(-2.0 * half.x_deg)..x.end.max(half.x_deg + 1.0).min(2.0 * half.x_deg),
            y.start.min(-half.y_deg - 1.0).max(-2.0 * half.y_deg)..y.end.max(half.y_deg + 1.0).min(2.0 * half.y_deg),
        ),
        None => (x, y),
    };
    let (x, y) = in_shape(x, y, area.dim_in_pixel());
    let mut chart = ChartBuilder::on(area)
        .margin(6)
        .margin_top(CAPTION)
        .margin_right(16)
        .x_label_area_size(28)
        .y_label_area_size(64)
        .build_cartesian_2d(x.clone(), y.clone())?;
    if !track.stills {
        chart.draw_series(Heat::of(&filtered, &x, &y).cells())?;
    }
    chart
        .configure_mesh()
        .disable_mesh()
        .axis_style(INK)
        .x_labels(10)
        .y_labels(8)
        .label_style(FONT.into_font().color(&INK))
        .x_label_formatter(&|deg| format!("{deg:.0}"))
        .y_label_formatter(&|deg| format!("{deg:.0}"))
        .draw()?;
    if let Some(half) = track.screen {
        let corners = [(-half.x_deg, half.y_deg), (half.x_deg, -half.y_deg)];
        chart.draw_series([Rectangle::new(corners, SCREEN.stroke_width(2))])?;
    }
    if track.stills {
        let place = |(_, at): &At| (at.x_deg, -at.y_deg);
        chart.draw_series(track.truth.iter().map(|at| Circle::new(place(at), 3, TRUTH.filled())))?;
        chart.draw_series(filtered.iter().map(|at| Circle::new(place(at), 2, GAZE.filled())))?;
    }
    let fixations = track.fixations();
    let place = |at: VisualAngle| (at.x_deg, -at.y_deg);
    let path = fixations.iter().map(|fixation| place(fixation.at));
    chart.draw_series(LineSeries::new(path, GAZE))?;
    let centred = FONT.into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Center));
    for (number, fixation) in (1..).zip(&fixations) {
        // The area of the disc grows with the time.
        let radius = (30.0 * fixation.duration_s.sqrt()).clamp(4.0, 60.0) as i32;
        let at = place(fixation.at);
        chart.draw_series([Circle::new(at, radius, GAZE.stroke_width(2))])?;
        if fixations.len() <= NUMBERED {
            chart.draw_series([Text::new(number.to_string(), at, centred.clone())])?;
        }
    }
    let name = match (track.screen, track.stills) {
        (_, true) => "on the screen, degrees",
        (Some(_), false) => "heat map and scan path on the screen, degrees",
        (None, false) => "heat map and scan path, degrees",
    };
    area.draw(&Text::new(name.to_owned(), (70, 4), FONT.into_font().color(&INK)))
}

/// Widens one of the ranges so that a degree is as long across as down.
fn in_shape(x: Range<f64>, y: Range<f64>, (width, height): (u32, u32)) -> (Range<f64>, Range<f64>) {
    let (width, height) = (f64::from(width.max(100)) - 86.0, f64::from(height.max(80)) - 64.0);
    let deg_per_px = ((x.end - x.start) / width).max((y.end - y.start) / height);
    let around = |range: Range<f64>, px: f64| {
        let (middle, half) = (0.5 * (range.start + range.end), 0.5 * px * deg_per_px);
        middle - half..middle + half
    };
    (around(x, width), around(y, height))
}

fn by_horizon<DB: DrawingBackend>(area: &Area<DB>, track: &Track) -> Drawn<DB> {
    let errors = &track.errors;
    let last_ms = errors.last().map_or(1.0, |error| error.horizon_ms).max(1.0);
    let most = errors
        .iter()
        .map(|error| error.forecast_deg.max(error.hold_deg))
        .fold(0.1, f64::max);
    let mut chart = ChartBuilder::on(area)
        .margin(6)
        .margin_top(CAPTION)
        .margin_right(24)
        .x_label_area_size(28)
        .y_label_area_size(64)
        .build_cartesian_2d(-0.04 * last_ms..1.06 * last_ms, 0.0..1.45 * most)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE.mix(0.0))
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_labels(6)
        .y_labels(6)
        .label_style(FONT.into_font().color(&INK))
        .x_label_formatter(&|ms| format!("{ms:.0} ms"))
        .y_label_formatter(&|deg| format!("{deg:.1}"))
        .draw()?;
    let centred = |colour: &RGBColor, v_pos| FONT.into_font().color(colour).pos(Pos::new(HPos::Center, v_pos));
    for (of, colour, place) in [
        (
            (|error| error.hold_deg) as fn(&super::track::HorizonError) -> f64,
            SCREEN,
            VPos::Bottom,
        ),
        (|error| error.forecast_deg, FORECAST, VPos::Top),
    ] {
        let points: Vec<(f64, f64)> = errors.iter().map(|error| (error.horizon_ms, of(error))).collect();
        chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
        chart.draw_series(points.iter().map(|at| Circle::new(*at, 4, colour.filled())))?;
        if let Some(at) = points.last() {
            chart.draw_series([Text::new(format!("{:.2}", at.1), *at, centred(&colour, place))])?;
        }
    }
    let font = FONT.into_font();
    let y = 4;
    area.draw(&Text::new(
        "mean error by horizon, degrees",
        (70, y),
        font.clone().color(&INK),
    ))?;
    area.draw(&Text::new(
        format!("against {}", track.reference.name()),
        (80, y + 34),
        font.clone().color(&INK),
    ))?;
    area.draw(&Text::new("forecast", (80, y + 56), font.clone().color(&FORECAST)))?;
    area.draw(&Text::new("newest sample held", (190, y + 56), font.color(&SCREEN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_degree_is_as_long_across_as_down() {
        let (x, y) = in_shape(-10.0..10.0, -1.0..1.0, (686, 364));
        assert!(((x.end - x.start) / 600.0 - (y.end - y.start) / 300.0).abs() < 1e-9);
        assert!(x.start <= -10.0 && y.end >= 1.0);
    }

    #[test]
    fn wild_values_do_not_decide_the_range() {
        let mut values: Vec<f64> = (0..1000).map(|n| f64::from(n % 10)).collect();
        values.extend([1e300, f64::NAN, -1e300]);
        let range = robust_range(values);
        assert!(range.start > -3.0 && range.end < 12.0, "{range:?}");
        assert_eq!(robust_range(Vec::new()), -1.0..1.0);
    }
}
