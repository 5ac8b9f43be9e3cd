//! Settings of a connection's pace, and an end that the caller chooses.

use std::time::Duration;

use gramseal_proto::config::{ClientConfig, Repair, ServerConfig, Transport};
use gramseal_proto::wire::handshake::KeyUpdateRequest::NotRequested;
use gramseal_proto::wire::{AlertDescription, ProtocolVersion};
use gramseal_proto::{AlertReceived, CloseReason, Connection, Error, ExportError, TimedOut, Timer};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sim::{Pair, Side, Sim};

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn configs(version: ProtocolVersion, transport: &Transport) -> (ClientConfig, ServerConfig) {
    let client = null::client_config(2).with_versions(&[version]).with_transport(transport.clone());
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 2000);
    let server = null::server_config(3, identity).with_versions(&[version]).with_transport(transport.clone());
    (client.build().expect("a configuration"), server.build().expect("a configuration"))
}

fn connected(sim: Sim, version: ProtocolVersion, transport: &Transport) -> (Sim, Pair) {
    let mut sim = sim.without_cookies();
    let (client, server) = configs(version, transport);
    let pair = sim.connect(client, server);
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(180)).expect("both sides connect");
    (sim, pair)
}

/// How long until the connection sends something again.
fn wait(connection: &Connection, since: gramseal_proto::Instant) -> Option<Duration> {
    let timers = connection.timers().filter(|(_, why)| *why == Timer::Retransmit);
    timers.map(|(at, _)| at.saturating_since(since)).min()
}

#[test] // RFC 5246 §7.2, RFC 9846 §6
fn the_caller_ends_an_association_with_an_alert_of_its_own() {
    for version in VERSIONS {
        for side in Side::BOTH {
            let (mut sim, pair) = connected(Sim::new(1), version, &Transport::default());
            let description = AlertDescription::ACCESS_DENIED;
            sim.act(pair, side, |connection| connection.abort(description));
            sim.run_for(Duration::from_secs(1));
            assert_eq!(sim.closed(pair, side), Some(&CloseReason::Local));
            let received = AlertReceived { description, authenticated: true };
            let failed = CloseReason::Failed(Error::AlertReceived(received));
            assert_eq!(sim.closed(pair, side.peer()), Some(&failed), "{version}, {side:?}");
        }
    }
}

#[test] // RFC 9846 §6
fn a_failed_connection_has_no_keys_any_more() {
    let export = |connection: &Connection| connection.export_keying_material(b"EXPERIMENTAL test", None, &mut [0; 32]);
    for version in VERSIONS {
        for side in Side::BOTH {
            let (mut sim, pair) = connected(Sim::new(1), version, &Transport::default());
            sim.run_for(Duration::from_secs(1));
            for side in Side::BOTH {
                assert_eq!(export(sim.connection(pair, side).expect("connected")), Ok(()));
            }
            let mut late = vec![0; 100];
            let len = sim.act(pair, side.peer(), |connection| connection.seal(b"late", &mut late)).expect("connected");
            late.truncate(len);
            // One was aborted, the other hears of it.
            sim.act(pair, side, |connection| {
                // Keys are there when the alert needs them.
                assert_eq!(connection.rest(), version == VERSIONS[0]);
                connection.abort(AlertDescription::ACCESS_DENIED);
                assert_eq!(export(connection), Err(ExportError::Failed));
                assert!(connection.srtp_keys().is_err() && connection.negotiated().is_some());
            });
            sim.run_for(Duration::from_secs(1));
            let received = AlertReceived { description: AlertDescription::ACCESS_DENIED, authenticated: true };
            let failed = CloseReason::Failed(Error::AlertReceived(received));
            assert_eq!(sim.closed(pair, side.peer()), Some(&failed), "{version}, {side:?}");
            sim.inject(pair, side, late);
            for side in Side::BOTH {
                let connection = sim.connection(pair, side).expect("it is still there");
                assert_eq!(export(connection), Err(ExportError::Failed));
                assert_eq!(connection.stats().records_opened, 0);
                // As long as nothing but a header goes before a payload.
                assert_eq!(connection.sealed_len(1), 13 + 1, "{version}, {side:?}");
            }
        }
    }
    // Whoever fails by itself.
    let transport = Transport { max_retransmissions: 2, ..Transport::default() };
    let (mut sim, pair) = connected(Sim::new(1), VERSIONS[0], &transport);
    sim.run_for(Duration::from_secs(1));
    sim.drop_if(|_| true);
    sim.update_keys(pair, Side::Client, NotRequested).expect("nothing is on its way");
    sim.run_for(Duration::from_secs(600));
    let connection = sim.connection(pair, Side::Client).expect("it is still there");
    assert!(matches!(sim.closed(pair, Side::Client), Some(CloseReason::Failed(_))));
    assert_eq!((export(connection), connection.sealed_len(1)), (Err(ExportError::Failed), 13 + 1));

    // What ends in good order keeps them for the application.
    let (mut sim, pair) = connected(Sim::new(1), VERSIONS[0], &Transport::default());
    sim.close(pair, Side::Client);
    sim.run_for(Duration::from_secs(1));
    for side in Side::BOTH {
        assert_eq!(export(sim.connection(pair, side).expect("it is still there")), Ok(()));
    }
}

