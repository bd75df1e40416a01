//! The synthetic camera: exposure, sensor noise, tone curve, JPEG.

use std::sync::Arc;

use crate::clock::Timestamp;

use super::person::Colour;
use super::random::{Draws, Purpose};
use super::renderer::{INSTANTS, Renderer};
use super::user::{Moment, SyntheticUser};

/// The camera's picture could not be compressed; a bug, not the world.
#[derive(Debug, thiserror::Error)]
#[error("the synthetic camera could not compress its picture: {0}")]
pub struct SensorError(#[from] jpeg_encoder::EncodingError);

/// One exposed picture, as the camera sends it.
#[derive(Clone, Copy, Debug)]
pub struct Exposed<'a> {
    /// Counts frames from the user's epoch.
    pub index: u64,
    /// Middle of the exposure.
    pub captured: Timestamp,
    /// The JPEG file.
    pub jpeg: &'a [u8],
}

/// A webcam in front of a synthetic user. Frame `k` is exposed around `epoch + k / frame rate`.
pub struct SyntheticCamera {
    user: Arc<SyntheticUser>,
    renderer: Renderer,
    tone: Vec<u8>,
    vignette: Vec<f32>,
    noise: Vec<i8>,
    /// Noise SD in 1/255 by output level.
    spread: [f32; 256],
    rgb: Vec<u8>,
    jpeg: Vec<u8>,
}

/// Levels of the tone table over linear light 0..1.25.
const TONES: usize = 8192;
const BRIGHTEST: f32 = 1.25;
/// Values of the noise table, a power of two, with SD 32.
const NOISE_VALUES: usize = 1 << 17;
const NOISE_SD: f64 = 32.0;

impl SyntheticCamera {
    pub fn new(user: Arc<SyntheticUser>) -> Self {
        let parameters = user.parameters();
        let (width, height) = (parameters.width_px as usize, parameters.height_px as usize);
        let mut draws = Draws::new(parameters.seed, Purpose::SensorNoise, 0);
        let noise = (0..NOISE_VALUES)
            .map(|_| (NOISE_SD * draws.normal()).clamp(-127.0, 127.0) as i8)
            .collect();
        // The darker the room, the more the signal is amplified, and with it the noise.
        let amplified = parameters.noise * parameters.light.min(1.0).powf(-0.5);
        let half_diagonal = (width as f32).hypot(height as f32) / 2.0;
        let vignette = (0..width * height)
            .map(|index| {
                let x = (index % width) as f32 - 0.5 * width as f32;
                let y = (index / width) as f32 - 0.5 * height as f32;
                let radius = x.hypot(y) / half_diagonal;
                1.0 - 0.22 * radius * radius
            })
            .collect();
        let gain = exposure_gain(&user);
        Self {
            renderer: Renderer::new(&user),
            tone: (0..TONES)
                .map(|level| tone(gain * BRIGHTEST * (level as f32 + 0.5) / TONES as f32))
                .collect(),
            vignette,
            noise,
            spread: std::array::from_fn(|level| (amplified * (1.25 - 0.25 * level as f64 / 255.0)) as f32),
            rgb: vec![0; width * height * 3],
            jpeg: Vec::with_capacity(width * height / 2),
            user,
        }
    }

    pub fn user(&self) -> &Arc<SyntheticUser> {
        &self.user
    }

    /// Middle of the exposure of frame `index`.
    pub fn captured(&self, index: u64) -> Timestamp {
        self.user.epoch().offset_by_seconds(self.seconds(index))
    }

    /// The first frame whose exposure is centred at `at` or later.
    pub fn first_frame_from(&self, at: Timestamp) -> u64 {
        let elapsed_s = at.seconds_since(self.user.epoch());
        (elapsed_s * self.user.parameters().frame_rate_hz - 1e-6)
            .ceil()
            .max(0.0) as u64
    }

    fn seconds(&self, index: u64) -> f64 {
        index as f64 / self.user.parameters().frame_rate_hz
    }

