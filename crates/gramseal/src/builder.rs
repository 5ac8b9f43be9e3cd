//! Choices about an endpoint.

use std::io;
use std::net::{ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gramseal_proto::config::ServerConfig;
use gramseal_proto::endpoint::{CookiePolicy, CookieSecrets, EndpointConfig, Limits};
use tokio::runtime::Handle;

use crate::driver;
use crate::endpoint::Endpoint;
use crate::queue::ReceiveLimits;
use crate::router::Router;
use crate::socket::{self, Socket};

/// Makes an [`Endpoint`].
#[derive(Debug, Clone)]
#[must_use]
pub struct EndpointBuilder {
    server: Option<Arc<ServerConfig>>,
    cookies: CookiePolicy,
    cookie_secrets: Option<CookieSecrets>,
    limits: Limits,
    receive: ReceiveLimits,
}

impl EndpointBuilder {
    pub(crate) fn new() -> Self {
        Self {
            server: None,
            cookies: CookiePolicy::default(),
            cookie_secrets: None,
            limits: Limits::default(),
            receive: ReceiveLimits::default(),
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

    /// Binds a socket to the first of `addr` that works. An IPv6 wildcard (`[::]`) takes IPv4 as
    /// well. A name is looked up on the spot, which blocks the thread; an address is not.
    ///
    /// # Errors
    /// If no address can be bound, or no tokio runtime with I/O and time runs here.
    pub fn bind(self, addr: impl ToSocketAddrs) -> io::Result<Endpoint> {
        self.on_socket(socket::bind(addr)?)
    }

    /// Uses a socket that is bound, and not connected, already: with buffer sizes or options that
    /// the caller has set.
    ///
    /// # Errors
    /// If the socket cannot be used, or no tokio runtime runs here.
    pub fn on_socket(self, socket: UdpSocket) -> io::Result<Endpoint> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let config = match &self.server {
            Some(server) => EndpointConfig::server(Arc::clone(server)).map_err(io::Error::other)?,
            None => EndpointConfig::client(),
        };
        let mut config = config.with_cookie_policy(self.cookies).with_limits(self.limits.clone());
        if let Some(secrets) = self.cookie_secrets {
            // The protocol's clock begins with the endpoint. A system clock that stands before 1970
            // agrees with no other host's in any case.
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            config = config.with_cookie_secrets(secrets).with_cookie_clock(since_1970);
        }
        let router = Arc::new(Router::new(Socket::new(socket)?, config, self.limits.incoming_expiry, self.receive));
        runtime.spawn(driver::run(Arc::clone(&router)));
        Ok(Endpoint::new(router, self.server))
    }
}
