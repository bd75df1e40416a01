//! Where the head was while somebody calibrated, and whether it has left that region.

use super::Features;
use super::features::{HEAD_PITCH, HEAD_YAW};

/// The way in which a head has left the region of its calibration, as the user sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    Left,
    Right,
    Up,
    Down,
    Nearer,
    Further,
    Turned,
}

/// Least and most of one quantity.
type Range = [f64; 2];

/// What a head did while somebody calibrated.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// Of the eyes' place (mm right, below and in front of the screen's corner); `None` where it was not measured.
    eyes_mm: Option<[Range; 3]>,
    /// Of yaw and pitch.
    turn_rad: [Range; 2],
}

impl Region {
    /// So far beyond where it was, a head is elsewhere: people sway and slide by some centimetres all the time, and what lies
    /// as near to their calibration costs little.
    const ASIDE_MM: f64 = 80.0;
    /// The distance counts by what it does to the picture's scale, and is measured less exactly.
    const IN_DEPTH_MM: f64 = 120.0;
    /// So far beyond how it was turned, 10 degrees: heads turned by 15 degrees, and moved by 10 cm, double the error.
    const TURN_RAD: f64 = 0.175;

    /// Of the frames that a calibration was made from; there is at least one.
    pub fn of(frames: &[&Features]) -> Self {
        let range = |of: &dyn Fn(&Features) -> f64| {
            let values = frames.iter().map(|features| of(features));
            values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| {
                [low.min(value), high.max(value)]
            })
        };
        let is_known = frames.iter().all(|features| features.position_known);
        Self {
            eyes_mm: is_known.then(|| [0, 1, 2].map(|axis| range(&|features| features.eyes_mm[axis]))),
            turn_rad: [HEAD_YAW, HEAD_PITCH].map(|index| range(&|features| features.values[index])),
        }
    }

    /// How the head of a frame has left the region: the furthest of all ways, in parts of what each allows. `None` within it.
    pub fn departure(&self, features: &Features) -> Option<Departure> {
        let mut furthest = (1.0, None);
        let mut try_way = |value: f64, [low, high]: Range, margin: f64, [below, above]: [Departure; 2]| {
            for (parts, way) in [((low - value) / margin, below), ((value - high) / margin, above)] {
                if parts > furthest.0 {
                    furthest = (parts, Some(way));
                }
            }
        };
        if let Some([right, below, distance]) = self.eyes_mm.filter(|_| features.position_known) {
            let [x, y, z] = features.eyes_mm;
            try_way(x, right, Self::ASIDE_MM, [Departure::Left, Departure::Right]);
            try_way(y, below, Self::ASIDE_MM, [Departure::Up, Departure::Down]);
            try_way(z, distance, Self::IN_DEPTH_MM, [Departure::Nearer, Departure::Further]);
        }
        for (index, range) in [HEAD_YAW, HEAD_PITCH].into_iter().zip(self.turn_rad) {
            try_way(features.values[index], range, Self::TURN_RAD, [Departure::Turned; 2]);
        }
        furthest.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head([x, y, z]: [f64; 3], yaw_deg: f64, pitch_deg: f64) -> Features {
        let mut features = Features::blank();
        features.eyes_mm = [x, y, z];
        features.values[HEAD_YAW] = yaw_deg.to_radians();
        features.values[HEAD_PITCH] = pitch_deg.to_radians();
        features
    }

    #[test]
    fn a_head_well_outside_of_where_it_was_is_told_by_the_furthest_way() {
        let calibrated = [
            head([250.0, 140.0, 590.0], -9.0, -6.0),
            head([280.0, 160.0, 620.0], 9.0, 6.0),
        ];
        let region = Region::of(&calibrated.each_ref());
        let departure = |place, yaw, pitch| region.departure(&head(place, yaw, pitch));
        assert_eq!(departure([265.0, 150.0, 600.0], 0.0, 0.0), None);
        assert_eq!(departure([350.0, 90.0, 720.0], 17.0, -15.0), None, "a little outside");
        for (place, way) in [
            ([165.0, 150.0, 600.0], Departure::Left),
            ([365.0, 150.0, 600.0], Departure::Right),
            ([265.0, 50.0, 600.0], Departure::Up),
            ([265.0, 250.0, 600.0], Departure::Down),
            ([265.0, 150.0, 460.0], Departure::Nearer),
            ([265.0, 150.0, 760.0], Departure::Further),
            ([365.0, 150.0, 1000.0], Departure::Further),
        ] {
            assert_eq!(departure(place, 0.0, 0.0), Some(way), "{place:?}");
        }
        for (yaw, pitch) in [(22.0, 0.0), (-22.0, 0.0), (0.0, 18.0), (0.0, -18.0)] {
            assert_eq!(departure([265.0, 150.0, 600.0], yaw, pitch), Some(Departure::Turned));
        }
    }

    #[test]
    fn a_place_that_was_or_is_not_measured_says_nothing() {
        let known = head([265.0, 150.0, 600.0], 0.0, 0.0);
        let far = head([265.0, 150.0, 1000.0], 0.0, 0.0);
        let unmeasured = |features: Features| Features {
            position_known: false,
            ..features
        };
        assert_eq!(Region::of(&[&known]).departure(&far), Some(Departure::Further));
        assert_eq!(Region::of(&[&known]).departure(&unmeasured(far)), None);
        assert_eq!(Region::of(&[&unmeasured(known)]).departure(&far), None);
    }
}
