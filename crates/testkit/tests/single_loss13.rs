//! Every datagram of every kind of 1.3 handshake is lost once, in a run of its own (RFC 9147 §5.8.1, §7): what was lost
//! is sent again, what an ACK named is not, and where there can be ACKs nothing but what was lost is.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use common::{KINDS, Kind};
use gramseal_proto::Instant;
use gramseal_proto::wire::{ContentType, HandshakeType, RecordNumber};
use gramseal_testkit::decode::fragments;
use gramseal_testkit::peer::{Seen, Wiretap};
use gramseal_testkit::sim::{Fate, Pair, Side, Sim};

const SEED: u64 = 1;
/// A timeout, a few round trips of 20 ms, and nothing that is waited for in vain.
const ENOUGH: Duration = Duration::from_secs(2);
/// One way.
const DELAY: Duration = Duration::from_millis(10);

/// A byte of a handshake message: the message's number and the byte's.
type Byte = (u16, u32);

/// A datagram, opened.
struct Opened {
    at: Instant,
    lost: bool,
    records: Vec<Seen>,
}

impl Opened {
    /// The bytes of handshake messages in it.
    fn bytes(&self) -> BTreeSet<Byte> {
        self.records.iter().flat_map(bytes).collect()
    }

    fn has(&self, msg_type: HandshakeType) -> bool {
        let handshake = self.records.iter().filter(|seen| seen.content_type == ContentType::HANDSHAKE);
        handshake.flat_map(|seen| fragments(&seen.content)).any(|fragment| fragment.msg_type == msg_type)
    }

    fn acks(&self) -> impl Iterator<Item = Vec<(u64, u64)>> + '_ {
        self.records.iter().filter_map(Seen::acknowledged)
    }
}

/// An empty body counts as one byte.
fn bytes(seen: &Seen) -> Vec<Byte> {
    if seen.content_type != ContentType::HANDSHAKE {
        return Vec::new();
    }
    let range = |start: u32, len: usize| start..start + u32::try_from(len.max(1)).expect("short");
    let all = fragments(&seen.content);
    all.iter()
        .flat_map(|fragment| {
            let number = fragment.message_seq.0;
            range(fragment.fragment_offset, fragment.body.len()).map(move |byte| (number, byte))
        })
        .collect()
}

/// A run: what the client sent, and what the server did.
struct Run([Vec<Opened>; 2]);

fn run(kind: Kind, dropped: Option<(Side, usize)>) -> Run {
    let tap = Arc::new(Wiretap::default());
    let mut sim = Sim::new(SEED);
    if let Some((side, index)) = dropped {
        sim.drop_nth(side, index);
    }
    let (mut sim, pair, _) = kind.connect_keeping(sim, SEED, Duration::from_secs(60), Some(tap.clone()));
    if let Err(stuck) = sim.run_until(|sim| sim.connected(pair), ENOUGH) {
        panic!("{}, dropped {dropped:?}: {stuck:?}", kind.name);
    }
    kind.check(&sim, pair);
    // Nothing that was lost may show later.
    sim.run_for(Duration::from_secs(100));
    assert!(sim.connected(pair));
    Run(Side::BOTH.map(|side| opened(&sim, pair, side, &tap)))
}

fn opened(sim: &Sim, pair: Pair, from: Side, tap: &Wiretap) -> Vec<Opened> {
    let cid_len = sim.connection(pair, from).map_or(0, |connection| connection.peer_cid().len());
    let open = |sent: &gramseal_testkit::sim::Sent| Opened {
        at: sent.at,
        lost: sent.fate == Fate::Dropped,
        records: tap.open_named(from, &sent.bytes, cid_len),
    };
    sim.sent_by(pair, from).map(open).collect()
}

impl Run {
    fn of(&self, side: Side) -> &[Opened] {
        &self.0[side as usize]
    }

    /// What `side` sent more than once.
    fn repeated(&self, side: Side) -> BTreeSet<Byte> {
        let mut seen = BTreeSet::new();
        let all = self.of(side).iter().flat_map(|datagram| datagram.bytes());
        all.filter(|byte| !seen.insert(*byte)).collect()
    }

