//! Our configurations as they come, which speak 1.3 first, with peers that know 1.2 alone.

use gramseal_interop::{
    Node, Process, SERVER_NAME, Weather, default_client, default_server, for_each, gnutls, openssl, pki,
};
use gramseal_proto::config::Transport;
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_testkit::pki::TestKeyKind as Kind;

const KINDS: [Kind; 2] = [Kind::EcdsaP256, Kind::Rsa2048];

/// Each policy with the number of cookies that are asked for.
const POLICIES: [(CookiePolicy, u64); 2] = [(CookiePolicy::Required, 1), (CookiePolicy::Off, 0)];

fn speaks_1_2(node: &Node, peer: &Process) {
    let version = node.connection().negotiated().map(|agreed| agreed.version);
    assert_eq!(version, Some(ProtocolVersion::DTLS1_2), "{}", peer.transcript());
}

#[test] // RFC 9147 §5.3
fn our_client_finds_1_2_at_a_server_of_openssl() {
    for_each(&KINDS, |kind| {
        for listen in [true, false] {
            let pki = pki(*kind);
            let theirs = openssl::s_server().identity(&pki.server(SERVER_NAME));
            let (mut peer, address) = if listen { theirs } else { theirs.without_listen() }.listening();
            let mut node = Node::client(default_client(&pki), SERVER_NAME, address, Weather::default());
            openssl::check(&mut node, &mut peer);
            speaks_1_2(&node, &peer);
        }
    });
}

#[test] // RFC 9147 §5.3
fn our_client_finds_1_2_at_a_server_of_gnutls() {
    for_each(&KINDS, |kind| {
        let pki = pki(*kind);
        let theirs = gnutls::serv().identity(&pki.server(SERVER_NAME)).args(["--disable-client-cert"]);
        let (peer, address) = theirs.listening();
        let mut node = Node::client(default_client(&pki), SERVER_NAME, address, Weather::default());
        gnutls::check_server(&mut node, &peer);
        speaks_1_2(&node, &peer);
    });
}

#[test] // RFC 6347 §4.2.1
fn our_server_speaks_1_2_with_clients_of_openssl() {
    for_each(&KINDS, |kind| {
        for (policy, cookies) in POLICIES {
            let pki = pki(*kind);
            let mut node = Node::server(default_server(&pki), policy, Weather::default());
            let mut peer = openssl::s_client(node.local_addr()).trust(&pki).start();
            openssl::check(&mut node, &mut peer);
            speaks_1_2(&node, &peer);
            assert_eq!((node.endpoint_stats().incoming, node.endpoint_stats().cookies_sent), (1, cookies));
        }
    });
}

#[test] // RFC 6347 §4.2.1
fn our_server_speaks_1_2_with_clients_of_gnutls() {
    for_each(&KINDS, |kind| {
        for (policy, cookies) in POLICIES {
            let pki = pki(*kind);
            let mut node = Node::server(default_server(&pki), policy, Weather::default());
            let peer = gnutls::cli(node.local_addr()).trust(&pki).args(["--verify-hostname", SERVER_NAME]);
            let mut peer = peer.start();
            gnutls::check_client(&mut node, &mut peer);
            speaks_1_2(&node, &peer);
            assert_eq!((node.endpoint_stats().incoming, node.endpoint_stats().cookies_sent), (1, cookies));
        }
    });
}

#[test] // RFC 6347 §4.2.3
fn our_client_cuts_its_hello_where_datagrams_are_small() {
    let pki = pki(Kind::EcdsaP256);
    let theirs = gnutls::serv().identity(&pki.server(SERVER_NAME)).args(["--disable-client-cert", "--nocookie"]);
    let (peer, address) = theirs.listening();
    let config = default_client(&pki).with_transport(Transport { mtu: 256, ..Transport::default() });
    let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
    gnutls::check_server(&mut node, &peer);
    speaks_1_2(&node, &peer);
}
