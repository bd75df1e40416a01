//! Plays JPEG files into a v4l2loopback device as a webcam would send them, and spoils them when told to: the camera of
//! the tests in the virtual machine.
//!
//! `vm-feed DEVICE FOLDER MODE_FILE` sends the pictures of a folder in a loop at 30 frames a second. The mode is read anew
//! before each frame: `normal`, `corrupt`, `truncated`, `wrong-size`, `zero-stamp`, `future-stamp`, `pause`, or `stop`.
//! `vm-feed DEVICE FOLDER MODE_FILE odd` offers a format that nobody reads instead of MJPEG.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gazed::clock::{Clock, MonotonicClock};
use v4l::buffer::{Flags, Type};
use v4l::device::Device;
use v4l::format::{Format, FourCC};
use v4l::memory::Memory;
use v4l::v4l_sys::{v4l2_buffer, v4l2_requestbuffers};
use v4l::v4l2::{self, vidioc};
use v4l::video::Output;

const INTERVAL: Duration = Duration::from_nanos(33_333_333);
const BUFFERS: u32 = 4;

fn main() -> io::Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (device, folder, mode_file, odd) = match arguments.as_slice() {
        [device, folder, mode] => (device, folder, mode, false),
        [device, folder, mode, odd] if odd.as_os_str() == "odd" => (device, folder, mode, true),
        _ => return Err(io::Error::other("usage: vm-feed DEVICE FOLDER MODE_FILE [odd]")),
    };
    let pictures = read_pictures(folder)?;
    let first = pictures.first().ok_or_else(|| io::Error::other("no pictures"))?;
    let (width, height) = gazed::capture::decode::picture_size(first).map_err(io::Error::other)?;
    let wrong_size = smaller_picture(width, height)?;
    // RGB565 needs no decoder to be recognised as something that a face tracker does not get from webcams.
    let format = Format::new(width, height, FourCC::new(if odd { b"RGBP" } else { b"MJPG" }));
    let feed = Feed::open(device, &format)?;
    println!(
        "feeding {} pictures of {width}x{height} into {}",
        pictures.len(),
        device.display()
    );

    let mut due = Instant::now();
    let mut free: Vec<u32> = (0_u32..).take(feed.buffers.len()).collect();
    for index in 0_usize.. {
        let mode = std::fs::read_to_string(mode_file).unwrap_or_default();
        let mode = mode.trim();
        if mode == "stop" {
            break;
        }
        due += INTERVAL;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if due.elapsed() > Duration::from_secs(1) {
            due = Instant::now();
        }
        if mode == "pause" {
            continue;
        }
        let mut bytes = pictures[index % pictures.len()].clone();
        let now_ns = MonotonicClock.now().as_nanos();
        let mut stamp_ns = now_ns;
        match mode {
            "corrupt" => {
                let start = bytes.len() / 2;
                for (offset, byte) in bytes[start..].iter_mut().enumerate() {
                    *byte ^= (offset * 37 + index * 11) as u8;
                }
            }
            "truncated" => bytes.truncate(bytes.len() / 3),
            "wrong-size" => bytes.clone_from(&wrong_size),
            "zero-stamp" => stamp_ns = 0,
            "future-stamp" => stamp_ns = now_ns + 3_600_000_000_000,
            _ => {}
        }
        let slot = match free.pop() {
            Some(slot) => slot,
            None => feed.take_back()?,
        };
        feed.send(slot, &bytes, stamp_ns)?;
    }
    Ok(())
}

fn read_pictures(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().map(std::fs::read).collect()
}

fn smaller_picture(width: u32, height: u32) -> io::Result<Vec<u8>> {
    let (width, height) = ((width / 2) as u16, (height / 2) as u16);
    let mut bytes = Vec::new();
    jpeg_encoder::Encoder::new(&mut bytes, 80)
        .encode(
            &vec![120; usize::from(width) * usize::from(height)],
            width,
            height,
            jpeg_encoder::ColorType::Luma,
        )
        .map_err(io::Error::other)?;
    Ok(bytes)
}

/// The sending end of a loopback device. The `v4l` crate's own output stream cannot stamp frames, so buffers are handled
/// here.
struct Feed {
    device: Device,
    buffers: Vec<*mut u8>,
    length: usize,
}

impl Feed {
    fn open(path: &Path, format: &Format) -> io::Result<Self> {
        let device = Device::with_path(path)?;
        let agreed = Output::set_format(&device, format)?;
        if agreed.fourcc != format.fourcc {
            return Err(io::Error::other(format!("the device insists on {agreed}")));
        }
        let mut feed = Self {
            device,
            buffers: Vec::new(),
            length: 0,
        };
        let mut request = v4l2_requestbuffers {
            count: BUFFERS,
            type_: Type::VideoOutput as u32,
            memory: Memory::Mmap as u32,
            ..zeroed()
        };
        feed.call(vidioc::VIDIOC_REQBUFS, &mut request)?;
        for index in 0..request.count {
            let mut buffer = feed.buffer(index);
            feed.call(vidioc::VIDIOC_QUERYBUF, &mut buffer)?;
            feed.length = buffer.length as usize;
            // SAFETY: the kernel chooses the address, and the mapping lives as long as the process.
            let address = unsafe {
                v4l2::mmap(
                    std::ptr::null_mut(),
                    feed.length,
                    0x3, // PROT_READ | PROT_WRITE
                    0x1, // MAP_SHARED
                    feed.device.handle().fd(),
                    i64::from(buffer.m.offset),
                )?
            };
            feed.buffers.push(address.cast());
        }
        let mut kind = Type::VideoOutput as u32;
        feed.call(vidioc::VIDIOC_STREAMON, &mut kind)?;
        Ok(feed)
    }

    fn buffer(&self, index: u32) -> v4l2_buffer {
        v4l2_buffer {
            index,
            type_: Type::VideoOutput as u32,
            memory: Memory::Mmap as u32,
            ..zeroed()
        }
    }

    fn send(&self, slot: u32, bytes: &[u8], stamp_ns: u64) -> io::Result<()> {
        let used = bytes.len().min(self.length);
        // SAFETY: the mapping is `length` bytes long, and the kernel does not read it before it is queued.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.buffers[slot as usize], used) };
        let mut buffer = self.buffer(slot);
        buffer.bytesused = used as u32;
        buffer.flags = Flags::TIMESTAMP_COPY.bits();
        buffer.timestamp.tv_sec = (stamp_ns / 1_000_000_000) as i64;
        buffer.timestamp.tv_usec = (stamp_ns % 1_000_000_000 / 1_000) as i64;
        self.call(vidioc::VIDIOC_QBUF, &mut buffer)
    }

    fn take_back(&self) -> io::Result<u32> {
        let mut buffer = self.buffer(0);
        self.call(vidioc::VIDIOC_DQBUF, &mut buffer)?;
        Ok(buffer.index)
    }

    fn call<T>(&self, request: vidioc::_IOC_TYPE, argument: &mut T) -> io::Result<()> {
        // SAFETY: each request above is called with the structure that V4L2 defines for it.
        unsafe { v4l2::ioctl(self.device.handle().fd(), request, std::ptr::from_mut(argument).cast()) }
    }
}

/// V4L2's structures are plain numbers, for which all zeros is a value and the documented default.
fn zeroed<T>() -> T {
    // SAFETY: only used for the structures of V4L2, see above.
    unsafe { std::mem::zeroed() }
}
