//! The same without `async`: for programs that have threads and no runtime.
//!
//! An [`Endpoint`] brings a runtime, with a thread for each [shard](EndpointBuilder::with_shards), so one by default, which
//! receives and keeps time; all calls block the thread that they are made on, where there is something to wait for.
//!
//! What is not here: early data before a handshake is done (`connect_early`, `accept_early`), connections from another
//! process (`import`, `import_client`), `rotate_cookie_secret` and `shard_stats`.
//!
//! # Panics
//!
//! Calls that wait must not be made inside of another runtime, in `async` functions and what they call, nor must the last
//! handle of an [`Endpoint`] and its connections be dropped there: tokio panics then.
//!
//! # Example
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
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gramseal_proto::ClientAnswer;
use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_proto::wire::AlertDescription;
use tokio::runtime::{Builder, Runtime};

use crate::error::{AuthenticateError, CloseReason, ConnectError, ConnectionError, SendError};
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

    /// See [`rebind`](crate::Endpoint::rebind).
    ///
    /// # Errors
    /// If the socket cannot be used, or the endpoint has several; nothing has changed then.
    pub fn rebind(&self, socket: UdpSocket) -> io::Result<()> {
        let _inside = self.runtime.enter();
        self.inner.rebind(socket)
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

    /// The same with a configuration of its own, see [`accept_with`](crate::Incoming::accept_with).
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn accept_with(self, config: Arc<ServerConfig>) -> Result<Connection, ConnectError> {
        let Self { inner, runtime } = self;
        let inner = runtime.block_on(inner.accept_with(config))?;
        Ok(Connection { inner, runtime })
    }

    /// See [`refuse`](crate::Incoming::refuse).
    pub fn refuse(self) {
        self.inner.refuse();
    }

    /// See [`refuse_with`](crate::Incoming::refuse_with).
    pub fn refuse_with(self, alert: AlertDescription) {
        self.inner.refuse_with(alert);
    }

    /// See [`ignore`](crate::Incoming::ignore).
    pub fn ignore(self) {
        self.inner.ignore();
    }
}

/// Like [`gramseal::Connection`](crate::Connection): what waits there blocks here, and what does not wait is the same.
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

    /// See [`recv_early`](crate::Connection::recv_early).
    #[must_use]
    pub fn recv_early(&self) -> Option<Bytes> {
        self.runtime.block_on(self.inner.recv_early())
    }

    /// See [`authenticate_client`](crate::Connection::authenticate_client).
    ///
    /// # Errors
    /// See [`AuthenticateError`].
    pub fn authenticate_client(&self) -> Result<ClientAnswer, AuthenticateError> {
        self.runtime.block_on(self.inner.authenticate_client())
    }

    /// See [`moved_from`](crate::Connection::moved_from).
    ///
    /// # Errors
    /// Why the connection has ended.
    pub fn moved_from(&self, known: SocketAddr) -> Result<SocketAddr, CloseReason> {
        self.runtime.block_on(self.inner.moved_from(known))
    }

    /// See [`checkpoint_due`](crate::Connection::checkpoint_due).
    ///
    /// # Errors
    /// Why the connection has ended.
    pub fn checkpoint_due(&self) -> Result<(), CloseReason> {
        self.runtime.block_on(self.inner.checkpoint_due())
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
