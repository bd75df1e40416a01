//! Causal Savitzky-Golay: a polynomial fitted by least squares to the newest samples, read at or beyond the newest one.
//!
//! Savitzky and Golay, *Smoothing and Differentiation of Data by Simplified Least Squares Procedures*, Anal. Chem. 36,
//! 1964, gives weights for regular sampling; here the fit is done on the true sample times, which handles any sampling.
//! The basis is the set of polynomials orthogonal over those times (Forsythe, *J. SIAM* 5, 1957), so that no matrix is
//! inverted and the fit stays exact for any window.

use super::Vector;
use super::history::{CAPACITY, History, Sample};

/// Highest polynomial order.
pub const MAX_ORDER: usize = 5;

/// A window of the newest samples and the order of the polynomial through them.
#[derive(Clone, Debug)]
pub struct SavitzkyGolay {
    history: History,
    window: usize,
    order: usize,
}

impl SavitzkyGolay {
    /// `window` samples (1 to [`CAPACITY`]) and a polynomial of `order` (0 to [`MAX_ORDER`], less than the window);
    /// values beyond are brought into range.
    pub fn new(window: usize, order: usize) -> Self {
        let window = window.clamp(1, CAPACITY);
        Self {
            history: History::default(),
            window,
            order: order.min(MAX_ORDER).min(window - 1),
        }
    }

    pub fn reset(&mut self) {
        self.history.clear();
    }

    pub fn update(&mut self, sample: Sample) {
        self.history.push(sample);
    }

    /// The `derivative`-th derivative (0: position, in degrees; 1: deg/s; ...) at time `t_s`. With fewer samples than the
    /// order needs, the order falls. `None` before the first sample.
    pub fn evaluate(&self, t_s: f64, derivative: usize) -> Option<Vector> {
        let newest = self.history.newest()?;
        let len = self.history.len().min(self.window);
        let oldest = self.history.get(len - 1)?;
        // Times in units of the window, so that powers stay near one.
        let unit_s = (newest.t_s - oldest.t_s).max(1e-6);
        let scaled = |t: f64| (t - newest.t_s) / unit_s;

        // p_{k+1}(t) = (t - a_k) p_k(t) - b_k p_{k-1}(t), evaluated with its derivatives at the wanted time.
        let mut basis = [[0.0_f64; CAPACITY]; 2];
        basis[1][..len].fill(1.0);
        let mut at = [[0.0_f64; MAX_ORDER + 1]; 2];
        at[1][0] = 1.0;
        let target = scaled(t_s);
        let mut previous_square = 1.0;
        let mut sum = Vector::zeros();
        for k in 0..=self.order.min(len - 1) {
            let (mut square, mut moment, mut projection) = (0.0, 0.0, Vector::zeros());
            for (p, sample) in basis[1].iter().zip(self.history.iter().take(len)) {
                square += p * p;
                moment += p * p * scaled(sample.t_s);
                projection += (sample.at - newest.at) * *p;
            }
            // Samples at one moment carry no slope: what cannot be told apart is left out.
            if square < 1e-12 {
                break;
            }
            sum += projection / square * at[1].get(derivative).copied().unwrap_or(0.0);
            let (a, b) = (moment / square, if k == 0 { 0.0 } else { square / previous_square });
            previous_square = square;
            for (i, sample) in self.history.iter().take(len).enumerate() {
                let next = (scaled(sample.t_s) - a) * basis[1][i] - b * basis[0][i];
                basis[0][i] = basis[1][i];
                basis[1][i] = next;
            }
            let [before, now] = at;
            for d in 0..=MAX_ORDER {
                let lower = if d == 0 { 0.0 } else { d as f64 * now[d - 1] };
                at[1][d] = (target - a) * now[d] + lower - b * before[d];
            }
            at[0] = now;
        }
        let value = sum / unit_s.powi(derivative as i32);
        Some(if derivative == 0 { newest.at + value } else { value })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(window: usize, order: usize, samples: &[(f64, Vector)]) -> SavitzkyGolay {
        let mut filter = SavitzkyGolay::new(window, order);
        for &(t_s, at) in samples {
            filter.update(Sample { t_s, at });
        }
        filter
    }

    #[test]
    fn regular_windows_have_the_published_end_point_weights() {
        // The end-point weights of a 5-point quadratic are (3, -5, -3, 9, 31) / 35 (Gorry, Anal. Chem. 62, 1990).
        for (i, weight) in [3.0, -5.0, -3.0, 9.0, 31.0].into_iter().enumerate() {
            let samples: Vec<_> = (0..5)
                .map(|k| (k as f64 / 60.0, Vector::new(if k == i { 1.0 } else { 0.0 }, 0.0)))
                .collect();
            let end = filled(5, 2, &samples).evaluate(4.0 / 60.0, 0).expect("filled");
            assert!((end.x - weight / 35.0).abs() < 1e-12, "{i}: {end:?}");
        }
    }

    proptest! {
        #[test]
        fn a_polynomial_is_reproduced_at_any_sampling(
            steps in prop::collection::vec(0.005..0.08_f64, 7..30), c in prop::array::uniform4(-3.0..3.0_f64),
            ahead in 0.0..0.1_f64,
        ) {
            let mut t = 0.0;
            let times: Vec<f64> = steps.iter().map(|dt| { t += dt; t }).collect();
            let end = t;
            let at = |t: f64| { let u = t - end; c[0] + u * (c[1] + u * (c[2] + u * c[3])) };
            let slope = |t: f64| { let u = t - end; c[1] + u * (2.0 * c[2] + 3.0 * u * c[3]) };
            let samples: Vec<_> = times.iter().map(|&t| (t, Vector::new(at(t), -at(t)))).collect();
            let filter = filled(7, 3, &samples);
            let position = filter.evaluate(end + ahead, 0).expect("filled");
            let velocity = filter.evaluate(end + ahead, 1).expect("filled");
            prop_assert!((position.x - at(end + ahead)).abs() < 1e-6 && (position.y + at(end + ahead)).abs() < 1e-6);
            prop_assert!((velocity.x - slope(end + ahead)).abs() < 1e-4);
        }
    }

    #[test]
    fn few_or_simultaneous_samples_lower_the_order() {
        assert_eq!(SavitzkyGolay::new(5, 2).evaluate(0.0, 0), None);
        let one = filled(5, 2, &[(1.0, Vector::new(3.0, 4.0))]);
        assert_eq!(one.evaluate(1.05, 0), Some(Vector::new(3.0, 4.0)));
        let twice = filled(5, 2, &[(1.0, Vector::new(3.0, 4.0)), (1.0, Vector::new(5.0, 4.0))]);
        let mean = twice.evaluate(1.05, 0).expect("filled");
        assert!((mean.x - 4.0).abs() < 1e-9, "{mean:?}");
    }
}
