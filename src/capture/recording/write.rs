//! Making a recording.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use super::{FACTS_FILE, FRAMES_FILE, Facts, RecordingError};
use crate::clock::Timestamp;
use crate::frame::GrayImage;

/// One picture to be written.
#[derive(Clone, Copy)]
pub enum Picture<'a> {
    /// The bytes of a JPEG as they are: what is played is what was seen.
    Jpeg(&'a [u8]),
    /// Gray pixels, stored without loss as PNG.
    Gray(&'a GrayImage),
}

/// Writes a recording frame by frame. Each picture is on disk before its line is, so that a recording that was cut off
/// can be read up to there.
pub struct Writer {
    folder: PathBuf,
    list_path: PathBuf,
    list: csv::Writer<File>,
    count: u64,
}

impl Writer {
    /// Makes the folder where it does not exist, and writes the facts.
    ///
    /// # Errors
    /// Where the folder holds a recording already (it is never overwritten) or cannot be written to.
    pub fn create(folder: impl Into<PathBuf>, facts: &Facts) -> Result<Self, RecordingError> {
        let folder = folder.into();
        let list_path = folder.join(FRAMES_FILE);
        fs::create_dir_all(folder.join("frames")).map_err(|error| fault(&folder, &error))?;
        let list = File::create_new(&list_path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => fault(
                &list_path,
                "there is a recording already; choose another folder or remove it",
            ),
            _ => fault(&list_path, &error),
        })?;
        let facts_path = folder.join(FACTS_FILE);
        let text = toml::to_string(facts).map_err(|error| fault(&facts_path, &error))?;
        fs::write(&facts_path, text).map_err(|error| fault(&facts_path, &error))?;
        let mut list = csv::WriterBuilder::new().has_headers(false).from_writer(list);
        list.write_record(["file", "timestamp_ns", "target_x_px", "target_y_px", "block"])
            .map_err(|error| fault(&list_path, &error))?;
        Ok(Self {
            folder,
            list_path,
            list,
            count: 0,
        })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds one frame; gives back the picture's file name relative to the folder.
    ///
    /// # Errors
    /// Where the disk does not take it.
    pub fn add(
        &mut self,
        picture: Picture<'_>,
        timestamp: Timestamp,
        target_px: Option<[f64; 2]>,
        block: Option<&str>,
    ) -> Result<String, RecordingError> {
        let (ending, encoded);
        let bytes = match picture {
            Picture::Jpeg(bytes) => {
                ending = "jpg";
                bytes
            }
            Picture::Gray(image) => {
                ending = "png";
                let mut png = Vec::new();
                PngEncoder::new(&mut png)
                    .write_image(image.pixels(), image.width(), image.height(), ExtendedColorType::L8)
                    .map_err(|error| fault(&self.folder, &error))?;
                encoded = png;
                &encoded
            }
        };
        let file = format!("frames/{:06}.{ending}", self.count);
        let path = self.folder.join(&file);
        let mut output = File::create(&path).map_err(|error| fault(&path, &error))?;
        output.write_all(bytes).map_err(|error| fault(&path, &error))?;
        let [x, y] = target_px.map_or([String::new(), String::new()], |target| {
            target.map(|value| value.to_string())
        });
        self.list
            .write_record([
                &file,
                &timestamp.as_nanos().to_string(),
                &x,
                &y,
                block.unwrap_or_default(),
            ])
            .map_err(|error| fault(&self.list_path, &error))?;
        self.list.flush().map_err(|error| fault(&self.list_path, &error))?;
        self.count += 1;
        Ok(file)
    }

    /// Frames written so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Makes sure that the list is on disk.
    ///
    /// # Errors
    /// Where the disk does not take it.
    pub fn finish(self) -> Result<(), RecordingError> {
        let path = self.list_path;
        let file = self.list.into_inner().map_err(|error| fault(&path, error.error()))?;
        file.sync_all().map_err(|error| fault(&path, &error))
    }
}

fn fault(path: &Path, reason: impl ToString) -> RecordingError {
    RecordingError::Write {
        path: path.to_path_buf(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Recording;
    use super::*;

    #[test]
    fn what_was_written_is_read_back_exactly() {
        let folder = tempfile::tempdir().expect("a folder");
        let image = GrayImage::new(3, 2, vec![0, 50, 100, 150, 200, 255]).expect("a picture");
        let facts = Facts {
            source: Some("a test".to_string()),
            screen_px: Some([800, 600]),
            ..Facts::default()
        };
        let mut writer = Writer::create(folder.path().join("deep/er"), &facts).expect("writes");
        writer
            .add(
                Picture::Gray(&image),
                Timestamp::from_nanos(5),
                Some([10.5, 20.0]),
                Some("A"),
            )
            .expect("writes");
        writer
            .add(Picture::Gray(&image), Timestamp::from_nanos(9), None, None)
            .expect("writes");
        let path = writer.folder().to_path_buf();
        writer.finish().expect("writes");

        let recording = Recording::open(&path).expect("reads");
        assert_eq!(recording.facts(), &facts);
        let frames: Vec<_> = recording.frames().collect();
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0].0.target_px, Some([10.5, 20.0]));
        assert_eq!(frames[0].0.block.as_deref(), Some("A"));
        let frame = frames[0].1.as_ref().expect("a picture");
        assert_eq!((frame.captured.as_nanos(), frame.image.pixels()), (5, image.pixels()));
        assert_eq!((frames[1].0.target_px, frames[1].0.block.as_deref()), (None, None));

        let error = Writer::create(&path, &facts)
            .err()
            .expect("never overwritten")
            .to_string();
        assert!(error.contains("choose another folder"), "{error}");
    }
}
