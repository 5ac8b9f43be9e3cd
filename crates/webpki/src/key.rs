//! Takes the public key out of a certificate.

use der::asn1::{AnyRef, BitStringRef};
use der::{Encode, Reader, SliceReader, Tag, Tagged};
use gramseal_proto::CertificateFault;
use gramseal_proto::crypto::{PublicKey, SigningKey};
use pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use webpki::EndEntityCert;

use crate::fault::fault;

/// The public key that `certificate` is for. Nothing else of the certificate is checked.
///
/// # Errors
/// - [`CertificateFault::BadEncoding`]: not a certificate, or a damaged one.
/// - [`CertificateFault::Unsupported`]: a version other than 3 (self-made certificates of old
///   tools are version 1), or a critical extension that this crate does not know. Such an extension
///   forbids to use the certificate at all (RFC 5280 §4.2), so it is refused even where no chain
///   is checked.
pub fn public_key_of(certificate: &CertificateDer<'_>) -> Result<PublicKey, CertificateFault> {
    let parsed = EndEntityCert::try_from(certificate).map_err(|error| fault(&error))?;
    public_key(&parsed)
}

/// The public key in a raw one (RFC 7250 §3), read strictly.
///
/// # Errors
/// [`CertificateFault::BadEncoding`]: no DER `SubjectPublicKeyInfo`, or one with something behind it.
pub fn public_key_of_raw(key: &SubjectPublicKeyInfoDer<'_>) -> Result<PublicKey, CertificateFault> {
    split(key).map_err(|_| CertificateFault::BadEncoding)
}

/// Whether `key` is the private key of `certificate`; also true if the key does not tell its public
/// half.
///
/// # Errors
/// As for [`public_key_of`].
pub fn belong_together(certificate: &CertificateDer<'_>, key: &dyn SigningKey) -> Result<bool, CertificateFault> {
    let certified = public_key_of(certificate)?;
    Ok(key.public_key().is_none_or(|info| split(&info).is_ok_and(|own| own == certified)))
}

/// The public key of a certificate that is parsed already.
pub(crate) fn public_key(certificate: &EndEntityCert<'_>) -> Result<PublicKey, CertificateFault> {
    split(&certificate.subject_public_key_info()).map_err(|_| CertificateFault::BadEncoding)
}

/// Wraps the content of a SEQUENCE, say a `Name`, which `rustls-webpki` gives without its header.
pub(crate) fn sequence(content: &[u8]) -> Vec<u8> {
    AnyRef::new(Tag::Sequence, content)
        .and_then(|sequence| sequence.to_der())
        .expect("what was inside a certificate fits into a SEQUENCE")
}

/// Splits a `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7) as [`PublicKey::new`] asks.
pub(crate) fn split(info: &[u8]) -> der::Result<PublicKey> {
    let mut reader = SliceReader::new(info)?;
    let (algorithm, key) = reader.sequence(|fields| {
        let algorithm: AnyRef<'_> = fields.decode()?;
        algorithm.tag().assert_eq(Tag::Sequence)?;
        let key: BitStringRef<'_> = fields.decode()?;
        Ok::<_, der::Error>((algorithm, key))
    })?;
    reader.finish()?;
    // No signature key has a number of bits that is not a multiple of eight.
    let key = key.as_bytes().ok_or_else(|| Tag::BitString.value_error())?;
    Ok(PublicKey::new(algorithm.value().to_vec(), key.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: [u8; 16] = [0x30, 14, 0x30, 7, 0x06, 3, 0x2b, 0x65, 0x70, 0x05, 0x00, 0x03, 3, 0x00, 0xaa, 0xbb];

    #[test] // RFC 5280 §4.1.2.7
    fn algorithm_and_key_lose_their_headers() {
        let key = split(&INFO).unwrap();
        assert_eq!(key.algorithm(), [0x06, 3, 0x2b, 0x65, 0x70, 0x05, 0x00]);
        assert_eq!(key.key(), [0xaa, 0xbb]);
    }

    #[test]
    fn unused_bits_are_refused() {
        let mut info = INFO;
        info[13] = 1;
        info[15] = 0xba;
        assert!(split(&info).is_err());
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut longer = INFO.to_vec();
        longer.push(0);
        assert!(split(&longer).is_err());
        // The same byte inside the outer SEQUENCE.
        longer[1] += 1;
        assert!(split(&longer).is_err());
    }
}