    /// What had been acknowledged to `side` before `at`.
    fn acknowledged(&self, side: Side, at: Instant) -> BTreeSet<Byte> {
        let arrived = self.of(side.peer()).iter().filter(|ack| !ack.lost && ack.at + DELAY < at);
        let numbers: BTreeSet<(u64, u64)> = arrived.flat_map(Opened::acks).flatten().collect();
        let records = self.of(side).iter().flat_map(|datagram| &datagram.records);
        records.filter(|seen| numbers.contains(&pair_of(seen.number))).flat_map(bytes).collect()
    }

    /// ACKs name, in ascending order, what arrived by then.
    fn check_acks(&self, what: &str) {
        for side in Side::BOTH {
            for datagram in self.of(side) {
                for list in datagram.acks() {
                    assert!(!list.is_empty() && list.is_sorted(), "{what}: {list:?}");
                    let came = self.of(side.peer()).iter().filter(|sent| !sent.lost && sent.at + DELAY <= datagram.at);
                    let came: BTreeSet<(u64, u64)> =
                        came.flat_map(|sent| &sent.records).map(|seen| pair_of(seen.number)).collect();
                    assert!(list.iter().all(|number| came.contains(number)), "{what}: {list:?}");
                }
            }
        }
    }

    /// Nothing goes out once more that the peer is known to have.
    fn check_repetitions(&self, what: &str) {
        for side in Side::BOTH {
            let mut before: BTreeSet<Byte> = BTreeSet::new();
            for datagram in self.of(side) {
                let bytes = datagram.bytes();
                let again: BTreeSet<Byte> = bytes.intersection(&before).copied().collect();
                let known = self.acknowledged(side, datagram.at);
                assert!(again.is_disjoint(&known), "{what}: the {side:?} repeats what it knows to have arrived");
                before.extend(bytes);
            }
        }
    }
}

fn pair_of(number: RecordNumber) -> (u64, u64) {
    (number.epoch.0, number.sequence_number.0)
}

#[test]
fn an_undisturbed_handshake_sends_nothing_twice() {
    for kind in KINDS.into_iter().filter(|kind| kind.dtls13) {
        let run = run(kind, None);
        run.check_acks(kind.name);
        for side in Side::BOTH {
            assert!(run.repeated(side).is_empty(), "{}, {side:?}", kind.name);
        }
    }
}

#[test] // RFC 9147 §5.8.1, §7
fn any_single_lost_datagram_is_sent_again_and_nothing_that_arrived_where_acks_can_tell() {
    for kind in KINDS.into_iter().filter(|kind| kind.dtls13) {
        let (mut baseline, pair) = kind.connect(Sim::new(SEED), SEED, Duration::from_secs(60));
        baseline.run_until(|sim| sim.connected(pair), ENOUGH).expect("nothing is in the way");
        baseline.run_for(DELAY);
        for side in Side::BOTH {
            let count = baseline.sent_by(pair, side).count();
            for index in 0..count {
                let last = side == Side::Server && index + 1 == count;
                check(kind, &run(kind, Some((side, index))), (side, index), last);
            }
        }
    }
}

fn check(kind: Kind, run: &Run, (side, index): (Side, usize), last: bool) {
    let what = format!("{}, {side:?} datagram {index}", kind.name);
    run.check_acks(&what);
    run.check_repetitions(&what);
    let lost = &run.of(side)[index];
    assert!(lost.lost, "{what}");
    let (repeated, others) = (run.repeated(side), run.repeated(side.peer()));
    assert!(lost.bytes().is_subset(&repeated), "{what}: not all of it was sent again");
    if lost.bytes().is_empty() {
        assert!(repeated.is_empty(), "{what}: nothing of its own was lost");
        // A slow server has told what came before.
        if last && !kind.slow {
            // The client says its last flight again and is told again.
            assert!(!others.is_empty(), "{what}");
            assert!(run.of(side)[index + 1..].iter().any(|datagram| datagram.acks().next().is_some()), "{what}");
        }
        return;
    }
    // Before it has a ServerHello a client can acknowledge nothing, nor a server before it has the whole hello.
    let hello = lost.has(HandshakeType::SERVER_HELLO) || lost.has(HandshakeType::CLIENT_HELLO);
    if hello {
        return;
    }
    assert_eq!(repeated, lost.bytes(), "{what}: more than what was lost was sent again");
    // Who heard nothing of a flight cannot know that its own, which it answers, arrived.
    let alone = run.of(side).iter().filter(|datagram| datagram.at == lost.at).count() == 1;
    assert!(alone || others.is_empty(), "{what}: the other side had nothing to say again");
}
