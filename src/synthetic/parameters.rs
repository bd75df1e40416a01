//! What can be asked of the synthetic user and its camera: `key=value,...`, everything else drawn from the seed.

use std::fmt::Write as _;
use std::str::FromStr;

use crate::geometry::{Screen, Setup};

use super::random::{Draws, Purpose};

/// What the user does with the eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Looks around freely: fixations and saccades, now and then something moving is followed.
    Free,
    /// Looks at one random point after the other, about two seconds each.
    Fixate,
    /// Follows a point that moves smoothly over the screen.
    Pursuit,
}

/// The colour of the iris.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EyeColour {
    Dark,
    Brown,
    Hazel,
    Green,
    Blue,
    Gray,
}

/// Everything that makes one synthetic user, desk and camera. Angles are in camera space with the signs of
/// [`crate::geometry`].
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    pub seed: u64,
    pub frame_rate_hz: f64,
    pub width_px: u32,
    pub height_px: u32,
    pub field_of_view_deg: f64,
    pub camera_tilt_deg: f64,
    /// Distance from the camera to the point between the eyes, on average.
    pub distance_mm: f64,
    /// Mean place of the point between the eyes, right and down in the picture from the camera's axis.
    pub head_x_mm: f64,
    pub head_y_mm: f64,
    /// RMS of the head's sway along each of picture-right and away; down it is 0.6 of that.
    pub head_sway_mm: f64,
    /// Speed at which the head sinks, as of somebody who slides down in the chair; from the user's epoch on.
    pub slide_mm_per_minute: f64,
    pub head_yaw_deg: f64,
    pub head_pitch_deg: f64,
    pub head_roll_deg: f64,
    /// Part of a gaze shift that the head turns along.
    pub head_follow: f64,
    /// Brightness of the room: 1 is a well lit office.
    pub light: f64,
    /// Where the key light comes from: positive from the picture's right.
    pub light_azimuth_deg: f64,
    /// Positive from above.
    pub light_elevation_deg: f64,
    /// SD of the sensor's noise at full light, in 1/255 of white.
    pub noise: f64,
    pub jpeg_quality: u8,
    pub exposure_ms: f64,
    pub readout_ms: f64,
    /// Fitzpatrick's skin type, 1 (very light) to 6 (very dark), in-between values allowed.
    pub skin: f64,
    pub eye_colour: EyeColour,
    pub glasses: bool,
    /// Diameter of the pupil.
    pub pupil_mm: f64,
    /// Height of the lid opening when looking straight ahead.
    pub eye_opening_mm: f64,
    pub blinks_per_minute: f64,
    /// Scale of tremor, drift and micro-saccades; 1 is natural.
    pub fixational: f64,
    pub present: bool,
    pub behaviour: Behaviour,
}

/// The text after `synthetic:` cannot be understood; the message lists what can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    #[error("the synthetic user has no parameter `{key}`; it knows {}", known_keys())]
    UnknownKey { key: String },
    #[error("`{pair}` is not of the form key=value; the synthetic user knows {}", known_keys())]
    NotAPair { pair: String },
    #[error("`{value}` is no value for the synthetic user's `{key}`: it must be {wanted}")]
    BadValue {
        key: &'static str,
        value: String,
        wanted: String,
    },
    #[error(
        "an exposure of {exposure_ms} ms does not fit into a frame at {frame_rate_hz} frames a second; lower `exposure_ms` or `fps`"
    )]
    ExposureTooLong { exposure_ms: String, frame_rate_hz: String },
    #[error("`{key}` is given twice")]
    Twice { key: &'static str },
}

enum Kind {
    Seed(fn(&mut Parameters) -> &mut u64),
    Whole(u32, u32, fn(&mut Parameters, u32)),
    Number(f64, f64, fn(&mut Parameters) -> &mut f64),
    Word(&'static [&'static str], fn(&mut Parameters, usize)),
}

struct Key {
    name: &'static str,
    kind: Kind,
    default: &'static str,
    what: &'static str,
}

const fn key(name: &'static str, kind: Kind, default: &'static str, what: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        what,
    }
}

const EYE_COLOURS: [EyeColour; 6] = [
    EyeColour::Dark,
    EyeColour::Brown,
    EyeColour::Hazel,
    EyeColour::Green,
    EyeColour::Blue,
    EyeColour::Gray,
];

