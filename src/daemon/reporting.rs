//! From what the tracker saw to the records that sessions get: pacing, numbering, forecasts, and what is said while lost.
//! Takes time as an argument; sends nothing.

use std::sync::Arc;
use std::time::Duration;

use super::exits::MovementArguments;
use super::hub::Shared;
use super::publishing::{Batch, Delivery};
use crate::bus::record::{Flags, HeadAngles, Record};
use crate::clock::Timestamp;
use crate::geometry::ScreenPoint;
use crate::movement::{Event, Phase};
use crate::outputs::Placement;

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

/// A movement of the eye that began or ended, in normalised positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moved {
    pub event: Event,
    pub from: ScreenPoint,
    pub to: ScreenPoint,
}

impl Moved {
    /// The arguments of the signal `Movement`.
    pub fn arguments(&self, sequence: u64, placement: &Placement) -> MovementArguments {
        let event = &self.event;
        let (from, to) = (placement.there(self.from), placement.there(self.to));
        let phase = match event.phase {
            Phase::Began => "began",
            Phase::Ended => "ended",
        };
        (
            sequence,
            event.movement.name().to_owned(),
            phase.to_owned(),
            event.onset.as_nanos(),
            event.offset.as_nanos(),
            from.x,
            from.y,
            to.x,
            to.y,
            event.amplitude_deg,
            event.peak_velocity_deg_s,
        )
    }
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
            let gaze = outlet.placement.there(self.last_gaze);
            let (forecast, error_radius, held) = match predicted {
                Some(predicted) => (
                    outlet.placement.there(predicted.point),
                    predicted.error_radius,
                    predicted.held,
                ),
                None => (gaze, base.error_radius, true),
            };
            let record = Record {
                sequence: outlet.sequence,
                target_ns: target.as_nanos(),
                gaze_x: gaze.x,
                gaze_y: gaze.y,
                forecast_x: forecast.x,
                forecast_y: forecast.y,
                error_radius: outlet.placement.width_there(error_radius),
                flags: base.flags | Flags::FORECAST_HELD.when(held),
                ..base
            };
            outlet.sequence += 1;
            batch.push(Delivery {
                exits: Arc::clone(&outlet.exits),
                record,
            });
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::options::{SessionOptions, Target};
    use crate::config::{ClientsConfig, ScreenConfig};
    use crate::daemon::claims::Client;
    use crate::daemon::desktop;
    use crate::daemon::exits::test_exits;
    use crate::daemon::hub::Hub;
    use crate::daemon::memory::Memory;
    use crate::daemon::policy::Gate;

    fn at_ms(ms: u64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    fn seen(captured_ms: u64, gaze: Result<ScreenPoint, String>) -> Observation {
        Observation {
            captured: at_ms(captured_ms),
            gaze,
            error_radius: 0.25,
            confidence: 0.9,
            flags: Flags::FIXATION,
            distance_mm: None,
            head: None,
        }
    }

    fn lost() -> Result<ScreenPoint, String> {
        Err("No face.".into())
    }

    fn predicted(target: Timestamp) -> Option<Predicted> {
        Some(Predicted {
            point: ScreenPoint::new(target.as_nanos() as f64, 0.0),
            error_radius: 0.125,
            held: false,
        })
    }

    /// A hub with one started session for each target.
    fn hub(targets: &[Target]) -> Hub {
        let folder = std::path::Path::new("/nonexistent");
        let gate = Gate::new(&ClientsConfig::default());
        let hub = Hub::new(
            Memory::new(folder),
            gate,
            None,
            desktop::configured(&ScreenConfig::default(), &[]),
        );
        for target in targets {
            let client = Client {
                owner: ":1.1".into(),
                app_name: "test".into(),
                process_id: 1,
            };
            let options = SessionOptions {
                target: *target,
                ..SessionOptions::default()
            };
            let id = hub.add_session(client, options, |_| Ok(test_exits().0)).expect("room");
            hub.set_started(id, ":1.1", true).expect("the owner");
        }
        hub
    }

    #[test]
    fn each_session_gets_its_own_forecast_and_each_target_is_asked_for_once() {
        let ms = Duration::from_millis;
        let targets = [
            Target::AfterCapture(ms(50)),
            Target::AfterPublishing(ms(30)),
            Target::AfterCapture(ms(50)),
        ];
        let hub = hub(&targets);
        let mut reporter = Reporter::default();
        let mut asked = Vec::new();
        let gaze = ScreenPoint::new(0.25, 0.75);
        let batch = reporter.records(&mut hub.lock(), &seen(1_000, Ok(gaze)), at_ms(1_010), |target| {
            asked.push(target);
            predicted(target)
        });
        assert_eq!(asked, [at_ms(1_050), at_ms(1_040)]);
        let records: Vec<Record> = batch.iter().map(|delivery| delivery.record).collect();
        let horizons: Vec<u64> = records.iter().map(|record| record.target_ns / 1_000_000).collect();
        assert_eq!(horizons, [1_050, 1_040, 1_050]);
        for record in records {
            assert_eq!((record.gaze_x, record.gaze_y), (0.25, 0.75));
            assert_eq!(record.forecast_x, record.target_ns as f64);
            assert_eq!(record.error_radius, 0.125);
            assert_eq!(record.flags, Flags::VALID | Flags::FIXATION);
        }
    }

    #[test]
    fn while_lost_five_records_a_second_tell_where_the_gaze_was() {
        let hub = hub(&[Target::AfterCapture(Duration::ZERO)]);
        let mut reporter = Reporter::default();
        let gaze = ScreenPoint::new(0.25, 0.75);
        reporter.records(&mut hub.lock(), &seen(0, Ok(gaze)), at_ms(0), predicted);
        let mut sent = Vec::new();
        for frame in 1..=60 {
            let now = frame * 33;
            sent.extend(reporter.records(&mut hub.lock(), &seen(now, lost()), at_ms(now), predicted));
        }
        assert!((9..=11).contains(&sent.len()), "{} in two seconds", sent.len());
        for (number, delivery) in sent.iter().enumerate() {
            let record = &delivery.record;
            assert_eq!(record.sequence, number as u64 + 1);
            assert_eq!((record.forecast_x, record.forecast_y), (0.25, 0.75));
            assert!(!record.is_valid() && record.flags.contains(Flags::FORECAST_HELD));
        }
        let again = reporter.records(&mut hub.lock(), &seen(2_000, Ok(gaze)), at_ms(2_000), predicted);
        assert!(again[0].record.is_valid(), "the gaze is told at once when it is back");
    }

    #[test]
    fn a_blink_is_no_news_and_a_lost_face_is() {
        let hub = hub(&[]);
        let mut reporter = Reporter::default();
        let mut say = |ms: u64, gaze: Result<ScreenPoint, String>| {
            let seen = seen(ms, gaze);
            let news = reporter.news(&seen, at_ms(ms));
            reporter.records(&mut hub.lock(), &seen, at_ms(ms), predicted);
            news
        };
        assert_eq!(say(0, Ok(ScreenPoint::CENTRE)), Some(None));
        assert_eq!(say(33, Ok(ScreenPoint::CENTRE)), None);
        assert_eq!(say(66, lost()), None);
        assert_eq!(say(366, lost()), None);
        assert_eq!(say(466, lost()), Some(Some("No face.".to_owned())));
        assert_eq!(say(500, lost()), None);
        assert_eq!(say(533, Ok(ScreenPoint::CENTRE)), Some(None));
    }
}
