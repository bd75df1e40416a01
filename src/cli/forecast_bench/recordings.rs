//! What forecasters are judged on: real eye movements seen by simulated webcams, a real camera-based estimate beside an
//! infrared reference, and the synthetic user.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nalgebra::{Matrix3, Matrix3x2, Vector3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::clean::Clean;
use super::npz;
use crate::clock::Timestamp;
use crate::filter::{Vector, vector};
use crate::synthetic::{Parameters, SyntheticUser};

/// What one forecaster is fed, row by row, and the truth beside it.
pub struct Track {
    pub set: String,
    pub rows: Vec<(f64, Option<Vector>)>,
    pub clean: std::rc::Rc<Clean>,
    /// Rows before this are fed but not judged.
    pub judged_from_s: f64,
}

/// Frame rates of the simulated webcams.
pub const RATES_HZ: [u32; 4] = [15, 30, 60, 120];
const EXPOSURE_S: f64 = 0.010;
const NOISE_SD_DEG: f64 = 0.5;
/// GazeCom's screen, in degrees.
const GAZECOM_DEG: [f64; 2] = [40.0, 22.5];
const GAZECOM_HZ: f64 = 250.0;
/// Around lost stretches an infrared tracker's positions are pulled along by the lid.
const GAZECOM_MARGIN_S: f64 = 0.040;
/// `gaze60` is calibrated on its first part and judged on the rest.
const CALIBRATION_S: f64 = 30.0;

/// People that the net was never trained on.
const HELD_OUT: &str = include_str!("../../../models/train/forecast/held_out.txt");

/// True if `person` of `set` was held out of training.
fn held_out(set: &str, person: &str) -> bool {
    HELD_OUT.lines().any(|line| line.split_once(' ') == Some((set, person)))
}

/// GazeCom through webcams of four rates: `gazecom250/train.npz`.
pub fn gazecom(data: &Path, everyone: bool) -> Result<Vec<Track>> {
    let arrays = npz::read(&data.join("gazecom250/train.npz"))?;
    let mut tracks = Vec::new();
    let mut noise = Noise::new(1);
    for (name, positions) in arrays.iter().filter(|(name, _)| name.ends_with("_xy")) {
        let clip = name.trim_end_matches("_xy");
        let person = clip.split('_').next().unwrap_or(clip);
        if !everyone && !held_out("gazecom", person) {
            continue;
        }
        ensure!(
            positions.columns == 2,
            "GazeCom's positions of {clip} have {} columns, not x and y",
            positions.columns
        );
        let labels = arrays
            .binary_search_by(|(other, _)| other.as_str().cmp(&format!("{clip}_label")))
            .ok()
            .map(|index| &arrays[index].1)
            .with_context(|| format!("GazeCom has positions of {clip} but no labels"))?;
        let known: Vec<bool> = positions
            .rows()
            .zip(labels.rows())
            .map(|(xy, label)| xy.iter().all(|&v| v != -32768.0) && label[0] != f64::from(b'B'))
            .collect();
        let at: Vec<Vector> = positions
            .rows()
            .take(known.len())
            .map(|xy| Vector::new(xy[0] * 1e-4 * GAZECOM_DEG[0], xy[1] * 1e-4 * GAZECOM_DEG[1]))
            .collect();
        let times = (0..at.len()).map(|i| i as f64 / GAZECOM_HZ).collect();
        let clean = std::rc::Rc::new(Clean::new(times, at, &known, GAZECOM_MARGIN_S));
        for rate in RATES_HZ {
            tracks.push(webcam(format!("gazecom {rate} Hz"), &clean, rate, &mut noise));
        }
    }
    Ok(tracks)
}

/// A webcam that watches `clean`: means over the exposure, with noise.
fn webcam(set: String, clean: &std::rc::Rc<Clean>, rate_hz: u32, noise: &mut Noise) -> Track {
    let (first, last) = clean.span_s();
    let start = first + EXPOSURE_S / 2.0;
    let frames = ((last - EXPOSURE_S / 2.0 - start) * f64::from(rate_hz)).max(0.0) as u32;
    let rows = (0..frames)
        .map(|i| {
            let t_s = start + f64::from(i) / f64::from(rate_hz);
            let wobble = Vector::new(noise.normal(), noise.normal()) * NOISE_SD_DEG;
            (t_s, clean.exposed(t_s, EXPOSURE_S).map(|at| at + wobble))
        })
        .collect();
    Track {
        set,
        rows,
        clean: std::rc::Rc::clone(clean),
        judged_from_s: first,
    }
}

