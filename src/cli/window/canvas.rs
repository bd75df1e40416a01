//! A picture in memory to draw on: shapes with smooth edges, text, gray pictures.

use std::convert::Infallible;
use std::ops::Range;

use embedded_graphics::Drawable;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::{MonoTextStyle, iso_8859_1::FONT_10X20};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::{DrawTarget, Pixel};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};

use crate::geometry::PointPx;

pub type Colour = Rgb888;

/// The font's cell, in pixels at scale 1.
const FONT_PX: (u32, u32) = (10, 20);

/// A rectangle of pixels: left, top, width, height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

impl Area {
    /// All of a picture.
    pub fn of_picture(width: u32, height: u32) -> Self {
        Self {
            x: 0.0,
            y: 0.0,
            width: width as f32,
            height: height as f32,
        }
    }
}

/// A gray picture to be shown: pixels row by row.
#[derive(Clone, Copy, Debug)]
pub struct Gray<'a> {
    pub width: u32,
    pub height: u32,
    pub pixels: &'a [u8],
}

/// Pixels as softbuffer takes them: `0x00RRGGBB`, row by row. Drawing outside is cut off.
#[derive(Debug)]
pub struct Canvas<'a> {
    pixels: &'a mut [u32],
    width: u32,
    height: u32,
    scale: u32,
    /// Smooth shapes are drawn in these columns and rows only.
    clip: (Range<u32>, Range<u32>),
}

impl<'a> Canvas<'a> {
    /// `scale` is how many pixels a point of text and line width take: 1 on an ordinary screen, 2 on one of twice the
    /// density. `pixels` are `width` times `height`.
    pub fn new(pixels: &'a mut [u32], width: u32, height: u32, scale: u32) -> Self {
        debug_assert_eq!(pixels.len() as u64, u64::from(width) * u64::from(height));
        Self {
            pixels,
            width,
            height,
            scale: scale.max(1),
            clip: (0..width, 0..height),
        }
    }

    /// Draws with every smooth shape cut off at the edges of an area.
    pub fn within(&mut self, area: Area, draw: impl FnOnce(&mut Self)) {
        let part = self.inside(area);
        let whole = std::mem::replace(&mut self.clip, part);
        draw(self);
        self.clip = whole;
    }

    pub fn width(&self) -> f32 {
        self.width as f32
    }

    pub fn height(&self) -> f32 {
        self.height as f32
    }

    /// Pixels a point: what fixed sizes are multiplied by.
    pub fn scale(&self) -> f32 {
        self.scale as f32
    }

    /// All pixels, `0x00RRGGBB`, row by row.
    pub fn pixels(&mut self) -> &mut [u32] {
        self.pixels
    }

    pub fn fill(&mut self, colour: Colour) {
        self.pixels.fill(packed(colour));
    }

    /// A filled disc; the centre of the top left pixel is (0, 0).
    pub fn disc(&mut self, centre: PointPx, radius: f32, colour: Colour) {
        self.ring(centre, radius, radius, colour);
    }

    /// A ring with this outer radius, as wide as `width` inwards.
    pub fn ring(&mut self, centre: PointPx, radius: f32, width: f32, colour: Colour) {
        let inner = radius - width;
        self.shade(centre, radius, colour, |x, y| {
            let distance = (x - centre.x).hypot(y - centre.y);
            // A pixel is covered by as much as it reaches over the edge.
            let outside = (radius - distance + 0.5).clamp(0.0, 1.0);
            let inside = if inner > 0.0 {
                (distance - inner + 0.5).clamp(0.0, 1.0)
            } else {
                1.0
            };
            outside * inside
        });
    }

    /// An upright cross with arms of this length.
    pub fn cross(&mut self, centre: PointPx, arm: f32, width: f32, colour: Colour) {
        self.bar(centre, arm, width / 2.0, colour);
        self.bar(centre, width / 2.0, arm, colour);
    }

    /// A straight line with round ends.
    pub fn line(&mut self, a: PointPx, b: PointPx, width: f32, colour: Colour) {
        let (along, length) = ((b.x - a.x, b.y - a.y), a.distance(b));
        self.shade(a.midpoint(b), length / 2.0 + width, colour, |x, y| {
            let (dx, dy) = (x - a.x, y - a.y);
            // The nearest place on the line, as a share of its length.
            let share = if length > 0.0 {
                ((dx * along.0 + dy * along.1) / (length * length)).clamp(0.0, 1.0)
            } else {
                0.0
            };
            let distance = (dx - share * along.0).hypot(dy - share * along.1);
            (width / 2.0 - distance + 0.5).clamp(0.0, 1.0)
        });
    }

    /// A filled rectangle around `centre`, given half its width and height.
    pub fn bar(&mut self, centre: PointPx, half_width: f32, half_height: f32, colour: Colour) {
        self.shade(centre, half_width.max(half_height), colour, |x, y| {
            let over = |distance: f32, half: f32| (half - distance.abs() + 0.5).clamp(0.0, 1.0);
            over(x - centre.x, half_width) * over(y - centre.y, half_height)
        });
    }

