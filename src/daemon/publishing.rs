//! The publishing thread: stamps records and sends them. A slow bus delays this thread and nobody else.

use std::sync::Arc;

use super::hub::{Exits, Hub, Stop};
use crate::bus::names::SESSION_INTERFACE;
use crate::bus::record::Record;
use crate::clock::Timestamp;
use crate::latest::{Latest, Taken};

/// One record and where it goes.
#[derive(Debug)]
pub struct Delivery {
    pub exits: Arc<Exits>,
    /// Complete but for `published_ns`.
    pub record: Record,
}

/// The records of one moment, one for each session that gets one.
pub type Batch = Vec<Delivery>;

/// Hands a batch over. What was not sent of an older one is dropped and counted.
pub fn hand_over(slot: &Latest<Batch>, batch: Batch) {
    if let Some(late) = slot.put(batch) {
        late.iter().for_each(|delivery| delivery.exits.count_dropped());
    }
}

/// Runs until the slot is closed.
pub fn publish(hub: &Hub, slot: &Latest<Batch>) {
    loop {
        match slot.take(super::NO_TIMEOUT) {
            Taken::Value(batch) => batch.iter().for_each(|delivery| deliver(hub, delivery)),
            Taken::TimedOut => {}
            Taken::Closed => return,
        }
    }
}

fn deliver(hub: &Hub, Delivery { exits, record }: &Delivery) {
    let published = hub.now();
    let record = Record {
        published_ns: published.as_nanos(),
        ..*record
    };
    if exits.signals {
        let sent = zbus::block_on(exits.emitter.emit(SESSION_INTERFACE, "Sample", &record.arguments()));
        if let Err(error) = sent {
            exits.count_dropped();
            if exits.emitter.connection().is_closed() {
                hub.stop(Stop::BusGone);
            }
            tracing::trace!(%error, "sample not sent");
        }
    }
    if record.is_valid() {
        let captured = Timestamp::from_nanos(record.captured_ns);
        let latency = published.saturating_since(captured);
        hub.lock().stats.latency.record(latency);
    }
}
