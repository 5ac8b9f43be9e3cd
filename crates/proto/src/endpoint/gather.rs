//! ClientHellos in several datagrams, from addresses that have no connection.
//!
//! Whether a hello is one of 1.3 may stand in its last part, and its cookie binds all of it. So parts
//! are kept, within bounds that nobody can make us exceed: hellos of at most [`MAX_LEN`] bytes and about
//! [`MAX_PIECES`] pieces, one of an address, for [`PATIENCE`]. Of senders that nothing is known of there are
//! [`MAX_UNKNOWN`]; of senders whose part brings a cookie of ours, [`MAX_PROVED`] more, which no forged part
//! can displace, nor take the room of: only parts that claim the same length belong to them. Of those one host has
//! [`MAX_PROVED_OF_HOST`]. A new one displaces the oldest of its kind, because the parts of an honest one come close
//! behind each other. Never answers anything. RFC 9147 §5.5.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use gramseal_wire::{ContentType, Epoch, Fragment, MessageSeq, PlaintextHeader, ProtocolVersion};

use super::hello::Part;
use crate::Instant;
use crate::connection::address;
use crate::discard::{Discard, DiscardCounts};
use crate::flight::{Inbound, InboundLimits, Inserted};

/// How many hellos may be incomplete whose senders may have forged their address.
const MAX_UNKNOWN: usize = 64;

/// How many that have shown a cookie.
const MAX_PROVED: usize = 256;

/// How many of these one host may have, whatever its ports.
const MAX_PROVED_OF_HOST: usize = 8;

/// The longest, in bytes: post-quantum shares fit.
const MAX_LEN: u32 = 4096;

/// In so many pieces it can come: 128 bytes in each.
const MAX_PIECES: usize = 32;

/// How long the parts of one are kept: a client that hears nothing repeats itself ever more slowly, our own after a
/// minute at most, and what got lost of it first shall not cost it the rest.
const PATIENCE: Duration = Duration::from_secs(70);

/// A hello that is complete.
#[derive(Debug)]
pub(super) struct Whole {
    /// As if it had come in one piece.
    pub(super) datagram: Vec<u8>,
    /// Bytes that came for it.
    pub(super) bytes: usize,
}

/// What a part shows of its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Unknown,
    /// It has a cookie of ours, and so receives what is sent to its address.
    Proved,
}

#[derive(Debug, Default)]
pub(super) struct Gathering {
    unknown: Hellos,
    proved: Hellos,
}

/// In the order in which they began.
#[derive(Debug, Default)]
struct Hellos(VecDeque<Incomplete>);

