//! Pre-shared keys, in both roles, against OpenSSL.
//!
//! OpenSSL 3.0 has no ECDHE_PSK suite with AES-GCM or AES-CCM; Botan has.

use std::sync::Arc;

use gramseal_interop::psk::{self, IDENTITY, KEY_HEX, WRONG_KEY_HEX};
use gramseal_interop::{Node, SERVER_NAME, Weather, for_each, openssl, provider};
use gramseal_proto::config::{PskLookup, ServerConfig};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::CipherSuite as Suite;
use gramseal_proto::{CloseReason, Error};
use zeroize::Zeroizing;

const SUITES: [(Suite, &str); 6] = [
    (Suite::TLS_PSK_WITH_AES_128_GCM_SHA256, "PSK-AES128-GCM-SHA256"),
    (Suite::TLS_PSK_WITH_AES_256_GCM_SHA384, "PSK-AES256-GCM-SHA384"),
    (Suite::TLS_PSK_WITH_CHACHA20_POLY1305_SHA256, "PSK-CHACHA20-POLY1305"),
    (Suite::TLS_PSK_WITH_AES_128_CCM, "PSK-AES128-CCM"),
    (Suite::TLS_PSK_WITH_AES_128_CCM_8, "PSK-AES128-CCM8"),
    (Suite::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-PSK-CHACHA20-POLY1305"),
];

/// A server's keys, with a hint or without.
#[derive(Debug)]
struct Keys(&'static [u8]);

impl PskLookup for Keys {
    fn key(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        vec![psk::psk()].key(identity)
    }

    fn hint(&self) -> &[u8] {
        self.0
    }
}

#[test] // RFC 4279 §2, RFC 5489 §2
fn every_suite_as_client() {
    for_each(&SUITES, |(suite, name)| {
        for hint in [None, Some("a hint")] {
            let mut peer = openssl::s_server().cipher(name).args(["-nocert", "-psk", KEY_HEX]);
            peer = peer.args(["-psk_identity", IDENTITY]);
            if let Some(hint) = hint {
                peer = peer.args(["-psk_hint", hint]);
            }
            let (mut peer, address) = peer.listening();
            let mut node = Node::client(psk::client(*suite, hint), SERVER_NAME, address, Weather::default());
            openssl::check(&mut node, &mut peer);
            psk::check(&node, *suite);
            assert!(peer.said(&format!("CIPHER is {name}\n")), "{}", peer.transcript());
        }
    });
}

#[test] // RFC 4279 §2, RFC 5489 §2
fn every_suite_as_server() {
    for_each(&SUITES, |(suite, name)| {
        for hint in [&b""[..], b"a hint"] {
            // Short tags, and keys alone, have to be asked for.
            let config = ServerConfig::psk_builder(provider(), Arc::new(Keys(hint))).with_cipher_suites(&[*suite]);
            let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
            let peer = openssl::s_client(node.local_addr()).cipher(name);
            let mut peer = peer.args(["-psk", KEY_HEX, "-psk_identity", IDENTITY]).start();
            openssl::check(&mut node, &mut peer);
            psk::check(&node, *suite);
            assert!(peer.said(&format!("Cipher is {name}\n")), "{}", peer.transcript());
            assert!(peer.said("Extended master secret: yes"), "{}", peer.transcript());
        }
    });
}

#[test] // RFC 4279 §2
fn a_wrong_key_or_identity_never_connects() {
    for_each(&[(WRONG_KEY_HEX, IDENTITY), (KEY_HEX, "somebody else")], |(key, identity)| {
        let transport = gramseal_proto::config::Transport {
            handshake_timeout: std::time::Duration::from_secs(4),
            ..Default::default()
        };
        let config = ServerConfig::psk_builder(provider(), Arc::new(Keys(b"")))
            // Without forward secrecy, a suite has to be asked for.
            .with_cipher_suites(&[Suite::TLS_PSK_WITH_AES_128_GCM_SHA256])
            .with_transport(transport);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let peer = openssl::s_client(node.local_addr()).cipher("PSK-AES128-GCM-SHA256");
        let peer = peer.args(["-psk", key, "-psk_identity", identity]).start();
        let end = node.run_to_end(&peer);
        assert!(matches!(end, CloseReason::Failed(Error::TimedOut(_))), "{end:?}");
        assert!(!node.is_connected());
    });
}
