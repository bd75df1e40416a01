//! Follows logind: the machine goes to sleep and wakes up, the desktop session is locked and unlocked.

use std::sync::Arc;
use std::time::Duration;

use zbus::blocking::Connection;
use zbus::proxy;
use zbus::zvariant::{OwnedFd, OwnedObjectPath};

use super::hub::Hub;

#[proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1",
    gen_async = false
)]
trait Login {
    fn get_session(&self, id: &str) -> zbus::Result<OwnedObjectPath>;

    fn inhibit(&self, what: &str, who: &str, why: &str, mode: &str) -> zbus::Result<OwnedFd>;

    #[zbus(signal)]
    fn prepare_for_sleep(&self, start: bool) -> zbus::Result<()>;
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

/// Follows sleep and lock, on threads of its own, until the system bus is gone.
pub fn follow(hub: &Arc<Hub>) -> std::io::Result<()> {
    let hub = Arc::clone(hub);
    let follow = move || {
        if let Err(error) = follow_both(&hub) {
            if hub.lock().keeper.pauses_when_locked() {
                tracing::warn!(%error, "the session's lock cannot be followed (service.pause_when_locked)");
            } else {
                tracing::debug!(%error, "the session's lock cannot be followed");
            }
        }
    };
    std::thread::Builder::new().name("lock".into()).spawn(follow).map(drop)
}

fn follow_both(hub: &Arc<Hub>) -> zbus::Result<()> {
    let system = Connection::system()?;
    let (of_sleep, sleeping) = (system.clone(), Arc::clone(hub));
    std::thread::Builder::new().name("sleep".into()).spawn(move || {
        // The other thread tells of a bus that is gone.
        let _ = follow_sleep(&of_sleep, &sleeping);
    })?;
    follow_lock(&system, hub)
}

/// How long sleep is put off for a camera that does not close; logind itself waits for five seconds.
const LONGEST_DELAY: Duration = Duration::from_secs(4);

/// The camera is closed before the machine sleeps: many come back from it silent. Opened again on waking up, it starts
/// tracking anew, as CLOCK_MONOTONIC stood still meanwhile and shows no gap.
fn follow_sleep(system: &Connection, hub: &Hub) -> zbus::Result<()> {
    let login = LoginProxy::new(system)?;
    let signals = login.receive_prepare_for_sleep()?;
    let mut delay = delay_sleep(&login);
    for signal in signals {
        let asleep = *signal.args()?.start();
        tracing::info!(asleep, "the machine sleeps, or wakes up");
        hub.change(|shared, _| shared.keeper.set_asleep(asleep));
        if asleep {
            hub.wait_until_closed(LONGEST_DELAY);
            drop(delay.take());
        } else {
            delay = delay.or_else(|| delay_sleep(&login));
        }
    }
    Ok(())
}

/// The machine sleeps only once this is dropped; `None` where logind does not grant it.
fn delay_sleep(login: &LoginProxy<'_>) -> Option<OwnedFd> {
    login
        .inhibit("sleep", "gazed", "The camera has to be closed", "delay")
        .inspect_err(|error| tracing::debug!(%error, "sleep cannot be put off until the camera is closed"))
        .ok()
}

fn follow_lock(system: &Connection, hub: &Hub) -> zbus::Result<()> {
    // `auto` is the caller's session or, for a user service, the user's display session (org.freedesktop.login1(5)).
    let path = LoginProxy::new(system)?.get_session("auto")?;
    let session = LoginSessionProxy::builder(system).path(path)?.build()?;
    let changes = session.receive_locked_hint_changed();
    let tell = |locked| hub.change(|shared, _| shared.keeper.set_locked(locked));
    tell(session.locked_hint()?);
    for change in changes {
        tell(change.get()?);
    }
    Ok(())
}
