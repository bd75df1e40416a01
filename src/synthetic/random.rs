//! Random numbers as pure functions of (seed, purpose, index).
//!
//! Nothing here keeps state between calls: whoever asks for the same purpose and index gets the same numbers, in any
//! order, on any machine. ChaCha8 is value-stable across versions of its crate, so a seed names the same person for ever.

use std::f64::consts::TAU;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for. The number is the ChaCha stream and must never be used again for another purpose.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Parameters = 1,
    Scanpath = 2,
    Microsaccade = 3,
    Drift = 4,
    Blink = 5,
    Sway = 6,
    Shape = 7,
    Texture = 8,
    Room = 9,
    SensorNoise = 10,
    FrameNoise = 11,
    Iris = 12,
    Reaction = 13,
    Clothes = 14,
    Glasses = 15,
    Lens = 16,
    MoveReaction = 17,
}

/// A stream of random numbers.
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream for one purpose; `index` tells time slices, frames or layers of that purpose apart.
    pub(crate) fn new(seed: u64, purpose: Purpose, index: i64) -> Self {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&index.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(purpose as u64);
        Self(generator)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Uniform between `low` and `high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Normally distributed with mean 0 and SD 1 (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of `choices` (which is never empty), all equally likely.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let index = (self.unit() * choices.len() as f64) as usize;
        choices[index.min(choices.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let take = |seed, purpose, index| {
            let mut draws = Draws::new(seed, purpose, index);
            [draws.bits(), draws.bits()]
        };
        assert_eq!(take(7, Purpose::Blink, -3), take(7, Purpose::Blink, -3));
        assert_ne!(take(7, Purpose::Blink, -3), take(7, Purpose::Blink, -2));
        assert_ne!(take(7, Purpose::Blink, -3), take(8, Purpose::Blink, -3));
        assert_ne!(take(7, Purpose::Blink, -3), take(7, Purpose::Sway, -3));
    }

    #[test]
    fn moments_are_as_named() {
        let mut draws = Draws::new(1, Purpose::Drift, 0);
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..20_000 {
            let value = draws.normal();
            sum += value;
            squares += value * value;
        }
        assert!((sum / 20_000.0).abs() < 0.03, "mean {}", sum / 20_000.0);
        assert!(
            (squares / 20_000.0 - 1.0).abs() < 0.05,
            "variance {}",
            squares / 20_000.0
        );
    }
}
