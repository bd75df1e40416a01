//! The synthetic user as a function of time, and the means to steer it.

use std::sync::{PoisonError, RwLock};

use nalgebra::Matrix3;

use crate::clock::Timestamp;
use crate::geometry::{PointPx, ScreenPoint, Setup, VisualAngle};

use super::blink::Blinks;
use super::eyeball::{Eyeball, Vec3};
use super::fixational::Fixational;
use super::head_motion::{HeadMotion, HeadPose};
use super::head_shape::HeadShape;
use super::lids::Lids;
use super::parameters::Parameters;
use super::person::Person;
use super::scanpath::{ScanState, Scanpath};
use super::steering::{HeadMove, MoveLog, SteeringLog};
use super::truth::{Movement, Truth};

/// A person who looks around. Everything about it is a pure function of its parameters, of what it was told to look at and
/// of time; it can be shared between threads.
#[derive(Debug)]
pub struct SyntheticUser {
    parameters: Parameters,
    setup: Setup,
    epoch: Timestamp,
    person: Person,
    shape: HeadShape,
    scanpath: Scanpath,
    fixational: Fixational,
    blinks: Blinks,
    head: HeadMotion,
    steering: RwLock<SteeringLog>,
    moves: RwLock<MoveLog>,
}

/// Everything that a picture of one instant needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) head: HeadPose,
    pub(crate) camera_from_head: Matrix3<f64>,
    /// The camera in the head frame.
    pub(crate) viewer: Vec3,
    /// Left, right.
    pub(crate) eyes: [Eyeball; 2],
    pub(crate) lids: [Lids; 2],
    gaze: ScreenPoint,
    scan: ScanState,
}

/// Side of the head: +1 for the left eye, which has positive x in the head frame.
pub(crate) const SIDES: [f64; 2] = [1.0, -1.0];

impl SyntheticUser {
    /// `epoch` is the moment that counts as the world's time zero.
    pub fn new(parameters: Parameters, epoch: Timestamp) -> Self {
        let person = Person::new(&parameters);
        Self {
            setup: parameters.setup(),
            epoch,
            shape: HeadShape::new(&person),
            scanpath: Scanpath::new(&parameters),
            fixational: Fixational::new(parameters.seed, parameters.fixational),
            blinks: Blinks::new(parameters.seed, parameters.blinks_per_minute),
            head: HeadMotion::new(&parameters),
            steering: RwLock::default(),
            moves: RwLock::default(),
            person,
            parameters,
        }
    }

    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Screen and camera as they really stand.
    pub fn setup(&self) -> Setup {
        self.setup
    }

    pub fn epoch(&self) -> Timestamp {
        self.epoch
    }

    /// Tells the user, at `now`, to look at `point` until told otherwise. The eyes get there after a reaction time of about
    /// 200 ms and a saccade. Points that are not finite are ignored.
    pub fn look_at(&self, point: ScreenPoint, now: Timestamp) {
        if point.is_finite() {
            self.steer(Some(point), now);
        }
    }

    /// Tells the user, at `now`, to hold the head otherwise than usual until told otherwise again; the eyes stay on what they
    /// look at. What is not finite is ignored.
    pub fn move_head(&self, by: HeadMove, now: Timestamp) {
        if by.is_finite() {
            let mut log = self.moves.write().unwrap_or_else(PoisonError::into_inner);
            log.add(self.parameters.seed, now.seconds_since(self.epoch), by);
        }
    }

    /// Lets the user look around freely again, the head as usual.
    pub fn release(&self, now: Timestamp) {
        self.steer(None, now);
        self.move_head(HeadMove::default(), now);
    }

    fn steer(&self, point: Option<ScreenPoint>, now: Timestamp) {
        let target = point.map(|point| self.setup.screen.visual_angle(point, self.parameters.distance_mm));
        let now_s = now.seconds_since(self.epoch);
        let mut log = self.steering.write().unwrap_or_else(PoisonError::into_inner);
        log.add(self.parameters.seed, now_s, target);
    }

