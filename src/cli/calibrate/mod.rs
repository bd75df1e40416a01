//! `gazectl calibrate`: leads a user through points to look at, and has the service learn from it.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::{Output, tell};
use crate::calibration::profile::{ProfileError, is_name};
use crate::client::Client;
use crate::geometry::ScreenPoint;
use conversation::Conversation;
use report::Report;

mod clicks;
mod conversation;
mod course;
mod points;
mod postures;
mod pursuit;
mod recording;
mod report;
mod result;
mod screen;
mod terminal;
mod tour;

/// Calibrates the gaze: look at a few points, and a profile is stored and used from then on.
///
/// The points appear in a full-screen window, or in the terminal where there is no display. Until the end, and whenever it
/// is stopped, the old profile stays as it was. The synthetic user is told where to look.
///
/// A recording that says what was looked at (target_x_px, target_y_px in its frames.csv) is calibrated from without a camera
/// or a running service.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many points: 5, 9, 13 or 16
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = point_count)]
    points: u8,
    /// How the eye is led
    #[arg(long, value_enum, default_value_t = Mode::Points)]
    mode: Mode,
    /// Do not ask to turn the head, slump and lean at the end: quicker, but the gaze gets worse when the head moves
    #[arg(long)]
    still: bool,
    /// Calibrate from this recording instead of the camera
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["points", "mode", "still", "terminal", "output"])]
    recording: Option<PathBuf>,
    /// Show the points in the terminal instead of a window
    #[arg(long)]
    terminal: bool,
    /// The name to store the calibration under
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = profile_name)]
    profile: String,
    /// Ask nothing: begin at once, and keep the result where it is any good
    #[arg(long)]
    yes: bool,
    /// The monitor to calibrate on, by name; the primary one by default
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// Width and height of the screen's visible part in mm, where the monitor does not say them itself
    #[arg(long, value_name = "WxH", value_parser = size_mm, conflicts_with = "recording")]
    screen_mm: Option<(f64, f64)>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// How the eye is led over the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Points that wait until the eye rests on them
    Points,
    /// One point that wanders and that the eye follows
    Pursuit,
    /// Points to click on
    Click,
}

impl Mode {
    /// What the user has to do; `click` says how the points are clicked on.
    fn instruction(self, points: usize, click: &str) -> String {
        match self {
            Self::Points => format!("{points} points appear one after the other: look at each until it goes."),
            Self::Pursuit => "A point wanders over the screen for half a minute: follow it with your eyes.".to_owned(),
            Self::Click => format!("{points} points appear one after the other: look at each and {click}."),
        }
    }
}

impl Args {
    fn in_terminal(&self) -> bool {
        self.terminal || !has_display()
    }

    /// What the user has to do.
    fn instruction(&self, points: usize, click: &str) -> String {
        let postures = if self.still {
            ""
        } else {
            " At the end you turn your head, slump and lean while you go on looking at a point."
        };
        self.mode.instruction(points, click) + postures
    }
}

fn point_count(text: &str) -> Result<u8, String> {
    let counts = points::COUNTS.map(|count| count.to_string());
    match text.parse() {
        Ok(count) if points::COUNTS.contains(&count) => Ok(count),
        _ => Err(format!("there are layouts of {} points", counts.join(", "))),
    }
}

/// Reads a name that a profile can be stored under.
fn profile_name(text: &str) -> Result<String, String> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err(ProfileError::BadName(text.to_owned()).to_string())
    }
}

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let in_window = args.recording.is_none() && !args.in_terminal();
    if !args.yes && !in_window && !io::stdin().is_terminal() {
        bail!("nobody can be asked whether to keep the calibration; --yes keeps it where it is any good");
    }
    match &args.recording {
        Some(folder) => from_recording(folder, args, out),
        None => live(args, out),
    }
}

fn from_recording(folder: &Path, args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let calibrated = recording::calibrate(folder, &args.profile)?;
    conclude(&calibrated.report, args, out, || calibrated.keep())?;
    if !args.json {
        writeln!(out, "`gazectl profiles --use {}` puts it to use.", args.profile)?;
    }
    Ok(())
}

fn live(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let Some(points) = points::calibration(args.points) else {
        bail!("there is no layout of {} points", args.points);
    };
    let client = Client::connect()?;
    let screen_mm = screen_size(&client, args)?;
    let mut conversation = Conversation::begin(&client, args.output.as_deref(), screen_mm)?;
    let report = if args.in_terminal() && conversation.is_synthetic() && !io::stdout().is_terminal() {
        // Nobody sees what would be shown, and nobody needs to.
        terminal::in_lines(&mut conversation, args, points)?
    } else if args.in_terminal() {
        terminal::on_screen(&mut conversation, args, points)?
    } else {
        return in_window(conversation, points, args, out);
    };
    conclude(&report, args, out, || conversation.keep(&args.profile))
}

