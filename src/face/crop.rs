//! Cuts small upright pictures out of a frame with sub-pixel accuracy.

use opencv::core::{BORDER_REPLICATE, Mat, Rect, Scalar, Size, ToInputArray};
use opencv::imgproc::{INTER_AREA, INTER_LINEAR, WARP_INVERSE_MAP, resize, warp_affine};
use opencv::prelude::*;

use crate::frame::GrayImage;
use crate::geometry::{PointPx, Similarity};

/// OpenCV refused: a broken installation or a bug, never the picture's fault.
#[derive(Debug, thiserror::Error)]
#[error("OpenCV failed while cutting a crop: {0}")]
pub struct CropError(#[from] opencv::Error);

/// Cuts crops of one size, with buffers that are used again.
#[derive(Debug)]
pub struct Cropper {
    size: Size,
    crop: Mat,
    halved: Mat,
    source_from_crop: Mat,
}

impl Cropper {
    pub fn new(width: usize, height: usize) -> Result<Self, CropError> {
        Ok(Self {
            size: Size::new(width as i32, height as i32),
            crop: Mat::default(),
            halved: Mat::default(),
            source_from_crop: Mat::zeros(2, 3, f64::opencv_type())?.to_mat()?,
        })
    }

    /// Fills `out` (row by row, gray values 0..=255, `width * height` of them) with the crop that `crop_from_picture`
    /// describes; its columns in reverse where `mirrored`.
    ///
    /// Bilinear; beyond the picture its border goes on. Where one crop pixel covers two or more of the picture's, the
    /// picture is halved by 2x2 means first, as often as that holds, so that nothing aliases: the nets are trained on
    /// crops made by the same rule.
    pub fn cut(
        &mut self,
        image: &GrayImage,
        crop_from_picture: &Similarity,
        mirrored: bool,
        out: &mut [f32],
    ) -> Result<(), CropError> {
        let picture = as_mat(image)?;
        let picture_from_crop = crop_from_picture.inverse();
        let step = halving_step(picture_from_crop.scale(), image);
        if step == 1 {
            write_matrix(&mut self.source_from_crop, &picture_from_crop)?;
            self.warp(&picture)?;
        } else {
            let region = self.covered_region(image, &picture_from_crop, step);
            let size = Size::new(region.width / step, region.height / step);
            resize(&picture.roi(region)?, &mut self.halved, size, 0.0, 0.0, INTER_AREA)?;
            // The centre of a halved pixel lies in the middle of those that it was made of.
            let step = step as f32;
            let halved_from_picture = Similarity {
                a: 1.0 / step,
                b: 0.0,
                tx: (0.5 - region.x as f32) / step - 0.5,
                ty: (0.5 - region.y as f32) / step - 0.5,
            };
            write_matrix(
                &mut self.source_from_crop,
                &halved_from_picture.after(&picture_from_crop),
            )?;
            let halved = std::mem::take(&mut self.halved);
            let warped = self.warp(&halved);
            self.halved = halved;
            warped?;
        }
        let width = self.size.width as usize;
        let rows = out
            .chunks_exact_mut(width)
            .zip(self.crop.data_bytes()?.chunks_exact(width));
        for (to, from) in rows {
            if mirrored {
                to.iter_mut()
                    .zip(from.iter().rev())
                    .for_each(|(to, from)| *to = f32::from(*from));
            } else {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = f32::from(*from));
            }
        }
        Ok(())
    }

    fn warp(&mut self, source: &impl ToInputArray) -> Result<(), CropError> {
        let flags = INTER_LINEAR | WARP_INVERSE_MAP;
        let border = (BORDER_REPLICATE, Scalar::default());
        Ok(warp_affine(
            source,
            &mut self.crop,
            &self.source_from_crop,
            self.size,
            flags,
            border.0,
            border.1,
        )?)
    }

    /// The part of the picture that the crop covers, some pixels to spare, in whole steps.
    fn covered_region(&self, image: &GrayImage, picture_from_crop: &Similarity, step: i32) -> Rect {
        let (right, bottom) = (self.size.width as f32 - 1.0, self.size.height as f32 - 1.0);
        let corners = [(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)]
            .map(|(x, y)| picture_from_crop.apply(PointPx::new(x, y)));
        let (x, width) = covered_range(corners.map(|corner| corner.x), image.width() as i32, step);
        let (y, height) = covered_range(corners.map(|corner| corner.y), image.height() as i32, step);
        Rect::new(x, y, width, height)
    }
}

