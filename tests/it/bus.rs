//! The bus interface as other programs meet it.

use std::collections::HashMap;
use std::process::Stdio;

use gazed::bus::options::{SessionOptions, Target};
use gazed::bus::proxies::{ManagerProxyBlocking, SessionProxyBlocking};
use gazed::bus::record::Flags;
use gazed::client::{Client, Received, Sample, Session};
use rustix::process::Signal;
use zbus::zvariant::Value;

use crate::desk::{Desk, PATIENCE, Running, eventually};
use crate::kills::{kills, moment};

pub(crate) fn session(client: &Client) -> Session {
    let options = SessionOptions {
        app_name: "black box".into(),
        ..SessionOptions::default()
    };
    client.session(&options).expect("a session")
}

pub(crate) fn next(session: &mut Session) -> Sample {
    match session.receive(PATIENCE) {
        Received::Sample(sample) => sample,
        other => panic!("no sample came: {other:?}"),
    }
}

/// The name of the error that a call was refused with.
pub(crate) fn refusal<T: std::fmt::Debug>(result: zbus::Result<T>) -> String {
    match result {
        Err(zbus::Error::MethodError(name, reason, _)) => {
            assert!(reason.is_some_and(|reason| reason.len() > 10), "a refusal says why");
            name.to_string()
        }
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn camera_is_open(manager: &ManagerProxyBlocking<'_>) -> bool {
    manager.camera_active().expect("gazed answers")
}

/// Ended by SIGTERM, cleanly.
pub(crate) fn assert_ends_cleanly(gazed: Running) {
    gazed.signal(Signal::TERM);
    let (status, said) = gazed.ended();
    assert!(status.success(), "{status}: {said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn the_camera_is_open_exactly_while_a_session_is_started() {
    let desk = Desk::new();
    let gazed = desk.start_gazed(&desk.empty_recording(60));
    let client = desk.client();
    let manager = client.manager().expect("a proxy");
    assert_eq!(manager.version().expect("a property"), 1);
    assert_eq!(manager.state().expect("a property"), "idle");

    let mut first = session(&client);
    assert!(!camera_is_open(&manager), "making a session opens nothing");
    first.start().expect("starts");
    first.start().expect("starting twice changes nothing");
    let sample = next(&mut first);
    assert!(camera_is_open(&manager));
    assert!(!sample.record.is_valid(), "there is no face in the pictures");
    assert!(sample.record.captured_ns <= sample.record.published_ns);
    assert!(sample.record.published_ns <= sample.received.as_nanos());
    let clients = manager.clients().expect("a property");
    assert_eq!(
        clients,
        [("black box".to_owned(), std::process::id(), "gaze".to_owned())]
    );
    eventually("the state tells that there is no face", || {
        manager.state().expect("a property") == "lost"
    });

    let second = session(&client);
    second.start().expect("starts");
    first.stop().expect("stops");
    first.stop().expect("stopping twice changes nothing");
    assert!(camera_is_open(&manager), "the second session still needs it");
    drop(second);
    eventually("the camera is closed", || !camera_is_open(&manager));
    assert_eq!(manager.state().expect("a property"), "idle");
    assert!(manager.clients().expect("a property").is_empty());
    first.start().expect("a stopped session starts again");
    let again = next(&mut first);
    assert!(again.record.sequence > sample.record.sequence);
    assert_ends_cleanly(gazed);
}

#[test]
fn changed_properties_are_announced() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let client = desk.client();
    // A desktop's indicator reads once and then listens.
    let indicator = ManagerProxyBlocking::new(client.connection()).expect("a proxy");
    assert_eq!(indicator.state().expect("a property"), "idle");
    assert!(indicator.clients().expect("a property").is_empty());
    let session = session(&client);
    session.start().expect("starts");
    eventually("the indicator hears of it", || {
        indicator.cached_state().expect("a text").as_deref() == Some("lost")
            && indicator.cached_camera_active().expect("a flag") == Some(true)
            && indicator
                .cached_clients()
                .expect("a list")
                .is_some_and(|clients| clients.len() == 1)
    });
    drop(session);
    eventually("the indicator hears of the end", || {
        indicator.cached_state().expect("a text").as_deref() == Some("idle")
            && indicator.cached_camera_active().expect("a flag") == Some(false)
            && indicator
                .cached_clients()
                .expect("a list")
                .is_some_and(|clients| clients.is_empty())
    });
}

#[test]
fn while_lost_records_come_five_times_a_second_with_a_growing_radius() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let mut session = session(&desk.client());
    session.start().expect("starts");
    let records: Vec<_> = (0..6).map(|_| next(&mut session).record).collect();
    for pair in records.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
        let apart_ms = (pair[1].published_ns - pair[0].published_ns) as f64 * 1e-6;
        // A busy machine may be late, but never early: the next frame after 200 ms is at most one frame off.
        assert!(apart_ms > 150.0, "{apart_ms} ms apart");
        assert!(pair[1].error_radius >= pair[0].error_radius);
        assert!(!pair[1].is_valid() && pair[1].flags.contains(Flags::FORECAST_HELD));
    }
}

