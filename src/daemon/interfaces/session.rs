//! `org.gazed.Gaze1.Session`: samples for the client that made it, and for no one else.
#![expect(
    clippy::too_many_arguments,
    reason = "the signal's arguments are the record's fields"
)]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{ObjectServer, interface};

use super::{release, sender};
use crate::bus::error::Result;
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

    /// Records that were made for this session and did not reach it.
    #[zbus(property(emits_changed_signal = "false"))]
    fn dropped(&self) -> u64 {
        let shared = self.hub.lock();
        let session = shared.sessions.get(&self.id);
        session.map_or(0, |session| session.exits.dropped.load(Ordering::Relaxed))
    }

    /// One record, sent to the session's owner alone. Times are CLOCK_MONOTONIC in nanoseconds, positions are normalised
    /// to the output, bits of flags are in the order valid calibrated left-open right-open blink fixation saccade pursuit
    /// forecast-held distance-known head-known.
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
