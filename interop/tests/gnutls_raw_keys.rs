//! Raw public keys (RFC 7250), in both roles and for both sides, against GnuTLS.

use gramseal_interop::{Node, Process, SERVER_NAME, Weather, for_each, gnutls, pki, provider, raw_identity, trust_key};
use gramseal_proto::config::{ClientAuth, ClientConfig, ServerConfig};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::{CertificateFault, CloseReason, Direction, Error};
use gramseal_testkit::pki::{TestIdentity, TestKeyKind as Kind};

/// Raw keys alone, on both sides.
const PRIORITY: &str = "NORMAL:-CTYPE-ALL:+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK";

/// The key of `from` as GnuTLS's to show.
fn theirs(peer: gnutls::GnuTls, from: &TestIdentity) -> gnutls::GnuTls {
    let peer = peer.file("--rawpkkeyfile", "key.pem", &from.key_pem);
    peer.file("--rawpkfile", "public.pem", &from.public_key_pem).priority(PRIORITY)
}

/// Both saw a raw key, and our side no certificate.
fn check(node: &Node, peer: &Process) {
    let negotiated = node.connection().negotiated().expect("connected");
    assert!(negotiated.peer_raw_public_key.is_some() && negotiated.peer_certificates.is_empty());
    let read = gnutls::read_extensions(peer);
    assert!(read.iter().any(|name| name == "Server Certificate Type/20"), "{read:?}");
    assert!(read.iter().any(|name| name == "Client Certificate Type/19"), "{read:?}");
}

#[test] // RFC 7250 §4
fn raw_keys_as_client() {
    for_each(&[Kind::EcdsaP256, Kind::EcdsaP384, Kind::Rsa2048], |kind| {
        let (client, server) = (pki(*kind).client("client.example"), pki(*kind).server(SERVER_NAME));
        let (peer, address) = theirs(gnutls::serv().args(["--require-client-cert"]), &server).listening();
        let config = ClientConfig::builder(provider(), trust_key(&server)).with_identity(raw_identity(&client));
        let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
        gnutls::check_server(&mut node, &peer);
        check(&node, &peer);
    });
}

#[test] // RFC 7250 §4
fn raw_keys_as_server() {
    for_each(&[Kind::EcdsaP256, Kind::EcdsaP384, Kind::Rsa2048], |kind| {
        let (client, server) = (pki(*kind).client("client.example"), pki(*kind).server(SERVER_NAME));
        let config = ServerConfig::builder(provider(), raw_identity(&server));
        let config = config.with_client_auth(ClientAuth::Required(trust_key(&client)));
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        // It has no way to name the key that it expects.
        let mut peer = theirs(gnutls::cli(node.local_addr()), &client).args(["--insecure"]).start();
        gnutls::check_client(&mut node, &mut peer);
        check(&node, &peer);
        assert!(peer.said("- Got 1 Raw public-key(s)."), "{}", peer.transcript());
    });
}

#[test] // RFC 7250 §6
fn an_unknown_raw_key_is_refused() {
    let kind = Kind::EcdsaP256;
    let (server, other) = (pki(kind).server(SERVER_NAME), pki(kind).server(SERVER_NAME));
    let (peer, address) = theirs(gnutls::serv().args(["--disable-client-cert"]), &server).listening();
    let config = ClientConfig::builder(provider(), trust_key(&other));
    let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
    let error = Error::from(CertificateFault::UnknownKey);
    let alert = error.alert().expect("our refusals tell the peer");
    assert_eq!(node.run_to_end(&peer), CloseReason::Failed(error));
    assert_eq!(node.watch().log().alerts(Direction::Sent), [alert]);
    peer.wait_for("A TLS fatal alert has been received.");
}
