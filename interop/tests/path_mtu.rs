//! Searches for the largest datagram (RFC 8899) with peers that know nothing of it: padded KeyUpdates are for them
//! KeyUpdates as any other. wolfSSL and BoringSSL, both roles.

use gramseal_interop::compiled::{self, Library, exchange, from_client13, to_server13};
use gramseal_interop::{SERVER_NAME, Weather, client, for_each, server};
use gramseal_proto::config::Transport;
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_testkit::pki::TestPki;

#[test] // RFC 8899 §5.3, RFC 9147 §7.1
fn larger_datagrams_are_found_with_either_library_in_either_role() {
    for_each(&[Library::WolfSsl, Library::BoringSsl], |library| {
        let pki = TestPki::new();
        let transport = || Transport { mtu: 600, max_mtu: Some(1400), ..Transport::default() };
        let theirs = compiled::server(*library).identity(&pki.server(SERVER_NAME));
        let config = client(&pki).with_transport(transport());
        let from_us = to_server13(config, theirs, Weather::default());
        let config = server(&pki).with_transport(transport());
        let to_us = from_client13(*library, CookiePolicy::Required, config, &pki, Weather::default(), |peer| peer);
        for (mut node, mut peer) in [from_us, to_us] {
            compiled::check(&mut node, &mut peer);
            node.run_until("a larger MTU", &peer, |node| node.connection().mtu() == 1400);
            exchange(&mut node, &mut peer, &"as long as it may be ".repeat(60));
        }
    });
}
