//! The client's Certificate, which we asked for, and what the verifier says of it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::{CertificateType, HandshakeType};

use super::{Context, ExpectClientKeyExchange, State};
use crate::config::{ClientAuth, PeerRole, PeerVerifier, Verdict};
use crate::crypto::ActiveKx;
use crate::error::{Error, Incompatible};
use crate::handshake::auth12::Shown;
use crate::handshake::deferred::now_or_defer;
use crate::handshake::{Action, Protection, Work, expect};
use crate::message::Message;

/// Waits for the client's Certificate.
pub(crate) struct ExpectCertificate {
    pub(super) context: Box<Context>,
    pub(super) kx: Box<dyn ActiveKx>,
    pub(super) verifier: Arc<dyn PeerVerifier>,
    pub(super) form: CertificateType,
}

impl ExpectCertificate {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        let Self { mut context, kx, verifier, form } = self;
        expect(message, HandshakeType::CERTIFICATE, Protection::None)?;
        let shown = Shown::read(message.body(), form)?;
        context.transcript.add(message);
        let Some(shown) = shown else {
            // RFC 5246 §7.4.6: a server that insists answers an empty list with handshake_failure.
            if matches!(context.config.client_auth, ClientAuth::Required(_)) {
                return Err(Incompatible::CertificateRequired.into());
            }
            context.transcript.forget_messages();
            return Ok(State::ClientKeyExchange(ExpectClientKeyExchange { context, kx, peer: None }));
        };
        let verdict = shown.verify(&*verifier, PeerRole::Client, &[])?;
        shown.note(&mut context.negotiated);
        let state = ExpectVerdict { context, kx };
        match now_or_defer(verdict, Work::Verdict, out) {
            Some(verdict) => state.settle(verdict),
            None => Ok(State::Verdict(state)),
        }
    }
}

/// Waits for a verifier that takes its time.
pub(crate) struct ExpectVerdict {
    context: Box<Context>,
    kx: Box<dyn ActiveKx>,
}

impl ExpectVerdict {
    pub(super) fn settle(self, verdict: Verdict) -> Result<State, Error> {
        let Self { context, kx } = self;
        Ok(State::ClientKeyExchange(ExpectClientKeyExchange { context, kx, peer: Some(verdict?) }))
    }
}