const DRAWN: &str = "from the seed";

#[rustfmt::skip]
const KEYS: &[Key] = &[
    key("seed", Kind::Seed(|p| &mut p.seed), "0", "the person, the room and every movement"),
    key("fps", Kind::Number(1.0, 240.0, |p| &mut p.frame_rate_hz), "30", "frames a second"),
    key("width", Kind::Whole(64, 3840, |p, v| p.width_px = v), "640", "picture width in px"),
    key("height", Kind::Whole(48, 2160, |p, v| p.height_px = v), "480", "picture height in px"),
    key("field_of_view_deg", Kind::Number(20.0, 120.0, |p| &mut p.field_of_view_deg), "60", "horizontal field of view"),
    key("camera_tilt_deg", Kind::Number(-40.0, 40.0, |p| &mut p.camera_tilt_deg), DRAWN, "camera tilted down"),
    key("distance_mm", Kind::Number(150.0, 3000.0, |p| &mut p.distance_mm), "600", "camera to face, along its axis"),
    key("head_x_mm", Kind::Number(-1000.0, 1000.0, |p| &mut p.head_x_mm), DRAWN, "head right of the camera's axis in the picture"),
    key("head_y_mm", Kind::Number(-1000.0, 1000.0, |p| &mut p.head_y_mm), DRAWN, "head below the camera's axis"),
    key("head_sway_mm", Kind::Number(0.0, 60.0, |p| &mut p.head_sway_mm), DRAWN, "RMS sway sideways and in depth"),
    key("slide_mm_per_minute", Kind::Number(-100.0, 100.0, |p| &mut p.slide_mm_per_minute), "0", "how fast the head sinks"),
    key("head_yaw_deg", Kind::Number(-60.0, 60.0, |p| &mut p.head_yaw_deg), DRAWN, "mean turn towards the picture's right"),
    key("head_pitch_deg", Kind::Number(-45.0, 45.0, |p| &mut p.head_pitch_deg), DRAWN, "mean turn up"),
    key("head_roll_deg", Kind::Number(-45.0, 45.0, |p| &mut p.head_roll_deg), DRAWN, "mean tilt clockwise in the picture"),
    key("head_follow", Kind::Number(0.0, 0.8, |p| &mut p.head_follow), DRAWN, "part of a gaze shift made by the head"),
    key("light", Kind::Number(0.02, 3.0, |p| &mut p.light), DRAWN, "brightness of the room, 1 = a well lit office"),
    key("light_azimuth_deg", Kind::Number(-180.0, 180.0, |p| &mut p.light_azimuth_deg), DRAWN, "key light from the picture's right"),
    key("light_elevation_deg", Kind::Number(-60.0, 89.0, |p| &mut p.light_elevation_deg), DRAWN, "key light from above"),
    key("noise", Kind::Number(0.0, 40.0, |p| &mut p.noise), DRAWN, "SD of the sensor noise in 1/255, grows in the dark"),
    key("jpeg", Kind::Whole(10, 100, |p, v| p.jpeg_quality = v as u8), DRAWN, "JPEG quality"),
    key("exposure_ms", Kind::Number(0.1, 500.0, |p| &mut p.exposure_ms), DRAWN, "exposure time, at most one frame"),
    key("readout_ms", Kind::Number(0.0, 200.0, |p| &mut p.readout_ms), "5", "from mid exposure to the frame's arrival"),
    key("skin", Kind::Number(1.0, 6.0, |p| &mut p.skin), DRAWN, "Fitzpatrick's skin type, 1 very light, 6 very dark"),
    key("eye_colour", Kind::Word(&["dark", "brown", "hazel", "green", "blue", "gray"], |p, i| p.eye_colour = EYE_COLOURS[i]), DRAWN, "iris"),
    key("glasses", Kind::Word(&["no", "yes"], |p, i| p.glasses = i == 1), DRAWN, "wears glasses"),
    key("pupil_mm", Kind::Number(1.5, 8.0, |p| &mut p.pupil_mm), DRAWN, "pupil diameter"),
    key("eye_opening_mm", Kind::Number(5.0, 14.0, |p| &mut p.eye_opening_mm), DRAWN, "height of the lid opening"),
    key("blink_rate", Kind::Number(0.0, 60.0, |p| &mut p.blinks_per_minute), DRAWN, "blinks a minute"),
    key("fixational", Kind::Number(0.0, 5.0, |p| &mut p.fixational), "1", "scale of tremor, drift and micro-saccades"),
    key("user", Kind::Word(&["absent", "present"], |p, i| p.present = i == 1), "present", "absent: the room without the person"),
    key("behaviour", Kind::Word(&["free", "fixate", "pursuit"], |p, i| {
        p.behaviour = [Behaviour::Free, Behaviour::Fixate, Behaviour::Pursuit][i];
    }), "free", "what the eyes do"),
];

