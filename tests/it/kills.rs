//! What is on disk survives `kill -9` at any moment, and a full disk: the old file or the new one, never a part of either.
//!
//! `GAZED_KILLS=100` kills so many times; the tests by themselves a few.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gazed::calibration::features::COUNT;
use gazed::calibration::profile::{Profile, Profiles};
use gazed::calibration::{Appearance, Features, Sample};
use gazed::geometry::{Screen, ScreenPoint};
use gazed::nets::Weights;

use crate::desk::{Desk, Running, eventually};

/// How often a test kills.
pub fn kills(usually: u64) -> u64 {
    let wanted = std::env::var("GAZED_KILLS").ok();
    wanted.and_then(|kills| kills.parse().ok()).unwrap_or(usually)
}

/// The moments of the kills, spread evenly over this many seconds (by the golden ratio).
pub fn moment(number: u64, within_s: f64) -> Duration {
    Duration::from_secs_f64((number as f64 * 0.618_034).fract() * within_s)
}

/// A profile of the usual size, nine points and thirty looks at each.
pub fn profile(name: &str, date: &str) -> Profile {
    let points = [0.1, 0.5, 0.9].map(|y| [0.1, 0.5, 0.9].map(|x| ScreenPoint::new(x, y)));
    let looks = points.into_iter().flatten().flat_map(|target| {
        (0..30).map(move |look| {
            let mut values = [0.01 * f64::from(look); COUNT];
            for (index, value) in values.iter_mut().enumerate() {
                *value += if index % 2 == 0 { target.x } else { target.y } * (1.0 + 0.1 * index as f64);
            }
            Sample {
                target,
                features: Features {
                    values,
                    appearance: Appearance::NONE,
                    eyes_mm: [265.0, 150.0, 600.0],
                    position_known: true,
                },
            }
        })
    });
    Profile {
        format: Profile::FORMAT,
        name: name.into(),
        weights: Weights::BuiltIn.version().expect("weights"),
        date: date.into(),
        points: 9,
        accuracy_deg: 1.5,
        precision_deg: 0.4,
        screen: Screen::default(),
        camera: String::new(),
        monitor: String::new(),
        samples: looks.collect(),
    }
}

/// The environment variable that tells the saving process its folder.
const FOLDER: &str = "GAZED_TEST_PROFILES";

#[test]
#[ignore = "the process that the next test kills"]
fn saves_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let profiles = Profiles::in_folder(folder);
    let weights = Weights::BuiltIn.version().expect("weights");
    let before = profiles.load("person", &weights).expect("a whole profile");
    let mut number: u64 = before.date.parse().expect("a number");
    loop {
        number += 1;
        profiles.save(&profile("person", &number.to_string())).expect("saves");
        println!("saved {number}");
    }
}

#[test]
fn a_profile_survives_kills_in_the_middle_of_its_saving() {
    let folder = tempfile::tempdir().expect("a folder");
    let profiles = Profiles::in_folder(folder.path());
    profiles.save(&profile("person", "0")).expect("saves");
    let weights = Weights::BuiltIn.version().expect("weights");
    let (mut told, mut in_the_middle) = (0_u64, 0);
    let kills = kills(6);
    for kill in 0..kills {
        let saving = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "--nocapture", "kills::saves_until_killed"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut saving = Running(saving.expect("this program starts"));
        let mut lines = BufReader::new(saving.0.stdout.take().expect("piped")).lines();
        let mut saved = |line: std::io::Result<String>| {
            let line = line.unwrap_or_default();
            if let Some(number) = line.rsplit("saved ").next().and_then(|number| number.parse().ok()) {
                told = number;
            }
            line.contains("saved")
        };
        assert!(lines.any(&mut saved), "it saves");
        std::thread::sleep(moment(kill, 0.03));
        drop(saving);
        for line in lines {
            saved(line);
        }

        let kept = profiles.load("person", &weights).expect("a whole profile");
        let number: u64 = kept.date.parse().expect("a number");
        assert!(
            (told..=told + 1).contains(&number),
            "{number} is kept, {told} was saved"
        );
        assert_eq!(kept, profile("person", &number.to_string()));
        assert_eq!(profiles.names().expect("a list"), ["person"]);
        in_the_middle += unfinished(folder.path());
        tidy(folder.path());
    }
    println!("{kills} kills, {told} saves, {in_the_middle} of them cut short: every profile was whole");
}

pub fn unfinished(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".unfinished-"));
    names.count()
}

fn tidy(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.file_name().to_string_lossy().starts_with(".unfinished-") {
            fs::remove_file(entry.path()).expect("removes");
        }
    }
}

