//! X25519MLKEM768 with BoringSSL, which has no other hybrid group of these, and hellos in one datagram and in two.

use boring::ssl::Ssl;
use gramseal_interop::{client, server};
use gramseal_proto::config::{ClientConfigBuilder, Transport};
use gramseal_proto::wire::NamedGroup;
use gramseal_testkit::pki::TestPki;

use crate::talk::{Talk, Weather};
use crate::{ssl, their_client, their_server};

const HYBRID: NamedGroup = NamedGroup::X25519MLKEM768;

/// The largest datagram of who says hello, and how many a hello with a large share takes.
const SIZES: [(usize, usize); 3] = [(4000, 1), (1200, 2), (500, 3)];

fn transport(mtu: usize) -> Transport {
    Transport { mtu, ..Transport::default() }
}

fn our_client(pki: &TestPki, mtu: usize) -> ClientConfigBuilder {
    client(pki).with_transport(transport(mtu))
}

/// A client of theirs that sends datagrams of at most `mtu` bytes.
fn boring_client(pki: &TestPki, groups: &str, mtu: usize) -> Ssl {
    let mut theirs = ssl(their_client(pki, groups));
    theirs.set_mtu(u32::try_from(mtu).expect("small")).expect("not too small");
    theirs
}

fn connects(mut talk: Talk, group: NamedGroup) {
    talk.connect();
    assert_eq!(talk.agreed().group, Some(group));
    assert_eq!(talk.stream().ssl().curve(), Some(group.0));
    assert_eq!(talk.ours.stats().retransmissions, 0, "nothing was lost");
    talk.close();
}

#[test] // draft-ietf-tls-ecdhe-mlkem §4, RFC 9147 §5.5
fn our_large_share_at_once() {
    let pki = TestPki::new();
    for (mtu, datagrams) in SIZES {
        let config = our_client(&pki, mtu).with_large_share_at_once();
        let theirs = ssl(their_server(&pki, "X25519MLKEM768:X25519", false));
        let mut talk = Talk::client(config, theirs, Weather::Fine);
        assert_eq!(talk.first_datagrams().0 as usize, datagrams);
        connects(talk, HYBRID);
    }
}

#[test] // RFC 9846 §4.2.4
fn our_large_share_when_it_is_asked_for() {
    let pki = TestPki::new();
    for (mtu, _) in SIZES {
        // Beside a small one, and alone: then there is no share in the first hello. It asks for what it prefers.
        for groups in ["X25519MLKEM768", "X25519MLKEM768:X25519", "X25519:X25519MLKEM768"] {
            for config in [our_client(&pki, mtu), our_client(&pki, mtu).with_groups(&[HYBRID])] {
                let mut talk = Talk::client(config, ssl(their_server(&pki, groups, false)), Weather::Fine);
                assert_eq!(talk.first_datagrams().0, 1);
                connects(talk, HYBRID);
            }
        }
    }
}

#[test] // draft-ietf-tls-ecdhe-mlkem §4, RFC 9147 §5.5
fn their_large_share() {
    let pki = TestPki::new();
    for (mtu, datagrams) in SIZES {
        let theirs = boring_client(&pki, "X25519MLKEM768:X25519", mtu);
        let mut talk = Talk::server(server(&pki), theirs, Weather::Fine);
        assert_eq!(talk.first_datagrams().1, datagrams);
        connects(talk, HYBRID);
        // Through an endpoint, which puts both hellos together before it knows anything of who sends them.
        let theirs = boring_client(&pki, "X25519MLKEM768:X25519", mtu);
        connects(Talk::server_with_cookie(server(&pki), theirs), HYBRID);
    }
}

#[test] // RFC 9846 §4.2.4, RFC 9147 §5.1
fn their_large_share_when_we_ask_for_it_with_the_cookie() {
    let pki = TestPki::new();
    for (mtu, _) in SIZES {
        let theirs = boring_client(&pki, "X25519:X25519MLKEM768", mtu);
        connects(Talk::server_with_cookie(server(&pki), theirs), HYBRID);
    }
}

#[test] // RFC 9147 §5.8, §7.2
fn any_datagram_of_ours_may_get_lost_with_large_shares() {
    let pki = TestPki::new();
    let mut index = 0;
    loop {
        let weather = Weather::LosesOurs(index);
        let config = our_client(&pki, 500).with_large_share_at_once();
        let first = Talk::client(config, ssl(their_server(&pki, "X25519MLKEM768", false)), weather);
        let config = server(&pki).with_transport(transport(500));
        let second = Talk::server(config, boring_client(&pki, "X25519MLKEM768", 500), weather);
        let mut sent = 0;
        for mut talk in [first, second] {
            talk.connect();
            assert_eq!(talk.agreed().group, Some(HYBRID));
            sent = sent.max(talk.sent);
            talk.close();
        }
        if index >= sent {
            break;
        }
        index += 1;
    }
    assert!(index > 4, "flights of several datagrams");
}
