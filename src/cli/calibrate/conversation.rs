//! A calibration as a conversation with the service: it owns the camera, this side says where the user was asked to look.
//! Everything but showing the points.

use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Map, Value as Json};

use super::Mode;
use super::clicks::Clicks;
use super::course::{Course, Pose, Posture, Seen, Shown, Step};
use super::points;
use super::postures::Postures;
use super::pursuit::Pursuit;
use super::report::{Report, Scale, Validated};
use super::tour::Tour;
use crate::bus::frames::FrameHeader;
use crate::bus::options::SessionOptions;
use crate::bus::proxies::CalibrationProxyBlocking;
use crate::bus::record::{Flags, Record};
use crate::cli::sight::Frames;
use crate::cli::status::facts;
use crate::cli::synthetic_user::SyntheticUser;
use crate::client::{Client, ClientError, Received, Session};
use crate::clock::{Clock, MonotonicClock, Timestamp};
use crate::geometry::ScreenPoint;
use crate::latest::Taken;

/// Fewer points than this share of those asked for are no calibration.
const ENOUGH: f64 = 0.6;

/// The synthetic user is told where to look anew where the point has moved so far: by a third of a degree or so.
const STEERED: f64 = 0.008;
/// The synthetic user has no hand: this clicks for it, so long after it was told to look.
const SYNTHETIC_CLICK_S: f64 = 1.0;

/// What the course that is under way is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Calibrating,
    /// The head moves while the eyes stay on a point.
    Moving,
    Validating,
}

/// A calibration that runs. Dropped before [`Conversation::keep`], it leaves the old profile as it was.
#[derive(Debug)]
pub struct Conversation {
    client: Client,
    output: Option<String>,
    screen_mm: Option<(f64, f64)>,
    calibration: CalibrationProxyBlocking<'static>,
    session: Session,
    synthetic_user: Option<SyntheticUser>,
    course: Box<dyn Course>,
    /// What the camera sees, while it matters how the head is held.
    frames: Option<Frames>,
    phase: Phase,
    postures: bool,
    fitted: Map<String, Json>,
    validated: Vec<Validated>,
    missed: Vec<String>,
    looked_at: Option<ScreenPoint>,
    held: Option<Posture>,
}

impl Conversation {
    /// Asks the service for the camera. The first point is not shown before [`Conversation::start`].
    pub fn begin(client: &Client, output: Option<&str>, screen_mm: Option<(f64, f64)>) -> anyhow::Result<Self> {
        let calibration = client.calibration(output, screen_mm)?;
        let session = client.session(&SessionOptions {
            app_name: "gazectl calibrate".to_owned(),
            output: output.map(str::to_owned),
            ..SessionOptions::default()
        })?;
        session.start()?;
        Ok(Self {
            client: client.clone(),
            output: output.map(str::to_owned),
            screen_mm,
            calibration,
            session,
            synthetic_user: SyntheticUser::find(client)?,
            course: Box::new(Tour::new(Vec::new(), now())),
            phase: Phase::Calibrating,
            postures: false,
            frames: None,
            fitted: Map::new(),
            validated: Vec::new(),
            missed: Vec::new(),
            looked_at: None,
            held: None,
        })
    }

    /// Begins anew without anything that was learned so far: the service keeps its points for as long as its calibration runs.
    pub fn begin_again(&mut self) -> anyhow::Result<()> {
        // Only one may run at a time.
        self.calibration.abort().map_err(ClientError::from)?;
        *self = Self::begin(&self.client, self.output.as_deref(), self.screen_mm)?;
        Ok(())
    }

    /// True where the user is the synthetic one, who looks where it is told.
    pub fn is_synthetic(&self) -> bool {
        self.synthetic_user.is_some()
    }

    /// What is wrong with the picture, for people; empty where nothing is.
    pub fn advice(&self) -> Result<String, ClientError> {
        Ok(self.calibration.advice()?)
    }

    /// The camera's frames with what is seen in them, while the calibration lasts.
    pub fn preview(&self) -> Result<OwnedFd, ClientError> {
        Ok(self.calibration.open_preview()?.into())
    }

