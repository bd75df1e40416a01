//! `gazectl report`: how good a calibration, a recording or a watched session is, as one HTML page.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};

use super::Output;
use crate::calibration::profile::{Profile, Profiles};
use crate::disk::Folders;
use crate::nets::Weights;
use measured::Measured;

mod drawing;
mod measured;
mod page;
mod watched;

/// Writes a page with the accuracy by region of the screen, error arrows, precision, data loss and latency.
///
/// INPUT is a recording whose frames say what was looked at, or lines that `gazectl watch --json` wrote with a synthetic
/// user. Without INPUT the page tells of a stored calibration. The page is one file that needs nothing else.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The page to write
    page: PathBuf,
    /// A recording's folder, or a file of `gazectl watch --json`
    #[arg(required_unless_present = "profile")]
    input: Option<PathBuf>,
    /// The stored calibration to tell of, or to map the recording with; a recording without one is calibrated by itself, each
    /// point without its own frames
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let profile = args.profile.as_deref();
    let measured = match (&args.input, profile) {
        (Some(folder), profile) if folder.is_dir() => {
            let stored = profile.map(load).transpose()?;
            Measured::of_recording(folder, stored.as_ref())?
        }
        (Some(_), Some(_)) => bail!("--profile goes with a recording; what was watched was calibrated already"),
        (Some(file), None) => watched::read(file)?,
        (None, profile) => {
            let name = profile
                .context("name what to report on: a recording, a file of `gazectl watch --json`, or --profile NAME")?;
            Measured::of_profile(&load(name)?)?
        }
    };
    fs::write(&args.page, page::page(&measured))
        .with_context(|| format!("{} cannot be written", args.page.display()))?;
    writeln!(out, "{}", measured.summary())?;
    Ok(())
}

fn load(name: &str) -> anyhow::Result<Profile> {
    let profiles = Profiles::in_folder(Folders::of_user()?.profiles());
    Ok(profiles.load(name, &Weights::BuiltIn.version()?)?)
}
