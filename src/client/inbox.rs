//! A bounded queue between the thread that reads the bus and the caller, who waits for it or is woken up; the oldest gives
//! way.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<T>,
    dropped: u64,
    ended: bool,
    /// The asynchronous caller that waits.
    waker: Option<Waker>,
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
                waker: None,
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
        let waker = queue.waker.take();
        drop(queue);
        self.changed.notify_one();
        if let Some(waker) = waker {
            waker.wake();
        }
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
        let mut queue = self.lock();
        queue.ended = true;
        let waker = queue.waker.take();
        drop(queue);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The next value, `None` at the end; the task is woken up when there is one.
    pub fn poll_take(&self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut queue = self.lock();
        match queue.waiting.pop_front() {
            Some(value) => Poll::Ready(Some(value)),
            None if queue.ended => Poll::Ready(None),
            None => {
                queue.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
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
    fn a_waiting_task_is_woken_by_a_value_and_by_the_end() {
        let inbox = std::sync::Arc::new(Inbox::new());
        let filler = std::sync::Arc::clone(&inbox);
        let filling = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            filler.put(1);
            std::thread::sleep(Duration::from_millis(20));
            filler.end();
        });
        let take = || zbus::block_on(std::future::poll_fn(|context| inbox.poll_take(context)));
        assert_eq!((take(), take(), take()), (Some(1), None, None));
        filling.join().expect("no panic");
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
