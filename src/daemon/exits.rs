//! The ways that a session's records leave by: signals, a stream, a memory file.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, shutdown, socketpair, sockopt};
use zbus::object_server::SignalEmitter;

use crate::bus::memory_file::MemoryFileWriter;
use crate::bus::names::SESSION_INTERFACE;
use crate::bus::record::Record;

/// The arguments of the signal `Movement`, in the order of the introspection data.
pub type MovementArguments = (u64, String, String, u64, u64, f64, f64, f64, f64, f64, f64);

#[derive(Debug)]
pub struct Exits {
    /// Addressed to the session's owner alone.
    pub emitter: SignalEmitter<'static>,
    /// The client wants `Sample` signals.
    signals: bool,
    stream: Mutex<Option<StreamEnd>>,
    memory_file: Mutex<Option<MemoryFileWriter>>,
    /// Records that were made for the session and did not reach it.
    dropped: AtomicU64,
}

/// The daemon's end of a stream.
#[derive(Debug)]
struct StreamEnd {
    socket: OwnedFd,
    /// The newest record that did not fit into the socket; it goes before the next one, unless that takes its place.
    waiting: Option<[u8; Record::SIZE]>,
}

/// What became of a record on its way into a socket.
enum Sending {
    Sent,
    Full,
    /// The client closed its end.
    Closed,
}

impl StreamEnd {
    fn send(&self, bytes: &[u8]) -> Sending {
        match send(&self.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(_) => Sending::Sent,
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => Sending::Full,
            Err(_) => Sending::Closed,
        }
    }
}

impl Exits {
    /// The least that Linux grants a socket: six records or so wait in it.
    const STREAM_BUFFER_BYTES: usize = 4608;

    pub fn new(emitter: SignalEmitter<'static>, signals: bool) -> Self {
        Self {
            emitter,
            signals,
            stream: Mutex::new(None),
            memory_file: Mutex::new(None),
            dropped: AtomicU64::new(0),
        }
    }