/// A gray picture as an OpenCV matrix over the same memory.
pub fn as_mat(image: &GrayImage) -> Result<opencv::boxed_ref::BoxedRef<'_, Mat>, CropError> {
    Ok(Mat::new_rows_cols_with_data(
        image.height() as i32,
        image.width() as i32,
        image.pixels(),
    )?)
}

/// How many picture pixels a side become one before the warp: 2 to the power of how often the picture is halved.
fn halving_step(picture_px_per_crop_px: f32, image: &GrayImage) -> i32 {
    let longest = image.width().min(image.height()) as f32;
    let mut step = 1;
    while 2.0 * step as f32 <= picture_px_per_crop_px.min(longest) {
        step *= 2;
    }
    step
}

/// First pixel and number of pixels, a whole number of steps and at least one, that cover the given coordinates as far as
/// the picture reaches.
fn covered_range(coordinates: [f32; 4], length: i32, step: i32) -> (i32, i32) {
    let low = coordinates.iter().copied().fold(f32::INFINITY, f32::min).floor() as i32;
    let high = coordinates.iter().copied().fold(f32::NEG_INFINITY, f32::max).ceil() as i32;
    let first = low.saturating_sub(2 * step).clamp(0, length - step);
    let end = high.saturating_add(2 * step).clamp(first + step, length);
    (first, (end - first) / step * step)
}

fn write_matrix(matrix: &mut Mat, similarity: &Similarity) -> Result<(), CropError> {
    let Similarity { a, b, tx, ty } = *similarity;
    let values = [a, -b, tx, b, a, ty].map(f64::from);
    matrix.data_typed_mut::<f64>()?.copy_from_slice(&values);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture whose gray value is a plane over x and y, so that every sample is known exactly.
    fn ramp(width: u32, height: u32) -> GrayImage {
        let pixels = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x + 2 * y) as u8))
            .collect::<Vec<_>>();
        GrayImage::new(width, height, pixels).expect("sizes agree")
    }

    fn value_at(crop_from_picture: &Similarity, x: usize, y: usize) -> f32 {
        let point = crop_from_picture.inverse().apply(PointPx::new(x as f32, y as f32));
        point.x + 2.0 * point.y
    }

    #[test]
    fn samples_stand_where_the_transform_says() {
        let image = ramp(80, 60);
        let mut cropper = Cropper::new(16, 12).expect("OpenCV works");
        for (scale, angle, x, y) in [
            (1.0, 0.0, -20.25, -10.5),
            (1.7, 0.3, -20.0, -40.0),
            (0.4, 0.1, -6.0, -9.0),
            (0.21, 0.0, -1.0, 0.5),
        ] {
            let crop_from_picture = Similarity::new(scale, angle, PointPx::new(x, y));
            let mut out = vec![0.0; 16 * 12];
            cropper
                .cut(&image, &crop_from_picture, false, &mut out)
                .expect("OpenCV works");
            for (x, y) in [(3, 3), (8, 4), (12, 9)] {
                let expected = value_at(&crop_from_picture, x, y);
                let found = out[y * 16 + x];
                assert!(
                    (found - expected).abs() < 1.6,
                    "scale {scale}, ({x}, {y}): {found}, not {expected}"
                );
            }
            let mut mirrored = vec![0.0; 16 * 12];
            cropper
                .cut(&image, &crop_from_picture, true, &mut mirrored)
                .expect("OpenCV works");
            assert!(
                out.chunks(16)
                    .zip(mirrored.chunks(16))
                    .all(|(a, b)| a.iter().eq(b.iter().rev()))
            );
        }
    }

    #[test]
    fn crops_beyond_the_picture_repeat_its_border() {
        let image = ramp(40, 30);
        let mut cropper = Cropper::new(8, 8).expect("OpenCV works");
        let mut out = vec![0.0; 64];
        for scale in [1.0, 0.2] {
            let far_left_of_it = Similarity::new(scale, 0.0, PointPx::new(5000.0, 0.0));
            cropper
                .cut(&image, &far_left_of_it, false, &mut out)
                .expect("OpenCV works");
            assert!(out[0] < 6.0, "{out:?}");
        }
    }
}
