//! Pre-shared keys in DTLS 1.3 in both roles against wolfSSL, which does not import them.

use std::sync::Arc;

use gramseal_interop::compiled::{self, Library, WOLFSSL_SUITES_13, to_server13};
use gramseal_interop::{Node, Weather, for_each, provider, psk};
use gramseal_proto::config::{ClientConfig, Psk, ServerConfig};
use gramseal_proto::crypto::HashAlgorithm;
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::{CipherSuite as Suite, ProtocolVersion};
use gramseal_proto::{CloseReason, PeerFault};

const VERSIONS: [ProtocolVersion; 1] = [ProtocolVersion::DTLS1_3];

/// The key of [`psk`], with the hash of this suite.
fn key_for(suite: Suite) -> Psk {
    let hash = if suite == Suite::TLS_AES_256_GCM_SHA384 { HashAlgorithm::Sha384 } else { HashAlgorithm::Sha256 };
    psk::psk().with_hash(hash)
}

#[test] // RFC 9846 §4.3.9, §4.3.11
fn a_key_from_elsewhere_in_every_suite_as_client() {
    for_each(&WOLFSSL_SUITES_13, |(suite, name)| {
        // With a cookie, and after another request for a group.
        for (group, cookies) in [("29", "on"), ("23", "off"), ("23", "on")] {
            let peer = compiled::server(Library::WolfSsl).psk().suite(name);
            let peer = peer.args(["--groups", group, "--cookies", cookies]);
            let config = ClientConfig::psk_builder(provider(), key_for(*suite)).with_cipher_suites(&[*suite]);
            let (mut node, mut peer) = to_server13(config, peer, Weather::default());
            compiled::check(&mut node, &mut peer);
            psk::check(&node, *suite);
        }
    });
}

#[test] // RFC 9846 §4.3.9, §4.3.11
fn a_key_from_elsewhere_in_every_suite_as_server() {
    for_each(&WOLFSSL_SUITES_13, |(suite, name)| {
        for cookies in [CookiePolicy::Required, CookiePolicy::Off] {
            let keys = Arc::new(vec![Psk::new("other", [1; 16]).expect("good lengths"), key_for(*suite)]);
            let config = ServerConfig::psk_builder(provider(), keys).with_cipher_suites(&[*suite]);
            let mut node = Node::server(config.with_versions(&VERSIONS), cookies, Weather::default());
            let mut peer = compiled::client(Library::WolfSsl, node.local_addr()).psk().suite(name).start();
            compiled::check(&mut node, &mut peer);
            psk::check(&node, *suite);
        }
    });
}

#[test] // RFC 9846 §4.3.11, §F.6
fn a_wrong_key_from_elsewhere_never_connects() {
    let wrong = ["--psk", psk::WRONG_KEY_HEX, "--identity", psk::IDENTITY];
    let unknown = ["--psk", psk::KEY_HEX, "--identity", "nobody"];
    let (_, suite) = WOLFSSL_SUITES_13[0];
    for key in [wrong, unknown] {
        let config = ClientConfig::psk_builder(provider(), psk::psk());
        let peer = compiled::server(Library::WolfSsl).suite(suite).args(key);
        let (mut node, peer) = to_server13(config, peer, Weather::default());
        assert!(matches!(node.run_to_end(&peer), CloseReason::Failed(_)));

        let config = ServerConfig::psk_builder(provider(), Arc::new(vec![psk::psk()])).with_versions(&VERSIONS);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let peer = compiled::client(Library::WolfSsl, node.local_addr()).suite(suite).args(key).start();
        assert_eq!(node.run_to_end(&peer), CloseReason::Failed(PeerFault::BinderMismatch.into()));
    }
}