    /// One line of text: `at` is the middle of its top edge when centred, else its top left corner.
    pub fn text(&mut self, text: &str, at: PointPx, size: u32, centred: bool, colour: Colour) {
        let factor = size.max(1) * self.scale;
        let alignment = if centred { Alignment::Center } else { Alignment::Left };
        let style = TextStyleBuilder::new()
            .alignment(alignment)
            .baseline(Baseline::Top)
            .build();
        let mut enlarged = Enlarged {
            canvas: self,
            origin: (at.x as i32, at.y as i32),
            factor: factor as i32,
        };
        // Drawing on memory cannot fail.
        let Ok(_) = Text::with_text_style(text, Point::zero(), MonoTextStyle::new(&FONT_10X20, colour), style)
            .draw(&mut enlarged);
    }

    /// The height of a line of text of this size, in pixels.
    pub fn line_height(&self, size: u32) -> f32 {
        (FONT_PX.1 * size * self.scale) as f32 * 1.15
    }

    /// The width of a text of this size, in pixels.
    pub fn text_width(&self, text: &str, size: u32) -> f32 {
        text.chars().count() as f32 * (FONT_PX.0 * size * self.scale) as f32
    }

    /// A filled rectangle.
    pub fn block(&mut self, area: Area, colour: Colour) {
        let (columns, rows) = self.inside(area);
        for y in rows {
            let row = y as usize * self.width as usize;
            self.pixels[row + columns.start as usize..row + columns.end as usize].fill(packed(colour));
        }
    }

    /// The outline of a rectangle between two corners.
    pub fn frame(&mut self, a: PointPx, b: PointPx, width: f32, colour: Colour) {
        let (middle, half) = (a.midpoint(b), width / 2.0);
        let (half_width, half_height) = ((b.x - a.x).abs() / 2.0, (b.y - a.y).abs() / 2.0);
        for x in [a.x, b.x] {
            self.bar(PointPx::new(x, middle.y), half, half_height, colour);
        }
        for y in [a.y, b.y] {
            self.bar(PointPx::new(middle.x, y), half_width, half, colour);
        }
    }

    /// Shows the part `from` of a picture in the area `to`, every pixel the one of the picture that is nearest; beyond the
    /// picture's edges it goes on as it is there.
    pub fn picture(&mut self, picture: Gray<'_>, from: Area, to: Area) {
        let size = u64::from(picture.width) * u64::from(picture.height);
        if picture.pixels.len() as u64 != size || size == 0 {
            return;
        }
        // Casting takes what is before the edge, and what is no number, to the first pixel.
        let nearest = |at: u32, from: (f32, f32), to: (f32, f32), size: u32| {
            let position = from.0 + (at as f32 + 0.5 - to.0) / to.1 * from.1;
            (position as u32).min(size - 1) as usize
        };
        let (columns, rows) = self.inside(to);
        for y in rows {
            let row = nearest(y, (from.y, from.height), (to.y, to.height), picture.height) * picture.width as usize;
            for x in columns.clone() {
                let column = nearest(x, (from.x, from.width), (to.x, to.width), picture.width);
                let value = picture.pixels[row + column];
                self.pixels[y as usize * self.width as usize + x as usize] = u32::from(value) * 0x01_0101;
            }
        }
    }

    /// The columns and rows of an area that are on the canvas.
    fn inside(&self, area: Area) -> (Range<u32>, Range<u32>) {
        let range = |start: f32, length: f32, size: u32| {
            // As above, a cast takes every number into the range of the type.
            let end = ((start + length).round() as u32).min(size);
            (start.round() as u32).min(end)..end
        };
        (
            range(area.x, area.width, self.width),
            range(area.y, area.height, self.height),
        )
    }

    /// Mixes `colour` into the pixels within `reach` of `centre` by as much as `coverage(x, y)` says.
    fn shade(&mut self, centre: PointPx, reach: f32, colour: Colour, coverage: impl Fn(f32, f32) -> f32) {
        if !centre.is_finite() || !reach.is_finite() {
            return;
        }
        let range = |middle: f32, clip: &Range<u32>| {
            let (first, last) = (clip.start as f32, clip.end as f32);
            (middle - reach - 1.0).clamp(first, last) as u32..(middle + reach + 2.0).clamp(first, last) as u32
        };
        let (columns, rows) = (range(centre.x, &self.clip.0), range(centre.y, &self.clip.1));
        for y in rows {
            for x in columns.clone() {
                let pixel = &mut self.pixels[y as usize * self.width as usize + x as usize];
                *pixel = mixed(*pixel, colour, coverage(x as f32, y as f32));
            }
        }
    }
}

