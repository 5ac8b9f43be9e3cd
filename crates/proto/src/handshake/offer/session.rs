//! The sessions that a hello offers to resume (RFC 5246 §7.4.1.2, RFC 5077 §3.2): which ones, and what the
//! hello says of those of 1.2. How it offers those of 1.3 is in [`psks`].

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::extension::SessionTicket;
use gramseal_wire::handshake::ServerHello;
use gramseal_wire::{HandshakeHeader, NamedGroup, PlaintextHeader, ProtocolVersion};

use super::{Offer, psks};
use crate::config::GroupKind;
use crate::crypto::Hash;
use crate::error::{Error, PeerFault};
use crate::handshake::resume13::OfferedPsk;
use crate::handshake::{external, resume, resume13};
use crate::session::{MAX_SESSION_ID_LEN, Session};
use crate::suite::Suite12;

/// How many sessions of a store a client looks at for one hello.
const MAX_LOOKED_AT: usize = 8;

/// Bytes of the extension that announces early data.
const EARLY_DATA_LEN: usize = 2 + 2;

/// How many tickets of 1.3 a hello offers, each of another hash: the server knows with which suite it goes
/// on, and every ticket that is shown is used up.
const MAX_OFFERED: usize = 2;

impl Offer {
    /// Adds to a hello that is complete otherwise the pre-shared keys, and sessions or the wish for tickets if
    /// sessions are kept.
    pub(super) fn with_sessions(mut self) -> Result<Self, Error> {
        let kept = self.config.sessions.is_some();
        let allows13 = self.config.common.allows(ProtocolVersion::DTLS1_3);
        let (older, mut psks) = self.take_sessions();
        let external = if allows13 { external::offered(&self.config)? } else { Vec::new() };
        let external: Vec<OfferedPsk> = external.into_iter().map(OfferedPsk::External).collect();
        if allows13 && (kept || !external.is_empty()) {
            self.push_psk_wishes();
        }
        let early_data = if self.config.early_data { EARLY_DATA_LEN } else { 0 };
        let len = |psks: &[OfferedPsk]| early_data + psks::extension_len(psks.iter().chain(&external));
        while !psks.is_empty() && !self.has_room(len(&psks)) {
            psks.pop();
        }
        // Tickets first: they save the server the search, and early data goes with the first (RFC 9846 §4.3.10).
        psks.extend(external);
        self.psks = psks;
        self.push_early_data();
        if kept && self.config.common.allows(ProtocolVersion::DTLS1_2) {
            self.push_session12(older)?;
        }
        self.push_psks(None)?;
        Ok(self)
    }

    /// Adds a session of 1.2, or asks for a ticket.
    fn push_session12(&mut self, older: Option<Session>) -> Result<(), Error> {
        let room_for = |session: &Session| {
            let ticket = 4 + session.ticket.len() + MAX_SESSION_ID_LEN;
            session.ticket.is_empty() || self.has_room(ticket + psks::extension_len(self.psks.iter()))
        };
        if let Some(session) = older.filter(room_for) {
            self.session_id = self.name_for(&session)?;
            self.extensions.push(&SessionTicket { ticket: &session.ticket });
            self.session = Some(Box::new(session));
            return Ok(());
        }
        // RFC 5077 §3.2: an empty one asks for a ticket.
        self.extensions.push(&SessionTicket::default());
        Ok(())
    }

