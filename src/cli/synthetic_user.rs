//! The synthetic user behind a running daemon, as tools steer it and ask it for the truth.

use crate::bus::proxies::TruthProxyBlocking;
use crate::client::{Client, ClientError};
use crate::clock::{Clock, MonotonicClock};
use crate::geometry::ScreenPoint;

/// The synthetic user in front of the daemon's synthetic camera.
#[derive(Debug)]
pub struct SyntheticUser {
    truth: TruthProxyBlocking<'static>,
}

impl SyntheticUser {
    /// `None` where a real person, or a recorded one, is in front of the camera.
    pub fn find(client: &Client) -> Result<Option<Self>, ClientError> {
        let truth = client.truth()?;
        match truth.at(MonotonicClock.now().as_nanos()) {
            Ok(_) => Ok(Some(Self { truth })),
            Err(error) if is_not_offered(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Where it looks at a moment on CLOCK_MONOTONIC, past or future.
    pub fn looks_at(&self, time_ns: u64) -> Result<ScreenPoint, ClientError> {
        let (x, y, _) = self.truth.at(time_ns)?;
        Ok(ScreenPoint::new(x, y))
    }

    /// Asks it to look at a point until it is released.
    pub fn look_at(&self, point: ScreenPoint) -> Result<(), ClientError> {
        Ok(self.truth.look_at(point.x, point.y)?)
    }

    /// Asks it to hold its head beside its usual pose until it is released: turned to its left and up, moved to its left and
    /// down.
    pub fn move_head(&self, yaw_deg: f64, pitch_deg: f64, left_mm: f64, down_mm: f64) -> Result<(), ClientError> {
        Ok(self.truth.move_head(yaw_deg, pitch_deg, left_mm, down_mm)?)
    }

    /// Lets it look where it likes.
    pub fn release(&self) -> Result<(), ClientError> {
        Ok(self.truth.release()?)
    }
}

/// True where the daemon does not offer the interface at all.
fn is_not_offered(error: &zbus::Error) -> bool {
    use zbus::fdo::Error::{UnknownInterface, UnknownMethod, UnknownObject};
    match error {
        zbus::Error::MethodError(name, ..) => matches!(
            name.as_str(),
            "org.freedesktop.DBus.Error.UnknownInterface"
                | "org.freedesktop.DBus.Error.UnknownMethod"
                | "org.freedesktop.DBus.Error.UnknownObject"
        ),
        zbus::Error::FDO(error) => matches!(**error, UnknownInterface(_) | UnknownMethod(_) | UnknownObject(_)),
        _ => false,
    }
}
