//! A camera that plays pictures from memory as fast as they are taken, and fails by chance in every way that cameras fail.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gazed::capture::camera::device::{Agreed, BufferFacts, FourCc, Interval, Look, Mode, VideoDevice};
use gazed::capture::camera::{Camera, CameraInfo};
use gazed::capture::{CaptureError, FrameSource, decode};
use gazed::clock::{Clock, MonotonicClock, Timestamp};
use gazed::config::CameraConfig;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::io::Errno;

use super::Failure;

/// Pictures in memory, as a webcam sends them.
pub struct Ring {
    pictures: Vec<Vec<u8>>,
    size_px: (u32, u32),
    faceless: Vec<u8>,
    wrong_size: Vec<u8>,
}

impl Ring {
    /// The pictures of recordings, which must be of one size.
    pub fn read(folders: &[PathBuf]) -> Result<Self, Failure> {
        let mut files = Vec::new();
        for folder in folders {
            let mut here: Vec<PathBuf> = fs::read_dir(folder.join("frames"))?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<io::Result<_>>()?;
            here.sort();
            files.extend(here);
        }
        let pictures: Vec<Vec<u8>> = files.iter().map(fs::read).collect::<io::Result<_>>()?;
        let size_px = decode::picture_size(pictures.first().ok_or("the folders hold no pictures")?)?;
        for (picture, file) in pictures.iter().zip(&files) {
            if decode::picture_size(picture)? != size_px {
                return Err(format!("{} is not of the size of the first one", file.display()).into());
            }
        }
        Ok(Self {
            pictures,
            size_px,
            faceless: gray_jpeg(size_px)?,
            wrong_size: gray_jpeg((size_px.0 / 2, size_px.1 / 2))?,
        })
    }

    pub fn len(&self) -> usize {
        self.pictures.len()
    }

    pub fn size_px(&self) -> (u32, u32) {
        self.size_px
    }

    pub fn bytes(&self) -> usize {
        self.pictures.iter().map(Vec::len).sum()
    }
}

/// A picture with structure and no face.
fn gray_jpeg((width, height): (u32, u32)) -> Result<Vec<u8>, Failure> {
    let pixels: Vec<u8> = (0..height)
        .flat_map(|y| (0..width).map(move |x| 60 + (x / 8 + y / 8) as u8 % 128))
        .collect();
    let mut bytes = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, 80);
    encoder.encode(
        &pixels,
        u16::try_from(width)?,
        u16::try_from(height)?,
        jpeg_encoder::ColorType::Luma,
    )?;
    Ok(bytes)
}

/// What befalls the camera before or with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Corrupt,
    Truncated,
    Empty,
    WrongSize,
    MarkedDamaged,
    Gap,
    RepeatedStamp,
    BackwardStamp,
    ZeroStamp,
    FutureStamp,
    /// Nobody is in sight for some frames.
    Faceless,
    /// A read takes longer than usual, but not so long that the camera counts as stalled.
    Delay,
    /// No frame and no error, until the camera is opened again.
    Stall,
    /// The driver gives up.
    Fatal,
    /// Unplugged, and plugged in again a little later.
    Vanish,
}

/// Each fault, its name, and how often in a million frames it happens. A stall costs a second and a half, so it is rare.
const FAULTS: [(Fault, &str, u64); 15] = [
    (Fault::Corrupt, "corrupt", 4000),
    (Fault::Truncated, "truncated", 4000),
    (Fault::Empty, "empty", 1000),
    (Fault::WrongSize, "wrong size", 2000),
    (Fault::MarkedDamaged, "marked as damaged", 1000),
    (Fault::Gap, "gap in the driver's count", 4000),
    (Fault::RepeatedStamp, "repeated stamp", 2000),
    (Fault::BackwardStamp, "backward stamp", 2000),
    (Fault::ZeroStamp, "zero stamp", 1000),
    (Fault::FutureStamp, "future stamp", 1000),
    (Fault::Faceless, "faceless spell", 1000),
    (Fault::Delay, "delay", 400),
    (Fault::Stall, "stall", 150),
    (Fault::Fatal, "fatal error", 150),
    (Fault::Vanish, "unplugged", 250),
];

