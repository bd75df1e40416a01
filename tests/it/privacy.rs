//! What the daemon holds while nobody may or wants to watch, and what befalls those who do not read.

use std::fs;
use std::process::Stdio;

use gazed::bus::options::SessionOptions;
use gazed::client::{Received, Session};

use crate::desk::{Desk, PATIENCE, Running, eventually};

/// What a process has of a camera: its capturing thread, open pictures and devices, and what it maps of either.
fn of_camera(process: &Running) -> Vec<String> {
    let folder = format!("/proc/{}", process.0.id());
    let entries = |what: &str| fs::read_dir(format!("{folder}/{what}")).into_iter().flatten().flatten();
    let threads = entries("task").filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    let files = entries("fd").filter_map(|fd| Some(fs::read_link(fd.path()).ok()?.display().to_string()));
    let maps = fs::read_to_string(format!("{folder}/maps")).expect("the process runs");
    let held =
        |name: &String| name.trim() == "capture" || name.contains("/dev/video") || name.contains("empty recording");
    let mapped = maps.lines().map(str::to_owned);
    threads.chain(files).chain(mapped).filter(held).collect()
}

fn started(desk: &Desk, signals: bool) -> Session {
    let options = SessionOptions {
        signals,
        ..SessionOptions::default()
    };
    let session = desk.client().session(&options).expect("a session");
    session.start().expect("starts");
    session
}

#[test]
fn nothing_of_a_camera_is_held_without_a_started_session_and_while_paused() {
    let desk = Desk::new();
    let gazed = desk.start_gazed(&desk.empty_recording(60));
    let client = desk.client();
    let control = client.control().expect("a proxy");
    let released = || of_camera(&gazed).is_empty();
    assert_eq!(of_camera(&gazed), Vec::<String>::new(), "before anyone asked");
    let mut session = started(&desk, true);
    assert!(matches!(session.receive(PATIENCE), Received::Sample(_)));
    assert!(!released(), "this test would see a camera");
    control.pause().expect("pauses");
    eventually("nothing is held while paused", released);
    // A session that is made or started meanwhile opens nothing.
    let another = started(&desk, true);
    another.stop().expect("stops");
    another.start().expect("starts");
    assert_eq!(of_camera(&gazed), Vec::<String>::new(), "still paused");
    control.resume().expect("resumes");
    eventually("the camera is open again", || !released());
    drop((session, another));
    eventually("nothing is held without a session", released);
}

#[test]
fn one_who_does_not_read_harms_nobody() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed("synthetic:fps=60,width=160,height=120,user=absent");
    let sleeping = started(&desk, false);
    let mut stream = sleeping.open_stream().expect("a stream");
    let mut awake = started(&desk, true);
    let mut next = None;
    // Nobody is in sight: five records a second, of which ten or so fit into the socket.
    for _ in 0..30 {
        let Received::Sample(sample) = awake.receive(PATIENCE) else {
            panic!("the other one receives nothing")
        };
        assert!(
            next.is_none_or(|next| sample.record.sequence == next),
            "nothing is missed"
        );
        next = Some(sample.record.sequence + 1);
    }
    assert_eq!(awake.dropped().expect("a property"), 0);
    sleeping.stop().expect("stops");
    let dropped = sleeping.dropped().expect("a property");
    assert!(dropped > 0, "what does not fit is dropped");
    let (mut read, mut last) = (0, None);
    while let Ok(Received::Sample(sample)) = stream.receive(std::time::Duration::ZERO) {
        read += 1;
        last = Some(sample.record.sequence);
    }
    assert!((1..=16).contains(&read), "{read} records waited");
    assert!(
        last.is_some_and(|last| last < read + dropped),
        "{last:?}, {read} read, {dropped} dropped"
    );
    // Awake again, it receives what is new, and every record is accounted for.
    sleeping.start().expect("starts");
    let Ok(Received::Sample(sample)) = stream.receive(PATIENCE) else {
        panic!("it receives again")
    };
    assert_eq!(sample.record.sequence, read + dropped);
}

#[test]
fn a_new_bus_gets_a_new_daemon() {
    let mut desk = Desk::new();
    let services = desk.path("data/dbus-1/services");
    fs::create_dir_all(&services).expect("a folder");
    let activation = format!(
        "[D-BUS Service]\nName=org.gazed.Gaze1\nExec={} --source {}\n",
        env!("CARGO_BIN_EXE_gazed"),
        "synthetic"
    );
    fs::write(services.join("org.gazed.Gaze1.service"), activation).expect("writes");
    let child = desk
        .gazed("synthetic")
        .stderr(Stdio::null())
        .spawn()
        .expect("gazed starts");
    let gazed = Running(child);
    let before = desk.client();
    eventually("gazed owns its name", || before.daemon_runs().expect("the bus answers"));
    desk.restart_bus();
    let (status, _) = gazed.ended();
    assert!(status.success(), "it ends with its bus");
    let after = desk.client();
    let state = after.manager().and_then(|manager| Ok(manager.state()?));
    assert_eq!(state.expect("the first call starts it"), "idle");
    assert!(before.daemon_runs().is_err(), "the old connection is over");
}
