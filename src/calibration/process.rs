//! The Gaussian process that corrects the geometric gaze for one person (Rasmussen and Williams, Gaussian Processes for
//! Machine Learning, 2006, chapter 2).
//!
//! Its mean and the linear part of its covariance are what people have in common; a second part lets frames in which the
//! eyes look alike be corrected alike. Frames of one look at a point share a part of their noise, or a long look would
//! count as many.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn, Vector2};

use super::appearance::Appearance;
use super::features::Features;
use super::prior::{BASIS, Basis, Covariance, POSE, Prior};

/// One frame, as the process sees it.
#[derive(Clone, Copy, Debug)]
struct Input {
    basis: Basis,
    appearance: Appearance,
}

impl Input {
    fn new(features: &Features, prior: &Prior) -> Self {
        Self {
            basis: prior.standardised(features),
            appearance: features.appearance,
        }
    }
}

/// How far a person is from those the prior was learned from; ones for somebody like them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scales {
    /// Of the covariance of the linear part, but for what the head's pose brings: a calibration shows few poses, and where
    /// they were given more room than people need, the gaze of a head that had moved got worse.
    linear: f64,
    /// Of the variance of the appearance's part.
    appearance: f64,
    /// Of its length.
    length: f64,
    /// Share of the fine way to look at the eyes in how far apart they look, 0..=1; the wide one has the rest.
    fine: f64,
    /// Of both variances of the noise; never less than others have, for a minute of calibration is steadier than a day.
    noise: f64,
}

/// One of the scales.
type Scale = fn(&mut Scales) -> &mut f64;

impl Scales {
    const LIKE_OTHERS: Self = Self {
        linear: 1.0,
        appearance: 1.0,
        length: 1.0,
        fine: 0.5,
        noise: 1.0,
    };
    /// Every scale with its candidates.
    const CANDIDATES: [(Scale, &'static [f64]); 5] = [
        (|scales| &mut scales.linear, &[1.0, 3.0, 9.0]),
        (|scales| &mut scales.appearance, &[1.0, 5.0, 25.0]),
        (|scales| &mut scales.length, &[0.25, 0.5, 1.0]),
        (|scales| &mut scales.fine, &[0.0, 0.5, 1.0]),
        (|scales| &mut scales.noise, &[1.0, 3.0, 9.0]),
    ];

    /// Minus the logarithm of how probable the scales are beforehand: factors of 3, 5, 2 and 3 are ordinary ones,
    /// and so is a share that is half more or less.
    fn surprise(&self) -> f64 {
        let of = |scale: f64, ordinary: f64| 0.5 * (scale.ln() / ordinary.ln()).powi(2);
        let share = 0.5 * ((self.fine - Self::LIKE_OTHERS.fine) / 0.5).powi(2);
        of(self.linear, 3.0) + of(self.appearance, 5.0) + of(self.length, 2.0) + share + of(self.noise, 3.0)
    }
}

/// What is not known of one axis of a person's correction, in tangents.
#[derive(Clone, Debug)]
pub struct Doubt {
    /// Covariance of the weights of the linear part.
    pub covariance: Covariance,
    /// Variance of all that differs from one look at a point to the next.
    pub variance: f64,
}

impl Doubt {
    /// Of somebody who was never seen.
    pub fn beforehand(prior: &Prior) -> [Self; 2] {
        [0, 1].map(|index| Self {
            covariance: linear_covariance(prior, index, Scales::LIKE_OTHERS),
            variance: prior.axes[index].point_variance + prior.axes[index].frame_variance + prior.appearance_variance,
        })
    }
}

fn linear_covariance(prior: &Prior, index: usize, scales: Scales) -> Covariance {
    let widths = Basis::from_fn(|index, _| if index < POSE { scales.linear.sqrt() } else { 1.0 });
    let mut covariance = Covariance::from(prior.axes[index].covariance).component_mul(&(widths * widths.transpose()));
    // What all samples want alike is the person's own, not that of how the eyes looked in them: else it would be
    // gone as soon as they look otherwise.
    covariance[(0, 0)] += prior.appearance_variance * scales.appearance;
    covariance
}

/// One axis, fitted.
#[derive(Clone, Debug)]
struct Axis {
    mean: Basis,
    covariance: Covariance,
    noise_variance: f64,
    factor: Cholesky<f64, Dyn>,
    /// The covariance matrix's inverse times the targets' difference from the mean.
    weights: DVector<f64>,
}

/// A fitted process of both axes.
#[derive(Clone, Debug)]
pub struct Process {
    inputs: Vec<Input>,
    scales: Scales,
    appearance_variance: f64,
    /// 1 / (2 length²).
    appearance_rate: f64,
    axes: [Axis; 2],
}

/// What is fitted, with all that does not change from one choice of scales to the next.
struct Problem<'p> {
    prior: &'p Prior,
    inputs: Vec<Input>,
    wanted: &'p [Vector2<f64>],
    /// The calibration point that each frame belongs to.
    points: &'p [usize],
    /// Squared distances of the appearances, fine and wide.
    distances: [DMatrix<f64>; 2],
    /// How much each frame is believed, 0..1.
    trust: Vec<f64>,
}

