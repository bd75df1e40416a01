//! A client that checks every sequence number it gets.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use gazed::bus::options::SessionOptions;
use gazed::client::{Client, Received, Session};

use super::Failure;

/// How records reach the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Signals,
    Stream,
}

/// What one client saw.
#[derive(Clone, Debug)]
pub struct Seen {
    way: Way,
    max_rate_hz: Option<f64>,
    received: u64,
    valid: u64,
    /// Numbers that never came.
    gaps: u64,
    /// Numbers that came again, or after a later one.
    repeated: u64,
    /// Records that were captured before the one before them.
    backward: u64,
    /// Records that the service says it could not deliver.
    dropped: u64,
}

impl Seen {
    /// Every number came once and in order, or is accounted for.
    pub fn is_right(&self) -> bool {
        self.repeated == 0 && self.backward == 0 && self.gaps == self.dropped && self.valid > 0
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.way)?;
        if let Some(rate_hz) = self.max_rate_hz {
            write!(f, " at most {rate_hz} Hz")?;
        }
        let lost = self.gaps.abs_diff(self.dropped);
        write!(
            f,
            ": {} records received, {} valid; {} dropped and counted, {lost} lost, {} repeated, {} backward in time",
            self.received, self.valid, self.dropped, self.repeated, self.backward
        )
    }
}

pub struct Watcher {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Seen, Failure>>,
}

impl Watcher {
    pub fn start(way: Way, max_rate_hz: Option<f64>) -> Result<Self, Failure> {
        let options = SessionOptions {
            app_name: "soak".into(),
            max_rate_hz,
            signals: way == Way::Signals,
            ..SessionOptions::default()
        };
        let session = Client::connect()?.session(&options)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || watch(session, way, max_rate_hz, &stopped));
        Ok(Self { stop, thread })
    }

    pub fn stop(self) -> Result<Seen, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "a client panicked")?
    }
}

fn watch(mut session: Session, way: Way, max_rate_hz: Option<f64>, stop: &AtomicBool) -> Result<Seen, Failure> {
    let mut stream = match way {
        Way::Stream => Some(session.open_stream()?),
        Way::Signals => None,
    };
    session.start()?;
    let mut seen = Seen {
        way,
        max_rate_hz,
        received: 0,
        valid: 0,
        gaps: 0,
        repeated: 0,
        backward: 0,
        dropped: 0,
    };
    let (mut next, mut last_captured_ns, mut stopping) = (0, 0, false);
    loop {
        if stop.load(Ordering::Relaxed) && !stopping {
            // What is still under way counts too.
            session.stop()?;
            stopping = true;
        }
        let patience = Duration::from_millis(500);
        let received = match &mut stream {
            Some(stream) => stream.receive(patience)?,
            None => session.receive(patience),
        };
        match received {
            Received::Sample(sample) => {
                let record = sample.record;
                seen.received += 1;
                seen.valid += u64::from(record.is_valid());
                match record.sequence.checked_sub(next) {
                    Some(missing) => {
                        seen.gaps += missing;
                        next = record.sequence + 1;
                    }
                    None => seen.repeated += 1,
                }
                seen.backward += u64::from(record.captured_ns < last_captured_ns);
                last_captured_ns = record.captured_ns;
            }
            Received::TimedOut if stopping => break,
            Received::TimedOut => {}
            Received::Ended => return Err("the service ended while it was watched".into()),
        }
    }
    // Those after the last one that came were dropped too.
    seen.dropped = session.dropped()?;
    Ok(seen)
}
