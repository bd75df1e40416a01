//! Calibrating without a window: the terminal shows the points, or, where there is none, lines say what goes on.

use std::io::{self, IsTerminal};
use std::time::Duration;

use anyhow::{Context, bail};
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::{Color, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use ratatui::widgets::canvas::{Canvas, Circle, Points};

use super::Args;
use super::conversation::{Conversation, Phase};
use super::course::Shown;
use super::report::Report;
use crate::cli::tell;
use crate::geometry::ScreenPoint;

/// The tour is looked after this often.
const BEAT: Duration = Duration::from_millis(25);

/// Leads through the points with nothing to show them on: for the synthetic user, who is told where to look.
pub fn in_lines(conversation: &mut Conversation, args: &Args, points: Vec<ScreenPoint>) -> anyhow::Result<Report> {
    let mut last = None;
    conversation.start(args.mode, points, !args.still);
    loop {
        let report = conversation.advance(BEAT)?;
        let shown = conversation.shown().map(|shown| (conversation.phase(), shown));
        let progress = shown.map(|(phase, shown)| (phase, shown.number, shown.since, shown.posture));
        if let Some((phase, point)) = shown
            && progress != last
        {
            // Progress is no result, so it goes where messages go.
            let ScreenPoint { x, y } = point.point;
            tell(format_args!("{}: {x:.2}, {y:.2}\n", title(phase, point)));
        }
        last = progress;
        if let Some(report) = report {
            return Ok(report);
        }
    }
}

/// Shows the points in the whole terminal, which should fill the screen.
pub fn on_screen(conversation: &mut Conversation, args: &Args, points: Vec<ScreenPoint>) -> anyhow::Result<Report> {
    if !io::stdout().is_terminal() {
        bail!(
            "the points have to be shown somewhere: run it in a terminal that fills the screen, or without --terminal"
        );
    }
    let mut terminal = ratatui::try_init().context("the terminal cannot be drawn on")?;
    let result = lead(conversation, args, points, &mut terminal);
    ratatui::restore();
    result
}

fn lead(
    conversation: &mut Conversation,
    args: &Args,
    points: Vec<ScreenPoint>,
    terminal: &mut ratatui::DefaultTerminal,
) -> anyhow::Result<Report> {
    if !args.yes {
        let instruction = args.instruction(points.len(), "press Space");
        wait_for_start(conversation, &instruction, terminal)?;
    }
    conversation.start(args.mode, points, !args.still);
    loop {
        let report = conversation.advance(BEAT)?;
        if let Some(report) = report {
            return Ok(report);
        }
        if let Some(shown) = conversation.shown() {
            let (phase, resting) = (conversation.phase(), conversation.resting());
            terminal.draw(|frame| draw_point(frame, shown, phase, resting))?;
        }
        match key(Duration::ZERO)? {
            Some(KeyCode::Esc) => bail!("stopped; the old profile is untouched"),
            Some(KeyCode::Enter | KeyCode::Char(' ')) => conversation.click(None),
            _ => {}
        }
    }
}

fn wait_for_start(
    conversation: &Conversation,
    instruction: &str,
    terminal: &mut ratatui::DefaultTerminal,
) -> anyhow::Result<()> {
    loop {
        let advice = conversation.advice()?;
        terminal.draw(|frame| welcome(frame, instruction, &advice))?;
        match key(Duration::from_millis(200))? {
            Some(KeyCode::Enter | KeyCode::Char(' ')) => return Ok(()),
            Some(KeyCode::Esc) => bail!("stopped; the old profile is untouched"),
            _ => {}
        }
    }
}

/// The next key, Control-C as Escape.
fn key(patience: Duration) -> io::Result<Option<KeyCode>> {
    if !event::poll(patience)? {
        return Ok(None);
    }
    Ok(match event::read()? {
        Event::Key(key) if key.kind == KeyEventKind::Press => {
            let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            Some(if interrupt { KeyCode::Esc } else { key.code })
        }
        _ => None,
    })
}

/// The point's place in its tour, in words.
pub fn title(phase: Phase, shown: Shown) -> String {
    let word = match (phase, shown.posture) {
        (Phase::Calibrating, _) => "Calibrating, point",
        (Phase::Moving, Some(posture)) => {
            return format!(
                "Keep looking at the point and {} ({} of {}; Space leaves it out)",
                posture.request(),
                shown.number,
                shown.of
            );
        }
        (Phase::Moving, None) => "Look at the point, posture",
        (Phase::Validating, _) => "Checking, point",
    };
    format!("{word} {} of {}", shown.number, shown.of)
}

fn welcome(frame: &mut Frame<'_>, instruction: &str, advice: &str) {
    let advice = if advice.is_empty() {
        Line::from("The camera sees you well.").green()
    } else {
        Line::from(advice.to_owned()).yellow()
    };
    let lines = vec![
        Line::from("Make this terminal fill the screen, and sit as you usually do."),
        Line::from(instruction),
        Line::default(),
        advice,
        Line::default(),
        Line::from("Enter: begin    Escape: stop").dim(),
    ];
    let area = frame.area();
    let top = area.height.saturating_sub(lines.len() as u16) / 2;
    let middle = Rect {
        y: top,
        height: area.height - top,
        ..area
    };
    frame.render_widget(Paragraph::new(lines).alignment(Alignment::Center), middle);
}

fn draw_point(frame: &mut Frame<'_>, shown: Shown, phase: Phase, resting: f64) {
    let area = frame.area();
    // Cells are twice as high as wide; in units of a cell's width both axes are alike and circles round.
    let (width, height) = (f64::from(area.width), 2.0 * f64::from(area.height));
    let (x, y) = (shown.point.x * width, (1.0 - shown.point.y) * height);
    let canvas = Canvas::default()
        .marker(Marker::Braille)
        .x_bounds([0.0, width])
        .y_bounds([0.0, height])
        .paint(|context| {
            let color = if resting > 0.0 { Color::Green } else { Color::White };
            context.draw(&Circle {
                x,
                y,
                radius: 1.0 + 3.0 * (1.0 - resting),
                color,
            });
            context.draw(&Points::new(&[(x, y)], Color::Yellow));
        });
    frame.render_widget(canvas, area);
    let bottom = Rect {
        y: area.bottom().saturating_sub(1),
        height: area.height.min(1),
        ..area
    };
    let text = format!("{}   Escape: stop", title(phase, shown));
    frame.render_widget(Paragraph::new(text).alignment(Alignment::Right).dim(), bottom);
}
