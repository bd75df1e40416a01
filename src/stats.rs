//! Counters and latencies of the running tracker, for the properties that do not emit changes.

use std::collections::VecDeque;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::clock::Timestamp;

/// Percentiles over the most recent values: between one and two [`Latency::WINDOW`]s of them.
#[derive(Debug)]
pub struct Latency {
    current: Histogram<u64>,
    previous: Histogram<u64>,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            current: Self::empty(),
            previous: Self::empty(),
        }
    }
}

impl Latency {
    /// About half a minute of frames.
    pub const WINDOW: u64 = 1000;
    const LONGEST_US: u64 = 60_000_000;

    fn empty() -> Histogram<u64> {
        // Two digits are 1 % of the value.
        Histogram::new_with_bounds(1, Self::LONGEST_US, 2).expect("the bounds are constants that the library takes")
    }

    pub fn record(&mut self, latency: Duration) {
        if self.current.len() >= Self::WINDOW {
            std::mem::swap(&mut self.current, &mut self.previous);
            self.current.reset();
        }
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.current.saturating_record(micros.clamp(1, Self::LONGEST_US));
    }

    /// p50, p95 and p99 in milliseconds; zeros before the first value.
    pub fn percentiles_ms(&self) -> (f64, f64, f64) {
        let mut both = self.current.clone();
        if both.add(&self.previous).is_err() || both.is_empty() {
            return (0.0, 0.0, 0.0);
        }
        let at = |quantile| both.value_at_quantile(quantile) as f64 * 1e-3;
        (at(0.50), at(0.95), at(0.99))
    }
}

/// The rate of the frames that were looked at, over the last second or so.
#[derive(Debug, Default)]
pub struct FrameRate {
    recent: VecDeque<Timestamp>,
}

impl FrameRate {
    const KEPT: usize = 32;
    /// After so long without a frame the rate is zero.
    const STALE: Duration = Duration::from_secs(1);

    pub fn record(&mut self, captured: Timestamp) {
        if self
            .recent
            .back()
            .is_some_and(|last| *last >= captured || captured.saturating_since(*last) > Self::STALE)
        {
            self.recent.clear();
        }
        if self.recent.len() == Self::KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(captured);
    }

    pub fn hz(&self, now: Timestamp) -> f64 {
        match (self.recent.front(), self.recent.back()) {
            (Some(first), Some(last)) if last > first && now.saturating_since(*last) <= Self::STALE => {
                (self.recent.len() - 1) as f64 / last.seconds_since(*first)
            }
            _ => 0.0,
        }
    }
}

/// All of it.
#[derive(Debug, Default)]
pub struct Stats {
    /// From the middle of the exposure to the moment the record left.
    pub latency: Latency,
    pub frame_rate: FrameRate,
    /// Frames that the device delivered and nobody looked at, since the daemon started.
    pub frames_missed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_recent_past() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentiles_ms(), (0.0, 0.0, 0.0));
        for _ in 0..Latency::WINDOW * 2 {
            latency.record(Duration::from_millis(500));
        }
        for ms in 1..=2 * Latency::WINDOW {
            latency.record(Duration::from_millis(ms.div_ceil(20)));
        }
        let (p50, p95, p99) = latency.percentiles_ms();
        assert!(
            (p50 - 50.0).abs() < 2.0 && (p95 - 95.0).abs() < 2.0 && (p99 - 99.0).abs() < 2.0,
            "{p50} {p95} {p99}"
        );
        latency.record(Duration::from_secs(100_000));
        latency.record(Duration::ZERO);
    }

    #[test]
    fn the_frame_rate_forgets_a_pause() {
        let mut rate = FrameRate::default();
        let frame = |n: u64| Timestamp::from_nanos(n * 20_000_000);
        for n in 0..40 {
            rate.record(frame(n));
        }
        assert!((rate.hz(frame(40)) - 50.0).abs() < 1e-6);
        assert_eq!(rate.hz(frame(140)), 0.0);
        rate.record(frame(140));
        rate.record(frame(142));
        assert!((rate.hz(frame(142)) - 25.0).abs() < 1e-6);
    }
}
