//! A camera on a device that is played by the test: what comes when, and what fails.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use super::device::{FourCc, Interval, Look, Mode};
use super::*;
use crate::clock::{ManualClock, TimestampSource};

/// Makes a waiting frame unusable.
type Spoil = fn(&mut (Vec<u8>, BufferFacts));

const MS: Duration = Duration::from_millis(1);
const MODE: Mode = Mode {
    format: FourCc(*b"YUYV"),
    width_px: 4,
    height_px: 2,
    interval: Some(Interval {
        numerator: 1,
        denominator: 25,
    }),
};

/// What the played device will do, and what was done to it.
#[derive(Default)]
struct Script {
    /// Frames that wait in the driver's queue.
    queue: VecDeque<(Vec<u8>, BufferFacts)>,
    /// What the next call fails with.
    fails: Option<Errno>,
    modes: Vec<Mode>,
    configured: Option<Mode>,
    varies_rate: Option<bool>,
}

struct Played {
    script: Arc<Mutex<Script>>,
    clock: Arc<ManualClock>,
}

impl Played {
    fn script(&self) -> io::Result<MutexGuard<'_, Script>> {
        let mut script = self.script.lock().expect("not poisoned");
        match script.fails.take() {
            Some(errno) => Err(errno.into()),
            None => Ok(script),
        }
    }
}

impl VideoDevice for Played {
    fn driver(&self) -> &str {
        "uvcvideo"
    }

    fn modes(&self) -> io::Result<Vec<Mode>> {
        Ok(self.script()?.modes.clone())
    }

    fn configure(&mut self, mode: Mode) -> io::Result<Agreed> {
        self.script()?.configured = Some(mode);
        Ok(Agreed { mode, stride: 8 })
    }

    fn start(&mut self) -> io::Result<()> {
        self.script().map(drop)
    }

    fn wait(&mut self, timeout: Duration) -> io::Result<bool> {
        let ready = {
            let script = self.script.lock().expect("not poisoned");
            // As with a real device, a failure makes it ready, and taking the frame tells.
            !script.queue.is_empty() || script.fails.is_some()
        };
        if !ready {
            self.clock.advance(timeout);
        }
        Ok(ready)
    }

    fn take(&mut self, look: &mut Look<'_>) -> io::Result<()> {
        let mut script = self.script()?;
        let (bytes, facts) = script.queue.pop_front().ok_or(Errno::AGAIN)?;
        look(&bytes, facts, !script.queue.is_empty());
        Ok(())
    }

    fn varies_rate(&self) -> Option<bool> {
        self.script.lock().expect("not poisoned").varies_rate
    }

    fn set_varies_rate(&mut self, varies: bool) -> io::Result<()> {
        self.script()?.varies_rate = Some(varies);
        Ok(())
    }
}

struct Bench {
    script: Arc<Mutex<Script>>,
    clock: Arc<ManualClock>,
    sequence: u32,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        clock.advance(Duration::from_secs(100));
        let script = Script {
            modes: vec![MODE],
            ..Script::default()
        };
        Self {
            script: Arc::new(Mutex::new(script)),
            clock,
            sequence: 0,
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("not poisoned")
    }

    fn open(&self) -> Result<Camera, CaptureError> {
        let camera = CameraInfo {
            name: "Test Cam".to_string(),
            id: "bench".to_string(),
            serial: None,
            device: PathBuf::from("/dev/video9"),
            problem: None,
        };
        let device = Played {
            script: Arc::clone(&self.script),
            clock: Arc::clone(&self.clock),
        };
        let clock: Arc<dyn Clock> = self.clock.clone();
        Camera::start(Box::new(device), camera, &CameraConfig::default(), clock)
    }

    /// `after` from now the driver has one more frame, whose pixels all have this value.
    fn frame_after(&mut self, after: Duration, value: u8) {
        self.clock.advance(after);
        let facts = BufferFacts {
            sequence: self.sequence,
            stamp_ns: i128::from(self.clock.now().as_nanos()),
            at_exposure_start: true,
            ..BufferFacts::default()
        };
        self.sequence += 1;
        self.script().queue.push_back((vec![value; 16], facts));
    }
}

fn reason(result: Result<Option<Frame>, CaptureError>) -> String {
    result.expect_err("a failure").to_string()
}

