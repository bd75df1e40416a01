//! Cameras behind PipeWire: a private one with its session manager, and a camera that plays the synthetic user.
//!
//! Skipped, and said so, where `pipewire` and `wireplumber` are not installed.

mod camera;
mod portal;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use gazed::bus::options::SessionOptions;
use gazed::client::{Received, Session};

use crate::cli::run;
use crate::desk::{Desk, PATIENCE, Running, eventually};

/// A desk with a PipeWire of its own.
struct Studio {
    // Ended in this order.
    servers: Vec<Running>,
    recording: String,
    desk: Desk,
}

impl Studio {
    /// `None` where it cannot be had here.
    fn new() -> Option<Self> {
        let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
        if !has("pipewire") || !has("wireplumber") {
            eprintln!("skipped: pipewire and wireplumber are not installed");
            return None;
        }
        let desk = Desk::new();
        std::fs::create_dir(desk.path("run")).expect("a folder");
        let recording = desk.path("user").display().to_string();
        let source = "synthetic:seed=5,width=320,height=240,fps=30";
        let said = run(&mut desk.gazectl(&["synthesize", &recording, "--seconds", "6", "--source", source]));
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let mut studio = Self {
            servers: Vec::new(),
            recording,
            desk,
        };
        studio.start_servers();
        Some(studio)
    }

    fn socket(&self) -> PathBuf {
        self.desk.path("run/pipewire-0")
    }

    fn start_servers(&mut self) {
        let start = |program: &str| {
            let child = self
                .inside(self.desk.command(program))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            Running(child.expect("installed"))
        };
        let pipewire = start("pipewire");
        eventually("PipeWire serves", || {
            std::os::unix::net::UnixStream::connect(self.socket()).is_ok()
        });
        let manager = start("wireplumber");
        self.servers = vec![manager, pipewire];
    }

    /// Makes a program see this PipeWire and no other.
    fn inside(&self, mut command: Command) -> Command {
        command
            .env("XDG_RUNTIME_DIR", self.desk.path("run"))
            .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent")
            .env_remove("PIPEWIRE_REMOTE");
        command
    }

    /// Plugs a camera in that sends this format; what it says of its stream's state.
    fn camera(&self, format: &str) -> (Running, Receiver<String>) {
        let program = std::env::current_exe().expect("this program");
        let mut command = self.inside(self.desk.command(&program.display().to_string()));
        command
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "pipewire::camera::plays_until_killed",
            ])
            .env(camera::FORMAT, format)
            .env(camera::RECORDING, &self.recording)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut camera: Child = command.spawn().expect("this program starts");
        let said = BufReader::new(camera.stdout.take().expect("piped")).lines();
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in said.map_while(Result::ok) {
                if let Some(state) = line.strip_prefix(camera::SAYS) {
                    let _ = sender.send(state.to_owned());
                }
            }
        });
        (Running(camera), receiver)
    }

    fn start_gazed(&self, source: &str) -> Running {
        let gazed = self.inside(self.desk.gazed(source)).stderr(Stdio::null()).spawn();
        let gazed = Running(gazed.expect("gazed starts"));
        let client = self.desk.client();
        eventually("gazed owns its name", || client.daemon_runs().expect("the bus answers"));
        gazed
    }

    fn session(&self) -> Session {
        let session = self
            .desk
            .client()
            .session(&SessionOptions::default())
            .expect("a session");
        session.start().expect("starts");
        session
    }

    fn state(&self) -> (String, String) {
        let manager = self.desk.client().manager().expect("a proxy");
        (
            manager.state().expect("a property"),
            manager.state_detail().expect("a property"),
        )
    }
}

