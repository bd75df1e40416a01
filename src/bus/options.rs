//! The options of `CreateSession`, checked: pure values, no bus.

use std::collections::HashMap;
use std::time::Duration;

use zbus::zvariant::{OwnedValue, Type, Value};

use super::error::{Error, Result};
use crate::clock::Timestamp;

/// What moment a session's forecasts are for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// This long after the frame was captured.
    AfterCapture(Duration),
    /// This long after the record leaves the daemon.
    AfterPublishing(Duration),
}

impl Target {
    pub fn moment(self, captured: Timestamp, published: Timestamp) -> Timestamp {
        match self {
            Self::AfterCapture(horizon) => captured + horizon,
            Self::AfterPublishing(lead) => published + lead,
        }
    }
}

/// What a client asked for with `CreateSession`.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionOptions {
    /// For people, as `Clients` shows it; empty where the client gave none.
    pub app_name: String,
    /// Samples a second at most, 0.01 to 1000; `None` where every frame is wanted.
    pub max_rate_hz: Option<f64>,
    /// The monitor's name; `None` for the primary one.
    pub output: Option<String>,
    pub target: Target,
    /// False where the client reads stream or memory file only and wants no `Sample` signals.
    pub signals: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            app_name: String::new(),
            max_rate_hz: None,
            output: None,
            target: Target::AfterCapture(Self::DEFAULT_HORIZON),
            signals: true,
        }
    }
}

impl SessionOptions {
    pub const DEFAULT_HORIZON: Duration = Duration::from_millis(50);
    /// Gaze cannot be forecast further: beyond it the next saccade is a matter of the mind.
    pub const LONGEST_HORIZON_MS: f64 = 200.0;
    /// One sample in more than a minute is no stream of them.
    pub const LOWEST_RATE_HZ: f64 = 0.01;
    /// No webcam is faster.
    pub const HIGHEST_RATE_HZ: f64 = 1000.0;
    /// Longer names and outputs are refused, as they are kept and shown.
    pub const LONGEST_TEXT_BYTES: usize = 256;

    /// Reads the options of the bus. Unknown ones are ignored.
    pub fn parse(options: &HashMap<String, OwnedValue>) -> Result<Self> {
        let max_rate_hz: Option<f64> = get(options, "max-rate-hz")?;
        if let Some(rate) = max_rate_hz
            && !(Self::LOWEST_RATE_HZ..=Self::HIGHEST_RATE_HZ).contains(&rate)
        {
            return Err(Error::InvalidArgument(format!(
                "max-rate-hz must be from {} to {}, not {rate}",
                Self::LOWEST_RATE_HZ,
                Self::HIGHEST_RATE_HZ
            )));
        }
        let target = match (milliseconds(options, "horizon-ms")?, milliseconds(options, "lead-ms")?) {
            (Some(_), Some(_)) => {
                return Err(Error::InvalidArgument(
                    "horizon-ms and lead-ms exclude each other: give the time after the capture or the time after \
                     publishing"
                        .into(),
                ));
            }
            (Some(horizon), None) => Target::AfterCapture(horizon),
            (None, Some(lead)) => Target::AfterPublishing(lead),
            (None, None) => Target::AfterCapture(Self::DEFAULT_HORIZON),
        };
        Ok(Self {
            app_name: text(options, "app-name")?.unwrap_or_default(),
            max_rate_hz,
            output: text(options, "output")?,
            target,
            signals: get(options, "signals")?.unwrap_or(true),
        })
    }

    /// The options as the bus carries them: what [`SessionOptions::parse`] reads.
    pub fn to_bus(&self) -> HashMap<&'static str, Value<'_>> {
        let (name, duration) = match self.target {
            Target::AfterCapture(horizon) => ("horizon-ms", horizon),
            Target::AfterPublishing(lead) => ("lead-ms", lead),
        };
        let mut options = HashMap::from([
            ("app-name", Value::from(self.app_name.as_str())),
            (name, Value::from(duration.as_secs_f64() * 1e3)),
            ("signals", Value::from(self.signals)),
        ]);
        if let Some(rate) = self.max_rate_hz {
            options.insert("max-rate-hz", Value::from(rate));
        }
        if let Some(output) = &self.output {
            options.insert("output", Value::from(output.as_str()));
        }
        options
    }
}

fn milliseconds(options: &HashMap<String, OwnedValue>, name: &str) -> Result<Option<Duration>> {
    let Some(ms) = get::<f64>(options, name)? else {
        return Ok(None);
    };
    if !(0.0..=SessionOptions::LONGEST_HORIZON_MS).contains(&ms) {
        return Err(Error::InvalidArgument(format!(
            "{name} must be from 0 to {}, not {ms}",
            SessionOptions::LONGEST_HORIZON_MS
        )));
    }
    Ok(Some(Duration::from_secs_f64(ms * 1e-3)))
}