#[test]
fn a_killed_client_leaves_the_camera_closed() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let client = desk.client();
    let manager = client.manager().expect("a proxy");
    let watch = desk
        .gazectl(&["watch", "--json"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let watch = Running(watch.expect("gazectl starts"));
    eventually("the camera is open", || camera_is_open(&manager));
    drop(watch);
    eventually("the camera is closed", || !camera_is_open(&manager));
    assert!(manager.clients().expect("a property").is_empty());
}

#[test]
fn nobody_else_can_touch_a_session() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let (owner, stranger) = (desk.client(), desk.client());
    let session = session(&owner);
    let theirs = SessionProxyBlocking::builder(stranger.connection())
        .path(session.proxy().inner().path().to_owned())
        .and_then(|builder| builder.build())
        .expect("a proxy");
    assert_eq!(refusal(theirs.start()), "org.gazed.Gaze1.Error.NotOwner");
    assert_eq!(refusal(theirs.stop()), "org.gazed.Gaze1.Error.NotOwner");
    assert_eq!(refusal(theirs.close()), "org.gazed.Gaze1.Error.NotOwner");
    assert_eq!(refusal(theirs.open_stream()), "org.gazed.Gaze1.Error.NotOwner");
    assert_eq!(refusal(theirs.open_latest()), "org.gazed.Gaze1.Error.NotOwner");
    session.start().expect("the owner may");
}

#[test]
fn wrong_use_is_refused_by_name() {
    let desk = Desk::new();
    let gazed = desk.start_gazed(&desk.empty_recording(60));
    let client = desk.client();
    let manager = client.manager().expect("a proxy");
    let invalid = "org.gazed.Gaze1.Error.InvalidArgument";
    for (option, value) in [
        ("horizon-ms", Value::from(-0.5)),
        ("horizon-ms", Value::from(201.0)),
        ("horizon-ms", Value::from("50")),
        ("max-rate-hz", Value::from(0.0)),
        ("app-name", Value::from(7_u32)),
    ] {
        assert_eq!(
            refusal(manager.create_session(HashMap::from([(option, value)]))),
            invalid
        );
    }
    let both = HashMap::from([("horizon-ms", Value::from(1.0)), ("lead-ms", Value::from(1.0))]);
    assert_eq!(refusal(manager.create_session(both)), invalid);

    let path = manager.create_session(HashMap::new()).expect("nothing is required");
    let session = SessionProxyBlocking::builder(client.connection())
        .path(path)
        .and_then(|builder| builder.build())
        .expect("a proxy");
    session.close().expect("closes");
    let gone = refusal(session.close());
    assert_eq!(gone, "org.freedesktop.DBus.Error.UnknownObject", "its object is gone");
    assert_eq!(refusal(session.start()), gone);
    let call = |path: &str, interface: &str, method: &str| {
        let connection = client.connection();
        let body = &("not what it takes",);
        refusal(connection.call_method(Some("org.gazed.Gaze1"), path, Some(interface), method, body))
    };
    let never_made = call("/org/gazed/Gaze1/session/4711", "org.gazed.Gaze1.Session", "Start");
    assert_eq!(never_made, gone);
    let of_manager = |method| call("/org/gazed/Gaze1", "org.gazed.Gaze1.Manager", method);
    // A wrong signature never reaches this project's code: zbus answers, under a name of its own.
    assert_eq!(of_manager("CreateSession"), "org.freedesktop.zbus.Error");
    assert_eq!(of_manager("CreateSessions"), "org.freedesktop.DBus.Error.UnknownMethod");
    let set = manager.inner().set_property("State", "tracking");
    assert!(
        matches!(set, Err(zbus::fdo::Error::UnknownProperty(_))),
        "nothing can be set: {set:?}"
    );
    assert!(manager.clients().expect("still answers").is_empty());
    assert_ends_cleanly(gazed);
}

