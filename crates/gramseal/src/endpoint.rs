//! One UDP socket, many peers.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_proto::endpoint::CookieSecrets;
use gramseal_proto::{self as proto, ImageKey};

use crate::builder::EndpointBuilder;
use crate::connection::Connection;
use crate::early::EarlyConnection;
use crate::error::ConnectError;
use crate::incoming::Incoming;
use crate::moving::{ImportError, detach};
use crate::name::ToServerName;
use crate::router::{Next, Router, Takeover};
use crate::shared::Shared;
use crate::socket::{Path, canonical};
use crate::stats::EndpointStats;

/// One UDP socket, or several [shards](EndpointBuilder::with_shards) of it, and all connections on it, as server, as
/// client, or both.
///
/// Cheap to clone. A task in the background, one for each shard, receives for all connections; it ends once the last
/// clone and the last connection are gone. Connections go on without the endpoint; they only end
/// early with the runtime that it was made in.
#[derive(Clone)]
pub struct Endpoint {
    handle: Arc<Handle>,
}

struct Handle {
    /// One for each shard; there is at least one.
    routers: Vec<Arc<Router>>,
    server: Option<Arc<ServerConfig>>,
    /// The shard that the next connection belongs to which this side begins.
    next: AtomicUsize,
}

impl Drop for Handle {
    fn drop(&mut self) {
        for router in &self.routers {
            router.unattend();
        }
    }
}

impl Endpoint {
    /// A server on `addr`, with everything else as [`builder`](Self::builder) has it. An IPv6
    /// wildcard (`[::]`) serves IPv4 as well.
    ///
    /// # Errors
    /// If the address cannot be bound, or no tokio runtime runs here.
    pub fn server(addr: impl ToSocketAddrs, config: Arc<ServerConfig>) -> io::Result<Self> {
        Self::builder().with_server(config).bind(addr)
    }

    /// A client on `addr`, usually `"[::]:0"` for any.
    ///
    /// # Errors
    /// If the address cannot be bound, or no tokio runtime runs here.
    pub fn client(addr: impl ToSocketAddrs) -> io::Result<Self> {
        Self::builder().bind(addr)
    }

    /// Begins an endpoint with more choices.
    pub fn builder() -> EndpointBuilder {
        EndpointBuilder::new()
    }

    pub(crate) fn new(routers: Vec<Arc<Router>>, server: Option<Arc<ServerConfig>>) -> Self {
        Self { handle: Arc::new(Handle { routers, server, next: AtomicUsize::new(0) }) }
    }

    /// The next client, as soon as it has proved its address, or without that where the
    /// [cookie policy](crate::CookiePolicy) says so; no handshake of any other client is waited for. `None` once the
    /// endpoint is closed, and at once if it has no server configuration. Dropping the future loses nothing.
    pub async fn accept(&self) -> Option<Incoming> {
        self.handle.server.as_ref()?;
        loop {
            let waits = self.router().shards.accept.notified();
            match self.next_waiting() {
                Next::Waiting(waiting) => return Some(Incoming::new(self.clone(), waiting)),
                Next::Closed => return None,
                Next::Nothing => waits.await,
            }
        }
    }

    /// What waits at the shards, each of which is the first in turn.
    fn next_waiting(&self) -> Next {
        let routers = self.routers();
        let first = self.handle.next.fetch_add(1, Ordering::Relaxed) % routers.len();
        let (before, from) = routers.split_at(first);
        let mut outcome = Next::Closed;
        for router in from.iter().chain(before) {
            match router.next_waiting() {
                Next::Waiting(waiting) => return Next::Waiting(waiting),
                Next::Nothing => outcome = Next::Nothing,
                Next::Closed => {}
            }
        }
        outcome
    }

    /// Connects to the server at `addr`, which has to prove that it is `name`; where a pre-shared key, a
    /// raw public key or a fingerprint is the proof, any name passes. A host name is also sent (SNI).
    /// Dropping the future ends the handshake.
    ///
    /// # Errors
    /// See [`ConnectError`]. That nobody listens at `addr` shows only at the handshake's deadline
    /// (see the crate's documentation).
    pub async fn connect(
        &self,
        addr: SocketAddr,
        name: impl ToServerName,
        config: Arc<ClientConfig>,
    ) -> Result<Connection, ConnectError> {
        Connection::begin(self.client_of(addr, name, config)?)?.established().await
    }

