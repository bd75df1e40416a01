//! The live view in a terminal: samples in, keys in, pictures out.

use std::time::{Duration, Instant};

use anyhow::Context;
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::view::View;
use super::{Watch, map};
use crate::client::Session;

/// Pictures a second: more are not seen in a terminal.
const FRAME: Duration = Duration::from_millis(40);
const STATE_EVERY: Duration = Duration::from_secs(1);
/// Height over width of the screen on the map. The bus does not tell the monitor's shape.
const ASPECT: f64 = 9.0 / 16.0;

pub fn show(watch: &Watch, session: &mut Session) -> anyhow::Result<()> {
    let mut terminal = ratatui::try_init().context("the terminal cannot be drawn on; try `gazectl watch | cat`")?;
    let result = follow(watch, session, &mut terminal);
    ratatui::restore();
    result
}

fn follow(watch: &Watch, session: &mut Session, terminal: &mut ratatui::DefaultTerminal) -> anyhow::Result<()> {
    let mut view = View::default();
    let mut next_frame = Instant::now();
    let mut next_state = Instant::now();
    while !watch.is_over() {
        if Instant::now() >= next_state {
            next_state = Instant::now() + STATE_EVERY;
            let (state, detail) = watch.state()?;
            view.set_state(state, detail);
        }
        let pause = next_frame.saturating_duration_since(Instant::now());
        if let Some(sample) = watch.receive(session, pause)? {
            let truth = watch.truth(&sample.record)?;
            view.push(&sample, truth.map(|truth| truth.captured));
        }
        if Instant::now() >= next_frame {
            next_frame = Instant::now() + FRAME;
            terminal.draw(|frame| map::draw(frame, &view, ASPECT))?;
            if quits()? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads the keys that were pressed; true where one of them ends the view.
fn quits() -> anyhow::Result<bool> {
    while event::poll(Duration::ZERO)? {
        if let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
        {
            let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            if interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
