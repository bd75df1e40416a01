//! `org.gazed.Gaze1.Calibration`: the daemon owns the camera, so calibrating is a conversation with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zbus::message::Header;
use zbus::zvariant::{OwnedFd, Value};
use zbus::{ObjectServer, interface};

use super::control::{announce_profiles, on_screen, refused};
use super::{release, sender};
use crate::bus::error::{Error, Result};
use crate::calibration::gathering::{Gathered, Gathering, gather};
use crate::calibration::profile::{Profile, ProfileError, is_name};
use crate::calibration::quality::measure;
use crate::clock::Timestamp;
use crate::daemon::arrangement::Place;
use crate::daemon::hub::Hub;
use crate::daemon::live::{Live, Shown};
use crate::daemon::readers;
use crate::geometry::ScreenPoint;
use crate::outputs::Placement;

pub struct Calibration {
    hub: Arc<Hub>,
    live: Arc<Mutex<Live>>,
    id: u64,
    /// From the tracked monitor to the one that points are shown on.
    placement: Placement,
    /// The tracked monitor, which the calibration is of.
    monitor: String,
    gathering: Mutex<Gathering>,
}

impl Calibration {
    /// Nobody looks at one point for longer; the daemon remembers no more than that.
    const LONGEST_LOOK: Duration = Duration::from_secs(10);

