//! OpenSSL over a network that loses and repeats datagrams, or carries those of strangers.

use std::net::UdpSocket;

use gramseal_interop::{
    Node, Process, SERVER_NAME, Weather, client, in_storms, openssl, server, stormy_client, stormy_server,
};
use gramseal_proto::Discard;
use gramseal_proto::config::ServerConfigBuilder;
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_testkit::pki::TestPki;

const SEEDS: [u64; 6] = [1, 2, 3, 4, 5, 6];

#[test]
fn lossy_network_as_client() {
    in_storms(&SEEDS, |pki, weather| {
        let peer = openssl::s_server().identity(&pki.server(SERVER_NAME)).require_client(pki);
        let (mut peer, address) = peer.args(["-mtu", "700"]).without_listen().listening();
        let mut node = Node::client(stormy_client(pki), SERVER_NAME, address, weather);
        openssl::check(&mut node, &mut peer);
        node
    });
}

#[test]
fn lossy_network_as_server() {
    in_storms(&SEEDS, |pki, weather| {
        let mut node = Node::server(stormy_server(pki), CookiePolicy::Required, weather);
        let peer = openssl::s_client(node.local_addr()).trust(pki).identity(&pki.client("client.example"));
        let mut peer = peer.args(["-mtu", "700"]).start();
        openssl::check(&mut node, &mut peer);
        node
    });
}

/// What a stranger could send with the peer's address as source.
fn junk() -> Vec<Vec<u8>> {
    let fatal_alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0x7f, 1, 0, 2, 2, 40];
    let close_notify = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0x7f, 2, 0, 2, 1, 0];
    let mut forged_data = vec![23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0x7f, 3, 0, 64];
    forged_data.extend([7; 64]);
    // A Finished far ahead, and a part of a huge message that nobody began.
    let far_ahead = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0x7f, 4, 0, 13, 20, 0, 0, 1, 0x70, 0, 0, 0, 0, 0, 0, 1, 9];
    let huge = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0x7f, 5, 0, 13, 11, 0xff, 0xff, 0xff, 0, 9, 0, 0, 9, 0, 0, 1, 9];
    let truncated = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0x7f, 6, 0xff, 0xff, 1];
    let unknown_epoch = [23, 0xfe, 0xfd, 0, 9, 0, 0, 0, 0, 0, 1, 0, 1, 0];
    let stun = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    vec![
        Vec::new(),
        vec![0xff; 1400],
        fatal_alert.to_vec(),
        close_notify.to_vec(),
        forged_data,
        far_ahead.to_vec(),
        huge.to_vec(),
        truncated.to_vec(),
        unknown_epoch.to_vec(),
        stun.to_vec(),
    ]
}

/// Data passes in both roles although junk precedes every datagram, and strangers write, too.
fn survives(mut node: Node, mut peer: Process) {
    junk().into_iter().for_each(|junk| node.add_junk(junk));
    let address = node.local_addr();
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let write = || {
        for junk in junk() {
            stranger.send_to(&junk, address).expect("loopback carries it");
        }
    };
    write();
    openssl::check(&mut node, &mut peer);
    write();
    openssl::exchange(&mut node, &mut peer, "after the junk");
    let discards = &node.connection().stats().discards;
    assert!(discards.get(Discard::BadTag) > 0 && discards.get(Discard::UnauthenticatedAlert) > 0, "{discards:?}");
    assert_eq!(node.closed(), None);
}

#[test]
fn junk_does_no_harm_to_clients() {
    let pki = TestPki::new();
    let (peer, address) = openssl::s_server().identity(&pki.server(SERVER_NAME)).listening();
    survives(Node::client(client(&pki), SERVER_NAME, address, Weather::default()), peer);
}

#[test]
fn junk_does_no_harm_to_servers() {
    let pki = TestPki::new();
    let config: ServerConfigBuilder = server(&pki);
    let node = Node::server(config, CookiePolicy::Required, Weather::default());
    let peer = openssl::s_client(node.local_addr()).trust(&pki).start();
    survives(node, peer);
}