/// How often each fault has happened.
#[derive(Clone, Debug, Default)]
pub struct Faults([u64; FAULTS.len()]);

impl Faults {
    /// The names of those that have not.
    pub fn missing(&self) -> Vec<&'static str> {
        let counted = FAULTS.iter().zip(&self.0);
        counted
            .filter(|(_, count)| **count == 0)
            .map(|((_, name, _), _)| *name)
            .collect()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faults:")?;
        for ((_, name, _), count) in FAULTS.iter().zip(&self.0) {
            write!(f, " {count} {name};")?;
        }
        Ok(())
    }
}

/// What outlives a closed camera.
struct State {
    dice: ChaCha8Rng,
    faults: Faults,
    /// The next picture of the ring.
    at: usize,
    /// Frames that left the sensor: delivered, or skipped in the driver's count.
    sent: u64,
    faceless_left: u64,
    gone_until: Option<Timestamp>,
    interval: Duration,
    /// When the next frame is ready.
    due: Timestamp,
}

pub struct World {
    ring: Ring,
    state: Mutex<State>,
}

impl World {
    pub fn new(ring: Ring, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            ring,
            state: Mutex::new(State {
                dice: ChaCha8Rng::seed_from_u64(seed),
                faults: Faults::default(),
                at: 0,
                sent: 0,
                faceless_left: 0,
                gone_until: None,
                interval: Duration::from_millis(2),
                due: Timestamp::default(),
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn sent(&self) -> u64 {
        self.state().sent
    }

    /// From now on frames come faster or slower by this factor.
    pub fn hurry(&self, factor: f64) {
        let mut state = self.state();
        let interval = state.interval.div_f64(factor);
        state.interval = interval.clamp(Duration::from_micros(50), Duration::from_millis(33));
    }

    pub fn faults(&self) -> Faults {
        self.state().faults.clone()
    }

    /// Opens the camera, as the daemon opens a real one.
    pub fn open(self: &Arc<Self>) -> Result<Box<dyn FrameSource>, CaptureError> {
        let clock = Arc::new(MonotonicClock);
        {
            let mut state = self.state();
            if state.gone_until.is_some_and(|until| clock.now() < until) {
                return Err(CaptureError::Unavailable("no camera is there: plug one in".into()));
            }
            state.gone_until = None;
        }
        let camera = CameraInfo {
            name: "Soak".into(),
            id: "soak".into(),
            serial: None,
            device: PathBuf::from("/dev/soak"),
            problem: None,
        };
        let device = Device {
            world: Arc::clone(self),
            spoilt: Vec::new(),
            sequence: 0,
            last_stamp_ns: 0,
            stalled: false,
        };
        Ok(Box::new(Camera::start(
            Box::new(device),
            camera,
            &CameraConfig::default(),
            clock,
        )?))
    }
}

impl State {
    fn below(&mut self, limit: u64) -> u64 {
        self.dice.next_u64() % limit.max(1)
    }

    fn roll(&mut self) -> Option<Fault> {
        let mut at = self.below(1_000_000);
        for (index, (fault, _, per_million)) in FAULTS.iter().enumerate() {
            match at.checked_sub(*per_million) {
                Some(rest) => at = rest,
                None => {
                    self.faults.0[index] += 1;
                    return Some(*fault);
                }
            }
        }
        None
    }
}

/// One opening of the camera.
struct Device {
    world: Arc<World>,
    /// Room for a picture that is spoilt.
    spoilt: Vec<u8>,
    sequence: u32,
    last_stamp_ns: i128,
    stalled: bool,
}

impl VideoDevice for Device {
    fn driver(&self) -> &str {
        "soak"
    }

    fn modes(&self) -> io::Result<Vec<Mode>> {
        let (width_px, height_px) = self.world.ring.size_px;
        Ok(vec![Mode {
            format: FourCc(*b"MJPG"),
            width_px,
            height_px,
            interval: Some(Interval {
                numerator: 1,
                denominator: 30,
            }),
        }])
    }

    fn configure(&mut self, mode: Mode) -> io::Result<Agreed> {
        Ok(Agreed { mode, stride: 0 })
    }

    fn start(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn wait(&mut self, timeout: Duration) -> io::Result<bool> {
        if self.stalled {
            std::thread::sleep(timeout);
            return Ok(false);
        }
        let (now, mut state) = (MonotonicClock.now(), self.world.state());
        let early = state.due.saturating_since(now);
        // Late frames are not caught up with.
        state.due = state.due.max(now) + state.interval;
        drop(state);
        std::thread::sleep(early);
        Ok(true)
    }

    fn take(&mut self, look: &mut Look<'_>) -> io::Result<()> {
        let world = Arc::clone(&self.world);
        let mut state = world.state();
        let fault = state.roll();
        match fault {
            Some(Fault::Vanish) => {
                let away = Duration::from_millis(state.below(300));
                state.gone_until = Some(MonotonicClock.now() + away);
                return Err(Errno::NODEV.into());
            }
            Some(Fault::Fatal) => return Err(Errno::IO.into()),
            // It begins after this frame.
            Some(Fault::Stall) => self.stalled = true,
            Some(Fault::Delay) => {
                let delay = Duration::from_millis(state.below(400));
                drop(state);
                std::thread::sleep(delay);
                state = world.state();
            }
            Some(Fault::Gap) => {
                let missing = 1 + state.below(5);
                self.sequence = self.sequence.wrapping_add(missing as u32);
                state.sent += missing;
            }
            Some(Fault::Faceless) => state.faceless_left = 1 + state.below(120),
            _ => {}
        }
        let picture = &world.ring.pictures[state.at];
        state.at = (state.at + 1) % world.ring.len();
        state.sent += 1;
        let faceless = state.faceless_left > 0;
        state.faceless_left = state.faceless_left.saturating_sub(1);
        let bytes: &[u8] = match fault {
            Some(Fault::Corrupt) => {
                self.spoilt.clone_from(picture);
                for _ in 0..1 + state.below(64) {
                    let at = 2 + state.below(picture.len() as u64 - 2) as usize;
                    self.spoilt[at] = state.below(256) as u8;
                }
                &self.spoilt
            }
            Some(Fault::Truncated) => &picture[..state.below(picture.len() as u64) as usize],
            Some(Fault::Empty) => &[],
            Some(Fault::WrongSize) => &world.ring.wrong_size,
            _ if faceless => &world.ring.faceless,
            _ => picture,
        };
        drop(state);
        let now_ns = i128::from(MonotonicClock.now().as_nanos());
        let stamp_ns = match fault {
            Some(Fault::RepeatedStamp) => self.last_stamp_ns,
            Some(Fault::BackwardStamp) => self.last_stamp_ns - 500_000_000,
            Some(Fault::ZeroStamp) => 0,
            Some(Fault::FutureStamp) => now_ns + 3_600_000_000_000,
            _ => now_ns,
        };
        self.last_stamp_ns = now_ns;
        let facts = BufferFacts {
            sequence: self.sequence,
            stamp_ns,
            at_exposure_start: false,
            damaged: fault == Some(Fault::MarkedDamaged),
            stride: None,
        };
        self.sequence = self.sequence.wrapping_add(1);
        look(bytes, facts, false);
        Ok(())
    }

    fn varies_rate(&self) -> Option<bool> {
        None
    }

    fn set_varies_rate(&mut self, _: bool) -> io::Result<()> {
        Err(Errno::NOTTY.into())
    }
}
