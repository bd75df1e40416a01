//! The heat map: how long the gaze was where, smoothed.

use std::ops::Range;

use plotters::element::Rectangle;
use plotters::style::{Color, RGBColor};

use super::track::At;

/// The heat map is as smooth as foveal vision is wide: the fovea spans about two degrees.
const HEAT_SD_DEG: f64 = 1.0;
const HEAT_CELLS: usize = 110;

/// How long the gaze was where.
pub struct Heat {
    size_deg: f64,
    origin: (f64, f64),
    columns: usize,
    density: Vec<f64>,
}

impl Heat {
    pub fn of(gaze: &[At], x: &Range<f64>, y: &Range<f64>) -> Self {
        let size_deg = (x.end - x.start) / HEAT_CELLS as f64;
        let rows = ((y.end - y.start) / size_deg).floor().max(1.0) as usize;
        let mut density = vec![0.0; HEAT_CELLS * rows];
        let reach = (3.0 * HEAT_SD_DEG / size_deg).ceil().min(HEAT_CELLS as f64) as i64;
        for (_, at) in gaze {
            let column = ((at.x_deg - x.start) / size_deg).floor() as i64;
            let row = ((-at.y_deg - y.start) / size_deg).floor() as i64;
            // What is far beyond the edges warms nothing within them, and would not fit into the sums.
            if column.saturating_abs().max(row.saturating_abs()) > 1 << 32 {
                continue;
            }
            for r in (row - reach).max(0)..=(row + reach).min(rows as i64 - 1) {
                for c in (column - reach).max(0)..=(column + reach).min(HEAT_CELLS as i64 - 1) {
                    let (dx, dy) = ((c - column) as f64 * size_deg, (r - row) as f64 * size_deg);
                    let away = (dx * dx + dy * dy) / (2.0 * HEAT_SD_DEG * HEAT_SD_DEG);
                    density[r as usize * HEAT_CELLS + c as usize] += (-away).exp();
                }
            }
        }
        Self {
            size_deg,
            origin: (x.start, y.start),
            columns: HEAT_CELLS,
            density,
        }
    }

    pub fn cells(&self) -> impl Iterator<Item = Rectangle<(f64, f64)>> {
        let most = self.density.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        self.density.iter().enumerate().filter_map(move |(index, density)| {
            // The root lets short visits be seen beside long ones.
            let heat = (density / most).sqrt();
            let (column, row) = ((index % self.columns) as f64, (index / self.columns) as f64);
            let low = (
                self.origin.0 + column * self.size_deg,
                self.origin.1 + row * self.size_deg,
            );
            let high = (low.0 + self.size_deg, low.1 + self.size_deg);
            (heat > 0.03).then(|| Rectangle::new([low, high], warm(heat).filled()))
        })
    }
}

/// From white over yellow to orange.
fn warm(heat: f64) -> RGBColor {
    let mix = |from: f64, to: f64, share: f64| (from + (to - from) * share).round() as u8;
    if heat < 0.5 {
        RGBColor(255, mix(255.0, 236.0, 2.0 * heat), mix(255.0, 150.0, 2.0 * heat))
    } else {
        let share = 2.0 * heat - 1.0;
        RGBColor(
            mix(255.0, 246.0, share),
            mix(236.0, 160.0, share),
            mix(150.0, 70.0, share),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::VisualAngle;

    #[test]
    fn the_heat_is_where_the_gaze_was() {
        let gaze = [
            (0.0, VisualAngle::new(5.0, 2.0)),
            (0.1, VisualAngle::new(f64::NAN, 1e300)),
        ];
        let heat = Heat::of(&gaze, &(-10.0..10.0), &(-5.0..5.0));
        let hottest = heat
            .density
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1))
            .map(|(index, _)| index);
        let (column, row) = hottest
            .map(|index| (index % HEAT_CELLS, index / HEAT_CELLS))
            .expect("cells");
        let x = -10.0 + (column as f64 + 0.5) * heat.size_deg;
        let y = -5.0 + (row as f64 + 0.5) * heat.size_deg;
        assert!((x - 5.0).abs() < 0.2 && (y + 2.0).abs() < 0.2, "{x} {y}");
    }
}
