//! The configuration while the daemon runs: read at start, and again on SIGHUP.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::hub::{Hub, Shared};
use super::interfaces::release;
use super::live::Live;
use super::policy::{Gate, refused_claims};
use crate::config::{CameraConfig, Config, ConfigError};
use crate::disk::Folders;

/// The configuration's file, and what it said when it was read last.
#[derive(Debug)]
pub struct Settings {
    file: PathBuf,
    /// Somebody asked for this file; the user's own may be missing.
    named: bool,
    config: Mutex<Config>,
    /// How often the file was read again; in the log it tells one answer to SIGHUP from the next.
    readings: AtomicU32,
}

impl Settings {
    /// # Errors
    /// Where the file is wrong in any key, or was named and cannot be read.
    pub fn read(named: Option<&Path>, folders: &Folders) -> Result<Self, ConfigError> {
        let settings = Self {
            file: named.map_or_else(|| folders.config_file(), Path::to_owned),
            named: named.is_some(),
            config: Mutex::default(),
            readings: AtomicU32::new(0),
        };
        *settings.lock() = settings.read_again()?;
        Ok(settings)
    }

    fn read_again(&self) -> Result<Config, ConfigError> {
        if self.named {
            Config::read(&self.file)
        } else {
            Config::read_if_present(&self.file)
        }
    }

    fn lock(&self) -> MutexGuard<'_, Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn config(&self) -> Config {
        self.lock().clone()
    }

    pub fn camera(&self) -> CameraConfig {
        self.lock().camera.clone()
    }

    /// Reads the file again and does what it says, as far as a running daemon can. A file with a mistake changes nothing.
    pub fn reload(&self, hub: &Arc<Hub>, live: &Mutex<Live>, connection: &zbus::Connection) {
        let reading = self.readings.fetch_add(1, Ordering::Relaxed) + 1;
        let (before, change) = {
            let mut current = self.lock();
            let new = match self.read_again() {
                Ok(new) => new,
                Err(error) => {
                    tracing::error!(reading, %error, "the configuration stays as it was");
                    return;
                }
            };
            let change = current.change_to(new);
            (std::mem::replace(&mut *current, change.config.clone()), change)
        };
        let config = change.config;
        let told = live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .set_config(config.clone());
        if let Err(error) = told {
            tracing::error!(error = format!("{error:#}"), "forecast.method stays as it was");
        }
        if config.clients != before.clients {
            hub.set_gate(Gate::new(&config.clients));
            for id in refused_claims(hub) {
                tracing::info!(id, "a program may not read the gaze any more; its claim is released");
                zbus::block_on(release(hub, connection.object_server(), id));
            }
        }
        hub.change(|shared, _| {
            apply_service(shared, &config);
            if !config.camera.opens_like(&before.camera) {
                shared.keeper.reconfigure();
            }
        });
        tracing::info!(
            reading,
            changed = change.now.join(", "),
            "the configuration was read again"
        );
        if !change.at_next_start.is_empty() {
            let keys = change.at_next_start.join(", ");
            tracing::warn!(reading, keys, "these changes wait for the next start");
        }
    }
}

/// What the configuration says about the service as a whole.
pub fn apply_service(shared: &mut Shared, config: &Config) {
    let service = &config.service;
    shared.idle_exit = (service.idle_exit_s > 0).then(|| Duration::from_secs(service.idle_exit_s.into()));
    shared.keeper.set_pauses_when_locked(service.pause_when_locked);
}
