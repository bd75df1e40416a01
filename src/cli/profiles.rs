//! `gazectl profiles`: lists the calibrations that are stored, chooses one, deletes one.

use std::io::Write;

use serde::Serialize;

use super::Output;
use crate::client::{Client, ClientError};

/// Lists the stored calibrations; a star marks the one in use.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Use this profile from now on
    #[arg(long = "use", value_name = "NAME", conflicts_with = "delete")]
    chosen: Option<String>,
    /// Delete this profile
    #[arg(long, value_name = "NAME")]
    delete: Option<String>,
}

#[derive(Serialize)]
struct Profiles {
    profile: String,
    profiles: Vec<String>,
}

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let client = Client::connect()?;
    let control = client.control()?;
    if let Some(name) = &args.chosen {
        control.use_profile(name).map_err(ClientError::from)?;
    }
    if let Some(name) = &args.delete {
        control.delete_profile(name).map_err(ClientError::from)?;
    }
    let found = Profiles {
        profile: client.manager()?.profile().map_err(ClientError::from)?,
        profiles: control.profiles().map_err(ClientError::from)?,
    };
    if args.json {
        out.json_line(&found)?;
    } else if found.profiles.is_empty() {
        writeln!(out, "There is no profile yet; `gazectl calibrate` makes one.")?;
    } else {
        for name in &found.profiles {
            writeln!(out, "{} {name}", if *name == found.profile { '*' } else { ' ' })?;
        }
    }
    Ok(())
}
