//! Sessions of 1.3: our client's with BoringSSL's tickets, and BoringSSL's with ours.

use gramseal_interop::compiled::{self, Compiled, Library, from_client13};
use gramseal_interop::sessions::{Resumption, Sessions, resumed};
use gramseal_interop::{Node, SERVER_NAME, Weather, client, for_each, identity, server, trust};
use gramseal_proto::config::ClientAuth;
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::{NamedGroup, ProtocolVersion};
use gramseal_testkit::pki::TestPki;

use crate::boringssl;

#[test] // RFC 9846 §2.2
fn a_session_is_resumed_as_client_with_its_group_or_after_a_retry() {
    for_each(&[("X25519", NamedGroup::X25519), ("P-256", NamedGroup::SECP256R1)], |(groups, group)| {
        for asked in [false, true] {
            let (pki, sessions) = (TestPki::new(), Sessions::new());
            let theirs = boringssl(&pki).args(["--groups", groups]);
            let theirs = if asked { theirs.trust(&pki) } else { theirs };
            let (mut peer, address) = theirs.listening();
            let who = identity(&pki.client("client.example"));
            for again in [false, true, true] {
                peer.forget();
                let config = sessions.client(client(&pki).with_identity(who.clone()));
                let config = config.with_versions(&[ProtocolVersion::DTLS1_3]);
                let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
                compiled::check(&mut node, &mut peer);
                let theirs = peer.value("SESSION ").as_deref() == Some("resumed");
                assert_eq!((resumed(&node), theirs), (again, again), "{}", peer.transcript());
                assert_eq!(node.agreed().group, Some(*group));
                assert!(!node.agreed().peer_certificates.is_empty(), "who the server is stays known");
                node.close();
                peer.wait_for("CLOSED BY PEER");
            }
        }
    });
}

#[test] // RFC 9846 §2.2, §4.7.1
fn a_session_is_resumed_as_server_with_its_share_or_after_a_retry() {
    for_each(&Resumption::BOTH, |kind| {
        for groups in ["X25519", "P-256:X25519"] {
            for cookies in [CookiePolicy::Required, CookiePolicy::Off] {
                let (pki, sessions) = (TestPki::new(), Sessions::new());
                let config = server(&pki).with_client_auth(ClientAuth::Required(trust(&pki)));
                let config = sessions.server(config, *kind).with_groups(&[NamedGroup::X25519]);
                let who = pki.client("client.example");
                let options = |peer: Compiled| peer.identity(&who).args(["--groups", groups, "--resume", "on"]);
                let (mut node, mut peer) =
                    from_client13(Library::BoringSsl, cookies, config, &pki, Weather::default(), options);
                compiled::comes_again(&mut node, &mut peer);
                assert_eq!(node.agreed().peer_certificates, who.chain, "who the client is stays known");
            }
        }
    });
}
