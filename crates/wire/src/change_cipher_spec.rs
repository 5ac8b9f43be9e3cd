//! ChangeCipherSpec (RFC 5246 §7.1). DTLS 1.3 never sends it.
//!
//! Owns: the one byte. Never does: change keys.

use crate::codec::{Codec, DecodeError, Reader, Writer};

/// The content of a `change_cipher_spec` record.
///
/// ```text
/// struct {
///     enum { change_cipher_spec(1), (255) } type;
/// } ChangeCipherSpec;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeCipherSpec;

impl<'a> Codec<'a> for ChangeCipherSpec {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if r.u8()? == 1 { Ok(Self) } else { Err(DecodeError::IllegalValue) }
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u8(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        assert_eq!(ChangeCipherSpec.to_vec().unwrap(), [1]);
        assert_eq!(ChangeCipherSpec::from_bytes(&[1]), Ok(ChangeCipherSpec));
        assert_eq!(ChangeCipherSpec::from_bytes(&[2]), Err(DecodeError::IllegalValue));
    }
}
