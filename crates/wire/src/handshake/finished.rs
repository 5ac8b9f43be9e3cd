//! Finished.

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::HandshakeType;

/// The keyed hash over the handshake: 12 bytes in 1.2, a hash length in 1.3 (RFC 5246 §7.4.9, RFC 9846 §4.5.3).
///
/// ```text
/// struct {
///     opaque verify_data[verify_data_length];
/// } Finished;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished<'a> {
    /// The whole body; its length is checked by whoever compares it.
    pub verify_data: &'a [u8],
}

impl<'a> Codec<'a> for Finished<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { verify_data: r.rest() })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.bytes(self.verify_data);
    }
}

impl<'a> HandshakeMessage<'a> for Finished<'a> {
    const TYPE: HandshakeType = HandshakeType::FINISHED;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let finished = Finished { verify_data: &[5; 12] };
        assert_eq!(finished.to_vec().unwrap(), [5; 12]);
        assert_eq!(Finished::from_bytes(&[5; 12]), Ok(finished));
    }
}
