//! compress_certificate.

use super::Extension;
use crate::codec::{Codec, DecodeError, List, Reader, Writer};
use crate::registry::{CertificateCompressionAlgorithm, ExtensionType};

/// Certificate compression the sender can undo (RFC 8879 §3).
///
/// ```text
/// struct {
///     CertificateCompressionAlgorithm algorithms<2..2^8-2>;
/// } CompressCertificate;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressCertificate<'a> {
    /// The sender's favourite first.
    pub algorithms: List<'a, CertificateCompressionAlgorithm>,
}

impl<'a> Codec<'a> for CompressCertificate<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { algorithms: List::read8(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.algorithms.write8(w);
    }
}

impl<'a> Extension<'a> for CompressCertificate<'a> {
    const TYPE: ExtensionType = ExtensionType::COMPRESS_CERTIFICATE;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let bytes = [4, 0, 2, 0, 1];
        let read = CompressCertificate::from_bytes(&bytes).unwrap();
        assert!(
            read.algorithms.iter().eq([CertificateCompressionAlgorithm::BROTLI, CertificateCompressionAlgorithm::ZLIB])
        );
        assert_eq!(read.to_vec().unwrap(), bytes);
        assert_eq!(CompressCertificate::from_bytes(&[0]), Err(DecodeError::EmptyVector));
    }
}
