//! Our last flight: kept whole, sent in fragments, sent again on demand.
//!
//! RFC 6347 §4.2.3 and §4.2.4, RFC 9147 §5.5 and §5.8. A flight is kept as its messages and, for
//! each, the ranges of its body still to be sent in this transmission, and those that the peer has
//! acknowledged (RFC 9147 §7.2), which are not sent again. Nothing here protects or numbers
//! records; every transmission gets new record numbers from the record layer, and is told here
//! which ones, so that ACKs can be understood, and so that no more are on their way than should be.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

use gramseal_wire::{Epoch, MessageSeq, RecordNumber};

use super::piece::{MAX_PAYLOAD, Piece, Pieces, next_fragment};
use super::ranges::Ranges;
use super::work;
use crate::message::Message;

/// For how many pieces it is remembered in which record they went.
const MAX_SENT: usize = 512;

/// What an ACK said that was not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    /// Nothing.
    Nothing,
    /// Some of the flight arrived.
    Part,
    /// All of it arrived.
    All,
}

/// What to send again after an ACK that lacks some of the flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resend {
    /// What was sent before something that arrived: the rest may be on its way.
    Overtaken,
    /// Whatever is not acknowledged.
    Missing,
}

/// The last flight of this side.
#[derive(Default)]
pub(crate) struct Outbound {
    entries: Vec<Entry>,
    transmission: u32,
    /// What went out in which record, in the order of their numbers.
    sent: Vec<SentPiece>,
}

/// A piece of the flight and the record that carried it.
struct SentPiece {
    number: RecordNumber,
    message_seq: MessageSeq,
    range: Range<u32>,
    /// Neither acknowledged nor taken for lost.
    on_its_way: bool,
    /// An ACK that is being read names the record.
    arrived: bool,
}

