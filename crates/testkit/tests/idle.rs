//! Connections that nobody uses end, and those that are used do not.

use std::time::Duration;

use gramseal_proto::config::Transport;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::{CloseReason, Timer};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sim::{Pair, Side, Sim};

const TIMEOUT: Duration = Duration::from_secs(40);

/// Of which only the server ends idle connections.
fn connect(version: ProtocolVersion, timeout: Option<Duration>) -> (Sim, Pair) {
    let transport = |idle_timeout| Transport { idle_timeout, last_flight_kept: Duration::ZERO, ..Transport::default() };
    let client = null::client_config(2).with_versions(&[version]).with_transport(transport(None));
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 300);
    let server = null::server_config(3, identity).with_versions(&[version]).with_transport(transport(timeout));
    let mut sim = Sim::new(1);
    let pair = sim.connect(client.build().expect("a configuration"), server.build().expect("a configuration"));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    sim.exchange(pair, b"used");
    (sim, pair)
}

fn closed(sim: &Sim, pair: Pair) -> [bool; 2] {
    Side::BOTH.map(|side| sim.connection(pair, side).expect("a connection").is_closed())
}

#[test]
fn a_connection_ends_when_nobody_has_used_it_and_the_peer_hears_of_it() {
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        let (mut sim, pair) = connect(version, Some(TIMEOUT));
        sim.run_for(TIMEOUT);
        assert_eq!(closed(&sim, pair), [false; 2], "not before the timeout is over");
        sim.run_for(TIMEOUT / 4 + Duration::from_secs(1));
        assert_eq!(closed(&sim, pair), [true; 2]);
        assert_eq!(sim.closed(pair, Side::Server), Some(&CloseReason::Idle));
        assert_eq!(sim.closed(pair, Side::Client), Some(&CloseReason::Peer));
    }
}

#[test]
fn a_payload_in_either_direction_keeps_a_connection() {
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        for side in Side::BOTH {
            let (mut sim, pair) = connect(version, Some(TIMEOUT));
            for _ in 0..5 {
                sim.run_for(TIMEOUT * 9 / 10);
                sim.send(pair, side, b"still here").expect("connected");
            }
            assert_eq!(closed(&sim, pair), [false; 2]);
            sim.run_for(TIMEOUT * 2);
            assert_eq!(closed(&sim, pair), [true; 2]);
        }
    }
}

#[test]
fn a_machine_that_slept_does_not_end_what_it_has_not_looked_at() {
    let (mut sim, pair) = connect(ProtocolVersion::DTLS1_3, Some(TIMEOUT));
    let late = sim.now() + TIMEOUT * 100;
    let server = sim.connection_mut(pair, Side::Server).expect("a connection");
    for look in 0..4 {
        server.handle_timeout(late + TIMEOUT / 4 * look);
        assert!(!server.is_closed());
    }
    server.handle_timeout(late + TIMEOUT);
    assert_eq!(server.poll_event(), Some(gramseal_proto::Event::Closed(CloseReason::Idle)));
}

#[test]
fn an_idle_timeout_can_be_switched_off() {
    let (mut sim, pair) = connect(ProtocolVersion::DTLS1_2, None);
    let timer = |sim: &Sim, side| sim.connection(pair, side).expect("a connection").poll_timeout();
    for side in Side::BOTH {
        assert!(timer(&sim, side).is_none_or(|(_, timer)| timer != Timer::Idle));
    }
    sim.run_for(Duration::from_secs(24 * 60 * 60));
    assert_eq!(closed(&sim, pair), [false; 2]);
}
