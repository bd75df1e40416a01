//! What the tracking thread does with the pipeline: a frame in, what is known about it out.

use std::collections::BTreeMap;

use super::{Glimpse, Live, Shown};
use crate::bus::frames::{EyeFacts, FrameHeader, HeadFacts};
use crate::bus::record::{Flags, HeadAngles};
use crate::capture::SourceInfo;
use crate::clock::Timestamp;
use crate::daemon::reporting::{Moved, Observation, Predicted};
use crate::daemon::tracking::Tracker;
use crate::daemon::view::{Seat, View};
use crate::eyes::EyeState;
use crate::face::points::NAMES;
use crate::frame::Frame;
use crate::movement::Movement;
use crate::pipeline::GazeEstimate;
use crate::tracking::Absence;

impl Live {
    fn observation(&self, estimate: &GazeEstimate, captured: Timestamp, now: Timestamp) -> Observation {
        let absence = estimate.absence.map_or("The gaze is not known yet.", sentence);
        let radius = self.pipeline.forecast(captured).map(|forecast| forecast.error_radius);
        let flags = Flags::CALIBRATED.when(estimate.calibrated)
            | Flags::LEFT_OPEN.when(estimate.left_open)
            | Flags::RIGHT_OPEN.when(estimate.right_open)
            | Flags::BLINK.when(estimate.movement == Movement::Blink)
            | Flags::FIXATION.when(estimate.movement == Movement::Fixation)
            | Flags::SACCADE.when(estimate.movement == Movement::Saccade)
            | Flags::PURSUIT.when(estimate.movement == Movement::Pursuit);
        Observation {
            captured,
            gaze: estimate.gaze.ok_or_else(|| absence.to_owned()),
            error_radius: match (estimate.gaze, radius) {
                (Some(_), Some(radius)) => radius,
                _ => self.pipeline.unseen_radius(now),
            },
            confidence: f64::from(estimate.confidence),
            flags,
            distance_mm: estimate.head.and_then(|head| head.distance_mm),
            head: estimate.head.map(|head| HeadAngles {
                yaw_deg: head.yaw_deg,
                pitch_deg: head.pitch_deg,
                roll_deg: head.roll_deg,
            }),
        }
    }
}

impl Tracker for Live {
    fn source_opened(&mut self, source: &SourceInfo) -> Option<Shown> {
        self.source = Some(source.clone());
        self.choose_profile();
        self.refresh();
        self.pipeline.restart();
        self.recent.clear();
        self.seat = Seat::default();
        self.last = None;
        self.last_captured = None;
        self.shown()
    }

    fn step(&mut self, frame: &Frame) -> Observation {
        let estimate = match self.pipeline.step(frame) {
            Ok(estimate) => {
                self.failing = false;
                estimate
            }
            Err(error) => {
                if !self.failing {
                    tracing::error!(%error, "the nets failed on a frame");
                }
                self.failing = true;
                self.pipeline.tick(frame.captured)
            }
        };
        if self.recent.len() == Self::REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(Glimpse {
            captured: frame.captured,
            features: match self.pipeline.sighting() {
                Some(sighting) => Ok(sighting.features),
                None => Err(estimate.absence.unwrap_or(Absence::LowConfidence)),
            },
        });
        let distance_mm = estimate.head.and_then(|head| head.distance_mm);
        self.view = View::of(
            &frame.image,
            self.pipeline.face_and_eyes().map(|(face, _)| face),
            distance_mm,
        );
        if let Some(sighting) = self.pipeline.sighting() {
            let departure = self.pipeline.mapping().departure(&sighting.features);
            self.seat.push(frame.captured, departure);
        }
        self.last = Some(estimate);
        self.last_captured = Some(frame.captured);
        self.observation(&estimate, frame.captured, frame.captured)
    }

    fn describe(&self) -> FrameHeader {
        let estimate = self.last.as_ref();
        let seen = self.pipeline.face_and_eyes();
        let sighting = self.pipeline.sighting();
        let eye = |eye: &EyeState| EyeFacts {
            pupil_px: [eye.pupil.x, eye.pupil.y],
            openness: eye.openness,
        };
        let landmarks_px: BTreeMap<String, [f32; 2]> = seen.map_or_else(BTreeMap::new, |(face, _)| {
            let points = face.landmarks.0.iter();
            let named = NAMES.iter().zip(points);
            named
                .map(|(name, point)| ((*name).to_owned(), [point.x, point.y]))
                .collect()
        });
        FrameHeader {
            tracked: sighting.is_some(),
            reason: match estimate.and_then(|estimate| estimate.absence) {
                Some(absence) if sighting.is_none() => Some(absence.as_str().to_owned()),
                _ => None,
            },
            confidence: estimate.map_or(0.0, |estimate| f64::from(estimate.confidence)),
            face_px: enclosing(&landmarks_px),
            left: seen.map(|(_, eyes)| eye(&eyes.left)),
            right: seen.map(|(_, eyes)| eye(&eyes.right)),
            landmarks_px,
            head: estimate.and_then(|estimate| estimate.head).map(|head| HeadFacts {
                pitch_deg: head.pitch_deg,
                yaw_deg: head.yaw_deg,
                roll_deg: head.roll_deg,
            }),
            gaze: estimate.and_then(|estimate| estimate.gaze).map(|gaze| [gaze.x, gaze.y]),
            error_radius: self
                .last_captured
                .and_then(|captured| self.pipeline.forecast(captured))
                .map_or(0.0, |forecast| forecast.error_radius),
            ..FrameHeader::default()
        }
    }

    fn advice(&self) -> Option<&'static str> {
        self.seat.advice()
    }

    fn coast(&mut self, now: Timestamp) -> Option<Observation> {
        let captured = self.last_captured?;
        let estimate = self.pipeline.tick(now);
        self.view = View::default();
        self.last = Some(estimate);
        Some(self.observation(&estimate, captured, now))
    }

    fn pop_movement(&mut self) -> Option<Moved> {
        let event = self.pipeline.pop_event()?;
        let setup = self.pipeline.setup();
        let known_mm = self.last.and_then(|last| last.head).and_then(|head| head.distance_mm);
        let distance_mm = known_mm.unwrap_or(setup.viewing_distance_mm);
        Some(Moved {
            event,
            from: setup.screen.point_at(event.from, distance_mm),
            to: setup.screen.point_at(event.to, distance_mm),
        })
    }

    fn forecast(&self, target: Timestamp) -> Option<Predicted> {
        self.pipeline.forecast(target).map(|forecast| Predicted {
            point: forecast.point,
            error_radius: forecast.error_radius,
            held: forecast.held,
        })
    }
}

/// Left, top, width and height of the upright rectangle around all landmarks.
fn enclosing(landmarks_px: &BTreeMap<String, [f32; 2]>) -> Option<[f32; 4]> {
    if landmarks_px.is_empty() {
        return None;
    }
    let range = |axis: usize| {
        let values = landmarks_px.values().map(|point| point[axis]);
        values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    let ((left, right), (top, bottom)) = (range(0), range(1));
    Some([left, top, right - left, bottom - top])
}

/// Why there is no gaze, for people.
fn sentence(absence: Absence) -> &'static str {
    match absence {
        Absence::NoFace => "No face is in view of the camera.",
        Absence::EyesClosed => "Both eyes are closed.",
        Absence::LowConfidence => "The eyes cannot be seen well enough; more light on the face would help.",
    }
}
