//! cookie.

use super::Extension;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::ExtensionType;

/// A cookie of a HelloRetryRequest and its repetition (RFC 9846 §4.3.2, RFC 9147 §5.1).
///
/// ```text
/// struct {
///     opaque cookie<1..2^16-1>;
/// } Cookie;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie<'a> {
    /// The cookie.
    pub cookie: &'a [u8],
}

impl<'a> Codec<'a> for Cookie<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { cookie: r.nonempty16()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.cookie));
    }
}

impl<'a> Extension<'a> for Cookie<'a> {
    const TYPE: ExtensionType = ExtensionType::COOKIE;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        assert_eq!(Cookie { cookie: &[7, 8] }.to_vec().unwrap(), [0, 2, 7, 8]);
        assert_eq!(Cookie::from_bytes(&[0, 2, 7, 8]), Ok(Cookie { cookie: &[7, 8] }));
        assert_eq!(Cookie::from_bytes(&[0, 0]), Err(DecodeError::EmptyVector));
    }
}
