//! Sessions in tests: where both sides keep them, and a clock that is turned by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, ClientConfig, ClientConfigBuilder, ServerConfig, ServerConfigBuilder};
use gramseal_proto::session::{ClientSessionCache, ServerSessionCache, TicketKeys};
use pki_types::UnixTime;

use crate::null::{self, NullVerifier, ToyKind};
use crate::sim::{Side, Sim};

/// How a handshake has to do with sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests decide about every kind")]
pub enum Resumption {
    /// A full handshake in which the client gets a ticket.
    FirstTicket,
    /// It resumes by id.
    Id,
    /// It resumes by ticket.
    Ticket,
    /// It resumes by a ticket whose key is not the current one, and gets another.
    NewTicket,
}

impl Resumption {
    /// Brings both sides to where such a handshake can begin, with a cookie exchange or without.
    ///
    /// # Panics
    /// If they do not get there.
    pub fn prepare(self, configs: &(Arc<ClientConfig>, Arc<ServerConfig>), stores: &Stores, cookies: bool) {
        if self == Self::FirstTicket {
            return;
        }
        let mut sim = if cookies { Sim::new(0) } else { Sim::new(0).without_cookies() };
        let pair = sim.connect(Arc::clone(&configs.0), Arc::clone(&configs.1));
        // In 1.3 tickets come after the handshake.
        let ready = |sim: &Sim| sim.connected(pair) && !stores.client.is_empty();
        sim.run_until(ready, Duration::from_secs(10)).expect("the full handshake");
        sim.run_for(Duration::from_secs(1));
        let negotiated = sim.connection(pair, Side::Client).and_then(|connection| connection.negotiated().cloned());
        assert!(!negotiated.expect("connected").resumed);
        if self == Self::NewTicket {
            stores.clock.advance(TicketKeys::DEFAULT_PERIOD - Duration::from_secs(1));
        }
    }
}

/// What a test does to the settings of a client.
pub type ChangeClient = fn(ClientConfigBuilder) -> ClientConfigBuilder;

/// What it does to those of a server.
pub type ChangeServer = fn(ServerConfigBuilder) -> ServerConfigBuilder;

/// What a test does to the settings of both sides.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "tests make their own")]
pub struct Settings {
    /// To the client's.
    pub client: ChangeClient,
    /// To the server's.
    pub server: ChangeServer,
}

impl Settings {
    /// Nothing.
    pub const PLAIN: Self = Self { client: |builder| builder, server: |builder| builder };

    /// What must be the same in either version for a session to be resumed, and settings in which it is not.
    pub const CHANGES: [(&'static str, Self, Self); 8] = [
        (
            "the application protocol",
            Self { client: |builder| builder.with_alpn(["a", "b"]), server: |builder| builder.with_alpn(["a"]) },
            Self { client: |builder| builder.with_alpn(["a", "b"]), server: |builder| builder.with_alpn(["b"]) },
        ),
        (
            "an application protocol",
            Self { client: |builder| builder.with_alpn(["a"]), server: |builder| builder.with_alpn(["a"]) },
            Self { client: |builder| builder.with_alpn(["a"]), ..Self::PLAIN },
        ),
        (
            "what the client offers",
            Self { client: |builder| builder.with_alpn(["a"]), server: |builder| builder.with_alpn(["a"]) },
            Self { client: |builder| builder.with_alpn(["a", "b"]), server: |builder| builder.with_alpn(["a"]) },
        ),
        ("that the client is anonymous", Self::PLAIN, Self { client: with_identity, ..Self::PLAIN }),
        (
            "who the client is",
            Self { client: with_identity, server: requiring },
            Self { client: with_other_identity, server: requiring },
        ),
        (
            "that the server asks for no certificate",
            Self { client: with_identity, ..Self::PLAIN },
            Self { client: with_identity, server: requiring },
        ),
        (
            "the client's context",
            Self::PLAIN,
            Self { client: |builder| builder.with_session_context("other"), ..Self::PLAIN },
        ),
        (
            "the server's context",
            Self::PLAIN,
            Self { server: |builder| builder.with_session_context("other"), ..Self::PLAIN },
        ),
    ];
}

/// A client that has a certificate.
pub fn with_identity(builder: ClientConfigBuilder) -> ClientConfigBuilder {
    builder.with_identity(null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 0))
}

fn with_other_identity(builder: ClientConfigBuilder) -> ClientConfigBuilder {
    builder.with_identity(null::identity(ToyKind::EcdsaP256, "other.example", 0))
}

/// A server that wants to see one.
pub fn requiring(builder: ServerConfigBuilder) -> ServerConfigBuilder {
    builder.with_client_auth(ClientAuth::Required(Arc::new(NullVerifier::default())))
}

/// The time of day as a test wants it.
#[derive(Debug, Clone)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// Some day.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000)))
    }

    /// The time it shows.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(self.0.load(Ordering::Relaxed)))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Ordering::Relaxed);
    }

    /// For those who ask.
    pub fn reader(&self) -> impl Fn() -> UnixTime + Send + Sync + 'static {
        let clock = self.clone();
        move || clock.now()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// Both sides' stores; each side has what the kind of resumption needs.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "tests exchange one store or another")]
pub struct Stores {
    /// What all of them take for the time of day.
    pub clock: Clock,
    /// The client's.
    pub client: Arc<ClientSessionCache>,
    /// The server's, by id.
    pub server: Arc<ServerSessionCache>,
    /// The server's tickets.
    pub tickets: Arc<TicketKeys>,
    /// `None`: nobody remembers anything.
    pub kind: Option<Resumption>,
}

impl Stores {
    /// Empty ones, a second after the first ticket key was made.
    ///
    /// # Panics
    /// Never, as the null provider has what it takes.
    #[must_use]
    pub fn new(kind: Option<Resumption>) -> Self {
        let clock = Clock::new();
        let tickets = TicketKeys::random(null::provider(77), clock.reader()).expect("the null provider has all");
        clock.advance(Duration::from_secs(1));
        Self {
            client: Arc::new(ClientSessionCache::new(100, 100_000, clock.reader())),
            server: Arc::new(ServerSessionCache::new(100, 100_000, clock.reader())),
            tickets: Arc::new(tickets),
            clock,
            kind,
        }
    }

    /// Lets a client use its store.
    pub fn client(&self, builder: ClientConfigBuilder) -> ClientConfigBuilder {
        match self.kind {
            Some(_) => builder.with_session_store(self.client.clone()),
            None => builder,
        }
    }

    /// Lets a server use its store or its tickets.
    pub fn server(&self, builder: ServerConfigBuilder) -> ServerConfigBuilder {
        match self.kind {
            Some(Resumption::Id) => builder.with_session_store(self.server.clone()),
            Some(_) => builder.with_ticket_sealer(self.tickets.clone()),
            None => builder,
        }
    }
}
