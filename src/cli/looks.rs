//! The looks of a recording: runs of frames in which one target was looked at, and what was seen in them.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::bail;

use crate::calibration::Features;
use crate::calibration::gathering::{Gathering, gather};
use crate::capture::recording::{Recording, Row};
use crate::clock::Timestamp;
use crate::geometry::{ScreenPoint, Setup};
use crate::nets::Weights;
use crate::stats::Latency;
use crate::tracking::{Absence, Seen, Tracking};

/// From a target's appearance until the eye can have arrived and settled: a saccade starts about 0.2 s after its target
/// appears and lasts less than 0.1 s (Rayner 1998, Psychological Bulletin 124), and often a small one follows to correct it.
pub const ARRIVAL_S: f64 = 0.6;
/// How long the eye must rest before its samples are taken.
pub const REST_S: f64 = 0.8;

/// One target and the frames in which it was looked at.
pub struct Look {
    pub at: ScreenPoint,
    frames: Vec<(Timestamp, Result<Features, Absence>)>,
}

/// What all frames of a recording show.
pub struct Looks {
    pub looks: Vec<Look>,
    /// All frames, with a target or without.
    pub frames: usize,
    /// Frames without gaze, by the reason.
    pub lost: BTreeMap<&'static str, usize>,
    /// Of looking at one frame, here and now.
    pub latency: Latency,
    stills: bool,
}

impl Looks {
    /// Looks at all frames and puts those together that follow each other with the same target; frames without a target,
    /// such as blinks, stand between them or not.
    pub fn of(recording: &Recording, setup: &Setup) -> anyhow::Result<Self> {
        let stills = recording.facts().stills;
        let mut tracking = Tracking::new(&Weights::BuiltIn, stills)?;
        let mut all = Self {
            looks: Vec::new(),
            frames: 0,
            lost: BTreeMap::new(),
            latency: Latency::default(),
            stills,
        };
        for (row, frame) in recording.frames() {
            all.frames += 1;
            // Every frame is looked at, for tracking remembers the one before.
            let features = match frame {
                Ok(frame) => {
                    let start = Instant::now();
                    let seen = tracking.see(&frame, setup)?;
                    all.latency.record(start.elapsed());
                    match seen {
                        Seen::Gaze(sighting) => Ok(sighting.features),
                        Seen::Nothing(absence, _) => Err(absence),
                    }
                }
                Err(error) => {
                    tracing::warn!("{error}");
                    *all.lost.entry("picture damaged").or_default() += 1;
                    continue;
                }
            };
            if let Err(absence) = &features {
                *all.lost.entry(absence.as_str()).or_default() += 1;
            }
            if let Some(at) = target(row, setup) {
                all.add(at, (row.timestamp, features));
            }
        }
        if all.looks.is_empty() {
            bail!(
                "no frame of {} has a target, so nobody knows what was looked at; fill target_x_px and target_y_px in its \
                 frames.csv",
                recording.folder().display()
            );
        }
        Ok(all)
    }

    fn add(&mut self, at: ScreenPoint, seen: (Timestamp, Result<Features, Absence>)) {
        match self.looks.last_mut() {
            Some(look) if look.at == at => look.frames.push(seen),
            _ => self.looks.push(Look { at, frames: vec![seen] }),
        }
    }

    /// The looks that serve, and why the others do not. A long recording has more points than a calibration holds: then as
    /// many of them as it does, evenly spread.
    pub fn gather(&self, setup: &Setup) -> (Gathering, Vec<String>) {
        let (mut gathering, mut missed) = (Gathering::default(), Vec::new());
        let step = self.looks.len().div_ceil(Gathering::MOST_TARGETS).max(1);
        for look in self.looks.iter().step_by(step) {
            let gathered = look.gather(self.stills, setup);
            if let Err(reason) = gathered.and_then(|frames| gathering.add(look.at, frames)) {
                missed.push(format!("{:.2}, {:.2}: {reason}", look.at.x, look.at.y));
            }
        }
        (gathering, missed)
    }

    /// The frames of every look that serves.
    pub fn serving(&self, setup: &Setup) -> Vec<(ScreenPoint, Vec<Features>)> {
        let looks = self.looks.iter();
        looks
            .filter_map(|look| Some((look.at, look.gather(self.stills, setup).ok()?)))
            .collect()
    }
}

/// What was to be looked at in a frame.
pub fn target(row: &Row, setup: &Setup) -> Option<ScreenPoint> {
    let [x, y] = row.target_px?;
    let screen = &setup.screen;
    Some(ScreenPoint::new(
        x / f64::from(screen.width_px),
        y / f64::from(screen.height_px),
    ))
}

impl Look {
    /// The frames that serve. Stills stand alone, so nothing can be said about how steady they are.
    fn gather(&self, stills: bool, setup: &Setup) -> Result<Vec<Features>, String> {
        if stills {
            let mut absence = Absence::LowConfidence;
            let mut seen = Vec::new();
            for (_, features) in &self.frames {
                match features {
                    Ok(features) => seen.push(*features),
                    Err(reason) => absence = *reason,
                }
            }
            return if seen.is_empty() {
                Err(absence.as_str().to_owned())
            } else {
                Ok(seen)
            };
        }
        gather(self.settled().map(|(_, features)| features), setup)
    }

    /// Without the time that the eye needs to get there, where the target stood for long enough to spare it.
    fn settled(&self) -> impl Iterator<Item = &(Timestamp, Result<Features, Absence>)> {
        let since = |stamp: &Timestamp| match self.frames.first() {
            Some((first, _)) => stamp.seconds_since(*first),
            None => 0.0,
        };
        let spare = self
            .frames
            .last()
            .is_some_and(|(last, _)| since(last) >= ARRIVAL_S + REST_S);
        self.frames
            .iter()
            .filter(move |(stamp, _)| !spare || since(stamp) >= ARRIVAL_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eyes_way_to_a_long_look_is_left_out_and_a_short_one_is_taken_whole() {
        let look = |frames: u64| Look {
            at: ScreenPoint::CENTRE,
            frames: (0..frames)
                .map(|n| (Timestamp::from_nanos(n * 100_000_000), Err(Absence::NoFace)))
                .collect(),
        };
        let first_ms = |look: &Look| look.settled().next().map(|(stamp, _)| stamp.as_nanos() / 1_000_000);
        assert_eq!(first_ms(&look(20)), Some(600));
        assert_eq!((first_ms(&look(5)), look(5).settled().count()), (Some(0), 5));
        assert_eq!(look(0).settled().count(), 0);
    }
}
