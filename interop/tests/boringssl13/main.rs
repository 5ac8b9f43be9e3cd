//! DTLS 1.3 in both roles against BoringSSL.

mod compression;
mod losses;
mod post_quantum;
mod resumption;

use std::time::Duration;

use gramseal_interop::compiled::{self, Compiled, Library, from_client13, to_server13};
use gramseal_interop::{Node, Process, SERVER_NAME, Weather, client, for_each, identity, pki, server, trust};
use gramseal_proto::config::{ClientAuth, ClientConfigBuilder, ServerConfigBuilder, Transport};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::{CipherSuite, NamedGroup, SrtpProfile};
use gramseal_proto::{CloseReason, Error, Incompatible};
use gramseal_testkit::pki::{TestKeyKind, TestPki};

const KINDS: [TestKeyKind; 3] = [TestKeyKind::EcdsaP256, TestKeyKind::EcdsaP384, TestKeyKind::Rsa2048];

const SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS_AES_128_GCM_SHA256,
    CipherSuite::TLS_AES_256_GCM_SHA384,
    CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
];

const GROUPS: [(NamedGroup, &str); 3] =
    [(NamedGroup::X25519, "X25519"), (NamedGroup::SECP256R1, "P-256"), (NamedGroup::SECP384R1, "P-384")];

fn boringssl(pki: &TestPki) -> Compiled {
    compiled::server(Library::BoringSsl).identity(&pki.server(SERVER_NAME))
}

/// BoringSSL's client with our server, which asks it for a cookie.
fn from_boringssl(
    config: ServerConfigBuilder,
    pki: &TestPki,
    weather: Weather,
    options: impl FnOnce(Compiled) -> Compiled,
) -> (Node, Process) {
    from_client13(Library::BoringSsl, CookiePolicy::Required, config, pki, weather, options)
}

/// Our client and our server, each with one of theirs; everyone shows a certificate and has these settings.
fn both(
    pki: &TestPki,
    weather: &Weather,
    client_config: impl FnOnce(ClientConfigBuilder) -> ClientConfigBuilder,
    server_config: impl FnOnce(ServerConfigBuilder) -> ServerConfigBuilder,
    options: impl Fn(Compiled) -> Compiled,
) -> [(Node, Process); 2] {
    let who = pki.client("client.example");
    let config = client_config(client(pki).with_identity(identity(&who)));
    let from_us = to_server13(config, options(boringssl(pki).trust(pki)), weather.clone());
    let config = server_config(server(pki).with_client_auth(ClientAuth::Required(trust(pki))));
    [from_us, from_boringssl(config, pki, weather.clone(), |peer| options(peer.identity(&who)))]
}

/// The same with nothing special about us.
fn plain(pki: &TestPki, options: impl Fn(Compiled) -> Compiled) -> [(Node, Process); 2] {
    both(pki, &Weather::default(), |config| config, |config| config, options)
}

#[test] // RFC 9846 §4.5.1, §4.5.2
fn every_kind_of_key_and_nothing_is_sent_twice() {
    for_each(&KINDS, |kind| {
        let pki = pki(*kind);
        let who = pki.client("client.example");
        // Nothing gets lost, and no timer of either side is due before the test has failed.
        let transport = Transport { initial_timeout: Duration::from_secs(60), ..Transport::default() };
        let patient = |peer: Compiled| peer.args(["--timeout", "60000"]);
        for asked in [false, true] {
            let config = client(&pki).with_transport(transport.clone()).with_identity(identity(&who));
            let theirs = patient(boringssl(&pki));
            let theirs = if asked { theirs.trust(&pki) } else { theirs };
            let from_us = to_server13(config, theirs, Weather::default());
            let mut config = server(&pki).with_transport(transport.clone());
            if asked {
                config = config.with_client_auth(ClientAuth::Required(trust(&pki)));
            }
            let from_it = from_boringssl(config, &pki, Weather::default(), |peer| patient(peer.identity(&who)));
            for (mut node, mut peer) in [from_us, from_it] {
                compiled::check(&mut node, &mut peer);
                assert_eq!(node.connection().stats().retransmissions, 0, "{}", node.state());
            }
        }
    });
}

#[test] // RFC 9846 §4.5.1.3
fn a_client_without_a_certificate_is_refused() {
    let pki = TestPki::new();
    let config = server(&pki).with_client_auth(ClientAuth::Required(trust(&pki)));
    let (mut node, peer) = from_boringssl(config, &pki, Weather::default(), |peer| peer);
    let end = node.run_to_end(&peer);
    assert_eq!(end, CloseReason::Failed(Error::Incompatible(Incompatible::NoClientCertificate)));
    peer.wait_for("CERTIFICATE_REQUIRED");
}

#[test] // RFC 9846 §4.2.4
fn every_group_as_client_some_after_a_retry() {
    for_each(&GROUPS, |(group, name)| {
        // Our share is of the first.
        let pki = TestPki::new();
        let (mut node, mut peer) =
            to_server13(client(&pki), boringssl(&pki).args(["--groups", name]), Weather::default());
        compiled::check(&mut node, &mut peer);
        let hellos = 1 + usize::from(*group != NamedGroup::X25519);
        assert_eq!((node.agreed().group, node.watch().log().hellos()), (Some(*group), hellos));
    });
}

