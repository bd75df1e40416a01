//! The full-screen window that leads through a calibration: welcome, points, result.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};

use super::conversation::Conversation;
use super::course::{Posture, Shown};
use super::report::Report;
use super::terminal::title;
use super::{Args, Mode, result};
use crate::bus::frames::FrameHeader;
use crate::cli::sight::{Frames, PATCH_SHAPE, draw_eye};
use crate::cli::window::{Area, Canvas, Colour, Flow, Input, Scene, Size, WindowError, WindowOptions, show};
use crate::clock::{Clock, MonotonicClock};
use crate::geometry::{PointPx, ScreenPoint};
use crate::latest::Taken;

const BACKGROUND: Colour = Colour::new(38, 40, 44);
const PANEL: Colour = Colour::new(50, 53, 58);
const INK: Colour = Colour::new(225, 226, 228);
const FAINT: Colour = Colour::new(128, 131, 136);
const TARGET: Colour = Colour::new(245, 246, 248);
const CORE: Colour = Colour::new(196, 44, 38);
const GOOD: Colour = Colour::new(106, 186, 108);
const WARNING: Colour = Colour::new(230, 176, 72);

/// The target shrinks from this radius ...
const LARGE: f32 = 34.0;
/// ... to this one, in points, within this time: a large one is found at once, a small one holds the eye.
const SMALL: f32 = 9.0;
const SHRINKING_S: f64 = 0.7;
/// The arrow that a head is to move along begins so far from the target, in points, and is so long.
const ARROW_FROM: f32 = 48.0;
const ARROW: f32 = 90.0;
/// The service is asked for advice once in so many pictures, twice a second.
const ADVICE_EVERY: u32 = 30;
/// A window that has just opened may still change its size; points are not shown before it has kept it for so long.
const SETTLED: Duration = Duration::from_millis(500);
/// How long the result stays where nobody is asked.
const RESULT: Duration = Duration::from_secs(2);
/// Width of an eye's picture, in points.
const EYE: f32 = 260.0;

/// A calibration that was led to its end.
pub struct Led {
    pub conversation: Conversation,
    pub report: Report,
    /// What the user decided, or, where nobody is asked, whether it is any good.
    pub keep: bool,
}

/// Leads through the points in a window.
pub fn lead(conversation: Conversation, points: Vec<ScreenPoint>, args: &Args) -> anyhow::Result<Led> {
    let frames = Frames::read(conversation.preview()?).context("the camera's pictures cannot be shown")?;
    let window = CalibrationWindow {
        conversation,
        mode: args.mode,
        instruction: args.instruction(points.len(), "click on it"),
        postures: !args.still,
        points,
        unasked: args.yes,
        stage: Stage::Welcome(Some(frames)),
        seen: None,
        advice: String::new(),
        pictures: 0,
        size: (0.0, 0.0, Instant::now()),
        outcome: None,
    };
    let options = WindowOptions {
        title: "gazed calibration",
        size: Size::FullScreen,
        output: args.output.clone(),
        pointer: args.mode == Mode::Click,
    };
    let window = match show(options, window) {
        Ok(window) => window,
        Err(error @ WindowError::NoDisplay(_)) => return Err(error).context("--terminal calibrates without a window"),
        Err(error) => return Err(error).context("the calibration was stopped, the old profile is untouched"),
    };
    match window.outcome {
        Some(outcome) => {
            let (report, keep) = outcome?;
            Ok(Led {
                conversation: window.conversation,
                report,
                keep,
            })
        }
        None => bail!("stopped; the old profile is untouched"),
    }
}

enum Stage {
    /// With the pictures of the camera, which are not shown any more once the points are.
    Welcome(Option<Frames>),
    Points,
    Result(Report, Instant),
    Over,
}

struct CalibrationWindow {
    conversation: Conversation,
    mode: Mode,
    instruction: String,
    postures: bool,
    points: Vec<ScreenPoint>,
    /// Nobody is asked anything.
    unasked: bool,
    stage: Stage,
    seen: Option<(FrameHeader, Vec<u8>)>,
    advice: String,
    pictures: u32,
    /// The window's size, and since when.
    size: (f32, f32, Instant),
    outcome: Option<anyhow::Result<(Report, bool)>>,
}

impl CalibrationWindow {
    fn begin(&mut self) {
        self.stage = Stage::Points;
        self.seen = None;
        self.conversation.start(self.mode, self.points.clone(), self.postures);
    }

    /// True where the window has just changed its size.
    fn resized(&mut self, canvas: &Canvas<'_>) -> bool {
        let (width, height, _) = self.size;
        let changed = (width, height) != (canvas.width(), canvas.height());
        if changed {
            self.size = (canvas.width(), canvas.height(), Instant::now());
        }
        changed
    }

