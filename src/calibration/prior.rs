//! What is known of a person before calibration: how the gaze of others differed from the geometric one.

use std::sync::LazyLock;

use nalgebra::{SMatrix, SVector, Vector2};
use serde::Deserialize;

use super::features::Features;

/// Number of basis functions.
pub const BASIS: usize = 24;
/// The functions from here on are of the head's pose, alone or with the eyes' turn.
pub const POSE: usize = 11;

pub type Basis = SVector<f64, BASIS>;
pub type Covariance = SMatrix<f64, BASIS, BASIS>;

/// The functions of the features in which the correction of the geometric gaze is linear, as they come.
///
/// An offset of the visual axis and of the eye's centre, gains of the eye's turn, the difference between the eyes (vergence),
/// a bend, lids that carry vertical gaze, what a turned or moved head brings, and how the eyes' turn and the head's go together:
/// eyes that look back from a turned head are seen from aside, where neither alone says how far.
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
        _,
        _,
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
        1.0,
        gaze_x,
        gaze_y,
        lx - rx,
        ly - ry,
        gaze_x * gaze_x,
        gaze_x * gaze_y,
        gaze_y * gaze_y,
        0.5 * (left_upper + right_upper),
        0.5 * (left_lower + right_lower),
        left_upper - left_lower - right_upper + right_lower,
        yaw,
        pitch,
        roll,
        x,
        y,
        size,
        gaze_x * yaw,
        gaze_y * pitch,
        gaze_x * pitch,
        gaze_y * yaw,
        yaw * yaw,
        pitch * pitch,
        yaw * pitch,
    ]
}

/// Of one axis, in tangents of gaze.
#[derive(Clone, Debug, Deserialize)]
pub struct Axis {
    /// Mean over people of the weights of the standardised basis.
    pub weights: [f64; BASIS],
    /// Their covariance over people.
    pub covariance: [[f64; BASIS]; BASIS],
    /// Variance of what all frames of one look at a point have in common and the rest of the model does not explain.
    pub point_variance: f64,
    /// Variance between the frames of one look at a point.
    pub frame_variance: f64,
}

/// What people have in common, learned from synthetic ones by `python -m models.train prior`.
#[derive(Clone, Debug, Deserialize)]
pub struct Prior {
    /// Mean and standard deviation of the basis over people, by which it is standardised.
    mean: [f64; BASIS],
    sd: [f64; BASIS],
    /// Standardised values beyond this are as good as it: nothing was learned about them.
    limit: f64,
    /// Right and down on the screen.
    pub axes: [Axis; 2],
    /// Variance and length scale of the part of the correction that goes with the eyes' appearance.
    pub appearance_variance: f64,
    pub appearance_length: f64,
}

impl Prior {
    /// The prior that is built in.
    pub fn built_in() -> &'static Self {
        static PRIOR: LazyLock<Prior> = LazyLock::new(|| {
            #[expect(clippy::expect_used, reason = "the file is part of the program and read by a test")]
            serde_json::from_str(include_str!("../../models/gaze_prior.json")).expect("the built-in prior can be read")
        });
        &PRIOR
    }

    pub fn standardised(&self, features: &Features) -> Basis {
        let raw = basis(features);
        Basis::from_fn(|index, _| ((raw[index] - self.mean[index]) / self.sd[index]).clamp(-self.limit, self.limit))
    }

    /// What an average person's gaze adds to the geometric one, in tangents.
    pub fn average(&self, features: &Features) -> Vector2<f64> {
        let basis = self.standardised(features);
        Vector2::from(self.axes.each_ref().map(|axis| Basis::from(axis.weights).dot(&basis)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_prior_is_a_distribution() {
        let prior = Prior::built_in();
        for axis in &prior.axes {
            let covariance = Covariance::from(axis.covariance);
            assert!((covariance - covariance.transpose()).norm() < 1e-9 * covariance.norm());
            assert!(covariance.cholesky().is_some(), "not positive definite");
            assert!(axis.point_variance > 0.0 && axis.frame_variance > 0.0);
        }
        assert!(prior.sd.iter().all(|sd| *sd > 0.0));
        assert!(prior.appearance_variance > 0.0 && prior.appearance_length > 0.0);
    }
}