#[test]
fn frames_are_stamped_and_counted() {
    let mut bench = Bench::new();
    let mut camera = bench.open().expect("opens");
    assert_eq!((camera.info().width_px, camera.info().frame_rate_hz), (4, 25.0));
    assert!(camera.next_frame(40 * MS).expect("waits").is_none());
    bench.frame_after(40 * MS, 7);
    let frame = camera.next_frame(MS).expect("runs").expect("a frame");
    assert_eq!(frame.image.pixels(), [7; 8]);
    assert_eq!(frame.captured, bench.clock.now());
    assert_eq!(frame.timestamp_source, TimestampSource::DriverExposureStart);
    bench.sequence += 2;
    bench.frame_after(40 * MS, 8);
    assert_eq!(camera.next_frame(MS).expect("runs").expect("a frame").id, FrameId(1));
    assert_eq!(camera.missed(), 2, "the driver dropped two");
}

#[test]
fn the_newest_of_the_waiting_frames_wins_and_the_others_are_counted() {
    let mut bench = Bench::new();
    let mut camera = bench.open().expect("opens");
    (1..=4).for_each(|value| bench.frame_after(40 * MS, value));
    let frame = camera.next_frame(MS).expect("runs").expect("a frame");
    assert_eq!(frame.image.pixels()[0], 4);
    assert_eq!(camera.missed(), 3);
    assert!(camera.next_frame(MS).expect("waits").is_none());
}

#[test]
fn bad_frames_are_skipped_and_the_next_one_is_taken() {
    let mut bench = Bench::new();
    let mut camera = bench.open().expect("opens");
    let spoil: [Spoil; 4] = [
        |(bytes, _)| bytes.truncate(15),
        |(bytes, _)| bytes.clear(),
        |(_, facts)| facts.damaged = true,
        |(_, facts)| facts.stamp_ns -= 300_000_000,
    ];
    bench.frame_after(MS, 1);
    assert!(camera.next_frame(MS).is_ok());
    for (index, spoil) in spoil.into_iter().enumerate() {
        bench.frame_after(40 * MS, 1);
        spoil(bench.script().queue.back_mut().expect("a frame"));
        let error = camera.next_frame(MS).expect_err("unusable");
        assert!(matches!(error, CaptureError::Skipped(_)), "{index}: {error}");
        bench.frame_after(40 * MS, 2);
        assert!(camera.next_frame(MS).is_ok_and(|frame| frame.is_some()), "{index}");
    }
}