struct Incomplete {
    peer: SocketAddr,
    message_seq: MessageSeq,
    /// Of all of it, once the part with the cookie has told.
    length: Option<u32>,
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
        [&self.unknown, &self.proved].into_iter().any(|hellos| hellos.position(peer).is_some())
    }

    /// Gives up what has begun to arrive from this address.
    pub(super) fn forget(&mut self, peer: SocketAddr) {
        let peer = address(peer);
        self.unknown.take(peer);
        self.proved.take(peer);
    }

    /// Keeps one part, which came in a datagram of `bytes`; gives the hello if that makes it whole. Parts
    /// that give way to it go into `counts`.
    pub(super) fn add(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        sender: Sender,
        part: &Part<'_>,
        bytes: usize,
        counts: &mut DiscardCounts,
    ) -> Result<Option<Whole>, Discard> {
        // What would not be kept must not cost another its place.
        if part.fragment.length > MAX_LEN {
            return Err(Discard::MessageTooLong);
        }
        if part.fragment.body.is_empty() {
            return Err(Discard::HelloFragment);
        }
        let peer = address(peer);
        self.unknown.expire(now);
        self.proved.expire(now);
        let (hellos, index) = self.place(now, peer, sender, &part.fragment)?;
        let hello = hellos.0.get_mut(index).ok_or(Discard::HelloFragment)?;
        let inserted = hello.inbound.insert(Epoch::UNPROTECTED, part.fragment, counts)?;
        if inserted != Inserted::Stored {
            return Err(Discard::FragmentOld);
        }
        hello.bytes += bytes;
        let Some(message) = hello.inbound.next() else { return Ok(None) };
        let bytes = hello.bytes;
        hellos.0.remove(index);
        let record = PlaintextHeader {
            content_type: ContentType::HANDSHAKE,
            version: ProtocolVersion::DTLS1_2,
            epoch: Epoch::UNPROTECTED,
            sequence_number: part.sequence_number,
            length: u16::try_from(message.bytes().len()).map_err(|_| Discard::MessageTooLong)?,
        };
        Ok(Some(Whole { datagram: [&record.to_bytes()[..], message.bytes()].concat(), bytes }))
    }

    /// Where the parts of this hello are. There is one of an address: whoever begins another has given the first
    /// one up, unless that one has shown a cookie and this one has not.
    fn place(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        sender: Sender,
        fragment: &Fragment<'_>,
    ) -> Result<(&mut Hellos, usize), Discard> {
        if let Some(index) = self.proved.position(peer) {
            if self.proved.takes(index, fragment) {
                return Ok((&mut self.proved, index));
            }
            if sender == Sender::Unknown {
                return Err(Discard::HelloFragment);
            }
            self.proved.take(peer);
        }
        if sender == Sender::Unknown {
            if let Some(index) = self.unknown.position(peer) {
                if self.unknown.takes(index, fragment) {
                    return Ok((&mut self.unknown, index));
                }
                self.unknown.take(peer);
            }
            let index = self.unknown.push(Incomplete::new(now, peer, fragment.message_seq), MAX_UNKNOWN);
            return Ok((&mut self.unknown, index));
        }
        // What came before the part with the cookie may be of the same hello.
        let begun = self.unknown.take(peer).filter(|hello| hello.message_seq == fragment.message_seq);
        let mut hello = begun.unwrap_or_else(|| Incomplete::new(now, peer, fragment.message_seq));
        hello.inbound.retain_length(fragment.length);
        (hello.length, hello.since) = (Some(fragment.length), now);
        self.proved.make_room_of(host(peer));
        let index = self.proved.push(hello, MAX_PROVED);
        Ok((&mut self.proved, index))
    }
}

impl Hellos {
    fn position(&self, peer: SocketAddr) -> Option<usize> {
        self.0.iter().position(|hello| hello.peer == peer)
    }

    /// Whether the fragment may be of the hello at `index`.
    fn takes(&self, index: usize, fragment: &Fragment<'_>) -> bool {
        self.0.get(index).is_some_and(|hello| {
            hello.message_seq == fragment.message_seq && hello.length.is_none_or(|length| length == fragment.length)
        })
    }

    fn take(&mut self, peer: SocketAddr) -> Option<Incomplete> {
        self.position(peer).and_then(|index| self.0.remove(index))
    }

    fn expire(&mut self, now: Instant) {
        self.0.retain(|hello| hello.since + PATIENCE > now);
    }

    /// Gives up the oldest of this host if it has no room for more.
    fn make_room_of(&mut self, of: IpAddr) {
        let mut theirs = self.0.iter().enumerate().filter(|(_, hello)| host(hello.peer) == of).map(|(index, _)| index);
        if let (Some(oldest), Some(_)) = (theirs.next(), theirs.nth(MAX_PROVED_OF_HOST - 2)) {
            self.0.remove(oldest);
        }
    }

    /// Adds one, at the cost of the oldest if there are `most`, and says where it is.
    fn push(&mut self, hello: Incomplete, most: usize) -> usize {
        if self.0.len() >= most {
            self.0.pop_front();
        }
        self.0.push_back(hello);
        self.0.len() - 1
    }
}

