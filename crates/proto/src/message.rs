//! A whole handshake message: the one thing that `flight` and `handshake` pass to each other.

use alloc::vec::Vec;

use gramseal_wire::{DecodeError, Epoch, HandshakeHeader, HandshakeType, MessageSeq};

/// A handshake message in one piece, with the epoch that protects it.
///
/// It keeps the 12-byte DTLS header of an unfragmented message (RFC 6347 §4.2.2), because the 1.2
/// transcript covers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) epoch: Epoch,
    header: HandshakeHeader,
    bytes: Vec<u8>,
}

impl Message {
    /// From `bytes`: header, then the whole body.
    pub(crate) fn new(epoch: Epoch, bytes: Vec<u8>) -> Result<Self, DecodeError> {
        let header = HandshakeHeader::from_prefix(&bytes)?;
        let body = bytes.len().saturating_sub(HandshakeHeader::LEN);
        let whole = header.fragment_offset == 0 && header.fragment_length == header.length;
        if !whole || usize::try_from(header.length) != Ok(body) {
            return Err(DecodeError::FragmentOutOfRange);
        }
        Ok(Self { epoch, header, bytes })
    }

    pub(crate) fn msg_type(&self) -> HandshakeType {
        self.header.msg_type
    }

    pub(crate) fn message_seq(&self) -> MessageSeq {
        self.header.message_seq
    }

    /// Header and body, as the 1.2 transcript wants them.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(HandshakeHeader::LEN..).unwrap_or_default()
    }

    /// Bytes in the body.
    pub(crate) fn body_len(&self) -> u32 {
        self.header.length
    }
}
