//! A person's calibration on disk: the samples it was made from, in a file that a person can read.
//!
//! The fit itself is not stored: it is made again from the samples when a profile is loaded, which takes milliseconds. What
//! the features mean depends on the nets, so a profile is bound to the version of their weights.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Fit, FitError, Sample};
use crate::disk::replace_file;
use crate::geometry::{Screen, Setup};

/// The version of the file's layout that this program writes.
const FORMAT: u32 = 1;
const EXTENSION: &str = "toml";

/// Why a profile cannot be used. Nothing on disk is touched by any of them.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error(
        "'{0}' cannot name a profile: use letters, digits, '-', '_', '.' and spaces, at most 64 of them, a letter or digit first"
    )]
    BadName(String),
    #[error("there is no profile '{name}' in {}; `gazectl profiles` lists those there are, `gazectl calibrate` makes one", folder.display())]
    NotFound { name: String, folder: PathBuf },
    #[error("the profile {} is damaged ({reason}); delete it with `gazectl profiles delete` and calibrate again", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("the profile {} is of file format {found}, this version reads {FORMAT}; calibrate again", path.display())]
    Format { path: PathBuf, found: u32 },
    #[error(
        "the profile '{name}' was made with other nets (weights {found}, now {expected}); run `gazectl calibrate --profile {name}` again"
    )]
    OtherWeights {
        name: String,
        found: String,
        expected: String,
    },
    #[error("the profile '{name}' gives no calibration: {source}")]
    Unfit { name: String, source: FitError },
    #[error("cannot write the profile {}: {source}; the old one, if any, is unchanged", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
}

/// What is known about a person's calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    pub format: u32,
    pub name: String,
    /// The version of what the features and their correction come from: [`crate::nets::Weights::version`].
    pub weights: String,
    /// Wall-clock date, RFC 3339, for people only.
    pub date: String,
    /// How many points were looked at.
    pub points: u32,
    /// The error to be expected between the points, in degrees: [`super::gathering::Gathering::fit`] says how it is told.
    pub accuracy_deg: f64,
    /// RMS difference between consecutive samples while a point was looked at, in degrees.
    pub precision_deg: f64,
    pub screen: Screen,
    /// The camera and the monitor that it was made with; empty where that is not known.
    #[serde(default)]
    pub camera: String,
    #[serde(default)]
    pub monitor: String,
    pub samples: Vec<Sample>,
}

impl Profile {
    pub const FORMAT: u32 = FORMAT;

    /// Fits the samples for use in `setup`.
    pub fn fit(&self, setup: &Setup) -> Result<Fit, ProfileError> {
        Fit::new(&self.samples, setup).map_err(|source| ProfileError::Unfit {
            name: self.name.clone(),
            source,
        })
    }
}

/// The profiles of one user: a folder with one file each.
#[derive(Clone, Debug)]
pub struct Profiles {
    folder: PathBuf,
}

impl Profiles {
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Names of the profiles there are, sorted. A folder that does not exist holds none.
    pub fn names(&self) -> Result<Vec<String>, ProfileError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => {
                return Err(ProfileError::Read {
                    path: self.folder.clone(),
                    source,
                });
            }
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let name = path.file_stem()?.to_str()?.to_owned();
                (path.extension()? == EXTENSION && is_name(&name)).then_some(name)
            })
            .collect();
        names.sort();
        Ok(names)
    }

    /// Reads and checks one profile; `weights` is the version of the nets in use.
    pub fn load(&self, name: &str, weights: &str) -> Result<Profile, ProfileError> {
        let path = self.path(name)?;
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ProfileError::NotFound {
                    name: name.to_owned(),
                    folder: self.folder.clone(),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(ProfileError::Damaged {
                    path,
                    reason: "it is not text".into(),
                });
            }
            Err(source) => return Err(ProfileError::Read { path, source }),
        };
        let profile = parse(&text, &path)?;
        if profile.weights != weights {
            return Err(ProfileError::OtherWeights {
                name: name.to_owned(),
                found: profile.weights,
                expected: weights.to_owned(),
            });
        }
        Ok(profile)
    }

    /// Writes a profile; one of the same name is replaced, whole or not at all.
    pub fn save(&self, profile: &Profile) -> Result<(), ProfileError> {
        let path = self.path(&profile.name)?;
        let text = toml::to_string(profile).map_err(|error| ProfileError::Damaged {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        replace_file(&path, text.as_bytes()).map_err(|source| ProfileError::Write { path, source })
    }

    pub fn delete(&self, name: &str) -> Result<(), ProfileError> {
        let path = self.path(name)?;
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ProfileError::NotFound {
                name: name.to_owned(),
                folder: self.folder.clone(),
            }),
            Err(source) => Err(ProfileError::Write { path, source }),
        }
    }

    fn path(&self, name: &str) -> Result<PathBuf, ProfileError> {
        if !is_name(name) {
            return Err(ProfileError::BadName(name.to_owned()));
        }
        Ok(self.folder.join(format!("{name}.{EXTENSION}")))
    }
}

