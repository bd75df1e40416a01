//! The pipeline at work in the daemon: with the source it looks at, the profile in use, and the recent past that
//! calibration asks for. Shared between the tracking thread and the bus interfaces.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::arrangement::{Desk, Place};
use super::desktop::plugged_in;
use super::view::{Seat, View};
use crate::calibration::drift::{BEFORE_CLICK, Click, Drift};
use crate::calibration::gathering::{drift, gather};
use crate::calibration::profile::{Profile, ProfileError, Profiles};
use crate::calibration::{Features, Mapping};
use crate::capture::SourceInfo;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::forecast::Method;
use crate::geometry::{ScreenPoint, Setup};
use crate::nets::Weights;
use crate::outputs::Output;
use crate::pipeline::{GazeEstimate, Pipeline};
use crate::tracking::Absence;

mod tracker;

/// What one frame of the recent past showed.
#[derive(Clone, Copy, Debug)]
struct Glimpse {
    captured: Timestamp,
    features: Result<Features, Absence>,
}

/// The calibration in use, as the properties `Profile` and `Calibration` show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub profile: String,
    pub accuracy_deg: f64,
    pub precision_deg: f64,
    pub date: String,
    pub points: u32,
}

pub struct Live {
    weights: Weights,
    weights_version: String,
    profiles: Profiles,
    desk: Desk,
    source: Option<SourceInfo>,
    /// A person chose the profile in use for this place; where its camera is empty, for the next one that opens.
    pinned_for: Option<Place>,
    method: Method,
    stills: bool,
    pipeline: Pipeline,
    profile: Option<Profile>,
    drift: Drift,
    /// Clicks may shift the map.
    learns_from_clicks: bool,
    recent: VecDeque<Glimpse>,
    view: View,
    seat: Seat,
    last: Option<GazeEstimate>,
    last_captured: Option<Timestamp>,
    /// The nets failed on a frame: told once until they work again.
    failing: bool,
}

impl Live {
    /// Ten seconds at 60 frames a second: longer than anyone looks at one point of a calibration.
    const REMEMBERED: usize = 600;
    /// The eye rests on a point for at least so long before and after a person says so.
    const AROUND: Duration = Duration::from_millis(400);
    /// What is further off is no drift of a map but a wrong one, or somebody who looked elsewhere.
    const LARGEST_DRIFT_DEG: f64 = 15.0;

    pub fn new(config: Config, monitor: &Output, models: Option<PathBuf>, profiles: Profiles) -> anyhow::Result<Self> {
        let weights = models.map_or(Weights::BuiltIn, Weights::Folder);
        let weights_version = weights.version()?;
        let method = config.forecast.method;
        let learns_from_clicks = config.profile.learn_from_clicks;
        let desk = Desk::new(config, monitor, &plugged_in());
        let pipeline = Pipeline::new(&weights, desk.setup(None), false, method, Mapping::default())?;
        Ok(Self {
            weights,
            weights_version,
            profiles,
            desk,
            source: None,
            pinned_for: None,
            method,
            stills: false,
            pipeline,
            profile: None,
            drift: Drift::default(),
            learns_from_clicks,
            recent: VecDeque::new(),
            view: View::default(),
            seat: Seat::default(),
            last: None,
            last_captured: None,
            failing: false,
        })
    }

    pub fn setup(&self) -> &Setup {
        self.pipeline.setup()
    }

    pub fn view(&self) -> View {
        self.view
    }

    pub fn weights_version(&self) -> &str {
        &self.weights_version
    }

    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    pub fn shown(&self) -> Option<Shown> {
        self.profile.as_ref().map(|profile| Shown {
            profile: profile.name.clone(),
            accuracy_deg: profile.accuracy_deg,
            precision_deg: profile.precision_deg,
            date: profile.date.clone(),
            points: profile.points,
        })
    }

