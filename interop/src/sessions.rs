//! What our side remembers between connections, for tests of resumption.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gramseal_proto::config::{ClientConfigBuilder, ServerConfigBuilder};
use gramseal_proto::pki_types::UnixTime;
use gramseal_proto::session::{AntiReplayCache, ClientSessionCache, ServerSessionCache, TicketKeys};

use crate::{Node, provider};
use gramseal_proto::Direction;
use gramseal_proto::wire::HandshakeType;

/// How sessions are resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests decide about every kind")]
pub enum Resumption {
    /// The server remembers (RFC 5246 §7.3).
    Id,
    /// The client keeps a ticket (RFC 5077).
    Ticket,
}

impl Resumption {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Id, Self::Ticket];

    /// A ticket was given with a full handshake where there should be tickets, and nowhere else.
    ///
    /// # Panics
    /// If not.
    pub fn check(self, node: &Node) {
        let log = node.watch().log();
        let ticket = [Direction::Sent, Direction::Received]
            .map(|direction| log.saw(direction, HandshakeType::NEW_SESSION_TICKET))
            .contains(&true);
        assert!(ticket == (self == Self::Ticket) || resumed(node), "{log}");
        assert!(!(ticket && self == Self::Id), "{log}");
    }
}

/// What one side keeps.
#[derive(Debug)]
pub struct Sessions {
    client: Arc<ClientSessionCache>,
    server: Arc<ServerSessionCache>,
    tickets: Arc<TicketKeys>,
}

impl Sessions {
    /// Nothing yet.
    ///
    /// # Panics
    /// If there are no random bytes.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a clock and random keys are no default")]
    pub fn new() -> Self {
        Self {
            client: Arc::new(ClientSessionCache::new(10, 100_000, now)),
            server: Arc::new(ServerSessionCache::new(10, 100_000, now)),
            tickets: Arc::new(TicketKeys::random(provider(), now).expect("random bytes")),
        }
    }

    /// Lets a client use it, whatever its verifier.
    pub fn client(&self, config: ClientConfigBuilder) -> ClientConfigBuilder {
        // A test makes a verifier for each connection, although from the same root.
        config.with_session_context("one test").with_session_store(self.client.clone())
    }

    /// Lets a server take up to `max` bytes of early data.
    ///
    /// # Panics
    /// Never.
    pub fn early_data(&self, config: ServerConfigBuilder, max: u32) -> ServerConfigBuilder {
        config.with_early_data(max, Arc::new(AntiReplayCache::new(100, now())))
    }

    /// Lets a server use it.
    pub fn server(&self, config: ServerConfigBuilder, kind: Resumption) -> ServerConfigBuilder {
        match kind {
            Resumption::Id => config.with_session_store(self.server.clone()),
            Resumption::Ticket => config.with_ticket_sealer(self.tickets.clone()),
        }
    }
}

/// Whether `node` took up a session.
///
/// # Panics
/// If it is not connected.
#[must_use]
pub fn resumed(node: &Node) -> bool {
    node.connection().negotiated().expect("connected").resumed
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970"))
}
