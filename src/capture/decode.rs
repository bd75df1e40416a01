//! Bytes of a file or a camera's buffer to gray pixels; no devices, no files.
//!
//! Gray is luma as JPEG defines it (ITU-R BT.601 weights, full range): the Y of a JPEG or a YUV frame as it stands, and
//! `0.299 R + 0.587 G + 0.114 B` of a coloured PNG. A camera's YUV frames often use 16..=235 only; they are not stretched,
//! because every later stage normalises contrast anyway.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use image::{DynamicImage, ImageReader, Limits};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::frame::{BufferPool, GrayImage};

/// Longest side of a picture, in pixels. Webcams stay below 4,096; a damaged header can claim anything, and is not given
/// the memory for it.
const LONGEST_SIDE_PX: u32 = 8192;

/// Why bytes are not a picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("neither a JPEG nor a PNG picture")]
    Unknown,
    #[error("damaged {format}: {reason}")]
    Damaged { format: &'static str, reason: String },
    #[error("{found} bytes where {width}x{height} pixels need {needed}")]
    TooShort {
        width: u32,
        height: u32,
        needed: usize,
        found: usize,
    },
}

impl DecodeError {
    fn damaged(format: &'static str, reason: impl ToString) -> Self {
        Self::Damaged {
            format,
            reason: reason.to_string(),
        }
    }
}

/// Where the luma bytes lie in an uncompressed frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LumaLayout {
    /// A plane of luma comes first (GREY, NV12, NV21, YU12, YV12, NV16): one byte a pixel.
    Plane,
    /// Luma and chroma take turns: two bytes a pixel, luma being the first (YUYV, YVYU) or the second (UYVY, VYUY).
    Packed { luma_at: usize },
    /// Red, green and blue, at these places of a pixel's bytes.
    Coloured { pixel_bytes: usize, rgb_at: [usize; 3] },
}

/// Gray pixels of an uncompressed frame whose rows begin every `stride` bytes.
///
/// # Errors
/// [`DecodeError::TooShort`] where the bytes end before the last row does.
pub fn uncompressed(
    bytes: &[u8],
    layout: LumaLayout,
    (width, height): (u32, u32),
    stride: usize,
    pool: &BufferPool,
) -> Result<GrayImage, DecodeError> {
    let row_bytes = match layout {
        LumaLayout::Plane => width as usize,
        LumaLayout::Packed { .. } => width as usize * 2,
        LumaLayout::Coloured { pixel_bytes, .. } => width as usize * pixel_bytes,
    };
    let stride = stride.max(row_bytes);
    let too_short = |needed| DecodeError::TooShort {
        width,
        height,
        needed,
        found: bytes.len(),
    };
    let needed = stride
        .checked_mul((height as usize).saturating_sub(1))
        .and_then(|all_but_one| all_but_one.checked_add(row_bytes))
        .ok_or_else(|| too_short(usize::MAX))?;
    if bytes.len() < needed {
        return Err(too_short(needed));
    }
    let mut pixels = pool.take();
    pixels.reserve_exact(width as usize * height as usize);
    for row in bytes.chunks(stride.max(1)).take(height as usize) {
        let row = &row[..row_bytes];
        match layout {
            LumaLayout::Plane => pixels.extend_from_slice(row),
            LumaLayout::Packed { luma_at } => {
                pixels.extend(row.chunks_exact(2).map(|pair| pair[luma_at & 1]));
            }
            LumaLayout::Coloured { pixel_bytes, rgb_at } => {
                let of = |pixel: &[u8]| luma(rgb_at.map(|at| pixel[at]));
                pixels.extend(row.chunks_exact(pixel_bytes).map(of));
            }
        }
    }
    GrayImage::new(width, height, pixels).map_err(|wrong| DecodeError::damaged("frame", wrong))
}

/// The gray pixels of a JPEG or PNG file.
///
/// # Errors
/// Says what is wrong with the bytes; never panics, whatever they are.
pub fn picture(bytes: &[u8], pool: &BufferPool) -> Result<GrayImage, DecodeError> {
    match Kind::of(bytes)? {
        Kind::Jpeg => jpeg(bytes, pool),
        Kind::Png => png(bytes, pool),
    }
}

/// Width and height of a JPEG or PNG file, from its header alone.
///
/// # Errors
/// Says what is wrong with the header.
pub fn picture_size(bytes: &[u8]) -> Result<(u32, u32), DecodeError> {
    match Kind::of(bytes)? {
        Kind::Jpeg => contained("JPEG", || jpeg_decoder(bytes).map(|(_, size)| size)),
        Kind::Png => contained("PNG", || {
            ImageReader::with_format(Cursor::new(bytes), image::ImageFormat::Png)
                .into_dimensions()
                .map_err(|error| DecodeError::damaged("PNG", error))
        }),
    }
}

