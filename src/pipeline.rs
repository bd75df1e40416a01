//! The one way from a frame to a gaze forecast: track, calibrate, smooth, forecast.
//!
//! No threads, no I/O and no clock: live and offline runs of the same frames give the same answers. Screen positions become
//! degrees of visual angle before the forecaster and normalised screen positions again after it.

use crate::calibration::drift::Shift;
use crate::calibration::{Mapping, Prediction};
use crate::clock::Timestamp;
use crate::eyes::Eyes;
use crate::face::{Face, FaceError};
use crate::forecast::{Estimate, Forecaster, Method, Observation};
use crate::frame::Frame;
use crate::geometry::{ScreenPoint, Setup, VisualAngle};
use crate::movement::{Event, Movement};
use crate::nets::Weights;
use crate::tracking::{Absence, Seen, Sighting, Tracking};

/// Where the head is and how it is turned; signs as in [`crate::geometry`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadPose {
    /// From the eyes to the screen, where the camera's field of view is known.
    pub distance_mm: Option<f64>,
    pub yaw_deg: f64,
    pub pitch_deg: f64,
    pub roll_deg: f64,
}

/// What is known about the gaze after a frame (or after a tick without one).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GazeEstimate {
    /// The middle of the exposure, or the time of the tick.
    pub captured: Timestamp,
    /// Filtered gaze point; `None` once nothing has been seen for longer than filters bridge.
    pub gaze: Option<ScreenPoint>,
    /// Why this frame added no sample.
    pub absence: Option<Absence>,
    pub movement: Movement,
    /// True where a person's calibration is in use.
    pub calibrated: bool,
    /// 0..1; 0 where nothing was seen.
    pub confidence: f32,
    pub left_open: bool,
    pub right_open: bool,
    pub head: Option<HeadPose>,
}

/// Where the gaze will be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GazeForecast {
    pub point: ScreenPoint,
    /// Radius that should hold the true gaze point 95 % of the time, in widths of the screen.
    pub error_radius: f64,
    /// True where the last estimate was held instead of continued.
    pub held: bool,
}

/// Every stage of the way, with its memory.
pub struct Pipeline {
    setup: Setup,
    tracking: Tracking,
    mapping: Mapping,
    forecaster: Forecaster,
    /// Added to every gaze position: how far the map has drifted since the calibration.
    drift: Shift,
    last: Last,
}

/// What later calls need of earlier frames.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    seen: Option<(Face, Eyes)>,
    sighting: Option<Sighting>,
    prediction: Option<Prediction>,
    sample_at: Option<Timestamp>,
    /// From the eyes to the screen, in mm; for the conversion between angles and screen positions.
    distance_mm: Option<f64>,
}

impl Pipeline {
    pub fn new(
        weights: &Weights,
        setup: Setup,
        stills: bool,
        method: Method,
        mapping: Mapping,
    ) -> Result<Self, FaceError> {
        Ok(Self {
            setup,
            tracking: Tracking::new(weights, stills)?,
            mapping,
            forecaster: Forecaster::with_weights(method, weights)?,
            drift: Shift::default(),
            last: Last::default(),
        })
    }

    /// Walks one frame through all stages. A frame that is older than the one before starts everything anew: the source
    /// was opened again, or its clock jumped.
    pub fn step(&mut self, frame: &Frame) -> Result<GazeEstimate, FaceError> {
        let seen = self.tracking.see(frame, &self.setup)?;
        let (sighting, absence, face_and_eyes) = match seen {
            Seen::Gaze(sighting) => (Some(sighting), None, Some((sighting.face, sighting.eyes))),
            Seen::Nothing(absence, face_and_eyes) => (None, Some(absence), face_and_eyes),
        };
        self.last.seen = face_and_eyes;
        self.last.sighting = sighting;
        let observation = sighting.map(|sighting| {
            let prediction = self.mapping.predict(&sighting.features, &self.setup);
            let distance_mm = sighting.features.eyes_mm[2];
            self.last.prediction = Some(prediction);
            self.last.sample_at = Some(frame.captured);
            self.last.distance_mm = Some(distance_mm);
            let at = self.setup.screen.visual_angle(prediction.point, distance_mm);
            let drift = self.drift.at(&sighting.features);
            Observation {
                at: VisualAngle::new(at.x_deg + drift.x_deg, at.y_deg + drift.y_deg),
                confidence: f64::from(sighting.confidence),
            }
        });
        let blink = absence == Some(Absence::EyesClosed);
        let estimate = match self.forecaster.observe(frame.captured, observation, blink) {
            Ok(estimate) => Some(estimate),
            Err(_) => {
                self.tracking.reset();
                self.forecaster.reset();
                self.forecaster.observe(frame.captured, observation, blink).ok()
            }
        };
        Ok(self.gaze_estimate(frame.captured, estimate, absence))
    }

