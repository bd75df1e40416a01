//! A private desk for one test: a bus, a home folder, and the programs on it. All end with the test.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use gazed::client::Client;
use tempfile::TempDir;

/// Far longer than anything takes on a busy machine; only a failing test waits for so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A process that is killed with the test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).expect("the process is there");
    }

    /// Waits until the process ends; its exit status and what it wrote to standard error.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        if let Some(mut stderr) = self.0.stderr.take() {
            // Read aside, as a full pipe would keep the process from ending.
            let reader = std::thread::spawn(move || {
                let _ = stderr.read_to_string(&mut said);
                said
            });
            let status = self.wait();
            return (status, reader.join().expect("reads"));
        }
        (self.wait(), said)
    }

    fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("a child") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the process does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

pub struct Desk {
    pub home: TempDir,
    address: String,
    bus: Option<Running>,
}

impl Desk {
    pub fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut desk = Self {
            address: format!("unix:path={}", home.path().join("bus").display()),
            bus: None,
            home,
        };
        desk.start_bus();
        desk
    }

    fn start_bus(&mut self) {
        let mut child = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address", "--address"])
            .arg(&self.address)
            // Programs that it starts live on this desk too.
            .env("HOME", self.home.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_STATE_HOME", self.path("state"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon is installed (tests/setup.sh)");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("an address");
        assert!(line.starts_with("unix:"), "the bus did not start");
        self.bus = Some(Running(child));
    }

    /// The bus goes away at once, as when a session ends.
    pub fn stop_bus(&mut self) {
        self.bus = None;
    }

    /// Another bus at the same address.
    pub fn restart_bus(&mut self) {
        self.stop_bus();
        let _ = std::fs::remove_file(self.path("bus"));
        self.start_bus();
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A program on this desk that sees nothing of the real one.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .env("HOME", self.home.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("GAZED_DRM", self.path("drm"))
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        command
    }

    pub fn gazed(&self, source: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_gazed"));
        command.arg("--source").arg(source);
        command
    }

    pub fn gazectl(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_gazectl"));
        command.args(arguments);
        command
    }

    /// Starts the daemon and waits until it owns its name.
    pub fn start_gazed(&self, source: &str) -> Running {
        let child = self.gazed(source).stderr(Stdio::piped()).spawn().expect("gazed starts");
        let running = Running(child);
        let client = self.client();
        eventually("gazed owns its name", || client.daemon_runs().expect("the bus answers"));
        running
    }

    pub fn client(&self) -> Client {
        Client::connect_to(&self.address).expect("the private bus is there")
    }

    /// A recording of gray pictures without a face, `seconds` long at 30 frames a second.
    pub fn empty_recording(&self, seconds: u32) -> String {
        let folder = self.path("empty recording");
        write_empty_recording(&folder, seconds);
        format!("recording:{}", folder.display())
    }
}

fn write_empty_recording(folder: &Path, seconds: u32) {
    std::fs::create_dir_all(folder).expect("a folder");
    let picture = image::GrayImage::from_fn(160, 120, |x, y| image::Luma([(x / 2 + y / 2) as u8]));
    picture.save(folder.join("gray.png")).expect("a picture");
    let mut rows = String::from("file,timestamp_ns,target_x_px,target_y_px\n");
    for frame in 0..u64::from(seconds) * 30 {
        rows += &format!("gray.png,{},,\n", 1_000_000_000 + frame * 33_333_333);
    }
    std::fs::write(folder.join("frames.csv"), rows).expect("a list");
}

/// Waits until something holds. Not a measure of time: only a failing test waits for long.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "this never came about: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
