//! The frames that `OpenFrames` hands over, for previews and recordings: a byte stream over a Unix socket.
//!
//! Each frame is a `u32` with the header's length, a `u32` with the picture's, both little-endian, then the header as
//! JSON ([`FrameHeader`]), then the picture: one byte a pixel, row by row, never mirrored. A reader that is too slow misses
//! frames, which shows as gaps in `sequence`.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};

use serde::{Deserialize, Serialize};

/// One eye of the person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EyeFacts {
    pub pupil_px: [f32; 2],
    /// 0..1.
    pub openness: f32,
}

/// In degrees, signs as in [`crate::geometry`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeadFacts {
    pub pitch_deg: f64,
    pub yaw_deg: f64,
    pub roll_deg: f64,
}

/// What is known about a frame. Pixels are those of the picture, (0, 0) being the centre of the top left one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FrameHeader {
    /// Counts the camera's frames since it was opened.
    pub sequence: u64,
    /// CLOCK_MONOTONIC.
    pub captured_ns: u64,
    pub width_px: u32,
    pub height_px: u32,
    pub tracked: bool,
    /// Why not, where it is not tracked.
    pub reason: Option<String>,
    /// 0..1.
    pub confidence: f64,
    /// Left, top, width and height.
    pub face_px: Option<[f32; 4]>,
    pub left: Option<EyeFacts>,
    pub right: Option<EyeFacts>,
    pub landmarks_px: BTreeMap<String, [f32; 2]>,
    pub head: Option<HeadFacts>,
    /// The filtered gaze point, normalised to the screen.
    pub gaze: Option<[f64; 2]>,
    pub error_radius: f64,
}

/// The longest header that is read: many times the longest that is written.
const LONGEST_HEADER: u32 = 1 << 16;
/// The largest picture that is read, more than any webcam's.
const LARGEST_PICTURE: u32 = 1 << 26;

/// What stands before the picture's bytes on the stream.
pub fn encode_header(header: &FrameHeader, pixels: usize) -> io::Result<Vec<u8>> {
    let too_large = |_| io::Error::from(ErrorKind::InvalidInput);
    let json = serde_json::to_vec(header)?;
    let mut bytes = Vec::with_capacity(8 + json.len());
    bytes.extend_from_slice(&u32::try_from(json.len()).map_err(too_large)?.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(pixels).map_err(too_large)?.to_le_bytes());
    bytes.extend_from_slice(&json);
    Ok(bytes)
}

/// Reads the next frame into `pixels`, which is used again; `None` at the end of the stream.
///
/// # Errors
/// Where the stream breaks off within a frame or does not hold frames at all.
pub fn read_frame(stream: &mut impl Read, pixels: &mut Vec<u8>) -> io::Result<Option<FrameHeader>> {
    let invalid = |reason: String| io::Error::new(ErrorKind::InvalidData, reason);
    let mut lengths = [0; 8];
    if let Err(error) = stream.read_exact(&mut lengths) {
        return if error.kind() == ErrorKind::UnexpectedEof {
            Ok(None)
        } else {
            Err(error)
        };
    }
    let [a, b, c, d, e, f, g, h] = lengths;
    let (header_bytes, pixel_bytes) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    if header_bytes > LONGEST_HEADER || pixel_bytes > LARGEST_PICTURE {
        return Err(invalid(format!(
            "not a stream of frames: a header of {header_bytes} bytes and a picture of {pixel_bytes}"
        )));
    }
    let mut json = vec![0; header_bytes as usize];
    stream.read_exact(&mut json)?;
    let header: FrameHeader = serde_json::from_slice(&json)?;
    if u64::from(header.width_px) * u64::from(header.height_px) != u64::from(pixel_bytes) {
        return Err(invalid(format!(
            "a picture of {}x{} pixels came with {pixel_bytes} bytes",
            header.width_px, header.height_px
        )));
    }
    pixels.resize(pixel_bytes as usize, 0);
    stream.read_exact(pixels)?;
    Ok(Some(header))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_are_read_as_they_were_written() {
        let header = FrameHeader {
            sequence: 3,
            width_px: 4,
            height_px: 2,
            tracked: true,
            left: Some(EyeFacts {
                pupil_px: [1.5, 0.25],
                openness: 1.0,
            }),
            landmarks_px: BTreeMap::from([("nose_tip".to_owned(), [2.0, 1.0])]),
            ..FrameHeader::default()
        };
        let mut bytes = Vec::new();
        for value in [7, 9] {
            bytes.extend(encode_header(&header, 8).expect("small"));
            bytes.extend([value; 8]);
        }
        let (mut stream, mut pixels) = (bytes.as_slice(), Vec::new());
        for value in [7, 9] {
            assert_eq!(
                read_frame(&mut stream, &mut pixels).expect("a frame"),
                Some(header.clone())
            );
            assert_eq!(pixels, [value; 8]);
        }
        assert_eq!(read_frame(&mut stream, &mut pixels).expect("the end"), None);
        let mut cut = &bytes[..bytes.len() / 2 - 1];
        assert!(read_frame(&mut cut, &mut pixels).is_err());
    }

    #[test]
    fn a_picture_of_another_size_is_refused() {
        let mut bytes = encode_header(&FrameHeader::default(), 5).expect("small");
        bytes.extend([0; 5]);
        assert!(read_frame(&mut bytes.as_slice(), &mut Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = read_frame(&mut bytes.as_slice(), &mut Vec::new());
        }
    }
}
