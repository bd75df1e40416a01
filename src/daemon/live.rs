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
    /// A person chose the profile in use for this camera, or, where it is empty, for the next one that opens.
    pinned_for: Option<String>,
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
        self.pinned_for = Some(self.camera().to_owned());
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

    /// How large the screen is, as a person measured it.
    pub fn tell_screen_size(&mut self, size_mm: [f64; 2]) {
        self.desk.tell_size(size_mm);
        self.refresh();
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

    /// Changes to the calibration that was made before this camera, if there is one and nobody chose another.
    fn choose_profile(&mut self) {
        let camera = self.camera().to_owned();
        if self
            .pinned_for
            .as_ref()
            .is_some_and(|chosen| chosen.is_empty() || *chosen == camera)
        {
            self.pinned_for = Some(camera);
            return;
        }
        let place = self.desk.place(&camera);
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
                    camera,
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
