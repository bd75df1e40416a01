//! `gazectl calibrate` as its users meet it: live, from a recording, and what goes wrong with either.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use gazed::bus::options::SessionOptions;
use serde_json::Value;

use crate::bus::{next, refusal, session};
use crate::cli::{Said, first_lines, run};
use crate::desk::{Desk, eventually};

/// A recording of the synthetic user in free viewing, small pictures.
fn synthesize(desk: &Desk, seconds: &str, parameters: &str) -> String {
    let folder = desk.path("synthesized").display().to_string();
    let source = format!("synthetic:width=320,height=240,fps=30{parameters}");
    let said = run(&mut desk.gazectl(&["synthesize", &folder, "--seconds", seconds, "--source", &source]));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    folder
}

/// Changes what was looked at in every row of a recording that names a target.
fn rewrite_targets(folder: &str, target: impl Fn(&str, &str) -> String) {
    let list = Path::new(folder).join("frames.csv");
    let text = fs::read_to_string(&list).expect("a list");
    let rows = text.lines().enumerate().map(|(line, row)| {
        let fields: Vec<&str> = row.split(',').collect();
        match fields[..] {
            [file, stamp, x, y, ref rest @ ..] if line > 0 && !x.is_empty() => {
                format!("{file},{stamp},{},{}\n", target(x, y), rest.join(","))
            }
            _ => format!("{row}\n"),
        }
    });
    fs::write(list, rows.collect::<String>()).expect("writes");
}

fn from_recording(desk: &Desk, folder: &str) -> Said {
    run(&mut desk.gazectl(&[
        "calibrate",
        "--recording",
        folder,
        "--yes",
        "--profile",
        "rec",
        "--json",
    ]))
}

fn assert_refused(said: &Said, words: &[&str]) {
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    for word in words {
        assert!(said.stderr.contains(word), "no \"{word}\" in: {}", said.stderr);
    }
}

#[test]
fn a_recording_gives_a_profile_that_the_service_uses() {
    let desk = Desk::new();
    let folder = synthesize(&desk, "20", ",seed=5");
    let said = from_recording(&desk, &folder);
    assert_eq!(said.code, Some(0), "{}\n{}", said.stdout, said.stderr);
    let report: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let fitted = &report["fitted"];
    assert!(fitted["points"].as_u64().is_some_and(|points| points >= 8), "{report}");
    // Small pictures: the error is that of a rough calibration, but far from the 20 degrees of guessing.
    assert!(
        fitted["accuracy-deg"]
            .as_f64()
            .is_some_and(|error| error > 0.1 && error < 6.0),
        "{report}"
    );
    let profiles = desk.path("data/gazed/profiles");
    assert_eq!(
        fs::read_dir(&profiles).expect("a folder").count(),
        1,
        "nothing unfinished is left"
    );

    let _gazed = desk.start_gazed(&format!("recording:{folder}"));
    let used = run(&mut desk.gazectl(&["profiles", "--use", "rec", "--json"]));
    let used: Value = serde_json::from_str(&used.stdout).expect("JSON");
    assert_eq!(used["profile"], "rec");
    let lines = first_lines(&mut desk.gazectl(&["watch", "--json"]), 20);
    let is_calibrated = |line: &Value| {
        line["flags"]
            .as_array()
            .is_some_and(|flags| flags.contains(&"calibrated".into()))
    };
    assert!(lines.iter().any(is_calibrated));
}

