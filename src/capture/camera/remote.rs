//! Cameras that are no devices of this machine's kernel, by the names that the configuration gives them.

/// Through whom a camera is reached that is no V4L2 device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// The user's own PipeWire: also cameras that only libcamera drives.
    PipeWire,
    /// The desktop's camera portal, which asks the user and opens PipeWire for programs in a sandbox (Flatpak).
    Portal,
}

impl Remote {
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::PipeWire => "pipewire",
            Self::Portal => "portal",
        }
    }

    /// What `pipewire`, `pipewire:NAME`, `portal` and `portal:NAME` mean; the name is empty where any camera will do. `None`
    /// for names of V4L2 devices.
    pub fn named(wanted: &str) -> Option<(Self, &str)> {
        let (prefix, name) = wanted.split_once(':').unwrap_or((wanted, ""));
        let remote = [Self::PipeWire, Self::Portal]
            .into_iter()
            .find(|remote| remote.prefix() == prefix)?;
        Some((remote, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_are_told_from_devices() {
        assert_eq!(Remote::named("pipewire"), Some((Remote::PipeWire, "")));
        assert_eq!(Remote::named("portal"), Some((Remote::Portal, "")));
        assert_eq!(Remote::named("portal:Front: HD"), Some((Remote::Portal, "Front: HD")));
        for device in ["", "usb-0000:00:14.0-4", "Integrated Camera: HD", "pipe", "my pipewire"] {
            assert_eq!(Remote::named(device), None, "{device}");
        }
    }
}
