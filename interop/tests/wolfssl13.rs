//! DTLS 1.3 in both roles against wolfSSL.

use gramseal_interop::compiled::{self, Compiled, Library, WOLFSSL_SUITES_13, from_client13, to_server13};
use gramseal_interop::sessions::{Resumption, Sessions, resumed};
use gramseal_interop::{
    Node, Process, SERVER_NAME, Weather, client, for_each, identity, in_storms, pki, provider, server, stormy_client,
    stormy_server, trust, trust_ecdsa,
};
use gramseal_proto::config::{ClientAuth, ClientConfig, Padding, ServerConfigBuilder, Transport};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::{HandshakeType, NamedGroup, ProtocolVersion, SignatureScheme, SrtpProfile};
use gramseal_proto::{ClientAnswer, CloseReason, Direction, EarlyDataAnswer, Error, Incompatible, TraceEvent, Traced};
use gramseal_testkit::pki::{TestKeyKind, TestPki};

const VERSIONS: [ProtocolVersion; 1] = [ProtocolVersion::DTLS1_3];

/// A group, and its number for wolfSSL.
const GROUPS: [(NamedGroup, &str); 5] = [
    (NamedGroup::X25519, "29"),
    (NamedGroup::SECP256R1, "23"),
    (NamedGroup::SECP384R1, "24"),
    (NamedGroup::X25519MLKEM768, "4588"),
    (NamedGroup::SECP256R1MLKEM768, "4587"),
];

/// With every kind of key that may sign in 1.3.
const KINDS: [TestKeyKind; 4] =
    [TestKeyKind::EcdsaP256, TestKeyKind::EcdsaP384, TestKeyKind::Ed25519, TestKeyKind::Rsa2048];

fn wolfssl(pki: &TestPki) -> Compiled {
    compiled::server(Library::WolfSsl).identity(&pki.server(SERVER_NAME))
}

/// wolfSSL's client with our server, which asks it for a cookie.
fn from_wolfssl(
    config: ServerConfigBuilder,
    pki: &TestPki,
    weather: Weather,
    options: impl FnOnce(Compiled) -> Compiled,
) -> (Node, Process) {
    from_client13(Library::WolfSsl, CookiePolicy::Required, config, pki, weather, options)
}

#[test] // RFC 9846 §9.1, RFC 9147 §5.1
fn every_suite_as_client() {
    for_each(&WOLFSSL_SUITES_13, |(suite, name)| {
        let pki = TestPki::new();
        let config = client(&pki).with_cipher_suites(&[*suite]);
        let (mut node, mut peer) = to_server13(config, wolfssl(&pki).suite(name), Weather::default());
        compiled::check(&mut node, &mut peer);
        assert_eq!(node.agreed().cipher_suite, *suite);
        assert_eq!(node.watch().log().hellos(), 2, "it asks for its cookie");
    });
}

#[test] // RFC 9846 §9.1
fn every_suite_as_server() {
    for_each(&WOLFSSL_SUITES_13, |(suite, name)| {
        let pki = TestPki::new();
        let config = server(&pki).with_cipher_suites(&[*suite]);
        let (mut node, mut peer) = from_wolfssl(config, &pki, Weather::default(), |peer| peer.suite(name));
        compiled::check(&mut node, &mut peer);
        assert_eq!((node.agreed().cipher_suite, node.agreed().server_name.as_deref()), (*suite, Some(SERVER_NAME)));
    });
}

#[test] // RFC 9846 §4.2.4, RFC 9147 §5.1
fn every_group_as_client() {
    for_each(&GROUPS, |(group, number)| {
        // Our share is of X25519; with a cookie, one retry asks for both.
        for cookies in ["on", "off"] {
            let pki = TestPki::new();
            let peer = wolfssl(&pki).args(["--groups", number, "--cookies", cookies]);
            let (mut node, mut peer) = to_server13(client(&pki), peer, Weather::default());
            compiled::check(&mut node, &mut peer);
            assert_eq!(node.agreed().group, Some(*group));
            let retried = cookies == "on" || *group != NamedGroup::X25519;
            assert_eq!(node.watch().log().hellos(), 1 + usize::from(retried), "{}", node.state());
        }
    });
}

