//! certificate_authorities.

use super::Extension;
use crate::codec::{Codec, DecodeError, Len16, OpaqueList, Reader, Writer};
use crate::registry::ExtensionType;

/// Authorities whose certificates the sender would like (RFC 9846 §4.3.4).
///
/// ```text
/// opaque DistinguishedName<1..2^16-1>;
/// struct {
///     DistinguishedName authorities<3..2^16-1>;
/// } CertificateAuthoritiesExtension;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateAuthorities<'a> {
    /// DER distinguished names.
    pub authorities: OpaqueList<'a, Len16>,
}

impl<'a> Codec<'a> for CertificateAuthorities<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { authorities: OpaqueList::new(r.nonempty16()?)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.authorities.as_bytes()));
    }
}

impl<'a> Extension<'a> for CertificateAuthorities<'a> {
    const TYPE: ExtensionType = ExtensionType::CERTIFICATE_AUTHORITIES;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let bytes = [0, 4, 0, 2, 0x30, 0];
        let read = CertificateAuthorities::from_bytes(&bytes).unwrap();
        assert_eq!(read.authorities.first(), Some(&[0x30, 0][..]));
        assert_eq!(read.to_vec().unwrap(), bytes);
        assert_eq!(CertificateAuthorities::from_bytes(&[0, 0]), Err(DecodeError::EmptyVector));
    }
}
