//! Ridge regression with one prior width a basis function, outliers weighted down, and its own uncertainty.

use nalgebra::{DMatrix, DVector, SMatrix, SVector};

use super::features::Features;

/// Number of basis functions.
pub const BASIS: usize = 17;

type Weights = SVector<f64, BASIS>;
type Covariance = SMatrix<f64, BASIS, BASIS>;

/// The functions of the features in which the correction of the geometric gaze is linear, each divided by the width of its
/// prior: a weight of one is an ordinary value for an ordinary person.
///
/// The widths say how much each is expected to matter, in tangents of gaze (0.1 is 5.7 degrees): an offset of the visual
/// axis and of the eye's centre of some degrees, gains that differ by tens of per cent, a slight bend, lids that carry
/// vertical gaze, and the errors that a turned or moved head brings.
pub fn basis(features: &Features) -> [f64; BASIS] {
    let [
        _,
        _,
        _,
        _,
        left_upper,
        left_lower,
        right_upper,
        right_lower,
        left_open,
        right_open,
        yaw,
        pitch,
        roll,
        x,
        y,
        size,
        lx,
        ly,
        rx,
        ry,
    ] = features.values;
    let (gaze_x, gaze_y) = (0.5 * (lx + rx), 0.5 * (ly + ry));
    [
        0.3,
        0.6 * gaze_x,
        0.6 * gaze_y,
        0.4 * (lx - rx),
        0.4 * (ly - ry),
        0.5 * gaze_x * gaze_x,
        0.5 * gaze_x * gaze_y,
        0.5 * gaze_y * gaze_y,
        0.05 * 0.5 * (left_upper + right_upper),
        0.05 * 0.5 * (left_lower + right_lower),
        0.05 * (left_upper - left_lower - right_upper + right_lower),
        0.1 * 0.5 * (left_open + right_open),
        0.8 * yaw,
        0.8 * pitch,
        0.4 * roll,
        0.5 * x,
        0.5 * y + 0.1 * size,
    ]
}

/// A fitted linear model of one output.
#[derive(Clone, Debug)]
pub struct Regression {
    weights: Weights,
    /// Covariance of the weights for a noise variance of one.
    spread: Covariance,
    /// Variance of a held-out sample's error, relative to what `spread` adds to one.
    noise_variance: f64,
    held_out_rms: f64,
}

impl Regression {
    /// Candidates for the noise's share of the prior's variance. A wide grid: tidy laboratory data needs almost none of the
    /// prior, nine shaky points need most of it.
    const RIDGES: [f64; 9] = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1];
    /// Residuals beyond this many robust standard deviations count less and less (Huber, 1964).
    const HUBER: f64 = 1.5;
    const ROUNDS: usize = 4;

    /// Fits `wanted` by the bases of the samples. `groups` gives the samples in runs, one a calibration point: frames of one
    /// point resemble each other so much that only whole points can be held out. `None` where the equations have no finite
    /// solution.
    pub fn fit(bases: &[[f64; BASIS]], wanted: &[f64], groups: &[Vec<usize>]) -> Option<Self> {
        Self::RIDGES
            .iter()
            .filter_map(|ridge| Self::fit_with(bases, wanted, groups, *ridge))
            .min_by(|a, b| a.held_out_rms.total_cmp(&b.held_out_rms))
    }

    fn fit_with(bases: &[[f64; BASIS]], wanted: &[f64], groups: &[Vec<usize>], ridge: f64) -> Option<Self> {
        let mut trust = vec![1.0; wanted.len()];
        let mut best = None;
        for _ in 0..Self::ROUNDS {
            let (weights, spread) = solve(bases, wanted, &trust, ridge)?;
            let mut held_out = vec![0.0; wanted.len()];
            for group in groups {
                for (index, residual) in group
                    .iter()
                    .zip(&leave_out(bases, wanted, &trust, &weights, &spread, group)?)
                {
                    held_out[*index] = *residual;
                }
            }
            let scale = robust_sd(&held_out);
            let capped = held_out
                .iter()
                .map(|residual| residual.abs().min(3.0 * scale).powi(2))
                .sum::<f64>();
            let held_out_rms = (capped / wanted.len() as f64).sqrt();
            if !held_out_rms.is_finite() {
                return None;
            }
            best = Some(Self {
                weights,
                spread,
                noise_variance: held_out_rms * held_out_rms,
                held_out_rms,
            });
            for (trust, residual) in trust.iter_mut().zip(&held_out) {
                *trust = (Self::HUBER * scale / residual.abs().max(1e-12)).min(1.0);
            }
        }
        best
    }

    /// The output and its standard deviation.
    pub fn predict(&self, basis: &[f64; BASIS]) -> (f64, f64) {
        let basis = Weights::from(*basis);
        let variance = self.noise_variance * (1.0 + basis.dot(&(self.spread * basis)).max(0.0));
        (self.weights.dot(&basis), variance.sqrt())
    }

    /// Root mean square of the errors of points left out one at a time, outliers capped at three standard deviations.
    pub fn held_out_rms(&self) -> f64 {
        self.held_out_rms
    }
}

/// The residuals of a group of samples as they would be had the fit not seen them: `(I - H)^-1 r` with the group's part `H`
/// of the hat matrix (Allen's PRESS, 1974, for more than one sample).
fn leave_out(
    bases: &[[f64; BASIS]],
    wanted: &[f64],
    trust: &[f64],
    weights: &Weights,
    spread: &Covariance,
    group: &[usize],
) -> Option<DVector<f64>> {
    let rows: Vec<Weights> = group.iter().map(|index| Weights::from(bases[*index])).collect();
    let residuals = DVector::from_fn(group.len(), |row, _| wanted[group[row]] - weights.dot(&rows[row]));
    let shares = DMatrix::from_fn(group.len(), group.len(), |row, column| {
        let hat = rows[row].dot(&(spread * rows[column])) * trust[group[column]];
        f64::from(row == column) - hat
    });
    shares.lu().solve(&residuals)
}

/// Weighted ridge regression: weights and their covariance for a noise variance of one.
fn solve(bases: &[[f64; BASIS]], wanted: &[f64], trust: &[f64], ridge: f64) -> Option<(Weights, Covariance)> {
    let mut normal = Covariance::identity() * ridge;
    let mut right = Weights::zeros();
    for ((basis, wanted), trust) in bases.iter().zip(wanted).zip(trust) {
        let basis = Weights::from(*basis);
        normal += basis * basis.transpose() * *trust;
        right += basis * (*wanted * trust);
    }
    let spread = normal.cholesky()?.inverse();
    let weights = spread * right;
    weights
        .iter()
        .all(|weight| weight.is_finite())
        .then_some((weights, spread))
}

/// Standard deviation from the median of the absolute values (normal distributions: MAD x 1.4826), so that some outliers do
/// not change it.
fn robust_sd(values: &[f64]) -> f64 {
    let mut absolute: Vec<f64> = values.iter().map(|value| value.abs()).collect();
    let middle = absolute.len() / 2;
    let (_, median, _) = absolute.select_nth_unstable_by(middle, f64::total_cmp);
    (1.4826 * *median).max(1e-6)
}
