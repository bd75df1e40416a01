//! What one synthetic person looks like: sizes in mm, colours in linear RGB, all drawn from the seed.

use super::parameters::{EyeColour, Parameters};
use super::random::{Draws, Purpose};

/// Linear RGB, 1 = white.
pub(crate) type Colour = [f32; 3];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HairStyle {
    Bald,
    Short,
    Long,
}

/// Shape and colours of one person. The head frame has its origin between the eyeballs' centres and the camera's axes
/// when the head faces the camera: x to the person's left, y down, z into the head.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) face_width: f64,
    pub(crate) face_length: f64,
    pub(crate) interpupillary_mm: f64,
    pub(crate) nose_height: f64,
    pub(crate) nose_width: f64,
    pub(crate) nose_length: f64,
    pub(crate) lip_fullness: f64,
    pub(crate) mouth_half_width_mm: f64,
    pub(crate) brow_drop_mm: f64,
    pub(crate) brow_thickness: f64,
    pub(crate) brow_arch_mm: f64,
    pub(crate) brow_strength: f32,
    pub(crate) jaw_width: f64,
    pub(crate) chin: f64,
    pub(crate) cheek: f64,
    pub(crate) brow_ridge: f64,
    pub(crate) eye: EyeShape,
    pub(crate) skin: Colour,
    pub(crate) lips: Colour,
    pub(crate) hair: Colour,
    pub(crate) brows: Colour,
    pub(crate) shirt: Colour,
    pub(crate) iris: Colour,
    pub(crate) iris_inner: Colour,
    pub(crate) hair_style: HairStyle,
    pub(crate) hairline_mm: f64,
    pub(crate) beard: f32,
    pub(crate) age: f32,
    /// Angle between the optical and the visual axis, optical axis towards the temple and (positive) down.
    pub(crate) kappa_deg: [f64; 2],
}

/// The lid opening of a left eye; x runs from the nose to the temple, y down, from the eyeball's centre.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EyeShape {
    pub(crate) inner_mm: [f64; 2],
    pub(crate) outer_mm: [f64; 2],
    pub(crate) opening_mm: f64,
    /// Where along the opening the upper lid is highest and the lower lid lowest, 0 inner, 1 outer.
    pub(crate) upper_peak: f64,
    pub(crate) lower_trough: f64,
    /// Height of the fold above the upper margin when looking straight ahead; small or 0 without a fold.
    pub(crate) crease_mm: f64,
    pub(crate) lash_strength: f32,
    pub(crate) pupil_radius_mm: f64,
    pub(crate) iris_radius_mm: f64,
}

fn scaled(colour: Colour, by: f32) -> Colour {
    colour.map(|channel| (channel * by).clamp(0.0, 1.0))
}

pub(crate) fn mix(a: Colour, b: Colour, part: f32) -> Colour {
    std::array::from_fn(|channel| a[channel] + part * (b[channel] - a[channel]))
}

/// Diffuse skin colours for Fitzpatrick's types 1 to 6, linear RGB, from lightest to darkest.
const SKIN: [Colour; 6] = [
    [0.62, 0.42, 0.34],
    [0.54, 0.345, 0.26],
    [0.43, 0.26, 0.185],
    [0.31, 0.175, 0.115],
    [0.19, 0.102, 0.066],
    [0.105, 0.056, 0.038],
];

const HAIR_STYLES: [HairStyle; 9] = {
    use HairStyle::{Bald, Long, Short};
    [Short, Long, Short, Long, Short, Long, Short, Long, Bald]
};

