//! The bus interface, version 1, as both sides see it: names, errors, options, the record and the proxies.
//!
//! Nothing here opens a connection or starts a thread: [`crate::client`] and the daemon do. Builds without any feature.
//!
//! | object | interfaces |
//! |---|---|
//! | `/org/gazed/Gaze1` | `Manager` for every client, `Control` for the user's own tools, `Truth` with the synthetic user |
//! | `/org/gazed/Gaze1/session/N` | `Session`: samples for the client that made it, and for no one else |
//! | `/org/gazed/Gaze1/calibration/N` | `Calibration`: one at a time |

pub mod error;
pub mod frames;
pub mod memory_file;
pub mod names;
pub mod options;
pub mod proxies;
pub mod record;
