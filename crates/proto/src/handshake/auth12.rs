//! Certificate, CertificateVerify and Finished of DTLS 1.2, for either role.

use alloc::vec::Vec;

use gramseal_wire::handshake::{Certificate12, CertificateVerify, Finished};
use gramseal_wire::{Codec, Epoch, HandshakeType, OwnedOpaqueList, SignatureScheme};
use pki_types::CertificateDer;

use super::compose::OutgoingSeq;
use super::schedule12::{Randoms, Session12, Side};
use super::transcript::Transcript;
use super::{FinishedVerified, Protection, expect};
use crate::config::{Identity, PeerRole, PeerVerified, PeerVerifier, Presented};
use crate::crypto::CryptoProvider;
use crate::error::{Error, PeerFault};
use crate::message::Message;

/// The epoch of everything before ChangeCipherSpec.
pub(super) const PLAINTEXT: Epoch = Epoch(0);
/// The epoch of Finished and application data.
pub(super) const PROTECTED: Epoch = Epoch(1);

/// The chain in a Certificate message; empty if the peer has none.
pub(super) fn read_chain(body: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificate = Certificate12::from_bytes(body)?;
    Ok(certificate.iter().map(|der| CertificateDer::from(der.to_vec())).collect())
}

/// Lets `verifier` decide about a chain that is not empty.
pub(super) fn verify_chain(
    verifier: &dyn PeerVerifier,
    chain: &[CertificateDer<'static>],
    role: PeerRole<'_>,
) -> Result<PeerVerified, Error> {
    let (end_entity, intermediates) = chain.split_first().ok_or(PeerFault::NoCertificate)?;
    Ok(verifier.verify(&Presented::new(end_entity, intermediates, role))?)
}

/// Our Certificate message; `None` says that we have none to show.
pub(super) fn certificate(seq: &mut OutgoingSeq, identity: Option<&Identity>) -> Result<Message, Error> {
    let chain = OwnedOpaqueList::new(identity.map(Identity::chain).unwrap_or_default())?;
    seq.message(PLAINTEXT, &Certificate12 { certificates: chain.as_list() })
}

/// What the signature in ServerKeyExchange covers (RFC 5246 §7.4.3).
pub(super) fn signed_params(randoms: &Randoms, params: &[u8]) -> Vec<u8> {
    [&randoms.client.0[..], &randoms.server.0[..], params].concat()
}

/// Our CertificateVerify over all messages so far (RFC 5246 §7.4.8).
pub(super) fn certificate_verify(
    seq: &mut OutgoingSeq,
    provider: &CryptoProvider,
    identity: &Identity,
    scheme: SignatureScheme,
    transcript: &Transcript,
) -> Result<Message, Error> {
    let signature = identity.key().sign(scheme, transcript.messages(), &*provider.random)?;
    let body = CertificateVerify { scheme, signature: &signature };
    seq.message(PLAINTEXT, &body)
}

/// Our Finished, the first message under the new keys.
pub(super) fn finished(
    seq: &mut OutgoingSeq,
    session: &Session12,
    side: Side,
    transcript: &Transcript,
) -> Result<Message, Error> {
    let verify_data = session.verify_data(side, &transcript.digest());
    seq.message(PROTECTED, &Finished { verify_data: &verify_data })
}

/// Checks the peer's Finished against the handshake as seen here (RFC 5246 §7.4.9).
pub(super) fn verify_finished(
    message: &Message,
    session: &Session12,
    side: Side,
    transcript: &Transcript,
) -> Result<FinishedVerified, Error> {
    expect(message, HandshakeType::FINISHED, Protection::Keys)?;
    let finished = Finished::from_bytes(message.body())?;
    let expected = session.verify_data(side, &transcript.digest());
    if bool::from(subtle::ConstantTimeEq::ct_eq(&expected[..], finished.verify_data)) {
        Ok(FinishedVerified(()))
    } else {
        Err(PeerFault::FinishedMismatch.into())
    }
}
