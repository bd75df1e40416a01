//! The desktop's camera portal (`org.freedesktop.portal.Camera`): it asks the user, once a program, and opens PipeWire.

use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::time::Duration;

use ashpd::desktop::camera::Camera;

/// Somebody who is asked may take longer. What they answer is remembered by the portal, so the next try has it.
const PATIENCE: Duration = Duration::from_secs(15);

/// The socket to the PipeWire that shows cameras and nothing else.
///
/// # Errors
/// A sentence for people, where there is no portal, the user says no, or says nothing for a while.
pub fn open() -> Result<OwnedFd, String> {
    let (sender, answer) = mpsc::channel();
    let asking = std::thread::Builder::new().name("portal".into()).spawn(move || {
        // Nobody may wait for the answer any more.
        let _ = sender.send(zbus::block_on(ask()));
    });
    asking.map_err(|error| format!("no thread for the camera portal: {error}"))?;
    match answer.recv_timeout(PATIENCE) {
        Ok(Ok(socket)) => Ok(socket),
        Ok(Err(error)) => Err(format!(
            "the camera portal refused ({error}): allow gazed the camera in the desktop's settings, or name another camera"
        )),
        Err(_) => {
            Err("the camera portal has not answered yet: allow gazed the camera where the desktop asks".to_owned())
        }
    }
}

async fn ask() -> ashpd::Result<OwnedFd> {
    let camera = Camera::new().await?;
    camera.request_access(Default::default()).await?.response()?;
    camera.open_pipe_wire_remote(Default::default()).await
}
