//! Recordings on disk: a folder with `frames.csv`, the pictures it names and, optionally, `recording.toml`.
//!
//! [`Recording`] reads every frame in order for offline work, [`Player`] plays it at its own pace as a source, and
//! [`Writer`] makes one. `frames.csv` has the columns `file,timestamp_ns,target_x_px,target_y_px` and optionally `block`;
//! `file` is relative to the folder.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::decode::{self, DecodeError};
use crate::clock::{Timestamp, TimestampSource};
use crate::frame::{BufferPool, Frame, FrameId, GrayImage};
use crate::geometry::Setup;

mod facts;
mod play;
mod write;

pub use facts::Facts;
pub use play::Player;
pub use write::{Picture, Writer};

pub const FRAMES_FILE: &str = "frames.csv";
pub const FACTS_FILE: &str = "recording.toml";

/// Files above this size are not pictures of a webcam; reading them would only cost memory.
const LARGEST_PICTURE_BYTES: u64 = 64 << 20;

/// Why a folder is not a usable recording. Each says where the fault is and what to do.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("{} is not a recording: {reason}. A recording is a folder with a {FRAMES_FILE}; `gazectl record` makes one", folder.display())]
    NotARecording { folder: PathBuf, reason: String },
    #[error("{}, line {line}: {reason}. Correct or remove that line", file.display())]
    Row { file: PathBuf, line: u64, reason: String },
    #[error("{}: {reason}", file.display())]
    Facts { file: PathBuf, reason: String },
    #[error("no picture of {} can be read; the first one: {reason}", folder.display())]
    NoPicture { folder: PathBuf, reason: String },
    #[error("{}: {reason}", path.display())]
    Write { path: PathBuf, reason: String },
}

/// Why one picture of a recording cannot be used; the others may be fine.
#[derive(Debug, thiserror::Error)]
#[error("{}, line {line}: {}: {reason}", FRAMES_FILE, file)]
pub struct PictureError {
    pub file: String,
    pub line: u64,
    pub reason: String,
}

/// One line of `frames.csv`.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The picture, relative to the recording's folder.
    pub file: String,
    pub timestamp: Timestamp,
    /// What was looked at on purpose, in pixels of the screen from its top left corner.
    pub target_px: Option<[f64; 2]>,
    /// The label of the run of neighbouring frames that this one belongs to.
    pub block: Option<String>,
    /// The line of `frames.csv`, counted from 1.
    pub line: u64,
}

/// A recording whose list of frames has been read and checked; pictures are read when asked for.
#[derive(Debug)]
pub struct Recording {
    folder: PathBuf,
    rows: Vec<Row>,
    facts: Facts,
    pool: BufferPool,
}

impl Recording {
    /// Reads `frames.csv` and `recording.toml`, and checks that every picture is there.
    ///
    /// # Errors
    /// [`RecordingError`], with the file and line at fault.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, RecordingError> {
        let folder = folder.into();
        let list = folder.join(FRAMES_FILE);
        let not_a_recording = |reason: String| RecordingError::NotARecording {
            folder: folder.clone(),
            reason,
        };
        let file =
            File::open(&list).map_err(|error| not_a_recording(format!("cannot open {FRAMES_FILE} ({error})")))?;
        let rows = read_rows(&list, file)?;
        if rows.is_empty() {
            return Err(not_a_recording(format!("{FRAMES_FILE} names no frame")));
        }
        let facts = Facts::read(&folder.join(FACTS_FILE))?;
        check_order(&list, &rows, facts.stills)?;
        for row in &rows {
            let is_file = fs::metadata(folder.join(&row.file)).is_ok_and(|found| found.is_file());
            if !is_file {
                return Err(RecordingError::Row {
                    file: list,
                    line: row.line,
                    reason: format!("there is no picture `{}` in {}", row.file, folder.display()),
                });
            }
        }
        Ok(Self {
            folder,
            rows,
            facts,
            pool: BufferPool::default(),
        })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Screen and camera geometry, where `recording.toml` gives any of it.
    pub fn setup(&self) -> Option<Setup> {
        self.facts.setup()
    }

