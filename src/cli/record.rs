//! `gazectl record`: stores what the camera sees. The frames come from the service, which says in `Clients` that they do.

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Output, duration};
use crate::bus::frames::{FrameHeader, read_frame};
use crate::capture::recording::{Facts, Picture, Writer};
use crate::client::Client;
use crate::clock::Timestamp;
use crate::frame::GrayImage;

/// Stores the camera's pictures in a folder, until Control-C.
///
/// The pictures stay on this machine, in gray and without loss (about 5 MB a second at 640x480). `--source recording:FOLDER`
/// plays them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to make; one that holds a recording already is left alone
    folder: PathBuf,
    /// Stop after so many seconds
    #[arg(long, value_name = "S", value_parser = duration)]
    seconds: Option<Duration>,
}

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let client = Client::connect()?;
    let mut stream = UnixStream::from(std::os::fd::OwnedFd::from(
        client.frames("gazectl record", "recording")?,
    ));
    let manager = client.manager()?;
    let mut recorder = Recorder {
        writer: None,
        missed: 0,
        last_sequence: None,
    };
    let asked = end_when_asked(&stream, args.seconds)?;
    let mut pixels = Vec::new();
    loop {
        match read_frame(&mut stream, &mut pixels) {
            Ok(Some(header)) => {
                if recorder.writer.is_none() {
                    let facts = Facts {
                        source: Some(manager.camera_name()?),
                        ..Facts::default()
                    };
                    recorder.writer = Some(Writer::create(&args.folder, &facts)?);
                }
                recorder.add(&header, &mut pixels)?;
            }
            Ok(None) => break,
            // The stream was closed from this side in the middle of a frame.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && asked.load(Ordering::Acquire) => break,
            Err(error) => return Err(error).context("the frames from gazed broke off"),
        }
    }
    let Some(writer) = recorder.writer else {
        bail!(
            "no picture came, so nothing was written; gazed says: {}",
            manager.state_detail()?
        );
    };
    let count = writer.count();
    writer.finish()?;
    writeln!(
        out,
        "{count} pictures in {}, {} missed",
        args.folder.display(),
        recorder.missed
    )?;
    if !asked.load(Ordering::Acquire) {
        bail!("gazed ended the recording; what came until then is kept");
    }
    Ok(())
}

struct Recorder {
    writer: Option<Writer>,
    missed: u64,
    last_sequence: Option<u64>,
}

impl Recorder {
    fn add(&mut self, header: &FrameHeader, pixels: &mut Vec<u8>) -> anyhow::Result<()> {
        if let Some(last) = self.last_sequence.replace(header.sequence) {
            self.missed += header.sequence.saturating_sub(last + 1);
        }
        let image = GrayImage::new(header.width_px, header.height_px, std::mem::take(pixels))?;
        if let Some(writer) = &mut self.writer {
            writer.add(
                Picture::Gray(&image),
                Timestamp::from_nanos(header.captured_ns),
                None,
                None,
            )?;
        }
        Ok(())
    }
}

/// Closes the stream on Control-C and after the time given, which wakes up whoever reads from it. True once that was done.
fn end_when_asked(stream: &UnixStream, after: Option<Duration>) -> anyhow::Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for Control-C")?;
    end_after(stream, &asked, move || {
        signals.forever().next();
    })?;
    if let Some(after) = after {
        end_after(stream, &asked, move || thread::sleep(after))?;
    }
    Ok(asked)
}

fn end_after(stream: &UnixStream, asked: &Arc<AtomicBool>, wait: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let (stream, asked) = (stream.try_clone()?, Arc::clone(asked));
    thread::Builder::new().name("end".to_owned()).spawn(move || {
        wait();
        asked.store(true, Ordering::Release);
        // It may be closed already from the other side.
        let _ = stream.shutdown(Shutdown::Both);
    })?;
    Ok(())
}
