//! Where the head is and how it is turned.

use nalgebra::Matrix3;

use crate::geometry::VisualAngle;

use super::eyeball::Vec3;
use super::fixational::Wander;
use super::parameters::Parameters;
use super::random::{Draws, Purpose};
use super::steering::HeadMove;

/// The head at one moment: `camera_from_head` with its turn and the place of the point between the eyeballs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadPose {
    pub yaw_rad: f64,
    pub pitch_rad: f64,
    pub roll_rad: f64,
    /// In the camera's space, mm.
    pub position_mm: [f64; 3],
}

impl HeadPose {
    /// Turns vectors of the head frame into the camera's axes: roll first, then pitch, then yaw.
    pub(crate) fn rotation(&self) -> Matrix3<f64> {
        let (sy, cy) = self.yaw_rad.sin_cos();
        let (sp, cp) = self.pitch_rad.sin_cos();
        let (sr, cr) = self.roll_rad.sin_cos();
        let yaw = Matrix3::new(cy, 0.0, -sy, 0.0, 1.0, 0.0, sy, 0.0, cy);
        let pitch = Matrix3::new(1.0, 0.0, 0.0, 0.0, cp, sp, 0.0, -sp, cp);
        let roll = Matrix3::new(cr, -sr, 0.0, sr, cr, 0.0, 0.0, 0.0, 1.0);
        yaw * pitch * roll
    }

    /// The same head turned further and moved.
    pub(crate) fn moved(self, by: HeadMove) -> Self {
        let [x, y, z] = self.position_mm;
        Self {
            yaw_rad: self.yaw_rad + by.yaw_rad,
            pitch_rad: self.pitch_rad + by.pitch_rad,
            position_mm: [x + by.left_mm, y + by.down_mm, z],
            ..self
        }
    }

    pub(crate) fn position(&self) -> Vec3 {
        Vec3::from(self.position_mm)
    }
}

/// Sway and turning of one user's head.
#[derive(Clone, Debug)]
pub(crate) struct HeadMotion {
    mean: HeadPose,
    sway: [Wander; 3],
    turn: [Wander; 3],
    follow: f64,
    slide_mm_per_s: f64,
}

impl HeadMotion {
    pub(crate) fn new(parameters: &Parameters) -> Self {
        let draws = &mut Draws::new(parameters.seed, Purpose::Sway, 0);
        let rms = parameters.head_sway_mm;
        // Mostly below 0.3 Hz, as sitting people sway, with a little breathing on top.
        let sway = [rms, 0.6 * rms, rms].map(|rms| Wander::new(draws, rms, [0.03, 0.6], 1.0, 9));
        let turned = (rms / 6.0).min(2.0);
        let turn = [1.4, 1.0, 0.8].map(|deg: f64| Wander::new(draws, (deg * turned).to_radians(), [0.03, 0.7], 0.9, 8));
        Self {
            mean: HeadPose {
                yaw_rad: parameters.head_yaw_deg.to_radians(),
                pitch_rad: parameters.head_pitch_deg.to_radians(),
                roll_rad: parameters.head_roll_deg.to_radians(),
                position_mm: [parameters.head_x_mm, parameters.head_y_mm, parameters.distance_mm],
            },
            sway,
            turn,
            follow: parameters.head_follow,
            slide_mm_per_s: parameters.slide_mm_per_minute / 60.0,
        }
    }

    /// `target` is what the head follows, as seen by the user: right and down are positive.
    pub(crate) fn pose(&self, time_s: f64, target: VisualAngle) -> HeadPose {
        let at = |index: usize| self.mean.position_mm[index] + self.sway[index].at(time_s);
        HeadPose {
            // The user's right is the picture's left: both angles change their sign.
            yaw_rad: self.mean.yaw_rad + self.turn[0].at(time_s) - (self.follow * target.x_deg).to_radians(),
            pitch_rad: self.mean.pitch_rad + self.turn[1].at(time_s) - (0.6 * self.follow * target.y_deg).to_radians(),
            roll_rad: self.mean.roll_rad + self.turn[2].at(time_s),
            position_mm: [at(0), at(1) + self.slide_mm_per_s * time_s, at(2).max(120.0)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::gaze_direction;

    #[test]
    fn angles_have_the_signs_of_geometry() {
        let pose = HeadPose {
            yaw_rad: 0.3,
            pitch_rad: -0.2,
            roll_rad: 0.4,
            position_mm: [0.0; 3],
        };
        let facing = pose.rotation() * -Vec3::z();
        assert!((facing - Vec3::from(gaze_direction(0.3, -0.2))).norm() < 1e-12);
        let upright = HeadPose {
            yaw_rad: 0.0,
            pitch_rad: 0.0,
            ..pose
        };
        assert!(
            (upright.rotation() * Vec3::x()).y > 0.3,
            "the eye on the picture's right sinks"
        );
    }

    #[test]
    fn sway_is_as_wide_as_asked() {
        for seed in 0..5 {
            let parameters = Parameters::drawn(seed);
            let motion = HeadMotion::new(&parameters);
            let mut squares = [0.0; 3];
            for second in 0..2000 {
                let pose = motion.pose(f64::from(second) * 0.25, VisualAngle::default());
                let places = pose.position_mm.iter().zip(&motion.mean.position_mm);
                for (sum, (at, mean)) in squares.iter_mut().zip(places) {
                    *sum += (at - mean).powi(2) / 2000.0;
                }
            }
            for axis in [0, 2] {
                let rms = squares[axis].sqrt();
                assert!((rms / parameters.head_sway_mm - 1.0).abs() < 0.15, "seed {seed}: {rms}");
            }
        }
    }

    #[test]
    fn somebody_who_slides_down_sinks_in_the_picture() {
        let parameters: Parameters = "slide_mm_per_minute=6,head_sway_mm=0".parse().expect("known keys");
        let motion = HeadMotion::new(&parameters);
        let [before, after] = [0.0, 600.0].map(|time_s| motion.pose(time_s, VisualAngle::default()).position_mm);
        assert!((after[1] - before[1] - 60.0).abs() < 1e-9, "{before:?} {after:?}");
        assert_eq!([after[0], after[2]], [before[0], before[2]]);
    }
}
