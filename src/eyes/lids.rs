//! Tells a blink from its first moving frame to its last, which openness alone does not.
//!
//! While the lids come down they push the seen part of the pupil down too, so the frames just before and after the closed
//! ones show a gaze that is far off; the one before would even be held until the eyes are open again.

use crate::clock::Timestamp;

/// Watches how far the eyes are open beside how far they usually are.
#[derive(Clone, Copy, Debug, Default)]
pub struct LidWatch {
    usual: Option<Usual>,
}

#[derive(Clone, Copy, Debug)]
struct Usual {
    openness: f64,
    /// Mean absolute difference of frames at rest from it.
    deviation: f64,
    /// The last frame, and the last in which the lids were where they usually are.
    seen: Timestamp,
    at_rest: Timestamp,
}

impl LidWatch {
    /// Lids at rest stay within this many of their mean deviations,
    const DEVIATIONS: f64 = 5.0;
    /// which is between these parts of the usual openness, however quiet or noisy the picture is.
    const SLACK: [f64; 2] = [0.06, 0.2];
    /// Blinks last 100 to 400 ms (VanderWerf et al., 2003). Lids that are down for longer but not closed are down because
    /// the user looks down or squints: that is the new usual.
    const LONGEST_BLINK_S: f64 = 0.4;
    /// How fast the usual openness follows lids at rest.
    const TIME_CONSTANT_S: f64 = 0.5;

    /// Takes one frame's openness (0..1, mean of both eyes); true while the lids move or are closed in a blink.
    pub fn push(&mut self, time: Timestamp, openness: f64) -> bool {
        let fresh = Usual {
            openness,
            deviation: openness * Self::SLACK[1] / Self::DEVIATIONS,
            seen: time,
            at_rest: time,
        };
        let Some(usual) = &mut self.usual else {
            self.usual = Some(fresh);
            return false;
        };
        let elapsed_s = time.seconds_since(usual.seen);
        usual.seen = time;
        let [least, most] = Self::SLACK.map(|part| part * usual.openness);
        let slack = (Self::DEVIATIONS * usual.deviation).clamp(least, most);
        if openness >= usual.openness - slack {
            let share = 1.0 - (-elapsed_s.max(0.0) / Self::TIME_CONSTANT_S).exp();
            usual.deviation += share * ((openness - usual.openness).abs() - usual.deviation);
            usual.openness += share * (openness - usual.openness);
            usual.at_rest = time;
            return false;
        }
        let blinks = (0.0..Self::LONGEST_BLINK_S).contains(&time.seconds_since(usual.at_rest));
        if !blinks {
            self.usual = Some(fresh);
        }
        blinks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers to frames at 30 Hz after a second with open eyes.
    fn after_open_eyes(openness: &[f64]) -> Vec<bool> {
        let mut watch = LidWatch::default();
        let at = |frame: usize| Timestamp::from_nanos(33_333_333 * frame as u64);
        for frame in 0..30 {
            assert!(!watch.push(at(frame), 0.9));
        }
        openness
            .iter()
            .enumerate()
            .map(|(index, openness)| watch.push(at(30 + index), *openness))
            .collect()
    }

    #[test]
    fn a_blink_lasts_from_the_first_moving_frame_to_the_last() {
        let blink = [0.9, 0.8, 0.05, 0.02, 0.2, 0.6, 0.88, 0.9];
        let moving = after_open_eyes(&blink);
        assert_eq!(moving, [false, true, true, true, true, true, false, false]);
    }

    #[test]
    fn lids_that_stay_down_are_believed_after_the_longest_blink() {
        let moving = after_open_eyes(&[0.6; 30]);
        assert!(moving[..11].iter().all(|moving| *moving));
        assert!(moving[13..].iter().all(|moving| !moving));
    }

    #[test]
    fn lids_that_follow_the_gaze_slowly_are_never_a_blink() {
        let slow: Vec<f64> = (0..60).map(|frame| 0.9 - 0.006 * f64::from(frame)).collect();
        assert!(after_open_eyes(&slow).iter().all(|moving| !moving));
    }

    #[test]
    fn time_that_runs_backwards_begins_anew() {
        let mut watch = LidWatch::default();
        watch.push(Timestamp::from_nanos(5_000_000_000), 0.9);
        assert!(!watch.push(Timestamp::from_nanos(1_000_000_000), 0.5));
    }
}
