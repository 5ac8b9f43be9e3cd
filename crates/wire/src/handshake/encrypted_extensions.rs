//! EncryptedExtensions (1.3 only).

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::extension::Extensions;
use crate::registry::HandshakeType;

/// The server's extensions that need no key exchange to be read (RFC 9846 §4.4.1).
///
/// ```text
/// struct {
///     Extension extensions<0..2^16-1>;
/// } EncryptedExtensions;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncryptedExtensions<'a> {
    /// The block, always present.
    pub extensions: Extensions<'a>,
}

impl<'a> Codec<'a> for EncryptedExtensions<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { extensions: Extensions::read_present(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.extensions.write_present(w);
    }
}

impl<'a> HandshakeMessage<'a> for EncryptedExtensions<'a> {
    const TYPE: HandshakeType = HandshakeType::ENCRYPTED_EXTENSIONS;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let bytes = [0, 4, 0, 0, 0, 0];
        let message = EncryptedExtensions::from_bytes(&bytes).unwrap();
        assert_eq!(message.extensions.iter().count(), 1);
        assert_eq!(message.to_vec().unwrap(), bytes);
        assert_eq!(EncryptedExtensions::from_bytes(&[]), Err(DecodeError::Truncated));
    }
}
