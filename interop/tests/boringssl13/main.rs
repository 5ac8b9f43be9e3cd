//! DTLS 1.3 with BoringSSL as client and as server.

mod post_quantum;
mod talk;

use std::sync::Arc;

use boring::ssl::{AlpnError, Ssl, SslContextBuilder, SslVerifyMode};
use gramseal_interop::{SERVER_NAME, client, identity, pki, server, trust};
use gramseal_proto::config::{ClientAuth, ClientConfigBuilder, ServerConfigBuilder, Transport};
use gramseal_proto::pki_types::UnixTime;
use gramseal_proto::session::ClientSessionCache;
use gramseal_proto::wire::{CipherSuite, NamedGroup, SrtpProfile};
use gramseal_testkit::pki::{TestKeyKind, TestPki};
use talk::{Talk, Weather, context};

const KINDS: [TestKeyKind; 3] = [TestKeyKind::EcdsaP256, TestKeyKind::EcdsaP384, TestKeyKind::Rsa2048];

const SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS_AES_128_GCM_SHA256,
    CipherSuite::TLS_AES_256_GCM_SHA384,
    CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
];

const ALL: &str = "X25519:P-256:P-384";

fn ssl(context: SslContextBuilder) -> Ssl {
    Ssl::new(&context.build()).expect("memory")
}

/// Their server; it asks for certificates if `asks`.
fn their_server(pki: &TestPki, groups: &str, asks: bool) -> SslContextBuilder {
    let mut theirs = context(&pki.server(SERVER_NAME), groups);
    if asks {
        theirs.set_verify_callback(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT, |_, _| true);
    }
    theirs
}

fn their_client(pki: &TestPki, groups: &str) -> SslContextBuilder {
    let mut theirs = context(&pki.client("client.example"), groups);
    theirs.set_verify(SslVerifyMode::NONE);
    theirs
}

/// Our client and our server, each with one of theirs, and every setting done to all.
fn both(
    pki: &TestPki,
    weather: Weather,
    client_config: impl FnOnce(ClientConfigBuilder) -> ClientConfigBuilder,
    server_config: impl FnOnce(ServerConfigBuilder) -> ServerConfigBuilder,
    theirs: impl Fn(&mut SslContextBuilder),
) -> [Talk; 2] {
    let config = client(pki).with_identity(identity(&pki.client("client.example")));
    let mut peer = their_server(pki, ALL, true);
    theirs(&mut peer);
    let first = Talk::client(client_config(config), ssl(peer), weather);
    let config = server(pki).with_client_auth(ClientAuth::Required(trust(pki)));
    let mut peer = their_client(pki, ALL);
    theirs(&mut peer);
    [first, Talk::server(server_config(config), ssl(peer), weather)]
}

#[test] // RFC 9846 §4.5.1, §4.5.2
fn we_connect_to_boringssl_with_every_kind_of_key() {
    for kind in KINDS {
        for asked in [false, true] {
            let pki = pki(kind);
            let config = client(&pki).with_identity(identity(&pki.client("client.example")));
            let mut talk = Talk::client(config, ssl(their_server(&pki, ALL, asked)), Weather::Fine);
            talk.connect();
            assert_eq!(talk.stream().ssl().peer_certificate().is_some(), asked);
            assert_eq!(talk.ours.stats().retransmissions, 0, "nothing was lost");
            talk.close();
        }
    }
}

#[test] // RFC 9846 §4.5.1, §4.5.2
fn boringssl_connects_to_us_with_every_kind_of_key() {
    for kind in KINDS {
        for asked in [false, true] {
            let pki = pki(kind);
            let mut config = server(&pki);
            if asked {
                config = config.with_client_auth(ClientAuth::Required(trust(&pki)));
            }
            let mut talk = Talk::server(config, ssl(their_client(&pki, ALL)), Weather::Fine);
            talk.connect();
            assert_eq!(talk.agreed().peer_certificates.is_empty(), !asked);
            assert_eq!(talk.agreed().server_name.as_deref(), Some(SERVER_NAME));
            assert_eq!(talk.ours.stats().retransmissions, 0, "nothing was lost");
            talk.close();
        }
    }
}

#[test] // RFC 9846 §4.2.4
fn we_connect_to_boringssl_with_every_group_some_after_a_retry() {
    let pki = TestPki::new();
    // Our share is of the first.
    for (groups, group) in
        [("X25519", NamedGroup::X25519), ("P-256", NamedGroup::SECP256R1), ("P-384", NamedGroup::SECP384R1)]
    {
        let mut talk = Talk::client(client(&pki), ssl(their_server(&pki, groups, false)), Weather::Fine);
        talk.connect();
        assert_eq!(talk.agreed().group, Some(group));
        talk.close();
    }
}

