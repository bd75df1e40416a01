//! The eye tracker's command line; everything is in `gazed::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gazed::cli::main()
}
