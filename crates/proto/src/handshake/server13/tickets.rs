//! The tickets that follow the handshake (RFC 9846 §4.7.1): how many, what is in them, and which of their
//! sessions the server keeps itself.

use alloc::vec::Vec;
use core::time::Duration;

use gramseal_wire::Epoch;
use gramseal_wire::extension::{EarlyDataNewSessionTicket, ExtensionsBuf, TicketRequestClientHello};
use gramseal_wire::handshake::{ClientHello, NewSessionTicket13};
use pki_types::UnixTime;
use zeroize::Zeroizing;

use super::Context;
use crate::config::ServerConfig;
use crate::error::{Error, LocalFault};
use crate::handshake::resume::{self, Life};
use crate::handshake::resume13::{MAX_LIFETIME, mode};
use crate::handshake::schedule13::ResumptionSecret;
use crate::message::Message;
use crate::session::{MAX_SESSION_ID_LEN, Session};

/// The most that a client gets, however many it asks for (RFC 9149 §3).
const MAX_TICKETS: u8 = 8;

/// What the client was told, or may expect, of tickets.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Promise {
    /// How many will come.
    pub(super) count: u8,
    /// Whether the client asked for a number, and so is told (RFC 9149 §3).
    pub(super) answers: bool,
    /// The life of the session that is resumed: new tickets do not lengthen it (RFC 9846 §4.7.1).
    life: Option<Life>,
}

impl Promise {
    pub(super) fn new(
        hello: &ClientHello<'_>,
        resumed: Option<&Session>,
        config: &ServerConfig,
    ) -> Result<Self, Error> {
        let sessions = &config.sessions;
        // RFC 9846 §4.3.9: not to who could not use them.
        if sessions.ticket_count == 0 || mode(hello, config)?.is_none() {
            return Ok(Self::default());
        }
        let life = resumed.map(|session| Life { established: session.established, expires: session.expires });
        let asked = hello.extensions.find::<TicketRequestClientHello>()?;
        let count = match (asked, resumed) {
            (Some(asked), None) => asked.new_session_count.min(MAX_TICKETS),
            (Some(asked), Some(_)) => asked.resumption_count.min(MAX_TICKETS),
            (None, None) => sessions.ticket_count,
            // In place of the one that was used.
            (None, Some(_)) => 1,
        };
        Ok(Self { count, answers: asked.is_some(), life })
    }
}

/// The messages with the tickets, and the sessions of those that are ids.
#[derive(Default)]
pub(super) struct Issued {
    pub(super) messages: Vec<Message>,
    pub(super) kept: Vec<(Vec<u8>, Session)>,
}

/// Makes the tickets that were promised, as far as there is a way.
pub(super) fn issue(context: &mut Context, secret: &ResumptionSecret) -> Result<Issued, Error> {
    let mut issued = Issued::default();
    let mut extensions = ExtensionsBuf::new();
    if let Some(early) = &context.config.early_data {
        extensions.push(&EarlyDataNewSessionTicket { max_early_data_size: early.max_bytes });
    }
    for nonce in 0..context.promise.count {
        // RFC 9846 §4.7.1: fresh for each.
        let age_add = u32::from_be_bytes(context.config.common.provider.random_array()?);
        let Some(Ticket { bytes, lifetime, kept }) = ticket(context, &secret.psk(&[nonce]), age_add)? else { break };
        let extensions = extensions.as_extensions();
        let message = NewSessionTicket13 { lifetime, age_add, nonce: &[nonce], ticket: &bytes, extensions };
        issued.messages.push(context.seq.message(Epoch::APPLICATION, &message)?);
        issued.kept.extend(kept.map(|session| (bytes, session)));
    }
    Ok(issued)
}

struct Ticket {
    bytes: Vec<u8>,
    /// In seconds.
    lifetime: u32,
    /// Its session, if the ticket does not hold it.
    kept: Option<Session>,
}

/// A ticket that holds its session, or the id of one.
fn ticket(context: &Context, psk: &Zeroizing<Vec<u8>>, age_add: u32) -> Result<Option<Ticket>, Error> {
    let sessions = &context.config.sessions;
    let hash = context.config.common.provider.hash(context.suite.hash).ok_or(LocalFault::MissingAlgorithm)?;
    let new = |now: UnixTime, lifetime: Duration| {
        let life = context.promise.life.unwrap_or_else(|| Life::beginning(now, lifetime.min(MAX_LIFETIME)));
        let left = life.expires.saturating_sub(now.as_secs()).min(MAX_LIFETIME.as_secs());
        let left = u32::try_from(left).ok().filter(|left| *left > 0)?;
        let mut session = resume::remembered(&context.negotiated, psk.clone(), sessions.context, None, life);
        // Of a chain only the certificate that says who the client is: a ticket has no room for more, and the
        // store keeps one for each ticket.
        session.peer_certificates.truncate(1);
        let max_early_data = context.config.early_data.as_ref().map_or(0, |early| early.max_bytes);
        let session = session.bound_to(context.external.as_ref(), hash);
        Some((left, Session { issued: now.as_secs(), age_add, max_early_data, ..session }))
    };
    if let Some(sealer) = &sessions.tickets {
        let Some((lifetime, session)) = new(sealer.now(), sealer.lifetime()) else { return Ok(None) };
        let sealed = sealer.seal(&session.to_bytes());
        if let Some(bytes) = sealed.filter(|ticket| (1..=sessions.max_ticket_len).contains(&ticket.len())) {
            return Ok(Some(Ticket { bytes, lifetime, kept: None }));
        }
    }
    let Some(store) = &sessions.store else { return Ok(None) };
    let Some((lifetime, session)) = new(store.now(), store.lifetime()) else { return Ok(None) };
    let bytes = context.config.common.provider.random_array::<MAX_SESSION_ID_LEN>()?.to_vec();
    Ok(Some(Ticket { bytes, lifetime, kept: Some(session) }))
}
