//! Fragments in, whole messages out, in the order of `message_seq`.
//!
//! RFC 6347 §4.2.2 and §4.2.3, RFC 9147 §5.2 and §5.5. Fragments may come in any order, any number
//! of times, overlapping and cut at other boundaries each time. Of a byte that arrives more than
//! once the first copy counts.
//!
//! Bounds against hostile fragments (`n` is the number of bytes received):
//! - Memory: what is kept follows the bytes that arrived, never the length that a header claims. It
//!   is charged, bookkeeping included; real memory is at most about twice the charge because vectors
//!   double. What finds no room is dropped.
//! - The message that is due always finds room for the greatest length, and messages further ahead
//!   share [`InboundLimits::max_ahead`]. None of these displaces another, since a peer may have been
//!   told that they came, and then never sends them again (RFC 9147 §7.2). Only versions of the message
//!   that is due which exceed its room displace later messages.
//! - Time: O(n log n) for all fragments together, whatever their pattern. A fragment costs one look
//!   per gap that it spans, of which there are at most half as many as it has bytes.
//!
//! Before keys exist anybody can send a fragment that claims another length or type for the message
//! that is due. If the first one seen stood alone, one datagram would end the handshake. So two
//! versions of an unprotected message are put together side by side, and the one that is whole
//! first is delivered. A third displaces the one that has gone longest without a fragment, and one that
//! finds no room beside the other displaces that: whoever wants to keep a message out has to flood, and
//! cannot keep out one that comes in one piece. A protected version displaces the unprotected ones; of protected
//! ones the first stands.

use alloc::vec::Vec;
use core::ops::Range;

use gramseal_wire::{Epoch, Fragment, HandshakeHeader, HandshakeType, MessageSeq};

use super::partial::{Partial, Version};
use crate::discard::{Discard, DiscardCounts};
use crate::message::Message;

/// How many versions of one unprotected message are kept.
const MAX_VERSIONS: usize = 2;
/// What reassembly may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InboundLimits {
    /// The longest message, in bytes without its header.
    pub(crate) max_message_len: u32,
    /// In how many pieces the longest message fits, whatever their order; the room for their bookkeeping
    /// is charged to the message that is due.
    pub(crate) max_pieces: usize,
    /// The most bytes held of messages after the one that is due, with bookkeeping.
    pub(crate) max_ahead: usize,
    /// How many messages are accepted, counted from the next one due.
    pub(crate) ahead: u16,
}

impl Default for InboundLimits {
    fn default() -> Self {
        // 64 KB in datagrams of 256 bytes.
        Self { max_message_len: 65_536, max_pieces: 256, max_ahead: 65_536, ahead: 7 }
    }
}

/// What became of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// It brought something new, which is kept.
    Stored,
    /// Everything in it is there already.
    AlreadyHad,
    /// Its message was delivered before: the peer repeats a flight.
    Old {
        /// Type of the message, as the fragment claims.
        msg_type: HandshakeType,
        /// Which message.
        message_seq: MessageSeq,
        /// Whether this is the end of the message, so that a message in several fragments counts
        /// once.
        last_fragment: bool,
    },
}

/// Puts the peer's handshake messages together.
pub(crate) struct Inbound {
    /// `None` once message 65535 is delivered: the number does not wrap.
    next: Option<MessageSeq>,
    limits: InboundLimits,
    lowest_epoch: Epoch,
    /// The one that a fragment came for last is at the end; at most `MAX_VERSIONS` times `ahead`.
    partials: Vec<Partial>,
}

impl Inbound {
    /// Waits for message `next`; allocates nothing.
    pub(crate) fn new(next: MessageSeq, limits: InboundLimits) -> Self {
        Self { next: Some(next), limits, lowest_epoch: Epoch::UNPROTECTED, partials: Vec::new() }
    }

    /// The message that `fragment` is, if it is due and nothing has to be put together for it: it came whole, and
    /// nothing else is kept. That is how most messages come. If not, [`Self::insert`] says what becomes of it.
    pub(crate) fn take_whole(&mut self, epoch: Epoch, fragment: &Fragment<'_>) -> Option<Message> {
        let due = self.next.filter(|due| *due == fragment.message_seq)?;
        let is_alone = fragment.is_whole() && self.partials.is_empty();
        if !is_alone || fragment.length > self.limits.max_message_len || epoch < self.lowest_epoch {
            return None;
        }
        let mut bytes = Vec::with_capacity(HandshakeHeader::LEN + fragment.body.len());
        bytes.extend_from_slice(&fragment.header().to_bytes());
        bytes.extend_from_slice(fragment.body);
        let message = Message::new(epoch, bytes).ok()?;
        self.next = due.next();
        Some(message)
    }