/// The option `name` of the type asked for, `None` where it was not given.
pub fn get<T>(options: &HashMap<String, OwnedValue>, name: &str) -> Result<Option<T>>
where
    T: Type + for<'a> TryFrom<&'a Value<'a>>,
{
    let Some(value) = options.get(name) else {
        return Ok(None);
    };
    match T::try_from(value) {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(Error::InvalidArgument(format!(
            "option {name} must be of type {}, not {}",
            T::SIGNATURE,
            value.value_signature()
        ))),
    }
}

/// As [`get`] for a text, which may have [`SessionOptions::LONGEST_TEXT_BYTES`] at most.
pub fn text(options: &HashMap<String, OwnedValue>, name: &str) -> Result<Option<String>> {
    let text: Option<String> = get(options, name)?;
    let limit = SessionOptions::LONGEST_TEXT_BYTES;
    if text.as_ref().is_some_and(|text| text.len() > limit) {
        return Err(Error::InvalidArgument(format!(
            "option {name} is longer than {limit} bytes"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn options<const N: usize>(options: [(&str, Value<'_>); N]) -> HashMap<String, OwnedValue> {
        options
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.try_into().expect("no file descriptors in it")))
            .collect()
    }

    fn reason<const N: usize>(given: [(&str, Value<'_>); N]) -> String {
        match SessionOptions::parse(&options(given)) {
            Err(Error::InvalidArgument(reason)) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn without_options_the_defaults_of_the_contract_hold() {
        let parsed = SessionOptions::parse(&HashMap::new()).expect("nothing is required");
        assert_eq!(parsed, SessionOptions::default());
        assert_eq!(parsed.target, Target::AfterCapture(Duration::from_millis(50)));
    }

    #[test]
    fn unknown_options_are_ignored() {
        let given = options([("colour", Value::from("green")), ("lead-ms", Value::from(12.5))]);
        let parsed = SessionOptions::parse(&given).expect("the known one is right");
        assert_eq!(parsed.target, Target::AfterPublishing(Duration::from_micros(12_500)));
    }

    #[test]
    fn wrong_types_and_ranges_are_named() {
        assert_eq!(
            reason([("horizon-ms", Value::from(50_u32))]),
            "option horizon-ms must be of type d, not u"
        );
        assert!(reason([("app-name", Value::from(1_i32))]).contains("type s"));
        assert!(reason([("horizon-ms", Value::from(200.5))]).contains("from 0 to 200"));
        assert!(reason([("lead-ms", Value::from(-1.0))]).contains("lead-ms"));
        assert!(reason([("lead-ms", Value::from(f64::NAN))]).contains("lead-ms"));
        for rate in [0.0, 1e-300, 0.0099, 1000.1, f64::INFINITY, f64::NAN] {
            assert!(reason([("max-rate-hz", Value::from(rate))]).contains("from 0.01 to 1000"));
        }
        assert!(reason([("app-name", Value::from("x".repeat(257)))]).contains("longer"));
        assert!(reason([("horizon-ms", Value::from(1.0)), ("lead-ms", Value::from(1.0))]).contains("exclude"));
    }

    #[test]
    fn a_target_stands_from_capture_or_from_publishing() {
        let (captured, published) = (Timestamp::from_nanos(1_000_000), Timestamp::from_nanos(9_000_000));
        let ms = Duration::from_millis(1);
        assert_eq!(Target::AfterCapture(ms).moment(captured, published), captured + ms);
        assert_eq!(Target::AfterPublishing(ms).moment(captured, published), published + ms);
    }

    proptest! {
        #[test]
        fn what_a_client_sends_is_what_the_daemon_reads(
            name in "[a-z ]{0,20}", rate in proptest::option::of(0.01..=1000.0_f64),
            output in proptest::option::of("[A-Z]{1,4}-[0-9]"), ms in 0..=200_u64, lead in any::<bool>(),
            signals in any::<bool>(),
        ) {
            let duration = Duration::from_millis(ms);
            let target = if lead { Target::AfterPublishing(duration) } else { Target::AfterCapture(duration) };
            let sent = SessionOptions { app_name: name, max_rate_hz: rate, output, target, signals };
            let bus = sent
                .to_bus()
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.try_into().expect("no file descriptors in it")))
                .collect();
            prop_assert_eq!(SessionOptions::parse(&bus).expect("valid options"), sent);
        }
    }
}
