//! Certificate and Finished of DTLS 1.2, for either role.

use alloc::vec::Vec;

use gramseal_wire::handshake::{Certificate12, Finished, RawPublicKey12};
use gramseal_wire::{CertificateType, Codec, Epoch, HandshakeType, OwnedOpaqueList};
use pki_types::{CertificateDer, SubjectPublicKeyInfoDer};

use super::compose::OutgoingSeq;
use super::schedule12::{KeySchedule12, Randoms, Side};
use super::transcript::Transcript;
use super::{FinishedVerified, Negotiated, Protection, expect};
use crate::config::{Identity, PeerRole, PeerVerifier, Presented, Verdict};
use crate::crypto::Deferrable;
use crate::error::{Error, PeerFault};
use crate::message::Message;

/// The epoch of Finished and application data.
pub(super) const PROTECTED: Epoch = Epoch(1);

/// How many certificates a chain may have: each takes more memory than it may have bytes.
const MAX_CHAIN: usize = 16;

/// What the peer showed in its Certificate message.
pub(super) enum Shown {
    /// At least one certificate.
    Chain(Vec<CertificateDer<'static>>),
    RawPublicKey(SubjectPublicKeyInfoDer<'static>),
}

impl Shown {
    /// Reads a Certificate message of the form that was agreed; `None` if the peer has nothing to
    /// show.
    pub(super) fn read(body: &[u8], form: CertificateType) -> Result<Option<Self>, Error> {
        if form == CertificateType::RAW_PUBLIC_KEY {
            let key = RawPublicKey12::from_bytes(body)?.public_key;
            return Ok((!key.is_empty()).then(|| Self::RawPublicKey(key.to_vec().into())));
        }
        let certificate = Certificate12::from_bytes(body)?;
        Self::chain(certificate.iter())
    }

    /// The chain of these `certificates`; `None` if there are none.
    pub(super) fn chain<'a>(certificates: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, Error> {
        let kept = certificates.take(MAX_CHAIN + 1).map(|der| CertificateDer::from(der.to_vec()));
        let chain: Vec<_> = kept.collect();
        if chain.len() > MAX_CHAIN {
            return Err(PeerFault::ChainTooLong.into());
        }
        Ok((!chain.is_empty()).then_some(Self::Chain(chain)))
    }

    /// Lets `verifier` decide.
    pub(super) fn verify(
        &self,
        verifier: &dyn PeerVerifier,
        role: PeerRole<'_>,
        ocsp_response: &[u8],
    ) -> Result<Deferrable<Verdict>, Error> {
        let presented = match self {
            Self::Chain(chain) => {
                let (end_entity, intermediates) = chain.split_first().ok_or(PeerFault::NoCertificate)?;
                Presented::chain(end_entity, intermediates, role)
            }
            Self::RawPublicKey(key) => Presented::raw_public_key(key, role),
        };
        Ok(verifier.verify(&presented.with_ocsp_response(ocsp_response)))
    }

    /// Lets the application know it when the handshake is done.
    pub(super) fn note(self, negotiated: &mut Negotiated) {
        match self {
            Self::Chain(chain) => negotiated.peer_certificates = chain,
            Self::RawPublicKey(key) => negotiated.peer_raw_public_key = Some(key),
        }
    }
}

/// Our Certificate message; `None` says that we have none to show.
pub(super) fn certificate(seq: &mut OutgoingSeq, identity: Option<&Identity>) -> Result<Message, Error> {
    if let Some(public_key) = identity.and_then(Identity::public_key) {
        return seq.message(Epoch::UNPROTECTED, &RawPublicKey12 { public_key });
    }
    // Nothing to show looks the same in either form.
    let chain = OwnedOpaqueList::new(identity.map(Identity::chain).unwrap_or_default())?;
    seq.message(Epoch::UNPROTECTED, &Certificate12 { certificates: chain.as_list() })
}

/// What the signature in ServerKeyExchange covers (RFC 5246 §7.4.3).
pub(super) fn signed_params(randoms: &Randoms, params: &[u8]) -> Vec<u8> {
    [&randoms.client.0[..], &randoms.server.0[..], params].concat()
}

/// Our Finished, the first message under the new keys.
pub(super) fn finished(
    seq: &mut OutgoingSeq,
    schedule: &KeySchedule12,
    side: Side,
    transcript: &Transcript,
) -> Result<Message, Error> {
    let verify_data = schedule.verify_data(side, &transcript.digest());
    seq.message(PROTECTED, &Finished { verify_data: &verify_data })
}

/// Checks the peer's Finished against the handshake as seen here (RFC 5246 §7.4.9).
pub(super) fn verify_finished(
    message: &Message,
    schedule: &KeySchedule12,
    side: Side,
    transcript: &Transcript,
) -> Result<FinishedVerified, Error> {
    expect(message, HandshakeType::FINISHED, Protection::Keys)?;
    let finished = Finished::from_bytes(message.body())?;
    let expected = schedule.verify_data(side, &transcript.digest());
    if bool::from(subtle::ConstantTimeEq::ct_eq(&expected[..], finished.verify_data)) {
        Ok(FinishedVerified(()))
    } else {
        Err(PeerFault::FinishedMismatch.into())
    }
}