#[test] // RFC 9846 §4.2.4
fn boringssl_connects_to_us_with_every_group_some_after_a_retry() {
    let pki = TestPki::new();
    for group in [NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1] {
        // Their share is of the first.
        for groups in ["X25519:P-256:P-384", "P-256:P-384:X25519"] {
            let config = server(&pki).with_groups(&[group]);
            let mut talk = Talk::server(config, ssl(their_client(&pki, groups)), Weather::Fine);
            talk.connect();
            assert_eq!(talk.agreed().group, Some(group));
            talk.close();
        }
    }
}

#[test] // RFC 9147 §5.1, RFC 9846 §4.2.4: there is no second request, so it asks for the group, too
fn boringssl_brings_back_our_cookie_with_every_group() {
    let pki = TestPki::new();
    for group in [NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1] {
        let config = server(&pki).with_groups(&[group]);
        let mut talk = Talk::server_with_cookie(config, ssl(their_client(&pki, ALL)));
        talk.connect();
        assert_eq!(talk.agreed().group, Some(group));
        talk.close();
    }
}

#[test] // RFC 9846 §9.1
fn every_suite_in_both_roles() {
    for suite in SUITES {
        let suites = [suite];
        let (ours, peers) = (|config: ClientConfigBuilder| config.with_cipher_suites(&suites), TestPki::new());
        let server = |config: ServerConfigBuilder| config.with_cipher_suites(&suites);
        for mut talk in both(&peers, Weather::Fine, ours, server, |_| {}) {
            talk.connect();
            assert_eq!(talk.agreed().cipher_suite, suite);
            talk.close();
        }
    }
}

const PROFILES: [(SrtpProfile, &str, usize); 3] = [
    (SrtpProfile::AES128_CM_HMAC_SHA1_80, "SRTP_AES128_CM_SHA1_80", 60),
    (SrtpProfile::AEAD_AES_128_GCM, "SRTP_AEAD_AES_128_GCM", 56),
    (SrtpProfile::AEAD_AES_256_GCM, "SRTP_AEAD_AES_256_GCM", 88),
];

#[test] // RFC 5764 §4.1.1, §4.2
fn use_srtp_in_both_roles() {
    let all = PROFILES.map(|(profile, ..)| profile);
    for (profile, name, len) in PROFILES {
        let theirs = |theirs: &mut SslContextBuilder| theirs.set_tlsext_use_srtp(name).expect("a known profile");
        let pki = TestPki::new();
        for mut talk in both(&pki, Weather::Fine, |ours| ours.with_srtp(&all), |ours| ours.with_srtp(&all), theirs) {
            talk.connect();
            assert_eq!(talk.agreed().srtp.as_ref().map(|srtp| srtp.profile), Some(profile));
            let (mut mine, mut their, label) = (vec![0; len], vec![0; len], "EXTRACTOR-dtls_srtp");
            talk.ours.export_keying_material(label.as_bytes(), None, &mut mine).expect("connected");
            talk.stream().ssl().export_keying_material(&mut their, label, None).expect("connected");
            assert_eq!(mine, their);
        }
    }
}

#[test] // RFC 7301 §3.2
fn alpn_in_both_roles() {
    let names = ["c-webrtc", "webrtc"];
    let theirs = |theirs: &mut SslContextBuilder| {
        theirs.set_alpn_protos(b"\x06webrtc").expect("names");
        theirs.set_alpn_select_callback(|_, offered| {
            boring::ssl::select_next_proto(b"\x06webrtc", offered).ok_or(AlpnError::ALERT_FATAL)
        });
    };
    for mut talk in
        both(&TestPki::new(), Weather::Fine, |ours| ours.with_alpn(names), |ours| ours.with_alpn(names), theirs)
    {
        talk.connect();
        assert_eq!(talk.agreed().alpn.as_deref(), Some(&b"webrtc"[..]));
        assert_eq!(talk.stream().ssl().selected_alpn_protocol(), Some(&b"webrtc"[..]));
    }
}

