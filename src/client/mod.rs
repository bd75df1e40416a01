//! A small client: sessions that deliver records, blocking here and for any executor in [`AsyncClient`]. Builds without any
//! feature of the crate.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use gazed::bus::options::SessionOptions;
//! use gazed::client::{Client, Received};
//!
//! # fn main() -> Result<(), gazed::client::ClientError> {
//! let client = Client::connect()?;
//! let mut session = client.session(&SessionOptions { app_name: "demo".into(), ..SessionOptions::default() })?;
//! session.start()?;
//! while let Received::Sample(sample) = session.receive(Duration::from_secs(5)) {
//!     println!("{:.3} {:.3}", sample.record.gaze_x, sample.record.gaze_y);
//! }
//! # Ok(())
//! # }
//! ```

mod asynchronous;
mod inbox;
mod session;
mod stream;

use std::collections::HashMap;

use zbus::blocking::Connection;
use zbus::zvariant::{OwnedFd, OwnedValue};

pub use self::asynchronous::{AsyncClient, AsyncSession};
pub use self::session::{Received, Sample, Session};
pub use self::stream::{Stream, StreamError};
pub use crate::bus::memory_file::{MemoryFileReader, NotAMemoryFile};
use crate::bus::names::BUS_NAME;
use crate::bus::options::SessionOptions;
use crate::bus::proxies::{CalibrationProxyBlocking, ControlProxyBlocking, ManagerProxyBlocking, TruthProxyBlocking};
use crate::outputs::Output;

/// Why a client cannot go on. Each message says what to do where something can be done.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "there is no session bus ({0}); run inside a desktop session, or start one with `dbus-run-session -- COMMAND`"
    )]
    NoBus(zbus::Error),
    #[error("gazed is not running and cannot be started ({0}); start `gazed`, or install its D-Bus activation file")]
    NoDaemon(String),
    /// The daemon refused, with the error's name and reason.
    #[error("gazed refused: {reason}")]
    Refused { name: String, reason: String },
    #[error("the connection to the bus failed: {0}")]
    Bus(zbus::Error),
    #[error(transparent)]
    MemoryFile(#[from] NotAMemoryFile),
}

impl From<zbus::Error> for ClientError {
    fn from(error: zbus::Error) -> Self {
        match &error {
            zbus::Error::MethodError(name, reason, _) => {
                let reason = reason.clone().unwrap_or_else(|| name.to_string());
                match name.as_str() {
                    "org.freedesktop.DBus.Error.ServiceUnknown" | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
                        Self::NoDaemon(reason)
                    }
                    name if name.starts_with("org.freedesktop.DBus.Error.Spawn") => Self::NoDaemon(reason),
                    name => Self::Refused {
                        name: name.to_owned(),
                        reason,
                    },
                }
            }
            zbus::Error::FDO(inner) => match &**inner {
                zbus::fdo::Error::ServiceUnknown(reason) | zbus::fdo::Error::NameHasNoOwner(reason) => {
                    Self::NoDaemon(reason.clone())
                }
                _ => Self::Bus(error),
            },
            _ => Self::Bus(error),
        }
    }
}

/// A connection to the session bus, for talking to gazed.
#[derive(Clone, Debug)]
pub struct Client {
    connection: Connection,
}

impl Client {
    /// Connects to the session bus. The daemon is first needed (and, where installed, started) by the first call.
    pub fn connect() -> Result<Self, ClientError> {
        Ok(Self {
            connection: Connection::session().map_err(ClientError::NoBus)?,
        })
    }

    /// Connects to a bus by its address.
    pub fn connect_to(address: &str) -> Result<Self, ClientError> {
        let builder = zbus::blocking::connection::Builder::address(address).map_err(ClientError::NoBus)?;
        Ok(Self {
            connection: builder.build().map_err(ClientError::NoBus)?,
        })
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// True where gazed runs, without starting it.
    pub fn daemon_runs(&self) -> Result<bool, ClientError> {
        let bus = zbus::blocking::fdo::DBusProxy::new(&self.connection)?;
        let name = zbus::names::BusName::try_from(BUS_NAME).map_err(zbus::Error::from)?;
        bus.name_has_owner(name).map_err(|error| ClientError::Bus(error.into()))
    }

    /// Properties and, without the conveniences of [`Client::session`], sessions. Each property is asked for when it is
    /// read: a copy kept up to date by signals can be stale for good where a signal overtakes the first answer.
    pub fn manager(&self) -> Result<ManagerProxyBlocking<'static>, ClientError> {
        let builder = ManagerProxyBlocking::builder(&self.connection);
        Ok(builder.cache_properties(zbus::proxy::CacheProperties::No).build()?)
    }

    /// The interface for the user's own tools.
    pub fn control(&self) -> Result<ControlProxyBlocking<'static>, ClientError> {
        Ok(ControlProxyBlocking::new(&self.connection)?)
    }

    /// The truth, where the daemon runs on the synthetic user.
    pub fn truth(&self) -> Result<TruthProxyBlocking<'static>, ClientError> {
        Ok(TruthProxyBlocking::new(&self.connection)?)
    }

    /// The desktop's monitors, the primary one first.
    pub fn outputs(&self) -> Result<Vec<Output>, ClientError> {
        Ok(primary_first(&self.manager()?.outputs()?))
    }

    /// Makes a session; it has to be started.
    pub fn session(&self, options: &SessionOptions) -> Result<Session, ClientError> {
        let path = self.manager()?.create_session(options.to_bus())?;
        Session::new(&self.connection, path)
    }

    /// Begins a calibration; it is aborted when this connection ends before it was committed.
    /// `output` is the monitor that points are shown on; the primary one where `None`. `screen_mm` is how large the tracked
    /// monitor is, where it does not say so itself.
    pub fn calibration(
        &self,
        output: Option<&str>,
        screen_mm: Option<(f64, f64)>,
    ) -> Result<CalibrationProxyBlocking<'static>, ClientError> {
        let output = output.map(|output| ("output", output.into()));
        let size = screen_mm.map(|size| ("screen-mm", size.into()));
        let options = output.into_iter().chain(size).collect();
        let path = self.control()?.begin_calibration(options)?;
        Ok(CalibrationProxyBlocking::builder(&self.connection)
            .path(path)?
            .build()?)
    }

    /// The camera's frames with what was found in them, until the descriptor is closed.
    pub fn frames(&self, app_name: &str, what: &str) -> Result<OwnedFd, ClientError> {
        let options = [("app-name", app_name.into()), ("what", what.into())];
        Ok(self.control()?.open_frames(options.into())?)
    }
}

/// The property `Outputs`, read.
fn primary_first(told: &[HashMap<String, OwnedValue>]) -> Vec<Output> {
    let mut outputs: Vec<_> = told.iter().filter_map(Output::from_bus).collect();
    outputs.sort_by_key(|(_, primary)| !primary);
    outputs.into_iter().map(|(output, _)| output).collect()
}
