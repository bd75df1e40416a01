//! A bounded queue between the thread that reads the bus and the caller; the oldest gives way.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<T>,
    dropped: u64,
    ended: bool,
}

#[derive(Debug)]
pub struct Inbox<T> {
    queue: Mutex<Queue<T>>,
    changed: Condvar,
}

/// What [`Inbox::take`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<T> {
    Value(T),
    TimedOut,
    Ended,
}

impl<T> Inbox<T> {
    /// Some seconds of samples.
    pub const ROOM: usize = 256;

    pub fn new() -> Self {
        Self {
            queue: Mutex::new(Queue {
                waiting: VecDeque::new(),
                dropped: 0,
                ended: false,
            }),
            changed: Condvar::new(),
        }
    }

    pub fn put(&self, value: T) {
        let mut queue = self.lock();
        if queue.waiting.len() == Self::ROOM {
            queue.waiting.pop_front();
            queue.dropped += 1;
        }
        queue.waiting.push_back(value);
        drop(queue);
        self.changed.notify_one();
    }

    pub fn take(&self, timeout: Duration) -> Taken<T> {
        let (mut queue, _) = self
            .changed
            .wait_timeout_while(self.lock(), timeout, |queue| queue.waiting.is_empty() && !queue.ended)
            .unwrap_or_else(PoisonError::into_inner);
        match queue.waiting.pop_front() {
            Some(value) => Taken::Value(value),
            None if queue.ended => Taken::Ended,
            None => Taken::TimedOut,
        }
    }

    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    pub fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gives_way_and_is_counted() {
        let inbox = Inbox::new();
        (0..Inbox::<usize>::ROOM + 3).for_each(|n| inbox.put(n));
        assert_eq!(inbox.dropped(), 3);
        assert_eq!(inbox.take(Duration::ZERO), Taken::Value(3));
    }

    #[test]
    fn what_came_before_the_end_is_still_delivered() {
        let inbox = Inbox::new();
        inbox.put(1);
        assert_eq!(inbox.take(Duration::ZERO), Taken::Value(1));
        assert_eq!(inbox.take(Duration::ZERO), Taken::TimedOut);
        inbox.put(2);
        inbox.end();
        assert_eq!(inbox.take(Duration::from_secs(60)), Taken::Value(2));
        assert_eq!(inbox.take(Duration::from_secs(60)), Taken::Ended);
    }
}
