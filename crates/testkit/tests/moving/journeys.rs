//! What goes on after a move.

use std::time::Duration;

use gramseal_proto::config::Transport;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::wire::handshake::KeyUpdateRequest::{NotRequested, Requested};
use gramseal_proto::{Cid, CloseReason, Connection, Discard, Negotiated, SendError};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sim::{Fate, Pair, Side, Sim};
use std::sync::Arc;

use crate::common::KINDS;
use crate::{VERSIONS, connect, connect_as, connection, import, key, move_side};

/// What of a connection must not change by moving.
type Facts = (Negotiated, Vec<u8>, usize, Option<Vec<u8>>, Vec<Cid>, Vec<u8>);

fn facts(connection: &Connection) -> Facts {
    let mut exported = vec![0; 40];
    connection.export_keying_material(b"EXPERIMENTAL", None, &mut exported).expect("connected");
    let srtp = connection.srtp_keys().ok().map(|keys| [keys.local().key(), keys.peer().salt()].concat());
    let (own, peers) = (connection.own_cids().to_vec(), connection.peer_cid().to_vec());
    (connection.negotiated().expect("connected").clone(), exported, connection.max_payload(), srtp, own, peers)
}

#[test]
fn connections_of_every_kind_go_on_on_either_side() {
    for kind in KINDS {
        let (mut sim, pair, configs) = kind.connect_keeping(Sim::new(4), 4, Duration::from_secs(60), None);
        sim.run_until(|sim| sim.connected(pair), Duration::from_secs(30)).expect(kind.name);
        sim.exchange(pair, b"before");
        sim.run_for(Duration::from_secs(2));
        for (round, side) in [Side::Client, Side::Server, Side::Client].into_iter().enumerate() {
            let before = facts(connection(&mut sim, pair, side));
            move_side(&mut sim, pair, &configs, side);
            assert_eq!(before, facts(connection(&mut sim, pair, side)), "{}", kind.name);
            sim.exchange(pair, format!("round {round}").as_bytes());
        }
        kind.check(&sim, pair);
        sim.close(pair, Side::Client);
        sim.run_for(Duration::from_secs(1));
        assert_eq!(sim.closed(pair, Side::Server), Some(&CloseReason::Peer), "{}", kind.name);
    }
}

#[test]
fn the_exporter_sends_and_takes_nothing_any_more() {
    for version in VERSIONS {
        let (mut sim, pair, _) = connect(version);
        let now = sim.now();
        let late = sim.sent_by(pair, Side::Server).last().expect("sent before").bytes.clone();
        let exporter = connection(&mut sim, pair, Side::Client);
        exporter.export(&key(), b"", now).expect("nothing is under way");
        assert_eq!(exporter.seal(b"x", &mut [0; 100]), Err(SendError::Closed));
        assert!(exporter.is_closed() && exporter.poll_timeout().is_none());
        assert!(!exporter.poll_transmit(now, &mut Vec::new()), "the peer hears nothing of it");
        assert_eq!(exporter.handle_datagram(now, &mut late.clone()).count(), 0);
        sim.flush(pair, Side::Client);
        assert_eq!(sim.closed(pair, Side::Client), Some(&CloseReason::Moved));
    }
}

#[test] // RFC 6347 §4.1.2.6, RFC 9147 §4.5.1
fn what_came_before_the_move_does_not_come_again() {
    for version in VERSIONS {
        let (mut sim, pair, configs) = connect(version);
        let replay = sim.sent_by(pair, Side::Client).last().expect("sent before").bytes.clone();
        move_side(&mut sim, pair, &configs, Side::Server);
        sim.inject(pair, Side::Server, replay);
        assert_eq!(connection(&mut sim, pair, Side::Server).stats().discards.get(Discard::Replayed), 1);
        sim.exchange(pair, b"after");
    }
}

