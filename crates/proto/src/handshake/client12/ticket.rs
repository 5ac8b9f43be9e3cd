//! NewSessionTicket, and what a client remembers of a session (RFC 5077 §3.3).

use alloc::vec::Vec;

use gramseal_wire::handshake::NewSessionTicket12;
use gramseal_wire::{Codec, HandshakeType};

use super::{ExpectFinished, ExpectResumedFinished, State};
use crate::error::Error;
use crate::handshake::offer::Offer;
use crate::handshake::resume::{self, Life};
use crate::handshake::schedule12::Session12;
use crate::handshake::{Negotiated, Protection, expect};
use crate::message::Message;
use crate::session::{PSK_BINDING_LEN, Session};

/// Waits for the ticket that the ServerHello promised; Finished follows.
pub(crate) enum ExpectNewSessionTicket {
    Full(ExpectFinished),
    Resumed(ExpectResumedFinished),
}

impl ExpectNewSessionTicket {
    pub(super) fn handle(self, message: &Message) -> Result<State, Error> {
        expect(message, HandshakeType::NEW_SESSION_TICKET, Protection::None)?;
        let issued = NewSessionTicket12::from_bytes(message.body())?;
        Ok(match self {
            Self::Full(mut next) => {
                next.context.issued.receive(&issued);
                next.context.transcript.add(message);
                State::Finished(next)
            }
            Self::Resumed(mut next) => {
                next.context.issued.receive(&issued);
                next.context.transcript.add(message);
                State::ResumedFinished(next)
            }
        })
    }
}

/// What the server gave us to resume with, and what else we need for it.
#[derive(Debug)]
pub(super) struct Issued {
    session_id: Vec<u8>,
    promised: bool,
    ticket: Vec<u8>,
    lifetime_hint: u32,
    max_fragment_length: Option<u16>,
    /// Once a pre-shared key has authenticated us.
    pub(super) psk_binding: Option<[u8; PSK_BINDING_LEN]>,
}

impl Issued {
    /// As far as the ServerHello says.
    pub(super) fn promised(session_id: &[u8], promised: bool, max_fragment_length: Option<u16>) -> Self {
        Self {
            session_id: session_id.to_vec(),
            promised,
            ticket: Vec::new(),
            lifetime_hint: 0,
            max_fragment_length,
            psk_binding: None,
        }
    }

    pub(super) fn is_promised(&self) -> bool {
        self.promised
    }

    fn receive(&mut self, message: &NewSessionTicket12<'_>) {
        self.ticket = message.ticket.to_vec();
        self.lifetime_hint = message.lifetime_hint;
    }

    /// The session of a full handshake, if there is a way to resume it and a place to keep it.
    pub(super) fn remember(self, offer: &Offer, negotiated: &Negotiated, secrets: &Session12) -> Option<Session> {
        let sessions = offer.config.sessions.as_ref()?;
        let life = Life::beginning(sessions.store.now(), sessions.store.lifetime());
        let session = Session {
            server_name: Some(resume::store_name(&offer.name)),
            psk_binding: self.psk_binding,
            ..resume::remembered(negotiated, secrets.master_secret(), sessions.context, self.max_fragment_length, life)
        };
        self.name(session, offer)
    }

    /// The session of an abbreviated handshake: with its new ticket, or as it was.
    pub(super) fn renew(self, offer: &Offer, session: Session) -> Option<Session> {
        if self.ticket.is_empty() { Some(session) } else { self.name(session, offer) }
    }

    /// Gives `session` the name by which the server will know it.
    fn name(self, mut session: Session, offer: &Offer) -> Option<Session> {
        let now = offer.config.sessions.as_ref()?.store.now().as_secs();
        if self.ticket.len() > offer.config.longest_ticket() {
            return None;
        }
        if !self.ticket.is_empty() {
            // RFC 5077 §3.3: the hint counts from now, and 0 says nothing.
            if self.lifetime_hint != 0 {
                session.expires = session.expires.min(now.saturating_add(self.lifetime_hint.into()));
            }
            // RFC 5077 §3.4: a ticket makes an id of no use.
            session.id.clear();
            session.ticket = self.ticket;
        } else if !self.session_id.is_empty() {
            session.id = self.session_id;
        } else {
            return None;
        }
        Some(session)
    }
}
