//! EyesNet: from one patch of each eye to pupil centre, corners, lids, openness and confidence.
//!
//! The net has two branches of shared weights: the right eye's patch is mirrored into the form of a left eye's and run
//! through the same branch. Nothing outside this room ever sees a mirrored picture or point.

pub mod eyeball;
pub mod lids;

use crate::face::crop::Cropper;
use crate::face::points::{Landmark, Landmarks};
use crate::face::{Face, FaceError};
use crate::frame::GrayImage;
use crate::geometry::{PointPx, Similarity};
use crate::nets::{Net, NetName, Weights};

/// Whose eye: the person's left or right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// What EyesNet sees in one eye. Positions in pixels of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EyeState {
    pub pupil: PointPx,
    pub inner_corner: PointPx,
    pub outer_corner: PointPx,
    pub upper_lid: PointPx,
    pub lower_lid: PointPx,
    /// 0 closed, 1 wide open.
    pub openness: f32,
    /// That the eye is visible and the pupil's error is under a tenth of the eye's width, 0..1.
    pub confidence: f32,
}

impl EyeState {
    /// The middle between the corners, in pixels of the picture.
    pub fn middle(&self) -> PointPx {
        self.inner_corner.midpoint(self.outer_corner)
    }

    /// Below this openness the lids hide so much of the pupil that its place is a guess: the net was trained without asking
    /// for it there.
    pub const LEAST_OPENNESS: f32 = 0.35;

    pub fn is_open(&self) -> bool {
        self.openness >= Self::LEAST_OPENNESS
    }

    /// Whether it says where its owner looks: open, and not mistaken for something else.
    pub fn shows_gaze(&self) -> bool {
        self.is_open() && self.confidence > 0.0
    }
}

/// Both eyes in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Eyes {
    pub left: EyeState,
    pub right: EyeState,
}

impl Eyes {
    /// How far the eyes are open on average, 0..1.
    pub fn openness(&self) -> f32 {
        0.5 * (self.left.openness + self.right.openness)
    }

    /// The better eye's confidence that counts: an eye that is closed shows no gaze.
    pub fn confidence(&self) -> f32 {
        let of = |eye: &EyeState| if eye.is_open() { eye.confidence } else { 0.0 };
        of(&self.left).max(of(&self.right))
    }
}

/// The patch that EyesNet looks at, in pixels.
pub const PATCH_WIDTH: usize = 48;
pub const PATCH_HEIGHT: usize = 32;
/// Distance from the middle of the patch to either corner of the eye.
const HALF_EYE_PX: f32 = 15.0;
const MIDDLE: PointPx = PointPx::new(0.5 * (PATCH_WIDTH as f32 - 1.0), 0.5 * (PATCH_HEIGHT as f32 - 1.0));
/// Five points, then openness logit, logarithm of the pupil's sigma in patch pixels (which training alone asks for), and
/// confidence logit.
const OUTPUTS: usize = 13;

/// EyesNet, and the patches it keeps steady on the eyes.
pub struct EyesNet {
    net: Net,
    cropper: Cropper,
    last: Option<Eyes>,
    /// What the net saw last of the left and the right eye.
    patches: [Vec<f32>; 2],
}

impl EyesNet {
    /// How far, in parts of the eye's width, the corners of the last frame may be from where the landmarks are now before
    /// the landmarks are believed instead.
    const FOLLOWS_WITHIN: f32 = 0.15;

    pub fn new(weights: &Weights) -> Result<Self, FaceError> {
        let net = weights.load(NetName::Eyes, &[1, 1, PATCH_HEIGHT, PATCH_WIDTH], OUTPUTS)?;
        Ok(Self {
            net,
            cropper: Cropper::new(PATCH_WIDTH, PATCH_HEIGHT)?,
            last: None,
            patches: [(); 2].map(|()| vec![0.0; PATCH_WIDTH * PATCH_HEIGHT]),
        })
    }

    /// Looks at both eyes of a face.
    ///
    /// The patch is cut through the eye's corners. In the first frame they come from the landmarks and are refined by a
    /// first pass of the net; afterwards the net follows its own corners, which are several times steadier.
    pub fn look(&mut self, image: &GrayImage, face: &Face) -> Result<Eyes, FaceError> {
        let last = self.last;
        let left = self.look_at(image, Side::Left, &face.landmarks, last.map(|eyes| eyes.left))?;
        let right = self.look_at(image, Side::Right, &face.landmarks, last.map(|eyes| eyes.right))?;
        let eyes = Eyes { left, right };
        self.last = Some(eyes);
        Ok(eyes)
    }

