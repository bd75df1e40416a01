//! The daemon as a service: ending when unused, and following the session's lock.

use std::io::{PipeReader, Read};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use gazed::client::{Client, Received};
use zbus::interface;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{ObjectPath, OwnedFd, OwnedObjectPath};

use crate::desk::{Desk, PATIENCE, Running, eventually};

fn configure(desk: &Desk, service: &str) {
    let folder = desk.path("config/gazed");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("config.toml"), format!("[service]\n{service}\n")).expect("writes");
}

#[test]
fn an_unused_daemon_ends_and_a_used_one_stays() {
    let desk = Desk::new();
    configure(&desk, "idle_exit_s = 1");
    let gazed = desk.start_gazed(&desk.empty_recording(60));
    let client = desk.client();
    let mut session = client
        .session(&gazed::bus::options::SessionOptions::default())
        .expect("a session");
    session.start().expect("starts");
    // Ten records at five a second: twice as long as it would stay without a client.
    for _ in 0..10 {
        assert!(
            matches!(session.receive(PATIENCE), Received::Sample(_)),
            "it stays while it is used"
        );
    }
    drop(session);
    let (status, said) = gazed.ended();
    assert!(status.success() && said.contains("nobody has asked for gaze"), "{said}");
}

#[derive(Clone, Default)]
struct Login {
    /// Each ends once the machine may sleep as far as this delay is concerned.
    delays: Arc<Mutex<Vec<PipeReader>>>,
}

#[interface(name = "org.freedesktop.login1.Manager")]
impl Login {
    fn get_session(&self, id: &str) -> OwnedObjectPath {
        assert_eq!(id, "auto");
        ObjectPath::from_static_str_unchecked("/org/freedesktop/login1/session/c1").into()
    }

    fn inhibit(&self, what: &str, who: &str, why: &str, mode: &str) -> OwnedFd {
        assert_eq!((what, who, mode), ("sleep", "gazed", "delay"));
        assert!(why.contains("camera"), "{why}");
        let (ends, held) = std::io::pipe().expect("a pipe");
        self.delays.lock().expect("no panic").push(ends);
        std::os::fd::OwnedFd::from(held).into()
    }

