//! A calibration that the daemon stores: killed at any moment of it, and on a full disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use gazed::bus::proxies::CalibrationProxyBlocking;
use gazed::calibration::profile::{Profile, Profiles};
use gazed::client::Client;
use gazed::clock::{Clock, MonotonicClock};
use gazed::nets::Weights;

use crate::desk::{Desk, Running, eventually};
use crate::kills::{kills, moment, profile, unfinished};

const SOURCE: &str = "synthetic:seed=3,width=320,height=240,fps=30";

/// A desk where `person` has a calibration, and where clicks are learned from.
fn desk() -> (Desk, Profiles) {
    let desk = Desk::new();
    let folder = desk.path("config/gazed");
    fs::create_dir_all(&folder).expect("a folder");
    let config = "[profile]\nname = \"person\"\nlearn_from_clicks = true\n";
    fs::write(folder.join("config.toml"), config).expect("writes");
    let profiles = Profiles::in_folder(desk.path("data/gazed/profiles"));
    profiles
        .save(&profile("person", "2026-01-01T00:00:00Z"))
        .expect("saves");
    (desk, profiles)
}

fn load(profiles: &Profiles) -> Profile {
    let weights = Weights::BuiltIn.version().expect("weights");
    profiles.load("person", &weights).expect("a whole profile")
}

/// A calibration that lacks nothing but to be stored.
fn fitted(client: &Client) -> CalibrationProxyBlocking<'static> {
    let truth = client.truth().expect("a proxy");
    let calibration = client.calibration(None, None).expect("begins");
    for (x, y) in [(0.1, 0.1), (0.9, 0.1), (0.5, 0.5), (0.1, 0.9), (0.9, 0.9)] {
        truth.look_at(x, y).expect("looks there");
        // The eyes take a moment to arrive.
        let from = MonotonicClock.now() + Duration::from_millis(400);
        eventually("the point is accepted", || {
            let now = MonotonicClock.now();
            now > from && {
                let answer = calibration.add_target(x, y, from.as_nanos(), now.as_nanos());
                answer.expect("answers").0
            }
        });
    }
    calibration.fit().expect("fits");
    calibration
}

fn start(desk: &Desk, client: &Client, command: &mut Command) -> Running {
    let gazed = Running(command.stderr(Stdio::null()).spawn().expect("gazed starts"));
    eventually("gazed owns its name", || client.daemon_runs().expect("the bus answers"));
    for folder in ["data/gazed/profiles", "state/gazed"] {
        assert_eq!(unfinished(&desk.path(folder)), 0, "what a kill left is removed");
    }
    gazed
}

#[test]
fn a_kill_while_the_daemon_stores_a_calibration_leaves_the_old_or_the_new_one() {
    let (desk, profiles) = desk();
    let client = desk.client();
    let file = desk.path("data/gazed/profiles/person.toml");
    let kills = kills(3);
    let (mut replaced, mut answered, mut cut_short) = (0, 0, 0);
    for kill in 0..kills {
        let before = load(&profiles);
        let gazed = start(&desk, &client, &mut desk.gazed(SOURCE));
        let calibration = fitted(&client);
        // What is learned of the map's drift is for as long as the daemon runs.
        let written = fs::read(&file).expect("reads");
        let control = client.control().expect("a proxy");
        let now = MonotonicClock.now().as_nanos();
        let (recentred, clicked) = (control.recenter(0.9, 0.9, now), control.add_sample(0.9, 0.9, now));
        assert_eq!(
            fs::read(&file).expect("reads"),
            written,
            "{recentred:?} {clicked:?} changed the profile"
        );

        let killer = std::thread::spawn(move || {
            std::thread::sleep(moment(kill, 0.05));
            drop(gazed);
        });
        let committed = calibration.commit("person");
        // Whatever else changes the map goes on meanwhile.
        while control.recenter(0.9, 0.9, now).is_ok() || control.add_sample(0.9, 0.9, now).is_ok() {}
        killer.join().expect("kills");
        eventually("the name is free", || !client.daemon_runs().expect("answers"));
        let after = load(&profiles);
        if committed.is_ok() {
            answered += 1;
            assert_ne!(after.samples, before.samples, "it was said to be stored");
        }
        if after != before {
            replaced += 1;
            assert_eq!(after.points, 5, "it is the one that was made");
        }
        cut_short += unfinished(&desk.path("data/gazed/profiles"));
        let state = fs::read_to_string(desk.path("state/gazed/state.toml")).unwrap_or_default();
        toml::from_str::<toml::Table>(&state).expect("whole TOML");
    }
    println!(
        "{kills} kills: {answered} calls answered, {replaced} profiles replaced, {cut_short} cut short, all whole"
    );
}

