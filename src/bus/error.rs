//! The errors that the service answers with, by their names on the bus: `org.gazed.Gaze1.Error.*`.

/// A refusal with its reason, a sentence for people.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.gazed.Gaze1.Error")]
pub enum Error {
    #[zbus(error)]
    ZBus(zbus::Error),
    /// An option or argument of the wrong type or out of its range.
    InvalidArgument(String),
    /// The session or calibration belongs to another client.
    NotOwner(String),
    /// The user's policy keeps this client out.
    NotAuthorized(String),
    /// It is not possible now: another calibration runs, nothing is tracked, the session is not started.
    NotNow(String),
    /// No profile of this name.
    NoSuchProfile(String),
    /// It was tried and did not work.
    Failed(String),
}

pub type Result<T> = std::result::Result<T, Error>;
