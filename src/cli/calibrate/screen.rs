//! The full-screen window that shows the points.

use std::time::Duration;

use anyhow::{Context, bail};

use super::Args;
use super::conversation::Conversation;
use super::report::Report;
use super::terminal::title;
use super::tour::Shown;
use crate::cli::window::{Canvas, Colour, Flow, Input, Scene, Size, WindowOptions, show};
use crate::clock::{Clock, MonotonicClock};
use crate::geometry::{PointPx, ScreenPoint};

const BACKGROUND: Colour = Colour::new(38, 40, 44);
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
/// The service is asked for advice once in so many pictures, twice a second.
const ADVICE_EVERY: u32 = 30;

/// Leads through the points in a window; gives back the conversation with what came of it.
pub fn lead(
    conversation: Conversation,
    points: Vec<ScreenPoint>,
    args: &Args,
) -> anyhow::Result<(Conversation, Report)> {
    let mut window = CalibrationWindow {
        conversation,
        points,
        stage: Stage::Welcome,
        advice: String::new(),
        pictures: 0,
        outcome: None,
    };
    if args.yes {
        window.begin();
    }
    let options = WindowOptions {
        title: "gazed calibration",
        size: Size::FullScreen,
        output: args.output.clone(),
    };
    let window = show(options, window).context("--terminal calibrates without a window")?;
    match window.outcome {
        Some(outcome) => Ok((window.conversation, outcome?)),
        None => bail!("stopped; the old profile is untouched"),
    }
}

enum Stage {
    Welcome,
    Points,
}

struct CalibrationWindow {
    conversation: Conversation,
    points: Vec<ScreenPoint>,
    stage: Stage,
    advice: String,
    pictures: u32,
    outcome: Option<anyhow::Result<Report>>,
}

impl CalibrationWindow {
    fn begin(&mut self) {
        self.stage = Stage::Points;
        self.conversation.start(std::mem::take(&mut self.points));
    }

    fn welcome(&mut self, canvas: &mut Canvas<'_>) -> anyhow::Result<()> {
        if self.pictures.is_multiple_of(ADVICE_EVERY) {
            self.advice = self.conversation.advice()?;
        }
        self.pictures = self.pictures.wrapping_add(1);
        let (advice, colour) = match self.advice.as_str() {
            "" => ("The camera sees you well.", GOOD),
            advice => (advice, WARNING),
        };
        let count = self.points.len();
        let lines = [
            ("Calibration", 2, INK),
            ("", 1, INK),
            ("Sit as you usually do.", 1, INK),
            (
                &*format!("{count} points appear one after the other: look at each until it goes."),
                1,
                INK,
            ),
            ("", 1, INK),
            (advice, 1, colour),
            ("", 1, INK),
            ("Enter: begin      Escape: stop", 1, FAINT),
        ];
        let height: f32 = lines.iter().map(|(_, size, _)| canvas.line_height(*size)).sum();
        let mut y = (canvas.height() - height) / 2.0;
        for (text, size, colour) in lines {
            canvas.text(text, PointPx::new(canvas.width() / 2.0, y), size, true, colour);
            y += canvas.line_height(size);
        }
        Ok(())
    }

    fn points(&mut self, canvas: &mut Canvas<'_>) -> anyhow::Result<Option<Report>> {
        let report = self.conversation.advance(Duration::ZERO)?;
        if let Some(shown) = self.conversation.shown() {
            draw_target(canvas, shown, self.conversation.resting());
            let text = title(self.conversation.phase(), shown);
            let at = PointPx::new(canvas.width() / 2.0, canvas.height() - 2.0 * canvas.line_height(1));
            canvas.text(&text, at, 1, true, FAINT);
        }
        Ok(report)
    }
}

impl Scene for CalibrationWindow {
    fn draw(&mut self, canvas: &mut Canvas<'_>) -> Flow {
        canvas.fill(BACKGROUND);
        let outcome = match self.stage {
            Stage::Welcome => self.welcome(canvas).map(|()| None),
            Stage::Points => self.points(canvas),
        };
        match outcome.transpose() {
            None => Flow::Stay,
            Some(outcome) => {
                self.outcome = Some(outcome);
                Flow::Close
            }
        }
    }

    fn input(&mut self, input: Input) -> Flow {
        match (input, &self.stage) {
            (Input::Escape, _) => return Flow::Close,
            (Input::Enter | Input::Space, Stage::Welcome) => self.begin(),
            _ => {}
        }
        Flow::Stay
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
