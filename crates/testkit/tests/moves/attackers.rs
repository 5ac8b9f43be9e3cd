//! Who would like the server to believe that its client has moved.

use std::cell::Cell;
use std::rc::Rc;

use gramseal_proto::Discard;

use super::*;

/// Bytes of the records that were put into datagrams from `from`, and of what the server sent there.
struct Victim {
    at: SocketAddr,
    received_from: usize,
}

impl Victim {
    fn new(port: u16) -> Self {
        Self { at: address(port), received_from: 0 }
    }

    /// Hands a datagram to the server as if the victim had sent it.
    fn blame(&mut self, sim: &mut Sim, pair: Pair, datagram: Vec<u8>) {
        self.received_from += datagram.len();
        sim.inject_from(pair, Side::Server, self.at, datagram);
    }

    fn harm(&self, sim: &Sim, pair: Pair) -> usize {
        sent_to(sim, pair, self.at).iter().map(|sent| sent.bytes.len()).sum()
    }
}

#[test] // RFC 9853 §5, §8.1.1
fn who_forges_an_address_has_at_most_three_times_as_much_sent_there() {
    each(|mut sim, pair, check| {
        let home = believed(&sim, pair);
        // The client's datagrams come from the victim's address, as far as the server sees.
        sim.drop_if(|sent| sent.from == Side::Client);
        let mut victim = Victim::new(1);
        for round in 0..40_u8 {
            if round % 8 == 0 {
                let datagram = say(&mut sim, pair, &[round]);
                victim.blame(&mut sim, pair, datagram);
            }
            // The application answers with as much as it can.
            for _ in 0..3 {
                sim.send(pair, Side::Server, &[round; 1000]).expect("connected");
            }
            sim.run_for(Duration::from_millis(250));
            let (harm, from) = (victim.harm(&sim, pair), victim.received_from);
            assert!(harm <= 3 * from, "{harm} bytes for {from}");
        }
        sim.run_for(4 * T);
        assert!(victim.harm(&sim, pair) > 0, "it was asked");
        assert_eq!(believed(&sim, pair), home);
        let PathCheckCounts { begun, succeeded, refuted, failed, .. } = counts(&sim, pair);
        assert!(begun >= 2 && (succeeded, refuted, failed) == (0, 0, begun), "{check:?}");
    });
}

#[test] // RFC 9853 §5.3, §5.5
fn a_check_that_nobody_answers_ends_and_changes_nothing() {
    each(|mut sim, pair, check| {
        let home = believed(&sim, pair);
        let to_home = sent_to(&sim, pair, home).len();
        sim.drop_if(|sent| sent.from == Side::Client);
        let mut victim = Victim::new(1);
        // Long, so that the allowance is no matter.
        let datagram = say(&mut sim, pair, &[7; 500]);
        let began = sim.now();
        victim.blame(&mut sim, pair, datagram);
        sim.run_until(|sim| !checks_now(sim, pair), 4 * T).expect("it ends");
        let enhanced = check == PathCheck::Enhanced;
        let took = sim.now() - began;
        assert!(took <= if enhanced { T_BEFORE + T } else { T }, "{took:?}");
        assert!(took + Duration::from_millis(1) > if enhanced { T_BEFORE + T } else { T }, "{took:?}");
        assert_checks(&sim, pair, [1, 0, 0, 1]);
        assert_eq!((believed(&sim, pair), moves(&sim, pair)), (home, vec![]));
        assert_eq!(sent_to(&sim, pair, home).len() - to_home, if enhanced { 3 } else { 0 });
        assert_eq!(sent_to(&sim, pair, victim.at).len(), 3, "one in each datagram");
    });
}

