//! Pre-shared keys, in both roles, against OpenSSL.
//!
//! OpenSSL 3.0 has no ECDHE_PSK suite with AES-GCM; those share everything but the AEAD with the one
//! with ChaCha20-Poly1305.

use std::sync::Arc;

use gramseal_interop::{Node, SERVER_NAME, Weather, for_each, openssl, provider};
use gramseal_proto::config::{ClientConfig, Psk, PskLookup, ServerConfig};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::CipherSuite as Suite;
use gramseal_proto::{CloseReason, Error};
use zeroize::Zeroizing;

const IDENTITY: &str = "interop device 7";
const KEY: [u8; 16] = [0x5A; 16];
const KEY_HEX: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
const WRONG_KEY_HEX: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5b";

const SUITES: [(Suite, &str); 6] = [
    (Suite::TLS_PSK_WITH_AES_128_GCM_SHA256, "PSK-AES128-GCM-SHA256"),
    (Suite::TLS_PSK_WITH_AES_256_GCM_SHA384, "PSK-AES256-GCM-SHA384"),
    (Suite::TLS_PSK_WITH_CHACHA20_POLY1305_SHA256, "PSK-CHACHA20-POLY1305"),
    (Suite::TLS_PSK_WITH_AES_128_CCM, "PSK-AES128-CCM"),
    (Suite::TLS_PSK_WITH_AES_128_CCM_8, "PSK-AES128-CCM8"),
    (Suite::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-PSK-CHACHA20-POLY1305"),
];

fn psk() -> Psk {
    Psk::new(IDENTITY, KEY).expect("good lengths")
}

/// A server's keys, with a hint or without.
#[derive(Debug)]
struct Keys(&'static [u8]);

impl PskLookup for Keys {
    fn key(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        vec![psk()].key(identity)
    }

    fn hint(&self) -> &[u8] {
        self.0
    }
}

fn check_negotiated(node: &Node, suite: Suite) {
    let negotiated = node.connection().negotiated().expect("connected");
    assert_eq!(negotiated.cipher_suite, suite);
    assert_eq!(negotiated.psk_identity.as_deref(), Some(IDENTITY.as_bytes()));
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
            // The key for this hint is the second one.
            let first = if hint.is_some() { Psk::new("nobody", [1; 16]).expect("good lengths") } else { psk() };
            let config = ClientConfig::psk_builder(provider(), first)
                .with_psk(psk().for_hint("a hint"))
                .with_cipher_suites(&[*suite]);
            let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
            openssl::check(&mut node, &mut peer);
            check_negotiated(&node, *suite);
            assert!(peer.said(&format!("CIPHER is {name}\n")), "{}", peer.transcript());
        }
    });
}

#[test] // RFC 4279 §2, RFC 5489 §2
fn every_suite_as_server() {
    for_each(&SUITES, |(suite, name)| {
        for hint in [&b""[..], b"a hint"] {
            // Short tags have to be asked for.
            let config = ServerConfig::psk_builder(provider(), Arc::new(Keys(hint))).with_cipher_suites(&[*suite]);
            let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
            let peer = openssl::s_client(node.local_addr()).cipher(name);
            let mut peer = peer.args(["-psk", KEY_HEX, "-psk_identity", IDENTITY]).start();
            openssl::check(&mut node, &mut peer);
            check_negotiated(&node, *suite);
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
        let config = ServerConfig::psk_builder(provider(), Arc::new(Keys(b""))).with_transport(transport);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let peer = openssl::s_client(node.local_addr()).cipher("PSK-AES128-GCM-SHA256");
        let peer = peer.args(["-psk", key, "-psk_identity", identity]).start();
        let end = node.run_to_end(&peer);
        assert!(matches!(end, CloseReason::Failed(Error::TimedOut(_))), "{end:?}");
        assert!(!node.is_connected());
    });
}
