//! A recording as a track: its frames are looked at as the daemon does, and held against `truth.csv` or its targets.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Ahead;
use super::read::half_screen;
use super::track::{At, Reference, Track};
use crate::calibration::Mapping;
use crate::calibration::profile::Profiles;
use crate::capture::recording::Recording;
use crate::cli::looks;
use crate::disk::Folders;
use crate::forecast::Observation;
use crate::geometry::{ScreenPoint, Setup};
use crate::nets::Weights;
use crate::tracking::{Seen, Tracking};

/// What the synthetic user's truth says of one frame; other columns are of no use here.
#[derive(Deserialize)]
struct TruthRow {
    file: String,
    gaze_x: Option<f64>,
    gaze_y: Option<f64>,
}

/// Looks at every frame, with the calibration of a profile where one is named.
pub fn read(folder: &Path, profile: Option<&str>, ahead: Ahead) -> Result<Track> {
    let recording = Recording::open(folder)?;
    let setup = recording.setup().unwrap_or_default();
    let mapping = match profile {
        Some(name) => stored(name, &setup)?,
        None => Mapping::default(),
    };
    let stills = recording.facts().stills;
    if stills {
        ahead.refuse("frames that stand alone are not forecast")?;
    }
    let truths = truths(&folder.join("truth.csv"))?;
    let angle = |point: ScreenPoint| setup.screen.visual_angle(point, setup.viewing_distance_mm);
    let mut tracking = Tracking::new(&Weights::BuiltIn, stills)?;
    let (mut samples, mut truth, mut targets) = (Vec::new(), Vec::<At>::new(), Vec::<At>::new());
    for (row, frame) in recording.frames() {
        let t_s = row.timestamp.as_nanos() as f64 * 1e-9;
        let seen = match frame {
            Ok(frame) => tracking.see(&frame, &setup)?,
            Err(error) => {
                tracing::warn!("{error}");
                continue;
            }
        };
        let sample = match seen {
            Seen::Gaze(sighting) => Some(Observation {
                at: angle(mapping.predict(&sighting.features, &setup).point),
                confidence: f64::from(sighting.confidence),
            }),
            Seen::Nothing(..) => None,
        };
        samples.push((t_s, sample.filter(|sample| sample.at.is_finite())));
        truth.extend(truths.get(&row.file).map(|point| (t_s, angle(*point))));
        targets.extend(looks::target(row, &setup).map(|point| (t_s, angle(point))));
    }
    if samples.iter().all(|(_, sample)| sample.is_none()) {
        bail!(
            "in none of the {} frames of {} a gaze could be seen; `gazectl track` says why",
            samples.len(),
            folder.display()
        );
    }
    let (truth, reference) = match (truth.is_empty(), targets.is_empty()) {
        (false, _) => (truth, Reference::Truth),
        (true, false) => (targets, Reference::Target),
        (true, true) => (truth, Reference::LaterGaze),
    };
    let mut track = if stills {
        Track::of_stills(&samples, truth, reference)
    } else {
        Track::follow(&samples, truth, reference, ahead.method(), ahead.horizon_ms())?
    };
    track.screen = Some(half_screen(&setup));
    Ok(track)
}

fn stored(name: &str, setup: &Setup) -> Result<Mapping> {
    let profiles = Profiles::in_folder(Folders::of_user()?.profiles());
    let profile = profiles.load(name, &Weights::BuiltIn.version()?)?;
    Ok(Mapping::Fitted(Box::new(profile.fit(setup)?)))
}

/// The true gaze of each frame, normalised; none where there is no such file.
fn truths(path: &Path) -> Result<HashMap<String, ScreenPoint>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let mut reader = csv::Reader::from_reader(file);
    let mut truths = HashMap::new();
    for row in reader.deserialize() {
        let TruthRow { file, gaze_x, gaze_y } =
            row.with_context(|| format!("{} is not what `gazectl synthesize` writes", path.display()))?;
        if let (Some(x), Some(y)) = (gaze_x, gaze_y) {
            truths.insert(file, ScreenPoint::new(x, y));
        }
    }
    truths.retain(|_, point: &mut ScreenPoint| point.is_finite());
    Ok(truths)
}
