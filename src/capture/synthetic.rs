//! The synthetic user's camera as a frame source: pictures rendered ahead, released when a real camera would send them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::clock::{Clock, Timestamp, TimestampSource};
use crate::frame::{BufferPool, Frame, FrameId};
use crate::synthetic::{SHORTEST_REACTION_S, SyntheticCamera, SyntheticUser};

use super::{CaptureError, FrameSource, SourceInfo, decode};

/// Frames that may wait for their release: enough to bridge a busy moment of the machine, and still within the reaction time
/// in which nobody can steer the user any more.
const AHEAD: usize = 3;

/// Frames of a [`SyntheticUser`] in real time.
pub struct SyntheticSource {
    info: SourceInfo,
    camera: SyntheticCamera,
    clock: Arc<dyn Clock>,
    buffers: BufferPool,
    readout: Duration,
    exposure_s: f64,
    /// Index of the frame that is rendered next, and of the first one since opening.
    next_index: u64,
    first_index: u64,
    waiting: VecDeque<Frame>,
    /// What rendering a frame takes, on the safe side.
    cost_s: f64,
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
        let readout = Duration::from_secs_f64(parameters.readout_ms * 1e-3);
        let exposure_s = parameters.exposure_ms * 1e-3;
        let camera = SyntheticCamera::new(user);
        let first_index = camera.first_frame_from(clock.now());
        Self {
            info,
            camera,
            clock,
            buffers: BufferPool::default(),
            readout,
            exposure_s,
            next_index: first_index,
            first_index,
            waiting: VecDeque::with_capacity(AHEAD),
            cost_s: 0.0,
            missed: 0,
        }
    }

    /// When the next frame may be rendered: not before nobody can steer the user any more until it is exposed.
    fn earliest_start(&self) -> Timestamp {
        let lead_s = (SHORTEST_REACTION_S - self.exposure_s).max(1.5 * self.cost_s);
        self.camera.captured(self.next_index).offset_by_seconds(-lead_s)
    }

    /// Leaves out frames that cannot be on time any more.
    fn skip_late(&mut self) {
        let ready = self.clock.now().offset_by_seconds(self.cost_s);
        while self.camera.captured(self.next_index) + self.readout < ready {
            self.next_index += 1;
            self.missed += 1;
        }
    }

    /// Renders the next frame; it waits for its release unless it is late already.
    fn render_next(&mut self) -> Result<(), CaptureError> {
        let begun = self.clock.now();
        let id = FrameId(self.next_index - self.first_index);
        let exposed = self
            .camera
            .expose(self.next_index)
            .map_err(|error| CaptureError::Unusable(error.to_string()))?;
        self.next_index += 1;
        let captured = exposed.captured;
        let image =
            decode::jpeg(exposed.jpeg, &self.buffers).map_err(|error| CaptureError::Skipped(error.to_string()))?;
        let done = self.clock.now();
        self.cost_s = (0.95 * self.cost_s).max(done.seconds_since(begun));
        if done > captured + self.readout {
            self.missed += 1;
        } else {
            self.waiting.push_back(Frame {
                id,
                captured,
                timestamp_source: TimestampSource::Synthetic,
                image,
            });
        }
        Ok(())
    }

    /// Takes the newest frame that is due; older ones have been overwritten, as in a camera.
    fn take_due(&mut self, now: Timestamp) -> Option<Frame> {
        let readout = self.readout;
        let due = |frame: &&Frame| frame.captured + readout <= now;
        let count = self.waiting.iter().take_while(due).count();
        for _ in 1..count {
            self.waiting.pop_front();
            self.missed += 1;
        }
        if count > 0 { self.waiting.pop_front() } else { None }
    }
}

impl FrameSource for SyntheticSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self, timeout: Duration) -> Result<Option<Frame>, CaptureError> {
        let deadline = self.clock.now() + timeout;
        loop {
            let now = self.clock.now();
            if let Some(frame) = self.take_due(now) {
                return Ok(Some(frame));
            }
            if self.waiting.is_empty() {
                self.skip_late();
            }
            // The next thing to do, unless the caller wants an answer before.
            let release = self.waiting.front().map(|frame| frame.captured + self.readout);
            let start = self.earliest_start();
            let fits = release.is_none_or(|release| start.max(now).offset_by_seconds(1.5 * self.cost_s) < release);
            let renders = self.waiting.len() < AHEAD && fits;
            let until = match release {
                Some(release) if !renders => release,
                _ => start,
            };
            if until > deadline {
                thread::sleep(deadline.saturating_since(now));
                return Ok(None);
            }
            thread::sleep(until.saturating_since(now));
            if renders {
                self.render_next()?;
            }
        }
    }

    fn missed(&self) -> u64 {
        self.missed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::clock::MonotonicClock;

    /// The real clock, but every look at it costs `step_ns`.
    struct CostlyClock {
        lost_ns: AtomicU64,
        step_ns: u64,
    }

    impl Clock for CostlyClock {
        fn now(&self) -> Timestamp {
            let lost_ns = self.lost_ns.fetch_add(self.step_ns, Ordering::Relaxed);
            Timestamp::from_nanos(MonotonicClock.now().as_nanos() + lost_ns)
        }
    }

    fn source(step_ms: u64, more: &str) -> SyntheticSource {
        let text = format!("seed=3,width=160,height=120,fps=30{more}");
        let parameters = text.parse().expect("known keys");
        let user = SyntheticUser::new(parameters, MonotonicClock.now());
        let clock = CostlyClock {
            lost_ns: AtomicU64::new(0),
            step_ns: step_ms * 1_000_000,
        };
        SyntheticSource::open(Arc::new(user), Arc::new(clock))
    }

    const PATIENCE: Duration = Duration::from_secs(5);

    #[test]
    fn frames_come_in_order_after_their_readout() {
        let mut source = source(0, "");
        let mut last = None;
        for _ in 0..8 {
            let frame = source.next_frame(PATIENCE).expect("renders").expect("in time");
            let now = source.clock.now();
            assert!(
                now.seconds_since(frame.captured) >= 0.005,
                "released before it was read out"
            );
            assert!(last.is_none_or(|last| frame.captured > last));
            last = Some(frame.captured);
        }
    }

    #[test]
    fn late_frames_are_dropped_and_counted() {
        // A frame's time is over after a few looks at this clock: some frames must come too late.
        let mut source = source(12, "");
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(source.next_frame(PATIENCE).expect("renders").expect("in time").id.0);
        }
        let delivered_and_missed = ids.len() as u64 + source.missed();
        assert!(source.missed() > 0);
        let last = ids.last().copied().unwrap_or(0);
        assert!(delivered_and_missed > last, "{ids:?}, {} missed", source.missed());
    }

    #[test]
    fn a_caller_without_patience_gets_nothing_yet_and_the_frame_later() {
        let mut source = source(0, ",readout_ms=200");
        assert!(source.next_frame(Duration::from_millis(1)).expect("waits").is_none());
        assert!(source.next_frame(PATIENCE).expect("renders").is_some());
    }
}
