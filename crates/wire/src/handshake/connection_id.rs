//! NewConnectionId and RequestConnectionId (1.3 only).

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Len8, OpaqueList, Reader, Writer};
use crate::registry::HandshakeType;

/// What new connection ids are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionIdUsage {
    /// The peer shall use one of them at once (0).
    Immediate,
    /// For later (1).
    Spare,
}

/// Connection ids the peer may put into its records (RFC 9147 §9). The list may be empty, an id may not: who wants
/// none in the records negotiates none.
///
/// ```text
/// opaque ConnectionId<0..2^8-1>;
/// struct {
///     ConnectionId cids<0..2^16-1>;
///     enum { cid_immediate(0), cid_spare(1), (255) } usage;
/// } NewConnectionId;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewConnectionId<'a> {
    /// The ids.
    pub cids: OpaqueList<'a, Len8>,
    /// What they are for.
    pub usage: ConnectionIdUsage,
}

impl<'a> Codec<'a> for NewConnectionId<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let cids = OpaqueList::new(r.vec16()?)?;
        let usage = match r.u8()? {
            0 => ConnectionIdUsage::Immediate,
            1 => ConnectionIdUsage::Spare,
            _ => return Err(DecodeError::IllegalValue),
        };
        Ok(Self { cids, usage })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.cids.as_bytes()));
        w.u8(match self.usage {
            ConnectionIdUsage::Immediate => 0,
            ConnectionIdUsage::Spare => 1,
        });
    }
}

impl<'a> HandshakeMessage<'a> for NewConnectionId<'a> {
    const TYPE: HandshakeType = HandshakeType::NEW_CONNECTION_ID;
}

/// Asks the peer for connection ids (RFC 9147 §9).
///
/// ```text
/// struct {
///     uint8 num_cids;
/// } RequestConnectionId;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestConnectionId {
    /// How many.
    pub num_cids: u8,
}

impl<'a> Codec<'a> for RequestConnectionId {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { num_cids: r.u8()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u8(self.num_cids);
    }
}

impl<'a> HandshakeMessage<'a> for RequestConnectionId {
    const TYPE: HandshakeType = HandshakeType::REQUEST_CONNECTION_ID;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let bytes = [0, 5, 2, 0xaa, 0xbb, 1, 0xcc, 1];
        let message = NewConnectionId::from_bytes(&bytes).unwrap();
        assert!(message.cids.iter().eq([&[0xaa, 0xbb][..], &[0xcc]]));
        assert_eq!(message.usage, ConnectionIdUsage::Spare);
        assert_eq!(message.to_vec().unwrap(), bytes);
        assert_eq!(NewConnectionId::from_bytes(&[0, 0, 2]), Err(DecodeError::IllegalValue));
        assert_eq!(NewConnectionId::from_bytes(&[0, 0, 0]).unwrap().usage, ConnectionIdUsage::Immediate);
        assert_eq!(RequestConnectionId::from_bytes(&[3]), Ok(RequestConnectionId { num_cids: 3 }));
        assert_eq!(RequestConnectionId { num_cids: 3 }.to_vec().unwrap(), [3]);
    }
}
