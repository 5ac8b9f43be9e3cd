//! The places that keep sessions, as traits.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use pki_types::UnixTime;
use zeroize::Zeroizing;

use super::{CONTEXT_LEN, Session};

/// Where a client keeps its sessions, one or more for each server.
///
/// A session is taken before the hello and put back, or replaced by a newer one, when the handshake
/// is done. So a session whose handshake fails is forgotten (RFC 5246 §7.2.2, RFC 5077 §3.2).
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
    /// the same (see [`Session::context`]). A session that fits neither is not used.
    fn take(&self, server_name: &str, context: &[u8; CONTEXT_LEN]) -> Option<Session>;

    /// Keeps a session, which knows its server name and context.
    fn put(&self, session: Session);
}

/// Where a server keeps its sessions by their ids (RFC 5246 §7.3).
///
/// An implementation for several hosts can keep [`Session::to_bytes`], which hold secrets.
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