#[test] // RFC 9846 §4.2.4
fn every_group_as_server() {
    for_each(&GROUPS, |(group, number)| {
        // Once the share is of our group, and once of one that we do not know.
        for (offered, retried) in [((*number).to_owned(), false), (format!("25,{number}"), true)] {
            for cookies in [CookiePolicy::Required, CookiePolicy::Off] {
                let pki = TestPki::new();
                let config = server(&pki).with_groups(&[*group]);
                let groups = ["--groups", &offered];
                let (mut node, mut peer) =
                    from_client13(Library::WolfSsl, cookies, config, &pki, Weather::default(), |peer| {
                        peer.args(groups)
                    });
                compiled::check(&mut node, &mut peer);
                assert_eq!(node.agreed().group, Some(*group));
                // Who asks for a cookie asks for the group with it, before there is a connection.
                // A large share it never sends unasked: its server would not take the hello.
                let retried = retried || group.0 > 0x1000;
                let seen = 1 + usize::from(retried && cookies == CookiePolicy::Off);
                assert_eq!(node.watch().log().hellos(), seen, "{}", node.state());
            }
        }
    });
}

/// A server that takes any group, with or without cookies.
fn with_large_groups(pki: &TestPki, cookies: &str) -> Compiled {
    wolfssl(pki).args(["--groups", "4588,29", "--cookies", cookies])
}

#[test] // RFC 9147 §5.1, §5.5
fn our_large_share_comes_with_the_cookie_in_two_datagrams() {
    // Without a small share, and so without any, it has to ask; with one, it takes that.
    for (groups, agreed_group) in
        [(&[NamedGroup::X25519MLKEM768][..], NamedGroup::X25519MLKEM768), (&[], NamedGroup::X25519)]
    {
        for cookies in ["on", "off"] {
            let pki = TestPki::new();
            let config = if groups.is_empty() { client(&pki) } else { client(&pki).with_groups(groups) };
            let (mut node, mut peer) = to_server13(config, with_large_groups(&pki, cookies), Weather::default());
            compiled::check(&mut node, &mut peer);
            assert_eq!(node.agreed().group, Some(agreed_group), "cookies {cookies}");
            let retried = cookies == "on" || !groups.is_empty();
            assert_eq!(node.watch().log().hellos(), 1 + usize::from(retried), "{}", node.state());
        }
    }
}

#[test]
fn our_large_share_at_once_has_to_fit_into_one_datagram() {
    for (cookies, expected) in [("on", 2), ("off", 1)] {
        let pki = TestPki::new();
        let transport = Transport { mtu: 2000, ..Transport::default() };
        let config = client(&pki).with_large_share_at_once().with_transport(transport);
        let peer = with_large_groups(&pki, cookies).args(["--mtu", "2000"]);
        let (mut node, mut peer) = to_server13(config, peer, Weather::default());
        compiled::check(&mut node, &mut peer);
        assert_eq!((node.agreed().group, node.watch().log().hellos()), (Some(NamedGroup::X25519MLKEM768), expected));
    }
}

#[test] // RFC 9147 §5.8
fn large_shares_over_a_lossy_network() {
    in_storms(&SEEDS, |pki, weather| {
        let config = stormy_client(pki).with_groups(&[NamedGroup::X25519MLKEM768]);
        let peer = with_large_groups(pki, "on").trust(pki).args(["--mtu", "700"]);
        let (mut node, mut peer) = to_server13(config, peer, weather);
        compiled::check(&mut node, &mut peer);
        node
    });
    in_storms(&SEEDS, |pki, weather| {
        let (mut node, mut peer) = from_wolfssl(stormy_server(pki), pki, weather, |peer| {
            peer.identity(&pki.client("client.example")).args(["--mtu", "700", "--groups", "4588,29"])
        });
        compiled::check(&mut node, &mut peer);
        assert_eq!(node.agreed().group, Some(NamedGroup::X25519MLKEM768));
        node
    });
}

