//! session_ticket.

use super::Extension;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::ExtensionType;

/// A 1.2 ticket to resume with, or empty: "send me one" from a client, "I will send one" from a server
/// (RFC 5077 §3.2). The ticket fills the extension, without a length field of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionTicket<'a> {
    /// The ticket, or nothing.
    pub ticket: &'a [u8],
}

impl<'a> Codec<'a> for SessionTicket<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { ticket: r.rest() })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.bytes(self.ticket);
    }
}

impl<'a> Extension<'a> for SessionTicket<'a> {
    const TYPE: ExtensionType = ExtensionType::SESSION_TICKET;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ticket_fills_the_extension() {
        assert_eq!(SessionTicket::from_bytes(&[1, 2]), Ok(SessionTicket { ticket: &[1, 2] }));
        assert_eq!(SessionTicket::from_bytes(&[]), Ok(SessionTicket::default()));
        assert_eq!(SessionTicket { ticket: &[1, 2] }.to_vec().unwrap(), [1, 2]);
    }
}
