//! SIGHUP: the configuration is read again while the daemon runs.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};

use gazed::bus::options::SessionOptions;
use gazed::client::Received;
use rustix::process::Signal;

use crate::bus::{next, refusal, session};
use crate::desk::{Desk, PATIENCE, Running, eventually};

/// A running daemon with a configuration of its own, and what it logs.
struct Configured {
    desk: Desk,
    gazed: Running,
    said: Receiver<String>,
}

impl Configured {
    fn start(source: impl FnOnce(&Desk) -> String, config: &str) -> Self {
        let desk = Desk::new();
        fs::create_dir_all(desk.path("config/gazed")).expect("a folder");
        fs::write(desk.path("config/gazed/config.toml"), config).expect("a file");
        let mut gazed = desk
            .gazed(&source(&desk))
            .stderr(Stdio::piped())
            .spawn()
            .expect("gazed starts");
        let stderr = gazed.stderr.take().expect("piped");
        let (lines, said) = channel();
        std::thread::spawn(move || {
            let read = BufReader::new(stderr).lines().map_while(Result::ok);
            read.for_each(|line| drop(lines.send(line)));
        });
        let client = desk.client();
        eventually("gazed owns its name", || client.daemon_runs().expect("the bus answers"));
        Self {
            desk,
            gazed: Running(gazed),
            said,
        }
    }

    /// Writes another configuration and has it read; the line of the log that has these words.
    fn reload(&self, config: &str, words: &str) -> String {
        fs::write(self.desk.path("config/gazed/config.toml"), config).expect("a file");
        self.gazed.signal(Signal::HUP);
        self.says(words)
    }

    fn says(&self, words: &str) -> String {
        loop {
            let line = self.said.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("the log never says `{words}`"));
            if line.contains(words) {
                return line;
            }
        }
    }
}

const READ: &str = "the configuration was read again";

#[test]
fn a_file_with_a_mistake_changes_nothing_and_a_right_one_all_it_can() {
    let daemon = Configured::start(|desk| desk.empty_recording(60), "");
    let client = daemon.desk.client();
    let mut watching = session(&client);
    watching.start().expect("starts");
    next(&mut watching);

    for (wrong, why) in [
        ("[clients]\npolcy = 'list'\n", "did you mean `clients.policy`?"),
        ("[clients]\npolicy = 'nobody'\n", "nobody"),
        ("[clients\n", "line 1"),
    ] {
        let line = daemon.reload(wrong, "the configuration stays as it was");
        assert!(line.contains("ERROR") && line.contains("config.toml"), "{line}");
        // A parser's reason has lines of its own.
        if !line.contains(why) {
            daemon.says(why);
        }
        next(&mut watching);
    }

    let line = daemon.reload(
        "[forecast]\nmethod = 'hold'\n[profile]\nname = 'glasses'\nlearn_from_clicks = true\n[camera]\ntilt_down_deg = 5\n",
        READ,
    );
    for key in ["forecast.method", "profile.learn_from_clicks", "camera.tilt_down_deg"] {
        assert!(line.contains(key), "{line}");
    }
    assert!(!line.contains("profile.name"), "{line}");
    assert!(daemon.says("wait for the next start").contains("profile.name"));
    // The recording has not begun again: frames are of the same stream, and clicks are listened to now.
    next(&mut watching);
    let control = client.control().expect("a proxy");
    let refused = control.add_sample(0.5, 0.5, 1);
    assert!(
        !matches!(&refused, Err(error) if error.to_string().contains("learn_from_clicks")),
        "{refused:?}"
    );
    assert_eq!(refusal(refused), "org.gazed.Gaze1.Error.NotNow", "nobody is in sight");
    assert!(
        daemon.reload("", READ).contains("forecast.method"),
        "a missing key is back at its default"
    );
}

#[test]
fn a_program_that_may_not_watch_any_more_stops_seeing() {
    let daemon = Configured::start(|desk| desk.empty_recording(60), "");
    let client = daemon.desk.client();
    let mut watching = session(&client);
    watching.start().expect("starts");
    next(&mut watching);
    let manager = client.manager().expect("a proxy");

    daemon.reload("[clients]\npolicy = 'list'\n", READ);
    eventually("the camera is closed", || !manager.camera_active().expect("a property"));
    assert!(manager.clients().expect("a property").is_empty());
    let refused = client.session(&SessionOptions::default());
    assert!(
        refused.is_err_and(|error| error.to_string().contains("clients.allowed")),
        "it gets no other session"
    );

    daemon.reload("", READ);
    let mut again = session(&client);
    again.start().expect("starts");
    assert!(matches!(again.receive(PATIENCE), Received::Sample(_)), "allowed again");
}

#[test]
fn another_camera_is_tried_at_once() {
    if std::path::Path::new("/dev/video0").exists() {
        eprintln!("skipped: this machine has a camera, which a test must not switch on");
        return;
    }
    let daemon = Configured::start(|_| "camera".into(), "[camera]\nname = 'left'\n");
    let client = daemon.desk.client();
    let watching = session(&client);
    watching.start().expect("starts");
    let manager = client.manager().expect("a proxy");
    let told = |name: &str| {
        let detail = manager.state_detail().expect("a property");
        detail.contains(&format!("`{name}`"))
    };
    eventually("the left camera is missed", || told("left"));
    daemon.reload("[camera]\nname = 'right'\n", READ);
    eventually("the right camera is missed", || told("right"));
}

#[test]
fn what_repeats_itself_is_told_once() {
    let daemon = Configured::start(|_| "recording:/nonexistent".into(), "");
    let watching = session(&daemon.desk.client());
    watching.start().expect("starts");
    let first = daemon.says("the camera cannot be opened");
    assert!(first.contains("/nonexistent"), "{first}");
    // It is tried again after 0.25, 0.75 and 1.75 seconds.
    std::thread::sleep(std::time::Duration::from_secs(2));
    daemon.gazed.signal(Signal::TERM);
    let rest: Vec<String> = daemon.said.iter().collect();
    assert!(rest.iter().any(|line| line.contains("asked to end")), "{rest:?}");
    assert!(!rest.iter().any(|line| line.contains("cannot be opened")), "{rest:?}");
}

#[test]
fn the_idle_exit_can_be_switched_on_later() {
    let daemon = Configured::start(|desk| desk.empty_recording(60), "");
    daemon.reload("[service]\nidle_exit_s = 1\n", READ);
    daemon.says("nobody has asked for gaze");
    let (status, _) = daemon.gazed.ended();
    assert!(status.success(), "{status}");
}
