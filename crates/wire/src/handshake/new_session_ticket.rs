//! NewSessionTicket, in the forms of 1.2 and 1.3.

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::extension::Extensions;
use crate::registry::HandshakeType;

/// A ticket in 1.2 (RFC 5077 §3.3). An empty one withdraws the promise made in the ServerHello.
///
/// ```text
/// struct {
///     uint32 ticket_lifetime_hint;
///     opaque ticket<0..2^16-1>;
/// } NewSessionTicket;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewSessionTicket12<'a> {
    /// Seconds; 0 says nothing.
    pub lifetime_hint: u32,
    /// The ticket.
    pub ticket: &'a [u8],
}

impl<'a> Codec<'a> for NewSessionTicket12<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { lifetime_hint: r.u32()?, ticket: r.vec16()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u32(self.lifetime_hint);
        w.vec16(|w| w.bytes(self.ticket));
    }
}

impl<'a> HandshakeMessage<'a> for NewSessionTicket12<'a> {
    const TYPE: HandshakeType = HandshakeType::NEW_SESSION_TICKET;
}

/// A ticket in 1.3 (RFC 9846 §4.7.1).
///
/// ```text
/// struct {
///     uint32 ticket_lifetime;
///     uint32 ticket_age_add;
///     opaque ticket_nonce<0..255>;
///     opaque ticket<1..2^16-1>;
///     Extension extensions<0..2^16-1>;
/// } NewSessionTicket;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewSessionTicket13<'a> {
    /// Seconds.
    pub lifetime: u32,
    /// Added to the age of the ticket, in milliseconds, when it is used.
    pub age_add: u32,
    /// Tells the tickets of a connection apart in the key schedule.
    pub nonce: &'a [u8],
    /// The ticket.
    pub ticket: &'a [u8],
    /// The block, always present.
    pub extensions: Extensions<'a>,
}

impl<'a> Codec<'a> for NewSessionTicket13<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            lifetime: r.u32()?,
            age_add: r.u32()?,
            nonce: r.vec8()?,
            ticket: r.nonempty16()?,
            extensions: Extensions::read_present(r)?,
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u32(self.lifetime);
        w.u32(self.age_add);
        w.vec8(|w| w.bytes(self.nonce));
        w.vec16(|w| w.bytes(self.ticket));
        self.extensions.write_present(w);
    }
}

impl<'a> HandshakeMessage<'a> for NewSessionTicket13<'a> {
    const TYPE: HandshakeType = HandshakeType::NEW_SESSION_TICKET;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format12() {
        let message = NewSessionTicket12 { lifetime_hint: 0x0102, ticket: &[7] };
        assert_eq!(message.to_vec().unwrap(), [0, 0, 1, 2, 0, 1, 7]);
        assert_eq!(NewSessionTicket12::from_bytes(&[0, 0, 1, 2, 0, 1, 7]), Ok(message));
    }

    #[test]
    fn format13() {
        let bytes = [0, 0, 1, 2, 9, 9, 9, 9, 1, 5, 0, 2, 7, 8, 0, 0];
        let message = NewSessionTicket13::from_bytes(&bytes).unwrap();
        assert_eq!((message.lifetime, message.age_add), (0x0102, 0x0909_0909));
        assert_eq!((message.nonce, message.ticket), (&[5][..], &[7, 8][..]));
        assert_eq!(message.to_vec().unwrap(), bytes);
        assert_eq!(NewSessionTicket13::from_bytes(&[0; 13]), Err(DecodeError::EmptyVector));
    }
}
