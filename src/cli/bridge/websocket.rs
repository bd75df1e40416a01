//! `gazectl bridge websocket`: samples as JSON text messages over a WebSocket, for scripts and for pages that the user
//! chose. Bound to this machine.
//!
//! Any page in any browser may try to open a WebSocket on localhost, and browsers do not keep it from that: they only name
//! the page's origin. So a handshake that names one is refused unless the user allowed that origin.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

use super::Feed;
use crate::cli::output::tell;
use crate::cli::session::SessionArgs;
use crate::cli::watch::Line;
use crate::client::Client;

/// Serve samples as JSON over a WebSocket on this machine, for scripts and browser pages
///
/// Each message is one JSON object, as `gazectl watch --json` prints it. The camera is open only while somebody is
/// connected. Browser pages are refused unless their origin is allowed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port on 127.0.0.1; 0 for any free one, which is then printed
    #[arg(long, default_value_t = 6780)]
    port: u16,
    /// A web page's origin that may read your gaze, such as http://localhost:8000; can be repeated
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    allowed_origins: Vec<String>,
    #[command(flatten)]
    session: SessionArgs,
}

const APP_NAME: &str = "gazectl bridge websocket";
/// More scripts than anyone runs; each costs a thread and a session.
const MOST_CLIENTS: usize = 16;
/// A client that does not take a message for so long is let go.
const PATIENCE: Duration = Duration::from_secs(5);

pub fn run(args: &Args) -> anyhow::Result<()> {
    let address = (Ipv4Addr::LOCALHOST, args.port);
    let listener = TcpListener::bind(address).with_context(|| {
        format!(
            "cannot listen on port {} of this machine; choose another --port",
            args.port
        )
    })?;
    tell(format_args!("listening on ws://{}\n", listener.local_addr()?));
    // Says at once where there is no daemon, or where it refuses the options; a session that is not started opens no camera.
    drop(Client::connect()?.session(&args.session.options(APP_NAME))?);
    let (allowed, connected) = (Arc::new(args.allowed_origins.clone()), Arc::new(AtomicUsize::new(0)));
    for stream in listener.incoming() {
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a client could not connect");
                continue;
            }
        };
        let place = Place::take(&connected);
        let (allowed, session) = (Arc::clone(&allowed), args.session.clone());
        thread::Builder::new().name("websocket".to_owned()).spawn(move || {
            let Some(_place) = place else {
                tracing::warn!("{MOST_CLIENTS} clients are connected already; one more was refused");
                return;
            };
            if let Err(error) = serve(stream, &allowed, &session) {
                tracing::warn!("a client was let go: {error:#}");
            }
        })?;
    }
    Ok(())
}

/// One of the places for clients, given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(connected: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(connected));
        (connected.fetch_add(1, Ordering::Relaxed) < MOST_CLIENTS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves one client until it leaves.
fn serve(stream: TcpStream, allowed: &[String], session: &SessionArgs) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(4096))
        .max_frame_size(Some(4096));
    // The library's type: a refusal is a whole HTTP response.
    #[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
    let check = |request: &Request, response: Response| {
        let origin = request
            .headers()
            .get("Origin")
            .map(|origin| origin.to_str().unwrap_or("?"));
        if is_allowed(origin, allowed) {
            Ok(response)
        } else {
            tracing::warn!(
                "a page of {:?} was refused; --allow-origin lets it in",
                origin.unwrap_or_default()
            );
            let mut refusal = ErrorResponse::new(Some("this origin is not allowed".to_owned()));
            *refusal.status_mut() = tungstenite::http::StatusCode::FORBIDDEN;
            Err(refusal)
        }
    };
    let mut socket = match tungstenite::accept_hdr_with_config(stream, check, Some(config)) {
        Ok(socket) => socket,
        Err(HandshakeError::Failure(Error::Http(_))) => return Ok(()),
        Err(HandshakeError::Failure(error)) => return Err(error).context("no WebSocket handshake"),
        Err(HandshakeError::Interrupted(_)) => anyhow::bail!("the WebSocket handshake took too long"),
    };
    let mut feed = Feed::open(session, APP_NAME)?;
    loop {
        // Now and then without a sample too, so that a client that left does not hold the camera.
        let sample = feed.next_within(Duration::from_millis(500))?;
        let sent = match sample {
            Some(sample) => socket.send(Message::text(serde_json::to_string(&Line::of(&sample))?)),
            None => Ok(()),
        };
        match sent.and_then(|()| answer(&mut socket)) {
            Ok(()) => {}
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => return Ok(()),
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                return Ok(());
            }
            Err(Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => return Ok(()),
            Err(error) => return Err(error).context("it takes no more messages"),
        }
    }
}

/// Looks at what the client sent, without waiting: pings and the closing handshake are answered, the rest is ignored.
fn answer(socket: &mut WebSocket<TcpStream>) -> Result<(), Error> {
    socket.get_ref().set_nonblocking(true)?;
    let read = loop {
        match socket.read() {
            Ok(_) => {}
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    socket.get_ref().set_nonblocking(false)?;
    read
}

/// Programs name no origin; pages do, and only the user's own choice is let in.
fn is_allowed(origin: Option<&str>, allowed: &[String]) -> bool {
    origin.is_none_or(|origin| allowed.iter().any(|allowed| allowed == origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_needs_the_users_leave() {
        let allowed = ["http://localhost:8000".to_owned()];
        assert!(is_allowed(None, &[]), "a script");
        assert!(is_allowed(Some("http://localhost:8000"), &allowed));
        assert!(!is_allowed(Some("http://localhost:8000"), &[]));
        assert!(!is_allowed(Some("https://example.org"), &allowed));
        assert!(!is_allowed(Some("null"), &allowed));
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let connected = Arc::new(AtomicUsize::new(0));
        let places: Vec<_> = (0..MOST_CLIENTS).filter_map(|_| Place::take(&connected)).collect();
        assert_eq!(places.len(), MOST_CLIENTS);
        assert!(Place::take(&connected).is_none());
        drop(places);
        assert!(Place::take(&connected).is_some());
    }
}
