//! The capture thread: lives while the camera is wanted, and closes the device before it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::hub::{Hub, Stop};
use crate::capture::{CaptureError, FrameSource, SourceInfo};
use crate::clock::Timestamp;
use crate::frame::Frame;
use crate::latest::Latest;

/// A frame on its way to the tracker, with what is known about the source it came from.
#[derive(Debug)]
pub struct Captured {
    pub frame: Frame,
    /// The same allocation for all frames since the source was opened, another one after it was opened again.
    pub source: Arc<SourceInfo>,
}

/// Opens the configured source. May block for as long as the device does.
pub type Opener = dyn Fn() -> Result<Box<dyn FrameSource>, CaptureError> + Send + Sync;

/// A running capture thread.
#[derive(Debug)]
pub struct Capture {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// How long the thread waits for a frame before it looks whether it should stop: the camera's longest way to being
/// closed.
const PATIENCE: Duration = Duration::from_millis(100);
/// A source that is silent for so long, and does not know why, is opened again.
const STALLED_AFTER: Duration = Duration::from_secs(3);

impl Capture {
    pub fn start(opener: Arc<Opener>, hub: Arc<Hub>, slot: Arc<Latest<Captured>>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("capture".into()).spawn(move || {
            let ended = Ended { hub: &hub, error: None };
            capture(&*opener, ended, &slot, &stopped);
        })?;
        Ok(Self { stop, thread })
    }

    /// Tells the thread to close the camera. It tells the hub when it has.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits until the camera is closed.
    pub fn join(self) {
        self.stop();
        // A panic of the thread has been told to the hub by its guard.
        let _ = self.thread.join();
    }
}

/// Tells the hub how the thread ended, also when it panicked.
struct Ended<'h> {
    hub: &'h Hub,
    error: Option<CaptureError>,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let error = self.error.take();
        self.hub.change(|shared, now| shared.keeper.ended(now, error));
        if std::thread::panicking() {
            self.hub.stop(Stop::Broken);
        }
    }
}

fn capture(opener: &Opener, mut ended: Ended<'_>, slot: &Latest<Captured>, stop: &AtomicBool) {
    let hub = ended.hub;
    let mut source = match opener() {
        Ok(source) => source,
        Err(error) => {
            tracing::warn!(%error, "the camera cannot be opened");
            ended.error = Some(error);
            return;
        }
    };
    let info = Arc::new(source.info().clone());
    tracing::info!(
        name = info.name,
        width_px = info.width_px,
        height_px = info.height_px,
        frame_rate_hz = info.frame_rate_hz,
        "camera opened"
    );
    let mut last = hub.change(|shared, now| {
        shared.keeper.opened(now);
        shared.camera_name.clone_from(&info.name);
        now
    });
    let mut counted = 0;
    while !stop.load(Ordering::Relaxed) {
        hub.lock().waiting_since = Some(hub.now());
        let frame = source.next_frame(PATIENCE);
        hub.lock().waiting_since = None;
        let missed = source.missed();
        match frame {
            Ok(Some(frame)) => {
                last = hub.now();
                let overwritten = slot.put(Captured {
                    frame,
                    source: Arc::clone(&info),
                });
                count_missed(hub, missed.saturating_sub(counted) + u64::from(overwritten.is_some()));
                counted = missed;
            }
            // Frames that came too late for anyone are a sign of life.
            Ok(None) if missed > counted => {
                last = hub.now();
                count_missed(hub, missed - counted);
                counted = missed;
            }
            Ok(None) => {}
            Err(CaptureError::Skipped(reason)) => {
                tracing::debug!(reason, "frame skipped");
                count_missed(hub, 1);
            }
            Err(error) => {
                match error {
                    CaptureError::Finished => tracing::info!("{error}"),
                    _ => tracing::warn!(%error, "the camera failed"),
                }
                ended.error = Some(error);
                break;
            }
        }
        if let Some(error) = stalled(&*source, last, hub.now()) {
            tracing::warn!(%error, "the camera stalled");
            ended.error = Some(error);
            break;
        }
    }
    // The device is closed before the hub hears of it.
    drop(source);
    tracing::info!(name = info.name, "camera closed");
}

fn stalled(source: &dyn FrameSource, last: Timestamp, now: Timestamp) -> Option<CaptureError> {
    let silent = now.saturating_since(last);
    (silent >= STALLED_AFTER && !source.keeps_schedule()).then(|| {
        CaptureError::Unavailable(format!(
            "The camera has sent no picture for {} seconds; it is opened again.",
            STALLED_AFTER.as_secs()
        ))
    })
}

fn count_missed(hub: &Hub, missed: u64) {
    if missed > 0 {
        hub.lock().stats.frames_missed += missed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Silent {
        info: SourceInfo,
        keeps_schedule: bool,
    }

    impl FrameSource for Silent {
        fn info(&self) -> &SourceInfo {
            &self.info
        }

        fn next_frame(&mut self, _timeout: Duration) -> Result<Option<Frame>, CaptureError> {
            Ok(None)
        }

        fn missed(&self) -> u64 {
            0
        }

        fn keeps_schedule(&self) -> bool {
            self.keeps_schedule
        }
    }

    #[test]
    fn silence_is_a_fault_but_for_a_source_that_knows_when_it_ends() {
        let silent = |keeps_schedule, seconds| {
            let info = SourceInfo {
                name: String::new(),
                width_px: 4,
                height_px: 2,
                frame_rate_hz: 30.0,
                stills: false,
                setup: None,
            };
            let source = Silent { info, keeps_schedule };
            let last = Timestamp::from_nanos(1_000_000_000);
            stalled(&source, last, last + Duration::from_secs(seconds)).is_some()
        };
        assert!(!silent(false, 2) && silent(false, 3));
        assert!(!silent(true, 3600));
    }
}
