//! Connections of ours that go on in another process, and after a crash, while the peer stays where it is and notices
//! nothing: OpenSSL in 1.2; wolfSSL and BoringSSL in 1.3. Both roles.

use gramseal_interop::cids;
use gramseal_interop::compiled::{self, Compiled, Library, exchange, from_client13, to_server13};
use gramseal_interop::{
    Node, Process, SERVER_NAME, Weather, client, default_client, default_server, for_each, openssl, server,
};
use gramseal_proto::CloseReason;
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::{CipherSuite, ProtocolVersion};
use gramseal_testkit::pki::TestPki;

/// With and without a part of the nonce in the record.
const SUITES_12: [(CipherSuite, &str); 3] = [
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305"),
];

/// Moves three times, then dies twice, and goes on each time.
fn moves_and_dies(node: &mut Node, peer: &mut Process, exchange: impl Fn(&mut Node, &mut Process, &str)) {
    let mut exported = [[0; 32]; 2];
    let export = |node: &Node, out: &mut [u8]| {
        node.connection().export_keying_material(b"EXPORTER-gramseal-interop", None, out).expect("connected");
    };
    export(node, &mut exported[0]);
    for round in 0..3 {
        node.change_process(peer);
        exchange(node, peer, &format!("process {round}"));
    }
    // The peer has to follow a jump in the record numbers, of what a crash leaves unused.
    for round in 0..2 {
        let image = node.checkpoint(peer, 1000);
        exchange(node, peer, &format!("before crash {round}"));
        node.recover(&image);
        let _stored = node.checkpoint(peer, 1000);
        exchange(node, peer, &format!("after crash {round}"));
    }
    node.end_checkpoints();
    export(node, &mut exported[1]);
    assert_eq!(exported[0], exported[1]);
    exchange(node, peer, "at the end");
}

#[test] // RFC 6347 §4.1
fn with_openssl_as_client() {
    for_each(&SUITES_12, |(suite, name)| {
        let pki = TestPki::new();
        let (mut peer, address) = openssl::s_server().identity(&pki.server(SERVER_NAME)).cipher(name).listening();
        let config = client(&pki).with_cipher_suites(&[*suite]);
        let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
        openssl::check(&mut node, &mut peer);
        moves_and_dies(&mut node, &mut peer, openssl::exchange);
        node.close();
        peer.wait_for("DONE");
    });
}

#[test] // RFC 6347 §4.1
fn with_openssl_as_server() {
    for_each(&SUITES_12, |(suite, name)| {
        let pki = TestPki::new();
        let config = server(&pki).with_cipher_suites(&[*suite]);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let mut peer = openssl::s_client(node.local_addr()).trust(&pki).cipher(name).start();
        openssl::check(&mut node, &mut peer);
        moves_and_dies(&mut node, &mut peer, openssl::exchange);
        peer.end_input();
        assert_eq!(node.run_to_end(&peer), CloseReason::Peer);
    });
}

/// A server of `library`, and its client with ours.
fn both(library: Library, pki: &TestPki, options: impl Fn(Compiled) -> Compiled) -> [(Node, Process); 2] {
    let theirs = compiled::server(library).identity(&pki.server(SERVER_NAME));
    let from_us = to_server13(client(pki), options(theirs), Weather::default());
    let to_us = from_client13(library, CookiePolicy::Required, server(pki), pki, Weather::default(), options);
    [from_us, to_us]
}

#[test] // RFC 9147 §4.2.2
fn with_wolfssl_and_boringssl_in_either_role() {
    for_each(&[Library::WolfSsl, Library::BoringSsl], |library| {
        let pki = TestPki::new();
        for (mut node, mut peer) in both(*library, &pki, |peer| peer) {
            compiled::check(&mut node, &mut peer);
            moves_and_dies(&mut node, &mut peer, exchange);
        }
    });
}

#[test] // RFC 9147 §8
fn new_keys_of_both_sides_move_along() {
    for_each(&[Library::WolfSsl, Library::BoringSsl], |library| {
        let pki = TestPki::new();
        for (mut node, mut peer) in both(*library, &pki, |peer| peer) {
            compiled::update_keys_of_both(&mut node, &mut peer);
            moves_and_dies(&mut node, &mut peer, exchange);
            node.update_keys();
            let updated = |node: &Node| node.connection().stats().key_updates_sent == 1;
            node.run_until("new keys", &peer, updated);
            exchange(&mut node, &mut peer, "with new keys");
        }
    });
}

#[test] // RFC 9146 §3, RFC 9147 §9
fn connection_ids_of_both_sides_move_along() {
    for_each(&[(ProtocolVersion::DTLS1_2, "1.2"), (ProtocolVersion::DTLS1_3, "1.3")], |(version, name)| {
        let pki = TestPki::new();
        let ids = ["--dtls", name, "--cid", "c1d2e3"];
        let theirs = compiled::server(Library::WolfSsl).identity(&pki.server(SERVER_NAME));
        let (peer, address) = theirs.args(ids).listening();
        let config = default_client(&pki).with_versions(&[*version]).with_connection_ids(cids::ours(Some(8)));
        let from_us = (Node::client(config, SERVER_NAME, address, Weather::default()), peer);
        let config = default_server(&pki).with_versions(&[*version]).with_connection_ids(cids::ours(Some(8)));
        let node = Node::server(config, CookiePolicy::Required, Weather::default());
        let peer = compiled::client(Library::WolfSsl, node.local_addr()).trust(&pki).args(["--name", SERVER_NAME]);
        let peer = peer.args(ids).start();
        for (mut node, mut peer) in [from_us, (node, peer)] {
            cids::check(&mut node, &mut peer, Some(8), "c1d2e3");
            moves_and_dies(&mut node, &mut peer, exchange);
            assert_eq!(node.connection().peer_cid(), [0xc1, 0xd2, 0xe3]);
            assert_eq!(node.connection().own_cids().len(), 1);
        }
    });
}