fn known_keys() -> String {
    KEYS.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
}

impl Kind {
    fn wanted(&self) -> String {
        match self {
            Self::Seed(_) => "a whole number from 0".into(),
            Self::Whole(low, high, _) => format!("a whole number {low}..{high}"),
            Self::Number(low, high, _) => format!("a number {low}..{high}"),
            Self::Word(words, _) => words.join("|"),
        }
    }

    /// False where `value` is not of this kind.
    fn apply(&self, parameters: &mut Parameters, value: &str) -> bool {
        match self {
            Self::Seed(place) => match value.parse() {
                Ok(seed) => *place(parameters) = seed,
                Err(_) => return false,
            },
            Self::Whole(low, high, set) => match value.parse() {
                Ok(number) if (*low..=*high).contains(&number) => set(parameters, number),
                _ => return false,
            },
            Self::Number(low, high, place) => match value.parse::<f64>() {
                Ok(number) if (*low..=*high).contains(&number) => *place(parameters) = number,
                _ => return false,
            },
            Self::Word(words, set) => match words.iter().position(|word| *word == value) {
                Some(index) => set(parameters, index),
                None => return false,
            },
        }
        true
    }
}

impl Parameters {
    /// The person, room and camera that `seed` stands for.
    pub fn drawn(seed: u64) -> Self {
        let mut draws = Draws::new(seed, Purpose::Parameters, 0);
        let light = draws.between(0.4, 1.2);
        let side = if draws.chance(0.5) { 1.0 } else { -1.0 };
        Self {
            seed,
            frame_rate_hz: 30.0,
            width_px: 640,
            height_px: 480,
            field_of_view_deg: 60.0,
            camera_tilt_deg: draws.between(4.0, 11.0),
            distance_mm: 600.0,
            head_x_mm: draws.between(-35.0, 35.0),
            head_y_mm: draws.between(-10.0, 30.0),
            head_sway_mm: draws.between(5.5, 8.0),
            slide_mm_per_minute: 0.0,
            head_yaw_deg: draws.between(-6.0, 6.0),
            head_pitch_deg: draws.between(-13.0, -2.0),
            head_roll_deg: draws.between(-4.0, 4.0),
            head_follow: draws.between(0.1, 0.3),
            light,
            light_azimuth_deg: side * draws.between(5.0, 60.0),
            light_elevation_deg: draws.between(10.0, 55.0),
            noise: draws.between(2.0, 3.5),
            jpeg_quality: draws.between(70.0, 86.0) as u8,
            exposure_ms: draws.between(6.0, 10.0) / light.sqrt(),
            readout_ms: 5.0,
            skin: draws.between(1.0, 6.0),
            eye_colour: draws.pick(&EYE_COLOURS),
            glasses: draws.chance(0.3),
            pupil_mm: draws.between(3.2, 4.6) - 0.8 * (light - 0.8),
            eye_opening_mm: draws.between(9.3, 11.6),
            blinks_per_minute: draws.between(9.0, 22.0),
            fixational: 1.0,
            present: true,
            behaviour: Behaviour::Free,
        }
    }

    /// Screen and camera as they stand to each other.
    pub fn setup(&self) -> Setup {
        let screen = Screen::default();
        Setup {
            screen,
            camera_x_mm: screen.width_mm / 2.0,
            camera_y_mm: -10.0,
            camera_tilt_deg: self.camera_tilt_deg,
            field_of_view_deg: Some(self.field_of_view_deg),
            viewing_distance_mm: self.distance_mm,
        }
    }

    /// Focal length in pixels of the picture (pinhole camera).
    pub fn focal_px(&self) -> f64 {
        f64::from(self.width_px) / (2.0 * (self.field_of_view_deg.to_radians() / 2.0).tan())
    }

