//! The server's Certificate.

use gramseal_wire::HandshakeType;

use super::{Context, ExpectServerKeyExchange, State};
use crate::config::PeerRole;
use crate::error::{Error, PeerFault};
use crate::handshake::{Protection, auth12, expect};
use crate::message::Message;

/// Waits for the server's Certificate.
pub(crate) struct ExpectCertificate {
    pub(super) context: Context,
}

impl ExpectCertificate {
    pub(super) fn handle(self, message: &Message) -> Result<State, Error> {
        let mut context = self.context;
        expect(message, HandshakeType::CERTIFICATE, Protection::None)?;
        let chain = auth12::read_chain(message.body())?;
        // Without a verifier no suite with certificates was offered.
        let verifier = context.offer.config.verifier.as_ref().ok_or(PeerFault::UnofferedCipherSuite)?;
        let peer = auth12::verify_chain(&**verifier, &chain, PeerRole::Server(&context.offer.name))?;
        context.negotiated.peer_certificates = chain;
        context.transcript.add(message);
        Ok(State::ServerKeyExchange(ExpectServerKeyExchange { context, peer }))
    }
}