    /// The truth at any moment, past or future. For the future it is what will happen unless the user is steered.
    pub fn truth_at(&self, at: Timestamp) -> Truth {
        self.truth_at_seconds(at.seconds_since(self.epoch))
    }

    pub(crate) fn truth_at_seconds(&self, time_s: f64) -> Truth {
        let moment = self.moment(time_s);
        let project = |point: Vec3| self.project(&moment, &point);
        let movement = if moment.lids[0].closure() > 0.1 {
            Movement::Blink
        } else if moment.scan.saccade {
            Movement::Saccade
        } else if moment.scan.pursuit {
            Movement::Pursuit
        } else {
            Movement::Fixation
        };
        let target = match movement {
            Movement::Fixation | Movement::Pursuit => Some(self.screen_point(moment.scan.target)),
            Movement::Saccade | Movement::Blink => None,
        };
        let landmarks = self.shape.landmarks(&moment.lids);
        Truth {
            gaze: moment.gaze,
            target,
            movement,
            gaze_angles_rad: moment.eyes.map(|eye| {
                let origin = moment.camera_from_head * eye.centre + moment.head.position();
                self.setup.gaze_angles(camera_point(&origin), moment.gaze)
            }),
            head: moment.head,
            pupils: moment.eyes.map(|eye| project(eye.apparent_pupil(&moment.viewer))),
            openness: moment.lids.map(|lids| 1.0 - lids.closure()),
            landmarks: landmarks.map(project),
        }
    }

    /// Where the camera sees a point of the head frame.
    fn project(&self, moment: &Moment, point: &Vec3) -> PointPx {
        let at = moment.camera_from_head * point + moment.head.position();
        let focal_px = self.parameters.focal_px();
        let [centre_x, centre_y] = self.principal_point_px();
        // Behind the camera there is no picture; parameters keep heads in front of it, so this only avoids dividing by zero.
        let depth = at.z.max(1.0);
        PointPx::new(
            (centre_x + focal_px * at.x / depth) as f32,
            (centre_y + focal_px * at.y / depth) as f32,
        )
    }

    /// The camera's axis meets the picture in its middle.
    pub(crate) fn principal_point_px(&self) -> [f64; 2] {
        [
            0.5 * (f64::from(self.parameters.width_px) - 1.0),
            0.5 * (f64::from(self.parameters.height_px) - 1.0),
        ]
    }

    fn screen_point(&self, angle: VisualAngle) -> ScreenPoint {
        self.setup.screen.point_at(angle, self.parameters.distance_mm)
    }

    pub(crate) fn person(&self) -> &Person {
        &self.person
    }

    pub(crate) fn shape(&self) -> &HeadShape {
        &self.shape
    }

    /// Head, eyes and lids at one instant.
    pub(crate) fn moment(&self, time_s: f64) -> Moment {
        let scan = {
            let log = self.steering.read().unwrap_or_else(PoisonError::into_inner);
            self.scanpath.state(time_s, log.events())
        };
        let small = self.fixational.at(time_s);
        let gaze = self.screen_point(VisualAngle::new(
            scan.gaze.x_deg + small.x_deg,
            scan.gaze.y_deg + small.y_deg,
        ));
        let by = self.moves.read().unwrap_or_else(PoisonError::into_inner).at(time_s);
        let head = self.head.pose(time_s, scan.head_target).moved(by);
        let camera_from_head = head.rotation();
        let screen = self.setup.screen;
        let target = self
            .setup
            .camera_from_screen_mm([gaze.x * screen.width_mm, gaze.y * screen.height_mm, 0.0]);
        let target = Vec3::new(target.x_mm, target.y_mm, target.z_mm);
        let target_in_head = camera_from_head.transpose() * (target - head.position());
        let closure = self.blinks.closure(time_s);
        let turned = SIDES.map(|side| {
            let centre = self.shape.eyeball_centre(side);
            let sight = (target_in_head - centre).normalize();
            let yaw = sight.x.atan2(-sight.z) + side * self.person.kappa_deg[0].to_radians();
            let pitch = (-sight.y).clamp(-1.0, 1.0).asin() - self.person.kappa_deg[1].to_radians();
            (centre, yaw, pitch)
        });
        let radius_mm = self.person.eye.iris_radius_mm;
        Moment {
            head,
            camera_from_head,
            viewer: camera_from_head.transpose() * -head.position(),
            eyes: turned.map(|(centre, yaw, pitch)| {
                Eyeball::new(
                    centre,
                    Vec3::from(crate::geometry::gaze_direction(yaw, pitch)),
                    radius_mm,
                )
            }),
            lids: turned.map(|(_, _, pitch)| Lids::new(self.person.eye, pitch, closure)),
            gaze,
            scan,
        }
    }
}

