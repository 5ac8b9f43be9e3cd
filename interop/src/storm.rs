//! Handshakes with certificates on either side, in a network that loses and repeats datagrams.

use std::sync::atomic::{AtomicU32, Ordering};

use gramseal_proto::config::{ClientAuth, ClientConfigBuilder, ServerConfigBuilder};
use gramseal_testkit::pki::TestPki;

use crate::{Node, Weather, client, for_each, identity, pieces, server, trust};

/// Has `connect` connect in the storm of each seed; the certificates are too big for one datagram.
///
/// # Panics
/// If one does not connect, or if nothing was lost in all of them together.
pub fn in_storms(seeds: &[u64], connect: impl Fn(&TestPki, Weather) -> Node + Sync) {
    let lost = AtomicU32::new(0);
    for_each(seeds, |seed| {
        let node = connect(&TestPki::new().with_padding(1000), Weather::storm(*seed));
        lost.fetch_add(node.lost(), Ordering::Relaxed);
    });
    assert!(lost.into_inner() > 0, "the network was too good to test anything");
}

/// Our client, with a certificate, and several datagrams a flight.
pub fn stormy_client(pki: &TestPki) -> ClientConfigBuilder {
    client(pki).with_transport(pieces()).with_identity(identity(&pki.client("client.example")))
}

/// Our server, which requires a certificate, and several datagrams a flight.
pub fn stormy_server(pki: &TestPki) -> ServerConfigBuilder {
    server(pki).with_transport(pieces()).with_client_auth(ClientAuth::Required(trust(pki)))
}
