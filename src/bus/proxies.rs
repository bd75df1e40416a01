//! The interfaces as a client sees them. Each `Proxy` has a blocking twin, `ProxyBlocking`.

use std::collections::HashMap;

use zbus::proxy;
use zbus::zvariant::{OwnedFd, OwnedObjectPath, OwnedValue, Value};

/// Who uses the camera: the app's name, its process id, and for what (`gaze`, `preview`, `recording`, `calibration`).
pub type ClientFacts = (String, u32, String);

/// For every client.
#[proxy(
    interface = "org.gazed.Gaze1.Manager",
    default_service = "org.gazed.Gaze1",
    default_path = "/org/gazed/Gaze1"
)]
pub trait Manager {
    fn create_session(&self, options: HashMap<&str, Value<'_>>) -> zbus::Result<OwnedObjectPath>;

    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn state_detail(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn camera_active(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn camera_name(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn clients(&self) -> zbus::Result<Vec<ClientFacts>>;
    #[zbus(property)]
    fn profile(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn calibration(&self) -> zbus::Result<HashMap<String, OwnedValue>>;
    #[zbus(property)]
    fn outputs(&self) -> zbus::Result<Vec<HashMap<String, OwnedValue>>>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn frame_rate_hz(&self) -> zbus::Result<f64>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn latency_ms(&self) -> zbus::Result<(f64, f64, f64)>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn frames_missed(&self) -> zbus::Result<u64>;
}

/// A client's own session; its path comes from `CreateSession`.
#[proxy(interface = "org.gazed.Gaze1.Session", default_service = "org.gazed.Gaze1")]
pub trait Session {
    fn start(&self) -> zbus::Result<()>;
    fn stop(&self) -> zbus::Result<()>;
    fn close(&self) -> zbus::Result<()>;
    fn open_stream(&self) -> zbus::Result<OwnedFd>;
    fn open_latest(&self) -> zbus::Result<OwnedFd>;

    #[zbus(property(emits_changed_signal = "false"))]
    fn dropped(&self) -> zbus::Result<u64>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn options(&self) -> zbus::Result<HashMap<String, OwnedValue>>;

    #[zbus(signal)]
    fn movement(
        &self,
        sequence: u64,
        movement: String,
        phase: String,
        onset_ns: u64,
        offset_ns: u64,
        from_x: f64,
        from_y: f64,
        to_x: f64,
        to_y: f64,
        amplitude_deg: f64,
        peak_velocity_deg_s: f64,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    fn sample(
        &self,
        sequence: u64,
        captured_ns: u64,
        published_ns: u64,
        target_ns: u64,
        gaze_x: f64,
        gaze_y: f64,
        forecast_x: f64,
        forecast_y: f64,
        error_radius: f64,
        confidence: f64,
        flags: u32,
        distance_mm: f64,
        head_yaw_deg: f64,
        head_pitch_deg: f64,
        head_roll_deg: f64,
    ) -> zbus::Result<()>;
}

/// For the user's own tools.
#[proxy(
    interface = "org.gazed.Gaze1.Control",
    default_service = "org.gazed.Gaze1",
    default_path = "/org/gazed/Gaze1"
)]
pub trait Control {
    fn pause(&self) -> zbus::Result<()>;
    fn resume(&self) -> zbus::Result<()>;
    fn recenter(&self, x: f64, y: f64, when_ns: u64) -> zbus::Result<()>;
    fn add_sample(&self, x: f64, y: f64, when_ns: u64) -> zbus::Result<()>;
    fn use_profile(&self, profile: &str) -> zbus::Result<()>;
    fn delete_profile(&self, profile: &str) -> zbus::Result<()>;
    fn begin_calibration(&self, options: HashMap<&str, Value<'_>>) -> zbus::Result<OwnedObjectPath>;
    fn open_frames(&self, options: HashMap<&str, Value<'_>>) -> zbus::Result<OwnedFd>;

    #[zbus(property)]
    fn profiles(&self) -> zbus::Result<Vec<String>>;
}

/// A calibration that runs; its path comes from `BeginCalibration`.
#[proxy(interface = "org.gazed.Gaze1.Calibration", default_service = "org.gazed.Gaze1")]
pub trait Calibration {
    fn add_target(&self, x: f64, y: f64, from_ns: u64, to_ns: u64) -> zbus::Result<(bool, String)>;
    fn fit(&self) -> zbus::Result<HashMap<String, OwnedValue>>;
    fn validate(&self, x: f64, y: f64, from_ns: u64, to_ns: u64) -> zbus::Result<(f64, f64)>;
    fn commit(&self, profile: &str) -> zbus::Result<()>;
    fn abort(&self) -> zbus::Result<()>;
    fn open_preview(&self) -> zbus::Result<OwnedFd>;

    #[zbus(property(emits_changed_signal = "false"))]
    fn face_visible(&self) -> zbus::Result<bool>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn brightness(&self) -> zbus::Result<f64>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn distance_mm(&self) -> zbus::Result<f64>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn advice(&self) -> zbus::Result<String>;
}

/// With the synthetic user only: where it looks, and where it should look.
#[proxy(
    interface = "org.gazed.Gaze1.Truth",
    default_service = "org.gazed.Gaze1",
    default_path = "/org/gazed/Gaze1"
)]
pub trait Truth {
    /// The gaze point (normalised) and the movement at a moment, past or future.
    fn at(&self, time_ns: u64) -> zbus::Result<(f64, f64, String)>;
    fn look_at(&self, x: f64, y: f64) -> zbus::Result<()>;
    fn move_head(&self, yaw_deg: f64, pitch_deg: f64, left_mm: f64, down_mm: f64) -> zbus::Result<()>;
    fn release(&self) -> zbus::Result<()>;
}
