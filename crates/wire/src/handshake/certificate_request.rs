//! CertificateRequest, in the forms of 1.2 and 1.3.

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Len16, List, OpaqueList, Reader, Writer};
use crate::extension::Extensions;
use crate::registry::{ClientCertificateType, HandshakeType, SignatureScheme};

/// DER distinguished names of certificate authorities.
pub type DistinguishedNames<'a> = OpaqueList<'a, Len16>;

/// Asks the client for a certificate in 1.2 (RFC 5246 §7.4.4).
///
/// ```text
/// struct {
///     ClientCertificateType certificate_types<1..2^8-1>;
///     SignatureAndHashAlgorithm supported_signature_algorithms<2..2^16-2>;
///     DistinguishedName certificate_authorities<0..2^16-1>;
/// } CertificateRequest;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateRequest12<'a> {
    /// Kinds of certificates, by key.
    pub certificate_types: List<'a, ClientCertificateType>,
    /// Signatures the server can check, its favourite first.
    pub signature_algorithms: List<'a, SignatureScheme>,
    /// Acceptable authorities; empty means any.
    pub authorities: DistinguishedNames<'a>,
}

impl<'a> Codec<'a> for CertificateRequest12<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            certificate_types: List::read8(r)?,
            signature_algorithms: List::read16(r)?,
            authorities: OpaqueList::new(r.vec16()?)?,
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.certificate_types.write8(w);
        self.signature_algorithms.write16(w);
        w.vec16(|w| w.bytes(self.authorities.as_bytes()));
    }
}

impl<'a> HandshakeMessage<'a> for CertificateRequest12<'a> {
    const TYPE: HandshakeType = HandshakeType::CERTIFICATE_REQUEST;
}

/// Asks for a certificate in 1.3 (RFC 9846 §4.4.2).
///
/// ```text
/// struct {
///     opaque certificate_request_context<0..2^8-1>;
///     Extension extensions<0..2^16-1>;
/// } CertificateRequest;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateRequest13<'a> {
    /// Repeated in the answer; empty within the handshake.
    pub context: &'a [u8],
    /// The block, always present.
    pub extensions: Extensions<'a>,
}

impl<'a> Codec<'a> for CertificateRequest13<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { context: r.vec8()?, extensions: Extensions::read_present(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec8(|w| w.bytes(self.context));
        self.extensions.write_present(w);
    }
}

impl<'a> HandshakeMessage<'a> for CertificateRequest13<'a> {
    const TYPE: HandshakeType = HandshakeType::CERTIFICATE_REQUEST;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format12() {
        let bytes = [2, 64, 1, 0, 4, 4, 3, 8, 4, 0, 4, 0, 2, 0x30, 0x00];
        let request = CertificateRequest12::from_bytes(&bytes).unwrap();
        assert!(request.certificate_types.contains(&ClientCertificateType::ECDSA_SIGN));
        assert!(request.signature_algorithms.contains(&SignatureScheme::RSA_PSS_RSAE_SHA256));
        assert_eq!(request.authorities.first(), Some(&[0x30, 0x00][..]));
        assert_eq!(request.to_vec().unwrap(), bytes);
    }

    #[test]
    fn format13() {
        let bytes = [1, 9, 0, 8, 0, 13, 0, 4, 0, 2, 8, 7];
        let request = CertificateRequest13::from_bytes(&bytes).unwrap();
        assert_eq!(request.context, [9]);
        assert_eq!(request.extensions.iter().count(), 1);
        assert_eq!(request.to_vec().unwrap(), bytes);
        assert_eq!(CertificateRequest13::from_bytes(&[0]), Err(DecodeError::Truncated));
    }
}
