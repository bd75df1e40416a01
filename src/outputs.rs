//! The monitors of the desktop and how they stand beside each other: from a position on one to the same place on another.
//!
//! Gaze is tracked on one monitor, the one that camera and configuration belong to. The desktop tells where the others lie
//! in its pixels and how large they are in millimetres; all are taken to stand in one plane and to touch where their pixels
//! do. No desktop is asked here, and nothing is drawn.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use zbus::zvariant::{OwnedValue, Value};

use crate::geometry::{Screen, ScreenPoint};

/// One monitor. In TOML it is a table with exactly these keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// As the desktop calls it, such as `DP-1`.
    pub name: String,
    /// Of its upper left corner, on the desktop.
    pub position_px: [i32; 2],
    /// On the desktop: what the compositor's scale leaves of its pixels.
    pub size_px: [u32; 2],
    /// The visible area; zero where nobody knows.
    pub size_mm: [f64; 2],
}

impl Output {
    /// Its size alone, with the usual density of pixels (as [`Screen::default`]) where the millimetres are not known.
    pub fn screen(&self) -> Screen {
        let usual = Screen::default();
        let mm = |axis: usize, usual: f64| {
            let known = self.size_mm[axis] > 0.0 && self.size_mm[axis].is_finite();
            if known {
                self.size_mm[axis]
            } else {
                f64::from(self.size_px[axis].max(1)) * usual
            }
        };
        Screen {
            width_mm: mm(0, usual.width_mm / f64::from(usual.width_px)),
            height_mm: mm(1, usual.height_mm / f64::from(usual.height_px)),
            width_px: self.size_px[0].max(1),
            height_px: self.size_px[1].max(1),
        }
    }

    /// As an entry of the property `Outputs`.
    pub fn to_bus(&self, primary: bool) -> HashMap<&'static str, Value<'static>> {
        let Self {
            name,
            position_px,
            size_px,
            size_mm,
        } = self;
        HashMap::from([
            ("name", name.clone().into()),
            ("primary", primary.into()),
            ("x", position_px[0].into()),
            ("y", position_px[1].into()),
            ("width", size_px[0].into()),
            ("height", size_px[1].into()),
            ("width-mm", size_mm[0].into()),
            ("height-mm", size_mm[1].into()),
        ])
    }

    /// Reads an entry of the property `Outputs`, and whether it is the primary one. `None` where something is missing.
    pub fn from_bus(facts: &HashMap<String, OwnedValue>) -> Option<(Self, bool)> {
        let whole = |name: &str| i32::try_from(facts.get(name)?).ok();
        let size = |name: &str| u32::try_from(facts.get(name)?).ok();
        let mm = |name: &str| f64::try_from(facts.get(name)?).ok();
        let output = Self {
            name: <&str>::try_from(facts.get("name")?).ok()?.to_owned(),
            position_px: [whole("x")?, whole("y")?],
            size_px: [size("width")?, size("height")?],
            size_mm: [mm("width-mm")?, mm("height-mm")?],
        };
        Some((output, bool::try_from(facts.get("primary")?).ok()?))
    }
}

/// All monitors of the desktop.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// The one that positions are for unless a session asks for another.
    pub primary: Output,
    pub others: Vec<Output>,
    /// Which one is tracked, by its place in [`Layout::all`].
    tracked: usize,
}

impl Layout {
    /// `tracked` is the name of the monitor that the camera belongs to; the primary one where there is none of that name.
    pub fn new(primary: Output, others: Vec<Output>, tracked: &str) -> Self {
        let mut layout = Self {
            primary,
            others,
            tracked: 0,
        };
        let place = layout.all().position(|output| output.name == tracked);
        layout.tracked = place.unwrap_or(0);
        layout
    }

    /// The primary one first.
    pub fn all(&self) -> impl Iterator<Item = &Output> {
        std::iter::once(&self.primary).chain(&self.others)
    }

    /// How a position on the tracked monitor becomes one on the monitor of that name, or on the primary one; `None` where
    /// there is none of that name.
    pub fn placement(&self, name: Option<&str>) -> Option<Placement> {
        let to = match name {
            Some(name) => self.all().find(|output| output.name == name)?,
            None => &self.primary,
        };
        Some(Placement::between(self.tracked(), to))
    }

    /// The one that is tracked.
    pub fn tracked(&self) -> &Output {
        self.all().nth(self.tracked).unwrap_or(&self.primary)
    }

    /// The names, for people.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.all().map(|output| output.name.as_str()).collect();
        names.join(", ")
    }
}

/// From normalised positions on the tracked monitor to those on another: `there = here * scale + shift` on each axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    scale: [f64; 2],
    shift: [f64; 2],
}

impl Default for Placement {
    /// The tracked monitor itself.
    fn default() -> Self {
        Self {
            scale: [1.0; 2],
            shift: [0.0; 2],
        }
    }
}

impl Placement {
    fn between(here: &Output, there: &Output) -> Self {
        if here == there {
            return Self::default();
        }
        let (here_mm, there_mm) = (sides_mm(here), sides_mm(there));
        let mut placement = Self::default();
        for axis in 0..2 {
            let offset_mm = offset_mm(here, here_mm[axis], there, there_mm[axis], axis);
            placement.scale[axis] = here_mm[axis] / there_mm[axis];
            placement.shift[axis] = -offset_mm / there_mm[axis];
        }
        placement
    }

