//! Certificate, CertificateVerify and Finished of DTLS 1.3, for either role (RFC 9846 §4.5).

use alloc::vec::Vec;

use gramseal_wire::extension::{Extensions, ExtensionsBuf};
use gramseal_wire::handshake::{Certificate13, CertificateEntry, CertificateStatus, CertificateVerify, Finished};
use gramseal_wire::{
    CertificateStatusType, CertificateType, Codec, Epoch, ExtensionType, HandshakeType, Sequence, SignatureScheme,
};

use super::auth12::Shown;
use super::compose::OutgoingSeq;
use super::compression::Compressed;
use super::schedule13::TrafficSecret;
use super::transcript::Transcript13;
use super::{FinishedVerified, unexpected};
use crate::config::{CertificateCompression, Common, Identity, PeerVerified};
use crate::crypto::{Digest, signs13};
use crate::error::{Error, PeerFault};
use crate::message::Message;

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signer {
    Client,
    Server,
}

/// Checks that `message` is of `msg_type` and came under the keys of the handshake.
pub(super) fn expect13(message: &Message, msg_type: HandshakeType) -> Result<(), Error> {
    if message.msg_type() != msg_type {
        return Err(unexpected(message));
    }
    if message.epoch == Epoch::HANDSHAKE { Ok(()) } else { Err(PeerFault::WrongEpoch(msg_type).into()) }
}

/// What a Certificate message shows, with the status stapled to it; `None` if nothing. It answers the
/// request with this `context`, and of extensions only those in `offered` may come with it.
pub(super) fn read_certificate(
    body: &[u8],
    context: &[u8],
    form: CertificateType,
    offered: impl Fn(ExtensionType) -> bool,
) -> Result<Option<(Shown, Vec<u8>)>, Error> {
    let certificate = Certificate13::from_bytes(body)?;
    // RFC 9846 §4.5.1: that of the request; within the handshake nothing was asked for with a context.
    if certificate.context != context {
        return Err(PeerFault::CertificateContextMismatch.into());
    }
    let answers = certificate.entries.iter().flat_map(|entry| entry.extensions.iter());
    if answers.into_iter().any(|(answer, _)| !offered(answer)) {
        return Err(PeerFault::UnofferedExtension.into());
    }
    let Some(first) = certificate.entries.first() else { return Ok(None) };
    let status = first.extensions.find::<CertificateStatus<'_>>()?;
    if status.is_some_and(|status| status.status_type != CertificateStatusType::OCSP) {
        return Err(PeerFault::UnofferedCertificateType.into());
    }
    let response = status.map(|status| status.response.to_vec()).unwrap_or_default();
    let shown = if form == CertificateType::RAW_PUBLIC_KEY {
        // RFC 9846 §4.5.1: exactly one entry.
        if certificate.entries.iter().count() != 1 {
            return Err(PeerFault::UnofferedCertificateType.into());
        }
        Some(Shown::RawPublicKey(first.certificate.to_vec().into()))
    } else {
        Shown::chain(certificate.entries.iter().map(|entry| entry.certificate))?
    };
    Ok(shown.map(|shown| (shown, response)))
}

/// Our Certificate message, to a request with this `context`; without an identity it shows nothing. It is
/// compressed if that makes it shorter.
pub(super) fn certificate(
    seq: &mut OutgoingSeq,
    context: &[u8],
    identity: Option<&Identity>,
    staple: Option<&[u8]>,
    compression: Option<&dyn CertificateCompression>,
) -> Result<Message, Error> {
    let mut first = ExtensionsBuf::new();
    if let Some(response) = staple {
        first.push(&CertificateStatus { status_type: CertificateStatusType::OCSP, response });
    }
    let chain = identity.map(Identity::chain).unwrap_or_default().iter().map(AsRef::as_ref);
    let raw = identity.and_then(Identity::public_key).map(AsRef::as_ref);
    let entries = chain.chain(raw).enumerate().map(|(index, certificate)| CertificateEntry {
        certificate,
        extensions: if index == 0 { first.as_extensions() } else { Extensions::EMPTY },
    });
    let entries = Sequence::<CertificateEntry<'_>>::encode(entries)?;
    let certificate = Certificate13 { context, entries: Sequence::new(&entries)? };
    let compressed = compression.map(|compression| Compressed::of(&certificate, compression)).transpose()?;
    match compressed.flatten() {
        Some(compressed) => seq.message(Epoch::HANDSHAKE, &compressed.as_message()),
        None => seq.message(Epoch::HANDSHAKE, &certificate),
    }
}

