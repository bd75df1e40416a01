//! Which monitors there are, asked of the desktop and followed as they come and go: the Wayland compositor (wl_output,
//! xdg-output), else the X server (RandR), else what the configuration says. Sizes that none of them tells are those of the
//! monitors' EDID.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;

use super::hub::Hub;
use super::live::Live;
use crate::config::ScreenConfig;
use crate::edid::{Connected, connected};
use crate::geometry::Screen;
use crate::outputs::{Layout, Output};

mod wayland;
mod x11;

/// What a desktop told: its monitors, and which one it calls the primary one, if any.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    outputs: Vec<Output>,
    primary: Option<String>,
}

impl Told {
    /// `None` without a monitor. Where the desktop names none as the primary one, the tracked one is, else the one at the
    /// desktop's origin, else the first.
    fn layout(mut self, screen: &ScreenConfig) -> Option<Layout> {
        let tracked = screen.name.as_str();
        let named = |name: &str| self.outputs.iter().position(|output| output.name == name);
        let primary = self.primary.as_deref().and_then(named);
        let at_origin = || self.outputs.iter().position(|output| output.position_px == [0, 0]);
        let index = primary.or_else(|| named(tracked)).or_else(at_origin).unwrap_or(0);
        if self.outputs.is_empty() {
            return None;
        }
        // Without the configured monitor, the primary one is tracked.
        let tracked = named(tracked).unwrap_or(index);
        let tracked = self.outputs[tracked].name.clone();
        complete(&mut self.outputs, screen, &tracked, &plugged_in());
        let primary = self.outputs.remove(index);
        Some(Layout::new(primary, self.outputs, &tracked))
    }
}

/// The monitors that the kernel knows. Tests have a folder of their own.
pub fn plugged_in() -> Vec<Connected> {
    let folder = std::env::var_os("GAZED_DRM").unwrap_or_else(|| "/sys/class/drm".into());
    connected(Path::new(&folder))
}

/// What the configuration says: the tracked screen, at the desktop's origin, and others beside it.
pub fn configured(screen: &ScreenConfig, plugged_in: &[Connected]) -> Layout {
    // Without a name it is the monitor that the kernel lists first.
    let first = plugged_in
        .first()
        .map_or("screen", |monitor| monitor.connector.as_str());
    let name = if screen.name.is_empty() { first } else { &screen.name };
    let own = Output {
        name: name.to_owned(),
        position_px: [0, 0],
        size_px: screen.size_px,
        size_mm: screen.size_mm,
    };
    let mut outputs: Vec<Output> = std::iter::once(own).chain(screen.others.iter().cloned()).collect();
    complete(&mut outputs, screen, name, plugged_in);
    let own = outputs.remove(0);
    Layout::new(own, outputs, name)
}

/// What the configuration says of the tracked monitor wins; sizes that are missing are those of the EDID.
fn complete(outputs: &mut [Output], screen: &ScreenConfig, tracked: &str, plugged_in: &[Connected]) {
    for output in outputs {
        if output.name == tracked && screen.size_mm != [0.0; 2] {
            output.size_mm = screen.size_mm;
        }
        let told = plugged_in.iter().find(|monitor| monitor.is_called(&output.name));
        let edid = told.map(|monitor| &monitor.edid);
        if output.size_mm.contains(&0.0)
            && let Some(size_mm) = edid.and_then(|edid| edid.size_mm)
        {
            output.size_mm = size_mm.map(f64::from);
        }
        if output.size_px.contains(&0) {
            let usual = Screen::default();
            let edid_px = edid.and_then(|edid| edid.size_px);
            output.size_px = edid_px.unwrap_or([usual.width_px, usual.height_px]);
        }
    }
}

/// How long the first answer of a desktop is waited for; it comes in milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// Keeps the monitors of hub and tracker as the desktop has them, on a thread of its own. Returns when the first answer is in,
/// or will not come soon.
pub fn follow(hub: &Arc<Hub>, live: &Arc<Mutex<Live>>, screen: &ScreenConfig) -> anyhow::Result<()> {
    let given = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let (wayland, x11) = (given("WAYLAND_DISPLAY") || given("WAYLAND_SOCKET"), given("DISPLAY"));
    if !screen.others.is_empty() || !(wayland || x11) {
        // Whoever wrote down monitors knows better.
        return Ok(());
    }
    let (hub, live, screen) = (Arc::clone(hub), Arc::clone(live), screen.clone());
    let (first, answered) = crossbeam_channel::bounded(1);
    let follow = move || {
        let mut tell = |told: Told| {
            if let Some(layout) = told.layout(&screen) {
                tracing::info!(monitors = layout.names(), "the desktop's monitors");
                // Held before the hub's lock, never the other way round.
                let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
                live.set_monitor(layout.tracked());
                hub.change(|shared, _| {
                    shared.calibrated = live.shown();
                    shared.set_layout(layout);
                });
            }
            let _ = first.try_send(());
        };
        let mut ended = Err(anyhow::anyhow!("no desktop"));
        if wayland {
            ended = wayland::follow(&mut tell);
        }
        if ended.is_err() && x11 {
            ended = x11::follow(&mut tell);
        }
        if let Err(error) = ended {
            tracing::info!(
                error = format!("{error:#}"),
                "the desktop does not tell of its monitors; what is known of them stays"
            );
        }
    };
    std::thread::Builder::new()
        .name("outputs".into())
        .spawn(follow)
        .context("cannot start a thread")?;
    // Neither an answer nor its lack changes what is served.
    let _ = answered.recv_timeout(PATIENCE);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(name: &str, position_px: [i32; 2]) -> Output {
        Output {
            name: name.into(),
            position_px,
            size_px: [1920, 1080],
            size_mm: [531.0, 299.0],
        }
    }

    #[test]
    fn the_primary_monitor_is_the_desktops_else_the_tracked_else_the_one_at_the_origin() {
        let outputs = vec![output("A", [1920, 0]), output("B", [0, 0]), output("C", [3840, 0])];
        let screen = |name: &str| ScreenConfig {
            name: name.to_owned(),
            ..ScreenConfig::default()
        };
        let primary = |primary: Option<&str>, tracked: &str| {
            let told = Told {
                outputs: outputs.clone(),
                primary: primary.map(str::to_owned),
            };
            told.layout(&screen(tracked)).expect("monitors").primary.name
        };
        assert_eq!(primary(Some("C"), "A"), "C");
        assert_eq!(primary(None, "A"), "A");
        assert_eq!(primary(Some("gone"), ""), "B");
        assert_eq!(Told::default().layout(&screen("A")), None);
    }
}
