//! CertificateVerify, the same in 1.2 and 1.3.

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::{HandshakeType, SignatureScheme};

/// Proof of the private key (RFC 5246 §7.4.8, RFC 9846 §4.5.2).
///
/// ```text
/// struct {
///     SignatureScheme algorithm;
///     opaque signature<0..2^16-1>;
/// } CertificateVerify;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateVerify<'a> {
    /// How it was signed.
    pub scheme: SignatureScheme,
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> Codec<'a> for CertificateVerify<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { scheme: Codec::read(r)?, signature: r.vec16()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.scheme.write(w);
        w.vec16(|w| w.bytes(self.signature));
    }
}

impl<'a> HandshakeMessage<'a> for CertificateVerify<'a> {
    const TYPE: HandshakeType = HandshakeType::CERTIFICATE_VERIFY;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let verify = CertificateVerify { scheme: SignatureScheme::ED25519, signature: &[9, 9] };
        let bytes = [8, 7, 0, 2, 9, 9];
        assert_eq!(verify.to_vec().unwrap(), bytes);
        assert_eq!(CertificateVerify::from_bytes(&bytes), Ok(verify));
    }
}
