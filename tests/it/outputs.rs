//! Several monitors: which ones there are, and gaze on each.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use gazed::bus::options::SessionOptions;
use gazed::client::{Client, Received};
use gazed::outputs::Output;
use x11rb::connection::Connection;
use x11rb::protocol::randr::{ConnectionExt as _, MonitorInfo};
use x11rb::protocol::xproto::ConnectionExt as _;

use crate::desk::{Desk, PATIENCE, Running, eventually};

fn names(client: &Client) -> Vec<String> {
    let outputs = client.outputs().expect("a property");
    outputs.into_iter().map(|output| output.name).collect()
}

fn on(name: Option<&str>) -> SessionOptions {
    SessionOptions {
        output: name.map(str::to_owned),
        ..SessionOptions::default()
    }
}

#[test]
fn each_session_has_the_coordinates_of_its_monitor() {
    let desk = Desk::new();
    let folder = desk.path("config/gazed");
    std::fs::create_dir_all(&folder).expect("a folder");
    let screens = "[screen]\nname = \"left\"\nsize_px = [1920, 1080]\nsize_mm = [500.0, 300.0]\n[[screen.others]]\n\
                   name = \"right\"\nposition_px = [1920, 0]\nsize_px = [3840, 2160]\nsize_mm = [1000.0, 600.0]\n";
    std::fs::write(folder.join("config.toml"), screens).expect("writes");
    let _gazed = desk.start_gazed("synthetic:fps=15,blink_rate=0");
    let client = desk.client();
    assert_eq!(names(&client), ["left", "right"]);
    let refused = client
        .session(&on(Some("middle")))
        .expect_err("there is no such monitor");
    let said = refused.to_string();
    assert!(said.contains("\"middle\"") && said.contains("left, right"), "{said}");

    let mut sessions = [client.session(&on(None)), client.session(&on(Some("right")))].map(|made| {
        let session = made.expect("a session");
        session.start().expect("starts");
        session
    });
    let mut records = sessions.each_mut().map(|session| {
        let mut records = Vec::new();
        while records.len() < 20 {
            let Received::Sample(sample) = session.receive(PATIENCE) else {
                panic!("no sample came")
            };
            if sample.record.is_valid() {
                records.push(sample.record);
            }
        }
        records
    });
    let [left, right] = &mut records;
    let mut compared = 0;
    for here in left {
        let Some(there) = right.iter().find(|there| there.captured_ns == here.captured_ns) else {
            continue;
        };
        // The right one begins where the left one ends, and is twice as large.
        assert!((there.gaze_x - (here.gaze_x - 1.0) / 2.0).abs() < 1e-9);
        assert!((there.gaze_y - here.gaze_y / 2.0).abs() < 1e-9);
        assert!((there.forecast_x - (here.forecast_x - 1.0) / 2.0).abs() < 1e-9);
        assert!((there.error_radius - here.error_radius / 2.0).abs() < 1e-9);
        compared += 1;
    }
    assert!(compared > 5, "{compared}");
}

/// An X server without a screen to look at; `None`, said so, where Xvfb is not installed.
pub fn x_server(size: &str) -> Option<(Running, String)> {
    let child = Command::new("Xvfb")
        .args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            &format!("{size}x24"),
            "-nolisten",
            "tcp",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(child) = child else {
        eprintln!("skipped: Xvfb is not installed");
        return None;
    };
    let mut server = Running(child);
    let mut number = String::new();
    let stdout = server.0.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut number).expect("a display");
    Some((server, format!(":{}", number.trim())))
}