    /// Uses the profile that was used last, until a camera opens to which it does not belong.
    pub fn recall_profile(&mut self, name: &str) -> Result<(), ProfileError> {
        let profile = self.profiles.load(name, &self.weights_version)?;
        self.adopt(profile)
    }

    /// Uses a profile from the next frame on, as somebody wants it: wherever it was made.
    pub fn use_profile(&mut self, name: &str) -> Result<(), ProfileError> {
        self.recall_profile(name)?;
        self.pinned_for = Some(self.place());
        Ok(())
    }

    /// Uses a profile from the next frame on.
    pub fn adopt(&mut self, profile: Profile) -> Result<(), ProfileError> {
        let setup = self.setup_for(Some(&profile));
        let fit = profile.fit(&setup)?;
        self.drift = Drift::default();
        self.pinned_for = None;
        self.profile = Some(profile);
        if setup == *self.pipeline.setup() {
            self.pipeline.set_mapping(Mapping::Fitted(Box::new(fit)));
        } else {
            self.refresh();
        }
        Ok(())
    }

    /// The monitor that is tracked, once the desktop has told of it or it has changed.
    pub fn set_monitor(&mut self, monitor: &Output) {
        self.desk.set_monitor(monitor, &plugged_in());
        self.choose_profile();
        self.refresh();
    }

    /// The configuration has changed.
    ///
    /// # Errors
    /// Where the new way of forecasting cannot be had; the old one goes on.
    pub fn set_config(&mut self, config: Config) -> anyhow::Result<()> {
        self.learns_from_clicks = config.profile.learn_from_clicks;
        let method = std::mem::replace(&mut self.method, config.forecast.method);
        self.desk.set_config(config);
        let setup = self.setup_for(self.profile.as_ref());
        if method == self.method && setup == *self.pipeline.setup() {
            return Ok(());
        }
        self.rebuild(setup, self.stills).inspect_err(|_| self.method = method)
    }

    /// How large the screen is, as a person measured it for a calibration; `None` once that has ended.
    pub fn try_screen_size(&mut self, size_mm: Option<[f64; 2]>) {
        self.desk.try_size(size_mm);
        self.refresh();
    }

    /// What a person measured holds from now on, as the calibration does.
    pub fn keep_screen_size(&mut self) {
        self.desk.keep_size();
    }

    /// Camera and monitor of a calibration that is made now.
    pub fn place(&self) -> Place {
        self.desk.place(self.camera())
    }

    /// The source's name; empty before it opened for the first time.
    fn camera(&self) -> &str {
        self.source.as_ref().map_or("", |source| &source.name)
    }

    /// A source that knows its geometry itself is believed.
    fn setup_for(&self, profile: Option<&Profile>) -> Setup {
        let own = self.source.as_ref().and_then(|source| source.setup);
        own.unwrap_or_else(|| self.desk.setup(profile.map(|profile| &profile.screen)))
    }

    /// Changes to the calibration that was made at this place, if there is one and nobody chose another.
    fn choose_profile(&mut self) {
        let place = self.place();
        if let Some(pinned) = &mut self.pinned_for
            && pinned.monitor == place.monitor
            && (pinned.camera.is_empty() || pinned.camera == place.camera)
        {
            *pinned = place;
            return;
        }
        let names = self.profiles.names().unwrap_or_default();
        // One that cannot be loaded has no say; whoever asks for it by name is told why.
        let stored = names
            .iter()
            .filter_map(|name| self.profiles.load(name, &self.weights_version).ok());
        if let Some(profile) = place.choose(self.profile.as_ref(), stored) {
            let name = profile.name.clone();
            match self.adopt(profile) {
                Ok(()) => tracing::info!(
                    profile = name,
                    camera = place.camera,
                    monitor = place.monitor,
                    "the calibration made with this camera and monitor"
                ),
                Err(error) => tracing::warn!(%error, "the calibration of this camera and monitor cannot be used"),
            }
        }
    }

