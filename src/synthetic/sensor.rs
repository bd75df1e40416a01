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
    /// Noise SD in 1/255 on black; a quarter less on white.
    noise_sd: f32,
    lens: Lens,
    rgb: Vec<u8>,
    jpeg: Vec<u8>,
}

/// Levels of the tone table over linear light 0..1.25.
const TONES: usize = 8192;
const BRIGHTEST: f32 = 1.25;
/// Pixels of the noise table, with SD 32.
const NOISE_VALUES: usize = 1 << 17;
const NOISE_SD: f64 = 32.0;

impl SyntheticCamera {
    pub fn new(user: Arc<SyntheticUser>) -> Self {
        let parameters = user.parameters();
        let (width, height) = (parameters.width_px as usize, parameters.height_px as usize);
        let mut draws = Draws::new(parameters.seed, Purpose::SensorNoise, 0);
        let noise = (0..NOISE_VALUES)
            .flat_map(|_| {
                // Mostly brightness; red and blue have a weaker signal and noise of their own.
                let (gray, red, blue) = (draws.normal(), 0.5 * draws.normal(), 0.6 * draws.normal());
                [gray + red, gray, gray + blue].map(|value| (NOISE_SD * value).clamp(-127.0, 127.0) as i8)
            })
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
            noise_sd: (1.25 * amplified) as f32,
            lens: Lens::new(parameters.seed, width),
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
            &mut self.lens,
            &self.vignette,
            &self.tone,
            &self.noise,
            self.noise_sd,
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

/// The lens spreads each point a little, by 3x3 weights that are the same in both directions.
struct Lens {
    /// Weight of each neighbour; the middle has the rest.
    spread: f32,
    width: usize,
    /// One row, blurred downwards, with a copy of its ends on either side; then the finished row.
    down: Vec<f32>,
    both: Vec<f32>,
}

impl Lens {
    fn new(seed: u64, width: usize) -> Self {
        Self {
            spread: Draws::new(seed, Purpose::Lens, 0).between(0.08, 0.17) as f32,
            width,
            down: vec![0.0; 3 * (width + 2)],
            both: vec![0.0; 3 * width],
        }
    }

    /// Row `row` of the picture behind the lens, three channels a pixel.
    fn row(&mut self, light: &[Colour], row: usize) -> &[f32] {
        let (width, rows) = (self.width, light.len() / self.width);
        let line = |row: usize| light[row * width..(row + 1) * width].as_flattened();
        let (above, here, below) = (line(row.saturating_sub(1)), line(row), line((row + 1).min(rows - 1)));
        let middle = 1.0 - 2.0 * self.spread;
        let inner = &mut self.down[3..3 * (width + 1)];
        for (((out, a), h), b) in inner.iter_mut().zip(above).zip(here).zip(below) {
            *out = middle * h + self.spread * (a + b);
        }
        self.down.copy_within(3..6, 0);
        self.down.copy_within(3 * width..3 * (width + 1), 3 * (width + 1));
        let (left, here, right) = (&self.down[..3 * width], &self.down[3..3 * (width + 1)], &self.down[6..]);
        for (((out, l), h), r) in self.both.iter_mut().zip(left).zip(here).zip(right) {
            *out = middle * h + self.spread * (l + r);
        }
        &self.both
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
    lens: &mut Lens,
    vignette: &[f32],
    tone: &[u8],
    noise: &[i8],
    noise_sd: f32,
    noise_seed: u64,
    width: usize,
    rgb: &mut [u8],
) {
    let noise_sd = noise_sd / NOISE_SD as f32;
    let scale = TONES as f32 / BRIGHTEST;
    let noise_slope = 0.2 * noise_sd / 255.0;
    let mut state = noise_seed | 1;
    let rows = vignette.chunks_exact(width).zip(rgb.chunks_exact_mut(3 * width));
    for (row, (vignette, rgb)) in rows.enumerate() {
        let light = lens.row(light, row);
        // xorshift64*: where in the noise table this row begins, for brightness and for colour.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let drawn = (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as usize;
        let begin = 3 * (drawn % (NOISE_VALUES - width));
        let noise = &noise[begin..begin + 3 * width];
        for ((out, light), vignette) in rgb.chunks_exact_mut(3).zip(light.chunks_exact(3)).zip(vignette) {
            let scale = vignette * scale;
            for channel in 0..3 {
                out[channel] = tone[((light[channel] * scale) as usize).min(TONES - 1)];
            }
        }
        for (out, noise) in rgb.iter_mut().zip(noise) {
            let level = f32::from(*out);
            let deviation = noise_sd - noise_slope * level;
            *out = (level + deviation * f32::from(*noise) + 0.5) as u8;
        }
    }
}
