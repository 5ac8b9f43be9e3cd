//! Connection ids in DTLS 1.2 and 1.3, in both roles, against wolfSSL (RFC 9146, RFC 9147 §9).

use gramseal_interop::cids;
use gramseal_interop::compiled::{self, Compiled, Library};
use gramseal_interop::{
    Node, Process, SERVER_NAME, Weather, default_client, default_server, for_each, in_storms, stormy_client,
};
use gramseal_proto::config::{ClientConfigBuilder, ConnectionIds, ServerConfigBuilder, Transport};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::wire::handshake::ConnectionIdUsage::Immediate;
use gramseal_proto::{Instant, Timer};
use gramseal_testkit::pki::TestPki;

/// Versions with wolfSSL's names for them.
const VERSIONS: [(ProtocolVersion, &str); 2] = [(ProtocolVersion::DTLS1_2, "1.2"), (ProtocolVersion::DTLS1_3, "1.3")];

/// Our ids, and its own: none, short, long.
fn cases() -> Vec<((ProtocolVersion, &'static str), Option<u8>, &'static str)> {
    let long = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f";
    let ids = [(Some(8), "none"), (None, "c1d2e3"), (Some(4), "c1"), (Some(255), long), (None, "none")];
    VERSIONS.into_iter().flat_map(|version| ids.map(|(ours, theirs)| (version, ours, theirs))).collect()
}

fn to_wolfssl(
    config: ClientConfigBuilder,
    pki: &TestPki,
    (version, name): (ProtocolVersion, &str),
    cid: &str,
    weather: Weather,
) -> (Node, Process) {
    let peer = compiled::server(Library::WolfSsl).identity(&pki.server(SERVER_NAME));
    let (peer, address) = peer.args(["--dtls", name, "--cid", cid]).listening();
    (Node::client(config.with_versions(&[version]), SERVER_NAME, address, weather), peer)
}

fn from_wolfssl(
    config: ServerConfigBuilder,
    pki: &TestPki,
    (version, name): (ProtocolVersion, &str),
    cid: &str,
    weather: Weather,
) -> (Node, Process) {
    let node = Node::server(config.with_versions(&[version]), CookiePolicy::Required, weather);
    let peer: Compiled = compiled::client(Library::WolfSsl, node.local_addr());
    let peer = peer.trust(pki).args(["--name", SERVER_NAME, "--dtls", name, "--cid", cid]).start();
    (node, peer)
}

#[test] // RFC 9146 §3, RFC 9147 §9
fn ids_of_either_side_as_client() {
    for_each(&cases(), |(version, ours, theirs)| {
        let pki = TestPki::new();
        let config = default_client(&pki).with_connection_ids(cids::ours(*ours));
        let (mut node, mut peer) = to_wolfssl(config, &pki, *version, theirs, Weather::default());
        cids::check(&mut node, &mut peer, *ours, theirs);
        node.close();
        peer.wait_for("CLOSED BY PEER");
    });
}

#[test] // RFC 9146 §3, RFC 9147 §9
fn ids_of_either_side_as_server() {
    for_each(&cases(), |(version, ours, theirs)| {
        let pki = TestPki::new();
        let config = default_server(&pki).with_connection_ids(cids::ours(*ours));
        let (mut node, mut peer) = from_wolfssl(config, &pki, *version, theirs, Weather::default());
        cids::check(&mut node, &mut peer, *ours, theirs);
    });
}

#[test] // RFC 9146 §3
fn who_does_not_speak_of_ids_gets_none() {
    for_each(&VERSIONS, |version| {
        let pki = TestPki::new();
        let config = default_client(&pki).with_connection_ids(ConnectionIds::Off);
        let (mut node, mut peer) = to_wolfssl(config, &pki, *version, "c1d2", Weather::default());
        compiled::check(&mut node, &mut peer);
        assert_eq!(node.agreed().cids, None);
        let config = default_server(&pki).with_connection_ids(ConnectionIds::Off);
        let (mut node, mut peer) = from_wolfssl(config, &pki, *version, "c1d2", Weather::default());
        compiled::check(&mut node, &mut peer);
        assert_eq!(node.agreed().cids, None);
    });
}

/// Gives new ids three times, and asks for some, which it does not have.
fn change(node: &mut Node, peer: &mut Process) {
    cids::check(node, peer, Some(8), "c1d2");
    for round in 1..=3_usize {
        node.act(|connection| connection.issue_cids(1, Immediate)).expect("the last one has arrived");
        let fresh = node.connection().own_cids().last().expect("some").clone();
        let arrived =
            |node: &Node| node.connection().poll_timeout().is_some_and(|(_, timer)| timer == Timer::PreviousCids);
        node.run_until("an acknowledgement", peer, arrived);
        assert!(node.latest()[1..].starts_with(&fresh), "it has the new id already");
        compiled::exchange(node, peer, &format!("with new id {round}"));
        assert!(node.latest()[1..].starts_with(&fresh), "round {round}");
        // So that the next acknowledgement shows.
        node.act(|connection| connection.handle_timeout(Instant::now() + Transport::default().previous_keys_kept));
        assert_eq!(node.connection().own_cids(), [fresh]);
    }
    node.act(|connection| connection.request_cids(2)).expect("nothing was asked before");
    compiled::exchange(node, peer, "and on");
    assert_eq!(node.connection().spare_cids(), 0);
}

#[test] // RFC 9147 §9
fn new_ids_are_used_at_once() {
    let pki = TestPki::new();
    let config = default_client(&pki).with_connection_ids(cids::ours(Some(8)));
    let (mut node, mut peer) = to_wolfssl(config, &pki, VERSIONS[1], "c1d2", Weather::default());
    change(&mut node, &mut peer);
    let config = default_server(&pki).with_connection_ids(cids::ours(Some(8)));
    let (mut node, mut peer) = from_wolfssl(config, &pki, VERSIONS[1], "c1d2", Weather::default());
    change(&mut node, &mut peer);
}

#[test]
fn lossy_network_with_ids() {
    in_storms(&[1, 2], |pki, weather| {
        let config = stormy_client(pki).with_connection_ids(cids::ours(Some(8)));
        let version = VERSIONS[usize::from(weather.seed % 2 == 0)];
        let (mut node, mut peer) = to_wolfssl(config, pki, version, "c1d2", weather);
        compiled::check(&mut node, &mut peer);
        node
    });
}