    pub fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Makes a stream, and the client's end of it; an older one ends.
    pub fn open_stream(&self) -> Result<OwnedFd, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        // Nothing is ever read from a client.
        shutdown(&ours, rustix::net::Shutdown::Read)?;
        sockopt::set_socket_send_buffer_size(&ours, Self::STREAM_BUFFER_BYTES)?;
        let end = StreamEnd {
            socket: ours,
            waiting: None,
        };
        if lock(&self.stream).replace(end).is_some_and(|old| old.waiting.is_some()) {
            self.count_dropped();
        }
        Ok(theirs)
    }

    /// Makes a memory file, and the client's descriptor of it; an older one is not written any more.
    pub fn open_memory_file(&self) -> Result<OwnedFd, Errno> {
        let (writer, file) = MemoryFileWriter::create()?;
        *lock(&self.memory_file) = Some(writer);
        Ok(file)
    }

    /// Sends a record by every way there is; never waits for the client. One that cannot take it at once misses it.
    pub fn send(&self, record: &Record) {
        if let Some(file) = &mut *lock(&self.memory_file) {
            file.write(record);
        }
        self.send_to_stream(record);
        if self.signals {
            let sent = zbus::block_on(self.emitter.emit(SESSION_INTERFACE, "Sample", &record.arguments()));
            if let Err(error) = sent {
                tracing::trace!(%error, "sample not sent");
                self.count_dropped();
            }
        }
    }

    /// No more records follow for now: the one that waits goes, or is lost.
    pub fn flush(&self) {
        let mut stream = lock(&self.stream);
        let waiting = stream.as_mut().and_then(|end| Some((end.waiting.take()?, &*end)));
        if waiting.is_some_and(|(bytes, end)| matches!(end.send(&bytes), Sending::Full)) {
            self.count_dropped();
        }
    }

    pub fn send_movement(&self, movement: &MovementArguments) {
        if let Err(error) = zbus::block_on(self.emitter.emit(SESSION_INTERFACE, "Movement", movement)) {
            tracing::trace!(%error, "movement not sent");
        }
    }

    /// A few records wait in the socket; beyond them only the newest is kept.
    fn send_to_stream(&self, record: &Record) {
        let mut stream = lock(&self.stream);
        let Some(end) = &mut *stream else { return };
        let bytes = record.encode();
        let before = end.waiting.take();
        let sent = match before {
            Some(before) => match end.send(&before) {
                Sending::Sent => end.send(&bytes),
                Sending::Full => {
                    self.count_dropped();
                    Sending::Full
                }
                Sending::Closed => Sending::Closed,
            },
            None => end.send(&bytes),
        };
        match sent {
            Sending::Sent => {}
            Sending::Full => end.waiting = Some(bytes),
            Sending::Closed => *stream = None,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Exits without a bus: the signals, which are off, would go to the other end of a socket. The peer must be kept.
#[cfg(test)]
pub fn test_exits() -> (Exits, zbus::Connection) {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("sockets");
    let guid = zbus::Guid::generate();
    let server = zbus::connection::Builder::async_io_unix_stream(ours)
        .server(guid)
        .expect("a guid")
        .p2p()
        .build();
    let client = zbus::connection::Builder::async_io_unix_stream(theirs).p2p().build();
    let (server, client) = zbus::block_on(async {
        let (server, client) = std::thread::scope(|scope| {
            let server = scope.spawn(|| zbus::block_on(server));
            let client = zbus::block_on(client);
            (server.join().expect("no panic"), client)
        });
        (server.expect("connects"), client.expect("connects"))
    });
    let emitter = SignalEmitter::new(&server, "/test").expect("a path");
    (Exits::new(emitter, false), client)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bus::memory_file::MemoryFileReader;
    use crate::client::{Received, Stream};

    fn record(sequence: u64) -> Record {
        Record {
            sequence,
            ..Record::default()
        }
    }

    #[test]
    fn a_client_that_stops_reading_misses_records_and_every_one_is_counted() {
        let (exits, _peer) = test_exits();
        let mut stream = Stream::new(exits.open_stream().expect("a socket"));
        let (mut next, mut read, mut missed) = (0, 0, 0);
        for sequence in 0..1000 {
            exits.send(&record(sequence));
            // A reader that wakes up now and then and reads one record.
            if sequence % 50 == 49 {
                let Ok(Received::Sample(sample)) = stream.receive(Duration::ZERO) else {
                    panic!("records wait")
                };
                missed += sample.record.sequence - next;
                next = sample.record.sequence + 1;
                read += 1;
            }
        }
        let mut waiting = 0;
        while let Ok(Received::Sample(sample)) = stream.receive(Duration::ZERO) {
            missed += sample.record.sequence - next;
            next = sample.record.sequence + 1;
            waiting += 1;
        }
        assert!((1..=16).contains(&waiting), "{waiting} records waited in the kernel");
        // The newest was kept for when there is room again.
        exits.flush();
        let Ok(Received::Sample(newest)) = stream.receive(Duration::ZERO) else {
            panic!("the newest record waits")
        };
        assert_eq!(newest.record.sequence, 999);
        missed += 999 - next;
        assert_eq!(read + waiting + 1 + exits.dropped(), 1000);
        assert_eq!(exits.dropped(), missed);
    }

    #[test]
    fn what_still_waits_at_the_end_is_counted() {
        let (exits, _peer) = test_exits();
        let mut stream = Stream::new(exits.open_stream().expect("a socket"));
        (0..100).for_each(|sequence| exits.send(&record(sequence)));
        exits.flush();
        exits.flush();
        let mut read = 0;
        while let Ok(Received::Sample(_)) = stream.receive(Duration::ZERO) {
            read += 1;
        }
        assert_eq!(read + exits.dropped(), 100);
    }

    #[test]
    fn a_closed_stream_is_forgotten_and_drops_nothing() {
        let (exits, _peer) = test_exits();
        drop(exits.open_stream().expect("a socket"));
        (0..100).for_each(|sequence| exits.send(&record(sequence)));
        assert_eq!(exits.dropped(), 0);
        assert!(lock(&exits.stream).is_none());
    }

    #[test]
    fn the_memory_file_holds_the_newest_record() {
        let (exits, _peer) = test_exits();
        let reader = MemoryFileReader::new(exits.open_memory_file().expect("memory")).expect("the file");
        (1..=5).for_each(|sequence| exits.send(&record(sequence)));
        assert_eq!(reader.read(), Some(record(5)));
        drop(exits);
        assert_eq!(
            reader.read(),
            Some(record(5)),
            "it outlives the session, and its age tells"
        );
    }
}