    /// Shows the first point. With `postures` the user is asked to move the head at the end.
    pub fn start(&mut self, mode: Mode, points: Vec<ScreenPoint>, postures: bool) {
        self.postures = postures;
        self.course = match mode {
            Mode::Points => Box::new(Tour::new(points, now())),
            Mode::Pursuit => Box::new(Pursuit::new(now())),
            Mode::Click => Box::new(Clicks::new(points, now())),
        };
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub fn shown(&self) -> Option<Shown> {
        self.course.shown(now())
    }

    /// The user clicked here, or pressed a key for the point on show.
    pub fn click(&mut self, at: Option<ScreenPoint>) {
        self.course.click(at, now());
    }

    /// How much of the time that the eye has to rest on the point has passed, 0..=1.
    pub fn resting(&self) -> f64 {
        self.course.resting()
    }

    /// Takes in what the tracker saw, for `patience` at most, and does what follows from it. `Some` once all is done.
    pub fn advance(&mut self, patience: Duration) -> anyhow::Result<Option<Report>> {
        self.steer()?;
        let mut wait = patience;
        loop {
            match self.session.receive(wait) {
                Received::Sample(sample) => self.course.see(seen(&sample.record)),
                Received::TimedOut => break,
                Received::Ended => bail!("gazed ended, or the bus did; the old profile is untouched"),
            }
            wait = Duration::ZERO;
        }
        if let Some(Taken::Value((header, _))) = self.frames.as_ref().map(Frames::newest) {
            self.course.see(seen_in_picture(&header));
        }
        match self.course.step(now()) {
            Step::Watch => Ok(None),
            Step::Take(point, from, to) => {
                match self.phase {
                    Phase::Calibrating | Phase::Moving => self.add(point, from, to)?,
                    Phase::Validating => self.validate(point, from, to)?,
                }
                Ok(None)
            }
            Step::Over => self.next_phase(),
        }
    }

    /// Stores the calibration, and uses it from now on.
    pub fn keep(&self, profile: &str) -> anyhow::Result<()> {
        let kept = self.calibration.commit(profile).map_err(ClientError::from);
        kept.with_context(|| format!("the profile \"{profile}\" could not be stored"))
    }

    /// Has the synthetic user do what a person is asked to.
    fn steer(&mut self) -> Result<(), ClientError> {
        let (Some(user), Some(shown)) = (&self.synthetic_user, self.course.shown(now())) else {
            return Ok(());
        };
        let far = |last: ScreenPoint| (last.x - shown.point.x).hypot(last.y - shown.point.y) > STEERED;
        if self.looked_at.is_none_or(far) {
            user.look_at(shown.point)?;
            self.looked_at = Some(shown.point);
        }
        if self.held != shown.posture {
            let pose = shown.posture.map_or(Pose::default(), Posture::pose);
            user.move_head(pose.yaw_deg, pose.pitch_deg, pose.left_mm, pose.down_mm)?;
            self.held = shown.posture;
        }
        if now().seconds_since(shown.since) >= SYNTHETIC_CLICK_S {
            self.course.click(Some(shown.point), now());
        }
        Ok(())
    }

    fn add(&mut self, point: ScreenPoint, from: Timestamp, to: Timestamp) -> Result<(), ClientError> {
        let (accepted, reason) = self
            .calibration
            .add_target(point.x, point.y, from.as_nanos(), to.as_nanos())?;
        if accepted {
            self.course.taken(now());
        } else {
            tracing::info!(x = point.x, y = point.y, reason, "a point is shown again");
            self.course.refused(&reason, now());
        }
        Ok(())
    }

    fn validate(&mut self, point: ScreenPoint, from: Timestamp, to: Timestamp) -> Result<(), ClientError> {
        match self
            .calibration
            .validate(point.x, point.y, from.as_nanos(), to.as_nanos())
        {
            Ok((error_deg, precision_deg)) => {
                self.validated.push(Validated {
                    point,
                    error_deg,
                    precision_deg,
                });
                self.course.taken(now());
            }
            Err(zbus::Error::MethodError(_, reason, _)) => {
                self.course.refused(reason.as_deref().unwrap_or("refused"), now());
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn next_phase(&mut self) -> anyhow::Result<Option<Report>> {
        let missed = self.course.points_missed();
        self.missed.extend(
            missed
                .iter()
                .map(|missed| format!("{:.2}, {:.2}: {}", missed.point.x, missed.point.y, missed.reason)),
        );
        match self.phase {
            Phase::Calibrating => {
                let (taken, of) = (self.course.points_taken(), self.course.points_taken() + missed.len());
                if (taken as f64) < ENOUGH * of as f64 || taken == 0 {
                    let reason = missed.first().map_or("", |missed| missed.reason.as_str());
                    bail!(
                        "only {taken} of {of} points could be used ({reason}); sit so that the camera sees both eyes, look \
                         at each point until it goes, and try again. The old profile is untouched"
                    );
                }
                if self.postures {
                    self.frames = Some(Frames::read(self.preview()?).context("how the head is held cannot be seen")?);
                    self.phase = Phase::Moving;
                    self.course = Box::new(Postures::new(now()));
                    return Ok(None);
                }
                self.fit()
            }
            Phase::Moving => self.fit(),
            Phase::Validating => Ok(Some(Report {
                scale: Scale::of(&self.fitted),
                fitted: std::mem::take(&mut self.fitted),
                validated: std::mem::take(&mut self.validated),
                missed: std::mem::take(&mut self.missed),
            })),
        }
    }

    /// Has the service fit what was added, and goes on to points that were not.
    fn fit(&mut self) -> anyhow::Result<Option<Report>> {
        if let Some(frames) = self.frames.take() {
            // A stream that broke off has shown nothing more: the postures after that are missing.
            let _ = frames.ended();
        }
        let fitted = self.calibration.fit().map_err(ClientError::from);
        self.fitted = facts(&fitted.context("the points could not be fitted; the old profile is untouched")?);
        self.phase = Phase::Validating;
        self.course = Box::new(Tour::new(points::validation(), now()));
        Ok(None)
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // The service may be gone already; then there is nobody to release and nothing to abort.
        if let Some(user) = &self.synthetic_user {
            let _ = user.release();
        }
        let _ = self.calibration.abort();
    }
}

fn now() -> Timestamp {
    MonotonicClock.now()
}

fn seen(record: &Record) -> Seen {
    let open = record.is_valid() && !record.flags.contains(Flags::BLINK);
    Seen {
        captured: Timestamp::from_nanos(record.captured_ns),
        gaze: open.then(|| ScreenPoint::new(record.gaze_x, record.gaze_y)),
        head: None,
    }
}

fn seen_in_picture(header: &FrameHeader) -> Seen {
    Seen {
        captured: Timestamp::from_nanos(header.captured_ns),
        gaze: header
            .gaze
            .filter(|_| header.tracked)
            .map(|[x, y]| ScreenPoint::new(x, y)),
        head: pose(header),
    }
}

/// Between the outer corners of an average person's eyes.
const OUTER_CORNERS_MM: f64 = 89.0;

/// How the head is held; its place in the plane of the face, from how large the eyes are seen.
fn pose(header: &FrameHeader) -> Option<Pose> {
    let head = header.head?;
    let corner = |name: &str| header.landmarks_px.get(name).map(|corner| corner.map(f64::from));
    let ([left_x, left_y], [right_x, right_y]) = (corner("left_outer")?, corner("right_outer")?);
    let mm_per_px = OUTER_CORNERS_MM / (left_x - right_x).hypot(left_y - right_y);
    let from_middle_px = |at: f64, length_px: u32| at - 0.5 * (f64::from(length_px) - 1.0);
    Some(Pose {
        yaw_deg: head.yaw_deg,
        pitch_deg: head.pitch_deg,
        // The person's left is the picture's right.
        left_mm: mm_per_px * from_middle_px(left_x.midpoint(right_x), header.width_px),
        down_mm: mm_per_px * from_middle_px(left_y.midpoint(right_y), header.height_px),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bus::frames::HeadFacts;

    #[test]
    fn a_face_right_of_and_below_the_pictures_middle_is_to_the_left_of_and_below_the_camera() {
        let eyes_at = |x: f32, y: f32| {
            let header = FrameHeader {
                width_px: 641,
                height_px: 481,
                head: Some(HeadFacts {
                    yaw_deg: 5.0,
                    ..HeadFacts::default()
                }),
                // The person's left eye is on the right.
                landmarks_px: BTreeMap::from([
                    ("left_outer".to_owned(), [x + 44.5, y]),
                    ("right_outer".to_owned(), [x - 44.5, y]),
                ]),
                ..FrameHeader::default()
            };
            pose(&header).expect("both eyes and the head are there")
        };
        let seen = eyes_at(400.0, 270.0);
        assert!(
            (seen.left_mm - 80.0).abs() < 1e-3 && (seen.down_mm - 30.0).abs() < 1e-3,
            "{seen:?}"
        );
        assert_eq!((seen.yaw_deg, seen.pitch_deg), (5.0, 0.0));
        assert_eq!(pose(&FrameHeader::default()), None);
    }
}
