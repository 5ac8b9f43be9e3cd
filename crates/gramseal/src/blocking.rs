//! The same without `async`: for programs that have threads and no runtime.
//!
//! An [`Endpoint`] brings a runtime of one thread, which receives and keeps time; all calls block the thread that they are
//! made on, where there is something to wait for. They must not be made inside of another runtime.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use gramseal::ServerConfig;
//! use gramseal::blocking::Endpoint;
//!
//! # type Failure = Box<dyn std::error::Error + Send + Sync>;
//! fn serve(config: ServerConfig) -> Result<(), Failure> {
//!     let endpoint = Endpoint::server("[::]:4433", Arc::new(config))?;
//!     while let Some(incoming) = endpoint.accept() {
//!         std::thread::spawn(move || {
//!             let conn = incoming.accept()?;
//!             while let Some(data) = conn.recv()? {
//!                 conn.send(&data)?;
//!             }
//!             Ok::<(), Failure>(())
//!         });
//!     }
//!     Ok(())
//! }
//! ```

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gramseal_proto::config::{ClientConfig, ServerConfig};
use tokio::runtime::{Builder, Runtime};

use crate::error::{CloseReason, ConnectError, ConnectionError, SendError};
use crate::name::ToServerName;
use crate::queue::Payloads;
use crate::{EndpointBuilder, EndpointStats};

/// Like [`gramseal::Endpoint`](crate::Endpoint), with a runtime of its own.
#[derive(Debug, Clone)]
pub struct Endpoint {
    inner: crate::Endpoint,
    runtime: Arc<Runtime>,
}

impl Endpoint {
    /// A server on `addr`.
    ///
    /// # Errors
    /// If the address cannot be bound, or no thread can be started.
    pub fn server(addr: impl ToSocketAddrs, config: Arc<ServerConfig>) -> io::Result<Self> {
        Self::bind(crate::Endpoint::builder().with_server(config), addr)
    }

    /// A client on `addr`, usually `"[::]:0"` for any.
    ///
    /// # Errors
    /// If the address cannot be bound, or no thread can be started.
    pub fn client(addr: impl ToSocketAddrs) -> io::Result<Self> {
        Self::bind(crate::Endpoint::builder(), addr)
    }

    /// With the choices of `builder`. As many threads as [shards](EndpointBuilder::with_shards) receive.
    ///
    /// # Errors
    /// See [`EndpointBuilder::bind`], and if no thread can be started.
    pub fn bind(builder: EndpointBuilder, addr: impl ToSocketAddrs) -> io::Result<Self> {
        let threads = builder.shards().get();
        let runtime =
            Builder::new_multi_thread().worker_threads(threads).thread_name("gramseal").enable_all().build()?;
        let inner = {
            let _inside = runtime.enter();
            builder.bind(addr)?
        };
        Ok(Self { inner, runtime: Arc::new(runtime) })
    }

    /// See [`accept`](crate::Endpoint::accept).
    #[must_use]
    pub fn accept(&self) -> Option<Incoming> {
        let inner = self.runtime.block_on(self.inner.accept())?;
        Some(Incoming { inner, runtime: Arc::clone(&self.runtime) })
    }

    /// See [`connect`](crate::Endpoint::connect).
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect(
        &self,
        addr: SocketAddr,
        name: impl ToServerName,
        config: Arc<ClientConfig>,
    ) -> Result<Connection, ConnectError> {
        let inner = self.runtime.block_on(self.inner.connect(addr, name, config))?;
        Ok(Connection { inner, runtime: Arc::clone(&self.runtime) })
    }

    /// See [`local_addr`](crate::Endpoint::local_addr).
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// See [`stats`](crate::Endpoint::stats).
    #[must_use]
    pub fn stats(&self) -> EndpointStats {
        self.inner.stats()
    }

    /// See [`close`](crate::Endpoint::close).
    pub fn close(&self) {
        self.runtime.block_on(self.inner.close());
    }
}

/// Like [`gramseal::Incoming`](crate::Incoming).
#[derive(Debug)]
#[must_use = "dropping it ignores the client"]
pub struct Incoming {
    inner: crate::Incoming,
    runtime: Arc<Runtime>,
}

impl Incoming {
    /// Where it comes from.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.inner.peer()
    }

    /// Runs the handshake; best on a thread of its own.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn accept(self) -> Result<Connection, ConnectError> {
        let Self { inner, runtime } = self;
        let inner = runtime.block_on(inner.into_future())?;
        Ok(Connection { inner, runtime })
    }

    /// See [`refuse`](crate::Incoming::refuse).
    pub fn refuse(self) {
        self.inner.refuse();
    }
}

/// Like [`gramseal::Connection`](crate::Connection), all of whose methods that wait for nothing are here as well.
#[derive(Debug, Clone)]
pub struct Connection {
    inner: crate::Connection,
    runtime: Arc<Runtime>,
}

impl Connection {
    /// See [`send_wait`](crate::Connection::send_wait).
    ///
    /// # Errors
    /// See [`SendError`]; the connection is as before.
    pub fn send_wait(&self, data: &[u8]) -> Result<(), SendError> {
        self.runtime.block_on(self.inner.send_wait(data))
    }

    /// See [`send_many_wait`](crate::Connection::send_many_wait).
    ///
    /// # Errors
    /// See [`SendError`], if it is the first payload that cannot be sent; the connection is as before.
    pub fn send_many_wait<P: AsRef<[u8]>>(&self, payloads: &[P]) -> Result<usize, SendError> {
        self.runtime.block_on(self.inner.send_many_wait(payloads))
    }

    /// See [`recv`](crate::Connection::recv).
    ///
    /// # Errors
    /// If the association ended otherwise than in good order, see [`ConnectionError`].
    pub fn recv(&self) -> Result<Option<Bytes>, ConnectionError> {
        self.runtime.block_on(self.inner.recv())
    }

    /// The same, for at most so long.
    ///
    /// # Errors
    /// The outer one if nothing came in time; the inner one as in [`recv`](Self::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Result<Option<Bytes>, ConnectionError>, TimedOut> {
        self.runtime.block_on(async { tokio::time::timeout(timeout, self.inner.recv()).await }).map_err(|_| TimedOut)
    }

    /// See [`recv_into`](crate::Connection::recv_into).
    ///
    /// # Errors
    /// If the association ended otherwise than in good order, see [`ConnectionError`].
    pub fn recv_into(&self, buffer: &mut [u8]) -> Result<Option<usize>, ConnectionError> {
        self.runtime.block_on(self.inner.recv_into(buffer))
    }

    /// See [`recv_many`](crate::Connection::recv_many).
    ///
    /// # Errors
    /// If the association ended otherwise than in good order, see [`ConnectionError`].
    pub fn recv_many(&self, payloads: &mut Payloads) -> Result<Option<usize>, ConnectionError> {
        self.runtime.block_on(self.inner.recv_many(payloads))
    }

    /// See [`close`](crate::Connection::close).
    pub fn close(&self) {
        self.runtime.block_on(self.inner.close());
    }

    /// See [`closed`](crate::Connection::closed).
    #[must_use]
    pub fn closed(&self) -> CloseReason {
        self.runtime.block_on(self.inner.closed())
    }
}

impl Deref for Connection {
    type Target = crate::Connection;

    fn deref(&self) -> &crate::Connection {
        &self.inner
    }
}

/// Nothing came in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct TimedOut;

impl std::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nothing came in time")
    }
}

impl std::error::Error for TimedOut {}
