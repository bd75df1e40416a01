//! Recordings from outside: good ones are read and played, bad ones are refused with the place of the fault.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use gazed::bus::options::SessionOptions;

use crate::desk::{Desk, eventually};

const HEADER: &str = "file,timestamp_ns,target_x_px,target_y_px\n";

/// A folder with one gray picture and this list of frames.
fn folder_with(desk: &Desk, list: &str) -> PathBuf {
    let folder = desk.path("recording");
    fs::create_dir_all(&folder).expect("a folder");
    image::GrayImage::from_fn(160, 120, |x, y| image::Luma([(x ^ y) as u8]))
        .save(folder.join("good.png"))
        .expect("a picture");
    fs::write(folder.join("frames.csv"), list).expect("a list");
    folder
}

fn track(desk: &Desk, folder: &Path) -> Output {
    let arguments = ["track", folder.to_str().expect("a plain path"), "--json"];
    desk.gazectl(&arguments).output().expect("gazectl runs")
}

/// Failed with exit code 1 and a message that has all these parts.
fn assert_refused(output: &Output, parts: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing from: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn what_is_no_recording_is_refused_with_what_a_recording_is() {
    let desk = Desk::new();
    let nowhere = track(&desk, &desk.path("nowhere"));
    assert_refused(&nowhere, &["nowhere is not a recording", "gazectl record"]);
    let file = desk.path("file");
    fs::write(&file, "text").expect("a file");
    assert_refused(&track(&desk, &file), &["is not a recording"]);
}

#[test]
fn empty_and_malformed_lists_are_refused_with_the_line_at_fault() {
    let desk = Desk::new();
    for (list, parts) in [
        (String::new(), ["line 1", "file,timestamp_ns,target_x_px,target_y_px"]),
        (HEADER.to_string(), ["names no frame", "gazectl record"]),
        (
            "file,target_x_px\ngood.png,3\n".to_string(),
            ["line 1", "`timestamp_ns` is missing"],
        ),
        (
            format!("{HEADER}good.png,soon,,\n"),
            ["line 2", "`soon` in `timestamp_ns`"],
        ),
        (format!("{HEADER}good.png,1,,\ngood.png,2\n"), ["line 3", "frames.csv"]),
        (format!("{HEADER}good.png,1,5,\n"), ["line 2", "give both or none"]),
        (
            format!("{HEADER}good.png,5,,\ngood.png,4,,\n"),
            ["line 3", "order of time"],
        ),
        (
            format!("{HEADER}absent.png,1,,\n"),
            ["line 2", "no picture `absent.png`"],
        ),
    ] {
        let folder = folder_with(&desk, &list);
        assert_refused(&track(&desk, &folder), &parts);
    }
    let folder = folder_with(&desk, "");
    fs::write(folder.join("frames.csv"), [0xff, 0xfe, 0x00, 0xc3, b'\n', 0xff]).expect("a list");
    assert_refused(&track(&desk, &folder), &["frames.csv", "line"]);
}

#[test]
fn wrong_facts_are_refused_with_the_key() {
    let desk = Desk::new();
    let folder = folder_with(&desk, &format!("{HEADER}good.png,1,,\n"));
    for (facts, part) in [
        ("screen_px = [0, 1080]", "screen_px = 0"),
        ("stills = 'no'", "stills"),
        ("][", "TOML"),
    ] {
        fs::write(folder.join("recording.toml"), facts).expect("facts");
        assert_refused(&track(&desk, &folder), &["recording.toml", part]);
    }
}

#[test]
fn damaged_pictures_cost_one_frame_each_and_not_the_others() {
    let desk = Desk::new();
    let list = ["good.png", "text.jpg", "cut.png", "empty.jpg", "good.png"]
        .iter()
        .enumerate()
        .map(|(index, file)| format!("{file},{},,\n", (index + 1) * 33_000_000))
        .collect::<String>();
    let folder = folder_with(&desk, &format!("{HEADER}{list}"));
    let good = fs::read(folder.join("good.png")).expect("the picture");
    fs::write(folder.join("text.jpg"), "no picture at all").expect("writes");
    fs::write(folder.join("cut.png"), &good[..good.len() / 2]).expect("writes");
    fs::write(folder.join("empty.jpg"), "").expect("writes");

    let output = track(&desk, &folder);
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 5);
    for (line, part) in lines[1..4]
        .iter()
        .zip(["neither a JPEG nor a PNG", "damaged PNG", "neither"])
    {
        let reason = line["reason"].as_str().expect("a reason");
        assert!(reason.contains(part), "{reason}");
    }
    assert!(
        lines[4]["reason"]
            .as_str()
            .is_some_and(|reason| !reason.contains("JPEG")),
        "the last one was looked at"
    );

    // Played live, the same pictures are counted, and the daemon goes on.
    let gazed = desk.start_gazed(&format!("recording:{}", folder.display()));
    let client = desk.client();
    let session = client.session(&SessionOptions::default()).expect("a session");
    session.start().expect("starts");
    let manager = client.manager().expect("a proxy");
    eventually("the recording is over", || {
        manager
            .state_detail()
            .expect("a property")
            .contains("recording is over")
    });
    assert!(manager.frames_missed().expect("a property") >= 3);
    drop(session);
    drop(gazed);
}

#[test]
fn a_recording_without_one_readable_picture_is_an_error_state() {
    let desk = Desk::new();
    let folder = folder_with(&desk, &format!("{HEADER}text.jpg,1,,\n"));
    fs::write(folder.join("text.jpg"), "no picture").expect("writes");
    let _gazed = desk.start_gazed(&format!("recording:{}", folder.display()));
    let client = desk.client();
    let session = client.session(&SessionOptions::default()).expect("a session");
    session.start().expect("starts");
    let manager = client.manager().expect("a proxy");
    eventually("the state is error", || manager.state().expect("a property") == "error");
    let detail = manager.state_detail().expect("a property");
    assert!(detail.contains("text.jpg"), "{detail}");
}

#[test]
fn real_pictures_are_read_where_they_are_present() {
    let data = std::env::var("GAZED_DATA").unwrap_or_else(|_| "../shared/data".to_string());
    let folder = Path::new(&data).join("webcam_one_person");
    if !folder.exists() {
        eprintln!("skipped: there is no {} ($GAZED_DATA)", folder.display());
        return;
    }
    let recording = gazed::capture::recording::Recording::open(&folder).expect("reads");
    assert_eq!(recording.rows().len(), 1740);
    assert!(recording.facts().stills);
    assert_eq!(recording.setup().expect("a screen").screen.width_px, 1920);
    assert!(
        recording
            .rows()
            .iter()
            .all(|row| row.target_px.is_some() && row.block.is_some())
    );
    for (row, frame) in recording.frames().step_by(60) {
        let image = frame.expect("a picture").image;
        assert_eq!((image.width(), image.height()), (190, 190), "{}", row.file);
        assert!((10.0..245.0).contains(&image.mean_brightness()), "{}", row.file);
    }
}
