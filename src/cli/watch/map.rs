//! The picture in the terminal: a map of the screen and the numbers beside it.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::canvas::{Canvas, Circle, Context, Line as Stroke, Points};
use ratatui::widgets::{Block, Paragraph, Wrap};

use super::view::View;
use crate::bus::record::{Flags, Record};
use crate::geometry::ScreenPoint;

const GAZE: Color = Color::Green;
const FORECAST: Color = Color::Yellow;
const TRUTH: Color = Color::Cyan;
/// Columns of the panel with the numbers.
const PANEL: u16 = 34;
/// A cell of a terminal is about twice as high as wide.
const CELL_HEIGHT: f64 = 2.0;

/// Draws everything. `aspect` is the screen's height over its width.
pub fn draw(frame: &mut Frame<'_>, view: &View, aspect: f64) {
    let [map, panel] = Layout::horizontal([Constraint::Min(20), Constraint::Length(PANEL)]).areas(frame.area());
    draw_map(frame, shaped(map, aspect), view, aspect);
    let lines = numbers(view);
    let title = Block::bordered().title(" gazectl watch ").title_bottom(" q: quit ");
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(title), panel);
}

/// The largest part of `area` that has the screen's shape, borders included.
fn shaped(area: Rect, aspect: f64) -> Rect {
    let (columns, rows) = (
        f64::from(area.width.saturating_sub(2)),
        f64::from(area.height.saturating_sub(2)),
    );
    let width = columns.min(rows * CELL_HEIGHT / aspect);
    let height = width * aspect / CELL_HEIGHT;
    Rect {
        width: (width.round() as u16 + 2).min(area.width),
        height: (height.round() as u16 + 2).min(area.height),
        ..area
    }
}

fn draw_map(frame: &mut Frame<'_>, area: Rect, view: &View, aspect: f64) {
    // The canvas counts y upwards; both axes are in widths of the screen, so that a circle is round.
    let at = |point: ScreenPoint| (point.x, (1.0 - point.y) * aspect);
    let canvas = Canvas::default()
        .block(Block::bordered().title(" screen "))
        .marker(Marker::Braille)
        .x_bounds([0.0, 1.0])
        .y_bounds([0.0, aspect])
        .paint(|context| {
            let trail: Vec<(f64, f64)> = view.trail().map(at).collect();
            context.draw(&Points::new(&trail, Color::DarkGray));
            context.layer();
            if let Some(record) = view.newest() {
                let forecast = at(ScreenPoint::new(record.forecast_x, record.forecast_y));
                if record.is_valid() {
                    circle(context, forecast, record.error_radius, Color::DarkGray);
                    context.layer();
                    circle(context, forecast, 0.012, FORECAST);
                    cross(context, at(ScreenPoint::new(record.gaze_x, record.gaze_y)), GAZE);
                }
            }
            if let Some(truth) = view.truth() {
                context.layer();
                circle(context, at(truth), 0.006, TRUTH);
            }
        });
    frame.render_widget(canvas, area);
}

fn circle(context: &mut Context<'_>, (x, y): (f64, f64), radius: f64, color: Color) {
    context.draw(&Circle { x, y, radius, color });
}

fn cross(context: &mut Context<'_>, (x, y): (f64, f64), color: Color) {
    const ARM: f64 = 0.025;
    context.draw(&Stroke::new(x - ARM, y, x + ARM, y, color));
    context.draw(&Stroke::new(x, y - ARM, x, y + ARM, color));
}

