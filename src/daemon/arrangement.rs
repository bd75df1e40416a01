//! Where the user sits: at which monitor, how large it is, before which camera; and which calibration goes with that.

use crate::calibration::profile::Profile;
use crate::config::Config;
use crate::edid::Connected;
use crate::geometry::{Screen, Setup};
use crate::outputs::Output;

/// The screen that is tracked, as far as anybody knows it.
#[derive(Clone, Debug)]
pub struct Desk {
    config: Config,
    monitor: Output,
    /// What tells this monitor from others.
    id: String,
    /// A person measured it.
    told_mm: Option<[f64; 2]>,
    /// A person measured it for the calibration that is being made.
    tried_mm: Option<[f64; 2]>,
}

impl Desk {
    pub fn new(config: Config, monitor: &Output, plugged_in: &[Connected]) -> Self {
        let mut desk = Self {
            config,
            monitor: monitor.clone(),
            id: String::new(),
            told_mm: None,
            tried_mm: None,
        };
        desk.set_monitor(monitor, plugged_in);
        desk
    }

    /// What is configured of camera and screen has changed.
    pub fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    /// Another monitor is tracked, or more is known of it; what a person said of another one does not hold for it.
    pub fn set_monitor(&mut self, monitor: &Output, plugged_in: &[Connected]) {
        let known = plugged_in.iter().find(|known| known.is_called(&monitor.name));
        let id = known.map_or_else(|| monitor.name.clone(), |known| known.edid.id());
        if id != self.id {
            (self.told_mm, self.tried_mm) = (None, None);
        }
        self.id = id;
        self.monitor = monitor.clone();
    }

    /// Width and height of the visible area, as a person measured them for a calibration; `None` once that has ended. They
    /// hold on where they were kept before.
    pub fn try_size(&mut self, size_mm: Option<[f64; 2]>) {
        self.tried_mm = size_mm;
    }

    pub fn keep_size(&mut self) {
        self.told_mm = self.tried_mm.or(self.told_mm);
    }

    /// The geometry of screen and camera. Where neither configuration nor monitor nor person says how large the screen is,
    /// it is taken to be as it was for the calibration in use.
    pub fn setup(&self, calibrated: Option<&Screen>) -> Setup {
        let is_known = self.monitor.size_mm.iter().all(|side_mm| *side_mm > 0.0);
        let mut screen = self.monitor.screen();
        let told = match calibrated {
            Some(screen) if !is_known => Some([screen.width_mm, screen.height_mm]),
            _ => None,
        };
        if let Some([width_mm, height_mm]) = self.tried_mm.or(self.told_mm).or(told) {
            screen = Screen {
                width_mm,
                height_mm,
                ..screen
            };
        }
        self.config.setup(screen)
    }

    /// Where somebody before this camera sits.
    pub fn place(&self, camera: &str) -> Place {
        Place {
            camera: camera.to_owned(),
            monitor: self.id.clone(),
        }
    }
}

/// Camera and monitor, which together decide what a calibration is good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub camera: String,
    pub monitor: String,
}

impl Place {
    /// A calibration that does not say where it belongs may be used anywhere.
    fn suits(&self, profile: &Profile) -> bool {
        profile.camera.is_empty() || self.is_of(profile)
    }

    fn is_of(&self, profile: &Profile) -> bool {
        profile.camera == self.camera && profile.monitor == self.monitor
    }

    /// The calibration to change to: none while the one in use suits, else the newest that was made here.
    pub fn choose(&self, in_use: Option<&Profile>, stored: impl Iterator<Item = Profile>) -> Option<Profile> {
        if in_use.is_some_and(|profile| self.suits(profile)) {
            return None;
        }
        // Dates in RFC 3339, all in UTC, have the order of their letters.
        stored
            .filter(|profile| self.is_of(profile))
            .max_by(|a, b| a.date.cmp(&b.date))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(name: &str, size_mm: [f64; 2]) -> Output {
        Output {
            name: name.to_owned(),
            position_px: [0, 0],
            size_px: [1920, 1080],
            size_mm,
        }
    }

    fn profile(name: &str, camera: &str, monitor: &str, date: &str) -> Profile {
        Profile {
            format: Profile::FORMAT,
            name: name.into(),
            weights: String::new(),
            date: date.into(),
            points: 9,
            accuracy_deg: 1.0,
            precision_deg: 1.0,
            screen: Screen::default(),
            camera: camera.into(),
            monitor: monitor.into(),
            samples: Vec::new(),
        }
    }

    #[test]
    fn who_knows_the_screens_size_best_is_believed() {
        let calibrated = Screen {
            width_mm: 400.0,
            height_mm: 225.0,
            ..Screen::default()
        };
        let width = |desk: &Desk| desk.setup(Some(&calibrated)).screen.width_mm;
        let mut desk = Desk::new(Config::default(), &output("DP-1", [310.0, 174.0]), &[]);
        assert_eq!(width(&desk), 310.0, "the monitor itself, not the calibration");
        desk.set_monitor(&output("DP-2", [0.0, 0.0]), &[]);
        assert_eq!(width(&desk), 400.0, "the calibration, for want of better");
        assert_eq!(desk.setup(None).screen.width_mm, 531.0, "the usual one");
        desk.try_size(Some([700.0, 400.0]));
        assert_eq!(width(&desk), 700.0, "a person");
        desk.try_size(None);
        assert_eq!(width(&desk), 400.0, "who gave up");
        desk.try_size(Some([600.0, 340.0]));
        desk.keep_size();
        desk.try_size(None);
        assert_eq!(width(&desk), 600.0, "it was kept");
        assert_eq!(desk.setup(None).camera_x_mm, 300.0, "the camera stays above the middle");
        desk.set_monitor(&output("DP-2", [0.0, 0.0]), &[]);
        assert_eq!(width(&desk), 600.0, "it is still the same monitor");
        desk.set_monitor(&output("DP-3", [0.0, 0.0]), &[]);
        assert_eq!(width(&desk), 400.0);
    }

    #[test]
    fn the_newest_calibration_made_here_is_chosen_and_one_that_suits_is_kept() {
        let here = Place {
            camera: "cam".into(),
            monitor: "DEL-1".into(),
        };
        let stored = || {
            [
                profile("old", "cam", "DEL-1", "2026-01-01T00:00:00Z"),
                profile("new", "cam", "DEL-1", "2026-02-01T00:00:00Z"),
                profile("other monitor", "cam", "DEL-2", "2026-03-01T00:00:00Z"),
                profile("other camera", "laptop", "DEL-1", "2026-03-01T00:00:00Z"),
                profile("anywhere", "", "", "2026-04-01T00:00:00Z"),
            ]
        };
        let chosen = |in_use: Option<&Profile>| here.choose(in_use, stored().into_iter()).map(|profile| profile.name);
        assert_eq!(chosen(None).as_deref(), Some("new"));
        assert_eq!(chosen(Some(&stored()[2])).as_deref(), Some("new"));
        assert_eq!(chosen(Some(&stored()[0])), None, "it suits");
        assert_eq!(chosen(Some(&stored()[4])), None, "it does not say that it does not");
    }
}
