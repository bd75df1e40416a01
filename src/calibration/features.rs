//! What calibration sees of one frame: a few numbers with names, and the gaze that pure geometry gives.

use nalgebra::{Vector2, Vector3};

use super::Appearance;
use crate::eyes::{EyeState, Eyes};
use crate::face::head::{Head, line_of_sight};
use crate::geometry::{PointPx, ScreenPoint, Setup};

/// How many features there are.
pub const COUNT: usize = 20;

/// The features' names, in order.
///
/// | names | meaning | unit |
/// |---|---|---|
/// | `{left,right}_pupil_{x,y}` | pupil from the middle between the eye's corners; x along the head's upright x axis, y down | mm |
/// | `{left,right}_{upper,lower}_lid` | lid's middle below (negative: above) the middle between the corners | mm |
/// | `{left,right}_openness` | 0 closed, 1 wide open | 1 |
/// | `head_yaw`, `head_pitch`, `head_roll` | seen along the line of sight; signs as in `geometry` | rad |
/// | `head_x`, `head_y` | the eyes' middle from the picture's middle, in picture widths | 1 |
/// | `head_ln_size` | logarithm of the head's size: px for one mm at a picture width of 1000 px | 1 |
/// | `{left,right}_gaze_{x,y}` | tangents of the geometric gaze: right and down on the screen for one unit of distance | 1 |
pub const NAMES: [&str; COUNT] = [
    "left_pupil_x",
    "left_pupil_y",
    "right_pupil_x",
    "right_pupil_y",
    "left_upper_lid",
    "left_lower_lid",
    "right_upper_lid",
    "right_lower_lid",
    "left_openness",
    "right_openness",
    "head_yaw",
    "head_pitch",
    "head_roll",
    "head_x",
    "head_y",
    "head_ln_size",
    "left_gaze_x",
    "left_gaze_y",
    "right_gaze_x",
    "right_gaze_y",
];

/// Places of the head's yaw and pitch in [`NAMES`].
pub(super) const HEAD_YAW: usize = 10;
pub(super) const HEAD_PITCH: usize = 11;

/// The features of one frame and where the eyes are.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Features {
    pub values: [f64; COUNT],
    /// What the eyes look like.
    pub appearance: Appearance,
    /// The eyes' middle: mm right of the screen's left edge, mm below its top edge, mm in front of it.
    pub eyes_mm: [f64; 3],
    /// Whether `eyes_mm` was measured; else it is the nominal place in front of the screen's centre.
    pub position_known: bool,
}

/// Distance of the pupil (as it is seen through the cornea) from the centre about which the eye turns, in mm: the rotation
/// centre lies 13.5 mm behind the cornea's apex (Fry and Hill, 1962), the pupil's image about 3 mm behind it.
const PUPIL_RADIUS_MM: f64 = 10.5;
/// How far the eye's centre lies behind the middle between its corners, in mm.
const CENTRE_DEPTH_MM: f64 = 5.5;

impl Features {
    pub fn new(head: &Head, eyes: &Eyes, appearance: Appearance, setup: &Setup, picture_px: (u32, u32)) -> Self {
        let [yaw, pitch, roll] = head.angles_rad();
        let left = EyeFeatures::new(&eyes.left, head, roll);
        let right = EyeFeatures::new(&eyes.right, head, roll);

        let middle = eyes.left.middle().midpoint(eyes.right.middle());
        let sight = setup
            .focal_px(picture_px.0)
            .map(|focal_px| line_of_sight(middle, focal_px, picture_px));
        let position = head.position(setup, picture_px);
        let nominal = [
            0.5 * setup.screen.width_mm,
            0.5 * setup.screen.height_mm,
            setup.viewing_distance_mm,
        ];
        let eyes_mm = position.map_or(nominal, |position| setup.screen_mm_from_camera(position));
        // A person's gaze is measured from the line of sight; what the camera is turned away is added back.
        let [sight_x, sight_y] = sight.unwrap_or([0.0, 0.0]);
        let gaze = |eye: &EyeFeatures| {
            let yaw = eye.yaw_rad - sight_x.atan();
            let pitch = eye.pitch_rad + sight_y.atan() - setup.camera_tilt_deg.to_radians();
            // The screen's right is the picture's left.
            [-yaw.clamp(-1.2, 1.2).tan(), -pitch.clamp(-1.2, 1.2).tan()]
        };
        let (left_gaze, right_gaze) = (gaze(&left), gaze(&right));

        let width = f64::from(picture_px.0);
        let from_middle = |value: f32, length: u32| (f64::from(value) - 0.5 * (f64::from(length) - 1.0)) / width;
        let values = [
            left.pupil_mm[0],
            left.pupil_mm[1],
            right.pupil_mm[0],
            right.pupil_mm[1],
            left.upper_lid_mm,
            left.lower_lid_mm,
            right.upper_lid_mm,
            right.lower_lid_mm,
            f64::from(eyes.left.openness),
            f64::from(eyes.right.openness),
            yaw,
            pitch,
            roll,
            from_middle(middle.x, picture_px.0),
            from_middle(middle.y, picture_px.1),
            (head.px_per_mm * 1000.0 / width).ln(),
            left_gaze[0],
            left_gaze[1],
            right_gaze[0],
            right_gaze[1],
        ];
        Self {
            values,
            appearance,
            eyes_mm,
            position_known: position.is_some(),
        }
    }

