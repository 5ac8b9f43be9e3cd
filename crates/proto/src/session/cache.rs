//! Stores in memory, of bounded size.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gramseal_wire::ProtocolVersion;
use pki_types::UnixTime;

use super::lru::{Bounds, Lru};
use super::{CONTEXT_LEN, ClientSessionStore, Clock, ServerSessionStore, Session};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Sessions of a client, in memory: for each server and each kind of settings the latest of 1.2, and
/// the latest four tickets of 1.3, each of which is good for one connection. The servers that were
/// used least recently are forgotten when it is full.
pub struct ClientSessionCache {
    clock: Clock,
    lifetime: Duration,
    /// The latest session of each comes last.
    sessions: Mutex<Lru<ClientKey, Vec<Session>>>,
}

/// Tickets of 1.3 that are kept for each server.
const MAX_TICKETS: usize = 4;

type ClientKey = (String, [u8; CONTEXT_LEN]);

impl ClientSessionCache {
    /// A store for the sessions with at most `servers` servers, of together at most `bytes` bytes.
    /// `clock` gives the time of day, usually `UnixTime::now`.
    pub fn new(servers: usize, bytes: usize, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        let sessions = Mutex::new(Lru::new(Bounds { entries: servers, bytes }));
        Self { clock: Arc::new(clock), lifetime: DAY, sessions }
    }

    /// How long a session is offered after its full handshake. Default 24 hours.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// How many sessions it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.sessions).values().map(Vec::len).sum()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ClientSessionStore for ClientSessionCache {
    fn now(&self) -> UnixTime {
        (self.clock)()
    }

    fn lifetime(&self) -> Duration {
        self.lifetime
    }

    fn take(&self, server_name: &str, context: &[u8; CONTEXT_LEN]) -> Option<Session> {
        let key = (server_name.into(), *context);
        // The place of the last one stays: usually it comes back, or another for it.
        lock(&self.sessions).change(&key, |sessions| (sessions.pop(), size_of_all(sessions)))?
    }

    fn put(&self, session: Session) {
        let key = (session.server_name().unwrap_or_default().into(), *session.context());
        let mut lru = lock(&self.sessions);
        let mut session = Some(session);
        lru.change(&key, |sessions| {
            sessions.extend(session.take());
            limit_to_latest(sessions);
            ((), size_of_all(sessions))
        });
        if let Some(session) = session {
            let size = session.size();
            lru.insert(key, vec![session], size);
        }
    }
}

/// Of what has the version of the last one, the oldest makes room.
fn limit_to_latest(sessions: &mut Vec<Session>) {
    let Some(version) = sessions.last().map(Session::version) else { return };
    let most = if version == ProtocolVersion::DTLS1_3 { MAX_TICKETS } else { 1 };
    let of_it = |session: &Session| session.version() == version;
    if sessions.iter().filter(|session| of_it(session)).count() > most {
        if let Some(oldest) = sessions.iter().position(of_it) {
            sessions.remove(oldest);
        }
    }
}

fn size_of_all(sessions: &[Session]) -> usize {
    sessions.iter().map(Session::size).sum()
}

impl fmt::Debug for ClientSessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSessionCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Sessions of a server by id, in memory. What was used least recently is forgotten when it is full.
pub struct ServerSessionCache {
    clock: Clock,
    lifetime: Duration,
    sessions: Mutex<Lru<Box<[u8]>, Arc<Session>>>,
}

impl ServerSessionCache {
    /// A store for at most `sessions` sessions of together at most `bytes` bytes. `clock` gives the
    /// time of day, usually `UnixTime::now`.
    pub fn new(sessions: usize, bytes: usize, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        let sessions = Mutex::new(Lru::new(Bounds { entries: sessions, bytes }));
        Self { clock: Arc::new(clock), lifetime: DAY, sessions }
    }

    /// How long a session can be resumed after its full handshake. Default 24 hours.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// How many sessions it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.sessions).len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ServerSessionStore for ServerSessionCache {
    fn now(&self) -> UnixTime {
        (self.clock)()
    }

    fn lifetime(&self) -> Duration {
        self.lifetime
    }

    fn put(&self, id: &[u8], session: Session) {
        let size = session.size();
        lock(&self.sessions).insert(id.into(), Arc::new(session), size);
    }

    fn get(&self, id: &[u8]) -> Option<Arc<Session>> {
        let now = self.now();
        let mut sessions = lock(&self.sessions);
        let session = sessions.get(id)?.clone();
        if session.is_expired(now) {
            sessions.remove(id);
            return None;
        }
        Some(session)
    }

    fn remove(&self, id: &[u8]) {
        lock(&self.sessions).remove(id);
    }

    fn take(&self, id: &[u8]) -> Option<Arc<Session>> {
        lock(&self.sessions).remove(id).filter(|session| !session.is_expired(self.now()))
    }
}

