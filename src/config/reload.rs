//! Which changes of the configuration a running daemon can follow.

use toml::Table;

use super::{CameraConfig, Config, ProfileConfig, ScreenConfig, keys};

/// What a configuration that was read again means for a running daemon.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The old one with all that can change now.
    pub config: Config,
    /// The keys that change now, as `section.key`.
    pub now: Vec<String>,
    /// The keys that were changed too, but are looked at only when the daemon starts.
    pub at_next_start: Vec<String>,
}

impl Config {
    /// What changes where `new` takes this configuration's place. Where the monitors stand and which profile is loaded first is
    /// settled at start: what was measured and calibrated since depends on it.
    pub fn change_to(&self, new: Self) -> Change {
        let config = Self {
            screen: ScreenConfig {
                viewing_distance_mm: new.screen.viewing_distance_mm,
                ..self.screen.clone()
            },
            profile: ProfileConfig {
                name: self.profile.name.clone(),
                ..new.profile.clone()
            },
            ..new.clone()
        };
        Change {
            now: self.differences(&config),
            at_next_start: config.differences(&new),
            config,
        }
    }

    /// The keys whose values differ.
    fn differences(&self, other: &Self) -> Vec<String> {
        // Numbers and texts always have a form in TOML.
        let table = |config: &Self| Table::try_from(config).unwrap_or_default();
        let (before, after) = (table(self), table(other));
        let value = |table: &Table, key: &str| {
            let (section, name) = key.split_once('.')?;
            table.get(section)?.get(name).cloned()
        };
        let mut keys = keys::dotted_keys(&before);
        keys.retain(|key| value(&before, key) != value(&after, key));
        keys
    }
}

impl CameraConfig {
    /// True where the device is used in the same way: what differs, if anything, is its place or its view.
    pub fn opens_like(&self, other: &Self) -> bool {
        let placed = Self {
            field_of_view_deg: self.field_of_view_deg,
            right_of_middle_mm: self.right_of_middle_mm,
            above_screen_mm: self.above_screen_mm,
            tilt_down_deg: self.tilt_down_deg,
            ..other.clone()
        };
        *self == placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(text: &str) -> Change {
        Config::default().change_to(Config::parse(text).expect("valid"))
    }

    #[test]
    fn what_can_change_does_and_the_rest_is_named() {
        let changed = change(
            "[camera]\nname = 'left'\n[screen]\nname = 'DP-2'\nviewing_distance_mm = 700\n[profile]\nname = 'b'\n\
             learn_from_clicks = true\n[clients]\npolicy = 'list'\n[service]\nidle_exit_s = 5",
        );
        assert_eq!(
            changed.now,
            [
                "camera.name",
                "clients.policy",
                "profile.learn_from_clicks",
                "screen.viewing_distance_mm",
                "service.idle_exit_s"
            ]
        );
        assert_eq!(changed.at_next_start, ["profile.name", "screen.name"]);
        assert_eq!(
            (changed.config.camera.name.as_str(), changed.config.screen.name.as_str()),
            ("left", "")
        );
        assert_eq!(changed.config.profile.name, "default");
        assert!(changed.config.profile.learn_from_clicks);
    }

    #[test]
    fn the_same_file_changes_nothing() {
        let same = change("[camera]\nname = ''");
        assert_eq!((same.config, same.now.len()), (Config::default(), 0));
        assert!(same.at_next_start.is_empty());
    }

    #[test]
    fn a_moved_camera_need_not_be_opened_again() {
        let camera = |text: &str| Config::parse(text).expect("valid").camera;
        let usual = CameraConfig::default();
        assert!(camera("[camera]\ntilt_down_deg = 5\nabove_screen_mm = 20").opens_like(&usual));
        assert!(!camera("[camera]\ncapture_delay_ms = 5").opens_like(&usual));
    }

    #[test]
    fn every_key_that_the_example_holds_back_is_held_back() {
        // The words of the example are what people go by.
        let example = include_str!("../../systemd/gazed.example.toml");
        assert!(example.contains("but for the monitors ([screen] without viewing_distance_mm) and profile.name"));
    }
}