impl Person {
    pub(crate) fn new(parameters: &Parameters) -> Self {
        let draws = &mut Draws::new(parameters.seed, Purpose::Shape, 0);
        let about = |draws: &mut Draws, mean: f64, sd: f64| mean + sd * draws.normal().clamp(-2.0, 2.0);
        let tone = (parameters.skin - 1.0).clamp(0.0, 5.0);
        let (below, part) = ((tone.floor() as usize).min(4), (tone - tone.floor().min(4.0)) as f32);
        let skin = scaled(mix(SKIN[below], SKIN[below + 1], part), about(draws, 1.0, 0.05) as f32);
        let tint = draws.between(0.75, 1.0) as f32;
        let lips = mix([skin[0] * 0.86, skin[1] * 0.58, skin[2] * 0.66], skin, 1.0 - tint);
        let dark_hair = parameters.skin > 3.0 || draws.chance(0.4);
        let hair = if dark_hair {
            draws.pick(&[[0.012, 0.009, 0.008], [0.02, 0.013, 0.01], [0.035, 0.02, 0.013]])
        } else {
            draws.pick(&[
                [0.09, 0.05, 0.025],
                [0.2, 0.13, 0.06],
                [0.13, 0.05, 0.02],
                [0.22, 0.21, 0.2],
            ])
        };
        let (iris, iris_inner) = iris_colours(parameters.eye_colour);
        let fold = draws.chance(0.8);
        let opening_mm = parameters.eye_opening_mm;
        Self {
            face_width: about(draws, 1.02, 0.035),
            face_length: about(draws, 0.98, 0.035),
            interpupillary_mm: about(draws, 63.0, 2.4),
            nose_height: about(draws, 1.0, 0.12),
            nose_width: about(draws, 1.0, 0.12),
            nose_length: about(draws, 1.0, 0.05),
            lip_fullness: about(draws, 1.0, 0.18),
            mouth_half_width_mm: about(draws, 25.0, 1.6),
            brow_drop_mm: about(draws, 0.0, 1.6),
            brow_thickness: about(draws, 1.0, 0.18),
            brow_arch_mm: about(draws, 3.5, 1.3),
            brow_strength: draws.between(0.55, 0.95) as f32,
            jaw_width: about(draws, 1.0, 0.05),
            chin: about(draws, 1.0, 0.25),
            cheek: about(draws, 1.0, 0.3),
            brow_ridge: about(draws, 1.0, 0.3),
            eye: EyeShape {
                inner_mm: [-15.6 + about(draws, 0.0, 0.4), about(draws, 1.9, 0.5)],
                outer_mm: [13.6 + about(draws, 0.0, 0.4), about(draws, -0.1, 0.6)],
                opening_mm,
                upper_peak: draws.between(0.42, 0.52),
                lower_trough: draws.between(0.54, 0.64),
                crease_mm: if fold {
                    draws.between(2.2, 4.6)
                } else {
                    draws.between(0.6, 1.4)
                },
                lash_strength: draws.between(0.45, 1.0) as f32,
                pupil_radius_mm: 0.5 * parameters.pupil_mm,
                iris_radius_mm: about(draws, 5.85, 0.12),
            },
            skin,
            lips,
            hair,
            brows: mix(hair, skin, 0.1),
            shirt: std::array::from_fn(|_| draws.between(0.02, 0.5) as f32),
            iris,
            iris_inner,
            hair_style: draws.pick(&HAIR_STYLES),
            hairline_mm: about(draws, -66.0, 3.5),
            beard: if draws.chance(0.3) {
                draws.between(0.15, 0.6) as f32
            } else {
                0.0
            },
            age: draws.between(0.1, 0.9) as f32,
            kappa_deg: [about(draws, 5.0, 0.8), about(draws, 1.0, 0.6)],
        }
    }
}

/// Colours of the iris near its rim and near the pupil.
fn iris_colours(colour: EyeColour) -> (Colour, Colour) {
    match colour {
        EyeColour::Dark => ([0.018, 0.011, 0.008], [0.03, 0.017, 0.01]),
        EyeColour::Brown => ([0.05, 0.027, 0.014], [0.095, 0.05, 0.022]),
        EyeColour::Hazel => ([0.05, 0.042, 0.021], [0.1, 0.058, 0.023]),
        EyeColour::Green => ([0.045, 0.058, 0.037], [0.1, 0.088, 0.04]),
        EyeColour::Blue => ([0.042, 0.068, 0.1], [0.088, 0.115, 0.142]),
        EyeColour::Gray => ([0.06, 0.07, 0.078], [0.105, 0.11, 0.11]),
    }
}
