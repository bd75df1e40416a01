//! Cameras: V4L2 devices and, behind PipeWire, what only libcamera or a portal reaches; the newest frame first, stamped
//! honestly.
//!
//! Decisions are made here and in `mode`, `stamp` and `list` on what a [`device::VideoDevice`] says; `v4l2` and `pipewire`
//! are the real ones.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use super::decode::{self, DecodeError};
use super::{CaptureError, FrameSource, SourceInfo};
use crate::clock::{Clock, MonotonicClock, Timestamp};
use crate::config::CameraConfig;
use crate::frame::{BufferPool, Frame, FrameId, GrayImage};

pub mod device;
mod list;
mod mode;
#[cfg(feature = "pipewire")]
mod pipewire;
#[cfg(not(feature = "pipewire"))]
#[path = "pipewire/absent.rs"]
mod pipewire;
mod remote;
mod stamp;
mod v4l2;

#[cfg(test)]
mod tests;

pub use list::{CameraInfo, cameras, describe_modes, matching};
pub use pipewire::cameras as cameras_behind_pipewire;

use device::{Agreed, BufferFacts, VideoDevice};
use mode::{Decoding, Wish};
use remote::Remote;
use stamp::{RateWatch, SequenceWatch, Timing};

/// A camera that has sent frames and then none for so long is stalled.
const STALLED_AFTER: Duration = Duration::from_millis(1500);
/// The first frame may take longer: cameras warm up.
const STARTED_WITHIN: Duration = Duration::from_millis(2500);
/// A rate this far below the agreed one is not jitter, but a camera that exposes longer than a frame's time.
const SLOWED_BY: f64 = 0.7;

/// A running camera.
pub struct Camera {
    device: Box<dyn VideoDevice>,
    camera: CameraInfo,
    info: SourceInfo,
    agreed: Agreed,
    decoding: Decoding,
    timing: Timing,
    clock: Arc<dyn Clock>,
    pool: BufferPool,
    next_id: u64,
    missed: u64,
    sequence: SequenceWatch,
    last_captured: Option<Timestamp>,
    /// When the device was last heard of: its newest frame's arrival, or the start of streaming.
    heard: Timestamp,
    /// When the newest usable frame arrived, or streaming started.
    seen: Timestamp,
    rate: RateWatch,
    keep_rate: bool,
    /// The camera was told to keep its rate, and is told on closing that it need not.
    rate_held: bool,
}

/// Opens the camera that `wanted` means (see [`matching`]), or the best one that works where it is empty; one behind
/// PipeWire where it is `pipewire`, `pipewire:NAME`, `portal` or `portal:NAME`.
///
/// # Errors
/// [`CaptureError::Unavailable`] where the camera is missing, busy, forbidden or failing, [`CaptureError::Unusable`] where
/// it offers no format that can be read; each with a sentence that says what to do.
pub fn open(wanted: &str, config: &CameraConfig) -> Result<Camera, CaptureError> {
    if let Some((remote, name)) = Remote::named(wanted) {
        let (device, camera) = pipewire::open(remote, name)?;
        return Camera::start(device, camera, config, Arc::new(MonotonicClock));
    }
    let present = cameras();
    let mut first_error = None;
    for camera in matching(&present, wanted) {
        let opened = match &camera.problem {
            Some(problem) => Err(CaptureError::Unavailable(problem.clone())),
            None => v4l2::V4lDevice::open(&camera.device)
                .map_err(|error| failure(camera, &error))
                .and_then(|device| Camera::start(Box::new(device), camera.clone(), config, Arc::new(MonotonicClock))),
        };
        match opened {
            Ok(camera) => return Ok(camera),
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    Err(first_error.unwrap_or_else(|| CaptureError::Unavailable(none_found(&present, wanted))))
}

/// A camera behind PipeWire and what it can do, as [`describe_modes`] has it; `None` where `wanted` means a V4L2 device. It is
/// not switched on.
pub fn describe_remote(wanted: &str) -> Option<Result<(CameraInfo, Vec<String>), CaptureError>> {
    let (remote, name) = Remote::named(wanted)?;
    let described = pipewire::open(remote, name).and_then(|(device, camera)| {
        let modes = device.modes().map_err(|error| failure(&camera, &error))?;
        Ok((camera, mode::describe(&modes)))
    });
    Some(described)
}

/// What to say where none of the cameras that are present is `wanted`.
pub fn none_found(present: &[CameraInfo], wanted: &str) -> String {
    if present.is_empty() {
        let named = if wanted.is_empty() {
            String::new()
        } else {
            format!(" (`{wanted}` is wanted)")
        };
        return format!("no camera is there{named}: plug one in, or use --source synthetic");
    }
    let names: Vec<String> = present
        .iter()
        .map(|camera| format!("{} [{}]", camera.name, camera.id))
        .collect();
    format!(
        "no camera is called `{wanted}`: plug it in, or choose another of these: {}",
        names.join(", ")
    )
}

/// What an error of the device means for its user.
fn why(camera: &CameraInfo, error: &io::Error) -> String {
    let (name, device) = (&camera.name, camera.device.display());
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::BUSY) => {
            let users = list::users_of(&camera.device);
            let users = if users.is_empty() {
                "another program".to_string()
            } else {
                users.join(" and ")
            };
            format!("the camera {name} is being used by {users}: close it there")
        }
        Some(Errno::ACCESS | Errno::PERM) => format!(
            "no permission to use the camera {name} ({device}): add yourself to the group that owns it \
             (`sudo usermod -aG video $USER`) and log in again"
        ),
        Some(Errno::NODEV | Errno::NXIO | Errno::NOENT) => {
            format!("the camera {name} is gone: plug it in again, it is then used by itself")
        }
        _ => format!("the camera {name} ({device}) failed: {error}. It is opened again; if this repeats, replug it"),
    }
}