    fn welcome(&mut self, canvas: &mut Canvas<'_>) -> anyhow::Result<()> {
        if self.pictures.is_multiple_of(ADVICE_EVERY) {
            self.advice = self.conversation.advice()?;
        }
        self.pictures = self.pictures.wrapping_add(1);
        if let Stage::Welcome(Some(frames)) = &self.stage
            && let Taken::Value(seen) = frames.newest()
        {
            self.seen = Some(seen);
        }
        let (advice, colour) = match self.advice.as_str() {
            "" => ("The camera sees you well.", GOOD),
            advice => (advice, WARNING),
        };
        let lines = [
            ("Calibration", 2, INK),
            ("", 1, INK),
            ("Sit as you usually do.", 1, INK),
            (&*self.instruction, 1, INK),
            ("", 1, INK),
            (advice, 1, colour),
            ("", 1, INK),
            ("Enter: begin      Escape: stop", 1, FAINT),
        ];
        let eyes_height = (EYE * PATCH_SHAPE * canvas.scale()).min(canvas.height() / 4.0);
        let gap = canvas.line_height(1);
        let height: f32 = lines.iter().map(|(_, size, _)| canvas.line_height(*size)).sum();
        let mut y = ((canvas.height() - height - eyes_height - 2.0 * gap) / 2.0).max(0.0);
        eyes(canvas, self.seen.as_ref(), y, eyes_height);
        y += eyes_height + 2.0 * gap;
        for (text, size, colour) in lines {
            canvas.text(text, PointPx::new(canvas.width() / 2.0, y), size, true, colour);
            y += canvas.line_height(size);
        }
        if self.unasked && self.size.2.elapsed() >= SETTLED {
            self.begin();
        }
        Ok(())
    }

    fn show_point(&mut self, canvas: &mut Canvas<'_>) -> anyhow::Result<()> {
        if self.resized(canvas) {
            bail!(
                "the window changed its size (was the monitor unplugged, or its resolution changed?), so the points were not \
                 where they should be; calibrate again. The old profile is untouched"
            );
        }
        let report = self.conversation.advance(Duration::ZERO)?;
        if let Some(shown) = self.conversation.shown() {
            draw_target(canvas, shown, self.conversation.resting());
            let text = title(self.conversation.phase(), shown);
            let at = PointPx::new(canvas.width() / 2.0, canvas.height() - 2.0 * canvas.line_height(1));
            canvas.text(&text, at, 1, true, if shown.posture.is_some() { INK } else { FAINT });
        }
        if let Some(report) = report {
            self.stage = Stage::Result(report, Instant::now());
        }
        Ok(())
    }

    /// Draws what the stage shows; an error ends the calibration.
    fn draw_stage(&mut self, canvas: &mut Canvas<'_>) -> anyhow::Result<()> {
        match &self.stage {
            Stage::Welcome(_) => {
                self.resized(canvas);
                self.welcome(canvas)?;
            }
            Stage::Points => self.show_point(canvas)?,
            Stage::Result(report, since) => {
                let keys = if self.unasked {
                    ""
                } else {
                    "Enter: keep      R: again      Escape: discard"
                };
                result::draw(canvas, report, keys);
                if self.unasked && since.elapsed() >= RESULT {
                    let keep = report.is_useful();
                    self.conclude(keep);
                }
            }
            Stage::Over => {}
        }
        Ok(())
    }

    fn conclude(&mut self, keep: bool) {
        if let Stage::Result(report, _) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.outcome = Some(Ok((report, keep)));
        }
    }
}

impl Scene for CalibrationWindow {
    fn draw(&mut self, canvas: &mut Canvas<'_>) -> Flow {
        canvas.fill(BACKGROUND);
        if let Err(error) = self.draw_stage(canvas) {
            self.outcome = Some(Err(error));
        }
        if self.outcome.is_some() {
            Flow::Close
        } else {
            Flow::Stay
        }
    }

    fn input(&mut self, input: Input) -> Flow {
        match (input, &self.stage) {
            (Input::Enter | Input::Space, Stage::Welcome(_)) => self.begin(),
            (Input::Enter, Stage::Result(..)) => self.conclude(true),
            (Input::Escape, Stage::Result(..)) => self.conclude(false),
            (Input::Character('r' | 'R'), Stage::Result(..)) => match self.conversation.begin_again() {
                Ok(()) => self.begin(),
                Err(error) => self.outcome = Some(Err(error)),
            },
            (Input::Escape, _) => return Flow::Close,
            (Input::Click(at), Stage::Points) => self.conversation.click(Some(at)),
            (Input::Space, Stage::Points) => self.conversation.click(None),
            (Input::OtherMonitor, Stage::Points) => {
                self.outcome = Some(Err(anyhow!(
                    "the window came to another monitor (was one unplugged?); calibrate again. The old profile is untouched"
                )));
            }
            _ => {}
        }
        if self.outcome.is_some() {
            Flow::Close
        } else {
            Flow::Stay
        }
    }
}

