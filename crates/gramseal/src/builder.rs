//! Choices about an endpoint.

use std::io;
use std::net::{ToSocketAddrs, UdpSocket};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gramseal_proto::config::ServerConfig;
use gramseal_proto::crypto::SecureRandom;
use gramseal_proto::endpoint::{CookiePolicy, CookieSecrets, EndpointConfig, Limits};
use tokio::runtime::Handle;

use crate::driver;
use crate::endpoint::Endpoint;
use crate::queue::{Buffered, ReceiveLimits};
use crate::router::{Parts, Router};
use crate::shards::{Names, Shards};
use crate::socket::{self, Offload, Socket};
use crate::timers::Clock;

/// Makes an [`Endpoint`].
#[derive(Debug, Clone)]
#[must_use]
pub struct EndpointBuilder {
    server: Option<Arc<ServerConfig>>,
    cookies: CookiePolicy,
    cookie_secrets: Option<CookieSecrets>,
    limits: Limits,
    receive: ReceiveLimits,
    shards: NonZeroUsize,
    offload: Offload,
}

impl EndpointBuilder {
    pub(crate) fn new() -> Self {
        Self {
            server: None,
            cookies: CookiePolicy::default(),
            cookie_secrets: None,
            limits: Limits::default(),
            receive: ReceiveLimits::default(),
            shards: NonZeroUsize::MIN,
            offload: Offload::default(),
        }
    }

    /// Accepts clients, and serves them with `config`. Default: nobody is accepted.
    pub fn with_server(mut self, config: Arc<ServerConfig>) -> Self {
        self.server = Some(config);
        self
    }

    /// When clients must prove their address first. Default: always.
    pub fn with_cookie_policy(mut self, policy: CookiePolicy) -> Self {
        self.cookies = policy;
        self
    }

    /// Makes cookies with these secrets, and renews them only by
    /// [`Endpoint::rotate_cookie_secret`]: for servers behind one address, each of which must accept
    /// the cookies of the others. Their system clocks may differ by 15 seconds. Default: a random
    /// secret, which the endpoint renews every 10 minutes.
    pub fn with_cookie_secrets(mut self, secrets: CookieSecrets) -> Self {
        self.cookie_secrets = Some(secrets);
        self
    }

    /// How many clients, and how fast, are taken on at most; who is turned away is counted in
    /// [`EndpointStats::routing`](crate::EndpointStats::routing).
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How much connections keep for an application that does not fetch it.
    pub fn with_receive_limits(mut self, limits: ReceiveLimits) -> Self {
        self.receive = limits;
        self
    }

    /// Serves the address with `count` sockets (`SO_REUSEPORT`), each with a task and a table of its own, so that as many
    /// threads of the runtime receive at once. Default: 1, which is best for a single client. On Linux and Android.
    ///
    /// The system spreads clients among the sockets by their addresses. One whose address has changed is found by its
    /// [connection id](crate::ConnectionIds), wherever its datagrams come to: the ids name their shard, which nobody else
    /// can tell from them, and have the form that their generator gives them. It has to have ids of one length, and
    /// different enough that each shard gets some; [`bind`](Self::bind) refuses one that has not. A configuration for
    /// one [`Incoming`](crate::Incoming) may have any other generator.
    ///
    /// There is one [`accept`](Endpoint::accept), one cookie secret, and one sum of what is counted and of what waits to be
    /// fetched. Of the other [limits](Self::with_limits) each shard gets an equal share.
    pub fn with_shards(mut self, count: NonZeroUsize) -> Self {
        self.shards = count;
        self
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn shards(&self) -> NonZeroUsize {
        self.shards
    }

    /// Gives the system one datagram with each call, also where it would cut a batch into datagrams by itself: for network
    /// interfaces and programs on the way that mishandle such batches. Those that refuse them need no word.
    pub fn without_segmentation_offload(mut self) -> Self {
        self.offload = Offload::Never;
        self
    }

    /// Binds to the first of `addr` that works. An IPv6 wildcard (`[::]`) takes IPv4 as
    /// well. A name is looked up on the spot, which blocks the thread; an address is not.
    ///
    /// # Errors
    /// If no address can be bound, a choice is not possible, or no tokio runtime with I/O and time runs here.
    pub fn bind(self, addr: impl ToSocketAddrs) -> io::Result<Endpoint> {
        let sockets = socket::bind(addr, self.shards.get())?;
        self.on_sockets(sockets)
    }

    /// Uses a socket that is bound, and not connected, already: with buffer sizes or options that
    /// the caller has set.
    ///
    /// # Errors
    /// If the socket cannot be used, a choice is not possible, or no tokio runtime runs here.
    pub fn on_socket(self, socket: UdpSocket) -> io::Result<Endpoint> {
        self.on_sockets(vec![socket])
    }

    /// The same with several sockets that are bound to one address, one for each [shard](Self::with_shards): among
    /// which the system spreads peers, so that the same one always comes to the same socket as long as all are open.
    ///
    /// # Errors
    /// If there is no socket or one cannot be used, a choice is not possible, or no tokio runtime runs here.
    pub fn on_sockets(self, sockets: Vec<UdpSocket>) -> io::Result<Endpoint> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let count = sockets.len();
        let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
        if count == 0 {
            return Err(invalid("an endpoint needs a socket"));
        }
        if self.shards.get() > 1 && self.shards.get() != count {
            return Err(invalid("each shard needs a socket of its own"));
        }
        let no_names = "the generator of connection ids has too few of one length to name shards with";
        let names = match count {
            1 => None,
            _ => Some(Names::new(count, self.server.as_deref()).ok_or_else(|| invalid(no_names))?),
        };
        let (config, random) = self.protocol(count)?;
        let shards = Arc::new(Shards::new(names, random));
        let (clock, buffered) = (Clock::start(), Buffered::new(self.receive));
        let router = |(index, socket)| {
            io::Result::Ok(Arc::new(Router::new(Parts {
                socket: Socket::new(socket, self.offload)?,
                endpoint: config.clone(),
                expiry: self.limits.incoming_expiry,
                buffered: Arc::clone(&buffered),
                clock,
                index,
                shards: Arc::clone(&shards),
            })))
        };
        let routers = sockets.into_iter().enumerate().map(router).collect::<io::Result<Vec<_>>>()?;
        shards.set(&routers);
        for router in &routers {
            runtime.spawn(driver::run(Arc::clone(router)));
        }
        Ok(Endpoint::new(routers, self.server))
    }

    /// What each of `count` shards is to the protocol, and where the secret that they share is renewed from.
    fn protocol(&self, count: usize) -> io::Result<(EndpointConfig, Option<Arc<dyn SecureRandom>>)> {
        let Some(server) = &self.server else {
            return Ok((EndpointConfig::client().with_limits(self.limits.clone()), None));
        };
        let config = EndpointConfig::server(Arc::clone(server)).map_err(io::Error::other)?;
        let config = config.with_cookie_policy(self.cookies).with_limits(self.limits.share_of(count));
        Ok(match &self.cookie_secrets {
            Some(secrets) => {
                // The protocol's clock begins with the endpoint. A system clock that stands before 1970
                // agrees with no other host's in any case.
                let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                (config.with_cookie_secrets(secrets.clone()).with_cookie_clock(since_1970), None)
            }
            None if count > 1 => {
                let provider = server.provider();
                let secrets = CookieSecrets::random(provider).map_err(io::Error::other)?;
                (config.with_cookie_secrets(secrets), Some(Arc::clone(&provider.random)))
            }
            None => (config, None),
        })
    }
}
