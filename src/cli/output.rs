//! Standard output as the subcommands see it: buffered, and aware of a reader that went away. And standard error.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Stdout, Write};

use serde::Serialize;

/// Writes a message or a question to standard error as it is. That nobody reads there is no reason to stop.
pub fn tell(text: impl Display) {
    let _ = write!(io::stderr(), "{text}");
}

/// Where a subcommand's results go.
#[derive(Debug)]
pub struct Output<W: Write = Stdout> {
    writer: BufWriter<Watched<W>>,
}

/// Remembers that a write failed because nobody reads any more: deep inside a serialiser's error that cannot be told.
#[derive(Debug)]
struct Watched<W> {
    inner: W,
    reader_is_gone: bool,
}

impl Output {
    pub fn stdout() -> Self {
        Self::new(io::stdout())
    }
}

impl<W: Write> Output<W> {
    fn new(inner: W) -> Self {
        Self {
            writer: BufWriter::new(Watched {
                inner,
                reader_is_gone: false,
            }),
        }
    }

    /// Writes `value` as one line of JSON.
    pub fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.writer, value)?;
        self.writer.write_all(b"\n")
    }

    /// Writes `value` as one line of JSON that the reader gets at once.
    pub fn live_json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.json_line(value)?;
        self.writer.flush()
    }

    /// Hands everything to the reader.
    pub fn finish(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    /// True once a write failed because the other end of the pipe was closed.
    pub fn reader_is_gone(&self) -> bool {
        self.writer.get_ref().reader_is_gone
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl<W: Write> Watched<W> {
    fn watch<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() == ErrorKind::BrokenPipe
        {
            self.reader_is_gone = true;
        }
        result
    }
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // After the reader left, what is still in the buffer has nowhere to go.
        if self.reader_is_gone {
            return Ok(bytes.len());
        }
        let result = self.inner.write(bytes);
        self.watch(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.watch(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_noticed_through_a_serialiser() {
        let mut out = Output::new(Closed);
        assert!(!out.reader_is_gone());
        assert!(out.live_json_line(&[1, 2]).is_err());
        assert!(out.reader_is_gone());
    }

    #[test]
    fn lines_of_json_end_with_a_newline() {
        let mut bytes = Vec::new();
        let mut out = Output::new(&mut bytes);
        out.json_line(&[1, 2]).expect("a vector takes everything");
        out.finish().expect("a vector takes everything");
        drop(out);
        assert_eq!(bytes, b"[1,2]\n");
    }
}
