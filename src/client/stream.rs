//! The stream of a session: records over a socket of their own, faster and cheaper than signals.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::session::{Received, Sample};
use crate::bus::record::{DecodeError, Record};
use crate::clock::{Clock, MonotonicClock};

/// Why a stream cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("the stream of gaze records cannot be read: {0}")]
    Socket(#[from] Errno),
    #[error(transparent)]
    Record(#[from] DecodeError),
}

/// The client's end of `OpenStream`. One packet is one record.
#[derive(Debug)]
pub struct Stream {
    socket: OwnedFd,
}

impl Stream {
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket }
    }

    /// Waits for the next record, for `timeout` at most.
    pub fn receive(&mut self, timeout: Duration) -> Result<Received, StreamError> {
        let mut packet = [0; 4 * Record::SIZE];
        let length = loop {
            match recv(&self.socket, packet.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok((length, _)) => break length,
                Err(Errno::AGAIN) => {
                    let mut waiting = [PollFd::new(&self.socket, PollFlags::IN)];
                    let timeout = Timespec::try_from(timeout).ok();
                    match poll(&mut waiting, timeout.as_ref()) {
                        Ok(0) => return Ok(Received::TimedOut),
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => return Ok(Received::Ended),
                Err(error) => return Err(error.into()),
            }
        };
        let received = MonotonicClock.now();
        if length == 0 {
            return Ok(Received::Ended);
        }
        let record = Record::decode(&packet[..length])?;
        Ok(Received::Sample(Sample { record, received }))
    }
}

/// For an event loop of the client's own: readable when a record waits.
impl AsFd for Stream {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
