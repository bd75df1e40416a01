//! Where the head is and how it is turned.
//!
//! The landmark net says how the head is turned, learned from heads whose turn is known. Where it is and how large follows
//! from laying a rigid model of a mean face, turned like that, over the landmarks that do not move with expression, under
//! scaled orthographic projection. The model's sizes are an average person's: distances carry an error of about 5 %.

use nalgebra::{Rotation3, Vector2, Vector3};

use super::points::{Landmark, Landmarks};
use crate::geometry::{CameraPoint, PointPx, Setup};

/// Position and orientation of a head; signs as in [`crate::geometry`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// Camera axes from the head's axes (x to the person's left, y down, z into the head), perspective removed: the
    /// rotation as seen along the line of sight.
    pub rotation: Rotation3<f64>,
    /// Pixels for one millimetre at the eyes' depth.
    pub px_per_mm: f64,
    /// The picture of the model's origin, the middle between the eyes.
    pub origin_px: PointPx,
}

/// The mean face: landmark, position in mm. The origin is the middle between the inner eye corners, x to the person's left,
/// y down, z into the head. Widths are from adult anthropometry (Farkas, "Anthropometry of the Head and Face", 1994: outer
/// canthi 89 mm, inner canthi 33 mm, nose width 34 mm); depths are round numbers of an average profile.
const MODEL: [(Landmark, [f64; 3]); 13] = [
    (Landmark::LeftOuter, [44.5, -1.0, 9.0]),
    (Landmark::LeftInner, [16.5, 0.5, 0.0]),
    (Landmark::RightInner, [-16.5, 0.5, 0.0]),
    (Landmark::RightOuter, [-44.5, -1.0, 9.0]),
    (Landmark::NoseBridge, [0.0, -1.0, -11.0]),
    (Landmark::NoseTip, [0.0, 36.0, -33.0]),
    (Landmark::NoseLeft, [15.0, 44.0, -13.0]),
    (Landmark::NoseRight, [-15.0, 44.0, -13.0]),
    (Landmark::NoseBase, [0.0, 47.0, -21.0]),
    (Landmark::LeftBrowOuter, [52.0, -20.0, 9.0]),
    (Landmark::LeftBrowInner, [11.0, -20.0, -9.0]),
    (Landmark::RightBrowInner, [-11.0, -20.0, -9.0]),
    (Landmark::RightBrowOuter, [-52.0, -20.0, 9.0]),
];

/// Brows rise and fall, noses only turn: how much each landmark of the model counts.
fn weight(landmark: Landmark) -> f64 {
    match landmark {
        Landmark::LeftBrowOuter | Landmark::LeftBrowInner | Landmark::RightBrowInner | Landmark::RightBrowOuter => 0.2,
        _ => 1.0,
    }
}

/// A turn by angles with the signs of [`crate::geometry`]: roll first, then pitch, then yaw.
pub fn rotation([yaw, pitch, roll]: [f64; 3]) -> Rotation3<f64> {
    // The face looks along -z: a turn about -y takes it to the picture's right, one about -x up.
    Rotation3::from_axis_angle(&-Vector3::y_axis(), yaw)
        * Rotation3::from_axis_angle(&-Vector3::x_axis(), pitch)
        * Rotation3::from_axis_angle(&Vector3::z_axis(), roll)
}

impl Head {
    /// Lays the model, turned by `rotation`, over one face. `None` where the landmarks are degenerate (all at one place, not
    /// finite).
    pub fn laid_over(landmarks: &Landmarks, rotation: Rotation3<f64>) -> Option<Self> {
        if !landmarks.is_finite() || !rotation.matrix().iter().all(|value| value.is_finite()) {
            return None;
        }
        let turned = MODEL.map(|(_, position)| (rotation * Vector3::from(position)).xy());
        let seen = MODEL.map(|(landmark, _)| {
            let seen = landmarks.get(landmark);
            Vector2::new(f64::from(seen.x), f64::from(seen.y))
        });
        let weights = MODEL.map(|(landmark, _)| weight(landmark));
        // Least squares over scale and shift.
        let middle = |points: &[Vector2<f64>]| {
            let sum: Vector2<f64> = points.iter().zip(weights).map(|(point, weight)| point * weight).sum();
            sum / weights.iter().sum::<f64>()
        };
        let (turned_middle, seen_middle) = (middle(&turned), middle(&seen));
        let (mut across, mut along) = (0.0, 0.0);
        for ((turned, seen), weight) in turned.iter().zip(&seen).zip(weights) {
            let turned = turned - turned_middle;
            across += weight * turned.norm_squared();
            along += weight * turned.dot(&(seen - seen_middle));
        }
        let scale = along / across;
        // A face of less than a pixel is none.
        if !scale.is_finite() || scale * across.sqrt() < 1.0 {
            return None;
        }
        let origin = seen_middle - turned_middle * scale;
        Some(Self {
            rotation,
            px_per_mm: scale,
            origin_px: PointPx::new(origin.x as f32, origin.y as f32),
        })
    }

