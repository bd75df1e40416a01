//! The drawings of a report, as SVG inside the page.

use std::fmt::Write;

use super::measured::Measured;
use crate::calibration::quality::Answers;
use crate::cli::regions::REGIONS;

/// Width of the screen in a drawing; gaze beyond its edges is drawn in the margin.
const WIDTH: f64 = 840.0;
const MARGIN: f64 = 70.0;
/// From this accuracy on a region is as red as it gets.
const BAD_DEG: f64 = 6.0;

/// The screen with the mean accuracy of each region, every point, and an arrow from it to the mean gaze.
pub fn accuracy_map(measured: &Measured) -> String {
    let height = WIDTH * measured.screen.height_mm / measured.screen.width_mm;
    let (full_width, full_height) = (WIDTH + 2.0 * MARGIN, height + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {full_width:.0} {full_height:.0}\" role=\"img\" aria-label=\"accuracy map\">\n<defs><marker \
         id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path \
         d=\"M0,0 L8,4 L0,8 z\" fill=\"#c84628\"/></marker></defs>\n"
    );
    let mut names = String::new();
    for (row, regions) in measured.regions().iter().enumerate() {
        for (column, accuracy_deg) in regions.iter().enumerate() {
            let (cell_width, cell_height) = (WIDTH / REGIONS as f64, height / REGIONS as f64);
            let (x, y) = (MARGIN + column as f64 * cell_width, MARGIN + row as f64 * cell_height);
            let (fill, text) = match accuracy_deg {
                Some(deg) => (colour(*deg), format!("{deg:.2}\u{b0}")),
                None => ("#f4f4f4".to_owned(), "\u{2013}".to_owned()),
            };
            // Writing into a String cannot fail.
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{cell_width:.1}\" height=\"{cell_height:.1}\" fill=\"{fill}\" \
                 stroke=\"#fff\"/>"
            );
            let _ = writeln!(
                names,
                "<text x=\"{:.1}\" y=\"{:.1}\" class=\"region\">{text}</text>",
                x + 8.0,
                y + 20.0
            );
        }
    }
    let _ = writeln!(
        svg,
        "<rect x=\"{MARGIN}\" y=\"{MARGIN}\" width=\"{WIDTH}\" height=\"{height:.1}\" fill=\"none\" stroke=\"#5a5c60\" \
         stroke-width=\"2\"/>"
    );
    for answers in &measured.points {
        let to = measured.answered(answers);
        let place = |x: f64, y: f64| {
            (
                (MARGIN + x * WIDTH).clamp(2.0, full_width - 2.0),
                (MARGIN + y * height).clamp(2.0, full_height - 2.0),
            )
        };
        let ((x1, y1), (x2, y2)) = (place(answers.at.x, answers.at.y), place(to.x, to.y));
        let _ = writeln!(
            svg,
            "<circle cx=\"{x1:.1}\" cy=\"{y1:.1}\" r=\"4\" fill=\"#4682c8\"/><line x1=\"{x1:.1}\" y1=\"{y1:.1}\" \
             x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#c84628\" stroke-width=\"1.6\" marker-end=\"url(#tip)\"/>"
        );
    }
    svg + &names + "</svg>\n"
}

/// From green over yellow to red.
fn colour(accuracy_deg: f64) -> String {
    let badness = (accuracy_deg / BAD_DEG).clamp(0.0, 1.0);
    format!("hsl({:.0} 70% 85%)", 120.0 * (1.0 - badness))
}

/// Which share of the points is off by at most so much.
pub fn distribution(measured: &Measured) -> String {
    const LEFT: f64 = 60.0;
    const TOP: f64 = 20.0;
    const PLOT: (f64, f64) = (760.0, 220.0);
    let mut errors: Vec<f64> = measured.points.iter().map(Answers::accuracy_deg).collect();
    errors.sort_by(f64::total_cmp);
    let most = errors.last().copied().unwrap_or(1.0).clamp(1.0, 30.0).ceil();
    let place = |deg: f64, share: f64| (LEFT + deg.min(most) / most * PLOT.0, TOP + (1.0 - share) * PLOT.1);
    let mut svg = String::from("<svg viewBox=\"0 0 860 290\" role=\"img\" aria-label=\"distribution of errors\">\n");
    for percent in [0, 25, 50, 75, 100] {
        let (x, y) = place(0.0, f64::from(percent) / 100.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" stroke=\"#e4e5e8\"/><text x=\"{:.1}\" y=\"{:.1}\" \
             class=\"tick end\">{percent} %</text>",
            x + PLOT.0,
            x - 8.0,
            y + 5.0,
        );
    }
    let step = (most / 10.0).ceil().max(1.0);
    let mut deg = 0.0;
    while deg <= most {
        let (x, y) = place(deg, 0.0);
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" class=\"tick middle\">{deg:.0}\u{b0}</text>",
            y + 22.0
        );
        deg += step;
    }
    let mut path = String::new();
    let (x, y) = place(0.0, 0.0);
    let _ = write!(path, "M{x:.1},{y:.1}");
    for (index, error) in errors.iter().enumerate() {
        let (before, after) = (
            index as f64 / errors.len() as f64,
            (index + 1) as f64 / errors.len() as f64,
        );
        let ((x, low), (_, high)) = (place(*error, before), place(*error, after));
        let _ = write!(path, " L{x:.1},{low:.1} L{x:.1},{high:.1}");
    }
    let _ = writeln!(
        svg,
        "<path d=\"{path}\" fill=\"none\" stroke=\"#c84628\" stroke-width=\"2\"/>"
    );
    svg + "</svg>\n"
}
