//! The real device, through the `v4l` crate.
//!
//! nokhwa lists the cameras (see `list`), but does not stream them: its `frame()` waits for ever on a device that stalls,
//! turns the driver's monotonic stamps into wall time, refuses a device that was left at a fractional frame rate, and hands
//! out the oldest of four queued frames. The `v4l` crate beneath it has timeouts, stamps, sequence numbers and true lengths.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use v4l::buffer::{Flags, Metadata, Type};
use v4l::control::{Control, Value};
use v4l::device::Device;
use v4l::format::Format;
use v4l::fraction::Fraction;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::io::mmap;
use v4l::io::traits::{CaptureStream, Stream as _};
use v4l::video::Capture;
use v4l::video::capture::Parameters;

use super::device::{Agreed, BufferFacts, FourCc, Interval, Look, Mode, VideoDevice};
use super::mode::{decoding, sizes_in_range};

/// `V4L2_CID_EXPOSURE_AUTO_PRIORITY`, shown by tools as `exposure_dynamic_framerate`.
const VARIES_RATE_CONTROL: u32 = 0x009a_0903;
const POLLIN: i16 = 0x0001;
/// Enough that the driver always has one to fill while one is looked at and one waits.
const BUFFERS: u32 = 4;

pub struct V4lDevice {
    device: Device,
    driver: String,
    stream: Option<mmap::Stream<'static>>,
}

impl V4lDevice {
    pub fn open(path: &Path) -> io::Result<Self> {
        let device = Device::with_path(path)?;
        let driver = capabilities(&device)?.driver;
        Ok(Self {
            device,
            driver,
            stream: None,
        })
    }

    fn close_stream(&mut self) {
        let Some(mut stream) = self.stream.take() else {
            return;
        };
        // The crate's own clean-up panics where the driver refuses it, and panicking twice would end the process. A stream
        // that cannot be stopped is left to the kernel, which tears it down with the process.
        match stream.stop() {
            Ok(()) => drop(stream),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) => drop(stream),
            Err(error) => {
                tracing::warn!(%error, "the camera's stream does not stop");
                std::mem::forget(stream);
            }
        }
    }

    /// The rates of one size: those that the driver lists, or two usual ones of the range that it gives.
    fn intervals(&self, format: v4l::FourCC, width: u32, height: u32) -> Vec<Option<Interval>> {
        let mut found = Vec::new();
        for entry in self
            .device
            .enum_frameintervals(format, width, height)
            .unwrap_or_default()
        {
            match entry.interval {
                FrameIntervalEnum::Discrete(fraction) => found.push(Some(interval(fraction))),
                FrameIntervalEnum::Stepwise(range) => {
                    // The least interval is the highest rate.
                    let (fastest, slowest) = (interval(range.min), interval(range.max));
                    let usual = [60, 30].map(|denominator| Interval {
                        numerator: 1,
                        denominator,
                    });
                    found.push(Some(fastest));
                    found.extend(
                        usual
                            .into_iter()
                            .filter(|i| i.rate_hz() < fastest.rate_hz() && i.rate_hz() > slowest.rate_hz())
                            .map(Some),
                    );
                }
            }
        }
        if found.is_empty() {
            found.push(None);
        }
        found
    }
}

impl Drop for V4lDevice {
    fn drop(&mut self) {
        self.close_stream();
    }
}

impl VideoDevice for V4lDevice {
    fn driver(&self) -> &str {
        &self.driver
    }

    fn modes(&self) -> io::Result<Vec<Mode>> {
        let mut modes = Vec::new();
        for format in self.device.enum_formats()? {
            let fourcc = format.fourcc;
            if decoding(FourCc(fourcc.repr)).is_none() {
                // Named in messages, but never asked for its sizes: some drivers list dozens of such formats.
                modes.push(Mode {
                    format: FourCc(fourcc.repr),
                    width_px: 0,
                    height_px: 0,
                    interval: None,
                });
                continue;
            }
            let mut sizes = Vec::new();
            for entry in self.device.enum_framesizes(fourcc).unwrap_or_default() {
                match entry.size {
                    FrameSizeEnum::Discrete(size) => sizes.push((size.width, size.height)),
                    FrameSizeEnum::Stepwise(range) => sizes.extend(sizes_in_range(
                        [range.min_width, range.max_width, range.step_width],
                        [range.min_height, range.max_height, range.step_height],
                    )),
                }
            }
            if sizes.is_empty() {
                // Some drivers list nothing and only know what they are set to.
                let current = self.device.format()?;
                sizes.push((current.width, current.height));
            }
            for (width_px, height_px) in sizes {
                modes.extend(
                    self.intervals(fourcc, width_px, height_px)
                        .into_iter()
                        .map(|interval| Mode {
                            format: FourCc(fourcc.repr),
                            width_px,
                            height_px,
                            interval,
                        }),
                );
            }
        }
        Ok(modes)
    }