    /// Back to the rough gaze that needs no calibration.
    pub fn forget_profile(&mut self) {
        self.pipeline.set_mapping(Mapping::default());
        self.drift = Drift::default();
        self.profile = None;
        self.pinned_for = None;
        self.refresh();
    }

    /// The user looked at this point at that moment: shifts the map so that it says so too.
    ///
    /// # Errors
    /// Where the gaze was not seen then, or was further from the point than a map drifts; a sentence for people.
    pub fn recenter(&mut self, point: ScreenPoint, when: Timestamp) -> Result<(), String> {
        let setup = *self.pipeline.setup();
        let frames = gather(self.glimpses(when - Self::AROUND, when + Self::AROUND), &setup)?;
        let drift = drift(self.pipeline.mapping(), point, &frames, &setup);
        let size_deg = drift.x_deg.hypot(drift.y_deg);
        if size_deg > Self::LARGEST_DRIFT_DEG {
            return Err(format!(
                "the gaze was {size_deg:.0} degrees away from that point, which is no drift; calibrate again"
            ));
        }
        self.drift.set(drift);
        self.pipeline.set_drift(self.drift.shift());
        Ok(())
    }

    /// The user clicked at this point at that moment and most likely looked there: shifts the map a little, once enough
    /// clicks agree. A click that contradicts the gaze is not believed.
    ///
    /// # Errors
    /// Where the user does not want this, or the gaze was not seen then; a sentence for people.
    pub fn add_click(&mut self, point: ScreenPoint, when: Timestamp) -> Result<(), String> {
        if !self.learns_from_clicks {
            return Err(
                "learning from clicks is off; profile.learn_from_clicks in the configuration turns it on".into(),
            );
        }
        let frames = self.glimpses(when - BEFORE_CLICK, when);
        let seen: Vec<Features> = frames
            .filter_map(|glimpse| glimpse.as_ref().ok().copied())
            .filter(Features::is_finite)
            .collect();
        let mapping = self.pipeline.mapping();
        let click = Click::new(mapping, point, &seen, self.pipeline.setup())?;
        match self.drift.add(click, &mapping.doubts()) {
            Some(shift) => self.pipeline.set_drift(shift),
            None => tracing::debug!(?click, "a click changed nothing"),
        }
        Ok(())
    }