    /// Forgets where the eyes were.
    pub fn reset(&mut self) {
        self.last = None;
    }

    /// The gray values (0..=255) of the patches of the left and the right eye that were looked at last, each in the form of
    /// a left eye.
    pub fn patches(&self) -> [&[f32]; 2] {
        [&self.patches[0], &self.patches[1]]
    }

    fn look_at(
        &mut self,
        image: &GrayImage,
        side: Side,
        landmarks: &Landmarks,
        last: Option<EyeState>,
    ) -> Result<EyeState, FaceError> {
        let (inner, outer) = match side {
            Side::Left => (landmarks.get(Landmark::LeftInner), landmarks.get(Landmark::LeftOuter)),
            Side::Right => (landmarks.get(Landmark::RightInner), landmarks.get(Landmark::RightOuter)),
        };
        let limit = Self::FOLLOWS_WITHIN * inner.distance(outer);
        let followed = last
            .filter(|eye| eye.inner_corner.distance(inner) < limit && eye.outer_corner.distance(outer) < limit)
            .filter(|eye| eye.is_open());
        match followed {
            Some(eye) => self.pass(image, side, eye.inner_corner, eye.outer_corner),
            None => {
                let rough = self.pass(image, side, inner, outer)?;
                let plausible = rough.inner_corner.distance(inner) < 2.0 * limit
                    && rough.outer_corner.distance(outer) < 2.0 * limit;
                if plausible {
                    self.pass(image, side, rough.inner_corner, rough.outer_corner)
                } else {
                    Ok(EyeState {
                        confidence: 0.0,
                        ..rough
                    })
                }
            }
        }
    }

    fn pass(&mut self, image: &GrayImage, side: Side, inner: PointPx, outer: PointPx) -> Result<EyeState, FaceError> {
        let patch_from_picture = patch_from_picture(side, inner, outer);
        let mirrored = side == Side::Right;
        self.cropper
            .cut(image, &patch_from_picture, mirrored, self.net.input())?;
        self.patches[usize::from(mirrored)].copy_from_slice(self.net.input());
        let answer = self.net.run()?;
        let picture_from_patch = patch_from_picture.inverse();
        let point = |index: usize| {
            let (x, y) = (answer[2 * index], answer[2 * index + 1]);
            let x = if mirrored { (PATCH_WIDTH as f32 - 1.0) - x } else { x };
            picture_from_patch.apply(PointPx::new(x, y))
        };
        let probability = |logit: f32| 1.0 / (1.0 + (-logit).exp());
        Ok(EyeState {
            pupil: point(0),
            inner_corner: point(1),
            outer_corner: point(2),
            upper_lid: point(3),
            lower_lid: point(4),
            openness: probability(answer[10]),
            confidence: probability(answer[12]),
        })
    }
}

/// From the picture into the (not mirrored) patch of an eye: its corners lie on the patch's middle row, the inner corner
/// towards the nose: left in the patch of a left eye, right in that of a right eye.
pub fn patch_from_picture(side: Side, inner: PointPx, outer: PointPx) -> Similarity {
    let half = match side {
        Side::Left => HALF_EYE_PX,
        Side::Right => -HALF_EYE_PX,
    };
    let to = [
        PointPx::new(MIDDLE.x - half, MIDDLE.y),
        PointPx::new(MIDDLE.x + half, MIDDLE.y),
    ];
    // Coinciding corners are an answer without meaning; an unscaled patch around them gives a confidence near zero.
    Similarity::from_two_points([inner, outer], to).unwrap_or(Similarity {
        tx: MIDDLE.x - inner.x,
        ty: MIDDLE.y - inner.y,
        ..Similarity::IDENTITY
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_upright_with_the_corners_in_their_places() {
        // In the picture the left eye is on the right; its outer corner further right.
        let (inner, outer) = (PointPx::new(340.0, 200.0), PointPx::new(370.0, 203.0));
        let left = patch_from_picture(Side::Left, inner, outer);
        assert!(left.apply(inner).distance(PointPx::new(8.5, 15.5)) < 1e-3);
        assert!(left.apply(outer).distance(PointPx::new(38.5, 15.5)) < 1e-3);
        let above = left.apply(PointPx::new(355.0, 190.0));
        assert!(above.y < 15.5, "up in the picture is up in the patch: {above:?}");

        let (inner, outer) = (PointPx::new(300.0, 200.0), PointPx::new(270.0, 203.0));
        let right = patch_from_picture(Side::Right, inner, outer);
        assert!(right.apply(inner).distance(PointPx::new(38.5, 15.5)) < 1e-3);
        assert!(right.apply(PointPx::new(285.0, 190.0)).y < 15.5);
    }
}