    fn configure(&mut self, mode: Mode) -> io::Result<Agreed> {
        let fourcc = v4l::FourCC::new(&mode.format.0);
        let format = self
            .device
            .set_format(&Format::new(mode.width_px, mode.height_px, fourcc))?;
        // The rate is set even where it seems to be right: another program may have left a fractional one. Drivers without
        // a settable rate refuse, and keep their own.
        if let Some(Interval { numerator, denominator }) = mode.interval {
            let wanted = Parameters::new(Fraction::new(numerator, denominator));
            if let Err(error) = self.device.set_params(&wanted) {
                tracing::debug!(%error, "the camera's frame rate cannot be set");
            }
        }
        let interval = self.device.params().ok().map(|found| interval(found.interval));
        Ok(Agreed {
            mode: Mode {
                format: FourCc(format.fourcc.repr),
                width_px: format.width,
                height_px: format.height,
                interval: interval.filter(|found| found.rate_hz() > 0.0).or(mode.interval),
            },
            stride: format.stride as usize,
        })
    }

    fn start(&mut self) -> io::Result<()> {
        let mut stream = mmap::Stream::with_buffers(&self.device, Type::VideoCapture, BUFFERS)?;
        // `next` queues the buffer that it handed out last, at first buffer 0, and takes the next one; all others must have
        // been queued before. The driver may have granted fewer than were asked for: it refuses the first one too many.
        for index in 1..BUFFERS as usize {
            if let Err(error) = CaptureStream::queue(&mut stream, index) {
                if index == 1 {
                    return Err(error);
                }
                break;
            }
        }
        stream.start()?;
        self.stream = Some(stream);
        Ok(())
    }

    fn wait(&mut self, timeout: Duration) -> io::Result<bool> {
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        match self.device.handle().poll(POLLIN, timeout_ms) {
            Ok(ready) => Ok(ready > 0),
            // A signal came; the caller looks around and asks again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, look: &mut Look<'_>) -> io::Result<()> {
        let handle = self.device.handle();
        let stream = self
            .stream
            .as_mut()
            .ok_or_else(|| io::Error::other("the stream was not started"))?;
        stream.set_timeout(Duration::from_millis(100));
        let (bytes, metadata) = stream.next()?;
        let newer = handle.poll(POLLIN, 0).is_ok_and(|ready| ready > 0);
        let used = (metadata.bytesused as usize).min(bytes.len());
        look(&bytes[..used], buffer_facts(metadata), newer);
        Ok(())
    }

    fn varies_rate(&self) -> Option<bool> {
        match self.device.control(VARIES_RATE_CONTROL).ok()?.value {
            Value::Boolean(varies) => Some(varies),
            Value::Integer(value) => Some(value != 0),
            _ => None,
        }
    }

    fn set_varies_rate(&mut self, varies: bool) -> io::Result<()> {
        self.device.set_control(Control {
            id: VARIES_RATE_CONTROL,
            value: Value::Boolean(varies),
        })
    }
}

/// The driver's description of a device. The crate panics where a driver's name is no UTF-8.
pub fn capabilities(device: &Device) -> io::Result<v4l::capability::Capabilities> {
    catch_unwind(AssertUnwindSafe(|| device.query_caps())).unwrap_or_else(|_| {
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the driver's name is not text",
        ))
    })
}

fn interval(fraction: Fraction) -> Interval {
    Interval {
        numerator: fraction.numerator,
        denominator: fraction.denominator,
    }
}

fn buffer_facts(metadata: &Metadata) -> BufferFacts {
    let flags = metadata.flags.bits();
    BufferFacts {
        sequence: metadata.sequence,
        stamp_ns: i128::from(metadata.timestamp.sec) * 1_000_000_000 + i128::from(metadata.timestamp.usec) * 1_000,
        at_exposure_start: flags & Flags::TSTAMP_SRC_MASK.bits() == Flags::TSTAMP_SRC_SOE.bits(),
        damaged: metadata.flags.contains(Flags::ERROR),
        stride: None,
    }
}
