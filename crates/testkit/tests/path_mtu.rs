//! How large datagrams may be: what a search finds out (RFC 8899), and what the caller hears from its system.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::Transport;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::{Connection, Event, SendError};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sim::{Conditions, Fate, Pair, Side, Sim};

const STEP: usize = 16;

fn transport(mtu: usize, max_mtu: Option<usize>) -> Transport {
    Transport { mtu, max_mtu, ..Transport::default() }
}

/// A network that carries so much, with this part of the datagrams lost.
fn network(mtu: usize, loss: f64) -> Conditions {
    Conditions { mtu, loss, ..Conditions::default() }
}

fn begin(version: ProtocolVersion, seed: u64, transport: &Transport, conditions: Conditions) -> (Sim, Pair) {
    let client = null::client_config(seed).with_versions(&[version]).with_transport(transport.clone());
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 3000);
    let server = null::server_config(!seed, identity).with_versions(&[version]).with_transport(transport.clone());
    let (client, server) = (client.build().expect("a configuration"), server.build().expect("a configuration"));
    let mut sim = Sim::new(seed).without_cookies();
    for side in Side::BOTH {
        sim.set_conditions(side, conditions.clone());
    }
    let pair = sim.connect(Arc::new(client), Arc::new(server));
    (sim, pair)
}

fn connect(version: ProtocolVersion, seed: u64, transport: &Transport, conditions: Conditions) -> (Sim, Pair) {
    let (mut sim, pair) = begin(version, seed, transport, conditions);
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(60)).expect("both sides connect");
    (sim, pair)
}

fn connection(sim: &mut Sim, pair: Pair, side: Side) -> &mut Connection {
    sim.connection_mut(pair, side).expect("a connection")
}

/// The largest payload arrives, and one byte more is refused with the limit.
fn fills_datagrams(sim: &mut Sim, pair: Pair, side: Side) {
    let limit = connection(sim, pair, side).max_payload();
    let payload = vec![7; limit];
    sim.send(pair, side, &payload).expect("it fits");
    assert_eq!(sim.sent_by(pair, side).last().map(|sent| sent.bytes.len()), Some(connection(sim, pair, side).mtu()));
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.received(pair, side.peer()).last(), Some(&payload));
    let more = connection(sim, pair, side).seal(&vec![7; limit + 1], &mut vec![0; 70_000]);
    assert_eq!(more, Err(SendError::TooLarge { limit }));
}

#[test] // RFC 8899 §5.2, §5.3
fn a_search_finds_what_the_path_carries() {
    for (most, carries) in [(1472, 1472), (1472, 1400), (1472, 1252), (1472, 1203), (9000, 1492), (9000, 8000)] {
        let (mut sim, pair) = connect(ProtocolVersion::DTLS1_3, 5, &transport(1200, Some(most)), network(carries, 0.0));
        sim.run_for(Duration::from_secs(60));
        for side in Side::BOTH {
            let found = connection(&mut sim, pair, side).mtu();
            assert!(found <= carries.min(most) && found + STEP >= carries.min(most), "{most} {carries}: {found}");
            let mut told = sim.events(pair, side).iter().rev().filter_map(|event| match event {
                Event::MtuChanged(bytes) => Some(*bytes),
                _ => None,
            });
            assert_eq!(told.next(), (found > 1200).then_some(found), "{most} {carries}");
            fills_datagrams(&mut sim, pair, side);
        }
    }
}

#[test] // RFC 8899 §5.1.2: a size counts as too large only when it was lost three times
fn losses_do_not_pass_for_a_narrow_path() {
    let mut short = 0;
    for seed in 0..20 {
        let (mut sim, pair) = connect(ProtocolVersion::DTLS1_3, seed, &transport(1200, Some(1472)), network(1452, 0.1));
        sim.run_for(Duration::from_secs(240));
        for side in Side::BOTH {
            sim.set_conditions(side, network(1452, 0.0));
            let found = connection(&mut sim, pair, side).mtu();
            assert!(found <= 1452, "{seed}: {found}");
            short += usize::from(found + STEP < 1452);
            fills_datagrams(&mut sim, pair, side);
        }
    }
    // Three losses of ten in a hundred in a row come seldom.
    assert!(short <= 2, "{short}");
}

#[test] // RFC 8899 §4.3, §5.2: PMTU_RAISE_TIMER
fn a_path_that_changes_is_searched_again_while_it_is_in_use() {
    let (mut sim, pair) = connect(ProtocolVersion::DTLS1_3, 5, &transport(1200, Some(1472)), network(1472, 0.0));
    sim.run_for(Duration::from_secs(10));
    assert_eq!(connection(&mut sim, pair, Side::Client).mtu(), 1472);
    for carries in [1300, 1420] {
        for side in Side::BOTH {
            sim.set_conditions(side, network(carries, 0.0));
        }
        for _ in 0..13 {
            sim.send(pair, Side::Client, b"in use").expect("connected");
            sim.run_for(Duration::from_secs(60));
        }
        let found = connection(&mut sim, pair, Side::Client).mtu();
        assert!(found <= carries && found + STEP >= carries, "{carries}: {found}");
        fills_datagrams(&mut sim, pair, Side::Client);
    }
    // Who is quiet sends no probes.
    let before = sim.sent().len();
    sim.run_for(Duration::from_secs(1300));
    let updates = connection(&mut sim, pair, Side::Client).stats().key_updates_sent;
    sim.run_for(Duration::from_secs(1300));
    assert_eq!(connection(&mut sim, pair, Side::Client).stats().key_updates_sent, updates);
    assert!(sim.sent().len() < before + 60);
}