/// Fits a picture of this shape into an area: as large as possible, centred, not distorted.
pub fn fitted(width: u32, height: u32, area: Area) -> Area {
    let scale = (area.width / width.max(1) as f32).min(area.height / height.max(1) as f32);
    let (fitted_width, fitted_height) = (width as f32 * scale, height as f32 * scale);
    Area {
        x: area.x + (area.width - fitted_width) / 2.0,
        y: area.y + (area.height - fitted_height) / 2.0,
        width: fitted_width,
        height: fitted_height,
    }
}

fn packed(colour: Colour) -> u32 {
    u32::from(colour.r()) << 16 | u32::from(colour.g()) << 8 | u32::from(colour.b())
}

fn mixed(below: u32, colour: Colour, share: f32) -> u32 {
    let mix = |shift: u32, above: u8| {
        let below = (below >> shift & 0xff) as f32;
        ((below + (f32::from(above) - below) * share).round() as u32) << shift
    };
    mix(16, colour.r()) | mix(8, colour.g()) | mix(0, colour.b())
}

/// Draws every pixel as a square, for the font has one size only.
struct Enlarged<'a, 'b> {
    canvas: &'a mut Canvas<'b>,
    origin: (i32, i32),
    factor: i32,
}

impl OriginDimensions for Enlarged<'_, '_> {
    fn size(&self) -> Size {
        Size::new(self.canvas.width, self.canvas.height)
    }
}

impl DrawTarget for Enlarged<'_, '_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let inside = |start: i32, size: u32| {
            let end = start.saturating_add(self.factor);
            start.clamp(0, size as i32) as usize..end.clamp(0, size as i32) as usize
        };
        for Pixel(at, colour) in pixels {
            let columns = inside(self.origin.0.saturating_add(at.x * self.factor), self.canvas.width);
            for y in inside(self.origin.1.saturating_add(at.y * self.factor), self.canvas.height) {
                let row = y * self.canvas.width as usize;
                self.canvas.pixels[row + columns.start..row + columns.end].fill(packed(colour));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disc_has_its_area_and_a_smooth_edge() {
        let mut pixels = vec![0; 100 * 80];
        Canvas::new(&mut pixels, 100, 80, 1).disc(PointPx::new(50.0, 40.0), 20.0, Colour::WHITE);
        let area: f32 = pixels.iter().map(|pixel| (pixel & 0xff) as f32 / 255.0).sum();
        assert!((area - std::f32::consts::PI * 400.0).abs() < 10.0, "{area}");
        assert_eq!(pixels[40 * 100 + 50], 0xff_ffff);
        assert_eq!(pixels[0], 0);
        assert!(pixels.iter().any(|pixel| (1..255).contains(&(pixel & 0xff))));
    }

    #[test]
    fn drawing_outside_is_cut_off() {
        let mut pixels = vec![0; 30 * 20];
        let mut canvas = Canvas::new(&mut pixels, 30, 20, 2);
        for at in [-1e9, -5.0, 25.0, 1e9, f32::NAN, f32::INFINITY] {
            canvas.disc(PointPx::new(at, 10.0), 8.0, Colour::RED);
            canvas.cross(PointPx::new(10.0, at), 8.0, 2.0, Colour::RED);
            canvas.text("gaze", PointPx::new(at, at), 3, true, Colour::RED);
            let area = Area {
                x: at,
                y: at,
                width: 20.0,
                height: 20.0,
            };
            canvas.picture(
                Gray {
                    width: 2,
                    height: 2,
                    pixels: &[1, 2, 3, 4],
                },
                Area::of_picture(2, 2),
                area,
            );
        }
    }

    #[test]
    fn a_picture_is_neither_mirrored_nor_turned() {
        let mut pixels = vec![0; 40 * 40];
        let picture = Gray {
            width: 2,
            height: 2,
            pixels: &[10, 20, 30, 40],
        };
        let area = Area {
            x: 0.0,
            y: 0.0,
            width: 40.0,
            height: 40.0,
        };
        Canvas::new(&mut pixels, 40, 40, 1).picture(picture, Area::of_picture(2, 2), area);
        let at = |x: usize, y: usize| pixels[y * 40 + x] & 0xff;
        assert_eq!([at(0, 0), at(39, 0), at(0, 39), at(39, 39)], [10, 20, 30, 40]);
        assert_eq!([at(19, 19), at(20, 19), at(19, 20), at(20, 20)], [10, 20, 30, 40]);
    }

    #[test]
    fn fitting_keeps_the_shape() {
        let area = Area {
            x: 10.0,
            y: 20.0,
            width: 300.0,
            height: 100.0,
        };
        let fitted = fitted(640, 480, area);
        assert!((fitted.height - 100.0).abs() < 1e-3 && (fitted.width - 133.33).abs() < 0.01);
        assert!((fitted.x - (10.0 + 83.33)).abs() < 0.01 && (fitted.y - 20.0).abs() < 1e-3);
    }
}
