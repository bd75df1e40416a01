//! `gazectl bridge pointer`: moves the mouse pointer to where the user looks, through the kernel's uinput.

use std::io::ErrorKind;

use anyhow::Context;

use super::{Feed, uinput};
use crate::bus::record::{Flags, Record};
use crate::cli::session::SessionArgs;
use crate::geometry::ScreenPoint;

/// Move the mouse pointer to where you look (does so only with --enable)
///
/// The pointer follows a fixation, not every tremor: it stays while the gaze is within the dead zone around it. The device
/// covers the whole desktop; with several monitors, tell the compositor which one it belongs to.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Yes, take over the pointer
    #[arg(long, required = true)]
    enable: bool,
    /// How far from the pointer the gaze must be to move it, in widths of the screen
    #[arg(long, value_name = "SHARE", default_value_t = 0.03, value_parser = share)]
    dead_zone: f64,
    #[command(flatten)]
    session: SessionArgs,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut device = open()?;
    let mut feed = Feed::open(&args.session, "gazectl bridge pointer")?;
    let mut pointer = Pointer::new(args.dead_zone);
    loop {
        if let Some(position) = pointer.follow(&feed.next()?.record) {
            let place = [position.x, position.y].map(|share| (share * f64::from(uinput::FURTHEST)).round() as i32);
            device.move_to(place).context("the virtual pointer cannot be moved")?;
        }
    }
}

fn open() -> anyhow::Result<uinput::Pointer> {
    uinput::Pointer::create("gazed pointer").map_err(|error| {
        let advice = match error.kind() {
            ErrorKind::NotFound => "the kernel module uinput is not loaded (`sudo modprobe uinput`)",
            ErrorKind::PermissionDenied => {
                "this user may not use it; a udev rule such as `KERNEL==\"uinput\", TAG+=\"uaccess\"` in \
                 /etc/udev/rules.d/70-uinput.rules allows it to whoever is logged in"
            }
            _ => "the kernel refused",
        };
        anyhow::anyhow!("no pointer can be made through /dev/uinput ({error}): {advice}")
    })
}

/// Where the pointer is to be: it follows gaze that rests, and leaves gaze that moves or is not seen alone.
#[derive(Debug)]
struct Pointer {
    at: Option<ScreenPoint>,
    dead_zone: f64,
}

impl Pointer {
    fn new(dead_zone: f64) -> Self {
        Self { at: None, dead_zone }
    }

    /// The new position, within the screen; `None` where it stays.
    fn follow(&mut self, record: &Record) -> Option<ScreenPoint> {
        let moving = Flags::SACCADE.0 | Flags::BLINK.0;
        if !record.is_valid() || record.flags.0 & moving != 0 {
            return None;
        }
        let gaze = ScreenPoint::new(record.gaze_x, record.gaze_y);
        if !gaze.is_finite() {
            return None;
        }
        let to = ScreenPoint::new(gaze.x.clamp(0.0, 1.0), gaze.y.clamp(0.0, 1.0));
        let rests = self
            .at
            .is_some_and(|at| (at.x - to.x).hypot(at.y - to.y) <= self.dead_zone);
        if rests {
            return None;
        }
        self.at = Some(to);
        self.at
    }
}

/// Reads a share of the screen's width.
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("must be from 0 to 1".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn looking(x: f64, y: f64, flags: Flags) -> Record {
        Record {
            gaze_x: x,
            gaze_y: y,
            flags: flags | Flags::VALID,
            ..Record::default()
        }
    }

    #[test]
    fn the_pointer_follows_a_resting_gaze_only() {
        let mut pointer = Pointer::new(0.03);
        let fixation = Flags::FIXATION;
        assert_eq!(pointer.follow(&Record::default()), None, "nothing is seen");
        assert_eq!(pointer.follow(&looking(0.4, 0.4, Flags::SACCADE)), None);
        assert_eq!(
            pointer.follow(&looking(0.4, 0.4, fixation)),
            Some(ScreenPoint::new(0.4, 0.4))
        );
        assert_eq!(
            pointer.follow(&looking(0.42, 0.41, fixation)),
            None,
            "within the dead zone"
        );
        assert_eq!(pointer.follow(&looking(0.9, 0.4, Flags::BLINK)), None);
        assert_eq!(
            pointer.follow(&looking(1.9, -0.4, fixation)),
            Some(ScreenPoint::new(1.0, 0.0)),
            "the screen's corner"
        );
    }

    proptest! {
        #[test]
        fn the_pointer_never_leaves_the_screen(
            looks in proptest::collection::vec((any::<f64>(), any::<f64>(), any::<u32>()), 0..40), dead_zone in 0.0..1.0_f64,
        ) {
            let mut pointer = Pointer::new(dead_zone);
            for (x, y, flags) in looks {
                if let Some(to) = pointer.follow(&looking(x, y, Flags(flags))) {
                    prop_assert!((0.0..=1.0).contains(&to.x) && (0.0..=1.0).contains(&to.y));
                }
            }
        }
    }
}
