//! Resumption: what is remembered of a handshake, where, and how it is sealed into tickets.
//!
//! Owns [`Session`] with its byte encoding, the traits of the places that keep sessions, bounded
//! stores in memory, and ticket keys. Never decides whether a session may be resumed: that is the
//! handshake's. Never asks for the time itself: stores and ticket keys bring the caller's clock.
//! RFC 5246 §7.3 and §F.1.4 (by session id), RFC 5077 (by ticket), RFC 9846 §4.7.1 (tickets of 1.3).
//!
//! | side | by | what to give the configuration |
//! | --- | --- | --- |
//! | client | either | a [`ClientSessionStore`], e.g. `ClientSessionCache` (feature `std`) |
//! | server | session id; in 1.3 the ticket is one | a [`ServerSessionStore`], e.g. `ServerSessionCache` (feature `std`) |
//! | server | ticket | a [`TicketSealer`], e.g. `TicketKeys` (feature `std`) |
//! | server | and takes early data | an [`AntiReplay`] too, e.g. `AntiReplayCache` (feature `std`) |
//!
//! Without one, nothing is remembered and every handshake is a full one.

mod anti_replay;
#[cfg(feature = "std")]
mod cache;
#[cfg(feature = "std")]
mod lru;
mod remembered;
mod store;
#[cfg(feature = "std")]
mod ticket;

#[cfg(feature = "std")]
pub use anti_replay::AntiReplayCache;
pub use anti_replay::{AntiReplay, EarlyHello};
#[cfg(feature = "std")]
pub use cache::{ClientSessionCache, ServerSessionCache};
pub use remembered::{BadSession, CONTEXT_LEN, Session};
pub(crate) use remembered::{MAX_SESSION_ID_LEN, PSK_BINDING_LEN, context};
pub(crate) use store::forget_tickets;
pub use store::{ClientSessionStore, OpenedTicket, ServerSessionStore, TicketSealer};
#[cfg(feature = "std")]
pub use ticket::{BadTicketKeys, TicketKeys, TicketSecret};

/// A clock that shows the time of day.
#[cfg(feature = "std")]
type Clock = alloc::sync::Arc<dyn Fn() -> pki_types::UnixTime + Send + Sync>;
