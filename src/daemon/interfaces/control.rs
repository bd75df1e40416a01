//! `org.gazed.Gaze1.Control`: for the user's own tools. An interface by itself, so that a sandbox can keep it from
//! applications.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zbus::message::Header;
use zbus::zvariant::{OwnedFd, OwnedObjectPath, OwnedValue};
use zbus::{Connection, ObjectServer, interface};

use super::{Calibration, admit, executable, process_id, release, sender};
use crate::bus::error::{Error, Result};
use crate::bus::names::{CALIBRATION_PATH_PREFIX, MANAGER_PATH};
use crate::bus::options::{get, text};
use crate::calibration::profile::ProfileError;
use crate::clock::Timestamp;
use crate::daemon::claims::{Client, Purpose};
use crate::daemon::hub::Hub;
use crate::daemon::live::{Live, Shown};
use crate::daemon::readers;
use crate::geometry::ScreenPoint;

pub struct Control {
    hub: Arc<Hub>,
    live: Arc<Mutex<Live>>,
}

impl Control {
    pub fn new(hub: Arc<Hub>, live: Arc<Mutex<Live>>) -> Self {
        Self { hub, live }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A point on the primary monitor, as a place on the tracked one.
    fn on_screen(&self, x: f64, y: f64) -> Result<ScreenPoint> {
        Ok(self.hub.lock().placement(None)?.here(on_screen(x, y)?))
    }

    /// Makes `Profile` and `Calibration` tell of the profile in use, and remembers it.
    fn adopt(&self, shown: Option<Shown>) -> Result<()> {
        let name = shown.as_ref().map(|shown| shown.profile.clone());
        self.hub.change(|shared, _| shared.calibrated = shown);
        let remembered = self.hub.remember(|remembered| remembered.profile = name);
        remembered.map_err(|error| Error::Failed(format!("{error:#}; a restart will forget this")))
    }

    /// The camera obeys even where the switch cannot be remembered; the caller is told.
    fn set_paused(&self, paused: bool) -> Result<()> {
        self.hub.change(|shared, _| shared.keeper.set_paused(paused));
        self.hub
            .remember(|remembered| remembered.paused = paused)
            .map_err(|error| Error::Failed(format!("{error:#}; a restart will forget this")))
    }
}

#[interface(name = "org.gazed.Gaze1.Control")]
impl Control {
    /// The privacy switch: closes the camera, whatever clients want, until Resume is called. Survives a restart.
    async fn pause(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<()> {
        admit(&self.hub, connection, &header).await?;
        self.set_paused(true)
    }

    /// Ends the pause; the camera opens again where a client wants it.
    async fn resume(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<()> {
        admit(&self.hub, connection, &header).await?;
        self.set_paused(false)
    }

    /// The user looked at the point (x, y), normalised, at that moment on CLOCK_MONOTONIC (at most ten seconds ago): shifts
    /// the map by its drift, until another profile is used.
    async fn recenter(
        &self,
        x: f64,
        y: f64,
        when_ns: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<()> {
        admit(&self.hub, connection, &header).await?;
        let (point, when) = (self.on_screen(x, y)?, Timestamp::from_nanos(when_ns));
        self.live().recenter(point, when).map_err(Error::NotNow)
    }

    /// The user clicked at the point (x, y), normalised, at that moment on CLOCK_MONOTONIC, and most likely looked there:
    /// shifts the map slowly and within bounds, once several clicks agree, where the configuration allows it.
    async fn add_sample(
        &self,
        x: f64,
        y: f64,
        when_ns: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<()> {
        admit(&self.hub, connection, &header).await?;
        let (point, when) = (self.on_screen(x, y)?, Timestamp::from_nanos(when_ns));
        self.live().add_click(point, when).map_err(Error::NotNow)
    }

    /// Uses a stored calibration from now on.
    async fn use_profile(
        &self,
        profile: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<()> {
        admit(&self.hub, connection, &header).await?;
        let shown = {
            let mut live = self.live();
            live.use_profile(profile).map_err(refused)?;
            live.shown()
        };
        self.adopt(shown)
    }

    /// Deletes a stored calibration. Where it is in use, tracking goes on without a calibration.
    async fn delete_profile(
        &self,
        profile: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<()> {
        admit(&self.hub, connection, &header).await?;
        let was_in_use = {
            let mut live = self.live();
            live.profiles().delete(profile).map_err(refused)?;
            let in_use = live.shown().is_some_and(|shown| shown.profile == profile);
            if in_use {
                live.forget_profile();
            }
            in_use
        };
        announce_profiles(connection.object_server()).await;
        if was_in_use { self.adopt(None) } else { Ok(()) }
    }

    /// The names of the stored calibrations.
    #[zbus(property)]
    fn profiles(&self) -> zbus::fdo::Result<Vec<String>> {
        let names = self.live().profiles().names();
        names.map_err(|error| zbus::fdo::Error::Failed(error.to_string()))
    }

    /// Begins a calibration and tells its object. One runs at a time; it is aborted when the calling program vanishes.
    /// The camera is open meanwhile. Options: app-name s, output s (the monitor that points are shown on, default primary),
    /// screen-mm (dd) (width and height of the tracked monitor, where it does not say them itself; 30 to 10000, kept with
    /// Commit only).
    #[zbus(out_args("calibration"))]
    async fn begin_calibration(
        &self,
        options: HashMap<String, OwnedValue>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<OwnedObjectPath> {
        admit(&self.hub, connection, &header).await?;
        let owner = sender(&header)?;
        let client = Client {
            owner: owner.to_owned(),
            app_name: text(&options, "app-name")?.unwrap_or_default(),
            process_id: 0,
        };
        let output = text(&options, "output")?;
        let placement = self.hub.lock().placement(output.as_deref())?;
        let screen_mm: Option<(f64, f64)> = get(&options, "screen-mm")?;
        if let Some(size) = screen_mm
            && ![size.0, size.1]
                .iter()
                .all(|side_mm| (30.0..=10_000.0).contains(side_mm))
        {
            return Err(Error::InvalidArgument(format!(
                "screen-mm is {} x {}; both must be from 30 to 10000 mm",
                size.0, size.1
            )));
        }
        let id = self.hub.change(|shared, _| {
            if shared.claims.any_for(Purpose::Calibration) {
                return Err(Error::NotNow("another calibration is running; end it first".into()));
            }
            shared.claims.add(client, Purpose::Calibration, true)
        })?;
        let server = connection.object_server();
        let path = OwnedObjectPath::try_from(format!("{CALIBRATION_PATH_PREFIX}{id}")).map_err(zbus::Error::from)?;
        let object = Calibration::new(Arc::clone(&self.hub), Arc::clone(&self.live), id, placement);
        let served = server.at(&path, object).await;
        let process_id = match served {
            Ok(_) => {
                self.live().try_screen_size(screen_mm.map(Into::into));
                process_id(connection, owner).await
            }
            Err(error) => Err(error.into()),
        };
        match process_id {
            Ok(process_id) => {
                self.hub
                    .change(|shared, _| shared.claims.identify(id, process_id, executable(process_id)));
                Ok(path)
            }
            Err(error) => {
                release(&self.hub, server, id).await;
                Err(error)
            }
        }
    }

    /// A socket on which every frame comes, with what was found in it, until its other end is closed. Options: what s
    /// (preview, or recording), app-name s. Each frame is u32 header length, u32 picture length (little-endian), a JSON
    /// header, gray pixels row by row; a slow reader misses frames. The camera is open meanwhile, and Clients says so.
    #[zbus(out_args("frames"))]
    async fn open_frames(
        &self,
        options: HashMap<String, OwnedValue>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<OwnedFd> {
        admit(&self.hub, connection, &header).await?;
        let owner = sender(&header)?;
        let what = text(&options, "what")?;
        let purpose = match what.as_deref() {
            None | Some("preview") => Purpose::Preview,
            Some("recording") => Purpose::Recording,
            Some(other) => {
                return Err(Error::InvalidArgument(format!(
                    "option what must be preview or recording, not {other:?}"
                )));
            }
        };
        let client = Client {
            owner: owner.to_owned(),
            app_name: text(&options, "app-name")?.unwrap_or_default(),
            process_id: 0,
        };
        let id = self.hub.change(|shared, _| shared.claims.add(client, purpose, true))?;
        // The process is asked for after the claim is registered, for the reason that CreateSession gives.
        let opened = match process_id(connection, owner).await {
            Ok(process_id) => {
                let hub = Arc::clone(&self.hub);
                readers::open(move || {
                    hub.release(id);
                })
                .map_err(|error| Error::Failed(format!("no socket: {error}")))
                .map(|opened| (process_id, opened))
            }
            Err(error) => Err(error),
        };
        match opened {
            Ok((process_id, (reader, theirs))) => {
                tracing::info!(
                    process_id,
                    what = purpose.name(),
                    "a program sees the camera's pictures"
                );
                self.hub.change(|shared, _| {
                    shared.claims.identify(id, process_id, executable(process_id));
                    // The client may have vanished meanwhile.
                    if shared.claims.get(id).is_some() {
                        shared.readers.insert(id, reader);
                    }
                });
                Ok(std::os::fd::OwnedFd::from(theirs).into())
            }
            Err(error) => {
                self.hub.release(id);
                Err(error)
            }
        }
    }
}

/// A point within 0 and 1.
pub fn on_screen(x: f64, y: f64) -> Result<ScreenPoint> {
    if (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y) {
        return Ok(ScreenPoint::new(x, y));
    }
    Err(Error::InvalidArgument(format!(
        "the point ({x}, {y}) is not on the screen: both must be from 0 to 1"
    )))
}

pub fn refused(error: ProfileError) -> Error {
    let reason = error.to_string();
    match error {
        ProfileError::BadName(_) => Error::InvalidArgument(reason),
        ProfileError::NotFound { .. } => Error::NoSuchProfile(reason),
        _ => Error::Failed(reason),
    }
}

/// Tells that the list of profiles changed.
pub async fn announce_profiles(server: &ObjectServer) {
    let told = match server.interface::<_, Control>(MANAGER_PATH).await {
        Ok(control) => control.get().await.profiles_changed(control.signal_emitter()).await,
        Err(error) => Err(error),
    };
    if let Err(error) = told {
        tracing::debug!(%error, "the new list of profiles was not announced");
    }
}
