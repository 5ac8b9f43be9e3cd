//! How large records may be: record_size_limit (RFC 8449) and max_fragment_length (RFC 6066 §4).

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, ClientConfigBuilder, ConfigError, ServerConfigBuilder, Transport};
use gramseal_proto::wire::{CipherSuite, ContentType, Epoch, HandshakeType};
use gramseal_proto::{Connection, Discard, SendError};
use gramseal_testkit::decode::records;
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::peer::Scene;
use gramseal_testkit::rng::Rng;
use gramseal_testkit::sim::{Pair, Side, Sim, seeds};

/// Bytes that a protected record has beyond its content: explicit nonce and tag.
const EXPANSION: usize = 8 + 16;
/// Bytes that the datagram of one has beyond its content.
const OVERHEAD: usize = 13 + EXPANSION;

fn client() -> ClientConfigBuilder {
    null::client_config(2).with_cipher_suites(&[CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256])
}

fn server(certificate_len: usize) -> ServerConfigBuilder {
    null::server_config(3, null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, certificate_len))
}

fn mtu(mtu: usize) -> Transport {
    Transport { mtu, ..Transport::default() }
}

fn connect(client: ClientConfigBuilder, server: ServerConfigBuilder) -> (Sim, Pair) {
    let mut sim = Sim::new(1);
    let pair = sim.connect(client.build().expect("a client"), server.build().expect("a server"));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    (sim, pair)
}

fn max_payloads(sim: &Sim, pair: Pair) -> [usize; 2] {
    Side::BOTH.map(|side| sim.connection(pair, side).map(Connection::max_payload).expect("connected"))
}

/// The longest contents of the records that `side` sent, in epoch 0 and in later ones.
fn longest(sim: &Sim, pair: Pair, side: Side) -> [usize; 2] {
    let mut longest = [0; 2];
    for sent in sim.sent_by(pair, side) {
        for record in records(&sent.bytes) {
            let protected = record.header.epoch != Epoch::UNPROTECTED;
            let content = record.body.len() - if protected { EXPANSION } else { 0 };
            let of = &mut longest[usize::from(protected)];
            *of = content.max(*of);
        }
    }
    longest
}

/// Sends the largest payload each way; one byte more is refused.
fn fill(sim: &mut Sim, pair: Pair) {
    for (side, limit) in Side::BOTH.into_iter().zip(max_payloads(sim, pair)) {
        assert_eq!(sim.send(pair, side, &vec![1; limit + 1]), Err(SendError::TooLarge { limit }));
        sim.send(pair, side, &vec![1; limit]).expect("the largest payload fits");
        sim.run_for(Duration::from_secs(1));
        assert_eq!(sim.received(pair, side.peer()).last().map(Vec::len), Some(limit), "it arrives");
    }
}

#[test] // RFC 8449 §4
fn each_side_keeps_to_the_limit_of_the_other() {
    let transport = || mtu(4000);
    let client = client().with_record_size_limit(64).with_transport(transport());
    let (mut sim, pair) = connect(client, server(3000).with_record_size_limit(500).with_transport(transport()));
    assert_eq!(max_payloads(&sim, pair), [500, 64]);
    fill(&mut sim, pair);
    // Unprotected records have no limit: the certificate is in one.
    let [unprotected, protected] = longest(&sim, pair, Side::Server);
    assert!(unprotected > 3000 && protected == 64, "{unprotected}, {protected}");
    assert_eq!(longest(&sim, pair, Side::Client)[1], 500);
}

#[test] // RFC 8449 §4: who needs no limit answers all the same
fn a_server_without_a_limit_of_its_own_keeps_to_the_clients() {
    let client = client().with_record_size_limit(100).with_transport(mtu(20_000));
    let (mut sim, pair) = connect(client, server(500).with_transport(mtu(20_000)));
    assert_eq!(max_payloads(&sim, pair), [16_384, 100]);
    fill(&mut sim, pair);
}

#[test] // RFC 8449 §4
fn a_limit_that_the_client_was_not_asked_about_does_not_hold() {
    let (mut sim, pair) = connect(client(), server(500).with_record_size_limit(64));
    assert_eq!(max_payloads(&sim, pair), [1200 - OVERHEAD; 2]);
    fill(&mut sim, pair);
}

#[test] // RFC 8449 §4: the path's limit and the record's are two things, and the smaller one counts
fn the_mtu_limits_payloads_beside_the_peers_limit() {
    let client = client().with_record_size_limit(1000);
    let (mut sim, pair) = connect(client.with_transport(mtu(300)), server(500).with_record_size_limit(200));
    assert_eq!(max_payloads(&sim, pair), [200, 1000]);
    fill(&mut sim, pair);
    let connection = sim.connection_mut(pair, Side::Server).expect("connected");
    connection.set_mtu(256);
    assert_eq!(connection.max_payload(), 256 - OVERHEAD);
    connection.set_mtu(5000);
    assert_eq!(connection.max_payload(), 1000);
}

