//! What must not connect with OpenSSL: the alert on the wire and our error, each exactly.

use gramseal_interop::{Node, SERVER_NAME, Weather, client, for_each, identity, openssl, pki, provider, server, trust};
use gramseal_proto::config::{ClientAuth, ClientConfigBuilder, ServerConfig, ServerConfigBuilder};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::{AlertDescription as Alert, CipherSuite as Suite, NamedGroup as Group};
use gramseal_proto::{AlertReceived, CertificateFault, CloseReason, Direction, Error, Incompatible};
use gramseal_testkit::pki::{TestIdentity, TestKeyKind as Kind, TestPki};

/// Our client refuses OpenSSL's server: our error, and the alert as OpenSSL reports it.
fn we_refuse_server(config: ClientConfigBuilder, peer: openssl::OpenSsl, error: impl Into<Error>) {
    let (peer, address) = peer.listening();
    let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
    refused_by_us(&mut node, &peer, error.into());
}

/// Our server refuses OpenSSL's client.
fn we_refuse_client(
    config: ServerConfigBuilder,
    peer: impl Fn(openssl::OpenSsl) -> openssl::OpenSsl,
    error: impl Into<Error>,
) {
    let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
    let peer = peer(openssl::s_client(node.local_addr())).start();
    refused_by_us(&mut node, &peer, error.into());
}

fn refused_by_us(node: &mut Node, peer: &gramseal_interop::Process, error: Error) {
    let alert = error.alert().expect("our refusals tell the peer");
    assert_eq!(node.run_to_end(peer), CloseReason::Failed(error));
    assert!(!node.is_connected());
    assert_eq!(node.watch().log().alerts(Direction::Sent), [alert]);
    peer.wait_for(&format!("SSL alert number {}", alert.0));
}

/// OpenSSL refuses us: in an alert that nothing protects, so that we believe it after a while.
fn refused_by_openssl(mut node: Node, peer: &gramseal_interop::Process, description: Alert) {
    let alert = AlertReceived { description, authenticated: false };
    assert_eq!(node.run_to_end(peer), CloseReason::Failed(Error::AlertReceived(alert)), "{}", peer.transcript());
    assert!(!node.is_connected());
}

/// A certificate whose issuer nobody knows: its intermediate stays hidden.
fn unknown(pki: TestPki, issue: impl Fn(&TestPki) -> TestIdentity) -> TestIdentity {
    let mut identity = issue(&pki.with_intermediate());
    let end = identity.chain_pem.find("-----END CERTIFICATE-----\n").expect("PEM") + 26;
    identity.chain_pem.truncate(end);
    identity.chain.truncate(1);
    identity
}

fn s_server(identity: &TestIdentity) -> openssl::OpenSsl {
    openssl::s_server().identity(identity)
}

#[test]
fn bad_servers_are_refused() {
    let pki = TestPki::new();
    // An authority of the same name with another key.
    let stranger = TestPki::new();
    for_each(
        &[
            (unknown(TestPki::new(), |pki| pki.server(SERVER_NAME)), CertificateFault::UnknownIssuer),
            (stranger.server(SERVER_NAME), CertificateFault::BadSignature),
            (pki.server("another.example"), CertificateFault::NameMismatch),
            (pki.expired(SERVER_NAME), CertificateFault::Expired),
            (pki.not_yet_valid(SERVER_NAME), CertificateFault::NotYetValid),
            (pki.client(SERVER_NAME), CertificateFault::WrongPurpose),
        ],
        |(identity, fault)| we_refuse_server(client(&pki), s_server(identity), *fault),
    );
}

#[test]
fn bad_clients_are_refused() {
    let pki = TestPki::new();
    // An authority of the same name with another key.
    let stranger = TestPki::new();
    for_each(
        &[
            (
                Some(unknown(TestPki::new(), |pki| pki.client("client.example"))),
                Error::Certificate(CertificateFault::UnknownIssuer),
            ),
            (Some(stranger.client("client.example")), Error::Certificate(CertificateFault::BadSignature)),
            (Some(pki.expired("client.example")), Error::Certificate(CertificateFault::Expired)),
            (Some(pki.server("client.example")), Error::Certificate(CertificateFault::WrongPurpose)),
            (None, Error::Incompatible(Incompatible::CertificateRequired)),
        ],
        |(identity, error)| {
            let config = server(&pki).with_client_auth(ClientAuth::Required(trust(&pki)));
            let peer = |peer: openssl::OpenSsl| match identity {
                Some(identity) => peer.identity(identity),
                None => peer,
            };
            we_refuse_client(config, peer, error.clone());
        },
    );
}

#[test]
fn a_bad_certificate_is_refused_even_where_none_is_needed() {
    let pki = TestPki::new();
    let stranger = unknown(TestPki::new(), |pki| pki.client("client.example"));
    let config = server(&pki).with_client_auth(ClientAuth::Optional(trust(&pki)));
    we_refuse_client(config, |peer| peer.identity(&stranger), CertificateFault::UnknownIssuer);
}

