//! What a watcher knows of the last seconds: positions, rate, latency, state. No drawing and no bus.

use std::collections::VecDeque;

use crate::bus::record::{Flags, Record};
use crate::client::Sample;
use crate::clock::Timestamp;
use crate::geometry::ScreenPoint;

/// Rates and latencies are those of this time.
const RECENT_S: f64 = 2.0;
/// The gaze's way of this time is drawn.
const TRAIL_S: f64 = 0.7;

#[derive(Debug, Default)]
pub struct View {
    recent: VecDeque<(Sample, Option<ScreenPoint>)>,
    state: String,
    detail: String,
    samples: u64,
}

/// Latencies in ms over the last seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    pub median_ms: f64,
    pub worst_ms: f64,
}

impl View {
    pub fn push(&mut self, sample: &Sample, truth: Option<ScreenPoint>) {
        self.samples += 1;
        self.recent.push_back((*sample, truth));
        while self
            .recent
            .front()
            .is_some_and(|(first, _)| sample.received.seconds_since(first.received) > RECENT_S)
        {
            self.recent.pop_front();
        }
    }

    pub fn set_state(&mut self, state: String, detail: String) {
        (self.state, self.detail) = (state, detail);
    }

    pub fn state(&self) -> &str {
        &self.state
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub fn has_samples(&self) -> bool {
        self.samples > 0
    }

    pub fn newest(&self) -> Option<&Record> {
        self.recent.back().map(|(sample, _)| &sample.record)
    }

    pub fn truth(&self) -> Option<ScreenPoint> {
        self.recent.back().and_then(|(_, truth)| *truth)
    }

    /// Valid gaze points of the last moments, oldest first.
    pub fn trail(&self) -> impl Iterator<Item = ScreenPoint> {
        let newest = self
            .recent
            .back()
            .map_or(Timestamp::default(), |(sample, _)| sample.received);
        self.recent
            .iter()
            .filter(move |(sample, _)| newest.seconds_since(sample.received) < TRAIL_S && sample.record.is_valid())
            .map(|(sample, _)| ScreenPoint::new(sample.record.gaze_x, sample.record.gaze_y))
    }

    /// Samples a second.
    pub fn rate_hz(&self) -> f64 {
        match (self.recent.front(), self.recent.back()) {
            (Some((first, _)), Some((last, _))) if last.received > first.received => {
                (self.recent.len() - 1) as f64 / last.received.seconds_since(first.received)
            }
            _ => 0.0,
        }
    }

    /// From the middle of the exposure to arrival here; `None` where nothing valid came.
    pub fn latency(&self) -> Option<Latency> {
        let mut all: Vec<f64> = self
            .recent
            .iter()
            .filter(|(sample, _)| sample.record.is_valid())
            .map(|(sample, _)| {
                sample
                    .received
                    .seconds_since(Timestamp::from_nanos(sample.record.captured_ns))
                    * 1e3
            })
            .collect();
        all.sort_by(f64::total_cmp);
        Some(Latency {
            median_ms: *all.get(all.len() / 2)?,
            worst_ms: *all.last()?,
        })
    }

    /// What the eyes do, in a word.
    pub fn movement(&self) -> &'static str {
        let names = [
            (Flags::BLINK, "blink"),
            (Flags::SACCADE, "saccade"),
            (Flags::PURSUIT, "pursuit"),
            (Flags::FIXATION, "fixation"),
        ];
        let Some(record) = self.newest() else { return "-" };
        names
            .into_iter()
            .find(|(flag, _)| record.flags.contains(*flag))
            .map_or("-", |(_, name)| name)
    }

    /// All of it in one line for a terminal that cannot draw.
    pub fn line(&self) -> String {
        let Some(record) = self.newest() else {
            return format!("{}: no sample yet", self.state);
        };
        let latency = self
            .latency()
            .map_or_else(String::new, |latency| format!("  latency {:.0} ms", latency.median_ms));
        if !record.is_valid() {
            return format!("{}  {:.0} a second  no gaze", self.state, self.rate_hz());
        }
        let truth = self
            .truth()
            .map_or_else(String::new, |truth| format!("  truth {:.3} {:.3}", truth.x, truth.y));
        format!(
            "{}  {:.0} a second  gaze {:.3} {:.3}  forecast {:.3} {:.3}  radius {:.3}  confidence {:.2}{latency}  {}{truth}",
            self.state,
            self.rate_hz(),
            record.gaze_x,
            record.gaze_y,
            record.forecast_x,
            record.forecast_y,
            record.error_radius,
            record.confidence,
            self.movement(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(number: u64, flags: Flags) -> Sample {
        let captured_ns = 1_000_000_000 + number * 20_000_000;
        Sample {
            record: Record {
                sequence: number,
                captured_ns,
                gaze_x: 0.01 * number as f64,
                gaze_y: 0.5,
                flags,
                ..Record::default()
            },
            received: Timestamp::from_nanos(captured_ns + 12_000_000),
        }
    }

    #[test]
    fn rate_and_latency_are_measured_on_what_came() {
        let mut view = View::default();
        assert_eq!((view.rate_hz(), view.latency()), (0.0, None));
        for number in 0..500 {
            view.push(&sample(number, Flags::VALID | Flags::SACCADE), None);
        }
        assert!((view.rate_hz() - 50.0).abs() < 1e-9);
        let latency = view.latency().expect("valid samples came");
        assert!((latency.median_ms - 12.0).abs() < 1e-6 && (latency.worst_ms - 12.0).abs() < 1e-6);
        assert_eq!(view.trail().count(), 35, "the last 0.7 s at 50 a second");
        assert_eq!(view.movement(), "saccade");
    }

    #[test]
    fn positions_that_mean_nothing_are_not_shown() {
        let mut view = View::default();
        view.set_state("lost".into(), String::new());
        for number in 0..10 {
            view.push(&sample(number, Flags::default()), None);
        }
        assert_eq!(view.trail().count(), 0);
        assert_eq!(view.latency(), None);
        assert_eq!(view.line(), "lost  50 a second  no gaze");
    }
}
