//! `org.gazed.Gaze1.Session`: samples for the client that made it, and for no one else.
#![expect(
    clippy::too_many_arguments,
    reason = "the signal's arguments are the record's fields"
)]

use std::collections::HashMap;
use std::sync::Arc;

use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{OwnedFd, OwnedValue};
use zbus::{ObjectServer, interface};

use super::{release, sender};
use crate::bus::error::{Error, Result};
use crate::daemon::hub::Hub;

pub struct Session {
    hub: Arc<Hub>,
    id: u64,
}

impl Session {
    pub fn new(hub: Arc<Hub>, id: u64) -> Self {
        Self { hub, id }
    }
}

#[interface(name = "org.gazed.Gaze1.Session")]
impl Session {
    /// Asks for samples. They begin when the camera is there; starting twice changes nothing.
    fn start(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.hub.set_started(self.id, sender(&header)?, true)
    }

    /// No more samples; the camera closes with the last started session. Stopping twice changes nothing.
    fn stop(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.hub.set_started(self.id, sender(&header)?, false)
    }

    /// Ends the session. Its object is gone then.
    async fn close(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(object_server)] server: &ObjectServer,
    ) -> Result<()> {
        self.hub.exits(self.id, sender(&header)?)?;
        release(&self.hub, server, self.id).await;
        Ok(())
    }

    /// A SOCK_SEQPACKET end on which each packet is one record, little-endian; its layout and version byte are documented
    /// with the client library. For a slow reader a few records wait, and beyond them the newest; Dropped counts the others.
    /// An earlier stream ends.
    #[zbus(out_args("stream"))]
    fn open_stream(&self, #[zbus(header)] header: Header<'_>) -> Result<OwnedFd> {
        let exits = self.hub.exits(self.id, sender(&header)?)?;
        let socket = exits.open_stream();
        Ok(socket
            .map_err(|error| Error::Failed(format!("no socket: {error}")))?
            .into())
    }

    /// A read-only memory file with the newest record behind a sequence lock, for reading the gaze at the moment of drawing
    /// without a system call; its layout is documented with the client library. An earlier file is not written any more.
    #[zbus(out_args("file"))]
    fn open_latest(&self, #[zbus(header)] header: Header<'_>) -> Result<OwnedFd> {
        let exits = self.hub.exits(self.id, sender(&header)?)?;
        let file = exits.open_memory_file();
        Ok(file
            .map_err(|error| Error::Failed(format!("no memory file: {error}")))?
            .into())
    }

    /// Records that were made for this session and did not reach it.
    #[zbus(property(emits_changed_signal = "false"))]
    fn dropped(&self) -> u64 {
        let shared = self.hub.lock();
        shared
            .sessions
            .get(&self.id)
            .map_or(0, |session| session.exits.dropped())
    }

    /// What the session forecasts for: horizon-ms d after the capture, or lead-ms d after publishing; and its other
    /// options.
    #[zbus(property(emits_changed_signal = "const"))]
    fn options(&self) -> HashMap<String, OwnedValue> {
        let shared = self.hub.lock();
        let options = shared.sessions.get(&self.id).map(|session| session.options.to_bus());
        let owned = options.into_iter().flatten();
        owned
            .filter_map(|(name, value)| Some((name.to_owned(), value.try_into().ok()?)))
            .collect()
    }

    /// A fixation, saccade, pursuit or blink began or ended (phase). Positions are normalised to the output; of one that
    /// began only onset_ns and from are known. Sent to the session's owner alone; a gap in sequence means lost ones.
    #[zbus(signal)]
    pub async fn movement(
        emitter: &SignalEmitter<'_>,
        sequence: u64,
        movement: &str,
        phase: &str,
        onset_ns: u64,
        offset_ns: u64,
        from_x: f64,
        from_y: f64,
        to_x: f64,
        to_y: f64,
        amplitude_deg: f64,
        peak_velocity_deg_s: f64,
    ) -> zbus::Result<()>;

    /// One record, sent to the session's owner alone. Times are CLOCK_MONOTONIC in nanoseconds, positions are normalised
    /// to the output, distance_mm is from the screen's plane to the eyes, bits of flags are in the order valid calibrated
    /// left-open right-open blink fixation saccade pursuit forecast-held distance-known head-known.
    #[zbus(signal)]
    pub async fn sample(
        emitter: &SignalEmitter<'_>,
        sequence: u64,
        captured_ns: u64,
        published_ns: u64,
        target_ns: u64,
        gaze_x: f64,
        gaze_y: f64,
        forecast_x: f64,
        forecast_y: f64,
        error_radius: f64,
        confidence: f64,
        flags: u32,
        distance_mm: f64,
        head_yaw_deg: f64,
        head_pitch_deg: f64,
        head_roll_deg: f64,
    ) -> zbus::Result<()>;
}