#[test] // RFC 8899 §5.2
fn what_was_found_on_one_path_does_not_count_on_another() {
    let (mut sim, pair) = connect(ProtocolVersion::DTLS1_3, 5, &transport(1200, Some(1472)), network(1472, 0.0));
    sim.run_for(Duration::from_secs(10));
    let side = Side::Server;
    assert_eq!(connection(&mut sim, pair, side).mtu(), 1472);
    let peer = connection(&mut sim, pair, side).peer().expect("it is known");
    connection(&mut sim, pair, side).set_peer(peer);
    assert_eq!(connection(&mut sim, pair, side).mtu(), 1472, "it is where it was");
    for side in Side::BOTH {
        sim.set_conditions(side, network(1300, 0.0));
    }
    connection(&mut sim, pair, side).set_peer("203.0.113.9:9".parse().expect("an address"));
    assert_eq!(connection(&mut sim, pair, side).mtu(), 1200);
    connection(&mut sim, pair, side).set_peer(peer);
    assert_eq!(connection(&mut sim, pair, side).mtu(), 1200, "it is another path all the same");
    sim.flush(pair, side);
    sim.run_for(Duration::from_secs(30));
    let found = connection(&mut sim, pair, side).mtu();
    assert!(found <= 1300 && found + STEP >= 1300, "{found}");
    fills_datagrams(&mut sim, pair, side);
}

#[test]
fn nothing_is_tried_out_in_1_2_or_where_nobody_asks_for_it() {
    for (version, max_mtu) in [
        (ProtocolVersion::DTLS1_2, Some(1472)),
        (ProtocolVersion::DTLS1_3, None),
        (ProtocolVersion::DTLS1_3, Some(900)),
    ] {
        let (mut sim, pair) = connect(version, 5, &transport(1200, max_mtu), network(1472, 0.0));
        sim.exchange(pair, b"x");
        sim.run_for(Duration::from_secs(1300));
        for side in Side::BOTH {
            assert!(!connection(&mut sim, pair, side).search_mtu());
            assert_eq!(connection(&mut sim, pair, side).mtu(), 1200);
            assert_eq!(connection(&mut sim, pair, side).stats().key_updates_sent, 0);
        }
        assert!(sim.sent().iter().all(|sent| sent.bytes.len() <= 1200));
    }
}

#[test] // RFC 8449 §4: padding counts as content
fn no_probe_is_larger_than_the_records_that_the_peer_takes() {
    let versions = [ProtocolVersion::DTLS1_3];
    let big = transport(1200, Some(1472));
    let client = null::client_config(5).with_versions(&versions).with_transport(big).with_record_size_limit(4000);
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let server = null::server_config(6, identity).with_versions(&versions).with_record_size_limit(1300);
    let (client, server) = (client.build().expect("a configuration"), server.build().expect("a configuration"));
    let mut sim = Sim::new(5).without_cookies();
    let pair = sim.connect(Arc::new(client), Arc::new(server));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(60)).expect("both sides connect");
    sim.run_for(Duration::from_secs(10));
    let mtu = connection(&mut sim, pair, Side::Client).mtu();
    assert!(mtu > 1300 && mtu < 1350, "{mtu}");
    assert_eq!(connection(&mut sim, pair, Side::Client).max_payload(), 1299, "the type counts too");
    fills_datagrams(&mut sim, pair, Side::Client);
}

#[test] // RFC 9147 §4.4, RFC 6347 §4.1.1: what the system hears of the path
fn a_handshake_goes_on_in_smaller_pieces_as_soon_as_it_hears_of_the_path() {
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        let (mut sim, pair) = begin(version, 5, &transport(1400, None), network(700, 0.0));
        let lost = |sim: &Sim| sim.sent_by(pair, Side::Server).any(|sent| sent.fate != Fate::Arrives);
        sim.run_until(lost, Duration::from_secs(1)).expect("the certificate does not pass");
        let now = sim.now();
        connection(&mut sim, pair, Side::Server).set_path_mtu(700);
        sim.flush(pair, Side::Server);
        sim.run_until(|sim| sim.connected(pair), Duration::from_secs(1)).expect("no timeout is waited for");
        assert!(sim.now() - now < Duration::from_millis(200));
        let late = sim.sent_by(pair, Side::Server).filter(|sent| sent.at > now);
        assert!(late.into_iter().all(|sent| sent.bytes.len() <= 700));
        sim.exchange(pair, b"x");
        fills_datagrams(&mut sim, pair, Side::Server);
        // It may carry more later, but no more than was allowed.
        connection(&mut sim, pair, Side::Server).set_path_mtu(9000);
        assert_eq!(connection(&mut sim, pair, Side::Server).mtu(), 1400);
        sim.flush(pair, Side::Server);
        assert!(sim.events(pair, Side::Server).contains(&Event::MtuChanged(1400)));
        // And nobody makes it useless.
        connection(&mut sim, pair, Side::Server).set_path_mtu(0);
        assert_eq!(connection(&mut sim, pair, Side::Server).mtu(), 548);
    }
}
