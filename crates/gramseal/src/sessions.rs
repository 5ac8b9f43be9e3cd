//! Resumption and early data: where sessions are kept, and what was taken early, with sizes that suit most programs.
//!
//! Nothing is resumed unless a configuration is given one of these. A resumed handshake is short and
//! cheap, but in 1.2 it has no key exchange: whoever learns a session's secret can read all connections
//! that resume it, and who watches the network can tell that they belong together. In 1.3 it has one, and
//! a ticket is shown once. So it is the caller's choice; it pays where clients come back often.
//!
//! ```no_run
//! # fn configs(verifier: std::sync::Arc<dyn gramseal::PeerVerifier>, identity: gramseal::Identity)
//! #     -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! use gramseal::{ClientConfig, ServerConfig, provider, sessions};
//!
//! let client = ClientConfig::builder(provider(), verifier).with_session_store(sessions::client_cache()).build()?;
//! let server = ServerConfig::builder(provider(), identity)
//!     .with_ticket_sealer(sessions::ticket_keys()?)
//!     .with_session_store(sessions::server_cache())
//!     .build()?;
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;

pub use gramseal_proto::session::{
    AntiReplay, AntiReplayCache, BadSession, BadTicketKeys, ClientSessionCache, ClientSessionStore, EarlyHello,
    OpenedTicket, ServerSessionCache, ServerSessionStore, Session, TicketKeys, TicketSealer, TicketSecret,
};
use pki_types::UnixTime;

/// Sessions of a client with up to 256 servers, tickets of 1.3 up to four for each, in at most 1 MiB of memory, for 24
/// hours.
#[must_use]
pub fn client_cache() -> Arc<ClientSessionCache> {
    Arc::new(ClientSessionCache::new(256, 1 << 20, UnixTime::now))
}

/// Up to 10,000 sessions of a server's clients by id, in at most 16 MiB of memory, for 24 hours.
#[must_use]
pub fn server_cache() -> Arc<ServerSessionCache> {
    Arc::new(ServerSessionCache::new(10_000, 16 << 20, UnixTime::now))
}

/// Tickets for a server's clients, with keys that no other host has and that change every 12 hours; a
/// session lives as long. The server keeps nothing. Hosts that share tickets use
/// [`TicketKeys::shared`].
///
/// # Errors
/// If the random source fails.
pub fn ticket_keys() -> Result<Arc<TicketKeys>, BadTicketKeys> {
    TicketKeys::random(crate::provider(), UnixTime::now).map(Arc::new)
}

/// What keeps a server from taking the same early data twice, for
/// [`with_early_data`](crate::ServerConfigBuilder::with_early_data): up to 65,536 handshakes with early data within ten
/// seconds, in at most 10 MiB of memory. A host of its own; several that accept the same tickets need an
/// [`AntiReplay`] that asks one place.
#[must_use]
pub fn anti_replay() -> Arc<AntiReplayCache> {
    Arc::new(AntiReplayCache::new(1 << 16, UnixTime::now()))
}