    /// What the frames captured in this time showed, as far as they are remembered.
    pub fn glimpses(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Result<Features, Absence>> {
        let within = move |glimpse: &&Glimpse| (from..=to).contains(&glimpse.captured);
        self.recent.iter().filter(within).map(|glimpse| &glimpse.features)
    }

    /// Makes the pipeline anew where geometry or source want another one.
    fn refresh(&mut self) {
        let setup = self.setup_for(self.profile.as_ref());
        let stills = self.source.as_ref().is_some_and(|source| source.stills);
        let changed = setup != *self.pipeline.setup() || stills != self.stills;
        if changed && let Err(error) = self.rebuild(setup, stills) {
            tracing::error!(
                error = format!("{error:#}"),
                "tracking goes on with the geometry of before"
            );
        }
    }

    fn rebuild(&mut self, setup: Setup, stills: bool) -> anyhow::Result<()> {
        let mapping = match &self.profile {
            Some(profile) => Mapping::Fitted(Box::new(profile.fit(&setup)?)),
            None => Mapping::default(),
        };
        self.pipeline = Pipeline::new(&self.weights, setup, stills, self.method, mapping)
            .context("the nets that worked before do not now")?;
        self.pipeline.set_drift(self.drift.shift());
        self.stills = stills;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::Sample;
    use crate::daemon::tracking::Tracker;
    use crate::geometry::Screen;

    fn monitor(name: &str) -> Output {
        Output {
            name: name.into(),
            position_px: [0, 0],
            size_px: [1920, 1080],
            // Nobody knows.
            size_mm: [0.0, 0.0],
        }
    }

    /// A calibration made before "cam" at a monitor of that name and width.
    fn profile(live: &Live, name: &str, monitor: &str, width_mm: f64) -> Profile {
        let corners = [[0.1, 0.1], [0.9, 0.1], [0.5, 0.5], [0.1, 0.9], [0.9, 0.9]];
        let sample = |[x, y]: [f64; 2]| Sample {
            target: ScreenPoint::new(x, y),
            features: Features::blank(),
        };
        Profile {
            format: Profile::FORMAT,
            name: name.into(),
            weights: live.weights_version().into(),
            date: "2026-01-01T00:00:00Z".into(),
            points: 5,
            accuracy_deg: 1.0,
            precision_deg: 1.0,
            screen: Screen {
                width_mm,
                ..Screen::default()
            },
            camera: "cam".into(),
            monitor: monitor.into(),
            samples: corners.map(sample).to_vec(),
        }
    }

    /// Before the monitor "DP-1", with profiles for it and "DP-2" and an older one that is 400 mm wide, of "DP-3".
    fn live(folder: &std::path::Path) -> Live {
        let profiles = Profiles::in_folder(folder);
        let live = Live::new(Config::default(), &monitor("DP-1"), None, profiles).expect("the nets that are built in");
        for (name, monitor, width_mm) in [("one", "DP-1", 500.0), ("two", "DP-2", 600.0), ("three", "DP-3", 400.0)] {
            let profile = profile(&live, name, monitor, width_mm);
            live.profiles().save(&profile).expect("writes");
        }
        live
    }

    fn open(live: &mut Live) {
        live.source_opened(&SourceInfo {
            name: "cam".into(),
            width_px: 640,
            height_px: 480,
            frame_rate_hz: 30.0,
            stills: false,
            setup: None,
        });
    }

    /// The profile in use, and the width that the screen is taken to have.
    fn in_use(live: &Live) -> (Option<String>, f64) {
        let name = live.shown().map(|shown| shown.profile);
        (name, live.setup().screen.width_mm)
    }

    fn using(name: &str, width_mm: f64) -> (Option<String>, f64) {
        (Some(name.to_owned()), width_mm)
    }

    #[test]
    fn another_monitor_has_another_calibration() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut live = live(folder.path());
        open(&mut live);
        assert_eq!(in_use(&live), using("one", 500.0));
        live.set_monitor(&monitor("DP-2"));
        assert_eq!(in_use(&live), using("two", 600.0));
        live.use_profile("three").expect("it is there");
        live.set_monitor(&monitor("DP-2"));
        assert_eq!(in_use(&live), using("three", 400.0), "somebody wants it here");
        live.set_monitor(&monitor("DP-1"));
        assert_eq!(in_use(&live), using("one", 500.0), "but not there");
    }

    #[test]
    fn a_forgotten_profile_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut live = live(folder.path());
        let unknown_mm = live.setup().screen.width_mm;
        open(&mut live);
        live.use_profile("three").expect("it is there");
        open(&mut live);
        assert_eq!(in_use(&live), using("three", 400.0));
        live.profiles().delete("three").expect("deletes");
        live.forget_profile();
        assert_eq!(in_use(&live), (None, unknown_mm));
        open(&mut live);
        assert_eq!(in_use(&live), using("one", 500.0));
    }

    #[test]
    fn a_screen_measured_for_a_calibration_is_forgotten_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut live = live(folder.path());
        open(&mut live);
        live.try_screen_size(Some([700.0, 400.0]));
        assert_eq!(in_use(&live), using("one", 700.0));
        live.try_screen_size(None);
        assert_eq!(in_use(&live), using("one", 500.0));
        live.try_screen_size(Some([700.0, 400.0]));
        live.keep_screen_size();
        live.try_screen_size(None);
        assert_eq!(in_use(&live), using("one", 700.0));
    }
}
