//! Spaces, units, axis signs and the transforms between them; no images, no time.
//!
//! | space | origin | axes |
//! |---|---|---|
//! | picture, px | centre of the top left pixel | x right, y down, as the camera sees it, never mirrored |
//! | screen, normalised | top left corner of the output | x right, y down as the user sees it; 0..1 on the screen, unclamped beyond |
//! | visual angle, deg | straight ahead of the screen's centre, from the viewing distance | x right, y down as the user sees it |
//! | camera, mm | the camera's optical centre | X right and Y down in the picture, Z away from the camera |
//!
//! The camera faces the user: the picture's right is the user's left, so camera +X points to the user's left and to the
//! *left* side of the screen as the user sees it.
//!
//! Head angles (of a head facing the camera all are zero): **yaw** is positive when the face turns towards the picture's
//! right (the person's left), **pitch** is positive when it turns up, **roll** is positive when the head tilts clockwise
//! in the picture (the eye on the picture's right sinks). Gaze angles have the same signs as yaw and pitch.

use serde::{Deserialize, Serialize};

/// A point in a picture, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PointPx {
    pub x: f32,
    pub y: f32,
}

impl PointPx {
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    pub fn distance(self, other: Self) -> f32 {
        (self.x - other.x).hypot(self.y - other.y)
    }

    pub fn midpoint(self, other: Self) -> Self {
        Self::new(0.5 * (self.x + other.x), 0.5 * (self.y + other.y))
    }

    pub fn is_finite(self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }
}

/// A point on an output (monitor), normalised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScreenPoint {
    pub x: f64,
    pub y: f64,
}

impl ScreenPoint {
    pub const CENTRE: Self = Self { x: 0.5, y: 0.5 };

    pub const fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    pub fn is_finite(self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }
}

/// A gaze point in degrees of visual angle from the screen's centre, as filters and forecasts use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VisualAngle {
    pub x_deg: f64,
    pub y_deg: f64,
}

impl VisualAngle {
    pub const fn new(x_deg: f64, y_deg: f64) -> Self {
        Self { x_deg, y_deg }
    }

    /// The angle between two nearby directions, in degrees (flat approximation: too large by up to 1 / cos of the angle from
    /// the centre, which is 3 % at 14 degrees and 6 % at 20).
    pub fn distance_deg(self, other: Self) -> f64 {
        (self.x_deg - other.x_deg).hypot(self.y_deg - other.y_deg)
    }

    pub fn is_finite(self) -> bool {
        self.x_deg.is_finite() && self.y_deg.is_finite()
    }
}

/// The size of an output, in millimetres and pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Screen {
    pub width_mm: f64,
    pub height_mm: f64,
    pub width_px: u32,
    pub height_px: u32,
}

impl Default for Screen {
    /// A 24-inch monitor of 1920x1080 pixels, the most common one on desks.
    fn default() -> Self {
        Self {
            width_mm: 531.0,
            height_mm: 299.0,
            width_px: 1920,
            height_px: 1080,
        }
    }
}

/// Angles are held within so many degrees of straight ahead, where a flat screen runs out to infinity.
const MAX_ASIDE_DEG: f64 = 85.0;

impl Screen {
    /// Normalised screen position to degrees of visual angle, seen from straight in front of the centre at `distance_mm`.
    pub fn visual_angle(&self, point: ScreenPoint, distance_mm: f64) -> VisualAngle {
        VisualAngle {
            x_deg: ((point.x - 0.5) * self.width_mm).atan2(distance_mm).to_degrees(),
            y_deg: ((point.y - 0.5) * self.height_mm).atan2(distance_mm).to_degrees(),
        }
    }

    /// The inverse of [`Screen::visual_angle`].
    pub fn point_at(&self, angle: VisualAngle, distance_mm: f64) -> ScreenPoint {
        let offset_mm = |deg: f64| deg.clamp(-MAX_ASIDE_DEG, MAX_ASIDE_DEG).to_radians().tan() * distance_mm;
        ScreenPoint {
            x: 0.5 + offset_mm(angle.x_deg) / self.width_mm,
            y: 0.5 + offset_mm(angle.y_deg) / self.height_mm,
        }
    }

    /// The distance between two points on the screen in pixels of the output.
    pub fn distance_px(&self, a: ScreenPoint, b: ScreenPoint) -> f64 {
        ((a.x - b.x) * f64::from(self.width_px)).hypot((a.y - b.y) * f64::from(self.height_px))
    }

    /// The distance between two points on the screen in millimetres.
    pub fn distance_mm(&self, a: ScreenPoint, b: ScreenPoint) -> f64 {
        ((a.x - b.x) * self.width_mm).hypot((a.y - b.y) * self.height_mm)
    }

