//! Calibrating from a recording whose frames say what was looked at: the same gathering and the same fit as live, no daemon.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Map;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::report::Report;
use super::tour::{ARRIVAL_S, REST_S};
use crate::calibration::Features;
use crate::calibration::gathering::{Gathering, gather};
use crate::calibration::profile::{Profile, Profiles};
use crate::capture::recording::{Recording, Row};
use crate::clock::Timestamp;
use crate::disk::Folders;
use crate::geometry::{ScreenPoint, Setup};
use crate::nets::Weights;
use crate::tracking::{Absence, Seen, Tracking};

/// One target and the frames in which it was looked at.
struct Look {
    at: ScreenPoint,
    frames: Vec<(Timestamp, Result<Features, Absence>)>,
}

/// What a recording came to.
pub struct Calibrated {
    pub report: Report,
    profile: Profile,
}

impl Calibrated {
    /// Stores the calibration among the user's profiles; one of the same name is replaced, whole or not at all.
    pub fn keep(&self) -> anyhow::Result<()> {
        Ok(Profiles::in_folder(Folders::of_user()?.profiles()).save(&self.profile)?)
    }
}

/// Calibrates on every frame that has a target.
pub fn calibrate(folder: &Path, profile: &str) -> anyhow::Result<Calibrated> {
    let recording = Recording::open(folder)?;
    let setup = recording.setup().unwrap_or_default();
    let looks = looks(&recording, &setup)?;
    if looks.is_empty() {
        bail!(
            "no frame of {} has a target, so nobody knows what was looked at; fill target_x_px and target_y_px in its \
             frames.csv",
            folder.display()
        );
    }
    let (mut gathering, mut missed) = (Gathering::default(), Vec::new());
    // A long recording has more points than a calibration holds: then as many of them as it does, evenly spread.
    let step = looks.len().div_ceil(Gathering::MOST_TARGETS);
    for look in looks.iter().step_by(step) {
        let gathered = look.gather(recording.facts().stills, &setup);
        if let Err(reason) = gathered.and_then(|frames| gathering.add(look.at, frames)) {
            missed.push(format!("{:.2}, {:.2}: {reason}", look.at.x, look.at.y));
        }
    }
    let quality = match gathering.fit(&setup) {
        Ok(fitted) => fitted.quality,
        Err(error) => {
            let first = missed
                .first()
                .map_or_else(String::new, |first| format!(" (left out, among others: {first})"));
            bail!("{} gives no calibration: {error}{first}", folder.display());
        }
    };
    let date = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    let weights = Weights::BuiltIn.version()?;
    let made = gathering.profile(profile, &weights, date, setup.screen);
    let profile = made.context("the points were not fitted")?;
    let fitted = Map::from_iter([
        ("accuracy-deg".to_owned(), quality.error_deg.into()),
        ("precision-deg".to_owned(), quality.precision_deg.into()),
        ("points".to_owned(), profile.points.into()),
        ("samples".to_owned(), profile.samples.len().into()),
    ]);
    let report = Report {
        fitted,
        validated: Vec::new(),
        missed,
    };
    Ok(Calibrated { report, profile })
}

/// Looks at all frames and puts those together that follow each other with the same target; frames without a target, such
/// as blinks, stand between them or not.
fn looks(recording: &Recording, setup: &Setup) -> anyhow::Result<Vec<Look>> {
    let mut tracking = Tracking::new(&Weights::BuiltIn, recording.facts().stills)?;
    let mut looks: Vec<Look> = Vec::new();
    for (row, frame) in recording.frames() {
        // Every frame is looked at, for tracking remembers the one before.
        let features = match frame {
            Ok(frame) => match tracking.see(&frame, setup)? {
                Seen::Gaze(sighting) => Ok(sighting.features),
                Seen::Nothing(absence, _) => Err(absence),
            },
            Err(error) => {
                tracing::warn!("{error}");
                continue;
            }
        };
        let Some(at) = target(row, setup) else { continue };
        let seen = (row.timestamp, features);
        match looks.last_mut() {
            Some(look) if look.at == at => look.frames.push(seen),
            _ => looks.push(Look { at, frames: vec![seen] }),
        }
    }
    Ok(looks)
}

fn target(row: &Row, setup: &Setup) -> Option<ScreenPoint> {
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
