//! The places that keep sessions, as traits.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use gramseal_wire::ProtocolVersion;
use pki_types::UnixTime;
use zeroize::Zeroizing;

use super::{CONTEXT_LEN, Session};

/// Where a client keeps its sessions, one or more for each server.
///
/// A session of 1.2 is taken before the hello and put back, or replaced by a newer one, when the
/// handshake is done. So a session whose handshake fails is forgotten (RFC 5246 §7.2.2, RFC 5077 §3.2).
///
/// A session of 1.3 stands for one ticket, of which a server may give several, and is offered once
/// (RFC 9846 §C.4): it does not come back, but more come when the handshake is done. A store does well
/// to keep a few for each server, beside one of 1.2.
pub trait ClientSessionStore: Send + Sync + fmt::Debug {
    /// The time of day.
    fn now(&self) -> UnixTime;

    /// How long a session is offered after its full handshake, whatever the server says. RFC 5246
    /// §F.1.4 suggests at most 24 hours, which is the default.
    fn lifetime(&self) -> Duration {
        Duration::from_secs(24 * 60 * 60)
    }

    /// Takes the latest session with this server out of the store. `server_name` is the host name in
    /// lower case or the address that was connected to; `context` stands for the settings that must be
    /// the same (see [`Session::context`]). A session that fits neither is not used. A client looks at
    /// several, and puts back what it does not offer.
    fn take(&self, server_name: &str, context: &[u8; CONTEXT_LEN]) -> Option<Session>;

    /// Keeps a session, which knows its server name and context.
    fn put(&self, session: Session);
}

/// How many sessions with one server are looked through.
const MAX_LOOKED_THROUGH: usize = 16;

/// Forgets the tickets of 1.3 that go back to one full handshake with this server.
pub(crate) fn forget_tickets(
    store: &dyn ClientSessionStore,
    server_name: &str,
    context: &[u8; CONTEXT_LEN],
    established: u64,
) {
    let mut others = Vec::new();
    for _ in 0..MAX_LOOKED_THROUGH {
        let Some(session) = store.take(server_name, context) else { break };
        if session.version != ProtocolVersion::DTLS1_3 || session.established != established {
            others.push(session);
        }
    }
    // The latest stays the latest.
    others.into_iter().rev().for_each(|session| store.put(session));
}

/// Where a server keeps its sessions by their ids (RFC 5246 §7.3), those of 1.3 by their tickets, which
/// then are nothing but ids (RFC 9846 §4.7.1).
///
/// An implementation for several hosts can keep [`Session::to_bytes`], which hold secrets.
///
/// It is asked where datagrams come in, for each hello that names a session, and under
/// [`CookiePolicy::ExceptEarlyData`](crate::endpoint::CookiePolicy::ExceptEarlyData) also for hellos of strangers: while
/// it thinks, nothing else is received. So it must not block, as on another host.
pub trait ServerSessionStore: Send + Sync + fmt::Debug {
    /// The time of day.
    fn now(&self) -> UnixTime;

    /// How long a session can be resumed after its full handshake. RFC 5246 §F.1.4 suggests at most
    /// 24 hours, which is the default.
    fn lifetime(&self) -> Duration {
        Duration::from_secs(24 * 60 * 60)
    }

    /// Keeps `session` under `id`, which has 32 random bytes. A full store makes room or drops it.
    fn put(&self, id: &[u8], session: Session);

    /// The session with this id, which a client named and may have made up: 1 to 32 bytes.
    fn get(&self, id: &[u8]) -> Option<Arc<Session>>;

    /// Forgets a session because its association failed (RFC 5246 §7.2.2).
    fn remove(&self, id: &[u8]);

    /// Takes a session out of the store, for the one connection of 1.3 that resumes it (RFC 9846 §C.4).
    /// If several connections ask at once, one should get it: a store where that can happen between
    /// two of its own calls should not leave this to the default, which is `get` and then `remove`.
    fn take(&self, id: &[u8]) -> Option<Arc<Session>> {
        let session = self.get(id)?;
        self.remove(id);
        Some(session)
    }
}

/// What turns a server's sessions into tickets and back, so that it keeps none itself (RFC 5077).
pub trait TicketSealer: Send + Sync + fmt::Debug {
    /// The time of day.
    fn now(&self) -> UnixTime;

    /// How long a session can be resumed after its full handshake.
    fn lifetime(&self) -> Duration;

    /// Encrypts and authenticates `session`, the bytes of a session with its secret. `None` if that is
    /// not possible now: then the client gets no ticket.
    fn seal(&self, session: &[u8]) -> Option<Vec<u8>>;

    /// Opens a ticket, which may be forged; `None` means a full handshake.
    fn open(&self, ticket: &[u8]) -> Option<OpenedTicket>;
}

/// A ticket that was authentic.
#[expect(clippy::exhaustive_structs, reason = "made by sealers outside this crate")]
pub struct OpenedTicket {
    /// What was given to [`TicketSealer::seal`].
    pub session: Zeroizing<Vec<u8>>,
    /// Whether the client should get a new ticket, because the keys of this one will be forgotten.
    pub renew: bool,
}

impl fmt::Debug for OpenedTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedTicket").field("renew", &self.renew).finish_non_exhaustive()
    }
}
