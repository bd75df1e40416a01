//! Monitors from the X server: RandR 1.5, GetMonitors.

use anyhow::Context;
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::randr::{ConnectionExt as _, NotifyMask};
use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Window};
use x11rb::rust_connection::RustConnection;

use super::Told;
use crate::outputs::Output;

/// Tells the monitors, and again whenever they change, until the X server is gone.
pub fn follow(tell: &mut impl FnMut(Told)) -> anyhow::Result<()> {
    let (connection, screen) = RustConnection::connect(None).context("no X server answers")?;
    let root = connection
        .setup()
        .roots
        .get(screen)
        .context("the X server has no screen")?
        .root;
    let version = connection.randr_query_version(1, 5)?.reply();
    let version = version.context("the X server has no RandR")?;
    anyhow::ensure!(
        (version.major_version, version.minor_version) >= (1, 5),
        "the X server's RandR is older than 1.5"
    );
    let changes = NotifyMask::SCREEN_CHANGE | NotifyMask::CRTC_CHANGE | NotifyMask::OUTPUT_CHANGE;
    connection.randr_select_input(root, changes)?.check()?;
    // Monitors that a user defines (`xrandr --setmonitor`) show as a changed root window only.
    let structure = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
    connection.change_window_attributes(root, &structure)?.check()?;
    tell(monitors(&connection, root)?);
    loop {
        let event = connection.wait_for_event().context("the X server is gone")?;
        if matches!(
            event,
            Event::RandrScreenChangeNotify(_) | Event::RandrNotify(_) | Event::ConfigureNotify(_)
        ) {
            // One change comes as several events; the last state is what counts.
            while connection.poll_for_event()?.is_some() {}
            tell(monitors(&connection, root)?);
        }
    }
}

fn monitors(connection: &RustConnection, root: Window) -> anyhow::Result<Told> {
    let mut told = Told::default();
    for monitor in connection.randr_get_monitors(root, true)?.reply()?.monitors {
        let name = connection.get_atom_name(monitor.name)?.reply()?.name;
        let name = String::from_utf8_lossy(&name).into_owned();
        if monitor.primary {
            told.primary = Some(name.clone());
        }
        told.outputs.push(Output {
            name,
            position_px: [monitor.x.into(), monitor.y.into()],
            size_px: [monitor.width.into(), monitor.height.into()],
            size_mm: [
                monitor.width_in_millimeters.into(),
                monitor.height_in_millimeters.into(),
            ],
        });
    }
    Ok(told)
}
