//! supported_versions.

use super::Extension;
use crate::codec::{Codec, DecodeError, List, Reader, Writer};
use crate::registry::{ExtensionType, ProtocolVersion};

/// Versions the client speaks (RFC 9846 §4.3.1).
///
/// ```text
/// struct {
///     ProtocolVersion versions<2..254>;
/// } SupportedVersions;      /* ClientHello */
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedVersionsClientHello<'a> {
    /// The client's favourite first.
    pub versions: List<'a, ProtocolVersion>,
}

impl<'a> Codec<'a> for SupportedVersionsClientHello<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { versions: List::read8(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.versions.write8(w);
    }
}

impl<'a> Extension<'a> for SupportedVersionsClientHello<'a> {
    const TYPE: ExtensionType = ExtensionType::SUPPORTED_VERSIONS;
}

/// The version chosen, in a ServerHello or HelloRetryRequest (RFC 9846 §4.3.1).
///
/// ```text
/// struct {
///     ProtocolVersion selected_version;
/// } SupportedVersions;      /* ServerHello, HelloRetryRequest */
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedVersionsServerHello {
    /// The version.
    pub selected_version: ProtocolVersion,
}

impl<'a> Codec<'a> for SupportedVersionsServerHello {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { selected_version: Codec::read(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.selected_version.write(w);
    }
}

impl<'a> Extension<'a> for SupportedVersionsServerHello {
    const TYPE: ExtensionType = ExtensionType::SUPPORTED_VERSIONS;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let bytes = [4, 0xfe, 0xfc, 0xfe, 0xfd];
        let offer = SupportedVersionsClientHello::from_bytes(&bytes).unwrap();
        assert!(offer.versions.contains(&ProtocolVersion::DTLS1_3));
        assert_eq!(offer.to_vec().unwrap(), bytes);
        assert_eq!(SupportedVersionsClientHello::from_bytes(&[1, 0xfe]), Err(DecodeError::BadVectorLength));
        let chosen = SupportedVersionsServerHello { selected_version: ProtocolVersion::DTLS1_3 };
        assert_eq!(chosen.to_vec().unwrap(), [0xfe, 0xfc]);
        assert_eq!(SupportedVersionsServerHello::from_bytes(&[0xfe, 0xfc]), Ok(chosen));
    }
}
