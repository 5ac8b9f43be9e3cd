//! What an endpoint needs to know.

use alloc::sync::Arc;
use core::time::Duration;

use super::admission::Admission;
use super::cookie::{CookieMaker, CookieSecrets};
use super::limits::Limits;
use crate::config::ServerConfig;
use crate::crypto::CryptoError;

/// When a ClientHello has to bring a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the policies there are")]
pub enum CookiePolicy {
    /// Always (RFC 6347 §4.2.1, RFC 9147 §5.1).
    #[default]
    Required,
    /// Always, except from a client of 1.3 that resumes a session and sends early data which is to be taken
    /// ([`with_early_data`](crate::config::ServerConfigBuilder::with_early_data)): a cookie would cost it
    /// what early data is for. Its ticket and its binder were checked then, so it or somebody with
    /// a copy of its hello is there, and each hello counts once; but nobody knows whether at that address. Until the
    /// client has answered, at most three times as many bytes are sent there as came from there
    /// (RFC 9147 §5.1), and the server keeps a connection meanwhile. There are at most 1024 of those whose handshake is
    /// not done, and of the rest a cookie is asked for. Nor do they take more than half of what may wait for the
    /// application, or of all [connections](super::Limits::connections).
    ///
    /// [`Endpoint::route`](super::Endpoint::route) then looks for the session and asks the
    /// [`AntiReplay`](crate::session::AntiReplay) itself, for strangers too: neither may block.
    ///
    /// **So early data is taken before the address is proved.** From an address that has a connection
    /// a cookie is asked for in any case.
    ExceptEarlyData,
    /// Only from an address that has a connection already, which a forged hello must not end
    /// (RFC 6347 §4.2.8). Anyone can then make the server keep state and answer with its
    /// certificates, to forged addresses too: for paths that are proven elsewhere, as by ICE. Early data is
    /// taken from there as well, if the server takes any.
    Off,
}

/// The configuration of an [`Endpoint`](super::Endpoint).
#[derive(Debug, Clone)]
#[must_use]
pub struct EndpointConfig {
    pub(super) server: Option<ServerSide>,
    pub(super) limits: Limits,
}

/// What only an endpoint that accepts handshakes has.
#[derive(Debug, Clone)]
pub(super) struct ServerSide {
    policy: CookiePolicy,
    secrets: CookieSecrets,
    lifetime: Duration,
    clock_at_start: Duration,
    rotation: Option<Duration>,
    config: Arc<ServerConfig>,
}

/// How long cookies live at least, unless the caller says something else.
const SHORTEST_LIFETIME: Duration = Duration::from_secs(60);

/// How often their secret is renewed. The one before it is still accepted, so that cookies may live as long.
const ROTATION: Duration = Duration::from_secs(600);

impl EndpointConfig {
    /// For an endpoint that accepts handshakes, and may begin some as well.
    ///
    /// Cookies are required, live for 60 seconds and are made with a random secret that is renewed
    /// every 10 minutes. They live longer, up to 10 minutes, where a handshake
    /// [may take longer](crate::config::Transport::handshake_timeout): a client of 1.3 that shows a cookie which is too old
    /// gets no other one. [`Limits`] tells how much is taken on.
    ///
    /// `config` tells which version a hello is asked for a cookie in, and for 1.3, which asks for all
    /// that is missing at once, the suites and groups to choose from.
    ///
    /// # Errors
    /// If the provider's random source fails or it has no SHA-256.
    pub fn server(config: Arc<ServerConfig>) -> Result<Self, CryptoError> {
        let server = ServerSide {
            policy: CookiePolicy::default(),
            secrets: CookieSecrets::random(config.provider())?,
            lifetime: config.common.transport.handshake_timeout.clamp(SHORTEST_LIFETIME, ROTATION),
            clock_at_start: Duration::ZERO,
            rotation: Some(ROTATION),
            config,
        };
        Ok(Self { server: Some(server), ..Self::client() })
    }

    /// For an endpoint that only begins handshakes: every ClientHello is dropped.
    pub fn client() -> Self {
        Self { server: None, limits: Limits::default() }
    }

    /// When cookies are asked for. No effect on an endpoint that accepts no handshakes.
    pub fn with_cookie_policy(self, policy: CookiePolicy) -> Self {
        self.on_server(|server| server.policy = policy)
    }

    /// Makes cookies with these secrets, and renews them only when
    /// [`Endpoint::cookie_secrets`](super::Endpoint::cookie_secrets) is asked to.
    pub fn with_cookie_secrets(self, secrets: CookieSecrets) -> Self {
        self.on_server(|server| {
            server.secrets = secrets;
            server.rotation = None;
        })
    }

    /// How long a cookie is good. It may be accepted for a quarter longer.
    pub fn with_cookie_lifetime(self, lifetime: Duration) -> Self {
        self.on_server(|server| server.lifetime = lifetime)
    }

    /// What a clock common to all hosts that share secrets (say, seconds since 1970) shows at
    /// [`Instant::default`](crate::Instant). The clocks may differ by up to a quarter of the
    /// cookie lifetime. Not needed where each host has secrets of its own. Default: zero.
    pub fn with_cookie_clock(self, at_start: Duration) -> Self {
        self.on_server(|server| server.clock_at_start = at_start)
    }

    /// How much is taken on at most.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    fn on_server(mut self, change: impl FnOnce(&mut ServerSide)) -> Self {
        if let Some(server) = &mut self.server {
            change(server);
        }
        self
    }
}

impl ServerSide {
    pub(super) fn into_admission(self) -> Admission {
        let rotation = self.rotation.map(|every| (every, Arc::clone(&self.config.provider().random)));
        let cookies = CookieMaker::new(self.secrets, self.lifetime, self.clock_at_start, rotation);
        Admission { policy: self.policy, cookies, config: self.config }
    }
}
