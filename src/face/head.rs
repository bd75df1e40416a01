//! Where the head is and how it is turned, from many landmarks at once.
//!
//! The landmarks that do not move with expression are fitted by a rigid model of a mean face under scaled orthographic
//! projection (Dementhon and Davis, "Model-Based Object Pose in 25 Lines of Code", 1995, its first step), refined by
//! Gauss-Newton. The model's depth is an average person's: angles carry a personal offset of some degrees, which
//! calibration absorbs, and distances an error of about 5 %.

use nalgebra::{Matrix2x3, Matrix6, Rotation3, Vector2, Vector3, Vector6};

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
    /// RMS distance of the landmarks from the fitted model, in mm.
    pub residual_mm: f64,
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

impl Head {
    /// Fits the model to one face. `None` where the landmarks are degenerate (all at one place, not finite).
    pub fn fit(landmarks: &Landmarks) -> Option<Self> {
        let frame = landmarks.frame();
        if !landmarks.is_finite() || frame.size_px <= 1.0 {
            return None;
        }
        let mut rotation = Rotation3::from_axis_angle(&Vector3::z_axis(), f64::from(frame.roll_rad));
        let eyes = landmarks
            .get(Landmark::LeftInner)
            .midpoint(landmarks.get(Landmark::RightInner));
        let mut origin = Vector2::new(f64::from(eyes.x), f64::from(eyes.y));
        // A face's square is about 190 mm wide.
        let mut scale = f64::from(frame.size_px) / 190.0;
        let mut residual = f64::INFINITY;
        for _ in 0..12 {
            let (normal, gradient, mean_square) = normal_equations(landmarks, &rotation, scale, origin);
            let step = (normal + Matrix6::identity() * 1e-6).cholesky()?.solve(&gradient);
            // One step turns by half a radian at most: far starts must not overshoot into a mirrored solution.
            let turn = Vector3::new(step[0], step[1], step[2]);
            let turn = turn * (0.5 / turn.norm().max(0.5));
            rotation = Rotation3::new(turn) * rotation;
            scale *= step[3].clamp(-0.5, 0.5).exp();
            origin += Vector2::new(step[4], step[5]) * scale;
            residual = mean_square.sqrt();
            if step.norm() < 1e-7 {
                break;
            }
        }
        let head = Self {
            rotation,
            px_per_mm: scale,
            origin_px: PointPx::new(origin.x as f32, origin.y as f32),
            residual_mm: residual,
        };
        (scale.is_finite() && scale > 0.0 && origin.iter().all(|value| value.is_finite())).then_some(head)
    }

    /// Yaw, pitch and roll in radians, as seen along the line of sight; signs as in [`crate::geometry`].
    pub fn angles_rad(&self) -> [f64; 3] {
        // The face looks along -z of the head.
        let facing = self.rotation * -Vector3::z();
        let yaw = facing.x.atan2(-facing.z);
        let pitch = (-facing.y).clamp(-1.0, 1.0).asin();
        let left = self.rotation * Vector3::x();
        let roll = left.y.atan2(left.x.hypot(left.z).copysign(left.x));
        [yaw, pitch, roll]
    }

    /// The picture of a point of the head, given in the model's mm.
    pub fn project(&self, point_mm: [f64; 3]) -> PointPx {
        let turned = self.rotation * Vector3::from(point_mm) * self.px_per_mm;
        PointPx::new(self.origin_px.x + turned.x as f32, self.origin_px.y + turned.y as f32)
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

/// Gauss-Newton's equations for turn (3), log scale (1) and shift (2, in mm), and the mean squared residual in mm².
fn normal_equations(
    landmarks: &Landmarks,
    rotation: &Rotation3<f64>,
    scale: f64,
    origin: Vector2<f64>,
) -> (Matrix6<f64>, Vector6<f64>, f64) {
    let (mut normal, mut gradient) = (Matrix6::zeros(), Vector6::zeros());
    let (mut squares, mut weights) = (0.0, 0.0);
    for (landmark, position) in MODEL {
        let turned = rotation * Vector3::from(position);
        let seen = landmarks.get(landmark);
        let seen = (Vector2::new(f64::from(seen.x), f64::from(seen.y)) - origin) / scale;
        let residual = seen - turned.xy();
        // d(w x p)/dw for a small turn w, its first two rows.
        let by_turn = Matrix2x3::new(0.0, turned.z, -turned.y, -turned.z, 0.0, turned.x);
        let mut rows = nalgebra::Matrix2x6::zeros();
        rows.fixed_view_mut::<2, 3>(0, 0).copy_from(&by_turn);
        rows.set_column(3, &turned.xy());
        rows[(0, 4)] = 1.0;
        rows[(1, 5)] = 1.0;
        let weight = weight(landmark);
        normal += rows.transpose() * rows * weight;
        gradient += rows.transpose() * residual * weight;
        squares += weight * residual.norm_squared();
        weights += weight;
    }
    (normal, gradient, squares / weights)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::face::points::COUNT;

    fn pictured(head: &Head) -> Landmarks {
        let mut points = [head.project([0.0, 40.0, 0.0]); COUNT];
        for (landmark, position) in MODEL {
            points[landmark as usize] = head.project(position);
        }
        Landmarks(points)
    }

    fn head(yaw: f64, pitch: f64, roll: f64) -> Head {
        // The face looks along -z: a turn about -y takes it to the picture's right, one about -x up.
        let rotation = Rotation3::from_axis_angle(&Vector3::z_axis(), roll)
            * Rotation3::from_axis_angle(&-Vector3::y_axis(), yaw)
            * Rotation3::from_axis_angle(&-Vector3::x_axis(), pitch);
        Head {
            rotation,
            px_per_mm: 0.9,
            origin_px: PointPx::new(300.0, 200.0),
            residual_mm: 0.0,
        }
    }

    proptest! {
        #[test]
        fn a_turned_head_is_recovered(yaw in -0.6..0.6_f64, pitch in -0.5..0.5_f64, roll in -0.6..0.6_f64) {
            let truth = head(yaw, pitch, roll);
            let found = Head::fit(&pictured(&truth)).expect("a face");
            // Not by the angle between them, which is the arc cosine of a number that rounding can take above one.
            let difference = (found.rotation.matrix() - truth.rotation.matrix()).norm();
            prop_assert!(difference < 1e-3, "{:?} {:?}", found.angles_rad(), truth.angles_rad());
            prop_assert!((found.px_per_mm - 0.9).abs() < 1e-3);
        }
    }

    #[test]
    fn angles_have_the_signs_of_the_module() {
        let nose_right = head(0.3, 0.0, 0.0);
        assert!(nose_right.project([0.0, 36.0, -33.0]).x > nose_right.origin_px.x + 5.0);
        assert!((nose_right.angles_rad()[0] - 0.3).abs() < 1e-9);
        let up = head(0.0, 0.3, 0.0);
        assert!(up.project([0.0, 0.0, -33.0]).y < up.origin_px.y - 5.0);
        assert!((up.angles_rad()[1] - 0.3).abs() < 1e-9);
        assert!((head(0.0, 0.0, 0.3).angles_rad()[2] - 0.3).abs() < 1e-9);
    }

    #[test]
    fn coinciding_landmarks_are_no_head() {
        assert_eq!(Head::fit(&Landmarks([PointPx::new(3.0, 3.0); COUNT])), None);
        assert_eq!(Head::fit(&Landmarks([PointPx::new(f32::NAN, 3.0); COUNT])), None);
    }
}
