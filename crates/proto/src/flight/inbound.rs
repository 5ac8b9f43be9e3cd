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
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use gramseal_wire::{Epoch, Fragment, HandshakeHeader, HandshakeType, MessageSeq};
    use proptest::prelude::*;

    use super::{Inbound, InboundLimits, Inserted};
    use crate::discard::{Discard, DiscardCounts};
    use crate::message::Message;

    const PLAIN: Epoch = Epoch::UNPROTECTED;
    const SEALED: Epoch = Epoch(1);
    const TYPE: HandshakeType = HandshakeType::CERTIFICATE;

    fn inbound() -> Inbound {
        Inbound::new(MessageSeq(0), InboundLimits::default())
    }

    fn insert(inbound: &mut Inbound, epoch: Epoch, fragment: Fragment<'_>) -> Result<Inserted, Discard> {
        inbound.insert(epoch, fragment, &mut DiscardCounts::default())
    }

    fn fragment(seq: u16, length: u32, offset: u32, body: &[u8]) -> Fragment<'_> {
        Fragment { msg_type: TYPE, length, message_seq: MessageSeq(seq), fragment_offset: offset, body }
    }

    fn message(epoch: Epoch, seq: u16, body: &[u8]) -> Message {
        let length = u32::try_from(body.len()).expect("short");
        let header = HandshakeHeader::whole(TYPE, length, MessageSeq(seq)).to_bytes();
        Message::new(epoch, [&header[..], body].concat()).expect("a message")
    }

    fn body(len: usize) -> Vec<u8> {
        (0u8..251).cycle().take(len).collect()
    }

    #[test]
    fn a_whole_message_is_taken_at_once_if_nothing_else_is_kept() {
        let whole = body(40);
        let due = fragment(0, 40, 0, &whole);
        let (mut kept, mut sealed) = (inbound(), inbound());
        insert(&mut kept, PLAIN, fragment(1, 40, 0, &whole)).expect("it is kept");
        sealed.expect_epoch(SEALED, &mut DiscardCounts::default());
        let short = Inbound::new(MessageSeq(0), InboundLimits { max_message_len: 39, ..InboundLimits::default() });
        assert!([kept, sealed, short].iter_mut().all(|inbound| inbound.take_whole(PLAIN, &due).is_none()));
        let mut inbound = inbound();
        for other in [fragment(1, 40, 0, &whole), fragment(0, 41, 0, &whole), fragment(0, 41, 1, &whole)] {
            assert_eq!(inbound.take_whole(PLAIN, &other), None);
        }
        assert_eq!(inbound.take_whole(PLAIN, &due), Some(message(PLAIN, 0, &whole)));
        assert_eq!(inbound.take_whole(PLAIN, &due), None, "once");
        assert_eq!(inbound.take_whole(PLAIN, &fragment(1, 0, 0, &[])), Some(message(PLAIN, 1, &[])));
    }

    #[test] // RFC 6347 §4.2.2
    fn messages_come_out_in_order_whatever_order_they_came_in() {
        let mut inbound = inbound();
        assert_eq!(insert(&mut inbound, PLAIN, fragment(2, 1, 0, b"c")), Ok(Inserted::Stored));
        assert_eq!(insert(&mut inbound, PLAIN, fragment(1, 0, 0, b"")), Ok(Inserted::Stored));
        assert_eq!(inbound.next(), None);
        assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 1, 0, b"a")), Ok(Inserted::Stored));
        assert_eq!(inbound.next(), Some(message(PLAIN, 0, b"a")));
        assert_eq!(inbound.next(), Some(message(PLAIN, 1, b"")));
        assert_eq!(inbound.next(), Some(message(PLAIN, 2, b"c")));
        assert_eq!((inbound.next(), inbound.is_empty(), inbound.buffered()), (None, true, 0));
    }

    #[test] // RFC 6347 §4.2.3
    fn of_bytes_that_overlap_the_first_copy_counts() {
        let mut inbound = inbound();
        assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 6, 2, b"CD")), Ok(Inserted::Stored));
        assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 6, 2, b"xy")), Ok(Inserted::AlreadyHad));
        assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 6, 1, b"bxyef")), Ok(Inserted::Stored));
        assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 6, 0, b"aaaaaa")), Ok(Inserted::Stored));
        assert_eq!(inbound.next(), Some(message(PLAIN, 0, b"abCDef")));
    }

    #[test] // RFC 9147 §7.1
    fn a_fragment_continues_what_has_begun_in_its_epoch_alone() {
        let mut inbound = inbound();
        insert(&mut inbound, SEALED, fragment(0, 6, 0, b"abc")).expect("stored");
        let continues =
            |inbound: &Inbound, epoch, seq, offset| inbound.continues(epoch, &fragment(seq, 6, offset, b"d"));
        assert!(continues(&inbound, SEALED, 0, 3) && continues(&inbound, SEALED, 0, 1));
        assert!(!continues(&inbound, SEALED, 0, 4), "a gap");
        assert!(!continues(&inbound, PLAIN, 0, 3), "nothing of it came without protection");
        assert!(!continues(&inbound, SEALED, 1, 0), "another message is due");
    }

    #[test]
    fn another_message_can_become_due() {
        let mut inbound = inbound();
        assert!(!inbound.is_too_far_ahead(MessageSeq(6)) && inbound.is_too_far_ahead(MessageSeq(7)));
        inbound.start_at(MessageSeq(5));
        assert!(!inbound.is_too_far_ahead(MessageSeq(7)) && !inbound.is_too_far_ahead(MessageSeq(4)));
        insert(&mut inbound, PLAIN, fragment(5, 1, 0, b"x")).expect("stored");
        assert_eq!(inbound.next(), Some(message(PLAIN, 5, b"x")));
    }

    #[test]
    fn what_keys_cut_off_is_counted_and_nothing_else() {
        let mut inbound = inbound();
        let mut counts = DiscardCounts::default();
        insert(&mut inbound, PLAIN, fragment(0, 2, 0, b"a")).expect("stored");
        insert(&mut inbound, SEALED, fragment(1, 2, 0, b"b")).expect("stored");
        insert(&mut inbound, SEALED, fragment(2, 2, 0, b"c")).expect("stored");
        inbound.expect_epoch(SEALED, &mut counts);
        assert_eq!(counts.get(Discard::UnexpectedContent), 1);
    }

    #[test]
    fn a_fragment_without_bytes_leaves_no_trace() {
        let mut inbound = inbound();
        assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 6, 3, b"")), Ok(Inserted::AlreadyHad));
        assert!(inbound.is_empty());
    }

    #[test]
    fn a_repeated_message_is_old_and_its_end_is_told() {
        let mut inbound = inbound();
        insert(&mut inbound, PLAIN, fragment(0, 4, 0, b"abcd")).expect("stored");
        inbound.next().expect("whole");
        let old = |last_fragment| Ok(Inserted::Old { msg_type: TYPE, message_seq: MessageSeq(0), last_fragment });
        assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 4, 0, b"ab")), old(false));
        assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 4, 2, b"cd")), old(true));
    }

    #[test]
    fn only_a_few_messages_ahead_are_taken() {
        let mut inbound = inbound();
        assert_eq!(insert(&mut inbound, PLAIN, fragment(6, 1, 0, b"x")), Ok(Inserted::Stored));
        assert_eq!(insert(&mut inbound, PLAIN, fragment(7, 1, 0, b"x")), Err(Discard::FragmentTooFarAhead));
        assert_eq!(insert(&mut inbound, PLAIN, fragment(u16::MAX, 1, 0, b"x")), Err(Discard::FragmentTooFarAhead));
    }

    #[test]
    fn message_numbers_do_not_wrap() {
        let mut inbound = Inbound::new(MessageSeq(u16::MAX), InboundLimits::default());
        insert(&mut inbound, SEALED, fragment(u16::MAX, 1, 0, b"x")).expect("stored");
        assert!(inbound.next().is_some());
        assert_eq!((inbound.next(), inbound.next_seq()), (None, None));
        assert!(matches!(insert(&mut inbound, SEALED, fragment(0, 1, 0, b"x")), Ok(Inserted::Old { .. })));
    }

    #[test]
    fn what_cannot_be_a_fragment_is_dropped() {
        let mut inbound = inbound();
        assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 4, 2, b"cde")), Err(Discard::Malformed));
        assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 4, u32::MAX, b"cde")), Err(Discard::Malformed));
        assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 65_537, 0, b"x")), Err(Discard::MessageTooLong));
        assert!(inbound.is_empty());
    }

    #[test]
    fn one_forged_fragment_does_not_block_a_message() {
        let mut inbound = inbound();
        let forged = Fragment { msg_type: HandshakeType::FINISHED, ..fragment(0, 60_000, 0, b"junk") };
        assert_eq!(insert(&mut inbound, PLAIN, forged), Ok(Inserted::Stored));
        assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 4, 0, b"ab")), Ok(Inserted::Stored));
        assert_eq!(inbound.next(), None);
        assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 4, 2, b"cd")), Ok(Inserted::Stored));
        assert_eq!(inbound.next(), Some(message(PLAIN, 0, b"abcd")));
        assert!(inbound.is_empty(), "the forged version is forgotten with its message");
    }

    #[test]
    fn many_forged_fragments_do_not_block_a_message_in_one_piece() {
        let (mut inbound, mut counts) = (inbound(), DiscardCounts::default());
        for length in 10..100 {
            assert_eq!(inbound.insert(PLAIN, fragment(0, length, 0, b"junk"), &mut counts), Ok(Inserted::Stored));
        }
        assert_eq!(inbound.partials.len(), 2);
        inbound.insert(PLAIN, fragment(0, 4, 0, b"abcd"), &mut counts).expect("stored");
        assert_eq!(inbound.next(), Some(message(PLAIN, 0, b"abcd")));
        assert_eq!(counts.get(Discard::FragmentMismatch), 90, "91 versions, of which one counts");
    }

    #[test]
    fn a_forged_version_that_uses_up_the_room_keeps_no_message_out() {
        for pieces in [1, 2, 8] {
            let (mut inbound, mut counts) = (inbound(), DiscardCounts::default());
            // Every other byte of a long message, until there is no room for more.
            let mut sparse = (0..60_000).step_by(2);
            let full = sparse.find(|&offset| insert(&mut inbound, PLAIN, fragment(0, 60_000, offset, b"x")).is_err());
            assert!(full.is_some());
            let body = body(4000);
            for (offset, part) in (0..).step_by(4000 / pieces).zip(body.chunks(4000 / pieces)) {
                let stored = inbound.insert(PLAIN, fragment(0, 4000, offset, part), &mut counts);
                assert_eq!(stored, Ok(Inserted::Stored), "{pieces}");
            }
            assert_eq!(inbound.next(), Some(message(PLAIN, 0, &body)));
            assert_eq!((counts.get(Discard::FragmentMismatch), counts.total()), (1, 1));
        }
    }

    #[test]
    fn the_version_without_news_gives_way() {
        let mut inbound = inbound();
        for (length, body) in [(4, b"ab"), (50, b"ju"), (4, b"ab"), (60, b"ju")] {
            insert(&mut inbound, PLAIN, fragment(0, length, 0, body)).expect("stored or there");
        }
        let lengths: Vec<_> = inbound.partials.iter().map(|partial| partial.version.length).collect();
        assert_eq!(lengths, [4, 60]);
        insert(&mut inbound, PLAIN, fragment(0, 4, 2, b"cd")).expect("stored");
        assert_eq!(inbound.next(), Some(message(PLAIN, 0, b"abcd")));
    }

    #[test]
    fn a_protected_message_displaces_what_anybody_could_have_sent() {
        let (mut inbound, mut counts) = (inbound(), DiscardCounts::default());
        for length in [4, 5] {
            inbound.insert(PLAIN, fragment(0, length, 0, b"junk"), &mut counts).expect("stored");
        }
        assert_eq!(inbound.insert(SEALED, fragment(0, 4, 0, b"good"), &mut counts), Ok(Inserted::Stored));
        assert_eq!(inbound.insert(PLAIN, fragment(0, 4, 0, b"junk"), &mut counts), Err(Discard::FragmentMismatch));
        assert_eq!(inbound.next(), Some(message(SEALED, 0, b"good")));
        assert_eq!(counts.total(), 2, "what came too late is for the caller to count");
    }

    #[test]
    fn a_protected_message_that_changes_is_refused_and_the_first_version_stands() {
        let mut inbound = inbound();
        insert(&mut inbound, SEALED, fragment(0, 4, 0, b"go")).expect("stored");
        let other_type = Fragment { msg_type: HandshakeType::FINISHED, ..fragment(0, 4, 0, b"xx") };
        assert_eq!(insert(&mut inbound, SEALED, other_type), Err(Discard::FragmentMismatch));
        assert_eq!(insert(&mut inbound, SEALED, fragment(0, 5, 0, b"xx")), Err(Discard::FragmentMismatch));
        assert_eq!(insert(&mut inbound, SEALED, fragment(0, 4, 2, b"od")), Ok(Inserted::Stored));
        assert_eq!(inbound.next(), Some(message(SEALED, 0, b"good")));
    }

    #[test]
    fn after_a_key_change_nothing_from_before_becomes_due() {
        let mut inbound = inbound();
        insert(&mut inbound, PLAIN, fragment(0, 1, 0, b"x")).expect("stored");
        inbound.expect_epoch(SEALED, &mut DiscardCounts::default());
        assert_eq!(inbound.next(), None);
        assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 1, 0, b"x")), Err(Discard::UnexpectedContent));
        insert(&mut inbound, SEALED, fragment(0, 1, 0, b"y")).expect("stored");
        assert_eq!(inbound.next(), Some(message(SEALED, 0, b"y")));
        assert!(matches!(insert(&mut inbound, PLAIN, fragment(0, 1, 0, b"x")), Ok(Inserted::Old { .. })));
    }

    #[test]
    fn claimed_lengths_cost_nothing() {
        let mut inbound = inbound();
        for seq in 0..7 {
            insert(&mut inbound, PLAIN, fragment(seq, 65_536, 65_535, b"x")).expect("stored");
        }
        assert!(inbound.buffered() < 7 * 400, "{}", inbound.buffered());
        assert!(inbound.partials.iter().all(|partial| partial.bytes.capacity() < 64));
    }

    #[test] // RFC 9147 §7.2
    fn nothing_that_was_kept_is_displaced_by_messages_that_are_not_longer_than_allowed() {
        let limits = InboundLimits { max_message_len: 3000, max_ahead: 4000, ..InboundLimits::default() };
        let (mut inbound, mut counts) = (Inbound::new(MessageSeq(0), limits), DiscardCounts::default());
        inbound.insert(SEALED, fragment(5, 3000, 0, &body(2999)), &mut counts).expect("room");
        assert_eq!(
            inbound.insert(SEALED, fragment(6, 1500, 0, &body(1500)), &mut counts),
            Err(Discard::ReassemblyFull)
        );
        assert_eq!(
            inbound.insert(SEALED, fragment(1, 1500, 0, &body(1500)), &mut counts),
            Err(Discard::ReassemblyFull)
        );
        for (seq, len) in [(0, 3000), (1, 3000), (2, 3000)] {
            let whole = body(len);
            for (offset, part) in (0..).step_by(20).zip(whole.chunks(20)) {
                let stored = inbound.insert(SEALED, fragment(seq, 3000, offset, part), &mut counts);
                assert_eq!(stored, Ok(Inserted::Stored), "{seq}, {offset}");
            }
            assert_eq!(inbound.next(), Some(message(SEALED, seq, &whole)));
        }
        let held: Vec<_> = inbound.partials.iter().map(|partial| partial.version.message_seq.0).collect();
        assert_eq!((held, counts.total()), (vec![5], 0));
    }

    #[test]
    fn what_comes_in_more_pieces_than_anybody_sends_displaces_the_messages_furthest_ahead() {
        let limits = InboundLimits { max_message_len: 4000, max_ahead: 6500, ..InboundLimits::default() };
        let (mut inbound, mut counts) = (Inbound::new(MessageSeq(0), limits), DiscardCounts::default());
        for seq in 1..=6 {
            inbound.insert(PLAIN, fragment(seq, 700, 0, &body(699)), &mut counts).expect("room");
        }
        for offset in (0..800).step_by(2) {
            let stored = inbound.insert(PLAIN, fragment(0, 4000, offset, b"x"), &mut counts);
            assert_eq!(stored, Ok(Inserted::Stored), "{offset}");
        }
        let held: Vec<_> = inbound.partials.iter().map(|partial| partial.version.message_seq.0).collect();
        assert!(held.len() > 1 && held.len() < 7 && held.contains(&1), "{held:?}");
        assert_eq!(counts.get(Discard::ReassemblyFull) as usize, 7 - held.len());
        assert!(inbound.buffered() <= inbound.max_buffered());
    }

    #[test]
    fn the_longest_message_fits_under_any_limit() {
        let limits = InboundLimits { max_message_len: 20_000, max_pieces: 20, max_ahead: 0, ahead: 1 };
        let mut inbound = Inbound::new(MessageSeq(0), limits);
        let body = body(20_000);
        for (index, part) in body.chunks(1000).enumerate() {
            let offset = u32::try_from(index * 1000).expect("small");
            assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 20_000, offset, part)), Ok(Inserted::Stored));
        }
        assert_eq!(inbound.next(), Some(message(PLAIN, 0, &body)));
    }

    #[test]
    fn single_bytes_in_reverse_still_make_a_certificate() {
        let body = body(4000);
        let mut inbound = inbound();
        for offset in (0..4000u32).rev() {
            let byte = &body[offset as usize..=offset as usize];
            assert_eq!(insert(&mut inbound, PLAIN, fragment(0, 4000, offset, byte)), Ok(Inserted::Stored));
        }
        assert_eq!(inbound.next(), Some(message(PLAIN, 0, &body)));
    }

    #[test]
    fn every_other_byte_fills_the_bound_and_no_more() {
        let mut inbound = inbound();
        let sparse = (0..65_536).step_by(2);
        let stored =
            sparse.filter(|offset| insert(&mut inbound, PLAIN, fragment(0, 65_536, *offset, b"x")).is_ok()).count();
        assert!(stored > 2000, "{stored}");
        assert!(inbound.buffered() <= inbound.max_buffered());
    }

    /// A message's body and fragments of it: several complete sets cut at random places, in random
    /// order.
    fn split_message() -> impl Strategy<Value = (Vec<u8>, Vec<(usize, usize)>)> {
        (0usize..300).prop_flat_map(|len| {
            let cuts = prop::collection::vec(prop::collection::vec(0..=len, 0..6), 1..4);
            let fragments = cuts.prop_map(move |sets| {
                let cut = |mut set: Vec<usize>| {
                    set.extend([0, len]);
                    set.sort_unstable();
                    set.windows(2).map(|pair| (pair[0], pair[1])).collect::<Vec<_>>()
                };
                sets.into_iter().flat_map(cut).collect::<Vec<_>>()
            });
            (Just(body(len)), fragments.prop_shuffle())
        })
    }

    proptest! {
        #[test] // RFC 6347 §4.2.3
        fn any_split_order_duplication_and_overlap_gives_the_message(
            (body, fragments) in split_message(),
            lost in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let length = u32::try_from(body.len()).expect("short");
            let lost = lost.map(|index| index.index(body.len().max(1)));
            let mut inbound = inbound();
            let mut delivered = Vec::new();
            for (start, end) in fragments {
                // A byte that never arrives: then nothing may come out.
                if lost.is_some_and(|lost| (start..end).contains(&lost)) {
                    continue;
                }
                let offset = u32::try_from(start).expect("short");
                prop_assert!(insert(&mut inbound, PLAIN, fragment(0, length, offset, &body[start..end])).is_ok());
                delivered.extend(inbound.next());
            }
            if lost.is_some() && !body.is_empty() {
                prop_assert_eq!(delivered, vec![]);
            } else {
                prop_assert_eq!(delivered, vec![message(PLAIN, 0, &body)]);
                prop_assert!(inbound.is_empty());
            }
        }

        #[test]
        fn hostile_fragments_stay_within_the_bound(
            fragments in prop::collection::vec((0u16..9, 0u64..3, 0u32..3000, 0u32..2500, 0usize..400), 0..200),
        ) {
            let limits = InboundLimits { max_message_len: 2000, max_ahead: 3000, ..InboundLimits::default() };
            let mut inbound = Inbound::new(MessageSeq(0), limits);
            let mut received = 0;
            for (seq, epoch, length, offset, len) in fragments {
                let body = body(len);
                let result = insert(&mut inbound, Epoch(epoch), fragment(seq, length, offset, &body));
                received += usize::from(result.is_ok()) * (HandshakeHeader::LEN + len);
                prop_assert!(inbound.buffered() <= inbound.max_buffered());
                prop_assert!(inbound.buffered() <= 30 * received, "{} for {}", inbound.buffered(), received);
                prop_assert!(inbound.allocated() <= 2 * inbound.buffered());
            }
        }
    }
}