#[test] // RFC 9846 §4.5.1, §4.5.2
fn every_certificate_of_both_as_client() {
    for_each(&KINDS, |kind| {
        let pki = pki(*kind);
        let config = client(&pki).with_identity(identity(&pki.client("client.example")));
        let (mut node, mut peer) = to_server13(config, wolfssl(&pki).trust(&pki), Weather::default());
        compiled::check(&mut node, &mut peer);
        assert!(node.watch().log().saw(Direction::Sent, HandshakeType::CERTIFICATE_VERIFY));
    });
}

#[test] // RFC 9846 §4.5.1, §4.5.2
fn every_certificate_of_both_as_server() {
    for_each(&KINDS, |kind| {
        let pki = pki(*kind);
        let who = pki.client("client.example");
        let config = server(&pki).with_client_auth(ClientAuth::Required(trust(&pki)));
        let (mut node, mut peer) = from_wolfssl(config, &pki, Weather::default(), |peer| peer.identity(&who));
        compiled::check(&mut node, &mut peer);
        assert_eq!(node.agreed().peer_certificates, who.chain);
    });
}

#[test] // RFC 9846 §4.3.3
fn it_takes_signature_algorithms_cert_from_both() {
    // An RSA key signs the handshake, and nothing else.
    let pki = pki(TestKeyKind::Rsa2048);
    let who = pki.client("client.example");
    let config = ClientConfig::builder(provider(), trust_ecdsa(&pki)).with_identity(identity(&who));
    let from_us = to_server13(config, wolfssl(&pki).trust(&pki), Weather::default());
    let config = server(&pki).with_client_auth(ClientAuth::Required(trust_ecdsa(&pki)));
    let from_it = from_wolfssl(config, &pki, Weather::default(), |peer| peer.identity(&who));
    for (mut node, mut peer) in [from_us, from_it] {
        compiled::check(&mut node, &mut peer);
        assert_eq!(node.agreed().peer_signature_scheme, Some(SignatureScheme::RSA_PSS_RSAE_SHA256));
    }
}

#[test] // RFC 9846 §4.5.1.3
fn a_client_without_a_certificate_is_refused() {
    let pki = TestPki::new();
    let config = server(&pki).with_client_auth(ClientAuth::Required(trust(&pki)));
    let (mut node, peer) = from_wolfssl(config, &pki, Weather::default(), |peer| peer);
    let end = node.run_to_end(&peer);
    assert_eq!(end, CloseReason::Failed(Error::Incompatible(Incompatible::NoClientCertificate)));
    peer.wait_for("received alert fatal error");
}

#[test] // RFC 9846 §4.7.2
fn we_ask_for_a_certificate_after_the_handshake() {
    let pki = TestPki::new();
    let who = pki.client("client.example");
    let config = server(&pki).with_post_handshake_verifier(trust(&pki));
    let options = |peer: Compiled| peer.identity(&who).args(["--post-auth", "on"]);
    let (mut node, mut peer) = from_wolfssl(config, &pki, Weather::default(), options);
    compiled::check(&mut node, &mut peer);
    assert!(node.agreed().peer_certificates.is_empty());
    node.authenticate_client();
    node.run_until("an answer", &peer, |node| !node.client_answers().is_empty() || node.closed().is_some());
    assert_eq!(node.client_answers(), [ClientAnswer::Authenticated], "{}; {}", node.state(), peer.transcript());
    assert_eq!(node.agreed().peer_certificates.first(), Some(who.end_entity()));
    compiled::exchange(&mut node, &mut peer, "afterwards");
}

