//! The folders that belong to gazed, and files in them that are replaced whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use etcetera::base_strategy::Xdg;

/// Where gazed keeps its files, after the XDG base directory specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// `$XDG_CONFIG_HOME/gazed`: written by people.
    pub config: PathBuf,
    /// `$XDG_DATA_HOME/gazed`: profiles.
    pub data: PathBuf,
    /// `$XDG_STATE_HOME/gazed`: what is remembered over a restart, such as the privacy switch.
    pub state: PathBuf,
}

/// There is no home folder to put anything into.
#[derive(Debug, thiserror::Error)]
#[error("no home folder is known: set HOME, or XDG_CONFIG_HOME, XDG_DATA_HOME and XDG_STATE_HOME")]
pub struct NoHome;

impl Folders {
    /// # Errors
    /// Where the user has no home folder.
    pub fn of_user() -> Result<Self, NoHome> {
        let xdg = Xdg::new().map_err(|_| NoHome)?;
        Ok(Self {
            config: xdg.config_dir().join("gazed"),
            data: xdg.data_dir().join("gazed"),
            state: xdg.state_dir().unwrap_or_else(|| xdg.data_dir()).join("gazed"),
        })
    }

    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    pub fn profiles(&self) -> PathBuf {
        self.data.join("profiles")
    }
}

/// How files begin that are not whole yet.
const UNFINISHED: &str = ".unfinished-";

/// Replaces `path` with `bytes`, or leaves it as it was: a full disk, a crash or a power cut in the middle never leaves a
/// half-written file. Folders that are missing are made, readable by their owner only.
///
/// # Errors
/// Whatever the file system said.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    make_private_folder(folder)?;
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    file.write_all(bytes)?;
    // The bytes must be on disk before the name points to them, and the name before anyone is told.
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Removes what processes that were killed while they replaced files have left in a folder. Only for the one that writes there.
pub fn tidy(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED)
            && let Err(error) = fs::remove_file(entry.path())
        {
            tracing::warn!(file = %entry.path().display(), %error, "an unfinished file cannot be removed");
        }
    }
}

fn make_private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/folder/state.toml");
        replace_file(&path, b"first").expect("writes");
        replace_file(&path, b"second, longer").expect("writes");
        assert_eq!(fs::read(&path).expect("reads"), b"second, longer");
        assert_eq!(
            fs::read_dir(path.parent().expect("a folder")).expect("lists").count(),
            1
        );
    }

    #[test]
    fn the_old_file_stays_where_the_new_one_cannot_be_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("occupied");
        fs::create_dir(&path).expect("a folder");
        fs::write(path.join("inside"), b"old").expect("writes");
        assert!(replace_file(&path, b"new").is_err());
        assert_eq!(fs::read(path.join("inside")).expect("reads"), b"old");
        assert_eq!(
            fs::read_dir(folder.path()).expect("lists").count(),
            1,
            "no unfinished file is left"
        );
        assert!(replace_file(&path.join("inside/deeper"), b"new").is_err());
    }
}
