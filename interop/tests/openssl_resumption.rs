//! Resumption by session id (RFC 5246 §7.3) and by ticket (RFC 5077), in both roles, against OpenSSL.

use std::net::SocketAddr;
use std::sync::Arc;

use gramseal_interop::sessions::{Resumption, Sessions, resumed};
use gramseal_interop::{
    Folder, Node, Process, SERVER_NAME, Weather, client, for_each, identity, openssl, provider, psk, server, trust,
};
use gramseal_proto::CloseReason;
use gramseal_proto::config::{ClientAuth, ClientConfigBuilder, ServerConfig, ServerConfigBuilder};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_testkit::pki::TestPki;

/// OpenSSL's server for several connections.
fn s_server(kind: Resumption, peer: openssl::OpenSsl) -> (Process, SocketAddr) {
    // With -listen, it would be connected to the first client for good. Of the two counts the later is it.
    peer.without_listen().args(["-naccept", "3"]).args((kind == Resumption::Id).then_some("-no_ticket")).listening()
}

/// One connection of ours to OpenSSL's server; whether it was resumed, as both say.
fn connect(config: ClientConfigBuilder, kind: Resumption, address: SocketAddr, peer: &mut Process) -> bool {
    peer.forget();
    let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
    openssl::check(&mut node, peer);
    assert_eq!(peer.said("Reused session-id"), resumed(&node), "{}", peer.transcript());
    kind.check(&node);
    node.close();
    // What it says after this stays in its buffer until it ends.
    peer.wait_for("DONE");
    resumed(&node)
}

/// One connection of OpenSSL's client to our server, with the session of `folder` if it has one.
fn accept(node: &mut Node, kind: Resumption, folder: &Folder, peer: openssl::OpenSsl) -> bool {
    let path = folder.path("session");
    let option = if path.exists() { "-sess_in" } else { "-sess_out" };
    let peer = peer.arg(option).arg(&path).args((kind == Resumption::Id).then_some("-no_ticket"));
    let mut peer = peer.start();
    openssl::check(node, &mut peer);
    let said = peer.said("Reused, TLSv1.2, Cipher is");
    assert_eq!(said, resumed(node), "{}", peer.transcript());
    kind.check(node);
    peer.end_input();
    assert_eq!(node.run_to_end(&peer), CloseReason::Peer);
    node.next();
    said
}

#[test] // RFC 5246 §7.3, RFC 5077 §3.1
fn a_session_is_resumed_as_client() {
    for_each(&Resumption::BOTH, |kind| {
        let (pki, sessions) = (TestPki::new(), Sessions::new());
        let peer = openssl::s_server().identity(&pki.server(SERVER_NAME)).require_client(&pki);
        let (mut peer, address) = s_server(*kind, peer);
        let who = identity(&pki.client("client.example"));
        let config = || sessions.client(client(&pki).with_identity(who.clone()));
        let rounds = [(); 3].map(|()| connect(config(), *kind, address, &mut peer));
        assert_eq!(rounds, [false, true, true]);
    });
}

#[test] // RFC 5246 §7.3, RFC 5077 §3.1
fn a_session_is_resumed_as_server() {
    for_each(&Resumption::BOTH, |kind| {
        let (pki, sessions, folder) = (TestPki::new(), Sessions::new(), Folder::new());
        let who = pki.client("client.example");
        let config = sessions.server(server(&pki).with_client_auth(ClientAuth::Required(trust(&pki))), *kind);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let rounds = [(); 3].map(|()| {
            let peer = openssl::s_client(node.local_addr()).trust(&pki).identity(&who);
            accept(&mut node, *kind, &folder, peer)
        });
        assert_eq!(rounds, [false, true, true]);
    });
}

#[test] // RFC 4279 §2 with RFC 5077
fn a_session_with_a_shared_key_is_resumed() {
    const SUITE: &str = "PSK-AES128-CCM8";
    let suite = gramseal_proto::wire::CipherSuite::TLS_PSK_WITH_AES_128_CCM_8;
    for_each(&Resumption::BOTH, |kind| {
        let (sessions, folder) = (Sessions::new(), Folder::new());
        let keys = ["-psk", psk::KEY_HEX, "-psk_identity", psk::IDENTITY];
        let peer = openssl::s_server().cipher(SUITE).args(["-nocert"]).args(keys);
        let (mut peer, address) = s_server(*kind, peer);
        let config = || sessions.client(psk::client(suite, None));
        let rounds = [(); 2].map(|()| connect(config(), *kind, address, &mut peer));
        assert_eq!(rounds, [false, true]);

        let config: ServerConfigBuilder = ServerConfig::psk_builder(provider(), Arc::new(vec![psk::psk()]));
        let config = sessions.server(config.with_cipher_suites(&[suite]), *kind);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let rounds = [(); 2].map(|()| {
            let peer = openssl::s_client(node.local_addr()).cipher(SUITE).args(keys);
            accept(&mut node, *kind, &folder, peer)
        });
        assert_eq!(rounds, [false, true]);
    });
}

#[test] // RFC 5246 §7.4.1.2, RFC 6066 §3
fn a_session_is_not_resumed_under_another_name() {
    for_each(&Resumption::BOTH, |kind| {
        let (pki, sessions, folder) = (TestPki::new(), Sessions::new(), Folder::new());
        let config = sessions.server(server(&pki), *kind);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let rounds = [SERVER_NAME, "another.example", SERVER_NAME].map(|name| {
            let peer = openssl::s_client(node.local_addr()).trust(&pki).args(["-servername", name]);
            accept(&mut node, *kind, &folder, peer)
        });
        assert_eq!(rounds, [false, false, true]);
    });
}

#[test]
fn a_server_that_has_forgotten_does_a_full_handshake() {
    for_each(&Resumption::BOTH, |kind| {
        let (pki, sessions) = (TestPki::new(), Sessions::new());
        let theirs = pki.server(SERVER_NAME);
        let rounds = [(); 2].map(|()| {
            let (mut peer, address) = s_server(*kind, openssl::s_server().identity(&theirs));
            connect(sessions.client(client(&pki)), *kind, address, &mut peer)
        });
        assert_eq!(rounds, [false, false]);

        let folder = Folder::new();
        let rounds = [(); 2].map(|()| {
            let config = Sessions::new().server(server(&pki), *kind);
            let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
            let peer = openssl::s_client(node.local_addr()).trust(&pki);
            accept(&mut node, *kind, &folder, peer)
        });
        assert_eq!(rounds, [false, false]);
    });
}
