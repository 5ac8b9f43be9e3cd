//! Handshakes with pre-shared keys and real cryptography, and what strangers learn from them.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, ClientConfig, ConfigError, Psk, PskLookup, ServerConfig};
use gramseal_proto::crypto::CryptoProvider;
use gramseal_proto::wire::{CipherSuite, NamedGroup};
use gramseal_proto::{CloseReason, Connection, Error, TimedOut};
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::sim::{Pair, Side, Sim};

const PLAIN: CipherSuite = CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256;

/// Suites with the group that a handshake comes to.
const SUITES: [(CipherSuite, Option<NamedGroup>); 6] = [
    (PLAIN, None),
    (CipherSuite::TLS_PSK_WITH_AES_256_GCM_SHA384, None),
    (CipherSuite::TLS_PSK_WITH_CHACHA20_POLY1305_SHA256, None),
    (CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256, Some(NamedGroup::X25519)),
    (CipherSuite::TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384, Some(NamedGroup::X25519)),
    (CipherSuite::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, Some(NamedGroup::X25519)),
];

fn provider() -> Arc<CryptoProvider> {
    Arc::new(gramseal_aws_lc::provider())
}

fn psk(identity: &str, key: u8) -> Psk {
    Psk::new(identity, [key; 32]).expect("good lengths")
}

fn client(suite: CipherSuite, psk: Psk) -> ClientConfig {
    ClientConfig::psk_builder(provider(), psk).with_cipher_suites(&[suite]).build().expect("a client")
}

/// A server that takes every suite with a key that aws-lc has, also those without ECDHE.
fn server(psks: impl PskLookup + 'static) -> ServerConfig {
    let suites = SUITES.map(|(suite, _)| suite);
    ServerConfig::psk_builder(provider(), Arc::new(psks)).with_cipher_suites(&suites).build().expect("a server")
}

fn connect(client: ClientConfig, server: ServerConfig) -> (Sim, Pair) {
    let mut sim = Sim::new(1);
    let pair = sim.connect(client, server);
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    sim.exchange(pair, b"hello");
    (sim, pair)
}

#[test] // RFC 4279 §2, RFC 5487 §2, RFC 8442 §3, RFC 7905 §2
fn every_suite_connects_and_names_the_identity() {
    for (suite, group) in SUITES {
        let psks = vec![psk("other", 1), psk("sensor \0 7", 2)];
        let (sim, pair) = connect(client(suite, psk("sensor \0 7", 2)), server(psks));
        for side in Side::BOTH {
            let negotiated = sim.connection(pair, side).and_then(Connection::negotiated).expect("connected");
            assert_eq!((negotiated.cipher_suite, negotiated.group), (suite, group));
            assert_eq!(negotiated.psk_identity.as_deref(), Some(&b"sensor \0 7"[..]));
            assert!(negotiated.peer_certificates.is_empty());
        }
    }
}

#[test] // RFC 5246 §7.4.1.4.1, RFC 8422 §5.1: lists in a hello have an entry, or are left out
fn a_provider_without_groups_and_signatures_is_enough_for_plain_keys() {
    let bare = || {
        let mut provider = gramseal_aws_lc::provider();
        provider.groups.clear();
        provider.verifiers.clear();
        Arc::new(provider)
    };
    let client = ClientConfig::psk_builder(bare(), psk("a", 1)).with_cipher_suites(&[PLAIN]);
    let server = ServerConfig::psk_builder(bare(), Arc::new(vec![psk("a", 1)])).with_cipher_suites(&[PLAIN]);
    let (sim, pair) = connect(client.build().expect("a client"), server.build().expect("a server"));
    let negotiated = sim.connection(pair, Side::Server).and_then(Connection::negotiated).expect("connected");
    assert_eq!((negotiated.cipher_suite, negotiated.group), (PLAIN, None));

    let ecdhe = CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256;
    let client = ClientConfig::psk_builder(bare(), psk("a", 1)).with_cipher_suites(&[ecdhe]).build();
    assert_eq!(client.map(drop), Err(ConfigError::UnsupportedCipherSuite(ecdhe)));
}

#[derive(Debug)]
struct WithHint(Vec<Psk>);

impl PskLookup for WithHint {
    fn key(&self, identity: &[u8]) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        self.0.key(identity)
    }

    fn hint(&self) -> &[u8] {
        b"factory"
    }
}

#[test] // RFC 4279 §5.2
fn the_servers_hint_chooses_among_the_clients_keys() {
    for suite in [PLAIN, CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256] {
        let client = ClientConfig::psk_builder(provider(), psk("home", 1))
            .with_psk(psk("at work", 2).for_hint("factory"))
            .with_cipher_suites(&[suite])
            .build()
            .expect("a client");
        let (sim, pair) = connect(client, server(WithHint(vec![psk("at work", 2)])));
        let negotiated = sim.connection(pair, Side::Server).and_then(Connection::negotiated).expect("connected");
        assert_eq!(negotiated.psk_identity.as_deref(), Some(&b"at work"[..]));
    }
}

/// What the server sends to a client with this key, and how both end.
fn strange(suite: CipherSuite, key: Psk) -> (Vec<usize>, [Option<CloseReason>; 2]) {
    let mut sim = Sim::new(1);
    let pair = sim.connect(client(suite, key), server(vec![psk("known", 1)]));
    sim.run_for(Duration::from_secs(100));
    let lengths = sim.sent_by(pair, Side::Server).map(|sent| sent.bytes.len()).collect();
    (lengths, Side::BOTH.map(|side| sim.closed(pair, side).cloned()))
}

