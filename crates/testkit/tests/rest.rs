//! Quiet connections that free their expanded keys, and what wakes them.

use std::time::Duration;

use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::wire::handshake::KeyUpdateRequest::Requested;
use gramseal_proto::{CloseReason, Discard};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sim::{Pair, Side, Sim};

fn connect(version: ProtocolVersion) -> (Sim, Pair) {
    let client = null::client_config(2).with_versions(&[version]);
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 300);
    let server = null::server_config(3, identity).with_versions(&[version]);
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(client.build().expect("a configuration"), server.build().expect("a configuration"));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    sim.exchange(pair, b"before");
    (sim, pair)
}

/// Puts one side to rest; whether there was something to free.
fn rest(sim: &mut Sim, pair: Pair, side: Side) -> bool {
    sim.connection_mut(pair, side).expect("a connection").rest()
}

fn resting(sim: &Sim, pair: Pair) -> [bool; 2] {
    Side::BOTH.map(|side| sim.connection(pair, side).expect("a connection").is_resting())
}

#[test] // RFC 9846 §7.3
fn keys_at_rest_come_back_with_the_next_record_of_either_side() {
    for (resting_side, from) in [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(a, b)| (Side::BOTH[a], Side::BOTH[b])) {
        let (mut sim, pair) = connect(ProtocolVersion::DTLS1_3);
        assert!(rest(&mut sim, pair, resting_side));
        assert!(!rest(&mut sim, pair, resting_side), "there is nothing left to free");
        sim.send(pair, from, b"after").expect("connected");
        sim.run_for(Duration::from_millis(100));
        assert_eq!(sim.received(pair, from.peer()).last().map(Vec::as_slice), Some(&b"after"[..]));
        assert_eq!(resting(&sim, pair), [false; 2]);
        sim.exchange(pair, b"both ways");
    }
}

#[test] // RFC 9846 §7.2
fn keys_that_were_updated_rest_as_well() {
    let (mut sim, pair) = connect(ProtocolVersion::DTLS1_3);
    for round in 0..3 {
        sim.update_keys(pair, Side::BOTH[round % 2], Requested).expect("none is on its way");
        sim.run_for(Duration::from_secs(1));
        for side in Side::BOTH {
            assert!(rest(&mut sim, pair, side), "round {round}");
        }
        sim.exchange(pair, b"after");
    }
    // The request itself may be what wakes both.
    for side in Side::BOTH {
        assert!(rest(&mut sim, pair, side));
    }
    sim.update_keys(pair, Side::Client, Requested).expect("none is on its way");
    sim.run_for(Duration::from_secs(1));
    let updated = Side::BOTH.map(|side| sim.connection(pair, side).expect("a connection").stats().key_updates_sent);
    assert_eq!(updated, [4, 4]);
    sim.exchange(pair, b"new keys");
}

#[test] // RFC 9147 §4.5.1
fn a_replay_finds_the_window_as_it_was() {
    let (mut sim, pair) = connect(ProtocolVersion::DTLS1_3);
    let replay = sim.sent_by(pair, Side::Client).last().expect("sent before").bytes.clone();
    let replayed = |sim: &Sim| {
        let connection = sim.connection(pair, Side::Server).expect("a connection");
        connection.stats().discards.get(Discard::Replayed)
    };
    let before = replayed(&sim);
    assert!(rest(&mut sim, pair, Side::Server));
    sim.inject(pair, Side::Server, replay);
    sim.run_for(Duration::from_millis(100));
    assert_eq!(replayed(&sim), before + 1);
}

#[test]
fn a_forgery_wakes_a_connection_and_does_nothing_else() {
    let (mut sim, pair) = connect(ProtocolVersion::DTLS1_3);
    assert!(rest(&mut sim, pair, Side::Server));
    let mut forged = sim.sent_by(pair, Side::Client).last().expect("sent before").bytes.clone();
    *forged.last_mut().expect("a tag") ^= 1;
    sim.inject(pair, Side::Server, forged);
    sim.run_for(Duration::from_millis(100));
    let stats = sim.connection(pair, Side::Server).expect("a connection").stats();
    assert_eq!(stats.discards.get(Discard::BadTag), 1);
    assert!(!resting(&sim, pair)[Side::Server as usize]);
    sim.exchange(pair, b"after");
}

#[test] // RFC 9846 §6.1
fn a_resting_connection_closes_as_any_other() {
    let (mut sim, pair) = connect(ProtocolVersion::DTLS1_3);
    for side in Side::BOTH {
        assert!(rest(&mut sim, pair, side));
    }
    sim.close(pair, Side::Client);
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.closed(pair, Side::Server), Some(&CloseReason::Peer));
}

#[test]
fn neither_a_handshake_nor_a_connection_of_1_2_rests() {
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(null::client(), null::server());
    assert!(!rest(&mut sim, pair, Side::Client), "the handshake has not begun");
    let (mut sim, pair) = connect(ProtocolVersion::DTLS1_2);
    sim.run_for(Duration::from_secs(300));
    assert!(!rest(&mut sim, pair, Side::Client), "1.2 does not rest");
}
