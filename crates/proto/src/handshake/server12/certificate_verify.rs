//! The client's CertificateVerify: it holds the key to the certificate it showed.

use gramseal_wire::handshake::CertificateVerify;
use gramseal_wire::{Codec, HandshakeType};

use super::key_exchange::Keyed;
use super::{ExpectFinished, State};
use crate::config::PeerVerified;
use crate::error::{Error, PeerFault};
use crate::handshake::{Protection, expect};
use crate::message::Message;

/// Waits for the client's CertificateVerify.
pub(crate) struct ExpectCertificateVerify {
    pub(super) keyed: Keyed,
    pub(super) peer: PeerVerified,
}

impl ExpectCertificateVerify {
    pub(super) fn handle(self, message: &Message) -> Result<State, Error> {
        let Self { mut keyed, peer } = self;
        expect(message, HandshakeType::CERTIFICATE_VERIFY, Protection::None)?;
        let verify = CertificateVerify::from_bytes(message.body())?;
        let context = &mut keyed.context;
        let common = &context.config.common;
        if !common.verify_schemes().any(|scheme| scheme == verify.scheme) {
            return Err(PeerFault::UnofferedSignatureScheme.into());
        }
        common
            .provider
            .verify12(verify.scheme, peer.public_key(), context.transcript.messages(), verify.signature)
            .map_err(|_| PeerFault::BadSignature)?;
        context.negotiated.peer_signature_scheme = Some(verify.scheme);
        context.transcript.add(message);
        context.transcript.forget_messages();
        Ok(State::Finished(ExpectFinished { keyed }))
    }
}
