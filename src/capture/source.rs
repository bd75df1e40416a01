//! What `--source` may say, and opening it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::recording::Player;

use super::synthetic::SyntheticSource;
use super::{CaptureError, FrameSource, camera};
use crate::clock::{Clock, MonotonicClock};
use crate::config::CameraConfig;
use crate::synthetic::SyntheticUser;

/// A source of frames as named on the command line: `camera`, `camera:NAME`, `recording:PATH` or
/// `synthetic[:key=value,...]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SourceSpec {
    /// The configured camera, or the first usable one.
    #[default]
    Camera,
    /// A camera by name, stable id, device path or number; `pipewire[:NAME]` and `portal[:NAME]` are cameras behind PipeWire.
    CameraNamed(String),
    /// A folder with a recording.
    Recording(String),
    /// The synthetic user, with its parameters as `key=value,...`.
    Synthetic(String),
}

/// `--source` names no source.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a source: use camera, camera:NAME (see `gazectl cameras`), recording:PATH, or \
     synthetic[:key=value,...]"
)]
pub struct NotASource(String);

impl FromStr for SourceSpec {
    type Err = NotASource;

    fn from_str(text: &str) -> Result<Self, NotASource> {
        let refused = || NotASource(text.to_string());
        match text.split_once(':') {
            None if text == "camera" => Ok(Self::Camera),
            None if text == "synthetic" => Ok(Self::Synthetic(String::new())),
            Some(("camera", name)) if !name.is_empty() => Ok(Self::CameraNamed(name.to_string())),
            Some(("recording", path)) if !path.is_empty() => Ok(Self::Recording(path.to_string())),
            Some(("synthetic", parameters)) => Ok(Self::Synthetic(parameters.to_string())),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Camera => f.write_str("camera"),
            Self::CameraNamed(name) => write!(f, "camera:{name}"),
            Self::Recording(path) => write!(f, "recording:{path}"),
            Self::Synthetic(parameters) if parameters.is_empty() => f.write_str("synthetic"),
            Self::Synthetic(parameters) => write!(f, "synthetic:{parameters}"),
        }
    }
}

/// Opens a source. A camera starts streaming here and stops when the source is dropped.
///
/// # Errors
/// [`CaptureError::Unavailable`] where trying again later may help, [`CaptureError::Unusable`] where it cannot.
pub fn open(spec: &SourceSpec, config: &CameraConfig) -> Result<Box<dyn FrameSource>, CaptureError> {
    match spec {
        SourceSpec::Camera => Ok(Box::new(camera::open(&config.name, config)?)),
        SourceSpec::CameraNamed(name) => Ok(Box::new(camera::open(name, config)?)),
        SourceSpec::Recording(path) => match Player::open(path) {
            Ok(player) => Ok(Box::new(player)),
            Err(error) => Err(CaptureError::Unusable(error.to_string())),
        },
        SourceSpec::Synthetic(parameters) => match parameters.parse() {
            Ok(parameters) => {
                let clock = Arc::new(MonotonicClock);
                let user = Arc::new(SyntheticUser::new(parameters, clock.now()));
                Ok(Box::new(SyntheticSource::open(user, clock)))
            }
            Err(error) => Err(CaptureError::Unusable(error.to_string())),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_form_is_read_and_written_alike() {
        for (text, spec) in [
            ("camera", SourceSpec::Camera),
            (
                "camera:HD Webcam: left",
                SourceSpec::CameraNamed("HD Webcam: left".into()),
            ),
            ("recording:/tmp/a b", SourceSpec::Recording("/tmp/a b".into())),
            ("synthetic", SourceSpec::Synthetic(String::new())),
            ("synthetic:seed=3,fps=60", SourceSpec::Synthetic("seed=3,fps=60".into())),
        ] {
            assert_eq!(text.parse(), Ok(spec.clone()));
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_forms_that_work() {
        for text in [
            "",
            "cam",
            "camera:",
            "recording",
            "recording:",
            "webcam:1",
            "Camera",
            ":",
        ] {
            let error = text.parse::<SourceSpec>().expect_err(text).to_string();
            assert!(error.contains("recording:PATH"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            if let Ok(spec) = text.parse::<SourceSpec>() {
                prop_assert_eq!(spec.to_string().parse::<SourceSpec>(), Ok(spec));
            }
        }
    }
}
