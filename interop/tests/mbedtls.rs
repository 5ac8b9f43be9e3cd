//! Pre-shared keys and ECDHE_ECDSA with AES-CCM, as devices use them, in both roles, against Mbed TLS.

use std::sync::Arc;
use std::time::Duration;

use gramseal_interop::compiled::{self, Compiled, Library};
use gramseal_interop::psk::{self, IDENTITY, KEY_HEX, WRONG_KEY_HEX};
use gramseal_interop::{
    Node, Process, SERVER_NAME, Weather, client, for_each, identity, in_storms, provider, server, stormy_client,
    stormy_server, trust,
};
use gramseal_proto::config::{ClientAuth, ClientConfigBuilder, ServerConfig, ServerConfigBuilder, Transport};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::{CipherSuite as Suite, HandshakeType};
use gramseal_proto::{CloseReason, Direction, Error};
use gramseal_testkit::pki::TestPki;

const PSK_SUITES: [(Suite, &str); 6] = [
    (Suite::TLS_PSK_WITH_AES_128_CCM_8, "TLS-PSK-WITH-AES-128-CCM-8"),
    (Suite::TLS_PSK_WITH_AES_128_CCM, "TLS-PSK-WITH-AES-128-CCM"),
    (Suite::TLS_PSK_WITH_AES_128_GCM_SHA256, "TLS-PSK-WITH-AES-128-GCM-SHA256"),
    (Suite::TLS_PSK_WITH_AES_256_GCM_SHA384, "TLS-PSK-WITH-AES-256-GCM-SHA384"),
    (Suite::TLS_PSK_WITH_CHACHA20_POLY1305_SHA256, "TLS-PSK-WITH-CHACHA20-POLY1305-SHA256"),
    (Suite::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, "TLS-ECDHE-PSK-WITH-CHACHA20-POLY1305-SHA256"),
];

