//! Names on the bus, in one place. They are a contract: within version 1 names are only added.

/// The well-known name that the daemon owns.
pub const BUS_NAME: &str = "org.gazed.Gaze1";

/// The object with the interfaces `Manager`, `Control` and, with the synthetic user, `Truth`.
pub const MANAGER_PATH: &str = "/org/gazed/Gaze1";

/// A session's object is this and its number. Numbers are never used again while the daemon runs.
pub const SESSION_PATH_PREFIX: &str = "/org/gazed/Gaze1/session/";

/// A calibration's object is this and its number.
pub const CALIBRATION_PATH_PREFIX: &str = "/org/gazed/Gaze1/calibration/";

pub const MANAGER_INTERFACE: &str = "org.gazed.Gaze1.Manager";
pub const SESSION_INTERFACE: &str = "org.gazed.Gaze1.Session";

/// The version of the interface, which the property `Version` tells.
pub const INTERFACE_VERSION: u32 = 1;