/// Names become file names, so nothing in them may lead out of the folder or hide the file.
pub fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    name.chars().next().is_some_and(char::is_alphanumeric) && name.chars().count() <= 64 && name.chars().all(allowed)
}

/// The samples of each point. A point that was shown twice in a row counts once: in a file nothing tells both looks apart.
pub(super) fn points_of(samples: &[Sample]) -> impl Iterator<Item = &[Sample]> {
    samples.chunk_by(|a, b| a.target == b.target)
}

fn parse(text: &str, path: &Path) -> Result<Profile, ProfileError> {
    #[derive(Deserialize)]
    struct Header {
        format: u32,
    }
    let damaged = |error: toml::de::Error| ProfileError::Damaged {
        path: path.to_owned(),
        reason: error.to_string().trim_end().replace('\n', " "),
    };
    // The format decides what the rest means, so it is looked at first.
    let Header { format } = toml::from_str(text).map_err(damaged)?;
    if format != FORMAT {
        return Err(ProfileError::Format {
            path: path.to_owned(),
            found: format,
        });
    }
    let profile: Profile = toml::from_str(text).map_err(damaged)?;
    // A file that was cut between two samples is still TOML.
    let found = points_of(&profile.samples).count();
    if found != profile.points as usize {
        return Err(ProfileError::Damaged {
            path: path.to_owned(),
            reason: format!("it holds {found} of {} points", profile.points),
        });
    }
    Ok(profile)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::Appearance;
    use crate::calibration::Features;
    use crate::calibration::features::COUNT;
    use crate::geometry::ScreenPoint;

    fn profile(name: &str) -> Profile {
        let sample = |x: f64, y: f64| Sample {
            target: ScreenPoint::new(x, y),
            features: Features {
                values: [x - y; COUNT],
                appearance: Appearance::NONE,
                eyes_mm: [265.0, 150.0, 600.0],
                position_known: true,
            },
        };
        Profile {
            format: FORMAT,
            name: name.into(),
            weights: "abc".into(),
            date: "2026-01-01T00:00:00Z".into(),
            points: 5,
            accuracy_deg: 1.5,
            precision_deg: 0.4,
            screen: Screen::default(),
            camera: "Test Cam".into(),
            monitor: "DEL-A0C4-4C564231".into(),
            samples: vec![
                sample(0.1, 0.1),
                sample(0.9, 0.1),
                sample(0.5, 0.5),
                sample(0.1, 0.9),
                sample(0.9, 0.9),
            ],
        }
    }

    #[test]
    fn a_profile_comes_back_as_it_was_saved() {
        let folder = tempfile::tempdir().expect("a folder");
        let profiles = Profiles::in_folder(folder.path().join("profiles"));
        assert_eq!(profiles.names().expect("an empty list"), Vec::<String>::new());
        profiles.save(&profile("desk")).expect("saves");
        profiles.save(&profile("glasses 2")).expect("saves");
        assert_eq!(profiles.names().expect("a list"), ["desk", "glasses 2"]);
        assert_eq!(profiles.load("desk", "abc").expect("loads"), profile("desk"));
        profiles.delete("desk").expect("deletes");
        assert!(matches!(
            profiles.load("desk", "abc"),
            Err(ProfileError::NotFound { .. })
        ));
        assert!(matches!(profiles.delete("desk"), Err(ProfileError::NotFound { .. })));
    }

    #[test]
    fn damaged_foreign_and_outdated_profiles_are_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let profiles = Profiles::in_folder(folder.path());
        profiles.save(&profile("desk")).expect("saves");
        assert!(matches!(
            profiles.load("desk", "other"),
            Err(ProfileError::OtherWeights { .. })
        ));
        let path = folder.path().join("desk.toml");
        let text = fs::read_to_string(&path).expect("text");
        for (damage, name) in [
            (&text[..text.len() / 2], "cut"),
            ("format = \"one\"", "type"),
            ("", "empty"),
        ] {
            fs::write(&path, damage).expect("writes");
            assert!(
                matches!(profiles.load("desk", "abc"), Err(ProfileError::Damaged { .. })),
                "{name}"
            );
            assert_eq!(fs::read_to_string(&path).expect("text"), damage);
        }
        fs::write(&path, text.replace("format = 1", "format = 9")).expect("writes");
        assert!(matches!(
            profiles.load("desk", "abc"),
            Err(ProfileError::Format { found: 9, .. })
        ));
        fs::write(&path, [0xff, 0xfe, 0x00]).expect("writes");
        assert!(matches!(
            profiles.load("desk", "abc"),
            Err(ProfileError::Damaged { .. })
        ));
    }

    #[test]
    fn names_cannot_lead_out_of_the_folder() {
        let profiles = Profiles::in_folder("/nowhere");
        for name in ["", "../evil", "a/b", ".hidden", "a\0b", &"x".repeat(65)] {
            assert!(
                matches!(profiles.load(name, "abc"), Err(ProfileError::BadName(_))),
                "{name:?}"
            );
        }
    }
}