/// What a CertificateVerify signs after messages that hash to `transcript` (RFC 9846 §4.5.2).
pub(super) fn signed_content(signer: Signer, transcript: &Digest) -> Vec<u8> {
    let context: &[u8] = match signer {
        Signer::Client => b"TLS 1.3, client CertificateVerify",
        Signer::Server => b"TLS 1.3, server CertificateVerify",
    };
    [&[0x20; 64][..], context, &[0], transcript.as_ref()].concat()
}

/// Our CertificateVerify.
pub(super) fn certificate_verify(
    seq: &mut OutgoingSeq,
    scheme: SignatureScheme,
    signature: &[u8],
) -> Result<Message, Error> {
    seq.message(Epoch::HANDSHAKE, &CertificateVerify { scheme, signature })
}

/// Checks the peer's CertificateVerify and returns its scheme.
pub(super) fn verify_certificate_verify(
    message: &Message,
    common: &Common,
    peer: &PeerVerified,
    signer: Signer,
    transcript: &Transcript13,
) -> Result<SignatureScheme, Error> {
    expect13(message, HandshakeType::CERTIFICATE_VERIFY)?;
    check_certificate_verify(message.body(), common, peer, signer, &transcript.digest())
}

/// Checks the body of a CertificateVerify after messages that hash to `transcript`, and returns its scheme.
pub(super) fn check_certificate_verify(
    body: &[u8],
    common: &Common,
    peer: &PeerVerified,
    signer: Signer,
    transcript: &Digest,
) -> Result<SignatureScheme, Error> {
    let verify = CertificateVerify::from_bytes(body)?;
    if !common.verify_schemes().any(|scheme| scheme == verify.scheme) || !signs13(verify.scheme) {
        return Err(PeerFault::UnofferedSignatureScheme.into());
    }
    let content = signed_content(signer, transcript);
    common
        .provider
        .verify13(verify.scheme, peer.public_key(), &content, verify.signature)
        .map_err(|_| PeerFault::BadSignature)?;
    Ok(verify.scheme)
}

/// Our Finished.
pub(super) fn finished(
    seq: &mut OutgoingSeq,
    secret: &TrafficSecret,
    transcript: &Transcript13,
) -> Result<Message, Error> {
    let verify_data = secret.verify_data(&transcript.digest());
    seq.message(Epoch::HANDSHAKE, &Finished { verify_data: verify_data.as_ref() })
}

/// Checks the peer's Finished against the handshake as seen here.
pub(super) fn verify_finished(
    message: &Message,
    secret: &TrafficSecret,
    transcript: &Transcript13,
) -> Result<FinishedVerified, Error> {
    expect13(message, HandshakeType::FINISHED)?;
    check_finished(message.body(), secret, transcript)
}

/// Checks the body of a Finished.
pub(super) fn check_finished(
    body: &[u8],
    secret: &TrafficSecret,
    transcript: &Transcript13,
) -> Result<FinishedVerified, Error> {
    let finished = Finished::from_bytes(body)?;
    if secret.verify_data(&transcript.digest()).ct_eq(finished.verify_data) {
        Ok(FinishedVerified(()))
    } else {
        Err(PeerFault::FinishedMismatch.into())
    }
}
