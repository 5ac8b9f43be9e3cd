//! ECDHE_PSK with AES-GCM and AES-CCM (RFC 8442), which of the peers only Botan has, in both roles.

use std::sync::Arc;

use gramseal_interop::compiled::{self, Library};
use gramseal_interop::{Node, Process, SERVER_NAME, Weather, for_each, provider, psk};
use gramseal_proto::config::ServerConfig;
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::CipherSuite as Suite;

const SUITES: [(Suite, &str); 7] = [
    (Suite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256, "ECDHE_PSK_WITH_AES_128_GCM_SHA256"),
    (Suite::TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384, "ECDHE_PSK_WITH_AES_256_GCM_SHA384"),
    (Suite::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256, "ECDHE_PSK_WITH_AES_128_CCM_SHA256"),
    (Suite::TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256, "ECDHE_PSK_WITH_AES_128_CCM_8_SHA256"),
    (Suite::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, "ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256"),
    (Suite::TLS_PSK_WITH_AES_128_CCM_8, "PSK_WITH_AES_128_CCM_8"),
    (Suite::TLS_PSK_WITH_AES_256_GCM_SHA384, "PSK_WITH_AES_256_GCM_SHA384"),
];

fn check(node: &mut Node, peer: &mut Process, suite: Suite, name: &str) {
    compiled::check(node, peer);
    psk::check(node, suite);
    assert!(peer.said(&format!("CONNECTED {name}\n")), "{}", peer.transcript());
}

#[test] // RFC 8442 §3, RFC 4279 §2
fn every_suite_as_client() {
    for_each(&SUITES, |(suite, name)| {
        for hint in [None, Some("a hint")] {
            let peer = compiled::server(Library::Botan).psk().suite(name);
            let (mut peer, address) = peer.args(hint.map(|hint| ["--hint", hint]).into_iter().flatten()).listening();
            let mut node = Node::client(psk::client(*suite, hint), SERVER_NAME, address, Weather::default());
            check(&mut node, &mut peer, *suite, name);
        }
    });
}

#[test] // RFC 8442 §3, RFC 4279 §2
fn every_suite_as_server() {
    for_each(&SUITES, |(suite, name)| {
        // Short tags have to be asked for.
        let config = ServerConfig::psk_builder(provider(), Arc::new(vec![psk::psk()])).with_cipher_suites(&[*suite]);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let mut peer = compiled::client(Library::Botan, node.local_addr()).psk().suite(name).start();
        check(&mut node, &mut peer, *suite, name);
        assert_eq!((node.endpoint_stats().incoming, node.endpoint_stats().cookies_sent), (1, 1));
    });
}