#[test]
fn nothing_in_common_with_a_client() {
    let pki = TestPki::new();
    let p256 = || server(&pki).with_groups(&[Group::SECP256R1]);
    we_refuse_client(
        server(&pki),
        |peer| peer.cipher("ECDHE-RSA-AES128-GCM-SHA256"),
        Incompatible::NoCommonCipherSuite,
    );
    we_refuse_client(
        p256(),
        |peer| peer.cipher("ECDHE-ECDSA-AES128-GCM-SHA256").args(["-groups", "X25519"]),
        Incompatible::NoCommonGroup,
    );
    we_refuse_client(
        server(&pki),
        // Without any ECDSA scheme it would not offer the suite; without ours, it does.
        |peer| peer.cipher("ECDHE-ECDSA-AES128-GCM-SHA256").args(["-sigalgs", "ECDSA+SHA224:RSA+SHA256"]),
        Incompatible::NoCommonSignatureScheme,
    );
    we_refuse_client(
        server(&pki).with_alpn(["coap"]),
        |peer| peer.args(["-alpn", "echo"]),
        Incompatible::NoCommonApplicationProtocol,
    );
}

#[test] // RFC 8996
fn old_versions_are_refused_to_clients() {
    let pki = TestPki::new();
    // Our endpoint reads the hello as any other; the refusal is the handshake's.
    we_refuse_client(
        server(&pki),
        |peer| peer.version("-dtls1").cipher("ALL@SECLEVEL=0"),
        Incompatible::NoCommonVersion,
    );
}

#[test] // RFC 8996
fn old_versions_are_refused_to_servers() {
    let pki = TestPki::new();
    // OpenSSL's server refuses first: our suites need 1.2.
    let peer = s_server(&pki.server(SERVER_NAME)).version("-dtls1").cipher("ALL@SECLEVEL=0").without_listen();
    let (peer, address) = peer.listening();
    let node = Node::client(client(&pki), SERVER_NAME, address, Weather::default());
    refused_by_openssl(node, &peer, Alert::HANDSHAKE_FAILURE);
    peer.wait_for("no shared cipher");
}

#[test]
fn openssl_refuses_our_server() {
    let pki = TestPki::new();
    // An authority of the same name with another key.
    let stranger = TestPki::new();
    for_each(
        &[
            (stranger.server(SERVER_NAME), Alert::UNKNOWN_CA),
            (pki.server("another.example"), Alert::BAD_CERTIFICATE),
            (pki.expired(SERVER_NAME), Alert::CERTIFICATE_EXPIRED),
            (pki.client(SERVER_NAME), Alert::UNSUPPORTED_CERTIFICATE),
        ],
        |(shown, alert)| {
            let config = ServerConfig::builder(provider(), identity(shown));
            let node = Node::server(config, CookiePolicy::Required, Weather::default());
            let peer = openssl::s_client(node.local_addr()).trust(&pki);
            let peer = peer.args(["-verify_hostname", SERVER_NAME]).start();
            refused_by_openssl(node, &peer, *alert);
        },
    );
}

#[test]
fn openssl_refuses_our_client() {
    let pki = TestPki::new();
    // An authority of the same name with another key.
    let stranger = TestPki::new();
    for_each(
        &[
            (Some(stranger.client("client.example")), Alert::UNKNOWN_CA),
            (Some(pki.expired("client.example")), Alert::CERTIFICATE_EXPIRED),
            (Some(pki.server("client.example")), Alert::UNSUPPORTED_CERTIFICATE),
            (None, Alert::HANDSHAKE_FAILURE),
        ],
        |(shown, alert)| {
            let (peer, address) = s_server(&pki.server(SERVER_NAME)).require_client(&pki).listening();
            let mut config = client(&pki);
            if let Some(shown) = shown {
                config = config.with_identity(identity(shown));
            }
            let node = Node::client(config, SERVER_NAME, address, Weather::default());
            refused_by_openssl(node, &peer, *alert);
        },
    );
}

#[test]
fn nothing_in_common_with_a_server() {
    let rsa = pki(Kind::Rsa2048);
    let peer = s_server(&rsa.server(SERVER_NAME)).cipher("ECDHE-RSA-AES128-GCM-SHA256");
    let (peer, address) = peer.listening();
    let config = client(&rsa).with_cipher_suites(&[Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]);
    let node = Node::client(config, SERVER_NAME, address, Weather::default());
    refused_by_openssl(node, &peer, Alert::HANDSHAKE_FAILURE);
}

#[test]
fn dhe_is_refused_without_the_legacy_switch() {
    let rsa = pki(Kind::Rsa2048);
    we_refuse_client(server(&rsa), |peer| peer.cipher("DHE-RSA-AES128-GCM-SHA256"), Incompatible::NoCommonCipherSuite);
    let (peer, address) = s_server(&rsa.server(SERVER_NAME)).cipher("DHE-RSA-AES128-GCM-SHA256").listening();
    let node = Node::client(client(&rsa), SERVER_NAME, address, Weather::default());
    refused_by_openssl(node, &peer, Alert::HANDSHAKE_FAILURE);
}
