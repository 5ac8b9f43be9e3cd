//! Remembering sessions when a handshake is done, and forgetting them when the association fails.

use alloc::boxed::Box;

use super::{Connection, Role};
use crate::handshake::Remember;

/// How to find again what was remembered of this association.
pub(super) enum Remembered {
    /// On a client: the name by which its store knows the server.
    Name(Box<str>),
    /// On a server: the session id.
    Id(Box<[u8]>),
}

impl Connection {
    /// Hands what is to be remembered to the store.
    pub(super) fn remember(&self, remember: Remember) -> Option<Remembered> {
        match (&self.role, remember) {
            (Role::Client(config), Remember::Client(session)) => {
                let sessions = config.sessions.as_ref()?;
                let name = session.server_name().unwrap_or_default().into();
                sessions.store.put(session);
                Some(Remembered::Name(name))
            }
            (Role::Server(config), Remember::Server(id, session)) => {
                config.sessions.store.as_ref()?.put(&id, session);
                Some(Remembered::Id(id.into()))
            }
            (Role::Server(_), Remember::Known(id)) => Some(Remembered::Id(id.into())),
            (Role::Client(_), Remember::Server(..) | Remember::Known(_)) | (Role::Server(_), Remember::Client(_)) => {
                None
            }
        }
    }

    /// RFC 5246 §7.2.2: an association that ended with a fatal alert cannot be resumed. One whose
    /// handshake is not done is not meant: who began it has not shown that it knows the session
    /// (RFC 5077 §5.1), and a client's session left its store at the start.
    pub(super) fn forget_session(&mut self) {
        let Some(agreed) = &mut self.agreed else { return };
        let Some(secret) = agreed.keying.master_secret() else { return };
        match (&self.role, agreed.remembered.take()) {
            (Role::Client(config), Some(Remembered::Name(name))) => {
                let Some(sessions) = &config.sessions else { return };
                // The store may have a newer one, from another association.
                let taken = sessions.store.take(&name, &sessions.context);
                if let Some(other) = taken.filter(|session| *session.secret != *secret) {
                    sessions.store.put(other);
                }
            }
            (Role::Server(config), Some(Remembered::Id(id))) => {
                if let Some(store) = &config.sessions.store {
                    store.remove(&id);
                }
            }
            (_, _) => {}
        }
    }
}
