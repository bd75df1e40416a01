//! A stream of pictures from a PipeWire node.
//!
//! Its stamps are taken for starts of exposures on CLOCK_MONOTONIC or CLOCK_BOOTTIME, as libcamera gives them (its control
//! `SensorTimestamp`). Of a V4L2 camera PipeWire passes on what the driver said, without telling which kind of stamp it is.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use ::pipewire as pw;
use pw::buffer::Buffer;
use pw::node::Node as NodeProxy;
use pw::properties::properties;
use pw::registry::{Listener as RegistryListener, RegistryRc};
use pw::spa::buffer::ChunkFlags;
use pw::spa::buffer::meta::{MetaHeader, MetaHeaderFlags};
use pw::spa::param::ParamType;
use pw::spa::pod::Pod;
use pw::spa::utils::Direction;
use pw::stream::{Stream, StreamFlags, StreamListener, StreamRc, StreamState};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::connection::{Connection, Failure, Node};
use super::formats;
use crate::capture::camera::device::{Agreed, BufferFacts, Look, Mode, VideoDevice};

/// The session manager links a stream within milliseconds; cameras take a moment to agree to a format.
const AGREED_WITHIN: Duration = Duration::from_secs(5);

/// A camera's node and, once configured, the stream from it; fields are dropped in their order.
pub struct PipeWireDevice {
    stream: Option<Running>,
    node: Node,
    connection: Connection,
}

/// A stream, and whoever tells of it.
struct Running {
    _told: StreamListener<()>,
    _stream: StreamRc,
    _vanishing: RegistryListener,
    _registry: RegistryRc,
    seen: Rc<RefCell<Seen>>,
}

/// What the stream has told so far.
#[derive(Default)]
struct Seen {
    agreed: Option<Mode>,
    /// The newest frame, until it is taken.
    frame: Vec<u8>,
    facts: Option<BufferFacts>,
    count: u32,
}

impl PipeWireDevice {
    pub fn new(connection: Connection, node: Node) -> Self {
        Self {
            stream: None,
            node,
            connection,
        }
    }

    fn connect(&self, mode: &Mode) -> io::Result<Running> {
        let id = self.node.global.id;
        let failure = self.connection.failure();
        let registry = self.connection.core.get_registry_rc().map_err(io::Error::other)?;
        let vanishing = {
            let failure = failure.clone();
            let vanished = move |gone| {
                if gone == id {
                    failure.tell(Errno::NODEV.into());
                }
            };
            registry.add_listener_local().global_remove(vanished).register()
        };
        let properties = properties! {
            *pw::keys::MEDIA_TYPE => "Video",
            *pw::keys::MEDIA_CATEGORY => "Capture",
            *pw::keys::MEDIA_ROLE => "Camera",
            // Another camera in its place would be another calibration's.
            *pw::keys::NODE_DONT_RECONNECT => "true",
        };
        let stream = StreamRc::new(self.connection.core.clone(), "gazed", properties).map_err(io::Error::other)?;
        let seen = Rc::new(RefCell::new(Seen::default()));
        let told = listen(&stream, Rc::clone(&seen), failure).map_err(io::Error::other)?;
        let description = formats::description(mode).ok_or(Errno::INVAL)?;
        let description = formats::bytes(description)?;
        let description = Pod::from_bytes(&description).ok_or(Errno::INVAL)?;
        let flags = StreamFlags::AUTOCONNECT | StreamFlags::MAP_BUFFERS;
        stream
            .connect(Direction::Input, Some(id), flags, &mut [description])
            .map_err(io::Error::other)?;
        Ok(Running {
            _told: told,
            _stream: stream,
            _vanishing: vanishing,
            _registry: registry,
            seen,
        })
    }
}

fn listen(stream: &Stream, seen: Rc<RefCell<Seen>>, failure: Failure) -> Result<StreamListener<()>, pw::Error> {
    let by_format = Rc::clone(&seen);
    stream
        .add_local_listener_with_user_data(())
        .state_changed(move |_, (), _, state| match state {
            StreamState::Error(reason) => failure.tell(io::Error::other(format!("PipeWire says: {reason}"))),
            StreamState::Unconnected => failure.tell(Errno::NODEV.into()),
            _ => {}
        })
        .param_changed(move |stream, (), id, param| {
            let Some(param) = param.filter(|_| id == ParamType::Format.as_raw()) else {
                return;
            };
            by_format.borrow_mut().agreed = formats::modes(param).first().copied();
            let asked = formats::bytes(formats::with_header()).and_then(|bytes| {
                let header = Pod::from_bytes(&bytes).ok_or(Errno::INVAL)?;
                stream.update_params(&mut [header]).map_err(io::Error::other)
            });
            if let Err(error) = asked {
                tracing::debug!(%error, "PipeWire is not asked for time stamps");
            }
        })
        .process(move |stream, ()| {
            // Copied at once, so that the camera never lacks buffers; what was not taken in time is overwritten, which shows
            // as a gap in the sequence.
            while let Some(buffer) = stream.dequeue_buffer() {
                seen.borrow_mut().keep(buffer);
            }
        })
        .register()
}

