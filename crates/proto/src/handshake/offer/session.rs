//! The session that a hello offers to resume (RFC 5246 §7.4.1.2, RFC 5077 §3.2).

use alloc::vec::Vec;

use gramseal_wire::extension::SessionTicket;
use gramseal_wire::handshake::ServerHello;
use gramseal_wire::{HandshakeHeader, PlaintextHeader, ProtocolVersion};

use super::Offer;
use crate::error::{Error, PeerFault};
use crate::handshake::resume;
use crate::session::{MAX_SESSION_ID_LEN, Session};
use crate::suite::Suite12;

impl Offer {
    /// Adds a session to a hello that is complete otherwise, or asks for a ticket, if sessions are kept.
    pub(super) fn with_session(mut self) -> Result<Self, Error> {
        let allows12 = self.config.common.allows(ProtocolVersion::DTLS1_2);
        if self.config.sessions.is_none() || !allows12 {
            return Ok(self);
        }
        let plain = self.extensions.clone();
        if let Some(session) = self.take_session() {
            self.session_id = self.name_for(&session)?;
            self.extensions.push(&SessionTicket { ticket: &session.ticket });
            // A ticket must not make the hello outgrow its datagram: servers without state could not
            // answer it.
            if session.ticket.is_empty() || self.datagram_len() <= self.config.common.transport.mtu {
                self.session = Some(session);
                return Ok(self);
            }
        }
        self.session_id = Vec::new();
        self.extensions = plain;
        // RFC 5077 §3.2: an empty one asks for a ticket.
        self.extensions.push(&SessionTicket::default());
        Ok(self)
    }

    /// A session with this server that may be offered, taken out of the store: if the handshake fails,
    /// the session is forgotten.
    fn take_session(&self) -> Option<Session> {
        let sessions = self.config.sessions.as_ref()?;
        let name = resume::store_name(&self.name);
        let session = sessions.store.take(&name, &sessions.context)?;
        let fits = resume::fits_client(&session, &name, &self.config);
        Some(session).filter(|session| fits && !session.is_expired(sessions.store.now()))
    }

    /// The session id for the hello.
    fn name_for(&self, session: &Session) -> Result<Vec<u8>, Error> {
        if session.ticket.is_empty() {
            return Ok(session.id.clone());
        }
        // RFC 5077 §3.4: with an id of our making the server's answer tells whether it resumes.
        Ok(self.config.common.provider.random_array::<MAX_SESSION_ID_LEN>()?.to_vec())
    }

    /// Bytes of the datagram with our hello and a cookie as most servers make them.
    fn datagram_len(&self) -> usize {
        /// Version, random, null compression, and the lengths of session id, cookie, suites,
        /// compression methods and extensions.
        const FIXED: usize = 2 + 32 + 1 + 1 + 1 + 2 + 1 + 2;
        const USUAL_COOKIE: usize = 32;
        let suites = 2 * self.config.common.suites.len();
        let extensions = self.extensions.as_extensions().as_bytes().len();
        let body = FIXED + self.session_id.len() + USUAL_COOKIE + suites + extensions;
        PlaintextHeader::LEN + HandshakeHeader::LEN + body
    }

    /// The session that the server resumes with `hello`, which chose `suite`; `None` for a full
    /// handshake. Either way it is not offered again.
    pub(in crate::handshake) fn resumed(
        &mut self,
        hello: &ServerHello<'_>,
        suite: &Suite12,
    ) -> Result<Option<Session>, Error> {
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
