//! The command line as its users meet it: exit codes, messages, shapes of what is printed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::desk::Desk;

/// What a command said and how it ended.
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub fn run(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let said = Said {
        code: status.code(),
        stdout: String::from_utf8(stdout).expect("text"),
        stderr: String::from_utf8(stderr).expect("text"),
    };
    assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
    said
}

pub fn without_bus(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gazectl"));
    command
        .args(arguments)
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

/// The work failed, and the message says so in a sentence that holds `words`.
pub fn assert_fails(arguments: &[&str], words: &[&str]) {
    let said = run(&mut without_bus(arguments));
    assert_eq!(said.code, Some(1), "{arguments:?}: {}", said.stderr);
    assert!(said.stderr.starts_with("gazectl: "), "{}", said.stderr);
    for word in words {
        assert!(
            said.stderr.contains(word),
            "{arguments:?}: no \"{word}\" in: {}",
            said.stderr
        );
    }
}

fn subcommands() -> Vec<String> {
    let help = run(&mut without_bus(&["--help"]));
    assert_eq!(help.code, Some(0));
    let list = help.stdout.split("Commands:").nth(1).expect("a list of commands");
    list.lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        // Continued lines are indented further.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn help_and_version_are_answers() {
    let names = subcommands();
    for expected in [
        "status",
        "watch",
        "calibrate",
        "record",
        "preview",
        "profiles",
        "track",
        "evaluate",
        "synthesize",
    ] {
        assert!(
            names.iter().any(|name| name == expected),
            "{expected} is not in {names:?}"
        );
    }
    for name in &names {
        let said = run(&mut without_bus(&[name, "--help"]));
        assert_eq!(said.code, Some(0), "{name}");
        assert!(said.stdout.contains("Usage: gazectl"), "{name}: {}", said.stdout);
        assert_eq!(said.stderr, "");
    }
    let version = run(&mut without_bus(&["--version"]));
    assert_eq!(version.stdout.trim(), concat!("gazectl ", env!("CARGO_PKG_VERSION")));
    let man = run(&mut without_bus(&["man"]));
    assert!(man.code == Some(0) && man.stdout.starts_with(".ie") && man.stdout.contains("calibrate"));
    let man = run(&mut without_bus(&["man", "gazed"]));
    assert!(man.code == Some(0) && man.stdout.contains(".TH gazed") && man.stdout.contains("seed"));
}

#[test]
fn wrong_usage_is_2() {
    for arguments in [
        &["nonsense"][..],
        &[],
        &["watch", "--seconds", "0"],
        &["watch", "--seconds", "-1"],
        &["watch", "--seconds", "NaN"],
        &["watch", "--seconds", "1e300"],
        &["watch", "--horizon-ms", "20", "--lead-ms", "20"],
        &["watch", "--horizon-ms=-5"],
        &["watch", "--lead-ms", "201"],
        &["watch", "--rate", "0"],
        &["calibrate", "--profile", "a/b"],
        &["report", "page.html"],
        &["plot", "samples.csv", "out.jpg"],
        &["synthesize", "folder", "--seconds", "1", "--source", "camera"],
        &["calibrate", "--points", "7"],
        &["profiles", "--use", "a", "--delete", "b"],
        &["record"],
        &["plot", "only-one"],
        &["track"],
        &["evaluate", "recording"],
        &["completions", "no-such-shell"],
    ] {
        let said = run(&mut without_bus(arguments));
        assert_eq!(said.code, Some(2), "{arguments:?}: {}", said.stderr);
        assert!(
            said.stdout.is_empty() && said.stderr.contains("--help"),
            "{arguments:?}: {}",
            said.stderr
        );
    }
}

#[test]
fn without_a_bus_each_command_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let out = out.to_str().expect("text");
    for arguments in [
        &["status"][..],
        &["watch"],
        &["watch", "--json"],
        &["calibrate", "--yes"],
        &["profiles"],
        &["preview"],
        &["record", out],
    ] {
        assert_fails(arguments, &["session bus", "dbus-run-session"]);
    }
    assert!(
        !Path::new(out).exists(),
        "nothing is made for a recording that cannot be"
    );
}

#[test]
fn without_a_daemon_status_does_not_start_one() {
    let desk = Desk::new();
    let said = run(&mut desk.gazectl(&["status"]));
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("not running"), "{}", said.stderr);
    let said = run(&mut desk.gazectl(&["watch", "--json"]));
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("start `gazed`"), "{}", said.stderr);
}

