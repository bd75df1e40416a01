//! What is known about the synthetic user at one moment.

use crate::geometry::{PointPx, ScreenPoint};

use super::head_motion::HeadPose;

/// What the eyes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    Fixation,
    Saccade,
    Pursuit,
    Blink,
}

impl Movement {
    /// The word used in files and on the bus.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fixation => "fixation",
            Self::Saccade => "saccade",
            Self::Pursuit => "pursuit",
            Self::Blink => "blink",
        }
    }
}

/// Names of [`Truth::landmarks`], in their order. Left and right are the person's; the places are those of the 68-point
/// scheme (iBUG), lids being the means of the two points on each margin.
pub const LANDMARK_NAMES: [&str; 22] = [
    "left_outer",
    "left_inner",
    "right_inner",
    "right_outer",
    "left_upper",
    "left_lower",
    "right_upper",
    "right_lower",
    "nose_bridge",
    "nose_tip",
    "nose_left",
    "nose_right",
    "nose_base",
    "mouth_left",
    "mouth_right",
    "mouth_top",
    "mouth_bottom",
    "left_brow_outer",
    "left_brow_inner",
    "right_brow_inner",
    "right_brow_outer",
    "chin",
];

/// The truth at one moment; pixels are those of the synthetic camera's picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Where both lines of sight meet the screen.
    pub gaze: ScreenPoint,
    /// What the user means to look at; `None` during saccades and blinks.
    pub target: Option<ScreenPoint>,
    pub movement: Movement,
    /// Gaze angles of the left and the right eye (yaw, pitch; radians) in camera space: their visual axes.
    pub gaze_angles_rad: [(f64, f64); 2],
    pub head: HeadPose,
    /// Where the centres of the left and the right pupil are seen through the cornea, whether or not a lid covers them.
    pub pupils: [PointPx; 2],
    /// 1 as open as the gaze direction allows, 0 closed; left, right.
    pub openness: [f64; 2],
    /// See [`LANDMARK_NAMES`].
    pub landmarks: [PointPx; 22],
}
