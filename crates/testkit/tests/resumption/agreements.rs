//! What a resumed connection takes over from its session, and what it agrees on anew.

use std::sync::Arc;

use gramseal_proto::config::{ClientConfigBuilder, ServerConfigBuilder};
use gramseal_proto::wire::{Codec, ExtensionType, HandshakeHeader, ServerHello, SrtpProfile};
use gramseal_testkit::decode::records;
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sessions::{Resumption, Stores};
use gramseal_testkit::sim::{Pair, Side, Sim};

use super::{connect, is_resumed, negotiated};

type Client = fn(ClientConfigBuilder) -> ClientConfigBuilder;
type Server = fn(ServerConfigBuilder) -> ServerConfigBuilder;

/// Two connections, the second with `now`; it resumes the first.
fn resumed(then: (Client, Server), now: (Client, Server)) -> (Sim, Pair, Pair) {
    let stores = Stores::new(Some(Resumption::Id));
    let mut sim = Sim::new(1);
    let [first, second] = [(1, then), (3, now)].map(|(seed, (client, server))| {
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
        let theirs = stores.server(null::server_config(seed, identity));
        let ours = stores.client(null::client_config(seed + 1)).with_session_context("test");
        let (ours, theirs) = (client(ours).build().expect("a client"), server(theirs).build().expect("a server"));
        connect(&mut sim, &Arc::new(ours), &Arc::new(theirs))
    });
    assert!(is_resumed(&sim, second));
    (sim, first, second)
}

fn max_payloads(sim: &Sim, pair: Pair) -> [usize; 2] {
    Side::BOTH.map(|side| sim.connection(pair, side).expect("a connection").max_payload())
}

/// Whether the ServerHello has an extension of this type.
fn answers(sim: &Sim, pair: Pair, extension: ExtensionType) -> bool {
    let datagram = &sim.sent_by(pair, Side::Server).nth(1).expect("what follows the cookie").bytes;
    let body = &records(datagram)[0].body[HandshakeHeader::LEN..];
    ServerHello::from_bytes(body).expect("it can be read").extensions.contains(extension)
}

#[test] // RFC 6066 §4, §1.1
fn a_maximum_fragment_length_stays_with_the_session() {
    let limited: (Client, Server) = (|builder| builder.with_max_fragment_length(512), |builder| builder);
    let (mut sim, first, second) = resumed(limited, limited);
    assert_eq!(max_payloads(&sim, first), [512, 512]);
    assert_eq!(max_payloads(&sim, second), [512, 512]);
    assert!(answers(&sim, first, ExtensionType::MAX_FRAGMENT_LENGTH));
    assert!(!answers(&sim, second, ExtensionType::MAX_FRAGMENT_LENGTH), "it is the session's");
    sim.exchange(second, &[1; 512]);
}

#[test] // RFC 6066 §3
fn a_server_name_is_acknowledged_only_in_a_full_handshake() {
    let plain: (Client, Server) = (|builder| builder, |builder| builder);
    let (sim, first, second) = resumed(plain, plain);
    assert!(answers(&sim, first, ExtensionType::SERVER_NAME));
    assert!(!answers(&sim, second, ExtensionType::SERVER_NAME));
    assert_eq!(negotiated(&sim, second)[1].server_name.as_deref(), Some(null::SERVER_NAME));
}

#[test] // RFC 6066 §3
fn a_server_that_makes_no_use_of_names_acknowledges_none() {
    let silent: (Client, Server) = (|builder| builder, |builder| builder.without_server_name_ack());
    let (sim, first, second) = resumed(silent, silent);
    for pair in [first, second] {
        assert!(!answers(&sim, pair, ExtensionType::SERVER_NAME));
        assert_eq!(negotiated(&sim, pair)[1].server_name.as_deref(), Some(null::SERVER_NAME));
    }
}

#[test] // RFC 8449 §4
fn a_record_size_limit_is_agreed_on_anew() {
    let (sim, first, second) = resumed(
        (|builder| builder.with_record_size_limit(500), |builder| builder),
        (|builder| builder.with_record_size_limit(200), |builder| builder.with_record_size_limit(300)),
    );
    assert_eq!(max_payloads(&sim, first)[1], 500);
    assert_eq!(max_payloads(&sim, second), [300, 200]);
}

#[test] // RFC 5764 §4.1
fn srtp_is_agreed_on_anew() {
    let (sim, first, second) = resumed(
        (|builder| builder, |builder| builder),
        (
            |builder| builder.with_srtp(&[SrtpProfile::AEAD_AES_128_GCM]),
            |builder| builder.with_srtp(&[SrtpProfile::AEAD_AES_128_GCM]),
        ),
    );
    assert!(negotiated(&sim, first)[0].srtp.is_none());
    let [ours, theirs] = negotiated(&sim, second).map(|negotiated| negotiated.srtp.expect("agreed"));
    assert_eq!(ours, theirs);
}
