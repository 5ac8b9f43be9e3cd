//! Pre-shared keys from elsewhere in DTLS 1.3 (RFC 9846 §4.3.11, RFC 9257, RFC 9258): what both sides of ours do with
//! each other, and what hostile ones come to.

mod answers;
mod choice;
mod hellos;
mod tickets;

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{
    ClientAuth, ClientConfig, ConfigError, Psk, PskLookup, ResumedKeyExchange, ServerConfig, ServerConfigBuilder,
};
use gramseal_proto::crypto::HashAlgorithm;
use gramseal_proto::wire::{AlertDescription, CipherSuite, NamedGroup, ProtocolVersion};
use gramseal_proto::{CloseReason, Error, Negotiated, PeerFault};
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::sim::{Pair, Side, Sim};

const PATIENCE: Duration = Duration::from_secs(10);
const SHA256: CipherSuite = CipherSuite::TLS_AES_128_GCM_SHA256;
const SHA384: CipherSuite = CipherSuite::TLS_AES_256_GCM_SHA384;

fn psk(identity: &str, key: u8) -> Psk {
    Psk::new(identity, [key; 32]).expect("good lengths")
}

fn imported(identity: &str, key: u8, context: &str) -> Psk {
    psk(identity, key).imported(context).expect("it fits")
}

fn client(psk: Psk) -> Arc<ClientConfig> {
    ClientConfig::psk_builder(null::provider(1), psk).build().expect("a client").into()
}

fn server_builder(psks: Vec<Psk>) -> ServerConfigBuilder {
    ServerConfig::psk_builder(null::provider(2), Arc::new(psks))
}

fn server(psks: Vec<Psk>) -> Arc<ServerConfig> {
    server_builder(psks).build().expect("a server").into()
}

/// A server with a certificate and keys.
fn server_with_certificate(psks: Vec<Psk>) -> Arc<ServerConfig> {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    server_builder(psks).with_identity(identity).build().expect("a server").into()
}

/// A client that trusts certificates, and knows keys.
fn client_with_verifier(psks: impl IntoIterator<Item = Psk>) -> Arc<ClientConfig> {
    let verifier = Arc::new(NullVerifier::default());
    let builder = ClientConfig::builder(null::provider(1), verifier);
    psks.into_iter().fold(builder, |builder, psk| builder.with_psk(psk)).build().expect("a client").into()
}

