//! The synthetic user's camera as a frame source: pictures rendered ahead, released when a real camera would send them.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::clock::{Clock, TimestampSource};
use crate::frame::{BufferPool, Frame, FrameId};
use crate::synthetic::{SHORTEST_REACTION_S, SyntheticCamera, SyntheticUser};

use super::{CaptureError, FrameSource, SourceInfo, decode};

/// Frames of a [`SyntheticUser`] in real time.
pub struct SyntheticSource {
    info: SourceInfo,
    camera: SyntheticCamera,
    clock: Arc<dyn Clock>,
    buffers: BufferPool,
    next_index: u64,
    ready: Option<Frame>,
    exposure_s: f64,
    delivered: u64,
    missed: u64,
}

impl SyntheticSource {
    /// Opens the camera: the first frame is the next one that `user`'s world has after now, so that a reopened camera finds
    /// the same world, later.
    pub fn open(user: Arc<SyntheticUser>, clock: Arc<dyn Clock>) -> Self {
        let parameters = user.parameters();
        let info = SourceInfo {
            name: format!("synthetic user {}", parameters.seed),
            width_px: parameters.width_px,
            height_px: parameters.height_px,
            frame_rate_hz: parameters.frame_rate_hz,
            stills: false,
            setup: Some(user.setup()),
        };
        let exposure_s = parameters.exposure_ms * 1e-3;
        let camera = SyntheticCamera::new(user);
        let next_index = camera.first_frame_from(clock.now());
        Self {
            info,
            camera,
            clock,
            buffers: BufferPool::default(),
            next_index,
            ready: None,
            exposure_s,
            delivered: 0,
            missed: 0,
        }
    }

    fn release_delay(&self) -> Duration {
        Duration::from_secs_f64(self.camera.user().parameters().readout_ms * 1e-3)
    }

    /// Leaves out frames that cannot be on time any more.
    fn skip_late(&mut self) {
        let now = self.clock.now();
        while self.camera.captured(self.next_index) + self.release_delay() < now {
            self.next_index += 1;
            self.missed += 1;
        }
    }

    fn render_next(&mut self) -> Result<Frame, CaptureError> {
        let exposed = self
            .camera
            .expose(self.next_index)
            .map_err(|error| CaptureError::Unusable(error.to_string()))?;
        let captured = exposed.captured;
        let image =
            decode::jpeg(exposed.jpeg, &self.buffers).map_err(|error| CaptureError::Skipped(error.to_string()))?;
        self.next_index += 1;
        Ok(Frame {
            id: FrameId(self.delivered + self.missed),
            captured,
            timestamp_source: TimestampSource::Synthetic,
            image,
        })
    }
}

impl FrameSource for SyntheticSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self, timeout: Duration) -> Result<Option<Frame>, CaptureError> {
        let deadline = self.clock.now() + timeout;
        loop {
            let frame = match self.ready.take() {
                Some(frame) => frame,
                None => {
                    self.skip_late();
                    // A frame is rendered only when nobody can steer the user any more before it is exposed.
                    let start = self
                        .camera
                        .captured(self.next_index)
                        .offset_by_seconds(self.exposure_s - SHORTEST_REACTION_S);
                    if start > deadline {
                        thread::sleep(deadline.saturating_since(self.clock.now()));
                        return Ok(None);
                    }
                    thread::sleep(start.saturating_since(self.clock.now()));
                    self.render_next()?
                }
            };
            let release = frame.captured + self.release_delay();
            let now = self.clock.now();
            if release > deadline {
                self.ready = Some(frame);
                thread::sleep(deadline.saturating_since(now));
                return Ok(None);
            }
            if release < now && now.saturating_since(release) > Duration::from_secs_f64(0.5 / self.info.frame_rate_hz) {
                // A camera would have overwritten it.
                self.missed += 1;
                continue;
            }
            thread::sleep(release.saturating_since(now));
            self.delivered += 1;
            return Ok(Some(frame));
        }
    }

    fn missed(&self) -> u64 {
        self.missed
    }
}
