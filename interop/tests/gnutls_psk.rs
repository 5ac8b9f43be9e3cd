//! Pre-shared keys, in both roles, against GnuTLS.

use std::sync::Arc;
use std::time::Duration;

use gramseal_interop::psk::{self, IDENTITY, KEY_HEX, WRONG_KEY_HEX};
use gramseal_interop::{Node, SERVER_NAME, Weather, for_each, gnutls, provider};
use gramseal_proto::config::{ServerConfig, Transport};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::CipherSuite as Suite;
use gramseal_proto::{CloseReason, Error};

/// Ours, and GnuTLS's words for a priority string.
const SUITES: [(Suite, &str, &str); 6] = [
    (Suite::TLS_PSK_WITH_AES_128_GCM_SHA256, "PSK", "AES-128-GCM"),
    (Suite::TLS_PSK_WITH_AES_256_GCM_SHA384, "PSK", "AES-256-GCM"),
    (Suite::TLS_PSK_WITH_CHACHA20_POLY1305_SHA256, "PSK", "CHACHA20-POLY1305"),
    (Suite::TLS_PSK_WITH_AES_128_CCM, "PSK", "AES-128-CCM"),
    (Suite::TLS_PSK_WITH_AES_128_CCM_8, "PSK", "AES-128-CCM-8"),
    (Suite::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-PSK", "CHACHA20-POLY1305"),
];

#[test] // RFC 4279 §2, RFC 5489 §2
fn every_suite_as_client() {
    for_each(&SUITES, |(suite, exchange, aead)| {
        for hint in [None, Some("a hint")] {
            let passwords = format!("somebody else:{WRONG_KEY_HEX}\n{IDENTITY}:{KEY_HEX}\n");
            let mut peer = gnutls::serv().suite(exchange, aead).file("--pskpasswd", "passwords", &passwords);
            if let Some(hint) = hint {
                peer = peer.args(["--pskhint", hint]);
            }
            let (peer, address) = peer.listening();
            let mut node = Node::client(psk::client(*suite, hint), SERVER_NAME, address, Weather::default());
            gnutls::check_server(&mut node, &peer);
            psk::check(&node, *suite);
        }
    });
}

#[test] // RFC 4279 §2, RFC 5489 §2
fn every_suite_as_server() {
    for_each(&SUITES, |(suite, exchange, aead)| {
        // Short tags, and keys alone, have to be asked for.
        let config = ServerConfig::psk_builder(provider(), Arc::new(vec![psk::psk()])).with_cipher_suites(&[*suite]);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let peer = gnutls::cli(node.local_addr()).suite(exchange, aead);
        let mut peer = peer.args(["--pskusername", IDENTITY, "--pskkey", KEY_HEX]).start();
        if *exchange == "ECDHE-PSK" {
            gnutls::check_handshake(&mut node, &peer);
        } else {
            gnutls::check_client(&mut node, &mut peer);
            assert!(peer.said("extended master secret, safe renegotiation"), "{}", peer.transcript());
        }
        psk::check(&node, *suite);
    });
}

#[test] // RFC 4279 §2
fn a_wrong_key_or_identity_never_connects() {
    for_each(&[(WRONG_KEY_HEX, IDENTITY), (KEY_HEX, "somebody else")], |(key, identity)| {
        let transport = Transport { handshake_timeout: Duration::from_secs(4), ..Transport::default() };
        let config = ServerConfig::psk_builder(provider(), Arc::new(vec![psk::psk()]))
            // Without forward secrecy, a suite has to be asked for.
            .with_cipher_suites(&[Suite::TLS_PSK_WITH_AES_128_GCM_SHA256])
            .with_transport(transport);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let peer = gnutls::cli(node.local_addr()).suite("PSK", "AES-128-GCM");
        let peer = peer.args(["--pskusername", identity, "--pskkey", key]).start();
        let end = node.run_to_end(&peer);
        assert!(matches!(end, CloseReason::Failed(Error::TimedOut(_))), "{end:?}");
        assert!(!node.is_connected());
    });
}
