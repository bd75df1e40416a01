//! Watches the bus and the system: clients that vanish, a lost bus, signals that ask the daemon to end.

use std::sync::Arc;

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
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

/// Ends the daemon on SIGTERM and SIGINT.
pub fn watch_signals(hub: Arc<Hub>) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT]).context("cannot listen for SIGTERM")?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            if signals.forever().next().is_some() {
                hub.stop(Stop::Asked);
            }
        })
        .context("cannot start a thread")?;
    Ok(())
}
