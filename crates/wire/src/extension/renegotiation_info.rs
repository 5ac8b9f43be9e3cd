//! renegotiation_info.

use super::Extension;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::ExtensionType;

/// Binds a renegotiation to the handshake before it; empty in a first handshake (RFC 5746 §3.2).
///
/// ```text
/// struct {
///     opaque renegotiated_connection<0..255>;
/// } RenegotiationInfo;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RenegotiationInfo<'a> {
    /// verify_data of the previous handshake.
    pub renegotiated_connection: &'a [u8],
}

impl<'a> Codec<'a> for RenegotiationInfo<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { renegotiated_connection: r.vec8()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec8(|w| w.bytes(self.renegotiated_connection));
    }
}

impl<'a> Extension<'a> for RenegotiationInfo<'a> {
    const TYPE: ExtensionType = ExtensionType::RENEGOTIATION_INFO;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        assert_eq!(RenegotiationInfo::default().to_vec().unwrap(), [0]);
        let info = RenegotiationInfo { renegotiated_connection: &[1, 2] };
        assert_eq!(RenegotiationInfo::from_bytes(&[2, 1, 2]), Ok(info));
        assert_eq!(RenegotiationInfo::from_bytes(&[]), Err(DecodeError::Truncated));
    }
}
