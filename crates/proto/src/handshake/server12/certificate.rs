//! The client's Certificate, which we asked for.

use alloc::boxed::Box;
use alloc::sync::Arc;

use gramseal_wire::HandshakeType;

use super::{Context, ExpectClientKeyExchange, State};
use crate::config::{ClientAuth, PeerRole, PeerVerifier};
use crate::crypto::ActiveKx;
use crate::error::{Error, Incompatible};
use crate::handshake::{Protection, auth12, expect};
use crate::message::Message;

/// Waits for the client's Certificate.
pub(crate) struct ExpectCertificate {
    pub(super) context: Context,
    pub(super) kx: Box<dyn ActiveKx>,
    pub(super) verifier: Arc<dyn PeerVerifier>,
}

impl ExpectCertificate {
    pub(super) fn handle(self, message: &Message) -> Result<State, Error> {
        let Self { mut context, kx, verifier } = self;
        expect(message, HandshakeType::CERTIFICATE, Protection::None)?;
        let chain = auth12::read_chain(message.body())?;
        let peer = if chain.is_empty() {
            // RFC 5246 §7.4.6: a server that insists answers an empty list with handshake_failure.
            if matches!(context.config.client_auth, ClientAuth::Required(_)) {
                return Err(Incompatible::CertificateRequired.into());
            }
            context.transcript.forget_messages();
            None
        } else {
            Some(auth12::verify_chain(&*verifier, &chain, PeerRole::Client)?)
        };
        context.negotiated.peer_certificates = chain;
        context.transcript.add(message);
        Ok(State::ClientKeyExchange(ExpectClientKeyExchange { context, kx, peer }))
    }
}