    pub fn new(hub: Arc<Hub>, live: Arc<Mutex<Live>>, id: u64, placement: Placement) -> Self {
        let place = live.lock().unwrap_or_else(PoisonError::into_inner).place();
        Self {
            hub,
            live,
            id,
            placement,
            monitor: place.monitor,
            gathering: Mutex::default(),
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was told for this calibration alone holds no more.
    pub fn give_up(&self) {
        self.live().try_screen_size(None);
    }

    fn gathering(&self) -> MutexGuard<'_, Gathering> {
        self.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_owner(&self, header: &Header<'_>) -> Result<()> {
        self.hub.lock().claims.check_owner(self.id, sender(header)?)
    }

    /// The frames of the time that a point was looked at.
    fn look(&self, x: f64, y: f64, from_ns: u64, to_ns: u64) -> Result<(ScreenPoint, Gathered)> {
        let point = self.placement.here(on_screen(x, y)?);
        let (from, to) = (Timestamp::from_nanos(from_ns), Timestamp::from_nanos(to_ns));
        if to <= from || to.saturating_since(from) > Self::LONGEST_LOOK {
            return Err(Error::InvalidArgument(format!(
                "the time from {from_ns} to {to_ns} must be above zero and at most {} s, on CLOCK_MONOTONIC in nanoseconds",
                Self::LONGEST_LOOK.as_secs()
            )));
        }
        let live = self.live();
        let gathered = gather(live.glimpses(from, to), live.setup());
        Ok((point, gathered))
    }
}

#[interface(name = "org.gazed.Gaze1.Calibration")]
impl Calibration {
    /// The user was asked to look at (x, y) from from_ns to to_ns. Call it when that time is over; a point that was not
    /// accepted can be shown again.
    #[zbus(out_args("accepted", "reason"))]
    fn add_target(
        &self,
        x: f64,
        y: f64,
        from_ns: u64,
        to_ns: u64,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(bool, String)> {
        self.check_owner(&header)?;
        let (point, gathered) = self.look(x, y, from_ns, to_ns)?;
        Ok(match gathered.and_then(|frames| self.gathering().add(point, frames)) {
            Ok(()) => (true, String::new()),
            Err(reason) => (false, reason),
        })
    }

    /// Fits the accepted points. The answer: accuracy-deg d (the error to be expected between the points, from each left out
    /// in turn), precision-deg d (from sample to sample), points u, samples u; and what degrees are on the screen: screen-mm
    /// (dd), screen-px (uu), distance-mm d.
    #[zbus(out_args("quality"))]
    fn fit(&self, #[zbus(header)] header: Header<'_>) -> Result<HashMap<String, Value<'static>>> {
        self.check_owner(&header)?;
        let setup = *self.live().setup();
        let mut gathering = self.gathering();
        let (points, samples) = (gathering.points() as u32, gathering.samples().len() as u32);
        let distance_mm = gathering.distance_mm().unwrap_or(setup.viewing_distance_mm);
        let fitted = gathering
            .fit(&setup)
            .map_err(|error| Error::NotNow(error.to_string()))?;
        Ok(HashMap::from([
            ("accuracy-deg".to_owned(), Value::from(fitted.quality.error_deg)),
            ("precision-deg".to_owned(), Value::from(fitted.quality.precision_deg)),
            ("points".to_owned(), Value::from(points)),
            ("samples".to_owned(), Value::from(samples)),
            ("distance-mm".to_owned(), Value::from(distance_mm)),
            (
                "screen-mm".to_owned(),
                Value::from((setup.screen.width_mm, setup.screen.height_mm)),
            ),
            (
                "screen-px".to_owned(),
                Value::from((setup.screen.width_px, setup.screen.height_px)),
            ),
        ]))
    }

    /// Measures the last fit on a point that was not added: accuracy and precision in degrees.
    #[zbus(out_args("error_deg", "precision_deg"))]
    fn validate(
        &self,
        x: f64,
        y: f64,
        from_ns: u64,
        to_ns: u64,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(f64, f64)> {
        self.check_owner(&header)?;
        let (point, gathered) = self.look(x, y, from_ns, to_ns)?;
        let frames = gathered.map_err(Error::NotNow)?;
        let setup = *self.live().setup();
        let gathering = self.gathering();
        let fitted = gathering.fitted().ok_or_else(not_fitted)?;
        let quality = measure(&fitted.mapping, point, &frames, &setup);
        Ok((quality.error_deg, quality.precision_deg))
    }

    /// Stores the last fit under a name, uses it from now on, and ends the calibration.
    async fn commit(
        &self,
        profile: String,
        #[zbus(header)] header: Header<'_>,
        #[zbus(object_server)] server: &ObjectServer,
    ) -> Result<()> {
        self.check_owner(&header)?;
        if !is_name(&profile) {
            return Err(refused(ProfileError::BadName(profile)));
        }
        let shown = {
            let mut live = self.live();
            let date = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
            let screen = live.setup().screen;
            let made = self.gathering().profile(&profile, live.weights_version(), date, screen);
            let Place { camera, monitor } = live.place();
            if monitor != self.monitor {
                return Err(Error::NotNow(
                    "another monitor is tracked than when the calibration began: calibrate again".into(),
                ));
            }
            let profile = Profile {
                camera,
                monitor,
                ..made.ok_or_else(not_fitted)?
            };
            live.profiles().save(&profile).map_err(refused)?;
            live.adopt(profile).map_err(refused)?;
            live.keep_screen_size();
            live.shown()
        };
        let name = shown
            .as_ref()
            .map_or_else(String::new, |shown: &Shown| shown.profile.clone());
        self.hub.change(|shared, _| shared.calibrated = shown);
        release(&self.hub, server, self.id).await;
        announce_profiles(server).await;
        self.hub
            .remember(|remembered| remembered.profile = Some(name))
            .map_err(|error| {
                Error::Failed(format!(
                    "{error:#}; the profile is stored and in use, but a restart forgets which"
                ))
            })
    }

    /// Ends the calibration; the old profile is untouched.
    async fn abort(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(object_server)] server: &ObjectServer,
    ) -> Result<()> {
        self.check_owner(&header)?;
        release(&self.hub, server, self.id).await;
        Ok(())
    }

    /// Frames as OpenFrames gives them, for the window that calibrates; they end with the calibration.
    #[zbus(out_args("frames"))]
    fn open_preview(&self, #[zbus(header)] header: Header<'_>) -> Result<OwnedFd> {
        self.check_owner(&header)?;
        // The calibration goes on where the window closes its preview.
        let opened = readers::open(|| {});
        let (reader, theirs) = opened.map_err(|error| Error::Failed(format!("no socket: {error}")))?;
        self.hub.change(|shared, _| {
            if shared.claims.get(self.id).is_some() {
                shared.readers.insert(self.id, reader);
            }
        });
        Ok(std::os::fd::OwnedFd::from(theirs).into())
    }

    /// A face is in view.
    #[zbus(property(emits_changed_signal = "false"))]
    fn face_visible(&self) -> bool {
        self.live().view().face_visible
    }

    /// The picture's mean brightness, 0 to 1.
    #[zbus(property(emits_changed_signal = "false"))]
    fn brightness(&self) -> f64 {
        self.live().view().brightness.unwrap_or_default()
    }

    /// From the screen's plane to the eyes; 0 while it is not known.
    #[zbus(property(emits_changed_signal = "false"))]
    fn distance_mm(&self) -> f64 {
        self.live().view().distance_mm.unwrap_or_default()
    }

    /// What would help the camera, a sentence for people; empty where nothing would.
    #[zbus(property(emits_changed_signal = "false"))]
    fn advice(&self) -> String {
        self.live().view().advice().to_owned()
    }
}

fn not_fitted() -> Error {
    Error::NotNow("there is no fit of the points yet: call Fit first".into())
}
