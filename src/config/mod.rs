//! The configuration: one TOML file, in which an unknown key is an error.
//!
//! Every key and its default stands in `systemd/gazed.example.toml`, which a test holds equal to [`Config::default`].

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::calibration::profile::{ProfileError, is_name};
use crate::forecast::Method;
use crate::geometry::{Screen, Setup};
use crate::outputs::Output;

mod keys;
mod reload;

pub use reload::Change;

/// Everything a person can configure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    pub camera: CameraConfig,
    pub screen: ScreenConfig,
    pub forecast: ForecastConfig,
    pub clients: ClientsConfig,
    pub profile: ProfileConfig,
    pub service: ServiceConfig,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CameraConfig {
    /// Part of the camera's name, or its stable id; empty for the best one.
    pub name: String,
    /// 0 where gazed chooses.
    pub width_px: u32,
    /// 0 where gazed chooses.
    pub height_px: u32,
    /// 0 where gazed chooses.
    pub frame_rate_hz: f64,
    /// Four characters such as `MJPG`; empty where gazed chooses.
    pub pixel_format: String,
    /// Horizontal.
    pub field_of_view_deg: f64,
    /// How much later frames are stamped than gazed assumes.
    pub capture_delay_ms: f64,
    /// The camera's place, to the right of the middle of the screen as the user sees it.
    pub right_of_middle_mm: f64,
    /// The camera's place, above the screen's upper edge.
    pub above_screen_mm: f64,
    pub tilt_down_deg: f64,
    /// Tell the camera not to lower its rate in dim light.
    pub keep_frame_rate: bool,
}

impl Default for CameraConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            width_px: 0,
            height_px: 0,
            frame_rate_hz: 0.0,
            pixel_format: String::new(),
            field_of_view_deg: 60.0,
            capture_delay_ms: 0.0,
            right_of_middle_mm: 0.0,
            above_screen_mm: 10.0,
            tilt_down_deg: 0.0,
            keep_frame_rate: true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScreenConfig {
    /// The monitor that camera and calibration belong to; empty for the primary one.
    pub name: String,
    /// Visible width and height; 0 where the monitor says it itself.
    pub size_mm: [f64; 2],
    /// 0 where the monitor says it itself.
    pub size_px: [u32; 2],
    /// From the eyes to the screen, wherever it is not measured.
    pub viewing_distance_mm: f64,
    /// The other monitors, for desktops that cannot be asked; positions are relative to this one's upper left corner.
    pub others: Vec<Output>,
}

impl Default for ScreenConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            others: Vec::new(),
            size_mm: [0.0; 2],
            size_px: [0; 2],
            viewing_distance_mm: Setup::default().viewing_distance_mm,
        }
    }
}

