//! The synthetic camera: exposure, sensor noise, tone curve, JPEG.

use std::ops::Range;
use std::sync::Arc;

use crate::clock::Timestamp;

use super::canvas::DepthBuffer;
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
    developer: Developer,
    /// The empty room, developed.
    room: Vec<u8>,
    noise: Vec<i8>,
    /// SD on black, 1/255.
    noise_sd: f32,
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
        let mut developer = Developer {
            lens: Lens::new(parameters.seed, width),
            tone: (0..TONES)
                .map(|level| tone(gain * BRIGHTEST * (level as f32 + 0.5) / TONES as f32))
                .collect(),
            vignette,
        };
        let renderer = Renderer::new(&user);
        let mut room = vec![0; width * height * 3];
        for (row, rgb) in room.chunks_exact_mut(3 * width).enumerate() {
            developer.row(renderer.room(), row, 0..width, rgb);
        }
        Self {
            renderer,
            developer,
            room,
            noise,
            noise_sd: (1.25 * amplified) as f32,
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
        let canvas = self.renderer.render(&instants);
        let (width, height, quality) = (parameters.width_px, parameters.height_px, parameters.jpeg_quality);
        let pixels = width as usize;
        let mut drawn = Draws::new(parameters.seed, Purpose::FrameNoise, index as i64);
        // Only where the user is does the picture differ from that of the empty room.
        self.rgb.copy_from_slice(&self.room);
        for (row, rgb) in self.rgb.chunks_exact_mut(3 * pixels).enumerate() {
            let columns = around(&canvas.depth, row, pixels);
            self.developer.row(&canvas.light, row, columns, rgb);
            let begin = 3 * (drawn.bits() as usize % (NOISE_VALUES - pixels));
            add_noise(rgb, &self.noise[begin..begin + 3 * pixels], self.noise_sd);
        }
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

    /// `columns` of row `row` of the picture behind the lens, three channels a pixel.
    fn row(&mut self, light: &[Colour], row: usize, columns: Range<usize>) -> &[f32] {
        let (width, rows) = (self.width, light.len() / self.width);
        // One more column on either side, where there is one.
        let (from, to) = (columns.start.saturating_sub(1), (columns.end + 1).min(width));
        let line = |row: usize| light[row * width + from..row * width + to].as_flattened();
        let (above, here, below) = (line(row.saturating_sub(1)), line(row), line((row + 1).min(rows - 1)));
        let middle = 1.0 - 2.0 * self.spread;
        let begin = 3 * (1 - (columns.start - from));
        let end = begin + here.len();
        let inner = &mut self.down[begin..end];
        for (((out, a), h), b) in inner.iter_mut().zip(above).zip(here).zip(below) {
            *out = middle * h + self.spread * (a + b);
        }
        if from == columns.start {
            self.down.copy_within(3..6, 0);
        }
        if to == columns.end {
            self.down.copy_within(end - 3..end, end);
        }
        let length = 3 * columns.len();
        let (left, here, right) = (
            &self.down[..length],
            &self.down[3..3 + length],
            &self.down[6..6 + length],
        );
        let both = &mut self.both[..length];
        for (((out, l), h), r) in both.iter_mut().zip(left).zip(here).zip(right) {
            *out = middle * h + self.spread * (l + r);
        }
        both
    }
}

/// Columns of a row that differ from the empty room once the lens has spread them: the touched ones of this row and its
/// neighbours, and one more on either side.
fn around(depth: &DepthBuffer, row: usize, width: usize) -> Range<usize> {
    let rows = row.saturating_sub(1)..=row + 1;
    rows.map(|row| depth.touched(row))
        .filter(|columns| !columns.is_empty())
        .reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))
        .map_or(0..0, |columns| {
            columns.start.saturating_sub(1)..(columns.end + 1).min(width)
        })
}

