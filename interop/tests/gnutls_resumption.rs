//! Resumption by session id (RFC 5246 §7.3) and by ticket (RFC 5077), in both roles, against GnuTLS.

use gramseal_interop::sessions::{Resumption, Sessions, resumed};
use gramseal_interop::{Node, SERVER_NAME, Weather, client, for_each, gnutls, identity, server, trust};
use gramseal_proto::CloseReason;
use gramseal_proto::config::ClientAuth;
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_testkit::pki::TestPki;

#[test] // RFC 5246 §7.3, RFC 5077 §3.1
fn a_session_is_resumed_as_client() {
    for_each(&Resumption::BOTH, |kind| {
        let (pki, sessions) = (TestPki::new(), Sessions::new());
        let peer = gnutls::serv().identity(&pki.server(SERVER_NAME)).require_client(&pki);
        let (peer, address) = peer.args((*kind == Resumption::Id).then_some("--noticket")).listening();
        let who = identity(&pki.client("client.example"));
        let rounds = [(); 3].map(|()| {
            let config = sessions.client(client(&pki).with_identity(who.clone()));
            let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
            gnutls::check_server(&mut node, &peer);
            kind.check(&node);
            node.close();
            peer.forget();
            resumed(&node)
        });
        assert_eq!(rounds, [false, true, true]);
    });
}

#[test] // RFC 5246 §7.3, RFC 5077 §3.1
fn a_session_is_resumed_as_server() {
    for_each(&Resumption::BOTH, |kind| {
        let (pki, sessions) = (TestPki::new(), Sessions::new());
        let config = sessions.server(server(&pki).with_client_auth(ClientAuth::Required(trust(&pki))), *kind);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let peer = gnutls::cli(node.local_addr()).trust(&pki).identity(&pki.client("client.example"));
        let peer = peer.args(["--verify-hostname", SERVER_NAME, "--resume"]);
        let mut peer = peer.args((*kind == Resumption::Id).then_some("--noticket")).start();
        // It leaves the first connection by itself, and comes again.
        assert_eq!(node.run_to_end(&peer), CloseReason::Peer);
        assert!(node.is_connected() && !resumed(&node));
        kind.check(&node);
        node.next();
        gnutls::check_resumed_client(&mut node, &mut peer);
        assert!(resumed(&node));
        kind.check(&node);
    });
}
