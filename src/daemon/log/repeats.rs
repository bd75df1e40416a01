//! Keeps what repeats itself out of the log: a camera that is gone for a night is worth one line, not one every two seconds.

use std::collections::HashMap;
use std::fmt::{self, Debug, Write};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};
use tracing_subscriber::layer::{Context, Filter};

use crate::clock::{Clock, MonotonicClock, Timestamp};

/// Lets a message with the same words and fields through once in a while. Whoever asks for `debug` or `trace` gets all of
/// that.
#[derive(Debug, Default)]
pub struct Repeats(Mutex<Heard>);

impl<S> Filter<S> for Repeats {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO {
            return true;
        }
        let mut words = Words(DefaultHasher::new());
        words.0.write(metadata.target().as_bytes());
        event.record(&mut words);
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.is_news(words.0.finish(), MonotonicClock.now())
    }
}

/// A number that stands for a message with all its fields.
struct Words(DefaultHasher);

impl Write for Words {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Hashing text cannot fail; a value that cannot be written is left out.
        let _ = write!(self, "{}={value:?};", field.name());
    }
}

/// When each message was let through last.
#[derive(Debug, Default)]
struct Heard(HashMap<u64, Timestamp>);

impl Heard {
    const PERIOD: Duration = Duration::from_secs(60);
    /// Beyond this many different messages a minute everything is news: forgetting costs lines, not memory.
    const MOST: usize = 256;

    fn is_news(&mut self, message: u64, now: Timestamp) -> bool {
        let is_old = |last: &Timestamp| now.saturating_since(*last) >= Self::PERIOD;
        if self.0.get(&message).is_some_and(|last| !is_old(last)) {
            return false;
        }
        if self.0.len() >= Self::MOST {
            self.0.retain(|_, last| !is_old(last));
        }
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        self.0.insert(message, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_message_comes_once_a_minute() {
        let mut heard = Heard::default();
        let at = |seconds: u64| Timestamp::from_nanos(seconds * 1_000_000_000);
        assert!(heard.is_news(1, at(100)));
        assert!(!heard.is_news(1, at(102)) && !heard.is_news(1, at(159)));
        assert!(heard.is_news(2, at(102)), "another one is news");
        assert!(heard.is_news(1, at(160)) && !heard.is_news(1, at(161)));
    }

    #[test]
    fn memory_has_an_end() {
        let mut heard = Heard::default();
        for message in 0..10_000 {
            assert!(heard.is_news(message, Timestamp::from_nanos(message)));
            assert!(heard.0.len() <= Heard::MOST);
        }
    }
}
