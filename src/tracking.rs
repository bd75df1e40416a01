//! From one frame to what is seen of the user: face, eyes, and the features that calibration maps to the screen.
//!
//! The live pipeline and the offline commands (`gazectl track`, `gazectl evaluate`) go through this one door.

use crate::calibration::{Appearance, Features};
use crate::clock::Timestamp;
use crate::eyes::lids::LidWatch;
use crate::eyes::{Eyes, EyesNet};
use crate::face::head::Head;
use crate::face::{Face, FaceError, FaceTracker};
use crate::frame::Frame;
use crate::geometry::Setup;
use crate::nets::Weights;

/// Why no gaze can be had from a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    NoFace,
    /// Both eyes are covered by their lids, or the lids are on their way: a blink.
    EyesClosed,
    /// Something is there, but the nets do not trust what they see.
    LowConfidence,
}

impl Absence {
    /// One or two words for logs and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoFace => "no face",
            Self::EyesClosed => "eyes closed",
            Self::LowConfidence => "low confidence",
        }
    }
}

/// What is seen of the user in one frame.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    pub face: Face,
    pub eyes: Eyes,
    pub features: Features,
    /// The least of what face and eyes are trusted, 0..1.
    pub confidence: f32,
}

/// One frame's outcome: a sighting that shows gaze, or why there is none, with the face if at least that was seen.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a frame, and a box would be an allocation a frame"
)]
pub enum Seen {
    Gaze(Sighting),
    Nothing(Absence, Option<(Face, Eyes)>),
}

/// The face and eye stages with their memory of the last frame.
pub struct Tracking {
    faces: FaceTracker,
    eyes: EyesNet,
    head: HeadFilter,
    lids: LidWatch,
    /// Frames stand alone: nothing is remembered from one to the next.
    stills: bool,
}

impl Tracking {
    /// Eyes and faces trusted less than this show no usable gaze.
    const LEAST_CONFIDENCE: f32 = 0.3;

    pub fn new(weights: &Weights, stills: bool) -> Result<Self, FaceError> {
        Ok(Self {
            faces: FaceTracker::new(weights)?,
            eyes: EyesNet::new(weights)?,
            head: HeadFilter::default(),
            lids: LidWatch::default(),
            stills,
        })
    }

    /// Looks at one frame.
    pub fn see(&mut self, frame: &Frame, setup: &Setup) -> Result<Seen, FaceError> {
        if self.stills {
            self.reset();
        }
        let Some(mut face) = self.faces.track(&frame.image)? else {
            self.reset();
            return Ok(Seen::Nothing(Absence::NoFace, None));
        };
        let eyes = self.eyes.look(&frame.image, &face)?;
        if !self.stills {
            face.head = self.head.push(frame.captured, face.head);
        }
        let blinks = !self.stills && self.lids.push(frame.captured, f64::from(eyes.openness()));
        if blinks || (!eyes.left.is_open() && !eyes.right.is_open()) {
            return Ok(Seen::Nothing(Absence::EyesClosed, Some((face, eyes))));
        }
        let confidence = face.confidence.min(eyes.confidence());
        if confidence < Self::LEAST_CONFIDENCE {
            return Ok(Seen::Nothing(Absence::LowConfidence, Some((face, eyes))));
        }
        let picture_px = (frame.image.width(), frame.image.height());
        let [left, right] = self.eyes.patches();
        let appearance = Appearance::new(left, right);
        let features = Features::new(&face.head, &eyes, appearance, setup, picture_px);
        Ok(Seen::Gaze(Sighting {
            face,
            eyes,
            features,
            confidence,
        }))
    }

    /// Forgets the user, as after a gap.
    pub fn reset(&mut self) {
        self.faces.reset();
        self.eyes.reset();
        self.head = HeadFilter::default();
        self.lids = LidWatch::default();
    }
}

/// Smooths the head's rotation and size, which change slowly, so that the landmarks' jitter does not reach the gaze. Its
/// position is left alone: it follows the face at once.
#[derive(Clone, Copy, Debug, Default)]
struct HeadFilter {
    last: Option<(Timestamp, Head)>,
}

impl HeadFilter {
    /// Heads turn within a quarter of a second or slower while people read or look about; eyes take over what is faster.
    const TIME_CONSTANT_S: f64 = 0.15;
    /// After a longer gap the head may be anywhere.
    const LONGEST_GAP_S: f64 = 0.5;
    /// A head that is this far from the filtered one has really turned: the filter must not trail behind it.
    const JUMP_RAD: f64 = 0.15;

    fn push(&mut self, time: Timestamp, head: Head) -> Head {
        let filtered = match self.last {
            Some((before, old)) => {
                let elapsed_s = time.seconds_since(before);
                let turn = old.rotation.rotation_to(&head.rotation);
                if !(0.0..Self::LONGEST_GAP_S).contains(&elapsed_s) || turn.angle() > Self::JUMP_RAD {
                    head
                } else {
                    let share = 1.0 - (-elapsed_s / Self::TIME_CONSTANT_S).exp();
                    let rotation = turn.powf(share) * old.rotation;
                    let px_per_mm = old.px_per_mm * (head.px_per_mm / old.px_per_mm).powf(share);
                    Head {
                        rotation,
                        px_per_mm,
                        ..head
                    }
                }
            }
            None => head,
        };
        self.last = Some((time, filtered));
        filtered
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{Rotation3, Vector3};

    use super::*;
    use crate::geometry::PointPx;

    fn head(yaw: f64) -> Head {
        Head {
            rotation: Rotation3::from_axis_angle(&Vector3::y_axis(), yaw),
            px_per_mm: 1.0,
            origin_px: PointPx::default(),
        }
    }

    fn at(frame: u64) -> Timestamp {
        Timestamp::from_nanos(frame * 33_000_000)
    }

    #[test]
    fn jitter_of_the_head_is_damped_and_a_real_turn_is_not_delayed() {
        let mut filter = HeadFilter::default();
        let angles: Vec<f64> = (0..90)
            .map(|frame| {
                filter
                    .push(at(frame), head(if frame % 2 == 0 { 0.02 } else { -0.02 }))
                    .rotation
                    .angle()
            })
            .collect();
        assert!(angles[60..].iter().all(|angle| *angle < 0.006), "{:?}", &angles[80..]);
        let turned = filter.push(at(90), head(0.4));
        assert!((turned.rotation.angle() - 0.4).abs() < 1e-9);
    }

    #[test]
    fn a_gap_forgets_the_old_head() {
        let mut filter = HeadFilter::default();
        filter.push(at(0), head(0.0));
        assert!((filter.push(at(100), head(0.1)).rotation.angle() - 0.1).abs() < 1e-9);
    }
}
