//! Which cameras there are, and which one is meant by a name.

use std::fs;
use std::io;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use nokhwa::utils::ApiBackend;
use serde::Serialize;
use v4l::capability::Flags;
use v4l::device::Device;

use super::device::VideoDevice;
use super::mode;
use super::v4l2::{self, V4lDevice};

/// A camera that can be opened, or that says why it cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CameraInfo {
    /// As the camera calls itself.
    pub name: String,
    /// Where it is plugged in, such as `usb-0000:00:14.0-4`: stays the same over restarts, unlike the device's number.
    pub id: String,
    /// The serial number, where the camera has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    pub device: PathBuf,
    /// Why it cannot be used at present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Every camera of this machine, in the order of their device numbers. Nodes that only carry metadata, and devices that are
/// no cameras (encoders, outputs, tuners), are left out.
pub fn cameras() -> Vec<CameraInfo> {
    // nokhwa's list panics on nodes that are named unusually; such a machine is asked directly.
    let listed = catch_unwind(|| nokhwa::query(ApiBackend::Video4Linux));
    let mut numbers: Vec<u32> = match listed {
        Ok(Ok(found)) => found.iter().filter_map(|info| info.index().as_index().ok()).collect(),
        _ => (0..64).collect(),
    };
    numbers.sort_unstable();
    numbers.dedup();
    numbers.into_iter().filter_map(camera).collect()
}

/// Formats, sizes and rates of one camera, for people: one line for each format and size, the last one for formats that
/// gazed cannot read.
///
/// # Errors
/// Where the device cannot be opened or asked.
pub fn describe_modes(camera: &CameraInfo) -> io::Result<Vec<String>> {
    let modes = V4lDevice::open(&camera.device)?.modes()?;
    Ok(mode::describe(&modes))
}

fn camera(number: u32) -> Option<CameraInfo> {
    let device = PathBuf::from(format!("/dev/video{number}"));
    let sysfs = PathBuf::from(format!("/sys/class/video4linux/video{number}"));
    let name = read_line(&sysfs.join("name")).unwrap_or_else(|| device.display().to_string());
    let mut info = CameraInfo {
        name,
        id: place(&sysfs).unwrap_or_else(|| device.display().to_string()),
        serial: serial(&sysfs),
        device,
        problem: None,
    };
    match Device::with_path(&info.device).and_then(|device| v4l2::capabilities(&device)) {
        Ok(found) => {
            let needed = Flags::VIDEO_CAPTURE | Flags::STREAMING;
            if !found.capabilities.contains(needed) || found.capabilities.contains(Flags::VIDEO_M2M) {
                return None;
            }
            info.name = found.card;
            info.id = numbered(found.bus, &sysfs);
        }
        // A node that has just vanished is no camera any more.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => info.problem = Some(super::why(&info, &error)),
    }
    Some(info)
}

/// The second camera of a device (as for infrared) has the same bus name as the first; its index within it tells them apart.
fn numbered(bus: String, sysfs: &Path) -> String {
    match read_line(&sysfs.join("index")).as_deref() {
        None | Some("0") => bus,
        Some(index) => format!("{bus}#{index}"),
    }
}

/// The device's place in the machine, from sysfs, for cameras that cannot be asked.
fn place(sysfs: &Path) -> Option<String> {
    let real = fs::canonicalize(sysfs.join("device")).ok()?;
    Some(real.file_name()?.to_string_lossy().into_owned())
}

/// The serial number of the USB device that the video interface belongs to.
fn serial(sysfs: &Path) -> Option<String> {
    let interface = fs::canonicalize(sysfs.join("device")).ok()?;
    read_line(&interface.parent()?.join("serial"))
}

fn read_line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_string())
}

