//! The 1.2 handshake with real cryptography and certificates, over the simulated network.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, ClientConfig, Identity, LegacySuites, PeerVerifier, ServerConfig};
use gramseal_proto::crypto::CryptoProvider;
use gramseal_proto::wire::{
    CipherSuite, ClientHello, Codec, KeyShareClientHello, NamedGroup, ProtocolVersion, SignatureScheme,
};
use gramseal_testkit::null::SERVER_NAME;
use gramseal_testkit::peer::Scene13;
use gramseal_testkit::pki::{self, TestIdentity, TestKeyKind, TestPki};
use gramseal_testkit::sim::{Side, Sim};
use gramseal_webpki::ChainVerifier;

fn provider() -> Arc<CryptoProvider> {
    let mut provider = gramseal_aws_lc::provider();
    provider.finite_field = Some(gramseal_rustcrypto::FINITE_FIELD);
    provider.groups.extend(gramseal_rustcrypto::ffdhe_groups());
    Arc::new(provider)
}

/// The two that there are, as they come.
fn providers() -> [CryptoProvider; 2] {
    let random = gramseal_aws_lc::provider().random;
    [gramseal_aws_lc::provider(), gramseal_rustcrypto::provider(random)]
}

fn verifier(pki: &TestPki) -> Arc<dyn PeerVerifier> {
    let builder = ChainVerifier::builder(gramseal_aws_lc::ALL_VERIFICATION_ALGORITHMS);
    let builder = builder.with_roots([pki.root()]).expect("a good root").with_clock(pki::clock);
    Arc::new(builder.build().expect("a root"))
}

fn identity(from: &TestIdentity) -> Identity {
    let key = gramseal_aws_lc::provider().keys.load(&from.key).expect("a good key");
    Identity::new(from.chain.clone(), key).expect("a chain")
}

/// Connects with client authentication, exchanges data and compares both sides' exporters.
fn connects(kind: TestKeyKind, suite: CipherSuite, group: NamedGroup) {
    let pki = TestPki::of(kind);
    let client = ClientConfig::builder(provider(), verifier(&pki))
        .with_versions(&[ProtocolVersion::DTLS1_2])
        .with_legacy_suites(LegacySuites::Allowed)
        .with_cipher_suites(&[suite])
        .with_groups(&[group])
        .with_alpn(["other", "echo"])
        .with_identity(identity(&pki.client("client.example")));
    let server = ServerConfig::builder(provider(), identity(&pki.server(SERVER_NAME)))
        .with_versions(&[ProtocolVersion::DTLS1_2])
        .with_legacy_suites(LegacySuites::Allowed)
        .with_alpn(["echo"])
        .with_client_auth(ClientAuth::Required(verifier(&pki)));
    let mut sim = Sim::new(1);
    let pair = sim.connect(client.build().expect("client"), server.build().expect("server"));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    sim.exchange(pair, b"hello");
    let mut exported = [[0; 32]; 2];
    for (side, out) in [Side::Client, Side::Server].into_iter().zip(&mut exported) {
        let connection = sim.connection(pair, side).expect("connected");
        let negotiated = connection.negotiated().expect("connected");
        assert_eq!((negotiated.cipher_suite, negotiated.group), (suite, Some(group)));
        assert_eq!(negotiated.alpn.as_deref(), Some(&b"echo"[..]));
        assert_eq!(negotiated.server_name.as_deref(), Some(SERVER_NAME));
        assert_eq!(negotiated.peer_certificates.len(), 1);
        connection.export_keying_material(b"EXPERIMENTAL test", Some(b"context"), out).expect("connected");
    }
    assert_eq!(exported[0], exported[1]);
    assert_ne!(exported[0], [0; 32]);
}

#[test]
fn every_suite_connects() {
    use CipherSuite as C;
    use TestKeyKind::{EcdsaP256, Rsa2048};
    for (kind, suite) in [
        (EcdsaP256, C::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
        (EcdsaP256, C::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
        (EcdsaP256, C::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
        (Rsa2048, C::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
        (Rsa2048, C::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
        (Rsa2048, C::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ] {
        connects(kind, suite, NamedGroup::X25519);
    }
}

#[test]
fn every_legacy_suite_connects() {
    use CipherSuite as C;
    for (suite, group) in [
        (C::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, NamedGroup::FFDHE2048),
        (C::TLS_DHE_RSA_WITH_AES_256_GCM_SHA384, NamedGroup::FFDHE3072),
        (C::TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256, NamedGroup::FFDHE4096),
    ] {
        connects(TestKeyKind::Rsa2048, suite, group);
    }
}

#[test]
fn every_group_and_key_connects() {
    let suite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    for (kind, group) in [
        (TestKeyKind::EcdsaP256, NamedGroup::SECP256R1),
        (TestKeyKind::EcdsaP384, NamedGroup::SECP384R1),
        (TestKeyKind::EcdsaP521, NamedGroup::SECP521R1),
        (TestKeyKind::Ed25519, NamedGroup::X25519),
    ] {
        connects(kind, suite, group);
    }
}

#[test] // RFC 9846 §4.3.3
fn an_rsa_key_signs_1_2_with_pss() {
    let pki = TestPki::of(TestKeyKind::Rsa2048);
    for provider in providers() {
        let provider = Arc::new(provider);
        let identity = |from: &TestIdentity| {
            let key = provider.keys.load(&from.key).expect("a good key");
            Identity::new(from.chain.clone(), key).expect("a chain")
        };
        let client = ClientConfig::builder(Arc::clone(&provider), verifier(&pki))
            .with_versions(&[ProtocolVersion::DTLS1_2])
            .with_identity(identity(&pki.client("client.example")));
        let server = ServerConfig::builder(Arc::clone(&provider), identity(&pki.server(SERVER_NAME)))
            .with_versions(&[ProtocolVersion::DTLS1_2])
            .with_client_auth(ClientAuth::Required(verifier(&pki)));
        let mut sim = Sim::new(1);
        let pair = sim.connect(client.build().expect("client"), server.build().expect("server"));
        sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
        for side in Side::BOTH {
            let negotiated = sim.connection(pair, side).and_then(|one| one.negotiated()).expect("connected");
            assert_eq!(negotiated.version, ProtocolVersion::DTLS1_2);
            assert_eq!(negotiated.peer_signature_scheme, Some(SignatureScheme::RSA_PSS_RSAE_SHA256), "{side:?}");
        }
    }
}

#[test] // draft-ietf-tls-hybrid-design §3.2
fn no_part_of_a_share_is_in_another() {
    let pki = TestPki::of(TestKeyKind::EcdsaP256);
    let groups = [NamedGroup::X25519MLKEM768, NamedGroup::X25519];
    for provider in providers() {
        let client = ClientConfig::builder(Arc::new(provider), verifier(&pki))
            .with_versions(&[ProtocolVersion::DTLS1_3])
            .with_groups(&groups)
            .with_large_share_at_once()
            .build()
            .expect("client");
        let scene = Scene13::client13(client, 1);
        let hello = ClientHello::from_bytes(&scene.peer.received()[0].body).expect("a hello");
        let offer = hello.extensions.find::<KeyShareClientHello<'_>>().expect("well formed").expect("there");
        let shares: Vec<_> = offer.client_shares.iter().collect();
        assert_eq!(shares.iter().map(|share| share.group).collect::<Vec<_>>(), groups);
        let [hybrid, alone] = [0, 1].map(|index| shares[index].key_exchange);
        // The part of X25519 comes last.
        assert_eq!((hybrid.len(), alone.len()), (1184 + 32, 32));
        assert_ne!(&hybrid[1184..], alone);
    }
}