#[test] // RFC 4279 §2: nobody learns which identities exist
fn an_unknown_identity_looks_like_a_wrong_key() {
    for suite in [PLAIN, CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256] {
        let (wrong_key, ends) = strange(suite, psk("known", 2));
        assert_eq!((&wrong_key, &ends), (&strange(suite, psk("nobody", 2)).0, &strange(suite, psk("nobody", 2)).1));
        let timed_out = Some(CloseReason::Failed(Error::TimedOut(TimedOut::Handshake)));
        assert_eq!(ends, [timed_out.clone(), timed_out]);
    }
}

#[test]
fn what_cannot_work_is_refused_when_it_is_configured() {
    let ccm = CipherSuite::TLS_PSK_WITH_AES_128_CCM;
    let no_ccm = ClientConfig::psk_builder(provider(), psk("a", 1)).with_cipher_suites(&[ccm]).build();
    assert_eq!(no_ccm.map(drop), Err(ConfigError::UnsupportedCipherSuite(ccm)));
    let ecdsa = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    let no_verifier = ClientConfig::psk_builder(provider(), psk("a", 1)).with_cipher_suites(&[ecdsa]).build();
    assert_eq!(no_verifier.map(drop), Err(ConfigError::UnsupportedCipherSuite(ecdsa)));
    let client = || ClientConfig::psk_builder(provider(), psk("a", 1));
    let server = || ServerConfig::psk_builder(provider(), Arc::new(vec![psk("a", 1)]));
    let nothing = |what| Err(ConfigError::NothingAllowed(what));
    assert_eq!(client().with_cipher_suites(&[]).build().map(drop), nothing("cipher suite"));
    assert_eq!(server().with_cipher_suites(&[]).build().map(drop), nothing("cipher suite"));
    assert_eq!(client().with_groups(&[]).build().map(drop), nothing("group"));
    assert_eq!(server().with_groups(&[]).build().map(drop), nothing("group"));
}

#[test] // RFC 4279 §2: where a key authenticates both sides there are no certificates
fn a_server_that_shows_no_certificate_cannot_ask_for_any() {
    let verifier = || ClientAuth::Required(Arc::new(NullVerifier::default()));
    let keys = Arc::new(vec![psk("a", 1)]);
    let server = ServerConfig::psk_builder(provider(), keys).with_client_auth(verifier()).build();
    assert_eq!(server.map(drop), Err(ConfigError::ClientAuthWithoutCertificate));
}

#[test] // RFC 5246 §7.4.4: the list of signatures in CertificateRequest has an entry
fn a_server_that_can_check_no_signature_cannot_ask_for_certificates() {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let mut provider = (*null::provider(1)).clone();
    provider.verifiers.clear();
    let builder = ServerConfig::builder(Arc::new(provider), identity);
    let server = builder.with_client_auth(ClientAuth::Optional(Arc::new(NullVerifier::default()))).build();
    assert_eq!(server.map(drop), Err(ConfigError::NothingAllowed("signature scheme")));
}

#[test] // RFC 6655 §6.1, RFC 9325 §4.2
fn suites_with_short_tags_have_to_be_named() {
    let with_ccm = || {
        let mut provider = gramseal_aws_lc::provider();
        provider.aeads.extend(gramseal_rustcrypto::ccm_aeads());
        Arc::new(provider)
    };
    let ccm8 = CipherSuite::TLS_PSK_WITH_AES_128_CCM_8;
    for (asked, connects) in [(None, false), (Some(ccm8), true)] {
        let client = ClientConfig::psk_builder(with_ccm(), psk("a", 1)).with_cipher_suites(&[ccm8]);
        let keys = Arc::new(vec![psk("a", 1)]);
        let mut server = ServerConfig::psk_builder(with_ccm(), keys);
        if let Some(suite) = asked {
            server = server.with_cipher_suites(&[suite]);
        }
        let mut sim = Sim::new(1);
        let pair = sim.connect(client.build().expect("a client"), server.build().expect("a server"));
        sim.run_for(Duration::from_secs(5));
        assert_eq!(sim.connected(pair), connects, "{asked:?}");
    }
}

#[test]
fn a_plain_psk_handshake_needs_no_group_in_common() {
    let client = ClientConfig::psk_builder(provider(), psk("a", 1))
        .with_groups(&[NamedGroup::SECP384R1])
        .with_cipher_suites(&[PLAIN])
        .build()
        .expect("a client");
    let server = ServerConfig::psk_builder(provider(), Arc::new(vec![psk("a", 1)]))
        .with_groups(&[NamedGroup::X25519])
        .with_cipher_suites(&[PLAIN])
        .build()
        .expect("a server");
    connect(client, server);
}

#[test] // RFC 9257 §4.2: these modes have no forward secrecy
fn suites_with_a_key_alone_have_to_be_named() {
    for (named, connects) in [(false, false), (true, true)] {
        let mut server = ServerConfig::psk_builder(provider(), Arc::new(vec![psk("a", 1)]));
        if named {
            server = server.with_cipher_suites(&[PLAIN]);
        }
        let mut sim = Sim::new(1);
        let pair = sim.connect(client(PLAIN, psk("a", 1)), server.build().expect("a server"));
        sim.run_for(Duration::from_secs(5));
        assert_eq!(sim.connected(pair), connects);
    }
}