#[test]
fn mjpeg_of_another_size_and_corrupt_mjpeg_are_skipped() {
    let bench = Bench::new();
    let format = FourCc(*b"MJPG");
    bench.script().modes = vec![Mode {
        format,
        width_px: 16,
        height_px: 8,
        ..MODE
    }];
    let mut camera = bench.open().expect("opens");
    let jpeg = |width: u16, height: u16| {
        let mut bytes = Vec::new();
        jpeg_encoder::Encoder::new(&mut bytes, 90)
            .encode(
                &vec![200; usize::from(width) * usize::from(height)],
                width,
                height,
                jpeg_encoder::ColorType::Luma,
            )
            .expect("encodes");
        bytes
    };
    let mut corrupt = jpeg(16, 8);
    corrupt.truncate(corrupt.len() - 4);
    for (index, (bytes, usable)) in [
        (jpeg(16, 8), true),
        (jpeg(8, 8), false),
        (corrupt, false),
        (vec![0xff; 50], false),
        (jpeg(16, 8), true),
    ]
    .into_iter()
    .enumerate()
    {
        bench.clock.advance(40 * MS);
        let facts = BufferFacts {
            sequence: index as u32,
            stamp_ns: i128::from(bench.clock.now().as_nanos()),
            ..BufferFacts::default()
        };
        bench.script().queue.push_back((bytes, facts));
        match camera.next_frame(MS) {
            Ok(Some(frame)) => assert!(usable && frame.image.pixels()[0] > 195),
            Err(CaptureError::Skipped(reason)) => assert!(!usable, "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_camera_that_sends_nothing_usable_is_given_up_with_the_reason() {
    let mut bench = Bench::new();
    let mut camera = bench.open().expect("opens");
    let mut skipped = 0;
    let error = loop {
        bench.frame_after(40 * MS, 1);
        bench.script().queue.back_mut().expect("a frame").0.clear();
        match camera.next_frame(MS).expect_err("unusable") {
            CaptureError::Skipped(_) => skipped += 1,
            error => break error.to_string(),
        }
    };
    assert_eq!(skipped, 62, "2.5 s of frames");
    assert!(
        error.contains("every picture of the camera Test Cam is unusable") && error.contains("0 bytes"),
        "{error}"
    );
}

#[test]
fn a_stalled_camera_is_given_up_and_a_slow_start_is_not() {
    let mut bench = Bench::new();
    let mut camera = bench.open().expect("opens");
    bench.clock.advance(2400 * MS);
    assert!(camera.next_frame(MS).expect("warms up").is_none());
    bench.frame_after(MS, 1);
    assert!(camera.next_frame(MS).is_ok());
    assert!(camera.next_frame(1400 * MS).expect("waits").is_none());
    assert!(reason(camera.next_frame(200 * MS)).contains("has stopped sending pictures"));
    let mut silent = bench.open().expect("opens");
    assert!(reason(silent.next_frame(2600 * MS)).contains("has stopped sending pictures"));
}

#[test]
fn each_failure_says_what_to_do() {
    for (errno, advice) in [
        (Errno::NODEV, "plug it in again"),
        (Errno::IO, "replug it"),
        (Errno::BUSY, "close it there"),
        (Errno::ACCESS, "usermod -aG video"),
    ] {
        let bench = Bench::new();
        bench.script().fails = Some(errno);
        let error = bench.open().err().expect("a failure");
        assert!(matches!(error, CaptureError::Unavailable(_)));
        assert!(
            error.to_string().contains(advice) && error.to_string().contains("Test Cam"),
            "{error}"
        );

        let bench = Bench::new();
        let mut camera = bench.open().expect("opens");
        bench.script().fails = Some(errno);
        assert!(reason(camera.next_frame(MS)).contains(advice));
    }
    assert!(none_found(&[], "").contains("plug one in, or use --source synthetic"));
}

#[test]
fn a_camera_with_odd_formats_alone_is_unusable_and_says_so() {
    let bench = Bench::new();
    bench.script().modes = vec![Mode {
        format: FourCc(*b"BA81"),
        ..MODE
    }];
    let error = bench.open().err().expect("unusable");
    assert!(matches!(error, CaptureError::Unusable(_)));
    assert!(error.to_string().contains("it offers BA81"), "{error}");
}

#[test]
fn a_fractional_rate_is_set_as_it_is() {
    let bench = Bench::new();
    let fractional = Mode {
        interval: Some(Interval {
            numerator: 2,
            denominator: 25,
        }),
        ..MODE
    };
    bench.script().modes = vec![fractional];
    let camera = bench.open().expect("opens");
    assert_eq!(camera.info().frame_rate_hz, 12.5);
    assert_eq!(bench.script().configured, Some(fractional));
}

#[test]
fn a_rate_halved_in_dim_light_is_noticed_held_and_given_back() {
    let mut bench = Bench::new();
    bench.script().varies_rate = Some(true);
    let mut camera = bench.open().expect("opens");
    let mut run = |camera: &mut Camera, interval: Duration, count: u32| {
        for _ in 0..count {
            bench.frame_after(interval, 1);
            camera.next_frame(MS).expect("runs").expect("a frame");
        }
    };
    run(&mut camera, 40 * MS, 100);
    assert!((camera.measured_rate_hz().expect("measured") - 25.0).abs() < 0.01);
    run(&mut camera, 80 * MS, 12);
    assert_eq!(camera.device.varies_rate(), Some(true), "a moment is not enough");
    run(&mut camera, 80 * MS, 40);
    assert_eq!(camera.device.varies_rate(), Some(false), "told to keep its rate");
    run(&mut camera, 40 * MS, 100);
    drop(camera);
    assert_eq!(bench.script().varies_rate, Some(true), "as it was found");
}

#[test]
fn a_camera_without_the_switch_is_left_alone() {
    let mut bench = Bench::new();
    let mut camera = bench.open().expect("opens");
    for _ in 0..120 {
        bench.frame_after(80 * MS, 1);
        camera.next_frame(MS).expect("runs").expect("a frame");
    }
    assert!(
        (camera.measured_rate_hz().expect("measured") - 12.5).abs() < 0.01,
        "reported as it is"
    );
    drop(camera);
    assert_eq!(bench.script().varies_rate, None);
}