/// What the daemon remembers over a restart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    paused: bool,
    profile: String,
}

#[test]
fn the_privacy_switch_and_the_profile_survive_kills_while_they_change() {
    let desk = Desk::new();
    let profiles = Profiles::in_folder(desk.path("data/gazed/profiles"));
    for name in ["glasses", "lenses"] {
        profiles.save(&profile(name, "2026-01-01T00:00:00Z")).expect("saves");
    }
    let recording = desk.empty_recording(1);
    let client = desk.client();
    let (manager, control) = (client.manager().expect("a proxy"), client.control().expect("a proxy"));
    let mut possible = BTreeSet::from([Kept {
        paused: false,
        profile: String::new(),
    }]);
    let (kills, mut changes) = (kills(4), 0_u64);
    for kill in 0..kills {
        let gazed = desk.gazed(&recording).stderr(Stdio::null()).spawn();
        let gazed = Running(gazed.expect("gazed starts"));
        eventually("gazed owns its name", || client.daemon_runs().expect("the bus answers"));
        let mut kept = Kept {
            paused: manager.state().expect("a property") == "paused",
            profile: manager.profile().expect("a property"),
        };
        assert!(possible.contains(&kept), "{kept:?} is none of {possible:?}");
        assert_eq!(unfinished(&desk.path("state/gazed")), 0, "what a kill left is removed");

        let killer = std::thread::spawn(move || {
            std::thread::sleep(moment(kill, 0.3));
            drop(gazed);
        });
        for number in kill.. {
            let mut next = kept.clone();
            let done = match number % 3 {
                0 => {
                    next.paused = true;
                    control.pause()
                }
                1 => {
                    next.profile = ["glasses", "lenses"][(number / 3 % 2) as usize].into();
                    control.use_profile(&next.profile)
                }
                _ => {
                    next.paused = false;
                    control.resume()
                }
            };
            if let Err(error) = done {
                assert!(
                    killer.is_finished() || !client.daemon_runs().expect("answers"),
                    "{error}"
                );
                // Cut short: it may have come to pass or not, but nothing else.
                possible = BTreeSet::from([kept, next]);
                break;
            }
            changes += 1;
            kept = next;
        }
        killer.join().expect("kills");
        eventually("the name is free", || !client.daemon_runs().expect("answers"));
        let state = fs::read_to_string(desk.path("state/gazed/state.toml"));
        if let Ok(state) = state {
            toml::from_str::<toml::Table>(&state).expect("whole TOML");
        }
        for name in ["glasses", "lenses"] {
            profiles
                .load(name, &Weights::BuiltIn.version().expect("weights"))
                .expect("profiles stay");
        }
    }
    println!("{kills} kills over {changes} changes: each was kept, or the last one before it");
}

/// A limit on the size of files has the effect of a full disk: writing fails in the middle.
#[test]
fn on_a_full_disk_the_old_files_stay() {
    let desk = Desk::new();
    let profiles = Profiles::in_folder(desk.path("data/gazed/profiles"));
    for name in ["glasses", "lenses"] {
        profiles.save(&profile(name, "2026-01-01T00:00:00Z")).expect("saves");
    }
    let state = desk.path("state/gazed/state.toml");
    fs::create_dir_all(desk.path("state/gazed")).expect("a folder");
    fs::write(&state, "paused = true\nprofile = \"glasses\"\n").expect("writes");
    let before = fs::read(&state).expect("reads");
    let mut command = desk.command("sh");
    command
        .args(["-c", "ulimit -f 0 && trap '' XFSZ && exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_gazed"))
        .args(["--source", &desk.empty_recording(1)])
        .stderr(Stdio::null());
    let _gazed = Running(command.spawn().expect("gazed starts"));
    let client = desk.client();
    eventually("gazed owns its name", || client.daemon_runs().expect("the bus answers"));
    let (manager, control) = (client.manager().expect("a proxy"), client.control().expect("a proxy"));
    assert_eq!(manager.profile().expect("a property"), "glasses");

    for refused in [control.resume(), control.use_profile("lenses")] {
        let error = refused.expect_err("it cannot be remembered").to_string();
        assert!(
            error.contains("cannot write") && error.contains("a restart will forget this"),
            "{error}"
        );
    }
    assert_eq!(
        manager.state().expect("a property"),
        "idle",
        "it is obeyed all the same"
    );
    assert_eq!(manager.profile().expect("a property"), "lenses");
    assert_eq!(fs::read(&state).expect("reads"), before);
    assert_eq!(unfinished(&desk.path("state/gazed")), 0);
}
