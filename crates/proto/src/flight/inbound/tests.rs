//! What comes in pieces, in any order.

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
    let continues = |inbound: &Inbound, epoch, seq, offset| inbound.continues(epoch, &fragment(seq, 6, offset, b"d"));
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
fn what_comes_before_the_message_that_is_due_is_old() {
    let inbound = Inbound::new(MessageSeq(5), InboundLimits::default());
    assert_eq!([4, 5, 6].map(|seq| inbound.is_old(MessageSeq(seq))), [true, false, false]);
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

#[test] // RFC 6347 §4.2.3
fn a_message_in_pieces_gets_through_when_a_flood_pauses() {
    let (mut inbound, body, mut lengths) = (inbound(), body(4000), 5000..);
    let mut forge = |inbound: &mut Inbound| {
        for length in lengths.by_ref().take(2) {
            assert_eq!(insert(inbound, PLAIN, fragment(0, length, 0, b"junk")), Ok(Inserted::Stored));
        }
    };
    let send = |inbound: &mut Inbound, offset: u32| {
        let piece = &body[offset as usize..][..1000];
        insert(inbound, PLAIN, fragment(0, 4000, offset, piece)).expect("taken");
    };
    // Before each piece as many versions as make what is there of the real one give way.
    for offset in [0, 1000, 2000, 3000].repeat(3) {
        forge(&mut inbound);
        send(&mut inbound, offset);
        assert_eq!(inbound.next(), None);
    }
    // The last piece is still there. One version that goes on stands beside it and takes nothing from it.
    for offset in [0, 1000, 2000] {
        assert_eq!(inbound.next(), None);
        let forged = insert(&mut inbound, PLAIN, fragment(0, 60_000, offset, b"junk"));
        assert_eq!(forged, Ok(Inserted::Stored));
        send(&mut inbound, offset);
    }
    assert_eq!(inbound.next(), Some(message(PLAIN, 0, &body)));
    assert!(inbound.is_empty());
}

#[test] // RFC 6347 §4.2.2
fn parts_of_two_numbers_never_become_one_message() {
    for epoch in [PLAIN, SEALED] {
        for [(first, offset), (second, other)] in [[(0, 0), (1, 2)], [(1, 0), (0, 2)], [(1, 2), (0, 0)]] {
            let mut inbound = inbound();
            insert(&mut inbound, epoch, fragment(first, 4, offset, b"ab")).expect("stored");
            insert(&mut inbound, epoch, fragment(second, 4, other, b"cd")).expect("stored");
            assert_eq!(inbound.next(), None, "a half of each");
            // Each has its own half, and takes none of the other's.
            insert(&mut inbound, epoch, fragment(first, 4, 2 - offset, b"AB")).expect("stored");
            insert(&mut inbound, epoch, fragment(second, 4, 2 - other, b"CD")).expect("stored");
            let bodies: Vec<_> =
                core::iter::from_fn(|| inbound.next()).map(|message| message.body().to_vec()).collect();
            let whole = |offset, half: &[u8; 2], rest: &[u8; 2]| {
                if offset == 0 { [*half, *rest].concat() } else { [*rest, *half].concat() }
            };
            let mut expected = [(first, whole(offset, b"ab", b"AB")), (second, whole(other, b"cd", b"CD"))];
            expected.sort();
            assert_eq!(bodies, expected.map(|(_, body)| body));
        }
    }
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
    assert_eq!(inbound.insert(SEALED, fragment(6, 1500, 0, &body(1500)), &mut counts), Err(Discard::ReassemblyFull));
    assert_eq!(inbound.insert(SEALED, fragment(1, 1500, 0, &body(1500)), &mut counts), Err(Discard::ReassemblyFull));
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
        let (mut fragments_taken, mut bytes) = (0, 0);
        for (seq, epoch, length, offset, len) in fragments {
            let body = body(len);
            let result = insert(&mut inbound, Epoch(epoch), fragment(seq, length, offset, &body));
            fragments_taken += usize::from(result.is_ok());
            bytes += usize::from(result.is_ok()) * len;
            let (charged, allocated) = (inbound.buffered(), inbound.allocated());
            prop_assert!(charged <= inbound.max_buffered());
            prop_assert!(charged <= bytes + 350 * fragments_taken, "{charged} for {bytes} in {fragments_taken}");
            prop_assert!(allocated <= 2 * bytes + 700 * fragments_taken, "{allocated} for {bytes} in {fragments_taken}");
            prop_assert!(allocated <= 2 * charged);
        }
    }
}
