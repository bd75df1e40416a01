//! `gazectl preview`: a window with the camera's picture and what is found in it.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::duration;
use super::window::{Area, Canvas, Colour, Flow, Gray, Input, Scene, Size, WindowOptions, fitted, show};
use crate::bus::frames::{FrameHeader, read_frame};
use crate::client::Client;
use crate::geometry::PointPx;
use crate::latest::{Latest, Taken};

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
    let mut stream = UnixStream::from(std::os::fd::OwnedFd::from(client.frames("gazectl preview", "preview")?));
    let newest = Arc::new(Latest::default());
    let reader = {
        let newest = Arc::clone(&newest);
        // It ends with the stream, which ends with the process.
        thread::Builder::new().name("frames".to_owned()).spawn(move || {
            let result = read_all(&mut stream, &newest);
            newest.close();
            result
        })?
    };
    let preview = Preview {
        newest,
        shown: None,
        arrivals: Vec::new(),
        end: args.seconds.map(|seconds| Instant::now() + seconds),
        ended: false,
    };
    let options = WindowOptions {
        title: "gazed preview",
        size: Size::Points(1000.0, 560.0),
        output: None,
    };
    if show(options, preview)?.ended {
        if let Ok(result) = reader.join() {
            result.context("the frames from gazed broke off")?;
        }
        bail!("gazed ended the preview: it, or the camera, is gone");
    }
    Ok(())
}

fn read_all(stream: &mut UnixStream, newest: &Latest<(FrameHeader, Vec<u8>)>) -> std::io::Result<()> {
    let mut pixels = Vec::new();
    while let Some(header) = read_frame(stream, &mut pixels)? {
        // The frame that nobody looked at lends its memory to the next one.
        pixels = match newest.put((header, std::mem::take(&mut pixels))) {
            Some((_, unseen)) => unseen,
            None => Vec::new(),
        };
    }
    Ok(())
}

const BACKGROUND: Colour = Colour::new(24, 25, 28);
const PANEL: Colour = Colour::new(48, 50, 56);
const INK: Colour = Colour::new(225, 226, 228);
const FAINT: Colour = Colour::new(140, 143, 150);
const LANDMARK: Colour = Colour::new(255, 196, 64);
const PUPIL: Colour = Colour::new(84, 220, 120);
const FACE: Colour = Colour::new(90, 150, 255);
const WARNING: Colour = Colour::new(240, 120, 90);

/// Width of the column beside the picture, in points.
const COLUMN: f32 = 330.0;
const GAP: f32 = 12.0;
/// An eye patch shows this many widths of the eye, and is this high for its width.
const PATCH_WIDTHS: f32 = 1.7;
const PATCH_SHAPE: f32 = 0.5;
/// Height over width of the screen on the little map. The bus does not tell the monitor's shape.
const SCREEN_SHAPE: f32 = 9.0 / 16.0;

struct Preview {
    newest: Arc<Latest<(FrameHeader, Vec<u8>)>>,
    shown: Option<(FrameHeader, Vec<u8>)>,
    /// When frames came in the last second.
    arrivals: Vec<Instant>,
    end: Option<Instant>,
    /// The stream ended by itself.
    ended: bool,
}

impl Scene for Preview {
    fn draw(&mut self, canvas: &mut Canvas<'_>) -> Flow {
        match self.newest.take(Duration::ZERO) {
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
        canvas.block(to, PANEL);
        if let Some(from) = eye_area(header, side) {
            canvas.picture(picture, from, to);
            let eye = if side == "left" { header.left } else { header.right };
            if let Some(eye) = eye {
                let pupil = View { from, to }.place(eye.pupil_px);
                canvas.cross(pupil, 7.0 * scale, 1.5 * scale, PUPIL);
            }
        }
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

/// A part of the picture and where on the canvas it is shown.
#[derive(Clone, Copy)]
struct View {
    from: Area,
    to: Area,
}

impl View {
    /// Where a place in the picture is on the canvas. In both (0, 0) is the centre of a pixel.
    fn place(&self, [x, y]: [f32; 2]) -> PointPx {
        PointPx::new(
            self.to.x + (x + 0.5 - self.from.x) / self.from.width * self.to.width - 0.5,
            self.to.y + (y + 0.5 - self.from.y) / self.from.height * self.to.height - 0.5,
        )
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

/// The part of the picture that shows an eye; `None` where it is not known.
fn eye_area(header: &FrameHeader, side: &str) -> Option<Area> {
    let corner = |end: &str| header.landmarks_px.get(&format!("{side}_{end}"));
    let (outer, inner) = (corner("outer")?, corner("inner")?);
    let width = (outer[0] - inner[0]).hypot(outer[1] - inner[1]) * PATCH_WIDTHS;
    let height = width * PATCH_SHAPE;
    (width > 1.0).then(|| Area {
        x: (outer[0] + inner[0]) / 2.0 - width / 2.0,
        y: (outer[1] + inner[1]) / 2.0 - height / 2.0,
        width,
        height,
    })
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
    use std::collections::BTreeMap;

    use super::*;
    use crate::bus::frames::EyeFacts;

    #[test]
    fn marks_stand_on_what_they_mark() {
        // A picture with one bright pixel where the left pupil is said to be.
        let (width, height) = (160_u32, 120_u32);
        let mut pixels = vec![0_u8; (width * height) as usize];
        pixels[(50 * width + 110) as usize] = 255;
        let header = FrameHeader {
            width_px: width,
            height_px: height,
            left: Some(EyeFacts {
                pupil_px: [110.0, 50.0],
                openness: 1.0,
            }),
            landmarks_px: BTreeMap::from([
                ("left_outer".to_owned(), [122.0, 50.0]),
                ("left_inner".to_owned(), [98.0, 50.0]),
            ]),
            ..FrameHeader::default()
        };
        let from = eye_area(&header, "left").expect("both corners are known");
        let to = Area {
            x: 30.0,
            y: 40.0,
            width: 408.0,
            height: 204.0,
        };
        let mut shown = vec![0; 640 * 480];
        let mut canvas = Canvas::new(&mut shown, 640, 480, 1);
        let picture = Gray {
            width,
            height,
            pixels: &pixels,
        };
        canvas.picture(picture, from, to);
        let (mut x, mut y, mut count) = (0.0, 0.0, 0.0);
        for (index, pixel) in shown.iter().enumerate().filter(|(_, pixel)| **pixel > 0) {
            assert_eq!(*pixel, 0xff_ffff);
            (x, y, count) = (x + (index % 640) as f32, y + (index / 640) as f32, count + 1.0);
        }
        let place = View { from, to }.place([110.0, 50.0]);
        assert!(
            (x / count - place.x).abs() < 0.6 && (y / count - place.y).abs() < 0.6,
            "{} {place:?}",
            x / count
        );
        assert_eq!(eye_area(&header, "right"), None);
    }

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