#[test] // RFC 6066 §4
fn a_maximum_fragment_length_holds_for_both_sides_and_for_handshakes_too() {
    for limit in [512, 1024, 2048, 4096] {
        let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 9000);
        let client = client().with_max_fragment_length(limit).with_transport(mtu(10_000)).with_identity(identity);
        let verifier = NullVerifier::default().with_client_name(null::CLIENT_NAME);
        let server =
            server(9000).with_transport(mtu(10_000)).with_client_auth(ClientAuth::Required(Arc::new(verifier)));
        let (mut sim, pair) = connect(client, server);
        let limit = usize::from(limit);
        assert_eq!(max_payloads(&sim, pair), [limit; 2]);
        fill(&mut sim, pair);
        for side in Side::BOTH {
            assert_eq!(longest(&sim, pair, side), [limit; 2], "{side:?}");
        }
    }
}

#[test] // RFC 8449 §5
fn record_size_limit_goes_before_max_fragment_length() {
    let client = client().with_record_size_limit(700).with_max_fragment_length(512).with_transport(mtu(4000));
    let (sim, pair) = connect(client, server(500).with_record_size_limit(600).with_transport(mtu(4000)));
    assert_eq!(max_payloads(&sim, pair), [600, 700]);
}

#[test] // RFC 8449 §4: dropped, which is one of the two things that DTLS may do
fn a_record_larger_than_our_limit_is_dropped_and_counted() {
    // The scripted peer does not care about limits.
    let mut scene = Scene::client(client().with_max_fragment_length(512).build().expect("a client"), 1);
    let mut hello = scene.peer.body_of(HandshakeType::SERVER_HELLO);
    add_extension(&mut hello, &[0, 1, 0, 1, 1]);
    let message = scene.peer.message_of(HandshakeType::SERVER_HELLO, &hello);
    let record = scene.peer.record(ContentType::HANDSHAKE, &message);
    scene.deliver([record]);
    let rest = [&scene.first_flight(false)[1..], &scene.last_flight(false)].concat();
    scene.play(&rest);
    for (len, arrives) in [(512, true), (513, false), (16_384, false)] {
        let record = scene.peer.record(ContentType::APPLICATION_DATA, &vec![1; len]);
        let before = scene.received().len();
        scene.deliver([record]);
        assert_eq!(scene.received().len() > before, arrives, "{len}");
    }
    assert_eq!(scene.connection().stats().discards.get(Discard::Oversized), 2);
    assert!(scene.connection().is_connected());
}

/// Appends an extension to a ServerHello, whose last field is the list of them.
fn add_extension(hello: &mut Vec<u8>, extension: &[u8]) {
    // Version, random, an empty session id, suite and compression stand before it.
    const LENGTH_AT: usize = 2 + 32 + 1 + 2 + 1;
    hello.extend_from_slice(extension);
    let len = u16::try_from(hello.len() - LENGTH_AT - 2).expect("short");
    hello[LENGTH_AT..LENGTH_AT + 2].copy_from_slice(&len.to_be_bytes());
}

#[test] // RFC 8449 §4, RFC 6066 §4
fn limits_that_do_not_exist_are_refused_when_they_are_configured() {
    for limit in [0, 63, 16_385, u16::MAX] {
        let refused = Err(ConfigError::BadRecordSizeLimit(limit));
        assert_eq!(client().with_record_size_limit(limit).build().map(drop), refused);
        assert_eq!(server(0).with_record_size_limit(limit).build().map(drop), refused);
    }
    for limit in [0, 1, 511, 8192, 16_384] {
        let refused = Err(ConfigError::BadMaxFragmentLength(limit));
        assert_eq!(client().with_max_fragment_length(limit).build().map(drop), refused);
    }
}

#[test] // RFC 8449 §4, RFC 6347 §4.1.1.1
fn the_largest_payload_is_always_right() {
    for seed in seeds(0..100) {
        let mut rng = Rng::new(seed);
        let mut between = |least: u64, most: u64| usize::try_from(least + rng.below(most - least + 1)).expect("small");
        let mtus = [between(256, 20_000), between(256, 20_000)];
        let limits = [between(64, 16_384), between(64, 16_384)].map(|limit| u16::try_from(limit).expect("16 bits"));
        let (offers_limit, fragment) = (between(0, 2) > 0, [None, Some(512), Some(4096)][between(0, 2)]);
        let mut client = client().with_transport(mtu(mtus[0]));
        if offers_limit {
            client = client.with_record_size_limit(limits[0]);
        }
        if let Some(fragment) = fragment {
            client = client.with_max_fragment_length(fragment);
        }
        let server = server(2000).with_record_size_limit(limits[1]).with_transport(mtu(mtus[1]));
        let (mut sim, pair) = connect(client, server);
        let agreed = match (offers_limit, fragment) {
            (true, _) => [limits[1], limits[0]],
            (false, Some(fragment)) => [fragment; 2],
            (false, None) => [16_384; 2],
        };
        let expected = [0, 1].map(|at| (mtus[at] - OVERHEAD).min(usize::from(agreed[at])));
        assert_eq!(max_payloads(&sim, pair), expected, "seed {seed}");
        fill(&mut sim, pair);
        for (side, mtu) in Side::BOTH.into_iter().zip(mtus) {
            assert!(sim.sent_by(pair, side).all(|sent| sent.bytes.len() <= mtu), "seed {seed}");
        }
    }
}
