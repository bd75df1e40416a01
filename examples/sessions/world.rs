//! One synthetic person in front of the tracker, a frame at a time.

use std::error::Error;
use std::sync::Arc;

use gazed::calibration::drift::Shift;
use gazed::calibration::{Features, Mapping};
use gazed::capture::decode;
use gazed::clock::{Timestamp, TimestampSource};
use gazed::forecast::Method;
use gazed::frame::{BufferPool, Frame, FrameId};
use gazed::geometry::{ScreenPoint, Setup};
use gazed::nets::Weights;
use gazed::pipeline::{GazeForecast, Pipeline};
use gazed::synthetic::{HeadMove, Movement, Parameters, SyntheticCamera, SyntheticUser};
use gazed::tracking::Absence;

/// What one frame gave, beside the truth.
pub struct Look {
    pub time_s: f64,
    pub features: Result<Features, Absence>,
    pub gaze: Option<ScreenPoint>,
    /// Where the gaze will be at [`HORIZON_S`], and where it will really be.
    pub forecast: Option<GazeForecast>,
    pub truth: ScreenPoint,
    pub truth_then: ScreenPoint,
    pub movement: Movement,
    /// From the eyes to the screen.
    pub distance_mm: f64,
    pub setup: Setup,
}

/// What the published forecast aims at by default.
pub const HORIZON_S: f64 = 0.05;
/// The eye has arrived where it is this close to a point.
const ARRIVED_DEG: f64 = 1.0;

impl Look {
    /// Degrees of visual angle between two points.
    pub fn degrees(&self, a: ScreenPoint, b: ScreenPoint) -> f64 {
        let screen = &self.setup.screen;
        screen
            .visual_angle(a, self.distance_mm)
            .distance_deg(screen.visual_angle(b, self.distance_mm))
    }

    pub fn has_arrived(&self, point: ScreenPoint) -> bool {
        self.movement == Movement::Fixation && self.degrees(self.truth, point) < ARRIVED_DEG
    }
}

pub struct World {
    user: Arc<SyntheticUser>,
    camera: SyntheticCamera,
    pipeline: Pipeline,
    buffers: BufferPool,
    next: u64,
}

impl World {
    /// The person's world from `begin_s` on; two worlds of the same parameters are the same world.
    pub fn new(parameters: Parameters, begin_s: f64) -> Result<Self, Box<dyn Error>> {
        let epoch = Timestamp::from_nanos(1_000_000_000);
        let user = Arc::new(SyntheticUser::new(parameters, epoch));
        let camera = SyntheticCamera::new(Arc::clone(&user));
        let pipeline = Pipeline::new(
            &Weights::BuiltIn,
            user.setup(),
            false,
            Method::default(),
            Mapping::default(),
        )?;
        Ok(Self {
            next: camera.first_frame_from(epoch.offset_by_seconds(begin_s)),
            user,
            camera,
            pipeline,
            buffers: BufferPool::default(),
        })
    }

    pub fn now_s(&self) -> f64 {
        self.camera.captured(self.next).seconds_since(self.user.epoch())
    }

    pub fn setup(&self) -> Setup {
        self.user.setup()
    }

    pub fn mapping(&self) -> &Mapping {
        self.pipeline.mapping()
    }

    pub fn set_mapping(&mut self, mapping: Mapping) {
        self.pipeline.set_mapping(mapping);
    }

    pub fn set_drift(&mut self, drift: Shift) {
        self.pipeline.set_drift(drift);
    }

    pub fn look_at(&self, point: ScreenPoint) {
        self.user.look_at(point, self.camera.captured(self.next));
    }

    /// Beside the usual pose.
    pub fn move_head(&self, by: HeadMove) {
        self.user.move_head(by, self.camera.captured(self.next));
    }

    pub fn release(&self) {
        self.user.release(self.camera.captured(self.next));
    }

    /// Renders the next frame and lets the tracker see it.
    pub fn step(&mut self) -> Result<Look, Box<dyn Error>> {
        let exposed = self.camera.expose(self.next)?;
        let frame = Frame {
            id: FrameId(exposed.index),
            captured: exposed.captured,
            timestamp_source: TimestampSource::Synthetic,
            image: decode::jpeg(exposed.jpeg, &self.buffers)?,
        };
        self.next += 1;
        let estimate = self.pipeline.step(&frame)?;
        let target = frame.captured.offset_by_seconds(HORIZON_S);
        let truth = self.user.truth_at(frame.captured);
        let features = match (self.pipeline.sighting(), estimate.absence) {
            (Some(sighting), _) => Ok(sighting.features),
            (None, absence) => Err(absence.unwrap_or(Absence::NoFace)),
        };
        Ok(Look {
            time_s: frame.captured.seconds_since(self.user.epoch()),
            features,
            gaze: estimate.gaze.filter(|_| estimate.absence.is_none()),
            forecast: self.pipeline.forecast(target).filter(|_| estimate.absence.is_none()),
            truth: truth.gaze,
            truth_then: self.user.truth_at(target).gaze,
            movement: truth.movement,
            distance_mm: truth.head.position_mm[2],
            setup: self.user.setup(),
        })
    }
}