/// The luma of a JPEG, also of a camera's MJPEG frame without Huffman tables.
///
/// # Errors
/// [`DecodeError::Damaged`] for damaged and for truncated data.
pub fn jpeg(bytes: &[u8], pool: &BufferPool) -> Result<GrayImage, DecodeError> {
    contained("JPEG", || decode_jpeg(bytes, pool))
}

enum Kind {
    Jpeg,
    Png,
}

impl Kind {
    fn of(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.starts_with(&[0xff, 0xd8]) {
            Ok(Self::Jpeg)
        } else if bytes.starts_with(b"\x89PNG") {
            Ok(Self::Png)
        } else {
            Err(DecodeError::Unknown)
        }
    }
}

/// Decoders are other people's code fed with other people's bytes: a panic in one of them costs a frame, not the daemon.
fn contained<T>(format: &'static str, decode: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(DecodeError::damaged(format, "the decoder gave up on it")))
}

fn decode_jpeg(bytes: &[u8], pool: &BufferPool) -> Result<GrayImage, DecodeError> {
    let with_tables;
    let bytes = if lacks_huffman_tables(bytes) {
        with_tables = [&bytes[..2], standard_huffman_tables(), &bytes[2..]].concat();
        &with_tables
    } else {
        bytes
    };
    let (mut decoder, (width, height)) = jpeg_decoder(bytes)?;
    let damaged = |error| DecodeError::damaged("JPEG", error);
    let count = width as usize * height as usize;
    let mut pixels = pool.take();
    match decoder.input_colorspace() {
        Some(ColorSpace::YCbCr | ColorSpace::Luma) => {
            pixels.resize(count, 0);
            decoder.decode_into(&mut pixels).map_err(damaged)?;
        }
        _ => {
            let options = decoder.options().jpeg_set_out_colorspace(ColorSpace::RGB);
            decoder.set_options(options);
            let rgb = decoder.decode().map_err(damaged)?;
            pixels.extend(rgb.chunks_exact(3).map(|p| luma([p[0], p[1], p[2]])));
        }
    }
    GrayImage::new(width, height, pixels).map_err(|wrong| DecodeError::damaged("JPEG", wrong))
}

type MemoryDecoder<'a> = JpegDecoder<ZCursor<&'a [u8]>>;

/// A decoder that has read the headers, and the size it found there.
///
/// Strictly first, so that damage and truncation inside the picture are errors instead of a gray lower half. Some cameras
/// write harmless bytes between their headers, which strict reading refuses: for them an end marker has to do.
fn jpeg_decoder(bytes: &[u8]) -> Result<(MemoryDecoder<'_>, (u32, u32)), DecodeError> {
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::Luma)
        .set_max_width(LONGEST_SIDE_PX as usize)
        .set_max_height(LONGEST_SIDE_PX as usize);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options.set_strict_mode(true));
    if let Err(strict_error) = decoder.decode_headers() {
        decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options.set_strict_mode(false));
        if decoder.decode_headers().is_err() || !bytes.windows(2).rev().any(|pair| pair == [0xff, 0xd9]) {
            return Err(DecodeError::damaged("JPEG", strict_error));
        }
    }
    let (width, height) = decoder
        .dimensions()
        .and_then(|(w, h)| Some((u32::try_from(w).ok()?, u32::try_from(h).ok()?)))
        .ok_or_else(|| DecodeError::damaged("JPEG", "no size in its header"))?;
    Ok((decoder, (width, height)))
}

/// True where the segments before the picture's data hold no Huffman table, as in many cameras' MJPEG.
fn lacks_huffman_tables(bytes: &[u8]) -> bool {
    const DEFINE_HUFFMAN_TABLES: u8 = 0xc4;
    const START_OF_SCAN: u8 = 0xda;
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        match marker {
            DEFINE_HUFFMAN_TABLES => return false,
            START_OF_SCAN => return true,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    false
}

/// The tables that MJPEG leaves out are the standard's example tables (ITU-T T.81, tables K.3 to K.6), which the encoder
/// writes into each of its own pictures.
fn standard_huffman_tables() -> &'static [u8] {
    static TABLES: OnceLock<Vec<u8>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut jpeg = Vec::new();
        let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
        if encoder
            .encode(&[0; 3 * 64], 8, 8, jpeg_encoder::ColorType::Rgb)
            .is_err()
        {
            return Vec::new();
        }
        let mut tables = Vec::new();
        let mut at = 2;
        while let Some(&[0xff, marker, high, low]) = jpeg.get(at..at + 4) {
            let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
            match (marker, jpeg.get(at..end)) {
                (0xc4, Some(segment)) => tables.extend_from_slice(segment),
                (0xda, _) | (_, None) => break,
                _ => {}
            }
            at = end;
        }
        tables
    })
}

