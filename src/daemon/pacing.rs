//! Rate limits: which moments of a stream of them are let through. Pure values that take time as an argument.

use std::time::Duration;

use crate::clock::Timestamp;

/// Lets through at most so many moments a second, on average, without beating against the frame rate.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    /// `None` lets everything through.
    period: Option<Duration>,
    due: Option<Timestamp>,
}

impl Pacer {
    /// A rate that has no period, as zero has none, limits nothing.
    pub fn new(max_rate_hz: Option<f64>) -> Self {
        let period = max_rate_hz.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok());
        Self { period, due: None }
    }

    /// True where the moment `at` is let through.
    ///
    /// Moments are let through up to an eighth of a period early, so that a camera that jitters at just the limit's rate
    /// loses no frame; the schedule itself keeps the average at the limit.
    pub fn admits(&mut self, at: Timestamp) -> bool {
        let Some(period) = self.period else {
            return true;
        };
        match self.due {
            Some(due) if at + period / 8 < due => false,
            Some(due) if at < due + period => {
                self.due = Some(due + period);
                true
            }
            _ => {
                self.due = Some(at + period);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn without_a_limit_everything_passes() {
        let mut pacer = Pacer::new(None);
        assert!((0..100).all(|ns| pacer.admits(Timestamp::from_nanos(ns))));
    }

    #[test]
    fn a_jittering_camera_at_the_limit_loses_nothing() {
        let mut pacer = Pacer::new(Some(30.0));
        let admitted = (0..300_u64)
            .filter(|n| {
                let jitter = if n % 2 == 0 { 2_000_000 } else { 0 };
                pacer.admits(Timestamp::from_nanos(n * 33_333_333 + jitter))
            })
            .count();
        assert_eq!(admitted, 300);
    }

    #[test]
    fn twenty_of_thirty_frames_pass_at_a_limit_of_twenty_hertz() {
        let mut pacer = Pacer::new(Some(20.0));
        let admitted = (0..300_u64)
            .filter(|n| pacer.admits(Timestamp::from_nanos(n * 33_333_333)))
            .count();
        assert!((199..=201).contains(&admitted), "{admitted}");
    }

    proptest! {
        #[test]
        fn no_rate_panics(rate in any::<f64>(), steps in proptest::collection::vec(any::<u32>(), 0..20)) {
            let mut pacer = Pacer::new(Some(rate));
            let mut now_ns = 0;
            for step in steps {
                now_ns += u64::from(step);
                pacer.admits(Timestamp::from_nanos(now_ns));
            }
        }

        #[test]
        fn the_limit_holds_for_any_camera(rate in 0.01..1000.0_f64, steps in proptest::collection::vec(1..200_u64, 1..400)) {
            let mut pacer = Pacer::new(Some(rate));
            let (mut now_ms, mut admitted) = (0, 0);
            for step in &steps {
                now_ms += step;
                admitted += u64::from(pacer.admits(Timestamp::from_nanos(now_ms * 1_000_000)));
            }
            let allowed = rate * (now_ms - steps[0]) as f64 * 1e-3 + 2.0;
            prop_assert!(admitted as f64 <= allowed, "{admitted} of {allowed}");
        }
    }
}