impl Outbound {
    /// No flight; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), transmission: 0, sent: Vec::new() }
    }

    /// Begins a new flight and forgets the previous one: the peer has it (RFC 6347 §4.2.4).
    pub(crate) fn begin(&mut self) {
        self.entries.clear();
        self.sent.clear();
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

    /// The messages of the flight.
    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.entries.iter().filter_map(|entry| match &entry.content {
            Content::Message(message) => Some(message),
            Content::ChangeCipherSpec(_) => None,
        })
    }

    /// Everything that was not acknowledged is to be sent once more.
    pub(crate) fn rewind(&mut self) {
        if self.is_acknowledged() {
            return;
        }
        self.repeat(|_| true);
    }

    /// The wait was in vain: what was held back goes out, or everything that was not acknowledged once
    /// more. A peer that acknowledges no part of a flight gets all of it this way too. Without the
    /// unprotected messages it can read nothing of the rest, so these go with each part.
    pub(crate) fn time_out(&mut self, records_at_once: usize) {
        if self.is_full(records_at_once) && self.has_pending() {
            self.repeat(|entry| entry.content.epoch() == Epoch::UNPROTECTED);
        } else {
            self.rewind();
        }
    }

    /// Whether nothing more should be sent before something is known to have arrived, as far as ACKs
    /// can tell, because so many records are on their way (RFC 9147 §5.8.3).
    pub(crate) fn is_full(&self, records_at_once: usize) -> bool {
        // The pieces of one record follow each other.
        let (mut records, mut last) = (0, None);
        for piece in self.sent.iter().filter(|piece| piece.on_its_way) {
            records += usize::from(last != Some(piece.number));
            last = Some(piece.number);
        }
        records >= records_at_once.max(1)
    }

    /// Begins another transmission, of what is pending and of what was not acknowledged of some messages.
    fn repeat(&mut self, which: impl Fn(&Entry) -> bool) {
        self.transmission = self.transmission.saturating_add(1);
        for piece in &mut self.sent {
            piece.on_its_way = false;
        }
        for entry in self.entries.iter_mut().filter(|entry| which(entry)) {
            for gap in entry.acknowledged.missing(entry.content.extent()) {
                entry.pending.insert(gap);
            }
        }
    }

    /// Remembers which record carried `piece`. Of a flight in more pieces than anybody needs, the
    /// latest of each epoch are remembered.
    pub(crate) fn sent(&mut self, piece: &Piece, number: RecordNumber) {
        if self.sent.len() >= MAX_SENT {
            let oldest = self.sent.partition_point(|piece| piece.number.epoch < number.epoch);
            self.sent.remove(if oldest < MAX_SENT { oldest } else { 0 });
        }
        let start = piece.fragment_offset;
        let range = start..start + piece.fragment_length.max(u32::from(piece.message_length == 0));
        let piece = SentPiece { number, message_seq: piece.message_seq, range, on_its_way: true, arrived: false };
        let at = self.sent.partition_point(|piece| piece.number <= number);
        self.sent.insert(at, piece);
    }

    /// The peer has these records (RFC 9147 §7.2). Numbers that we know nothing of say nothing.
    pub(crate) fn acknowledge(&mut self, numbers: impl Iterator<Item = RecordNumber>) -> Acknowledged {
        let Self { entries, sent, .. } = self;
        let mut any = false;
        for number in numbers {
            let at = sent.partition_point(|piece| looked(piece.number) < number);
            // The pieces of one record follow each other.
            let pieces = sent.iter_mut().skip(at).take_while(|piece| piece.number == number);
            for piece in pieces.filter(|piece| !piece.arrived) {
                (piece.arrived, any) = (true, true);
                for entry in entries.iter_mut().filter(|entry| entry.content.is(piece.message_seq)) {
                    entry.acknowledged.insert(piece.range.clone());
                    entry.pending.remove(piece.range.clone());
                }
            }
        }
        if !any {
            return Acknowledged::Nothing;
        }
        // What is known to have arrived need not be looked for again.
        sent.retain(|piece| !piece.arrived);
        if self.is_acknowledged() { Acknowledged::All } else { Acknowledged::Part }
    }

    /// The peer has all of it: nothing is sent again.
    pub(crate) fn acknowledge_all(&mut self) {
        self.begin();
    }

    /// Whether the peer is known to have all of it, or there is nothing to have.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.entries.iter().all(|entry| entry.acknowledged.contains(entry.content.extent()))
    }

    /// Sends again what an ACK lacks, of which `latest` is the highest number. `false` if that is
    /// nothing.
    pub(crate) fn resend(&mut self, what: Resend, latest: RecordNumber) -> bool {
        let lost = self.lost(what, latest);
        let mut any = false;
        let Self { entries, sent, .. } = self;
        for piece in sent.iter_mut().filter(|piece| lost.binary_search(&piece.number).is_ok()) {
            piece.on_its_way = false;
            for entry in entries.iter_mut().filter(|entry| entry.content.is(piece.message_seq)) {
                for gap in entry.acknowledged.missing(piece.range.clone()) {
                    entry.pending.insert(gap);
                    any = true;
                }
            }
        }
        if any {
            self.transmission = self.transmission.saturating_add(1);
        }
        any
    }

    /// The records that an ACK, of which `latest` is the highest number, shows to be lost, in order.
    fn lost(&self, what: Resend, latest: RecordNumber) -> Vec<RecordNumber> {
        if what == Resend::Missing {
            return self.sent.iter().map(|piece| piece.number).collect();
        }
        // What was sent once more after that is on its way again.
        let mut again = BTreeMap::<MessageSeq, Ranges>::new();
        for later in self.sent.iter().rev().take_while(|piece| looked(piece.number) > latest) {
            again.entry(later.message_seq).or_insert_with(Ranges::new).insert(later.range.clone());
        }
        let is_again = |piece: &SentPiece| again.get(&piece.message_seq).is_some_and(|of| of.has_any(&piece.range));
        let overtaken = self.sent.iter().take_while(|piece| looked(piece.number) < latest);
        overtaken.filter(|piece| !is_again(piece)).map(|piece| piece.number).collect()
    }

    /// Whether no flight is kept.
    #[cfg(test)]
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

    /// Adds pieces of the flight to `record` and counts them as sent, until its payload would be longer than `room`
    /// bytes, or what comes next needs a record of its own: see [`Pieces::takes`].
    ///
    /// As long as the sequence of `room` is the same, so are the boundaries of the fragments in every transmission.
    pub(crate) fn fill(&mut self, room: usize, record: &mut Pieces) {
        while let Some(entry) = self.entries.iter_mut().find(|entry| !entry.pending.is_empty()) {
            let left = room.min(MAX_PAYLOAD).saturating_sub(record.payload().len());
            if !record.takes(entry.content.epoch()) {
                return;
            }
            match &entry.content {
                Content::ChangeCipherSpec(_) if left == 0 => return,
                Content::ChangeCipherSpec(epoch) => {
                    record.add_change_cipher_spec(*epoch);
                    entry.pending = Ranges::new();
                }
                Content::Message(message) => {
                    let Some(range) = next_fragment(message, &entry.pending, left) else { return };
                    record.add_fragment(message, range.clone());
                    entry.pending.remove(if range.is_empty() { entry.content.extent() } else { range });
                }
            }
        }
    }
}

