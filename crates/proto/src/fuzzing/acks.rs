//! Lists of record numbers into `flight::Outbound`, against arrays of flags.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use gramseal_wire::{Epoch, HandshakeHeader, HandshakeType, MessageSeq, RecordNumber, SequenceNumber};

use super::input::Input;
use crate::flight::{Acknowledged, Outbound, Piece, Pieces, Resend};
use crate::message::Message;

/// Of how many pieces records are remembered; see `Outbound::sent`.
const MOST_PIECES: usize = 400;

/// A flight of a few messages; then records are sent, acknowledged, taken for lost.
///
/// # Panics
/// If what arrived is sent again, what did not is forgotten, or the two disagree about whether all arrived.
pub fn acks(data: &[u8]) {
    let mut input = Input::new(data);
    let mut peer = Peer::default();
    let mut outbound = Outbound::new();
    outbound.begin();
    for message_seq in 0..u16::from(input.byte() % 4) + 1 {
        let len = usize::from(input.word() % 600);
        outbound.push_message(message(u64::from(message_seq.min(1)) * 2, message_seq, len));
        peer.arrived.push(vec![false; len.max(1)]);
    }
    while !input.is_empty() {
        match input.byte() % 6 {
            0 | 1 => peer.receive(&mut outbound, usize::from(input.word() % 700)),
            2 => peer.acknowledge(&mut outbound, &mut input),
            3 => {
                let latest = RecordNumber::new(Epoch(u64::from(input.byte() % 4)), SequenceNumber(input.byte().into()));
                let what = if input.byte() % 2 == 0 { Resend::Overtaken } else { Resend::Missing };
                let resent = outbound.resend(what, latest);
                assert!(!resent || outbound.has_pending(), "what is sent again is pending");
            }
            4 => outbound.time_out(usize::from(input.byte() % 12)),
            _ => outbound.rewind(),
        }
        peer.compare(&outbound);
    }
    peer.finish(&mut outbound);
}

fn message(epoch: u64, message_seq: u16, len: usize) -> Message {
    let length = u32::try_from(len).expect("short");
    let header = HandshakeHeader::whole(HandshakeType::CERTIFICATE, length, MessageSeq(message_seq)).to_bytes();
    let body: Vec<u8> = (0u8..251).cycle().take(len).collect();
    Message::new(Epoch(epoch), [&header[..], &body].concat()).expect("a message")
}

#[derive(Default)]
struct Peer {
    /// Of each message, which bytes the other side knows to have arrived. One without any counts as one byte.
    arrived: Vec<Vec<bool>>,
    records: BTreeMap<RecordNumber, Vec<Piece>>,
    next: u64,
    pieces: usize,
}

impl Peer {
    /// Takes in a record with `room` bytes.
    fn receive(&mut self, outbound: &mut Outbound, room: usize) {
        let mut record = Pieces::new();
        let epoch = outbound.pending_epoch();
        if self.pieces < MOST_PIECES {
            outbound.fill(room, &mut record);
        }
        if record.is_empty() {
            return;
        }
        assert!(record.payload().len() <= room, "it does not fit");
        let number = RecordNumber::new(epoch.expect("something was pending"), SequenceNumber(self.next));
        self.next += 1;
        for piece in record.iter() {
            assert_eq!(Some(piece.epoch), epoch, "a record has one epoch");
            let arrived = &self.arrived[usize::from(piece.message_seq.0)];
            assert!(range(piece).all(|at| !arrived[at]), "{piece:?} has arrived already");
            outbound.sent(piece, number);
            self.pieces += 1;
        }
        self.records.insert(number, record.iter().copied().collect());
    }

    /// Acknowledges a list of records, some of which never were.
    fn acknowledge(&mut self, outbound: &mut Outbound, input: &mut Input<'_>) {
        let count = usize::from(input.byte() % 8);
        let mut numbers = Vec::new();
        for _ in 0..count {
            let (epoch, number) = (u64::from(input.byte() % 3), u64::from(input.byte()));
            numbers.push(RecordNumber::new(Epoch(epoch), SequenceNumber(number)));
        }
        let known = numbers.iter().any(|number| self.records.contains_key(number));
        let said = outbound.acknowledge(numbers.iter().copied());
        for number in &numbers {
            self.arrive(*number);
        }
        let expected = match (known, self.has_all()) {
            (false, _) => Acknowledged::Nothing,
            (true, true) => Acknowledged::All,
            (true, false) => Acknowledged::Part,
        };
        assert_eq!(said, expected, "{numbers:?}");
    }

    fn arrive(&mut self, number: RecordNumber) {
        for piece in self.records.remove(&number).unwrap_or_default() {
            range(&piece).for_each(|at| self.arrived[usize::from(piece.message_seq.0)][at] = true);
        }
    }

    fn has_all(&self) -> bool {
        self.arrived.iter().flatten().all(|arrived| *arrived)
    }

    fn compare(&self, outbound: &Outbound) {
        assert_eq!(outbound.is_acknowledged(), self.has_all(), "whether all arrived");
        assert!(!self.has_all() || !outbound.has_pending(), "something is sent that has arrived");
    }

    /// From whatever state, what is repeated and acknowledged completes the flight.
    fn finish(&mut self, outbound: &mut Outbound) {
        outbound.rewind();
        // A fragment has its header and one byte at least.
        for _ in 0..2000 {
            if !outbound.has_pending() {
                break;
            }
            let number = RecordNumber::new(outbound.pending_epoch().unwrap_or_default(), SequenceNumber(self.next));
            self.pieces = 0;
            self.receive(outbound, 700);
            outbound.acknowledge(core::iter::once(number));
            self.arrive(number);
        }
        assert!(self.has_all() && outbound.is_acknowledged(), "the flight is never done");
    }
}

fn range(piece: &Piece) -> core::ops::Range<usize> {
    let start = piece.fragment_offset as usize;
    start..start + (piece.fragment_length as usize).max(usize::from(piece.message_length == 0))
}
