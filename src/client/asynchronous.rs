//! The client for asynchronous programs, under any executor.
//!
//! ```no_run
//! use gazed::bus::options::SessionOptions;
//! use gazed::client::AsyncClient;
//!
//! # async fn demo() -> Result<(), gazed::client::ClientError> {
//! let client = AsyncClient::connect().await?;
//! let mut session = client.session(&SessionOptions { app_name: "demo".into(), ..SessionOptions::default() }).await?;
//! session.start().await?;
//! while let Some(sample) = session.receive().await {
//!     println!("{:.3} {:.3}", sample.record.gaze_x, sample.record.gaze_y);
//! }
//! # Ok(())
//! # }
//! ```

use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use zbus::Connection;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;

use super::session::{Reading, vanishing};
use super::{ClientError, MemoryFileReader, Sample, Stream, primary_first};
use crate::bus::names::BUS_NAME;
use crate::bus::options::SessionOptions;
use crate::bus::proxies::{ManagerProxy, SessionProxy};
use crate::outputs::Output;

/// A connection to the session bus, for talking to gazed without blocking.
#[derive(Clone, Debug)]
pub struct AsyncClient {
    connection: Connection,
}

impl AsyncClient {
    /// Connects to the session bus. The daemon is first needed (and, where installed, started) by the first call.
    pub async fn connect() -> Result<Self, ClientError> {
        let connection = Connection::session().await.map_err(ClientError::NoBus)?;
        Ok(Self { connection })
    }

    /// Connects to a bus by its address.
    pub async fn connect_to(address: &str) -> Result<Self, ClientError> {
        let builder = zbus::connection::Builder::address(address).map_err(ClientError::NoBus)?;
        let connection = builder.build().await.map_err(ClientError::NoBus)?;
        Ok(Self { connection })
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Properties, asked for when they are read, and, without the conveniences of [`AsyncClient::session`], sessions.
    pub async fn manager(&self) -> Result<ManagerProxy<'static>, ClientError> {
        let builder = ManagerProxy::builder(&self.connection);
        Ok(builder
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await?)
    }

    /// The desktop's monitors, the primary one first.
    pub async fn outputs(&self) -> Result<Vec<Output>, ClientError> {
        Ok(primary_first(&self.manager().await?.outputs().await?))
    }

    /// Makes a session; it has to be started.
    pub async fn session(&self, options: &SessionOptions) -> Result<AsyncSession, ClientError> {
        let path = self.manager().await?.create_session(options.to_bus()).await?;
        let bus = DBusProxy::new(&self.connection).await?;
        bus.add_match_rule(vanishing()?).await.map_err(zbus::Error::from)?;
        let name = BusName::try_from(BUS_NAME).map_err(zbus::Error::from)?;
        let daemon = bus.get_name_owner(name).await.map_err(zbus::Error::from)?;
        let proxy = SessionProxy::builder(&self.connection)
            .path(path.clone())?
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await?;
        let reading = Reading::begin(&self.connection, daemon, path);
        Ok(AsyncSession { proxy, reading })
    }
}

/// A session of this client. It is closed when dropped, or with the connection.
#[derive(Debug)]
pub struct AsyncSession {
    proxy: SessionProxy<'static>,
    reading: Reading,
}

impl AsyncSession {
    /// Asks for samples. They begin when the camera is there.
    pub async fn start(&self) -> Result<(), ClientError> {
        Ok(self.proxy.start().await?)
    }

    /// No more samples until it is started again.
    pub async fn stop(&self) -> Result<(), ClientError> {
        Ok(self.proxy.stop().await?)
    }

    /// The next sample; `None` when the daemon or the bus is gone. Samples wait for the caller, the oldest giving way, so
    /// the future may be dropped and made anew at any time.
    pub async fn receive(&mut self) -> Option<Sample> {
        poll_fn(|context| self.poll_receive(context)).await
    }

    /// The same for hand-written futures and streams.
    pub fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Option<Sample>> {
        self.reading.inbox.poll_take(context)
    }

    /// As [`super::Session::open_stream`]; register the stream's descriptor with the program's own event loop.
    pub async fn open_stream(&self) -> Result<Stream, ClientError> {
        Ok(Stream::new(self.proxy.open_stream().await?.into()))
    }

    /// As [`super::Session::open_latest`]; reading it never blocks.
    pub async fn open_latest(&self) -> Result<MemoryFileReader, ClientError> {
        let file = std::os::fd::OwnedFd::from(self.proxy.open_latest().await?);
        Ok(MemoryFileReader::new(file)?)
    }

    /// As [`super::Session::dropped`].
    pub async fn dropped(&self) -> Result<u64, ClientError> {
        Ok(self.proxy.dropped().await? + self.reading.inbox.dropped())
    }

    /// The interface itself.
    pub fn proxy(&self) -> &SessionProxy<'static> {
        &self.proxy
    }
}

impl Drop for AsyncSession {
    fn drop(&mut self) {
        // The answer, an error too, wakes the reader up, which then ends. Nobody can wait for it here.
        self.reading.closed.store(true, Ordering::Relaxed);
        let proxy = self.proxy.clone();
        let closing = async move {
            let _ = proxy.close().await;
        };
        let executor = self.proxy.inner().connection().executor().clone();
        executor.spawn(closing, "close a session").detach();
    }
}
