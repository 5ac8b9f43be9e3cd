//! Sessions, kept from one connection of the process to the next.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gramseal_proto::pki_types::UnixTime;
use gramseal_proto::session::{ClientSessionStore, ServerSessionCache, ServerSessionStore, Session};

use crate::clock;

/// A client's: it offers the latest session of the connection before, and no other.
#[derive(Debug, Default)]
pub(crate) struct ClientStore {
    offer: Mutex<Option<Session>>,
    /// The bytes of what was offered in this connection.
    offered: Mutex<Vec<u8>>,
    /// What this connection brought.
    fresh: Mutex<Vec<Session>>,
}

impl ClientStore {
    /// Another connection begins. `false` if there is no session for it.
    pub(crate) fn next_connection(&self) -> bool {
        let (Ok(mut offer), Ok(mut offered), Ok(mut fresh)) =
            (self.offer.lock(), self.offered.lock(), self.fresh.lock())
        else {
            return false;
        };
        *offer = fresh.pop();
        fresh.clear();
        offered.clear();
        offer.is_some()
    }

    /// How many bytes of early data the latest session of this connection allows, if it brought one.
    pub(crate) fn max_early_data(&self) -> Option<u32> {
        self.fresh.lock().ok()?.last().map(Session::max_early_data)
    }

    /// Whether this connection brought a session.
    pub(crate) fn has_fresh(&self) -> bool {
        self.fresh.lock().is_ok_and(|fresh| !fresh.is_empty())
    }
}

impl ClientSessionStore for ClientStore {
    fn now(&self) -> UnixTime {
        clock::time_of_day()
    }

    fn lifetime(&self) -> Duration {
        // As long as the server says.
        Duration::from_secs(7 * 24 * 60 * 60)
    }

    fn take(&self, _server_name: &str, _context: &[u8; 32]) -> Option<Session> {
        let session = self.offer.lock().ok()?.take()?;
        *self.offered.lock().ok()? = session.to_bytes().to_vec();
        Some(session)
    }

    fn put(&self, session: Session) {
        let (Ok(offered), Ok(mut fresh)) = (self.offered.lock(), self.fresh.lock()) else { return };
        // One that comes back is none that is new.
        if *session.to_bytes() != *offered {
            fresh.push(session);
        }
    }
}

/// A server's, which counts.
#[derive(Debug)]
pub(crate) struct ServerStore {
    cache: ServerSessionCache,
    kept: AtomicU32,
}

impl ServerStore {
    pub(crate) fn new() -> Arc<Self> {
        let cache = ServerSessionCache::new(64, 1 << 20, clock::time_of_day);
        Arc::new(Self { cache, kept: AtomicU32::new(0) })
    }

    /// How many sessions were ever kept.
    pub(crate) fn kept(&self) -> u32 {
        self.kept.load(Ordering::Relaxed)
    }
}

impl ServerSessionStore for ServerStore {
    fn now(&self) -> UnixTime {
        self.cache.now()
    }

    fn put(&self, id: &[u8], session: Session) {
        self.kept.fetch_add(1, Ordering::Relaxed);
        self.cache.put(id, session);
    }

    fn get(&self, id: &[u8]) -> Option<Arc<Session>> {
        self.cache.get(id)
    }

    fn remove(&self, id: &[u8]) {
        self.cache.remove(id);
    }
}
