//! `gazectl bridge`: hands gaze and head on to other software in the form that it already understands. Each bridge is an
//! ordinary client of the bus; one file a bridge.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Subcommand;

use super::Output;
use super::session::SessionArgs;
use super::watch::Line;
use crate::client::{Client, Received, Sample, Session};

mod opentrack;
mod osc;
mod pointer;
mod uinput;
mod websocket;

/// Hands gaze and head on to other software, until Control-C.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    to: Bridge,
}

#[derive(Debug, Subcommand)]
enum Bridge {
    Opentrack(opentrack::Args),
    Osc(osc::Args),
    Websocket(websocket::Args),
    Json(JsonArgs),
    Pointer(pointer::Args),
}

/// Print one JSON object a sample, for scripts: what the websocket carries
#[derive(Debug, clap::Args)]
struct JsonArgs {
    #[command(flatten)]
    session: SessionArgs,
}

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    match &args.to {
        Bridge::Opentrack(args) => opentrack::run(args),
        Bridge::Osc(args) => osc::run(args),
        Bridge::Websocket(args) => websocket::run(args),
        Bridge::Pointer(args) => pointer::run(args),
        Bridge::Json(args) => {
            let mut feed = Feed::open(&args.session, "gazectl bridge json")?;
            loop {
                out.live_json_line(&Line::of(&feed.next()?))?;
            }
        }
    }
}

/// A started session.
struct Feed {
    session: Session,
}

impl Feed {
    fn open(args: &SessionArgs, app_name: &str) -> anyhow::Result<Self> {
        let session = Client::connect()?.session(&args.options(app_name))?;
        session.start()?;
        Ok(Self { session })
    }

    /// Waits for the next sample; none may come for long while the camera is paused.
    fn next(&mut self) -> anyhow::Result<Sample> {
        loop {
            if let Some(sample) = self.next_within(Duration::from_secs(3600))? {
                return Ok(sample);
            }
        }
    }

    /// Waits for the next sample, for `longest` at most.
    fn next_within(&mut self, longest: Duration) -> anyhow::Result<Option<Sample>> {
        match self.session.receive(longest) {
            Received::Sample(sample) => Ok(Some(sample)),
            Received::TimedOut => Ok(None),
            Received::Ended => bail!("gazed ended, or the bus did; start the bridge again when it is back"),
        }
    }
}

/// Where datagrams go.
struct Datagrams {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Datagrams {
    fn to(host: &str, port: u16) -> anyhow::Result<Self> {
        let found = (host, port).to_socket_addrs();
        let to = found
            .with_context(|| format!("there is no host {host:?}"))?
            .next()
            .with_context(|| format!("the host {host:?} has no address"))?;
        let own: SocketAddr = match to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(own).context("cannot open a UDP socket")?;
        Ok(Self { socket, to })
    }

    /// Sends one datagram. A receiver that is not there yet, or not any more, is none of the sender's business, nor is a
    /// network that is away for a moment.
    fn send(&self, bytes: &[u8]) -> anyhow::Result<()> {
        use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, WouldBlock};
        let passing = [
            ConnectionRefused,
            HostUnreachable,
            NetworkDown,
            NetworkUnreachable,
            WouldBlock,
        ];
        match self.socket.send_to(bytes, self.to) {
            Ok(_) => Ok(()),
            Err(error) if passing.contains(&error.kind()) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot send to {}", self.to)),
        }
    }
}
