//! The eyeball: where a line of sight that meets it ends, and where its pupil is seen.
//!
//! A sclera sphere with a corneal sphere in front; the iris is a plane disc behind the cornea, seen through refraction. In
//! the eye's own frame the optical axis is +w, u points along the head's x and v along the head's y. Sizes are those of
//! Gullstrand's simplified eye.

use nalgebra::{Matrix3, Vector3};

pub(crate) type Vec3 = Vector3<f64>;

pub(crate) const EYEBALL_RADIUS_MM: f64 = 12.0;
const CORNEA_RADIUS_MM: f64 = 7.8;
/// From the front of the cornea to the plane of the iris.
const CHAMBER_DEPTH_MM: f64 = 3.4;
/// Refractive index of the aqueous humour; the cornea is thin and nearly parallel, so that one surface does.
const REFRACTIVE_INDEX: f64 = 1.336;

/// An eyeball in the head: sizes and orientation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Eyeball {
    /// In the head frame.
    pub(crate) centre: Vec3,
    /// Rows are the u, v and w axes in the head frame.
    eye_from_head: Matrix3<f64>,
    limbus_radius_mm: f64,
    limbus_plane_mm: f64,
    cornea_centre_mm: f64,
    iris_plane_mm: f64,
}

/// Where a line of sight ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EyeHit {
    /// Through the cornea onto the plane of the iris.
    Iris(SeenIris),
    /// On the white, with its outward normal in the head frame; `from_axis_mm` is the distance from the optical axis.
    Sclera { normal: Vec3, from_axis_mm: f64 },
}

/// A place on the plane of the iris and how the line of sight came there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeenIris {
    /// (u, v) from the iris' centre.
    pub(crate) at_mm: [f64; 2],
    /// Outward normal of the cornea where the line entered, in the head frame, for reflections.
    pub(crate) normal: Vec3,
    /// Distance of that place from the optical axis.
    pub(crate) cornea_radius_mm: f64,
}

/// The first point of a sphere on a line, as a parameter along the unit `direction`.
fn sphere_entry(origin: &Vec3, direction: &Vec3, radius: f64) -> Option<f64> {
    let along = -origin.dot(direction);
    let closest = origin + direction * along;
    let square = radius * radius - closest.norm_squared();
    (square > 0.0).then(|| along - square.sqrt())
}

impl Eyeball {
    /// `axis` is the optical axis in the head frame (out of the eye, unit length).
    pub(crate) fn new(centre: Vec3, axis: Vec3, limbus_radius_mm: f64) -> Self {
        let limbus_plane_mm = (EYEBALL_RADIUS_MM.powi(2) - limbus_radius_mm.powi(2)).sqrt();
        let cornea_centre_mm = limbus_plane_mm - (CORNEA_RADIUS_MM.powi(2) - limbus_radius_mm.powi(2)).sqrt();
        // Eyes do not roll about their axis when they look up or aside from straight ahead: u stays level in the head.
        let w = axis;
        let u = Vec3::y().cross(&-w).normalize();
        let v = (-w).cross(&u);
        Self {
            centre,
            eye_from_head: Matrix3::from_rows(&[u.transpose(), v.transpose(), w.transpose()]),
            limbus_radius_mm,
            limbus_plane_mm,
            cornea_centre_mm,
            iris_plane_mm: cornea_centre_mm + CORNEA_RADIUS_MM - CHAMBER_DEPTH_MM,
        }
    }

    /// Follows a line of sight; `origin` and the unit `direction` are in the head frame. `None` where it passes the eyeball.
    pub(crate) fn trace(&self, origin: &Vec3, direction: &Vec3) -> Option<EyeHit> {
        let from = self.eye_from_head * (origin - self.centre);
        let along = self.eye_from_head * direction;
        let cornea_centre = Vec3::new(0.0, 0.0, self.cornea_centre_mm);
        let relative = from - cornea_centre;
        if let Some(entry) = sphere_entry(&relative, &along, CORNEA_RADIUS_MM) {
            let point = relative + along * entry;
            if point.z + self.cornea_centre_mm >= self.limbus_plane_mm {
                let normal = point / CORNEA_RADIUS_MM;
                let at_mm = self.through_cornea(&(point + cornea_centre), &normal, &along)?;
                return Some(EyeHit::Iris(SeenIris {
                    at_mm,
                    normal: self.eye_from_head.transpose() * normal,
                    cornea_radius_mm: point.x.hypot(point.y),
                }));
            }
        }
        let entry = sphere_entry(&from, &along, EYEBALL_RADIUS_MM)?;
        let point = from + along * entry;
        Some(EyeHit::Sclera {
            normal: self.eye_from_head.transpose() * (point / EYEBALL_RADIUS_MM),
            from_axis_mm: if point.z > 0.0 {
                point.x.hypot(point.y)
            } else {
                EYEBALL_RADIUS_MM
            },
        })
    }