    /// Moves time on while no frames come. The next frame may have been captured before `now`: it takes a while to arrive.
    pub fn tick(&mut self, now: Timestamp) -> GazeEstimate {
        self.last.seen = None;
        self.last.sighting = None;
        let estimate = self.forecaster.coast(now);
        self.gaze_estimate(now, Some(estimate), Some(Absence::NoFace))
    }

    /// Where the gaze will be at `target`; `None` while nothing is known.
    pub fn forecast(&self, target: Timestamp) -> Option<GazeForecast> {
        let forecast = self.forecaster.forecast(target)?;
        let distance_mm = self.distance_mm();
        let widths_per_degree = self.setup.screen.widths_per_degree_at(forecast.at, distance_mm);
        let motion_radius = forecast.error_radius_deg * widths_per_degree;
        Some(GazeForecast {
            point: self.setup.screen.point_at(forecast.at, distance_mm),
            error_radius: motion_radius.hypot(self.mapping_radius()),
            held: forecast.held,
        })
    }

    /// The error radius, in widths of the screen, when there is no forecast: the gaze may have gone anywhere. It grows from
    /// the last known radius to the whole screen within a second, about three fixations.
    pub fn unseen_radius(&self, now: Timestamp) -> f64 {
        const WHOLE_SCREEN_S: f64 = 1.0;
        let screen = &self.setup.screen;
        let whole = 1.0_f64.hypot(screen.height_mm / screen.width_mm);
        match self.last.sample_at {
            Some(last) => {
                let share = (now.seconds_since(last) / WHOLE_SCREEN_S).clamp(0.0, 1.0);
                let known = self.mapping_radius().min(whole);
                known + share * (whole - known)
            }
            None => whole,
        }
    }

    /// The frames that follow are of another stream than those before: nothing of where user and gaze were holds.
    pub fn restart(&mut self) {
        self.tracking.reset();
        self.forecaster.reset();
        self.last = Last::default();
    }

    /// Takes another calibration from the next frame on.
    pub fn set_mapping(&mut self, mapping: Mapping) {
        self.mapping = mapping;
        self.drift = Shift::default();
        // Positions of two calibrations are not comparable.
        self.forecaster.reset();
    }

    /// Shifts all gaze positions by so much from the next frame on; another calibration begins without a shift.
    pub fn set_drift(&mut self, drift: Shift) {
        /// The eye's own fixations wander further.
        const UNNOTICED_DEG: f64 = 0.3;
        let before = std::mem::replace(&mut self.drift, drift);
        let is_unnoticed = self.last.sighting.is_some_and(|sighting| {
            let step_deg = before.at(&sighting.features).distance_deg(drift.at(&sighting.features));
            step_deg <= UNNOTICED_DEG
        });
        // A larger step would look like a saccade.
        if !is_unnoticed {
            self.forecaster.reset();
        }
    }

    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// What the last frame showed, where it showed gaze: for calibration.
    pub fn sighting(&self) -> Option<&Sighting> {
        self.last.sighting.as_ref()
    }

    /// The last frame's face and eyes, closed eyes too: for pictures of what is seen.
    pub fn face_and_eyes(&self) -> Option<&(Face, Eyes)> {
        self.last.seen.as_ref()
    }

    /// The next movement that began or ended.
    pub fn pop_event(&mut self) -> Option<Event> {
        self.forecaster.pop_event()
    }