    #[zbus(signal)]
    async fn prepare_for_sleep(emitter: &SignalEmitter<'_>, start: bool) -> zbus::Result<()>;
}

struct LoginSession {
    locked: bool,
}

#[interface(name = "org.freedesktop.login1.Session")]
impl LoginSession {
    #[zbus(property)]
    fn locked_hint(&self) -> bool {
        self.locked
    }
}

const LOGIN_PATH: &str = "/org/freedesktop/login1";
const LOGIN_SESSION_PATH: &str = "/org/freedesktop/login1/session/c1";

/// A logind on the desk, whose bus stands in for the system's too, and a gazed that hears it.
fn with_logind(desk: &Desk, locked: bool) -> (Client, Running) {
    let login = desk.client();
    let server = login.connection().object_server();
    server.at(LOGIN_PATH, Login::default()).expect("serves");
    server.at(LOGIN_SESSION_PATH, LoginSession { locked }).expect("serves");
    drop(server);
    login
        .connection()
        .request_name("org.freedesktop.login1")
        .expect("the name is free");
    let mut command = desk.gazed(&desk.empty_recording(60));
    command
        .env("DBUS_SYSTEM_BUS_ADDRESS", desk.address())
        .stderr(Stdio::null());
    let gazed = Running(command.spawn().expect("gazed starts"));
    eventually("gazed owns its name", || login.daemon_runs().expect("the bus answers"));
    (login, gazed)
}

#[test]
fn a_locked_session_closes_the_camera() {
    let desk = Desk::new();
    configure(&desk, "pause_when_locked = true");
    let (login, _gazed) = with_logind(&desk, true);
    let server = login.connection().object_server();
    let client = desk.client();
    let manager = client.manager().expect("a proxy");
    eventually("the lock is noticed", || {
        manager.state().expect("a property") == "paused"
    });
    let mut watching = client
        .session(&gazed::bus::options::SessionOptions::default())
        .expect("a session");
    watching.start().expect("starts");
    assert!(!manager.camera_active().expect("a property"));
    assert!(manager.state_detail().expect("a property").contains("locked"));

    let session = server.interface::<_, LoginSession>(LOGIN_SESSION_PATH).expect("served");
    session.get_mut().locked = false;
    zbus::block_on(session.get().locked_hint_changed(session.signal_emitter())).expect("the bus is there");
    assert!(
        matches!(watching.receive(PATIENCE), Received::Sample(_)),
        "unlocked, it goes on"
    );
    assert!(manager.camera_active().expect("a property"));
}

#[test]
fn a_sleeping_machine_closes_the_camera_and_waking_up_opens_it() {
    let desk = Desk::new();
    let (login, _gazed) = with_logind(&desk, true);
    let client = desk.client();
    let manager = client.manager().expect("a proxy");
    let mut watching = client
        .session(&gazed::bus::options::SessionOptions::default())
        .expect("a session");
    watching.start().expect("starts");
    assert!(
        matches!(watching.receive(PATIENCE), Received::Sample(_)),
        "a locked session alone pauses nothing"
    );
    let server = login.connection().object_server();
    let logind = server.interface::<_, Login>(LOGIN_PATH).expect("served");
    let sleep = |asleep| {
        let told = Login::prepare_for_sleep(logind.signal_emitter(), asleep);
        zbus::block_on(told).expect("the bus is there");
    };
    let delays = logind.get().clone().delays;
    let taken = |times| delays.lock().expect("no panic").len() == times;
    eventually("sleep is put off, and so is listened for", || taken(1));
    sleep(true);
    let mut delay = delays.lock().expect("no panic").remove(0);
    assert_eq!(delay.read(&mut [0]).expect("reads"), 0, "it is let go of");
    assert!(!manager.camera_active().expect("a property"), "not before the camera");
    assert!(taken(0), "asleep, nothing is to be put off");
    assert_eq!(manager.state().expect("a property"), "paused");
    assert!(manager.state_detail().expect("a property").contains("sleeps"));
    sleep(false);
    eventually("the camera is open again", || {
        manager.state().expect("a property") == "lost"
    });
    eventually("the next sleep is put off", || taken(1));
}

#[test]
fn the_user_unit_is_well_formed_and_lets_little_in() {
    let desk = Desk::new();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_gazed"));
    let folder = program.parent().expect("a folder").display().to_string();
    let unit = desk.path("gazed.service");
    let text = include_str!("../../systemd/gazed.service").replace("@BINDIR@", &folder);
    std::fs::write(&unit, text).expect("writes");
    let analyze = |arguments: &[&str]| {
        let mut command = desk.command("systemd-analyze");
        command
            .env("XDG_RUNTIME_DIR", desk.home.path())
            .args(arguments)
            .arg(&unit);
        command.output()
    };
    let Ok(verified) = analyze(&["--user", "verify"]) else {
        eprintln!("skipped: systemd-analyze is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && !said.contains("gazed.service"), "{said}");
    // Tenths: an exposure of at most 2.0 of 10.
    let rated = analyze(&["security", "--offline=true", "--threshold=20"]).expect("installed");
    assert!(rated.status.success(), "{}", String::from_utf8_lossy(&rated.stdout));
}

#[test]
fn the_activation_file_names_the_bus_name_and_the_unit() {
    let activation = include_str!("../../systemd/org.gazed.Gaze1.service");
    assert!(activation.contains("Name=org.gazed.Gaze1\n") && activation.contains("SystemdService=gazed.service"));
    // Started by D-Bus itself, where there is no systemd.
    let desk = Desk::new();
    let services = desk.path("data/dbus-1/services");
    std::fs::create_dir_all(&services).expect("a folder");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_gazed"));
    let folder = program.parent().expect("a folder").display().to_string();
    let activation = activation.replace("@BINDIR@", &folder);
    // The private bus has no systemd to ask.
    let plain: String = activation
        .lines()
        .filter(|line| !line.starts_with("SystemdService"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(services.join("org.gazed.Gaze1.service"), plain).expect("writes");
    let client = desk.client();
    assert!(!client.daemon_runs().expect("answers"));
    let state = client
        .manager()
        .and_then(|manager| Ok(manager.state()?))
        .expect("the first call starts it");
    assert_eq!(state, "idle");
    assert!(client.daemon_runs().expect("answers"));
}
