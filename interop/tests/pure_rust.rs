//! Our side with the pure-Rust provider alone, in both roles, against OpenSSL.

use std::sync::Arc;

use gramseal_interop::{Node, SERVER_NAME, Weather, for_each, openssl, pki, pure_rust};
use gramseal_proto::config::{ClientAuth, ClientConfig, Identity, PeerVerifier, ServerConfig};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::CipherSuite as Suite;
use gramseal_testkit::pki::{TestIdentity, TestKeyKind as Kind, TestPki};
use gramseal_webpki::ChainVerifier;

const CASES: [(Kind, Suite); 10] = [
    (Kind::EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    (Kind::EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    (Kind::EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    (Kind::EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_256_CCM),
    (Kind::EcdsaP384, Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    (Kind::EcdsaP521, Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    (Kind::Ed25519, Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    (Kind::Rsa2048, Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    (Kind::Rsa2048, Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    (Kind::Rsa2048, Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

fn trust(pki: &TestPki) -> Arc<dyn PeerVerifier> {
    let builder = ChainVerifier::builder(gramseal_rustcrypto::ALL_VERIFICATION_ALGORITHMS);
    let builder = builder.with_roots([pki.root()]).expect("the test's root is readable");
    Arc::new(builder.build().expect("there is a root"))
}

fn identity(from: &TestIdentity) -> Identity {
    let key = pure_rust().keys.load(&from.key).expect("every kind of test key can be loaded");
    Identity::new(from.chain.clone(), key).expect("the chain is not empty")
}

fn check_negotiated(node: &Node, suite: Suite, peer: &TestIdentity) {
    let negotiated = node.connection().negotiated().expect("connected");
    assert_eq!(negotiated.cipher_suite, suite);
    assert_eq!(negotiated.peer_certificates.first(), Some(peer.end_entity()));
}

#[test]
fn every_kind_of_key_as_client() {
    for_each(&CASES, |(kind, suite)| {
        // OpenSSL's server finds no suite in DTLS 1.2 for a certificate of Ed25519.
        let theirs = pki(if *kind == Kind::Ed25519 { Kind::EcdsaP256 } else { *kind });
        let ours = pki(*kind);
        let server = theirs.server(SERVER_NAME);
        // By default it has no AES-CCM.
        let peer = openssl::s_server().identity(&server).require_client(&ours).cipher("ALL");
        let (mut peer, address) = peer.listening();
        let config = ClientConfig::builder(pure_rust(), trust(&theirs));
        let config = config.with_identity(identity(&ours.client("client.example"))).with_cipher_suites(&[*suite]);
        let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
        openssl::check(&mut node, &mut peer);
        check_negotiated(&node, *suite, &server);
    });
}

#[test]
fn every_kind_of_key_as_server() {
    for_each(&CASES, |(kind, suite)| {
        let pki = pki(*kind);
        let client = pki.client("client.example");
        let config = ServerConfig::builder(pure_rust(), identity(&pki.server(SERVER_NAME)));
        let config = config.with_client_auth(ClientAuth::Required(trust(&pki))).with_cipher_suites(&[*suite]);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let peer = openssl::s_client(node.local_addr()).trust(&pki).identity(&client);
        let mut peer = peer.cipher("ALL").start();
        openssl::check(&mut node, &mut peer);
        check_negotiated(&node, *suite, &client);
    });
}
