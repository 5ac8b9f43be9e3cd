//! The server's side of a DTLS 1.3 handshake (RFC 9147 §5.7, RFC 9846 §2).
//!
//! ```text
//! ClientHello          ------>
//!                               ServerHello
//!                               {EncryptedExtensions}
//!                               {CertificateRequest*}
//!                               {Certificate}
//!                               {CertificateVerify}
//!                      <------  {Finished}
//! {Certificate*}
//! {CertificateVerify*}
//! {Finished}           ------>
//!                      <------  [ACK]
//! ```
//!
//! | message | next state |
//! | --- | --- |
//! | ClientHello | [`ExpectFinished`], or [`ExpectCertificate`] if clients should show one, after our flight |
//! | Certificate | [`ExpectCertificateVerify`]; [`ExpectFinished`] if it is empty and may be |
//! | CertificateVerify | [`ExpectFinished`] |
//! | Finished | connected |
//!
//! If a session is resumed or both know a key from elsewhere, our flight has no CertificateRequest, Certificate and CertificateVerify, and the
//! client's is Finished alone (RFC 9846 §2.2). Tickets follow the handshake.
//!
//! Before our CertificateVerify a slow signer is waited for in [`ExpectSignature`], before the
//! client's a slow verifier in [`ExpectVerdict`].

mod certificate;
mod finished;
mod flight;
mod tickets;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use certificate::{ExpectCertificate, ExpectCertificateVerify, ExpectVerdict};
use finished::ExpectFinished;
use flight::ExpectSignature;
pub(super) use flight::{certificate_request, start};
use gramseal_wire::CertificateType;
use tickets::Promise;

use super::compose::OutgoingSeq;
use super::transcript::Transcript13;
use super::{Action, Negotiated, Outcome, State as AnyState, unexpected};
use crate::config::{Psk, ServerConfig};
use crate::error::Error;
use crate::message::Message;
use crate::suite::Suite13;

/// Which message is awaited.
pub(crate) enum State {
    Signature(ExpectSignature),
    Certificate(ExpectCertificate),
    Verdict(ExpectVerdict),
    CertificateVerify(ExpectCertificateVerify),
    Finished(ExpectFinished),
}

impl State {
    pub(crate) fn handle(mut self: Box<Self>, message: &Message, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        // The box serves the next state too.
        *self = match *self {
            Self::Certificate(state) => state.handle(message, out)?,
            Self::CertificateVerify(state) => state.handle(message)?,
            Self::Finished(state) => return state.handle(message, out),
            // Messages wait as long as the state does.
            Self::Signature(_) | Self::Verdict(_) => return Err(unexpected(message)),
        };
        Ok(AnyState::Server13(self))
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self, Self::Signature(_) | Self::Verdict(_))
    }

    pub(crate) fn settle(self: Box<Self>, outcome: Outcome, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let next = match (*self, outcome) {
            (Self::Signature(state), Outcome::Signature(signed)) => state.settle(signed, out)?,
            (Self::Verdict(state), Outcome::Verdict(verdict)) => state.settle(verdict)?,
            // The outcome of other work than what this state waits for.
            (state, _) => state,
        };
        Ok(AnyState::Server13(Box::new(next)))
    }
}

/// What every state carries on.
struct Context {
    config: Arc<ServerConfig>,
    seq: OutgoingSeq,
    suite: &'static Suite13,
    transcript: Transcript13,
    negotiated: Negotiated,
    promise: Promise,
    /// The pre-shared key that says who the client is, if one does.
    external: Option<Psk>,
    /// In which form the client can be asked for a certificate after the handshake, if it can.
    later: Option<CertificateType>,
}

impl Context {
    fn send(&mut self, message: Message, out: &mut Vec<Action>) {
        self.transcript.add(&message);
        out.push(Action::Send(message));
    }
}
