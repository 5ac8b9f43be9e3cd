//! Handshakes of 1.2 between the two providers, and of the pure-Rust one with itself.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, ClientConfig, Identity, LegacySuites, PeerVerifier, ServerConfig};
use gramseal_proto::crypto::CryptoProvider;
use gramseal_proto::wire::{CipherSuite, NamedGroup, SignatureScheme};
use gramseal_testkit::null::{SERVER_NAME, SeededRandom};
use gramseal_testkit::pki::{self, TestIdentity, TestKeyKind, TestPki};
use gramseal_testkit::sim::Sim;
use gramseal_webpki::ChainVerifier;
use pki_types::{SignatureVerificationAlgorithm, alg_id};

/// A provider and what it verifies certificates with.
#[derive(Clone)]
struct Library(Arc<CryptoProvider>, &'static [&'static dyn SignatureVerificationAlgorithm]);

fn aws_lc() -> Library {
    let mut provider = gramseal_aws_lc::provider();
    provider.finite_field = Some(gramseal_rustcrypto::FINITE_FIELD);
    provider.groups.extend(gramseal_rustcrypto::ffdhe_groups());
    Library(Arc::new(provider), gramseal_aws_lc::ALL_VERIFICATION_ALGORITHMS)
}

fn rustcrypto() -> Library {
    let provider = gramseal_rustcrypto::provider(Arc::new(SeededRandom::new(1)));
    Library(Arc::new(provider), gramseal_rustcrypto::ALL_VERIFICATION_ALGORITHMS)
}

impl Library {
    fn verifier(&self, pki: &TestPki) -> Arc<dyn PeerVerifier> {
        let builder = ChainVerifier::builder(self.1).with_roots([pki.root()]).expect("a good root");
        Arc::new(builder.with_clock(pki::clock).build().expect("a root"))
    }

    fn identity(&self, from: &TestIdentity) -> Identity {
        let key = self.0.keys.load(&from.key).expect("a good key");
        Identity::new(from.chain.clone(), key).expect("a chain")
    }
}

/// Both sides show a certificate and exchange data.
fn connects(kind: TestKeyKind, suite: CipherSuite, group: NamedGroup) {
    let pki = TestPki::of(kind);
    for (ours, theirs) in [(rustcrypto(), rustcrypto()), (rustcrypto(), aws_lc()), (aws_lc(), rustcrypto())] {
        let client = ClientConfig::builder(ours.0.clone(), ours.verifier(&pki))
            .with_legacy_suites(LegacySuites::Allowed)
            .with_cipher_suites(&[suite])
            .with_groups(&[group])
            .with_identity(ours.identity(&pki.client("client.example")));
        let server = ServerConfig::builder(theirs.0.clone(), theirs.identity(&pki.server(SERVER_NAME)))
            .with_legacy_suites(LegacySuites::Allowed)
            .with_client_auth(ClientAuth::Required(theirs.verifier(&pki)));
        let mut sim = Sim::new(1);
        let pair = sim.connect(client.build().expect("client"), server.build().expect("server"));
        sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
        sim.exchange(pair, b"hello");
    }
}

#[test]
fn every_kind_of_key_and_curve() {
    for (kind, suite, group) in [
        (TestKeyKind::EcdsaP256, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, NamedGroup::SECP256R1),
        (TestKeyKind::EcdsaP384, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, NamedGroup::SECP384R1),
        (TestKeyKind::EcdsaP521, CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, NamedGroup::SECP521R1),
        (TestKeyKind::Ed25519, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, NamedGroup::X25519),
        (TestKeyKind::Rsa2048, CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, NamedGroup::X25519),
    ] {
        connects(kind, suite, group);
    }
}

#[test]
fn finite_field_groups() {
    connects(TestKeyKind::Rsa2048, CipherSuite::TLS_DHE_RSA_WITH_AES_256_GCM_SHA384, NamedGroup::FFDHE2048);
}

#[test] // RFC 9846 §4.3.3, RFC 8422 §5.10
fn in_1_2_a_scheme_goes_with_every_curve() {
    let curves = [alg_id::ECDSA_P256, alg_id::ECDSA_P384, alg_id::ECDSA_P521];
    let schemes = [
        (SignatureScheme::ECDSA_SECP256R1_SHA256, alg_id::ECDSA_SHA256),
        (SignatureScheme::ECDSA_SECP384R1_SHA384, alg_id::ECDSA_SHA384),
        (SignatureScheme::ECDSA_SECP521R1_SHA512, alg_id::ECDSA_SHA512),
    ];
    for Library(provider, _) in [aws_lc(), rustcrypto()] {
        for ((scheme, hash), own) in schemes.into_iter().zip(curves) {
            let verifier = provider.verifiers.iter().find(|verifier| verifier.scheme == scheme).expect("it is known");
            let mut keys: Vec<_> = verifier.algorithms.iter().map(|known| known.public_key_alg_id()).collect();
            // In 1.3 the first one is the only one.
            assert_eq!(keys.first(), Some(&own));
            keys.sort_by_key(|key| curves.iter().position(|curve| curve == key));
            assert_eq!(keys, curves, "{scheme:?}");
            assert!(verifier.algorithms.iter().all(|known| known.signature_alg_id() == hash));
        }
    }
}
