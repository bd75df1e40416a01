//! `gazectl forecast`: smooth, classify and forecast a CSV of gaze samples, row by row.
//!
//! A row's answer depends on that row and earlier ones only. Repeated time stamps are allowed: the first sample at a
//! stamp counts, later ones get its answer. Rows without a sample (both coordinates empty, or NaN) coast for 150 ms on
//! the last position and are then empty; they count as a blink for half a second and as lost after it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use super::samples::Rows;
use crate::forecast::{Forecaster, MAX_HORIZON_S, Method};

/// Smooth, classify and forecast gaze samples from a CSV file
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How far ahead to forecast, in milliseconds (0 to 200)
    #[arg(long, value_name = "H", value_parser = horizon_ms)]
    horizon_ms: f64,
    /// How to smooth and forecast
    #[arg(long, value_name = "M", value_enum, default_value_t = Method::default())]
    method: Method,
    /// CSV with columns t_s,x_deg,y_deg[,confidence]; empty coordinates mean no sample; "-" reads standard input
    #[arg(value_name = "INPUT.csv")]
    input: PathBuf,
}

/// Parses a horizon within what a forecast can answer.
pub fn horizon_ms(text: &str) -> Result<f64, String> {
    let most = MAX_HORIZON_S * 1e3;
    match text.parse::<f64>() {
        Ok(ms) if (0.0..=most).contains(&ms) => Ok(ms),
        _ => Err(format!("a number from 0 to {most} is needed")),
    }
}

pub fn run(args: &Args, out: &mut impl Write) -> Result<()> {
    let name = args.input.display();
    let forecaster = Forecaster::new(args.method);
    if args.input.as_os_str() == "-" {
        return convert(io::stdin().lock(), forecaster, args.horizon_ms, out).context("standard input");
    }
    let file = File::open(&args.input).with_context(|| format!("cannot open {name}"))?;
    convert(file, forecaster, args.horizon_ms, out).with_context(|| name.to_string())
}