#[test] // RFC 9846 §4.7.2
fn wolfssl_asks_for_a_certificate_after_the_handshake() {
    let pki = TestPki::new();
    let config = client(&pki).with_identity(identity(&pki.client("client.example"))).with_post_handshake_auth();
    let peer = wolfssl(&pki).trust(&pki).args(["--post-auth", "on"]);
    let (mut node, mut peer) = to_server13(config, peer, Weather::default());
    compiled::check(&mut node, &mut peer);
    let answered = |node: &Node| node.watch().log().saw(Direction::Sent, HandshakeType::CERTIFICATE_VERIFY);
    node.run_until("our answer", &peer, |node| answered(node) || node.closed().is_some());
    let ours = |event: &&TraceEvent| {
        event.direction == Direction::Sent
            && matches!(event.traced, Traced::Handshake { msg_type: HandshakeType::CERTIFICATE_VERIFY, .. })
    };
    let epochs: Vec<_> = node.watch().log().events.iter().filter(ours).map(|event| event.record.epoch.0).collect();
    assert!(!epochs.is_empty() && epochs.iter().all(|epoch| *epoch == 3), "{epochs:?}");
    compiled::exchange(&mut node, &mut peer, "afterwards");
}

/// A client and a server of ours, with a peer that changes keys or does not.
fn both_roles(pki: &TestPki, key_update: &str) -> [(Node, Process); 2] {
    let options = ["--key-update", key_update];
    [
        to_server13(client(pki), wolfssl(pki).args(options), Weather::default()),
        from_wolfssl(server(pki), pki, Weather::default(), |peer| peer.args(options)),
    ]
}

#[test] // RFC 9147 §8
fn we_update_the_keys_of_both() {
    for (mut node, mut peer) in both_roles(&TestPki::new(), "off") {
        compiled::update_keys_of_both(&mut node, &mut peer);
    }
}

#[test] // RFC 9147 §8
fn wolfssl_updates_the_keys_of_both() {
    for (mut node, mut peer) in both_roles(&TestPki::new(), "on") {
        compiled::check(&mut node, &mut peer);
        compiled::exchange_until(&mut node, &mut peer, |node| {
            let stats = node.connection().stats();
            stats.key_updates_sent >= 5 && stats.key_updates_received >= 5
        });
    }
}

#[test] // RFC 9846 §2.2, §4.7.1
fn a_session_is_resumed_as_client() {
    for cookies in ["on", "off"] {
        let (pki, sessions) = (TestPki::new(), Sessions::new());
        let (mut peer, address) = wolfssl(&pki).trust(&pki).args(["--cookies", cookies]).listening();
        let who = identity(&pki.client("client.example"));
        let rounds = [(); 3].map(|()| {
            peer.forget();
            let config = sessions.client(client(&pki).with_identity(who.clone())).with_versions(&VERSIONS);
            let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
            compiled::check(&mut node, &mut peer);
            node.close();
            peer.wait_for("CLOSED BY PEER");
            let theirs = peer.value("SESSION ").as_deref() == Some("resumed");
            assert_eq!(resumed(&node), theirs, "{}", peer.transcript());
            theirs
        });
        assert_eq!(rounds, [false, true, true]);
    }
}

#[test] // RFC 9846 §2.2, §4.7.1
fn a_session_is_resumed_as_server() {
    for_each(&Resumption::BOTH, |kind| {
        let (pki, sessions) = (TestPki::new(), Sessions::new());
        let config = sessions.server(server(&pki).with_client_auth(ClientAuth::Required(trust(&pki))), *kind);
        let who = pki.client("client.example");
        let (mut node, mut peer) =
            from_wolfssl(config, &pki, Weather::default(), |peer| peer.identity(&who).args(["--resume", "on"]));
        compiled::comes_again(&mut node, &mut peer);
        assert!(!node.agreed().peer_certificates.is_empty(), "who the client is stays known");
    });
}

#[test] // RFC 9846 §5.4
fn it_reads_padded_payloads_in_both_roles() {
    for_each(&[Padding::Block(256), Padding::Full], |padding| {
        let pki = TestPki::new();
        let from_us = to_server13(client(&pki).with_padding(*padding), wolfssl(&pki), Weather::default());
        let from_it = from_wolfssl(server(&pki).with_padding(*padding), &pki, Weather::default(), |peer| peer);
        for (mut node, mut peer) in [from_us, from_it] {
            compiled::check(&mut node, &mut peer);
            compiled::exchange(&mut node, &mut peer, &"long ".repeat(40));
            let [short, long] = [1, 250].map(|len| node.connection().sealed_len(len));
            assert_eq!(short, long, "what went over was padded");
        }
    });
}

