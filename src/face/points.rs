//! The 22 facial landmarks that the landmark net finds, and the square crop that they span.

use crate::geometry::{PointPx, Similarity};

/// How many landmarks there are.
pub const COUNT: usize = 22;

/// The landmarks by name; left and right are the person's. Definitions follow the 68-point scheme of iBUG (Sagonas et al.,
/// "300 Faces in-the-Wild Challenge", 2013), whose index stands behind each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Landmark {
    LeftOuter = 0,       // 45
    LeftInner = 1,       // 42
    RightInner = 2,      // 39
    RightOuter = 3,      // 36
    LeftUpper = 4,       // between 43 and 44
    LeftLower = 5,       // between 46 and 47
    RightUpper = 6,      // between 37 and 38
    RightLower = 7,      // between 40 and 41
    NoseBridge = 8,      // 27
    NoseTip = 9,         // 30
    NoseLeft = 10,       // 35
    NoseRight = 11,      // 31
    NoseBase = 12,       // 33
    MouthLeft = 13,      // 54
    MouthRight = 14,     // 48
    MouthTop = 15,       // 51
    MouthBottom = 16,    // 57
    LeftBrowOuter = 17,  // 26
    LeftBrowInner = 18,  // 22
    RightBrowInner = 19, // 21
    RightBrowOuter = 20, // 17
    Chin = 21,           // 8
}

/// The landmarks' names in files (`<name>_x_px`), in the order of [`Landmark`].
pub const NAMES: [&str; COUNT] = [
    "left_outer",
    "left_inner",
    "right_inner",
    "right_outer",
    "left_upper",
    "left_lower",
    "right_upper",
    "right_lower",
    "nose_bridge",
    "nose_tip",
    "nose_left",
    "nose_right",
    "nose_base",
    "mouth_left",
    "mouth_right",
    "mouth_top",
    "mouth_bottom",
    "left_brow_outer",
    "left_brow_inner",
    "right_brow_inner",
    "right_brow_outer",
    "chin",
];

/// All landmarks of one face, in pixels of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Landmarks(pub [PointPx; COUNT]);

impl Landmarks {
    pub fn get(&self, landmark: Landmark) -> PointPx {
        self.0[landmark as usize]
    }

    /// The square that the face fills: see [`FaceFrame`].
    pub fn frame(&self) -> FaceFrame {
        let count = COUNT as f32;
        let (sum_x, sum_y) = self.0.iter().fold((0.0, 0.0), |(x, y), p| (x + p.x, y + p.y));
        let centre = PointPx::new(sum_x / count, sum_y / count);
        let mean_square = self.0.iter().map(|point| point.distance(centre).powi(2)).sum::<f32>() / count;
        let (right, left) = (self.get(Landmark::RightOuter), self.get(Landmark::LeftOuter));
        FaceFrame {
            centre,
            size_px: FaceFrame::PER_RMS * mean_square.sqrt(),
            roll_rad: (left.y - right.y).atan2(left.x - right.x),
        }
    }

    pub fn is_finite(&self) -> bool {
        self.0.iter().all(|point| point.is_finite())
    }
}

/// Where a face is in the picture: the upright square that the landmark net looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaceFrame {
    /// Mean of the landmarks.
    pub centre: PointPx,
    /// Side of the square.
    pub size_px: f32,
    /// Angle of the line from the outer corner of the right eye to that of the left; positive is clockwise.
    pub roll_rad: f32,
}

impl FaceFrame {
    /// Side of the square in units of the landmarks' RMS distance from their mean: the nets are trained with it.
    pub const PER_RMS: f32 = 5.0;

    /// From the picture into a crop of `side` pixels in which the face stands upright.
    pub fn crop_from_picture(&self, side: usize) -> Similarity {
        let scale = side as f32 / self.size_px;
        let turned = Similarity::new(scale, -self.roll_rad, PointPx::default());
        let to = 0.5 * (side as f32 - 1.0);
        let centre = turned.apply(self.centre);
        Similarity {
            tx: to - centre.x,
            ty: to - centre.y,
            ..turned
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rolled_face_stands_upright_in_its_crop() {
        let frame = FaceFrame {
            centre: PointPx::new(320.0, 240.0),
            size_px: 160.0,
            roll_rad: 0.4,
        };
        let crop = frame.crop_from_picture(64);
        assert!(crop.apply(frame.centre).distance(PointPx::new(31.5, 31.5)) < 1e-3);
        // A point to the left of the person along the eyes' line lies straight to the right of the crop's centre.
        let along = PointPx::new(320.0 + 40.0 * 0.4_f32.cos(), 240.0 + 40.0 * 0.4_f32.sin());
        assert!(crop.apply(along).distance(PointPx::new(31.5 + 16.0, 31.5)) < 1e-3);
    }

    #[test]
    fn the_frame_of_landmarks_follows_them() {
        let mut points = [PointPx::default(); COUNT];
        for (index, point) in points.iter_mut().enumerate() {
            let angle = index as f32 * std::f32::consts::TAU / COUNT as f32;
            *point = PointPx::new(100.0 + 30.0 * angle.cos(), 50.0 + 30.0 * angle.sin());
        }
        points[Landmark::RightOuter as usize] = PointPx::new(70.0, 50.0);
        points[Landmark::LeftOuter as usize] = PointPx::new(130.0, 50.0);
        let frame = Landmarks(points).frame();
        assert!((frame.size_px - 150.0).abs() < 1.0, "{frame:?}");
        assert_eq!(frame.roll_rad, 0.0);
    }
}
