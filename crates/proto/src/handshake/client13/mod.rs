//! The client's side of a DTLS 1.3 handshake (RFC 9147 §5.7, RFC 9846 §2).
//!
//! ```text
//!                      <------  ServerHello            (after a HelloRetryRequest or without one)
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
//! | EncryptedExtensions | [`ExpectCertificate`], [`ExpectFinished`] with a pre-shared key |
//! | CertificateRequest (once) | [`ExpectCertificate`] |
//! | Certificate | [`ExpectCertificateVerify`] |
//! | CertificateVerify | [`ExpectFinished`] |
//! | Finished | connected, after our flight |
//!
//! If the ServerHello chooses a pre-shared key, of a session or from elsewhere, Finished follows EncryptedExtensions, and our flight is Finished
//! alone (RFC 9846 §2.2).
//!
//! Before CertificateVerify a slow verifier is waited for in [`ExpectVerdict`], before our own a slow
//! signer in [`ExpectSignature`]. A client that has the server of a session verified again does so before its Finished,
//! and waits in [`ExpectSecondVerdict`].

mod certificate;
mod certificate_verify;
mod encrypted_extensions;
mod finished;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub(super) use certificate::answer_to;
use certificate::{ExpectCertificate, ExpectVerdict};
use certificate_verify::ExpectCertificateVerify;
use encrypted_extensions::ExpectEncryptedExtensions;
use finished::{ExpectFinished, ExpectSecondVerdict, ExpectSignature};
use gramseal_wire::handshake::ServerHello;
use gramseal_wire::{CertificateType, Epoch, ProtocolVersion};

use super::compose::OutgoingSeq;
use super::early::Offered;
use super::offer::{Agreed13, AgreedCertificates, Offer};
use super::resume13::OfferedPsk;
use super::schedule13::{EarlySecret, HandshakeSecret, TrafficSecrets};
use super::transcript::Transcript13;
use super::{Action, Negotiated, Outcome, State as AnyState, resume, unexpected};
use crate::error::{Error, LocalFault, PeerFault};
use crate::message::Message;
use crate::suite::Suite13;

/// Which message is awaited.
pub(crate) enum State {
    EncryptedExtensions(ExpectEncryptedExtensions),
    Certificate(ExpectCertificate),
    Verdict(ExpectVerdict),
    CertificateVerify(ExpectCertificateVerify),
    Finished(ExpectFinished),
    SecondVerdict(ExpectSecondVerdict),
    Signature(ExpectSignature),
}

impl State {
    pub(crate) fn handle(mut self: Box<Self>, message: &Message, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        // The box serves the next state too.
        *self = match *self {
            Self::EncryptedExtensions(state) => state.handle(message, out)?,
            Self::Certificate(state) => state.handle(message, out)?,
            Self::CertificateVerify(state) => state.handle(message)?,
            Self::Finished(state) => return state.handle(message, out),
            // Messages wait as long as the state does.
            Self::Verdict(_) | Self::SecondVerdict(_) | Self::Signature(_) => return Err(unexpected(message)),
        };
        Ok(AnyState::Client13(self))
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self, Self::Verdict(_) | Self::SecondVerdict(_) | Self::Signature(_))
    }

    pub(crate) fn settle(self: Box<Self>, outcome: Outcome, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        match (*self, outcome) {
            (Self::Verdict(state), Outcome::Verdict(verdict)) => {
                Ok(AnyState::Client13(Box::new(state.settle(verdict)?)))
            }
            (Self::SecondVerdict(state), Outcome::Verdict(verdict)) => state.settle(verdict, out),
            (Self::Signature(state), Outcome::Signature(signed)) => state.settle(signed, out),
            // The outcome of other work than what this state waits for.
            (state, _) => Ok(AnyState::Client13(Box::new(state))),
        }
    }
}

/// What every state carries on.
struct Context {
    offer: Offer,
    seq: OutgoingSeq,
    suite: &'static Suite13,
    transcript: Transcript13,
    negotiated: Negotiated,
    handshake: HandshakeSecret,
    traffic: TrafficSecrets,
    /// The pre-shared key that the server chose.
    psk: Option<OfferedPsk>,
    /// The form of our certificates, once the server has said.
    form: CertificateType,
    early_data: Offered,
}

/// What a HelloRetryRequest said, and the transcript up to it.
pub(super) struct Retried {
    pub(super) suite: &'static Suite13,
    pub(super) transcript: Transcript13,
}

/// From a ServerHello that chose 1.3.
pub(super) fn start(
    mut offer: Offer,
    seq: OutgoingSeq,
    client_hello: &[u8],
    retried: Option<Retried>,
    hello: &ServerHello<'_>,
    message: &Message,
    out: &mut Vec<Action>,
) -> Result<AnyState, Error> {
    let agreed = offer.check13(hello)?;
    let suite = agreed.suite;
    let provider = &offer.config.common.provider;
    let hash = provider.hash(suite.hash).ok_or(LocalFault::MissingAlgorithm)?;
    let mut transcript = match retried {
        None => Transcript13::new(hash),
        // RFC 9846 §4.2.4: the suite is chosen once.
        Some(retried) if retried.suite == suite => retried.transcript,
        Some(_) => return Err(PeerFault::ChangedAfterRetry.into()),
    };
    transcript.add_bytes(client_hello);
    transcript.add(message);
    let Agreed13 { shared, psk, early_data, cids, .. } = agreed;
    let early = match &psk {
        Some(psk) => EarlySecret::with_psk(hash, psk.secret()),
        None => EarlySecret::without_psk(hash),
    };
    let handshake = early.into_handshake(shared.as_ref().map(|(_, secret)| secret.as_ref()));
    let traffic = handshake.traffic(&transcript.digest());
    out.push(Action::Version(ProtocolVersion::DTLS1_3));
    out.push(Action::AgreeOnCids(cids));
    traffic.log_handshake(&offer.config.common, &offer.random, out);
    out.push(Action::InstallRead13(Epoch::HANDSHAKE, traffic.server.record_keys(suite.aead, provider)?));
    out.push(Action::InstallWrite13(Epoch::HANDSHAKE, traffic.client.record_keys(suite.aead, provider)?));

    let mut negotiated = match psk.as_ref().and_then(OfferedPsk::session) {
        Some(session) => resume::negotiated(session, suite.id, None),
        None => Negotiated::new(ProtocolVersion::DTLS1_3, suite.id),
    };
    if let Some(OfferedPsk::External(external)) = &psk {
        negotiated.psk_identity = Some(external.psk.identity().to_vec());
    }
    negotiated.group = shared.map(|(group, _)| group);
    negotiated.server_name = offer.host_name();
    let form = CertificateType::X509;
    let context = Context { offer, seq, suite, transcript, negotiated, handshake, traffic, psk, form, early_data };
    let next = ExpectEncryptedExtensions { context };
    Ok(AnyState::Client13(Box::new(State::EncryptedExtensions(next))))
}
