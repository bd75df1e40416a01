//! The daemon: the only room that starts threads, handles signals and keeps clients' claims.
//!
//! ```text
//! capture --frames--> track --records--> publish --> the clients
//!    ^ starts, stops         (both hand-overs: one slot, the newest wins, the rest is counted)
//! supervisor <-- hub <-- bus interfaces, vanished clients, signals
//! ```
//!
//! The [`hub::Hub`] holds what is known; the supervisor opens and closes the camera as the [`keeper::Keeper`] decides and
//! announces changes. Without clients every thread sleeps until something happens.

mod arrangement;
mod capturing;
mod claims;
mod desktop;
mod exits;
mod hub;
mod interfaces;
mod keeper;
mod live;
mod log;
mod login;
mod memory;
mod pacing;
mod policy;
mod publishing;
mod readers;
mod reporting;
mod settings;
mod supervisor;
mod tracking;
mod view;
mod watching;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Parser;
use zbus::blocking::Connection;
use zbus::fdo::RequestNameFlags;

pub use self::capturing::Opener;
use self::hub::{Hub, Stop};
use self::live::Live;
use self::memory::Memory;
use self::policy::Gate;
use self::publishing::Outbox;
use self::settings::Settings;
use crate::bus::names::{BUS_NAME, MANAGER_PATH};
use crate::calibration::profile::{ProfileError, Profiles};
use crate::capture::synthetic::SyntheticSource;
use crate::capture::{self, SourceSpec};
use crate::clock::{Clock, MonotonicClock};
use crate::disk::{self, Folders};
use crate::latest::Latest;
use crate::synthetic::{Parameters, SyntheticUser};

/// A wait that ends only when there is something to do.
const NO_TIMEOUT: Duration = Duration::from_secs(1 << 30);

/// The eye tracker's daemon: serves gaze from a webcam as org.gazed.Gaze1 on the session bus. The camera is open only
/// while a program asks for gaze.
#[derive(Clone, Debug, Parser)]
#[command(name = "gazed", version, max_term_width = 110, after_long_help = Parameters::help())]
pub struct Arguments {
    /// Where pictures come from: camera, camera:NAME, recording:PATH or synthetic[:key=value,...]
    #[arg(long, value_name = "SOURCE", default_value = "camera")]
    source: SourceSpec,
    /// The configuration, instead of the user's own
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A folder with weights that replace the built-in ones
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
}

/// Parses the process's arguments, serves until asked to end, and says how it ended.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(2)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    log::start();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error in any case: under systemd it is the journal too.
            eprintln!("gazed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until SIGTERM, SIGINT or the end of the bus.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    serve(arguments, |settings| opener(&arguments.source, settings))
}

/// As [`run`], with frames from elsewhere than `--source`: for load tests.
pub fn run_on(arguments: &Arguments, opener: Arc<Opener>) -> anyhow::Result<()> {
    serve(arguments, |_| Ok((opener, None)))
}

/// How frames are had, and the synthetic user where they are of one.
type Source = (Arc<Opener>, Option<Arc<SyntheticUser>>);

fn serve(arguments: &Arguments, source: impl FnOnce(Arc<Settings>) -> anyhow::Result<Source>) -> anyhow::Result<()> {
    let folders = Folders::of_user()?;
    let signals = watching::signals()?;
    let settings = Arc::new(Settings::read(arguments.config.as_deref(), &folders)?);
    let config = settings.config();
    let profiles = Profiles::in_folder(folders.profiles());
    let layout = desktop::configured(&config.screen, &desktop::plugged_in());
    let mut live = Live::new(config.clone(), layout.tracked(), arguments.models.clone(), profiles)?;
    let memory = Memory::new(&folders.state);
    let remembered = memory.recall();
    let name = remembered.profile.unwrap_or_else(|| config.profile.name.clone());
    load_profile(&mut live, &name);
    let hub = Arc::new(Hub::new(memory, Gate::new(&config.clients), live.shown(), layout));
    hub.change(|shared, _| settings::apply_service(shared, &config));
    let live = Arc::new(Mutex::new(live));
    login::follow(&hub).context("cannot start a thread")?;
    desktop::follow(&hub, &live, &config.screen)?;

    let (opener, synthetic_user) = source(Arc::clone(&settings))?;
    let connection = connect(&hub, &live, synthetic_user)?;
    let reload = {
        let (hub, live, connection) = (Arc::clone(&hub), Arc::clone(&live), connection.clone());
        move || settings.reload(&hub, &live, connection.inner())
    };
    watching::obey_signals(signals, Arc::clone(&hub), reload)?;
    let announced = hub.lock().facts();
    let names = watching::vanishing_names(&connection).context("the bus does not tell of vanishing programs")?;
    let frames = Arc::new(Latest::default());
    let outbox = Arc::new(Outbox::default());
    let watcher = {
        let (hub, connection) = (Arc::clone(&hub), connection.clone());
        start_thread("clients", &Arc::clone(&hub), move || {
            watching::watch_clients(&hub, &connection, names);
        })?
    };
    let publisher = {
        let (hub, outbox) = (Arc::clone(&hub), Arc::clone(&outbox));
        start_thread("publish", &Arc::clone(&hub), move || publishing::publish(&hub, &outbox))?
    };
    let tracking = {
        let (hub, live) = (Arc::clone(&hub), Arc::clone(&live));
        let (frames, outbox) = (Arc::clone(&frames), Arc::clone(&outbox));
        start_thread("track", &Arc::clone(&hub), move || {
            tracking::track(&hub, &live, &frames, &outbox);
        })?
    };
    // Only now can a call be answered in full.
    own_name(&connection)?;
    for folder in [&folders.state, &folders.profiles()] {
        disk::tidy(folder);
    }
    tracing::info!(source = %arguments.source, "serving {BUS_NAME}");

    let stop = supervisor::supervise(&hub, connection.inner(), &opener, &frames, announced);
    frames.close();
    outbox.close();
    let _ = (tracking.join(), publisher.join());
    let _ = connection.close();
    drop(watcher);
    match stop {
        Stop::Asked => tracing::info!("asked to end"),
        Stop::Unused => tracing::info!("nobody has asked for gaze for long enough"),
        Stop::BusGone => tracing::info!("the session bus is gone; so is the daemon"),
        Stop::Broken => bail!("a thread of gazed failed; this is a bug, and the log above says where"),
    }
    Ok(())
}

