//! `gazectl preview`: a window with the camera's picture and what is found in it.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::duration;
use super::sight::{Frames, PATCH_SHAPE, PUPIL, View, draw_eye};
use super::window::{Area, Canvas, Colour, Flow, Gray, Input, Scene, Size, WindowOptions, fitted, show};
use crate::bus::frames::FrameHeader;
use crate::client::Client;
use crate::geometry::PointPx;
use crate::latest::Taken;

/// Shows the camera's picture with landmarks, both eyes and the gaze, until q is pressed.
///
/// The picture is as the camera sees it, not mirrored: the person's left eye is on the right.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Close after so many seconds
    #[arg(long, value_name = "S", value_parser = duration)]
    seconds: Option<Duration>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let client = Client::connect()?;
    let preview = Preview {
        frames: Frames::read(client.frames("gazectl preview", "preview")?.into())?,
        shown: None,
        arrivals: Vec::new(),
        end: args.seconds.map(|seconds| Instant::now() + seconds),
        ended: false,
    };
    let options = WindowOptions {
        title: "gazed preview",
        size: Size::Points(1000.0, 560.0),
        output: None,
        pointer: true,
    };
    let preview = show(options, preview)?;
    if preview.ended {
        preview.frames.ended().context("the frames from gazed broke off")?;
        bail!("gazed ended the preview: it, or the camera, is gone");
    }
    Ok(())
}

const BACKGROUND: Colour = Colour::new(24, 25, 28);
const PANEL: Colour = Colour::new(48, 50, 56);
const INK: Colour = Colour::new(225, 226, 228);
const FAINT: Colour = Colour::new(140, 143, 150);
const LANDMARK: Colour = Colour::new(255, 196, 64);
const FACE: Colour = Colour::new(90, 150, 255);
const WARNING: Colour = Colour::new(240, 120, 90);

/// Width of the column beside the picture, in points.
const COLUMN: f32 = 330.0;
const GAP: f32 = 12.0;
/// Height over width of the screen on the little map. The bus does not tell the monitor's shape.
const SCREEN_SHAPE: f32 = 9.0 / 16.0;

struct Preview {
    frames: Frames,
    shown: Option<(FrameHeader, Vec<u8>)>,
    /// When frames came in the last second.
    arrivals: Vec<Instant>,
    end: Option<Instant>,
    /// The stream ended by itself.
    ended: bool,
}

impl Scene for Preview {
    fn draw(&mut self, canvas: &mut Canvas<'_>) -> Flow {
        match self.frames.newest() {
            Taken::Value(frame) => {
                self.shown = Some(frame);
                self.arrivals.push(Instant::now());
            }
            Taken::TimedOut => {}
            Taken::Closed => {
                self.ended = true;
                return Flow::Close;
            }
        }
        self.arrivals
            .retain(|arrival| arrival.elapsed() < Duration::from_secs(1));
        canvas.fill(BACKGROUND);
        match &self.shown {
            Some((header, pixels)) => draw_frame(canvas, header, pixels, self.arrivals.len()),
            None => {
                let at = PointPx::new(canvas.width() / 2.0, canvas.height() / 2.0);
                canvas.text("Waiting for the camera", at, 1, true, FAINT);
            }
        }
        match self.end {
            Some(end) if Instant::now() >= end => Flow::Close,
            _ => Flow::Stay,
        }
    }

    fn input(&mut self, input: Input) -> Flow {
        match input {
            Input::Escape | Input::Character('q') => Flow::Close,
            _ => Flow::Stay,
        }
    }
}

