//! Certificate, in the forms of 1.2 and 1.3.

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Len24, OpaqueIter, OpaqueList, Reader, Sequence, Writer};
use crate::extension::Extensions;
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

/// A public key in place of a chain in 1.2 (RFC 7250 §3); empty if a client has none to offer, which the standard's
/// own notation leaves no room for.
///
/// ```text
/// opaque ASN.1_subjectPublicKeyInfo<1..2^24-1>;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawPublicKey12<'a> {
    /// A DER `SubjectPublicKeyInfo`.
    pub public_key: &'a [u8],
}

impl<'a> Codec<'a> for RawPublicKey12<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { public_key: r.vec24()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec24(|w| w.bytes(self.public_key));
    }
}

impl<'a> HandshakeMessage<'a> for RawPublicKey12<'a> {
    const TYPE: HandshakeType = HandshakeType::CERTIFICATE;
}

/// A certificate of a 1.3 chain (RFC 9846 §4.5.1).
///
/// ```text
/// struct {
///     opaque cert_data<1..2^24-1>;
///     Extension extensions<0..2^16-1>;
/// } CertificateEntry;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateEntry<'a> {
    /// DER, an X.509 certificate or a raw public key.
    pub certificate: &'a [u8],
    /// What belongs to it, such as a status response.
    pub extensions: Extensions<'a>,
}

impl<'a> Codec<'a> for CertificateEntry<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { certificate: r.nonempty24()?, extensions: Extensions::read_present(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec24(|w| w.bytes(self.certificate));
        self.extensions.write_present(w);
    }
}

/// A certificate chain in 1.3 (RFC 9846 §4.5.1).
///
/// ```text
/// struct {
///     opaque certificate_request_context<0..2^8-1>;
///     CertificateEntry certificate_list<0..2^24-1>;
/// } Certificate;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Certificate13<'a> {
    /// That of the CertificateRequest; empty within the handshake.
    pub context: &'a [u8],
    /// The chain, the sender's own certificate first.
    pub entries: Sequence<'a, CertificateEntry<'a>>,
}

impl<'a> Codec<'a> for Certificate13<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { context: r.vec8()?, entries: Sequence::new(r.vec24()?)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec8(|w| w.bytes(self.context));
        w.vec24(|w| w.bytes(self.entries.as_bytes()));
    }
}

impl<'a> HandshakeMessage<'a> for Certificate13<'a> {
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

    #[test]
    fn format_of_a_raw_public_key() {
        let message = RawPublicKey12 { public_key: &[0x30, 0x00] };
        assert_eq!(message.to_vec().unwrap(), [0, 0, 2, 0x30, 0x00]);
        assert_eq!(RawPublicKey12::from_bytes(&[0, 0, 2, 0x30, 0x00]), Ok(message));
        assert_eq!(RawPublicKey12::from_bytes(&[0, 0, 0]), Ok(RawPublicKey12::default()));
        assert!(RawPublicKey12::from_bytes(&[0, 0, 1, 0x30, 0x00]).is_err());
    }

    #[test]
    fn format13() {
        let entry = CertificateEntry { certificate: &[0x30], extensions: Extensions::EMPTY };
        let entries = Sequence::<CertificateEntry<'_>>::encode([entry, entry]).unwrap();
        let message = Certificate13 { context: &[9], entries: Sequence::new(&entries).unwrap() };
        let bytes = [1, 9, 0, 0, 12, 0, 0, 1, 0x30, 0, 0, 0, 0, 1, 0x30, 0, 0];
        assert_eq!(message.to_vec().unwrap(), bytes);
        assert_eq!(Certificate13::from_bytes(&bytes), Ok(message));
        assert_eq!(message.entries.first(), Some(entry));
        assert_eq!(Certificate13::from_bytes(&[0, 0, 0, 5, 0, 0, 0, 0, 0]), Err(DecodeError::EmptyVector));
    }
}
