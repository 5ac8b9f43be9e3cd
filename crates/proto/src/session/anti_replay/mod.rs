//! What keeps early data from being taken twice (RFC 9846 §8): whom a server asks, and a memory that answers.

#[cfg(feature = "std")]
mod cache;

use core::fmt;
use core::time::Duration;

use pki_types::UnixTime;

#[cfg(feature = "std")]
pub use cache::AntiReplayCache;

/// RFC 9846 §8.3
const WINDOW: Duration = Duration::from_secs(10);

/// What keeps a server from taking the same early data twice (RFC 9846 §8).
///
/// Everybody can copy a hello with its early data and send it again. Who keeps the binders of the
/// hellos whose early data it took for as long as they pass for fresh ones takes it once. Hosts that accept each
/// other's tickets take it once *each*, unless they ask one and the same place.
///
/// It is asked where datagrams come in, and must not block: while it thinks, nothing else is received. Who cannot tell at
/// once that the hello is new says `false`, and the connection goes on without early data.
pub trait AntiReplay: Send + Sync + fmt::Debug {
    /// How far from one another the time at which a hello says that it was sent and that at which it comes
    /// may be, for its early data to be taken. RFC 9846 §8.3 has some ten seconds, which is the default; it covers
    /// how long the ticket and the hello took, and by how much the clocks of both sides run differently.
    fn window(&self) -> Duration {
        WINDOW
    }

    /// Whether early data that comes with `hello` may be taken; then it must not be taken again. `false` also if
    /// that cannot be told, for want of room or of an answer: the handshake goes on without it.
    ///
    /// The binder was checked, and the hello is fresh.
    fn claim(&self, hello: &EarlyHello) -> bool;
}

/// What tells one hello with early data from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "tests of implementations make some")]
pub struct EarlyHello {
    /// The first bytes of the binder, which nobody can choose who does not know the session.
    pub binder: [u8; 32],
    /// When its ticket was issued.
    pub issued: UnixTime,
    /// The time of day.
    pub now: UnixTime,
    /// Since when the hello passes for a fresh one.
    pub fresh_from: UnixTime,
    /// Until when it does, this second included: a copy that comes later is not taken in any case.
    pub fresh_until: UnixTime,
}