/// The window shows the result and asks what is to become of it.
fn in_window(
    conversation: Conversation,
    points: Vec<ScreenPoint>,
    args: &Args,
    out: &mut Output,
) -> anyhow::Result<()> {
    let led = screen::lead(conversation, points, args)?;
    settle(&led.report, led.keep, args, out, || {
        led.conversation.keep(&args.profile)
    })
}

/// Tells what came of it, and keeps it where that is wanted.
fn conclude(
    report: &Report,
    args: &Args,
    out: &mut Output,
    keep: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if args.yes {
        return settle(report, report.is_useful(), args, out, keep);
    }
    print(report, args, out)?;
    if !wants_to_keep(report)? {
        bail!("the calibration is not kept; the old profile is untouched");
    }
    keep()?;
    stored(args, out)
}

/// Keeps what is to be kept, and tells what came of it: in this order, as whoever reads may be gone.
fn settle(
    report: &Report,
    wanted: bool,
    args: &Args,
    out: &mut Output,
    keep: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let kept = wanted.then(keep);
    let printed = print(report, args, out);
    match kept {
        Some(kept) => kept?,
        None if args.yes => bail!("the calibration is not kept: it is {}", report.verdict()),
        None => bail!("the calibration is not kept; the old profile is untouched"),
    }
    printed?;
    stored(args, out)
}

fn print(report: &Report, args: &Args, out: &mut Output) -> anyhow::Result<()> {
    if args.json {
        out.json_line(&report.summary())?;
    } else {
        report.print(out)?;
    }
    Ok(out.finish()?)
}

fn stored(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    if !args.json {
        writeln!(out, "Stored as \"{}\".", args.profile)?;
    }
    Ok(())
}

/// Reads `531x299`.
fn size_mm(text: &str) -> Result<(f64, f64), String> {
    let wanted = || "width and height in mm are needed, such as 531x299, each from 30 to 10000".to_owned();
    let (width, height) = text.split_once(['x', 'X']).ok_or_else(wanted)?;
    let side = |text: &str| {
        let side: Option<f64> = text.trim().parse().ok();
        side.filter(|side| (30.0..=10_000.0).contains(side)).ok_or_else(wanted)
    };
    Ok((side(width)?, side(height)?))
}

/// How large the screen is, asked for where nobody knows and somebody can be asked.
fn screen_size(client: &Client, args: &Args) -> anyhow::Result<Option<(f64, f64)>> {
    if args.screen_mm.is_some() || args.yes || !io::stdin().is_terminal() {
        return Ok(args.screen_mm);
    }
    let outputs = client.outputs()?;
    let wanted = match &args.output {
        Some(name) => outputs.iter().find(|output| output.name == *name),
        None => outputs.first(),
    };
    let Some(output) = wanted.filter(|output| output.size_mm.contains(&0.0)) else {
        return Ok(None);
    };
    loop {
        tell(format_args!(
            "The monitor {} does not say how large it is. Width and height of its visible part in mm, such as 531x299 (Enter: \
             a usual one): ",
            output.name
        ));
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        match answer.trim() {
            "" => return Ok(None),
            answer => match size_mm(answer) {
                Ok(size) => return Ok(Some(size)),
                Err(wanted) => tell(format_args!("{wanted}\n")),
            },
        }
    }
}

fn has_display() -> bool {
    ["WAYLAND_DISPLAY", "WAYLAND_SOCKET", "DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn wants_to_keep(report: &Report) -> anyhow::Result<bool> {
    let preset = if report.is_useful() { "Y/n" } else { "y/N" };
    tell(format_args!("Keep it? [{preset}] "));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(match answer.trim().chars().next() {
        None => report.is_useful(),
        Some(letter) => letter.eq_ignore_ascii_case(&'y'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_two_sides_in_mm() {
        assert_eq!(size_mm("531x299"), Ok((531.0, 299.0)));
        assert_eq!(size_mm(" 310.5 X 174 "), Ok((310.5, 174.0)));
        for wrong in ["", "531", "531x", "0x299", "531x299x2", "nanx5", "1e9x300"] {
            assert!(size_mm(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_numbers_with_a_layout_are_taken() {
        assert_eq!(point_count("13"), Ok(13));
        for wrong in ["0", "7", "-9", "nine", "256"] {
            assert_eq!(
                point_count(wrong),
                Err("there are layouts of 5, 9, 13, 16 points".to_owned()),
                "{wrong}"
            );
        }
    }
}