    /// Takes in one fragment that arrived in a record of `epoch`. Then call [`Self::next`] until
    /// it has nothing more. What had begun to arrive and gives way to it goes into `counts`; why the
    /// fragment itself is not taken does not.
    pub(crate) fn insert(
        &mut self,
        epoch: Epoch,
        fragment: Fragment<'_>,
        counts: &mut DiscardCounts,
    ) -> Result<Inserted, Discard> {
        let range = fragment_range(&fragment)?;
        let Some(ahead) = self.next.and_then(|next| fragment.message_seq.checked_sub(next)) else {
            return Ok(Inserted::Old {
                msg_type: fragment.msg_type,
                message_seq: fragment.message_seq,
                last_fragment: range.end == fragment.length,
            });
        };
        if ahead >= self.limits.ahead {
            return Err(Discard::FragmentTooFarAhead);
        }
        if fragment.length > self.limits.max_message_len {
            return Err(Discard::MessageTooLong);
        }
        if epoch < self.lowest_epoch {
            return Err(Discard::UnexpectedContent);
        }
        if range.is_empty() && fragment.length > 0 {
            return Ok(Inserted::AlreadyHad);
        }
        let version =
            Version { message_seq: fragment.message_seq, epoch, msg_type: fragment.msg_type, length: fragment.length };
        self.store(version, range, fragment.body, counts)
    }

    /// Whether `fragment` brings the next bytes of the message that is due, or some from before them:
    /// whether nothing is missing as far as it tells (RFC 9147 §7.1).
    pub(crate) fn continues(&self, epoch: Epoch, fragment: &Fragment<'_>) -> bool {
        if self.next.is_none_or(|next| fragment.message_seq > next) {
            return false;
        }
        let begun =
            |partial: &&Partial| partial.version.message_seq == fragment.message_seq && partial.version.epoch == epoch;
        fragment.fragment_offset <= self.partials.iter().filter(begun).map(Partial::prefix_len).max().unwrap_or(0)
    }

    /// The next message, if it is whole.
    pub(crate) fn next(&mut self) -> Option<Message> {
        let due = self.next?;
        let whole = |partial: &Partial| partial.version.message_seq == due && partial.is_whole();
        let index = self.partials.iter().position(whole)?;
        let partial = self.partials.remove(index);
        self.partials.retain(|other| other.version.message_seq > due);
        if self.partials.is_empty() {
            self.partials.shrink_to(1);
        }
        self.next = due.next();
        Some(partial.into_message())
    }

    /// Makes `message_seq` the message that is due, whatever was due before. What is kept stays.
    pub(crate) fn start_at(&mut self, message_seq: MessageSeq) {
        self.next = Some(message_seq);
    }

    /// From now on the longest message has `longest` bytes. There is no more room for messages after the one that is due.
    pub(crate) fn set_longest(&mut self, longest: u32) {
        self.limits.max_message_len = longest;
    }

    /// Forgets the versions of messages that have another length.
    pub(crate) fn retain_length(&mut self, length: u32) {
        self.partials.retain(|partial| partial.version.length == length);
    }

    /// Whether `message_seq` comes before the message that is due.
    pub(crate) fn is_old(&self, message_seq: MessageSeq) -> bool {
        self.next.is_none_or(|next| message_seq < next)
    }

    /// Whether `message_seq` comes so long after the message that is due that nothing of it is kept.
    pub(crate) fn is_too_far_ahead(&self, message_seq: MessageSeq) -> bool {
        let ahead = self.next.and_then(|next| message_seq.checked_sub(next));
        ahead.is_some_and(|ahead| ahead >= self.limits.ahead)
    }

    /// Whether `message_seq` is the message delivered last.
    pub(crate) fn is_latest(&self, message_seq: MessageSeq) -> bool {
        message_seq.next() == self.next
    }

    /// The message that is due next; `None` when the numbers are used up.
    pub(crate) fn next_seq(&self) -> Option<MessageSeq> {
        self.next
    }

    /// From now on only messages protected with `epoch` or later may become due: whatever was kept
    /// of earlier ones is forgotten, which `counts` says, so that nothing sent before the keys changed passes for
    /// something sent after.
    pub(crate) fn expect_epoch(&mut self, epoch: Epoch, counts: &mut DiscardCounts) {
        self.lowest_epoch = self.lowest_epoch.max(epoch);
        self.partials.retain(|partial| {
            let stays = partial.version.epoch >= epoch;
            if !stays {
                counts.count(Discard::UnexpectedContent);
            }
            stays
        });
    }

    /// No message comes any more: what is kept of one is forgotten. The type of one that is protected, which the peer
    /// must not have sent; of those that anybody can have sent `counts` says how many there were.
    pub(crate) fn finish(&mut self, counts: &mut DiscardCounts) -> Option<HandshakeType> {
        self.expect_epoch(Epoch(1), counts);
        self.partials.drain(..).map(|partial| partial.version.msg_type).next()
    }

