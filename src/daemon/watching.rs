//! Watches the bus and the system: clients that vanish, a lost bus, signals that ask the daemon to end.

use std::sync::Arc;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use zbus::blocking::{Connection, MessageIterator};
use zbus::fdo::NameOwnerChanged;

use super::hub::{Hub, Stop};
use super::interfaces::release;

/// Subscribes to vanishing bus names. From the moment this returns none is missed.
pub fn vanishing_names(connection: &Connection) -> zbus::Result<MessageIterator> {
    let rule = zbus::MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender("org.freedesktop.DBus")?
        .interface("org.freedesktop.DBus")?
        .member("NameOwnerChanged")?
        // The new owner: none. So the daemon sleeps while programs only come.
        .arg(2, "")?
        .build();
    MessageIterator::for_match_rule(rule, connection, None)
}

/// Releases what vanished clients held, until the bus is gone.
pub fn watch_clients(hub: &Arc<Hub>, connection: &Connection, names: MessageIterator) {
    for message in names {
        let Ok(message) = message else { break };
        let Some(vanished) = NameOwnerChanged::from_message(message) else {
            continue;
        };
        let Ok(arguments) = vanished.args() else { continue };
        let held = hub.lock().claims.owned_by(arguments.name().as_str());
        for id in held {
            tracing::info!(client = %arguments.name(), "a client vanished; its claim is released");
            zbus::block_on(release(hub, connection.inner().object_server(), id));
        }
    }
    hub.stop(Stop::BusGone);
}

/// Keeps a SIGHUP that comes before the daemon can obey it. SIGTERM still ends it at once: nothing is open yet.
pub fn signals() -> anyhow::Result<Signals> {
    Signals::new([SIGHUP]).context("cannot listen for SIGHUP")
}

/// Ends the daemon on SIGTERM and SIGINT, and calls `reload` on SIGHUP.
pub fn obey_signals(
    mut signals: Signals,
    hub: Arc<Hub>,
    mut reload: impl FnMut() + Send + 'static,
) -> anyhow::Result<()> {
    for signal in [SIGTERM, SIGINT] {
        signals.add_signal(signal).context("cannot listen for SIGTERM")?;
    }
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                if signal == SIGHUP {
                    reload();
                } else {
                    hub.stop(Stop::Asked);
                }
            }
        })
        .context("cannot start a thread")?;
    Ok(())
}
