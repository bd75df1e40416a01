//! The options of a session, as every subcommand that reads gaze offers them.

use std::time::Duration;

use super::forecast::horizon_ms;
use crate::bus::options::{SessionOptions, Target};
use crate::client::{Client, ClientError};
use crate::geometry::Screen;

#[derive(Clone, Debug, Default, clap::Args)]
pub struct SessionArgs {
    /// Samples a second at most
    #[arg(long, value_name = "HZ", value_parser = rate_hz)]
    rate: Option<f64>,
    /// Forecast for so many milliseconds after the picture was taken (0 to 200)
    #[arg(long, value_name = "MS", value_parser = horizon_ms, conflicts_with = "lead_ms")]
    horizon_ms: Option<f64>,
    /// Forecast for so many milliseconds after the sample is sent (0 to 200)
    #[arg(long, value_name = "MS", value_parser = horizon_ms)]
    lead_ms: Option<f64>,
    /// The monitor that positions are for, by name; the primary one by default
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
}

impl SessionArgs {
    /// The monitor that positions are for.
    pub fn screen(&self, client: &Client) -> Result<Screen, ClientError> {
        let name = self.output.as_deref();
        let mut outputs = client.outputs()?.into_iter();
        let output = outputs.find(|output| name.is_none_or(|name| output.name == name));
        Ok(output.map_or_else(Screen::default, |output| output.screen()))
    }

    /// What the daemon is asked for.
    pub fn options(&self, app_name: &str) -> SessionOptions {
        let milliseconds = |ms: f64| Duration::from_secs_f64(ms * 1e-3);
        let target = match (self.horizon_ms, self.lead_ms) {
            (_, Some(lead)) => Target::AfterPublishing(milliseconds(lead)),
            (Some(horizon), None) => Target::AfterCapture(milliseconds(horizon)),
            (None, None) => SessionOptions::default().target,
        };
        SessionOptions {
            app_name: app_name.to_owned(),
            max_rate_hz: self.rate,
            output: self.output.clone(),
            target,
            ..SessionOptions::default()
        }
    }
}

/// Reads a rate that the daemon grants.
fn rate_hz(text: &str) -> Result<f64, String> {
    let most = SessionOptions::HIGHEST_RATE_HZ;
    match text.parse() {
        Ok(hz) if hz > 0.0 && hz <= most => Ok(hz),
        _ => Err(format!("a number above 0 and at most {most} is needed")),
    }
}
