//! padding.

use super::Extension;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::ExtensionType;

/// Zero bytes that make a ClientHello longer (RFC 7685 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// How many bytes.
    pub len: u16,
}

impl<'a> Codec<'a> for Padding {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let bytes = r.rest();
        // RFC 7685 §3: nothing may hide in the padding.
        if bytes.iter().any(|&b| b != 0) {
            return Err(DecodeError::IllegalValue);
        }
        u16::try_from(bytes.len()).map(|len| Self { len }).map_err(|_| DecodeError::BadVectorLength)
    }

    fn write(&self, w: &mut Writer<'_>) {
        (0..self.len).for_each(|_| w.u8(0));
    }
}

impl<'a> Extension<'a> for Padding {
    const TYPE: ExtensionType = ExtensionType::PADDING;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // RFC 7685 §3
    fn format() {
        assert_eq!(Padding { len: 3 }.to_vec().unwrap(), [0; 3]);
        assert_eq!(Padding::from_bytes(&[0; 3]), Ok(Padding { len: 3 }));
        assert_eq!(Padding::from_bytes(&[]), Ok(Padding { len: 0 }));
        assert_eq!(Padding::from_bytes(&[0, 1]), Err(DecodeError::IllegalValue));
    }
}