fn convert(input: impl Read, mut forecaster: Forecaster, horizon_ms: f64, out: &mut impl Write) -> Result<()> {
    let mut rows = Rows::new(input)?;
    let horizon = Duration::from_nanos((horizon_ms * 1e6).round() as u64);
    // The header is held back until there is a row: an empty input then leaves no output behind.
    let mut header = Some("t_s,filtered_x_deg,filtered_y_deg,forecast_x_deg,forecast_y_deg,error_radius_deg,movement");
    while let Some(row) = rows.next_row()? {
        let estimate = forecaster.observe(row.t, row.observation, true)?;
        if let Some(header) = header.take() {
            writeln!(out, "{header}")?;
        }
        write!(out, "{},", row.t_text)?;
        match (estimate.at, forecaster.forecast(row.t + horizon)) {
            (Some(at), Some(ahead)) => write!(
                out,
                "{:.6},{:.6},{:.6},{:.6},{:.6}",
                at.x_deg, at.y_deg, ahead.at.x_deg, ahead.at.y_deg, ahead.error_radius_deg
            )?,
            _ => write!(out, ",,,,")?,
        }
        writeln!(out, ",{}", estimate.movement.name())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn output(csv: &str) -> Result<String> {
        let mut out = Vec::new();
        convert(csv.as_bytes(), Forecaster::new(Method::default()), 50.0, &mut out)?;
        Ok(String::from_utf8(out).expect("numbers are text"))
    }

    fn complaint(csv: &str) -> String {
        format!("{:#}", output(csv).expect_err("it must be refused"))
    }

    #[test]
    fn bad_input_is_refused_with_the_line_and_the_reason() {
        assert!(complaint("").contains("is empty"), "{}", complaint(""));
        assert!(complaint("t_s,x_deg,y_deg\n").contains("no rows"));
        assert!(complaint("t,x,y\n0,1,2\n").contains("no column t_s"));
        assert!(complaint("t_s,x_deg,y_deg\n0,1\n").contains("malformed"));
        let say = complaint("t_s,x_deg,y_deg\n0,1,2\n0.1,abc,2\n");
        assert!(
            say.contains("line 3") && say.contains("x_deg") && say.contains("abc"),
            "{say}"
        );
        let say = complaint("t_s,x_deg,y_deg\n0.5,1,2\n0.4,1,2\n");
        assert!(say.contains("line 3") && say.contains("time goes back"), "{say}");
        assert!(complaint("t_s,x_deg,y_deg\nnan,1,2\n").contains("t_s"));
        assert!(complaint("t_s,x_deg,y_deg\n0,1,\n").contains("only one"));
        assert!(complaint("t_s,x_deg,y_deg\n0,1e9,2\n").contains("no visual angle"));
        assert!(complaint("t_s,x_deg,y_deg\n0,inf,2\n").contains("no visual angle"));
        assert!(complaint("t_s,x_deg,y_deg,confidence\n0,1,2,7\n").contains("confidence"));
        assert!(complaint("t_s,x_deg,y_deg\n0,1,2\n1e300,1,2\n").contains("thirty years"));
    }

    #[test]
    fn rows_without_a_sample_coast_and_are_then_empty() {
        let rows = (0..40).map(|i| {
            let sample = if (20..35).contains(&i) {
                ",".to_owned()
            } else {
                format!("{}.5,-2", i % 2)
            };
            format!("{:.3},{sample}\n", f64::from(i) * 0.02 - 0.1)
        });
        let csv = format!("t_s,x_deg,y_deg\n{}", rows.collect::<String>());
        let out = output(&csv).expect("well formed");
        let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(lines.len(), 41);
        for (i, line) in lines[1..].iter().enumerate() {
            assert_eq!(line.len(), 7, "{line:?}");
            let coasts = (20..=26).contains(&i);
            assert_eq!(
                line[1..6].iter().all(|cell| !cell.is_empty()),
                !(20..35).contains(&i) || coasts,
                "{i} {line:?}"
            );
            assert_eq!(line[6] == "blink", (20..35).contains(&i), "{i} {line:?}");
        }
        assert_eq!(lines[1][0], "-0.100");
    }

    #[test]
    fn nan_is_no_sample_and_a_repeated_stamp_gets_the_same_answer() {
        let out = output("t_s,x_deg,y_deg,confidence\n1,3,4,0.9\n1,9,9,\n1.02,NaN,NaN,0.3\n").expect("well formed");
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[1], lines[2]);
        assert!(lines[3].starts_with("1.02,") && lines[3].ends_with(",blink"), "{out}");
    }

    /// A file's rows: gaps, repeated stamps, pauses of ten minutes, missing samples and NaN among them.
    fn rows() -> impl Strategy<Value = Vec<String>> {
        let wait_ms = prop_oneof![8 => 5..60_u64, 1 => Just(0), 1 => 100..400_u64, 1 => Just(600_000)];
        let sample = prop_oneof![
            8 => (-20.0..20.0_f64, -10.0..10.0_f64).prop_map(|(x, y)| format!("{x:.3},{y:.3}")),
            1 => Just(",".to_owned()),
            1 => Just("NaN,NaN".to_owned()),
        ];
        prop::collection::vec((wait_ms, sample), 1..60).prop_map(|steps| {
            let mut ms = 0;
            let row = |(wait, sample): (u64, String)| {
                ms += wait;
                format!("{:.3},{sample}\n", ms as f64 * 1e-3)
            };
            steps.into_iter().map(row).collect()
        })
    }

    proptest! {
        #[test]
        fn a_row_depends_on_rows_up_to_it_and_every_sample_is_answered(
            rows in rows(), cut in any::<prop::sample::Index>(),
        ) {
            let csv = |rows: &[String]| format!("t_s,x_deg,y_deg\n{}", rows.concat());
            let all = output(&csv(&rows)).expect("well formed");
            let lines: Vec<&str> = all.lines().collect();
            prop_assert_eq!(lines.len(), rows.len() + 1);
            for (row, line) in rows.iter().zip(&lines[1..]) {
                let cells: Vec<&str> = line.split(',').collect();
                prop_assert_eq!(cells.len(), 7);
                let seen = !row.ends_with(",,\n") && !row.contains("NaN");
                for cell in &cells[1..6] {
                    let finite = cell.parse::<f64>().is_ok_and(f64::is_finite);
                    prop_assert!(finite || (cell.is_empty() && !seen), "{row} -> {line}");
                }
            }
            let part = cut.index(rows.len()) + 1;
            let begun = output(&csv(&rows[..part])).expect("well formed");
            prop_assert_eq!(begun.lines().collect::<Vec<_>>(), &lines[..=part]);
        }

        #[test]
        fn any_bytes_give_rows_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut csv = b"t_s,x_deg,y_deg\n".to_vec();
            csv.extend(bytes);
            let mut out = Vec::new();
            // Whether it is refused or not is up to the bytes; it must not panic.
            let answer = convert(&csv[..], Forecaster::new(Method::default()), 50.0, &mut out);
            prop_assert!(answer.is_err() || !out.is_empty());
        }
    }
}