#[test] // RFC 9853 §5.3: up to the anti-amplification limit
fn few_bytes_allow_few_challenges_and_more_allow_more() {
    for version in VERSIONS {
        let mut wanted = Wanted::new(version, PathCheck::Basic);
        // What is sealed for the client is longer than what it seals.
        wanted.client_cids = ConnectionIds::Both(Arc::new(gramseal_proto::RandomCids::new(100)));
        let (mut sim, pair) = wanted.connect(Sim::new(1));
        sim.drop_if(|sent| sent.from == Side::Client);
        let mut victim = Victim::new(1);
        let first = say(&mut sim, pair, b"");
        victim.blame(&mut sim, pair, first);
        assert_eq!(sent_to(&sim, pair, victim.at).len(), 0, "{version}: it would be too much");
        let second = say(&mut sim, pair, b"");
        victim.blame(&mut sim, pair, second);
        assert_eq!(sent_to(&sim, pair, victim.at).len(), 1, "{version}");
        sim.run_for(2 * T);
        assert!(victim.harm(&sim, pair) <= 3 * victim.received_from, "{version}");
        assert_checks(&sim, pair, [1, 0, 0, 1]);
    }
}

/// The ids in the records of 1.3 that the server has sent there, each once and in order.
fn ids_sent_to(sim: &Sim, pair: Pair, to: SocketAddr, len: usize) -> Vec<Vec<u8>> {
    let mut ids: Vec<_> = sent_to(sim, pair, to).iter().map(|sent| sent.bytes[1..=len].to_vec()).collect();
    ids.dedup();
    ids
}

fn spares(sim: &Sim, pair: Pair) -> usize {
    connection(sim, pair, Side::Server).spare_cids()
}

/// Begins a check of `address(port)` that nobody answers, and waits for its end.
fn check_in_vain(sim: &mut Sim, pair: Pair, port: u16) {
    let begun = counts(sim, pair).begun;
    let datagram = say(sim, pair, &[7; 500]);
    Victim::new(port).blame(sim, pair, datagram);
    sim.run_until(|sim| !checks_now(sim, pair), 4 * T).expect("it ends");
    assert_eq!(counts(sim, pair).begun, begun + 1);
}

#[test] // RFC 9147 §9, RFC 9853 §9
fn checks_that_fail_use_up_no_connection_ids() {
    for check in CHECKS {
        let mut wanted = Wanted::new(ProtocolVersion::DTLS1_3, check);
        wanted.client_cids = ConnectionIds::random();
        let (mut sim, pair) = wanted.connect(Sim::new(1));
        sim.act(pair, Side::Server, |server| server.request_cids(3)).expect("ids are spoken of");
        sim.run_for(T);
        let home = believed(&sim, pair);
        let before = connection(&sim, pair, Side::Server).peer_cid().to_vec();
        let ids_to = |sim: &Sim, to| ids_sent_to(sim, pair, to, before.len());
        let is_cut_off = Rc::new(Cell::new(true));
        let cut_off = Rc::clone(&is_cut_off);
        sim.drop_if(move |sent| sent.from == Side::Client && cut_off.get());
        for round in 1..=6 {
            check_in_vain(&mut sim, pair, round);
            assert_eq!(connection(&sim, pair, Side::Server).peer_cid(), before, "{check:?} {round}");
            assert_eq!(spares(&sim, pair), 3_usize.saturating_sub(round.into()), "{check:?} {round}");
        }
        // Asked in the same place again, it has the same id there.
        check_in_vain(&mut sim, pair, 6);
        let given: Vec<_> = connection(&sim, pair, Side::Client).own_cids().iter().map(|cid| cid.to_vec()).collect();
        for round in 1..=6_u16 {
            let lent = given[1 + usize::from(round - 1) % 3].clone();
            assert_eq!(ids_to(&sim, address(round)), [lent], "{check:?} {round}: in their order, then once more");
        }
        sim.send(pair, Side::Server, b"where it was").expect("connected");
        assert_eq!(ids_to(&sim, home).last(), Some(&before));

        // Who has moved in earnest gets what was lent longest ago, and nothing else of what it had.
        is_cut_off.set(false);
        sim.move_client(pair, address(9));
        speak_until_followed(&mut sim, pair);
        assert_eq!(ids_to(&sim, address(9)), [given[1].clone()], "{check:?}");
        // New ones take the place of those that were lent.
        sim.act(pair, Side::Server, |server| server.request_cids(4)).expect("ids are spoken of");
        sim.run_for(T);
        assert_eq!(spares(&sim, pair), 4, "{check:?}");
        sim.move_client(pair, address(10));
        speak_until_followed(&mut sim, pair);
        let fresh = ids_to(&sim, address(10));
        assert_eq!(fresh.len(), 1, "{check:?}");
        assert!(!given.contains(&fresh[0]) && spares(&sim, pair) == 3, "{check:?}");
        sim.exchange(pair, b"and on");
    }
}

