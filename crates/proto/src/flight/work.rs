//! What reassembly and ACKs cost, counted in tests: how often a range, or a piece that was sent, is looked at, and how
//! many bytes are copied.
//!
//! In other builds nothing is counted.

#[cfg(not(test))]
pub(super) const fn look() {}

#[cfg(not(test))]
pub(super) const fn copy(_: usize) {}

#[cfg(test)]
pub(super) use counted::{copy, look};

#[cfg(test)]
mod counted {
    use core::cell::Cell;

    std::thread_local! {
        static LOOKS: Cell<usize> = const { Cell::new(0) };
        static COPIED: Cell<usize> = const { Cell::new(0) };
    }

    pub(in crate::flight) fn look() {
        LOOKS.set(LOOKS.get() + 1);
    }

    pub(in crate::flight) fn copy(bytes: usize) {
        COPIED.set(COPIED.get() + bytes);
    }

    /// Looks and copied bytes of this thread since this was last asked.
    pub(super) fn take() -> (usize, usize) {
        (LOOKS.take(), COPIED.take())
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::vec::Vec;
    use core::ops::Range;

    use gramseal_wire::{Epoch, Fragment, HandshakeHeader, HandshakeType, MessageSeq, RecordNumber, SequenceNumber};

    use super::counted::take;
    use crate::discard::DiscardCounts;
    use crate::flight::inbound::{Inbound, InboundLimits};
    use crate::flight::outbound::{Outbound, Resend};
    use crate::flight::piece::Pieces;
    use crate::message::Message;

    type Pattern = Box<dyn Iterator<Item = Range<u32>>>;

    /// Hands over fragments of a message of this length until it is whole; what they cost, with the bytes received.
    fn cost(length: u32, limits: InboundLimits, pattern: Pattern) -> (usize, usize, usize) {
        let mut inbound = Inbound::new(MessageSeq(0), limits);
        let mut counts = DiscardCounts::default();
        let body: Vec<u8> = (0..length).map(|byte| u8::try_from(byte % 251).expect("below 256")).collect();
        let mut received = 0;
        let _ = take();
        for range in pattern {
            let part = &body[range.start as usize..range.end as usize];
            received += HandshakeHeader::LEN + part.len();
            let fragment = Fragment {
                msg_type: HandshakeType::CERTIFICATE,
                length,
                message_seq: MessageSeq(0),
                fragment_offset: range.start,
                body: part,
            };
            // What finds no room costs as well.
            let _taken_or_not = inbound.insert(Epoch(1), fragment, &mut counts);
            if let Some(message) = inbound.next() {
                assert_eq!(message.body(), body);
            }
        }
        let (looks, copied) = take();
        (looks, copied, received)
    }

    /// Patterns that make many ranges, join many, or come again and again.
    fn patterns(length: u32) -> Vec<(&'static str, Pattern)> {
        let byte = |at: u32| at..at + 1;
        let middle = length / 2;
        let windows = move |len: u32, step: usize| (0..length - len).step_by(step).map(move |at| at..at + len);
        let every_other = move || (0..length).step_by(2).map(byte);
        let outwards = (0..middle).flat_map(move |at| [byte(middle - 1 - at), byte(middle + at)]);
        let from_both_ends = (0..middle).flat_map(move |at| [byte(at), byte(length - 1 - at)]);
        // Bits reversed: each byte halves the widest gap.
        let bits = length.trailing_zeros();
        let scattered = (0..length).map(move |at| byte(at.reverse_bits() >> (32 - bits)));
        alloc::vec![
            ("in order", Box::new((0..length).map(byte)) as Pattern),
            ("reversed", Box::new((0..length).rev().map(byte))),
            ("every other byte, then the rest", Box::new(every_other().chain((1..length).step_by(2).map(byte)))),
            ("every other byte, then all at once", Box::new(every_other().chain(core::iter::once(0..length)))),
            ("from both ends", Box::new(from_both_ends)),
            ("from the middle", Box::new(outwards)),
            ("scattered", Box::new(scattered)),
            ("overlapping windows", Box::new(windows(64, 1))),
            ("overlapping windows, reversed", Box::new(windows(64, 1).collect::<Vec<_>>().into_iter().rev())),
            ("every other byte, under windows", Box::new(every_other().chain(windows(100, 3)))),
            ("the same byte", Box::new((0..length).map(move |_| byte(middle)))),
            ("all but a byte, again and again", Box::new((0..100).map(move |_| 1..length))),
        ]
    }

    #[test]
    fn a_byte_costs_no_more_in_the_worst_order_than_in_the_best() {
        // With as many pieces as the peer may send, and with room for all that there can be.
        let wide = InboundLimits { max_pieces: 65_536, ..InboundLimits::default() };
        for limits in [InboundLimits::default(), wide] {
            for length in [1024, 4096, 16_384] {
                for (what, pattern) in patterns(length) {
                    let (looks, copied, received) = cost(length, limits, pattern);
                    assert!(looks <= 2 * received, "{what}, {length}: {looks} looks for {received} bytes");
                    assert!(copied <= 2 * received, "{what}, {length}: {copied} bytes copied of {received}");
                }
            }
        }
    }

    #[test]
    fn looks_and_copies_are_counted() {
        let (looks, copied, received) = cost(4, InboundLimits::default(), Box::new([2..4, 0..2].into_iter()));
        assert!(looks > 4, "{looks}");
        // Each byte as it comes, and all of them, with their header, when they are put in order.
        assert_eq!((copied, received), (4 + HandshakeHeader::LEN + 4, 2 * HandshakeHeader::LEN + 4));
    }

    /// So many pieces of a flight are remembered.
    const PIECES: u16 = 512;

    fn number(number: u64) -> RecordNumber {
        RecordNumber::new(Epoch(2), SequenceNumber(number))
    }

    /// A flight in as many pieces as are remembered, each in a record of its own.
    fn sent() -> Outbound {
        let header = HandshakeHeader::whole(HandshakeType::CERTIFICATE, PIECES.into(), MessageSeq(0)).to_bytes();
        let message = [&header[..], &[7; PIECES as usize]].concat();
        let mut flight = Outbound::new();
        flight.push_message(Message::new(Epoch(2), message).expect("a message"));
        assert_eq!(send(&mut flight, 0), PIECES.into());
        flight
    }

    /// Sends what is pending, in records from number `first` on; says how many.
    fn send(flight: &mut Outbound, first: u64) -> u64 {
        let mut records = 0;
        while flight.has_pending() {
            let mut record = Pieces::new();
            flight.fill(HandshakeHeader::LEN + 1, &mut record);
            flight.sent(record.first().expect("pending"), number(first + records));
            records += 1;
        }
        records
    }

    #[test] // RFC 9147 §7.2
    fn an_ack_costs_few_looks_for_each_number() {
        let (pieces, count) = (u64::from(PIECES), usize::from(PIECES));
        let lists: [(&str, Vec<u64>); 7] = [
            ("empty", Vec::new()),
            ("none of ours", (pieces..pieces + 4000).collect()),
            ("all", (0..pieces).collect()),
            ("all, descending", (0..pieces).rev().collect()),
            ("the last one, over and over", alloc::vec![pieces - 1; 4000]),
            ("every other one, over and over", (0..4000).map(|number| number * 2 % pieces).collect()),
            ("half of them", (pieces / 2..pieces).collect()),
        ];
        for (what, list) in lists {
            for resend in [Resend::Overtaken, Resend::Missing] {
                let mut flight = sent();
                let _ = take();
                for round in 1..20 {
                    flight.acknowledge(list.iter().copied().map(number));
                    let (looks, _) = take();
                    // Halving 512 pieces takes ten looks; each is noted as arrived once.
                    let arrived = list.len().min(count);
                    assert!(looks <= 10 * list.len() + 8 * arrived, "{what}: {looks} looks");

                    let latest = number(pieces / 2 + round);
                    flight.resend(resend, latest);
                    let (looks, _) = take();
                    assert!(looks <= 12 * count, "{what}, {resend:?}: {looks} looks to send again");
                    send(&mut flight, round * 2 * pieces);
                    let _ = take();
                }
            }
        }
    }
}
