//! In the place of `pipewire` where gazed is built without it.

use super::CameraInfo;
use super::device::VideoDevice;
use super::remote::Remote;
use crate::capture::CaptureError;

/// # Errors
/// Always: there is nothing to open cameras with.
pub fn open(remote: Remote, _name: &str) -> Result<(Box<dyn VideoDevice>, CameraInfo), CaptureError> {
    Err(CaptureError::Unusable(format!(
        "cameras of `{}` need a gazed that was built with PipeWire (`cargo build --release --features pipewire`), which this \
         one is not; `gazectl cameras` lists those that it can use",
        remote.prefix()
    )))
}

/// # Errors
/// Never: no camera can be had, which is no news.
pub fn cameras() -> Result<Vec<CameraInfo>, CaptureError> {
    Ok(Vec::new())
}
