//! `gazectl watch`: gaze as it comes. A small map of the screen in a terminal, plain lines elsewhere, JSON on demand.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Serialize;

use super::session::SessionArgs;
use super::synthetic_user::SyntheticUser;
use super::{Output, duration};
use crate::bus::record::Record;
use crate::client::{Client, ClientError, Received, Sample, Session};
use crate::geometry::ScreenPoint;
use view::View;

mod map;
mod terminal;
mod view;

/// Shows gaze as it comes: where, how sure, how fresh.
///
/// In a terminal a small map of the screen is shown until q is pressed; elsewhere one line a second.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object a sample, with the names of the bus interface and `received_ns`; with the synthetic user also
    /// where it really looked
    #[arg(long)]
    json: bool,
    /// Stop after so many seconds
    #[arg(long, value_name = "S", value_parser = duration)]
    seconds: Option<Duration>,
    #[command(flatten)]
    session: SessionArgs,
}

/// Where the synthetic user looked.
#[derive(Clone, Copy, Debug)]
struct Truth {
    captured: ScreenPoint,
    target: ScreenPoint,
}

/// A sample as JSON: the names of the bus interface, `received_ns`, and the truth where there is one.
#[derive(Serialize)]
pub(super) struct Line {
    #[serde(flatten)]
    record: Record,
    received_ns: u64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    truth: Option<TruthFields>,
}

#[derive(Serialize)]
struct TruthFields {
    truth_x: f64,
    truth_y: f64,
    truth_target_x: f64,
    truth_target_y: f64,
}

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let client = Client::connect()?;
    let mut session = client.session(&args.session.options("gazectl watch"))?;
    session.start()?;
    // Samples are stamped on the session's connection; questions go over another one and cannot delay them.
    let asking = Client::connect()?;
    let watch = Watch {
        synthetic_user: SyntheticUser::find(&asking)?,
        asking,
        end: args.seconds.map(|seconds| Instant::now() + seconds),
    };
    if args.json {
        watch.json(&mut session, out)
    } else if std::io::stdout().is_terminal() {
        terminal::show(&watch, &mut session)
    } else {
        watch.lines(&mut session, out)
    }
}

struct Watch {
    asking: Client,
    synthetic_user: Option<SyntheticUser>,
    end: Option<Instant>,
}

impl Watch {
    /// Waits for a sample, for `longest` at most and not beyond the end. `Err` where none will come any more.
    fn receive(&self, session: &mut Session, longest: Duration) -> anyhow::Result<Option<Sample>> {
        let left = self.end.map_or(longest, |end| {
            end.saturating_duration_since(Instant::now()).min(longest)
        });
        match session.receive(left) {
            Received::Sample(sample) => Ok(Some(sample)),
            Received::TimedOut => Ok(None),
            Received::Ended => bail!("gazed ended, or the bus did; no more samples will come"),
        }
    }

    fn is_over(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    /// Where the synthetic user looked; `None` where a real person does.
    fn truth(&self, record: &Record) -> Result<Option<Truth>, ClientError> {
        let Some(user) = &self.synthetic_user else {
            return Ok(None);
        };
        Ok(Some(Truth {
            captured: user.looks_at(record.captured_ns)?,
            target: user.looks_at(record.target_ns)?,
        }))
    }

    fn state(&self) -> Result<(String, String), ClientError> {
        let manager = self.asking.manager()?;
        Ok((manager.state()?, manager.state_detail()?))
    }

    fn json(&self, session: &mut Session, out: &mut Output) -> anyhow::Result<()> {
        let mut any = false;
        while !self.is_over() {
            let Some(sample) = self.receive(session, Duration::from_secs(1))? else {
                continue;
            };
            any = true;
            let truth = self.truth(&sample.record)?;
            out.live_json_line(&Line::new(&sample, truth))?;
        }
        self.insist(any)
    }

    fn lines(&self, session: &mut Session, out: &mut Output) -> anyhow::Result<()> {
        let mut view = View::default();
        let mut next_line = Instant::now() + Duration::from_secs(1);
        while !self.is_over() {
            let pause = next_line.saturating_duration_since(Instant::now());
            if let Some(sample) = self.receive(session, pause)? {
                let truth = self.truth(&sample.record)?;
                view.push(&sample, truth.map(|truth| truth.captured));
            }
            if Instant::now() >= next_line {
                next_line += Duration::from_secs(1);
                let (state, _) = self.state()?;
                view.set_state(state, String::new());
                writeln!(out, "{}", view.line())?;
                out.flush()?;
            }
        }
        self.insist(view.has_samples())
    }

    /// A watch that saw nothing at all has failed, and the service knows why.
    fn insist(&self, any: bool) -> anyhow::Result<()> {
        if !any {
            let (state, detail) = self.state()?;
            bail!("no sample came; gazed says \"{state}\": {detail}");
        }
        Ok(())
    }
}

impl Line {
    /// Of a person, whose truth nobody knows.
    pub(super) fn of(sample: &Sample) -> Self {
        Self::new(sample, None)
    }

    fn new(sample: &Sample, truth: Option<Truth>) -> Self {
        Self {
            record: sample.record,
            received_ns: sample.received.as_nanos(),
            truth: truth.map(|truth| TruthFields {
                truth_x: truth.captured.x,
                truth_y: truth.captured.y,
                truth_target_x: truth.target.x,
                truth_target_y: truth.target.y,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn a_line_of_json_has_truth_only_with_a_synthetic_user() {
        let sample = Sample {
            record: Record {
                sequence: 3,
                captured_ns: 17,
                ..Record::default()
            },
            received: Timestamp::from_nanos(19),
        };
        let json = serde_json::to_value(Line::new(&sample, None)).expect("plain numbers");
        assert_eq!(json["captured_ns"], 17);
        assert_eq!(json["received_ns"], 19);
        assert_eq!(json.get("truth_x"), None);
        let truth = Truth {
            captured: ScreenPoint::new(0.25, 0.5),
            target: ScreenPoint::new(0.75, 1.0),
        };
        let json = serde_json::to_value(Line::new(&sample, Some(truth))).expect("plain numbers");
        assert_eq!((&json["truth_x"], &json["truth_y"]), (&0.25.into(), &0.5.into()));
        assert_eq!(
            (&json["truth_target_x"], &json["truth_target_y"]),
            (&0.75.into(), &1.0.into())
        );
    }
}
