//! From a gaze record to where a renderer must be sharp: one centre and two radii.
//!
//! The finest grating that the eye resolves gets coarser with the angle from the line of sight: `w(e) = w0 + m e` degrees a
//! cycle, with w0 = 1/48 degree and m = 0.022 (the conservative slope of Guenter, Finch, Drucker, Tan and Snyder, "Foveated 3D
//! graphics", ACM TOG 31(6), 2012, whose users saw no difference to the full picture with it). A cycle takes two pixels, one
//! bright and one dark: drawing every second pixel is enough where w(e) reaches four pixels, every fourth where it reaches
//! eight (there `e_i = (s_(i+1) w* - w0) / m`, with w* two pixels and s the step from pixel to pixel). The radius in which the
//! gaze really is comes on top.

use crate::bus::record::Record;
use crate::geometry::{PointPx, Screen};

/// The finest resolvable cycle at the line of sight, in degrees: 48 cycles a degree, 20/12.5 vision.
const FINEST_CYCLE_DEG: f64 = 1.0 / 48.0;
/// Growth of the finest resolvable cycle, in degrees, for each degree away from it.
const SLOPE: f64 = 0.022;
/// Pixels that the finest cycle of a picture takes.
const PIXELS_PER_CYCLE: f64 = 2.0;
/// Where the distance of the eyes is not known: an arm's length.
const USUAL_DISTANCE_MM: f64 = 600.0;

/// Where to be sharp, in pixels of the output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Foveation {
    pub centre: PointPx,
    /// Within this radius of the centre every pixel counts.
    pub inner_radius_px: f32,
    /// From the inner to this radius every second pixel (in x and y) is enough, beyond it every fourth.
    pub outer_radius_px: f32,
}

impl Foveation {
    /// The foveation that a record asks for on a screen.
    ///
    /// While the gaze is lost, the record's growing radius widens the sharp region, and the centre drifts from where the
    /// gaze was to the middle of the screen as the radius grows to the screen's width.
    pub fn of(record: &Record, screen: &Screen) -> Self {
        let width_px = f64::from(screen.width_px);
        let error_radius = if record.error_radius.is_finite() {
            record.error_radius.max(0.0)
        } else {
            1.0
        };
        let (x, y) = if record.is_valid() {
            (record.forecast_x, record.forecast_y)
        } else {
            let drift = error_radius.min(1.0);
            let towards_middle = |position: f64| position + drift * (0.5 - position);
            (towards_middle(record.forecast_x), towards_middle(record.forecast_y))
        };
        let distance_mm = record.distance_mm.filter(|mm| *mm > 0.0).unwrap_or(USUAL_DISTANCE_MM);
        let pixels_per_degree = screen.widths_per_degree(distance_mm) * width_px;
        let uncertain_px = error_radius * width_px;
        let radius_px = |step: f64| {
            let cycle_deg = step * PIXELS_PER_CYCLE / pixels_per_degree;
            (uncertain_px + eccentricity_deg(cycle_deg) * pixels_per_degree) as f32
        };
        Self {
            centre: PointPx::new((x * width_px) as f32, (y * f64::from(screen.height_px)) as f32),
            inner_radius_px: radius_px(2.0),
            outer_radius_px: radius_px(4.0),
        }
    }

    /// Every how many pixels the picture has to be drawn at a place: 1, 2 or 4.
    pub fn coarseness_at(&self, place: PointPx) -> u32 {
        let distance = self.centre.distance(place);
        if distance <= self.inner_radius_px {
            1
        } else if distance <= self.outer_radius_px {
            2
        } else {
            4
        }
    }
}

/// How far from the line of sight a cycle is the finest that can be resolved, in degrees; 0 where it is too fine for that
/// even there.
fn eccentricity_deg(cycle_deg: f64) -> f64 {
    ((cycle_deg - FINEST_CYCLE_DEG) / SLOPE).max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bus::record::Flags;

    fn record(error_radius: f64) -> Record {
        Record {
            forecast_x: 0.25,
            forecast_y: 0.75,
            error_radius,
            flags: Flags::VALID,
            distance_mm: Some(600.0),
            ..Record::default()
        }
    }

    #[test]
    fn a_perfect_gaze_on_a_usual_monitor_needs_a_palm_of_sharpness() {
        let foveation = Foveation::of(&record(0.0), &Screen::default());
        assert_eq!(foveation.centre, PointPx::new(480.0, 810.0));
        // A pixel of this monitor is 1/37.9 degree: (4/37.9 - 1/48) / 0.022 = 3.85 degrees, (8/37.9 - 1/48) / 0.022 = 8.65.
        assert!((foveation.inner_radius_px - 3.85 * 37.9).abs() < 1.0, "{foveation:?}");
        assert!((foveation.outer_radius_px - 8.65 * 37.9).abs() < 1.0, "{foveation:?}");
        assert_eq!(foveation.coarseness_at(foveation.centre), 1);
        assert_eq!(foveation.coarseness_at(PointPx::new(620.0, 810.0)), 1);
        assert_eq!(foveation.coarseness_at(PointPx::new(680.0, 810.0)), 2);
        assert_eq!(foveation.coarseness_at(PointPx::new(0.0, 0.0)), 4);
    }

    #[test]
    fn a_lost_gaze_drifts_to_the_middle() {
        let lost = |radius| {
            let record = Record {
                flags: Flags::default(),
                ..record(radius)
            };
            Foveation::of(&record, &Screen::default())
        };
        assert_eq!(lost(0.0).centre, PointPx::new(480.0, 810.0));
        assert_eq!(lost(1.2).centre, PointPx::new(960.0, 540.0));
        assert!(lost(0.5).inner_radius_px > 960.0);
    }

    proptest! {
        #[test]
        fn more_error_and_more_distance_never_sharpen_less(
            error in 0.0..1.5_f64, more in 0.0..0.5_f64, distance in 200.0..1500.0_f64,
        ) {
            let at = |error, distance| {
                let record = Record { distance_mm: Some(distance), ..record(error) };
                Foveation::of(&record, &Screen::default())
            };
            let one = at(error, distance);
            prop_assert!(one.inner_radius_px >= 0.0 && one.outer_radius_px >= one.inner_radius_px);
            prop_assert!(at(error + more, distance).inner_radius_px >= one.inner_radius_px);
        }

        #[test]
        fn no_record_makes_it_panic(numbers in any::<[f64; 4]>(), bits in any::<u32>()) {
            let record = Record {
                forecast_x: numbers[0],
                forecast_y: numbers[1],
                error_radius: numbers[2],
                distance_mm: Some(numbers[3]),
                flags: Flags(bits),
                ..Record::default()
            };
            let foveation = Foveation::of(&record, &Screen::default());
            prop_assert!(foveation.inner_radius_px >= 0.0);
        }
    }
}