impl Process {
    /// More frames than this are thinned out while the scales are chosen, which a part of them tells as well.
    const MOST_FOR_SCALES: usize = 160;
    /// Frames whose held-out error is more than this many standard deviations count less and less: with weight (k / r)², where
    /// Huber's is k / r, so that the pull of a frame (its weight times its error r) falls again the further off it is. Such an
    /// estimator is called redescending (Hampel, Ronchetti, Rousseeuw, Stahel, Robust Statistics, 1986, section 2.6).
    const DOUBTED_SD: f64 = 2.5;
    const ROUNDS: usize = 2;

    /// Fits `wanted`, the difference in tangents between the true and the geometric gaze; `points` gives the calibration
    /// point of each frame. `scales` are those of an earlier fit of the same person, or chosen here. `None` where the numbers
    /// have no finite solution.
    pub fn fit(
        features: &[&Features],
        wanted: &[Vector2<f64>],
        points: &[usize],
        prior: &Prior,
        scales: Option<Scales>,
    ) -> Option<Self> {
        let mut problem = Problem::new(features, wanted, points, prior);
        let scales = match scales {
            Some(scales) => scales,
            None if features.len() <= Self::MOST_FOR_SCALES => problem.choose_scales()?,
            None => {
                let step = features.len().div_ceil(Self::MOST_FOR_SCALES);
                let features: Vec<&Features> = features.iter().step_by(step).copied().collect();
                let wanted: Vec<Vector2<f64>> = wanted.iter().step_by(step).copied().collect();
                let points: Vec<usize> = points.iter().step_by(step).copied().collect();
                Problem::new(&features, &wanted, &points, prior).choose_scales()?
            }
        };
        for _ in 0..Self::ROUNDS {
            let process = problem.solve(scales)?;
            problem.distrust_outliers(&process)?;
        }
        problem.solve(scales)
    }

    pub fn scales(&self) -> Scales {
        self.scales
    }

    /// What has to be added to the geometric gaze, in tangents, and the standard deviation of one axis.
    pub fn predict(&self, features: &Features, prior: &Prior) -> (Vector2<f64>, f64) {
        let input = Input::new(features, prior);
        let alike = DVector::from_iterator(
            self.inputs.len(),
            self.inputs
                .iter()
                .map(|known| self.alike(&known.appearance, &input.appearance)),
        );
        let mut mean = Vector2::zeros();
        let mut variance = 0.0;
        for (index, axis) in self.axes.iter().enumerate() {
            let turned = axis.covariance * input.basis;
            let covariances = DVector::from_fn(self.inputs.len(), |row, _| {
                self.inputs[row].basis.dot(&turned) + alike[row]
            });
            mean[index] = axis.mean.dot(&input.basis) + covariances.dot(&axis.weights);
            let own = input.basis.dot(&turned) + self.appearance_variance;
            let mut explained = covariances;
            let known = if axis.factor.l_dirty().solve_lower_triangular_mut(&mut explained) {
                explained.norm_squared()
            } else {
                0.0
            };
            variance += 0.5 * ((own - known).max(0.0) + axis.noise_variance);
        }
        (mean, variance.sqrt())
    }

