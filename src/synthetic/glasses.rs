//! Spectacles: rims, bridge, arms and what the lenses reflect. The lenses' power is left out: they do not bend lines of sight.

use super::eyeball::Vec3;
use super::person::{Colour, mix};
use super::random::{Draws, Purpose};
use super::skin::{Light, dot, smooth_step, to_f32};

/// Radius of the lenses' front surface, as of common meniscus lenses.
const FRONT_RADIUS_MM: f64 = 130.0;

/// One pair of spectacles in the head frame.
pub(crate) struct Glasses {
    half_width_mm: f64,
    half_height_mm: f64,
    /// Exponent of the rim's superellipse: 2 is round, larger is boxier.
    boxiness: f64,
    thickness_mm: f64,
    colour: Colour,
    gloss: f32,
    tint: f32,
    centre_x_mm: f64,
    rims: [Vec<Vec3>; 2],
    /// Bridge and arms.
    bars: Vec<Vec<Vec3>>,
}

/// A stroke of the frame: a polyline with its thickness.
pub(crate) struct Stroke<'a> {
    pub(crate) points: &'a [Vec3],
    pub(crate) thickness_mm: f64,
    pub(crate) closed: bool,
}

const DROP_MM: f64 = 3.0;

impl Glasses {
    pub(crate) fn new(seed: u64, interpupillary_mm: f64, ear_x_mm: f64) -> Self {
        let draws = &mut Draws::new(seed, Purpose::Glasses, 0);
        let centre_x_mm = 0.5 * interpupillary_mm + draws.between(0.5, 2.5);
        let mut glasses = Self {
            half_width_mm: draws.between(23.0, 26.0),
            half_height_mm: draws.between(15.0, 20.0),
            boxiness: draws.between(2.1, 4.0),
            thickness_mm: if draws.chance(0.4) {
                draws.between(0.9, 1.4)
            } else {
                draws.between(2.0, 3.6)
            },
            colour: draws.pick(&[
                [0.012, 0.012, 0.013],
                [0.02, 0.02, 0.03],
                [0.06, 0.03, 0.015],
                [0.1, 0.09, 0.08],
                [0.15, 0.03, 0.03],
            ]),
            gloss: draws.between(0.1, 0.5) as f32,
            tint: draws.between(0.9, 0.98) as f32,
            centre_x_mm,
            rims: [Vec::new(), Vec::new()],
            bars: Vec::new(),
        };
        for (index, side) in super::user::SIDES.into_iter().enumerate() {
            glasses.rims[index] = (0..40)
                .map(|step| {
                    let (sin, cos) = (f64::from(step) * std::f64::consts::TAU / 40.0).sin_cos();
                    let bend = |value: f64| value.signum() * value.abs().powf(2.0 / glasses.boxiness);
                    glasses.lens_point(
                        side,
                        glasses.half_width_mm * bend(cos),
                        glasses.half_height_mm * bend(sin),
                    )
                })
                .collect();
            let hinge = glasses.lens_point(side, glasses.half_width_mm, -0.45 * glasses.half_height_mm);
            let ear = Vec3::new(side * ear_x_mm, -2.0, 82.0);
            let corner = hinge + Vec3::new(side * 4.0, -0.5, 7.0);
            glasses.bars.push(vec![hinge, corner, ear]);
        }
        let inner = glasses.half_width_mm * 0.97;
        glasses.bars.push(
            (0..=8)
                .map(|step| {
                    let part = f64::from(step) / 4.0 - 1.0;
                    let x = part * (centre_x_mm - inner);
                    let end = glasses.lens_point(1.0, -inner, -4.0);
                    Vec3::new(x, end.y - 2.5 * (1.0 - part * part), end.z - 1.0 * (1.0 - part * part))
                })
                .collect(),
        );
        glasses
    }

    /// A point of a lens' front, from its middle: temple-ward and down.
    fn lens_point(&self, side: f64, across: f64, down: f64) -> Vec3 {
        // The front follows the face back towards the temples, the lower rim leans in towards the cheek.
        let sag = (across * across + down * down) / (2.0 * FRONT_RADIUS_MM);
        let x = self.centre_x_mm + across;
        Vec3::new(side * x, DROP_MM + down, -27.5 + sag + 0.003 * x * x + 0.1 * down)
    }

    pub(crate) fn strokes(&self) -> impl Iterator<Item = Stroke<'_>> {
        let rims = self.rims.iter().map(|points| Stroke {
            points,
            thickness_mm: self.thickness_mm,
            closed: true,
        });
        let bars = self.bars.iter().map(|points| Stroke {
            points,
            thickness_mm: self.thickness_mm * 1.1,
            closed: false,
        });
        rims.chain(bars)
    }

    /// Colour of the frame under `light`.
    pub(crate) fn frame_colour(&self, light: &Light) -> Colour {
        let up = (0.5 - 0.5 * light.towards[1]).clamp(0.0, 1.0);
        std::array::from_fn(|i| {
            let falling = 0.5 * light.key[i] * up + light.sky[i] + 0.5 * light.screen[i];
            self.colour[i] * falling + 0.03 * self.gloss * light.key[i]
        })
    }

    /// What a line of sight through a lens shows, given what is behind it. `None` outside both lenses.
    pub(crate) fn through_lens(
        &self,
        viewer: &Vec3,
        direction: &Vec3,
        behind: Colour,
        light: &Light,
    ) -> Option<Colour> {
        let reach = (-24.5 - viewer.z) / direction.z;
        let (x, y) = (viewer.x + reach * direction.x, viewer.y + reach * direction.y - DROP_MM);
        let side = x.signum();
        let across = x.abs() - self.centre_x_mm;
        let inside = (across.abs() / self.half_width_mm).powf(self.boxiness)
            + (y.abs() / self.half_height_mm).powf(self.boxiness);
        if inside >= 1.0 {
            return None;
        }
        // The front faces ahead and a little down, and curves away from its middle.
        let slope = [
            side * (across / FRONT_RADIUS_MM + 0.006 * x.abs()),
            y / FRONT_RADIUS_MM + 0.1,
        ];
        let normal = to_f32(&Vec3::new(slope[0], slope[1], -1.0).normalize());
        let along = to_f32(&direction.normalize());
        let twice = 2.0 * dot(along, normal);
        let mirrored = [
            along[0] - twice * normal[0],
            along[1] - twice * normal[1],
            along[2] - twice * normal[2],
        ];
        let lamp = smooth_step(0.965, 0.985, f64::from(dot(mirrored, light.towards))) as f32;
        let ceiling = smooth_step(0.25, 0.8, f64::from(dot(mirrored, light.up))) as f32;
        let screen = smooth_step(0.95, 0.97, f64::from(dot(mirrored, light.front))) as f32;
        // Coated lenses send back one to four hundredths of the light.
        let shine: Colour = std::array::from_fn(|i| {
            self.gloss * (0.35 * light.key[i] * lamp + 0.05 * light.sky[i] * ceiling + 0.14 * light.screen[i] * screen)
        });
        let dimmed = mix([0.0; 3], behind, self.tint);
        Some(std::array::from_fn(|i| dimmed[i] + shine[i]))
    }

    /// The front's outline in the head frame, for finding the pixels it may cover.
    pub(crate) fn rims(&self) -> &[Vec<Vec3>; 2] {
        &self.rims
    }
}
