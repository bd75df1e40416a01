//! How long records take from the daemon to a client: over the signal, the stream and the memory file.
//!
//! `cargo run --release --example delivery [SECONDS]`, with gazed running on the same bus and somebody in sight.

use std::time::{Duration, Instant};

use gazed::bus::options::SessionOptions;
use gazed::client::{Client, ClientError, Received, Sample};
use gazed::clock::{Clock, MonotonicClock, Timestamp};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = match std::env::args().nth(1) {
        Some(seconds) => seconds.parse()?,
        None => 20,
    };
    let limit = Duration::from_secs(seconds);
    let client = Client::connect()?;
    let options = |signals| SessionOptions {
        app_name: "delivery".into(),
        signals,
        ..SessionOptions::default()
    };

    let mut session = client.session(&options(true))?;
    session.start()?;
    report(
        "signal",
        collect(limit, |wait| Ok::<_, ClientError>(session.receive(wait)))?,
        session.dropped()?,
    );
    drop(session);

    let session = client.session(&options(false))?;
    let mut stream = session.open_stream()?;
    session.start()?;
    report(
        "stream",
        collect(limit, |wait| stream.receive(wait))?,
        session.dropped()?,
    );

    let latest = session.open_latest()?;
    while latest.read().is_none() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let reads = 1_000_000;
    let start = Instant::now();
    let seen = (0..reads)
        .filter(|_| std::hint::black_box(latest.read()).is_some())
        .count();
    let each_ns = start.elapsed().as_secs_f64() * 1e9 / f64::from(reads);
    println!("latest: {each_ns:.0} ns a read, {seen} of {reads} reads gave a record");
    Ok(())
}

/// The delays from `published_ns` to receipt, after a second that is left out.
fn collect<E>(limit: Duration, mut receive: impl FnMut(Duration) -> Result<Received, E>) -> Result<Vec<Duration>, E> {
    let start = MonotonicClock.now();
    let mut delays = Vec::new();
    while MonotonicClock.now().saturating_since(start) < limit {
        match receive(Duration::from_secs(1))? {
            Received::Sample(Sample { record, received }) => {
                let published = Timestamp::from_nanos(record.published_ns);
                if published.saturating_since(start) > Duration::from_secs(1) {
                    delays.push(received.saturating_since(published));
                }
            }
            Received::TimedOut => {}
            Received::Ended => break,
        }
    }
    Ok(delays)
}

fn report(what: &str, mut delays: Vec<Duration>, dropped: u64) {
    delays.sort();
    let at = |share: f64| {
        let index = (share * delays.len() as f64) as usize;
        delays
            .get(index.min(delays.len().saturating_sub(1)))
            .map_or(f64::NAN, |delay| delay.as_secs_f64() * 1e3)
    };
    let (count, p50, p99) = (delays.len(), at(0.5), at(0.99));
    println!("{what}: {count} records, p50 {p50:.3} ms, p99 {p99:.3} ms, {dropped} dropped");
}
