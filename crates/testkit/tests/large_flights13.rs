//! Flights of 1.3 that take more records than may go out at once (RFC 9147 §5.8.3).

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, ClientConfig, ServerConfig, Transport};
use gramseal_proto::wire::{ContentType, HandshakeType as T, ProtocolVersion};
use gramseal_testkit::decode::fragments;
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Peer13, Scene13, Seen, ack};
use gramseal_testkit::sim::{Side, Sim};

const VERSIONS: [ProtocolVersion; 1] = [ProtocolVersion::DTLS1_3];
const AT_ONCE: usize = 10;
const CERTIFICATE_LEN: usize = 6000;

fn client(certificate_len: usize) -> ClientConfig {
    let transport = Transport { mtu: 300, ..Transport::default() };
    let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, certificate_len);
    let builder = null::client_config(2).with_versions(&VERSIONS).with_transport(transport);
    builder.with_identity(identity).build().expect("a client configuration")
}

fn server(certificate_len: usize) -> ServerConfig {
    let transport = Transport { mtu: 300, ..Transport::default() };
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, certificate_len);
    let builder = null::server_config(3, identity).with_versions(&VERSIONS).with_transport(transport);
    let builder = builder.with_client_auth(ClientAuth::Required(Arc::new(NullVerifier::default())));
    builder.build().expect("a server configuration")
}

fn scene(side: Side, certificate_len: usize) -> Scene13 {
    match side {
        Side::Client => Scene13::client13(client(certificate_len), 1),
        Side::Server => Scene13::server13(server(certificate_len), 1),
    }
}

/// A side that begins to send its certificate, and the first records of that.
fn with_flight(side: Side) -> (Scene13, Vec<Seen>) {
    let mut scene = scene(side, CERTIFICATE_LEN);
    scene.peer.take_seen();
    let honest = scene.handshake(true);
    scene.say(if side == Side::Client { &honest } else { &honest[..1] });
    let flight = scene.peer.take_seen();
    (scene, flight)
}

fn numbers(flight: &[Seen]) -> Vec<(u64, u64)> {
    flight.iter().map(|seen| (seen.number.epoch.0, seen.number.sequence_number.0)).collect()
}

fn tell(scene: &mut Scene13, numbers: impl IntoIterator<Item = (u64, u64)>) {
    let epoch = if scene.peer.side() == Side::Server { 3 } else { 2 };
    let record = scene.peer.record_in(epoch, ContentType::ACK, &ack(numbers));
    scene.deliver([record]);
}

/// The messages in `records`.
fn types(records: &[Seen]) -> Vec<T> {
    records.iter().flat_map(|seen| fragments(&seen.content)).map(|fragment| fragment.msg_type).collect()
}

#[test] // RFC 9147 §5.8.3
fn ten_records_go_out_and_the_next_when_these_have_arrived() {
    for side in Side::BOTH {
        let (mut scene, mut part) = with_flight(side);
        let mut all = Vec::new();
        while !types(&part).contains(&T::FINISHED) {
            assert_eq!(part.len(), AT_ONCE, "{side:?}");
            tell(&mut scene, numbers(&part));
            all.append(&mut part);
            part = scene.peer.take_seen();
        }
        assert!(part.len() <= AT_ONCE && all.len() > AT_ONCE, "{side:?}");
        assert_eq!(scene.connection().stats().retransmissions, 0);
    }
}

#[test] // RFC 9147 §5.8.3, §7.2
fn as_many_go_out_as_have_arrived_or_are_known_to_be_lost() {
    for side in Side::BOTH {
        let (mut scene, part) = with_flight(side);
        tell(&mut scene, numbers(&part[..3]));
        let next = scene.peer.take_seen();
        assert_eq!(next.len(), 3, "{side:?}: seven are on their way");
        tell(&mut scene, numbers(&part[..3]));
        assert_eq!(scene.peer.take_seen(), [], "the same again");
        // The fourth is lost.
        tell(&mut scene, numbers(&part[4..6]));
        let next = scene.peer.take_seen();
        assert_eq!((next.len(), &next[0].content), (3, &part[3].content), "{side:?}");
    }
}

