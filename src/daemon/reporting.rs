//! From what the tracker saw to the records that sessions get: pacing, numbering, forecasts, and what is said while lost.
//! Takes time as an argument; sends nothing.

use std::sync::Arc;
use std::time::Duration;

use super::hub::Shared;
use super::publishing::{Batch, Delivery};
use crate::bus::record::{Flags, HeadAngles, Record};
use crate::clock::Timestamp;
use crate::geometry::ScreenPoint;

/// What the tracker made of one frame, or of the time without one.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// When the frame was captured; without a frame, when the last one was.
    pub captured: Timestamp,
    /// The filtered gaze point, or why there is none, a sentence for people.
    pub gaze: Result<ScreenPoint, String>,
    /// In widths of the output, for the gaze point; grows while nothing is seen.
    pub error_radius: f64,
    /// 0..1.
    pub confidence: f64,
    /// All but `valid`.
    pub flags: Flags,
    pub distance_mm: Option<f64>,
    pub head: Option<HeadAngles>,
}

/// Where the gaze will be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicted {
    pub point: ScreenPoint,
    pub error_radius: f64,
    /// It was not made for the whole way to the target.
    pub held: bool,
}

/// Remembers what was last reported.
#[derive(Debug)]
pub struct Reporter {
    /// Where the gaze was last seen; told with `valid` cleared while it is lost.
    last_gaze: ScreenPoint,
    last_valid: Option<Timestamp>,
    last_lost_report: Option<Timestamp>,
    said: Option<Option<String>>,
}

impl Default for Reporter {
    fn default() -> Self {
        Self {
            last_gaze: ScreenPoint::CENTRE,
            last_valid: None,
            last_lost_report: None,
            said: None,
        }
    }
}

impl Reporter {
    /// How often records are sent while there is no gaze to report.
    pub const LOST_PERIOD: Duration = Duration::from_millis(200);
    /// A blink does not make the state `lost`: only so long without gaze does.
    const LOST_AFTER: Duration = Duration::from_millis(400);

    /// What `State` should newly say, if anything: `Some(None)` that the gaze is tracked, `Some(Some(reason))` that it is
    /// lost.
    pub fn news(&mut self, seen: &Observation, now: Timestamp) -> Option<Option<String>> {
        let say = match &seen.gaze {
            Ok(_) => None,
            Err(_)
                if self
                    .last_valid
                    .is_some_and(|at| now.saturating_since(at) < Self::LOST_AFTER) =>
            {
                return None;
            }
            Err(reason) => Some(reason.clone()),
        };
        (self.said.as_ref() != Some(&say)).then(|| {
            self.said = Some(say.clone());
            say
        })
    }

    /// The camera was closed or opened: the next picture is news again.
    pub fn forget_said(&mut self) {
        self.said = None;
    }

    /// The records of this moment, each session's by its own pace, for its own target. `forecast` is asked once for each
    /// distinct target.
    pub fn records(
        &mut self,
        shared: &mut Shared,
        seen: &Observation,
        now: Timestamp,
        mut forecast: impl FnMut(Timestamp) -> Option<Predicted>,
    ) -> Batch {
        let valid = seen.gaze.is_ok();
        match seen.gaze {
            Ok(gaze) => {
                self.last_gaze = gaze;
                self.last_valid = Some(now);
                self.last_lost_report = None;
            }
            Err(_)
                if self
                    .last_lost_report
                    .is_some_and(|at| now.saturating_since(at) < Self::LOST_PERIOD) =>
            {
                return Batch::new();
            }
            Err(_) => self.last_lost_report = Some(now),
        }
        let base = Record {
            captured_ns: seen.captured.as_nanos(),
            gaze_x: self.last_gaze.x,
            gaze_y: self.last_gaze.y,
            error_radius: seen.error_radius,
            confidence: seen.confidence,
            flags: seen.flags | Flags::VALID.when(valid),
            distance_mm: seen.distance_mm,
            head: seen.head,
            ..Record::default()
        };
        let mut made: Vec<(Timestamp, Option<Predicted>)> = Vec::new();
        let mut batch = Batch::new();
        for outlet in shared.started_sessions() {
            // While lost the moment of capture stands still, so the pace is kept by the present one.
            if !outlet.pacer.admits(if valid { seen.captured } else { now }) {
                continue;
            }
            let from = if valid { seen.captured } else { now };
            let target = outlet.options.target.moment(from, now);
            let predicted = match made.iter().find(|(moment, _)| *moment == target) {
                Some((_, predicted)) => *predicted,
                None => {
                    let predicted = if valid { forecast(target) } else { None };
                    made.push((target, predicted));
                    predicted
                }
            };
            let mut record = Record {
                sequence: outlet.sequence,
                target_ns: target.as_nanos(),
                forecast_x: base.gaze_x,
                forecast_y: base.gaze_y,
                flags: base.flags | Flags::FORECAST_HELD.when(predicted.is_none()),
                ..base
            };
            if let Some(predicted) = predicted {
                record.forecast_x = predicted.point.x;
                record.forecast_y = predicted.point.y;
                record.error_radius = predicted.error_radius;
                record.flags |= Flags::FORECAST_HELD.when(predicted.held);
            }
            outlet.sequence += 1;
            batch.push(Delivery {
                exits: Arc::clone(&outlet.exits),
                record,
            });
        }
        batch
    }
}