impl fmt::Debug for ServerSessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSessionCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Nothing is left half done when a holder of the lock panics: what it guards stays valid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;
    use crate::session::forget_tickets;
    use crate::session::remembered::tests::{session, session13};

    fn clock() -> UnixTime {
        session().established()
    }

    fn of(name: usize) -> Session {
        Session { server_name: Some(format!("{name}.example")), ..session() }
    }

    #[test]
    fn a_client_takes_a_session_once_and_only_for_its_server_and_settings() {
        let cache = ClientSessionCache::new(10, 10_000, clock);
        cache.put(of(1));
        let context = *session().context();
        assert_eq!(cache.take("2.example", &context), None);
        assert_eq!(cache.take("1.example", &[0; CONTEXT_LEN]), None);
        assert_eq!(cache.take("1.example", &context), Some(of(1)));
        assert_eq!(cache.take("1.example", &context), None);
        assert!(cache.is_empty());
    }

    #[test]
    fn the_latest_session_with_a_server_replaces_the_one_before() {
        let cache = ClientSessionCache::new(10, 10_000, clock);
        cache.put(of(1));
        let newer = Session { ticket: vec![9; 50], ..of(1) };
        cache.put(newer.clone());
        assert_eq!(cache.len(), 1);
        assert_eq!(cache.take("1.example", session().context()), Some(newer));
    }

    #[test] // RFC 9846 §C.4
    fn each_ticket_of_1_3_is_taken_once_the_latest_first() {
        let cache = ClientSessionCache::new(10, 100_000, clock);
        let ticket = |number: u8| Session { ticket: vec![number; 50], ..session13() };
        cache.put(session());
        (0..7).for_each(|number| cache.put(ticket(number)));
        assert_eq!(cache.len(), 1 + MAX_TICKETS, "the latest, and the session of 1.2 beside them");
        let context = *session13().context();
        let take = || cache.take("server.example", &context);
        for number in (3..7).rev() {
            assert_eq!(take(), Some(ticket(number)));
        }
        assert_eq!(take(), Some(session()));
        assert_eq!(take(), None);
        assert!(cache.is_empty());
    }

    #[test] // RFC 9149 §3, RFC 9846 §6
    fn tickets_of_one_session_are_forgotten_together() {
        let cache = ClientSessionCache::new(10, 100_000, clock);
        let ticket = |number: u8, established| Session { ticket: vec![number; 50], established, ..session13() };
        let (one, other) = (1_000_000, 1_000_005);
        cache.put(session());
        for (number, when) in [(1, one), (2, other), (3, one), (4, other)] {
            cache.put(ticket(number, when));
        }
        let context = *session13().context();
        forget_tickets(&cache, "server.example", &context, one);
        assert_eq!(
            [(); 4].map(|()| cache.take("server.example", &context)),
            [Some(ticket(4, other)), Some(ticket(2, other)), Some(session()), None]
        );
    }

    #[test] // RFC 9846 §C.4
    fn a_server_takes_a_session_once() {
        let server = ServerSessionCache::new(10, usize::MAX, clock);
        server.put(b"id", session13());
        assert_eq!(server.take(b"id").as_deref(), Some(&session13()));
        assert_eq!((server.take(b"id"), server.len()), (None, 0));
        let late = ServerSessionCache::new(10, usize::MAX, || session13().expires());
        late.put(b"id", session13());
        assert_eq!(late.take(b"id"), None);
    }

    #[test]
    fn a_flood_of_sessions_stays_within_the_bounds() {
        let size = session().size();
        let client = ClientSessionCache::new(50, usize::MAX, clock);
        let server = ServerSessionCache::new(usize::MAX, 20 * size, clock);
        for number in 0..10_000_usize {
            client.put(of(number));
            server.put(&number.to_be_bytes(), session());
        }
        assert_eq!((client.len(), server.len()), (50, 20));
        assert!(server.get(&9_999_usize.to_be_bytes()).is_some() && server.get(&0_usize.to_be_bytes()).is_none());
    }

    #[test]
    fn a_session_that_is_in_use_outlives_a_flood() {
        let server = ServerSessionCache::new(10, usize::MAX, clock);
        server.put(b"mine", session());
        for number in 0..1000_usize {
            server.put(&number.to_be_bytes(), session());
            assert!(server.get(b"mine").is_some());
        }
    }

    #[test]
    fn an_expired_session_is_gone() {
        let server = ServerSessionCache::new(10, usize::MAX, || session().expires());
        server.put(b"id", session());
        assert_eq!(server.get(b"id"), None);
        assert!(server.is_empty());
    }

    #[test]
    fn stores_show_how_many_they_hold_and_no_secret() {
        let (client, server) = (ClientSessionCache::new(10, 10_000, clock), ServerSessionCache::new(10, 10_000, clock));
        client.put(session());
        server.put(b"id", session());
        server.remove(b"other");
        assert_eq!(format!("{client:?}"), "ClientSessionCache { len: 1, .. }");
        assert_eq!(format!("{server:?}"), "ServerSessionCache { len: 1, .. }");
    }
}