    /// Frames a second: one over the median interval between neighbouring frames; 30 where there is only one.
    pub fn frame_rate_hz(&self) -> f64 {
        let mut intervals: Vec<f64> = self
            .rows
            .windows(2)
            .map(|pair| pair[1].timestamp.seconds_since(pair[0].timestamp))
            .filter(|interval_s| *interval_s > 0.0)
            .collect();
        intervals.sort_by(f64::total_cmp);
        intervals
            .get(intervals.len() / 2)
            .map_or(30.0, |interval_s| 1.0 / interval_s)
    }

    /// Width and height of the first picture whose header can be read.
    ///
    /// # Errors
    /// [`RecordingError::NoPicture`] where there is none.
    pub fn picture_size(&self) -> Result<(u32, u32), RecordingError> {
        let mut first_reason = None;
        for row in &self.rows {
            match self
                .read_bytes(row)
                .and_then(|bytes| decode::picture_size(&bytes).map_err(|e| e.to_string()))
            {
                Ok(size) => return Ok(size),
                Err(reason) => {
                    first_reason.get_or_insert(format!("{}: {reason}", row.file));
                }
            }
        }
        Err(RecordingError::NoPicture {
            folder: self.folder.clone(),
            reason: first_reason.unwrap_or_default(),
        })
    }

    /// Reads and decodes the picture of one row.
    ///
    /// # Errors
    /// [`PictureError`] where the file cannot be read or is damaged.
    pub fn picture(&self, row: &Row) -> Result<GrayImage, PictureError> {
        self.read_bytes(row)
            .and_then(|bytes| decode::picture(&bytes, &self.pool).map_err(|error: DecodeError| error.to_string()))
            .map_err(|reason| PictureError {
                file: row.file.clone(),
                line: row.line,
                reason,
            })
    }

    /// Every frame in order, stamped as recorded; one that cannot be read is an error in its place.
    pub fn frames(&self) -> impl Iterator<Item = (&Row, Result<Frame, PictureError>)> {
        self.rows.iter().enumerate().map(|(index, row)| {
            let frame = self.picture(row).map(|image| Frame {
                id: FrameId(index as u64),
                captured: row.timestamp,
                timestamp_source: TimestampSource::Recorded,
                image,
            });
            (row, frame)
        })
    }

