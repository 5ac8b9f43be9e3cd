//! The server's Certificate, its status if one was agreed on, and what the verifier says of both.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::handshake::CertificateStatus;
use gramseal_wire::{CertificateStatusType, Codec, HandshakeType};

use super::{Context, ExpectServerKeyExchange, State};
use crate::config::{PeerRole, Verdict};
use crate::error::{Error, Incompatible, PeerFault};
use crate::handshake::auth12::Shown;
use crate::handshake::deferred::now_or_defer;
use crate::handshake::{Action, Protection, Work, expect};
use crate::message::Message;

/// Waits for the server's Certificate.
pub(crate) struct ExpectCertificate {
    pub(super) context: Box<Context>,
}

impl ExpectCertificate {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        let mut context = self.context;
        expect(message, HandshakeType::CERTIFICATE, Protection::None)?;
        let form = context.certificates.server;
        // A server that knows nothing of forms shows X.509, which we may not take.
        let verifier = context.offer.config.verifier.as_ref();
        if verifier.is_some_and(|verifier| !verifier.certificate_types().contains(&form)) {
            return Err(Incompatible::NoCommonCertificateType.into());
        }
        let shown = Shown::read(message.body(), form)?.ok_or(PeerFault::NoCertificate)?;
        context.transcript.add(message);
        if context.certificates.status {
            return Ok(State::CertificateStatus(ExpectCertificateStatus { context, shown }));
        }
        verify(context, shown, &[], None, out)
    }
}

/// Waits for CertificateStatus, which the server may leave out although it agreed (RFC 6066 §8).
pub(crate) struct ExpectCertificateStatus {
    context: Box<Context>,
    shown: Shown,
}

impl ExpectCertificateStatus {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        let Self { mut context, shown } = self;
        if message.msg_type() != HandshakeType::CERTIFICATE_STATUS {
            return verify(context, shown, &[], Some(message.clone()), out);
        }
        expect(message, HandshakeType::CERTIFICATE_STATUS, Protection::None)?;
        let status = CertificateStatus::from_bytes(message.body())?;
        if status.status_type != CertificateStatusType::OCSP {
            return Err(PeerFault::UnofferedCertificateType.into());
        }
        context.transcript.add(message);
        verify(context, shown, status.response, None, out)
    }
}

/// Waits for a verifier that takes its time.
pub(crate) struct ExpectVerdict {
    context: Box<Context>,
    /// A message that came while nothing was decided.
    next: Option<Message>,
}

impl ExpectVerdict {
    pub(super) fn settle(self, verdict: Verdict, out: &mut Vec<Action>) -> Result<State, Error> {
        let Self { context, next } = self;
        let state = ExpectServerKeyExchange { context, peer: verdict? };
        match next {
            Some(message) => state.handle(&message, out).map_err(|error| error.in_message(message.msg_type())),
            None => Ok(State::ServerKeyExchange(state)),
        }
    }
}

/// Asks the verifier, then goes on with `next`, if it came already.
fn verify(
    mut context: Box<Context>,
    shown: Shown,
    ocsp_response: &[u8],
    next: Option<Message>,
    out: &mut Vec<Action>,
) -> Result<State, Error> {
    // Without a verifier no suite with certificates was offered.
    let verifier = context.offer.config.verifier.as_ref().ok_or(PeerFault::UnofferedCipherSuite)?;
    let verdict = shown.verify(&**verifier, PeerRole::Server(&context.offer.name), ocsp_response)?;
    shown.note(&mut context.negotiated);
    context.negotiated.peer_ocsp_response = ocsp_response.to_vec();
    let state = ExpectVerdict { context, next };
    match now_or_defer(verdict, Work::Verdict, out) {
        Some(verdict) => state.settle(verdict, out),
        None => Ok(State::Verdict(state)),
    }
}