#[test]
fn the_x_server_tells_of_its_monitors_and_their_changes() {
    let Some((_server, display)) = x_server("1600x900") else {
        return;
    };
    let (x, screen) = x11rb::connect(Some(&display)).expect("the server answers");
    let root = x.setup().roots[screen].root;
    let set = |name: &[u8], at: i16, width: u16, primary: bool| {
        let monitor = MonitorInfo {
            name: x.intern_atom(false, name).expect("sent").reply().expect("an atom").atom,
            primary,
            automatic: false,
            x: at,
            y: 0,
            width,
            height: 900,
            width_in_millimeters: 400,
            height_in_millimeters: 250,
            outputs: Vec::new(),
        };
        x.randr_set_monitor(root, monitor)
            .expect("sent")
            .check()
            .expect("accepted");
    };
    set(b"LEFT", 0, 800, false);
    set(b"RIGHT", 800, 800, true);

    let desk = Desk::new();
    let mut command = desk.gazed(&desk.empty_recording(60));
    let child = command.env("DISPLAY", &display).stderr(Stdio::null()).spawn();
    let _gazed = Running(child.expect("gazed starts"));
    let client = desk.client();
    eventually("gazed owns its name", || client.daemon_runs().expect("the bus answers"));
    let outputs = client.outputs().expect("a property");
    let right = Output {
        name: "RIGHT".into(),
        position_px: [800, 0],
        size_px: [800, 900],
        size_mm: [400.0, 250.0],
    };
    assert_eq!(outputs[0], right, "the primary one comes first");
    assert!(outputs.iter().any(|output| output.name == "LEFT"));

    set(b"THIRD", 0, 100, false);
    eventually("the new monitor is known", || {
        names(&client).contains(&"THIRD".to_owned())
    });
}

#[test]
fn the_wayland_compositor_tells_of_its_monitors() {
    let desk = Desk::new();
    let compositor = desk
        .command("weston")
        .args([
            "--backend=headless-backend.so",
            "--width=1280",
            "--height=720",
            "--socket=gazed-test",
        ])
        .env("XDG_RUNTIME_DIR", desk.home.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(compositor) = compositor else {
        eprintln!("skipped: weston is not installed");
        return;
    };
    let _compositor = Running(compositor);
    eventually("the compositor listens", || desk.path("gazed-test").exists());
    let mut command = desk.gazed(&desk.empty_recording(60));
    command
        .env("XDG_RUNTIME_DIR", desk.home.path())
        .env("WAYLAND_DISPLAY", "gazed-test")
        .stderr(Stdio::null());
    let _gazed = Running(command.spawn().expect("gazed starts"));
    let client = desk.client();
    eventually("gazed owns its name", || client.daemon_runs().expect("the bus answers"));
    let outputs = client.outputs().expect("a property");
    assert_eq!(outputs.len(), 1);
    assert_eq!(outputs[0].size_px, [1280, 720]);
    assert_ne!(outputs[0].name, "screen", "the compositor's own name");
}

/// The base block of a 24-inch monitor's EDID (VESA E-EDID 1.4), 531 x 299 mm, 1920 x 1080.
fn edid() -> [u8; 128] {
    let mut block = [0; 128];
    block[..8].copy_from_slice(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
    block[8..16].copy_from_slice(&[0x10, 0xac, 0xc4, 0xa0, 0x31, 0x42, 0x56, 0x4c]);
    block[21..23].copy_from_slice(&[53, 30]);
    block[54..72].copy_from_slice(&[
        2, 0x3a, 0x80, 0x18, 0x71, 0x38, 0x2d, 0x40, 0x58, 0x2c, 0x45, 0, 0x13, 0x2b, 0x21, 0, 0, 0x1e,
    ]);
    block[127] = block.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
    block
}

#[test]
fn a_monitor_says_how_large_it_is_and_a_person_does_where_it_does_not() {
    let desk = Desk::new();
    let client = desk.client();
    {
        let _gazed = desk.start_gazed(&desk.empty_recording(60));
        let outputs = client.outputs().expect("a property");
        assert_eq!((outputs[0].name.as_str(), outputs[0].size_mm), ("screen", [0.0, 0.0]));
        let refused = client.calibration(None, Some((5.0, 300.0))).expect_err("too small");
        assert!(refused.to_string().contains("30 to 10000 mm"), "{refused}");
        client.calibration(None, Some((310.0, 174.0))).expect("begins");
    }
    let connector = desk.path("drm/card1-HDMI-A-1");
    std::fs::create_dir_all(&connector).expect("a folder");
    std::fs::write(connector.join("edid"), edid()).expect("writes");
    let damaged = desk.path("drm/card1-DP-1");
    std::fs::create_dir_all(&damaged).expect("a folder");
    std::fs::write(damaged.join("edid"), &edid()[..77]).expect("writes");
    eventually("the name is free", || !client.daemon_runs().expect("the bus answers"));
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let outputs = client.outputs().expect("a property");
    assert_eq!(outputs.len(), 1);
    assert_eq!(outputs[0].name, "HDMI-A-1");
    assert_eq!((outputs[0].size_mm, outputs[0].size_px), ([531.0, 299.0], [1920, 1080]));
}
