//! Kalman filter with constant velocity or constant acceleration, driven by white noise on the next derivative.
//!
//! Both axes share one covariance, because they share their noise. Exact discretisation of the continuous model
//! (Bar-Shalom, Li, Kirubarajan, *Estimation with Applications to Tracking and Navigation*, 2001, section 6.2): two short
//! predictions equal one long one. Words for the letters of the textbooks: `transition` is F, `process_noise` is Q,
//! `measurement_variance` is R, `covariance` is P.

use nalgebra::{SMatrix, SVector};

use super::Vector;

/// Position and velocity.
pub type KalmanVelocity = Kalman<2>;
/// Position, velocity and acceleration.
pub type KalmanAcceleration = Kalman<3>;

/// State of one eye in both axes; `N` counts position and its derivatives (2 or 3).
#[derive(Clone, Debug)]
pub struct Kalman<const N: usize> {
    /// Row i holds the i-th derivative of x and y, in deg/s^i.
    state: SMatrix<f64, N, 2>,
    /// Of either axis.
    covariance: SMatrix<f64, N, N>,
    /// Power spectral density of the white noise on the N-th derivative, deg²/s^(2N-1).
    spectral_density: f64,
    started: bool,
}

impl<const N: usize> Kalman<N> {
    pub fn new(spectral_density: f64) -> Self {
        Self {
            state: SMatrix::zeros(),
            covariance: SMatrix::zeros(),
            spectral_density,
            started: false,
        }
    }

    pub fn reset(&mut self) {
        self.started = false;
    }

    /// Moves the state `dt_s` seconds ahead without a measurement; nothing happens for a `dt_s` that is not positive.
    pub fn predict(&mut self, dt_s: f64) {
        if !self.started || dt_s.is_nan() || dt_s <= 0.0 {
            return;
        }
        let transition = Self::transition(dt_s);
        self.state = transition * self.state;
        self.covariance = transition * self.covariance * transition.transpose() + self.process_noise(dt_s);
    }

    /// Takes a measured position with noise of `sd_deg` on each axis. The first one starts the filter.
    pub fn update(&mut self, position: Vector, sd_deg: f64) {
        let measurement_variance = sd_deg * sd_deg;
        if !self.started {
            self.state = SMatrix::zeros();
            self.state.set_row(0, &position.transpose());
            self.covariance = SMatrix::zeros();
            self.covariance[(0, 0)] = measurement_variance;
            for derivative in 1..N {
                // An eye that is not in a saccade moves at up to 30 deg/s and changes that within a tenth of a second.
                self.covariance[(derivative, derivative)] = (30.0 * 10_f64.powi(derivative as i32 - 1)).powi(2);
            }
            self.started = true;
            return;
        }
        let gain: SVector<f64, N> =
            self.covariance.column(0).into_owned() / (self.covariance[(0, 0)] + measurement_variance);
        let innovation = position.transpose() - self.state.row(0);
        self.state += gain * innovation;
        // Joseph's form keeps the covariance symmetric and positive for any gain.
        let mut keep = SMatrix::<f64, N, N>::identity();
        let first = keep.column(0) - gain;
        keep.set_column(0, &first);
        self.covariance = keep * self.covariance * keep.transpose() + gain * gain.transpose() * measurement_variance;
    }

    /// Position expected `dt_s` seconds from now, with the standard deviation of either axis. `None` before the first
    /// measurement.
    pub fn position(&self, dt_s: f64) -> Option<(Vector, f64)> {
        if !self.started {
            return None;
        }
        let mut ahead = self.clone();
        ahead.predict(dt_s);
        Some((ahead.state.row(0).transpose(), ahead.covariance[(0, 0)].max(0.0).sqrt()))
    }

    /// Taylor series: the i-th derivative contributes dt^i / i!.
    fn transition(dt_s: f64) -> SMatrix<f64, N, N> {
        SMatrix::from_fn(|row, column| {
            if column < row {
                0.0
            } else {
                dt_s.powi((column - row) as i32) / factorial(column - row)
            }
        })
    }

    /// Integral of the white noise's effect over the step:
    /// q dt^(a+b+1) / ((a+b+1) a! b!) with a, b the number of integrations that reach row and column.
    fn process_noise(&self, dt_s: f64) -> SMatrix<f64, N, N> {
        SMatrix::from_fn(|row, column| {
            let (a, b) = (N - 1 - row, N - 1 - column);
            let power = a + b + 1;
            self.spectral_density * dt_s.powi(power as i32) / (power as f64 * factorial(a) * factorial(b))
        })
    }
}

fn factorial(n: usize) -> f64 {
    (1..=n).map(|k| k as f64).product()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after<const N: usize>(steps: &[f64]) -> Kalman<N> {
        let mut kalman = Kalman::<N>::new(500.0);
        kalman.update(Vector::new(1.0, -2.0), 0.5);
        kalman.predict(0.03);
        kalman.update(Vector::new(1.4, -2.2), 0.5);
        steps.iter().for_each(|&dt| kalman.predict(dt));
        kalman
    }

    fn same<const N: usize>(a: &Kalman<N>, b: &Kalman<N>) -> bool {
        (a.state - b.state).norm() <= 1e-9 * (1.0 + a.state.norm())
            && (a.covariance - b.covariance).norm() <= 1e-9 * (1.0 + a.covariance.norm())
    }

    proptest! {
        #[test]
        fn two_short_predictions_equal_one_long_one(first in 0.0..0.2_f64, second in 0.0..0.2_f64) {
            prop_assert!(same(&after::<2>(&[first, second]), &after::<2>(&[first + second])));
            prop_assert!(same(&after::<3>(&[first, second]), &after::<3>(&[first + second])));
        }

        #[test]
        fn the_covariance_stays_positive(steps in prop::collection::vec((0.0..0.3_f64, any::<bool>()), 1..60)) {
            let mut kalman = Kalman::<3>::new(5e4);
            for (dt, seen) in steps {
                kalman.predict(dt);
                if seen {
                    kalman.update(Vector::new(3.0, 1.0), 0.5);
                }
                prop_assert!(!kalman.started || kalman.covariance.cholesky().is_some() || kalman.covariance.norm() == 0.0);
            }
        }
    }

    #[test]
    fn a_steady_movement_is_followed_without_lag() {
        let mut kalman = KalmanVelocity::new(100.0);
        for i in 0..120 {
            kalman.predict(1.0 / 60.0);
            kalman.update(Vector::new(10.0 * f64::from(i) / 60.0, 0.0), 0.5);
        }
        for dt_s in [0.0, 0.05] {
            let (at, _) = kalman.position(dt_s).expect("it has seen samples");
            assert!(
                (at.x - 10.0 * (119.0 / 60.0 + dt_s)).abs() < 1e-3,
                "{at:?} after {dt_s} s"
            );
        }
    }
}
