//! The eye tracker's daemon; everything is in `gazed::daemon`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gazed::daemon::main()
}