impl Seen {
    fn keep(&mut self, mut buffer: Buffer<'_>) {
        let header = buffer.find_meta::<MetaHeader>();
        let (stamp_ns, counted, marked) = header.map_or((0, 0, false), |header| {
            let damaged = header.flags().contains(MetaHeaderFlags::CORRUPTED);
            (header.pts(), header.seq(), damaged)
        });
        self.frame.clear();
        let mut facts = BufferFacts {
            // Not every camera counts; then what came is counted here.
            sequence: if counted > 0 { counted as u32 } else { self.count },
            stamp_ns: on_monotonic(
                stamp_ns,
                nanoseconds(ClockId::Monotonic),
                nanoseconds(ClockId::Boottime),
            ),
            at_exposure_start: true,
            damaged: true,
            stride: None,
        };
        self.count = self.count.wrapping_add(1);
        // The first plane holds the luma; further ones are not looked at.
        if let Some(plane) = buffer.datas_mut().first_mut() {
            let chunk = plane.chunk();
            let (from, length) = (chunk.offset() as usize, chunk.size() as usize);
            facts.damaged = marked || chunk.flags().contains(ChunkFlags::CORRUPTED);
            facts.stride = usize::try_from(chunk.stride()).ok().filter(|stride| *stride > 0);
            match plane
                .data()
                .and_then(|bytes| bytes.get(from..from.checked_add(length)?))
            {
                Some(bytes) => self.frame.extend_from_slice(bytes),
                None => facts.damaged = true,
            }
        }
        self.facts = Some(facts);
    }
}

impl VideoDevice for PipeWireDevice {
    fn driver(&self) -> &str {
        "pipewire"
    }

    fn modes(&self) -> io::Result<Vec<Mode>> {
        let registry = self.connection.core.get_registry_rc().map_err(io::Error::other)?;
        let node: NodeProxy = registry.bind(&self.node.global).map_err(io::Error::other)?;
        let modes = Rc::new(RefCell::new(Vec::new()));
        let _listener = {
            let modes = Rc::clone(&modes);
            node.add_listener_local()
                .param(move |_, id, _, _, param| {
                    if let Some(param) = param.filter(|_| id == ParamType::EnumFormat) {
                        modes.borrow_mut().extend(formats::modes(param));
                    }
                })
                .register()
        };
        node.enum_params(0, Some(ParamType::EnumFormat), 0, u32::MAX);
        self.connection.round_trip()?;
        Ok(modes.take())
    }

    fn configure(&mut self, mode: Mode) -> io::Result<Agreed> {
        let running = self.connect(&mode)?;
        let seen = Rc::clone(&running.seen);
        if !self
            .connection
            .run_until(AGREED_WITHIN, || seen.borrow().agreed.is_some())?
        {
            return Err(io::Error::other(
                "PipeWire does not connect it; a session manager such as WirePlumber has to run",
            ));
        }
        let agreed = seen.borrow().agreed.unwrap_or(mode);
        self.stream = Some(running);
        Ok(Agreed {
            mode: Mode {
                interval: agreed.interval.or(mode.interval),
                ..agreed
            },
            // Each frame says its own.
            stride: 0,
        })
    }

    /// A stream sends as soon as it is agreed on.
    fn start(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn wait(&mut self, timeout: Duration) -> io::Result<bool> {
        let running = self.stream.as_ref().ok_or(Errno::INVAL)?;
        self.connection
            .run_until(timeout, || running.seen.borrow().facts.is_some())
    }

    fn take(&mut self, look: &mut Look<'_>) -> io::Result<()> {
        let running = self.stream.as_ref().ok_or(Errno::INVAL)?;
        let mut seen = running.seen.borrow_mut();
        let facts = seen.facts.take().ok_or(Errno::AGAIN)?;
        let frame = mem::take(&mut seen.frame);
        look(&frame, facts, false);
        seen.frame = frame;
        Ok(())
    }

    fn varies_rate(&self) -> Option<bool> {
        None
    }

    fn set_varies_rate(&mut self, _varies: bool) -> io::Result<()> {
        Err(Errno::OPNOTSUPP.into())
    }
}

fn nanoseconds(clock: ClockId) -> i128 {
    let now = clock_gettime(clock);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

/// A stamp that lies in the future of CLOCK_MONOTONIC, but not of CLOCK_BOOTTIME, is of the latter: it counts the time that
/// the machine was suspended, too.
fn on_monotonic(stamp_ns: i64, monotonic_ns: i128, since_boot_ns: i128) -> i128 {
    let stamp_ns = i128::from(stamp_ns);
    if stamp_ns > monotonic_ns && stamp_ns <= since_boot_ns {
        stamp_ns - (since_boot_ns - monotonic_ns)
    } else {
        stamp_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_the_clock_that_runs_on_while_suspended_are_understood() {
        let (monotonic, boot) = (1_000, 5_000);
        assert_eq!(on_monotonic(990, monotonic, boot), 990);
        assert_eq!(on_monotonic(4_990, monotonic, boot), 990);
        assert_eq!(
            on_monotonic(5_001, monotonic, boot),
            5_001,
            "of no clock; it is not believed"
        );
        assert_eq!(on_monotonic(-1, monotonic, boot), -1);
        assert_eq!(on_monotonic(1_001, monotonic, monotonic), 1_001, "never suspended");
    }
}