/// Who may read the gaze.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Every program.
    #[default]
    Allow,
    /// The user is asked once a program.
    Ask,
    /// The programs in `allowed`.
    List,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientsConfig {
    pub policy: Policy,
    pub allowed: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileConfig {
    pub name: String,
    /// Clicks that programs tell of with `AddSample` may shift the gaze.
    pub learn_from_clicks: bool,
}

impl Default for ProfileConfig {
    fn default() -> Self {
        Self {
            name: "default".to_string(),
            learn_from_clicks: false,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ForecastConfig {
    pub method: Method,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceConfig {
    /// 0 for never.
    pub idle_exit_s: u32,
    pub pause_when_locked: bool,
}

/// What is wrong with a configuration file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration {file}: {reason}")]
    Read { file: String, reason: std::io::Error },
    #[error("the configuration {file} is not valid: {reason}")]
    Invalid { file: String, reason: String },
}

impl Config {
    /// Reads a file that somebody asked for by name.
    ///
    /// # Errors
    /// Where it is missing, unreadable, or wrong in any key.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let name = file.display().to_string();
        let text = fs::read_to_string(file).map_err(|reason| ConfigError::Read {
            file: name.clone(),
            reason,
        })?;
        Self::parse(&text).map_err(|reason| ConfigError::Invalid { file: name, reason })
    }

    /// Reads the user's own file; one that is not there means the defaults.
    ///
    /// # Errors
    /// Where the file is there, but unreadable or wrong in any key.
    pub fn read_if_present(file: &Path) -> Result<Self, ConfigError> {
        match Self::read(file) {
            Err(ConfigError::Read { reason, .. }) if reason.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            result => result,
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        // Unknown keys come first: a misspelt section would otherwise be passed over in silence.
        let table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
        keys::refuse_unknown(&table)?;
        let config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check()?;
        Ok(config)
    }

    /// Checks that every value lies in its range.
    ///
    /// # Errors
    /// A sentence that names the key, its value and the range.
    pub fn check(&self) -> Result<(), String> {
        let camera = &self.camera;
        let within = |key: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("{key} = {value} is not between {low} and {high}"))
            }
        };
        if (camera.width_px == 0) != (camera.height_px == 0) {
            return Err("camera.width_px and camera.height_px belong together: set both, or neither".to_string());
        }
        within("camera.width_px", f64::from(camera.width_px), 0.0, 8192.0)?;
        within("camera.height_px", f64::from(camera.height_px), 0.0, 8192.0)?;
        within("camera.frame_rate_hz", camera.frame_rate_hz, 0.0, 1000.0)?;
        if !matches!(camera.pixel_format.len(), 0 | 4) || !camera.pixel_format.is_ascii() {
            return Err(format!(
                "camera.pixel_format = \"{}\" is not empty and not four characters such as YUYV or MJPG",
                camera.pixel_format
            ));
        }
        within("camera.field_of_view_deg", camera.field_of_view_deg, 10.0, 170.0)?;
        within("camera.capture_delay_ms", camera.capture_delay_ms, -500.0, 500.0)?;
        within("camera.right_of_middle_mm", camera.right_of_middle_mm, -5000.0, 5000.0)?;
        within("camera.above_screen_mm", camera.above_screen_mm, -5000.0, 5000.0)?;
        within("camera.tilt_down_deg", camera.tilt_down_deg, -80.0, 80.0)?;
        if self.screen.size_mm != [0.0; 2] {
            for side_mm in self.screen.size_mm {
                within("screen.size_mm", side_mm, 30.0, 10_000.0)?;
            }
        }
        if self.screen.size_px != [0; 2] {
            for side_px in self.screen.size_px {
                within("screen.size_px", f64::from(side_px), 16.0, 65_536.0)?;
            }
        }
        within(
            "screen.viewing_distance_mm",
            self.screen.viewing_distance_mm,
            100.0,
            10_000.0,
        )?;
        for other in &self.screen.others {
            let key = format!("screen.others: {:?}: ", other.name);
            for (side_px, side_mm) in other.size_px.into_iter().zip(other.size_mm) {
                within(&format!("{key}size_px"), f64::from(side_px), 16.0, 65_536.0)?;
                within(&format!("{key}size_mm"), side_mm, 30.0, 10_000.0)?;
            }
            for place_px in other.position_px {
                within(&format!("{key}position_px"), f64::from(place_px), -65_536.0, 65_536.0)?;
            }
            let same = |name: &str| name == other.name;
            if other.name.is_empty()
                || same(&self.screen.name)
                || self.screen.others.iter().filter(|o| same(&o.name)).count() > 1
            {
                return Err(format!(
                    "screen.others: the name {:?} is empty or not the only one",
                    other.name
                ));
            }
        }
        let name = &self.profile.name;
        if !is_name(name) {
            return Err(format!(
                "profile.name = \"{name}\": {}",
                ProfileError::BadName(name.clone())
            ));
        }
        Ok(())
    }

    /// The geometry of screen and camera that this configuration describes; what it leaves to the monitor is as that says.
    pub fn setup(&self, monitor: Screen) -> Setup {
        let [width_mm, height_mm] = match self.screen.size_mm {
            [0.0, 0.0] => [monitor.width_mm, monitor.height_mm],
            configured => configured,
        };
        let [width_px, height_px] = match self.screen.size_px {
            [0, 0] => [monitor.width_px, monitor.height_px],
            configured => configured,
        };
        Setup {
            screen: Screen {
                width_mm,
                height_mm,
                width_px,
                height_px,
            },
            camera_x_mm: width_mm / 2.0 + self.camera.right_of_middle_mm,
            camera_y_mm: -self.camera.above_screen_mm,
            camera_tilt_deg: self.camera.tilt_down_deg,
            field_of_view_deg: Some(self.camera.field_of_view_deg),
            viewing_distance_mm: self.screen.viewing_distance_mm,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_shipped_example_is_the_default_and_names_every_key() {
        let example = include_str!("../../systemd/gazed.example.toml");
        assert_eq!(Config::parse(example), Ok(Config::default()));
        let written: toml::Table = toml::from_str(example).expect("TOML");
        let known = toml::Table::try_from(Config::default()).expect("TOML");
        for (section, keys) in &known {
            for key in keys.as_table().expect("sections only").keys() {
                assert!(
                    written[section].get(key).is_some(),
                    "{section}.{key} is missing from the example"
                );
            }
        }
    }

    #[test]
    fn the_default_is_the_default_setup() {
        let usual = Screen::default();
        assert_eq!(Config::default().setup(usual), Setup::default());
        let config = Config::parse("[camera]\nright_of_middle_mm = 20\nabove_screen_mm = -300\n").expect("valid");
        assert_eq!(config.setup(usual).camera_x_mm, 285.5);
        assert_eq!(
            config.setup(usual).camera_y_mm,
            300.0,
            "below the upper edge is positive"
        );
    }

    #[test]
    fn what_is_configured_wins_over_what_the_monitor_says() {
        let monitor = Screen {
            width_mm: 310.0,
            height_mm: 174.0,
            width_px: 2560,
            height_px: 1440,
        };
        assert_eq!(Config::default().setup(monitor).screen, monitor);
        let config = Config::parse("[screen]\nsize_mm = [600, 340]\n").expect("valid");
        let setup = config.setup(monitor);
        assert_eq!(
            (setup.screen.width_mm, setup.screen.width_px, setup.camera_x_mm),
            (600.0, 2560, 300.0)
        );
    }

    #[test]
    fn values_out_of_range_are_named() {
        for (text, key) in [
            ("[camera]\nfield_of_view_deg = 500", "camera.field_of_view_deg = 500"),
            ("[camera]\nfield_of_view_deg = nan", "camera.field_of_view_deg"),
            ("[camera]\ncapture_delay_ms = -9000.0", "camera.capture_delay_ms"),
            ("[camera]\nwidth_px = 640", "belong together"),
            ("[camera]\npixel_format = 'jpeg2'", "camera.pixel_format"),
            ("[screen]\nsize_mm = [0, 299]", "screen.size_mm = 0"),
            ("[screen]\nsize_mm = [531]", "size_mm"),
            ("[[screen.others]]\nname = 'A'", "position_px"),
            (
                "[[screen.others]]\nname = 'A'\nposition_px = [0, 0]\nsize_px = [0, 9]\nsize_mm = [500, 300]",
                "\"A\": size_px = 0",
            ),
            (
                "[[screen.others]]\nname = ''\nposition_px = [0, 0]\nsize_px = [99, 99]\nsize_mm = [500, 300]",
                "name \"\" is empty",
            ),
            ("[clients]\npolicy = 'everyone'", "everyone"),
            ("[profile]\nname = '../../etc'", "profile.name"),
            ("[camera]\nwidth_px = -1\nheight_px = 3", "width_px"),
            ("camera = 3", "camera"),
            ("[camera", "line 1"),
        ] {
            let error = Config::parse(text).expect_err(text);
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn a_missing_file_is_an_error_only_where_it_was_asked_for() {
        let nowhere = Path::new("/nonexistent/config.toml");
        assert!(matches!(Config::read(nowhere), Err(ConfigError::Read { .. })));
        assert_eq!(Config::read_if_present(nowhere).ok(), Some(Config::default()));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(?s)(\\[camera\\]\n)?.{0,120}") {
            let _ = Config::parse(&text);
        }
    }
}