    fn read_bytes(&self, row: &Row) -> Result<Vec<u8>, String> {
        let file = File::open(self.folder.join(&row.file)).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        file.take(LARGEST_PICTURE_BYTES)
            .read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}

fn read_rows(list: &Path, file: impl Read) -> Result<Vec<Row>, RecordingError> {
    let fault = |line: u64, reason: String| RecordingError::Row {
        file: list.to_path_buf(),
        line,
        reason,
    };
    let csv_fault = |error: &csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        fault(line, error.to_string())
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let header = reader.headers().map_err(|error| csv_fault(&error))?.clone();
    let column = |name: &str| header.iter().position(|found| found == name);
    let needed = |name: &str| {
        column(name).ok_or_else(|| {
            fault(
                1,
                format!(
                    "the column `{name}` is missing; the header must be \
                     `file,timestamp_ns,target_x_px,target_y_px` and optionally `block`"
                ),
            )
        })
    };
    let (file_at, stamp_at) = (needed("file")?, needed("timestamp_ns")?);
    let (x_at, y_at) = (needed("target_x_px")?, needed("target_y_px")?);
    let block_at = column("block");

    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| csv_fault(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let field = |at: usize| record.get(at).unwrap_or_default();
        let target = |at: usize, name: &str| -> Result<Option<f64>, RecordingError> {
            match field(at) {
                "" => Ok(None),
                text => match text.parse::<f64>() {
                    Ok(value) if value.is_finite() => Ok(Some(value)),
                    _ => Err(fault(line, format!("`{text}` in `{name}` is not a number"))),
                },
            }
        };
        if field(file_at).is_empty() {
            return Err(fault(line, "no file is named".to_string()));
        }
        let stamp = field(stamp_at);
        let timestamp_ns: u64 = stamp.parse().map_err(|_| {
            fault(
                line,
                format!("`{stamp}` in `timestamp_ns` is not a whole number of nanoseconds"),
            )
        })?;
        let target_px = match (target(x_at, "target_x_px")?, target(y_at, "target_y_px")?) {
            (Some(x), Some(y)) => Some([x, y]),
            (None, None) => None,
            _ => {
                return Err(fault(
                    line,
                    "one of target_x_px and target_y_px is empty: give both or none".to_string(),
                ));
            }
        };
        rows.push(Row {
            file: field(file_at).to_string(),
            timestamp: Timestamp::from_nanos(timestamp_ns),
            target_px,
            block: block_at
                .map(field)
                .filter(|block| !block.is_empty())
                .map(str::to_string),
            line,
        });
    }
    Ok(rows)
}

/// Time must go forward from frame to frame, except where every frame stands alone anyway.
fn check_order(list: &Path, rows: &[Row], stills: bool) -> Result<(), RecordingError> {
    let backward = rows.windows(2).find(|pair| pair[1].timestamp <= pair[0].timestamp);
    match backward {
        Some(pair) if !stills => Err(RecordingError::Row {
            file: list.to_path_buf(),
            line: pair[1].line,
            reason: format!(
                "timestamp_ns {} does not come after the {} of the frame before; frames stand in the order of time",
                pair[1].timestamp.as_nanos(),
                pair[0].timestamp.as_nanos()
            ),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(csv: &str) -> Result<Vec<Row>, RecordingError> {
        read_rows(Path::new("frames.csv"), csv.as_bytes())
    }

    #[test]
    fn columns_are_found_by_name_and_empty_targets_are_none() {
        let rows = rows("block,file,timestamp_ns,target_x_px,target_y_px,note\nA,a.jpg,10,1.5,2,x\n,b.jpg,20,,,y\n")
            .expect("well formed");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].target_px, Some([1.5, 2.0]));
        assert_eq!(rows[0].block.as_deref(), Some("A"));
        assert_eq!((rows[0].line, rows[1].line), (2, 3));
        assert_eq!((rows[1].target_px, rows[1].block.as_deref()), (None, None));
    }

    #[test]
    fn each_fault_names_its_line() {
        let header = "file,timestamp_ns,target_x_px,target_y_px\na.jpg,1,,\n";
        for (line, expected) in [
            ("b.jpg,1e9,,\n", "line 3: `1e9` in `timestamp_ns`"),
            ("b.jpg,-4,,\n", "line 3: `-4` in `timestamp_ns`"),
            ("b.jpg,2,5,\n", "line 3: one of target_x_px"),
            ("b.jpg,2,nan,1\n", "line 3: `nan` in `target_x_px`"),
            (",2,,\n", "line 3: no file is named"),
            ("b.jpg,2\n", "line 3: "),
        ] {
            let error = rows(&format!("{header}{line}")).expect_err(line).to_string();
            assert!(error.contains(expected), "{error}");
        }
        let error = rows("file,target_x_px,target_y_px\n")
            .expect_err("no stamps")
            .to_string();
        assert!(
            error.contains("line 1: the column `timestamp_ns` is missing"),
            "{error}"
        );
        assert!(rows("").expect_err("empty").to_string().contains("line 1"));
    }

    #[test]
    fn backward_time_is_refused_except_between_stills() {
        let rows = rows("file,timestamp_ns,target_x_px,target_y_px\na,5,,\nb,5,,\n").expect("well formed");
        let error = check_order(Path::new("frames.csv"), &rows, false)
            .expect_err("backward")
            .to_string();
        assert!(error.contains("line 3"), "{error}");
        assert!(check_order(Path::new("frames.csv"), &rows, true).is_ok());
    }

    proptest! {
        #[test]
        fn no_list_of_frames_panics(text in "(?s)(file,timestamp_ns,target_x_px,target_y_px\n)?.{0,200}") {
            let _ = rows(&text);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_rows(Path::new("frames.csv"), bytes.as_slice());
        }
    }
}
