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
    stream: Mutex<Option<OwnedFd>>,
    memory_file: Mutex<Option<MemoryFileWriter>>,
    /// Records that were made for the session and did not reach it.
    dropped: AtomicU64,
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
        *lock(&self.stream) = Some(ours);
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
        let mut reached = self.send_to_stream(record);
        if self.signals {
            let sent = zbus::block_on(self.emitter.emit(SESSION_INTERFACE, "Sample", &record.arguments()));
            if let Err(error) = sent {
                tracing::trace!(%error, "sample not sent");
                reached = false;
            }
        }
        if !reached {
            self.count_dropped();
        }
    }

    pub fn send_movement(&self, movement: &MovementArguments) {
        if let Err(error) = zbus::block_on(self.emitter.emit(SESSION_INTERFACE, "Movement", movement)) {
            tracing::trace!(%error, "movement not sent");
        }
    }

    /// False where the stream was full.
    fn send_to_stream(&self, record: &Record) -> bool {
        let mut stream = lock(&self.stream);
        let Some(socket) = &*stream else { return true };
        match send(socket, &record.encode(), SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(_) => true,
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => false,
            // The client closed its end.
            Err(_) => {
                *stream = None;
                true
            }
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
        assert_eq!(read + waiting + exits.dropped(), 1000);
        assert_eq!(exits.dropped(), missed + (1000 - next));
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