#[test]
fn bad_files_are_named_with_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    let write = |name: &str, text: &[u8]| {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().expect("inside")).expect("a folder");
        std::fs::write(file, text).expect("a file");
    };
    assert_fails(&["track", &path("absent")], &["absent"]);
    write("empty/frames.csv", b"");
    assert_fails(&["track", &path("empty")], &["empty"]);
    write(
        "malformed/frames.csv",
        b"file,timestamp_ns,target_x_px,target_y_px\na.png,tomorrow,,\n",
    );
    assert_fails(&["track", &path("malformed")], &["frames.csv", "2"]);
    assert_fails(
        &["evaluate", &path("malformed"), "--calibration-frames", "9"],
        &["frames.csv"],
    );

    write("no json", b"{\"sequence\": 1}\n");
    assert_fails(&["plot", &path("no json"), &path("out.png")], &["no json", "line 1"]);
    write("nothing", b"");
    assert_fails(&["plot", &path("nothing"), &path("out.png")], &["nothing", "is empty"]);
    assert_fails(
        &["plot", &path("absent"), &path("out.png")],
        &["absent", "cannot be read"],
    );
    let header = "t_s,filtered_x_deg,filtered_y_deg,forecast_x_deg,forecast_y_deg,error_radius_deg,movement";
    for (row, complaint) in [
        ("0.1,1e300,0,0,0,1,fixation", "no visual angle"),
        ("0.1,0,0,0,-inf,1,fixation", "no visual angle"),
        ("-0.1,0,0,0,0,1,fixation", "sort the rows"),
        ("1e300,0,0,0,0,1,fixation", "in seconds"),
        ("NaN,0,0,0,0,1,fixation", "sort the rows"),
    ] {
        let text = format!("{header}\n0,NaN,NaN,,,,lost\n{row}\n");
        write("forecasts.csv", text.as_bytes());
        let plot = ["plot", &path("forecasts.csv"), &path("out.png"), "--horizon-ms", "50"];
        assert_fails(&plot, &["forecasts.csv", "line 3", complaint]);
    }
    write("blocks/broken.jpg", b"no picture");
    write(
        "blocks/frames.csv",
        b"file,timestamp_ns,target_x_px,target_y_px,block\nbroken.jpg,1,10,10,short\nbroken.jpg,2,20,20,short\n",
    );
    let evaluate = ["evaluate", &path("blocks"), "--by-block", "--calibration-frames", "9"];
    let said = run(&mut without_bus(&evaluate));
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(
        said.stderr.contains("block 'short' gives 0 usable frames") && said.stderr.contains("at least 4"),
        "{}",
        said.stderr
    );
    write("numbers.csv", b"t_s,x_deg,y_deg\n0.0,one,2\n");
    assert_fails(
        &["forecast", "--horizon-ms", "50", &path("numbers.csv")],
        &["numbers.csv", "2"],
    );
}

#[test]
fn a_damaged_picture_is_one_untracked_frame() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("a file");
    write("broken.jpg", &[0xff, 0xd8, 0xff, 0xe0, 0, 16, 1, 2, 3]);
    write(
        "frames.csv",
        b"file,timestamp_ns,target_x_px,target_y_px\nbroken.jpg,1,,\nbroken.jpg,2,,\n",
    );
    let track = ["track", "--json", folder.path().to_str().expect("text")];
    let said = run(&mut without_bus(&track));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let lines: Vec<Value> = said
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert_eq!((&line["file"], &line["tracked"]), (&"broken.jpg".into(), &false.into()));
        let reason = line["reason"].as_str().expect("a reason");
        assert!(reason.contains("broken.jpg"), "{reason}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut command = without_bus(&["man"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn messages_are_plain_outside_a_terminal_and_need_no_reader() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("broken.jpg", "no picture");
    write(
        "frames.csv",
        "file,timestamp_ns,target_x_px,target_y_px\nbroken.jpg,1,,\n",
    );
    // It warns of the picture that is damaged, and then fails.
    let plot = ["plot", folder.path().to_str().expect("text"), "out.png"];
    let said = run(&mut without_bus(&plot));
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(
        said.stderr.contains("WARN") && said.stderr.contains("gazectl: in none") && !said.stderr.contains('\x1b'),
        "{}",
        said.stderr
    );
    let mut child = without_bus(&plot).stderr(Stdio::piped()).spawn().expect("starts");
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("ends").code(), Some(1), "nobody reads what it says");
}

