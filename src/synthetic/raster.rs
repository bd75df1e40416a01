//! Triangles onto a picture with a depth buffer.

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
}

impl DepthBuffer {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            nearest: vec![0.0; width * height],
        }
    }

    pub(crate) fn clear(&mut self) {
        self.nearest.fill(0.0);
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
        let scale = 1.0 / area;
        let carried = corners.map(|corner| corner.carried.map(|value| value * corner.inverse_depth));
        for y in y0 as usize..=y1 as usize {
            let py = y as f32;
            for x in x0 as usize..=x1 as usize {
                let px = x as f32;
                let wa = ((b.x - px) * (c.y - py) - (c.x - px) * (b.y - py)) * scale;
                let wb = ((c.x - px) * (a.y - py) - (a.x - px) * (c.y - py)) * scale;
                let wc = 1.0 - wa - wb;
                if wa < 0.0 || wb < 0.0 || wc < 0.0 {
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