/// Both camera estimates of `gaze60/train.npz`, calibrated, beside the infrared reference.
pub fn gaze60(data: &Path, everyone: bool) -> Result<Vec<Track>> {
    let mut tracks = Vec::new();
    for (person, table) in npz::read(&data.join("gaze60/train.npz"))? {
        if table.columns != 7 || (!everyone && !held_out("gaze60", &person)) {
            continue;
        }
        let times: Vec<f64> = table.rows().map(|row| row[0] * 1e-3).collect();
        let reference: Vec<Vector> = table.rows().map(|row| Vector::new(row[5], row[6])).collect();
        let known: Vec<bool> = reference
            .iter()
            .map(|at| at.x.is_finite() && at.y.is_finite())
            .collect();
        let Some(&first_s) = times.first() else { continue };
        let judged_from_s = first_s + CALIBRATION_S;
        let clean = std::rc::Rc::new(Clean::new(times.clone(), reference.clone(), &known, 0.0));
        for (name, column) in [("A", 1), ("B", 3)] {
            let estimate = |row: &[f64]| {
                let at = Vector::new(row[column], row[column + 1]);
                (at.x.is_finite() && at.y.is_finite()).then_some(at)
            };
            let pairs: Vec<(Vector, Vector)> = table
                .rows()
                .zip(reference.iter().zip(&known))
                .filter(|(row, (_, known))| **known && row[0] * 1e-3 < judged_from_s)
                .filter_map(|(row, (&truth, _))| Some((estimate(row)?, truth)))
                .collect();
            let Some(map) = robust_affine(&pairs) else { continue };
            let calibrated = |at: Vector| map.transpose() * Vector3::new(at.x, at.y, 1.0);
            tracks.push(Track {
                set: format!("gaze60 {name}"),
                rows: times
                    .iter()
                    .copied()
                    .zip(table.rows().map(|row| estimate(row).map(calibrated)))
                    .collect(),
                clean: std::rc::Rc::clone(&clean),
                judged_from_s,
            });
        }
    }
    Ok(tracks)
}

/// Affine map by reweighted least squares with Huber's weights (1 degree, 20 rounds).
fn robust_affine(pairs: &[(Vector, Vector)]) -> Option<Matrix3x2<f64>> {
    const HUBER_DEG: f64 = 1.0;
    const ROUNDS: usize = 20;
    const FEWEST: usize = 100;
    if pairs.len() < FEWEST {
        return None;
    }
    let mut weights = vec![1.0; pairs.len()];
    let mut map = Matrix3x2::zeros();
    for _ in 0..ROUNDS {
        let (mut normal, mut right) = (Matrix3::zeros(), Matrix3x2::zeros());
        for ((from, to), weight) in pairs.iter().zip(&weights) {
            let row = Vector3::new(from.x, from.y, 1.0);
            normal += row * row.transpose() * *weight;
            right += row * to.transpose() * *weight;
        }
        map = normal.cholesky()?.solve(&right);
        for ((from, to), weight) in pairs.iter().zip(&mut weights) {
            let residual = (map.transpose() * Vector3::new(from.x, from.y, 1.0) - to).norm();
            *weight = if residual > HUBER_DEG {
                HUBER_DEG / residual
            } else {
                1.0
            };
        }
    }
    Some(map)
}

/// The synthetic user's gaze, free viewing, five people, through webcams of 30 and 60 Hz.
pub fn synthetic() -> Vec<Track> {
    const SECONDS: u64 = 60;
    const STEP_NS: u64 = 2_000_000;
    let mut noise = Noise::new(2);
    let mut tracks = Vec::new();
    for seed in 900..905 {
        let user = SyntheticUser::new(Parameters::drawn(seed), Timestamp::default());
        let setup = user.setup();
        let distance_mm = user.parameters().distance_mm;
        let times: Vec<u64> = (0..SECONDS * 1_000_000_000 / STEP_NS).map(|i| i * STEP_NS).collect();
        let at: Vec<Vector> = times
            .iter()
            .map(|&t| {
                vector(
                    setup
                        .screen
                        .visual_angle(user.truth_at(Timestamp::from_nanos(t)).gaze, distance_mm),
                )
            })
            .collect();
        let known = vec![true; at.len()];
        let clean = std::rc::Rc::new(Clean::new(
            times.iter().map(|&t| t as f64 * 1e-9).collect(),
            at,
            &known,
            0.0,
        ));
        for rate in [30, 60] {
            tracks.push(webcam(format!("synthetic {rate} Hz"), &clean, rate, &mut noise));
        }
    }
    tracks
}

/// Normally distributed numbers that are the same in every run.
struct Noise(ChaCha8Rng);

impl Noise {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Mean 0, SD 1 (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        let mut unit = || (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        (-2.0 * (1.0 - unit()).ln()).sqrt() * (std::f64::consts::TAU * unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_another_shape_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("gazecom250")).expect("a folder");
        let column = npz::tests::npy("{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }", &[0; 4]);
        let bytes = npz::tests::archive("AAF_ducks_xy", &column);
        std::fs::write(folder.path().join("gazecom250/train.npz"), bytes).expect("writes");
        let refused = gazecom(folder.path(), true).err().expect("it must be refused");
        assert!(refused.to_string().contains("AAF_ducks have 1 columns"), "{refused}");
    }

    #[test]
    fn the_robust_fit_ignores_outliers() {
        let mut noise = Noise::new(3);
        let pairs: Vec<_> = (0..400)
            .map(|i| {
                let from = Vector::new(noise.normal(), noise.normal()) * 5.0;
                let to = Vector::new(1.3 * from.x + 0.2 * from.y - 2.0, 0.8 * from.y + 1.0);
                (from, if i % 20 == 0 { Vector::new(40.0, -40.0) } else { to })
            })
            .collect();
        let map = robust_affine(&pairs).expect("enough pairs");
        let expected = Matrix3x2::new(1.3, 0.0, 0.2, 0.8, -2.0, 1.0);
        assert!((map - expected).norm() < 0.1, "{map}");
        assert!(robust_affine(&pairs[..50]).is_none());
    }
}
