//! The daemon's main loop: does what the hub decides about the camera, and announces what changed.

use std::sync::Arc;

use sd_notify::NotifyState;

use super::capturing::{Capture, Captured, Opener};
use super::hub::{Facts, Hub, News, Stop};
use super::interfaces::announce;
use super::keeper::Action;
use crate::capture::CaptureError;
use crate::latest::Latest;

/// Runs until the daemon is to end; then the camera is closed.
pub fn supervise(
    hub: &Arc<Hub>,
    connection: &zbus::Connection,
    opener: &Arc<Opener>,
    slot: &Arc<Latest<Captured>>,
    mut announced: Facts,
) -> Stop {
    let mut running: Option<Capture> = None;
    // Two chances before systemd's patience ends.
    let feeding = sd_notify::watchdog_enabled().map(|limit| limit / 3);
    loop {
        if feeding.is_some() {
            let hangs = hub.lock().hangs(hub.now());
            if let Some(what) = hangs {
                tracing::error!("{what}; the watchdog is left to end the daemon");
            } else if let Err(error) = sd_notify::notify(&[NotifyState::Watchdog]) {
                tracing::debug!(%error, "the watchdog was not fed");
            }
        }
        let (action, facts) = match hub.next_news(&announced, feeding.unwrap_or(super::NO_TIMEOUT)) {
            News::Quiet => continue,
            News::Stop(stop) => {
                if let Some(capture) = running {
                    capture.join();
                }
                return stop;
            }
            News::Changed { action, facts } => (action, facts),
        };
        match action {
            Some(Action::Open) => {
                if let Some(ended) = running.take() {
                    ended.join();
                }
                match Capture::start(Arc::clone(opener), Arc::clone(hub), Arc::clone(slot)) {
                    Ok(capture) => running = Some(capture),
                    Err(error) => {
                        let error = CaptureError::Unavailable(format!("no thread for the camera: {error}"));
                        hub.change(|shared, now| shared.keeper.ended(now, Some(error)));
                    }
                }
            }
            Some(Action::Close) => {
                if let Some(capture) = &running {
                    capture.stop();
                }
            }
            None => {}
        }
        if facts != announced {
            if facts.state != announced.state {
                tracing::info!(state = facts.state, detail = facts.state_detail, "state");
            }
            if let Err(error) = zbus::block_on(announce(connection, &announced, &facts)) {
                tracing::debug!(%error, "changed properties were not announced");
            }
            announced = facts;
        }
    }
}
