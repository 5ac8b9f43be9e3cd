//! Hellos that offer keys from elsewhere: how ours look, and what a server makes of others (RFC 9846 §4.3.9, §4.3.11).

use std::sync::Arc;

use gramseal_proto::config::{ClientConfig, Psk, ServerConfig};
use gramseal_proto::crypto::HashAlgorithm;
use gramseal_proto::wire::{
    CipherSuite, ClientHello, Codec, ExtensionType, ImportedIdentity, PreSharedKeyClientHello, ProtocolVersion,
    ServerHello, TlsKdf,
};
use gramseal_proto::{Error, Incompatible, PeerFault};
use gramseal_testkit::null::{self, NullVerifier};
use gramseal_testkit::peer::{first_hello, met, rebuilt};
use gramseal_testkit::sessions::{Resumption, Stores};
use gramseal_testkit::sim::{Side, Sim};

use super::{client, client_with_verifier, connect_in, failure, imported, psk, server, server_with_certificate};

fn hello(config: &Arc<ClientConfig>) -> Vec<u8> {
    first_hello(config, null::SERVER_NAME)
}

/// The names of the keys in a hello, with what is said of their age.
fn names(body: &[u8]) -> Vec<(Vec<u8>, u32)> {
    let hello = ClientHello::from_bytes(body).expect("a hello");
    let Some(offer) = hello.extensions.find::<PreSharedKeyClientHello<'_>>().expect("well formed") else {
        return Vec::new();
    };
    assert_eq!(hello.extensions.iter().last().map(|(extension, _)| extension), Some(ExtensionType::PRE_SHARED_KEY));
    assert!(hello.extensions.contains(ExtensionType::PSK_KEY_EXCHANGE_MODES));
    offer.identities.iter().map(|named| (named.identity.to_vec(), named.obfuscated_ticket_age)).collect()
}

fn imported_name(identity: &str, context: &str, target_protocol: ProtocolVersion, target_kdf: TlsKdf) -> Vec<u8> {
    let (external_identity, context) = (identity.as_bytes(), context.as_bytes());
    ImportedIdentity { external_identity, context, target_protocol, target_kdf }.to_vec().expect("short")
}

/// What a server makes of a hello.
fn answer(config: &Arc<ServerConfig>, body: &[u8]) -> Result<(), Error> {
    met(config, body).map(drop)
}

#[test] // RFC 9846 §4.3.11, RFC 9258 §5.1
fn keys_have_no_age_and_imported_ones_a_name_for_each_hash() {
    let (v13, [sha256, sha384]) = (ProtocolVersion::DTLS1_3, [TlsKdf::HKDF_SHA256, TlsKdf::HKDF_SHA384]);
    assert_eq!(names(&hello(&client(psk("a", 1)))), [(b"a".to_vec(), 0)]);
    let both = [imported_name("a", "x", v13, sha256), imported_name("a", "x", v13, sha384)].map(|name| (name, 0));
    assert_eq!(names(&hello(&client(imported("a", 1, "x")))), both);
    // One with nothing but keys asks for no signature.
    let extension = ExtensionType::SIGNATURE_ALGORITHMS;
    for (config, signs) in [(client(psk("a", 1)), false), (client_with_verifier([psk("a", 1)]), true)] {
        let body = hello(&config);
        let hello = ClientHello::from_bytes(&body).expect("a hello");
        assert_eq!(hello.extensions.contains(extension), signs);
    }
    assert_eq!(names(&hello(&client_with_verifier([]))), []);
}

#[test]
fn no_more_keys_are_offered_than_a_server_looks_at() {
    let keys = (0..10).map(|i| psk(&i.to_string(), i)).collect::<Vec<_>>();
    let offered = names(&hello(&client_with_verifier(keys.clone())));
    assert_eq!(offered, ["0", "1", "2", "3", "4", "5"].map(|name| (name.as_bytes().to_vec(), 0)));
    let last = server(vec![keys[5].clone()]);
    connect_in(&mut Sim::new(1), &client_with_verifier(keys), &last);
}