/// The cameras that `wanted` can mean, the best first; all of them where it is empty.
///
/// An id, serial number, device path or device number is exact; a name may be a part of the whole, and case does not matter.
pub fn matching<'a>(cameras: &'a [CameraInfo], wanted: &str) -> Vec<&'a CameraInfo> {
    if wanted.is_empty() {
        return cameras.iter().collect();
    }
    let exact: [&dyn Fn(&CameraInfo) -> bool; 5] = [
        &|camera| camera.id == wanted,
        &|camera| camera.serial.as_deref() == Some(wanted),
        &|camera| camera.device.as_os_str() == wanted,
        &|camera| camera.device.as_os_str().to_str() == Some(format!("/dev/video{wanted}").as_str()),
        &|camera| camera.name == wanted,
    ];
    let lower = wanted.to_lowercase();
    let part = |camera: &CameraInfo| camera.name.to_lowercase().contains(&lower);
    exact
        .iter()
        .map(|is_meant| cameras.iter().filter(|camera| is_meant(camera)).collect::<Vec<_>>())
        .find(|found| !found.is_empty())
        .unwrap_or_else(|| cameras.iter().filter(|camera| part(camera)).collect())
}

/// Programs that have a device open, as far as this user may know.
pub fn users_of(device: &Path) -> Vec<String> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = std::process::id().to_string();
    processes
        .flatten()
        .filter(|process| {
            let id = process.file_name();
            id.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) && id != own.as_str()
        })
        .filter(|process| {
            fs::read_dir(process.path().join("fd")).is_ok_and(|files| {
                files
                    .flatten()
                    .any(|file| fs::read_link(file.path()).is_ok_and(|target| target == device))
            })
        })
        .map(|process| {
            let name = read_line(&process.path().join("comm")).unwrap_or_default();
            format!("{name} (process {})", process.file_name().to_string_lossy())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(number: u32, name: &str, id: &str, serial: Option<&str>) -> CameraInfo {
        CameraInfo {
            name: name.to_string(),
            id: id.to_string(),
            serial: serial.map(str::to_string),
            device: PathBuf::from(format!("/dev/video{number}")),
            problem: None,
        }
    }

    #[test]
    fn a_camera_is_found_by_id_serial_path_number_and_part_of_its_name() {
        let cameras = [
            camera(0, "Integrated Camera: HD", "usb-0000:00:14.0-8", None),
            camera(2, "Integrated Camera: IR", "usb-0000:00:14.0-8#2", None),
            camera(10, "Studio Webcam", "usb-0000:00:14.0-3", Some("A1B2")),
        ];
        for (wanted, expected) in [
            ("", vec![0, 1, 2]),
            ("usb-0000:00:14.0-8", vec![0]),
            ("usb-0000:00:14.0-8#2", vec![1]),
            ("A1B2", vec![2]),
            ("/dev/video10", vec![2]),
            ("2", vec![1]),
            ("studio", vec![2]),
            ("integrated camera", vec![0, 1]),
            ("Integrated Camera: IR", vec![1]),
            ("1", vec![]),
            ("nothing", vec![]),
        ] {
            let found: Vec<_> = matching(&cameras, wanted).into_iter().cloned().collect();
            let expected: Vec<_> = expected
                .into_iter()
                .map(|index: usize| cameras[index].clone())
                .collect();
            assert_eq!(found, expected, "{wanted}");
        }
    }

    #[test]
    fn asking_this_machine_for_cameras_never_fails() {
        for camera in cameras() {
            assert!(!camera.name.is_empty() && !camera.id.is_empty());
        }
    }

    #[test]
    fn the_user_of_a_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("device");
        let _own = fs::File::create(&path).expect("a file");
        assert_eq!(users_of(&path), Vec::<String>::new(), "this program does not count");
        let mut other = std::process::Command::new("sleep")
            .arg("60")
            .stdin(fs::File::open(&path).expect("a file"))
            .spawn()
            .expect("runs");
        let users = users_of(&path);
        other.kill().expect("ends");
        other.wait().expect("ends");
        assert_eq!(users, [format!("sleep (process {})", other.id())]);
    }
}
