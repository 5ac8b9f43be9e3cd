//! What goes into one record of a flight: fragments of messages, or ChangeCipherSpec.

use alloc::vec::Vec;
use core::ops::Range;

use gramseal_wire::{ContentType, Epoch, HandshakeHeader, HandshakeType, MessageSeq};

use super::ranges::Ranges;
use crate::message::Message;

/// The longest payload of a record (RFC 6347 §4.1).
pub(super) const MAX_PAYLOAD: usize = 1 << 14;

/// A part of a flight in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The epoch to seal it in.
    pub(crate) epoch: Epoch,
    /// Handshake or ChangeCipherSpec.
    pub(crate) content_type: ContentType,
    /// `None` for ChangeCipherSpec, of which the following numbers say nothing.
    pub(crate) msg_type: Option<HandshakeType>,
    /// Which message.
    pub(crate) message_seq: MessageSeq,
    /// First byte of the body in this piece.
    pub(crate) fragment_offset: u32,
    /// Bytes of the body in this piece.
    pub(crate) fragment_length: u32,
    /// Bytes of the whole body.
    pub(crate) message_length: u32,
}

/// The content of one record in the making, of one epoch.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    payload: Vec<u8>,
    pieces: Vec<Piece>,
}

impl Pieces {
    /// Nothing; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self { payload: Vec::new(), pieces: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.payload.clear();
        self.pieces.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// What the record carries.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter()
    }

    /// The first of them, which tells epoch and content type of all.
    pub(crate) fn first(&self) -> Option<&Piece> {
        self.pieces.first()
    }

    /// Whether a piece of `epoch` may be added. Some implementations read only the first message of a record that
    /// nothing protects; there each has one of its own.
    pub(super) fn takes(&self, epoch: Epoch) -> bool {
        self.first().is_none_or(|first| first.epoch == epoch && epoch > Epoch::UNPROTECTED)
    }

    pub(super) fn add_change_cipher_spec(&mut self, epoch: Epoch) {
        self.payload.push(1);
        self.pieces.push(Piece::change_cipher_spec(epoch));
    }

    pub(super) fn add_fragment(&mut self, message: &Message, range: Range<u32>) {
        self.pieces.extend(write_fragment(message, range, &mut self.payload));
    }
}

impl Piece {
    fn change_cipher_spec(epoch: Epoch) -> Self {
        Self {
            epoch,
            content_type: ContentType::CHANGE_CIPHER_SPEC,
            msg_type: None,
            message_seq: MessageSeq(0),
            fragment_offset: 0,
            fragment_length: 0,
            message_length: 0,
        }
    }
}

/// Which bytes of the body to send next in a record with `room`, if any fit.
pub(super) fn next_fragment(message: &Message, pending: &Ranges, room: usize) -> Option<Range<u32>> {
    let length = message.body_len();
    let first = pending.first()?;
    let wanted = first.start.min(length)..first.end.min(length);
    let fits = room.checked_sub(HandshakeHeader::LEN)?;
    if fits == 0 && !wanted.is_empty() {
        return None;
    }
    let len = u32::try_from(wanted.len().min(fits)).unwrap_or(u32::MAX);
    Some(wanted.start..wanted.start.saturating_add(len))
}

fn write_fragment(message: &Message, range: Range<u32>, payload: &mut Vec<u8>) -> Option<Piece> {
    let body = message.body().get(range.start as usize..range.end as usize)?;
    let header = HandshakeHeader {
        msg_type: message.msg_type(),
        length: message.body_len(),
        message_seq: message.message_seq(),
        fragment_offset: range.start,
        fragment_length: range.end - range.start,
    };
    payload.reserve(HandshakeHeader::LEN + body.len());
    payload.extend_from_slice(&header.to_bytes());
    payload.extend_from_slice(body);
    Some(Piece {
        epoch: message.epoch,
        content_type: ContentType::HANDSHAKE,
        msg_type: Some(header.msg_type),
        message_seq: header.message_seq,
        fragment_offset: header.fragment_offset,
        fragment_length: header.fragment_length,
        message_length: header.length,
    })
}