#[test] // RFC 9147 §8
fn keys_change_before_and_after_moves() {
    let (mut sim, pair, configs) = connect(ProtocolVersion::DTLS1_3);
    for round in 0..6 {
        let (asks, moves) = (Side::BOTH[round % 2], Side::BOTH[round / 2 % 2]);
        sim.update_keys(pair, asks, Requested).expect("none is on its way");
        sim.run_for(Duration::from_secs(1));
        move_side(&mut sim, pair, &configs, moves);
        sim.exchange(pair, format!("round {round}").as_bytes());
    }
}

#[test] // RFC 9147 §8: an update that is on its way is repeated by whoever goes on
fn an_update_on_its_way_moves_along() {
    let (mut sim, pair, configs) = connect(ProtocolVersion::DTLS1_3);
    let lost = sim.sent_by(pair, Side::Server).count();
    sim.drop_nth(Side::Server, lost);
    sim.update_keys(pair, Side::Server, Requested).expect("none is on its way");
    sim.run_for(Duration::from_millis(100));
    move_side(&mut sim, pair, &configs, Side::Server);
    sim.run_for(Duration::from_secs(5));
    let updates = |sim: &mut Sim, side| {
        let stats = connection(sim, pair, side).stats();
        (stats.key_updates_sent, stats.key_updates_received)
    };
    assert_eq!((updates(&mut sim, Side::Server), updates(&mut sim, Side::Client)), ((1, 1), (1, 1)));
    sim.exchange(pair, b"after");
}

/// A pair of which the server's next datagram gets lost.
fn lose_next_of(sim: &mut Sim, pair: Pair, side: Side) {
    let next = sim.sent_by(pair, side).count();
    sim.drop_nth(side, next);
}

#[test] // RFC 9147 §8: the peer may go on with the old keys, and repeats its KeyUpdate in them
fn keys_that_were_announced_and_not_used_move_with_the_old_ones() {
    let (mut sim, pair, configs) = connect(ProtocolVersion::DTLS1_3);
    // The server's ACK does not come.
    lose_next_of(&mut sim, pair, Side::Server);
    sim.update_keys(pair, Side::Client, NotRequested).expect("none is on its way");
    sim.run_for(Duration::from_millis(150));
    assert_eq!(connection(&mut sim, pair, Side::Server).stats().key_updates_received, 1);
    move_side(&mut sim, pair, &configs, Side::Server);
    sim.send(pair, Side::Client, b"old keys").expect("connected");
    sim.run_for(Duration::from_secs(5));
    assert_eq!(connection(&mut sim, pair, Side::Client).stats().key_updates_sent, 1);
    sim.exchange(pair, b"after");
    assert!(sim.received(pair, Side::Server).contains(&b"old keys".to_vec()));
}

#[test] // RFC 9147 §5.8.1: the server acknowledges the client's last flight each time it comes
fn a_last_flight_that_is_repeated_after_the_move_is_acknowledged() {
    let client = null::client_config(2).with_versions(&[ProtocolVersion::DTLS1_3]).build().expect("a configuration");
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 300);
    let server = null::server_config(3, identity).with_versions(&[ProtocolVersion::DTLS1_3]);
    let configs = (Arc::new(client), Arc::new(server.build().expect("a configuration")));
    let mut sim = Sim::new(1).without_cookies();
    // Everything that the server sends after its flight is lost, until it has moved.
    let pair = sim.connect(configs.0.clone(), configs.1.clone());
    let connected = |sim: &Sim| sim.connection(pair, Side::Server).is_some_and(Connection::is_connected);
    sim.run_until(|sim| sim.sent_by(pair, Side::Client).count() > 1, Duration::from_secs(1)).expect("it answers");
    lose_next_of(&mut sim, pair, Side::Server);
    sim.run_until(connected, Duration::from_secs(1)).expect("the server is done");
    assert_eq!(sim.sent_by(pair, Side::Server).last().map(|sent| sent.fate), Some(Fate::Dropped));
    let before = sim.sent_by(pair, Side::Client).count();
    move_side(&mut sim, pair, &configs, Side::Server);
    sim.run_for(Duration::from_secs(10));
    let repeated = sim.sent_by(pair, Side::Client).count() - before;
    assert_eq!(repeated, 1, "the client repeats its flight until it is acknowledged");
    sim.exchange(pair, b"after");
    move_side(&mut sim, pair, &configs, Side::Client);
    sim.exchange(pair, b"both moved");
}

