//! Handshakes over networks that lose, reorder and duplicate: 300 seeds, all kinds, all complete.

mod common;

use std::time::Duration;

use common::{KINDS, Kind};
use gramseal_proto::{CloseReason, Error};
use gramseal_testkit::sim::{Conditions, Pair, Side, Sim, seed_count, seeds};

const PATIENCE: Duration = Duration::from_secs(180);

fn connect(kind: Kind, sim: Sim, seed: u64) -> (Sim, Pair) {
    let (mut sim, pair) = kind.connect(sim, seed, PATIENCE);
    if let Err(stuck) = sim.run_until(|sim| sim.connected(pair), PATIENCE) {
        panic!("{}: {stuck:?}", kind.name);
    }
    kind.check(&sim, pair);
    (sim, pair)
}

#[test]
fn every_kind_of_handshake_survives_a_bad_network() {
    for seed in seeds(0..300) {
        for kind in KINDS {
            let mut sim = Sim::new(seed).loss(0.2).reorder(0.1).duplicate(0.05);
            if kind.mtu <= 600 {
                sim = sim.mtu(600);
            }
            let (mut sim, pair) = connect(kind, sim, seed);
            // What is left in the network must not disturb the finished handshake.
            sim.run_for(Duration::from_secs(5));
            assert!(sim.connected(pair), "{}, seed {seed}: connected and then not", kind.name);
        }
    }
}

/// At a loss of 30 % half of all exchanges fail. With waits that double up to a minute ten fit into three minutes, so
/// that one handshake in a thousand is not done by then; a side that waits no longer than this has four times as many.
const SHORT_WAIT: Duration = Duration::from_secs(5);

/// With `SIM_SEEDS=3000` and `--nocapture` this is the long run, which tells how long handshakes took.
#[test] // RFC 6347 §4.2.4, RFC 9147 §5.8
fn every_kind_of_handshake_completes_where_a_third_is_lost() {
    let (mut short, mut usual) = (Vec::new(), Vec::new());
    for kind in KINDS {
        let run = |max_timeout| -> Vec<Option<Duration>> {
            let kind = Kind { max_timeout, ..kind };
            seeds(0..seed_count(10)).map(|seed| time_where_a_third_is_lost(kind, seed)).collect()
        };
        let times = run(SHORT_WAIT);
        let never = seeds(0..seed_count(10)).zip(&times).find(|(_, time)| time.is_none());
        assert_eq!(never.map(|(seed, _)| seed), None, "{}: the seed that does not complete", kind.name);
        short.extend(times);
        usual.extend(run(kind.max_timeout));
    }
    for (what, times) in [("short waits", &short), ("usual waits", &usual)] {
        let within = |secs| times.iter().flatten().filter(|time| **time <= Duration::from_secs(secs)).count();
        let (all, in_10, in_60, in_180) = (times.len(), within(10), within(60), within(180));
        println!("{what}: {all} handshakes, within 10 s {in_10}, 60 s {in_60}, 180 s {in_180}");
        assert!(in_180 * 100 >= all * 99, "{what}");
    }
}

/// How long a handshake of this kind takes, if it completes.
fn time_where_a_third_is_lost(kind: Kind, seed: u64) -> Option<Duration> {
    let mut sim = Sim::new(seed).loss(0.3);
    if kind.mtu <= 600 {
        sim = sim.mtu(600);
    }
    let (mut sim, pair) = kind.connect(sim, seed, PATIENCE);
    let begun = sim.now();
    if sim.run_until(|sim| sim.connected(pair), PATIENCE).is_err() {
        // Nothing but time ends a handshake that loses datagrams.
        for side in Side::BOTH {
            let closed = sim.closed(pair, side);
            let in_time = matches!(closed, None | Some(CloseReason::Failed(Error::TimedOut(_))));
            assert!(in_time, "{}, seed {seed}: {closed:?}", kind.name);
        }
        return None;
    }
    kind.check(&sim, pair);
    Some(sim.now().saturating_since(begun))
}

#[test]
fn handshakes_find_a_path_that_passes_only_small_datagrams() {
    for seed in seeds(0..20) {
        for kind in KINDS {
            let sim = Sim::new(seed).mtu(600);
            connect(kind, sim, seed);
        }
    }
}

#[test]
fn damaged_datagrams_end_no_connection() {
    for seed in seeds(0..30) {
        for kind in KINDS {
            let (mut sim, pair) = connect(kind, Sim::new(seed), seed);
            sim = sim.corrupt(0.5);
            for number in 0..20u8 {
                for side in Side::BOTH {
                    sim.send(pair, side, &[number; 50]).expect("connected");
                }
            }
            sim.run_for(Duration::from_secs(5));
            for side in Side::BOTH {
                let received = sim.received(pair, side);
                assert!(received.iter().all(|payload| payload.len() == 50 && payload.iter().all(|b| *b == payload[0])));
                assert!(!received.is_empty() && received.len() < 20, "some are damaged and some are not");
            }
            assert!(sim.connected(pair), "{}, seed {seed}", kind.name);
        }
    }
}

#[test]
fn damage_during_the_handshake_never_leads_to_two_different_outcomes() {
    let (mut completed, mut failed) = (0, 0);
    for seed in seeds(0..200) {
        for kind in [KINDS[0], KINDS[1], KINDS[2]] {
            // Damage to an unprotected message cannot be told from a peer that speaks nonsense, so
            // a handshake may fail; but Finished covers all of it, so it cannot succeed on one side
            // with another content than on the other.
            let (mut sim, pair) = kind.connect(Sim::new(seed).corrupt(0.1), seed, Duration::from_secs(60));
            sim.run_for(Duration::from_secs(100));
            if !sim.connected(pair) {
                failed += 1;
                continue;
            }
            completed += 1;
            for side in Side::BOTH {
                sim.set_conditions(side, Conditions::default());
            }
            sim.exchange(pair, b"agreed");
            let exported = Side::BOTH.map(|side| {
                let mut out = [0; 32];
                let connection = sim.connection(pair, side).expect("a connection");
                connection.export_keying_material(b"EXPERIMENTAL test", None, &mut out).expect("connected");
                (out, connection.negotiated().map(|agreed| (agreed.cipher_suite, agreed.group)))
            });
            assert_eq!(exported[0], exported[1], "{}, seed {seed}", kind.name);
        }
    }
    let replay = completed + failed == 3;
    assert!(replay || completed > 100 && failed > 10, "both happen: {completed} completed, {failed} failed");
}

#[test]
fn application_data_passes_both_ways_and_close_is_heard() {
    for kind in KINDS {
        let (mut sim, pair) = connect(kind, Sim::new(3), 3);
        sim.exchange(pair, b"first");
        sim.exchange(pair, &[7; 200]);
        sim.close(pair, Side::Client);
        let heard = |sim: &Sim| sim.closed(pair, Side::Server).is_some();
        sim.run_until(heard, Duration::from_secs(1)).expect("the server hears that the client closes");
    }
}
