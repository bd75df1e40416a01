//! What a report tells, in numbers.

use std::path::Path;

use anyhow::bail;

use crate::calibration::Mapping;
use crate::calibration::gathering::Gathering;
use crate::calibration::profile::Profile;
use crate::calibration::quality::Answers;
use crate::capture::recording::Recording;
use crate::cli::looks::Looks;
use crate::cli::regions::{ByRegion, mean_by_region};
use crate::geometry::{Screen, ScreenPoint, Setup};

/// Frames, and why some of them show no gaze.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frames {
    pub all: usize,
    pub lost: Vec<(String, usize)>,
    pub rate_hz: f64,
}

impl Frames {
    /// Share of the frames without gaze, in percent.
    pub fn loss_percent(&self) -> f64 {
        let lost: usize = self.lost.iter().map(|(_, count)| count).sum();
        100.0 * lost as f64 / self.all.max(1) as f64
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct LatencyMs {
    /// From what to what.
    pub what: &'static str,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

#[derive(Clone, Debug)]
pub struct Measured {
    pub title: String,
    /// Which frames the accuracy was measured on, a sentence.
    pub how: &'static str,
    /// Name and value, for people.
    pub facts: Vec<(&'static str, String)>,
    pub screen: Screen,
    pub points: Vec<Answers>,
    /// Points that could not be used, and why.
    pub missed: Vec<String>,
    pub frames: Option<Frames>,
    pub latency: Option<LatencyMs>,
}

impl Measured {
    pub fn of_profile(profile: &Profile) -> anyhow::Result<Self> {
        let setup = Setup {
            screen: profile.screen,
            ..Setup::default()
        };
        let points = Gathering::of_samples(&profile.samples).held_out(&setup);
        if points.is_empty() {
            bail!(
                "the profile '{}' has too few points to be measured; calibrate again",
                profile.name
            );
        }
        Ok(Self {
            title: format!("Calibration \u{201c}{}\u{201d}", profile.name),
            how: "Each point was predicted by a calibration made from the other points.",
            facts: vec![
                ("made", profile.date.clone()),
                ("points", profile.points.to_string()),
                ("samples", profile.samples.len().to_string()),
                ("weights", profile.weights.clone()),
            ],
            screen: profile.screen,
            points,
            missed: Vec::new(),
            frames: None,
            latency: None,
        })
    }

    pub fn of_recording(folder: &Path, profile: Option<&Profile>) -> anyhow::Result<Self> {
        let recording = Recording::open(folder)?;
        let setup = recording.setup().unwrap_or_default();
        let looks = Looks::of(&recording, &setup)?;
        let (gathering, missed) = looks.gather(&setup);
        let (points, how) = match profile {
            Some(profile) => {
                let mapping = Mapping::Fitted(Box::new(profile.fit(&setup)?));
                let serving = looks.serving(&setup);
                let answers = serving
                    .iter()
                    .map(|(at, frames)| Answers::of(&mapping, *at, frames, &setup));
                (
                    answers.collect(),
                    "Every point was predicted by the stored calibration.",
                )
            }
            None => (
                gathering.held_out(&setup),
                "Each point was predicted by a calibration made from other points of the recording.",
            ),
        };
        if points.is_empty() {
            let why = missed
                .first()
                .map_or_else(String::new, |first| format!(" (among others {first})"));
            bail!(
                "no point of {} can be used{why}; `gazectl track` tells more",
                folder.display()
            );
        }
        let mut facts = vec![("looks at targets", looks.looks.len().to_string())];
        facts.extend(profile.map(|profile| ("calibration", profile.name.clone())));
        facts.extend(recording.facts().source.clone().map(|source| ("source", source)));
        let (p50, p95, p99) = looks.latency.percentiles_ms();
        Ok(Self {
            title: format!("Recording {}", folder.display()),
            how,
            facts,
            screen: setup.screen,
            points,
            missed,
            frames: Some(Frames {
                all: looks.frames,
                lost: looks
                    .lost
                    .iter()
                    .map(|(why, count)| ((*why).to_owned(), *count))
                    .collect(),
                rate_hz: recording.frame_rate_hz(),
            }),
            latency: Some(LatencyMs {
                what: "looking at one frame, on this machine",
                p50,
                p95,
                p99,
            }),
        })
    }

    /// Mean of a measure over the points that have it.
    pub fn mean(&self, of: impl Fn(&Answers) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.points.iter().filter_map(of).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// The value of a measure below which this share of the points lies (nearest rank).
    pub fn quantile(&self, share: f64, of: impl Fn(&Answers) -> f64) -> f64 {
        let mut values: Vec<f64> = self.points.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let index = (share * values.len().saturating_sub(1) as f64).round() as usize;
        values.get(index).copied().unwrap_or_default()
    }

    /// Where the mean gaze at a point meets the screen.
    pub fn answered(&self, answers: &Answers) -> ScreenPoint {
        self.screen.point_at(answers.mean(), answers.distance_mm)
    }

    /// Mean accuracy of each region.
    pub fn regions(&self) -> ByRegion {
        mean_by_region(self.points.iter().map(|answers| (answers.at, answers.accuracy_deg())))
    }

    /// The numbers in one line.
    pub fn summary(&self) -> String {
        let mut text = format!(
            "accuracy {:.2} degrees (median {:.2}, 95 % {:.2}) at {} points",
            self.mean(|answers| Some(answers.accuracy_deg())).unwrap_or_default(),
            self.quantile(0.5, Answers::accuracy_deg),
            self.quantile(0.95, Answers::accuracy_deg),
            self.points.len(),
        );
        if let Some(rms) = self.mean(Answers::rms_s2s_deg) {
            text += &format!(", precision {rms:.2} degrees RMS-S2S");
        }
        if let Some(frames) = &self.frames {
            text += &format!(", {:.1} % of the frames without gaze", frames.loss_percent());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::VisualAngle;

    fn at(x: f64, y: f64, off_deg: f64) -> Answers {
        let screen = Screen::default();
        let target = screen.visual_angle(ScreenPoint::new(x, y), 600.0);
        Answers {
            at: ScreenPoint::new(x, y),
            target,
            gaze: vec![VisualAngle::new(target.x_deg + off_deg, target.y_deg); 3],
            distance_mm: 600.0,
        }
    }

    #[test]
    fn a_region_has_the_mean_of_its_points_and_arrows_go_the_right_way() {
        let measured = Measured {
            title: String::new(),
            how: "",
            facts: Vec::new(),
            screen: Screen::default(),
            points: vec![
                at(0.1, 0.1, 1.0),
                at(0.2, 0.3, 3.0),
                at(0.9, 0.5, 5.0),
                at(1.2, -0.3, 2.0),
            ],
            missed: Vec::new(),
            frames: None,
            latency: None,
        };
        let regions = measured.regions();
        assert!((regions[0][0].expect("two points") - 2.0).abs() < 1e-9);
        assert!((regions[1][2].expect("one point") - 5.0).abs() < 1e-9);
        assert!(
            regions[0][2].is_some(),
            "beyond the edge belongs to the region beside it"
        );
        assert_eq!(regions[2], [None; 3]);
        let answered = measured.answered(&measured.points[0]);
        assert!(
            answered.x > 0.1 && (answered.y - 0.1).abs() < 1e-9,
            "gaze to the right is to the right"
        );
        assert!((measured.quantile(1.0, Answers::accuracy_deg) - 5.0).abs() < 1e-9);
    }
}