#[test] // RFC 9846 §2.3, §4.3.10
fn early_data_as_client() {
    for (cookies, expected) in [("off", EarlyDataAnswer::Accepted), ("on", EarlyDataAnswer::Rejected)] {
        let (pki, sessions) = (TestPki::new(), Sessions::new());
        let (mut peer, address) = wolfssl(&pki).args(["--cookies", cookies, "--early-data", "1000"]).listening();
        for round in 0..3 {
            peer.forget();
            let config = sessions.client(client(&pki)).with_versions(&VERSIONS).with_early_data();
            let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
            if round > 0 {
                node.send_early(b"one\n");
                node.send_early(b"two\n");
            }
            compiled::check(&mut node, &mut peer);
            assert_eq!(node.early_data_answer(), (round > 0).then_some(expected), "{}", peer.transcript());
            let taken = round > 0 && expected == EarlyDataAnswer::Accepted;
            let early = ["EARLY one", "EARLY two"].map(|line| peer.transcript().contains(line));
            assert_eq!(early, [taken; 2], "{}", peer.transcript());
            assert_eq!(node.agreed().early_data, taken);
            node.close();
            peer.wait_for("CLOSED BY PEER");
        }
    }
}

#[test] // RFC 9846 §2.3, §4.3.10
fn early_data_as_server() {
    for (cookies, taken) in
        [(CookiePolicy::Off, true), (CookiePolicy::ExceptEarlyData, true), (CookiePolicy::Required, false)]
    {
        for_each(&Resumption::BOTH, |kind| {
            let (pki, sessions) = (TestPki::new(), Sessions::new());
            let config = sessions.early_data(sessions.server(server(&pki), *kind), 1000);
            // A group whose share it sends at once: who is asked for a share sends no early data.
            let options = ["--resume", "on", "--early-data", "first of all", "--groups", "29"];
            let (mut node, mut peer) =
                from_client13(Library::WolfSsl, cookies, config, &pki, Weather::default(), |peer| peer.args(options));
            assert_eq!(node.run_to_end(&peer), CloseReason::Peer);
            node.next();
            compiled::check(&mut node, &mut peer);
            let early: &[&[u8]] = if taken { &[b"first of all"] } else { &[] };
            assert_eq!(node.early_data(), early, "{}; {}", node.state(), peer.transcript());
            let said = if taken { "accepted" } else { "rejected" };
            assert_eq!(peer.value("EARLY DATA ").as_deref(), Some(said), "{}", peer.transcript());
            assert!(resumed(&node) && node.agreed().early_data == taken, "{}", node.state());
        });
    }
}

#[test]
fn small_datagrams() {
    for_each(&[(256, "1400"), (1200, "400"), (256, "300")], |(ours, theirs)| {
        let pki = TestPki::new().with_padding(2000);
        let transport = Transport { mtu: *ours, ..Transport::default() };
        let who = pki.client("client.example");
        let config = client(&pki).with_transport(transport.clone()).with_identity(identity(&who));
        // Its cookies need a first hello in one piece.
        let peer = wolfssl(&pki).trust(&pki).args(["--mtu", theirs, "--cookies", "off"]);
        let (mut node, mut peer) = to_server13(config, peer, Weather::default());
        compiled::check(&mut node, &mut peer);
        assert!(node.watch().log().fragments_sent() > 1, "{}", node.state());

        let config = server(&pki).with_transport(transport).with_client_auth(ClientAuth::Required(trust(&pki)));
        let mtu = ["--mtu", theirs];
        let (mut node, mut peer) = from_wolfssl(config, &pki, Weather::default(), |peer| peer.identity(&who).args(mtu));
        compiled::check(&mut node, &mut peer);
        assert!(node.watch().log().fragments_sent() > 1, "{}", node.state());
    });
}