/// What automatic exposure settles at: it meters the face but does not make up for all of a dark room or dark skin.
fn exposure_gain(user: &SyntheticUser) -> f32 {
    let skin = user.person().skin;
    let reflected = 0.3 * skin[0] + 0.59 * skin[1] + 0.11 * skin[2];
    let light = user.parameters().light as f32;
    0.42 / (reflected.powf(0.6) * 0.45 * light.powf(0.5))
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

/// From light to the bytes of a picture without noise.
struct Developer {
    lens: Lens,
    tone: Vec<u8>,
    vignette: Vec<f32>,
}

impl Developer {
    /// Develops `columns` of row `row` of a picture into `rgb`, which is the whole row.
    fn row(&mut self, light: &[Colour], row: usize, columns: Range<usize>, rgb: &mut [u8]) {
        if columns.is_empty() {
            return;
        }
        let scale = TONES as f32 / BRIGHTEST;
        let vignette = &self.vignette[row * self.lens.width..][columns.clone()];
        let light = self.lens.row(light, row, columns.clone());
        let rgb = &mut rgb[3 * columns.start..3 * columns.end];
        for ((out, light), vignette) in rgb.chunks_exact_mut(3).zip(light.chunks_exact(3)).zip(vignette) {
            let scale = vignette * scale;
            for channel in 0..3 {
                let level = (light[channel] * scale) as i32;
                out[channel] = self.tone[(level as usize).min(TONES - 1)];
            }
        }
    }
}

/// Adds the sensor's noise to a row; `sd` is that on black in 1/255, a fifth less on white.
fn add_noise(rgb: &mut [u8], noise: &[i8], sd: f32) {
    let sd = sd / NOISE_SD as f32;
    let slope = 0.2 * sd / 255.0;
    for (out, noise) in rgb.iter_mut().zip(noise) {
        let level = f32::from(*out);
        *out = (level + (sd - slope * level) * f32::from(*noise) + 0.5) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(text: &str) -> SyntheticCamera {
        let parameters = text.parse().expect("known keys");
        SyntheticCamera::new(Arc::new(SyntheticUser::new(parameters, Timestamp::from_nanos(7))))
    }

    #[test]
    fn a_picture_is_a_function_of_seed_and_time() {
        let text = "seed=4,width=160,height=120";
        let (mut first, mut second) = (camera(text), camera(text));
        let pictures: Vec<Vec<u8>> = [0, 5, 9]
            .map(|index| first.expose(index).expect("encodes").jpeg.to_vec())
            .into();
        // Another order, other frames between.
        for (index, picture) in [
            (9, &pictures[2]),
            (3, &pictures[0]),
            (0, &pictures[0]),
            (5, &pictures[1]),
        ] {
            assert_eq!(
                second.expose(index).expect("encodes").jpeg == picture.as_slice(),
                index != 3
            );
        }
        let other = camera("seed=5,width=160,height=120")
            .expose(0)
            .expect("encodes")
            .jpeg
            .to_vec();
        assert_ne!(other, pictures[0]);
    }

    #[test]
    fn noise_is_as_strong_as_asked_before_compression() {
        let camera = camera("seed=4,width=320,height=240,noise=3,light=1");
        let mut row = vec![128_u8; 3 * 320];
        add_noise(&mut row, &camera.noise[..3 * 320], camera.noise_sd);
        let gray = row
            .chunks_exact(3)
            .map(|p| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]));
        let variance = gray.map(|value| (value - 128.0).powi(2)).sum::<f32>() / 320.0;
        assert!((2.9..4.4).contains(&variance.sqrt()), "SD {}", variance.sqrt());
    }

    #[test]
    fn frames_are_counted_from_the_epoch() {
        let camera = camera("fps=30");
        assert_eq!(camera.first_frame_from(Timestamp::from_nanos(0)), 0);
        assert_eq!(camera.first_frame_from(camera.captured(100)), 100);
        assert_eq!(
            camera.first_frame_from(camera.captured(100).offset_by_seconds(0.001)),
            101
        );
    }

    #[test]
    fn an_absent_user_leaves_the_same_empty_room() {
        let mut absent = camera("seed=4,width=160,height=120,user=absent,noise=0");
        let first = absent.expose(0).expect("encodes").jpeg.to_vec();
        assert_eq!(absent.expose(40).expect("encodes").jpeg, first.as_slice());
    }
}
