//! Monitors from the Wayland compositor: wl_output for names and millimetres, xdg-output for places on the desktop.

use std::collections::BTreeMap;

use anyhow::Context;
use wayland_client::globals::{GlobalList, GlobalListContents, registry_queue_init};
use wayland_client::protocol::wl_output::{self, WlOutput};
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::{Connection, Dispatch, Proxy, QueueHandle};
use wayland_protocols::xdg::xdg_output::zv1::client::zxdg_output_manager_v1::ZxdgOutputManagerV1;
use wayland_protocols::xdg::xdg_output::zv1::client::zxdg_output_v1::{self, ZxdgOutputV1};

use super::Told;
use crate::outputs::Output;

/// Tells the monitors, and again whenever they change, until the compositor is gone.
pub fn follow(tell: &mut impl FnMut(Told)) -> anyhow::Result<()> {
    let connection = Connection::connect_to_env().context("no Wayland compositor answers")?;
    let (globals, mut queue) = registry_queue_init::<Monitors>(&connection)?;
    let handle = queue.handle();
    let mut monitors = Monitors::new(&globals, &handle);
    // The first answers to what was bound.
    queue.roundtrip(&mut monitors)?;
    queue.roundtrip(&mut monitors)?;
    anyhow::ensure!(!monitors.known.is_empty(), "the compositor tells of no monitor");
    let mut told = monitors.told();
    tell(told.clone());
    loop {
        queue
            .blocking_dispatch(&mut monitors)
            .context("the compositor is gone")?;
        let now = monitors.told();
        if now != told {
            told = now;
            tell(told.clone());
        }
    }
}

/// wl_output tells its name from version 4 on; before, xdg-output does.
const VERSION: u32 = 4;

/// What was told of one monitor so far.
#[derive(Clone, Debug, Default)]
struct Known {
    name: String,
    position: [i32; 2],
    mode_px: [i32; 2],
    scale: i32,
    turned: bool,
    size_mm: [i32; 2],
    /// From xdg-output, which knows fractional scales.
    logical_position: Option<[i32; 2]>,
    logical_size: Option<[i32; 2]>,
}

impl Known {
    fn output(&self) -> Output {
        let turn = |[a, b]: [i32; 2]| if self.turned { [b, a] } else { [a, b] };
        let scaled = turn(self.mode_px).map(|side| side / self.scale.max(1));
        Output {
            name: self.name.clone(),
            position_px: self.logical_position.unwrap_or(self.position),
            size_px: self
                .logical_size
                .unwrap_or(scaled)
                .map(|side| side.max(0).unsigned_abs()),
            size_mm: turn(self.size_mm).map(|side| f64::from(side.max(0))),
        }
    }
}

struct Monitors {
    manager: Option<ZxdgOutputManagerV1>,
    /// By the global's number, which is what a removal names.
    known: BTreeMap<u32, (WlOutput, Known)>,
}

impl Monitors {
    fn new(globals: &GlobalList, handle: &QueueHandle<Self>) -> Self {
        let mut monitors = Self {
            manager: globals.bind(handle, 1..=3, ()).ok(),
            known: BTreeMap::new(),
        };
        for global in globals.contents().clone_list() {
            if global.interface == WlOutput::interface().name {
                monitors.add(globals.registry(), global.name, global.version, handle);
            }
        }
        monitors
    }

    fn add(&mut self, registry: &WlRegistry, global: u32, version: u32, handle: &QueueHandle<Self>) {
        let output: WlOutput = registry.bind(global, version.min(VERSION), handle, global);
        if let Some(manager) = &self.manager {
            manager.get_xdg_output(&output, handle, global);
        }
        self.known.insert(global, (output, Known::default()));
    }

    fn known(&mut self, global: u32) -> Option<&mut Known> {
        self.known.get_mut(&global).map(|(_, known)| known)
    }

    fn told(&self) -> Told {
        let complete = self.known.values().filter(|(_, known)| !known.name.is_empty());
        Told {
            outputs: complete.map(|(_, known)| known.output()).collect(),
            primary: None,
        }
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for Monitors {
    fn event(
        monitors: &mut Self,
        registry: &WlRegistry,
        event: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        match event {
            wl_registry::Event::Global {
                name,
                interface,
                version,
            } if interface == WlOutput::interface().name => monitors.add(registry, name, version, handle),
            wl_registry::Event::GlobalRemove { name } => {
                if let Some((output, _)) = monitors.known.remove(&name) {
                    // A request since version 3.
                    if output.version() >= 3 {
                        output.release();
                    }
                }
            }
            _ => {}
        }
    }
}

impl Dispatch<WlOutput, u32> for Monitors {
    fn event(
        monitors: &mut Self,
        _: &WlOutput,
        event: wl_output::Event,
        global: &u32,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let Some(known) = monitors.known(*global) else { return };
        match event {
            wl_output::Event::Geometry {
                x,
                y,
                physical_width,
                physical_height,
                transform,
                ..
            } => {
                use wl_output::Transform;
                known.position = [x, y];
                known.size_mm = [physical_width, physical_height];
                known.turned = matches!(
                    transform.into_result(),
                    Ok(Transform::_90 | Transform::_270 | Transform::Flipped90 | Transform::Flipped270)
                );
            }
            wl_output::Event::Mode {
                flags, width, height, ..
            } if flags
                .into_result()
                .is_ok_and(|flags| flags.contains(wl_output::Mode::Current)) =>
            {
                known.mode_px = [width, height];
            }
            wl_output::Event::Scale { factor } => known.scale = factor,
            wl_output::Event::Name { name } => known.name = name,
            _ => {}
        }
    }
}

impl Dispatch<ZxdgOutputV1, u32> for Monitors {
    fn event(
        monitors: &mut Self,
        _: &ZxdgOutputV1,
        event: zxdg_output_v1::Event,
        global: &u32,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let Some(known) = monitors.known(*global) else { return };
        match event {
            zxdg_output_v1::Event::LogicalPosition { x, y } => known.logical_position = Some([x, y]),
            zxdg_output_v1::Event::LogicalSize { width, height } => known.logical_size = Some([width, height]),
            zxdg_output_v1::Event::Name { name } => known.name = name,
            _ => {}
        }
    }
}

wayland_client::delegate_noop!(Monitors: ignore ZxdgOutputManagerV1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_and_scaled_monitor_has_its_sides_exchanged() {
        let known = Known {
            name: "DP-1".into(),
            mode_px: [3840, 2160],
            scale: 2,
            turned: true,
            size_mm: [600, 340],
            ..Known::default()
        };
        let output = known.output();
        assert_eq!((output.size_px, output.size_mm), ([1080, 1920], [340.0, 600.0]));
        let fractional = Known {
            logical_size: Some([1440, 2560]),
            logical_position: Some([-1440, 0]),
            ..known
        };
        let output = fractional.output();
        assert_eq!((output.position_px, output.size_px), ([-1440, 0], [1440, 2560]));
    }
}