impl Incomplete {
    fn new(since: Instant, peer: SocketAddr, message_seq: MessageSeq) -> Self {
        let limits = InboundLimits { max_message_len: MAX_LEN, max_pieces: MAX_PIECES, max_ahead: 0, ahead: 1 };
        Self { peer, message_seq, length: None, since, bytes: 0, inbound: Inbound::new(message_seq, limits) }
    }
}

/// Who is behind an address: of IPv6 a host usually has a whole /64.
fn host(peer: SocketAddr) -> IpAddr {
    match peer.ip().to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
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
        add_from(gathering, now, peer, Sender::Unknown, part)
    }

    fn add_from(
        gathering: &mut Gathering,
        now: Instant,
        peer: SocketAddr,
        sender: Sender,
        part: &Part<'_>,
    ) -> Result<Option<Whole>, Discard> {
        gathering.add(now, peer, sender, part, 25 + part.fragment.body.len(), &mut DiscardCounts::default())
    }

    fn allocated(hellos: &Hellos) -> usize {
        let slots = hellos.0.capacity() * size_of::<Incomplete>();
        slots + hellos.0.iter().map(|hello| hello.inbound.allocated()).sum::<usize>()
    }

    #[test]
    fn what_is_kept_of_hellos_is_bounded_and_the_oldest_goes_first() {
        let mut gathering = Gathering::default();
        for number in 0..1000 {
            let kept = add(&mut gathering, seconds(0), peer(number), &part(4096, 0, &[1; 1000]));
            assert!(matches!(kept, Ok(None)));
        }
        assert_eq!(gathering.unknown.0.len(), 64);
        assert!(gathering.has(peer(999)) && !gathering.has(peer(0)));
        let too_long = add(&mut gathering, seconds(0), peer(1000), &part(4097, 0, &[1]));
        assert!(matches!(too_long, Err(Discard::MessageTooLong)));
    }

    #[test]
    fn parts_that_are_refused_displace_nothing() {
        let mut gathering = Gathering::default();
        assert!(matches!(add(&mut gathering, seconds(0), peer(0), &part(4, 0, &[1, 2])), Ok(None)));
        for number in 0..100 {
            for (length, body, reason) in
                [(MAX_LEN + 1, &[1; 100][..], Discard::MessageTooLong), (4, &[], Discard::HelloFragment)]
            {
                // In the name of the same address with another number, and of others.
                let mut part = part(length, 0, body);
                part.fragment.message_seq = MessageSeq(1);
                for sender in [Sender::Unknown, Sender::Proved] {
                    let refused = add_from(&mut gathering, seconds(0), peer(number), sender, &part);
                    assert!(matches!(refused, Err(refused) if refused == reason));
                }
            }
        }
        assert_eq!((gathering.unknown.0.len(), gathering.proved.0.len()), (1, 0));
        assert!(matches!(add(&mut gathering, seconds(0), peer(0), &part(4, 2, &[3, 4])), Ok(Some(_))));
    }

    #[test]
    fn parts_are_kept_for_a_while() {
        let mut gathering = Gathering::default();
        let proved = add_from(&mut gathering, seconds(0), peer(3), Sender::Proved, &part(4, 0, &[1, 2]));
        assert!(matches!(proved, Ok(None)));
        for (number, kept) in [(0, true), (69, true), (70, false)] {
            let now = seconds(number.into());
            assert!(matches!(add(&mut gathering, now, peer(number), &part(4, 0, &[1, 2])), Ok(None)));
            assert_eq!([0, 3].map(|number| gathering.has(peer(number))), [kept; 2], "after {number} s");
        }
        assert!(matches!(add(&mut gathering, seconds(71), peer(2), &part(4, 0, &[1, 2])), Ok(None)));
        assert!(matches!(add(&mut gathering, seconds(71), peer(1), &part(4, 2, &[3, 4])), Ok(None)));
        let whole = add(&mut gathering, seconds(72), peer(2), &part(4, 2, &[3, 4])).expect("fits").expect("whole");
        assert_eq!((&whole.datagram[25..], whole.bytes), (&[1, 2, 3, 4][..], 54));
        assert_eq!(whole.datagram[10], 3, "the number of the record that came last");
        for number in [1, 69, 70] {
            assert!(gathering.has(peer(number)));
            gathering.forget(peer(number));
        }
        assert!(gathering.unknown.0.is_empty() && gathering.proved.0.is_empty());
    }

    #[test]
    fn tiny_pieces_take_no_more_than_their_room() {
        let mut gathering = Gathering::default();
        for number in 0..100 {
            // Two versions of each hello, side by side, of which every other byte comes.
            let at = |offset: u32| offset.min(MAX_LEN - 2);
            let pieces = (0..MAX_LEN).step_by(2).flat_map(|offset| [(MAX_LEN, offset), (MAX_LEN - 1, at(offset))]);
            let mut counts = DiscardCounts::default();
            for (length, offset) in pieces {
                let part = part(length, offset, &[1]);
                let _ = gathering.add(seconds(0), peer(number), Sender::Unknown, &part, 26, &mut counts);
            }
            assert!(counts.get(Discard::FragmentMismatch) > 10, "{counts:?}");
        }
        assert_eq!(gathering.unknown.0.len(), 64);
        assert!(allocated(&gathering.unknown) < 800_000, "{}", allocated(&gathering.unknown));
        // The same when the bytes are many and the pieces few.
        for number in 100..200 {
            for (offset, body) in [(0, &[1; 3000][..]), (3000, &[1; 1095])] {
                let kept = add(&mut gathering, seconds(0), peer(number), &part(MAX_LEN, offset, body));
                assert!(matches!(kept, Ok(None)));
            }
        }
        assert!(allocated(&gathering.unknown) < 800_000, "{}", allocated(&gathering.unknown));
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
            let kept = gathering.add(seconds(0), peer(1), Sender::Unknown, &part(length, 0, &[1]), 26, &mut counts);
            assert!(matches!(kept, Ok(None)));
        }
        assert_eq!(counts.get(Discard::FragmentMismatch), 9);
    }

    fn numbered(message_seq: u16, fragment_offset: u32, body: &[u8]) -> Part<'_> {
        let mut part = part(4, fragment_offset, body);
        part.fragment.message_seq = MessageSeq(message_seq);
        part
    }

    #[test]
    fn no_forged_part_displaces_a_hello_that_has_shown_a_cookie() {
        let (mut gathering, now) = (Gathering::default(), seconds(0));
        let kept = add_from(&mut gathering, now, peer(1), Sender::Proved, &numbered(1, 0, &[1, 2]));
        assert!(matches!(kept, Ok(None)));
        for number in 2..1000 {
            assert!(matches!(add(&mut gathering, now, peer(number), &numbered(1, 0, &[1, 2])), Ok(None)));
        }
        // In the name of the same address.
        for message_seq in [0, 2] {
            let other = add(&mut gathering, now, peer(1), &numbered(message_seq, 0, &[9, 9]));
            assert!(matches!(other, Err(Discard::HelloFragment)));
        }
        let whole = add(&mut gathering, now, peer(1), &numbered(1, 2, &[3, 4])).expect("fits").expect("whole");
        assert_eq!(whole.datagram[25..], [1, 2, 3, 4]);
        assert!(gathering.proved.0.is_empty());
    }

    #[test]
    fn a_part_that_comes_before_the_one_with_the_cookie_counts() {
        let (mut gathering, now) = (Gathering::default(), seconds(0));
        assert!(matches!(add(&mut gathering, now, peer(1), &numbered(1, 2, &[3, 4])), Ok(None)));
        let cookie = numbered(1, 0, &[1]);
        assert!(matches!(add_from(&mut gathering, now, peer(1), Sender::Proved, &cookie), Ok(None)));
        assert!(gathering.unknown.0.is_empty());
        assert!(matches!(add(&mut gathering, now, peer(1), &numbered(1, 1, &[2])), Ok(Some(_))));
    }

    #[test]
    fn one_host_does_not_take_all_places() {
        let (mut gathering, now) = (Gathering::default(), seconds(0));
        let v4 = |port| SocketAddr::from((Ipv4Addr::new(10, 0, 0, 9), port));
        let mapped = |port| SocketAddr::from((Ipv4Addr::new(10, 0, 0, 9).to_ipv6_mapped(), port));
        let v6 = |port: u16| SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 7, port, 1, 2, 3), port));
        let mut show = |peer| add_from(&mut gathering, now, peer, Sender::Proved, &numbered(1, 0, &[1, 2]));
        for peer in [peer(1), SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 8, 0, 0, 0, 1), 1))] {
            assert!(matches!(show(peer), Ok(None)));
        }
        for port in 1..1000 {
            for host in [v4(port), mapped(port + 1000), v6(port)] {
                assert!(matches!(show(host), Ok(None)));
            }
        }
        let ports: Vec<_> = gathering.proved.0.iter().skip(2).map(|hello| hello.peer.port()).collect();
        assert_eq!(gathering.proved.0.len(), 2 + 2 * 8);
        assert!(ports.iter().all(|port| port % 1000 > 991), "{ports:?}");
        assert!(matches!(add(&mut gathering, now, peer(1), &numbered(1, 2, &[3, 4])), Ok(Some(_))));
    }

    #[test]
    fn forged_parts_that_use_up_the_room_keep_no_hello_out() {
        let now = seconds(0);
        let forged = |offset| {
            let mut forged = part(MAX_LEN, offset, &[9; 16]);
            forged.fragment.message_seq = MessageSeq(1);
            forged
        };
        // As many small pieces as find room, before the part with the cookie or behind it.
        for before in [true, false] {
            let mut gathering = Gathering::default();
            let flood = |gathering: &mut Gathering| {
                (0..MAX_LEN).step_by(32).map(|offset| add(gathering, now, peer(1), &forged(offset))).last()
            };
            if before {
                assert!(matches!(flood(&mut gathering), Some(Err(Discard::ReassemblyFull))));
            }
            let mut cookie = part(3000, 0, &[1; 1500]);
            cookie.fragment.message_seq = MessageSeq(1);
            assert!(matches!(add_from(&mut gathering, now, peer(1), Sender::Proved, &cookie), Ok(None)));
            assert!(matches!(flood(&mut gathering), Some(Err(Discard::HelloFragment))));
            let mut rest = part(3000, 1500, &[2; 1500]);
            rest.fragment.message_seq = MessageSeq(1);
            let whole = add(&mut gathering, now, peer(1), &rest).expect("room").expect("whole");
            assert_eq!(whole.datagram[25..], [[1; 1500], [2; 1500]].concat());
        }
    }

    #[test]
    fn whoever_has_a_cookie_may_begin_anew_and_there_is_a_bound_for_them_too() {
        let (mut gathering, now) = (Gathering::default(), seconds(0));
        for message_seq in 1..10 {
            let kept = add_from(&mut gathering, now, peer(1), Sender::Proved, &numbered(message_seq, 0, &[1]));
            assert!(matches!(kept, Ok(None)));
            assert_eq!(gathering.proved.0.len(), 1);
        }
        for number in 0..1000 {
            for (offset, body) in [(0, &[1; 3000][..]), (3000, &[1; 1095])] {
                let part = part(MAX_LEN, offset, body);
                assert!(matches!(add_from(&mut gathering, now, peer(number), Sender::Proved, &part), Ok(None)));
            }
        }
        assert_eq!(gathering.proved.0.len(), 256);
        assert!(allocated(&gathering.proved) < 3_200_000, "{}", allocated(&gathering.proved));
        assert!(!gathering.has(peer(1)) && gathering.has(peer(999)));
    }
}