fn failure(camera: &CameraInfo, error: &io::Error) -> CaptureError {
    CaptureError::Unavailable(why(camera, error))
}

impl Camera {
    /// Agrees on a mode with a device and starts its stream.
    ///
    /// # Errors
    /// As [`open`].
    pub fn start(
        mut device: Box<dyn VideoDevice>,
        camera: CameraInfo,
        config: &CameraConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CaptureError> {
        let failed = |error: io::Error| failure(&camera, &error);
        let modes = device.modes().map_err(failed)?;
        let odd_formats = || {
            CaptureError::Unusable(format!(
                "the camera {} offers no format that gazed can read (it offers {}; gazed reads YUYV, NV12, GREY and MJPG, among \
                 others): choose another camera",
                camera.name,
                mode::format_names(&modes)
            ))
        };
        let wish = Wish {
            size_px: (config.width_px > 0).then_some((config.width_px, config.height_px)),
            rate_hz: (config.frame_rate_hz > 0.0).then_some(config.frame_rate_hz),
            format: config.pixel_format.as_bytes().try_into().ok().map(device::FourCc),
        };
        let chosen = mode::choose(&modes, wish).ok_or_else(odd_formats)?;
        let agreed = device.configure(chosen).map_err(failed)?;
        let decoding = mode::decoding(agreed.mode.format).ok_or_else(odd_formats)?;
        device.start().map_err(failed)?;
        let frame_rate_hz = mode::rate_of(&agreed.mode);
        let timing = Timing {
            interval_s: 1.0 / frame_rate_hz.max(1.0),
            uvc: device.driver() == "uvcvideo",
            capture_delay_s: config.capture_delay_ms * 1e-3,
        };
        tracing::debug!(camera.name, camera.id, format = %agreed.mode.format, "camera streams");
        Ok(Self {
            info: SourceInfo {
                name: camera.name.clone(),
                width_px: agreed.mode.width_px,
                height_px: agreed.mode.height_px,
                frame_rate_hz,
                stills: false,
                setup: None,
            },
            heard: clock.now(),
            seen: clock.now(),
            device,
            camera,
            agreed,
            decoding,
            timing,
            clock,
            pool: BufferPool::default(),
            next_id: 0,
            missed: 0,
            sequence: SequenceWatch::default(),
            last_captured: None,
            rate: RateWatch::default(),
            keep_rate: config.keep_frame_rate,
            rate_held: false,
        })
    }

    /// Takes every waiting frame and keeps the newest.
    fn newest(&mut self) -> Result<Frame, CaptureError> {
        loop {
            let arrival = self.clock.now();
            let mut taken = None;
            let mut dropped = 0;
            let (agreed, decoding, pool, sequence) = (self.agreed, self.decoding, &self.pool, &mut self.sequence);
            self.device
                .take(&mut |bytes, facts, newer| {
                    dropped += sequence.missing_before(facts.sequence);
                    if newer {
                        dropped += 1;
                    } else {
                        taken = Some((picture(bytes, facts, agreed, decoding, pool), facts));
                    }
                })
                .map_err(|error| failure(&self.camera, &error))?;
            self.missed += dropped;
            if let Some((image, facts)) = taken {
                self.heard = arrival;
                return self.frame(image, facts, arrival).map_err(|error| self.skipped(error));
            }
        }
    }

    fn frame(
        &mut self,
        image: Result<GrayImage, String>,
        facts: BufferFacts,
        arrival: Timestamp,
    ) -> Result<Frame, CaptureError> {
        let id = FrameId(self.next_id);
        self.next_id += 1;
        let (captured, timestamp_source) = self.timing.middle_of_exposure(facts, arrival);
        let image = image.map_err(CaptureError::Skipped)?;
        if self.last_captured.is_some_and(|last| captured <= last) {
            return Err(CaptureError::Skipped(
                "its time stamp is not after the one before".to_string(),
            ));
        }
        self.last_captured = Some(captured);
        self.seen = arrival;
        self.rate.push(captured);
        self.hold_rate();
        Ok(Frame {
            id,
            captured,
            timestamp_source,
            image,
        })
    }

    /// One bad frame is skipped; a camera that has sent nothing else for a while is opened again.
    fn skipped(&self, error: CaptureError) -> CaptureError {
        if self.heard.saturating_since(self.seen) < STARTED_WITHIN {
            return error;
        }
        CaptureError::Unavailable(format!(
            "every picture of the camera {} is unusable ({error}). It is opened again; if this repeats, replug it or set \
             another camera.pixel_format",
            self.camera.name
        ))
    }

    /// Notices a camera that has lowered its rate to expose longer, and tells it not to, if it can be told.
    fn hold_rate(&mut self) {
        let Some(rate_hz) = self.rate.rate_hz() else {
            return;
        };
        if self.rate_held || !self.keep_rate || rate_hz > SLOWED_BY * self.info.frame_rate_hz {
            return;
        }
        self.rate_held = self.device.varies_rate() == Some(true) && self.device.set_varies_rate(false).is_ok();
        // Once is enough, whether the camera obeys or not.
        self.keep_rate = false;
        let agreed_hz = self.info.frame_rate_hz;
        if self.rate_held {
            tracing::warn!(
                rate_hz,
                agreed_hz,
                "the camera is slow in dim light and was told to keep its rate; more light helps"
            );
        } else {
            tracing::warn!(
                rate_hz,
                agreed_hz,
                "the camera is slower than agreed and cannot be told otherwise; more light helps"
            );
        }
        self.rate.restart();
    }

    fn check_stalled(&self) -> Result<(), CaptureError> {
        let patience = if self.next_id == 0 {
            STARTED_WITHIN
        } else {
            STALLED_AFTER
        };
        if self.clock.now().saturating_since(self.heard) < patience {
            return Ok(());
        }
        Err(CaptureError::Unavailable(format!(
            "the camera {} has stopped sending pictures. It is opened again; if this repeats, replug it",
            self.camera.name
        )))
    }

    /// Frames a second as measured; `None` until enough have come.
    pub fn measured_rate_hz(&self) -> Option<f64> {
        self.rate.rate_hz()
    }
}

impl FrameSource for Camera {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self, timeout: Duration) -> Result<Option<Frame>, CaptureError> {
        let ready = self
            .device
            .wait(timeout)
            .map_err(|error| failure(&self.camera, &error))?;
        if ready {
            return self.newest().map(Some);
        }
        self.check_stalled()?;
        Ok(None)
    }

    fn missed(&self) -> u64 {
        self.missed
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        if self.rate_held {
            // The device may be gone by now; then there is nothing to restore.
            let _ = self.device.set_varies_rate(true);
        }
    }
}

/// The gray pixels of one frame; the reason where it is unusable.
fn picture(
    bytes: &[u8],
    facts: BufferFacts,
    agreed: Agreed,
    decoding: Decoding,
    pool: &BufferPool,
) -> Result<GrayImage, String> {
    if facts.damaged {
        return Err("the camera says that it is damaged".to_string());
    }
    let size = (agreed.mode.width_px, agreed.mode.height_px);
    let image = match decoding {
        Decoding::Uncompressed(layout) => {
            decode::uncompressed(bytes, layout, size, facts.stride.unwrap_or(agreed.stride), pool)
        }
        Decoding::Jpeg => decode::jpeg(bytes, pool),
    };
    let image = image.map_err(|error: DecodeError| error.to_string())?;
    if (image.width(), image.height()) == size {
        Ok(image)
    } else {
        Err(format!(
            "it has {}x{} pixels where {}x{} were agreed",
            image.width(),
            image.height(),
            size.0,
            size.1
        ))
    }
}
