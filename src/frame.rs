//! A camera picture in memory: gray pixels, when it was taken, and the buffers that are used again.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::{Timestamp, TimestampSource};

/// Counts the frames of one source since it was opened, frames that were skipped included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId(pub u64);

/// One picture and its time stamp.
#[derive(Debug)]
pub struct Frame {
    pub id: FrameId,
    /// The best estimate of the middle of the exposure.
    pub captured: Timestamp,
    pub timestamp_source: TimestampSource,
    pub image: GrayImage,
}

/// 8-bit gray pixels, row by row without padding. (0, 0) is the centre of the top left pixel, x right, y down; the picture
/// is as the camera sees it, never mirrored.
#[derive(Debug)]
pub struct GrayImage {
    width: u32,
    height: u32,
    pixels: Buffer,
}

/// The number of bytes is not the one that the picture's size asks for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a gray picture of {width}x{height} pixels needs {} bytes, not {found}", u64::from(*width) * u64::from(*height))]
pub struct WrongSize {
    pub width: u32,
    pub height: u32,
    pub found: usize,
}

impl GrayImage {
    pub fn new(width: u32, height: u32, pixels: impl Into<Buffer>) -> Result<Self, WrongSize> {
        let pixels = pixels.into();
        if width == 0 || height == 0 || pixels.len() as u64 != u64::from(width) * u64::from(height) {
            return Err(WrongSize {
                width,
                height,
                found: pixels.len(),
            });
        }
        Ok(Self { width, height, pixels })
    }

    pub fn width(&self) -> u32 {
        self.width
    }

    pub fn height(&self) -> u32 {
        self.height
    }

    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    pub fn row(&self, y: u32) -> &[u8] {
        let start = y as usize * self.width as usize;
        &self.pixels[start..start + self.width as usize]
    }

    /// Mean brightness of the whole picture, 0..=255, from every fourth pixel of every fourth row.
    pub fn mean_brightness(&self) -> f32 {
        let (mut sum, mut count) = (0_u64, 0_u64);
        for y in (0..self.height).step_by(4) {
            for value in self.row(y).iter().step_by(4) {
                sum += u64::from(*value);
                count += 1;
            }
        }
        sum as f32 / count.max(1) as f32
    }
}

/// Pixel bytes that return to their [`BufferPool`] when dropped, so that a running source allocates nothing a frame.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    home: Option<Arc<Mutex<Vec<Vec<u8>>>>>,
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, home: None }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            let mut spare = home.lock().unwrap_or_else(PoisonError::into_inner);
            if spare.len() < BufferPool::KEPT {
                spare.push(std::mem::take(&mut self.bytes));
            }
        }
    }
}

/// Hands out buffers and takes them back when they are dropped.
#[derive(Clone, Debug, Default)]
pub struct BufferPool {
    spare: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl BufferPool {
    /// One frame is being captured, one waits, one is tracked and one is shown: more spare buffers are never used.
    const KEPT: usize = 4;

    /// An empty buffer, with room from earlier use where there was one.
    pub fn take(&self) -> Buffer {
        let mut bytes = self
            .spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_default();
        bytes.clear();
        Buffer {
            bytes,
            home: Some(Arc::clone(&self.spare)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_used_again() {
        let pool = BufferPool::default();
        let mut buffer = pool.take();
        buffer.extend_from_slice(&[1; 640 * 480]);
        let address = buffer.as_ptr();
        drop(GrayImage::new(640, 480, buffer));
        let again = pool.take();
        assert!(again.is_empty());
        assert_eq!(again.as_ptr(), address);
    }

    #[test]
    fn a_picture_of_the_wrong_size_is_refused() {
        assert_eq!(
            GrayImage::new(3, 2, vec![0; 5]).err(),
            Some(WrongSize {
                width: 3,
                height: 2,
                found: 5
            })
        );
        assert!(GrayImage::new(0, 0, vec![]).is_err());
        assert!(GrayImage::new(u32::MAX, u32::MAX, vec![0; 9]).is_err());
    }
}
