//! When a frame was exposed, from what its driver says; pure decisions.
//!
//! What is wanted is the middle of the exposure of the middle row. A stamp of the *start of the exposure* comes half an
//! exposure before it. A stamp of the *end of the frame* comes after the rest of the read-out and half an exposure. uvcvideo
//! says that it stamps the start of the exposure, but in fact stamps the arrival of the frame's first packet, when the first
//! rows have been exposed already: half the read-out that is still to come and half the exposure that has passed cancel out.
//! Exposure and read-out are not known, so half a frame's interval is taken for each; `capture_delay_ms` corrects the rest.

use std::time::Duration;

use super::device::BufferFacts;
use crate::clock::{Timestamp, TimestampSource};

/// A stamp older than this when the frame arrives is of another clock, or of a frame that nobody wants any more.
const OLDEST_S: f64 = 1.0;
/// Exposures are no longer than this in a lit room, however slow the frames are.
const LONGEST_EXPOSURE_S: f64 = 1.0 / 60.0;

/// What is known about one camera's timing.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From one frame to the next.
    pub interval_s: f64,
    /// The driver is uvcvideo, whose flag is not to be taken at its word.
    pub uvc: bool,
    /// How much later frames are stamped than assumed here, as configured.
    pub capture_delay_s: f64,
}

impl Timing {
    /// The middle of the exposure, and what it was derived from.
    pub fn middle_of_exposure(&self, facts: BufferFacts, arrival: Timestamp) -> (Timestamp, TimestampSource) {
        let half_exposure_s = (self.interval_s / 4.0).min(LONGEST_EXPOSURE_S / 2.0);
        let half_readout_s = self.interval_s / 4.0;
        let (stamp, source) = match plausible(facts.stamp_ns, arrival) {
            Some(stamp) if facts.at_exposure_start => (stamp, TimestampSource::DriverExposureStart),
            Some(stamp) => (stamp, TimestampSource::DriverFrameEnd),
            None => (arrival, TimestampSource::Arrival),
        };
        let shift_s = match source {
            TimestampSource::DriverExposureStart if self.uvc => 0.0,
            TimestampSource::DriverExposureStart => half_exposure_s,
            _ => -(half_readout_s + half_exposure_s),
        };
        let middle = stamp.offset_by_seconds(shift_s - self.capture_delay_s);
        // Nothing that has arrived can have been exposed later.
        (middle.min(arrival), source)
    }
}

/// The driver's stamp, if it can be one of CLOCK_MONOTONIC: not zero, not in the future, not long ago.
fn plausible(stamp_ns: i128, arrival: Timestamp) -> Option<Timestamp> {
    let stamp = Timestamp::from_nanos(u64::try_from(stamp_ns).ok()?);
    let age_s = arrival.seconds_since(stamp);
    (stamp_ns > 0 && (0.0..=OLDEST_S).contains(&age_s)).then_some(stamp)
}

/// Counts the frames that the driver dropped, from its sequence numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SequenceWatch {
    last: Option<u32>,
}

impl SequenceWatch {
    /// A larger gap is a driver that began to count anew.
    const LARGEST_GAP: u32 = 10_000;

    /// The number of frames missing between this one and the one before.
    pub fn missing_before(&mut self, sequence: u32) -> u64 {
        let step = self
            .last
            .replace(sequence)
            .map_or(1, |last| sequence.wrapping_sub(last));
        match step {
            2..=Self::LARGEST_GAP => u64::from(step - 1),
            _ => 0,
        }
    }
}

/// Measures the real frame rate over the last second or two.
#[derive(Clone, Debug)]
pub struct RateWatch {
    intervals_s: Vec<f64>,
    at: usize,
    last: Option<Timestamp>,
    since: Option<Timestamp>,
}

impl Default for RateWatch {
    fn default() -> Self {
        Self {
            intervals_s: Vec::with_capacity(Self::WINDOW),
            at: 0,
            last: None,
            since: None,
        }
    }
}

impl RateWatch {
    const WINDOW: usize = 31;
    /// Cameras find their exposure in the first moments; what they do then says nothing.
    const SETTLED_AFTER: Duration = Duration::from_secs(3);

    pub fn push(&mut self, captured: Timestamp) {
        self.since.get_or_insert(captured);
        if let Some(last) = self.last.replace(captured) {
            let interval_s = captured.seconds_since(last);
            if self.intervals_s.len() < Self::WINDOW {
                self.intervals_s.push(interval_s);
            } else {
                self.intervals_s[self.at] = interval_s;
                self.at = (self.at + 1) % Self::WINDOW;
            }
        }
    }

