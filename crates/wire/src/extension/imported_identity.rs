//! What an imported pre-shared key is called in pre_shared_key.

use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::{ProtocolVersion, TlsKdf};

/// The identity of a [`PskIdentity`](super::PskIdentity) for a key that was imported (RFC 9258 §5.1).
///
/// ```text
/// struct {
///     opaque external_identity<1...2^16-1>;
///     opaque context<0..2^16-1>;
///     uint16 target_protocol;
///     uint16 target_kdf;
/// } ImportedIdentity;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedIdentity<'a> {
    /// Name of the key before it was imported.
    pub external_identity: &'a [u8],
    /// What it was imported with, empty for nothing.
    pub context: &'a [u8],
    /// Version that it was imported for.
    pub target_protocol: ProtocolVersion,
    /// Key derivation function that it was imported for.
    pub target_kdf: TlsKdf,
}

impl<'a> Codec<'a> for ImportedIdentity<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            external_identity: r.nonempty16()?,
            context: r.vec16()?,
            target_protocol: ProtocolVersion(r.u16()?),
            target_kdf: TlsKdf(r.u16()?),
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.external_identity));
        w.vec16(|w| w.bytes(self.context));
        w.u16(self.target_protocol.0);
        w.u16(self.target_kdf.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // RFC 9258 §5.1
    fn formats() {
        let identity = ImportedIdentity {
            external_identity: b"me",
            context: b"",
            target_protocol: ProtocolVersion::DTLS1_3,
            target_kdf: TlsKdf::HKDF_SHA384,
        };
        let bytes = [0, 2, b'm', b'e', 0, 0, 0xFE, 0xFC, 0, 2];
        assert_eq!(identity.to_vec().unwrap(), bytes);
        assert_eq!(ImportedIdentity::from_bytes(&bytes), Ok(identity));
        assert!(ImportedIdentity::from_bytes(&[&bytes[..], &[0]].concat()).is_err(), "nothing may follow");
        assert!(ImportedIdentity::from_bytes(&[0, 0, 0, 0, 0xFE, 0xFC, 0, 1]).is_err(), "the name has a byte");
    }
}
