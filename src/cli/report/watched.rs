//! What `gazectl watch --json` wrote with a synthetic user, measured wherever the user's gaze stood still.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::measured::{Frames, LatencyMs, Measured};
use crate::bus::record::{Flags, Record};
use crate::calibration::quality::Answers;
use crate::geometry::{ScreenPoint, Setup};

/// The truth stands still while it stays this close to where it was first: fixational movements are smaller.
const STILL_DEG: f64 = 0.7;
/// Fewer samples than this say nothing about a point.
const LEAST_SAMPLES: usize = 4;
/// After the truth came to rest, filters need so long to follow.
const SETTLING_S: f64 = 0.1;

#[derive(Deserialize)]
struct Line {
    #[serde(flatten)]
    record: Record,
    received_ns: u64,
    truth_x: Option<f64>,
    truth_y: Option<f64>,
}

/// One stay of the true gaze.
struct Stay {
    answers: Answers,
    since_ns: u64,
}

pub fn read(path: &Path) -> anyhow::Result<Measured> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let setup = Setup::default();
    let angle = |point: ScreenPoint| setup.screen.visual_angle(point, setup.viewing_distance_mm);
    let (mut stays, mut latencies_ms, mut lost) = (Vec::<Stay>::new(), Vec::new(), BTreeMap::<&str, usize>::new());
    let (mut all, mut first_ns, mut last_ns) = (0, None, 0);
    for (number, line) in (1..).zip(text.lines()) {
        let line: Line = serde_json::from_str(line).with_context(|| {
            format!(
                "{}, line {number}: not a sample of `gazectl watch --json`",
                path.display()
            )
        })?;
        let record = line.record;
        all += 1;
        first_ns.get_or_insert(record.captured_ns);
        last_ns = record.captured_ns;
        if !record.is_valid() {
            *lost.entry("not valid").or_default() += 1;
            continue;
        }
        if record.flags.contains(Flags::BLINK) {
            *lost.entry("blink").or_default() += 1;
            continue;
        }
        latencies_ms.push(line.received_ns.saturating_sub(record.captured_ns) as f64 * 1e-6);
        let Some((x, y)) = line.truth_x.zip(line.truth_y) else {
            continue;
        };
        let (truth, gaze) = (ScreenPoint::new(x, y), ScreenPoint::new(record.gaze_x, record.gaze_y));
        if !truth.is_finite() || !gaze.is_finite() {
            continue;
        }
        let stays_on = |stay: &Stay| stay.answers.target.distance_deg(angle(truth)) <= STILL_DEG;
        if !stays.last().is_some_and(stays_on) {
            stays.push(Stay {
                answers: Answers {
                    at: truth,
                    target: angle(truth),
                    gaze: Vec::new(),
                    distance_mm: setup.viewing_distance_mm,
                },
                since_ns: record.captured_ns,
            });
        }
        if let Some(stay) = stays.last_mut()
            && record.captured_ns.saturating_sub(stay.since_ns) as f64 * 1e-9 >= SETTLING_S
        {
            stay.answers.gaze.push(angle(gaze));
        }
    }
    let points: Vec<Answers> = stays
        .into_iter()
        .map(|stay| stay.answers)
        .filter(|answers| answers.gaze.len() >= LEAST_SAMPLES)
        .collect();
    if points.is_empty() {
        bail!(
            "{} says nowhere what was really looked at; only a synthetic user is known so well. Record a person who looks at \
             known targets instead",
            path.display()
        );
    }
    let seconds = last_ns.saturating_sub(first_ns.unwrap_or(last_ns)) as f64 * 1e-9;
    Ok(Measured {
        title: format!("Session {}", path.display()),
        how: "Every time the synthetic user's gaze stood still counts as one point; what was published is held against it.",
        facts: vec![("length", format!("{seconds:.0} s"))],
        screen: setup.screen,
        points,
        missed: Vec::new(),
        frames: Some(Frames {
            all,
            lost: lost.into_iter().map(|(why, count)| (why.to_owned(), count)).collect(),
            rate_hz: if seconds > 0.0 { (all - 1) as f64 / seconds } else { 0.0 },
        }),
        latency: latency(latencies_ms),
    })
}

fn latency(mut values_ms: Vec<f64>) -> Option<LatencyMs> {
    values_ms.sort_by(f64::total_cmp);
    let last = values_ms.len().checked_sub(1)?;
    let at = |share: f64| values_ms[(share * last as f64).round() as usize];
    Some(LatencyMs {
        what: "from the middle of the exposure to the client",
        p50: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
    })
}
