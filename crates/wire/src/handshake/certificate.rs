//! Certificate, in the forms of 1.2 and 1.3.

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Len24, OpaqueIter, OpaqueList, Reader, Writer};
use crate::registry::HandshakeType;

/// DER certificates, the sender's own first. `OwnedOpaqueList::<Len24>::new(chain)` makes one.
pub type CertificateList<'a> = OpaqueList<'a, Len24>;

/// A certificate chain in 1.2; without certificates if a client has none to offer (RFC 5246 §7.4.2, §7.4.6).
///
/// ```text
/// opaque ASN.1Cert<1..2^24-1>;
/// struct {
///     ASN.1Cert certificate_list<0..2^24-1>;
/// } Certificate;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Certificate12<'a> {
    /// The chain.
    pub certificates: CertificateList<'a>,
}

impl<'a> Certificate12<'a> {
    /// The certificates in order, each DER.
    pub fn iter(&self) -> OpaqueIter<'a, Len24> {
        self.certificates.iter()
    }
}

impl<'a> Codec<'a> for Certificate12<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { certificates: OpaqueList::new(r.vec24()?)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec24(|w| w.bytes(self.certificates.as_bytes()));
    }
}

impl<'a> HandshakeMessage<'a> for Certificate12<'a> {
    const TYPE: HandshakeType = HandshakeType::CERTIFICATE;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::OwnedOpaqueList;

    #[test]
    fn format12() {
        let chain = OwnedOpaqueList::new([&[0x30, 0x01][..], &[0x30]]).unwrap();
        let message = Certificate12 { certificates: chain.as_list() };
        let bytes = [0, 0, 9, 0, 0, 2, 0x30, 0x01, 0, 0, 1, 0x30];
        assert_eq!(message.to_vec().unwrap(), bytes);
        assert_eq!(Certificate12::from_bytes(&bytes), Ok(message));
        assert_eq!(Certificate12::from_bytes(&[0, 0, 0]), Ok(Certificate12::default()));
        assert_eq!(Certificate12::from_bytes(&[0, 0, 3, 0, 0, 0]), Err(DecodeError::EmptyVector));
    }
}