    /// Frames a second, from the median interval; `None` until the window is full and the camera has settled.
    pub fn rate_hz(&self) -> Option<f64> {
        let settled = self.last?.saturating_since(self.since?) >= Self::SETTLED_AFTER;
        if !settled || self.intervals_s.len() < Self::WINDOW {
            return None;
        }
        let mut sorted = self.intervals_s.clone();
        sorted.sort_by(f64::total_cmp);
        let median_s = sorted[Self::WINDOW / 2];
        (median_s > 0.0).then(|| 1.0 / median_s)
    }

    /// Measures anew, as after a change of the camera's settings.
    pub fn restart(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ARRIVAL: Timestamp = Timestamp::from_nanos(10_000_000_000);
    const TIMING: Timing = Timing {
        interval_s: 0.04,
        uvc: false,
        capture_delay_s: 0.0,
    };

    fn facts(stamp_ns: i128, at_exposure_start: bool) -> BufferFacts {
        BufferFacts {
            stamp_ns,
            at_exposure_start,
            ..BufferFacts::default()
        }
    }

    fn middle_ms(timing: Timing, facts: BufferFacts) -> (f64, TimestampSource) {
        let (middle, source) = timing.middle_of_exposure(facts, ARRIVAL);
        (middle.as_nanos() as f64 * 1e-6, source)
    }

    #[test]
    fn each_kind_of_stamp_leads_to_the_middle_of_the_exposure() {
        let stamp = 9_950_000_000;
        let half_exposure_ms = 1000.0 / 120.0;
        let (middle, source) = middle_ms(TIMING, facts(stamp, true));
        assert!((middle - (9_950.0 + half_exposure_ms)).abs() < 1e-3, "{middle}");
        assert_eq!(source, TimestampSource::DriverExposureStart);
        let (middle, source) = middle_ms(TIMING, facts(stamp, false));
        assert!((middle - (9_950.0 - 10.0 - half_exposure_ms)).abs() < 1e-3, "{middle}");
        assert_eq!(source, TimestampSource::DriverFrameEnd);
        let uvc = Timing { uvc: true, ..TIMING };
        assert_eq!(middle_ms(uvc, facts(stamp, true)).0, 9_950.0);
        let late = Timing {
            capture_delay_s: 0.012,
            ..uvc
        };
        assert_eq!(middle_ms(late, facts(stamp, true)).0, 9_938.0);
    }

    #[test]
    fn zero_future_and_foreign_stamps_give_way_to_the_arrival() {
        for stamp_ns in [
            0,
            -5,
            10_000_000_001,
            1_700_000_000_000_000_000,
            8_999_000_000,
            i128::MAX,
        ] {
            let (middle, source) = middle_ms(TIMING, facts(stamp_ns, true));
            assert_eq!(source, TimestampSource::Arrival, "{stamp_ns}");
            assert!((9_970.0..10_000.0).contains(&middle), "{middle}");
        }
    }

    #[test]
    fn sequence_gaps_are_counted_and_restarts_are_not() {
        let mut watch = SequenceWatch::default();
        let counted: Vec<u64> = [7, 8, 11, 11, 12, 0, 1, u32::MAX, 0]
            .map(|s| watch.missing_before(s))
            .to_vec();
        assert_eq!(counted, [0, 0, 2, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn the_real_rate_is_the_median_once_settled() {
        let mut watch = RateWatch::default();
        let at = |ms: u64| Timestamp::from_nanos(ms * 1_000_000);
        (0..80).for_each(|i| watch.push(at(i * 33)));
        assert_eq!(watch.rate_hz(), None, "not settled yet");
        (80..130).for_each(|i| watch.push(at(i * 33)));
        assert!((watch.rate_hz().expect("measured") - 30.3).abs() < 0.1);
        (1..20).for_each(|i| watch.push(at(129 * 33 + i * 66)));
        assert!(
            (watch.rate_hz().expect("measured") - 15.15).abs() < 0.1,
            "halved for most of the window"
        );
        watch.restart();
        assert_eq!(watch.rate_hz(), None);
    }

    proptest! {
        #[test]
        fn no_frame_is_stamped_after_its_arrival(stamp_ns: i64, start: bool, uvc: bool, delay in -0.5..0.5_f64, now: u64) {
            let timing = Timing { uvc, capture_delay_s: delay, ..TIMING };
            let arrival = Timestamp::from_nanos(now);
            let (middle, _) = timing.middle_of_exposure(facts(i128::from(stamp_ns), start), arrival);
            prop_assert!(middle <= arrival);
        }
    }
}