    /// The same place, normalised to the other monitor.
    pub fn there(&self, here: ScreenPoint) -> ScreenPoint {
        ScreenPoint {
            x: here.x * self.scale[0] + self.shift[0],
            y: here.y * self.scale[1] + self.shift[1],
        }
    }

    /// The inverse of [`Placement::there`].
    pub fn here(&self, there: ScreenPoint) -> ScreenPoint {
        ScreenPoint {
            x: (there.x - self.shift[0]) / self.scale[0],
            y: (there.y - self.shift[1]) / self.scale[1],
        }
    }

    /// A length in widths of the tracked monitor, in widths of the other.
    pub fn width_there(&self, width_here: f64) -> f64 {
        width_here * self.scale[0]
    }
}

fn sides_mm(output: &Output) -> [f64; 2] {
    let screen = output.screen();
    [screen.width_mm, screen.height_mm]
}

/// How far `there` begins after `here` begins, on one axis. Beside each other, monitors touch where their pixels do, each
/// with its own density; where they overlap on this axis, the tracked one's density counts.
fn offset_mm(here: &Output, here_mm: f64, there: &Output, there_mm: f64, axis: usize) -> f64 {
    let (here_px, there_px) = (i64::from(here.size_px[axis]), i64::from(there.size_px[axis]));
    let (here_at, there_at) = (i64::from(here.position_px[axis]), i64::from(there.position_px[axis]));
    let mm = |px: i64| px as f64 * here_mm / here_px.max(1) as f64;
    if there_at >= here_at + here_px {
        here_mm + mm(there_at - here_at - here_px)
    } else if there_at + there_px <= here_at {
        -there_mm - mm(here_at - there_at - there_px)
    } else {
        mm(there_at - here_at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn output(name: &str, position_px: [i32; 2], size_px: [u32; 2], size_mm: [f64; 2]) -> Output {
        Output {
            name: name.into(),
            position_px,
            size_px,
            size_mm,
        }
    }

    /// A laptop with a monitor of twice its width on its right and a projector of unknown size above.
    fn desk() -> Layout {
        let laptop = output("eDP-1", [0, 0], [1920, 1080], [300.0, 170.0]);
        let monitor = output("DP-1", [1920, 0], [3840, 2160], [600.0, 340.0]);
        let projector = output("HDMI-A-1", [0, -1080], [1920, 1080], [0.0, 0.0]);
        Layout::new(monitor, vec![laptop, projector], "eDP-1")
    }

    #[test]
    fn places_beside_the_tracked_monitor_are_on_its_neighbours() {
        let desk = desk();
        let monitor = desk.placement(None).expect("the primary one");
        assert_eq!(monitor.there(ScreenPoint::new(1.0, 0.0)), ScreenPoint::new(0.0, 0.0));
        assert_eq!(monitor.there(ScreenPoint::new(2.0, 1.0)), ScreenPoint::new(0.5, 0.5));
        assert_eq!(monitor.width_there(0.5), 0.25);
        let own = desk.placement(Some("eDP-1")).expect("the tracked one");
        assert_eq!(own, Placement::default());
        let projector = desk.placement(Some("HDMI-A-1")).expect("the one above");
        let corner = projector.there(ScreenPoint::new(0.0, 0.0));
        assert!(corner.x.abs() < 1e-12 && (corner.y - 1.0).abs() < 1e-12, "{corner:?}");
        assert_eq!(desk.placement(Some("VGA-1")), None);
        assert_eq!(desk.names(), "DP-1, eDP-1, HDMI-A-1");
    }

    #[test]
    fn an_entry_on_the_bus_is_read_back() {
        let output = output("DP-1", [-1920, 7], [1920, 1080], [531.0, 299.0]);
        let facts: HashMap<String, OwnedValue> = output
            .to_bus(true)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.try_into().expect("no descriptor")))
            .collect();
        assert_eq!(Output::from_bus(&facts), Some((output, true)));
        assert_eq!(Output::from_bus(&HashMap::new()), None);
    }

    fn any_output() -> impl Strategy<Value = Output> {
        (any::<[i32; 2]>(), any::<[u32; 2]>(), [0.0..2000.0_f64, 0.0..2000.0_f64])
            .prop_map(|(position_px, size_px, size_mm)| output("A", position_px, size_px, size_mm))
    }

    proptest! {
        #[test]
        fn any_two_monitors_map_there_and_back(here in any_output(), there in any_output(), x in -2.0..3.0_f64, y in -2.0..3.0_f64) {
            let placement = Placement::between(&here, &there);
            let point = ScreenPoint::new(x, y);
            let back = placement.here(placement.there(point));
            let size = placement.shift.map(|shift| 1.0 + shift.abs());
            prop_assert!(back.is_finite());
            prop_assert!((back.x - x).abs() < 1e-6 * size[0] / placement.scale[0].min(1.0), "{back:?}");
            prop_assert!((back.y - y).abs() < 1e-6 * size[1] / placement.scale[1].min(1.0), "{back:?}");
        }
    }
}
