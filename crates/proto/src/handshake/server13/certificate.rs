//! The client's Certificate, which we asked for, what the verifier says of it, and its CertificateVerify.

use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::CertificateType;

use super::finished::{ExpectFinished, Secrets};
use super::{Context, State};
use crate::config::{ClientAuth, PeerRole, PeerVerified, PeerVerifier, Verdict};
use crate::error::{Error, Incompatible};
use crate::handshake::auth13::{Signer, read_certificate, verify_certificate_verify};
use crate::handshake::compression::expect_certificate;
use crate::handshake::deferred::now_or_defer;
use crate::handshake::{Action, Work};
use crate::message::Message;

/// Waits for the client's Certificate.
pub(crate) struct ExpectCertificate {
    pub(super) context: Context,
    pub(super) secrets: Secrets,
    pub(super) verifier: Arc<dyn PeerVerifier>,
    pub(super) form: CertificateType,
}

impl ExpectCertificate {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        let Self { mut context, secrets, verifier, form } = self;
        let received = expect_certificate(message, &context.config.common)?;
        let shown = read_certificate(&received.body, &[], form, |_| false)?;
        context.negotiated.peer_certificate_compression = received.compression;
        context.transcript.add(message);
        let Some((shown, _)) = shown else {
            // RFC 9846 §4.5.1.3: who insists answers an empty list with certificate_required.
            if matches!(context.config.client_auth, ClientAuth::Required(_)) {
                return Err(Incompatible::NoClientCertificate.into());
            }
            return Ok(State::Finished(ExpectFinished { context, secrets }));
        };
        let verdict = shown.verify(&*verifier, PeerRole::Client, &[])?;
        shown.note(&mut context.negotiated);
        let state = ExpectVerdict { context, secrets };
        match now_or_defer(verdict, Work::Verdict, out) {
            Some(verdict) => state.settle(verdict),
            None => Ok(State::Verdict(state)),
        }
    }
}

/// Waits for a verifier that takes its time.
pub(crate) struct ExpectVerdict {
    context: Context,
    secrets: Secrets,
}

impl ExpectVerdict {
    pub(super) fn settle(self, verdict: Verdict) -> Result<State, Error> {
        let Self { context, secrets } = self;
        Ok(State::CertificateVerify(ExpectCertificateVerify { context, secrets, peer: verdict? }))
    }
}

/// Waits for the client's CertificateVerify.
pub(crate) struct ExpectCertificateVerify {
    context: Context,
    secrets: Secrets,
    peer: PeerVerified,
}

impl ExpectCertificateVerify {
    pub(super) fn handle(self, message: &Message) -> Result<State, Error> {
        let Self { mut context, secrets, peer } = self;
        let common = &context.config.common;
        let scheme = verify_certificate_verify(message, common, &peer, Signer::Client, &context.transcript)?;
        context.negotiated.peer_signature_scheme = Some(scheme);
        context.transcript.add(message);
        Ok(State::Finished(ExpectFinished { context, secrets }))
    }
}
