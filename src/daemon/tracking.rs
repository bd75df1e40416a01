//! The tracking thread: every frame through the pipeline, and what came of it to the publishing thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::capturing::Captured;
use super::hub::Hub;
use super::keeper::State;
use super::live::Shown;
use super::publishing::Outbox;
use super::readers::FrameMessage;
use super::reporting::{Moved, Observation, Predicted, Reporter};
use crate::bus::frames::{FrameHeader, encode_header};
use crate::capture::SourceInfo;
use crate::clock::Timestamp;
use crate::frame::Frame;
use crate::latest::{Latest, Taken};

/// The pipeline as this thread uses it.
pub trait Tracker {
    /// Frames of a newly opened source follow; the calibration that is used for it.
    fn source_opened(&mut self, source: &SourceInfo) -> Option<Shown>;
    fn step(&mut self, frame: &Frame) -> Observation;
    /// What was found in the frame of the last step.
    fn describe(&self) -> FrameHeader;
    /// What the user could do for a better gaze though there is one, a sentence for people.
    fn advice(&self) -> Option<&'static str>;
    /// No frame came for a while; `None` where none ever did.
    fn coast(&mut self, now: Timestamp) -> Option<Observation>;
    fn forecast(&self, target: Timestamp) -> Option<Predicted>;
    /// The next movement that began or ended.
    fn pop_movement(&mut self) -> Option<Moved>;
}

/// A tracker is left whole by whoever panics: the daemon ends then anyway.
fn lock<T>(tracker: &Mutex<T>) -> MutexGuard<'_, T> {
    tracker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs until the slot is closed.
pub fn track(hub: &Hub, tracker: &Mutex<impl Tracker>, frames: &Latest<Captured>, outbox: &Outbox) {
    let mut reporter = Reporter::default();
    let mut source: Option<Arc<SourceInfo>> = None;
    loop {
        let (wanted, streaming) = {
            let shared = hub.lock();
            (shared.claims.want_camera(), shared.keeper.camera_active())
        };
        if !streaming {
            reporter.forget_said();
        }
        // Nobody wants records: no reason to wake up before a frame comes.
        let timeout = if wanted {
            Reporter::LOST_PERIOD
        } else {
            super::NO_TIMEOUT
        };
        let taken = frames.take(timeout);
        // Held before the hub's lock, never the other way round.
        let mut tracker = lock(tracker);
        let seen = match taken {
            Taken::Closed => return,
            Taken::Value(captured) => {
                if source
                    .as_ref()
                    .is_none_or(|known| !Arc::ptr_eq(known, &captured.source))
                {
                    let calibrated = tracker.source_opened(&captured.source);
                    hub.change(|shared, _| shared.calibrated = calibrated);
                    reporter.forget_said();
                    source = Some(Arc::clone(&captured.source));
                }
                hub.lock().tracking_since = Some(hub.now());
                let seen = tracker.step(&captured.frame);
                hub.lock().tracking_since = None;
                if let Some(sight) = reporter.news(&seen, hub.now()) {
                    hub.change(|shared, _| shared.keeper.saw(sight));
                }
                let advice = tracker.advice();
                if hub.lock().keeper.advice() != advice {
                    hub.change(|shared, _| shared.keeper.advise(advice));
                }
                hub.lock().stats.frame_rate.record(seen.captured);
                show(hub, &*tracker, captured.frame);
                seen
            }
            Taken::TimedOut => {
                tell_silence(hub, &mut reporter);
                match tracker.coast(hub.now()) {
                    Some(seen) if wanted => seen,
                    _ => continue,
                }
            }
        };
        while let Some(movement) = tracker.pop_movement() {
            for session in hub.lock().started_sessions() {
                outbox.put_movement(
                    Arc::clone(&session.exits),
                    movement.arguments(session.movements, &session.placement),
                );
                session.movements += 1;
            }
        }
        let batch = reporter.records(&mut hub.lock(), &seen, hub.now(), |target| tracker.forecast(target));
        if !batch.is_empty() {
            outbox.put(batch);
        }
    }
}

/// Says once that the camera does not answer, and has the next picture say that it does again. The capture thread cannot: it
/// waits for the camera.
fn tell_silence(hub: &Hub, reporter: &mut Reporter) {
    let news = {
        let shared = hub.lock();
        shared.is_silent(hub.now()) && shared.keeper.state().0 != State::NoCamera
    };
    if news {
        hub.change(|shared, _| shared.keeper.fell_silent());
        reporter.forget_said();
    }
}

/// Gives the frame to those who read frames, if any.
fn show(hub: &Hub, tracker: &impl Tracker, frame: Frame) {
    if hub.lock().readers.is_empty() {
        return;
    }
    let header = FrameHeader {
        sequence: frame.id.0,
        captured_ns: frame.captured.as_nanos(),
        width_px: frame.image.width(),
        height_px: frame.image.height(),
        ..tracker.describe()
    };
    let header = match encode_header(&header, frame.image.pixels().len()) {
        Ok(header) => header.into(),
        Err(error) => {
            tracing::error!(%error, "a frame's header cannot be written");
            return;
        }
    };
    let message = FrameMessage {
        header,
        frame: Arc::new(frame),
    };
    for reader in hub.lock().readers.values() {
        reader.put(message.clone());
    }
}
