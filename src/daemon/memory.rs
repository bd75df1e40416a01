//! What the daemon remembers over a restart: the privacy switch, and the profile in use.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::disk::replace_file;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    pub paused: bool,
    /// The profile last chosen; `None` where none ever was.
    pub profile: Option<String>,
    /// Executables that the user allowed to read the gaze when asked.
    pub allowed: BTreeSet<PathBuf>,
}

/// The file `state.toml` in the folder for state.
#[derive(Clone, Debug)]
pub struct Memory {
    file: PathBuf,
}

impl Memory {
    pub fn new(folder: &std::path::Path) -> Self {
        Self {
            file: folder.join("state.toml"),
        }
    }

    /// What was remembered; nothing where there is no file.
    ///
    /// A file that cannot be understood counts as paused: a broken file must not open a camera that the user had closed.
    pub fn recall(&self) -> Remembered {
        let paused = Remembered {
            paused: true,
            ..Remembered::default()
        };
        let text = match std::fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Remembered::default(),
            Err(error) => {
                tracing::warn!(file = %self.file.display(), %error, "cannot read what was remembered; staying paused");
                return paused;
            }
        };
        toml::from_str(&text).unwrap_or_else(|error| {
            tracing::warn!(file = %self.file.display(), %error, "what was remembered is damaged; staying paused");
            paused
        })
    }

    /// Writes all of it, or leaves the old file as it was.
    pub fn remember(&self, remembered: &Remembered) -> anyhow::Result<()> {
        let text = toml::to_string(remembered).context("cannot write down what to remember")?;
        replace_file(&self.file, text.as_bytes()).with_context(|| format!("cannot write {}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_recalled() {
        let folder = tempfile::tempdir().expect("a folder");
        let memory = Memory::new(folder.path());
        assert_eq!(memory.recall(), Remembered::default());
        let remembered = Remembered {
            paused: true,
            profile: Some("desk".into()),
            allowed: BTreeSet::from(["/usr/bin/game".into()]),
        };
        memory.remember(&remembered).expect("writes");
        assert_eq!(memory.recall(), remembered);
    }

    #[test]
    fn a_damaged_file_keeps_the_camera_closed() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("state.toml"), "paused = maybe").expect("writes");
        assert!(Memory::new(folder.path()).recall().paused);
    }
}
