//! Sessions of 1.2 by session id (RFC 5246 §7.3) and by ticket (RFC 5077), in both roles, against the libraries whose
//! sessions of 1.3 are resumed elsewhere: BoringSSL and wolfSSL.

use gramseal_interop::compiled::{self, Library};
use gramseal_interop::sessions::{Resumption, Sessions, resumed};
use gramseal_interop::{Node, SERVER_NAME, Weather, client, for_each, identity, server, trust};
use gramseal_proto::config::ClientAuth;
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_testkit::pki::TestPki;

const LIBRARIES: [Library; 2] = [Library::BoringSsl, Library::WolfSsl];

const VERSIONS: [ProtocolVersion; 1] = [ProtocolVersion::DTLS1_2];

#[test] // RFC 5246 §7.3, RFC 5077 §3.1
fn a_session_is_resumed_as_client() {
    for_each(&LIBRARIES, |library| {
        let (pki, sessions) = (TestPki::new(), Sessions::new());
        let theirs = compiled::server(*library).identity(&pki.server(SERVER_NAME)).trust(&pki);
        let (mut peer, address) = theirs.args(["--dtls", "1.2"]).listening();
        let who = identity(&pki.client("client.example"));
        let rounds = [(); 3].map(|()| {
            peer.forget();
            let config = sessions.client(client(&pki).with_identity(who.clone())).with_versions(&VERSIONS);
            let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
            compiled::check(&mut node, &mut peer);
            assert!(!node.agreed().peer_certificates.is_empty(), "who the server is stays known");
            node.close();
            peer.wait_for("CLOSED BY PEER");
            let theirs = peer.value("SESSION ").as_deref() == Some("resumed");
            assert_eq!(resumed(&node), theirs, "{}", peer.transcript());
            theirs
        });
        assert_eq!(rounds, [false, true, true]);
    });
}

#[test] // RFC 5246 §7.3, RFC 5077 §3.1
fn a_session_is_resumed_as_server() {
    let kinds = LIBRARIES.iter().flat_map(|library| Resumption::BOTH.map(|kind| (*library, kind)));
    for_each(&kinds.collect::<Vec<_>>(), |(library, kind)| {
        let (pki, sessions) = (TestPki::new(), Sessions::new());
        let config = sessions.server(server(&pki).with_client_auth(ClientAuth::Required(trust(&pki))), *kind);
        let mut node = Node::server(config.with_versions(&VERSIONS), CookiePolicy::Required, Weather::default());
        let who = pki.client("client.example");
        let theirs = compiled::client(*library, node.local_addr()).trust(&pki).identity(&who);
        let mut peer = theirs.args(["--name", SERVER_NAME, "--dtls", "1.2", "--resume", "on"]).start();
        compiled::comes_again(&mut node, &mut peer);
        kind.check(&node);
        assert!(!node.agreed().peer_certificates.is_empty(), "who the client is stays known");
    });
}
