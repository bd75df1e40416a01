//! Readers of frames: previews and recordings. Each has a slot in which the newest frame wins and a thread that writes to
//! its socket, so that a slow reader misses frames and delays nobody.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::frame::Frame;
use crate::latest::{Latest, Taken};

/// A frame with its header as it stands on the stream, shared between the readers.
#[derive(Clone, Debug)]
pub struct FrameMessage {
    pub header: Arc<[u8]>,
    pub frame: Arc<Frame>,
}

/// The daemon's end of one reader. Dropping it ends the stream.
#[derive(Debug)]
pub struct FrameReader {
    slot: Arc<Latest<FrameMessage>>,
    socket: UnixStream,
}

impl FrameReader {
    pub fn put(&self, message: FrameMessage) {
        self.slot.put(message);
    }
}

impl Drop for FrameReader {
    fn drop(&mut self) {
        self.slot.close();
        // Wakes up a thread that waits for a reader who does not read; the socket may be closed already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Makes a reader and the client's end of it. `ended` is called once nothing can be written any more.
pub fn open(ended: impl FnOnce() + Send + 'static) -> std::io::Result<(FrameReader, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    // Nothing is ever read from a reader.
    ours.shutdown(Shutdown::Read)?;
    let slot = Arc::new(Latest::default());
    let reader = FrameReader {
        slot: Arc::clone(&slot),
        socket: ours.try_clone()?,
    };
    std::thread::Builder::new().name("frames".into()).spawn(move || {
        write_frames(&slot, ours);
        ended();
    })?;
    Ok((reader, theirs))
}

/// How long a reader who left is taken for one who waits, while no frame comes: a claim on a camera that is paused or gone.
const UNNOTICED: Duration = Duration::from_secs(1);

fn write_frames(slot: &Latest<FrameMessage>, mut socket: UnixStream) {
    loop {
        let message = match slot.take(UNNOTICED) {
            Taken::Value(message) => message,
            Taken::TimedOut if is_closed(&socket) => return,
            Taken::TimedOut => continue,
            Taken::Closed => return,
        };
        let sent = socket
            .write_all(&message.header)
            .and_then(|()| socket.write_all(message.frame.image.pixels()));
        if let Err(error) = sent {
            tracing::debug!(%error, "a reader of frames is gone");
            return;
        }
    }
}

/// True once nobody holds the other end.
fn is_closed(socket: &UnixStream) -> bool {
    // What is never asked for is told all the same: errors, and that the other end hung up.
    let mut asked = [PollFd::new(socket, PollFlags::empty())];
    poll(&mut asked, Some(&Timespec::default())).is_ok_and(|told| told > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_who_leaves_is_noticed_although_no_frame_comes() {
        let (ended, ends) = std::sync::mpsc::channel();
        let (_reader, theirs) = open(move || ended.send(()).expect("somebody listens")).expect("a socket");
        let early = ends.recv_timeout(UNNOTICED + Duration::from_millis(500));
        assert!(early.is_err(), "a reader who waits stays");
        drop(theirs);
        ends.recv_timeout(Duration::from_secs(60)).expect("noticed");
    }
}