#[test] // RFC 9147 §5.8.2
fn a_first_wait_that_changes_stretches_those_that_have_begun() {
    let start = gramseal_proto::Instant::from_micros(1);
    let (client, _) = configs(ProtocolVersion::DTLS1_3, &Transport::default());
    let name = null::SERVER_NAME.try_into().expect("a name");
    let mut connection = Connection::client(client.into(), name, start).expect("a hello");
    let mut datagram = Vec::new();
    while connection.poll_transmit(start, &mut datagram) {}
    assert_eq!(wait(&connection, start), Some(ms(400)));
    connection.set_initial_timeout(ms(1000));
    assert_eq!(wait(&connection, start), Some(ms(1000)));
    let later = start + ms(1000);
    connection.handle_timeout(later);
    assert_eq!(wait(&connection, later), Some(ms(2000)));
    connection.set_initial_timeout(ms(100));
    assert_eq!(wait(&connection, later), Some(ms(200)));
    // Nothing overflows, and no wait becomes none.
    for extreme in [Duration::ZERO, Duration::MAX, Duration::ZERO, ms(400)] {
        connection.set_initial_timeout(extreme);
    }
    assert!(wait(&connection, later).is_some_and(|wait| wait >= ms(1)));
}

#[test]
fn no_first_wait_of_a_connection_makes_it_panic() {
    let (mut sim, pair) = connected(Sim::new(1), ProtocolVersion::DTLS1_3, &Transport::default());
    for side in Side::BOTH {
        for extreme in [Duration::ZERO, Duration::MAX, Duration::ZERO, ms(400)] {
            sim.act(pair, side, |connection| connection.set_initial_timeout(extreme));
        }
    }
    sim.exchange(pair, b"data");
    sim.update_keys(pair, Side::Client, NotRequested).expect("nothing is on its way");
    sim.run_for(Duration::from_secs(10));
    assert_eq!(sim.connection(pair, Side::Client).expect("connected").stats().key_updates_sent, 1);
}

#[test]
fn a_flight_is_repeated_as_often_as_it_may_be() {
    let transport = Transport { max_retransmissions: 3, ..Transport::default() };
    for version in VERSIONS {
        let mut sim = Sim::new(1).without_cookies();
        sim.drop_if(|_| true);
        let (client, server) = configs(version, &transport);
        let pair = sim.connect(client, server);
        sim.run_for(Duration::from_secs(30));
        let hellos = sim.sent_by(pair, Side::Client).count();
        assert_eq!(hellos, 4, "{version}: once, and three times more");
        let failed = CloseReason::Failed(Error::TimedOut(TimedOut::NoAnswer));
        assert_eq!(sim.closed(pair, Side::Client), Some(&failed));
    }
    // The same after the handshake, where a message otherwise rests until the peer is heard.
    let (mut sim, pair) = connected(Sim::new(1), ProtocolVersion::DTLS1_3, &transport);
    sim.run_for(Duration::from_secs(10));
    sim.drop_if(|_| true);
    sim.update_keys(pair, Side::Client, NotRequested).expect("nothing is on its way");
    sim.run_for(Duration::from_secs(30));
    let failed = CloseReason::Failed(Error::TimedOut(TimedOut::PostHandshake));
    assert_eq!(sim.closed(pair, Side::Client), Some(&failed));
}

#[test] // RFC 9147 §5.8, §7
fn timers_alone_bring_a_handshake_through_a_lossy_network() {
    let transport = Transport { repair: Repair::OnTimers, mtu: 400, ..Transport::default() };
    for version in VERSIONS {
        for seed in 0..20 {
            let sim = Sim::new(seed).loss(0.1).reorder(0.1).duplicate(0.1);
            let (mut sim, pair) = connected(sim, version, &transport);
            sim.run_for(Duration::from_secs(60));
            assert!(sim.connected(pair), "{version}, {seed}");
        }
    }
}