    /// How many widths of the output one degree of visual angle covers at the screen's centre.
    pub fn widths_per_degree(&self, distance_mm: f64) -> f64 {
        1.0_f64.to_radians().tan() * distance_mm / self.width_mm
    }

    /// The same where the screen is seen at `angle`: more by 1 / cos² of it, the slope of the tangent. Of both axes the one
    /// in which a degree covers more.
    pub fn widths_per_degree_at(&self, angle: VisualAngle, distance_mm: f64) -> f64 {
        let aside_deg = angle.x_deg.abs().max(angle.y_deg.abs()).min(MAX_ASIDE_DEG);
        self.widths_per_degree(distance_mm) / aside_deg.to_radians().cos().powi(2)
    }
}

/// Where camera and screen stand to each other, and how wide the camera sees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    pub screen: Screen,
    /// The camera's optical centre on the plane of the screen, in mm right of the screen's left edge.
    pub camera_x_mm: f64,
    /// The same, in mm below the screen's top edge; negative above it.
    pub camera_y_mm: f64,
    /// How far the camera's axis is tilted down from the screen's normal, in degrees.
    pub camera_tilt_deg: f64,
    /// Horizontal field of view, in degrees; `None` where the camera is unknown (pictures cut out of larger ones), which
    /// makes the head's position and distance unknown, too.
    pub field_of_view_deg: Option<f64>,
    /// Distance from the eyes to the screen wherever it is not measured, in mm.
    pub viewing_distance_mm: f64,
}

impl Default for Setup {
    /// A webcam in the bezel above the middle of the screen.
    fn default() -> Self {
        let screen = Screen::default();
        Self {
            screen,
            camera_x_mm: screen.width_mm / 2.0,
            camera_y_mm: -10.0,
            camera_tilt_deg: 0.0,
            field_of_view_deg: Some(60.0),
            viewing_distance_mm: 600.0,
        }
    }
}

/// A position in the camera's space, in mm.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CameraPoint {
    pub x_mm: f64,
    pub y_mm: f64,
    pub z_mm: f64,
}

impl Setup {
    /// The same with another screen; the camera stays where it is beside the screen's middle and above its upper edge.
    pub fn with_screen(self, screen: Screen) -> Self {
        Self {
            screen,
            camera_x_mm: self.camera_x_mm + 0.5 * (screen.width_mm - self.screen.width_mm),
            ..self
        }
    }

    /// Focal length in pixels of a picture `width_px` wide (pinhole camera: f = w / (2 tan(fov / 2))), where the field of
    /// view is known.
    pub fn focal_px(&self, width_px: u32) -> Option<f64> {
        let half_rad = self.field_of_view_deg?.to_radians() / 2.0;
        Some(f64::from(width_px) / (2.0 * half_rad.tan()))
    }

    /// From the camera's space into the screen's: mm right of the left edge, mm below the top edge, mm in front of the
    /// screen (towards the user).
    pub fn screen_mm_from_camera(&self, point: CameraPoint) -> [f64; 3] {
        let (sin, cos) = self.camera_tilt_deg.to_radians().sin_cos();
        // Tilted down, the camera's axis (Z) dips below the screen's normal and its Y leans back towards the screen.
        let down = point.y_mm * cos + point.z_mm * sin;
        let forward = point.z_mm * cos - point.y_mm * sin;
        [self.camera_x_mm - point.x_mm, self.camera_y_mm + down, forward]
    }

    /// The inverse of [`Setup::screen_mm_from_camera`].
    pub fn camera_from_screen_mm(&self, [right, below, forward]: [f64; 3]) -> CameraPoint {
        let (sin, cos) = self.camera_tilt_deg.to_radians().sin_cos();
        let down = below - self.camera_y_mm;
        CameraPoint {
            x_mm: self.camera_x_mm - right,
            y_mm: down * cos - forward * sin,
            z_mm: down * sin + forward * cos,
        }
    }

    /// Tangents of a direction in the camera's space: how far right and down on the screen it leads for one unit towards it.
    /// Directions along or away from the screen are held at 69 degrees (1.2 rad) from its normal.
    pub fn screen_tangents(&self, [x, y, z]: [f64; 3]) -> [f64; 2] {
        let (sin, cos) = self.camera_tilt_deg.to_radians().sin_cos();
        let (right, down, towards) = (-x, y * cos + z * sin, y * sin - z * cos);
        [right, down].map(|aside| aside.atan2(towards).clamp(-1.2, 1.2).tan())
    }

