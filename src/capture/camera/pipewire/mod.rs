//! Cameras behind PipeWire: those that only libcamera drives, those that a portal lets in, and any other program's.
//!
//! A camera is a node of the class `Video/Source`. The session manager links it to our stream, and suspends it, which turns
//! it off, once the stream is gone. `connection` is the way to PipeWire, `formats` what its descriptions mean, `device` the
//! stream as a [`VideoDevice`].

mod connection;
mod device;
mod formats;
mod portal;

use std::io;
use std::path::PathBuf;

use super::device::VideoDevice;
use super::remote::Remote;
use super::{CameraInfo, matching, none_found};
use crate::capture::CaptureError;
use connection::{Connection, Node};
use device::PipeWireDevice;

/// Connects to the camera of that name behind `remote`, or to the first one where the name is empty. It sends pictures once
/// it has been configured.
///
/// # Errors
/// [`CaptureError::Unavailable`] where PipeWire, the portal or the camera is missing, with a sentence that says what to do.
pub fn open(remote: Remote, name: &str) -> Result<(Box<dyn VideoDevice>, CameraInfo), CaptureError> {
    let connection = connect(remote)?;
    let nodes = connection.cameras().map_err(|error| unavailable(remote, &error))?;
    let present: Vec<CameraInfo> = nodes.iter().map(|node| info(remote, node)).collect();
    let missing = format!("behind {}: {}", remote.prefix(), none_found(&present, name));
    // By the id without its prefix, or as V4L2's cameras are named.
    let id = format!("{}:{name}", remote.prefix());
    let id = match present.iter().find(|camera| camera.id == id) {
        Some(_) => Some(id),
        None => matching(&present, name).first().map(|camera| camera.id.clone()),
    };
    let chosen = nodes
        .into_iter()
        .zip(present)
        .find(|(_, camera)| Some(&camera.id) == id.as_ref());
    let (node, camera) = chosen.ok_or(CaptureError::Unavailable(missing))?;
    Ok((Box::new(PipeWireDevice::new(connection, node)), camera))
}

/// The cameras of the user's own PipeWire, V4L2's among them.
///
/// # Errors
/// [`CaptureError::Unavailable`] where PipeWire does not run.
pub fn cameras() -> Result<Vec<CameraInfo>, CaptureError> {
    let remote = Remote::PipeWire;
    let nodes = connect(remote)?.cameras();
    let nodes = nodes.map_err(|error| unavailable(remote, &error))?;
    Ok(nodes.iter().map(|node| info(remote, node)).collect())
}

fn connect(remote: Remote) -> Result<Connection, CaptureError> {
    let connected = match remote {
        Remote::PipeWire => Connection::new(None),
        Remote::Portal => Connection::new(Some(portal::open().map_err(CaptureError::Unavailable)?)),
    };
    connected.map_err(|error| unavailable(remote, &error))
}

fn unavailable(remote: Remote, error: &io::Error) -> CaptureError {
    CaptureError::Unavailable(match remote {
        Remote::PipeWire => {
            format!("PipeWire does not answer ({error}): is it running? `systemctl --user status pipewire` says")
        }
        Remote::Portal => format!("PipeWire does not answer through the camera portal: {error}"),
    })
}

fn info(remote: Remote, node: &Node) -> CameraInfo {
    CameraInfo {
        name: node.description.clone(),
        id: format!("{}:{}", remote.prefix(), node.name),
        serial: None,
        device: PathBuf::from(format!("PipeWire node {}", node.global.id)),
        problem: None,
    }
}
