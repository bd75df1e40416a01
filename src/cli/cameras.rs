//! `gazectl cameras`: which cameras there are, and what they can do.

use std::io::Write;

use crate::capture::camera;

use super::Output;

/// List the cameras
///
/// The name, or a part of it, the id in brackets, the serial number or the device number can be used with
/// `gazed --source camera:NAME` and as `name` in the configuration. The id says where a camera is plugged in, and stays
/// the same over restarts. Cameras behind PipeWire come first, where gazed was built with it; they are used by their id.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One JSON object a camera: name, id, serial, device, problem
    #[arg(long)]
    json: bool,
    /// Also list the formats, sizes and rates of each camera
    #[arg(long, conflicts_with = "json")]
    modes: bool,
}

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let cameras = camera::cameras();
    // A machine without PipeWire lacks nothing.
    let behind_pipewire = camera::cameras_behind_pipewire().unwrap_or_default();
    if args.json {
        for camera in cameras.iter().chain(&behind_pipewire) {
            out.json_line(camera)?;
        }
        return Ok(());
    }
    for camera in &behind_pipewire {
        writeln!(out, "{} [{}] {}", camera.name, camera.id, camera.device.display())?;
        if !args.modes {
            continue;
        }
        match camera::describe_remote(&camera.id) {
            Some(Ok((_, modes))) => list(&modes, out)?,
            Some(Err(error)) => writeln!(out, "  cannot be asked: {error}")?,
            None => {}
        }
    }
    if cameras.is_empty() && behind_pipewire.is_empty() {
        writeln!(
            out,
            "No camera is there. Plug one in, or use `gazed --source synthetic` to try gazed without one."
        )?;
    }
    for camera in &cameras {
        write!(out, "{} [{}] {}", camera.name, camera.id, camera.device.display())?;
        if let Some(serial) = &camera.serial {
            write!(out, " serial {serial}")?;
        }
        writeln!(out)?;
        if let Some(problem) = &camera.problem {
            writeln!(out, "  {problem}")?;
        } else if args.modes {
            match camera::describe_modes(camera) {
                Ok(modes) => list(&modes, out)?,
                Err(error) => writeln!(out, "  cannot be asked: {error}")?,
            }
        }
    }
    Ok(())
}

fn list(modes: &[String], out: &mut Output) -> std::io::Result<()> {
    modes.iter().try_for_each(|mode| writeln!(out, "  {mode}"))
}