    /// The gaze angles (yaw, pitch; radians; camera space, signs as for the head, see the module) of an eye at `origin` that
    /// looks at `point`.
    pub fn gaze_angles(&self, origin: CameraPoint, point: ScreenPoint) -> (f64, f64) {
        let target = self.camera_from_screen_mm([point.x * self.screen.width_mm, point.y * self.screen.height_mm, 0.0]);
        let [dx, dy, dz] = [
            target.x_mm - origin.x_mm,
            target.y_mm - origin.y_mm,
            target.z_mm - origin.z_mm,
        ];
        (dx.atan2(-dz), (-dy).atan2(dx.hypot(dz)))
    }
}

/// Unit vector in camera space of a gaze or head direction: yaw 0, pitch 0 looks along -Z, into the camera's plane.
pub fn gaze_direction(yaw_rad: f64, pitch_rad: f64) -> [f64; 3] {
    [
        pitch_rad.cos() * yaw_rad.sin(),
        -pitch_rad.sin(),
        -pitch_rad.cos() * yaw_rad.cos(),
    ]
}

/// A similarity transform of the plane: `x' = a x - b y + tx`, `y' = b x + a y + ty`.
///
/// Named `destination_from_source` where it stands. Four numbers: no shear, no mirroring, the same scale in x and y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    pub a: f32,
    pub b: f32,
    pub tx: f32,
    pub ty: f32,
}

impl Similarity {
    pub const IDENTITY: Self = Self {
        a: 1.0,
        b: 0.0,
        tx: 0.0,
        ty: 0.0,
    };

    /// Turns by `angle_rad` (clockwise in a picture, y pointing down) and scales about the origin, then moves the origin
    /// to `to`.
    pub fn new(scale: f32, angle_rad: f32, to: PointPx) -> Self {
        let (sin, cos) = angle_rad.sin_cos();
        Self {
            a: scale * cos,
            b: scale * sin,
            tx: to.x,
            ty: to.y,
        }
    }

    /// The one that maps `from[0]` to `to[0]` and `from[1]` to `to[1]`. `None` where the two source points coincide.
    pub fn from_two_points(from: [PointPx; 2], to: [PointPx; 2]) -> Option<Self> {
        let (u, v) = (from[1].x - from[0].x, from[1].y - from[0].y);
        let (p, q) = (to[1].x - to[0].x, to[1].y - to[0].y);
        let square = u * u + v * v;
        if square.is_nan() || square <= f32::EPSILON {
            return None;
        }
        let (a, b) = ((u * p + v * q) / square, (u * q - v * p) / square);
        let (tx, ty) = (
            to[0].x - a * from[0].x + b * from[0].y,
            to[0].y - b * from[0].x - a * from[0].y,
        );
        Some(Self { a, b, tx, ty })
    }

    pub fn apply(&self, point: PointPx) -> PointPx {
        PointPx {
            x: self.a * point.x - self.b * point.y + self.tx,
            y: self.b * point.x + self.a * point.y + self.ty,
        }
    }

    /// Pixels of the destination for one of the source.
    pub fn scale(&self) -> f32 {
        self.a.hypot(self.b)
    }

    /// The transform back. A scale of zero has none and gives back the identity's scale about the origin.
    pub fn inverse(&self) -> Self {
        let square = self.a * self.a + self.b * self.b;
        if square.is_nan() || square <= f32::MIN_POSITIVE {
            return Self::IDENTITY;
        }
        let (a, b) = (self.a / square, -self.b / square);
        Self {
            a,
            b,
            tx: -(a * self.tx - b * self.ty),
            ty: -(b * self.tx + a * self.ty),
        }
    }