    /// Yaw, pitch and roll in radians, as seen along the line of sight; signs as in [`crate::geometry`].
    pub fn angles_rad(&self) -> [f64; 3] {
        // The face looks along -z of the head.
        let facing = self.rotation * -Vector3::z();
        let yaw = facing.x.atan2(-facing.z);
        let pitch = (-facing.y).clamp(-1.0, 1.0).asin();
        let roll = self.rotation[(1, 0)].atan2(self.rotation[(1, 1)]);
        [yaw, pitch, roll]
    }

    /// The camera's axes from the head's, perspective included, where `line_of_sight` (tangents as of [`line_of_sight`]) leads
    /// to the head: the shortest turn that takes the camera's axis there comes on top of the one that is seen.
    pub fn rotation_from(&self, [x, y]: [f64; 2]) -> Rotation3<f64> {
        let sight = Rotation3::rotation_between(&Vector3::z(), &Vector3::new(x, y, 1.0));
        sight.unwrap_or_default() * self.rotation
    }

    /// Where the head's origin is in the camera's space, where the camera's field of view is known.
    pub fn position(&self, setup: &Setup, picture_px: (u32, u32)) -> Option<CameraPoint> {
        let focal_px = setup.focal_px(picture_px.0)?;
        let z_mm = focal_px / self.px_per_mm;
        let [x, y] = line_of_sight(self.origin_px, focal_px, picture_px);
        Some(CameraPoint {
            x_mm: x * z_mm,
            y_mm: y * z_mm,
            z_mm,
        })
    }
}

/// Tangents of the angles, right and down from the camera's axis, at which a pixel is seen.
pub fn line_of_sight(point: PointPx, focal_px: f64, (width, height): (u32, u32)) -> [f64; 2] {
    let from_middle = |value: f32, length: u32| f64::from(value) - 0.5 * (f64::from(length) - 1.0);
    [
        from_middle(point.x, width) / focal_px,
        from_middle(point.y, height) / focal_px,
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::face::points::COUNT;

    /// The picture of a point of the head, given in the model's mm.
    fn project(head: &Head, point_mm: [f64; 3]) -> PointPx {
        let turned = head.rotation * Vector3::from(point_mm) * head.px_per_mm;
        PointPx::new(head.origin_px.x + turned.x as f32, head.origin_px.y + turned.y as f32)
    }

    fn pictured(head: &Head) -> Landmarks {
        let mut points = [project(head, [0.0, 40.0, 0.0]); COUNT];
        for (landmark, position) in MODEL {
            points[landmark as usize] = project(head, position);
        }
        Landmarks(points)
    }

    fn head(yaw: f64, pitch: f64, roll: f64) -> Head {
        Head {
            rotation: rotation([yaw, pitch, roll]),
            px_per_mm: 0.9,
            origin_px: PointPx::new(300.0, 200.0),
        }
    }

    proptest! {
        #[test]
        fn a_head_is_found_where_it_is(yaw in -0.6..0.6_f64, pitch in -0.5..0.5_f64, roll in -0.6..0.6_f64) {
            let truth = head(yaw, pitch, roll);
            let found = Head::laid_over(&pictured(&truth), truth.rotation).expect("a face");
            prop_assert!((found.px_per_mm - 0.9).abs() < 1e-4);
            prop_assert!(found.origin_px.distance(truth.origin_px) < 1e-2);
            let angles = found.angles_rad();
            for (found, truth) in angles.iter().zip([yaw, pitch, roll]) {
                prop_assert!((found - truth).abs() < 1e-9, "{angles:?}");
            }
        }
    }

    #[test]
    fn angles_have_the_signs_of_the_module() {
        let nose_right = head(0.3, 0.0, 0.0);
        assert!(project(&nose_right, [0.0, 36.0, -33.0]).x > nose_right.origin_px.x + 5.0);
        assert!((nose_right.angles_rad()[0] - 0.3).abs() < 1e-9);
        let up = head(0.0, 0.3, 0.0);
        assert!(project(&up, [0.0, 0.0, -33.0]).y < up.origin_px.y - 5.0);
        assert!((up.angles_rad()[1] - 0.3).abs() < 1e-9);
        assert!((head(0.0, 0.0, 0.3).angles_rad()[2] - 0.3).abs() < 1e-9);
    }

    #[test]
    fn coinciding_landmarks_are_no_head() {
        let [all_at_one, nowhere] = [3.0, f32::NAN].map(|x| Landmarks([PointPx::new(x, 3.0); COUNT]));
        assert_eq!(Head::laid_over(&all_at_one, Rotation3::identity()), None);
        assert_eq!(Head::laid_over(&nowhere, Rotation3::identity()), None);
        let face = pictured(&head(0.0, 0.0, 0.0));
        assert_eq!(Head::laid_over(&face, rotation([f64::NAN, 0.0, 0.0])), None);
    }
}
