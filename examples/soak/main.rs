//! The daemon under load and faults for as long as it takes: a camera that never waits and keeps failing, the daemon on a bus,
//! and clients that check every sequence number. Fails where anything panics, memory grows, or a number is lost or repeated.
//!
//! `make soak` renders the pictures and runs this on a bus and a home folder of its own. By hand, on a bus without a gazed:
//! `cargo run --release --example soak -- FOLDER... --frames 20000`, with folders from `gazectl synthesize`.

mod camera;
mod watcher;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use gazed::client::Client;
use gazed::daemon::{self, Opener};

use self::camera::{Faults, Ring, World};
use self::watcher::{Seen, Watcher, Way};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Parser)]
struct Arguments {
    /// Folders with pictures of the synthetic user, played one after the other, again and again
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// How many frames are to be tracked
    #[arg(long, default_value_t = 20_000)]
    frames: u64,
    /// Chooses the faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Memory may not grow by more after the warm-up.
const MOST_GROWTH_KB: i64 = 1024;
/// Everything has happened often by then: each fault, a camera that was opened again, full queues.
const WARM_UP_FRAMES: u64 = 10_000;
/// The camera sends as fast as goes with most frames being tracked: decoding what is dropped takes the time of what is not.
const TRACKED_SHARE: f64 = 0.85;

static PANICS: AtomicU64 = AtomicU64::new(0);
static ERRORS: AtomicU64 = AtomicU64::new(0);

fn main() -> Result<ExitCode, Failure> {
    let arguments = Arguments::parse();
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        usual(panic);
    }));
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::ERROR)
        .with_writer(|| ErrorLog)
        .init();

    let ring = Ring::read(&arguments.folders)?;
    println!(
        "{} pictures of {}x{} px, {} MB as JPEG; seed {}",
        ring.len(),
        ring.size_px().0,
        ring.size_px().1,
        ring.bytes() / 1_000_000,
        arguments.seed
    );
    let world = World::new(ring, arguments.seed);
    let opener: Arc<Opener> = {
        let world = Arc::clone(&world);
        Arc::new(move || world.open())
    };
    let served = std::thread::spawn(move || daemon::run_on(&daemon::Arguments::parse_from(["gazed"]), opener));
    let client = Client::connect()?;
    while !client.daemon_runs()? {
        if served.is_finished() {
            return Err(format!("the daemon does not start: {:?}", served.join()).into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }

    let watchers = vec![
        Watcher::start(Way::Signals, None)?,
        Watcher::start(Way::Stream, None)?,
        Watcher::start(Way::Signals, Some(30.0))?,
    ];
    let memory = run(&arguments, &client, &world, || served.is_finished())?;
    let seen: Vec<Seen> = watchers.into_iter().map(Watcher::stop).collect::<Result<_, _>>()?;

    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)?;
    let ended = match served.join() {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            println!("the daemon ended with an error: {error:#}");
            false
        }
        Err(_) => false,
    };
    let good = [
        ended,
        memory.report(),
        report_seen(&seen),
        report_faults(&world.faults()),
    ];
    let (panics, errors) = (PANICS.load(Ordering::Relaxed), ERRORS.load(Ordering::Relaxed));
    println!("{panics} panics, {errors} errors in the log");
    if panics == 0 && errors == 0 && good.iter().all(|good| *good) {
        println!("soak: passed");
        return Ok(ExitCode::SUCCESS);
    }
    println!("soak: FAILED");
    Ok(ExitCode::FAILURE)
}

/// Resident memory over the run.
#[derive(Debug, Default)]
struct Memory {
    warm_kb: i64,
    highest_kb: i64,
    last_kb: i64,
}

impl Memory {
    fn report(&self) -> bool {
        let growth_kb = self.highest_kb - self.warm_kb;
        println!(
            "resident memory: {} kB after the warm-up, {} kB at the end, {} kB at most: {growth_kb:+} kB",
            self.warm_kb, self.last_kb, self.highest_kb
        );
        growth_kb <= MOST_GROWTH_KB
    }
}

/// Waits until enough frames have been tracked.
fn run(arguments: &Arguments, client: &Client, world: &World, ended: impl Fn() -> bool) -> Result<Memory, Failure> {
    let manager = client.manager()?;
    let start = Instant::now();
    let mut memory = Memory::default();
    let mut told = Instant::now();
    let (mut sent_before, mut tracked_before) = (0, 0);
    loop {
        std::thread::sleep(Duration::from_millis(200));
        if ended() {
            return Err("the daemon ended by itself".into());
        }
        let sent = world.sent();
        let tracked = sent.saturating_sub(manager.frames_missed()?);
        let share = tracked.saturating_sub(tracked_before) as f64 / (sent - sent_before).max(1) as f64;
        world.hurry(if share > TRACKED_SHARE { 1.05 } else { 0.95 });
        (sent_before, tracked_before) = (sent, tracked);
        let resident_kb = resident_kb()?;
        if tracked <= WARM_UP_FRAMES {
            memory.warm_kb = memory.warm_kb.max(resident_kb);
        }
        memory.highest_kb = memory.highest_kb.max(resident_kb);
        memory.last_kb = resident_kb;
        let seconds = start.elapsed().as_secs_f64();
        let enough = tracked >= arguments.frames;
        if enough || told.elapsed() > Duration::from_secs(20) {
            told = Instant::now();
            println!(
                "{seconds:.0} s: {sent} frames sent, {tracked} tracked ({:.0} a second), RSS {resident_kb} kB",
                tracked as f64 / seconds
            );
        }
        if enough {
            return Ok(memory);
        }
    }
}

fn resident_kb() -> Result<i64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)).ok_or("no VmRSS")?;
    Ok(number.parse()?)
}

fn report_seen(seen: &[Seen]) -> bool {
    for seen in seen {
        println!("{seen}");
    }
    seen.iter().all(Seen::is_right)
}

/// A soak in which a fault did not happen shows nothing about it.
fn report_faults(faults: &Faults) -> bool {
    println!("{faults}");
    let missing = faults.missing();
    if !missing.is_empty() {
        println!("never happened: {}; run more frames", missing.join(", "));
    }
    missing.is_empty()
}

/// Standard error, with a count of the lines: only errors are written to it.
struct ErrorLog;

impl Write for ErrorLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        ERRORS.fetch_add(lines as u64, Ordering::Relaxed);
        std::io::stderr().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