#[test]
fn horizons_and_rates_are_each_sessions_own() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let client = desk.client();
    let ms = std::time::Duration::from_millis;
    let with = |target, max_rate_hz| {
        let options = SessionOptions {
            target,
            max_rate_hz,
            ..SessionOptions::default()
        };
        client.session(&options).expect("a session")
    };
    let mut ahead = with(Target::AfterPublishing(ms(120)), None);
    let mut slow = with(Target::AfterCapture(ms(10)), Some(1.0));
    ahead.start().expect("starts");
    slow.start().expect("starts");
    let record = next(&mut ahead).record;
    let lead_ms = (record.target_ns - record.published_ns) as f64 * 1e-6;
    assert!((100.0..=120.0).contains(&lead_ms), "{lead_ms}");
    let records = [next(&mut slow).record, next(&mut slow).record];
    assert!(records[1].published_ns - records[0].published_ns > 700_000_000);
}

#[test]
fn the_daemon_ends_when_its_bus_does() {
    let mut desk = Desk::new();
    let gazed = desk.start_gazed(&desk.empty_recording(60));
    let mut session = session(&desk.client());
    session.start().expect("starts");
    next(&mut session);
    desk.stop_bus();
    let (status, said) = gazed.ended();
    assert!(status.success(), "{said}");
    assert!(said.contains("bus is gone"), "{said}");
    while session.receive(PATIENCE) != Received::Ended {}
}

#[test]
fn clients_hear_that_the_daemon_ended() {
    let desk = Desk::new();
    let gazed = desk.start_gazed(&desk.empty_recording(60));
    let mut session = session(&desk.client());
    session.start().expect("starts");
    next(&mut session);
    assert_ends_cleanly(gazed);
    while session.receive(PATIENCE) != Received::Ended {}
}

#[test]
fn without_a_bus_a_sentence_says_what_to_do() {
    let mut desk = Desk::new();
    desk.stop_bus();
    let gazed = desk.gazed("camera").stderr(Stdio::piped()).spawn().expect("starts");
    let (status, said) = Running(gazed).ended();
    assert_eq!(status.code(), Some(1));
    assert!(
        said.contains("there is no session bus") && said.contains("dbus-run-session"),
        "{said}"
    );
}

#[test]
fn a_second_daemon_says_that_there_is_one() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed("camera");
    let second = desk.gazed("camera").stderr(Stdio::piped()).spawn().expect("starts");
    let (status, said) = Running(second).ended();
    assert_eq!(status.code(), Some(1));
    assert!(
        said.contains("already owned") && said.contains("another gazed"),
        "{said}"
    );
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    let desk = Desk::new();
    for arguments in [["--source", "webcam"], ["--sauce", "camera"]] {
        let gazed = desk
            .command(env!("CARGO_BIN_EXE_gazed"))
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn();
        let (status, said) = Running(gazed.expect("starts")).ended();
        assert_eq!(status.code(), Some(2), "{said}");
    }
}

#[test]
fn pausing_closes_the_camera_and_survives_a_restart() {
    let desk = Desk::new();
    let source = desk.empty_recording(60);
    let gazed = desk.start_gazed(&source);
    let client = desk.client();
    let manager = client.manager().expect("a proxy");
    let mut watching = session(&client);
    watching.start().expect("starts");
    next(&mut watching);
    assert!(
        desk.gazectl(&["pause"])
            .stdout(Stdio::null())
            .status()
            .expect("starts")
            .success()
    );
    eventually("the camera is closed", || !camera_is_open(&manager));
    assert_eq!(manager.state().expect("a property"), "paused");
    assert_ends_cleanly(gazed);

    let _gazed = desk.start_gazed(&source);
    assert_eq!(manager.state().expect("a property"), "paused");
    let mut watching = session(&client);
    watching.start().expect("starting is allowed");
    assert!(!camera_is_open(&manager));
    assert!(
        desk.gazectl(&["resume"])
            .stdout(Stdio::null())
            .status()
            .expect("starts")
            .success()
    );
    next(&mut watching);
    assert!(camera_is_open(&manager));
}

#[test]
fn a_reader_who_leaves_while_tracking_pauses_makes_room_for_another() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let client = desk.client();
    let (manager, control) = (client.manager().expect("a proxy"), client.control().expect("a proxy"));
    control.pause().expect("pauses");
    let open = || control.open_frames(HashMap::new());
    let readers = [(); 4].map(|()| open().expect("a socket"));
    assert_eq!(refusal(open()), "org.gazed.Gaze1.Error.NotNow");
    drop(readers);
    eventually("nobody reads frames", || {
        manager.clients().expect("a property").is_empty()
    });
    open().expect("a socket");
}