    fn gaze_estimate(&self, time: Timestamp, estimate: Option<Estimate>, absence: Option<Absence>) -> GazeEstimate {
        let distance_mm = self.distance_mm();
        let gaze = estimate
            .and_then(|estimate| estimate.at)
            .map(|at| self.setup.screen.point_at(at, distance_mm));
        let eyes = self.last.seen.map(|(_, eyes)| eyes);
        GazeEstimate {
            captured: time,
            gaze,
            absence,
            movement: estimate.map_or(Movement::Lost, |estimate| estimate.movement),
            calibrated: self.mapping.is_fitted(),
            confidence: self.last.sighting.map_or(0.0, |sighting| sighting.confidence),
            left_open: eyes.is_some_and(|eyes| eyes.left.is_open()),
            right_open: eyes.is_some_and(|eyes| eyes.right.is_open()),
            head: self.head_pose(),
        }
    }

    fn head_pose(&self) -> Option<HeadPose> {
        let (face, _) = self.last.seen?;
        let [yaw, pitch, roll] = face.head.angles_rad();
        let features = self.last.sighting.map(|sighting| sighting.features);
        Some(HeadPose {
            distance_mm: features
                .filter(|features| features.position_known)
                .map(|features| features.eyes_mm[2]),
            yaw_deg: yaw.to_degrees(),
            pitch_deg: pitch.to_degrees(),
            roll_deg: roll.to_degrees(),
        })
    }

    fn distance_mm(&self) -> f64 {
        self.last.distance_mm.unwrap_or(self.setup.viewing_distance_mm)
    }

    /// The calibration's own error radius at the last sample, in widths of the screen.
    fn mapping_radius(&self) -> f64 {
        self.last.prediction.map_or(0.0, |prediction| {
            prediction.error_radius_mm / self.setup.screen.width_mm
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::capture::decode;
    use crate::clock::TimestampSource;
    use crate::frame::{BufferPool, FrameId};
    use crate::movement::Phase;
    use crate::synthetic::{Parameters, SyntheticCamera, SyntheticUser};

    fn frames(parameters: &str) -> (Setup, Vec<Frame>) {
        let parameters: Parameters = parameters.parse().expect("parameters");
        let user = Arc::new(SyntheticUser::new(parameters, Timestamp::from_nanos(0)));
        let mut camera = SyntheticCamera::new(Arc::clone(&user));
        let buffers = BufferPool::default();
        let frames = (0..8).map(|index| {
            let exposed = camera.expose(index).expect("a picture");
            Frame {
                id: FrameId(index),
                captured: exposed.captured,
                timestamp_source: TimestampSource::Synthetic,
                image: decode::jpeg(exposed.jpeg, &buffers).expect("a picture"),
            }
        });
        (user.setup(), frames.collect())
    }

    /// Ticks tell the time of now, and frames that arrive after them were captured before: 250 ms after the one before and
    /// 100 ms ago, as those of a camera in a dark room.
    #[test]
    fn a_frame_older_than_a_tick_is_no_jump_back_and_one_older_than_a_frame_is() {
        let (setup, frames) = frames("seed=5,fps=4,blink_rate=0");
        let new = || Pipeline::new(&Weights::BuiltIn, setup, false, Method::default(), Mapping::default());
        let (mut ticked, mut left_alone) = (new().expect("nets"), new().expect("nets"));
        for frame in &frames {
            let target = frame.captured.offset_by_seconds(0.05);
            let [one, other] = [&mut ticked, &mut left_alone].map(|pipeline| {
                let estimate = pipeline.step(frame).expect("nets");
                assert!(
                    estimate.gaze.is_some() && estimate.captured == frame.captured,
                    "{estimate:?}"
                );
                let forecast = pipeline.forecast(target).expect("a gaze");
                (estimate.gaze, forecast.point, forecast.error_radius)
            });
            assert_eq!(one, other);
            assert_eq!(ticked.tick(frame.captured.offset_by_seconds(0.3)).gaze, None);
        }
        let back = left_alone.step(&frames[0]).expect("nets");
        assert!(back.gaze.is_some() && back.captured == frames[0].captured, "{back:?}");
        for mut pipeline in [ticked, left_alone] {
            let told: Vec<Event> = std::iter::from_fn(|| pipeline.pop_event()).collect();
            for pair in told.chunks_exact(2) {
                assert_eq!((pair[0].phase, pair[1].phase), (Phase::Began, Phase::Ended), "{told:?}");
                assert_eq!(pair[0].movement, pair[1].movement, "{told:?}");
            }
        }
    }
}
