//! Compressed certificates (RFC 8879), for either role: what is said about them, and reading one.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use gramseal_wire::extension::{CompressCertificate, Extensions, ExtensionsBuf};
use gramseal_wire::handshake::{Certificate13, CompressedCertificate};
use gramseal_wire::{CertificateCompressionAlgorithm, Codec, HandshakeType, OwnedList};

use super::auth13::expect13;
use crate::config::{CertificateCompression, Common};
use crate::error::{Error, LocalFault, PeerFault};
use crate::message::Message;

/// Bytes of a CompressedCertificate that are not the compressed message.
const FIELDS: usize = 8;

/// Says what we can undo, in a ClientHello or a CertificateRequest (RFC 8879 §3).
pub(super) fn offer(common: &Common, buf: &mut ExtensionsBuf) {
    let algorithms: OwnedList<_> = common.compression.iter().map(|compression| compression.algorithm()).collect();
    if !common.compression.is_empty() {
        buf.push(&CompressCertificate { algorithms: algorithms.as_list() });
    }
}

/// Our favourite among what the peer says that it can undo, if there is any.
pub(super) fn choose(
    extensions: &Extensions<'_>,
    common: &Common,
) -> Result<Option<Arc<dyn CertificateCompression>>, Error> {
    let Some(offered) = extensions.find::<CompressCertificate<'_>>()? else { return Ok(None) };
    let fits = |compression: &&Arc<dyn CertificateCompression>| offered.algorithms.contains(&compression.algorithm());
    Ok(common.compression.iter().find(fits).cloned())
}

/// A Certificate message of ours, compressed.
pub(super) struct Compressed {
    algorithm: CertificateCompressionAlgorithm,
    uncompressed_length: u32,
    compressed: Vec<u8>,
}

impl Compressed {
    /// Compresses `certificate`; `None` if that does not make it shorter.
    pub(super) fn of(
        certificate: &Certificate13<'_>,
        compression: &dyn CertificateCompression,
    ) -> Result<Option<Self>, Error> {
        let body = certificate.to_vec()?;
        let uncompressed_length = u32::try_from(body.len()).map_err(|_| LocalFault::MessageTooLong)?;
        let is_shorter = |compressed: &Vec<u8>| compressed.len().saturating_add(FIELDS) < body.len();
        let compressed = compression.compress(&body).filter(is_shorter);
        let algorithm = compression.algorithm();
        Ok(compressed.map(|compressed| Self { algorithm, uncompressed_length, compressed }))
    }

    pub(super) fn as_message(&self) -> CompressedCertificate<'_> {
        let Self { algorithm, uncompressed_length, compressed } = self;
        CompressedCertificate { algorithm: *algorithm, uncompressed_length: *uncompressed_length, compressed }
    }
}

/// With what our `certificate` is compressed, if it is.
pub(super) fn of_ours(
    certificate: &Message,
    compression: Option<&dyn CertificateCompression>,
) -> Option<CertificateCompressionAlgorithm> {
    let is_compressed = certificate.msg_type() == HandshakeType::COMPRESSED_CERTIFICATE;
    compression.filter(|_| is_compressed).map(CertificateCompression::algorithm)
}

/// A Certificate message of the peer's.
pub(super) struct Received<'m> {
    /// As it was before it was compressed, if it was.
    pub(super) body: Cow<'m, [u8]>,
    pub(super) compression: Option<CertificateCompressionAlgorithm>,
}

/// Whether `msg_type` is that of a Certificate message, compressed or not.
pub(super) fn is_certificate(msg_type: HandshakeType) -> bool {
    matches!(msg_type, HandshakeType::CERTIFICATE | HandshakeType::COMPRESSED_CERTIFICATE)
}

/// Takes a Certificate of the handshake.
pub(super) fn expect_certificate<'m>(message: &'m Message, common: &Common) -> Result<Received<'m>, Error> {
    let certificate = is_certificate(message.msg_type());
    expect13(message, if certificate { message.msg_type() } else { HandshakeType::CERTIFICATE })?;
    received(message, common)
}

/// Takes a message for which [`is_certificate`] holds.
pub(super) fn received<'m>(message: &'m Message, common: &Common) -> Result<Received<'m>, Error> {
    if message.msg_type() != HandshakeType::COMPRESSED_CERTIFICATE {
        return Ok(Received { body: Cow::Borrowed(message.body()), compression: None });
    }
    // Who did not offer it does not get it.
    if common.compression.is_empty() {
        return Err(super::unexpected(message));
    }
    let CompressedCertificate { algorithm, uncompressed_length, compressed } =
        CompressedCertificate::from_bytes(message.body())?;
    let compression = common.compression.iter().find(|compression| compression.algorithm() == algorithm);
    // RFC 8879 §4: one that was offered.
    let compression = compression.ok_or(PeerFault::UnofferedCertificateCompression)?;
    // RFC 8879 §5: the limit for messages that are not compressed, and before there is room for it.
    if uncompressed_length > common.transport.max_message_len {
        return Err(PeerFault::BadCompressedCertificate.into());
    }
    let length = usize::try_from(uncompressed_length).map_err(|_| PeerFault::BadCompressedCertificate)?;
    let mut body = vec![0; length];
    compression.decompress(compressed, &mut body).map_err(|_| PeerFault::BadCompressedCertificate)?;
    Ok(Received { body: Cow::Owned(body), compression: Some(algorithm) })
}
