//! Where the daemon's log goes: to the journal under systemd, else to standard error. Never a picture's content.

mod repeats;

use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use self::repeats::Repeats;

/// Starts logging. `RUST_LOG` chooses what; without it everything from `info` up, and nothing twice within a minute.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("gazed=info,zbus=error,warn"));
    let registry = tracing_subscriber::registry().with(filter);
    let started = match standard_error_is_the_journal().then(tracing_journald::layer) {
        Some(Ok(journal)) => registry.with(journal.with_filter(Repeats::default())).try_init(),
        _ => {
            let plain = tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(std::io::stderr().is_terminal())
                .with_target(false);
            registry.with(plain.with_filter(Repeats::default())).try_init()
        }
    };
    if let Err(error) = started {
        eprintln!("gazed: no log: {error}");
    }
}

/// systemd tells device and inode of the journal's stream, which a shell or a pipe started from the service does not share
/// (systemd.exec(5), `$JOURNAL_STREAM`).
fn standard_error_is_the_journal() -> bool {
    let Some(stream) = std::env::var("JOURNAL_STREAM").ok() else {
        return false;
    };
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|meta| stream == format!("{}:{}", meta.dev(), meta.ino()))
}
