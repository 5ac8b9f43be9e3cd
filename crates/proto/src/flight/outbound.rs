//! Our last flight: kept whole, sent in fragments, sent again on demand.
//!
//! RFC 6347 §4.2.3 and §4.2.4, RFC 9147 §5.5 and §5.8. A flight is kept as its messages and, for
//! each, the ranges of its body still to be sent in this transmission. (The ranges still
//! unacknowledged, for the ACKs of 1.3, belong beside them.) Nothing here protects, numbers or
//! counts records; every transmission gets new record numbers from the record layer.

use alloc::vec::Vec;
use core::ops::Range;

use gramseal_wire::{Codec, ContentType, Epoch, HandshakeHeader, HandshakeType, MessageSeq, Writer};

use super::ranges::Ranges;
use crate::message::Message;

/// The fewest bytes of a body worth a fragment of its own where a fresh datagram would take more.
const WORTHWHILE: usize = 32;
/// The longest payload of a record (RFC 6347 §4.1).
const MAX_PAYLOAD: usize = 1 << 14;

/// Whether the datagram that a piece goes into is still empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// Nothing is in it; there is no better place for the piece.
    Yes,
    /// It holds other records already.
    No,
}

/// What the payload of one record of a flight is.
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

/// The last flight of this side.
#[derive(Default)]
pub(crate) struct Outbound {
    entries: Vec<Entry>,
    transmission: u32,
    fragment_limit: Option<usize>,
}

impl Outbound {
    /// No flight; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), transmission: 0, fragment_limit: None }
    }

    /// Begins a new flight and forgets the previous one: the peer has it (RFC 6347 §4.2.4).
    pub(crate) fn begin(&mut self) {
        self.entries.clear();
        self.transmission = 0;
    }

    /// Adds a message to the flight, to be sent.
    pub(crate) fn push_message(&mut self, message: Message) {
        self.entries.push(Entry::new(Content::Message(message)));
    }

    /// Adds ChangeCipherSpec, sent in `epoch`, to the flight (RFC 6347 §4.2.5).
    pub(crate) fn push_change_cipher_spec(&mut self, epoch: Epoch) {
        self.entries.push(Entry::new(Content::ChangeCipherSpec(epoch)));
    }

    /// Everything is to be sent once more.
    pub(crate) fn rewind(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        self.transmission = self.transmission.saturating_add(1);
        for entry in &mut self.entries {
            entry.pending.insert(entry.content.extent());
        }
    }

    /// Forgets the flight and frees its memory.
    pub(crate) fn clear(&mut self) {
        self.entries = Vec::new();
        self.transmission = 0;
    }

    /// Whether no flight is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether something is to be sent.
    pub(crate) fn has_pending(&self) -> bool {
        self.pending_epoch().is_some()
    }

    /// The epoch of the next piece.
    pub(crate) fn pending_epoch(&self) -> Option<Epoch> {
        self.entries.iter().find(|entry| !entry.pending.is_empty()).map(|entry| entry.content.epoch())
    }

    /// How often the flight has been repeated: 0 the first time.
    pub(crate) fn transmission(&self) -> u32 {
        self.transmission
    }

    /// Limits a piece to so many bytes, with its 12-byte header, whatever room there is.
    pub(crate) fn set_fragment_limit(&mut self, limit: Option<usize>) {
        self.fragment_limit = limit;
    }

    /// Writes the payload of the flight's next record into `payload`, which is cleared first, and
    /// counts it as sent. At most `room` bytes.
    ///
    /// `None` if nothing is pending, or if `room` is too small to be of use: then a fresh datagram
    /// is better. As long as the sequence of `room` and `fresh` is the same, so are the boundaries
    /// of the fragments in every transmission.
    pub(crate) fn next_piece(&mut self, room: usize, fresh: Fresh, payload: &mut Vec<u8>) -> Option<Piece> {
        payload.clear();
        let limit = self.fragment_limit.unwrap_or(MAX_PAYLOAD).min(MAX_PAYLOAD);
        let entry = self.entries.iter_mut().find(|entry| !entry.pending.is_empty())?;
        match &entry.content {
            Content::ChangeCipherSpec(epoch) => {
                if room == 0 {
                    return None;
                }
                payload.push(1);
                let piece = Piece::change_cipher_spec(*epoch);
                entry.pending = Ranges::new();
                Some(piece)
            }
            Content::Message(message) => {
                let range = next_fragment(message, &entry.pending, room, limit, fresh)?;
                let piece = write_fragment(message, range.clone(), payload)?;
                entry.pending.remove(if range.is_empty() { entry.content.extent() } else { range });
                Some(piece)
            }
        }
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

/// One message of the flight and what of it is to be sent.
struct Entry {
    content: Content,
    pending: Ranges,
}

enum Content {
    Message(Message),
    ChangeCipherSpec(Epoch),
}

impl Entry {
    fn new(content: Content) -> Self {
        let mut pending = Ranges::new();
        pending.insert(content.extent());
        Self { content, pending }
    }
}

impl Content {
    fn epoch(&self) -> Epoch {
        match self {
            Self::Message(message) => message.epoch,
            Self::ChangeCipherSpec(epoch) => *epoch,
        }
    }

    /// The range that stands for all of it. What has no body counts as one byte, so that it can be
    /// pending too.
    fn extent(&self) -> Range<u32> {
        match self {
            Self::Message(message) => 0..body_len(message).max(1),
            Self::ChangeCipherSpec(_) => 0..1,
        }
    }
}

fn body_len(message: &Message) -> u32 {
    u32::try_from(message.body().len()).expect("its header counts it in 24 bits")
}

/// Which bytes of the body to send next, if it is worth sending them here.
fn next_fragment(
    message: &Message,
    pending: &Ranges,
    room: usize,
    limit: usize,
    fresh: Fresh,
) -> Option<Range<u32>> {
    let length = body_len(message);
    let first = pending.first()?;
    let wanted = first.start.min(length)..first.end.min(length);
    let fits = room.min(limit).checked_sub(HandshakeHeader::LEN)?;
    let allowed = limit.saturating_sub(HandshakeHeader::LEN);
    let worthwhile = match fresh {
        Fresh::Yes => wanted.len().min(1),
        Fresh::No => wanted.len().min(WORTHWHILE).min(allowed),
    };
    if fits < worthwhile {
        return None;
    }
    let len = u32::try_from(wanted.len().min(fits)).unwrap_or(u32::MAX);
    if len == 0 && !wanted.is_empty() {
        return None;
    }
    Some(wanted.start..wanted.start.saturating_add(len))
}

fn write_fragment(message: &Message, range: Range<u32>, payload: &mut Vec<u8>) -> Option<Piece> {
    let body = message.body().get(range.start as usize..range.end as usize)?;
    let header = HandshakeHeader {
        msg_type: message.msg_type(),
        length: body_len(message),
        message_seq: message.message_seq(),
        fragment_offset: range.start,
        fragment_length: range.end - range.start,
    };
    header.write(&mut Writer::new(payload));
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