#[test] // RFC 9846 §4.3.10: early data goes with the first, so tickets are first
fn tickets_go_before_keys_from_elsewhere() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let builder = ClientConfig::psk_builder(null::provider(1), psk("a", 1));
    let client = Arc::new(stores.client(builder).build().expect("a client"));
    let server = stores.server(super::server_builder(vec![psk("a", 1)])).build().expect("a server");
    let mut sim = Sim::new(1).without_cookies();
    connect_in(&mut sim, &client, &server.into());
    sim.run_for(std::time::Duration::from_secs(1));
    let offered = names(&hello(&client));
    assert_eq!(offered.len(), 2);
    assert!(offered[0].0.len() > 100 && offered[0].1 != 0, "the ticket");
    assert_eq!(offered[1], (b"a".to_vec(), 0));
}

#[test] // RFC 9258 §5.1
fn a_name_of_another_protocol_or_function_stands_for_no_imported_key() {
    let known = server(vec![imported("a", 1, "x")]);
    let (v13, sha256) = (ProtocolVersion::DTLS1_3, TlsKdf::HKDF_SHA256);
    for name in [
        imported_name("a", "x", ProtocolVersion::DTLS1_2, sha256),
        imported_name("a", "x", ProtocolVersion(0x0304), sha256),
        imported_name("a", "x", v13, TlsKdf(3)),
        imported_name("a", "y", v13, sha256),
        imported_name("b", "x", v13, sha256),
        [imported_name("a", "x", v13, sha256), vec![0]].concat(),
        imported_name("a", "x", v13, sha256),
    ] {
        // The name is as it should be in the last one, but the key is not imported.
        let key = Psk::new(name.clone(), [1; 32]).expect("good lengths");
        let ends = failure(&client(key), &known);
        assert_eq!(ends[1], Some(PeerFault::BinderMismatch.into()), "{name:?}");
    }
}

#[test] // RFC 9846 §F.6: everybody is told the suite, before the cookie
fn the_suite_does_not_tell_which_imported_keys_exist() {
    let known = server(vec![imported("a", 1, "x")]);
    let suite = |identity| {
        let name = imported_name(identity, "x", ProtocolVersion::DTLS1_3, TlsKdf::HKDF_SHA384);
        let mut sim = Sim::new(1);
        let pair =
            sim.connect(client_with_verifier([Psk::new(name, [1; 32]).expect("good lengths")]), Arc::clone(&known));
        sim.run_for(std::time::Duration::from_secs(1));
        let retry = &sim.sent_by(pair, Side::Server).next().expect("an answer").bytes;
        // Behind the headers of record and message.
        ServerHello::from_bytes(&retry[25..]).expect("a HelloRetryRequest").cipher_suite
    };
    assert_eq!(suite("a"), CipherSuite::TLS_AES_256_GCM_SHA384);
    assert_eq!(suite("nobody"), suite("a"));
}

#[test] // RFC 9846 §F.6: a hello that leaves the choice between suites of two hashes
fn the_suite_does_not_tell_which_plain_keys_exist() {
    let sha384 = |identity: &str| psk(identity, 1).with_hash(HashAlgorithm::Sha384);
    let suites = [CipherSuite::TLS_AES_256_GCM_SHA384, CipherSuite::TLS_CHACHA20_POLY1305_SHA256];
    let among = |suites: &[CipherSuite], server: &Arc<ServerConfig>, offered: Vec<Psk>| {
        let builder = ClientConfig::builder(null::provider(1), Arc::new(NullVerifier::default()));
        let builder = offered.into_iter().fold(builder, |builder, psk| builder.with_psk(psk));
        let mut sim = Sim::new(1);
        let pair = sim.connect(builder.with_cipher_suites(suites).build().expect("a client"), Arc::clone(server));
        sim.run_for(std::time::Duration::from_secs(1));
        let retry = &sim.sent_by(pair, Side::Server).next().expect("an answer").bytes;
        ServerHello::from_bytes(&retry[25..]).expect("a HelloRetryRequest").cipher_suite
    };
    let suite = |server: &_, offered| among(&suites, server, offered);
    let of_256 = server(vec![psk("known", 1), imported("other", 2, "x")]);
    let of_384 = server(vec![sha384("known"), sha384("other")]);
    for (server, expected) in [(&of_256, suites[1]), (&of_384, suites[0])] {
        for identity in ["known", "nobody", "other"] {
            assert_eq!(suite(server, vec![psk(identity, 1)]), expected, "{identity}");
            // Beside the name of a key that is imported, for one hash, and need not exist.
            let name = imported_name("nobody", "x", ProtocolVersion::DTLS1_3, TlsKdf::HKDF_SHA384);
            let beside = Psk::new(name, [1; 32]).expect("good lengths");
            assert_eq!(suite(server, vec![beside, psk(identity, 1)]), suites[0], "{identity}");
        }
    }
    // Where keys go with several hashes, an unknown one does not keep a client from connecting with another.
    let of_both = server(vec![psk("a", 1), sha384("b")]);
    let defaults = [CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite::TLS_AES_256_GCM_SHA384];
    assert_eq!(among(&defaults, &of_both, vec![psk("z", 1), sha384("b")]), defaults[1]);
    assert_eq!(among(&defaults, &of_both, vec![psk("a", 1), sha384("b")]), defaults[0]);
    // Where a certificate can do, an unknown key has no say.
    let with_certificate = server_with_certificate(vec![psk("a", 1)]);
    assert_eq!(suite(&with_certificate, vec![psk("z", 1)]), suites[0]);
    assert_eq!(suite(&with_certificate, vec![psk("a", 1)]), suites[1]);
}

