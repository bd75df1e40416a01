//! When the user blinks, and how the lids move then.

use super::random::{Draws, Purpose};
use super::saccade::minimum_jerk;

/// The blinks of one user. One falls into each slot of time, at a drawn moment, so that any moment can be asked for alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blinks {
    seed: u64,
    /// `None` for a user who never blinks.
    slot_s: Option<f64>,
}

/// One blink: closing takes about 80 ms, opening twice as long (VanderWerf and others 2003).
#[derive(Clone, Copy, Debug)]
struct Blink {
    onset_s: f64,
    closing_s: f64,
    closed_s: f64,
    opening_s: f64,
    /// How far the lids close; some blinks are not complete.
    depth: f64,
}

impl Blink {
    fn closure(&self, time_s: f64) -> f64 {
        let closing = minimum_jerk((time_s - self.onset_s) / self.closing_s);
        // The lid is quick at first when it opens and creeps up at the end.
        let opened = ((time_s - self.onset_s - self.closing_s - self.closed_s) / self.opening_s).clamp(0.0, 1.0);
        let opening = minimum_jerk(opened.powf(0.75));
        self.depth * (closing - opening)
    }
}

impl Blinks {
    pub(crate) fn new(seed: u64, blinks_per_minute: f64) -> Self {
        Self {
            seed,
            slot_s: (blinks_per_minute > 0.0).then(|| 60.0 / blinks_per_minute),
        }
    }

    /// How far the lids are closed by a blink, 0..=1.
    pub(crate) fn closure(&self, time_s: f64) -> f64 {
        let Some(slot_s) = self.slot_s else { return 0.0 };
        let slot = (time_s / slot_s).floor() as i64;
        // A blink near the end of a slot may last into the next one.
        [slot - 1, slot]
            .into_iter()
            .map(|slot| self.blink(slot, slot_s).closure(time_s))
            .fold(0.0, f64::max)
    }

    fn blink(&self, slot: i64, slot_s: f64) -> Blink {
        let mut draws = Draws::new(self.seed, Purpose::Blink, slot);
        Blink {
            onset_s: (slot as f64 + draws.unit()) * slot_s,
            closing_s: draws.between(0.07, 0.11),
            closed_s: if draws.chance(0.08) {
                draws.between(0.15, 0.5)
            } else {
                draws.between(0.01, 0.05)
            },
            opening_s: draws.between(0.14, 0.24),
            depth: if draws.chance(0.12) {
                draws.between(0.5, 0.9)
            } else {
                1.0
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blinks_come_as_often_as_asked_and_last_as_long_as_blinks_do() {
        let blinks = Blinks::new(3, 15.0);
        let (mut onsets, mut closed, mut was) = (0, 0.0, false);
        let step = 0.002;
        let steps = (600.0 / step) as usize;
        for index in 0..steps {
            let is = blinks.closure(index as f64 * step) > 0.5;
            onsets += usize::from(is && !was);
            closed += if is { step } else { 0.0 };
            was = is;
        }
        assert!(
            (135..=152).contains(&onsets),
            "{onsets} blinks in ten minutes at 15 a minute"
        );
        let mean_s = closed / onsets as f64;
        assert!((0.08..0.3).contains(&mean_s), "half closed for {mean_s} s");
    }

    #[test]
    fn a_rate_of_zero_means_open_eyes() {
        assert!((0..1000).all(|tenth| Blinks::new(1, 0.0).closure(f64::from(tenth) * 0.1) == 0.0));
    }
}