/// The first lines of a command that would go on.
pub fn first_lines(command: &mut Command, count: usize) -> Vec<Value> {
    let mut child = crate::desk::Running(command.stdout(Stdio::piped()).spawn().expect("starts"));
    let stdout = child.0.stdout.take().expect("piped");
    let lines = BufReader::new(stdout).lines().take(count);
    lines
        .map(|line| serde_json::from_str(&line.expect("text")).expect("JSON"))
        .collect()
}

const FIELDS: [&str; 16] = [
    "sequence",
    "captured_ns",
    "published_ns",
    "target_ns",
    "gaze_x",
    "gaze_y",
    "forecast_x",
    "forecast_y",
    "error_radius",
    "confidence",
    "flags",
    "distance_mm",
    "head_yaw_deg",
    "head_pitch_deg",
    "head_roll_deg",
    "received_ns",
];

#[test]
fn watch_prints_the_record_when_it_came_and_the_truth() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed("synthetic:seed=3");
    let lines = first_lines(&mut desk.gazectl(&["watch", "--json", "--horizon-ms", "80"]), 12);
    for line in &lines {
        for name in FIELDS {
            assert!(line.get(name).is_some(), "no {name} in {line}");
        }
        let time = |name: &str| line[name].as_u64().expect("nanoseconds");
        if line["flags"]
            .as_array()
            .is_some_and(|flags| flags.contains(&"valid".into()))
        {
            assert_eq!(time("target_ns"), time("captured_ns") + 80_000_000);
        }
        assert!(time("captured_ns") < time("published_ns") && time("published_ns") <= time("received_ns"));
        for name in ["truth_x", "truth_y", "truth_target_x", "truth_target_y"] {
            let value = line[name].as_f64().expect("a number");
            assert!((-0.5..1.5).contains(&value), "{name} {value}");
        }
    }
    // The truth for a moment is asked for by that moment, so it does not depend on when it is asked.
    let again = desk.client().truth().expect("a proxy");
    let (x, y, _) = again
        .at(lines[0]["captured_ns"].as_u64().expect("a time"))
        .expect("the truth");
    for (name, truth) in [("truth_x", x), ("truth_y", y)] {
        let told = lines[0][name].as_f64().expect("a number");
        // Reading a number from JSON may cost its last bit.
        assert!((told - truth).abs() < 1e-12, "{name}: {told}, {truth}");
    }
}

#[test]
fn a_recorded_person_has_no_truth_and_status_names_who_watches() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let lines = first_lines(&mut desk.gazectl(&["watch", "--json"]), 3);
    for line in &lines {
        assert_eq!(line.get("truth_x"), None);
        assert_eq!(line["head_yaw_deg"], Value::Null);
    }
    let watching = crate::desk::Running(
        desk.gazectl(&["watch", "--json"])
            .stdout(Stdio::null())
            .spawn()
            .expect("starts"),
    );
    let status = || -> Value {
        let said = run(&mut desk.gazectl(&["status", "--json"]));
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        serde_json::from_str(&said.stdout).expect("JSON")
    };
    crate::desk::eventually("the watcher is listed", || {
        status()["clients"][0]["process_id"] == watching.0.id()
    });
    let status = status();
    assert_eq!(status["clients"][0]["what"], "gaze");
    assert_eq!(status["version"], 1);
    assert_eq!(status["profile"], "");
    assert!(status["latency_ms"]["p99"].is_number() && status["frame_rate_hz"].is_number());
    let said = run(&mut desk.gazectl(&["status"]));
    assert!(said.stdout.contains("gazectl watch (process "), "{}", said.stdout);
}

#[test]
fn a_recording_made_through_the_service_can_be_played() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let folder = desk.path("made");
    let folder = folder.to_str().expect("text");
    let said = run(&mut desk.gazectl(&["record", folder, "--seconds", "2"]));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let tracked = run(&mut without_bus(&["track", "--json", folder]));
    assert_eq!(tracked.code, Some(0), "{}", tracked.stderr);
    let count = tracked.stdout.lines().count();
    assert!(
        count > 0 && said.stdout.starts_with(&format!("{count} pictures in")),
        "{}",
        said.stdout
    );
    assert!(tracked.stdout.lines().all(|line| line.contains("no face")));
    let again = run(&mut desk.gazectl(&["record", folder, "--seconds", "2"]));
    assert_eq!(again.code, Some(1), "a recording is never overwritten");
    assert!(again.stderr.contains("choose another folder"), "{}", again.stderr);
}
