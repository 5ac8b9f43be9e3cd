//! Resumption, use_srtp with an MKI, and max_fragment_length, in both roles, against Mbed TLS.

use gramseal_interop::compiled::{self, Library};
use gramseal_interop::sessions::{Resumption, Sessions, resumed};
use gramseal_interop::{
    FRAGMENT_LENGTHS, Node, Process, SERVER_NAME, Weather, client, for_each, identity, pki, server, trust, wide,
};
use gramseal_proto::CloseReason;
use gramseal_proto::config::ClientAuth;
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::SrtpProfile;
use gramseal_testkit::pki::{TestKeyKind, TestPki};

fn word(kind: Resumption) -> [&'static str; 2] {
    let word = match kind {
        Resumption::Id => "id",
        Resumption::Ticket => "ticket",
    };
    ["--sessions", word]
}

#[test] // RFC 5246 §7.3, RFC 5077 §3.1
fn a_session_is_resumed_as_client() {
    for_each(&Resumption::BOTH, |kind| {
        let (pki, sessions) = (TestPki::new(), Sessions::new());
        let peer = compiled::server(Library::MbedTls).identity(&pki.server(SERVER_NAME)).trust(&pki);
        let (mut peer, address) = peer.args(word(*kind)).listening();
        let who = identity(&pki.client("client.example"));
        let rounds = [(); 3].map(|()| {
            peer.forget();
            let config = sessions.client(client(&pki).with_identity(who.clone()));
            let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
            compiled::check(&mut node, &mut peer);
            kind.check(&node);
            node.close();
            peer.wait_for("CLOSED BY PEER");
            resumed(&node)
        });
        assert_eq!(rounds, [false, true, true]);
    });
}

#[test] // RFC 5246 §7.3, RFC 5077 §3.1
fn a_session_is_resumed_as_server() {
    for_each(&Resumption::BOTH, |kind| {
        let (pki, sessions) = (TestPki::new(), Sessions::new());
        let config = sessions.server(server(&pki).with_client_auth(ClientAuth::Required(trust(&pki))), *kind);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let peer = compiled::client(Library::MbedTls, node.local_addr()).identity(&pki.client("client.example"));
        let mut peer = peer.trust(&pki).args(["--name", SERVER_NAME]).args(word(*kind)).start();
        // It leaves the first connection by itself, and comes again.
        assert_eq!(node.run_to_end(&peer), CloseReason::Peer);
        assert!(node.is_connected() && !resumed(&node));
        kind.check(&node);
        node.next();
        compiled::check(&mut node, &mut peer);
        assert!(resumed(&node), "{}", node.state());
    });
}

const PROFILES: [(SrtpProfile, &str); 2] =
    [(SrtpProfile::AES128_CM_HMAC_SHA1_80, "1"), (SrtpProfile::AES128_CM_HMAC_SHA1_32, "2")];

const MKI: &str = "interop";

/// Both agreed on `profile`, and on the MKI if there should be one. That the keys are the same
/// follows from the exporter.
fn check_srtp(node: &mut Node, peer: &mut Process, (profile, number): (SrtpProfile, &str), mki: &str) {
    compiled::check(node, peer);
    let srtp = node.connection().negotiated().and_then(|agreed| agreed.srtp.as_ref()).expect("a profile");
    assert_eq!((srtp.profile, &srtp.mki[..]), (profile, mki.as_bytes()), "{}", peer.transcript());
    assert_eq!(peer.value("SRTP ").as_deref(), Some(format!("{number} {mki}").trim()), "{}", peer.transcript());
}

#[test] // RFC 5764 §4.1.1, §4.1.3
fn use_srtp_as_client() {
    let pki = TestPki::new();
    for_each(&PROFILES, |case| {
        for mki in ["", MKI] {
            let peer = compiled::server(Library::MbedTls).identity(&pki.server(SERVER_NAME)).args(["--srtp", case.1]);
            let (mut peer, address) = peer.listening();
            let ours = [SrtpProfile::AEAD_AES_128_GCM, PROFILES[1].0, PROFILES[0].0];
            let config = client(&pki).with_srtp(&ours).with_srtp_mki(mki);
            let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
            check_srtp(&mut node, &mut peer, *case, mki);
        }
    });
}

#[test] // RFC 5764 §4.1.1, §4.1.3
fn use_srtp_as_server() {
    let pki = TestPki::new();
    for_each(&PROFILES, |case| {
        for mki in [None, Some(MKI)] {
            let config = server(&pki).with_srtp(&[PROFILES[0].0, PROFILES[1].0]);
            let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
            let peer = compiled::client(Library::MbedTls, node.local_addr()).trust(&pki).args(["--srtp", case.1]);
            let peer = peer.args(mki.map(|mki| ["--mki", mki]).into_iter().flatten());
            let mut peer = peer.args(["--name", SERVER_NAME]).start();
            // Our server knows no identifiers and answers with an empty one.
            check_srtp(&mut node, &mut peer, *case, "");
        }
    });
}

#[test] // RFC 6066 §4
fn max_fragment_length_as_client() {
    let pki = pki(TestKeyKind::Rsa2048);
    for_each(&FRAGMENT_LENGTHS, |length| {
        let peer = compiled::server(Library::MbedTls).identity(&pki.server(SERVER_NAME));
        let (mut peer, address) = peer.listening();
        let config = client(&pki).with_max_fragment_length(*length).with_transport(wide());
        let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
        compiled::check(&mut node, &mut peer);
        assert_eq!(node.connection().max_payload(), usize::from(*length));
    });
}

#[test] // RFC 6066 §4
fn max_fragment_length_as_server() {
    let pki = pki(TestKeyKind::Rsa2048);
    for_each(&FRAGMENT_LENGTHS, |length| {
        let config = server(&pki).with_transport(wide());
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let peer = compiled::client(Library::MbedTls, node.local_addr()).trust(&pki);
        let mut peer = peer.args(["--name", SERVER_NAME, "--max-fragment", &length.to_string()]).start();
        compiled::check(&mut node, &mut peer);
        assert_eq!(node.connection().max_payload(), usize::from(*length));
    });
}