fn png(bytes: &[u8], pool: &BufferPool) -> Result<GrayImage, DecodeError> {
    contained("PNG", || {
        let mut reader = ImageReader::with_format(Cursor::new(bytes), image::ImageFormat::Png);
        let mut limits = Limits::default();
        limits.max_image_width = Some(LONGEST_SIDE_PX);
        limits.max_image_height = Some(LONGEST_SIDE_PX);
        reader.limits(limits);
        let picture = reader.decode().map_err(|error| DecodeError::damaged("PNG", error))?;
        let (width, height) = (picture.width(), picture.height());
        let mut pixels = pool.take();
        match picture {
            DynamicImage::ImageLuma8(gray) => pixels.extend_from_slice(gray.as_raw()),
            DynamicImage::ImageLumaA8(gray) => pixels.extend(gray.pixels().map(|p| p.0[0])),
            DynamicImage::ImageLuma16(gray) => pixels.extend(gray.pixels().map(|p| (p.0[0] >> 8) as u8)),
            coloured => pixels.extend(coloured.into_rgb8().pixels().map(|p| luma(p.0))),
        }
        GrayImage::new(width, height, pixels).map_err(|wrong| DecodeError::damaged("PNG", wrong))
    })
}

/// Luma with the weights of ITU-R BT.601, as JPEG (JFIF) uses them, in 16-bit fixed point.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b) + 32_768) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use image::{ImageEncoder, codecs::png::PngEncoder};
    use jpeg_encoder::{ColorType, Encoder};
    use proptest::prelude::*;

    use super::*;

    /// Four coloured quarters with known luma.
    const COLOURS: [[u8; 3]; 4] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 180, 160]];
    const LUMAS: [u8; 4] = [76, 150, 29, 184];
    const SIDE: usize = 32;

    fn quarters_rgb() -> Vec<u8> {
        (0..SIDE * SIDE)
            .flat_map(|i| COLOURS[usize::from(i % SIDE >= SIDE / 2) + 2 * usize::from(i / SIDE >= SIDE / 2)])
            .collect()
    }

    fn quarters_jpeg() -> Vec<u8> {
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 95);
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_1);
        encoder
            .encode(&quarters_rgb(), SIDE as u16, SIDE as u16, ColorType::Rgb)
            .expect("encodes");
        jpeg
    }

    fn assert_quarters(image: &GrayImage, tolerance: u8) {
        assert_eq!((image.width(), image.height()), (32, 32));
        for (quarter, expected) in LUMAS.iter().enumerate() {
            let (x, y) = (8 + 16 * (quarter % 2), 8 + 16 * (quarter / 2));
            let found = image.row(y as u32)[x];
            assert!(
                found.abs_diff(*expected) <= tolerance,
                "quarter {quarter}: {found}, not {expected}"
            );
        }
    }

    #[test]
    fn jpeg_and_png_give_the_same_luma() {
        let pool = BufferPool::default();
        assert_quarters(&picture(&quarters_jpeg(), &pool).expect("a JPEG"), 2);
        assert_eq!(picture_size(&quarters_jpeg()), Ok((32, 32)));
        let mut png = Vec::new();
        PngEncoder::new(&mut png)
            .write_image(&quarters_rgb(), 32, 32, image::ExtendedColorType::Rgb8)
            .expect("encodes");
        assert_quarters(&picture(&png, &pool).expect("a PNG"), 0);
        assert_eq!(picture_size(&png), Ok((32, 32)));
    }

    #[test]
    fn a_gray_jpeg_is_taken_as_it_stands() {
        let mut jpeg = Vec::new();
        Encoder::new(&mut jpeg, 95)
            .encode(&[93; 64], 8, 8, ColorType::Luma)
            .expect("encodes");
        let image = picture(&jpeg, &BufferPool::default()).expect("a JPEG");
        assert!(image.pixels().iter().all(|value| value.abs_diff(93) <= 1));
    }

    #[test]
    fn mjpeg_without_huffman_tables_is_read() {
        let jpeg = quarters_jpeg();
        let mut bare = jpeg[..2].to_vec();
        let mut at = 2;
        while jpeg[at + 1] != 0xda {
            let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
            if jpeg[at + 1] != 0xc4 {
                bare.extend_from_slice(&jpeg[at..end]);
            }
            at = end;
        }
        bare.extend_from_slice(&jpeg[at..]);
        assert!(bare.len() + 400 < jpeg.len(), "the tables were there");
        assert_quarters(&picture(&bare, &BufferPool::default()).expect("an MJPEG frame"), 2);
    }

    #[test]
    fn padding_after_a_jpeg_is_harmless() {
        let mut jpeg = quarters_jpeg();
        jpeg.resize(jpeg.len() + 4096, 0);
        assert_quarters(&picture(&jpeg, &BufferPool::default()).expect("a padded JPEG"), 2);
    }

    #[test]
    fn truncated_pictures_are_errors_not_gray_halves() {
        let noise: Vec<u8> = (0..96 * 96_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let mut jpeg = Vec::new();
        Encoder::new(&mut jpeg, 80)
            .encode(&noise, 96, 96, ColorType::Luma)
            .expect("encodes");
        let mut png = Vec::new();
        PngEncoder::new(&mut png)
            .write_image(&noise, 96, 96, image::ExtendedColorType::L8)
            .expect("encodes");
        for whole in [jpeg, png] {
            assert!(picture(&whole, &BufferPool::default()).is_ok());
            for part in [3, whole.len() / 4, whole.len() / 2, whole.len() * 9 / 10] {
                let error = picture(&whole[..part], &BufferPool::default()).expect_err("truncated");
                assert!(
                    matches!(error, DecodeError::Damaged { .. } | DecodeError::Unknown),
                    "{error}"
                );
            }
        }
        assert_eq!(
            picture(b"GIF89a", &BufferPool::default()).err(),
            Some(DecodeError::Unknown)
        );
        assert_eq!(picture(b"", &BufferPool::default()).err(), Some(DecodeError::Unknown));
    }

    #[test]
    fn a_header_that_claims_a_huge_picture_gets_no_memory() {
        let mut jpeg = quarters_jpeg();
        let frame = jpeg
            .windows(2)
            .position(|pair| pair == [0xff, 0xc0])
            .expect("a baseline frame header");
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
        assert!(picture(&jpeg, &BufferPool::default()).is_err());
    }

    #[test]
    fn luma_is_found_in_each_layout_and_padding_is_left_out() {
        let pool = BufferPool::default();
        let plane = [1, 2, 3, 99, 4, 5, 6, 99];
        let image = uncompressed(&plane, LumaLayout::Plane, (3, 2), 4, &pool).expect("a plane");
        assert_eq!(image.pixels(), [1, 2, 3, 4, 5, 6]);
        let yuyv = [1, 128, 2, 128, 3, 128, 4, 128];
        let image = uncompressed(&yuyv, LumaLayout::Packed { luma_at: 0 }, (2, 2), 0, &pool).expect("YUYV");
        assert_eq!(image.pixels(), [1, 2, 3, 4]);
        let uyvy = [128, 1, 128, 2, 128, 3, 128, 4];
        let image = uncompressed(&uyvy, LumaLayout::Packed { luma_at: 1 }, (2, 2), 4, &pool).expect("UYVY");
        assert_eq!(image.pixels(), [1, 2, 3, 4]);
        let bgrx = [10, 20, 30, 0, 0, 0, 255, 9];
        let layout = LumaLayout::Coloured {
            pixel_bytes: 4,
            rgb_at: [2, 1, 0],
        };
        let image = uncompressed(&bgrx, layout, (2, 1), 0, &pool).expect("BGRx");
        assert_eq!(image.pixels(), [luma([30, 20, 10]), luma([255, 0, 0])]);
        assert_eq!(
            uncompressed(&yuyv[..7], LumaLayout::Packed { luma_at: 0 }, (2, 2), 4, &pool).err(),
            Some(DecodeError::TooShort {
                width: 2,
                height: 2,
                needed: 8,
                found: 7
            })
        );
        assert!(uncompressed(&[], LumaLayout::Plane, (0, 0), 0, &pool).is_err());
        assert!(uncompressed(&[0; 8], LumaLayout::Plane, (u32::MAX, u32::MAX), usize::MAX, &pool).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn damaged_jpegs_never_panic(at in 2_usize..2000, value: u8, length in 2_usize..4000) {
            let mut jpeg = quarters_jpeg();
            let at = at % jpeg.len();
            jpeg[at] = value;
            jpeg.truncate(length);
            let _ = picture(&jpeg, &BufferPool::default());
            let _ = picture_size(&jpeg);
        }
    }
}