/// Counts, in tests, that a piece was looked at.
fn looked(number: RecordNumber) -> RecordNumber {
    work::look();
    number
}

/// A message or ChangeCipherSpec of the flight, what of it is to be sent, and what has arrived.
struct Entry {
    content: Content,
    pending: Ranges,
    acknowledged: Ranges,
}

enum Content {
    Message(Message),
    ChangeCipherSpec(Epoch),
}

impl Entry {
    fn new(content: Content) -> Self {
        let mut pending = Ranges::new();
        pending.insert(content.extent());
        Self { content, pending, acknowledged: Ranges::new() }
    }
}

impl Content {
    fn epoch(&self) -> Epoch {
        match self {
            Self::Message(message) => message.epoch,
            Self::ChangeCipherSpec(epoch) => *epoch,
        }
    }

    /// Whether it is the message with this number.
    fn is(&self, message_seq: MessageSeq) -> bool {
        match self {
            Self::Message(message) => message.message_seq() == message_seq,
            // Only 1.2 has it, and no ACKs.
            Self::ChangeCipherSpec(_) => false,
        }
    }

    /// The range that stands for all of it. What has no body counts as one byte, so that it can be
    /// pending too.
    fn extent(&self) -> Range<u32> {
        match self {
            Self::Message(message) => 0..message.body_len().max(1),
            Self::ChangeCipherSpec(_) => 0..1,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use gramseal_wire::{
        Codec, ContentType, Epoch, Fragment, HandshakeHeader, HandshakeType, MessageSeq, RecordNumber, SequenceNumber,
    };
    use proptest::prelude::*;

    use super::{Acknowledged, MAX_SENT, Outbound, Resend};
    use crate::discard::DiscardCounts;
    use crate::flight::piece::{Piece, Pieces};
    use crate::flight::{Inbound, InboundLimits};
    use crate::message::Message;

    fn message(epoch: u64, seq: u16, len: usize) -> Message {
        let length = u32::try_from(len).expect("short");
        let header = HandshakeHeader::whole(HandshakeType::CERTIFICATE, length, MessageSeq(seq)).to_bytes();
        let body: Vec<u8> = (0u8..251).cycle().take(len).collect();
        Message::new(Epoch(epoch), [&header[..], &body].concat()).expect("a message")
    }

    fn flight(lengths: &[usize]) -> Outbound {
        let mut outbound = Outbound::new();
        outbound.begin();
        for (seq, len) in (0..).zip(lengths) {
            outbound.push_message(message(0, seq, *len));
        }
        outbound
    }

    /// The payload of the flight's next record, and its only piece.
    fn next_piece(outbound: &mut Outbound, room: usize) -> Option<(Piece, Vec<u8>)> {
        let mut record = Pieces::new();
        outbound.fill(room, &mut record);
        assert!(record.payload().len() <= room && record.iter().count() <= 1);
        record.first().map(|piece| (*piece, record.payload().to_vec()))
    }

    /// Offsets and lengths of all pieces, each in a datagram of its own.
    fn pieces(outbound: &mut Outbound, room: usize) -> Vec<(u16, u32, u32)> {
        core::iter::from_fn(|| next_piece(outbound, room))
            .map(|(piece, _)| (piece.message_seq.0, piece.fragment_offset, piece.fragment_length))
            .collect()
    }

    #[test]
    fn a_piece_is_header_and_body_and_says_so() {
        let mut outbound = flight(&[5]);
        let (piece, payload) = next_piece(&mut outbound, 15).expect("fits");
        assert_eq!(payload, [11, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 3, 0, 1, 2]);
        let first = Piece {
            epoch: Epoch(0),
            content_type: ContentType::HANDSHAKE,
            msg_type: Some(HandshakeType::CERTIFICATE),
            message_seq: MessageSeq(0),
            fragment_offset: 0,
            fragment_length: 3,
            message_length: 5,
        };
        assert_eq!(piece, first);
        let (piece, payload) = next_piece(&mut outbound, 15).expect("fits");
        assert_eq!(piece, Piece { fragment_offset: 3, fragment_length: 2, ..first });
        assert_eq!(payload, [11, 0, 0, 5, 0, 0, 0, 0, 3, 0, 0, 2, 3, 4]);
        assert_eq!(next_piece(&mut outbound, 15), None);
    }

    #[test] // RFC 6347 §4.2.4
    fn a_flight_goes_out_again_in_the_same_pieces() {
        let mut outbound = flight(&[100, 0, 300]);
        let first = pieces(&mut outbound, 112);
        assert_eq!(first, [(0, 0, 100), (1, 0, 0), (2, 0, 100), (2, 100, 100), (2, 200, 100)]);
        assert!(!outbound.has_pending() && !outbound.is_empty());
        for transmission in 1..4 {
            outbound.rewind();
            assert_eq!(outbound.transmission(), transmission);
            assert_eq!(pieces(&mut outbound, 112), first);
        }
    }

    #[test]
    fn a_flight_rewound_half_way_starts_over() {
        let mut outbound = flight(&[200]);
        next_piece(&mut outbound, 62).expect("fits");
        outbound.rewind();
        assert_eq!(pieces(&mut outbound, 112), [(0, 0, 100), (0, 100, 100)]);
    }

    #[test] // RFC 6347 §4.2.5
    fn change_cipher_spec_keeps_its_place_between_the_epochs() {
        let mut outbound = flight(&[10]);
        outbound.push_change_cipher_spec(Epoch(0));
        outbound.push_message(message(1, 1, 12));
        for _ in 0..2 {
            assert_eq!(outbound.pending_epoch(), Some(Epoch(0)));
            next_piece(&mut outbound, 100).expect("fits");
            let (piece, payload) = next_piece(&mut outbound, 1).expect("fits");
            assert_eq!((piece.content_type, piece.msg_type), (ContentType::CHANGE_CIPHER_SPEC, None));
            assert_eq!(payload, [1]);
            assert_eq!(outbound.pending_epoch(), Some(Epoch(1)));
            let (piece, _) = next_piece(&mut outbound, 100).expect("fits");
            assert_eq!((piece.epoch, piece.message_seq), (Epoch(1), MessageSeq(1)));
            assert_eq!(outbound.pending_epoch(), None);
            outbound.rewind();
        }
    }

    #[test] // RFC 6347 §4.2.3, RFC 9147 §5.5
    fn protected_messages_share_records_and_fill_them() {
        let mut outbound = Outbound::new();
        outbound.push_message(message(2, 1, 20));
        outbound.push_message(message(2, 2, 0));
        outbound.push_message(message(2, 3, 100));
        outbound.push_message(message(3, 4, 5));
        let mut next = |room| {
            let mut record = Pieces::new();
            outbound.fill(room, &mut record);
            assert!(record.payload().len() <= room);
            let whole = |piece: &Piece| (piece.message_seq.0, piece.fragment_offset, piece.fragment_length);
            record.iter().map(whole).collect::<Vec<_>>()
        };
        assert_eq!(next(12 + 20 + 12 + 12 + 1), [(1, 0, 20), (2, 0, 0), (3, 0, 1)]);
        assert_eq!(next(200), [(3, 1, 99)], "what comes next has another epoch");
        assert_eq!(next(200), [(4, 0, 5)]);
        assert!(next(200).is_empty());
    }

    #[test]
    fn no_room_at_all_sends_nothing_and_does_not_loop() {
        let mut outbound = flight(&[100]);
        for room in 0..=12 {
            assert_eq!(next_piece(&mut outbound, room), None, "{room}");
        }
        assert!(outbound.has_pending());
    }

    #[test] // RFC 6347 §4.1
    fn no_piece_is_longer_than_a_record_may_be() {
        let mut outbound = flight(&[20_000]);
        assert_eq!(pieces(&mut outbound, usize::MAX), [(0, 0, 16_372), (0, 16_372, 3628)]);
    }

    #[test]
    fn a_new_flight_forgets_the_old_one() {
        let mut outbound = flight(&[10]);
        outbound.rewind();
        outbound.begin();
        assert!(outbound.is_empty() && !outbound.has_pending());
        outbound.rewind();
        assert_eq!(outbound.transmission(), 0, "nothing to repeat");
    }

    proptest! {
        #[test]
        fn whatever_the_room_the_peer_gets_the_flight(
            lengths in prop::collection::vec(0usize..500, 1..5),
            rooms in prop::collection::vec(13usize..300, 1..10),
        ) {
            let mut outbound = flight(&lengths);
            let mut inbound = Inbound::new(MessageSeq(0), InboundLimits::default());
            let (mut received, mut sent) = (Vec::new(), 0);
            for room in rooms.into_iter().cycle() {
                if !outbound.has_pending() {
                    break;
                }
                let (piece, payload) = next_piece(&mut outbound, room).expect("13 bytes take something");
                prop_assert!(payload.len() <= room);
                sent += piece.fragment_length as usize;
                let fragment = Fragment::from_bytes(&payload).expect("a fragment");
                prop_assert!(inbound.insert(piece.epoch, fragment, &mut DiscardCounts::default()).is_ok());
                received.extend(core::iter::from_fn(|| inbound.next()));
            }
            let expected: Vec<_> = (0..).zip(&lengths).map(|(seq, len)| message(0, seq, *len)).collect();
            prop_assert_eq!(received, expected);
            prop_assert_eq!(sent, lengths.iter().sum::<usize>(), "no byte twice");
        }
    }

    /// A flight of two messages in pieces of at most 8 bytes, and the record that carried each.
    fn sent_in_records() -> (Outbound, Vec<RecordNumber>) {
        let mut flight = Outbound::new();
        flight.push_message(message(2, 1, 20));
        flight.push_message(message(2, 2, 0));
        let numbers = send_again(&mut flight, 0);
        (flight, numbers)
    }

    fn send_again(flight: &mut Outbound, first: u64) -> Vec<RecordNumber> {
        let mut numbers = Vec::new();
        while let Some((piece, _)) = next_piece(flight, HandshakeHeader::LEN + 8) {
            let number = RecordNumber::new(Epoch(2), SequenceNumber(first + numbers.len() as u64));
            flight.sent(&piece, number);
            numbers.push(number);
        }
        numbers
    }

    #[test] // RFC 9147 §7.2
    fn what_an_ack_lacks_is_sent_again() {
        let (mut flight, numbers) = sent_in_records();
        assert_eq!(numbers.len(), 4);
        assert_eq!(flight.acknowledge([numbers[1]].into_iter()), Acknowledged::Part);
        assert_eq!(flight.acknowledge([numbers[1]].into_iter()), Acknowledged::Nothing, "that is known");
        assert!(flight.resend(Resend::Overtaken, numbers[1]));
        assert_eq!(send_again(&mut flight, 4).len(), 1, "the rest may still arrive");
        assert!(flight.resend(Resend::Missing, numbers[1]));
        assert_eq!(send_again(&mut flight, 5).len(), 3);
        // Any copy will do.
        let copies = [5, 6, 7].map(|number| RecordNumber::new(Epoch(2), SequenceNumber(number)));
        assert_eq!(flight.acknowledge(copies.into_iter()), Acknowledged::All);
        flight.rewind();
        assert!(flight.is_acknowledged() && !flight.has_pending());
    }

    #[test] // RFC 9147 §7.2
    fn numbers_that_were_never_sent_acknowledge_nothing() {
        let (mut flight, _) = sent_in_records();
        let others =
            [(2, 9), (0, 0), (3, 1)].map(|(epoch, number)| RecordNumber::new(Epoch(epoch), SequenceNumber(number)));
        assert_eq!(flight.acknowledge(others.into_iter()), Acknowledged::Nothing);
        flight.rewind();
        assert_eq!(send_again(&mut flight, 4).len(), 4);
    }

    #[test]
    fn of_more_pieces_than_anybody_sends_the_latest_are_remembered() {
        let mut flight = Outbound::new();
        flight.push_message(message(2, 1, MAX_SENT + 1));
        let mut numbers = Vec::new();
        while let Some((piece, _)) = next_piece(&mut flight, HandshakeHeader::LEN + 1) {
            numbers.push(RecordNumber::new(Epoch(2), SequenceNumber(numbers.len() as u64)));
            flight.sent(&piece, numbers[numbers.len() - 1]);
        }
        assert_eq!(numbers.len(), MAX_SENT + 1);
        assert_eq!(flight.acknowledge(numbers[..1].iter().copied()), Acknowledged::Nothing);
        assert_eq!(flight.acknowledge(numbers[1..].iter().copied()), Acknowledged::Part);
        flight.rewind();
        assert_eq!(pieces(&mut flight, 100), [(1, 0, 1)], "nobody knows that it arrived");
    }

    #[test] // RFC 9147 §5.8.3
    fn with_each_part_that_was_held_back_go_the_unprotected_messages() {
        let mut flight = Outbound::new();
        flight.push_message(message(0, 1, 8));
        flight.push_message(message(2, 2, 24));
        for (number, epoch) in [(0, 0), (1, 2)] {
            let (piece, _) = next_piece(&mut flight, HandshakeHeader::LEN + 8).expect("pending");
            flight.sent(&piece, RecordNumber::new(Epoch(epoch), SequenceNumber(number)));
        }
        assert!(flight.is_full(2) && !flight.is_full(3));
        flight.time_out(2);
        assert_eq!(pieces(&mut flight, HandshakeHeader::LEN + 8), [(1, 0, 8), (2, 8, 8), (2, 16, 8)]);
    }

    #[test]
    fn an_ack_of_an_earlier_flight_says_nothing_of_this_one() {
        let (mut flight, numbers) = sent_in_records();
        flight.begin();
        flight.push_message(message(2, 3, 20));
        assert_eq!(flight.acknowledge(numbers.into_iter()), Acknowledged::Nothing);
        assert!(!flight.is_acknowledged());
    }
}
