//! Connection ids in DTLS 1.2, in both roles, against Mbed TLS (RFC 9146).

use gramseal_interop::cids;
use gramseal_interop::compiled::{self, Library};
use gramseal_interop::{Node, SERVER_NAME, Weather, client, for_each, in_storms, server, stormy_client};
use gramseal_proto::config::Padding;
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_testkit::pki::TestPki;

/// The longest that it takes and sends.
const LONG: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Our ids, and its own: none, short, long.
const CASES: [(Option<u8>, &str); 5] =
    [(Some(8), "none"), (None, "c1d2e3"), (Some(4), "c1"), (Some(32), LONG), (None, "none")];

#[test] // RFC 9146 §3
fn ids_of_either_side_as_client() {
    for_each(&CASES, |(ours, theirs)| {
        let pki = TestPki::new();
        let peer = compiled::server(Library::MbedTls3).identity(&pki.server(SERVER_NAME)).args(["--cid", theirs]);
        let (mut peer, address) = peer.listening();
        let config = client(&pki).with_connection_ids(cids::ours(*ours)).with_padding(Padding::Block(64));
        let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
        cids::check(&mut node, &mut peer, *ours, theirs);
        node.close();
        peer.wait_for("CLOSED BY PEER");
    });
}

#[test] // RFC 9146 §3
fn ids_of_either_side_as_server() {
    for_each(&CASES, |(ours, theirs)| {
        let pki = TestPki::new();
        let config = server(&pki).with_connection_ids(cids::ours(*ours)).with_padding(Padding::Full);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let peer = compiled::client(Library::MbedTls3, node.local_addr()).trust(&pki);
        let mut peer = peer.args(["--name", SERVER_NAME, "--cid", theirs]).start();
        cids::check(&mut node, &mut peer, *ours, theirs);
    });
}

#[test] // RFC 9146 §3
fn ids_are_agreed_on_anew_in_a_resumed_session() {
    let (pki, sessions) = (TestPki::new(), gramseal_interop::sessions::Sessions::new());
    let config = sessions.server(server(&pki), gramseal_interop::sessions::Resumption::Id);
    let config = config.with_connection_ids(cids::ours(Some(8)));
    let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
    let peer = compiled::client(Library::MbedTls3, node.local_addr()).trust(&pki);
    let mut peer = peer.args(["--name", SERVER_NAME, "--cid", "c1d2", "--sessions", "id"]).start();
    // It leaves the first connection by itself, and comes again.
    node.run_to_end(&peer);
    let first = node.connection().own_cids().to_vec();
    node.next();
    cids::check(&mut node, &mut peer, Some(8), "c1d2");
    assert!(node.agreed().resumed);
    assert_ne!(node.connection().own_cids(), first);
}

#[test]
fn lossy_network_with_ids() {
    in_storms(&[1, 2], |pki, weather| {
        let peer = compiled::server(Library::MbedTls3).identity(&pki.server(SERVER_NAME)).trust(pki);
        let (mut peer, address) = peer.args(["--cid", "c1d2", "--mtu", "700"]).listening();
        let config = stormy_client(pki).with_connection_ids(cids::ours(Some(8)));
        let mut node = Node::client(config, SERVER_NAME, address, weather);
        compiled::check(&mut node, &mut peer);
        node
    });
}