#[test] // RFC 9846 §4.3.11
fn a_binder_that_is_wrong_anywhere_ends_the_handshake() {
    for key in [psk("a", 1), imported("a", 1, "")] {
        let (body, server) = (hello(&client(key.clone())), server(vec![key.clone()]));
        assert_eq!(answer(&server, &body), Ok(()));
        let binders = if key == psk("a", 1) { 0..32 } else { 49..81 };
        for from_end in binders {
            let mut forged = body.clone();
            let at = forged.len() - 1 - from_end;
            forged[at] ^= 0x10;
            assert_eq!(answer(&server, &forged), Err(PeerFault::BinderMismatch.into()), "{from_end}");
        }
        let renamed = rebuilt(&body, |list| list.insert(0, (ExtensionType(0xFFEE), vec![1])));
        assert_eq!(answer(&server, &renamed), Err(PeerFault::BinderMismatch.into()));
        let moved = rebuilt(&body, |list| list.rotate_right(1));
        assert_eq!(answer(&server, &moved), Err(PeerFault::PskNotLast.into()));
        let modes = ExtensionType::PSK_KEY_EXCHANGE_MODES;
        let without = rebuilt(&body, |list| list.retain(|(extension, _)| *extension != modes));
        assert_eq!(answer(&server, &without), Err(PeerFault::MissingExtension(modes).into()));
    }
}

#[test] // RFC 9846 §4.3.9: no mode that both know
fn a_key_is_of_no_use_without_its_exchange() {
    let body = hello(&client_with_verifier([psk("a", 1)]));
    let alone = rebuilt(&body, |list| {
        list.retain(|(extension, _)| ![ExtensionType::KEY_SHARE, ExtensionType::SUPPORTED_GROUPS].contains(extension));
    });
    assert_eq!(answer(&server(vec![psk("a", 1)]), &alone), Err(Incompatible::NoCommonPskMode.into()));
    let missing = PeerFault::MissingExtension(ExtensionType::SUPPORTED_GROUPS);
    assert_eq!(answer(&server_with_certificate(vec![psk("a", 1)]), &alone), Err(missing.into()));
}

#[test] // RFC 9846 §9.2, §6.2
fn who_has_nothing_in_common_hears_of_it() {
    let signatures = PeerFault::MissingExtension(ExtensionType::SIGNATURE_ALGORITHMS);
    let certificates = server_with_certificate(Vec::new());
    let no_keys = Arc::new(
        ServerConfig::builder(null::provider(2), null::identity(null::ToyKind::EcdsaP256, null::SERVER_NAME, 0))
            .build()
            .expect("a server"),
    );
    assert_eq!(failure(&client(psk("a", 1)), &no_keys)[1], Some(signatures.into()));
    assert_eq!(failure(&client(psk("a", 1)), &certificates)[1], Some(PeerFault::BinderMismatch.into()));
    let keys_alone = server(vec![psk("a", 1)]);
    assert_eq!(failure(&client_with_verifier([]), &keys_alone)[1], Some(Incompatible::NoPreSharedKey.into()));
    let speaking = |name: &str| {
        let client = ClientConfig::psk_builder(null::provider(1), psk("a", 1)).with_alpn([name]).build();
        let server = super::server_builder(vec![psk("a", 1)]).with_alpn(["spoken"]).build();
        failure(&client.expect("a client").into(), &server.expect("a server").into())
    };
    assert_eq!(speaking("spoken"), [None, None]);
    assert_eq!(speaking("other")[1], Some(Incompatible::NoCommonApplicationProtocol.into()));
}
