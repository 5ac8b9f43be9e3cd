//! Remembering sessions when a handshake is done or when tickets come, and forgetting them when the
//! association fails.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::handshake::NewSessionTicket13;

use super::{Connection, Role};
use crate::crypto::SecretBytes;
use crate::handshake::{Keying, Remember, TicketTerms};
use crate::session::forget_tickets;

/// How to find again what was remembered of this association.
pub(super) enum Remembered {
    /// On a client: the name by which its store knows the server.
    Name(Box<str>),
    /// On a server: the session id.
    Id(Box<[u8]>),
    /// On a client of 1.3: what its tickets have in common.
    Terms(TicketTerms),
    /// On a server of 1.3: the tickets that are ids.
    Ids(Box<[Box<[u8]>]>),
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
            (Role::Client(_), Remember::ClientTickets(terms)) => Some(Remembered::Terms(terms)),
            (Role::Server(config), Remember::ServerTickets(tickets)) => {
                let store = config.sessions.store.as_ref()?;
                let keep = |(id, session): (Vec<u8>, _)| {
                    store.put(&id, session);
                    id.into()
                };
                Some(Remembered::Ids(tickets.into_iter().map(keep).collect()))
            }
            (Role::Client(_), Remember::Server(..) | Remember::Known(_) | Remember::ServerTickets(_))
            | (Role::Server(_), Remember::Client(_) | Remember::ClientTickets(_)) => None,
        }
    }

    /// A ticket of 1.3 came.
    pub(super) fn keep_ticket(&self, ticket: &NewSessionTicket13<'_>, max_early_data: u32) {
        let (Role::Client(config), Some(agreed)) = (&self.role, &self.agreed) else { return };
        // RFC 9846 §4.7.1: who keeps none ignores it.
        let secrets = agreed.keying.as_ref().and_then(Keying::v13);
        let (Some(Remembered::Terms(terms)), Some(secrets)) = (&agreed.remembered, secrets) else { return };
        let session = terms.session(ticket, max_early_data, &agreed.negotiated, secrets, config);
        if let (Some(session), Some(sessions)) = (session, &config.sessions) {
            sessions.store.put(session);
        }
    }

    /// RFC 5246 §7.2.2, RFC 9846 §6: an association that ended with a fatal alert cannot be resumed. One
    /// whose handshake is not done is not meant: who began it has not shown that it knows the session
    /// (RFC 5077 §5.1), and a client's session left its store at the start.
    pub(super) fn forget_session(&mut self) {
        let Some(agreed) = &mut self.agreed else { return };
        let Some(remembered) = agreed.remembered.take() else { return };
        match (&self.role, remembered) {
            (Role::Client(config), Remembered::Name(name)) => {
                let Some(sessions) = &config.sessions else { return };
                let secret = agreed.keying.as_ref().and_then(Keying::master_secret).map(SecretBytes::from);
                let Some(secret) = secret else { return };
                // The store may have a newer one, from another association.
                let taken = sessions.store.take(&name, &sessions.context);
                if let Some(other) = taken.filter(|session| session.secret != secret) {
                    sessions.store.put(other);
                }
            }
            (Role::Client(config), Remembered::Terms(terms)) => {
                let Some(sessions) = &config.sessions else { return };
                forget_tickets(&*sessions.store, &terms.server_name, &sessions.context, terms.established);
            }
            (Role::Server(config), Remembered::Id(id)) => {
                config.sessions.store.iter().for_each(|store| store.remove(&id));
            }
            (Role::Server(config), Remembered::Ids(ids)) => {
                config.sessions.store.iter().for_each(|store| ids.iter().for_each(|id| store.remove(id)));
            }
            (Role::Client(_), Remembered::Id(_) | Remembered::Ids(_))
            | (Role::Server(_), Remembered::Name(_) | Remembered::Terms(_)) => {}
        }
    }
}
