//! The calibration window on a display of its own, looked at through the display's memory.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    ConfigureWindowAux, ConnectionExt as _, EventMask, InputFocus, KEY_PRESS_EVENT, KeyPressEvent,
};

use crate::desk::{Desk, Running, eventually};

/// A virtual X display; its picture stands in a file in the format of xwd.
struct Display {
    _server: Running,
    name: String,
    memory: PathBuf,
}

impl Display {
    /// `None`, with a message, where Xvfb is not installed.
    fn start(desk: &Desk, size: &str) -> Option<Self> {
        let folder = desk.path("display");
        fs::create_dir(&folder).expect("a folder");
        let spawned = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-nolisten",
                "tcp",
                "-screen",
                "0",
                &format!("{size}x24"),
                "-fbdir",
            ])
            .arg(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut server) = spawned else {
            eprintln!("skipped: Xvfb is not installed");
            return None;
        };
        let mut number = String::new();
        let stdout = server.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut number).expect("a display");
        Some(Self {
            _server: Running(server),
            name: format!(":{}", number.trim()),
            memory: folder.join("Xvfb_screen0"),
        })
    }

    /// What is on the screen now: width, height and a function that gives red, green and blue of a pixel.
    fn picture(&self) -> Picture {
        let bytes = fs::read(&self.memory).expect("the display's memory");
        let field = |index: usize| {
            let bytes = &bytes[4 * index..4 * index + 4];
            u32::from_be_bytes(bytes.try_into().expect("four bytes")) as usize
        };
        // XWDFile.h: header size, ..., width, height, ..., bytes per line, ..., colours of 12 bytes each.
        let (header, width, height, line, colours) = (field(0), field(4), field(5), field(12), field(19));
        Picture {
            pixels: bytes[header + 12 * colours..].to_vec(),
            width,
            height,
            line,
        }
    }
}

struct Picture {
    pixels: Vec<u8>,
    width: usize,
    height: usize,
    line: usize,
}

impl Picture {
    fn rgb(&self, x: usize, y: usize) -> [u8; 3] {
        let at = y * self.line + 4 * x;
        [self.pixels[at + 2], self.pixels[at + 1], self.pixels[at]]
    }

    /// The middle of all pixels of a colour, normalised, and how many there are.
    fn middle(&self, colour: [u8; 3]) -> (f64, f64, usize) {
        let (mut x_sum, mut y_sum, mut count) = (0, 0, 0);
        for y in 0..self.height {
            for x in 0..self.width {
                if self.rgb(x, y) == colour {
                    (x_sum, y_sum, count) = (x_sum + x, y_sum + y, count + 1);
                }
            }
        }
        let mean = |sum: usize, size: usize| (sum as f64 / count.max(1) as f64 + 0.5) / size as f64;
        (mean(x_sum, self.width), mean(y_sum, self.height), count)
    }
}

const CORE: [u8; 3] = [196, 44, 38];
const BACKGROUND: [u8; 3] = [38, 40, 44];
/// The panels of eyes and map.
const PANEL: [u8; 3] = [50, 53, 58];

/// Pictures that a busy machine can draw in time.
const USER: &str = "synthetic:seed=3,fps=12,width=480,height=360";

fn calibrate(desk: &Desk, display: &Display, arguments: &[&str]) -> Running {
    let all = [&["calibrate", "--profile", "window"], arguments].concat();
    let mut command = desk.gazectl(&all);
    command
        .env("DISPLAY", &display.name)
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Running(command.spawn().expect("gazectl starts"))
}

/// What the command printed, once it ended well.
fn report(mut running: Running) -> Value {
    let mut line = String::new();
    let stdout = running.0.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("text");
    let (status, said) = running.ended();
    assert!(status.success(), "{line}{said}");
    serde_json::from_str(&line).expect("JSON")
}

