//! The server's side of a full DTLS 1.2 handshake (RFC 6347 §4.2.4, flights 4 to 6).
//!
//! ```text
//!                      <------  ServerHello ... ServerHelloDone   (`flight`)
//! Certificate*
//! ClientKeyExchange
//! CertificateVerify*
//! [ChangeCipherSpec]
//! Finished             ------>
//!                               [ChangeCipherSpec]
//!                      <------  Finished
//! ```
//!
//! | message | next state |
//! | --- | --- |
//! | Certificate (if asked for) | [`ExpectClientKeyExchange`] |
//! | ClientKeyExchange | [`ExpectCertificateVerify`] if the client showed a certificate, else [`ExpectFinished`] |
//! | CertificateVerify | [`ExpectFinished`] |
//! | Finished | connected, after our Finished |
//!
//! A slow signer is waited for in [`ExpectSignature`], within our flight; a slow verifier in
//! [`ExpectVerdict`], after the client's Certificate.
//!
//! With a pre-shared key there are no certificates, and [`ExpectPskClientKeyExchange`] comes first. A
//! session is resumed in [`mod@resume`]. A server that promised a ticket sends it before its
//! ChangeCipherSpec (RFC 5077 §3.3).

mod certificate;
mod certificate_verify;
mod finished;
mod flight;
mod key_exchange;
mod psk;
mod resume;
mod ticket;

use alloc::sync::Arc;
use alloc::vec::Vec;

use certificate::{ExpectCertificate, ExpectVerdict};
use certificate_verify::ExpectCertificateVerify;
use finished::ExpectFinished;
use flight::ExpectSignature;
pub(super) use flight::start;
use key_exchange::ExpectClientKeyExchange;
use psk::ExpectPskClientKeyExchange;
use resume::ExpectResumedFinished;
pub(super) use resume::start as resume;
use ticket::Promise;

use gramseal_wire::handshake::ServerHelloDone;

use gramseal_wire::Epoch;

use super::compose::OutgoingSeq;
use super::schedule12::Randoms;
use super::transcript::Transcript;
use super::{Action, Negotiated, Outcome, State as AnyState, unexpected};
use crate::config::ServerConfig;
use crate::error::Error;
use crate::message::Message;
use crate::suite::Suite12;

/// Which message is awaited.
pub(crate) enum State {
    Signature(ExpectSignature),
    Certificate(ExpectCertificate),
    Verdict(ExpectVerdict),
    ClientKeyExchange(ExpectClientKeyExchange),
    PskClientKeyExchange(ExpectPskClientKeyExchange),
    CertificateVerify(ExpectCertificateVerify),
    Finished(ExpectFinished),
    ResumedFinished(ExpectResumedFinished),
}

impl State {
    pub(crate) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let next = match self {
            Self::Certificate(state) => state.handle(message, out)?,
            Self::ClientKeyExchange(state) => state.handle(message, out)?,
            Self::PskClientKeyExchange(state) => state.handle(message, out)?,
            Self::CertificateVerify(state) => state.handle(message)?,
            Self::Finished(state) => return state.handle(message, out),
            Self::ResumedFinished(state) => return state.handle(message, out),
            // Messages wait as long as the state does.
            Self::Signature(_) | Self::Verdict(_) => return Err(unexpected(message)),
        };
        Ok(AnyState::Server12(next))
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self, Self::Signature(_) | Self::Verdict(_))
    }

    pub(crate) fn settle(self, outcome: Outcome, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let next = match (self, outcome) {
            (Self::Signature(state), Outcome::Signature(signed)) => state.settle(signed, out)?,
            (Self::Verdict(state), Outcome::Verdict(verdict)) => state.settle(verdict)?,
            // The outcome of other work than what this state waits for.
            (state, _) => state,
        };
        Ok(AnyState::Server12(next))
    }
}

/// What every state carries on, in one box: it is large, and states move.
pub(super) struct Context {
    config: Arc<ServerConfig>,
    seq: OutgoingSeq,
    suite: &'static Suite12,
    randoms: Randoms,
    transcript: Transcript,
    negotiated: Negotiated,
    promise: Promise,
}

impl Context {
    fn send(&mut self, message: Message, out: &mut Vec<Action>) {
        self.transcript.add(&message);
        out.push(Action::Send(message));
    }

    /// ServerHelloDone: the client's turn.
    fn send_done(&mut self, out: &mut Vec<Action>) -> Result<(), Error> {
        let done = self.seq.message(Epoch::UNPROTECTED, &ServerHelloDone)?;
        self.send(done, out);
        out.push(Action::EndFlight);
        Ok(())
    }
}
