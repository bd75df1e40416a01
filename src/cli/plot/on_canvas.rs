//! A [`Canvas`] as plotters draws on it: smooth lines, and text without a font file.

use std::convert::Infallible;

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

use crate::cli::window::{Area, Canvas, Colour};
use crate::geometry::PointPx;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// Draws on a canvas; nothing of it can fail.
pub struct OnCanvas<'c, 'p> {
    canvas: &'c mut Canvas<'p>,
}

impl<'c, 'p> OnCanvas<'c, 'p> {
    pub fn new(canvas: &'c mut Canvas<'p>) -> Self {
        Self { canvas }
    }
}

/// Paper is white: what is half transparent is half as dark.
fn colour(colour: BackendColor) -> Colour {
    let on_white = |value: u8| (255.0 - (255.0 - f64::from(value)) * colour.alpha).round() as u8;
    let (r, g, b) = colour.rgb;
    Colour::new(on_white(r), on_white(g), on_white(b))
}

fn point((x, y): BackendCoord) -> PointPx {
    PointPx::new(x as f32, y as f32)
}

impl DrawingBackend for OnCanvas<'_, '_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.canvas.width() as u32, self.canvas.height() as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, at: BackendCoord, of: BackendColor) -> Drawn {
        self.canvas.disc(point(at), 0.5, colour(of));
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        if style.color().alpha > 0.0 {
            let width = style.stroke_width() as f32;
            self.canvas.line(point(from), point(to), width, colour(style.color()));
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let mut last = None;
        for next in path {
            if let Some(last) = last.replace(next) {
                self.draw_line(last, next, style)?;
            }
        }
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Drawn {
        let (a, b) = (point(from), point(to));
        if fill {
            let area = Area {
                x: a.x.min(b.x),
                y: a.y.min(b.y),
                width: (b.x - a.x).abs(),
                height: (b.y - a.y).abs(),
            };
            self.canvas.block(area, colour(style.color()));
        } else {
            self.canvas
                .frame(a, b, style.stroke_width() as f32, colour(style.color()));
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, centre: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        let width = if fill { radius } else { style.stroke_width() };
        self.canvas
            .ring(point(centre), radius as f32, width as f32, colour(style.color()));
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let (width, height) = self.estimate_text_size(text, style)?;
        let anchor = style.anchor();
        let x = match anchor.h_pos {
            HPos::Left => 0.0,
            HPos::Center => -0.5,
            HPos::Right => -1.0,
        } * width as f32;
        let y = match anchor.v_pos {
            VPos::Top => 0.0,
            VPos::Center => -0.5,
            VPos::Bottom => -1.0,
        } * height as f32;
        let at = point(at);
        self.canvas
            .text(text, PointPx::new(at.x + x, at.y + y), 1, false, colour(style.color()));
        Ok(())
    }

    /// There is one size of letters.
    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        _: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        Ok((
            self.canvas.text_width(text, 1) as u32,
            self.canvas.line_height(1) as u32,
        ))
    }
}