    pub fn is_finite(&self) -> bool {
        self.values.iter().chain(&self.eyes_mm).all(|value| value.is_finite())
    }

    /// How open the left and the right eye are, 0..1.
    pub fn openness(&self) -> [f64; 2] {
        ["left_openness", "right_openness"].map(|wanted| {
            let index = NAMES.iter().position(|name| *name == wanted);
            index.map_or(1.0, |index| self.values[index])
        })
    }

    /// The geometric gaze of both eyes together: tangents right and down on the screen.
    pub fn gaze_tangents(&self) -> Vector2<f64> {
        let [.., left_x, left_y, right_x, right_y] = self.values;
        Vector2::new(0.5 * (left_x + right_x), 0.5 * (left_y + right_y))
    }

    /// Where a gaze of these tangents, from where the eyes are, meets the screen.
    pub fn screen_point(&self, tangents: Vector2<f64>, setup: &Setup) -> ScreenPoint {
        let [right, below, distance] = self.eyes_mm;
        ScreenPoint::new(
            (right + tangents.x * distance) / setup.screen.width_mm,
            (below + tangents.y * distance) / setup.screen.height_mm,
        )
    }

    /// The tangents of the gaze that meets the screen at `point`: the inverse of [`Features::screen_point`].
    pub fn tangents_to(&self, point: ScreenPoint, setup: &Setup) -> Vector2<f64> {
        let [right, below, distance] = self.eyes_mm;
        Vector2::new(
            (point.x * setup.screen.width_mm - right) / distance,
            (point.y * setup.screen.height_mm - below) / distance,
        )
    }
}

#[cfg(test)]
impl Features {
    /// Of eyes 60 cm in front of the screen's middle that nothing is known of, for tests to fill.
    pub(crate) const fn blank() -> Self {
        Self {
            values: [0.0; COUNT],
            appearance: Appearance::NONE,
            eyes_mm: [265.0, 150.0, 600.0],
            position_known: true,
        }
    }
}

/// What one eye adds.
struct EyeFeatures {
    pupil_mm: [f64; 2],
    upper_lid_mm: f64,
    lower_lid_mm: f64,
    yaw_rad: f64,
    pitch_rad: f64,
}

impl EyeFeatures {
    fn new(eye: &EyeState, head: &Head, roll_rad: f64) -> Self {
        let middle = eye.middle();
        let mm = |point: PointPx| {
            Vector2::new(f64::from(point.x - middle.x), f64::from(point.y - middle.y)) / head.px_per_mm
        };
        let (sin, cos) = roll_rad.sin_cos();
        let upright = |v: Vector2<f64>| Vector2::new(cos * v.x + sin * v.y, cos * v.y - sin * v.x);
        let pupil = mm(eye.pupil);
        // The eye turns about a centre behind the corners; a turned head moves that centre aside in the picture.
        let centre = head.rotation * Vector3::new(0.0, 0.0, CENTRE_DEPTH_MM);
        let from_centre = pupil - centre.xy();
        let limit = 0.95 * PUPIL_RADIUS_MM;
        let from_centre = from_centre * (limit / from_centre.norm().max(limit));
        let depth = (PUPIL_RADIUS_MM.powi(2) - from_centre.norm_squared()).sqrt();
        let upright_pupil = upright(pupil);
        Self {
            pupil_mm: [upright_pupil.x, upright_pupil.y],
            upper_lid_mm: upright(mm(eye.upper_lid)).y,
            lower_lid_mm: upright(mm(eye.lower_lid)).y,
            yaw_rad: from_centre.x.atan2(depth),
            pitch_rad: (-from_centre.y).atan2(depth.hypot(from_centre.x)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_places_are_where_they_say() {
        assert_eq!((NAMES[HEAD_YAW], NAMES[HEAD_PITCH]), ("head_yaw", "head_pitch"));
    }
}
