//! Padding of application data in 1.3 (RFC 9846 §5.4): what the length of a datagram still tells.

use std::time::Duration;

use gramseal_proto::config::Padding;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sim::{Pair, Side, Sim};

/// Header, type and tag.
const OVERHEAD: usize = 22;

fn connect(version: ProtocolVersion, padding: Padding, limit: Option<u16>) -> (Sim, Pair) {
    let client = null::client_config(2).with_versions(&[version]).with_padding(padding);
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 300);
    let mut server = null::server_config(3, identity).with_versions(&[version]);
    // Only who is told of a limit by the client may tell one.
    let client = if limit.is_some() { client.with_record_size_limit(1000) } else { client };
    if let Some(limit) = limit {
        server = server.with_record_size_limit(limit);
    }
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(client.build().expect("a configuration"), server.build().expect("a configuration"));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(2)).expect("both sides connect");
    (sim, pair)
}

/// The length of the datagram that carries `len` bytes from the client, which arrive.
fn datagram_len(sim: &mut Sim, pair: Pair, len: usize) -> usize {
    let payload = vec![7; len];
    let before = sim.received(pair, Side::Server).len();
    sim.send(pair, Side::Client, &payload).expect("connected");
    sim.run_for(Duration::from_millis(100));
    assert_eq!(sim.received(pair, Side::Server)[before..], [payload]);
    let sent = sim.sent_by(pair, Side::Client).last().expect("sent just now").bytes.len();
    assert_eq!(sim.connection(pair, Side::Client).expect("connected").sealed_len(len), sent);
    sent
}

#[test] // RFC 9846 §5.4
fn payloads_are_padded_to_a_block_or_to_the_largest() {
    let lens = [0, 1, 63, 64, 65, 1000, 1178];
    for (padding, expected) in [
        (Padding::None, lens.map(|len| len + OVERHEAD)),
        (Padding::Block(64), [64, 64, 64, 64, 128, 1024, 1178].map(|len| len + OVERHEAD)),
        (Padding::Full, [1200; 7]),
    ] {
        let (mut sim, pair) = connect(ProtocolVersion::DTLS1_3, padding, None);
        assert_eq!(lens.map(|len| datagram_len(&mut sim, pair, len)), expected, "{padding:?}");
    }
}

#[test] // RFC 8449 §4
fn padding_keeps_to_the_limit_of_the_peer() {
    let (mut sim, pair) = connect(ProtocolVersion::DTLS1_3, Padding::Full, Some(300));
    // The limit counts the byte of the type.
    assert_eq!([0, 1, 299].map(|len| datagram_len(&mut sim, pair, len)), [299 + OVERHEAD; 3]);
}

#[test] // RFC 9846 §5.4
fn padding_follows_the_size_of_datagrams() {
    let (mut sim, pair) = connect(ProtocolVersion::DTLS1_3, Padding::Full, None);
    sim.connection_mut(pair, Side::Client).expect("connected").set_mtu(500);
    assert_eq!(datagram_len(&mut sim, pair, 1), 500);
}

#[test]
fn records_of_1_2_have_no_padding() {
    let (mut sim, pair) = connect(ProtocolVersion::DTLS1_2, Padding::Full, None);
    assert_eq!(datagram_len(&mut sim, pair, 1), 1 + 13 + 8 + 16);
}