    /// `self` after `first`.
    pub fn after(&self, first: &Self) -> Self {
        let moved = self.apply(PointPx::new(first.tx, first.ty));
        Self {
            a: self.a * first.a - self.b * first.b,
            b: self.b * first.a + self.a * first.b,
            tx: moved.x,
            ty: moved.y,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn looking_right_on_the_screen_is_negative_yaw_and_up_is_positive_pitch() {
        let setup = Setup::default();
        let eye = CameraPoint {
            x_mm: 0.0,
            y_mm: 159.5,
            z_mm: 600.0,
        };
        let (yaw, pitch) = setup.gaze_angles(eye, ScreenPoint::CENTRE);
        assert!(yaw.abs() < 1e-9 && pitch.abs() < 1e-9, "straight ahead: {yaw} {pitch}");
        let (yaw, _) = setup.gaze_angles(eye, ScreenPoint::new(1.0, 0.5));
        assert!(yaw < -0.4, "the user's right is the picture's left: {yaw}");
        let (_, pitch) = setup.gaze_angles(eye, ScreenPoint::new(0.5, 0.0));
        assert!(pitch > 0.2, "the top of the screen is up: {pitch}");
    }

    #[test]
    fn a_camera_tilted_down_sees_a_level_eye_above_its_axis() {
        let setup = Setup {
            camera_tilt_deg: 10.0,
            camera_y_mm: 0.0,
            ..Setup::default()
        };
        let eye = setup.camera_from_screen_mm([setup.camera_x_mm, 0.0, 600.0]);
        assert!(eye.y_mm < -100.0, "above the axis is up in the picture: {eye:?}");
    }

    /// Where the ray from `eye` along gaze angles meets the screen.
    fn gaze_point(setup: &Setup, eye: CameraPoint, (yaw_rad, pitch_rad): (f64, f64)) -> ScreenPoint {
        let [dx, dy, dz] = gaze_direction(yaw_rad, pitch_rad);
        let start = setup.screen_mm_from_camera(eye);
        let end = setup.screen_mm_from_camera(CameraPoint {
            x_mm: eye.x_mm + dx,
            y_mm: eye.y_mm + dy,
            z_mm: eye.z_mm + dz,
        });
        let steps = start[2] / (start[2] - end[2]);
        let at = |axis: usize| start[axis] + steps * (end[axis] - start[axis]);
        ScreenPoint::new(at(0) / setup.screen.width_mm, at(1) / setup.screen.height_mm)
    }

    #[test]
    fn a_degree_covers_more_of_the_screen_the_further_aside_it_is() {
        let screen = Screen::default();
        for x_deg in [0.0, 15.0, 30.0, 60.0] {
            let at = VisualAngle::new(x_deg, 0.0);
            let [left, right] = [-0.5, 0.5].map(|deg| screen.point_at(VisualAngle::new(x_deg + deg, 0.0), 600.0).x);
            let told = screen.widths_per_degree_at(at, 600.0);
            assert!(
                (told / (right - left) - 1.0).abs() < 2e-3,
                "{told}, not {}",
                right - left
            );
            assert_eq!(screen.widths_per_degree_at(VisualAngle::new(0.0, -x_deg), 600.0), told);
        }
        assert!(
            screen
                .widths_per_degree_at(VisualAngle::new(360.0, 0.0), 600.0)
                .is_finite()
        );
    }

    proptest! {
        #[test]
        fn gaze_point_and_gaze_angles_are_inverse(
            x in -0.5..1.5_f64, y in -0.5..1.5_f64, ex in -200.0..200.0_f64, ey in -200.0..300.0_f64,
            ez in 300.0..1200.0_f64, tilt in -20.0..20.0_f64,
        ) {
            let setup = Setup { camera_tilt_deg: tilt, ..Setup::default() };
            let eye = setup.camera_from_screen_mm([265.0 + ex, ey, ez]);
            let back = gaze_point(&setup, eye, setup.gaze_angles(eye, ScreenPoint::new(x, y)));
            prop_assert!((back.x - x).abs() < 1e-6 && (back.y - y).abs() < 1e-6);
        }

        #[test]
        fn visual_angles_and_screen_points_are_inverse(x in -2.0..3.0_f64, y in -2.0..3.0_f64, d in 200.0..1500.0_f64) {
            let screen = Screen::default();
            let back = screen.point_at(screen.visual_angle(ScreenPoint::new(x, y), d), d);
            prop_assert!((back.x - x).abs() < 1e-9 && (back.y - y).abs() < 1e-9);
        }

        #[test]
        fn a_similarity_undoes_itself(
            scale in 0.05..20.0_f32, angle in -3.1..3.1_f32, tx in -500.0..500.0_f32, ty in -500.0..500.0_f32,
            x in -500.0..500.0_f32, y in -500.0..500.0_f32,
        ) {
            let forth = Similarity::new(scale, angle, PointPx::new(tx, ty));
            let point = PointPx::new(x, y);
            prop_assert!(forth.inverse().apply(forth.apply(point)).distance(point) < 0.05);
            let twice = forth.after(&forth).apply(point);
            prop_assert!(twice.distance(forth.apply(forth.apply(point))) < 1e-3 * (1.0 + twice.x.hypot(twice.y)));
            let (p, q) = (PointPx::new(x, y), PointPx::new(x + 30.0, y - 7.0));
            let found = Similarity::from_two_points([p, q], [forth.apply(p), forth.apply(q)]).expect("two points");
            prop_assert!((found.a - forth.a).abs() < 2e-3 * scale && (found.b - forth.b).abs() < 2e-3 * scale);
        }
    }
}
