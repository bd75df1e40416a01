//! `gazectl pause` and `gazectl resume`: the privacy switch.

use std::io::Write;

use super::Output;
use crate::client::{Client, ClientError};

pub fn pause(out: &mut Output) -> anyhow::Result<()> {
    switch(true)?;
    Ok(writeln!(
        out,
        "Paused: the camera stays closed, also over a restart, until `gazectl resume`."
    )?)
}

pub fn resume(out: &mut Output) -> anyhow::Result<()> {
    switch(false)?;
    Ok(writeln!(
        out,
        "Resumed: the camera opens where a program asks for gaze."
    )?)
}

fn switch(paused: bool) -> Result<(), ClientError> {
    let control = Client::connect()?.control()?;
    Ok(if paused { control.pause() } else { control.resume() }?)
}
