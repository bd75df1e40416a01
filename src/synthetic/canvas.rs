//! The picture behind a pinhole: triangles with a depth buffer, lines, and the way from the head frame to pixels and back.

use std::ops::Range;

use super::eyeball::Vec3;
use super::person::{Colour, mix};
use super::user::Moment;

/// Light on the sensor, pixel by pixel, and how near what was drawn there is.
pub(crate) struct Canvas {
    pub(crate) width: usize,
    pub(crate) height: usize,
    focal_px: f64,
    centre_px: [f64; 2],
    /// Linear RGB, row by row.
    pub(crate) light: Vec<Colour>,
    pub(crate) depth: DepthBuffer,
}

impl Canvas {
    pub(crate) fn new(width: usize, height: usize, focal_px: f64, centre_px: [f64; 2]) -> Self {
        Self {
            width,
            height,
            focal_px,
            centre_px,
            light: vec![[0.0; 3]; width * height],
            depth: DepthBuffer::new(width, height),
        }
    }

    /// Pixels of one mm at a depth.
    pub(crate) fn px_per_mm(&self, depth_mm: f64) -> f64 {
        self.focal_px / depth_mm
    }

    /// Column, row and depth (mm) of a point in camera space. Behind the camera there is no picture: depths below 1 mm
    /// count as 1 mm.
    pub(crate) fn project(&self, at: &Vec3) -> [f64; 3] {
        let depth = at.z.max(1.0);
        [
            self.centre_px[0] + self.focal_px * at.x / depth,
            self.centre_px[1] + self.focal_px * at.y / depth,
            depth,
        ]
    }

    /// The same for a point of the head frame.
    pub(crate) fn project_head(&self, moment: &Moment, point: &Vec3) -> [f64; 3] {
        self.project(&(moment.camera_from_head * point + moment.head.position()))
    }

    /// Direction in camera space, of length 1 along the axis, of a place in the picture.
    pub(crate) fn ray(&self, x_px: f64, y_px: f64) -> Vec3 {
        Vec3::new(
            (x_px - self.centre_px[0]) / self.focal_px,
            (y_px - self.centre_px[1]) / self.focal_px,
            1.0,
        )
    }

    /// Columns and rows of the pixels around projected points.
    pub(crate) fn pixel_box(&self, points: &[[f64; 3]], margin_px: f64) -> (Range<usize>, Range<usize>) {
        let range = |axis: usize, size: usize| {
            let low = points.iter().map(|point| point[axis]).fold(f64::MAX, f64::min) - margin_px;
            let high = points.iter().map(|point| point[axis]).fold(f64::MIN, f64::max) + margin_px;
            low.floor().clamp(0.0, size as f64) as usize..(high.ceil() + 1.0).clamp(0.0, size as f64) as usize
        };
        (range(0, self.width), range(1, self.height))
    }

    /// A round line through projected points, smooth at its edges, hidden where something nearer was drawn.
    pub(crate) fn draw_line(&mut self, points: &[[f64; 3]], thickness_mm: f64, closed: bool, colour: Colour) {
        let count = if closed {
            points.len()
        } else {
            points.len().saturating_sub(1)
        };
        for index in 0..count {
            let (a, b) = (points[index], points[(index + 1) % points.len()]);
            let half_px = 0.5 * thickness_mm * self.px_per_mm(0.5 * (a[2] + b[2]));
            let (columns, rows) = self.pixel_box(&[a, b], half_px + 1.0);
            let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
            let square = (dx * dx + dy * dy).max(1e-9);
            for row in rows {
                self.depth.touch(row, columns.clone());
                for column in columns.clone() {
                    let (px, py) = (column as f64 - a[0], row as f64 - a[1]);
                    let along = ((px * dx + py * dy) / square).clamp(0.0, 1.0);
                    let away = (px - along * dx).hypot(py - along * dy);
                    let cover = (half_px + 0.5 - away).clamp(0.0, 1.0).min(2.0 * half_px);
                    let pixel = row * self.width + column;
                    let nearest = f64::from(self.depth.at(pixel));
                    let own = 1.0 / (a[2] + along * (b[2] - a[2]));
                    if cover > 0.0 && own * 1.004 > nearest {
                        self.light[pixel] = mix(self.light[pixel], colour, cover as f32);
                    }
                }
            }
        }
    }
}

/// A corner of a triangle, projected.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Corner {
    pub(crate) x: f32,
    pub(crate) y: f32,
    /// 1 / distance along the camera's axis, per mm; 0 or less is behind the camera and is not drawn.
    pub(crate) inverse_depth: f32,
    /// Carried over the triangle with correct perspective.
    pub(crate) carried: [f32; 4],
}

/// Nearest inverse depth of every pixel.
pub(crate) struct DepthBuffer {
    width: usize,
    height: usize,
    nearest: Vec<f32>,
    /// Columns of each row that a triangle or a line may have changed since it was cleared.
    touched: Vec<Range<usize>>,
}