#[test]
fn what_nobody_reads_is_stored_all_the_same() {
    let desk = Desk::new();
    let folder = synthesize(&desk, "20", ",seed=5");
    let mut command = desk.gazectl(&["calibrate", "--recording", &folder, "--yes", "--profile", "rec"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("ends").code(), Some(0));
    assert!(desk.path("data/gazed/profiles/rec.toml").exists());
}

#[test]
fn whoever_cannot_be_asked_is_told_before_it_begins() {
    let desk = Desk::new();
    for arguments in [
        &["calibrate", "--terminal"][..],
        &["calibrate", "--recording", "/nonexistent"],
    ] {
        assert_refused(&run(&mut desk.gazectl(arguments)), &["nobody can be asked", "--yes"]);
    }
}

#[test]
fn recordings_that_give_no_calibration_say_why_and_leave_the_old_profile() {
    let desk = Desk::new();
    let old = desk.path("data/gazed/profiles/rec.toml");
    fs::create_dir_all(old.parent().expect("a folder")).expect("a folder");
    fs::write(&old, "old").expect("writes");

    let folder = synthesize(&desk, "4", ",seed=5");
    // The targets are told from each other, but all are within a pixel.
    rewrite_targets(&folder, |x, _| format!("960.{},540", x.replace('.', "")));
    assert_refused(
        &from_recording(&desk, &folder),
        &["synthesized", "at one place", "whole of it"],
    );
    // One target for everything: the user looked away from it.
    rewrite_targets(&folder, |_, _| "960,540".into());
    assert_refused(
        &from_recording(&desk, &folder),
        &["0.50, 0.50: the gaze was not steady", "look at the point until it goes"],
    );
    rewrite_targets(&folder, |_, _| ",".into());
    assert_refused(&from_recording(&desk, &folder), &["no frame", "target", "target_x_px"]);

    let empty = desk.empty_recording(2);
    let empty = empty.trim_start_matches("recording:");
    let list = Path::new(empty).join("frames.csv");
    let rows = fs::read_to_string(&list).expect("a list").replace(",,", ",960,540");
    fs::write(list, rows).expect("writes");
    assert_refused(
        &from_recording(&desk, empty),
        &["only 0 usable samples", "no face was in view in 41 of 41"],
    );
    assert_refused(&from_recording(&desk, "/nonexistent"), &["is not a recording"]);
    assert_eq!(fs::read_to_string(&old).expect("still there"), "old");
}

#[test]
fn an_unwritable_profile_folder_is_named_and_nothing_is_lost() {
    let desk = Desk::new();
    let folder = synthesize(&desk, "20", ",seed=5");
    // A file where the folder belongs cannot be written into, whoever the user is.
    fs::create_dir_all(desk.path("data/gazed")).expect("a folder");
    fs::write(desk.path("data/gazed/profiles"), "in the way").expect("writes");
    assert_refused(
        &from_recording(&desk, &folder),
        &[
            "cannot write the profile",
            "profiles/rec.toml",
            "the old one, if any, is unchanged",
        ],
    );
    assert_eq!(
        fs::read_to_string(desk.path("data/gazed/profiles")).expect("there"),
        "in the way"
    );
}

#[test]
fn a_calibration_without_eyes_fails_and_stores_nothing() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    // Nobody can be led through points without a terminal, a display or a synthetic user.
    let mut command = desk.gazectl(&["calibrate", "--yes", "--terminal"]);
    let said = run(command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY"));
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("terminal"), "{}", said.stderr);
    assert!(run(&mut desk.gazectl(&["profiles"])).stdout.contains("no profile yet"));
    let unknown = run(&mut desk.gazectl(&["profiles", "--use", "nobody"]));
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("nobody"), "{}", unknown.stderr);
}

#[test]
fn the_synthetic_user_is_calibrated_from_outside() {
    let desk = Desk::new();
    // Half the usual pictures, so that a busy machine can draw them in time.
    let _gazed = desk.start_gazed("synthetic:seed=3,fps=15");
    let said = run(&mut desk.gazectl(&[
        "calibrate",
        "--yes",
        "--terminal",
        "--points",
        "5",
        "--profile",
        "desk",
        "--json",
    ]));
    assert_eq!(said.code, Some(0), "{}\n{}", said.stdout, said.stderr);
    let report: Value = serde_json::from_str(&said.stdout).expect("JSON");
    // Five points, and the postures.
    assert!(
        report["fitted"]["points"].as_u64().is_some_and(|points| points >= 7),
        "{report}"
    );
    let listed = run(&mut desk.gazectl(&["profiles", "--json"]));
    let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    assert_eq!(listed["profiles"], serde_json::json!(["desk"]));
    assert_eq!(listed["profile"], "desk");
    let line = &first_lines(&mut desk.gazectl(&["watch", "--json"]), 30);
    let calibrated = |line: &Value| {
        line["flags"]
            .as_array()
            .is_some_and(|flags| flags.contains(&"calibrated".into()))
    };
    assert!(line.iter().any(calibrated), "no sample says that it is calibrated");
    let said = run(&mut desk.gazectl(&["profiles", "--delete", "desk", "--json"]));
    let left: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!((said.code, &left["profiles"]), (Some(0), &serde_json::json!([])));
}