    /// Refraction by Snell's law in vector form, then on to the plane of the iris.
    fn through_cornea(&self, point: &Vec3, normal: &Vec3, along: &Vec3) -> Option<[f64; 2]> {
        let ratio = 1.0 / REFRACTIVE_INDEX;
        let cosine = -normal.dot(along);
        let square = 1.0 - ratio * ratio * (1.0 - cosine * cosine);
        let inside = along * ratio + normal * (ratio * cosine - square.sqrt());
        let steps = (self.iris_plane_mm - point.z) / inside.z;
        // Seen from far behind the limbus the line leaves the chamber without meeting the iris.
        (steps >= 0.0).then(|| [point.x + steps * inside.x, point.y + steps * inside.y])
    }

    /// The point of the head frame in whose direction, from `viewer`, the centre of the pupil is seen, refracted.
    pub(crate) fn apparent_pupil(&self, viewer: &Vec3) -> Vec3 {
        let to_head = self.eye_from_head.transpose();
        let mut aim = self.centre + to_head * Vec3::new(0.0, 0.0, self.iris_plane_mm + 0.4);
        // The image of the iris plane is a slightly enlarged copy: moving the aim by the miss converges at once.
        for _ in 0..8 {
            let direction = (aim - viewer).normalize();
            match self.trace(viewer, &direction) {
                Some(EyeHit::Iris(SeenIris { at_mm, .. })) => {
                    aim -= to_head * Vec3::new(at_mm[0], at_mm[1], 0.0);
                    if at_mm[0].hypot(at_mm[1]) < 1e-7 {
                        break;
                    }
                }
                // Turned so far away that the pupil cannot be seen: its unrefracted place is the best answer there is.
                _ => break,
            }
        }
        aim
    }

    /// The optical axis in the head frame, out of the eye.
    pub(crate) fn axis(&self) -> Vec3 {
        self.eye_from_head.row(2).transpose()
    }

    pub(crate) fn limbus_radius_mm(&self) -> f64 {
        self.limbus_radius_mm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eye(yaw_deg: f64) -> Eyeball {
        let axis = crate::geometry::gaze_direction(yaw_deg.to_radians(), 0.0);
        Eyeball::new(Vec3::zeros(), Vec3::from(axis), 5.85)
    }

    #[test]
    fn a_line_along_the_axis_meets_the_middle_of_the_pupil() {
        let eye = eye(0.0);
        match eye.trace(&Vec3::new(0.0, 0.0, -600.0), &Vec3::z()) {
            Some(EyeHit::Iris(SeenIris { at_mm, .. })) => assert!(at_mm[0].abs() < 1e-9 && at_mm[1].abs() < 1e-9),
            other => panic!("{other:?}"),
        }
        assert!(eye.trace(&Vec3::new(20.0, 0.0, -600.0), &Vec3::z()).is_none());
    }

    #[test]
    fn axes_of_the_iris_are_those_of_the_head() {
        let viewer = Vec3::new(0.0, 0.0, -600.0);
        for (offset, axis) in [(Vec3::new(2.0, 0.0, -10.0), 0), (Vec3::new(0.0, 2.0, -10.0), 1)] {
            match eye(0.0).trace(&viewer, &(offset - viewer).normalize()) {
                Some(EyeHit::Iris(SeenIris { at_mm, .. })) => {
                    assert!(at_mm[axis] > 1.0 && at_mm[1 - axis].abs() < 1e-9)
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn refraction_lifts_the_pupil_towards_the_cornea_and_enlarges_it() {
        // The entrance pupil of the human eye lies about 3.05 mm behind the cornea and is 1.13 times the true one.
        let eye = eye(20.0);
        let viewer = Vec3::new(0.0, 0.0, -600.0);
        let seen = eye.apparent_pupil(&viewer);
        let direction = (seen - viewer).normalize();
        let hit = eye.trace(&viewer, &direction);
        assert!(
            matches!(hit, Some(EyeHit::Iris(SeenIris { at_mm, .. })) if at_mm[0].hypot(at_mm[1]) < 1e-6),
            "{hit:?}"
        );
        let depth_mm = direction.x / direction.z * 600.0 / 20_f64.to_radians().sin();
        let apex_mm = 13.3;
        assert!(
            (2.3..3.3).contains(&(apex_mm - depth_mm)),
            "seen {} mm behind the apex",
            apex_mm - depth_mm
        );
    }
}
