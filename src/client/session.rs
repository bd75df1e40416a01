//! A client's session: records as they come, with a time limit for waiting.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_core::Stream as _;
use zbus::MessageStream;
use zbus::blocking::Connection;
use zbus::blocking::fdo::DBusProxy;
use zbus::message::Type;
use zbus::names::{BusName, OwnedUniqueName};
use zbus::zvariant::OwnedObjectPath;

use super::ClientError;
use super::inbox::{Inbox, Taken};
use super::stream::Stream;
use crate::bus::memory_file::MemoryFileReader;
use crate::bus::names::{BUS_NAME, SESSION_INTERFACE};
use crate::bus::proxies::SessionProxyBlocking;
use crate::bus::record::{Record, SampleArguments};
use crate::clock::{Clock, MonotonicClock, Timestamp};

/// A record and when it reached this process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub record: Record,
    pub received: Timestamp,
}

/// What [`Session::receive`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Received {
    Sample(Sample),
    TimedOut,
    /// The daemon or the bus is gone; no sample will come any more.
    Ended,
}

/// A session of this client. It is closed when dropped, or with the connection.
#[derive(Debug)]
pub struct Session {
    proxy: SessionProxyBlocking<'static>,
    inbox: Arc<Inbox<Sample>>,
    closed: Arc<AtomicBool>,
}

impl Session {
    pub(super) fn new(connection: &Connection, path: OwnedObjectPath) -> Result<Self, ClientError> {
        let bus = DBusProxy::new(connection)?;
        bus.add_match_rule(vanishing()?).map_err(zbus::Error::from)?;
        let daemon = bus
            .get_name_owner(BusName::try_from(BUS_NAME).map_err(zbus::Error::from)?)
            .map_err(zbus::Error::from)?;
        let proxy = SessionProxyBlocking::builder(connection)
            .path(path.clone())?
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()?;
        let Reading { inbox, closed } = Reading::begin(connection.inner(), daemon, path);
        Ok(Self { proxy, inbox, closed })
    }

    /// Asks for samples. They begin when the camera is there.
    pub fn start(&self) -> Result<(), ClientError> {
        Ok(self.proxy.start()?)
    }

    /// No more samples until it is started again.
    pub fn stop(&self) -> Result<(), ClientError> {
        Ok(self.proxy.stop()?)
    }

    /// The session's records over a socket of their own: a tenth of the signals' delay. Ask for it with
    /// [`crate::bus::options::SessionOptions::signals`] off, so that each record is sent once.
    pub fn open_stream(&self) -> Result<Stream, ClientError> {
        Ok(Stream::new(self.proxy.open_stream()?.into()))
    }

    /// The session's newest record in shared memory, to be read when it is needed.
    pub fn open_latest(&self) -> Result<MemoryFileReader, ClientError> {
        let file = std::os::fd::OwnedFd::from(self.proxy.open_latest()?);
        Ok(MemoryFileReader::new(file)?)
    }

    /// How many records were made for this session and did not reach the caller, because the daemon could not send them or
    /// because [`Session::receive`] was not called in time.
    pub fn dropped(&self) -> Result<u64, ClientError> {
        Ok(self.proxy.dropped()? + self.inbox.dropped())
    }

    /// The interface itself.
    pub fn proxy(&self) -> &SessionProxyBlocking<'static> {
        &self.proxy
    }

    /// Waits for the next sample, for `timeout` at most.
    pub fn receive(&mut self, timeout: Duration) -> Received {
        match self.inbox.take(timeout) {
            Taken::Value(sample) => Received::Sample(sample),
            Taken::TimedOut => Received::TimedOut,
            Taken::Ended => Received::Ended,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The answer, an error too, wakes the reader up, which then ends.
        self.closed.store(true, Ordering::Relaxed);
        let _ = self.proxy.close();
    }
}

/// The end of the daemon: the one thing that is not addressed to its clients.
pub(super) fn vanishing() -> zbus::Result<zbus::MatchRule<'static>> {
    let rule = zbus::MatchRule::builder()
        .msg_type(Type::Signal)
        .sender("org.freedesktop.DBus")?
        .member("NameOwnerChanged")?;
    Ok(rule.arg(0, BUS_NAME)?.build())
}

/// A task that reads a session's signals as they come, so that a caller who is busy holds nobody up. It runs on the thread that
/// reads the bus, so that a sample wakes up that thread and the caller and none in between.
#[derive(Debug)]
pub(super) struct Reading {
    pub inbox: Arc<Inbox<Sample>>,
    /// To be set, and followed by any message, when no more is wanted.
    pub closed: Arc<AtomicBool>,
}

impl Reading {
    /// `daemon` is the unique name that the session's signals come from.
    pub(super) fn begin(connection: &zbus::Connection, daemon: OwnedUniqueName, path: OwnedObjectPath) -> Self {
        let inbox = Arc::new(Inbox::new());
        let closed = Arc::new(AtomicBool::new(false));
        let reader = Reader {
            daemon,
            path,
            inbox: Arc::clone(&inbox),
            closed: Arc::clone(&closed),
        };
        let messages = MessageStream::from(connection);
        let reading = reader.read(messages);
        connection.executor().spawn(reading, "read a session").detach();
        Self { inbox, closed }
    }
}

struct Reader {
    daemon: OwnedUniqueName,
    path: OwnedObjectPath,
    inbox: Arc<Inbox<Sample>>,
    closed: Arc<AtomicBool>,
}

impl Reader {
    /// Looks at all that the connection receives, so that samples and the daemon's end are heard in their order.
    async fn read(self, mut messages: MessageStream) {
        while let Some(message) = poll_fn(|context| Pin::new(&mut messages).poll_next(context)).await {
            let received = MonotonicClock.now();
            if self.closed.load(Ordering::Relaxed) {
                break;
            }
            let Ok(message) = message else { break };
            if message.message_type() != Type::Signal {
                continue;
            }
            if self.is_sample(&message) {
                if let Ok(arguments) = message.body().deserialize::<SampleArguments>() {
                    let record = Record::from_arguments(arguments);
                    self.inbox.put(Sample { record, received });
                }
            } else if self.is_end_of_daemon(&message) {
                break;
            }
        }
        self.inbox.end();
    }

    fn is_sample(&self, message: &zbus::Message) -> bool {
        let header = message.header();
        header.sender().is_some_and(|sender| *sender == self.daemon)
            && header.path().is_some_and(|path| *path == *self.path)
            && header
                .interface()
                .is_some_and(|interface| interface == SESSION_INTERFACE)
            && header.member().is_some_and(|member| member == "Sample")
    }

    fn is_end_of_daemon(&self, message: &zbus::Message) -> bool {
        let header = message.header();
        let from_bus = header.sender().is_some_and(|sender| sender == "org.freedesktop.DBus");
        if !from_bus || header.member().is_none_or(|member| member != "NameOwnerChanged") {
            return false;
        }
        let body = message.body();
        let arguments = body.deserialize::<(&str, &str, &str)>();
        arguments.is_ok_and(|(name, old, _)| name == BUS_NAME && old == self.daemon.as_str())
    }
}
