//! KeyUpdate (1.3 only).

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::HandshakeType;

/// Whether the peer shall update its keys too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUpdateRequest {
    /// No (0).
    NotRequested,
    /// Yes (1).
    Requested,
}

/// The sender changes its keys (RFC 9846 §4.7.3, RFC 9147 §8).
///
/// ```text
/// struct {
///     enum { update_not_requested(0), update_requested(1), (255) } request_update;
/// } KeyUpdate;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUpdate {
    /// What the peer shall do.
    pub request_update: KeyUpdateRequest,
}

impl<'a> Codec<'a> for KeyUpdate {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let request_update = match r.u8()? {
            0 => KeyUpdateRequest::NotRequested,
            1 => KeyUpdateRequest::Requested,
            // RFC 9846 §4.7.3: any other value ends the connection.
            _ => return Err(DecodeError::IllegalValue),
        };
        Ok(Self { request_update })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u8(match self.request_update {
            KeyUpdateRequest::NotRequested => 0,
            KeyUpdateRequest::Requested => 1,
        });
    }
}

impl<'a> HandshakeMessage<'a> for KeyUpdate {
    const TYPE: HandshakeType = HandshakeType::KEY_UPDATE;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // RFC 9846 §4.7.3
    fn format() {
        for (byte, request_update) in [(0, KeyUpdateRequest::NotRequested), (1, KeyUpdateRequest::Requested)] {
            assert_eq!(KeyUpdate { request_update }.to_vec().unwrap(), [byte]);
            assert_eq!(KeyUpdate::from_bytes(&[byte]), Ok(KeyUpdate { request_update }));
        }
        assert_eq!(KeyUpdate::from_bytes(&[2]), Err(DecodeError::IllegalValue));
    }
}
