//! CompressedCertificate (1.3 only).

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::{CertificateCompressionAlgorithm, HandshakeType};

/// A Certificate message, compressed (RFC 8879 §4).
///
/// ```text
/// struct {
///     CertificateCompressionAlgorithm algorithm;
///     uint24 uncompressed_length;
///     opaque compressed_certificate_message<1..2^24-1>;
/// } CompressedCertificate;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressedCertificate<'a> {
    /// How it was compressed.
    pub algorithm: CertificateCompressionAlgorithm,
    /// Size of the Certificate message in bytes, below 2²⁴.
    pub uncompressed_length: u32,
    /// The compressed message.
    pub compressed: &'a [u8],
}

impl<'a> Codec<'a> for CompressedCertificate<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { algorithm: Codec::read(r)?, uncompressed_length: r.u24()?, compressed: r.nonempty24()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.algorithm.write(w);
        w.u24(self.uncompressed_length);
        w.vec24(|w| w.bytes(self.compressed));
    }
}

impl<'a> HandshakeMessage<'a> for CompressedCertificate<'a> {
    const TYPE: HandshakeType = HandshakeType::COMPRESSED_CERTIFICATE;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let bytes = [0, 1, 0, 1, 0, 0, 0, 2, 7, 8];
        let message = CompressedCertificate::from_bytes(&bytes).unwrap();
        assert_eq!(message.algorithm, CertificateCompressionAlgorithm::ZLIB);
        assert_eq!(message.uncompressed_length, 256);
        assert_eq!(message.compressed, [7, 8]);
        assert_eq!(message.to_vec().unwrap(), bytes);
    }
}
