//! What a calibration came to: numbers, and a verdict in words.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::cli::regions::{ByRegion, mean_by_region};
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

/// What a degree is on the screen, where the eyes were.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Scale {
    pub mm_per_deg: f64,
    pub px_per_deg: f64,
}

impl Scale {
    /// From what the service says about the fit; `None` where it does not tell.
    pub fn of(fitted: &Map<String, Json>) -> Option<Self> {
        let pair = |name: &str| Some((fitted.get(name)?.get(0)?.as_f64()?, fitted.get(name)?.get(1)?.as_f64()?));
        let (width_mm, _) = pair("screen-mm")?;
        let (width_px, _) = pair("screen-px")?;
        let mm_per_deg = fitted.get("distance-mm")?.as_f64()? * 1.0_f64.to_radians().tan();
        (width_mm > 0.0).then(|| Self {
            mm_per_deg,
            px_per_deg: mm_per_deg * width_px / width_mm,
        })
    }
}

#[derive(Debug, PartialEq, Serialize)]
pub struct Report {
    /// What the service says about the fit.
    pub fitted: Map<String, Json>,
    pub validated: Vec<Validated>,
    /// Points that could not be used, and why.
    pub missed: Vec<String>,
    pub scale: Option<Scale>,
}

/// The report as programs read it.
#[derive(Debug, Serialize)]
pub struct Summary<'r> {
    #[serde(flatten)]
    report: &'r Report,
    accuracy_deg: Option<f64>,
    precision_deg: Option<f64>,
    accuracy_mm: Option<f64>,
    precision_mm: Option<f64>,
    accuracy_px: Option<f64>,
    precision_px: Option<f64>,
    /// Mean accuracy by region, rows from the top.
    regions_deg: ByRegion,
    verdict: String,
}

impl Report {
    /// Mean offset and precision over the validation points; `None` where none could be used.
    fn means(&self) -> Option<(f64, Option<f64>)> {
        let count = self.validated.len() as f64;
        let mean = |of: fn(&Validated) -> f64| self.validated.iter().map(of).sum::<f64>() / count;
        (count > 0.0).then(|| (mean(|point| point.error_deg), Some(mean(|point| point.precision_deg))))
    }

    /// Accuracy and precision at the validation points, or, where there were none to show, as the service measured them at
    /// points left out of the fit. Frames that stand alone have no precision.
    fn quality(&self) -> Option<(f64, Option<f64>)> {
        let fitted = |name: &str| self.fitted.get(name).and_then(Json::as_f64);
        self.means()
            .or_else(|| Some((fitted("accuracy-deg")?, fitted("precision-deg"))))
    }

    pub fn screen_width_px(&self) -> Option<f64> {
        self.fitted.get("screen-px")?.get(0)?.as_f64()
    }

    pub fn summary(&self) -> Summary<'_> {
        let quality = self.quality();
        let (accuracy_deg, precision_deg) = (quality.map(|(deg, _)| deg), quality.and_then(|(_, deg)| deg));
        let mm = |deg: Option<f64>| Some(deg? * self.scale?.mm_per_deg);
        let px = |deg: Option<f64>| Some(deg? * self.scale?.px_per_deg);
        Summary {
            report: self,
            accuracy_deg,
            precision_deg,
            accuracy_mm: mm(accuracy_deg),
            precision_mm: mm(precision_deg),
            accuracy_px: px(accuracy_deg),
            precision_px: px(precision_deg),
            regions_deg: self.regions_deg(),
            verdict: self.verdict(),
        }
    }

    /// Mean accuracy in each region of the screen, rows from the top; `None` where no point was validated.
    pub fn regions_deg(&self) -> ByRegion {
        mean_by_region(
            self.validated
                .iter()
                .map(|validated| (validated.point, validated.error_deg)),
        )
    }

    /// Accuracy and precision in degrees, mm and px, as far as they are known.
    pub fn numbers(&self) -> Option<String> {
        let (accuracy, precision) = self.quality()?;
        let Some(precision) = precision else {
            return Some(format!("Accuracy {accuracy:.2} degrees, precision not known"));
        };
        let on_screen = self.scale.map_or_else(String::new, |scale| {
            format!(
                " ({:.0} and {:.0} mm, {:.0} and {:.0} px)",
                accuracy * scale.mm_per_deg,
                precision * scale.mm_per_deg,
                accuracy * scale.px_per_deg,
                precision * scale.px_per_deg
            )
        });
        Some(format!(
            "Accuracy {accuracy:.2} degrees, precision {precision:.2} degrees{on_screen}"
        ))
    }

    /// The radius that held the gaze at every validation point, in degrees.
    fn radius_deg(&self) -> f64 {
        let reach = |point: &Validated| point.error_deg + point.precision_deg;
        let worst = self.validated.iter().map(reach).reduce(f64::max);
        let known = self.quality();
        worst.unwrap_or_else(|| known.map_or(0.0, |(accuracy, precision)| accuracy + precision.unwrap_or_default()))
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
        // Screen and distance are told by the numbers that they make.
        let own = |name: &str| !name.starts_with("screen") && name != "distance-mm";
        for (name, value) in self.fitted.iter().filter(|(name, value)| own(name) && !value.is_null()) {
            match value.as_f64().filter(|_| value.is_f64()) {
                Some(value) => writeln!(out, "Fit: {name} {value:.2}")?,
                None => writeln!(out, "Fit: {name} {value}")?,
            }
        }
        if let Some(numbers) = self.numbers() {
            match self.validated.len() {
                0 => writeln!(out, "{numbers}, at points left out of the fit")?,
                count => writeln!(out, "{numbers}, at {count} other points")?,
            }
        }
        if !self.validated.is_empty() {
            writeln!(out, "Accuracy by part of the screen, in degrees:")?;
            for row in self.regions_deg() {
                let cells = row.map(|deg| deg.map_or_else(|| "   -".to_owned(), |deg| format!("{deg:4.1}")));
                writeln!(out, "  {}", cells.join("  "))?;
            }
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
            scale: None,
        }
    }

    #[test]
    fn degrees_become_mm_and_px_where_the_eyes_were() {
        let fitted = serde_json::json!({"screen-mm": [480.0, 270.0], "screen-px": [1920, 1080], "distance-mm": 600.0});
        let scale = Scale::of(fitted.as_object().expect("a map")).expect("all is told");
        assert!(
            (scale.mm_per_deg - 10.47).abs() < 0.01 && (scale.px_per_deg - 41.9).abs() < 0.1,
            "{scale:?}"
        );
        assert_eq!(Scale::of(&Map::new()), None);
        let report = Report {
            scale: Some(scale),
            ..report(&[2.0])
        };
        assert_eq!(
            report.numbers().expect("a point"),
            "Accuracy 2.00 degrees, precision 0.25 degrees (21 and 3 mm, 84 and 10 px)"
        );
        assert_eq!(report.regions_deg()[1], [None, Some(2.0), None]);
    }

    #[test]
    fn frames_that_stand_alone_have_no_precision() {
        let fitted = serde_json::json!({"accuracy-deg": 1.5, "precision-deg": null});
        let report = Report {
            fitted: fitted.as_object().expect("a map").clone(),
            ..report(&[])
        };
        assert!(report.is_useful() && report.verdict().contains("a radius of 1.5 degrees"));
        assert_eq!(
            report.numbers().expect("an accuracy"),
            "Accuracy 1.50 degrees, precision not known"
        );
        let json = serde_json::to_value(report.summary()).expect("plain numbers");
        assert_eq!(
            (&json["accuracy_deg"], &json["precision_deg"]),
            (&1.5.into(), &Json::Null)
        );
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