#[test]
fn the_window_shows_every_point_and_its_result_and_the_profile_is_kept() {
    let desk = Desk::new();
    let Some(display) = Display::start(&desk, "1000x600") else {
        return;
    };
    let _gazed = desk.start_gazed(USER);
    let mut running = calibrate(&desk, &display, &["--yes", "--json", "--points", "5"]);
    let wanted = [(0.5, 0.5), (0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9)];
    let (mut seen, mut result_seen) = ([false; 5], false);
    eventually("the command ends", || {
        let picture = display.picture();
        let (x, y, core) = picture.middle(CORE);
        // A large target that is being drawn has its whole core already.
        if core > 10 {
            for (seen, (at_x, at_y)) in seen.iter_mut().zip(wanted) {
                *seen |= (x - at_x).abs() < 0.002 && (y - at_y).abs() < 0.003;
            }
        }
        let (_, _, panel) = picture.middle(PANEL);
        result_seen |= seen.iter().all(|seen| *seen) && panel > 20_000;
        running.0.try_wait().expect("a child").is_some()
    });
    assert_eq!(seen, [true; 5], "every point was where it belongs");
    assert!(result_seen, "the result was shown");
    let report = report(running);
    // Besides the points the window has led through the postures.
    assert!(
        report["fitted"]["points"].as_u64().is_some_and(|points| points >= 7),
        "{report}"
    );
    assert_eq!(report["validated"].as_array().map(Vec::len), Some(9), "{report}");
    for number in [
        "accuracy_deg",
        "accuracy_mm",
        "accuracy_px",
        "precision_deg",
        "precision_px",
    ] {
        assert!(
            report[number].as_f64().is_some_and(|number| number > 0.0),
            "{number}: {report}"
        );
    }
    assert!(report["accuracy_deg"].as_f64().is_some_and(|deg| deg < 8.0), "{report}");
    assert!(desk.path("data/gazed/profiles/window.toml").exists());
}

#[test]
fn a_window_that_is_closed_leaves_the_old_profile_and_the_camera_closed() {
    let desk = Desk::new();
    let Some(display) = Display::start(&desk, "800x500") else {
        return;
    };
    let old = desk.path("data/gazed/profiles/window.toml");
    fs::create_dir_all(old.parent().expect("a folder")).expect("a folder");
    fs::write(&old, "old").expect("writes");
    let _gazed = desk.start_gazed(USER);
    let manager = desk.client().manager().expect("a proxy");
    let running = calibrate(&desk, &display, &[]);
    eventually("the welcome is shown, with the eyes", || {
        let picture = display.picture();
        let (.., background) = picture.middle(BACKGROUND);
        let gray = |x: usize| {
            let [r, g, b] = picture.rgb(x, 110);
            r == g && g == b
        };
        background > 100_000 && (gray(300) || gray(500))
    });
    assert!(manager.camera_active().expect("a property"));
    // As a window manager that kills what does not answer.
    running.signal(rustix::process::Signal::TERM);
    let (status, _) = running.ended();
    assert!(!status.success());
    eventually("the camera is closed", || !manager.camera_active().expect("a property"));
    assert_eq!(fs::read_to_string(&old).expect("still there"), "old");
}

/// Gives every window of a display another size, as a desktop does when a monitor is unplugged.
fn resize_windows(display: &Display, width: u32, height: u32) {
    let (connection, screen) = x11rb::connect(Some(&display.name)).expect("the display");
    let root = connection.setup().roots[screen].root;
    let tree = connection.query_tree(root).expect("asks").reply().expect("answers");
    for window in tree.children {
        let size = ConfigureWindowAux::new().width(width).height(height);
        let asked = connection.configure_window(window, &size).expect("asks");
        asked.check().expect("a window may be resized");
    }
}