const ECDSA_SUITES: [(Suite, &str); 5] = [
    (Suite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, "TLS-ECDHE-ECDSA-WITH-AES-128-CCM-8"),
    (Suite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM, "TLS-ECDHE-ECDSA-WITH-AES-128-CCM"),
    (Suite::TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8, "TLS-ECDHE-ECDSA-WITH-AES-256-CCM-8"),
    (Suite::TLS_ECDHE_ECDSA_WITH_AES_256_CCM, "TLS-ECDHE-ECDSA-WITH-AES-256-CCM"),
    (Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256"),
];

/// Our client with Mbed TLS's server.
fn to_mbedtls(config: ClientConfigBuilder, peer: Compiled, weather: Weather) -> (Node, Process) {
    let (peer, address) = peer.listening();
    (Node::client(config, SERVER_NAME, address, weather), peer)
}

/// Mbed TLS's client with our server.
fn from_mbedtls(
    config: ServerConfigBuilder,
    weather: Weather,
    peer: impl FnOnce(Compiled) -> Compiled,
) -> (Node, Process) {
    let node = Node::server(config, CookiePolicy::Required, weather);
    let process = peer(compiled::client(Library::MbedTls, node.local_addr())).start();
    (node, process)
}

fn mbedtls() -> Compiled {
    compiled::server(Library::MbedTls)
}

fn our_keys() -> ServerConfigBuilder {
    ServerConfig::psk_builder(provider(), Arc::new(vec![psk::psk()]))
}

fn check_suite(node: &Node, peer: &Process, (suite, name): (Suite, &str)) {
    assert_eq!(node.connection().negotiated().expect("connected").cipher_suite, suite);
    assert!(peer.said(&format!("CONNECTED DTLSv1.2 {name}\n")), "{}", peer.transcript());
}

#[test] // RFC 4279 §2, RFC 6655 §4, RFC 5489 §2
fn every_psk_suite_as_client() {
    for_each(&PSK_SUITES, |case| {
        let (suite, name) = *case;
        let (mut node, mut peer) =
            to_mbedtls(psk::client(suite, None), mbedtls().psk().suite(name), Weather::default());
        compiled::check(&mut node, &mut peer);
        psk::check(&node, suite);
        check_suite(&node, &peer, *case);
        assert!(node.watch().log().saw(Direction::Received, HandshakeType::HELLO_VERIFY_REQUEST));
    });
}

#[test] // RFC 4279 §2, RFC 6655 §4, RFC 5489 §2
fn every_psk_suite_as_server() {
    for_each(&PSK_SUITES, |case| {
        let (suite, name) = *case;
        // Short tags, and keys alone, have to be asked for.
        let config = our_keys().with_cipher_suites(&[suite]);
        let (mut node, mut peer) = from_mbedtls(config, Weather::default(), |peer| peer.psk().suite(name));
        compiled::check(&mut node, &mut peer);
        psk::check(&node, suite);
        check_suite(&node, &peer, *case);
    });
}

#[test] // RFC 4279 §2
fn a_wrong_key_or_identity_never_connects() {
    for_each(&[(WRONG_KEY_HEX, IDENTITY), (KEY_HEX, "somebody else")], |(key, identity)| {
        let transport = Transport { handshake_timeout: Duration::from_secs(4), ..Transport::default() };
        let (mut node, peer) = from_mbedtls(our_keys().with_transport(transport), Weather::default(), |peer| {
            peer.args(["--psk", key, "--identity", identity])
        });
        let end = node.run_to_end(&peer);
        assert!(matches!(end, CloseReason::Failed(Error::TimedOut(_))), "{end:?}");
        assert!(!node.is_connected() && peer.value("CONNECTED ").is_none(), "{}", peer.transcript());
    });
}

#[test] // RFC 7251 §2
fn every_ecdsa_suite_as_client() {
    for_each(&ECDSA_SUITES, |case| {
        let (suite, name) = *case;
        let pki = TestPki::new();
        let config = client(&pki).with_cipher_suites(&[suite]).with_identity(identity(&pki.client("client.example")));
        let peer = mbedtls().identity(&pki.server(SERVER_NAME)).trust(&pki).suite(name);
        let (mut node, mut peer) = to_mbedtls(config, peer, Weather::default());
        compiled::check(&mut node, &mut peer);
        check_suite(&node, &peer, *case);
        assert!(node.watch().log().saw(Direction::Sent, HandshakeType::CERTIFICATE_VERIFY));
    });
}

#[test] // RFC 7251 §2
fn every_ecdsa_suite_as_server() {
    for_each(&ECDSA_SUITES, |case| {
        let (suite, name) = *case;
        let pki = TestPki::new();
        let who = pki.client("client.example");
        let config = server(&pki).with_cipher_suites(&[suite]).with_client_auth(ClientAuth::Required(trust(&pki)));
        let (mut node, mut peer) = from_mbedtls(config, Weather::default(), |peer| {
            peer.identity(&who).trust(&pki).suite(name).args(["--name", SERVER_NAME])
        });
        compiled::check(&mut node, &mut peer);
        check_suite(&node, &peer, *case);
        assert_eq!(node.connection().negotiated().expect("connected").peer_certificates, who.chain);
    });
}

#[test]
fn small_datagrams() {
    for_each(&[(256, "256"), (1200, "300")], |(ours, theirs)| {
        let pki = TestPki::new().with_padding(2000);
        let transport = Transport { mtu: *ours, ..Transport::default() };
        let who = pki.client("client.example");
        let config = client(&pki).with_transport(transport.clone()).with_identity(identity(&who));
        let peer = mbedtls().identity(&pki.server(SERVER_NAME)).trust(&pki).args(["--mtu", theirs]);
        let (mut node, mut peer) = to_mbedtls(config, peer, Weather::default());
        compiled::check(&mut node, &mut peer);
        assert!(node.watch().log().fragments_sent() > 1, "{}", node.state());

        let config = server(&pki).with_transport(transport).with_client_auth(ClientAuth::Required(trust(&pki)));
        let (mut node, mut peer) = from_mbedtls(config, Weather::default(), |peer| {
            peer.identity(&who).trust(&pki).args(["--name", SERVER_NAME, "--mtu", theirs])
        });
        compiled::check(&mut node, &mut peer);
        assert!(node.watch().log().fragments_sent() > 1, "{}", node.state());
    });
}

const SEEDS: [u64; 3] = [1, 2, 3];

#[test]
fn lossy_network_as_client() {
    in_storms(&SEEDS, |pki, weather| {
        let peer = mbedtls().identity(&pki.server(SERVER_NAME)).trust(pki).args(["--mtu", "700"]);
        let (mut node, mut peer) = to_mbedtls(stormy_client(pki), peer, weather);
        compiled::check(&mut node, &mut peer);
        node
    });
}

#[test]
fn lossy_network_as_server() {
    in_storms(&SEEDS, |pki, weather| {
        let (mut node, mut peer) = from_mbedtls(stormy_server(pki), weather, |peer| {
            let peer = peer.identity(&pki.client("client.example")).trust(pki);
            peer.args(["--name", SERVER_NAME, "--mtu", "700"])
        });
        compiled::check(&mut node, &mut peer);
        node
    });
}

#[test]
fn close_notify_of_both() {
    let (mut node, mut peer) = from_mbedtls(our_keys(), Weather::default(), Compiled::psk);
    compiled::check(&mut node, &mut peer);
    node.close();
    peer.wait_for("CLOSED BY PEER");
    let (mut node, mut peer) = from_mbedtls(our_keys(), Weather::default(), Compiled::psk);
    compiled::check(&mut node, &mut peer);
    peer.end_input();
    assert_eq!(node.run_to_end(&peer), CloseReason::Peer);
}
