//! What is inside a protected record that hides its content type.

use crate::codec::DecodeError;
use crate::registry::ContentType;

/// Where content ends in a decrypted record; the same in DTLS 1.3 (RFC 9147 §4) and `tls12_cid` (RFC 9146 §4).
///
/// ```text
/// struct {
///     opaque content[length];
///     ContentType type;
///     uint8 zeros[length_of_padding];
/// } DTLSInnerPlaintext;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InnerPlaintext {
    /// What the record carries.
    pub content_type: ContentType,
    /// Size of the content in bytes, from the start of the plaintext.
    pub content_len: usize,
}

impl InnerPlaintext {
    /// Finds the content type in front of the zero padding.
    ///
    /// # Errors
    /// [`DecodeError::NoContentType`] if all bytes are zero, or there are none; the receiver answers a record of 1.3
    /// with `unexpected_message` (RFC 9846 §5.4).
    #[inline]
    pub fn find(plaintext: &[u8]) -> Result<Self, DecodeError> {
        let mut left = plaintext;
        while let Some((&last, front)) = left.split_last() {
            if last != 0 {
                return Ok(Self { content_type: ContentType(last), content_len: front.len() });
            }
            left = front;
        }
        Err(DecodeError::NoContentType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // RFC 9846 §5.4
    fn the_type_is_the_last_byte_that_is_not_zero() {
        let find = InnerPlaintext::find;
        let data = |content_len| Ok(InnerPlaintext { content_type: ContentType::APPLICATION_DATA, content_len });
        assert_eq!(find(&[1, 2, 23]), data(2));
        assert_eq!(find(&[1, 0, 23, 0, 0, 0]), data(2));
        assert_eq!(find(&[23]), data(0));
        assert_eq!(find(&[0, 0]), Err(DecodeError::NoContentType));
        assert_eq!(find(&[]), Err(DecodeError::NoContentType));
    }
}
