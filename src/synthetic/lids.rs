//! The lids: the outline of the opening and how it follows gaze and blinks.

use super::person::EyeShape;

/// Parts of the eyeball's turn up or down that the margins make along (upper lid: Malbouisson and others 2005).
const UPPER_FOLLOWS: f64 = 0.8;
const LOWER_FOLLOWS: f64 = 0.48;
/// How far the lower lid rises to meet the upper one in a blink.
const LOWER_RISES_MM: f64 = 2.0;
/// The narrowest opening without a blink.
const NARROWEST_MM: f64 = 3.5;

/// The lids of one eye at one moment. Coordinates as in [`EyeShape`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lids {
    shape: EyeShape,
    /// Greatest height of the upper margin above the line between the corners, and depth of the lower one below it.
    upper_mm: f64,
    lower_mm: f64,
    /// 0 open, 1 closed, by a blink.
    closure: f64,
}

/// A smooth arch over 0..=1 with value 1 at `peak`, rounder towards the ends than a parabola.
fn arch(s: f64, peak: f64) -> f64 {
    if s <= 0.0 || s >= 1.0 {
        return 0.0;
    }
    let part = if s < peak { s / peak } else { (1.0 - s) / (1.0 - peak) };
    // Steeper at the corners than a sine, as an almond is.
    (part * std::f64::consts::FRAC_PI_2).sin().powf(0.72)
}

impl Lids {
    /// `elevation_rad` is how far the eye looks up in the head.
    pub(crate) fn new(shape: EyeShape, elevation_rad: f64, closure: f64) -> Self {
        let rise = super::eyeball::EYEBALL_RADIUS_MM * elevation_rad.sin();
        let upper_mm = 0.44 * shape.opening_mm + UPPER_FOLLOWS * rise;
        let lower_mm = 0.56 * shape.opening_mm - LOWER_FOLLOWS * rise;
        let missing = (NARROWEST_MM - upper_mm - lower_mm).max(0.0);
        Self {
            shape,
            upper_mm: (upper_mm + missing).min(8.5),
            lower_mm: lower_mm.clamp(2.5, 9.0),
            closure,
        }
    }

    /// The heights of the upper and lower margins at `x` mm from the eyeball's centre (towards the temple). Beyond the
    /// corners both are the line between them.
    pub(crate) fn margins_mm(&self, x_mm: f64) -> [f64; 2] {
        let shape = &self.shape;
        let s = (x_mm - shape.inner_mm[0]) / (shape.outer_mm[0] - shape.inner_mm[0]);
        let line = shape.inner_mm[1] + s * (shape.outer_mm[1] - shape.inner_mm[1]);
        let upper = line - self.upper_mm * arch(s, shape.upper_peak);
        let lower = line + (self.lower_mm - LOWER_RISES_MM * self.closure) * arch(s, shape.lower_trough);
        // A curve of the upper lid that hangs below the lower one is a closed eye.
        let upper = upper.min(lower);
        [upper + self.closure * (lower - upper), lower]
    }

    pub(crate) fn shape(&self) -> &EyeShape {
        &self.shape
    }

    pub(crate) fn closure(&self) -> f64 {
        self.closure
    }

    /// How far the upper margin is from where it is when looking straight ahead with the eye open, positive down.
    pub(crate) fn upper_drop_mm(&self) -> f64 {
        let rest = Self::new(self.shape, 0.0, 0.0);
        let middle = 0.5 * (self.shape.inner_mm[0] + self.shape.outer_mm[0]);
        self.margins_mm(middle)[0] - rest.margins_mm(middle)[0]
    }

    /// Points on the margins as the 68-point scheme has them: the means of the points at one and two thirds of the width.
    pub(crate) fn landmark_points_mm(&self) -> [[f64; 2]; 2] {
        let at = |third: f64| self.shape.inner_mm[0] + third * (self.shape.outer_mm[0] - self.shape.inner_mm[0]);
        let (a, b) = (self.margins_mm(at(0.32)), self.margins_mm(at(0.68)));
        let x = 0.5 * (at(0.32) + at(0.68));
        [[x, 0.5 * (a[0] + b[0])], [x, 0.5 * (a[1] + b[1])]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::parameters::Parameters;
    use crate::synthetic::person::Person;

    fn lids(elevation_deg: f64, closure: f64) -> Lids {
        Lids::new(
            Person::new(&Parameters::drawn(5)).eye,
            elevation_deg.to_radians(),
            closure,
        )
    }

    #[test]
    fn the_upper_lid_follows_the_gaze_down_and_narrows_the_opening() {
        let opening = |lids: Lids| lids.margins_mm(0.0)[1] - lids.margins_mm(0.0)[0];
        assert!(lids(-20.0, 0.0).margins_mm(0.0)[0] > lids(0.0, 0.0).margins_mm(0.0)[0] + 2.0);
        assert!(opening(lids(-20.0, 0.0)) < opening(lids(0.0, 0.0)) - 1.0);
        assert!(lids(-20.0, 0.0).upper_drop_mm() > 2.0 && lids(0.0, 0.0).upper_drop_mm() == 0.0);
    }

    #[test]
    fn margins_meet_at_the_corners_and_in_a_blink_and_never_cross() {
        let shape = *lids(0.0, 0.0).shape();
        for corner in [shape.inner_mm, shape.outer_mm] {
            assert_eq!(
                lids(0.0, 0.0).margins_mm(corner[0])[0],
                lids(0.0, 0.0).margins_mm(corner[0])[1]
            );
        }
        for x in -15..14 {
            for elevation in [-40.0, -20.0, 0.0, 30.0] {
                let open = lids(elevation, 0.0).margins_mm(f64::from(x));
                let closed = lids(elevation, 1.0).margins_mm(f64::from(x));
                assert!(open[0] <= open[1]);
                assert!((closed[0] - closed[1]).abs() < 1e-9);
            }
        }
    }
}