    /// What the samples left uncertain: with `C` the linear part's covariance, `B` the samples' basis and `K` the covariance
    /// matrix, `C - C Bᵀ K⁻¹ B C` (Rasmussen and Williams, 2.24).
    ///
    /// What the head's pose brings is linear only nearby: once it moves further than in the calibration, there is as much to
    /// learn again as there was before.
    pub fn doubts(&self) -> [Doubt; 2] {
        self.axes.each_ref().map(|axis| {
            let turned = DMatrix::from_fn(self.inputs.len(), BASIS, |row, column| {
                axis.covariance.column(column).dot(&self.inputs[row].basis)
            });
            let known = turned.tr_mul(&axis.factor.solve(&turned));
            let covariance = Covariance::from_fn(|row, column| {
                let of_pose = if row.min(column) >= POSE { 2.0 } else { 1.0 };
                of_pose * axis.covariance[(row, column)] - known[(row, column)]
            });
            Doubt {
                // Rounding must not make it asymmetric.
                covariance: 0.5 * (covariance + covariance.transpose()),
                variance: axis.noise_variance + self.appearance_variance,
            }
        })
    }

    fn alike(&self, a: &Appearance, b: &Appearance) -> f64 {
        let [fine, wide] = a.distances_squared(b);
        let distance_squared = self.scales.fine * fine + (1.0 - self.scales.fine) * wide;
        self.appearance_variance * (-distance_squared * self.appearance_rate).exp()
    }
}

impl<'p> Problem<'p> {
    fn new(features: &[&Features], wanted: &'p [Vector2<f64>], points: &'p [usize], prior: &'p Prior) -> Self {
        let inputs: Vec<Input> = features.iter().map(|features| Input::new(features, prior)).collect();
        let mut distances = [(); 2].map(|()| DMatrix::zeros(inputs.len(), inputs.len()));
        for row in 0..inputs.len() {
            for column in 0..row {
                let between = inputs[row].appearance.distances_squared(&inputs[column].appearance);
                for (distances, distance) in distances.iter_mut().zip(between) {
                    distances[(row, column)] = distance;
                    distances[(column, row)] = distance;
                }
            }
        }
        Self {
            prior,
            trust: vec![1.0; inputs.len()],
            inputs,
            wanted,
            points,
            distances,
        }
    }

    fn solve(&self, scales: Scales) -> Option<Process> {
        let length = self.prior.appearance_length * scales.length;
        let appearance_variance = self.prior.appearance_variance * scales.appearance;
        let appearance_rate = 0.5 / (length * length);
        let [fine, wide] = &self.distances;
        let alike = fine.zip_map(wide, |fine, wide| {
            let distance_squared = scales.fine * fine + (1.0 - scales.fine) * wide;
            appearance_variance * (-distance_squared * appearance_rate).exp()
        });
        let [x, y] = [0, 1].map(|index| self.solve_axis(index, scales, &alike));
        Some(Process {
            inputs: self.inputs.clone(),
            scales,
            appearance_variance,
            appearance_rate,
            axes: [x?, y?],
        })
    }

    fn solve_axis(&self, index: usize, scales: Scales, alike: &DMatrix<f64>) -> Option<Axis> {
        let prior = &self.prior.axes[index];
        let covariance = linear_covariance(self.prior, index, scales);
        let (of_point, of_frame) = (prior.point_variance * scales.noise, prior.frame_variance * scales.noise);
        let mean = Basis::from(prior.weights);
        let turned: Vec<Basis> = self.inputs.iter().map(|input| covariance * input.basis).collect();
        let matrix = DMatrix::from_fn(self.inputs.len(), self.inputs.len(), |row, column| {
            let shared = if self.points[row] == self.points[column] {
                of_point
            } else {
                0.0
            };
            let own = if row == column { of_frame } else { 0.0 };
            let doubt = (self.trust[row] * self.trust[column]).sqrt();
            turned[row].dot(&self.inputs[column].basis) + alike[(row, column)] + (shared + own) / doubt
        });
        let difference = DVector::from_fn(self.inputs.len(), |row, _| {
            self.wanted[row][index] - mean.dot(&self.inputs[row].basis)
        });
        let factor = matrix.cholesky()?;
        let weights = factor.solve(&difference);
        weights.iter().all(|weight| weight.is_finite()).then_some(Axis {
            mean,
            covariance,
            noise_variance: of_point + of_frame,
            factor,
            weights,
        })
    }