fn camera_point(at: &Vec3) -> crate::geometry::CameraPoint {
    crate::geometry::CameraPoint {
        x_mm: at.x,
        y_mm: at.y,
        z_mm: at.z,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: Timestamp = Timestamp::from_nanos(5_000_000_000);

    fn user(text: &str) -> SyntheticUser {
        SyntheticUser::new(text.parse().expect("known keys"), EPOCH)
    }

    fn at(seconds: f64) -> Timestamp {
        EPOCH.offset_by_seconds(seconds)
    }

    fn distance_deg(user: &SyntheticUser, a: ScreenPoint, b: ScreenPoint) -> f64 {
        let angle = |point| user.setup().screen.visual_angle(point, 600.0);
        angle(a).distance_deg(angle(b))
    }

    #[test]
    fn truth_is_a_function_of_time_in_any_order_however_far() {
        let (first, second) = (user("seed=8"), user("seed=8"));
        let times = [0.0, 12.3, -1.0, 3.0e7, 700.0];
        let forth: Vec<Truth> = times.iter().map(|time| first.truth_at(at(*time))).collect();
        let back: Vec<Truth> = times.iter().rev().map(|time| second.truth_at(at(*time))).collect();
        assert!(forth.iter().eq(back.iter().rev()));
        assert!(user("seed=9").truth_at(at(12.3)).gaze != forth[1].gaze);
    }

    #[test]
    fn steering_takes_a_reaction_time_and_changes_nothing_before() {
        let (steered, free) = (user("seed=8,blink_rate=0"), user("seed=8,blink_rate=0"));
        let point = ScreenPoint::new(0.9, 0.1);
        steered.look_at(point, at(20.0));
        for time in [0.0, 10.0, 19.9, 20.17] {
            assert_eq!(steered.truth_at(at(time)), free.truth_at(at(time)));
        }
        for time in [20.6, 25.0, 300.0] {
            let truth = steered.truth_at(at(time));
            let off = distance_deg(&steered, truth.gaze, point);
            assert!(off < 1.0, "{off} degrees off at {time} s");
            assert_eq!(
                (
                    truth.movement,
                    truth.target.map(|target| (target.x - point.x).abs() < 1e-9)
                ),
                (Movement::Fixation, Some(true))
            );
        }
        steered.release(at(300.0));
        assert!(distance_deg(&steered, steered.truth_at(at(300.1)).gaze, point) < 1.0);
        for time in [302.0, 310.0, 1000.0] {
            assert_eq!(steered.truth_at(at(time)).gaze, free.truth_at(at(time)).gaze);
        }
    }

    #[test]
    fn a_head_that_moves_leaves_the_gaze_where_it_is() {
        let (moved, free) = (user("seed=8,blink_rate=0"), user("seed=8,blink_rate=0"));
        for user in [&moved, &free] {
            user.look_at(ScreenPoint::CENTRE, at(10.0));
        }
        let by = HeadMove {
            yaw_rad: 0.25,
            pitch_rad: -0.1,
            left_mm: 80.0,
            down_mm: 45.0,
        };
        moved.move_head(by, at(20.0));
        moved.move_head(
            HeadMove {
                left_mm: f64::NAN,
                ..by
            },
            at(20.1),
        );
        assert_eq!(moved.truth_at(at(20.17)), free.truth_at(at(20.17)));
        let mut last = 0.0;
        for time in [20.5, 20.8, 21.2, 25.0] {
            let (a, b) = (moved.truth_at(at(time)), free.truth_at(at(time)));
            assert_eq!((a.gaze, a.movement), (b.gaze, b.movement));
            let yaw = a.head.yaw_rad - b.head.yaw_rad;
            assert!(yaw > last - 1e-9, "{yaw} rad at {time} s");
            last = yaw;
        }
        assert!((last - 0.25).abs() < 1e-9, "{last} rad");
        let place = |user: &SyntheticUser| user.truth_at(at(25.0)).head.position_mm;
        let [x, y, z] = [0, 1, 2].map(|axis| place(&moved)[axis] - place(&free)[axis]);
        assert!(
            (x - 80.0).abs() < 1e-9 && (y - 45.0).abs() < 1e-9 && z == 0.0,
            "{x} {y} {z}"
        );
        let eyes = |user: &SyntheticUser| user.truth_at(at(25.0)).landmarks;
        assert!(eyes(&moved) != eyes(&free));
        for user in [&moved, &free] {
            user.release(at(30.0));
        }
        let (a, b) = (moved.truth_at(at(32.0)), free.truth_at(at(32.0)));
        assert_eq!(a.head, b.head);
    }

    #[test]
    fn a_caller_cannot_rewrite_the_past_or_steer_to_nowhere() {
        let user = user("seed=8");
        user.look_at(ScreenPoint::new(0.2, 0.2), at(50.0));
        let before = user.truth_at(at(50.1));
        user.look_at(ScreenPoint::new(0.8, 0.8), at(10.0));
        user.look_at(ScreenPoint::new(f64::NAN, 0.8), at(51.0));
        assert_eq!(user.truth_at(at(50.1)), before);
        assert!(user.truth_at(at(60.0)).gaze.is_finite());
    }

    #[test]
    fn the_eyes_converge_and_left_is_the_pictures_right() {
        let user = user("seed=3,head_yaw_deg=0,head_roll_deg=0,head_sway_mm=0");
        let truth = user.truth_at(at(1.0));
        assert!(
            truth.pupils[0].x > truth.pupils[1].x,
            "the left eye is on the picture's right"
        );
        let [left, right] = truth.gaze_angles_rad.map(|(yaw, _)| yaw.to_degrees());
        // 63 mm between the eyes seen from 600 mm are six degrees.
        assert!(
            (4.0..8.0).contains(&(right - left)),
            "vergence of {} degrees",
            right - left
        );
    }

    #[test]
    fn gaze_moves_like_a_gaze() {
        let user = user("seed=11");
        let step = 0.001;
        let (mut saccade_s, mut blink_s, mut fastest) = (0.0, 0.0, 0.0_f64);
        let mut last = user.truth_at(at(0.0)).gaze;
        let steps = 60_000;
        for index in 1..steps {
            let truth = user.truth_at(at(f64::from(index) * step));
            let speed = distance_deg(&user, truth.gaze, last) / step;
            fastest = fastest.max(speed);
            match truth.movement {
                Movement::Saccade => saccade_s += step,
                Movement::Blink => blink_s += step,
                // Micro-saccades belong to fixations and stay below a degree.
                Movement::Fixation | Movement::Pursuit => assert!(speed < 90.0, "{speed} deg/s at {index} ms"),
            }
            last = truth.gaze;
        }
        let total = f64::from(steps) * step;
        assert!(
            (0.05..0.3).contains(&(saccade_s / total)),
            "saccades take {saccade_s} of {total} s"
        );
        assert!(
            (0.01..0.15).contains(&(blink_s / total)),
            "blinks take {blink_s} of {total} s"
        );
        assert!((250.0..560.0).contains(&fastest), "{fastest} deg/s");
    }
}
