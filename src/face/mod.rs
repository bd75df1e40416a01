//! The face stage: find a face only while none is tracked, then follow it, with its landmarks and the head's pose.

pub mod crop;
pub mod finder;
pub mod head;
pub mod points;

use crop::{CropError, Cropper};
use finder::{Candidate, Finder};
use head::Head;
use nalgebra::{Rotation3, Vector3};
use points::{COUNT, FaceFrame, Landmarks};

use crate::frame::GrayImage;
use crate::geometry::PointPx;
use crate::nets::{Net, NetName, Weights, WeightsError};

/// Broken weights or a broken OpenCV: nothing that another picture would cure.
#[derive(Debug, thiserror::Error)]
pub enum FaceError {
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Crop(#[from] CropError),
}

/// One face in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Face {
    pub landmarks: Landmarks,
    pub head: Head,
    /// That this is a face whose landmarks are right, 0..1.
    pub confidence: f32,
    /// How far off the net expects the landmarks to be on average, in parts of the face's size.
    pub expected_error: f32,
}

/// Finds and follows the nearest face.
pub struct FaceTracker {
    finder: Finder,
    landmarks: LandmarkNet,
    tracked: Option<FaceFrame>,
}

impl FaceTracker {
    /// The landmark net's face probability below which there is no face in its crop.
    const LEAST_CONFIDENCE: f32 = 0.5;
    /// A new face must be expected to be seen better than this, or the finder must be as sure of it as this: one of them
    /// doubts nearly every pattern that only resembles a face. Of 1,500 drawn pictures without a face that leaves 0.9 %
    /// instead of 3 %, and of 500 clean and spoilt photographs all.
    const LARGEST_NEW_ERROR: f32 = 0.045;
    const SURE_FIND: f32 = 0.7;

    pub fn new(weights: &Weights) -> Result<Self, FaceError> {
        Ok(Self {
            finder: Finder::new(weights)?,
            landmarks: LandmarkNet::new(weights)?,
            tracked: None,
        })
    }

    /// The face in this frame: near where it was in the last one, or else wherever the finder sees the largest.
    pub fn track(&mut self, image: &GrayImage) -> Result<Option<Face>, FaceError> {
        if let Some(frame) = self.tracked {
            let face = self.landmarks.locate(image, frame)?.filter(is_face);
            if face.is_some() {
                self.tracked = face.map(|face| face.landmarks.frame());
                return Ok(face);
            }
            self.tracked = None;
        }
        let face = self.find(image)?;
        self.tracked = face.map(|face| face.landmarks.frame());
        Ok(face)
    }

    /// Forgets the face, so that the next frame is searched as if it were the first.
    pub fn reset(&mut self) {
        self.tracked = None;
    }

    fn find(&mut self, image: &GrayImage) -> Result<Option<Face>, FaceError> {
        for Candidate { frame, score } in self.finder.find(image)? {
            // A found square is rough: the first pass centres the crop, the second places the landmarks.
            let Some(rough) = self.landmarks.locate(image, *frame)? else {
                continue;
            };
            let face = self.landmarks.locate(image, rough.landmarks.frame())?;
            let sure = *score >= Self::SURE_FIND;
            let new = face.filter(|face| is_face(face) && (sure || face.expected_error <= Self::LARGEST_NEW_ERROR));
            if new.is_some() {
                return Ok(new);
            }
        }
        Ok(None)
    }
}

fn is_face(face: &Face) -> bool {
    face.confidence >= FaceTracker::LEAST_CONFIDENCE
}

/// Places the landmarks in an upright crop of a face.
pub struct LandmarkNet {
    net: Net,
    cropper: Cropper,
}

impl LandmarkNet {
    /// Side of the crop, in pixels.
    const SIDE: usize = 64;
    /// Points, the face logit, the logarithm of the expected point error in parts of the side; the head's yaw, pitch and
    /// roll as seen in the crop.
    const OUTPUTS: usize = 2 * COUNT + 5;

    pub fn new(weights: &Weights) -> Result<Self, FaceError> {
        let net = weights.load(NetName::Landmarks, &[1, 1, Self::SIDE, Self::SIDE], Self::OUTPUTS)?;
        Ok(Self {
            net,
            cropper: Cropper::new(Self::SIDE, Self::SIDE)?,
        })
    }

    /// The landmarks of the face that fills `frame`, whatever is there: look at the confidence. `None` where the answer
    /// is no face's shape at all.
    pub fn locate(&mut self, image: &GrayImage, frame: FaceFrame) -> Result<Option<Face>, FaceError> {
        let crop_from_picture = frame.crop_from_picture(Self::SIDE);
        self.cropper.cut(image, &crop_from_picture, false, self.net.input())?;
        let answer = self.net.run()?;
        let picture_from_crop = crop_from_picture.inverse();
        let mut points = [PointPx::default(); COUNT];
        for (point, xy) in points.iter_mut().zip(answer.chunks_exact(2)) {
            *point = picture_from_crop.apply(PointPx::new(xy[0], xy[1]));
        }
        let confidence = 1.0 / (1.0 + (-answer[2 * COUNT]).exp());
        let expected_error = answer[2 * COUNT + 1].exp();
        let landmarks = Landmarks(points);
        let [yaw, pitch, roll] = [2, 3, 4].map(|index| f64::from(answer[2 * COUNT + index]));
        // The crop was cut upright.
        let upright = Rotation3::from_axis_angle(&Vector3::z_axis(), f64::from(frame.roll_rad));
        let rotation = upright * head::rotation([yaw, pitch, roll]);
        Ok(Head::laid_over(&landmarks, rotation).map(|head| Face {
            landmarks,
            head,
            confidence,
            expected_error,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::capture::decode;
    use crate::clock::Timestamp;
    use crate::frame::BufferPool;
    use crate::synthetic::{SyntheticCamera, SyntheticUser};

    /// Degrees of yaw, pitch and roll that the nets see of somebody whose head is turned by as many.
    fn seen(turn_deg: [f64; 3]) -> [f64; 3] {
        let [yaw, pitch, roll] = turn_deg;
        let source = format!(
            "seed=8,head_x_mm=0,head_sway_mm=0,head_follow=0,glasses=no,head_yaw_deg={yaw},head_pitch_deg={pitch},head_roll_deg={roll}"
        );
        let parameters = source.parse().expect("known keys");
        let user = Arc::new(SyntheticUser::new(parameters, Timestamp::from_nanos(0)));
        let mut camera = SyntheticCamera::new(user);
        let exposed = camera.expose(10).expect("a picture");
        let image = decode::jpeg(exposed.jpeg, &BufferPool::default()).expect("a picture");
        let mut tracker = FaceTracker::new(&Weights::BuiltIn).expect("weights");
        let face = tracker.track(&image).expect("nets").expect("a face");
        face.head.angles_rad().map(f64::to_degrees)
    }

    #[test]
    fn a_turned_head_is_seen_turned_by_as_much() {
        let straight = seen([0.0, -5.0, 0.0]);
        for turn in [
            [18.0, -5.0, 0.0],
            [-18.0, -5.0, 0.0],
            [0.0, 7.0, 0.0],
            [0.0, -17.0, 0.0],
            [0.0, -5.0, 15.0],
        ] {
            let seen = seen(turn);
            for axis in 0..3 {
                let expected = turn[axis] - [0.0, -5.0, 0.0][axis];
                let change = seen[axis] - straight[axis];
                assert!(
                    (change - expected).abs() < 5.0,
                    "turned by {turn:?} degrees, seen {seen:?}, straight {straight:?}"
                );
            }
        }
    }
}
