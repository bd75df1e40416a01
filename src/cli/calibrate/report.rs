//! What a calibration came to: numbers, and a verdict in words.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::geometry::ScreenPoint;

/// Beyond this the calibration is worse than the rough gaze without one, and is not kept without being asked for.
const USELESS_DEG: f64 = 8.0;

/// A point that was not calibrated with, and how far the gaze was off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Validated {
    pub point: ScreenPoint,
    /// Mean offset from the point.
    pub error_deg: f64,
    /// RMS between consecutive samples.
    pub precision_deg: f64,
}

#[derive(Debug, PartialEq, Serialize)]
pub struct Report {
    /// What the service says about the fit.
    pub fitted: Map<String, Json>,
    pub validated: Vec<Validated>,
    /// Points that could not be used, and why.
    pub missed: Vec<String>,
}

impl Report {
    /// Mean offset and precision over the validation points; `None` where none could be used.
    fn means(&self) -> Option<(f64, f64)> {
        let count = self.validated.len() as f64;
        let mean = |of: fn(&Validated) -> f64| self.validated.iter().map(of).sum::<f64>() / count;
        (count > 0.0).then(|| (mean(|point| point.error_deg), mean(|point| point.precision_deg)))
    }

    /// Accuracy and precision at the validation points, or, where there were none to show, as the service measured them at
    /// points left out of the fit.
    fn quality(&self) -> Option<(f64, f64)> {
        let fitted = |name: &str| self.fitted.get(name).and_then(Json::as_f64);
        self.means()
            .or_else(|| fitted("accuracy-deg").zip(fitted("precision-deg")))
    }

    /// The radius that held the gaze at every validation point, in degrees.
    fn radius_deg(&self) -> f64 {
        let reach = |point: &Validated| point.error_deg + point.precision_deg;
        let worst = self.validated.iter().map(reach).reduce(f64::max);
        worst.unwrap_or_else(|| self.quality().map_or(0.0, |(accuracy, precision)| accuracy + precision))
    }

    /// False where the calibration is worse than none.
    pub fn is_useful(&self) -> bool {
        self.quality().is_some_and(|(accuracy, _)| accuracy <= USELESS_DEG)
    }

    /// What the calibration is good for.
    pub fn verdict(&self) -> String {
        let radius = self.radius_deg();
        match self.quality() {
            None => "no validation point could be used, so nobody knows how good it is".to_owned(),
            Some((accuracy, _)) if accuracy <= 1.0 => {
                format!(
                    "very good: good enough for foveation with a radius of {radius:.1} degrees, and for large buttons"
                )
            }
            Some((accuracy, _)) if accuracy <= 2.5 => {
                format!("good enough for foveation with a radius of {radius:.1} degrees")
            }
            Some((accuracy, _)) if accuracy <= USELESS_DEG => format!(
                "rough: it tells the parts of the screen from each other (radius {radius:.1} degrees); more light on the \
                 face, a steadier head and more points would help"
            ),
            Some(_) => format!(
                "useless: the gaze was up to {radius:.0} degrees off. Sit where the camera sees both eyes well and try again"
            ),
        }
    }

    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        for missed in &self.missed {
            writeln!(out, "Point left out at {missed}")?;
        }
        for (name, value) in &self.fitted {
            match value.as_f64().filter(|_| value.is_f64()) {
                Some(value) => writeln!(out, "Fit: {name} {value:.2}")?,
                None => writeln!(out, "Fit: {name} {value}")?,
            }
        }
        if let Some((accuracy, precision)) = self.means() {
            let count = self.validated.len();
            writeln!(
                out,
                "Accuracy {accuracy:.2} degrees, precision {precision:.2} degrees, at {count} other points:"
            )?;
        }
        for Validated {
            point,
            error_deg,
            precision_deg,
        } in &self.validated
        {
            writeln!(
                out,
                "  at {:.2}, {:.2}: off by {error_deg:.2}, precision {precision_deg:.2}",
                point.x, point.y
            )?;
        }
        writeln!(out, "This calibration is {}.", self.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(errors_deg: &[f64]) -> Report {
        let validated = |error_deg: &f64| Validated {
            point: ScreenPoint::CENTRE,
            error_deg: *error_deg,
            precision_deg: 0.25,
        };
        Report {
            fitted: Map::new(),
            validated: errors_deg.iter().map(validated).collect(),
            missed: Vec::new(),
        }
    }

    #[test]
    fn the_radius_holds_the_worst_point() {
        let verdict = report(&[1.0, 2.0, 3.0]).verdict();
        assert_eq!(verdict, "good enough for foveation with a radius of 3.2 degrees");
    }

    #[test]
    fn what_is_worse_than_nothing_is_not_useful() {
        assert!(report(&[1.0, 2.0]).is_useful());
        assert!(!report(&[20.0, 2.0]).is_useful());
        assert!(!report(&[f64::NAN]).is_useful());
        assert!(!report(&[]).is_useful());
    }
}