fn connect_in(sim: &mut Sim, client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Pair {
    let pair = sim.connect(Arc::clone(client), Arc::clone(server));
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
    sim.exchange(pair, b"hello");
    pair
}

fn negotiated(sim: &Sim, pair: Pair) -> [Negotiated; 2] {
    Side::BOTH.map(|side| {
        sim.connection(pair, side).and_then(|connection| connection.negotiated()).expect("connected").clone()
    })
}

/// Connects; what both sides agree on, but for what only one knows.
fn connect(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Negotiated {
    let mut sims = [Sim::new(1), Sim::new(1).without_cookies()].map(|mut sim| {
        let pair = connect_in(&mut sim, client, server);
        let [ours, theirs] = negotiated(&sim, pair);
        assert_eq!((ours.cipher_suite, ours.group), (theirs.cipher_suite, theirs.group));
        assert_eq!((ours.version, &ours.psk_identity), (theirs.version, &theirs.psk_identity));
        ours
    });
    let [with_cookie, without] = &mut sims;
    assert_eq!(with_cookie, without);
    with_cookie.clone()
}

/// Why a handshake fails, on each side.
fn failure(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> [Option<Error>; 2] {
    let mut sim = Sim::new(1);
    let pair = sim.connect(Arc::clone(client), Arc::clone(server));
    sim.run_for(Duration::from_secs(100));
    Side::BOTH.map(|side| match sim.closed(pair, side) {
        Some(CloseReason::Failed(error)) => Some(error.clone()),
        _ => None,
    })
}

#[test] // RFC 9846 §4.3.11, RFC 9258 §5.1
fn every_suite_connects_and_names_the_identity() {
    let provider = || Arc::new(gramseal_aws_lc::provider());
    let suites = [SHA256, SHA384, CipherSuite::TLS_CHACHA20_POLY1305_SHA256];
    for suite in suites {
        let hash = if suite == SHA384 { HashAlgorithm::Sha384 } else { HashAlgorithm::Sha256 };
        let named = psk("sensor \0 7", 2);
        for psk in [named.clone().with_hash(hash), named.imported("between us").expect("it fits")] {
            let keys = Arc::new(vec![self::psk("other", 1), psk.clone()]);
            let client = ClientConfig::psk_builder(provider(), psk).with_cipher_suites(&[suite]).build();
            let server = ServerConfig::psk_builder(provider(), keys).with_cipher_suites(&suites).build();
            let mut sim = Sim::new(1);
            let pair = connect_in(&mut sim, &client.expect("a client").into(), &server.expect("a server").into());
            for agreed in negotiated(&sim, pair) {
                assert_eq!((agreed.version, agreed.cipher_suite), (ProtocolVersion::DTLS1_3, suite));
                assert_eq!(agreed.psk_identity.as_deref(), Some(&b"sensor \0 7"[..]));
                assert!(agreed.group.is_some(), "a key exchange goes with it");
                assert!(agreed.peer_certificates.is_empty() && agreed.peer_signature_scheme.is_none());
                assert!(!agreed.resumed && !agreed.early_data);
                assert_eq!(agreed.server_name.as_deref(), Some(null::SERVER_NAME));
            }
        }
    }
}

#[test] // RFC 9846 §4.3.11
fn the_server_finds_the_key_by_its_name() {
    let keys = || vec![psk("a", 1), psk("b", 2), imported("c", 3, "x"), imported("c", 4, "y")];
    for key in keys() {
        let agreed = connect(&client(key.clone()), &server(keys()));
        assert_eq!(agreed.version, ProtocolVersion::DTLS1_3);
        // With certificates beside it the key goes first.
        assert!(connect(&client(key.clone()), &server_with_certificate(keys())).psk_identity.is_some());
        assert!(connect(&client_with_verifier([key]), &server_with_certificate(keys())).psk_identity.is_some());
    }
    // Who knows none goes on with certificates, if there are any.
    let agreed = connect(&client_with_verifier([psk("z", 1)]), &server_with_certificate(keys()));
    assert_eq!((agreed.psk_identity, agreed.peer_certificates.len()), (None, 1));
    let agreed = connect(&client_with_verifier([]), &server_with_certificate(keys()));
    assert_eq!((agreed.psk_identity, agreed.peer_certificates.len()), (None, 1));
}

#[test] // RFC 9846 §4.3.11: identities are any bytes, of which there is one at least
fn names_may_be_long_and_of_any_bytes() {
    let name: Vec<u8> = (0..1500_u32).map(|i| i.to_le_bytes()[0]).collect();
    for key in [Psk::new(name.clone(), [1; 16]), Psk::new(name.clone(), [1; 16]).and_then(|psk| psk.imported(""))] {
        let key = key.expect("good lengths");
        let mut sim = Sim::new(1).without_cookies();
        let pair = connect_in(&mut sim, &client(key.clone()), &server(vec![key]));
        assert_eq!(negotiated(&sim, pair).map(|agreed| agreed.psk_identity), [Some(name.clone()), Some(name.clone())]);
    }
    // One without a name is for 1.2.
    let agreed = connect(&client(psk("", 1)), &server(vec![psk("", 1)]));
    assert_eq!((agreed.version, agreed.psk_identity.as_deref()), (ProtocolVersion::DTLS1_2, Some(&b""[..])));
    let nameless = ClientConfig::psk_builder(null::provider(1), psk("", 1)).with_versions(&[ProtocolVersion::DTLS1_3]);
    assert_eq!(nameless.build().map(drop), Err(ConfigError::NothingAllowed("cipher suite")));
}

#[test] // RFC 9846 §4.3.11: a key goes with one hash
fn the_suite_is_one_with_the_hash_of_the_key() {
    let keys = || vec![psk("a", 1).with_hash(HashAlgorithm::Sha384), psk("b", 2)];
    let preferring =
        |suites: &[CipherSuite]| Arc::new(server_builder(keys()).with_cipher_suites(suites).build().expect("a server"));
    for suites in [[SHA256, SHA384], [SHA384, SHA256]] {
        let server = preferring(&suites);
        assert_eq!(connect(&client_with_verifier(keys()), &server).cipher_suite, suites[0], "where it can choose");
        for (key, suite) in [(keys()[0].clone(), SHA384), (keys()[1].clone(), SHA256)] {
            // Who trusts no certificate offers no other suite, who does leaves it to the server.
            assert_eq!(connect(&client(key.clone()), &server).cipher_suite, suite);
            assert_eq!(connect(&client_with_verifier([key]), &server).cipher_suite, suite);
        }
    }
    // A key that is imported goes with all.
    let key = imported("a", 1, "");
    for suites in [[SHA256, SHA384], [SHA384, SHA256]] {
        let server = server_builder(vec![key.clone()]).with_cipher_suites(&suites).build().expect("a server").into();
        assert_eq!(connect(&client(key.clone()), &server).cipher_suite, suites[0]);
    }
    let other = ClientConfig::psk_builder(null::provider(1), psk("a", 1)).with_cipher_suites(&[SHA384]).build();
    assert_eq!(other.map(drop), Err(ConfigError::UnsupportedCipherSuite(SHA384)));
}

#[test] // RFC 9258 §5.2: both import it, with the same context, or neither does
fn keys_are_the_same_only_if_both_sides_import_them_alike() {
    let (plain, here, there) = (psk("a", 1), imported("a", 1, "here"), imported("a", 1, "there"));
    let all = [plain, here, there];
    for (i, ours) in all.iter().enumerate() {
        for (j, theirs) in all.iter().enumerate() {
            let (client, server) = (client(ours.clone()), server(vec![theirs.clone()]));
            if i == j {
                connect(&client, &server);
            } else {
                assert_eq!(failure(&client, &server)[1], Some(PeerFault::BinderMismatch.into()));
            }
        }
    }
    // While all move from one to the other, both can be there.
    let both = vec![all[0].clone(), all[1].clone()];
    connect(&client(all[0].clone()), &server(both.clone()));
    connect(&client(all[1].clone()), &server(both));
    // What is imported is not for 1.2 (RFC 9258 §5.1).
    let old = ClientConfig::psk_builder(null::provider(1), all[1].clone()).with_versions(&[ProtocolVersion::DTLS1_2]);
    assert_eq!(old.build().map(drop), Err(ConfigError::NothingAllowed("cipher suite")));
}

#[test] // RFC 9846 §4.3.11: nobody learns which identities exist
fn an_unknown_name_looks_like_a_wrong_key() {
    let strange = |key: Psk, server: &Arc<ServerConfig>| {
        let mut sim = Sim::new(1);
        let pair = sim.connect(client(key), Arc::clone(server));
        sim.run_for(Duration::from_secs(100));
        let lengths: Vec<usize> = sim.sent_by(pair, Side::Server).map(|sent| sent.bytes.len()).collect();
        (lengths, Side::BOTH.map(|side| sim.closed(pair, side).cloned()))
    };
    let known = || vec![psk("known", 1), imported("known", 1, "so")];
    let p256 = server_builder(known()).with_groups(&[NamedGroup::SECP256R1]).build().expect("a server");
    // A certificate does not help who signs nothing.
    for server in [server(known()), server_with_certificate(known()), p256.into()] {
        let wrong = strange(psk("known", 2), &server);
        assert_eq!(wrong.1[1], Some(CloseReason::Failed(PeerFault::BinderMismatch.into())));
        for other in
            [psk("nobody", 2), imported("known", 2, "so"), imported("nobody", 1, "so"), imported("known", 1, "")]
        {
            assert_eq!(strange(other, &server), wrong);
        }
    }
    assert_eq!(Error::from(PeerFault::BinderMismatch).alert(), Some(AlertDescription::DECRYPT_ERROR));
}

#[test] // RFC 9846 §4.3.11: of the key that is chosen the binder has to be right
fn a_wrong_key_ends_the_handshake_even_if_a_certificate_would_do() {
    let ends = failure(&client_with_verifier([psk("a", 2)]), &server_with_certificate(vec![psk("a", 1)]));
    assert_eq!(ends[1], Some(PeerFault::BinderMismatch.into()));
}

#[test] // RFC 9846 §4.3.9
fn the_key_exchange_is_left_out_only_where_both_sides_allow_it() {
    for (client_too, server_too) in [(false, false), (false, true), (true, false), (true, true)] {
        let allowed = |allow| if allow { ResumedKeyExchange::Optional } else { ResumedKeyExchange::Required };
        let client = ClientConfig::psk_builder(null::provider(1), psk("a", 1));
        let client = client.with_resumed_key_exchange(allowed(client_too)).build().expect("a client");
        let server = server_builder(vec![psk("a", 1)]).with_resumed_key_exchange(allowed(server_too));
        let agreed = connect(&client.into(), &server.build().expect("a server").into());
        assert_eq!(agreed.group.is_none(), client_too && server_too);
    }
}

#[test] // RFC 9846 §4.2.4, §4.3.11.2
fn keys_are_offered_again_after_a_hello_retry_request() {
    for key in [psk("a", 1), psk("a", 1).with_hash(HashAlgorithm::Sha384), imported("a", 1, "")] {
        let server = server_builder(vec![key.clone()]).with_groups(&[NamedGroup::SECP256R1]).build().expect("a server");
        let agreed = connect(&client(key), &server.into());
        assert_eq!((agreed.group, agreed.psk_identity.is_some()), (Some(NamedGroup::SECP256R1), true));
    }
}

#[test] // RFC 9846 §4.4.2: who has shown a key is not asked for a certificate
fn clients_with_a_key_are_not_asked_for_certificates() {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let server = server_builder(vec![psk("a", 1)]).with_identity(identity);
    let server = server.with_client_auth(ClientAuth::Required(Arc::new(NullVerifier::default()))).build();
    let server = Arc::new(server.expect("a server"));
    let agreed = connect(&client_with_verifier([psk("a", 1)]), &server);
    assert_eq!((agreed.psk_identity.is_some(), agreed.peer_certificates.len()), (true, 0));
    assert!(failure(&client_with_verifier([]), &server)[1].is_some(), "who has none is");
}

/// Keys of which a database would know as much.
#[derive(Debug)]
struct Database;

impl PskLookup for Database {
    fn key(&self, identity: &[u8]) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        identity.starts_with(b"plain").then(|| vec![1; 32].into())
    }

    fn hash(&self, _: &[u8]) -> HashAlgorithm {
        HashAlgorithm::Sha384
    }

    fn imported_key(&self, identity: &[u8], context: &[u8]) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        (identity == b"imported" && context == b"context").then(|| vec![2; 32].into())
    }
}

#[test]
fn keys_come_from_a_lookup_of_the_applications() {
    let server = ServerConfig::psk_builder(null::provider(2), Arc::new(Database)).build().expect("a server").into();
    let sha384 = |psk: Psk| psk.with_hash(HashAlgorithm::Sha384);
    connect(&client(sha384(psk("plain", 1))), &server);
    connect(&client(sha384(imported("imported", 2, "context"))), &server);
    assert!(failure(&client(imported("imported", 2, "context")), &server)[1].is_some(), "with another hash");
    assert!(failure(&client(psk("plain", 1)), &server)[1].is_some());
}
