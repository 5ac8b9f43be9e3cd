//! Every datagram of every kind of 1.2 handshake is lost once, in a run of its own (RFC 6347 §4.2.4):
//! both sides connect all the same, what was lost is sent again with its whole flight, and nothing
//! but whole flights is ever sent again.

mod common;

use std::time::Duration;

use common::{KINDS, Kind};
use gramseal_testkit::decode::Item;
use gramseal_testkit::sim::{Pair, Sent, Side, Sim};

const SEED: u64 = 1;

/// One timeout, a few round trips of 20 ms, and nothing that is waited for in vain.
const ENOUGH: Duration = Duration::from_secs(2);

#[test] // RFC 6347 §4.2.4
fn any_single_lost_datagram_is_sent_again_with_its_flight() {
    for kind in KINDS.into_iter().filter(|kind| !kind.dtls13) {
        let (baseline, pair) = run(kind, None);
        let flights = Side::BOTH.map(|side| bursts(&baseline, pair, side));
        for side in Side::BOTH {
            let count = baseline.sent_by(pair, side).count();
            assert!(count > 0, "{}: the {side:?} sends something", kind.name);
            for index in 0..count {
                let (sim, pair) = run(kind, Some((side, index)));
                check(kind, &sim, pair, &flights, (side, index));
            }
        }
    }
}

#[test]
fn an_undisturbed_handshake_sends_nothing_twice() {
    for kind in KINDS.into_iter().filter(|kind| !kind.dtls13) {
        let (sim, pair) = run(kind, None);
        for side in Side::BOTH {
            let mut seen = Vec::new();
            for item in sim.sent_by(pair, side).flat_map(Sent::items).filter(is_handshake) {
                assert!(!seen.contains(&item), "{}: {item} was sent twice", kind.name);
                seen.push(item);
            }
        }
    }
}

fn is_handshake(item: &Item) -> bool {
    matches!(item, Item::Handshake { .. })
}

/// A whole handshake in which one datagram, perhaps, is dropped.
fn run(kind: Kind, dropped: Option<(Side, usize)>) -> (Sim, Pair) {
    let mut sim = Sim::new(SEED);
    if let Some((side, index)) = dropped {
        sim.drop_nth(side, index);
    }
    let (mut sim, pair) = kind.connect(sim, SEED, Duration::from_secs(60));
    if let Err(stuck) = sim.run_until(|sim| sim.connected(pair), ENOUGH) {
        panic!("{}, dropped {dropped:?}: {stuck:?}", kind.name);
    }
    kind.check(&sim, pair);
    (sim, pair)
}

/// What a side sent, divided at every pause.
fn bursts(sim: &Sim, pair: Pair, from: Side) -> Vec<Vec<Item>> {
    let sent: Vec<_> = sim.sent_by(pair, from).collect();
    sent.chunk_by(|a, b| a.at == b.at).map(|burst| burst.iter().flat_map(|sent| sent.items()).collect()).collect()
}

fn check(kind: Kind, sim: &Sim, pair: Pair, flights: &[Vec<Vec<Item>>; 2], (side, index): (Side, usize)) {
    let what = format!("{}, {side:?} datagram {index}", kind.name);
    let lost = sim.sent_by(pair, side).nth(index).expect("the datagram that was lost");
    let contents = lost.items();
    let own = &flights[side as usize];
    let flight = own.iter().find(|flight| flight.windows(contents.len()).any(|part| part == contents));
    let flight = flight.unwrap_or_else(|| panic!("{what}: {lost} is in no flight of the undisturbed run"));
    let later: Vec<Item> = sim.sent_by(pair, side).filter(|sent| sent.at > lost.at).flat_map(Sent::items).collect();
    assert!(later.windows(flight.len()).any(|part| part == flight), "{what}: the flight was not sent again");

    for side in Side::BOTH {
        for burst in bursts(sim, pair, side) {
            let whole = is_made_of(&burst, &flights[side as usize]);
            assert!(whole, "{what}: the {side:?} sent something else than whole flights: {}", names(&burst));
        }
    }
}

/// Whether `burst` is one flight, or some one after the other.
fn is_made_of(burst: &[Item], flights: &[Vec<Item>]) -> bool {
    burst.is_empty()
        || flights.iter().any(|flight| burst.strip_prefix(&flight[..]).is_some_and(|rest| is_made_of(rest, flights)))
}

fn names(items: &[Item]) -> String {
    items.iter().map(|item| format!("{item} ")).collect()
}