/// Uses a profile where there is one. One that cannot be used costs the calibration, not the service.
fn load_profile(live: &mut Live, name: &str) {
    match live.recall_profile(name) {
        Ok(()) => tracing::info!(profile = name, "calibrated"),
        Err(ProfileError::NotFound { .. }) => tracing::info!(profile = name, "not calibrated yet"),
        Err(error) => tracing::warn!(%error, "going on without a calibration"),
    }
}

/// How the source is opened, and the synthetic user where that is the source: one user for as long as the daemon runs, so
/// that the truth and what it was told outlive a closed camera.
fn opener(source: &SourceSpec, settings: Arc<Settings>) -> anyhow::Result<Source> {
    if let SourceSpec::Synthetic(parameters) = source {
        let parameters = parameters.parse::<Parameters>()?;
        let user = Arc::new(SyntheticUser::new(parameters, MonotonicClock.now()));
        let behind_camera = Arc::clone(&user);
        let opener: Arc<Opener> = Arc::new(move || {
            let source = SyntheticSource::open(Arc::clone(&behind_camera), Arc::new(MonotonicClock));
            Ok(Box::new(source))
        });
        return Ok((opener, Some(user)));
    }
    let source = source.clone();
    Ok((Arc::new(move || capture::open(&source, &settings.camera())), None))
}

/// Serves the objects on the session bus, without the name yet.
fn connect(
    hub: &Arc<Hub>,
    live: &Arc<Mutex<Live>>,
    synthetic_user: Option<Arc<SyntheticUser>>,
) -> anyhow::Result<Connection> {
    zbus::blocking::connection::Builder::session()
        .and_then(|builder| builder.serve_at(MANAGER_PATH, interfaces::Manager::new(Arc::clone(hub))))
        .and_then(|builder| {
            builder.serve_at(
                MANAGER_PATH,
                interfaces::Control::new(Arc::clone(hub), Arc::clone(live)),
            )
        })
        .and_then(|builder| match synthetic_user {
            Some(user) => builder.serve_at(MANAGER_PATH, interfaces::Truth::new(user)),
            None => Ok(builder),
        })
        .and_then(zbus::blocking::connection::Builder::build)
        .map_err(|error| {
            anyhow!(
                "there is no session bus ({error}); start gazed inside a desktop session, or under \
                 `dbus-run-session -- COMMAND`"
            )
        })
}

fn own_name(connection: &Connection) -> anyhow::Result<()> {
    match connection.request_name_with_flags(BUS_NAME, RequestNameFlags::DoNotQueue.into()) {
        Ok(_) => Ok(()),
        Err(zbus::Error::NameTaken) => bail!(
            "{BUS_NAME} is already owned on this bus: another gazed is running; end it first (`systemctl --user stop \
             gazed`, or see `gazectl status`)"
        ),
        Err(error) => Err(error).context("the bus refused the name"),
    }
}

/// A thread whose panic ends the daemon instead of leaving half of it.
fn start_thread(
    name: &str,
    hub: &Arc<Hub>,
    body: impl FnOnce() + Send + 'static,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    struct Guard(Arc<Hub>);
    impl Drop for Guard {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.stop(Stop::Broken);
            }
        }
    }
    let guard = Guard(Arc::clone(hub));
    std::thread::Builder::new()
        .name(name.into())
        .spawn(move || {
            let _guard = guard;
            body();
        })
        .context("cannot start a thread")
}
