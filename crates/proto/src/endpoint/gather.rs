//! ClientHellos in several datagrams, from addresses that nothing is known of.
//!
//! Whether a hello is one of 1.3 may stand in its last part, and its cookie binds all of it. So parts
//! are kept, within bounds that nobody can make us exceed: [`MAX_HELLOS`] of at most [`MAX_LEN`] bytes
//! each and about [`MAX_PIECES`] pieces, one of an address, for [`PATIENCE`]. A new one displaces the
//! oldest, because the parts of an honest one come close behind each other. Never answers anything.
//! RFC 9147 §5.5.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use gramseal_wire::{ContentType, Epoch, MessageSeq, PlaintextHeader, ProtocolVersion};

use super::demux::address;
use super::hello::Part;
use crate::Instant;
use crate::discard::{Discard, DiscardCounts};
use crate::flight::{Inbound, InboundLimits, Inserted};

/// How many hellos may be incomplete.
const MAX_HELLOS: usize = 64;

/// The longest, in bytes: post-quantum shares fit.
const MAX_LEN: u32 = 4096;

/// In so many pieces it can come: 128 bytes in each.
const MAX_PIECES: usize = 32;

/// How long the parts of one are kept: a client that hears nothing repeats itself ever more slowly.
const PATIENCE: Duration = Duration::from_secs(30);

/// A hello that is complete.
#[derive(Debug)]
pub(super) struct Whole {
    /// As if it had come in one piece.
    pub(super) datagram: Vec<u8>,
    /// Bytes that came for it.
    pub(super) bytes: usize,
}

#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// In the order in which they began.
    hellos: VecDeque<Incomplete>,
}

struct Incomplete {
    peer: SocketAddr,
    message_seq: MessageSeq,
    since: Instant,
    bytes: usize,
    inbound: Inbound,
}

impl core::fmt::Debug for Incomplete {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Incomplete").field("peer", &self.peer).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Gathering {
    /// Whether a hello from this address has begun to arrive.
    pub(super) fn has(&self, peer: SocketAddr) -> bool {
        let peer = address(peer);
        self.hellos.iter().any(|hello| hello.peer == peer)
    }

    /// Gives up what has begun to arrive from this address.
    pub(super) fn forget(&mut self, peer: SocketAddr) {
        let peer = address(peer);
        self.hellos.retain(|hello| hello.peer != peer);
    }

    /// Keeps one part, which came in a datagram of `bytes`; gives the hello if that makes it whole. Parts
    /// that give way to it go into `counts`.
    pub(super) fn add(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        part: &Part<'_>,
        bytes: usize,
        counts: &mut DiscardCounts,
    ) -> Result<Option<Whole>, Discard> {
        let peer = address(peer);
        self.hellos.retain(|hello| hello.since + PATIENCE > now);
        let of_peer = self.hellos.iter().position(|hello| hello.peer == peer);
        // Only one of an address: whoever begins another has given the first one up.
        let index = match of_peer.filter(|index| self.is_of(*index, part)) {
            Some(index) => index,
            None => self.begin(now, peer, part, of_peer),
        };
        let hello = self.hellos.get_mut(index).ok_or(Discard::HelloFragment)?;
        let inserted = hello.inbound.insert(Epoch::UNPROTECTED, part.fragment, counts)?;
        if inserted != Inserted::Stored {
            return Err(Discard::FragmentOld);
        }
        hello.bytes += bytes;
        let Some(message) = hello.inbound.next() else { return Ok(None) };
        let bytes = hello.bytes;
        self.hellos.remove(index);
        let record = PlaintextHeader {
            content_type: ContentType::HANDSHAKE,
            version: ProtocolVersion::DTLS1_2,
            epoch: Epoch::UNPROTECTED,
            sequence_number: part.sequence_number,
            length: u16::try_from(message.bytes().len()).map_err(|_| Discard::MessageTooLong)?,
        };
        Ok(Some(Whole { datagram: [&record.to_bytes()[..], message.bytes()].concat(), bytes }))
    }

    fn is_of(&self, index: usize, part: &Part<'_>) -> bool {
        self.hellos.get(index).is_some_and(|hello| hello.message_seq == part.fragment.message_seq)
    }

    /// Makes room for a hello, and says where it is.
    fn begin(&mut self, now: Instant, peer: SocketAddr, part: &Part<'_>, replaced: Option<usize>) -> usize {
        match replaced {
            Some(index) => drop(self.hellos.remove(index)),
            None if self.hellos.len() >= MAX_HELLOS => drop(self.hellos.pop_front()),
            None => {}
        }
        let message_seq = part.fragment.message_seq;
        let limits = InboundLimits { max_message_len: MAX_LEN, max_pieces: MAX_PIECES, max_ahead: 0, ahead: 1 };
        let inbound = Inbound::new(message_seq, limits);
        self.hellos.push_back(Incomplete { peer, message_seq, since: now, bytes: 0, inbound });
        self.hellos.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use gramseal_wire::{Fragment, HandshakeType, SequenceNumber};

    use super::*;

    fn part(length: u32, fragment_offset: u32, body: &[u8]) -> Part<'_> {
        let (msg_type, message_seq) = (HandshakeType::CLIENT_HELLO, MessageSeq(0));
        let fragment = Fragment { msg_type, length, message_seq, fragment_offset, body };
        Part { sequence_number: SequenceNumber(3), fragment }
    }

