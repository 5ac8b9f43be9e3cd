//! Raw public keys (RFC 7250) of DTLS 1.3, in both roles and for both sides, against wolfSSL.

use gramseal_interop::compiled::{self, Library};
use gramseal_interop::{Node, Process, SERVER_NAME, Weather, for_each, pki, provider, raw_identity, trust_key};
use gramseal_proto::config::{ClientAuth, ClientConfig, ServerConfig};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::{CertificateFault, CloseReason, Direction, Error, Incompatible};
use gramseal_testkit::pki::{TestIdentity, TestKeyKind as Kind};

const VERSIONS: [ProtocolVersion; 1] = [ProtocolVersion::DTLS1_3];

/// It does not sign with an Ed25519 key without a certificate.
const KINDS: [Kind; 3] = [Kind::EcdsaP256, Kind::EcdsaP384, Kind::Rsa2048];

fn both_sides(kind: Kind) -> (TestIdentity, TestIdentity) {
    (pki(kind).client("client.example"), pki(kind).server(SERVER_NAME))
}

/// Our client, which trusts the key of `trusted`, with their server.
fn to_wolfssl(client: &TestIdentity, server: &TestIdentity, trusted: &TestIdentity) -> (Node, Process) {
    let (peer, address) = compiled::server(Library::WolfSsl).raw_keys(server, Some(client)).listening();
    let config = ClientConfig::builder(provider(), trust_key(trusted)).with_identity(raw_identity(client));
    (Node::client(config.with_versions(&VERSIONS), SERVER_NAME, address, Weather::default()), peer)
}

/// Our server, which trusts the key of `trusted`, with their client.
fn from_wolfssl(client: &TestIdentity, server: &TestIdentity, trusted: &TestIdentity) -> (Node, Process) {
    let config = ServerConfig::builder(provider(), raw_identity(server));
    let config = config.with_client_auth(ClientAuth::Required(trust_key(trusted))).with_versions(&VERSIONS);
    let node = Node::server(config, CookiePolicy::Required, Weather::default());
    let peer = compiled::client(Library::WolfSsl, node.local_addr()).raw_keys(client, Some(server)).start();
    (node, peer)
}

#[track_caller]
fn check(node: &mut Node, peer: &mut Process) {
    compiled::check(node, peer);
    let agreed = node.connection().negotiated().expect("connected");
    assert!(agreed.peer_raw_public_key.is_some() && agreed.peer_certificates.is_empty());
}

#[test] // RFC 7250 §4, RFC 9846 §4.5.1
fn raw_keys_of_1_3_as_client() {
    for_each(&KINDS, |kind| {
        let (client, server) = both_sides(*kind);
        let (mut node, mut peer) = to_wolfssl(&client, &server, &server);
        check(&mut node, &mut peer);
    });
}

#[test] // RFC 7250 §4, RFC 9846 §4.5.1
fn raw_keys_of_1_3_as_server() {
    for_each(&KINDS, |kind| {
        let (client, server) = both_sides(*kind);
        let (mut node, mut peer) = from_wolfssl(&client, &server, &client);
        check(&mut node, &mut peer);
    });
}

#[test] // RFC 7250 §6
fn unknown_raw_keys_of_1_3_are_refused() {
    let (client, server) = both_sides(Kind::EcdsaP256);
    let (_, other) = both_sides(Kind::EcdsaP256);
    let as_client = to_wolfssl(&client, &server, &other);
    let as_server = from_wolfssl(&client, &server, &other);
    for (mut node, peer) in [as_client, as_server] {
        let error = Error::from(CertificateFault::UnknownKey);
        let alert = error.alert().expect("our refusals tell the peer");
        assert_eq!(node.run_to_end(&peer), CloseReason::Failed(error));
        assert_eq!(node.watch().log().alerts(Direction::Sent), [alert]);
    }
}

#[test] // RFC 7250 §4.2
fn a_wolfssl_client_that_takes_certificates_alone_is_told_so() {
    let (_, server) = both_sides(Kind::EcdsaP256);
    let config = ServerConfig::builder(provider(), raw_identity(&server)).with_versions(&VERSIONS);
    let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
    let peer = compiled::client(Library::WolfSsl, node.local_addr()).trust(&pki(Kind::EcdsaP256)).start();
    let error = Error::from(Incompatible::NoCommonCertificateType);
    let alert = error.alert().expect("our refusals tell the peer");
    assert_eq!(node.run_to_end(&peer), CloseReason::Failed(error));
    assert_eq!(node.watch().log().alerts(Direction::Sent), [alert]);
}
