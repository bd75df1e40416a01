//! A one-slot hand-over between two threads in which the newest value wins.
//!
//! The producer never waits: a full slot overwrites the *old* value and counts it. A slow consumer therefore always sees
//! the newest value and nothing queues up behind it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What [`Latest::take`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<T> {
    Value(T),
    /// Nothing came within the time given.
    TimedOut,
    /// The producer closed the slot, and nothing is left in it.
    Closed,
}

#[derive(Debug)]
struct Slot<T> {
    value: Option<T>,
    overwritten: u64,
    closed: bool,
}

/// A slot that holds at most the newest value.
#[derive(Debug)]
pub struct Latest<T> {
    slot: Mutex<Slot<T>>,
    filled: Condvar,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self {
            slot: Mutex::new(Slot {
                value: None,
                overwritten: 0,
                closed: false,
            }),
            filled: Condvar::new(),
        }
    }
}

impl<T> Latest<T> {
    /// Puts a value in, and gives back the one that was overwritten, if any.
    pub fn put(&self, value: T) -> Option<T> {
        let mut slot = self.lock();
        let old = slot.value.replace(value);
        slot.overwritten += u64::from(old.is_some());
        drop(slot);
        self.filled.notify_one();
        old
    }

    /// Waits for a value, for `timeout` at most.
    pub fn take(&self, timeout: Duration) -> Taken<T> {
        let (mut slot, _) = self
            .filled
            .wait_timeout_while(self.lock(), timeout, |slot| slot.value.is_none() && !slot.closed)
            .unwrap_or_else(PoisonError::into_inner);
        match slot.value.take() {
            Some(value) => Taken::Value(value),
            None if slot.closed => Taken::Closed,
            None => Taken::TimedOut,
        }
    }

    /// How many values were overwritten before anyone took them.
    pub fn overwritten(&self) -> u64 {
        self.lock().overwritten
    }

    /// No more values will come; a waiting consumer wakes up.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// A slot is only ever assigned whole, so a thread that panicked while holding it cannot have left it half-made.
    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_wins_and_the_rest_are_counted() {
        let slot = Latest::default();
        assert_eq!(slot.put(1), None);
        assert_eq!(slot.put(2), Some(1));
        assert_eq!(slot.put(3), Some(2));
        assert_eq!(slot.overwritten(), 2);
        assert_eq!(slot.take(Duration::ZERO), Taken::Value(3));
        assert_eq!(slot.take(Duration::ZERO), Taken::TimedOut);
    }

    #[test]
    fn what_was_put_before_closing_is_still_delivered() {
        let slot = Latest::default();
        slot.put(7);
        slot.close();
        assert_eq!(slot.take(Duration::from_secs(60)), Taken::Value(7));
        assert_eq!(slot.take(Duration::from_secs(60)), Taken::Closed);
    }

    #[test]
    fn a_waiting_consumer_wakes_up() {
        let slot = Latest::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| slot.take(Duration::from_secs(60)));
            slot.put("frame");
            assert_eq!(waiting.join().ok(), Some(Taken::Value("frame")));
        });
    }
}
