//! What the service's camera sees, as windows show it: the stream of frames, and eye patches with the pupil marked.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::window::{Area, Canvas, Colour, Gray};
use crate::bus::frames::{FrameHeader, read_frame};
use crate::geometry::PointPx;
use crate::latest::{Latest, Taken};

pub const PUPIL: Colour = Colour::new(84, 220, 120);
/// An eye patch shows this many widths of the eye, and is this high for its width.
const PATCH_WIDTHS: f32 = 1.7;
pub const PATCH_SHAPE: f32 = 0.5;

/// What is known about a frame, and its pixels.
pub type Seen = (FrameHeader, Vec<u8>);

/// The newest frame of a stream, read in a thread of its own.
#[derive(Debug)]
pub struct Frames {
    newest: Arc<Latest<Seen>>,
    reader: JoinHandle<io::Result<()>>,
    stream: UnixStream,
}

impl Frames {
    pub fn read(stream: OwnedFd) -> io::Result<Self> {
        let stream = UnixStream::from(stream);
        let mut incoming = stream.try_clone()?;
        let newest = Arc::new(Latest::default());
        let reader = {
            let newest = Arc::clone(&newest);
            thread::Builder::new().name("frames".to_owned()).spawn(move || {
                let result = read_all(&mut incoming, &newest);
                newest.close();
                result
            })?
        };
        Ok(Self { newest, reader, stream })
    }

    /// The newest frame that was not fetched yet.
    pub fn newest(&self) -> Taken<Seen> {
        self.newest.take(Duration::ZERO)
    }

    /// Ends the stream; the error where it broke off before.
    pub fn ended(self) -> io::Result<()> {
        // It may be closed already from the other side.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        // A reader that panicked has said so itself.
        self.reader.join().unwrap_or(Ok(()))
    }
}

fn read_all(stream: &mut UnixStream, newest: &Latest<Seen>) -> io::Result<()> {
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

/// A part of the picture and where on the canvas it is shown.
#[derive(Clone, Copy)]
pub struct View {
    pub from: Area,
    pub to: Area,
}

impl View {
    /// Where a place in the picture is on the canvas. In both (0, 0) is the centre of a pixel.
    pub fn place(&self, [x, y]: [f32; 2]) -> PointPx {
        PointPx::new(
            self.to.x + (x + 0.5 - self.from.x) / self.from.width * self.to.width - 0.5,
            self.to.y + (y + 0.5 - self.from.y) / self.from.height * self.to.height - 0.5,
        )
    }
}

/// Shows one of the person's eyes, `left` or `right`, with its pupil; false where it is not known where it is.
pub fn draw_eye(canvas: &mut Canvas<'_>, header: &FrameHeader, pixels: &[u8], side: &str, to: Area) -> bool {
    let Some(from) = eye_area(header, side) else {
        return false;
    };
    let picture = Gray {
        width: header.width_px,
        height: header.height_px,
        pixels,
    };
    canvas.picture(picture, from, to);
    let eye = if side == "left" { header.left } else { header.right };
    if let Some(eye) = eye {
        let scale = canvas.scale();
        let pupil = View { from, to }.place(eye.pupil_px);
        canvas.within(to, |canvas| canvas.cross(pupil, 7.0 * scale, 1.5 * scale, PUPIL));
    }
    true
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
}
