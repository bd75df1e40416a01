//! A window that is sharp where the user will look and coarser elsewhere, with what was saved and how old the gaze was.
//!
//! `cargo run --release --example foveated [-- --window] [--marks] [--report] [--frames N]`, with gazed running and
//! calibrated. Keys: g gaze, f forecast, e error radius and the two radii, i numbers, space all of them, Escape ends it.
//!
//! The window covers the monitor, as positions are normalised to that; with `--window` it is taken for the monitor, since a
//! Wayland window does not know where it is.

mod picture;

use std::io::Write;
use std::time::Duration;

use clap::Parser;
use gazed::bus::options::{SessionOptions, Target};
use gazed::bus::record::Record;
use gazed::cli::window::{self, Canvas, Colour, Flow, Input, Scene, Size, WindowOptions};
use gazed::client::{Client, MemoryFileReader, Session};
use gazed::clock::{Clock, MonotonicClock, Timestamp};
use gazed::foveation::Foveation;
use gazed::geometry::{PointPx, Screen};

use picture::Picture;

#[derive(Debug, Parser)]
struct Arguments {
    /// A window of 1280x720 instead of the whole monitor
    #[arg(long)]
    window: bool,
    /// The monitor, by name; the primary one by default
    #[arg(long)]
    output: Option<String>,
    /// Begin with all marks shown
    #[arg(long)]
    marks: bool,
    /// Print one line a frame: the share of pixels saved, and the age of the gaze
    #[arg(long)]
    report: bool,
    /// Stop after so many frames
    #[arg(long)]
    frames: Option<u64>,
}

/// From drawing to light: half a frame for the compositor, half a frame for the panel, at 60 Hz.
const LEAD: Duration = Duration::from_millis(17);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let client = Client::connect()?;
    let output = arguments.output.as_deref();
    let screen = client
        .outputs()?
        .into_iter()
        .find(|known| output.is_none_or(|name| known.name == name))
        .map_or_else(Screen::default, |known| known.screen());
    let session = client.session(&SessionOptions {
        app_name: "foveated".into(),
        output: arguments.output.clone(),
        target: Target::AfterPublishing(LEAD),
        // The newest record is read when a frame is drawn: no message needs to wake this program up.
        signals: false,
        ..SessionOptions::default()
    })?;
    let latest = session.open_latest()?;
    session.start()?;
    let options = WindowOptions {
        title: "gazed: foveated rendering",
        size: if arguments.window {
            Size::Points(1280.0, 720.0)
        } else {
            Size::FullScreen
        },
        output: arguments.output.clone(),
        pointer: arguments.window,
    };
    let scene = Foveated {
        latest,
        screen,
        shown: if arguments.marks { Shown::ALL } else { Shown::default() },
        report: arguments.report,
        frames_left: arguments.frames,
        frames: 0,
        _session: session,
    };
    window::show(options, scene)?;
    Ok(())
}

/// What is drawn over the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shown {
    gaze: bool,
    forecast: bool,
    radii: bool,
    numbers: bool,
}

impl Shown {
    const ALL: Self = Self {
        gaze: true,
        forecast: true,
        radii: true,
        numbers: true,
    };
}

struct Foveated {
    latest: MemoryFileReader,
    /// The monitor's size in mm; its pixels are those of the window.
    screen: Screen,
    shown: Shown,
    report: bool,
    frames_left: Option<u64>,
    frames: u64,
    /// Closed, and with it the camera, when the window is.
    _session: Session,
}

impl Scene for Foveated {
    fn draw(&mut self, canvas: &mut Canvas<'_>) -> Flow {
        let record = self.latest.read();
        let now = MonotonicClock.now();
        let screen = Screen {
            width_px: canvas.width() as u32,
            height_px: canvas.height() as u32,
            ..self.screen
        };
        // Before the first record nobody knows where the user looks: everything is sharp.
        let unknown = Record {
            error_radius: 1.0,
            ..Record::default()
        };
        let foveation = Foveation::of(&record.unwrap_or(unknown), &screen);
        let width = canvas.width() as usize;
        let pixels = canvas.pixels();
        let all = pixels.len().max(1);
        let computed = Picture::draw(pixels, width, &foveation);
        let saved_percent = 100.0 * (1.0 - computed as f64 / all as f64);
        let age_ms = record.map(|record| age_ms(&record, now));
        if let Some(record) = record {
            self.mark(canvas, &record, &foveation);
        }
        let age = age_ms.map_or_else(|| "no gaze yet".to_owned(), |ms| format!("gaze {ms:.1} ms old"));
        if self.shown.numbers {
            let line = format!("{saved_percent:.1} % of the pixels saved, {age}");
            canvas.text(&line, PointPx::new(12.0, 12.0), 1, false, Colour::new(255, 255, 255));
        }
        self.frames += 1;
        if self.report {
            let line = format!("frame {}: {saved_percent:.1} % of the pixels saved, {age}", self.frames);
            // A reader that left has seen enough.
            if writeln!(std::io::stdout(), "{line}").is_err() {
                return Flow::Close;
            }
        }
        match &mut self.frames_left {
            Some(0 | 1) => Flow::Close,
            Some(left) => {
                *left -= 1;
                Flow::Stay
            }
            None => Flow::Stay,
        }
    }

    fn input(&mut self, input: Input) -> Flow {
        let shown = &mut self.shown;
        match input {
            Input::Escape => return Flow::Close,
            Input::Space => {
                *shown = if *shown == Shown::ALL {
                    Shown::default()
                } else {
                    Shown::ALL
                }
            }
            Input::Character('g') => shown.gaze = !shown.gaze,
            Input::Character('f') => shown.forecast = !shown.forecast,
            Input::Character('e') => shown.radii = !shown.radii,
            Input::Character('i') => shown.numbers = !shown.numbers,
            _ => {}
        }
        Flow::Stay
    }
}

impl Foveated {
    fn mark(&self, canvas: &mut Canvas<'_>, record: &Record, foveation: &Foveation) {
        let (width, height) = (canvas.width(), canvas.height());
        let place = |x: f64, y: f64| PointPx::new(x as f32 * width, y as f32 * height);
        let (gaze, forecast) = (
            place(record.gaze_x, record.gaze_y),
            place(record.forecast_x, record.forecast_y),
        );
        if self.shown.radii {
            let white = Colour::new(255, 255, 255);
            canvas.ring(foveation.centre, foveation.inner_radius_px, 1.0, white);
            canvas.ring(foveation.centre, foveation.outer_radius_px, 1.0, white);
            let error = record.error_radius as f32 * width;
            canvas.ring(foveation.centre, error, 2.0, Colour::new(255, 80, 80));
        }
        if self.shown.gaze {
            canvas.disc(gaze, 6.0, Colour::new(80, 200, 255));
        }
        if self.shown.forecast {
            canvas.cross(forecast, 12.0, 3.0, Colour::new(255, 220, 60));
        }
    }
}

/// From the middle of the exposure that the gaze was seen in to now.
fn age_ms(record: &Record, now: Timestamp) -> f64 {
    now.seconds_since(Timestamp::from_nanos(record.captured_ns)) * 1e3
}