#[test]
fn the_synthetic_user_moves_its_head_as_told() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed("synthetic:seed=3,fps=10,blink_rate=0,head_sway_mm=0");
    let client = desk.client();
    let truth = client.truth().expect("a proxy");
    truth.look_at(0.5, 0.5).expect("looks there");
    let mut session = session(&client);
    session.start().expect("starts");
    let mut yaw_deg = || next(&mut session).record.head.map_or(0.0, |head| head.yaw_deg);
    let straight = yaw_deg();
    truth.move_head(18.0, 0.0, 0.0, 0.0).expect("turns");
    eventually("the head is seen turned to the left", || yaw_deg() > straight + 12.0);
    truth.release().expect("lets go");
    eventually("the head is seen as it was", || (yaw_deg() - straight).abs() < 6.0);
    for [yaw, pitch, left, down] in [
        [61.0, 0.0, 0.0, 0.0],
        [0.0, -41.0, 0.0, 0.0],
        [f64::NAN, 0.0, 0.0, 0.0],
        [0.0, 0.0, 301.0, 0.0],
        [0.0, 0.0, 0.0, f64::INFINITY],
    ] {
        assert_eq!(
            refusal(truth.move_head(yaw, pitch, left, down)),
            "org.gazed.Gaze1.Error.InvalidArgument"
        );
    }
}

#[test]
fn nobody_in_view_ends_in_a_sentence_and_stores_nothing() {
    let desk = Desk::new();
    let old = desk.path("data/gazed/profiles/desk.toml");
    fs::create_dir_all(old.parent().expect("a folder")).expect("a folder");
    fs::write(&old, "old").expect("writes");
    let _gazed = desk.start_gazed("synthetic:seed=3,fps=10,width=320,height=240,user=absent");
    let said = run(&mut desk.gazectl(&["calibrate", "--yes", "--terminal", "--points", "5", "--profile", "desk"]));
    assert_refused(
        &said,
        &[
            "only 0 of 5 points could be used",
            "no open eyes were seen",
            "The old profile is untouched",
        ],
    );
    assert_eq!(fs::read_to_string(&old).expect("still there"), "old");
}

/// The service's advice to somebody who sits down in a way that the synthetic user's parameters describe.
fn advice(parameters: &str, word: &str) {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&format!("synthetic:seed=3,fps=10,width=480,height=360{parameters}"));
    let calibration = desk.client().calibration(None, None).expect("begins");
    eventually(word, || calibration.advice().expect("a property").contains(word));
}

#[test]
fn whoever_sits_badly_is_told_before_it_begins() {
    advice(",user=absent", "No face");
    advice(",distance_mm=1500", "closer");
    advice(",head_x_mm=-300", "cut off");
}

#[test]
fn the_calibration_made_with_a_camera_is_used_with_it() {
    let desk = Desk::new();
    let folder = synthesize(&desk, "20", ",seed=5");
    assert_eq!(from_recording(&desk, &folder).code, Some(0));
    let profiles = desk.path("data/gazed/profiles");
    let made = fs::read_to_string(profiles.join("rec.toml")).expect("a profile");
    let cameras = ["one", "two"].map(|name| {
        let copy = desk.path(name);
        fs::create_dir(&copy).expect("a folder");
        let picture = Path::new(&folder).join("frames/000000.jpg");
        fs::copy(picture, copy.join("0.jpg")).expect("copies");
        let rows: String = (0..900_u64).map(|n| format!("0.jpg,{},,\n", n * 33_333_333)).collect();
        fs::write(
            copy.join("frames.csv"),
            format!("file,timestamp_ns,target_x_px,target_y_px\n{rows}"),
        )
        .expect("writes");
        format!("recording:{}", copy.display())
    });
    // A recording is called by its folder.
    let names = cameras
        .each_ref()
        .map(|camera| camera.trim_start_matches("recording:").to_owned());
    for (profile, camera) in ["first", "second"].iter().zip(&names) {
        let text = made.replace("name = \"rec\"", &format!("name = \"{profile}\""));
        let text = text.replace("camera = \"\"", &format!("camera = {camera:?}"));
        let text = text.replace("monitor = \"\"", "monitor = \"screen\"");
        fs::write(profiles.join(format!("{profile}.toml")), text).expect("writes");
    }
    let used = |camera: &str, wanted: &str, choose: Option<&str>| {
        let client = desk.client();
        let manager = client.manager().expect("a proxy");
        eventually("the name is free", || !client.daemon_runs().expect("the bus answers"));
        let _gazed = desk.start_gazed(camera);
        if let Some(name) = choose {
            client.control().expect("a proxy").use_profile(name).expect("uses it");
        }
        let session = client.session(&SessionOptions::default()).expect("a session");
        session.start().expect("starts");
        eventually(wanted, || manager.profile().expect("a property") == wanted);
    };
    used(&cameras[0], "first", None);
    used(&cameras[1], "second", None);
    used(&cameras[0], "first", None);
    // What somebody chose by name is used, wherever it was made.
    used(&cameras[0], "second", Some("second"));
}
