//! record_size_limit.

use super::Extension;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::ExtensionType;

/// The largest plaintext the sender takes in a record, in bytes (RFC 8449 §4). Values below 64 are for the receiver
/// to refuse.
///
/// ```text
/// uint16 RecordSizeLimit;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSizeLimit(pub u16);

impl<'a> Codec<'a> for RecordSizeLimit {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.u16().map(Self)
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u16(self.0);
    }
}

impl<'a> Extension<'a> for RecordSizeLimit {
    const TYPE: ExtensionType = ExtensionType::RECORD_SIZE_LIMIT;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        assert_eq!(RecordSizeLimit(0x4001).to_vec().unwrap(), [0x40, 1]);
        assert_eq!(RecordSizeLimit::from_bytes(&[0x40, 1]), Ok(RecordSizeLimit(0x4001)));
    }
}