/// Presses a key in the one window of a display, by its symbol.
fn press(display: &Display, symbol: u32) {
    let (connection, screen) = x11rb::connect(Some(&display.name)).expect("the display");
    let setup = connection.setup();
    let (first, last) = (setup.min_keycode, setup.max_keycode);
    let root = setup.roots[screen].root;
    let tree = connection.query_tree(root).expect("asks").reply().expect("answers");
    let asked = connection.get_keyboard_mapping(first, last - first + 1).expect("asks");
    let keys = asked.reply().expect("answers");
    let mut symbols = keys.keysyms.chunks(usize::from(keys.keysyms_per_keycode));
    let index = symbols.position(|symbols| symbols[0] == symbol).expect("a key");
    for window in tree.children {
        // Nobody manages the windows here, so nobody else gives one the keyboard.
        let focused = connection.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME);
        focused.expect("asks").check().expect("a window takes the keyboard");
        let event = KeyPressEvent {
            response_type: KEY_PRESS_EVENT,
            detail: first + index as u8,
            sequence: 0,
            time: x11rb::CURRENT_TIME,
            root,
            event: window,
            child: x11rb::NONE,
            root_x: 0,
            root_y: 0,
            event_x: 0,
            event_y: 0,
            state: Default::default(),
            same_screen: true,
        };
        let sent = connection.send_event(false, window, EventMask::KEY_PRESS, event);
        sent.expect("asks").check().expect("a window takes a key");
    }
}

#[test]
fn again_is_without_the_points_of_before() {
    const RETURN: u32 = 0xff0d;
    let desk = Desk::new();
    let Some(display) = Display::start(&desk, "800x500") else {
        return;
    };
    let _gazed = desk.start_gazed("synthetic:seed=3,fps=20,width=320,height=240");
    let calibrating = calibrate(&desk, &display, &["--json", "--still", "--points", "5"]);
    let panel = || display.picture().middle(PANEL).2;
    let begun = || display.picture().middle(CORE).2 > 10;
    eventually("the welcome is shown", || panel() > 5000);
    press(&display, RETURN);
    for key in [u32::from('r'), RETURN] {
        eventually("the first point is shown", begun);
        eventually("the result is shown", || panel() > 20_000);
        press(&display, key);
    }
    let report = report(calibrating);
    // Fewer where a busy machine missed some, but never those of both runs.
    let points = report["fitted"]["points"].as_u64();
    assert!(points.is_some_and(|points| points <= 5), "{report}");
}

#[test]
fn an_unplugged_monitor_ends_the_calibration_with_the_old_profile_untouched() {
    let desk = Desk::new();
    let Some(display) = Display::start(&desk, "800x500") else {
        return;
    };
    let old = desk.path("data/gazed/profiles/window.toml");
    fs::create_dir_all(old.parent().expect("a folder")).expect("a folder");
    fs::write(&old, "old").expect("writes");
    let _gazed = desk.start_gazed(USER);
    let running = calibrate(&desk, &display, &["--yes", "--points", "9"]);
    eventually("a point is shown", || display.picture().middle(CORE).2 > 10);
    resize_windows(&display, 640, 400);
    let (status, said) = running.ended();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains("changed its size (was the monitor unplugged") && said.contains("old profile is untouched"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&old).expect("still there"), "old");
}

#[test]
fn a_moving_target_and_clicks_calibrate_too() {
    let desk = Desk::new();
    let Some(display) = Display::start(&desk, "800x500") else {
        return;
    };
    // More pictures a second: a moving target is not looked at for long.
    let _gazed = desk.start_gazed("synthetic:seed=3,fps=20,width=320,height=240");
    for (mode, points) in [("pursuit", 40), ("click", 5)] {
        let running = calibrate(&desk, &display, &["--yes", "--json", "--mode", mode, "--points", "5"]);
        let report = report(running);
        let fitted = report["fitted"]["points"].as_u64();
        assert!(fitted.is_some_and(|fitted| fitted >= points - 1), "{mode}: {report}");
        assert!(
            report["accuracy_deg"].as_f64().is_some_and(|deg| deg < 8.0),
            "{mode}: {report}"
        );
    }
}
