//! Handshakes that clients begin.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use gramseal_proto as proto;
use gramseal_proto::config::ServerConfig;
use gramseal_proto::wire::AlertDescription;

use crate::connection::Connection;
use crate::early::EarlyConnection;
use crate::endpoint::Endpoint;
use crate::error::ConnectError;
use crate::router::{Takeover, Waiting};
use crate::shared::Shared;
use crate::socket::Path;

/// A client that wants to connect. It has proved that it receives what is sent to its address,
/// unless the endpoint's [cookie policy](crate::CookiePolicy) says otherwise, and nothing else.
///
/// Await it to run the handshake, best in a task of its own; other handshakes do not wait for it.
/// Dropping it is to [`ignore`](Self::ignore) the client.
///
/// Early data is for who calls [`accept_early`](Self::accept_early). On all other connections it is rejected,
/// which the client learns, and their tickets allow none.
#[must_use = "dropping it ignores the client"]
pub struct Incoming {
    endpoint: Endpoint,
    shard: usize,
    path: Path,
    /// `None` once it is accepted or refused.
    inner: Option<proto::endpoint::Incoming>,
}

impl Incoming {
    pub(crate) fn new(endpoint: Endpoint, waiting: Waiting) -> Self {
        Self { endpoint, shard: waiting.shard, path: waiting.path, inner: Some(waiting.incoming) }
    }

    /// Where it comes from; an IPv4 peer has an IPv4 address here whatever the socket.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.path.peer
    }

    /// Refuses the client with the alert `access_denied`. As anybody can forge that, it may not believe it, and
    /// repeats its hello, which then comes up anew.
    pub fn refuse(self) {
        self.refuse_with(AlertDescription::ACCESS_DENIED);
    }

    /// Refuses the client with an alert of choice.
    pub fn refuse_with(mut self, alert: AlertDescription) {
        if let Some(inner) = self.inner.take() {
            self.endpoint.shard(self.shard).refuse(self.path, inner, alert);
        }
    }

    /// Turns the client away in silence. It repeats its hello some times, and each comes up anew.
    pub fn ignore(self) {
        drop(self);
    }

    /// Runs the handshake with a configuration of its own instead of the endpoint's.
    pub fn accept_with(self, config: Arc<ServerConfig>) -> Handshake {
        // Nobody would look at early data here, and whoever sent it would think that it had been taken.
        let config = config.without_early_data();
        Handshake(Box::pin(async move { Connection::begin(self.begin(config)?)?.established().await }))
    }

    /// Begins the handshake and does not wait for its end: for early data
    /// ([`with_early_data`](crate::ServerConfigBuilder::with_early_data)), which comes before it.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn accept_early(self) -> Result<EarlyConnection, ConnectError> {
        let config = self.endpoint.server_config().ok_or(ConnectError::EndpointClosed)?;
        self.accept_early_with(config)
    }

    /// Like [`accept_early`](Self::accept_early), with a configuration of its own instead of the endpoint's.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn accept_early_with(self, config: Arc<ServerConfig>) -> Result<EarlyConnection, ConnectError> {
        EarlyConnection::begin(self.begin(config)?)
    }

    fn begin(mut self, config: Arc<ServerConfig>) -> Result<Arc<Shared>, ConnectError> {
        let router = self.endpoint.shard(self.shard);
        let inner = self.inner.take().ok_or(ConnectError::EndpointClosed)?;
        let config = router.shards.adapt(self.shard, config);
        let protocol = inner.accept(config, router.clock.now());
        router.insert(self.path, protocol, Takeover::Allowed)
    }
}

impl IntoFuture for Incoming {
    type Output = Result<Connection, ConnectError>;
    type IntoFuture = Handshake;

    fn into_future(self) -> Handshake {
        match self.endpoint.server_config() {
            Some(config) => self.accept_with(config),
            None => Handshake(Box::pin(async { Err(ConnectError::EndpointClosed) })),
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            self.endpoint.shard(self.shard).ignore(inner);
        }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("peer", &self.peer()).finish_non_exhaustive()
    }
}

/// A server's handshake with one client; it ends by itself at the configured deadline. Dropping it
/// ends it as well.
#[must_use = "futures do nothing unless awaited"]
pub struct Handshake(Pin<Box<dyn Future<Output = Result<Connection, ConnectError>> + Send>>);

impl Future for Handshake {
    type Output = Result<Connection, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").finish_non_exhaustive()
    }
}
