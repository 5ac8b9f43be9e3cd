//! max_fragment_length.

use super::Extension;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::ExtensionType;

/// Limits the plaintext of records to 2⁹, 2¹⁰, 2¹¹ or 2¹² bytes (RFC 6066 §4).
///
/// ```text
/// enum { 2^9(1), 2^10(2), 2^11(3), 2^12(4), (255) } MaxFragmentLength;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxFragmentLength(pub u8);

impl MaxFragmentLength {
    /// The code for a limit in bytes, or `None` if it has none.
    pub fn of(limit: u16) -> Option<Self> {
        (1..=4).map(Self).find(|code| code.limit() == Some(limit))
    }

    /// The limit in bytes, or `None` for a code without meaning.
    pub fn limit(self) -> Option<u16> {
        match self.0 {
            code @ 1..=4 => Some(256 << code),
            _ => None,
        }
    }
}

impl<'a> Codec<'a> for MaxFragmentLength {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.u8().map(Self)
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u8(self.0);
    }
}

impl<'a> Extension<'a> for MaxFragmentLength {
    const TYPE: ExtensionType = ExtensionType::MAX_FRAGMENT_LENGTH;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        assert_eq!(MaxFragmentLength::from_bytes(&[1]).unwrap().limit(), Some(512));
        assert_eq!(MaxFragmentLength(4).limit(), Some(4096));
        assert_eq!((MaxFragmentLength(0).limit(), MaxFragmentLength(5).limit()), (None, None));
        assert_eq!(MaxFragmentLength::of(2048), Some(MaxFragmentLength(3)));
        assert_eq!(MaxFragmentLength::of(16_384), None);
        assert_eq!(MaxFragmentLength(9).to_vec().unwrap(), [9]);
    }
}
