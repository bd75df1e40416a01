//! The time course of one saccade.
//!
//! Peak velocity follows the main sequence, `500 (1 - exp(-A / 11))` deg/s for an amplitude of `A` degrees (Bahill, Clark
//! and Stark 1975, rounded). The course is the distribution function of Beta(2, b): smooth at the start, asymmetric with
//! a longer deceleration, more so for large saccades, and in closed form.

/// Position and duration of a movement that follows the main sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SaccadeProfile {
    b: f64,
    pub(crate) duration_s: f64,
}

/// Peak velocity of the main sequence, deg/s, for an amplitude in degrees.
pub(crate) fn peak_velocity_deg_s(amplitude_deg: f64) -> f64 {
    500.0 * (1.0 - (-amplitude_deg / 11.0).exp())
}

impl SaccadeProfile {
    pub(crate) fn new(amplitude_deg: f64) -> Self {
        // Below a twentieth of a degree the main sequence is a straight line; this also keeps 0/0 away.
        let amplitude_deg = amplitude_deg.max(0.05);
        let b = 2.1 + 0.02 * amplitude_deg.min(30.0);
        // The density b (b + 1) u (1 - u)^(b - 1) has its maximum at u = 1 / b.
        let peak_density = (b + 1.0) * (1.0 - 1.0 / b).powf(b - 1.0);
        let duration_s = peak_density * amplitude_deg / peak_velocity_deg_s(amplitude_deg);
        Self { b, duration_s }
    }

    /// The part of the way that is done `elapsed_s` after the onset, 0..=1.
    pub(crate) fn progress(&self, elapsed_s: f64) -> f64 {
        let u = (elapsed_s / self.duration_s).clamp(0.0, 1.0);
        1.0 - (1.0 - u).powf(self.b) * (1.0 + self.b * u)
    }
}

/// Minimum-jerk course of slower movements (heads, lids): `10 u^3 - 15 u^4 + 6 u^5` (Flash and Hogan 1985).
pub(crate) fn minimum_jerk(u: f64) -> f64 {
    let u = u.clamp(0.0, 1.0);
    u * u * u * (10.0 + u * (6.0 * u - 15.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saccades_lie_on_the_main_sequence() {
        for amplitude in [0.2, 1.0, 3.0, 5.0, 10.0, 20.0] {
            let profile = SaccadeProfile::new(amplitude);
            let step = 1e-4;
            let (mut peak, mut peak_at, mut above_30) = (0.0_f64, 0.0, 0.0);
            let mut time = 0.0;
            while time < profile.duration_s {
                let velocity = amplitude * (profile.progress(time + step) - profile.progress(time)) / step;
                if velocity > peak {
                    (peak, peak_at) = (velocity, time);
                }
                if velocity > 30.0 {
                    above_30 += step;
                }
                assert!(velocity >= -1e-9, "a saccade never turns back");
                time += step;
            }
            let expected = peak_velocity_deg_s(amplitude);
            assert!(
                (peak / expected - 1.0).abs() < 0.01,
                "{amplitude} deg: {peak} deg/s, not {expected}"
            );
            assert!(peak_at < 0.5 * profile.duration_s, "deceleration takes longer");
            // Durations in the literature are taken where the eye is faster than about 30 deg/s.
            let duration = 0.021 + 0.0022 * amplitude;
            if amplitude >= 1.0 {
                assert!(
                    (above_30 / duration - 1.0).abs() < 0.35,
                    "{amplitude} deg: {above_30} s, not {duration}"
                );
            }
        }
    }

    #[test]
    fn courses_begin_and_end_where_they_should() {
        let profile = SaccadeProfile::new(8.0);
        assert_eq!(profile.progress(-1.0), 0.0);
        assert_eq!(profile.progress(1.0), 1.0);
        assert_eq!(
            (minimum_jerk(-1.0), minimum_jerk(0.5), minimum_jerk(2.0)),
            (0.0, 0.5, 1.0)
        );
    }
}
