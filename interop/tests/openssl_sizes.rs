//! max_fragment_length, in both roles, against OpenSSL, which does not know record_size_limit.

use gramseal_interop::{FRAGMENT_LENGTHS, Node, SERVER_NAME, Weather, client, for_each, openssl, pki, server, wide};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_testkit::pki::TestKeyKind;

#[test] // RFC 6066 §4
fn max_fragment_length_as_client() {
    let pki = pki(TestKeyKind::Rsa2048);
    for_each(&FRAGMENT_LENGTHS, |length| {
        let (mut peer, address) = openssl::s_server().identity(&pki.server(SERVER_NAME)).listening();
        // OpenSSL skips the extension that it does not know, and answers the older one.
        let config = client(&pki).with_max_fragment_length(*length).with_record_size_limit(64);
        let mut node = Node::client(config.with_transport(wide()), SERVER_NAME, address, Weather::default());
        openssl::check(&mut node, &mut peer);
        assert_eq!(node.connection().max_payload(), usize::from(*length));
    });
}

#[test] // RFC 6066 §4
fn max_fragment_length_as_server() {
    let pki = pki(TestKeyKind::Rsa2048);
    for_each(&FRAGMENT_LENGTHS, |length| {
        let config = server(&pki).with_transport(wide());
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let peer = openssl::s_client(node.local_addr()).args(["-maxfraglen", &length.to_string()]);
        let mut peer = peer.trust(&pki).start();
        openssl::check(&mut node, &mut peer);
        assert_eq!(node.connection().max_payload(), usize::from(*length));
    });
}
