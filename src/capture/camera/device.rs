//! What the camera's decisions need of a device, so that they can be tested without one.

use std::io;
use std::time::Duration;

/// Four characters that name a pixel format, as V4L2 has them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

impl std::fmt::Display for FourCc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.escape_ascii().to_string().trim_end())
    }
}

impl std::fmt::Debug for FourCc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Seconds from one frame to the next, as the exact fraction that drivers use: 12.5 frames a second are 2/25.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    pub numerator: u32,
    pub denominator: u32,
}

impl Interval {
    /// Frames a second; 0 where the driver gave nonsense.
    pub fn rate_hz(self) -> f64 {
        if self.numerator == 0 {
            0.0
        } else {
            f64::from(self.denominator) / f64::from(self.numerator)
        }
    }
}

/// One way in which a camera can send pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mode {
    pub format: FourCc,
    pub width_px: u32,
    pub height_px: u32,
    /// `None` where the driver does not tell.
    pub interval: Option<Interval>,
}

/// What the driver agreed to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreed {
    pub mode: Mode,
    /// Bytes from the beginning of a row to that of the next; 0 for compressed formats.
    pub stride: usize,
}

/// What the driver says about one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferFacts {
    /// Counts frames since streaming began; a gap is a frame that the driver dropped.
    pub sequence: u32,
    /// The driver's stamp as it stands: nobody has checked its clock yet.
    pub stamp_ns: i128,
    /// The stamp is said to be of the start of the exposure, not of the end of the frame.
    pub at_exposure_start: bool,
    /// The driver knows that the data are damaged.
    pub damaged: bool,
    /// Bytes from the beginning of a row to that of the next, where this frame says so itself.
    pub stride: Option<usize>,
}

/// Looks at one frame's bytes; the last argument is true where a newer frame is waiting already.
pub type Look<'a> = dyn FnMut(&[u8], BufferFacts, bool) + 'a;

/// A device that sends pictures. Dropping it stops the stream and closes the device.
pub trait VideoDevice {
    /// The driver's name, such as `uvcvideo`.
    fn driver(&self) -> &str;

    fn modes(&self) -> io::Result<Vec<Mode>>;

    fn configure(&mut self, mode: Mode) -> io::Result<Agreed>;

    fn start(&mut self) -> io::Result<()>;

    /// Waits until there is a frame, or a failure for [`VideoDevice::take`] to tell.
    fn wait(&mut self, timeout: Duration) -> io::Result<bool>;

    /// Hands the oldest waiting frame to `look`.
    fn take(&mut self, look: &mut Look<'_>) -> io::Result<()>;

    /// Whether the camera may lower its frame rate to expose longer; `None` where it has no such switch.
    fn varies_rate(&self) -> Option<bool>;

    fn set_varies_rate(&mut self, varies: bool) -> io::Result<()>;
}