#[test] // RFC 9147 §5.8.3
fn a_peer_that_acknowledges_no_part_gets_all_of_a_flight() {
    for side in Side::BOTH {
        let (mut scene, part) = with_flight(side);
        let mut all = types(&part);
        for wait in [400, 800, 1600] {
            scene.advance(Duration::from_millis(wait));
            let part = scene.peer.take_seen();
            assert!((1..=AT_ONCE).contains(&part.len()), "{side:?}: {}", part.len());
            // Nobody reads the others without it.
            assert_eq!(types(&part).contains(&T::SERVER_HELLO), side == Side::Server);
            all.extend(types(&part));
        }
        assert!(all.contains(&T::FINISHED), "{side:?}: {all:?}");
        scene.advance(Duration::from_millis(3200));
        let again = scene.peer.take_seen();
        assert_eq!((again.len(), types(&again)[0]), (AT_ONCE, types(&part)[0]), "{side:?}: from the start");
    }
}

#[test] // RFC 9147 §5.8.3, §7.1
fn whoever_may_wait_for_an_ack_gets_one_after_ten_records() {
    for side in Side::BOTH {
        let mut scene = scene(side, 0);
        let honest = scene.handshake(true);
        let before = honest.iter().position(|msg_type| *msg_type == T::CERTIFICATE).expect("a certificate");
        scene.say(&honest[..before]);
        scene.peer.take_seen();
        let message = scene.peer.message(T::CERTIFICATE);
        let pieces = Peer13::fragment(&message, 2);
        // What came before counts at a client, and is a flight of its own at a server.
        let begun = if side == Side::Client { before } else { 0 };
        for (count, piece) in (begun + 1..=2 * AT_ONCE).zip(&pieces) {
            let record = scene.peer.record_in(2, ContentType::HANDSHAKE, piece);
            scene.deliver([record]);
            let acks = scene.peer.take_seen().iter().filter_map(Seen::acknowledged).collect::<Vec<_>>();
            assert_eq!(acks.len(), usize::from(count % AT_ONCE == 0), "{side:?}, {count}");
            assert!(acks.iter().all(|list| list.len() >= AT_ONCE), "{side:?}, {count}: {acks:?}");
        }
    }
}

#[test]
fn large_flights_both_ways_wait_for_nothing_but_round_trips() {
    let mut sim = Sim::new(1).without_cookies().delay(Duration::from_millis(10));
    let pair = sim.connect(client(CERTIFICATE_LEN), server(CERTIFICATE_LEN));
    // The hellos, and three parts of either flight.
    sim.run_until(|sim| sim.connected(pair), Duration::from_millis(7 * 20)).expect("connected");
    for side in Side::BOTH {
        let stats = sim.connection(pair, side).expect("connected").stats();
        assert_eq!(stats.retransmissions, 0, "{side:?}");
    }
}

#[test]
fn a_flight_of_1_2_goes_out_as_a_whole_since_nobody_acknowledges_parts() {
    let transport = Transport { mtu: 300, ..Transport::default() };
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, CERTIFICATE_LEN);
    let builder = null::server_config(3, identity).with_versions(&[ProtocolVersion::DTLS1_2]);
    let server = builder.with_transport(transport).build().expect("a server configuration");
    let client = null::client_config(2).with_versions(&[ProtocolVersion::DTLS1_2]).build().expect("a configuration");
    let mut sim = Sim::new(1).without_cookies().delay(Duration::from_millis(10));
    let pair = sim.connect(client, server);
    sim.run_until(|sim| sim.connected(pair), Duration::from_millis(2 * 20)).expect("two round trips");
    assert!(sim.sent_by(pair, Side::Server).count() > 2 * AT_ONCE);
}
