//! `gazectl recenter`: one look at the middle of the screen puts a drifted gaze right.

use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::synthetic_user::SyntheticUser;
use super::{Output, tell};
use crate::bus::options::SessionOptions;
use crate::client::{Client, Received};
use crate::clock::{Clock, MonotonicClock};
use crate::geometry::ScreenPoint;

/// Shifts the gaze to where you really look: look at the middle of the screen and press Enter.
///
/// For a gaze that has drifted since the calibration, as when you sit differently. It holds until another profile is used or
/// the service ends. The synthetic user is told where to look.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ask for no key: look at the point already
    #[arg(long)]
    yes: bool,
    /// The point to look at, from the left and from the top edge of the screen, each 0 to 1
    #[arg(long, value_names = ["X", "Y"], num_args = 2, default_values_t = [0.5, 0.5])]
    at: Vec<f64>,
}

/// A camera needs seconds to open, a face a moment to be found.
const PATIENCE: Duration = Duration::from_secs(15);
/// The eye has arrived by then, and rests for as long before and after the moment that is told.
const REST: Duration = Duration::from_millis(500);

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let [x, y] = args.at[..] else {
        bail!("--at needs two numbers");
    };
    let client = Client::connect()?;
    let control = client.control()?;
    let options = SessionOptions {
        app_name: "gazectl recenter".to_owned(),
        ..SessionOptions::default()
    };
    let mut session = client.session(&options)?;
    session.start()?;
    let begun = Instant::now();
    let mut valid = false;
    while !valid && begun.elapsed() < PATIENCE {
        match session.receive(Duration::from_secs(1)) {
            Received::Sample(sample) => valid = sample.record.is_valid(),
            Received::TimedOut => {}
            Received::Ended => bail!("gazed ended, or the bus did"),
        }
    }
    if !valid {
        bail!("no gaze is seen; gazed says: {}", client.manager()?.state_detail()?);
    }
    let synthetic = SyntheticUser::find(&client)?;
    if let Some(user) = &synthetic {
        user.look_at(ScreenPoint::new(x, y))?;
    } else if !args.yes {
        if !io::stdin().is_terminal() {
            bail!("nobody can press a key here; --yes goes on without");
        }
        tell(format_args!("Look at the {} and press Enter. ", place(x, y)));
        let mut line = String::new();
        if io::stdin().read_line(&mut line).context("no key can be read")? == 0 {
            bail!("nothing was changed");
        }
    }
    // The synthetic user's eyes take a moment to get there; a person's are there.
    thread::sleep(REST);
    let when = MonotonicClock.now();
    thread::sleep(REST);
    let shifted = control.recenter(x, y, when.as_nanos());
    if let Some(user) = &synthetic {
        user.release()?;
    }
    shifted.map_err(crate::client::ClientError::from)?;
    writeln!(out, "The gaze is shifted to where you looked.")?;
    Ok(())
}

fn place(x: f64, y: f64) -> String {
    if (x, y) == (0.5, 0.5) {
        "middle of the screen".to_owned()
    } else {
        format!(
            "point {:.0} % from the left and {:.0} % from the top",
            100.0 * x,
            100.0 * y
        )
    }
}
