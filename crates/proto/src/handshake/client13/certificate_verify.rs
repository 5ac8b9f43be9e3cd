//! The server's CertificateVerify: it holds the key to the certificate it showed.

use super::certificate::RequestAnswer;
use super::{Context, ExpectFinished, State};
use crate::config::PeerVerified;
use crate::error::Error;
use crate::handshake::auth13::{Signer, verify_certificate_verify};
use crate::message::Message;

/// Waits for the server's CertificateVerify.
pub(crate) struct ExpectCertificateVerify {
    pub(super) context: Context,
    pub(super) request: Option<RequestAnswer>,
    pub(super) peer: PeerVerified,
}

impl ExpectCertificateVerify {
    pub(super) fn handle(self, message: &Message) -> Result<State, Error> {
        let Self { mut context, request, peer } = self;
        let common = &context.offer.config.common;
        let scheme = verify_certificate_verify(message, common, &peer, Signer::Server, &context.transcript)?;
        context.negotiated.peer_signature_scheme = Some(scheme);
        context.transcript.add(message);
        Ok(State::Finished(ExpectFinished { context, request }))
    }
}
