//! Where frames come from: one trait, and one module for each kind of source.
//!
//! A source stamps every frame once, with the best estimate of the middle of the exposure. Nobody stamps again.

use std::time::Duration;

use crate::frame::Frame;
use crate::geometry::Setup;

pub mod camera;
pub mod decode;
pub mod recording;
mod source;
pub mod synthetic;

pub use source::{NotASource, SourceSpec, open};

/// What is known about an opened source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceInfo {
    /// For people: the camera's name, the recording's folder, the synthetic user's seed.
    pub name: String,
    pub width_px: u32,
    pub height_px: u32,
    /// Frames a second as negotiated or recorded.
    pub frame_rate_hz: f64,
    /// True where every frame stands alone and nothing may be smoothed over time.
    pub stills: bool,
    /// Screen and camera geometry where the source itself knows it (synthetic, recordings); it then wins over the
    /// configuration.
    pub setup: Option<Setup>,
}

/// Why there is no frame, sorted by what the caller should do.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// One frame was unusable (corrupt, of a wrong size): count it and go on.
    #[error("frame skipped: {0}")]
    Skipped(String),
    /// The device is gone, busy or stalled: close the source and open it again later.
    #[error("{0}")]
    Unavailable(String),
    /// The source can never work as asked: a wrong name, an unreadable file, no usable format.
    #[error("{0}")]
    Unusable(String),
    /// A recording came to its end.
    #[error("the recording is over")]
    Finished,
}

/// A running source of frames. Dropping it closes the device.
///
/// It stays on the thread that opened it.
pub trait FrameSource {
    fn info(&self) -> &SourceInfo;

    /// Waits for the newest frame, for `timeout` at most; `None` when none came in that time.
    fn next_frame(&mut self, timeout: Duration) -> Result<Option<Frame>, CaptureError>;

    /// Frames that the device delivered or the source made but nobody got (dropped by the driver, drained because a newer
    /// one was there, rendered too late), since it was opened.
    fn missed(&self) -> u64;

    /// True where the source knows when its next frame is due, so that its silence, however long, is no fault.
    fn keeps_schedule(&self) -> bool {
        false
    }
}