impl DepthBuffer {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            nearest: vec![0.0; width * height],
            touched: vec![0..0; height],
        }
    }

    pub(crate) fn clear(&mut self) {
        self.nearest.fill(0.0);
        self.touched.fill(0..0);
    }

    /// Columns of a row that were drawn on; none below the picture.
    pub(crate) fn touched(&self, row: usize) -> Range<usize> {
        self.touched.get(row).cloned().unwrap_or(0..0)
    }

    fn touch(&mut self, row: usize, columns: Range<usize>) {
        let touched = &mut self.touched[row];
        *touched = if touched.start >= touched.end {
            columns
        } else {
            touched.start.min(columns.start)..touched.end.max(columns.end)
        };
    }

    pub(crate) fn at(&self, index: usize) -> f32 {
        self.nearest[index]
    }

    /// Calls `shade(pixel index, carried)` for every pixel of the triangle that is nearest so far; where it returns false
    /// the pixel stays as it was. Triangles whose corners run counter-clockwise on the picture show their back: left out.
    #[inline]
    pub(crate) fn triangle(&mut self, corners: [&Corner; 3], mut shade: impl FnMut(usize, [f32; 4]) -> bool) {
        let [a, b, c] = corners;
        let area = (b.x - a.x) * (c.y - a.y) - (c.x - a.x) * (b.y - a.y);
        if area <= 1e-6 || corners.iter().any(|corner| corner.inverse_depth <= 0.0) {
            return;
        }
        let low = |f: fn(&Corner) -> f32| f(a).min(f(b)).min(f(c)).ceil().max(0.0);
        let high = |f: fn(&Corner) -> f32, size: usize| f(a).max(f(b)).max(f(c)).floor().min(size as f32 - 1.0);
        let (x0, x1) = (low(|corner| corner.x), high(|corner| corner.x, self.width));
        let (y0, y1) = (low(|corner| corner.y), high(|corner| corner.y, self.height));
        if x0 > x1 || y0 > y1 {
            return;
        }
        // Weights of the corners change evenly along a row. Rounding must not leave cracks between neighbours.
        const EDGE: f32 = -1e-4;
        let scale = 1.0 / area;
        let (slope_a, slope_b) = ((b.y - c.y) * scale, (c.y - a.y) * scale);
        let carried = corners.map(|corner| corner.carried.map(|value| value * corner.inverse_depth));
        for y in y0 as usize..=y1 as usize {
            let py = y as f32;
            self.touch(y, x0 as usize..x1 as usize + 1);
            let start_a = ((b.x - x0) * (c.y - py) - (c.x - x0) * (b.y - py)) * scale;
            let start_b = ((c.x - x0) * (a.y - py) - (a.x - x0) * (c.y - py)) * scale;
            for x in x0 as usize..=x1 as usize {
                let along = x as f32 - x0;
                let wa = start_a + slope_a * along;
                let wb = start_b + slope_b * along;
                let wc = 1.0 - wa - wb;
                if wa < EDGE || wb < EDGE || wc < EDGE {
                    continue;
                }
                let inverse = wa * a.inverse_depth + wb * b.inverse_depth + wc * c.inverse_depth;
                let index = y * self.width + x;
                if inverse <= self.nearest[index] {
                    continue;
                }
                let depth = 1.0 / inverse;
                let value =
                    std::array::from_fn(|i| (wa * carried[0][i] + wb * carried[1][i] + wc * carried[2][i]) * depth);
                if shade(index, value) {
                    self.nearest[index] = inverse;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corner(x: f32, y: f32, depth: f32, carried: f32) -> Corner {
        Corner {
            x,
            y,
            inverse_depth: 1.0 / depth,
            carried: [carried; 4],
        }
    }

    #[test]
    fn neighbouring_triangles_cover_every_pixel_and_the_nearer_one_wins() {
        let mut buffer = DepthBuffer::new(16, 12);
        let square = |depth| {
            [
                corner(-1.0, -1.0, depth, depth),
                corner(17.0, -1.0, depth, depth),
                corner(17.0, 13.0, depth, depth),
                corner(-1.0, 13.0, depth, depth),
            ]
        };
        let mut picture = [0.0; 16 * 12];
        for depth in [500.0, 300.0, 400.0] {
            let [a, b, c, d] = square(depth);
            for corners in [[&a, &b, &c], [&a, &c, &d], [&a, &d, &c]] {
                buffer.triangle(corners, |index, value| {
                    picture[index] = value[0];
                    true
                });
            }
        }
        assert!(picture.iter().all(|value| (value - 300.0).abs() < 1e-2));
    }

    #[test]
    fn values_are_carried_in_perspective() {
        let mut buffer = DepthBuffer::new(101, 3);
        let corners = [
            corner(0.0, 0.0, 100.0, 0.0),
            corner(100.0, 0.0, 300.0, 1.0),
            corner(100.0, 2.0, 300.0, 1.0),
        ];
        let mut middle = 0.0;
        buffer.triangle([&corners[0], &corners[1], &corners[2]], |index, value| {
            if index == 50 {
                middle = value[0];
            }
            true
        });
        // Half way on the picture is a quarter of the way in space: depth there is 1 / mean(1/100, 1/300) = 150.
        assert!((middle - 0.25).abs() < 1e-4, "{middle}");
    }
}
