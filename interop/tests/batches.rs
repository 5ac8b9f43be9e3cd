//! Batches that the system cuts into datagrams, as others read them.

use std::sync::Arc;

use gramseal::blocking::{Connection, Endpoint};
use gramseal_interop::compiled::{self, Library};
use gramseal_interop::{Process, SERVER_NAME, client, openssl};
use gramseal_proto::config::ClientConfigBuilder;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_testkit::pki::TestPki;

/// Sends lines of one length, more than fit into one batch, and a shorter one; the peer prints what it reads.
fn send_batches(config: ClientConfigBuilder, version: ProtocolVersion, address: std::net::SocketAddr, peer: &Process) {
    let config = config.with_versions(&[version]).build().expect("a configuration that works");
    let endpoint = Endpoint::client("127.0.0.1:0").expect("a free port");
    let connection: Connection = endpoint.connect(address, SERVER_NAME, Arc::new(config)).expect("a handshake");
    let mut lines: Vec<String> = (100..180).map(|n| format!("line {n} of a batch\n")).collect();
    lines.push("the last\n".to_owned());
    assert_eq!(connection.send_many_wait(&lines).expect("a connection"), lines.len());
    for line in &lines {
        peer.wait_for(line.trim_end());
    }
    connection.close();
}

#[test]
fn openssl_reads_batches() {
    let pki = TestPki::new();
    let (peer, address) = openssl::s_server().identity(&pki.server(SERVER_NAME)).listening();
    send_batches(client(&pki), ProtocolVersion::DTLS1_2, address, &peer);
}

#[test]
fn wolfssl_reads_batches() {
    let pki = TestPki::new();
    let (peer, address) = compiled::server(Library::WolfSsl).identity(&pki.server(SERVER_NAME)).listening();
    send_batches(client(&pki), ProtocolVersion::DTLS1_3, address, &peer);
}