    /// What may be offered to this server, taken out of the store: the latest session of 1.2, which is
    /// forgotten if the handshake fails, and tickets of 1.3, which are used up. The rest goes back.
    fn take_sessions(&self) -> (Option<Session>, Vec<OfferedPsk>) {
        let (mut older, mut psks, mut spare) = (None, Vec::<OfferedPsk>::new(), Vec::new());
        let Some(sessions) = &self.config.sessions else { return (older, psks) };
        let name = resume::store_name(&self.name);
        for _ in 0..MAX_LOOKED_AT {
            let Some(session) = sessions.store.take(&name, &sessions.context) else { break };
            if session.is_expired(sessions.store.now()) {
                continue;
            }
            if !self.config.common.allows(session.version) {
                spare.push(session);
            } else if resume::fits_client(&session, &name, &self.config) {
                match older {
                    None => older = Some(session),
                    Some(_) => spare.push(session),
                }
            } else if resume13::fits_client(&session, &name, &self.config) {
                let hash = resume13::hash_of(&session, &self.config);
                let known = |hash: &&dyn Hash| psks.iter().any(|psk| psk.hash().algorithm() == hash.algorithm());
                match hash.filter(|hash| psks.len() < MAX_OFFERED && !known(hash)) {
                    Some(hash) => psks.push(OfferedPsk::Ticket(session, hash)),
                    None => spare.push(session),
                }
            }
        }
        // The latest stays the latest.
        spare.into_iter().rev().for_each(|session| sessions.store.put(session));
        (older, psks)
    }

    /// The session id for the hello.
    fn name_for(&self, session: &Session) -> Result<Vec<u8>, Error> {
        if session.ticket.is_empty() {
            return Ok(session.id.clone());
        }
        // RFC 5077 §3.4: with an id of our making the server's answer tells whether it resumes.
        Ok(self.config.common.provider.random_array::<MAX_SESSION_ID_LEN>()?.to_vec())
    }

    /// Whether the hello can be longer by so many bytes of tickets. They must not make it outgrow its datagram, if it
    /// fits into one without: servers without state could not answer it. Nor must the hello after a
    /// HelloRetryRequest get longer than what servers put together before they know us, ours for one.
    fn has_room(&self, tickets: usize) -> bool {
        const MOST_IN_PIECES: usize = 4000;
        const LARGE_SHARE: usize = 1300;
        if self.config.large_tickets {
            return true;
        }
        let mtu = self.config.common.transport.mtu;
        let plain = self.datagram_len();
        let large = |group: &NamedGroup| GroupKind::of(*group) == GroupKind::Encapsulation;
        let is_there = self.shares.iter().any(|(group, _)| large(group));
        let may_come = !is_there && self.config.common.groups.iter().any(large);
        let longest = plain + tickets + if may_come { LARGE_SHARE } else { 0 };
        (plain > mtu || plain + tickets <= mtu) && longest <= mtu.max(MOST_IN_PIECES)
    }

    /// Bytes of the datagram with our hello and a cookie as most servers make them.
    fn datagram_len(&self) -> usize {
        /// Version, random, null compression, and the lengths of session id, cookie, suites,
        /// compression methods and extensions.
        const FIXED: usize = 2 + 32 + 1 + 1 + 1 + 2 + 1 + 2;
        const USUAL_COOKIE: usize = 32;
        /// In 1.3 it is an extension, and has to carry the hash of the first hello.
        const USUAL_COOKIE_13: usize = 4 + 2 + 100;
        let allows13 = self.config.common.allows(ProtocolVersion::DTLS1_3);
        let cookie = if allows13 { USUAL_COOKIE_13 } else { USUAL_COOKIE };
        let suites = 2 * self.config.common.suites.len();
        let extensions = self.extensions.as_extensions().as_bytes().len();
        let body = FIXED + self.session_id.len() + cookie + suites + extensions;
        PlaintextHeader::LEN + HandshakeHeader::LEN + body
    }

    /// The session that the server resumes with `hello`, which chose `suite`; `None` for a full
    /// handshake. Either way it is not offered again.
    pub(in crate::handshake) fn resumed(
        &mut self,
        hello: &ServerHello<'_>,
        suite: &Suite12,
    ) -> Result<Option<Box<Session>>, Error> {
        // RFC 5246 §7.4.1.3: the id that we sent, and no other, means the session.
        let Some(session) = self.session.take().filter(|_| hello.session_id == self.session_id) else {
            return Ok(None);
        };
        // RFC 5246 §7.4.1.3: a session keeps its suite.
        if session.cipher_suite != suite.id {
            return Err(PeerFault::ResumedWithOtherCipherSuite.into());
        }
        Ok(Some(session))
    }
}