#[test] // RFC 9147 §9: ids that are to be used at once replace all before them, also in a check
fn ids_that_replace_all_others_replace_those_of_a_check() {
    let mut wanted = Wanted::new(ProtocolVersion::DTLS1_3, PathCheck::Basic);
    wanted.client_cids = ConnectionIds::random();
    for count in [1, 2] {
        let (mut sim, pair) = wanted.clone().connect(Sim::new(1));
        sim.act(pair, Side::Server, |server| server.request_cids(2)).expect("ids are spoken of");
        sim.run_for(T);
        let before = connection(&sim, pair, Side::Client).own_cids().to_vec();
        let usage = gramseal_proto::wire::handshake::ConnectionIdUsage::Immediate;
        sim.act(pair, Side::Client, |client| client.issue_cids(count, usage)).expect("there is room");
        // It is heard from elsewhere before they arrive, and again behind them.
        let datagram = say(&mut sim, pair, &[7; 500]);
        Victim::new(1).blame(&mut sim, pair, datagram);
        sim.run_for(2 * T);
        let given = connection(&sim, pair, Side::Client).own_cids().to_vec();
        let ids = ids_sent_to(&sim, pair, address(1), before[0].len());
        let expected = [before[1].clone(), given[2 + usize::from(count)].clone()].map(|cid| cid.to_vec());
        assert_eq!(ids, expected, "{count}");
        assert_eq!(spares(&sim, pair), 0, "{count}");
        assert_eq!(connection(&sim, pair, Side::Server).peer_cid(), &*given[3], "{count}");
    }
}

/// Somebody who sees everything on its way, is faster, and sends it on: what the client sends arrives from `at`, and
/// what the server sends there reaches the client. The slower originals arrive as well. Begins with what was sent after
/// `seen` datagrams, and runs for `time`.
fn forward(sim: &mut Sim, pair: Pair, at: SocketAddr, mut seen: usize, time: Duration) {
    let end = sim.now() + time;
    while sim.now() < end {
        let new: Vec<Sent> = sim.sent()[seen..].iter().filter(|sent| sent.pair == pair).cloned().collect();
        seen = sim.sent().len();
        for sent in new {
            match sent.from {
                Side::Client => sim.inject_from(pair, Side::Server, at, sent.bytes),
                Side::Server if sent.to == at => sim.inject(pair, Side::Client, sent.bytes),
                Side::Server => {}
            }
        }
        sim.run_for(Duration::from_millis(1));
    }
}

#[test] // RFC 9853 §8.1.2
fn who_sends_records_on_faster_gets_between_the_two_only_with_the_basic_check() {
    each(|mut sim, pair, check| {
        let (home, attacker) = (believed(&sim, pair), address(66));
        for round in 0..20_u8 {
            let before = sim.sent().len();
            say(&mut sim, pair, &[round]);
            forward(&mut sim, pair, attacker, before, Duration::from_millis(300));
        }
        assert_eq!(sim.received(pair, Side::Server).len(), 20, "no payload comes twice");
        match check {
            PathCheck::Basic => assert_eq!(believed(&sim, pair), attacker),
            PathCheck::Enhanced => {
                assert_eq!((believed(&sim, pair), moves(&sim, pair)), (home, vec![]));
                let PathCheckCounts { begun, refuted, .. } = counts(&sim, pair);
                assert!(begun >= 10 && refuted >= begun - 1, "{begun} {refuted}");
                assert_eq!(sent_to(&sim, pair, attacker).len(), 0, "it is not even asked");
            }
        }
        // Once it is gone, the client's own records bring its connection back.
        speak_until_followed(&mut sim, pair);
        sim.exchange(pair, b"and on");
    });
}

