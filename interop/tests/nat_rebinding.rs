//! Clients with connection ids behind a NAT that forgets them, with our server (RFC 9146 §6). None of them knows return
//! routability checks (RFC 9853), so that the server's policy decides.

use gramseal_interop::cids;
use gramseal_interop::compiled::{self, Library};
use gramseal_interop::{Nat, Node, Process, SERVER_NAME, Weather, default_server, for_each};
use gramseal_proto::config::{MovePolicy, Transport};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_testkit::pki::TestPki;

/// The clients, with their versions and what else they are told.
const CLIENTS: [(Library, ProtocolVersion, &[&str]); 3] = [
    (Library::WolfSsl, ProtocolVersion::DTLS1_2, &["--dtls", "1.2"]),
    (Library::WolfSsl, ProtocolVersion::DTLS1_3, &["--dtls", "1.3"]),
    (Library::MbedTls3, ProtocolVersion::DTLS1_2, &[]),
];

/// A server with this policy, and a client behind a NAT that has exchanged data with it.
fn connect(
    (library, version, options): &(Library, ProtocolVersion, &[&str]),
    move_policy: MovePolicy,
) -> (Node, Process, Nat) {
    let pki = TestPki::new();
    let transport = Transport { move_policy, ..Transport::default() };
    let config = default_server(&pki).with_connection_ids(cids::ours(Some(8))).with_transport(transport);
    let mut node = Node::server(config.with_versions(&[*version]), CookiePolicy::Required, Weather::default());
    let nat = Nat::new(node.local_addr());
    let peer = compiled::client(*library, nat.address()).trust(&pki);
    let mut peer = peer.args(["--name", SERVER_NAME, "--cid", "c1d2"]).args(*options).start();
    cids::check(&mut node, &mut peer, Some(8), "c1d2");
    assert!(!node.agreed().return_routability_check, "then this test could do more");
    (node, peer, nat)
}

fn port(node: &Node) -> Option<u16> {
    node.connection().peer().map(|peer| peer.port())
}

#[test] // RFC 9146 §6
fn clients_that_get_another_port_are_followed_where_that_is_wanted() {
    for_each(&CLIENTS, |client| {
        let (mut node, mut peer, nat) = connect(client, MovePolicy::FollowNewest);
        for round in 1..=3 {
            nat.rebind();
            compiled::exchange(&mut node, &mut peer, &format!("from port {round}"));
            assert_eq!(port(&node), Some(nat.port()), "{}", node.state());
        }
        assert_eq!(node.connection().stats().path_checks().unchecked_moves, 3, "{}", node.state());
    });
}

#[test] // RFC 9146 §6
fn clients_that_get_another_port_are_heard_and_not_followed_by_default() {
    for_each(&CLIENTS, |client| {
        let (mut node, mut peer, nat) = connect(client, MovePolicy::default());
        let before = port(&node);
        nat.rebind();
        peer.type_line("from elsewhere");
        node.run_until("what it says", &peer, |node| node.received("from elsewhere"));
        assert_eq!(port(&node), before);
        assert_ne!(before, Some(nat.port()));
    });
}