    /// Like [`connect`](Self::connect), for early data: the ClientHello is on its way when this returns, and
    /// [`EarlyConnection`] sends early data if `config` wants it
    /// ([`with_early_data`](crate::ClientConfigBuilder::with_early_data)) and its session store has a session with the
    /// server that allows it.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect_early(
        &self,
        addr: SocketAddr,
        name: impl ToServerName,
        config: Arc<ClientConfig>,
    ) -> Result<EarlyConnection, ConnectError> {
        EarlyConnection::begin(self.client_of(addr, name, config)?)
    }

    fn client_of(
        &self,
        addr: SocketAddr,
        name: impl ToServerName,
        config: Arc<ClientConfig>,
    ) -> Result<Arc<Shared>, ConnectError> {
        let name = name.to_server_name().map_err(ConnectError::InvalidName)?;
        let router = self.next_router();
        let protocol = proto::Connection::client(config, name, router.clock.now()).map_err(ConnectError::Failed)?;
        let path = Path { peer: canonical(addr), local: None };
        router.insert(path, protocol, Takeover::Refused)
    }

    /// Goes on with a client's connection to this server, from an image that
    /// [`Connection::export`](crate::Connection::export) or [`checkpoint`](crate::Connection::checkpoint) made in
    /// another process. The peer is where it was; it has to find this endpoint at the address that it knows: as on the
    /// same socket handed over ([`on_socket`](EndpointBuilder::on_socket)), or bound anew.
    ///
    /// From a checkpoint nothing can be sent before the connection's
    /// [next one](crate::Connection::checkpoint) is stored, or before
    /// [`end_checkpoints`](crate::Connection::end_checkpoints).
    ///
    /// # Errors
    /// See [`ImportError`].
    pub fn import(&self, key: &ImageKey, image: &[u8]) -> Result<Connection, ImportError> {
        let router = self.next_router();
        let config = router.shards.adapt(router.index, self.server_config().ok_or(ImportError::NotServer)?);
        self.go_on(router, proto::Connection::import_server(config, key, image, router.clock.now())?)
    }

    /// The same with a connection that this side began.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub fn import_client(
        &self,
        config: Arc<ClientConfig>,
        key: &ImageKey,
        image: &[u8],
    ) -> Result<Connection, ImportError> {
        let router = self.next_router();
        self.go_on(router, proto::Connection::import_client(config, key, image, router.clock.now())?)
    }

    fn go_on(&self, router: &Arc<Router>, imported: proto::Imported) -> Result<Connection, ImportError> {
        let proto::Imported { connection, attached } = imported;
        let path = detach(&attached).ok_or(ImportError::NoAddress)?;
        // A socket that is bound to one address has no other.
        let anywhere = self.local_addr().is_ok_and(|local| local.ip().is_unspecified());
        let path = Path { local: path.local.filter(|_| anywhere), ..path };
        let shared = router.insert(path, connection, Takeover::Refused).map_err(ImportError::Endpoint)?;
        Connection::begin(shared).map_err(ImportError::Endpoint)
    }

    /// Goes on with another socket, which is bound and not connected, as where a device has changed to another network;
    /// the one before is closed. Servers that put a [connection id](crate::ConnectionIds) into the hello recognise the
    /// connections of this client by it, and follow them when the next datagram comes, which is the application's to
    /// send ([`Transport::path_check`](crate::Transport::path_check) says how they make sure); other servers do not
    /// find them any more. In DTLS 1.3 each connection goes on with
    /// [another id](crate::Connection::use_next_cid), if its server has given one, so that nobody can tell by it that
    /// it is the same one.
    ///
    /// # Errors
    /// If the socket cannot be used, no tokio runtime runs here, or the endpoint has
    /// [several sockets](crate::EndpointBuilder::with_shards); nothing has changed then.
    pub fn rebind(&self, socket: UdpSocket) -> io::Result<()> {
        tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        if self.handle.routers.len() > 1 {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the endpoint has several sockets"));
        }
        self.router().rebind(socket)
    }

    /// The address that the socket is bound to.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.router().socket.local_addr()
    }

    /// Closes every connection (their peers get close_notify) and takes no new ones: `accept`
    /// yields `None` and `connect` fails. The socket is released with the last clone of the
    /// endpoint and of its connections.
    pub async fn close(&self) {
        self.routers().iter().for_each(|router| router.close());
    }

    /// Makes new cookies with the secret `next` from now on; the one that was current is accepted
    /// until the next rotation. For secrets that came from
    /// [`with_cookie_secrets`](EndpointBuilder::with_cookie_secrets), on every host that shares them.
    /// No effect without a server configuration.
    pub fn rotate_cookie_secret(&self, next: &[u8; CookieSecrets::SECRET_LEN]) {
        self.routers().iter().for_each(|router| router.rotate_cookie_secret(next));
    }

    /// What this endpoint has counted.
    #[must_use]
    pub fn stats(&self) -> EndpointStats {
        let mut sum = self.router().stats();
        self.routers().iter().skip(1).for_each(|router| sum.add(&router.stats()));
        sum
    }

    /// What each [shard](EndpointBuilder::with_shards) has counted. What waits to be fetched is that of all, each time.
    #[must_use]
    pub fn shard_stats(&self) -> Vec<EndpointStats> {
        self.routers().iter().map(|router| router.stats()).collect()
    }

    fn routers(&self) -> &[Arc<Router>] {
        &self.handle.routers
    }

    /// The first shard, for what all have in common.
    fn router(&self) -> &Arc<Router> {
        &self.handle.routers[0]
    }

    /// For a connection that may belong to any shard.
    fn next_router(&self) -> &Arc<Router> {
        let routers = self.routers();
        &routers[self.handle.next.fetch_add(1, Ordering::Relaxed) % routers.len()]
    }

    /// The shard with this number.
    pub(crate) fn shard(&self, index: usize) -> &Arc<Router> {
        &self.handle.routers[index]
    }

    pub(crate) fn server_config(&self) -> Option<Arc<ServerConfig>> {
        self.handle.server.clone()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("local", &self.local_addr().ok()).finish_non_exhaustive()
    }
}
