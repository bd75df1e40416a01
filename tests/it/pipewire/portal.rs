//! A desktop's camera portal, which refuses until it is told to allow.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use zbus::blocking::Connection;
use zbus::message::Header;
use zbus::zvariant::{self, OwnedObjectPath, OwnedValue};
use zbus::{fdo, interface};

use crate::desk::Desk;

struct Camera {
    allowed: Arc<AtomicBool>,
    pipewire: PathBuf,
}

#[interface(name = "org.freedesktop.portal.Camera")]
impl Camera {
    async fn access_camera(
        &self,
        options: HashMap<String, OwnedValue>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &zbus::Connection,
    ) -> fdo::Result<OwnedObjectPath> {
        let token = options
            .get("handle_token")
            .and_then(|token| <&str>::try_from(token).ok());
        let token = token.ok_or_else(|| fdo::Error::InvalidArgs("no handle_token".into()))?;
        let sender = header
            .sender()
            .map(|sender| sender.trim_start_matches(':').replace('.', "_"));
        let path = format!(
            "/org/freedesktop/portal/desktop/request/{}/{token}",
            sender.unwrap_or_default()
        );
        let answer = if self.allowed.load(Ordering::Relaxed) { 0_u32 } else { 1 };
        let results: HashMap<String, OwnedValue> = HashMap::new();
        connection
            .emit_signal(
                header.sender().cloned(),
                path.as_str(),
                "org.freedesktop.portal.Request",
                "Response",
                &(answer, results),
            )
            .await?;
        OwnedObjectPath::try_from(path).map_err(|error| fdo::Error::Failed(error.to_string()))
    }

    fn open_pipe_wire_remote(&self, _options: HashMap<String, OwnedValue>) -> fdo::Result<zvariant::OwnedFd> {
        if !self.allowed.load(Ordering::Relaxed) {
            return Err(fdo::Error::AccessDenied("not allowed".into()));
        }
        let socket = UnixStream::connect(&self.pipewire).map_err(|error| fdo::Error::Failed(error.to_string()))?;
        Ok(OwnedFd::from(socket).into())
    }

    #[zbus(property)]
    fn is_camera_present(&self) -> bool {
        true
    }

    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        1
    }
}

pub struct Portal {
    allowed: Arc<AtomicBool>,
    _connection: Connection,
}

impl Portal {
    pub fn start(desk: &Desk, pipewire: PathBuf) -> Self {
        let allowed = Arc::new(AtomicBool::new(false));
        let camera = Camera {
            allowed: Arc::clone(&allowed),
            pipewire,
        };
        let connection = zbus::blocking::connection::Builder::address(desk.address())
            .and_then(|builder| builder.serve_at("/org/freedesktop/portal/desktop", camera))
            .and_then(|builder| builder.name("org.freedesktop.portal.Desktop"))
            .and_then(zbus::blocking::connection::Builder::build);
        Self {
            allowed,
            _connection: connection.expect("the name is free"),
        }
    }

    pub fn allow(&self) {
        self.allowed.store(true, Ordering::Relaxed);
    }
}
