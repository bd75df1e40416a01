//! A picture that costs something to draw, and drawing it only as finely as the eye can see it.

use gazed::foveation::Foveation;
use gazed::geometry::PointPx;

/// Blocks of this many pixels in x and y are drawn alike: the coarsest that a foveation asks for.
pub const BLOCK: usize = 4;

/// Rocky land seen from above, made of noise (sums of value noise, each layer of half the size and two thirds of the
/// height of the one before, lit from the upper left): detail at every place and down to the pixel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Picture;

impl Picture {
    /// Wavelengths of 512 down to 2 pixels.
    const LAYERS: u32 = 9;

    /// The colour at a place in pixels, as `0x00RRGGBB`.
    fn colour(x: f64, y: f64) -> u32 {
        let height = land(x, y);
        // Slopes that face the upper left are bright.
        let light = (0.8 + 9.0 * (height - land(x - 1.0, y - 1.0))).clamp(0.1, 1.6);
        let ramp = |low: f64, high: f64| ((low + (high - low) * height) * light).clamp(0.0, 255.0) as u32;
        (ramp(20.0, 250.0) << 16) | (ramp(60.0, 215.0) << 8) | ramp(90.0, 120.0)
    }

    /// Draws the picture into `pixels` of a window `width` wide, each block as finely as `foveation` asks for. Says how
    /// many places were computed.
    pub fn draw(pixels: &mut [u32], width: usize, foveation: &Foveation) -> usize {
        let height = pixels.len() / width.max(1);
        let mut computed = 0;
        for top in (0..height).step_by(BLOCK) {
            for left in (0..width).step_by(BLOCK) {
                let middle = PointPx::new((left + BLOCK / 2) as f32, (top + BLOCK / 2) as f32);
                let step = foveation.coarseness_at(middle) as usize;
                let (bottom, right) = ((top + BLOCK).min(height), (left + BLOCK).min(width));
                for y in (top..bottom).step_by(step) {
                    for x in (left..right).step_by(step) {
                        // The middle of what is drawn alike stands for all of it.
                        let half = step as f64 / 2.0;
                        let colour = Self::colour(x as f64 + half, y as f64 + half);
                        computed += 1;
                        for row in y..(y + step).min(bottom) {
                            pixels[row * width + x..row * width + (x + step).min(right)].fill(colour);
                        }
                    }
                }
            }
        }
        computed
    }
}

/// A height from 0 to 1.
fn land(x: f64, y: f64) -> f64 {
    let (mut height, mut weight, mut size) = (0.0, 0.34, 512.0);
    for layer in 0..Picture::LAYERS {
        height += weight * noise(layer, x / size, y / size);
        weight *= 0.67;
        size *= 0.5;
    }
    height
}

/// Values at the corners of a grid, and smoothly between them: from 0 to 1.
fn noise(layer: u32, x: f64, y: f64) -> f64 {
    let (column, row) = (x.floor(), y.floor());
    let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
    let (right, down) = (smooth(x - column), smooth(y - row));
    let corner = |dx: i32, dy: i32| scatter(layer, column as i32 + dx, row as i32 + dy);
    let between = |a: f64, b: f64, share: f64| a + (b - a) * share;
    between(
        between(corner(0, 0), corner(1, 0), right),
        between(corner(0, 1), corner(1, 1), right),
        down,
    )
}

/// A number from 0 to 1 that looks like chance: the bits of the place, multiplied and folded.
fn scatter(layer: u32, column: i32, row: i32) -> f64 {
    let mut bits = (column.cast_unsigned())
        .wrapping_mul(0x9E37_79B1)
        .wrapping_add((row.cast_unsigned()).wrapping_mul(0x85EB_CA77))
        .wrapping_add(layer.wrapping_mul(0xC2B2_AE3D));
    bits ^= bits >> 15;
    bits = bits.wrapping_mul(0x2C1B_3C6D);
    bits ^= bits >> 13;
    f64::from(bits) / f64::from(u32::MAX)
}
