//! CSV of gaze samples: `t_s,x_deg,y_deg[,confidence][,truth_x_deg,truth_y_deg]`, read row by row.

use std::io::Read;

use anyhow::{Context, Result, anyhow, bail};

use crate::clock::Timestamp;
use crate::forecast::{MAX_ANGLE_DEG, Observation};
use crate::geometry::VisualAngle;

/// Longest recording, in seconds: thirty years, so that nanoseconds never overflow.
pub const LONGEST_S: f64 = 1e9;

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Line in the file, counting from 1.
    pub line: u64,
    /// The time as it was written, for output.
    pub t_text: String,
    /// Time since the first row, so that recordings may start anywhere, below zero too.
    pub t: Timestamp,
    pub t_s: f64,
    pub observation: Option<Observation>,
    /// Where the eye really was, in files that know it.
    pub truth: Option<VisualAngle>,
}

/// Rows of a CSV in their order. Times may repeat but never go back.
pub struct Rows<R: Read> {
    reader: csv::Reader<R>,
    record: csv::StringRecord,
    columns: Columns,
    first_s: Option<f64>,
    last_s: Option<f64>,
}

struct Columns {
    t: usize,
    x: usize,
    y: usize,
    confidence: Option<usize>,
    truth: Option<(usize, usize)>,
}

const HEADER: &str = "t_s,x_deg,y_deg[,confidence]";

impl<R: Read> Rows<R> {
    /// Reads the header. Other columns than the known ones are ignored.
    pub fn new(input: R) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
        let header = reader.headers().context("the CSV's header cannot be read")?.clone();
        if header.iter().all(str::is_empty) {
            bail!("the CSV is empty; its first line must be the header {HEADER}");
        }
        let find = |name: &str| header.iter().position(|column| column == name);
        let need = |name: &str| {
            find(name)
                .ok_or_else(|| anyhow!("the CSV has no column {name}; its first line must be the header {HEADER}"))
        };
        let columns = Columns {
            t: need("t_s")?,
            x: need("x_deg")?,
            y: need("y_deg")?,
            confidence: find("confidence"),
            truth: find("truth_x_deg").zip(find("truth_y_deg")),
        };
        Ok(Self {
            reader,
            record: csv::StringRecord::new(),
            columns,
            first_s: None,
            last_s: None,
        })
    }

    /// The next row; `None` at the end. A file without any row is an error.
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        let more = self
            .reader
            .read_record(&mut self.record)
            .context("the CSV is malformed")?;
        if !more {
            if self.first_s.is_none() {
                bail!("the CSV has a header but no rows; there are no samples in it");
            }
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        self.parse(line).with_context(|| format!("line {line}")).map(Some)
    }

    fn parse(&mut self, line: u64) -> Result<Row> {
        let field = |column: usize| self.record.get(column).unwrap_or("");
        let number = |name: &str, text: &str| -> Result<f64> {
            text.parse()
                .map_err(|_| anyhow!("{name} is {text:?}, which is not a number"))
        };
        let t_text = field(self.columns.t);
        let t_s = number("t_s", t_text)?;
        if !t_s.is_finite() {
            bail!("t_s is {t_text:?}; a time in seconds is needed");
        }
        let first_s = self.first_s.unwrap_or(t_s);
        if t_s - first_s > LONGEST_S {
            bail!("t_s is {t_text}, more than thirty years after the first row; times are in seconds");
        }
        if let Some(last_s) = self.last_s.filter(|&last_s| t_s < last_s) {
            bail!("time goes back from {last_s} s to {t_s} s; sort the rows by t_s");
        }
        self.first_s = Some(first_s);
        self.last_s = Some(t_s);
        let coordinate = |name: &str, text: &str| -> Result<f64> {
            let value = number(name, text)?;
            if value.abs() > MAX_ANGLE_DEG {
                bail!("{name} is {text}, which is no visual angle (at most {MAX_ANGLE_DEG} degrees either way)");
            }
            Ok(value)
        };
        let place = |x: usize, y: usize, prefix: &str| -> Result<Option<VisualAngle>> {
            let (x_name, y_name) = (format!("{prefix}x_deg"), format!("{prefix}y_deg"));
            Ok(match (field(x), field(y)) {
                ("", "") => None,
                ("", _) | (_, "") => {
                    bail!("only one of {x_name} and {y_name} is there; leave both empty where there is no sample")
                }
                (x, y) => Some(VisualAngle::new(coordinate(&x_name, x)?, coordinate(&y_name, y)?)),
            })
        };
        let at = place(self.columns.x, self.columns.y, "")?;
        let truth = match self.columns.truth {
            Some((x, y)) => place(x, y, "truth_")?,
            None => None,
        };
        let confidence = match self.columns.confidence.map_or("", field) {
            "" => 1.0,
            text => number("confidence", text)?,
        };
        if !(0.0..=1.0).contains(&confidence) && !confidence.is_nan() {
            bail!("confidence is {confidence}, which is not within 0 and 1");
        }
        Ok(Row {
            line,
            t_text: t_text.to_owned(),
            t: Timestamp::default().offset_by_seconds(t_s - first_s),
            t_s,
            // NaN is how some programs write that there is nothing.
            observation: at.filter(|at| at.is_finite()).map(|at| Observation { at, confidence }),
            truth: truth.filter(|at| at.is_finite()),
        })
    }
}
