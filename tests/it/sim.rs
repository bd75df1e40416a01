//! The synthetic user from outside: what is recorded is what is seen live.

use std::sync::Arc;
use std::time::Duration;

use gazed::capture::FrameSource;
use gazed::capture::recording::Recording;
use gazed::capture::synthetic::SyntheticSource;
use gazed::clock::{Clock, MonotonicClock};
use gazed::synthetic::SyntheticUser;

use crate::desk::{Running, eventually};

const PARAMETERS: &str = "seed=21,width=320,height=240,fps=15";

#[test]
fn a_synthesized_recording_holds_the_pictures_that_are_seen_live() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("recording");
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_gazectl"))
        .arg("synthesize")
        .arg(&out)
        .args(["--seconds", "2", "--source", &format!("synthetic:{PARAMETERS}")])
        .status()
        .expect("gazectl starts");
    assert!(status.success());
    let recording = Recording::open(&out).expect("a recording");
    assert_eq!(recording.rows().len(), 30);
    let truth = std::fs::read_to_string(out.join("truth.csv")).expect("the truth");
    assert!(truth.starts_with(
        "file,gaze_x,gaze_y,left_pupil_x_px,left_pupil_y_px,right_pupil_x_px,right_pupil_y_px,left_openness,\
         right_openness,movement,left_outer_x_px,left_outer_y_px"
    ));
    assert_eq!(truth.lines().count(), 31);

    let clock = Arc::new(MonotonicClock);
    let epoch = clock.now();
    let user = SyntheticUser::new(PARAMETERS.parse().expect("known keys"), epoch);
    let mut source = SyntheticSource::open(Arc::new(user), clock);
    assert_eq!(source.info().setup, recording.setup());
    let mut compared = 0;
    // A slow machine may miss some frames; the others must be equal.
    while let Some(live) = source.next_frame(Duration::from_secs(5)).expect("renders") {
        let since_epoch_ns = live.captured.as_nanos() - epoch.as_nanos();
        let mut rows = recording.rows().iter();
        let Some(row) = rows.find(|row| row.timestamp.as_nanos().abs_diff(since_epoch_ns) < 1000) else {
            break;
        };
        let recorded = recording.picture(row).expect("a picture");
        assert_eq!(recorded.pixels(), live.image.pixels(), "{}", row.file);
        compared += 1;
    }
    assert!(compared > 0, "no frame came in time");
}

#[test]
fn what_was_stopped_ends_with_a_whole_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("stopped");
    let synthesizing = Running(
        std::process::Command::new(env!("CARGO_BIN_EXE_gazectl"))
            .arg("synthesize")
            .arg(&out)
            .args(["--seconds", "3600", "--source", &format!("synthetic:{PARAMETERS}")])
            .spawn()
            .expect("gazectl starts"),
    );
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap_or_default();
    eventually("some frames are written", || read("frames.csv").lines().count() > 4);
    synthesizing.signal(rustix::process::Signal::INT);
    assert!(!synthesizing.ended().0.success());
    let (frames, truth) = (read("frames.csv"), read("truth.csv"));
    assert!(truth.ends_with('\n'), "{truth}");
    // At most the last frame's truth is missing.
    let missing = frames.lines().count() - truth.lines().count();
    assert!(missing <= 1, "{missing} rows are missing");
}

#[test]
fn what_cannot_be_synthesized_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    for (source, reason) in [
        ("camera", "use --source synthetic"),
        ("synthetic:sed=1", "no parameter `sed`"),
        ("synthetic:fps=1000", "1..240"),
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_gazectl"))
            .arg("synthesize")
            .arg(folder.path().join("never"))
            .args(["--seconds", "1", "--source", source])
            .output()
            .expect("gazectl starts");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(reason), "{message}");
        assert!(!folder.path().join("never").exists());
    }
}
