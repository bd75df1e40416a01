//! A pointer device made through the kernel's uinput (linux/uinput.h, version 5): two absolute axes and a button, as virtual
//! machines have it, which desktops take for a pointer that is put somewhere instead of pushed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use rustix::ioctl::{IntegerSetter, NoArg, Opcode, Setter, ioctl, opcode};

/// The right and lower end of both axes: finer than any screen.
pub const FURTHEST: i32 = 65_535;

/// A device that exists until this is dropped.
#[derive(Debug)]
pub struct Pointer {
    device: File,
}

const GROUP: u8 = b'U';
const CREATE: Opcode = opcode::none(GROUP, 1);
const SET_UP: Opcode = opcode::write::<Setup>(GROUP, 3);
const SET_UP_AXIS: Opcode = opcode::write::<AxisSetup>(GROUP, 4);
const ALLOW_TYPE: Opcode = opcode::write::<i32>(GROUP, 100);
const ALLOW_KEY: Opcode = opcode::write::<i32>(GROUP, 101);
const ALLOW_AXIS: Opcode = opcode::write::<i32>(GROUP, 103);

/// Types and codes of linux/input-event-codes.h.
const SYNCHRONISE: u16 = 0;
const KEY: u16 = 1;
const ABSOLUTE: u16 = 3;
const AXES: [u16; 2] = [0, 1];
const LEFT_BUTTON: u16 = 0x110;

/// `struct uinput_setup`.
#[repr(C)]
#[derive(Debug)]
struct Setup {
    bus_type: u16,
    vendor: u16,
    product: u16,
    version: u16,
    name: [u8; 80],
    most_effects: u32,
}

/// `struct uinput_abs_setup` with its `struct input_absinfo`.
#[repr(C)]
#[derive(Debug)]
struct AxisSetup {
    code: u16,
    value: i32,
    minimum: i32,
    maximum: i32,
    fuzz: i32,
    flat: i32,
    resolution: i32,
}

/// `BUS_VIRTUAL` of linux/input.h.
const VIRTUAL_BUS: u16 = 6;

impl Pointer {
    /// Makes the device. Opening needs the right to write to `/dev/uinput`.
    pub fn create(name: &str) -> io::Result<Self> {
        let device = OpenOptions::new().write(true).open("/dev/uinput")?;
        let allow = [
            (ALLOW_TYPE, KEY),
            (ALLOW_KEY, LEFT_BUTTON),
            (ALLOW_TYPE, ABSOLUTE),
            (ALLOW_AXIS, AXES[0]),
            (ALLOW_AXIS, AXES[1]),
        ];
        for (what, code) in allow {
            let code = usize::from(code);
            // SAFETY: these three requests take a number and no pointer.
            unsafe {
                match what {
                    ALLOW_TYPE => ioctl(&device, IntegerSetter::<ALLOW_TYPE>::new_usize(code)),
                    ALLOW_KEY => ioctl(&device, IntegerSetter::<ALLOW_KEY>::new_usize(code)),
                    _ => ioctl(&device, IntegerSetter::<ALLOW_AXIS>::new_usize(code)),
                }
            }?;
        }
        for code in AXES {
            let axis = AxisSetup {
                code,
                value: FURTHEST / 2,
                minimum: 0,
                maximum: FURTHEST,
                fuzz: 0,
                flat: 0,
                resolution: 0,
            };
            // SAFETY: the request reads one `struct uinput_abs_setup`, which this is.
            unsafe { ioctl(&device, Setter::<SET_UP_AXIS, AxisSetup>::new(axis)) }?;
        }
        let mut setup = Setup {
            bus_type: VIRTUAL_BUS,
            vendor: 0,
            product: 0,
            version: 1,
            name: [0; 80],
            most_effects: 0,
        };
        // The last byte ends the name.
        let room = setup.name.len() - 1;
        for (place, byte) in setup.name[..room].iter_mut().zip(name.bytes()) {
            *place = byte;
        }
        // SAFETY: the request reads one `struct uinput_setup`, which this is.
        unsafe { ioctl(&device, Setter::<SET_UP, Setup>::new(setup)) }?;
        // SAFETY: the request takes nothing.
        unsafe { ioctl(&device, NoArg::<CREATE>::new()) }?;
        Ok(Self { device })
    }

    /// Puts the pointer at a place, both axes from 0 to [`FURTHEST`].
    pub fn move_to(&mut self, place: [i32; 2]) -> io::Result<()> {
        let mut events = Vec::with_capacity(3 * EVENT_BYTES);
        for (code, value) in AXES.into_iter().zip(place) {
            push_event(&mut events, ABSOLUTE, code, value);
        }
        push_event(&mut events, SYNCHRONISE, 0, 0);
        self.device.write_all(&events)
    }
}

/// `struct input_event`: a time that the kernel fills in, two machine words long, then type, code and value.
const EVENT_BYTES: usize = 2 * size_of::<usize>() + 8;

fn push_event(events: &mut Vec<u8>, kind: u16, code: u16, value: i32) {
    events.extend([0; 2 * size_of::<usize>()]);
    events.extend(kind.to_ne_bytes());
    events.extend(code.to_ne_bytes());
    events.extend(value.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that linux/uinput.h gives on x86-64 and ARM64.
    #[test]
    fn requests_and_layouts_are_the_kernels() {
        let requests = [CREATE, SET_UP, SET_UP_AXIS, ALLOW_TYPE, ALLOW_KEY, ALLOW_AXIS];
        let expected: [Opcode; 6] = [0x5501, 0x405c_5503, 0x401c_5504, 0x4004_5564, 0x4004_5565, 0x4004_5567];
        assert_eq!(requests, expected);
        assert_eq!((size_of::<Setup>(), size_of::<AxisSetup>()), (92, 28));
        assert_eq!(std::mem::offset_of!(AxisSetup, value), 4);
        let mut events = Vec::new();
        push_event(&mut events, ABSOLUTE, AXES[1], -2);
        assert_eq!(events.len(), EVENT_BYTES);
        assert_eq!(events[EVENT_BYTES - 8..], [3, 0, 1, 0, 0xfe, 0xff, 0xff, 0xff]);
    }
}
