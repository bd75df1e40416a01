//! A recording as a live source: frames come at the pace at which they were recorded, stamped anew on the monotonic clock.

use std::sync::Arc;
use std::time::Duration;

use super::{Recording, RecordingError};
use crate::capture::{CaptureError, FrameSource, SourceInfo};
use crate::clock::{Clock, MonotonicClock, Timestamp, TimestampSource};
use crate::frame::{Frame, FrameId};

/// Stills come this far apart where their own stamps do not go forward.
const STILLS_INTERVAL: Duration = Duration::from_millis(33);

/// Plays a [`Recording`] once.
pub struct Player {
    recording: Recording,
    info: SourceInfo,
    clock: Arc<dyn Clock>,
    /// When each frame is due after the first one.
    due: Vec<Duration>,
    /// The moment on the clock at which the first frame was due, once playing has begun.
    start: Option<Timestamp>,
    next: usize,
    missed: u64,
}

impl Player {
    /// # Errors
    /// Whatever [`Recording::open`] found, and a recording without a single readable picture.
    pub fn open(folder: &str) -> Result<Self, RecordingError> {
        Self::new(Recording::open(folder)?, Arc::new(MonotonicClock))
    }

    fn new(recording: Recording, clock: Arc<dyn Clock>) -> Result<Self, RecordingError> {
        let (width_px, height_px) = recording.picture_size()?;
        let info = SourceInfo {
            name: recording.folder().display().to_string(),
            width_px,
            height_px,
            frame_rate_hz: recording.frame_rate_hz(),
            stills: recording.facts().stills,
            setup: recording.setup(),
        };
        let mut due = vec![Duration::ZERO];
        for pair in recording.rows().windows(2) {
            let before = due.last().copied().unwrap_or_default();
            let interval = pair[1].timestamp.saturating_since(pair[0].timestamp);
            due.push(before + if interval.is_zero() { STILLS_INTERVAL } else { interval });
        }
        Ok(Self {
            recording,
            info,
            clock,
            due,
            start: None,
            next: 0,
            missed: 0,
        })
    }

    /// The newest frame that is due `elapsed` after the start, if any.
    fn newest_due(&self, elapsed: Duration) -> Option<usize> {
        let count = self.due.partition_point(|due| *due <= elapsed);
        (count > self.next).then(|| count - 1)
    }
}

impl FrameSource for Player {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self, timeout: Duration) -> Result<Option<Frame>, CaptureError> {
        let now = self.clock.now();
        let start = *self.start.get_or_insert(now);
        let Some(due) = self.due.get(self.next) else {
            return Err(CaptureError::Finished);
        };
        let wait = due.saturating_sub(now.saturating_since(start));
        if wait > timeout {
            std::thread::sleep(timeout);
            return Ok(None);
        }
        std::thread::sleep(wait);
        let elapsed = self.clock.now().saturating_since(start).max(*due);
        let Some(index) = self.newest_due(elapsed) else {
            return Ok(None);
        };
        self.missed += (index - self.next) as u64;
        self.next = index + 1;

        let row = &self.recording.rows()[index];
        let image = self
            .recording
            .picture(row)
            .map_err(|error| CaptureError::Skipped(error.to_string()))?;
        let expected = (self.info.width_px, self.info.height_px);
        if !self.info.stills && (image.width(), image.height()) != expected {
            return Err(CaptureError::Skipped(format!(
                "{} has {}x{} pixels where the recording has {}x{}",
                row.file,
                image.width(),
                image.height(),
                expected.0,
                expected.1
            )));
        }
        Ok(Some(Frame {
            id: FrameId(index as u64),
            captured: start + self.due[index],
            timestamp_source: TimestampSource::Recorded,
            image,
        }))
    }

    fn missed(&self) -> u64 {
        self.missed
    }

    /// What was recorded may have pauses of any length.
    fn keeps_schedule(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Facts, Picture, Writer};
    use super::*;
    use crate::clock::ManualClock;
    use crate::frame::GrayImage;

    const MS: Duration = Duration::from_millis(1);

    fn player(folder: &std::path::Path, stamps_ms: &[u64], facts: Facts) -> (Player, Arc<ManualClock>) {
        let mut writer = Writer::create(folder, &facts).expect("writes");
        for (index, stamp) in stamps_ms.iter().enumerate() {
            let image = GrayImage::new(4, 2, vec![index as u8; 8]).expect("a picture");
            let stamp = Timestamp::from_nanos(stamp * 1_000_000);
            writer.add(Picture::Gray(&image), stamp, None, None).expect("writes");
        }
        writer.finish().expect("writes");
        let clock = Arc::new(ManualClock::default());
        clock.advance(500 * MS);
        let player = Player::new(Recording::open(folder).expect("reads"), clock.clone()).expect("plays");
        (player, clock)
    }

    #[test]
    fn frames_come_at_their_own_pace_with_stamps_on_the_clock() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut player, clock) = player(folder.path(), &[7000, 7040, 7080, 7120], Facts::default());
        assert_eq!(player.info().frame_rate_hz, 25.0);
        let first = player.next_frame(Duration::ZERO).expect("plays").expect("due at once");
        assert_eq!(first.captured, Timestamp::from_nanos(500_000_000));
        assert!(player.next_frame(MS).expect("plays").is_none(), "not due yet");
        clock.advance(40 * MS);
        let second = player.next_frame(Duration::ZERO).expect("plays").expect("due now");
        assert_eq!((second.captured.as_nanos(), second.image.pixels()[0]), (540_000_000, 1));
        clock.advance(90 * MS);
        let newest = player.next_frame(Duration::ZERO).expect("plays").expect("due");
        assert_eq!(
            (newest.id, newest.image.pixels()[0], player.missed()),
            (FrameId(3), 3, 1)
        );
        assert!(matches!(player.next_frame(MS), Err(CaptureError::Finished)));
    }

    #[test]
    fn stills_without_usable_stamps_are_played_all_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let facts = Facts {
            stills: true,
            ..Facts::default()
        };
        let (mut player, clock) = player(folder.path(), &[5, 5, 3], facts);
        for expected in 0..3 {
            let frame = player.next_frame(Duration::ZERO).expect("plays").expect("due");
            assert_eq!(frame.id, FrameId(expected));
            clock.advance(STILLS_INTERVAL);
        }
    }

    #[test]
    fn a_damaged_picture_is_skipped_and_the_next_one_played() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut player, clock) = player(folder.path(), &[0, 40, 80], Facts::default());
        let damaged = folder.path().join(&player.recording.rows()[1].file);
        std::fs::write(damaged, b"\x89PNG nothing").expect("writes");
        assert!(player.next_frame(Duration::ZERO).is_ok_and(|frame| frame.is_some()));
        clock.advance(40 * MS);
        let error = player.next_frame(Duration::ZERO).expect_err("damaged");
        assert!(
            matches!(&error, CaptureError::Skipped(reason) if reason.contains("line 3")),
            "{error}"
        );
        clock.advance(40 * MS);
        assert!(player.next_frame(Duration::ZERO).is_ok_and(|frame| frame.is_some()));
    }
}