fn draw_frame(canvas: &mut Canvas<'_>, header: &FrameHeader, pixels: &[u8], rate: usize) {
    let scale = canvas.scale();
    let gap = GAP * scale;
    let column = (COLUMN * scale).min(canvas.width() / 2.0);
    let picture = Gray {
        width: header.width_px,
        height: header.height_px,
        pixels,
    };
    let room = Area {
        x: gap,
        y: gap,
        width: (canvas.width() - column - 3.0 * gap).max(1.0),
        height: (canvas.height() - 2.0 * gap).max(1.0),
    };
    let whole = Area::of_picture(header.width_px, header.height_px);
    let view = View {
        from: whole,
        to: fitted(header.width_px, header.height_px, room),
    };
    canvas.picture(picture, view.from, view.to);
    mark(canvas, header, view);

    let left = canvas.width() - column - gap;
    let mut y = gap;
    let patch_width = (column - gap) / 2.0;
    // As in the picture: the person's right eye stands left.
    for (x, side, name) in [
        (left, "right", "right eye"),
        (left + patch_width + gap, "left", "left eye"),
    ] {
        let to = Area {
            x,
            y,
            width: patch_width,
            height: patch_width * PATCH_SHAPE,
        };
        draw_eye(canvas, header, pixels, side, to);
        let below = PointPx::new(x + patch_width / 2.0, to.y + to.height + 4.0 * scale);
        canvas.text(name, below, 1, true, FAINT);
    }
    y += patch_width * PATCH_SHAPE + canvas.line_height(1) + gap;
    let map = Area {
        x: left,
        y,
        width: column,
        height: column * SCREEN_SHAPE,
    };
    draw_map(canvas, header, map);
    y += map.height + gap;
    for (text, colour) in facts(header, rate) {
        canvas.text(&text, PointPx::new(left, y), 1, false, colour);
        y += canvas.line_height(1);
    }
}

fn mark(canvas: &mut Canvas<'_>, header: &FrameHeader, view: View) {
    let scale = canvas.scale();
    if let Some([x, y, width, height]) = header.face_px {
        let (a, b) = (view.place([x, y]), view.place([x + width, y + height]));
        canvas.frame(a, b, 1.5 * scale, FACE);
    }
    for landmark in header.landmarks_px.values() {
        canvas.disc(view.place(*landmark), 2.5 * scale, LANDMARK);
    }
    for eye in [header.left, header.right].into_iter().flatten() {
        canvas.ring(view.place(eye.pupil_px), 4.0 * scale, 1.5 * scale, PUPIL);
    }
}

fn draw_map(canvas: &mut Canvas<'_>, header: &FrameHeader, map: Area) {
    canvas.block(map, PANEL);
    let Some([x, y]) = header.gaze else { return };
    let at = PointPx::new(map.x + x as f32 * map.width, map.y + y as f32 * map.height);
    let scale = canvas.scale();
    canvas.within(map, |canvas| {
        canvas.ring(at, header.error_radius as f32 * map.width, scale, FAINT);
        canvas.disc(at, 5.0 * scale, PUPIL);
    });
}

fn facts(header: &FrameHeader, rate: usize) -> Vec<(String, Colour)> {
    let mut lines = vec![(
        format!("{rate} a second, {}x{}", header.width_px, header.height_px),
        INK,
    )];
    lines.push(match (&header.reason, header.tracked) {
        (_, true) => (format!("tracked, confidence {:.2}", header.confidence), INK),
        (Some(reason), false) => (format!("not tracked: {reason}"), WARNING),
        (None, false) => ("not tracked".to_owned(), WARNING),
    });
    if let Some(head) = header.head {
        let text = format!(
            "head yaw {:.0} pitch {:.0} roll {:.0}",
            head.yaw_deg, head.pitch_deg, head.roll_deg
        );
        lines.push((text, INK));
    }
    if let (Some(left), Some(right)) = (header.left, header.right) {
        lines.push((
            format!("open left {:.2} right {:.2}", left.openness, right.openness),
            INK,
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::frames::EyeFacts;

    #[test]
    fn any_header_can_be_drawn() {
        let landmarks = ["left_outer", "left_inner", "right_outer", "right_inner"];
        for value in [-1e30, -7.0, 0.0, 3.0, 1e30, f32::NAN, f32::INFINITY] {
            let header = FrameHeader {
                width_px: 4,
                height_px: 3,
                face_px: Some([value; 4]),
                left: Some(EyeFacts {
                    pupil_px: [value; 2],
                    openness: value,
                }),
                right: Some(EyeFacts {
                    pupil_px: [value, 1.0],
                    openness: value,
                }),
                landmarks_px: landmarks
                    .iter()
                    .zip(0_u8..)
                    .map(|(name, i)| ((*name).to_owned(), [value * f32::from(i), value]))
                    .collect(),
                gaze: Some([f64::from(value); 2]),
                error_radius: f64::from(value),
                ..FrameHeader::default()
            };
            for (width, height) in [(1, 1), (90, 300), (500, 280)] {
                let mut pixels = vec![0; width * height];
                let mut canvas = Canvas::new(&mut pixels, width as u32, height as u32, 1);
                draw_frame(&mut canvas, &header, &[9; 12], 30);
            }
        }
    }
}
