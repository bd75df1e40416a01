//! `recording.toml`: what is known about a recording besides its frames.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::RecordingError;
use crate::geometry::{Screen, Setup};

/// The facts that gazed knows. Every one is optional, and unknown keys are kept apart in `other`: the file is written by
/// other programs, too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Where the recording comes from, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Every frame stands alone, and nothing may be smoothed over time.
    pub stills: bool,
    /// Width and height of the screen that targets refer to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screen_px: Option<[u32; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screen_mm: Option<[f64; 2]>,
    /// Stands in for `screen_mm` where nobody measured it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screen_mm_assumed: Option<[f64; 2]>,
    /// Distance from the eyes to the screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub viewing_distance_mm: Option<f64>,
    /// Stands in for `viewing_distance_mm` where nobody measured it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub viewing_distance_mm_assumed: Option<f64>,
    /// The camera's place: mm right of the screen's left edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_x_mm: Option<f64>,
    /// The camera's place: mm below the screen's top edge, negative above it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_y_mm: Option<f64>,
    /// How far the camera's axis is tilted down from the screen's normal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_tilt_deg: Option<f64>,
    /// Horizontal field of view of the pictures; left out where they are cut out of larger ones or the camera is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_of_view_deg: Option<f64>,
    #[serde(flatten)]
    pub other: toml::Table,
}

impl Facts {
    /// Reads the file; a file that is not there gives no facts.
    pub(super) fn read(file: &Path) -> Result<Self, RecordingError> {
        let fault = |reason: String| RecordingError::Facts {
            file: file.to_path_buf(),
            reason,
        };
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(fault(format!("cannot be read: {error}"))),
        };
        Self::parse(&text).map_err(fault)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let facts: Self = toml::from_str(text).map_err(|error| format!("not readable as TOML facts: {error}"))?;
        facts.check()?;
        Ok(facts)
    }

    fn check(&self) -> Result<(), String> {
        let within = |key: &str, value: Option<f64>, low: f64, high: f64| match value {
            Some(value) if !(low..=high).contains(&value) => Err(format!(
                "{key} = {value} is not between {low} and {high}; correct or remove it"
            )),
            _ => Ok(()),
        };
        if let Some([width, height]) = self.screen_px {
            within("screen_px", Some(f64::from(width.min(height))), 1.0, 100_000.0)?;
            within("screen_px", Some(f64::from(width.max(height))), 1.0, 100_000.0)?;
        }
        for (key, value) in [
            ("screen_mm", self.screen_mm),
            ("screen_mm_assumed", self.screen_mm_assumed),
        ] {
            for side in value.into_iter().flatten() {
                within(key, Some(side), 10.0, 20_000.0)?;
            }
        }
        within("viewing_distance_mm", self.viewing_distance_mm, 50.0, 20_000.0)?;
        within(
            "viewing_distance_mm_assumed",
            self.viewing_distance_mm_assumed,
            50.0,
            20_000.0,
        )?;
        within("camera_x_mm", self.camera_x_mm, -20_000.0, 20_000.0)?;
        within("camera_y_mm", self.camera_y_mm, -20_000.0, 20_000.0)?;
        within("camera_tilt_deg", self.camera_tilt_deg, -90.0, 90.0)?;
        within("field_of_view_deg", self.field_of_view_deg, 1.0, 170.0)
    }

    /// The facts of a known setup, as a recording made with it should carry them.
    pub fn of_setup(setup: &Setup) -> Self {
        Self {
            screen_px: Some([setup.screen.width_px, setup.screen.height_px]),
            screen_mm: Some([setup.screen.width_mm, setup.screen.height_mm]),
            viewing_distance_mm: Some(setup.viewing_distance_mm),
            camera_x_mm: Some(setup.camera_x_mm),
            camera_y_mm: Some(setup.camera_y_mm),
            camera_tilt_deg: Some(setup.camera_tilt_deg),
            field_of_view_deg: setup.field_of_view_deg,
            ..Self::default()
        }
    }

    /// Screen and camera geometry; `None` where the file says nothing about it. What it leaves out is as in
    /// [`Setup::default`], but for the field of view, which is then unknown.
    pub fn setup(&self) -> Option<Setup> {
        let screen_mm = self.screen_mm.or(self.screen_mm_assumed);
        let distance_mm = self.viewing_distance_mm.or(self.viewing_distance_mm_assumed);
        if self.screen_px.is_none() && screen_mm.is_none() && distance_mm.is_none() && self.field_of_view_deg.is_none()
        {
            return None;
        }
        let usual = Setup::default();
        let [width_mm, height_mm] = screen_mm.unwrap_or([usual.screen.width_mm, usual.screen.height_mm]);
        let [width_px, height_px] = self
            .screen_px
            .unwrap_or([usual.screen.width_px, usual.screen.height_px]);
        Some(Setup {
            screen: Screen {
                width_mm,
                height_mm,
                width_px,
                height_px,
            },
            camera_x_mm: self.camera_x_mm.unwrap_or(width_mm / 2.0),
            camera_y_mm: self.camera_y_mm.unwrap_or(usual.camera_y_mm),
            camera_tilt_deg: self.camera_tilt_deg.unwrap_or(usual.camera_tilt_deg),
            field_of_view_deg: self.field_of_view_deg,
            viewing_distance_mm: distance_mm.unwrap_or(usual.viewing_distance_mm),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assumed_facts_stand_in_for_measured_ones_and_unknown_keys_are_kept() {
        let facts = Facts::parse(
            "source = 'somewhere'\nscreen_px = [1920, 1080]\nscreen_mm_assumed = [531, 299]\n\
             viewing_distance_mm_assumed = 650\nfps_assumed = 30\nstills = true\n",
        )
        .expect("well formed");
        assert!(facts.stills);
        assert_eq!(
            facts.other.get("fps_assumed").and_then(toml::Value::as_integer),
            Some(30)
        );
        let setup = facts.setup().expect("a screen");
        assert_eq!((setup.screen.width_mm, setup.viewing_distance_mm), (531.0, 650.0));
        assert_eq!((setup.camera_x_mm, setup.field_of_view_deg), (265.5, None));
        let measured = Facts {
            screen_mm: Some([600.0, 340.0]),
            ..facts
        };
        assert_eq!(measured.setup().map(|setup| setup.screen.width_mm), Some(600.0));
        assert_eq!(Facts::default().setup(), None);
    }

    #[test]
    fn a_setup_survives_being_written_and_read() {
        let setup = Setup {
            camera_tilt_deg: 4.5,
            viewing_distance_mm: 712.0,
            ..Setup::default()
        };
        let text = toml::to_string(&Facts::of_setup(&setup)).expect("serialises");
        assert_eq!(Facts::parse(&text).expect("reads").setup(), Some(setup));
    }

    #[test]
    fn impossible_facts_are_named() {
        for (text, key) in [
            ("screen_px = [0, 1080]", "screen_px"),
            ("screen_mm = [-5, 300]", "screen_mm"),
            ("viewing_distance_mm = nan", "viewing_distance_mm"),
            ("field_of_view_deg = 200", "field_of_view_deg"),
            ("screen_px = 'wide'", "screen_px"),
        ] {
            let error = Facts::parse(text).expect_err(text);
            assert!(error.contains(key), "{error}");
        }
    }
}