#[test] // RFC 9853 §5.5: T follows from the round trip
fn who_forges_in_the_handshake_does_not_get_between_the_two() {
    for version in VERSIONS {
        for forges in [false, true] {
            let mut sim = Sim::new(1).delay(Duration::from_millis(300));
            let pair = Wanted::new(version, PathCheck::Enhanced).begin(&mut sim);
            for _ in 0..60 {
                sim.run_for(Duration::from_millis(23));
                if forges {
                    sim.inject(pair, Side::Server, part_of_a_message(16, 2));
                }
            }
            sim.run_until(|sim| sim.connected(pair), Duration::from_secs(20)).expect("both sides connect");
            sim.run_for(Duration::from_secs(5));
            let (home, before) = (believed(&sim, pair), sim.sent().len());
            say(&mut sim, pair, b"hello");
            forward(&mut sim, pair, address(66), before, Duration::from_secs(3));
            assert_eq!(believed(&sim, pair), home, "{version} {forges}");
            assert!(counts(&sim, pair).begun > 0, "it was tried");
        }
    }
}

#[test]
fn forged_fragments_make_no_round_trip_shorter() {
    let delay = Duration::from_millis(150);
    for (version, msg_type, message_seq, to) in [
        (VERSIONS[1], 2, 0, Side::Client),
        (VERSIONS[1], 20, 2, Side::Server),
        (VERSIONS[0], 11, 1, Side::Client),
        (VERSIONS[0], 16, 2, Side::Server),
    ] {
        let mut sim = Sim::new(1).delay(delay);
        let pair = Wanted::new(version, PathCheck::Enhanced).begin(&mut sim);
        for _ in 0..40 {
            sim.run_for(Duration::from_millis(23));
            sim.inject(pair, to, part_of_a_message(msg_type, message_seq));
        }
        sim.run_until(|sim| sim.connected(pair), Duration::from_secs(20)).expect("both sides connect");
        let measured = connection(&sim, pair, to).stats().round_trip();
        assert_eq!(measured, Some(2 * delay), "{version} {to:?}");
    }
}

/// One byte of a message of 100, which nothing protects.
fn part_of_a_message(msg_type: u8, message_seq: u8) -> Vec<u8> {
    let fragment = [msg_type, 0, 0, 100, 0, message_seq, 0, 0, 0, 0, 0, 1, 7];
    [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13][..], &fragment].concat()
}

#[test] // RFC 9146 §6
fn what_is_old_forged_or_sent_on_twice_begins_no_check() {
    each(|mut sim, pair, _| {
        let home = believed(&sim, pair);
        let third = deliver_nothing_new(&mut sim, pair);
        assert_checks(&sim, pair, [0; 4]);
        assert!(!checks_now(&sim, pair));
        sim.inject_from(pair, Side::Server, address(2), third);
        assert_checks(&sim, pair, [1, 0, 0, 0]);
        assert_eq!((believed(&sim, pair), sim.received(pair, Side::Server).len()), (home, 3));
        assert_eq!(sent_to(&sim, pair, address(1)).len(), 0);
    });
}

#[test] // RFC 9853 §5.4: the path has to work both ways
fn an_answer_from_a_third_place_moves_nobody() {
    for version in VERSIONS {
        let (mut sim, pair) = Wanted::new(version, PathCheck::Basic).connect(Sim::new(1));
        let home = believed(&sim, pair);
        sim.drop_if(|sent| sent.from == Side::Client);
        let datagram = say(&mut sim, pair, b"1");
        sim.inject_from(pair, Side::Server, address(1), datagram);
        let challenge = sent_to(&sim, pair, address(1))[0].bytes.clone();
        sim.inject(pair, Side::Client, challenge);
        let answer = sim.sent_by(pair, Side::Client).last().expect("the client answers").bytes.clone();
        sim.inject_from(pair, Side::Server, address(2), answer);
        assert_eq!(connection(&sim, pair, Side::Server).stats().discards.get(Discard::UnaskedPathAnswer), 1);
        sim.run_for(2 * T);
        assert_eq!(believed(&sim, pair), home, "{version}");
        assert_checks(&sim, pair, [1, 0, 0, 1]);
        assert_eq!(sent_to(&sim, pair, address(2)).len(), 0, "one check at a time");
    }
}
