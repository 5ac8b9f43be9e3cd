//! X25519MLKEM768 with BoringSSL, which has no other hybrid group of these, and hellos in one datagram and in several.

use gramseal_interop::compiled::{self, Compiled, Library, from_client13, to_server13};
use gramseal_interop::{Node, Process, Weather, client, for_each, server};
use gramseal_proto::Direction;
use gramseal_proto::config::{ClientConfigBuilder, Transport};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::{HandshakeType, NamedGroup};
use gramseal_testkit::pki::TestPki;

use crate::losses::{lose_each, pieces};
use crate::{boringssl, both, from_boringssl};

const HYBRID: NamedGroup = NamedGroup::X25519MLKEM768;

/// The largest datagram of who says hello, and how many a hello with a large share takes.
const SIZES: [(usize, u32); 3] = [(4000, 1), (1200, 2), (500, 3)];

fn our_client(pki: &TestPki, mtu: usize) -> ClientConfigBuilder {
    client(pki).with_transport(Transport { mtu, ..Transport::default() })
}

/// A client of theirs that sends datagrams of at most `mtu` bytes, and none of them twice while a test lasts.
fn theirs(groups: &str, mtu: usize) -> impl Fn(Compiled) -> Compiled {
    move |peer| peer.args(["--groups", groups, "--mtu", &mtu.to_string(), "--timeout", "60000"])
}

fn connects((mut node, mut peer): (Node, Process)) {
    compiled::check(&mut node, &mut peer);
    assert_eq!(node.agreed().group, Some(HYBRID));
}

#[test] // draft-ietf-tls-ecdhe-mlkem §4, RFC 9147 §5.5
fn our_large_share_at_once() {
    for_each(&SIZES, |(mtu, datagrams)| {
        let pki = TestPki::new();
        let config = our_client(&pki, *mtu).with_large_share_at_once();
        let peer = boringssl(&pki).args(["--groups", "X25519MLKEM768:X25519"]);
        let (node, peer) = to_server13(config, peer, Weather::default());
        assert_eq!(node.moved(), [*datagrams, 0]);
        connects((node, peer));
    });
}

#[test] // RFC 9846 §4.2.4
fn our_large_share_when_it_is_asked_for() {
    for_each(&SIZES, |(mtu, _)| {
        let pki = TestPki::new();
        // Beside a small one, and alone: then there is no share in the first hello. It asks for what it prefers.
        for groups in ["X25519MLKEM768", "X25519MLKEM768:X25519", "X25519:X25519MLKEM768"] {
            for config in [our_client(&pki, *mtu), our_client(&pki, *mtu).with_groups(&[HYBRID])] {
                let peer = boringssl(&pki).args(["--groups", groups]);
                let (node, peer) = to_server13(config, peer, Weather::default());
                assert_eq!(node.moved(), [1, 0]);
                connects((node, peer));
            }
        }
    });
}

#[test] // draft-ietf-tls-ecdhe-mlkem §4, RFC 9147 §5.5
fn their_large_share() {
    for_each(&SIZES, |(mtu, datagrams)| {
        let pki = TestPki::new();
        let options = theirs("X25519MLKEM768:X25519", *mtu);
        // With a cookie, the endpoint puts both hellos together before it knows anything of who sends them.
        connects(from_boringssl(server(&pki), &pki, Weather::default(), &options));
        let (mut node, peer) =
            from_client13(Library::BoringSsl, CookiePolicy::Off, server(&pki), &pki, Weather::default(), options);
        let answered = |node: &Node| node.watch().log().saw(Direction::Sent, HandshakeType::SERVER_HELLO);
        node.run_until("our answer", &peer, answered);
        assert_eq!(node.moved()[1], *datagrams);
        connects((node, peer));
    });
}

#[test] // RFC 9846 §4.2.4, RFC 9147 §5.1
fn their_large_share_when_we_ask_for_it_with_the_cookie() {
    for_each(&SIZES, |(mtu, _)| {
        let pki = TestPki::new();
        connects(from_boringssl(server(&pki), &pki, Weather::default(), theirs("X25519:X25519MLKEM768", *mtu)));
    });
}

#[test] // RFC 9147 §5.8, §7.2
fn any_datagram_of_either_side_may_get_lost_with_large_shares() {
    for_each(&[Direction::Sent, Direction::Received], |direction| {
        let pki = TestPki::new();
        let times = lose_each(*direction, |weather| {
            both(
                &pki,
                weather,
                |config| config.with_large_share_at_once().with_transport(pieces(500)),
                |config| config.with_transport(pieces(500)),
                |peer| peer.args(["--groups", "X25519MLKEM768", "--mtu", "500", "--timeout", "100"]),
            )
        });
        assert!(times > 4, "flights of several datagrams");
    });
}