    /// The scales that make the samples and themselves most probable, found by changing one at a time.
    fn choose_scales(&self) -> Option<Scales> {
        let mut best = (Scales::LIKE_OTHERS, self.improbability(Scales::LIKE_OTHERS)?);
        loop {
            let before = best.0;
            for (part, candidates) in Scales::CANDIDATES {
                for candidate in candidates {
                    let mut scales = best.0;
                    if *part(&mut scales) == *candidate {
                        continue;
                    }
                    *part(&mut scales) = *candidate;
                    if let Some(improbability) = self.improbability(scales)
                        && improbability < best.1
                    {
                        best = (scales, improbability);
                    }
                }
            }
            if best.0 == before {
                return Some(best.0);
            }
        }
    }

    /// Minus the logarithm of the samples' marginal likelihood, and of how probable the scales are.
    fn improbability(&self, scales: Scales) -> Option<f64> {
        let process = self.solve(scales)?;
        let of_axis = |index: usize| {
            let axis = &process.axes[index];
            let misfit: f64 = (0..self.inputs.len())
                .map(|row| axis.weights[row] * (self.wanted[row][index] - axis.mean.dot(&self.inputs[row].basis)))
                .sum();
            let log_volume: f64 = axis.factor.l_dirty().diagonal().iter().map(|value| value.ln()).sum();
            0.5 * misfit + log_volume
        };
        let sum = of_axis(0) + of_axis(1) + scales.surprise();
        sum.is_finite().then_some(sum)
    }

    /// Each frame's error and its standard deviation, squared, had the fit not seen the frame's point: with `K` the
    /// covariance matrix, `K⁻¹` restricted to the point gives the inverse of the error's covariance (Rasmussen and
    /// Williams, 5.12, for more than one sample).
    fn left_out(&self, axis: &Axis) -> Option<Vec<[f64; 2]>> {
        let inverse = axis.factor.inverse();
        let mut errors = vec![[0.0, 1.0]; self.inputs.len()];
        for members in members(self.points) {
            let block = DMatrix::from_fn(members.len(), members.len(), |row, column| {
                inverse[(members[row], members[column])]
            });
            let covariance = block.try_inverse()?;
            let weights = DVector::from_fn(members.len(), |row, _| axis.weights[members[row]]);
            let error = &covariance * weights;
            for (row, index) in members.iter().enumerate() {
                errors[*index] = [error[row], covariance[(row, row)]];
            }
        }
        Some(errors)
    }

    fn distrust_outliers(&mut self, process: &Process) -> Option<()> {
        let [x, y] = [self.left_out(&process.axes[0])?, self.left_out(&process.axes[1])?];
        for ((trust, x), y) in self.trust.iter_mut().zip(x).zip(y) {
            // The variance of an axis includes the doubt of the round before, which must not feed on itself.
            let deviations = (0.5 * (x[0] * x[0] / x[1] + y[0] * y[0] / y[1]) / *trust).sqrt();
            *trust = (Process::DOUBTED_SD / deviations).powi(2).clamp(1e-4, 1.0);
        }
        Some(())
    }
}

/// The frames of each point, by their indices.
fn members(points: &[usize]) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); points.iter().max().map_or(0, |most| most + 1)];
    for (index, point) in points.iter().enumerate() {
        members[*point].push(index);
    }
    members.retain(|members: &Vec<usize>| !members.is_empty());
    members
}
