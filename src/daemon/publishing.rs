//! The publishing thread: stamps records and sends them. A slow bus delays this thread and nobody else.
//!
//! Records wait in one slot in which the newest wins. Movements must not be overtaken, so they wait in a bounded queue; what
//! does not fit is dropped, which shows as a gap in their `sequence`.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::exits::{Exits, MovementArguments};
use super::hub::{Hub, Stop};
use crate::bus::record::Record;
use crate::clock::Timestamp;

/// One record and where it goes.
#[derive(Debug)]
pub struct Delivery {
    pub exits: Arc<Exits>,
    /// Complete but for `published_ns`.
    pub record: Record,
}

/// The records of one moment, one for each session that gets one.
pub type Batch = Vec<Delivery>;

#[derive(Debug, Default)]
struct Waiting {
    batch: Option<Batch>,
    movements: VecDeque<(Arc<Exits>, MovementArguments)>,
    closed: bool,
}

/// Between the tracking and the publishing thread.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

impl Outbox {
    /// Seconds of movements for twenty sessions.
    const MOST_MOVEMENTS: usize = 256;

    /// Hands a batch over. What was not sent of an older one is dropped and counted.
    pub fn put(&self, batch: Batch) {
        let late = self.lock().batch.replace(batch);
        self.filled.notify_one();
        late.iter()
            .flatten()
            .for_each(|delivery| delivery.exits.count_dropped());
    }

    pub fn put_movement(&self, exits: Arc<Exits>, movement: MovementArguments) {
        let mut waiting = self.lock();
        if waiting.movements.len() < Self::MOST_MOVEMENTS {
            waiting.movements.push_back((exits, movement));
            drop(waiting);
            self.filled.notify_one();
        }
    }

    /// Nothing more will come.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// All that waits; `None` once it was closed.
    fn take(&self) -> Option<Waiting> {
        let idle = |waiting: &mut Waiting| waiting.batch.is_none() && waiting.movements.is_empty() && !waiting.closed;
        let guard = self.filled.wait_while(self.lock(), idle);
        let mut waiting = guard.unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *waiting);
        waiting.closed = taken.closed;
        (!taken.closed).then_some(taken)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs until the outbox is closed.
pub fn publish(hub: &Hub, outbox: &Outbox) {
    while let Some(waiting) = outbox.take() {
        for delivery in waiting.batch.iter().flatten() {
            deliver(hub, delivery);
        }
        for (exits, movement) in &waiting.movements {
            exits.send_movement(movement);
        }
    }
}

fn deliver(hub: &Hub, Delivery { exits, record }: &Delivery) {
    let published = hub.now();
    let record = Record {
        published_ns: published.as_nanos(),
        ..*record
    };
    exits.send(&record);
    if exits.emitter.connection().is_closed() {
        hub.stop(Stop::BusGone);
    }
    if record.is_valid() {
        let captured = Timestamp::from_nanos(record.captured_ns);
        let latency = published.saturating_since(captured);
        hub.lock().stats.latency.record(latency);
    }
}