    /// Whether no part of a message not yet delivered is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.partials.is_empty()
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(crate) fn allocated(&self) -> usize {
        let slots = self.partials.capacity() * size_of::<Partial>();
        slots + self.partials.iter().map(Partial::allocated).sum::<usize>()
    }

    /// Bytes held, bookkeeping included.
    pub(crate) fn buffered(&self) -> usize {
        self.partials.iter().map(Partial::charge).sum()
    }

    fn store(
        &mut self,
        version: Version,
        range: Range<u32>,
        body: &[u8],
        counts: &mut DiscardCounts,
    ) -> Result<Inserted, Discard> {
        let cost = match self.partials.iter().position(|partial| partial.version == version) {
            Some(index) => {
                // Rotating keeps the others in order.
                self.partials.get_mut(index..).unwrap_or_default().rotate_left(1);
                self.partials.last().map_or(0, |partial| partial.cost_of(range.clone()))
            }
            None => {
                self.admit(version, counts)?;
                Partial::max_charge(body.len(), 1)
            }
        };
        if cost == 0 {
            return Ok(Inserted::AlreadyHad);
        }
        self.make_room(cost, version, counts)?;
        match self.partials.last_mut() {
            Some(partial) if partial.version == version => partial.add(range, body),
            _ => {
                let mut partial = Partial::new(version, body.len());
                partial.add(range, body);
                if self.partials.is_empty() {
                    // Usually there is no other beside it.
                    self.partials.reserve_exact(1);
                }
                self.partials.push(partial);
            }
        }
        Ok(Inserted::Stored)
    }

    /// Whether a new version of a message may stand beside what is kept of the same message, which
    /// may have to give way.
    fn admit(&mut self, new: Version, counts: &mut DiscardCounts) -> Result<(), Discard> {
        let rivals =
            || self.partials.iter().map(|partial| partial.version).filter(|v| v.message_seq == new.message_seq);
        let protected = new.epoch > Epoch::UNPROTECTED;
        if rivals().any(|rival| rival.epoch > new.epoch || (protected && rival.epoch == new.epoch)) {
            return Err(Discard::FragmentMismatch);
        }
        // What is left is all unprotected, or all of an earlier epoch. All but one of the versions will be given up.
        if rivals().next().is_some() {
            counts.count(Discard::FragmentMismatch);
        }
        let keep = if protected { 0 } else { MAX_VERSIONS - 1 };
        let mut surplus = rivals().count().saturating_sub(keep);
        self.partials.retain(|partial| {
            let goes = surplus > 0 && partial.version.message_seq == new.message_seq;
            surplus -= usize::from(goes);
            !goes
        });
        Ok(())
    }

    /// The most bytes held, over all messages and with bookkeeping.
    fn max_buffered(&self) -> usize {
        let due = Partial::max_charge(self.limits.max_message_len as usize, self.limits.max_pieces);
        due.saturating_add(self.limits.max_ahead)
    }

    /// Makes room for `cost` bytes of `version`: what is due may displace its rival and later messages.
    fn make_room(&mut self, cost: usize, version: Version, counts: &mut DiscardCounts) -> Result<(), Discard> {
        let max = self.max_buffered();
        if self.next == Some(version.message_seq) {
            let of_due = |partial: &Partial| partial.version.message_seq == version.message_seq;
            let is_rival = |partial: &Partial| of_due(partial) && partial.version != version;
            let own = self.charge_of(|partial| partial.version == version).saturating_add(cost);
            if own > max {
                return Err(Discard::ReassemblyFull);
            }
            if own.saturating_add(self.charge_of(is_rival)) > max {
                // That one of the two goes was counted when they met.
                self.partials.retain(|partial| !is_rival(partial));
            }
            while self.buffered().saturating_add(cost) > max {
                let later = self.partials.iter().enumerate().filter(|(_, partial)| !of_due(partial));
                let Some((last, _)) = later.max_by_key(|(_, partial)| partial.version.message_seq) else { break };
                self.partials.remove(last);
                counts.count(Discard::ReassemblyFull);
            }
            return Ok(());
        }
        let ahead = self.charge_of(|partial| self.next.is_some_and(|due| partial.version.message_seq > due));
        let room = self.limits.max_ahead.min(max.saturating_sub(self.buffered() - ahead));
        if ahead.saturating_add(cost) > room { Err(Discard::ReassemblyFull) } else { Ok(()) }
    }

    fn charge_of(&self, which: impl Fn(&Partial) -> bool) -> usize {
        self.partials.iter().filter(|partial| which(partial)).map(Partial::charge).sum()
    }
}

fn fragment_range(fragment: &Fragment<'_>) -> Result<Range<u32>, Discard> {
    let len = u32::try_from(fragment.body.len()).map_err(|_| Discard::Malformed)?;
    match fragment.fragment_offset.checked_add(len) {
        Some(end) if end <= fragment.length => Ok(fragment.fragment_offset..end),
        _ => Err(Discard::Malformed),
    }
}

#[cfg(test)]
mod tests;