#[test] // RFC 9846 §4.2.4, RFC 9147 §5.1
fn every_group_as_server_some_after_a_retry() {
    for_each(&GROUPS, |(group, _)| {
        // Their share is of the first.
        for (groups, first) in
            [("X25519:P-256:P-384", NamedGroup::X25519), ("P-256:P-384:X25519", NamedGroup::SECP256R1)]
        {
            for cookies in [CookiePolicy::Required, CookiePolicy::Off] {
                let pki = TestPki::new();
                let config = server(&pki).with_groups(&[*group]);
                let options = |peer: Compiled| peer.args(["--groups", groups]);
                let (mut node, mut peer) =
                    from_client13(Library::BoringSsl, cookies, config, &pki, Weather::default(), options);
                compiled::check(&mut node, &mut peer);
                // Who asks for a cookie asks for the group with it, before there is a connection.
                let hellos = 1 + usize::from(*group != first && cookies == CookiePolicy::Off);
                assert_eq!((node.agreed().group, node.watch().log().hellos()), (Some(*group), hellos));
                assert_eq!(node.agreed().server_name.as_deref(), Some(SERVER_NAME));
            }
        }
    });
}

#[test] // RFC 9846 §9.1
fn every_suite_in_both_roles() {
    for_each(&SUITES, |suite| {
        let suites = [*suite];
        for (mut node, mut peer) in both(
            &TestPki::new(),
            &Weather::default(),
            |config| config.with_cipher_suites(&suites),
            |config| config.with_cipher_suites(&suites),
            |peer| peer,
        ) {
            compiled::check(&mut node, &mut peer);
            assert_eq!(node.agreed().cipher_suite, *suite);
        }
    });
}

const PROFILES: [(SrtpProfile, &str); 3] = [
    (SrtpProfile::AES128_CM_HMAC_SHA1_80, "SRTP_AES128_CM_SHA1_80"),
    (SrtpProfile::AEAD_AES_128_GCM, "SRTP_AEAD_AES_128_GCM"),
    (SrtpProfile::AEAD_AES_256_GCM, "SRTP_AEAD_AES_256_GCM"),
];

#[test] // RFC 5764 §4.1.1, RFC 7301 §3.2
fn use_srtp_and_alpn_in_both_roles() {
    let (all, names) = (PROFILES.map(|(profile, _)| profile), ["c-webrtc", "webrtc"]);
    for_each(&PROFILES, |(profile, name)| {
        for (mut node, mut peer) in both(
            &TestPki::new(),
            &Weather::default(),
            |config| config.with_srtp(&all).with_alpn(names),
            |config| config.with_srtp(&all).with_alpn(names),
            |peer| peer.args(["--srtp", name, "--alpn", "webrtc"]),
        ) {
            compiled::check(&mut node, &mut peer);
            let srtp = node.agreed().srtp.as_ref().map(|srtp| srtp.profile);
            assert_eq!((srtp, node.agreed().alpn.as_deref()), (Some(*profile), Some(&b"webrtc"[..])));
            assert_eq!(peer.value("SRTP "), Some(profile.0.to_string()), "{}", peer.transcript());
        }
    });
}

#[test] // RFC 9147 §5.5
fn small_datagrams_of_both() {
    let transport = Transport { mtu: 256, ..Transport::default() };
    for (mut node, mut peer) in both(
        &TestPki::new().with_padding(2000),
        &Weather::default(),
        |config| config.with_transport(transport.clone()),
        |config| config.with_transport(transport.clone()),
        |peer| peer.args(["--mtu", "300"]),
    ) {
        compiled::check(&mut node, &mut peer);
        assert!(node.watch().log().fragments_sent() > 8, "{}", node.state());
    }
}

#[test] // RFC 9147 §4.4
fn records_of_every_size() {
    let wide = Transport { mtu: 20_000, ..Transport::default() };
    for (mut node, mut peer) in both(
        &TestPki::new(),
        &Weather::default(),
        |config| config.with_transport(wide.clone()),
        |config| config.with_transport(wide.clone()),
        |peer| peer,
    ) {
        compiled::check(&mut node, &mut peer);
        for (len, letter) in
            [1, 2, 3, 15, 16, 17, 63, 64, 255, 256, 1199, 1200, 1500, 4096, 16_383, 16_384].into_iter().zip('a'..)
        {
            let line = letter.to_string().repeat(len - 1) + "\n";
            peer.forget();
            node.send(line.as_bytes());
            node.run_until("what we sent", &peer, |_| peer.stdout() == line);
            peer.type_line(line.trim_end());
            node.run_until("what it sent", &peer, |node| node.received(&line));
        }
    }
}

#[test] // RFC 9147 §8
fn we_update_the_keys_of_both() {
    for (mut node, mut peer) in plain(&TestPki::new(), |peer| peer) {
        compiled::update_keys_of_both(&mut node, &mut peer);
    }
}

#[test] // RFC 9147 §8
fn boringssl_updates_its_keys_and_asks_for_ours_or_does_not() {
    for_each(&[("silent", false), ("requested", true)], |(option, asks)| {
        // A quarter of its timer later it says what came.
        let options = |peer: Compiled| peer.args(["--key-update", option, "--timeout", "100"]);
        for (mut node, mut peer) in plain(&TestPki::new(), options) {
            compiled::check(&mut node, &mut peer);
            compiled::exchange_until(&mut node, &mut peer, |node| {
                let stats = node.connection().stats();
                stats.key_updates_received >= 5 && (!asks || stats.key_updates_sent >= 5)
            });
            assert_eq!(node.connection().stats().key_updates_sent > 0, *asks, "{}", node.state());
        }
    });
}

#[test] // RFC 9846 §6.1
fn close_notify_of_both() {
    for (mut node, mut peer) in plain(&TestPki::new(), |peer| peer) {
        compiled::check(&mut node, &mut peer);
        node.close();
        peer.wait_for("CLOSED BY PEER");
    }
    for (mut node, mut peer) in plain(&TestPki::new(), |peer| peer) {
        compiled::check(&mut node, &mut peer);
        peer.end_input();
        assert_eq!(node.run_to_end(&peer), CloseReason::Peer);
    }
}
