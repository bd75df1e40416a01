//! The objects on the bus, one interface a file. They translate and check; the [`super::hub::Hub`] knows.

mod calibration;
mod control;
mod manager;
mod session;
mod truth;

use std::sync::Arc;

pub use calibration::Calibration;
pub use control::Control;
pub use manager::{Manager, announce};
pub use session::Session;
pub use truth::Truth;
use zbus::message::Header;

use super::claims::Purpose;
use super::hub::Hub;
use super::policy::{authorize, program_of};
use crate::bus::error::{Error, Result};
use crate::bus::names::{CALIBRATION_PATH_PREFIX, SESSION_PATH_PREFIX};

/// The unique bus name of a call's sender. On a bus every message has one, set by the bus itself.
fn sender<'h>(header: &'h Header<'_>) -> Result<&'h str> {
    match header.sender() {
        Some(name) => Ok(name.as_str()),
        None => Err(Error::NotAuthorized("a call without a sender is not answered".into())),
    }
}

/// The process behind a bus name; an error where the name is gone.
async fn process_id(connection: &zbus::Connection, name: &str) -> Result<u32> {
    let bus = zbus::fdo::DBusProxy::new(connection).await?;
    let name = zbus::names::BusName::try_from(name).map_err(zbus::Error::from)?;
    bus.get_connection_unix_process_id(name)
        .await
        .map_err(|error| Error::Failed(format!("the bus does not know the calling program: {error}")))
}

/// The name of a process's executable; empty where it is not known.
fn executable(process_id: u32) -> String {
    let path = program_of(process_id).unwrap_or_default();
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Refuses a caller that the user's policy keeps out.
async fn admit(hub: &Arc<Hub>, connection: &zbus::Connection, header: &Header<'_>) -> Result<()> {
    if hub.gate().is_open() {
        return Ok(());
    }
    let process_id = process_id(connection, sender(header)?).await?;
    authorize(hub, connection, process_id)
}

/// Gives up a claim and takes its object off the bus.
pub async fn release(hub: &Hub, server: &zbus::ObjectServer, id: u64) {
    // Before the claim is free: the next calibration may begin as soon as it is.
    if let Ok(calibration) = server
        .interface::<_, Calibration>(format!("{CALIBRATION_PATH_PREFIX}{id}"))
        .await
    {
        calibration.get().await.give_up();
    }
    let purpose = hub.release(id);
    let removed = match purpose {
        Some(Purpose::Gaze) => server.remove::<Session, _>(format!("{SESSION_PATH_PREFIX}{id}")).await,
        Some(Purpose::Calibration) => {
            server
                .remove::<Calibration, _>(format!("{CALIBRATION_PATH_PREFIX}{id}"))
                .await
        }
        Some(Purpose::Preview | Purpose::Recording) | None => Ok(true),
    };
    if let Err(error) = removed {
        tracing::debug!(id, %error, "the object was gone from the bus already");
    }
}