/// Commits a calibration that cannot be written, and shows that nothing is lost by it.
fn refused(client: &Client, file: &Path) -> CalibrationProxyBlocking<'static> {
    let manager = client.manager().expect("a proxy");
    let before = (fs::read(file).expect("reads"), manager.profile().expect("a property"));
    assert_eq!(before.1, "person");
    let calibration = fitted(client);
    let error = calibration.commit("person").expect_err("the disk is full").to_string();
    for words in [
        "cannot write the profile",
        "person.toml",
        "the old one, if any, is unchanged",
    ] {
        assert!(error.contains(words), "no \"{words}\" in: {error}");
    }
    let after = (fs::read(file).expect("reads"), manager.profile().expect("a property"));
    assert_eq!(after, before);
    assert_eq!(unfinished(file.parent().expect("a folder")), 0);
    calibration
}

/// A limit on the size of files makes writing fail in the middle, wherever the tests run.
#[test]
fn a_calibration_that_cannot_be_written_leaves_the_old_one() {
    let (desk, _) = desk();
    let client = desk.client();
    let mut command = desk.command("sh");
    command
        .args(["-c", "ulimit -f 0 && trap '' XFSZ && exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_gazed"))
        .args(["--source", SOURCE]);
    let _gazed = start(&desk, &client, &mut command);
    refused(&client, &desk.path("data/gazed/profiles/person.toml"));
}

/// A disk of its own for the daemon, as large as the old profile and nothing more.
#[test]
fn on_a_full_disk_a_calibration_waits_for_room() {
    let (desk, profiles) = desk();
    let client = desk.client();
    let own_disk = |script: &str| {
        let mut command = desk.command("unshare");
        command.args([
            "--user",
            "--map-current-user",
            "--keep-caps",
            "--mount",
            "sh",
            "-c",
            script,
        ]);
        command
    };
    if !own_disk("mount -t tmpfs disk \"$XDG_DATA_HOME\"")
        .status()
        .is_ok_and(|status| status.success())
    {
        eprintln!("skipped: this user may not mount anything, not even in a namespace");
        return;
    }
    let old = load(&profiles);
    let mut command = own_disk(
        "cp -r \"$XDG_DATA_HOME\" \"$HOME/kept\" && mount -t tmpfs -o size=4m disk \"$XDG_DATA_HOME\" && \
         cp -r \"$HOME/kept/gazed\" \"$XDG_DATA_HOME\" && ! cat /dev/zero >\"$XDG_DATA_HOME/filler\" && exec \"$0\" \"$@\"",
    );
    command.arg(env!("CARGO_BIN_EXE_gazed")).args(["--source", SOURCE]);
    let gazed = start(&desk, &client, &mut command);
    let disk = PathBuf::from(format!("/proc/{}/root/{}", gazed.0.id(), desk.path("data").display()));
    let calibration = refused(&client, &disk.join("gazed/profiles/person.toml"));

    fs::remove_file(disk.join("filler")).expect("makes room");
    calibration.commit("person").expect("stores what was fitted");
    let new = load(&Profiles::in_folder(disk.join("gazed/profiles")));
    assert_ne!(new.samples, old.samples);
}
