//! One handshake message of which some bytes have arrived.
//!
//! It knows neither order nor limits; `inbound.rs` does. RFC 6347 §4.2.3, RFC 9147 §5.5.

use alloc::vec::Vec;
use core::ops::Range;

use gramseal_wire::{Epoch, HandshakeHeader, HandshakeType, MessageSeq};

use super::ranges::Ranges;
use super::work;
use crate::message::Message;

// What is charged beside the bytes themselves, in bytes; from the sizes of the structures and
// rounded up.
const PARTIAL_CHARGE: usize = 256;
const PIECE_CHARGE: usize = 16;
const RANGE_CHARGE: usize = 40;

/// What all fragments of one message agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) message_seq: MessageSeq,
    pub(super) epoch: Epoch,
    pub(super) msg_type: HandshakeType,
    pub(super) length: u32,
}

/// A message of which some bytes have arrived.
///
/// The bytes lie in the order of arrival and are put in place once, when the message is whole.
pub(super) struct Partial {
    pub(super) version: Version,
    /// Which bytes of the body are there.
    have: Ranges,
    /// How many bytes of the body came in order.
    in_order: u32,
    /// Where in the body the bytes after those belong, in the order of arrival.
    pieces: Vec<Range<u32>>,
    /// Header of the whole message, the bytes that came in order, then the pieces: without pieces, the
    /// message itself.
    pub(super) bytes: Vec<u8>,
}

impl Partial {
    /// Nothing yet of a message, with room for its first `expected` bytes.
    pub(super) fn new(version: Version, expected: usize) -> Self {
        let header = HandshakeHeader::whole(version.msg_type, version.length, version.message_seq);
        let mut bytes = Vec::with_capacity(HandshakeHeader::LEN + expected);
        bytes.extend_from_slice(&header.to_bytes());
        Self { version, have: Ranges::new(), in_order: 0, pieces: Vec::new(), bytes }
    }

    /// The most that `len` bytes of one message in `pieces` pieces are charged.
    pub(super) const fn max_charge(len: usize, pieces: usize) -> usize {
        let bookkeeping = PARTIAL_CHARGE + HandshakeHeader::LEN + pieces * (PIECE_CHARGE + RANGE_CHARGE);
        bookkeeping.saturating_add(len)
    }

    /// Bytes held, bookkeeping included.
    pub(super) fn charge(&self) -> usize {
        PARTIAL_CHARGE + self.bytes.len() + self.pieces.len() * PIECE_CHARGE + self.have.count() * RANGE_CHARGE
    }

    /// Bytes allocated, beside the structure itself: nodes of the tree of ranges are at least half full, and
    /// so take less than is charged for the ranges.
    #[cfg(test)]
    pub(super) fn allocated(&self) -> usize {
        let pieces = self.pieces.capacity() * size_of::<Range<u32>>();
        self.bytes.capacity() + pieces + self.have.count() * RANGE_CHARGE
    }

    /// What adding `range` could cost at most; 0 if it brings nothing new.
    pub(super) fn cost_of(&self, range: Range<u32>) -> usize {
        let (gaps, bytes) = self.have.missing(range).fold((0, 0), |(gaps, bytes), gap| (gaps + 1, bytes + gap.len()));
        if gaps == 0 { 0 } else { bytes + gaps * PIECE_CHARGE + RANGE_CHARGE }
    }

    /// Takes over those bytes of `body`, which belong at `range`, that are not there yet.
    pub(super) fn add(&mut self, range: Range<u32>, body: &[u8]) {
        let Self { have, in_order, pieces, bytes, .. } = self;
        for gap in have.missing(range.clone()) {
            let new = (gap.start - range.start) as usize..(gap.end - range.start) as usize;
            work::copy(new.len());
            bytes.extend_from_slice(body.get(new).unwrap_or_default());
            match pieces.last_mut() {
                None if gap.start == *in_order => *in_order = gap.end,
                Some(last) if last.end == gap.start => last.end = gap.end,
                _ => pieces.push(gap),
            }
        }
        have.insert(range);
    }

    /// How many bytes there are before the first gap.
    pub(super) fn prefix_len(&self) -> u32 {
        self.have.first().filter(|first| first.start == 0).map_or(0, |first| first.end)
    }

    /// Whether every byte is there.
    pub(super) fn is_whole(&self) -> bool {
        self.have.contains(0..self.version.length)
    }

    /// The message, once it is whole.
    pub(super) fn into_message(mut self) -> Message {
        if !self.pieces.is_empty() {
            self.put_in_place();
        }
        Message::new(self.version.epoch, self.bytes).expect("a whole message with the header of a whole message")
    }

    fn put_in_place(&mut self) {
        work::copy(self.bytes.len());
        let mut whole = Vec::with_capacity(self.bytes.len());
        let in_place = HandshakeHeader::LEN + self.in_order as usize;
        let (front, mut rest) = self.bytes.split_at(in_place.min(self.bytes.len()));
        whole.extend_from_slice(front);
        whole.resize(self.bytes.len(), 0);
        for piece in &self.pieces {
            let (from, after) = rest.split_at(piece.len().min(rest.len()));
            rest = after;
            let at = HandshakeHeader::LEN + piece.start as usize;
            if let Some(to) = whole.get_mut(at..at + from.len()) {
                to.copy_from_slice(from);
            }
        }
        self.bytes = whole;
    }
}
