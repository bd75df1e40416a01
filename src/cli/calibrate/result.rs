//! The window's last page: how good the calibration is, where, and what is to become of it.

use super::report::Report;
use crate::cli::window::{Area, Canvas, Colour, fitted};
use crate::geometry::PointPx;

const INK: Colour = Colour::new(225, 226, 228);
const FAINT: Colour = Colour::new(128, 131, 136);
const PANEL: Colour = Colour::new(50, 53, 58);
const POINT: Colour = Colour::new(245, 246, 248);
const GOOD: Colour = Colour::new(106, 186, 108);
const FAIR: Colour = Colour::new(230, 176, 72);
const POOR: Colour = Colour::new(216, 92, 74);

/// Up to here a region is drawn as good, and as fair; degrees.
const GOOD_DEG: f64 = 1.5;
const FAIR_DEG: f64 = 3.5;

fn colour(error_deg: f64) -> Colour {
    if error_deg <= GOOD_DEG {
        GOOD
    } else if error_deg <= FAIR_DEG {
        FAIR
    } else {
        POOR
    }
}

/// Draws the map of the screen with a ring as large as the error around every point that was checked, and the verdict.
pub fn draw(canvas: &mut Canvas<'_>, report: &Report, keys: &str) {
    let (width, height, line) = (canvas.width(), canvas.height(), canvas.line_height(1));
    let mut y = line;
    canvas.text("How well it works", PointPx::new(width / 2.0, y), 2, true, INK);
    y += 1.6 * canvas.line_height(2);
    let room = Area {
        x: 0.1 * width,
        y,
        width: 0.8 * width,
        height: (height - y - 7.0 * line).max(1.0),
    };
    let map = fitted(width as u32, height as u32, room);
    canvas.block(map, PANEL);
    regions(canvas, report, map);
    points(canvas, report, map);
    y = map.y + map.height + line;
    let verdict = format!("This calibration is {}.", report.verdict());
    let columns = (0.9 * width / canvas.text_width("m", 1).max(1.0)) as usize;
    let numbers = report.numbers().unwrap_or_default();
    for (text, colour) in wrapped(&verdict, columns)
        .into_iter()
        .map(|text| (text, INK))
        .chain(wrapped(&numbers, columns).into_iter().map(|text| (text, FAINT)))
        .chain([(keys.to_owned(), FAINT)])
    {
        canvas.text(&text, PointPx::new(width / 2.0, y), 1, true, colour);
        y += line;
    }
}

/// The mean error of each region in its corner.
fn regions(canvas: &mut Canvas<'_>, report: &Report, map: Area) {
    let scale = canvas.scale();
    for (row, regions) in report.regions_deg().iter().enumerate() {
        for (column, error_deg) in regions.iter().enumerate() {
            let (cell_width, cell_height) = (map.width / regions.len() as f32, map.height / regions.len() as f32);
            let at = PointPx::new(
                map.x + column as f32 * cell_width + 8.0 * scale,
                map.y + row as f32 * cell_height + 4.0 * scale,
            );
            let (text, colour) = match error_deg {
                Some(deg) => (format!("{deg:.1}"), colour(*deg)),
                None => ("-".to_owned(), FAINT),
            };
            canvas.text(&text, at, 1, false, colour);
        }
    }
}

fn points(canvas: &mut Canvas<'_>, report: &Report, map: Area) {
    let scale = canvas.scale();
    // A degree on the map; on a desk a screen is about 48 degrees wide.
    let per_degree = match report.scale.zip(report.screen_width_px()) {
        Some((scale, width_px)) => (scale.px_per_deg / width_px) as f32 * map.width,
        None => map.width / 48.0,
    };
    canvas.within(map, |canvas| {
        for validated in &report.validated {
            let at = PointPx::new(
                map.x + validated.point.x as f32 * map.width,
                map.y + validated.point.y as f32 * map.height,
            );
            let radius = (validated.error_deg as f32 * per_degree).max(3.0 * scale);
            canvas.ring(at, radius, 2.0 * scale, colour(validated.error_deg));
            canvas.disc(at, 3.0 * scale, POINT);
        }
    });
}

/// Breaks a text between words into lines of at most so many letters.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::super::report::Validated;
    use super::*;
    use crate::geometry::ScreenPoint;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensibilities", 3), ["incomprehensibilities"]);
        assert!(wrapped("", 10).is_empty());
    }

    #[test]
    fn a_ring_is_as_large_as_the_error_and_where_the_point_is() {
        let fitted = serde_json::json!({"screen-mm": [480.0, 270.0], "screen-px": [1920, 1080], "distance-mm": 600.0});
        let fitted: Map<_, _> = fitted.as_object().expect("a map").clone();
        let report = Report {
            scale: super::super::report::Scale::of(&fitted),
            fitted,
            validated: vec![Validated {
                point: ScreenPoint::new(0.25, 0.5),
                error_deg: 5.0,
                precision_deg: 1.0,
            }],
            missed: Vec::new(),
        };
        let (width, height) = (960_u32, 540_u32);
        let mut pixels = vec![0; (width * height) as usize];
        let map = Area {
            x: 100.0,
            y: 50.0,
            width: 480.0,
            height: 270.0,
        };
        points(&mut Canvas::new(&mut pixels, width, height, 1), &report, map);
        // 5 degrees are 52 mm; a mm is a pixel here.
        let lit = |x: u32, y: u32| pixels[(y * width + x) as usize] != 0;
        assert!(lit(220, 185), "the point itself");
        assert!(lit(220 + 51, 185) && lit(220 - 51, 185) && !lit(220 + 40, 185) && !lit(220 + 60, 185));
    }
}
