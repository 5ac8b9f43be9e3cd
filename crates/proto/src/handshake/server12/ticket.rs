//! What a full handshake gives the client to resume with: a session id, or a ticket (RFC 5077 §3.3).

use alloc::vec::Vec;

use gramseal_wire::handshake::{ClientHello, NewSessionTicket12};
use gramseal_wire::{Epoch, ExtensionType};

use super::Context;
use crate::config::ServerConfig;
use crate::error::Error;
use crate::handshake::resume::{self, Life};
use crate::handshake::schedule12::Session12;
use crate::handshake::{Action, Negotiated, RecordLimits, Remember};
use crate::session::{MAX_SESSION_ID_LEN, PSK_BINDING_LEN, Session, TicketSealer};

/// What our ServerHello says about resumption, and what it will need.
#[derive(Debug, Default)]
pub(super) struct Promise {
    /// The id of the new session; empty if it will not be known by one.
    pub(super) session_id: Vec<u8>,
    /// Whether NewSessionTicket will come.
    pub(super) ticket: bool,
    /// What it says of max_fragment_length, in bytes.
    pub(super) max_fragment_length: Option<u16>,
    /// Once a pre-shared key has authenticated the client.
    pub(super) psk_binding: Option<[u8; PSK_BINDING_LEN]>,
}

impl Promise {
    /// Whether the client can resume the session to come.
    pub(super) fn is_made(&self) -> bool {
        self.ticket || !self.session_id.is_empty()
    }

    /// For a full handshake.
    pub(super) fn new(hello: &ClientHello<'_>, config: &ServerConfig, limits: RecordLimits) -> Result<Self, Error> {
        let sessions = &config.sessions;
        // RFC 5077 §3.2: only to who asks for one.
        let ticket = sessions.tickets.is_some() && hello.extensions.contains(ExtensionType::SESSION_TICKET);
        // RFC 5077 §3.4: who gets a ticket gets no id. But with the client's certificate the ticket may
        // turn out too long; then the id serves.
        let ticket_may_fail = config.client_auth.verifier().is_some();
        let session_id = if sessions.store.is_some() && (!ticket || ticket_may_fail) {
            config.common.provider.random_array::<MAX_SESSION_ID_LEN>()?.to_vec()
        } else {
            Vec::new()
        };
        Ok(Self { session_id, ticket, max_fragment_length: limits.max_fragment_length(), psk_binding: None })
    }
}

/// After the client's Finished: sends the ticket, if one was promised, and says what to remember.
pub(super) fn keep_promise(
    context: &mut Context,
    secrets: &Session12,
    out: &mut Vec<Action>,
) -> Result<Option<Remember>, Error> {
    let config = context.config.clone();
    let sessions = &config.sessions;
    let Promise { session_id, ticket, max_fragment_length, psk_binding } = core::mem::take(&mut context.promise);
    let new = |negotiated: &Negotiated, life| Session {
        psk_binding,
        ..resume::remembered(negotiated, secrets.master_secret(), sessions.context, max_fragment_length, life)
    };
    if let Some(sealer) = sessions.tickets.as_ref().filter(|_| ticket) {
        let session = new(&context.negotiated, Life::beginning(sealer.now(), sealer.lifetime()));
        if send_ticket(context, &**sealer, session, out)? {
            return Ok(None);
        }
    }
    let store = sessions.store.as_ref().filter(|_| !session_id.is_empty());
    let session = store.map(|store| new(&context.negotiated, Life::beginning(store.now(), store.lifetime())));
    Ok(session.map(|session| Remember::Server(session_id, session)))
}

/// Sends NewSessionTicket; `false` if its ticket is empty (RFC 5077 §3.3: there is none after all).
pub(super) fn send_ticket(
    context: &mut Context,
    sealer: &dyn TicketSealer,
    mut session: Session,
    out: &mut Vec<Action>,
) -> Result<bool, Error> {
    // Of a chain only the certificate that says who the client is has room.
    session.peer_certificates.truncate(1);
    let max_len = context.config.sessions.max_ticket_len;
    let ticket = sealer.seal(&session.to_bytes()).filter(|ticket| ticket.len() <= max_len).unwrap_or_default();
    let left = session.expires.saturating_sub(sealer.now().as_secs());
    let lifetime_hint = if ticket.is_empty() { 0 } else { u32::try_from(left).unwrap_or(u32::MAX) };
    let message = context.seq.message(Epoch::UNPROTECTED, &NewSessionTicket12 { lifetime_hint, ticket: &ticket })?;
    context.send(message, out);
    Ok(!ticket.is_empty())
}
