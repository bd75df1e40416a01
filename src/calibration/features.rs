//! What calibration sees of one frame: a few numbers with names, and the gaze that pure geometry gives.

use nalgebra::Vector2;

use super::Appearance;
use crate::eyes::{EyeState, Eyes, Side, eyeball};
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
///
/// Where one eye alone shows its gaze, pupil, lids and gaze of the other are those of this one, mirrored.
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

impl Features {
    pub fn new(head: &Head, eyes: &Eyes, appearance: Appearance, setup: &Setup, picture_px: (u32, u32)) -> Self {
        let [yaw, pitch, roll] = head.angles_rad();
        let middle = eyes.left.middle().midpoint(eyes.right.middle());
        let position = head.position(setup, picture_px);
        let nominal = [
            0.5 * setup.screen.width_mm,
            0.5 * setup.screen.height_mm,
            setup.viewing_distance_mm,
        ];
        let eyes_mm = position.map_or(nominal, |position| setup.screen_mm_from_camera(position));

        // Where the camera is unknown, the face is taken to be straight in front of it, at the usual distance.
        let focal_px = setup.focal_px(picture_px.0);
        let distance_mm = focal_px.map_or(setup.viewing_distance_mm, |focal_px| focal_px / head.px_per_mm);
        let tangents = |point: PointPx| match focal_px {
            Some(focal_px) => Vector2::from(line_of_sight(point, focal_px, picture_px)),
            None => {
                Vector2::new(f64::from(point.x - middle.x), f64::from(point.y - middle.y))
                    / (head.px_per_mm * distance_mm)
            }
        };
        let rotation = head.rotation_from(tangents(middle).into());
        let look = |side, eye: &EyeState| {
            let (corners, pupil) = (tangents(eye.middle()), tangents(eye.pupil));
            let gaze = eyeball::gaze(side, corners, pupil, distance_mm, &rotation);
            EyeFeatures::new(eye, head, roll, setup.screen_tangents(gaze.into()))
        };
        let (left, right) = (look(Side::Left, &eyes.left), look(Side::Right, &eyes.right));
        // Both eyes look at the same place: one that is shut or hidden is taken to do as the other.
        let (left, right) = match (eyes.left.shows_gaze(), eyes.right.shows_gaze()) {
            (true, false) => (left, left.mirrored()),
            (false, true) => (right.mirrored(), right),
            _ => (left, right),
        };

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
            left.gaze[0],
            left.gaze[1],
            right.gaze[0],
            right.gaze[1],
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
#[derive(Clone, Copy)]
struct EyeFeatures {
    pupil_mm: [f64; 2],
    upper_lid_mm: f64,
    lower_lid_mm: f64,
    gaze: [f64; 2],
}

impl EyeFeatures {
    fn new(eye: &EyeState, head: &Head, roll_rad: f64, gaze: [f64; 2]) -> Self {
        let middle = eye.middle();
        let (sin, cos) = roll_rad.sin_cos();
        let upright_mm = |point: PointPx| {
            let [x, y] = [point.x - middle.x, point.y - middle.y].map(|px| f64::from(px) / head.px_per_mm);
            [cos * x + sin * y, cos * y - sin * x]
        };
        Self {
            pupil_mm: upright_mm(eye.pupil),
            upper_lid_mm: upright_mm(eye.upper_lid)[1],
            lower_lid_mm: upright_mm(eye.lower_lid)[1],
            gaze,
        }
    }

    /// Those of the other eye, if both do the same.
    fn mirrored(self) -> Self {
        let [x, y] = self.pupil_mm;
        Self {
            pupil_mm: [-x, y],
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::Vector3;
    use proptest::prelude::*;

    use super::*;
    use crate::face::head::rotation;
    use crate::geometry::CameraPoint;

    #[test]
    fn the_named_places_are_where_they_say() {
        assert_eq!((NAMES[HEAD_YAW], NAMES[HEAD_PITCH]), ("head_yaw", "head_pitch"));
    }

    #[test]
    fn an_eye_that_is_shut_or_hidden_does_as_the_other() {
        let eye = |x: f32, side: f32| EyeState {
            pupil: PointPx::new(x + side * 3.0, 201.0),
            inner_corner: PointPx::new(x - side * 14.0, 200.0),
            outer_corner: PointPx::new(x + side * 14.0, 200.0),
            upper_lid: PointPx::new(x, 196.0),
            lower_lid: PointPx::new(x, 204.0),
            openness: 1.0,
            confidence: 1.0,
        };
        let head = Head {
            rotation: rotation([0.0; 3]),
            px_per_mm: 0.9,
            origin_px: PointPx::new(319.5, 200.0),
        };
        let seen = |eyes: &Eyes| {
            let features = Features::new(&head, eyes, Appearance::NONE, &Setup::default(), (640, 480));
            (features.gaze_tangents(), features.values)
        };
        let (left, right) = (eye(347.0, 1.0), eye(292.0, -1.0));
        let nonsense = EyeState {
            pupil: PointPx::new(300.0, 190.0),
            ..right
        };
        let shut = EyeState {
            openness: 0.1,
            ..nonsense
        };
        let hidden = EyeState {
            confidence: 0.0,
            ..nonsense
        };
        let (_, both) = seen(&Eyes { left, right });
        for right in [shut, hidden] {
            let (gaze, values) = seen(&Eyes { left, right });
            assert_eq!([gaze.x, gaze.y], [both[16], both[17]], "the left eye's");
            assert!(
                (values[2] + values[0]).abs() < 1e-9 && values[3] == values[1],
                "{values:?}"
            );
        }
    }

    proptest! {
        /// Wherever the head is and however it and the camera are turned.
        #[test]
        fn geometric_gaze_meets_what_is_looked_at(
            tilt in -20.0..20.0_f64, x in -150.0..150.0_f64, y in -80.0..80.0_f64, z in 400.0..900.0_f64,
            yaw in -0.4..0.4_f64, pitch in -0.3..0.3_f64, roll in -0.3..0.3_f64,
            target_x in 0.0..1.0_f64, target_y in 0.0..1.0_f64,
        ) {
            let setup = Setup { camera_tilt_deg: tilt, ..Setup::default() };
            let picture_px = (640, 480);
            let focal_px = setup.focal_px(picture_px.0).expect("the default camera is known");
            let picture = |point: Vector3<f64>| {
                let at = point.xy() / point.z * focal_px;
                PointPx::new((at.x + 319.5) as f32, (at.y + 239.5) as f32)
            };
            let head = Vector3::new(x, y, z);
            let turn = rotation([yaw, pitch, roll]);
            let target = [target_x * setup.screen.width_mm, target_y * setup.screen.height_mm];
            let CameraPoint { x_mm, y_mm, z_mm } = setup.camera_from_screen_mm([target[0], target[1], 0.0]);
            let look = |side: f64| {
                let corners = head + Vector3::new(side * 30.0, 0.0, 0.0);
                let [out, down, behind] = eyeball::CENTRE_MM;
                let centre = corners + turn * Vector3::new(side * out, down, behind);
                let pupil = centre + (Vector3::new(x_mm, y_mm, z_mm) - centre).normalize() * eyeball::PUPIL_RADIUS_MM;
                let [right, below, distance] = setup.screen_mm_from_camera(CameraPoint {
                    x_mm: centre.x,
                    y_mm: centre.y,
                    z_mm: centre.z,
                });
                let eye = EyeState {
                    pupil: picture(pupil),
                    inner_corner: picture(corners),
                    outer_corner: picture(corners),
                    upper_lid: picture(corners),
                    lower_lid: picture(corners),
                    openness: 1.0,
                    confidence: 1.0,
                };
                (eye, [(target[0] - right) / distance, (target[1] - below) / distance])
            };
            let ((left, left_gaze), (right, right_gaze)) = (look(1.0), look(-1.0));
            let mut seen = Head { rotation: turn, px_per_mm: focal_px / z, origin_px: picture(head) };
            // What is seen along the line of sight, of this turn.
            seen.rotation = Head { rotation: Default::default(), ..seen }.rotation_from([x / z, y / z]).inverse() * turn;
            let features = Features::new(&seen, &Eyes { left, right }, Appearance::NONE, &setup, picture_px);
            for (found, true_one) in features.values[16..].iter().zip([left_gaze, right_gaze].concat()) {
                prop_assert!((found - true_one).abs() < 1e-3, "{:?}, not {left_gaze:?} {right_gaze:?}", features.values);
            }
        }
    }
}