    fn peer(number: u32) -> SocketAddr {
        (Ipv4Addr::from(0x0a00_0000 | number), 5000).into()
    }

    fn seconds(seconds: u64) -> Instant {
        Instant::default() + Duration::from_secs(seconds)
    }

    fn add(
        gathering: &mut Gathering,
        now: Instant,
        peer: SocketAddr,
        part: &Part<'_>,
    ) -> Result<Option<Whole>, Discard> {
        gathering.add(now, peer, part, 25 + part.fragment.body.len(), &mut DiscardCounts::default())
    }

    fn allocated(gathering: &Gathering) -> usize {
        let slots = gathering.hellos.capacity() * size_of::<Incomplete>();
        slots + gathering.hellos.iter().map(|hello| hello.inbound.allocated()).sum::<usize>()
    }

    #[test]
    fn what_is_kept_of_hellos_is_bounded_and_the_oldest_goes_first() {
        let mut gathering = Gathering::default();
        for number in 0..1000 {
            let kept = add(&mut gathering, seconds(0), peer(number), &part(4096, 0, &[1; 1000]));
            assert!(matches!(kept, Ok(None)));
        }
        assert_eq!(gathering.hellos.len(), MAX_HELLOS);
        assert!(gathering.has(peer(999)) && !gathering.has(peer(0)));
        let too_long = add(&mut gathering, seconds(0), peer(1000), &part(4097, 0, &[1]));
        assert!(matches!(too_long, Err(Discard::MessageTooLong)));
    }

    #[test]
    fn parts_are_kept_for_a_while() {
        let mut gathering = Gathering::default();
        assert!(matches!(add(&mut gathering, seconds(0), peer(1), &part(4, 0, &[1, 2])), Ok(None)));
        assert!(matches!(add(&mut gathering, seconds(31), peer(2), &part(4, 0, &[1, 2])), Ok(None)));
        assert!(!gathering.has(peer(1)));
        assert!(matches!(add(&mut gathering, seconds(31), peer(1), &part(4, 2, &[3, 4])), Ok(None)));
        let whole = add(&mut gathering, seconds(32), peer(2), &part(4, 2, &[3, 4])).expect("fits").expect("whole");
        assert_eq!((&whole.datagram[25..], whole.bytes), (&[1, 2, 3, 4][..], 54));
        assert_eq!(whole.datagram[10], 3, "the number of the record that came last");
        gathering.forget(peer(1));
        assert!(gathering.hellos.is_empty());
    }

    #[test]
    fn tiny_pieces_take_no_more_than_their_room() {
        let mut gathering = Gathering::default();
        for number in 0..100 {
            // Two versions of each hello, side by side, of which every other byte comes.
            let at = |offset: u32| offset.min(MAX_LEN - 2);
            let pieces = (0..MAX_LEN).step_by(2).flat_map(|offset| [(MAX_LEN, offset), (MAX_LEN - 1, at(offset))]);
            let full = pieces
                .map(|(length, offset)| add(&mut gathering, seconds(0), peer(number), &part(length, offset, &[1])))
                .filter(|added| matches!(added, Err(Discard::ReassemblyFull)))
                .count();
            assert!(full > 3000, "{full}");
        }
        assert_eq!(gathering.hellos.len(), MAX_HELLOS);
        assert!(allocated(&gathering) < 800_000, "{}", allocated(&gathering));
        // The same when the bytes are many and the pieces few.
        for number in 100..200 {
            for (offset, body) in [(0, &[1; 3000][..]), (3000, &[1; 1095])] {
                let kept = add(&mut gathering, seconds(0), peer(number), &part(MAX_LEN, offset, body));
                assert!(matches!(kept, Ok(None)));
            }
        }
        assert!(allocated(&gathering) < 800_000, "{}", allocated(&gathering));
    }

    #[test]
    fn the_longest_hello_fits_in_small_pieces_in_any_order() {
        let mut gathering = Gathering::default();
        let len = MAX_LEN / 32;
        let body = [1; (MAX_LEN / 32) as usize];
        let offsets = (0..32).step_by(2).chain((1..32).step_by(2)).map(|index| index * len);
        let added = offsets.map(|offset| add(&mut gathering, seconds(0), peer(1), &part(MAX_LEN, offset, &body)));
        let whole = added.map(|added| added.expect("room")).last().flatten().expect("whole");
        assert_eq!(whole.datagram.len(), 25 + MAX_LEN as usize);
    }

    #[test]
    fn versions_that_give_way_are_counted() {
        let (mut gathering, mut counts) = (Gathering::default(), DiscardCounts::default());
        for length in 100..110 {
            let kept = gathering.add(seconds(0), peer(1), &part(length, 0, &[1]), 26, &mut counts);
            assert!(matches!(kept, Ok(None)));
        }
        assert_eq!(counts.get(Discard::FragmentMismatch), 8);
    }
}
