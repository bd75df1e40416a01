//! Time: CLOCK_MONOTONIC in nanoseconds, and nothing else.
//!
//! Every frame is stamped once, in `capture`; every later stage takes time as an argument. Wall time never appears, so a
//! changed system clock changes nothing. CLOCK_MONOTONIC stands still while the machine is suspended.

use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A moment on CLOCK_MONOTONIC, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds from `earlier` to `self`; negative where `earlier` is in fact later.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        let nanos = i128::from(self.0) - i128::from(earlier.0);
        nanos as f64 * 1e-9
    }

    /// The time from `earlier` to `self`, zero where `earlier` is in fact later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// `self` moved by `seconds`, which may be negative; stays within the range of the clock. NaN moves nothing.
    pub fn offset_by_seconds(self, seconds: f64) -> Self {
        let nanos = (seconds * 1e9).round();
        if nanos >= 0.0 {
            Self(self.0.saturating_add(nanos as u64))
        } else {
            Self(self.0.saturating_sub(-nanos as u64))
        }
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Where a frame's time stamp comes from: how far it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimestampSource {
    /// The driver stamped the start of the exposure.
    DriverExposureStart,
    /// The driver stamped the end of the frame's reception.
    DriverFrameEnd,
    /// The driver gave no usable stamp: the moment the frame reached this process.
    Arrival,
    /// Read from a recording.
    Recorded,
    /// The synthetic camera knows its exposure exactly.
    Synthetic,
}

/// A source of the present moment, so that waiting and timeouts can be tested without waiting.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// The system's CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonotonicClock;

impl Clock for MonotonicClock {
    fn now(&self) -> Timestamp {
        let time = clock_gettime(ClockId::Monotonic);
        // CLOCK_MONOTONIC counts up from zero at boot, so neither part is ever negative.
        Timestamp(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }
}

/// A clock that moves only when told to.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_signed_and_exact() {
        let (early, late) = (Timestamp::from_nanos(1_000), Timestamp::from_nanos(2_500));
        assert_eq!(late.seconds_since(early), 1.5e-6);
        assert_eq!(early.seconds_since(late), -1.5e-6);
        assert_eq!(early.saturating_since(late), Duration::ZERO);
        assert_eq!(early.offset_by_seconds(1.5e-6), late);
        assert_eq!(late.offset_by_seconds(-1.0), Timestamp::from_nanos(0));
        assert_eq!(late.offset_by_seconds(f64::NAN), late);
    }

    #[test]
    fn the_monotonic_clock_never_goes_back() {
        let clock = MonotonicClock;
        let mut last = clock.now();
        for _ in 0..1000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }
}