    /// Renders and compresses frame `index`.
    pub fn expose(&mut self, index: u64) -> Result<Exposed<'_>, SensorError> {
        let parameters = self.user.parameters();
        let (middle_s, exposure_s) = (self.seconds(index), parameters.exposure_ms * 1e-3);
        let instants: [Moment; INSTANTS] = std::array::from_fn(|instant| {
            // Evenly spread; the one in the middle is the middle of the exposure.
            let part = (instant as f64 - (INSTANTS / 2) as f64) / INSTANTS as f64;
            self.user.moment(middle_s + part * exposure_s)
        });
        let light = self.renderer.render(&instants);
        let (width, height, quality) = (parameters.width_px, parameters.height_px, parameters.jpeg_quality);
        let noise_seed = Draws::new(parameters.seed, Purpose::FrameNoise, index as i64).bits();
        develop(
            light,
            &self.vignette,
            &self.tone,
            &self.noise,
            &self.spread,
            noise_seed,
            width as usize,
            &mut self.rgb,
        );
        self.jpeg.clear();
        let encoder = jpeg_encoder::Encoder::new(&mut self.jpeg, quality);
        encoder.encode(&self.rgb, width as u16, height as u16, jpeg_encoder::ColorType::Rgb)?;
        Ok(Exposed {
            index,
            captured: self.captured(index),
            jpeg: &self.jpeg,
        })
    }
}

/// What automatic exposure settles at: it meters the face but does not make up for all of a dark room or dark skin.
fn exposure_gain(user: &SyntheticUser) -> f32 {
    let skin = user.person().skin;
    let reflected = 0.3 * skin[0] + 0.59 * skin[1] + 0.11 * skin[2];
    let light = user.parameters().light as f32;
    0.42 / (reflected.powf(0.6) * 0.45 * light.powf(0.65))
}

/// sRGB's transfer curve with a shoulder that keeps highlights from clipping hard.
fn tone(linear: f32) -> u8 {
    let linear = if linear > 0.8 {
        0.8 + 0.2 * (1.0 - (-(linear - 0.8) / 0.2).exp())
    } else {
        linear
    };
    let encoded = if linear <= 0.003_130_8 {
        12.92 * linear
    } else {
        1.055 * linear.powf(1.0 / 2.4) - 0.055
    };
    (255.0 * encoded).round().clamp(0.0, 255.0) as u8
}

#[expect(
    clippy::too_many_arguments,
    reason = "the camera's tables, passed apart from the picture they are borrowed beside"
)]
fn develop(
    light: &[Colour],
    vignette: &[f32],
    tone: &[u8],
    noise: &[i8],
    spread: &[f32; 256],
    noise_seed: u64,
    width: usize,
    rgb: &mut [u8],
) {
    let scale = TONES as f32 / BRIGHTEST;
    let mut state = noise_seed | 1;
    let rows = light
        .chunks_exact(width)
        .zip(vignette.chunks_exact(width))
        .zip(rgb.chunks_exact_mut(3 * width));
    for ((light, vignette), rgb) in rows {
        // xorshift64*: where in the noise table this row begins, for brightness and for colour.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let drawn = state.wrapping_mul(0x2545_F491_4F6C_DD1D);
        let (gray_at, red_at, blue_at) = (drawn as usize, (drawn >> 17) as usize, (drawn >> 34) as usize);
        let value = |at: usize, column: usize| f32::from(noise[(at + column) & (NOISE_VALUES - 1)]);
        for (column, ((light, vignette), out)) in light.iter().zip(vignette).zip(rgb.chunks_exact_mut(3)).enumerate() {
            let level = |channel: f32| tone[((channel * vignette * scale) as usize).min(TONES - 1)];
            let encoded = light.map(level);
            let deviation = spread[usize::from(encoded[1])] / NOISE_SD as f32;
            let gray = deviation * value(gray_at, column);
            let chroma = [
                0.5 * deviation * value(red_at, column),
                0.0,
                0.6 * deviation * value(blue_at, column),
            ];
            for channel in 0..3 {
                out[channel] = (f32::from(encoded[channel]) + gray + chroma[channel] + 0.5) as u8;
            }
        }
    }
}
