//! The client's side of a full DTLS 1.2 handshake (RFC 6347 §4.2.4, flights 4 to 6).
//!
//! ```text
//!                      <------  ServerHello
//!                               Certificate
//!                               CertificateStatus*
//!                               ServerKeyExchange
//!                               CertificateRequest*
//!                      <------  ServerHelloDone
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
//! | Certificate | [`ExpectServerKeyExchange`], or [`ExpectCertificateStatus`] if a status was agreed on |
//! | CertificateStatus | [`ExpectServerKeyExchange`] |
//! | ServerKeyExchange | [`ExpectServerHelloDone`] |
//! | CertificateRequest (once, and not with a pre-shared key) | [`ExpectServerHelloDone`] |
//! | ServerHelloDone | [`ExpectFinished`], after our flight |
//! | Finished | connected |
//!
//! Before ServerKeyExchange a slow verifier is waited for in [`ExpectVerdict`], before
//! CertificateVerify a slow signer in [`ExpectSignature`].
//!
//! With a pre-shared key there is no Certificate, and [`ExpectPskServerKeyExchange`] comes first. A
//! session is resumed in [`mod@resume`]. A server that promised a ticket sends it before its
//! ChangeCipherSpec (RFC 5077 §3.3): see [`ticket`].

mod certificate;
mod finished;
mod hello_done;
mod key_exchange;
mod psk;
mod resume;
mod ticket;

use alloc::boxed::Box;
use alloc::vec::Vec;

use certificate::{ExpectCertificate, ExpectCertificateStatus, ExpectVerdict};
use finished::ExpectFinished;
use gramseal_wire::handshake::ServerHello;
use gramseal_wire::{NamedGroup, ProtocolVersion};
use hello_done::{ExpectServerHelloDone, ExpectSignature};
use key_exchange::ExpectServerKeyExchange;
use psk::ExpectPskServerKeyExchange;
pub(super) use resume::start as resume;
use resume::{ExpectResumedFinished, ExpectResumedVerdict};
use ticket::{ExpectNewSessionTicket, Issued};

use super::compose::OutgoingSeq;
use super::offer::{Agreed12, AgreedCertificates, Offer};
use super::schedule12::Randoms;
use super::transcript::{Keep, Transcript};
use super::{Action, Negotiated, Outcome, State as AnyState, unexpected};
use crate::config::GroupKind;
use crate::error::{Error, LocalFault, PeerFault};
use crate::message::Message;
use crate::suite::Suite12;

/// Which message is awaited.
pub(crate) enum State {
    Certificate(ExpectCertificate),
    CertificateStatus(ExpectCertificateStatus),
    Verdict(ExpectVerdict),
    ServerKeyExchange(ExpectServerKeyExchange),
    PskServerKeyExchange(ExpectPskServerKeyExchange),
    ServerHelloDone(ExpectServerHelloDone),
    Signature(ExpectSignature),
    NewSessionTicket(ExpectNewSessionTicket),
    Finished(ExpectFinished),
    ResumedFinished(ExpectResumedFinished),
    ResumedVerdict(ExpectResumedVerdict),
}

impl State {
    pub(crate) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let next = match self {
            Self::Certificate(state) => state.handle(message, out)?,
            Self::CertificateStatus(state) => state.handle(message, out)?,
            Self::ServerKeyExchange(state) => state.handle(message, out)?,
            Self::PskServerKeyExchange(state) => state.handle(message, out)?,
            Self::ServerHelloDone(state) => state.handle(message, out)?,
            Self::NewSessionTicket(state) => state.handle(message)?,
            Self::Finished(state) => return state.handle(message, out),
            Self::ResumedFinished(state) => return state.handle(message, out),
            // Messages wait as long as the state does.
            Self::Verdict(_) | Self::Signature(_) | Self::ResumedVerdict(_) => return Err(unexpected(message)),
        };
        Ok(AnyState::Client12(next))
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self, Self::Verdict(_) | Self::Signature(_) | Self::ResumedVerdict(_))
    }

    pub(crate) fn settle(self, outcome: Outcome, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let next = match (self, outcome) {
            (Self::Verdict(state), Outcome::Verdict(verdict)) => state.settle(verdict, out)?,
            (Self::Signature(state), Outcome::Signature(signed)) => state.settle(signed, out)?,
            (Self::ResumedVerdict(state), Outcome::Verdict(verdict)) => return state.settle(verdict, out),
            // The outcome of other work than what this state waits for.
            (state, _) => state,
        };
        Ok(AnyState::Client12(next))
    }
}

/// What every state carries on, in one box: it is large, and states move.
pub(super) struct Context {
    offer: Offer,
    seq: OutgoingSeq,
    suite: &'static Suite12,
    randoms: Randoms,
    transcript: Transcript,
    negotiated: Negotiated,
    certificates: AgreedCertificates,
    issued: Issued,
}

impl Context {
    fn send(&mut self, message: Message, out: &mut Vec<Action>) {
        self.transcript.add(&message);
        out.push(Action::Send(message));
    }

    /// `group`, if it is a curve that we offered. Groups of RFC 7919 are in the same list, for the
    /// other kind of exchange.
    fn offered_curve(&self, group: NamedGroup) -> Result<NamedGroup, PeerFault> {
        let offered = GroupKind::of(group) == GroupKind::Curve && self.offer.offers_group(group);
        if offered { Ok(group) } else { Err(PeerFault::UnofferedGroup) }
    }
}

/// From a ServerHello that was checked.
pub(super) fn start(
    offer: Offer,
    seq: OutgoingSeq,
    client_hello: &[u8],
    hello: &ServerHello<'_>,
    agreed: Agreed12,
    message: &Message,
) -> Result<AnyState, Error> {
    let Agreed12 { suite, alpn, srtp, limits, certificates, ticket, .. } = agreed;
    let hash = offer.config.common.provider.hash(suite.hash).ok_or(LocalFault::MissingAlgorithm)?;
    // The messages are kept until we know whether the server asks for a certificate, if it may.
    let keep = if suite.auth.is_some() { Keep::Messages } else { Keep::HashOnly };
    let mut transcript = Transcript::new(hash, keep);
    transcript.add_bytes(client_hello);
    transcript.add(message);
    let mut negotiated = Negotiated::new(ProtocolVersion::DTLS1_2, suite.id);
    negotiated.alpn = alpn;
    negotiated.srtp = srtp;
    negotiated.server_name = offer.host_name();
    let randoms = Randoms { client: offer.random, server: hello.random };
    let issued = Issued::promised(hello.session_id, ticket, limits.max_fragment_length());
    let context = Box::new(Context { offer, seq, suite, randoms, transcript, negotiated, certificates, issued });
    Ok(AnyState::Client12(match suite.auth {
        Some(_) => State::Certificate(ExpectCertificate { context }),
        // RFC 4279 §2: the key authenticates the server, which sends no certificate.
        None => State::PskServerKeyExchange(ExpectPskServerKeyExchange { context }),
    }))
}
