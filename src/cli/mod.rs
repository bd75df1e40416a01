//! `gazectl`: the command line. One enum names the subcommands; each lives in a file of its own with its arguments
//! (`Args`) and what it does (`run`).
//!
//! Exit codes: 0 success, 1 the work failed (the message on standard error says what and what to do), 2 wrong usage.
//! Results go to standard output through [`Output`], everything else to standard error.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

mod bench;
mod bridge;
mod calibrate;
mod cameras;
mod doctor;
mod evaluate;
mod forecast;
mod forecast_bench;
mod looks;
mod output;
mod pause;
mod plot;
mod preview;
mod profiles;
mod recenter;
mod record;
mod regions;
mod report;
mod samples;
mod session;
mod shell;
mod sight;
mod status;
mod synthesize;
mod synthetic_user;
mod track;
mod watch;

pub mod window;

pub use output::Output;
use output::tell;

/// A year: nothing is watched or recorded for longer, and no clock overflows.
const LONGEST_S: f64 = 365.0 * 86_400.0;

/// The eye tracker's tools: look at the running service, calibrate it, and work with recordings.
#[derive(Debug, Parser)]
#[command(name = "gazectl", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(bench::Args),
    Bridge(bridge::Args),
    Status(status::Args),
    Watch(watch::Args),
    Calibrate(calibrate::Args),
    Cameras(cameras::Args),
    Doctor(doctor::Args),
    Profiles(profiles::Args),
    Plot(plot::Args),
    Preview(preview::Args),
    Recenter(recenter::Args),
    Record(record::Args),
    Report(report::Args),
    Forecast(forecast::Args),
    ForecastBench(forecast_bench::Args),
    Synthesize(synthesize::Args),
    /// Print a completion script for a shell
    Completions(shell::CompletionArgs),
    /// Calibrate on some frames of a recording, predict the others and say how far off they are
    Evaluate(evaluate::Args),
    /// Print the manual page
    Man(shell::ManArgs),
    /// Close the camera, whatever programs want, until it is resumed; survives a restart
    Pause,
    /// End the pause
    Resume,
    /// Print what is seen in every frame of a recording
    Track(track::Args),
}

impl Command {
    fn run(&self, out: &mut Output) -> anyhow::Result<()> {
        match self {
            Self::Bench(args) => bench::run(args, out),
            Self::Bridge(args) => bridge::run(args, out),
            Self::Status(args) => status::run(args, out),
            Self::Watch(args) => watch::run(args, out),
            Self::Calibrate(args) => calibrate::run(args, out),
            Self::Cameras(args) => cameras::run(args, out),
            Self::Plot(args) => plot::run(args, out),
            Self::Doctor(args) => doctor::run(args, out),
            Self::Profiles(args) => profiles::run(args, out),
            Self::Preview(args) => preview::run(args),
            Self::Recenter(args) => recenter::run(args, out),
            Self::Record(args) => record::run(args, out),
            Self::Report(args) => report::run(args, out),
            Self::Forecast(args) => forecast::run(args, out),
            Self::ForecastBench(args) => forecast_bench::run(args, out),
            Self::Synthesize(args) => synthesize::run(args, out),
            Self::Completions(args) => shell::completions(args, Cli::command(), out),
            Self::Evaluate(args) => evaluate::run(args, out),
            Self::Track(args) => track::run(args, out),
            Self::Pause => pause::pause(out),
            Self::Resume => pause::resume(out),
            Self::Man(args) => shell::man(args, Cli::command(), out),
        }
    }
}

/// Parses the process's arguments, does what they ask and says how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version asked for are answers, and a closed pipe is no reason to complain about either.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(2)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,zbus=error,winit=error")),
        )
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
        // Where standard error is closed there is nowhere to complain either.
        .log_internal_errors(false)
        .without_time()
        .init();
    let mut out = Output::stdout();
    let result = cli.command.run(&mut out).and_then(|()| Ok(out.finish()?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough (`gazectl ... | head`).
        Err(error) if out.reader_is_gone() && is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tell(format_args!("gazectl: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut faults = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    faults.any(|fault| fault.kind() == io::ErrorKind::BrokenPipe)
}

/// Reads a number of seconds above zero.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() && seconds <= LONGEST_S => Ok(duration),
        _ => Err(format!("must be above 0 and at most {LONGEST_S}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Cli::command().debug_assert();
    }
}