#[test]
fn large_datagrams() {
    let pki = TestPki::new().with_big_chain();
    let transport = Transport { mtu: 9000, ..Transport::default() };
    let config = client(&pki).with_transport(transport.clone());
    let mtu = ["--mtu", "9000"];
    let (mut node, mut peer) = to_server13(config, wolfssl(&pki).args(mtu), Weather::default());
    compiled::check(&mut node, &mut peer);
    let (mut node, mut peer) =
        from_wolfssl(server(&pki).with_transport(transport), &pki, Weather::default(), |peer| peer.args(mtu));
    compiled::check(&mut node, &mut peer);
}

const SEEDS: [u64; 3] = [1, 2, 3];

#[test] // RFC 9147 §5.8, §7
fn lossy_network_as_client() {
    in_storms(&SEEDS, |pki, weather| {
        let peer = wolfssl(pki).trust(pki).args(["--mtu", "700"]);
        let (mut node, mut peer) = to_server13(stormy_client(pki), peer, weather);
        compiled::check(&mut node, &mut peer);
        node
    });
}

#[test] // RFC 9147 §5.8, §7
fn lossy_network_as_server() {
    in_storms(&SEEDS, |pki, weather| {
        let (mut node, mut peer) = from_wolfssl(stormy_server(pki), pki, weather, |peer| {
            peer.identity(&pki.client("client.example")).args(["--mtu", "700"])
        });
        compiled::check(&mut node, &mut peer);
        node
    });
}

const PROFILES: [(SrtpProfile, &str); 4] = [
    (SrtpProfile::AES128_CM_HMAC_SHA1_80, "SRTP_AES128_CM_SHA1_80"),
    (SrtpProfile::AES128_CM_HMAC_SHA1_32, "SRTP_AES128_CM_SHA1_32"),
    (SrtpProfile::AEAD_AES_128_GCM, "SRTP_AEAD_AES_128_GCM"),
    (SrtpProfile::AEAD_AES_256_GCM, "SRTP_AEAD_AES_256_GCM"),
];

#[test] // RFC 5764 §4.1.1, RFC 9846 §4.3
fn use_srtp_and_alpn_in_both_roles() {
    let all = PROFILES.map(|(profile, _)| profile);
    for_each(&PROFILES, |(profile, name)| {
        let pki = TestPki::new();
        let options = ["--srtp", name, "--alpn", "webrtc"];
        let config = client(&pki).with_srtp(&all).with_alpn(["c-webrtc", "webrtc"]);
        let from_us = to_server13(config, wolfssl(&pki).args(options), Weather::default());
        let config = server(&pki).with_srtp(&all).with_alpn(["c-webrtc", "webrtc"]);
        let from_it = from_wolfssl(config, &pki, Weather::default(), |peer| peer.args(options));
        for (mut node, mut peer) in [from_us, from_it] {
            compiled::check(&mut node, &mut peer);
            let srtp = node.agreed().srtp.as_ref().map(|srtp| srtp.profile);
            assert_eq!((srtp, node.agreed().alpn.as_deref()), (Some(*profile), Some(&b"webrtc"[..])));
            assert_eq!(peer.value("SRTP "), Some(profile.0.to_string()), "{}", peer.transcript());
        }
    });
}

#[test] // RFC 9846 §6.1
fn close_notify_of_both() {
    let pki = TestPki::new();
    let (mut node, mut peer) = from_wolfssl(server(&pki), &pki, Weather::default(), |peer| peer);
    compiled::check(&mut node, &mut peer);
    node.close();
    peer.wait_for("CLOSED BY PEER");
    let (mut node, mut peer) = to_server13(client(&pki), wolfssl(&pki), Weather::default());
    compiled::check(&mut node, &mut peer);
    peer.end_input();
    assert_eq!(node.run_to_end(&peer), CloseReason::Peer);
}