fn numbers(view: &View) -> Vec<Line<'static>> {
    let row =
        |name: &'static str, value: String| Line::from(vec![Span::from(format!("{name:<12}")).dim(), value.into()]);
    let mut lines = vec![Line::from(view.state().to_owned()).bold()];
    if !view.detail().is_empty() {
        lines.push(Line::from(view.detail().to_owned()).dim());
    }
    lines.push(Line::default());
    let Some(record) = view.newest() else {
        lines.push(Line::from("no sample yet"));
        return lines;
    };
    lines.push(row("rate", format!("{:.1} a second", view.rate_hz())));
    if let Some(latency) = view.latency() {
        lines.push(row(
            "latency",
            format!("{:.1} ms, worst {:.1}", latency.median_ms, latency.worst_ms),
        ));
    }
    let position = |x: f64, y: f64| {
        if record.is_valid() {
            format!("{x:6.3} {y:6.3}")
        } else {
            "-".to_owned()
        }
    };
    let coloured = |name: &'static str, value: String, color: Color| {
        Line::from(vec![
            Span::styled(format!("{name:<12}"), Style::new().fg(color)),
            value.into(),
        ])
    };
    lines.push(coloured("+ gaze", position(record.gaze_x, record.gaze_y), GAZE));
    lines.push(coloured(
        "o forecast",
        position(record.forecast_x, record.forecast_y),
        FORECAST,
    ));
    if let Some(truth) = view.truth() {
        lines.push(coloured("• truth", format!("{:6.3} {:6.3}", truth.x, truth.y), TRUTH));
    }
    lines.push(row("radius", format!("{:.3} widths", record.error_radius)));
    lines.push(row("confidence", bar(record.confidence)));
    lines.push(row("movement", view.movement().to_owned()));
    lines.push(row("eyes", eyes(record)));
    lines.push(row(
        "distance",
        record
            .distance_mm
            .map_or("-".to_owned(), |mm| format!("{:.0} cm", mm / 10.0)),
    ));
    if let Some(head) = record.head {
        lines.push(row(
            "head",
            format!(
                "yaw {:.0}° pitch {:.0}° roll {:.0}°",
                head.yaw_deg, head.pitch_deg, head.roll_deg
            ),
        ));
    }
    if !record.flags.contains(Flags::CALIBRATED) {
        lines.push(Line::default());
        lines.push(Line::from("not calibrated: gaze is rough;").fg(Color::Yellow));
        lines.push(Line::from("run `gazectl calibrate`").fg(Color::Yellow));
    }
    lines
}

fn bar(share: f64) -> String {
    let filled = (share.clamp(0.0, 1.0) * 10.0).round() as usize;
    format!("{}{} {share:.2}", "█".repeat(filled), "░".repeat(10 - filled))
}

fn eyes(record: &Record) -> String {
    let word = |flag| if record.flags.contains(flag) { "open" } else { "closed" };
    format!("left {}, right {}", word(Flags::LEFT_OPEN), word(Flags::RIGHT_OPEN))
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::client::Sample;
    use crate::clock::Timestamp;

    fn picture(gaze_x: f64, gaze_y: f64) -> ratatui::buffer::Buffer {
        let record = Record {
            gaze_x,
            gaze_y,
            forecast_x: gaze_x,
            forecast_y: gaze_y,
            error_radius: 0.1,
            confidence: f64::NAN,
            flags: Flags::VALID,
            ..Record::default()
        };
        let mut view = View::default();
        view.push(
            &Sample {
                record,
                received: Timestamp::from_nanos(5),
            },
            None,
        );
        let mut terminal = Terminal::new(TestBackend::new(110, 30)).expect("memory");
        terminal.draw(|frame| draw(frame, &view, 0.5625)).expect("memory");
        terminal.backend().buffer().clone()
    }

    fn centre_of(buffer: &ratatui::buffer::Buffer, color: Color) -> (f64, f64) {
        let (mut x, mut y, mut count) = (0.0, 0.0, 0.0);
        for row in 0..buffer.area.height {
            for column in 0..buffer.area.width - PANEL {
                if buffer[(column, row)].fg == color {
                    (x, y, count) = (x + f64::from(column), y + f64::from(row), count + 1.0);
                }
            }
        }
        (x / count, y / count)
    }

    #[test]
    fn left_is_left_and_up_is_up() {
        let (left, top) = centre_of(&picture(0.2, 0.2), GAZE);
        let (right, bottom) = centre_of(&picture(0.8, 0.8), GAZE);
        assert!(right - left > 30.0, "{left} {right}");
        assert!(bottom - top > 10.0, "{top} {bottom}");
    }

    #[test]
    fn any_size_of_terminal_and_any_position_can_be_drawn() {
        let mut view = View::default();
        for (width, height) in [(1, 1), (3, 40), (20, 2), (36, 9), (300, 100)] {
            for gaze in [-1e300, -3.0, 0.5, 7.0, f64::INFINITY, f64::NAN] {
                let record = Record {
                    gaze_x: gaze,
                    gaze_y: gaze,
                    error_radius: gaze,
                    confidence: gaze,
                    flags: Flags::VALID,
                    ..Record::default()
                };
                view.push(
                    &Sample {
                        record,
                        received: Timestamp::from_nanos(5),
                    },
                    None,
                );
                let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("memory");
                terminal.draw(|frame| draw(frame, &view, 0.5625)).expect("memory");
            }
        }
    }
}
