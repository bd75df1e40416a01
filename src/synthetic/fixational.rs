//! The small movements that never stop: tremor, drift and micro-saccades, for each axis in degrees.

use std::f64::consts::TAU;

use crate::geometry::VisualAngle;

use super::random::{Draws, Purpose};
use super::saccade::SaccadeProfile;

/// A sum of sines with fixed frequencies and drawn phases: band-limited noise as a function of time.
#[derive(Clone, Debug)]
pub(crate) struct Wander {
    waves: Vec<Wave>,
}

#[derive(Clone, Copy, Debug)]
struct Wave {
    amplitude: f64,
    frequency_hz: f64,
    phase_rad: f64,
}

impl Wander {
    /// `count` sines between two frequencies, amplitudes falling with frequency to the power of `slope`, scaled to `rms`.
    pub(crate) fn new(draws: &mut Draws, rms: f64, frequencies_hz: [f64; 2], slope: f64, count: usize) -> Self {
        let ratio = frequencies_hz[1] / frequencies_hz[0];
        let mut waves: Vec<Wave> = (0..count)
            .map(|index| {
                let frequency_hz = frequencies_hz[0] * ratio.powf((index as f64 + draws.unit()) / count as f64);
                Wave {
                    amplitude: frequency_hz.powf(-slope),
                    frequency_hz,
                    phase_rad: draws.between(0.0, TAU),
                }
            })
            .collect();
        let power: f64 = waves.iter().map(|wave| 0.5 * wave.amplitude * wave.amplitude).sum();
        let scale = rms / power.sqrt();
        for wave in &mut waves {
            wave.amplitude *= scale;
        }
        Self { waves }
    }

    pub(crate) fn at(&self, time_s: f64) -> f64 {
        self.waves
            .iter()
            .map(|wave| wave.amplitude * (TAU * wave.frequency_hz * time_s + wave.phase_rad).sin())
            .sum()
    }
}

/// Micro-saccades come about once in this time, never two closer than a third of it.
const MICROSACCADE_SLOT_S: f64 = 0.75;

#[derive(Clone, Debug)]
pub(crate) struct Fixational {
    seed: u64,
    scale: f64,
    slow: [Wander; 2],
    tremor: [Wander; 2],
}

impl Fixational {
    /// `scale` 1 is natural: drift of about 0.07 degrees RMS, tremor of 0.006 degrees at 60 to 95 Hz and a micro-saccade
    /// of about 0.25 degrees a second (Martinez-Conde, Macknik and Hubel 2004 give the ranges).
    pub(crate) fn new(seed: u64, scale: f64) -> Self {
        let mut draws = Draws::new(seed, Purpose::Drift, 0);
        let mut slow = || Wander::new(&mut draws, 0.07 * scale, [0.15, 3.0], 0.8, 7);
        let slow = [slow(), slow()];
        let mut tremor = || Wander::new(&mut draws, 0.006 * scale, [60.0, 95.0], 0.0, 5);
        let tremor = [tremor(), tremor()];
        Self {
            seed,
            scale,
            slow,
            tremor,
        }
    }

    /// What is added to the intended gaze at `time_s`.
    pub(crate) fn at(&self, time_s: f64) -> VisualAngle {
        let slot = (time_s / MICROSACCADE_SLOT_S).floor() as i64;
        let before = self.rest(slot - 1).1;
        let (onset_s, after) = self.rest(slot);
        let profile = SaccadeProfile::new(before.distance_deg(after));
        let part = profile.progress(time_s - onset_s);
        VisualAngle {
            x_deg: self.slow[0].at(time_s)
                + self.tremor[0].at(time_s)
                + before.x_deg
                + part * (after.x_deg - before.x_deg),
            y_deg: self.slow[1].at(time_s)
                + self.tremor[1].at(time_s)
                + before.y_deg
                + part * (after.y_deg - before.y_deg),
        }
    }

    /// Onset of the slot's micro-saccade and the offset it goes to; the former slot's offset where there is none is not
    /// looked up, a near-zero step stands for it.
    fn rest(&self, slot: i64) -> (f64, VisualAngle) {
        let mut draws = Draws::new(self.seed, Purpose::Microsaccade, slot);
        let onset_s = (slot as f64 + draws.between(0.0, 0.66)) * MICROSACCADE_SLOT_S;
        let offset = VisualAngle::new(0.16 * self.scale * draws.normal(), 0.09 * self.scale * draws.normal());
        (onset_s, offset)
    }
}
