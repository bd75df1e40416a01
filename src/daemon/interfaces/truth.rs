//! `org.gazed.Gaze1.Truth`: where the synthetic user looks. Only with the synthetic source; never part of a record.

use std::sync::Arc;

use zbus::interface;

use crate::bus::error::{Error, Result};
use crate::clock::{Clock, MonotonicClock, Timestamp};
use crate::geometry::ScreenPoint;
use crate::synthetic::{HeadMove, SyntheticUser};

pub struct Truth {
    user: Arc<SyntheticUser>,
}

impl Truth {
    pub fn new(user: Arc<SyntheticUser>) -> Self {
        Self { user }
    }
}

#[interface(name = "org.gazed.Gaze1.Truth")]
impl Truth {
    /// Where the synthetic user looks at a moment on CLOCK_MONOTONIC, past or future: the gaze point, normalised, and the
    /// movement (fixation, saccade, pursuit or blink).
    #[zbus(out_args("gaze_x", "gaze_y", "movement"))]
    fn at(&self, time_ns: u64) -> (f64, f64, String) {
        let truth = self.user.truth_at(Timestamp::from_nanos(time_ns));
        (truth.gaze.x, truth.gaze.y, truth.movement.name().to_owned())
    }

    /// Makes the synthetic user look at a point until it is released. It takes a reaction time and a saccade to get there.
    fn look_at(&self, x: f64, y: f64) -> Result<()> {
        let point = ScreenPoint::new(x, y);
        let near = |value: f64| (-2.0..=3.0).contains(&value);
        if !(near(x) && near(y)) {
            return Err(Error::InvalidArgument(format!(
                "nobody can look at ({x}, {y}) from a desk"
            )));
        }
        self.user.look_at(point, MonotonicClock.now());
        Ok(())
    }

    /// Makes the synthetic user hold its head otherwise than usual until it is released: turned by so many degrees, yaw to
    /// its left and pitch up, and so far to its left and down, in mm. The eyes stay on what they look at.
    fn move_head(&self, yaw_deg: f64, pitch_deg: f64, left_mm: f64, down_mm: f64) -> Result<()> {
        let possible = |value: f64, most: f64| value.abs() <= most;
        if !(possible(yaw_deg, 60.0) && possible(pitch_deg, 40.0)) {
            return Err(Error::InvalidArgument(format!(
                "nobody looks at a screen with the head turned by {yaw_deg} and {pitch_deg} degrees: at most 60 and 40"
            )));
        }
        if !(possible(left_mm, 300.0) && possible(down_mm, 300.0)) {
            return Err(Error::InvalidArgument(format!(
                "a head that moves by {left_mm} and {down_mm} mm leaves the picture: at most 300"
            )));
        }
        let by = HeadMove {
            yaw_rad: yaw_deg.to_radians(),
            pitch_rad: pitch_deg.to_radians(),
            left_mm,
            down_mm,
        };
        self.user.move_head(by, MonotonicClock.now());
        Ok(())
    }

    /// Lets the synthetic user look where it likes again, its head as usual.
    fn release(&self) {
        self.user.release(MonotonicClock.now());
    }
}
