//! Follows the desktop session's lock (logind), for those who want no tracking behind a locked screen.

use std::sync::Arc;

use zbus::blocking::Connection;
use zbus::proxy;
use zbus::zvariant::OwnedObjectPath;

use super::hub::Hub;

#[proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1",
    gen_async = false
)]
trait Login {
    fn get_session(&self, id: &str) -> zbus::Result<OwnedObjectPath>;
}

#[proxy(
    interface = "org.freedesktop.login1.Session",
    default_service = "org.freedesktop.login1",
    gen_async = false
)]
trait LoginSession {
    #[zbus(property)]
    fn locked_hint(&self) -> zbus::Result<bool>;
}

/// Runs until the system bus is gone. Where there is no logind, tracking goes on without it, and the log says so.
pub fn follow(hub: &Arc<Hub>) {
    if let Err(error) = try_follow(hub) {
        tracing::warn!(%error, "the session's lock cannot be followed (service.pause_when_locked)");
    }
}

fn try_follow(hub: &Arc<Hub>) -> zbus::Result<()> {
    let system = Connection::system()?;
    // `auto` is the caller's session or, for a user service, the user's display session (org.freedesktop.login1(5)).
    let path = LoginProxy::new(&system)?.get_session("auto")?;
    let session = LoginSessionProxy::builder(&system).path(path)?.build()?;
    let changes = session.receive_locked_hint_changed();
    let tell = |locked| hub.change(|shared, _| shared.keeper.set_locked(locked));
    tell(session.locked_hint()?);
    for change in changes {
        tell(change.get()?);
    }
    Ok(())
}
