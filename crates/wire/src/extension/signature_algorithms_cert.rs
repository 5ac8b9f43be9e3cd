//! signature_algorithms_cert.

use super::Extension;
use crate::codec::{Codec, DecodeError, List, Reader, Writer};
use crate::registry::{ExtensionType, SignatureScheme};

/// Signatures the sender can check in certificates, where that differs (RFC 9846 §4.3.3).
///
/// ```text
/// struct {
///     SignatureScheme supported_signature_algorithms<2..2^16-2>;
/// } SignatureAlgorithmsCert;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureAlgorithmsCert<'a> {
    /// The sender's favourite first.
    pub schemes: List<'a, SignatureScheme>,
}

impl<'a> Codec<'a> for SignatureAlgorithmsCert<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { schemes: List::read16(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.schemes.write16(w);
    }
}

impl<'a> Extension<'a> for SignatureAlgorithmsCert<'a> {
    const TYPE: ExtensionType = ExtensionType::SIGNATURE_ALGORITHMS_CERT;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let bytes = [0, 4, 8, 4, 0x1a, 0x1a];
        let read = SignatureAlgorithmsCert::from_bytes(&bytes).unwrap();
        assert!(read.schemes.iter().eq([SignatureScheme::RSA_PSS_RSAE_SHA256, SignatureScheme(0x1a1a)]));
        assert_eq!(read.to_vec().unwrap(), bytes);
        assert_eq!(SignatureAlgorithmsCert::from_bytes(&[0, 0]), Err(DecodeError::EmptyVector));
    }
}
