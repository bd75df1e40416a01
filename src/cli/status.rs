//! `gazectl status`: what the service is doing, and who is watching.

use std::collections::HashMap;
use std::io::Write;

use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use zbus::zvariant::{OwnedValue, Value};

use super::Output;
use crate::client::{Client, ClientError};

/// Says what gazed is doing, for whom the camera is open, and how good the calibration is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Status {
    version: u32,
    state: String,
    state_detail: String,
    camera_active: bool,
    camera_name: String,
    clients: Vec<Watcher>,
    profile: String,
    calibration: Map<String, Json>,
    frame_rate_hz: f64,
    latency_ms: Latency,
    frames_missed: u64,
}

#[derive(Debug, Serialize)]
struct Watcher {
    app_name: String,
    process_id: u32,
    what: String,
}

/// From the exposure to publishing.
#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p95: f64,
    p99: f64,
}

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let client = Client::connect()?;
    // Asking for a property would start the service, and a question should change nothing.
    if !client.daemon_runs()? {
        bail!("gazed is not running; start it with `gazed`, or with a program that asks it for gaze");
    }
    let status = Status::ask(&client).context("gazed runs but does not answer")?;
    if args.json {
        out.json_line(&status)?;
    } else {
        status.print(out)?;
    }
    Ok(())
}

impl Status {
    fn ask(client: &Client) -> Result<Self, ClientError> {
        let manager = client.manager()?;
        let (p50, p95, p99) = manager.latency_ms()?;
        let watcher = |(app_name, process_id, what)| Watcher {
            app_name,
            process_id,
            what,
        };
        Ok(Self {
            version: manager.version()?,
            state: manager.state()?,
            state_detail: manager.state_detail()?,
            camera_active: manager.camera_active()?,
            camera_name: manager.camera_name()?,
            clients: manager.clients()?.into_iter().map(watcher).collect(),
            profile: manager.profile()?,
            calibration: facts(&manager.calibration()?),
            frame_rate_hz: manager.frame_rate_hz()?,
            latency_ms: Latency { p50, p95, p99 },
            frames_missed: manager.frames_missed()?,
        })
    }

    fn print(&self, out: &mut Output) -> anyhow::Result<()> {
        writeln!(out, "State        {}: {}", self.state, self.state_detail)?;
        let camera = match (self.camera_active, self.camera_name.as_str()) {
            (true, name) => format!("on ({name})"),
            (false, "") => "off".to_owned(),
            (false, name) => format!("off ({name})"),
        };
        writeln!(out, "Camera       {camera}")?;
        if self.camera_active {
            let Latency { p50, p95, p99 } = self.latency_ms;
            let (rate, missed) = (self.frame_rate_hz, self.frames_missed);
            writeln!(out, "Frames       {rate:.1} a second, {missed} missed")?;
            writeln!(
                out,
                "Latency      median {p50:.1} ms, 95 % {p95:.1} ms, 99 % {p99:.1} ms, from exposure to publishing"
            )?;
        }
        let profile = if self.profile.is_empty() { "none" } else { &self.profile };
        writeln!(out, "Profile      {profile}")?;
        if self.calibration.is_empty() {
            writeln!(
                out,
                "Calibration  none: gaze is rough; `gazectl calibrate` makes it better"
            )?;
        }
        for (name, value) in &self.calibration {
            writeln!(out, "  {name}: {}", plain(value))?;
        }
        if self.clients.is_empty() {
            writeln!(out, "Watching     nobody")?;
        }
        for (index, watcher) in self.clients.iter().enumerate() {
            let head = if index == 0 { "Watching" } else { "" };
            let name = if watcher.app_name.is_empty() {
                "a program without a name"
            } else {
                &watcher.app_name
            };
            writeln!(
                out,
                "{head:<13}{name} (process {}): {}",
                watcher.process_id, watcher.what
            )?;
        }
        Ok(())
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.as_f64().map_or_else(
            || number.to_string(),
            |number| {
                let text = format!("{number:.3}");
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            },
        ),
        other => other.to_string(),
    }
}

/// A dictionary of the bus as JSON, sorted by name. What JSON has no form for (a NaN, a file descriptor) is null.
pub(super) fn facts(dictionary: &HashMap<String, OwnedValue>) -> Map<String, Json> {
    let mut names: Vec<_> = dictionary
        .iter()
        .map(|(name, value)| (name.clone(), json(value)))
        .collect();
    names.sort_by(|a, b| a.0.cmp(&b.0));
    names.into_iter().collect()
}

fn json(value: &Value<'_>) -> Json {
    match value {
        Value::Bool(value) => Json::from(*value),
        Value::U8(value) => Json::from(*value),
        Value::I16(value) => Json::from(*value),
        Value::U16(value) => Json::from(*value),
        Value::I32(value) => Json::from(*value),
        Value::U32(value) => Json::from(*value),
        Value::I64(value) => Json::from(*value),
        Value::U64(value) => Json::from(*value),
        Value::F64(value) => Json::from(*value),
        Value::Str(value) => Json::from(value.as_str()),
        Value::Value(value) => json(value),
        Value::Array(values) => values.iter().map(json).collect(),
        Value::Structure(values) => values.fields().iter().map(json).collect(),
        _ => Json::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_the_bus_become_json() {
        let owned = |value: Value<'_>| value.try_to_owned().expect("no file descriptor");
        let dictionary = HashMap::from([
            ("points".to_owned(), owned(Value::from(9_u32))),
            ("accuracy-deg".to_owned(), owned(Value::from(1.25))),
            ("date".to_owned(), owned(Value::from("2026-01-31"))),
            ("unknown".to_owned(), owned(Value::from(f64::NAN))),
        ]);
        let json = serde_json::to_string(&facts(&dictionary)).expect("plain values");
        assert_eq!(
            json,
            r#"{"accuracy-deg":1.25,"date":"2026-01-31","points":9,"unknown":null}"#
        );
    }

    #[test]
    fn numbers_for_people_have_no_tail_of_zeros() {
        assert_eq!(plain(&Json::from(1.25)), "1.25");
        assert_eq!(plain(&Json::from(9)), "9");
        assert_eq!(plain(&Json::from("good")), "good");
    }
}