#[test] // RFC 9147 §4.5.3
fn limits_of_keys_go_on_counting() {
    let transport = Transport { records_per_key: 40, forgeries_per_key: 8, ..Transport::default() };
    let versions = [ProtocolVersion::DTLS1_3];
    let client = null::client_config(2).with_versions(&versions).with_transport(transport.clone());
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 300);
    let server = null::server_config(3, identity).with_versions(&versions).with_transport(transport);
    let (client, server) = (client.build().expect("a configuration"), server.build().expect("a configuration"));
    let (mut sim, pair, configs) = connect_as((Arc::new(client), Arc::new(server)));
    for round in 0..10 {
        for number in 0..6 {
            sim.exchange(pair, format!("{round} {number}").as_bytes());
        }
        move_side(&mut sim, pair, &configs, Side::Client);
    }
    let sent = connection(&mut sim, pair, Side::Server).stats();
    assert!(sent.key_updates_received >= 1, "the client's key was used up over several moves");

    let mut forged = sim.sent_by(pair, Side::Server).last().expect("sent before").bytes.clone();
    *forged.last_mut().expect("a tag") ^= 1;
    for _ in 0..3 {
        sim.inject(pair, Side::Client, forged.clone());
    }
    move_side(&mut sim, pair, &configs, Side::Client);
    let asked = |sim: &mut Sim| connection(sim, pair, Side::Server).stats().key_updates_sent;
    let before = asked(&mut sim);
    sim.inject(pair, Side::Client, forged);
    sim.run_for(Duration::from_secs(1));
    assert_eq!(asked(&mut sim), before + 1, "the fourth forgery is half of as many as may come");
}

#[test]
fn a_connection_that_moved_and_is_not_used_ends() {
    for version in VERSIONS {
        let transport = Transport { idle_timeout: Some(Duration::from_secs(20)), ..Transport::default() };
        let client = null::client_config(2).with_versions(&[version]).with_transport(transport);
        let (mut sim, pair, configs) =
            connect_as((Arc::new(client.build().expect("a configuration")), connect(version).2.1));
        move_side(&mut sim, pair, &configs, Side::Client);
        sim.run_for(Duration::from_secs(19));
        assert_eq!(sim.closed(pair, Side::Client), None);
        sim.run_for(Duration::from_secs(10));
        assert_eq!(sim.closed(pair, Side::Client), Some(&CloseReason::Idle));
    }
}

#[test]
fn a_connection_at_rest_moves() {
    let (mut sim, pair, configs) = connect(ProtocolVersion::DTLS1_3);
    assert!(connection(&mut sim, pair, Side::Server).rest());
    move_side(&mut sim, pair, &configs, Side::Server);
    sim.exchange(pair, b"after");
}

#[test]
fn a_smaller_mtu_moves_along() {
    for version in VERSIONS {
        let (mut sim, pair, configs) = connect(version);
        connection(&mut sim, pair, Side::Client).set_mtu(700);
        let payload = connection(&mut sim, pair, Side::Client).max_payload();
        move_side(&mut sim, pair, &configs, Side::Client);
        assert_eq!(connection(&mut sim, pair, Side::Client).max_payload(), payload);
        let now = sim.now();
        let image = connection(&mut sim, pair, Side::Client).export(&key(), b"", now).expect("nothing is under way");
        assert!(import(&configs, Side::Client, &image, now).is_ok());
    }
}