/// When the next frame with a gaze was taken.
fn next_seen(session: &mut Session) -> u64 {
    loop {
        match session.receive(PATIENCE) {
            Received::Sample(sample) if sample.record.is_valid() => return sample.record.captured_ns,
            Received::Sample(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn wait_for(states: &Receiver<String>, wanted: &str) {
    loop {
        let state = states.recv_timeout(PATIENCE);
        if state.unwrap_or_else(|error| panic!("it is never {wanted}: {error}")) == wanted {
            return;
        }
    }
}

#[test]
fn a_camera_is_tracked_by_its_own_clock_and_off_without_listeners() {
    let Some(studio) = Studio::new() else { return };
    let (_camera, states) = studio.camera("YUY2");
    let _gazed = studio.start_gazed("camera:pipewire:desk-camera");
    let mut session = studio.session();
    let first = next_seen(&mut session);
    let manager = studio.desk.client().manager().expect("a proxy");
    assert_eq!(manager.camera_name().expect("a property"), camera::DESCRIPTION);
    // Frames are stamped by the camera, which keeps time exactly; whenever they arrive.
    for _ in 0..20 {
        let since = next_seen(&mut session) - first;
        let off = since.abs_diff((since + camera::INTERVAL_NS / 2) / camera::INTERVAL_NS * camera::INTERVAL_NS);
        assert!(off <= 1, "{off} ns beside the camera's clock");
    }
    wait_for(&states, "streaming");
    drop(session);
    wait_for(&states, "paused");

    let listed = run(&mut studio.inside(studio.desk.gazectl(&["cameras", "--json"])));
    let camera = listed
        .stdout
        .lines()
        .find(|line| line.contains("\"pipewire:desk-camera\""));
    assert!(
        camera.is_some_and(|camera| camera.contains(camera::DESCRIPTION)),
        "{}",
        listed.stdout
    );
    let listed = run(&mut studio.inside(studio.desk.gazectl(&["cameras", "--modes"])));
    assert!(
        listed.stdout.contains("gazed chooses YUYV 320x240 at 30 Hz"),
        "{}",
        listed.stdout
    );
}

#[test]
fn every_format_is_read() {
    let Some(studio) = Studio::new() else { return };
    let _gazed = studio.start_gazed("camera:pipewire");
    for format in camera::FORMATS {
        let (_camera, _states) = studio.camera(format);
        let mut session = studio.session();
        next_seen(&mut session);
        println!("{format}: tracked");
    }
}

#[test]
fn a_camera_and_a_pipewire_that_vanish_are_used_again_when_they_come_back() {
    let Some(mut studio) = Studio::new() else { return };
    let (camera, _states) = studio.camera("NV12");
    let _gazed = studio.start_gazed("camera:pipewire:Desk");
    let mut session = studio.session();
    next_seen(&mut session);

    drop(camera);
    eventually("the camera is missed", || studio.state().0 == "no-camera");
    eventually("it is said which one", || studio.state().1.contains("no camera is"));
    let (_camera, _states) = studio.camera("NV12");
    eventually("the camera is back", || studio.state().0 == "tracking");

    studio.servers.clear();
    eventually("PipeWire is missed", || {
        studio.state().1.contains("PipeWire does not answer")
    });
    assert_eq!(studio.state().0, "no-camera");
    studio.start_servers();
    let (_camera, _states) = studio.camera("NV12");
    eventually("all is back", || studio.state().0 == "tracking");
}

#[test]
fn the_portal_lets_a_camera_in_and_keeps_it_out() {
    let Some(studio) = Studio::new() else { return };
    let (_camera, _states) = studio.camera("GRAY8");
    let portal = portal::Portal::start(&studio.desk, studio.socket());
    // Nothing but what the portal opens: gazed's own folder has no PipeWire.
    let mut command = studio.desk.gazed("camera:portal");
    command
        .env("XDG_RUNTIME_DIR", studio.desk.home.path())
        .stderr(Stdio::null());
    let _gazed = Running(command.spawn().expect("gazed starts"));
    let client = studio.desk.client();
    eventually("gazed owns its name", || client.daemon_runs().expect("the bus answers"));
    let mut session = studio.session();
    eventually("the refusal is told", || studio.state().1.contains("portal refused"));
    assert_eq!(studio.state().0, "no-camera");
    portal.allow();
    next_seen(&mut session);
}
