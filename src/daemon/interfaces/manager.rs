//! `org.gazed.Gaze1.Manager`: for every client.

use std::collections::HashMap;
use std::sync::Arc;

use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, interface};

use super::{Session, admit, executable, process_id, release, sender};
use crate::bus::error::{Error, Result};
use crate::bus::names::{INTERFACE_VERSION, MANAGER_INTERFACE, MANAGER_PATH, SESSION_PATH_PREFIX};
use crate::bus::options::SessionOptions;
use crate::bus::proxies::ClientFacts;
use crate::daemon::claims::Client;
use crate::daemon::exits::Exits;
use crate::daemon::hub::{Facts, Hub};
use crate::outputs::Output;

pub struct Manager {
    hub: Arc<Hub>,
}

impl Manager {
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }

    fn facts(&self) -> Facts {
        self.hub.lock().facts()
    }
}

#[interface(name = "org.gazed.Gaze1.Manager")]
impl Manager {
    /// Makes a session for the calling program and tells its object. Options: app-name s, max-rate-hz d (0.01 to 1000),
    /// output s, signals b, and one of horizon-ms d (forecasts for so long after the capture; 0 to 200, default 50) or
    /// lead-ms d (for so long after publishing). Unknown options are ignored.
    #[zbus(out_args("session"))]
    async fn create_session(
        &self,
        options: HashMap<String, OwnedValue>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<OwnedObjectPath> {
        admit(&self.hub, connection, &header).await?;
        let owner = sender(&header)?;
        let options = SessionOptions::parse(&options)?;
        let client = Client {
            owner: owner.to_owned(),
            app_name: options.app_name.clone(),
            process_id: 0,
        };
        let signals = options.signals;
        let id = self.hub.add_session(client, options, |id| {
            let destination = zbus::names::UniqueName::try_from(owner.to_owned()).map_err(zbus::Error::from)?;
            let emitter = SignalEmitter::new(connection, format!("{SESSION_PATH_PREFIX}{id}"))?;
            Ok(Exits::new(emitter.set_destination(destination.into()), signals))
        })?;
        let server = connection.object_server();
        let path = OwnedObjectPath::try_from(format!("{SESSION_PATH_PREFIX}{id}")).map_err(zbus::Error::from)?;
        server.at(&path, Session::new(Arc::clone(&self.hub), id)).await?;
        // A program that vanished before its claim was registered is not released by its vanishing, but then the bus
        // does not know it any more here.
        match process_id(connection, owner).await {
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

    /// The version of the interface; within a version members are only added.
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> u32 {
        INTERFACE_VERSION
    }

    /// One of idle, starting, tracking, lost, paused, no-camera, error.
    #[zbus(property)]
    fn state(&self) -> String {
        self.facts().state
    }

    /// The state in a sentence for people.
    #[zbus(property)]
    fn state_detail(&self) -> String {
        self.facts().state_detail
    }

    /// True while the camera is open.
    #[zbus(property)]
    fn camera_active(&self) -> bool {
        self.facts().camera_active
    }

    /// The camera in use, or the one used last.
    #[zbus(property)]
    fn camera_name(&self) -> String {
        self.facts().camera_name
    }

    /// Who uses the camera: app name, process id, and for what (gaze, preview, recording, calibration).
    #[zbus(property)]
    fn clients(&self) -> Vec<ClientFacts> {
        self.facts().clients
    }

    /// The calibration in use; empty where there is none.
    #[zbus(property)]
    fn profile(&self) -> String {
        profile_name(&self.facts()).to_owned()
    }

    /// How good it is: accuracy-deg d, precision-deg d, points u, date s. Empty where there is none.
    #[zbus(property)]
    fn calibration(&self) -> HashMap<String, Value<'static>> {
        quality(&self.facts())
    }

    /// The monitors that sessions can ask for: name s, primary b, x i, y i, width u, height u (on the desktop, in its pixels),
    /// width-mm d, height-mm d (0 where nobody knows).
    #[zbus(property)]
    fn outputs(&self) -> Vec<HashMap<String, Value<'static>>> {
        monitors(&self.facts())
    }

    /// Frames a second that are looked at; 0 while none come.
    #[zbus(property(emits_changed_signal = "false"))]
    fn frame_rate_hz(&self) -> f64 {
        let now = self.hub.now();
        self.hub.lock().stats.frame_rate.hz(now)
    }

    /// Milliseconds from the middle of the exposure to publishing: p50, p95, p99 of the last half minute or so.
    #[zbus(property(emits_changed_signal = "false"))]
    fn latency_ms(&self) -> (f64, f64, f64) {
        self.hub.lock().stats.latency.percentiles_ms()
    }

    /// Frames that the camera delivered and nobody looked at, since the daemon started.
    #[zbus(property(emits_changed_signal = "false"))]
    fn frames_missed(&self) -> u64 {
        self.hub.lock().stats.frames_missed
    }
}

fn profile_name(facts: &Facts) -> &str {
    facts.calibrated.as_ref().map_or("", |shown| &shown.profile)
}

fn quality(facts: &Facts) -> HashMap<String, Value<'static>> {
    let Some(shown) = &facts.calibrated else {
        return HashMap::new();
    };
    HashMap::from([
        ("accuracy-deg".to_owned(), shown.accuracy_deg.into()),
        ("precision-deg".to_owned(), shown.precision_deg.into()),
        ("points".to_owned(), shown.points.into()),
        ("date".to_owned(), shown.date.clone().into()),
    ])
}

fn monitors(facts: &Facts) -> Vec<HashMap<String, Value<'static>>> {
    let layout = &facts.layout;
    let entry = |(index, output): (usize, &Output)| {
        let facts = output.to_bus(index == 0).into_iter();
        facts.map(|(name, value)| (name.to_owned(), value)).collect()
    };
    layout.all().enumerate().map(entry).collect()
}

/// Tells every client what changed from `old` to `new`, in one signal.
pub async fn announce(connection: &Connection, old: &Facts, new: &Facts) -> Result<()> {
    let mut changed: HashMap<&str, Value<'_>> = HashMap::new();
    if old.state != new.state {
        changed.insert("State", new.state.as_str().into());
    }
    if old.state_detail != new.state_detail {
        changed.insert("StateDetail", new.state_detail.as_str().into());
    }
    if old.camera_active != new.camera_active {
        changed.insert("CameraActive", new.camera_active.into());
    }
    if old.camera_name != new.camera_name {
        changed.insert("CameraName", new.camera_name.as_str().into());
    }
    if old.clients != new.clients {
        changed.insert("Clients", new.clients.clone().into());
    }
    if old.calibrated != new.calibrated {
        changed.insert("Profile", profile_name(new).into());
        changed.insert("Calibration", quality(new).into());
    }
    if old.layout != new.layout {
        changed.insert("Outputs", monitors(new).into());
    }
    if changed.is_empty() {
        return Ok(());
    }
    let emitter = SignalEmitter::new(connection, MANAGER_PATH)?;
    let interface = zbus::names::InterfaceName::from_static_str_unchecked(MANAGER_INTERFACE);
    zbus::fdo::Properties::properties_changed(&emitter, interface, changed, [].as_slice().into())
        .await
        .map_err(|error| Error::Failed(error.to_string()))
}
