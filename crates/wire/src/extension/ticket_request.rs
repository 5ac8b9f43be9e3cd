//! ticket_request.

use super::Extension;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::ExtensionType;

/// How many tickets the client would like (RFC 9149 §3).
///
/// ```text
/// struct {
///     uint8 new_session_count;
///     uint8 resumption_count;
/// } ClientTicketRequest;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketRequestClientHello {
    /// After a full handshake.
    pub new_session_count: u8,
    /// After a resumption.
    pub resumption_count: u8,
}

impl<'a> Codec<'a> for TicketRequestClientHello {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { new_session_count: r.u8()?, resumption_count: r.u8()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u8(self.new_session_count);
        w.u8(self.resumption_count);
    }
}

impl<'a> Extension<'a> for TicketRequestClientHello {
    const TYPE: ExtensionType = ExtensionType::TICKET_REQUEST;
}

/// How many tickets the server is going to send (RFC 9149 §3).
///
/// ```text
/// struct {
///     uint8 expected_count;
/// } ServerTicketRequestHint;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketRequestEncryptedExtensions {
    /// How many.
    pub expected_count: u8,
}

impl<'a> Codec<'a> for TicketRequestEncryptedExtensions {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { expected_count: r.u8()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u8(self.expected_count);
    }
}

impl<'a> Extension<'a> for TicketRequestEncryptedExtensions {
    const TYPE: ExtensionType = ExtensionType::TICKET_REQUEST;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let request = TicketRequestClientHello { new_session_count: 2, resumption_count: 1 };
        assert_eq!(request.to_vec().unwrap(), [2, 1]);
        assert_eq!(TicketRequestClientHello::from_bytes(&[2, 1]), Ok(request));
        let hint = TicketRequestEncryptedExtensions { expected_count: 3 };
        assert_eq!(hint.to_vec().unwrap(), [3]);
        assert_eq!(TicketRequestEncryptedExtensions::from_bytes(&[3]), Ok(hint));
    }
}