#[test]
fn small_datagrams_of_both() {
    let transport = Transport { mtu: 256, ..Transport::default() };
    let pki = TestPki::new().with_padding(2000);
    let mut theirs = ssl(their_server(&pki, ALL, true));
    theirs.set_mtu(300).expect("not too small");
    let config = client(&pki).with_identity(identity(&pki.client("client.example")));
    let first = Talk::client(config.with_transport(transport.clone()), theirs, Weather::Fine);
    let mut theirs = ssl(their_client(&pki, ALL));
    theirs.set_mtu(300).expect("not too small");
    let config = server(&pki).with_client_auth(ClientAuth::Required(trust(&pki)));
    for mut talk in [first, Talk::server(config.with_transport(transport), theirs, Weather::Fine)] {
        talk.connect();
        assert!(talk.longest[0] <= 256 && talk.longest[1] <= 300, "{:?}", talk.longest);
        assert!(talk.sent > 9, "our certificate goes in pieces");
        talk.close();
    }
}

#[test] // RFC 9147 §4.4
fn records_of_every_size() {
    let wide = Transport { mtu: 20_000, ..Transport::default() };
    let transport = (wide.clone(), wide);
    for mut talk in both(
        &TestPki::new(),
        Weather::Fine,
        |ours| ours.with_transport(transport.0),
        |ours| ours.with_transport(transport.1),
        |_| {},
    ) {
        talk.connect();
        for len in [1, 2, 3, 15, 16, 17, 63, 64, 255, 256, 1199, 1200, 1500, 4096, 16_383, 16_384] {
            talk.exchange(len);
        }
        talk.close();
    }
}

#[test] // RFC 9147 §8
fn boringssl_answers_a_key_update_with_its_own() {
    for mut talk in both(&TestPki::new(), Weather::Fine, |ours| ours, |ours| ours, |_| {}) {
        talk.connect();
        talk.ask_for_keys();
        talk.exchange(7);
        talk.close();
    }
}

#[test] // RFC 9846 §2.2
fn we_resume_sessions_of_boringssl_with_its_group_or_after_a_retry() {
    for (groups, group) in [("X25519", NamedGroup::X25519), ("P-256", NamedGroup::SECP256R1)] {
        for asked in [false, true] {
            let pki = pki(TestKeyKind::EcdsaP256);
            let mut theirs = their_server(&pki, groups, asked);
            theirs.set_session_id_context(b"gramseal").expect("short");
            let theirs = theirs.build();
            let sessions = Arc::new(ClientSessionCache::new(10, 100_000, UnixTime::now));
            let who = identity(&pki.client("client.example"));
            for resumed in [false, true, true] {
                let config = client(&pki).with_session_store(sessions.clone()).with_session_context("test");
                let config = config.with_identity(who.clone());
                let mut talk = Talk::client(config, Ssl::new(&theirs).expect("memory"), Weather::Fine);
                talk.connect();
                assert_eq!((talk.agreed().resumed, talk.agreed().group), (resumed, Some(group)));
                assert!(!talk.agreed().peer_certificates.is_empty(), "who the server is stays known");
                assert!(!sessions.is_empty(), "tickets came");
                talk.close();
            }
        }
    }
}

/// Several datagrams a flight.
fn pieces() -> Transport {
    Transport { mtu: 300, ..Transport::default() }
}

#[test] // RFC 9147 §5.8, §7.2
fn any_datagram_of_ours_may_get_lost() {
    let mut index = 0;
    loop {
        let weather = Weather::LosesOurs(index);
        let talks = both(
            &TestPki::new().with_padding(1000),
            weather,
            |ours| ours.with_transport(pieces()),
            |ours| ours.with_transport(pieces()),
            |_| {},
        );
        let mut sent = 0;
        for mut talk in talks {
            talk.connect();
            sent = sent.max(talk.sent);
            talk.close();
        }
        if index >= sent {
            break;
        }
        index += 1;
    }
    assert!(index > 5, "flights of several datagrams");
}

#[test] // RFC 9147 §4.5.1, §5.8
fn datagrams_may_arrive_in_another_order_or_twice() {
    for weather in [Weather::TurnsOurs, Weather::Doubles] {
        for mut talk in both(
            &TestPki::new().with_padding(1000),
            weather,
            |ours| ours.with_transport(pieces()),
            |ours| ours.with_transport(pieces()),
            |_| {},
        ) {
            talk.connect();
            talk.close();
        }
    }
}

#[test] // RFC 9846 §6.1
fn close_notify_of_theirs() {
    for mut talk in both(&TestPki::new(), Weather::Fine, |ours| ours, |ours| ours, |_| {}) {
        talk.connect();
        talk.hear_close();
    }
}
