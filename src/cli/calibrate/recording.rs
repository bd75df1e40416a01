//! Calibrating from a recording whose frames say what was looked at: the same gathering and the same fit as live, no daemon.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Map;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::report::Report;
use crate::calibration::profile::{Profile, Profiles};
use crate::capture::recording::Recording;
use crate::cli::looks::Looks;
use crate::disk::Folders;
use crate::nets::Weights;

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
    let looks = Looks::of(&recording, &setup)?;
    let (mut gathering, missed) = looks.gather(&setup);
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
    // Where no two samples follow each other, as in stills, there is no precision, and the fit says 0.
    let precision_deg = (quality.precision_deg > 0.0).then_some(quality.precision_deg);
    let fitted = Map::from_iter([
        ("accuracy-deg".to_owned(), quality.error_deg.into()),
        ("precision-deg".to_owned(), precision_deg.into()),
        ("points".to_owned(), profile.points.into()),
        ("samples".to_owned(), profile.samples.len().into()),
    ]);
    let report = Report {
        fitted,
        validated: Vec::new(),
        missed,
        scale: None,
    };
    Ok(Calibrated { report, profile })
}
