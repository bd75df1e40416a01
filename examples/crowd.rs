//! Many clients at once, at different rates and horizons: does each get what it should, and what does it cost the daemon?
//!
//! `cargo run --release --example crowd [CLIENTS] [SECONDS]`, with gazed running on the same bus and somebody in sight.

use std::fs;
use std::time::Duration;

use gazed::bus::names::BUS_NAME;
use gazed::bus::options::{SessionOptions, Target};
use gazed::client::{Client, ClientError, Received};
use gazed::clock::{Clock, MonotonicClock};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What one client saw.
struct Seen {
    max_rate_hz: Option<f64>,
    received: u64,
    /// Numbers of the session's sequence that never came.
    gaps: u64,
    dropped: u64,
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let clients: u64 = arguments.next().map_or(Ok(20), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(20), |text| text.parse())?;

    let bus = zbus::blocking::Connection::session()?;
    let daemon = zbus::blocking::fdo::DBusProxy::new(&bus)?.get_connection_unix_process_id(BUS_NAME.try_into()?)?;
    let one = Cost::of(daemon, || watch(1, seconds))?;
    println!("1 client: {one}");
    let many = Cost::of(daemon, || watch(clients, seconds))?;
    println!("{clients} clients: {many}");
    let more = many.cpu_percent - one.cpu_percent;
    println!(
        "{more:+.1} % of a core, {:+} kB for {clients} clients over one",
        many.rss_kb - one.rss_kb
    );
    Ok(())
}

/// What the daemon took while something ran.
struct Cost {
    cpu_percent: f64,
    rss_kb: i64,
    threads: i64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            cpu_percent,
            rss_kb,
            threads,
        } = self;
        write!(f, "{cpu_percent:.1} % of a core, RSS {rss_kb} kB, {threads} threads")
    }
}

impl Cost {
    fn of(pid: u32, run: impl FnOnce() -> Result<(), Failure>) -> Result<Self, Failure> {
        let (start, before) = (MonotonicClock.now(), ticks(pid)?);
        run()?;
        let (end, after) = (MonotonicClock.now(), ticks(pid)?);
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let number = |name: &str| -> Option<i64> {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        Ok(Self {
            // Linux counts a hundred ticks a second, whatever its own clock does.
            cpu_percent: (after - before) as f64 / end.seconds_since(start),
            rss_kb: number("VmRSS:").unwrap_or_default(),
            threads: number("Threads:").unwrap_or_default(),
        })
    }
}

/// User and system time of a process so far.
fn ticks(pid: u32) -> Result<u64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name before it may hold spaces.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let times = fields.split_whitespace().skip(11).take(2);
    Ok(times.map(str::parse::<u64>).sum::<Result<u64, _>>()?)
}

fn watch(clients: u64, seconds: u64) -> Result<(), Failure> {
    let watching: Vec<_> = (0..clients)
        .map(|number| std::thread::spawn(move || watch_one(number, Duration::from_secs(seconds))))
        .collect();
    let (mut received_in_all, mut gaps_in_all, mut dropped_in_all) = (0, 0, 0);
    let mut slowest: Option<f64> = None;
    for client in watching {
        let seen = client.join().map_err(|_| "a client panicked")??;
        let Seen {
            max_rate_hz,
            received,
            gaps,
            dropped,
        } = seen;
        let rate = received as f64 / seconds as f64;
        received_in_all += received;
        gaps_in_all += gaps;
        dropped_in_all += dropped;
        // Of those that want every frame.
        if max_rate_hz.is_none() {
            slowest = Some(slowest.map_or(rate, |slowest| slowest.min(rate)));
        }
        if gaps != dropped || received == 0 {
            println!("  at {max_rate_hz:?} Hz: {rate:.1} Hz came, {gaps} gaps, {dropped} dropped");
        }
    }
    println!(
        "  {received_in_all} records, {gaps_in_all} gaps, {dropped_in_all} dropped; whoever wants every frame gets at least \
         {:.1} a second",
        slowest.unwrap_or_default()
    );
    Ok(())
}

fn watch_one(number: u64, limit: Duration) -> Result<Seen, ClientError> {
    let max_rate_hz = [None, Some(30.0), Some(10.0), Some(45.0)][number as usize % 4];
    let options = SessionOptions {
        app_name: format!("crowd {number}"),
        max_rate_hz,
        target: Target::AfterCapture(Duration::from_millis(10 * (number % 20))),
        ..SessionOptions::default()
    };
    let mut session = Client::connect()?.session(&options)?;
    session.start()?;
    let start = MonotonicClock.now();
    let (mut received, mut gaps, mut next) = (0, 0, 0);
    let mut take = |sequence: u64| {
        received += 1;
        gaps += sequence - next;
        next = sequence + 1;
    };
    while MonotonicClock.now().saturating_since(start) < limit {
        match session.receive(Duration::from_secs(1)) {
            Received::Sample(sample) => take(sample.record.sequence),
            Received::TimedOut => {}
            Received::Ended => break,
        }
    }
    // What is still under way counts too.
    session.stop()?;
    while let Received::Sample(sample) = session.receive(Duration::from_millis(200)) {
        take(sample.record.sequence);
    }
    let dropped = session.dropped()?;
    Ok(Seen {
        max_rate_hz,
        received,
        gaps,
        dropped,
    })
}