/// Both eyes side by side as the camera sees them, the person's right eye left.
fn eyes(canvas: &mut Canvas<'_>, seen: Option<&(FrameHeader, Vec<u8>)>, y: f32, height: f32) {
    let (width, gap) = (height / PATCH_SHAPE, canvas.line_height(1));
    for (side, x) in [
        ("right", canvas.width() / 2.0 - width - gap / 2.0),
        ("left", canvas.width() / 2.0 + gap / 2.0),
    ] {
        let to = Area { x, y, width, height };
        canvas.block(to, PANEL);
        let shown = seen.is_some_and(|(header, pixels)| draw_eye(canvas, header, pixels, side, to));
        if !shown {
            let at = PointPx::new(x + width / 2.0, y + (height - gap) / 2.0);
            canvas.text(&format!("{side} eye not seen"), at, 1, true, FAINT);
        }
    }
}

/// A disc that shrinks to a small one with a dark middle to rest on, and a ring that closes in while the eye rests.
fn draw_target(canvas: &mut Canvas<'_>, shown: Shown, resting: f64) {
    let age_s = MonotonicClock.now().seconds_since(shown.since);
    let shrunk = (age_s / SHRINKING_S).clamp(0.0, 1.0) as f32;
    let scale = canvas.scale();
    let radius = (LARGE + (SMALL - LARGE) * shrunk) * scale;
    // Normalised positions count from the screen's edge, pixels from the middle of the first one.
    let at = PointPx::new(
        shown.point.x as f32 * canvas.width() - 0.5,
        shown.point.y as f32 * canvas.height() - 0.5,
    );
    if resting > 0.0 {
        let ring = (LARGE + (SMALL - LARGE) * resting as f32 + 4.0) * scale;
        canvas.ring(at, ring, 2.0 * scale, GOOD);
    }
    canvas.disc(at, radius, TARGET);
    canvas.disc(at, (radius * 0.3).max(2.5 * scale), CORE);
    if let Some(posture) = shown.posture {
        draw_arrow(canvas, at, posture, resting as f32);
    }
}

/// An arrow beside the target, the way the head is to move; it fills while the head does.
fn draw_arrow(canvas: &mut Canvas<'_>, target: PointPx, posture: Posture, share: f32) {
    let (x, y) = match posture {
        Posture::TurnedLeft | Posture::LeaningLeft => (-1.0, 0.0),
        Posture::TurnedRight | Posture::LeaningRight => (1.0, 0.0),
        Posture::TurnedUp => (0.0, -1.0),
        Posture::TurnedDown | Posture::Slumped => (0.0, 1.0),
    };
    let scale = canvas.scale();
    // `along` the arrow and `aside` from it.
    let at = |along: f32, aside: f32| {
        let (along, aside) = (along * scale, aside * scale);
        PointPx::new(target.x + x * along - y * aside, target.y + y * along + x * aside)
    };
    let tip = ARROW_FROM + ARROW;
    for (end, colour) in [(tip, FAINT), (ARROW_FROM + ARROW * share, GOOD)] {
        canvas.line(at(ARROW_FROM, 0.0), at(end, 0.0), 5.0 * scale, colour);
    }
    // Where the arrow is not.
    let label = PointPx::new(
        target.x,
        target.y
            + if y < 0.0 {
                ARROW_FROM * scale
            } else {
                -ARROW_FROM * scale - canvas.line_height(1)
            },
    );
    canvas.text(posture.word(), label, 1, true, INK);
    let colour = if share >= 1.0 { GOOD } else { FAINT };
    for aside in [-1.0, 1.0] {
        canvas.line(at(tip, 0.0), at(tip - 18.0, 14.0 * aside), 5.0 * scale, colour);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn the_target_is_where_the_point_is() {
        let (width, height) = (800_u32, 450_u32);
        let mut pixels = vec![0; (width * height) as usize];
        let shown = Shown {
            point: ScreenPoint::new(0.25, 0.8),
            since: Timestamp::from_nanos(0),
            number: 1,
            of: 9,
            posture: None,
        };
        draw_target(&mut Canvas::new(&mut pixels, width, height, 1), shown, 0.5);
        let (mut x, mut y, mut mass) = (0.0, 0.0, 0.0);
        for (index, pixel) in pixels.iter().enumerate() {
            let value = f64::from(pixel >> 8 & 0xff);
            x += value * (index as u32 % width) as f64;
            y += value * (index as u32 / width) as f64;
            mass += value;
        }
        // The middle of the first pixel is half a pixel from the screen's edge.
        assert!((x / mass + 0.5 - 200.0).abs() < 0.1, "{}", x / mass);
        assert!((y / mass + 0.5 - 360.0).abs() < 0.1, "{}", y / mass);
    }
}