    /// For `--help`: one line a parameter, with range, default and meaning.
    pub fn help() -> String {
        let mut text = String::from("Parameters of the synthetic user (`synthetic:key=value,...`):\n");
        for key in KEYS {
            // Writing into a String cannot fail.
            let _ = writeln!(
                text,
                "  {:<20} {} [{}; default {}]",
                key.name,
                key.what,
                key.kind.wanted(),
                key.default
            );
        }
        text
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Self::drawn(0)
    }
}

impl FromStr for Parameters {
    type Err = ParametersError;

    /// Parses `key=value,...`, in any order; an empty text means every default.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut pairs: Vec<(&Key, &str)> = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(ParametersError::NotAPair { pair: pair.into() });
            };
            let Some(key) = KEYS.iter().find(|key| key.name == name.trim()) else {
                return Err(ParametersError::UnknownKey {
                    key: name.trim().into(),
                });
            };
            if pairs.iter().any(|(known, _)| known.name == key.name) {
                return Err(ParametersError::Twice { key: key.name });
            }
            pairs.push((key, value.trim()));
        }
        // The seed decides the defaults, so it is read before everything else.
        pairs.sort_by_key(|(key, _)| !matches!(key.kind, Kind::Seed(_)));
        let mut parameters = Self::drawn(0);
        for (key, value) in &pairs {
            if !key.kind.apply(&mut parameters, value) {
                return Err(ParametersError::BadValue {
                    key: key.name,
                    value: (*value).into(),
                    wanted: key.kind.wanted(),
                });
            }
            if matches!(key.kind, Kind::Seed(_)) {
                parameters = Self::drawn(parameters.seed);
            }
        }
        let period_ms = 1000.0 / parameters.frame_rate_hz;
        if parameters.exposure_ms > period_ms {
            if pairs.iter().any(|(key, _)| key.name == "exposure_ms") {
                return Err(ParametersError::ExposureTooLong {
                    exposure_ms: parameters.exposure_ms.to_string(),
                    frame_rate_hz: parameters.frame_rate_hz.to_string(),
                });
            }
            parameters.exposure_ms = period_ms;
        }
        Ok(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_given_means_the_drawn_person_of_seed_zero() {
        assert_eq!("".parse::<Parameters>(), Ok(Parameters::drawn(0)));
        assert_eq!("seed=9".parse::<Parameters>(), Ok(Parameters::drawn(9)));
    }

    #[test]
    fn given_values_win_whatever_the_order() {
        let parameters: Parameters = "glasses=yes, fps=60,seed=4,behaviour=pursuit"
            .parse()
            .expect("all keys are known");
        assert!(parameters.glasses);
        assert_eq!(parameters.frame_rate_hz, 60.0);
        assert_eq!(parameters.skin, Parameters::drawn(4).skin);
        assert_eq!(parameters.behaviour, Behaviour::Pursuit);
    }

    #[test]
    fn no_seed_is_an_easy_person() {
        for seed in 0..200 {
            let drawn = Parameters::drawn(seed);
            assert!(drawn.noise >= 2.0 && drawn.jpeg_quality <= 85 && drawn.jpeg_quality >= 70);
            assert!(drawn.head_sway_mm >= 5.0 && drawn.fixational == 1.0 && drawn.present);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str| text.parse::<Parameters>().expect_err("a mistake").to_string();
        assert!(message("sed=1").contains("no parameter `sed`") && message("sed=1").contains("blink_rate"));
        assert!(message("fps=0").contains("1..240"));
        assert!(message("fps=NaN").contains("1..240"));
        assert!(message("seed").contains("key=value"));
        assert!(message("seed=-1").contains("whole number"));
        assert!(message("glasses=maybe").contains("no|yes"));
        assert!(message("fps=100,exposure_ms=20").contains("does not fit"));
        assert!(message("fps=10,fps=20").contains("twice"));
    }

    #[test]
    fn a_high_rate_shortens_the_drawn_exposure() {
        let parameters: Parameters = "fps=200".parse().expect("fps is known");
        assert!(parameters.exposure_ms <= 5.0);
    }

    #[test]
    fn help_names_every_key() {
        let help = Parameters::help();
        assert!(KEYS.iter().all(|key| help.contains(key.name)));
    }
}