#[test]
fn frames_come_over_a_socket_until_it_is_closed() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let client = desk.client();
    let manager = client.manager().expect("a proxy");
    let control = client.control().expect("a proxy");
    let wrong = control.open_frames(HashMap::from([("what", Value::from("spying"))]));
    assert_eq!(refusal(wrong), "org.gazed.Gaze1.Error.InvalidArgument");
    let long = "x".repeat(257);
    let wrong = control.open_frames(HashMap::from([("app-name", Value::from(&long))]));
    assert_eq!(refusal(wrong), "org.gazed.Gaze1.Error.InvalidArgument");
    let wrong = control.begin_calibration(HashMap::from([("app-name", Value::from(&long))]));
    assert_eq!(refusal(wrong), "org.gazed.Gaze1.Error.InvalidArgument");

    let socket = client.frames("black box", "recording").expect("a socket");
    let mut stream = std::os::unix::net::UnixStream::from(std::os::fd::OwnedFd::from(socket));
    let (mut pixels, mut last) = (Vec::new(), None);
    for _ in 0..3 {
        let header = gazed::bus::frames::read_frame(&mut stream, &mut pixels)
            .expect("a frame")
            .expect("more frames");
        assert_eq!((header.width_px, header.height_px), (160, 120));
        assert_eq!((pixels[0], pixels[158], pixels[159 + 160 * 119]), (0, 79, 138));
        assert!(!header.tracked && header.reason.is_some());
        assert!(last.is_none_or(|last| header.sequence > last), "frames in their order");
        last = Some(header.sequence);
    }
    let clients = manager.clients().expect("a property");
    assert_eq!(
        clients,
        [("black box".to_owned(), std::process::id(), "recording".to_owned())]
    );
    drop(stream);
    eventually("the camera is closed", || !camera_is_open(&manager));
    assert!(manager.clients().expect("a property").is_empty());
}

#[test]
fn records_come_over_the_stream_and_stand_in_the_memory_file() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let client = desk.client();
    let options = SessionOptions {
        signals: false,
        ..SessionOptions::default()
    };
    let mut session = client.session(&options).expect("a session");
    let mut stream = session.open_stream().expect("a stream");
    let latest = session.open_latest().expect("a memory file");
    assert_eq!(latest.read(), None, "nothing was published yet");
    session.start().expect("starts");
    for expected in 0..3 {
        let Ok(Received::Sample(sample)) = stream.receive(PATIENCE) else {
            panic!("no record")
        };
        assert_eq!(sample.record.sequence, expected);
        assert!(latest.read().is_some_and(|record| record.sequence >= expected));
    }
    assert_eq!(
        session.receive(std::time::Duration::ZERO),
        Received::TimedOut,
        "no signals were wanted"
    );
    assert_eq!(session.dropped().expect("a property"), 0);
    let last = latest.read();
    drop(session);
    while stream.receive(PATIENCE).expect("the end") != Received::Ended {}
    assert!(latest.read().map(|record| record.sequence) >= last.map(|record| record.sequence));
}

/// Open file descriptors and threads of a process.
fn holds(process: &Running) -> (usize, usize) {
    let count = |what: &str| {
        let folder = format!("/proc/{}/{what}", process.0.id());
        std::fs::read_dir(folder).expect("the process runs").count()
    };
    (count("fd"), count("task"))
}

/// `GAZED_KILLS=200` kills so many; the test by itself a few.
#[test]
fn clients_killed_at_any_moment_leave_nothing_behind() {
    let desk = Desk::new();
    // Nobody reads its log meanwhile, and what hundreds of clients leave in it would fill the pipe.
    let mut command = desk.gazed(&desk.empty_recording(60));
    let child = command.env("RUST_LOG", "warn").stderr(Stdio::piped()).spawn();
    let gazed = Running(child.expect("gazed starts"));
    let client = desk.client();
    eventually("gazed owns its name", || client.daemon_runs().expect("the bus answers"));
    let manager = client.manager().expect("a proxy");
    // The first session makes the threads and sockets that stay.
    let mut first = session(&client);
    first.start().expect("starts");
    next(&mut first);
    drop(first);
    eventually("the camera is closed", || !camera_is_open(&manager));
    let before = holds(&gazed);
    for number in 0..kills(12) {
        let watch = desk
            .gazectl(&["watch", "--json"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let watch = Running(watch.expect("gazectl starts"));
        // Spread over the start of the program, its calls and its waiting.
        std::thread::sleep(moment(number, 0.15));
        drop(watch);
    }
    eventually("nobody is watching", || {
        manager.clients().expect("a property").is_empty()
    });
    eventually("the camera is closed", || !camera_is_open(&manager));
    eventually("nothing leaked", || holds(&gazed) == before);
    assert_ends_cleanly(gazed);
}
