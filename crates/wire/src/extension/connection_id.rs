//! connection_id.

use super::Extension;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::ExtensionType;

/// The id the sender wants to see in records to it; empty means none (RFC 9146 §3).
///
/// ```text
/// struct {
///     opaque cid<0..2^8-1>;
/// } ConnectionId;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionId<'a> {
    /// At most 255 bytes.
    pub cid: &'a [u8],
}

impl<'a> Codec<'a> for ConnectionId<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { cid: r.vec8()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec8(|w| w.bytes(self.cid));
    }
}

impl<'a> Extension<'a> for ConnectionId<'a> {
    const TYPE: ExtensionType = ExtensionType::CONNECTION_ID;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        assert_eq!(ConnectionId { cid: &[7, 8] }.to_vec().unwrap(), [2, 7, 8]);
        assert_eq!(ConnectionId::from_bytes(&[2, 7, 8]), Ok(ConnectionId { cid: &[7, 8] }));
        assert_eq!(ConnectionId::from_bytes(&[0]), Ok(ConnectionId::default()));
    }
}
