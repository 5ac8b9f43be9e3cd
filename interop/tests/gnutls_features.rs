//! Cookies, client authentication, small datagrams, extensions, refusals and loss, against GnuTLS.

use gramseal_interop::{
    Log, Node, Process, SERVER_NAME, Weather, client, for_each, gnutls, identity, in_storms, pki, provider, server,
    stormy_client, stormy_server, trust,
};
use gramseal_proto::config::{ClientAuth, ClientConfigBuilder, ServerConfig, ServerConfigBuilder, Transport};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::{AlertDescription as Alert, HandshakeType};
use gramseal_proto::{AlertReceived, CertificateFault, CloseReason, Direction, Error};
use gramseal_testkit::pki::{TestIdentity, TestKeyKind as Kind, TestPki};

/// Our client with GnuTLS's server.
fn to_gnutls(config: ClientConfigBuilder, peer: gnutls::GnuTls) -> (Node, Process) {
    let (peer, address) = peer.listening();
    (Node::client(config, SERVER_NAME, address, Weather::default()), peer)
}

/// GnuTLS's client with our server.
fn from_gnutls(
    config: ServerConfigBuilder,
    pki: &TestPki,
    more: impl Fn(gnutls::GnuTls) -> gnutls::GnuTls,
) -> (Node, Process) {
    let node = Node::server(config, CookiePolicy::Required, Weather::default());
    let peer = gnutls::cli(node.local_addr()).trust(pki).args(["--verify-hostname", SERVER_NAME]);
    (node, more(peer).start())
}

/// A server of GnuTLS's that asks for no certificate.
fn serv(identity: &TestIdentity) -> gnutls::GnuTls {
    gnutls::serv().identity(identity).args(["--disable-client-cert"])
}

fn saw(log: &Log, wanted: HandshakeType) -> bool {
    log.saw(Direction::Received, wanted)
}

#[test] // RFC 6347 §4.2.1
fn cookies_of_gnutls() {
    for_each(&[true, false], |cookies| {
        let pki = TestPki::new();
        let peer = serv(&pki.server(SERVER_NAME)).args((!cookies).then_some("--nocookie"));
        let (mut node, peer) = to_gnutls(client(&pki), peer);
        gnutls::check_server(&mut node, &peer);
        assert_eq!(saw(&node.watch().log(), HandshakeType::HELLO_VERIFY_REQUEST), *cookies);
    });
}

#[test] // RFC 6347 §4.2.1
fn our_cookies() {
    for_each(&[(CookiePolicy::Required, 1), (CookiePolicy::Off, 0)], |(policy, cookies)| {
        let pki = TestPki::new();
        let mut node = Node::server(server(&pki), *policy, Weather::default());
        let mut peer = gnutls::cli(node.local_addr()).trust(&pki).args(["--verify-hostname", SERVER_NAME]).start();
        gnutls::check_client(&mut node, &mut peer);
        assert_eq!((node.endpoint_stats().incoming, node.endpoint_stats().cookies_sent), (1, *cookies));
        assert_eq!(peer.said("HELLO VERIFY REQUEST (3) was received"), *cookies == 1);
    });
}

#[test]
fn client_certificates_of_ours() {
    for_each(&Kind::ALL, |kind| {
        let pki = pki(*kind);
        let config = client(&pki).with_identity(identity(&pki.client("client.example")));
        let peer = gnutls::serv().identity(&pki.server(SERVER_NAME)).require_client(&pki);
        let (mut node, peer) = to_gnutls(config, peer);
        gnutls::check_server(&mut node, &peer);
        assert!(node.watch().log().saw(Direction::Sent, HandshakeType::CERTIFICATE_VERIFY));
        assert!(peer.said("CERTIFICATE VERIFY (15) was received"), "{}", peer.transcript());
    });
}

#[test]
fn no_certificate_of_ours_where_it_is_optional() {
    let pki = TestPki::new();
    let peer = gnutls::serv().identity(&pki.server(SERVER_NAME)).trust(&pki);
    let (mut node, peer) = to_gnutls(client(&pki), peer);
    gnutls::check_server(&mut node, &peer);
    let log = node.watch().log();
    assert!(log.saw(Direction::Sent, HandshakeType::CERTIFICATE));
    assert!(!log.saw(Direction::Sent, HandshakeType::CERTIFICATE_VERIFY));
}

#[test]
fn client_certificates_of_gnutls() {
    for_each(&Kind::ALL, |kind| {
        let pki = pki(*kind);
        let who = pki.client("client.example");
        let config = server(&pki).with_client_auth(ClientAuth::Required(trust(&pki)));
        let (mut node, mut peer) = from_gnutls(config, &pki, |peer| peer.identity(&who));
        gnutls::check_client(&mut node, &mut peer);
        assert_eq!(node.connection().negotiated().expect("connected").peer_certificates, who.chain);
        assert!(peer.said("- Successfully sent 1 certificate(s) to server."), "{}", peer.transcript());
    });
}

#[test]
fn small_datagrams_as_client() {
    for_each(&[(256, "400"), (1200, "400"), (300, "1400")], |(ours, theirs)| {
        let pki = TestPki::new().with_big_chain();
        let transport = Transport { mtu: *ours, ..Transport::default() };
        let config = client(&pki).with_transport(transport).with_identity(identity(&pki.client("client.example")));
        let peer = gnutls::serv().identity(&pki.server(SERVER_NAME)).require_client(&pki).args(["--mtu", theirs]);
        let (mut node, peer) = to_gnutls(config, peer);
        gnutls::check_server(&mut node, &peer);
        assert!(node.watch().log().fragments_sent() > 4 || *ours > 1000, "{}", node.state());
        assert_eq!(node.connection().negotiated().expect("connected").peer_certificates.len(), 3);
    });
}

#[test]
fn small_datagrams_as_server() {
    for_each(&[(256, "400"), (1200, "400"), (300, "1400")], |(ours, theirs)| {
        let pki = TestPki::new().with_big_chain();
        let who = pki.client("client.example");
        let transport = Transport { mtu: *ours, ..Transport::default() };
        let config = server(&pki).with_transport(transport).with_client_auth(ClientAuth::Required(trust(&pki)));
        let (mut node, mut peer) = from_gnutls(config, &pki, |peer| peer.identity(&who).args(["--mtu", theirs]));
        gnutls::check_client(&mut node, &mut peer);
        assert!(node.watch().log().fragments_sent() > 4 || *ours > 1000, "{}", node.state());
        assert_eq!(node.connection().negotiated().expect("connected").peer_certificates, who.chain);
    });
}

const ENCRYPT_THEN_MAC: &str = "Encrypt-then-MAC/22";
const EXTENDED_MASTER_SECRET: &str = "Extended Master Secret/23";

#[test] // RFC 7366 §3
fn encrypt_then_mac_is_not_answered_for_an_aead() {
    let pki = TestPki::new();
    let (mut node, mut peer) = from_gnutls(server(&pki), &pki, |peer| peer);
    gnutls::check_client(&mut node, &mut peer);
    let (sent, read) = (gnutls::sent_extensions(&peer), gnutls::read_extensions(&peer));
    assert!(sent.iter().any(|name| name == ENCRYPT_THEN_MAC), "{sent:?}");
    // What we do answer shows that the list is one of our ServerHello.
    assert!(read.iter().any(|name| name == EXTENDED_MASTER_SECRET), "{read:?}");
    assert!(!read.iter().any(|name| name == ENCRYPT_THEN_MAC), "{read:?}");
}

#[test] // RFC 7366 §3, RFC 5246 §7.4.1.4
fn nothing_that_we_did_not_offer_is_answered() {
    let pki = TestPki::new();
    let (mut node, peer) = to_gnutls(client(&pki), serv(&pki.server(SERVER_NAME)));
    gnutls::check_server(&mut node, &peer);
    let (sent, read) = (gnutls::sent_extensions(&peer), gnutls::read_extensions(&peer));
    assert!(read.iter().any(|name| name == EXTENDED_MASTER_SECRET), "{read:?}");
    let safe = |name: &String| read.contains(name) || name.starts_with("Safe Renegotiation");
    assert!(sent.iter().all(safe), "sent {sent:?}, read {read:?}");
    assert!(!read.iter().any(|name| name == ENCRYPT_THEN_MAC), "{read:?}");
}

#[test] // RFC 7301
fn application_protocols() {
    let pki = TestPki::new();
    let peer = serv(&pki.server(SERVER_NAME)).args(["--alpn", "coap", "--alpn", "echo"]);
    let (mut node, peer) = to_gnutls(client(&pki).with_alpn(["other", "coap"]), peer);
    gnutls::check_server(&mut node, &peer);
    assert_eq!(node.connection().negotiated().expect("connected").alpn.as_deref(), Some(&b"coap"[..]));

    let config = server(&pki).with_alpn(["coap", "echo"]);
    let names = ["--alpn", "other", "--alpn", "echo", "--sni-hostname", SERVER_NAME];
    let (mut node, mut peer) = from_gnutls(config, &pki, |peer| peer.args(names));
    gnutls::check_client(&mut node, &mut peer);
    let negotiated = node.connection().negotiated().expect("connected");
    assert_eq!(negotiated.alpn.as_deref(), Some(&b"echo"[..]));
    assert_eq!(negotiated.server_name.as_deref(), Some(SERVER_NAME));
    assert!(peer.said("- Application protocol: echo"), "{}", peer.transcript());
}

#[test]
fn bad_servers_of_gnutls_are_refused() {
    let pki = TestPki::new();
    // An authority of the same name with another key.
    let stranger = TestPki::new();
    for_each(
        &[
            (stranger.server(SERVER_NAME), CertificateFault::BadSignature),
            (pki.server("another.example"), CertificateFault::NameMismatch),
            (pki.expired(SERVER_NAME), CertificateFault::Expired),
        ],
        |(shown, fault)| {
            let (mut node, peer) = to_gnutls(client(&pki), serv(shown));
            let error = Error::from(*fault);
            let alert = error.alert().expect("our refusals tell the peer");
            assert_eq!(node.run_to_end(&peer), CloseReason::Failed(error));
            assert_eq!(node.watch().log().alerts(Direction::Sent), [alert]);
            peer.wait_for("A TLS fatal alert has been received.");
        },
    );
}

#[test]
fn gnutls_refuses_our_client() {
    let pki = TestPki::new();
    let stranger = TestPki::new();
    let config = client(&pki).with_identity(identity(&stranger.client("client.example")));
    let peer = gnutls::serv().identity(&pki.server(SERVER_NAME)).require_client(&pki);
    let (mut node, peer) = to_gnutls(config, peer);
    let end = node.run_to_end(&peer);
    assert!(!node.is_connected(), "{}; {}", node.state(), peer.transcript());
    let alert = AlertReceived { description: Alert::ACCESS_DENIED, authenticated: false };
    assert_eq!(end, CloseReason::Failed(Error::AlertReceived(alert)), "{}", peer.transcript());
}

#[test]
fn gnutls_refuses_our_server() {
    let pki = TestPki::new();
    let stranger = TestPki::new();
    let config = ServerConfig::builder(provider(), identity(&stranger.server(SERVER_NAME)));
    let (mut node, peer) = from_gnutls(config, &pki, |peer| peer);
    let end = node.run_to_end(&peer);
    assert!(!node.is_connected(), "{}; {}", node.state(), peer.transcript());
    let alert = AlertReceived { description: Alert::BAD_CERTIFICATE, authenticated: false };
    assert_eq!(end, CloseReason::Failed(Error::AlertReceived(alert)), "{}", peer.transcript());
}

#[test]
fn close_notify_of_both() {
    let pki = TestPki::new();
    let (mut node, mut peer) = from_gnutls(server(&pki), &pki, |peer| peer);
    gnutls::check_client(&mut node, &mut peer);
    node.close();
    assert_eq!(node.closed(), Some(&CloseReason::Local));
    peer.wait_for("- Peer has closed the GnuTLS connection");
    let (mut node, mut peer) = from_gnutls(server(&pki), &pki, |peer| peer);
    gnutls::check_client(&mut node, &mut peer);
    peer.end_input();
    assert_eq!(node.run_to_end(&peer), CloseReason::Peer);
}

const SEEDS: [u64; 3] = [1, 2, 5];

#[test]
fn lossy_network_as_client() {
    in_storms(&SEEDS, |pki, weather| {
        let peer = gnutls::serv().identity(&pki.server(SERVER_NAME)).require_client(pki);
        let (peer, address) = peer.args(["--mtu", "700"]).listening();
        let mut node = Node::client(stormy_client(pki), SERVER_NAME, address, weather);
        gnutls::check_server(&mut node, &peer);
        node
    });
}

#[test]
fn lossy_network_as_server() {
    in_storms(&SEEDS, |pki, weather| {
        let mut node = Node::server(stormy_server(pki), CookiePolicy::Required, weather);
        let peer = gnutls::cli(node.local_addr()).trust(pki).identity(&pki.client("client.example"));
        let mut peer = peer.args(["--mtu", "700", "--verify-hostname", SERVER_NAME]).start();
        gnutls::check_client(&mut node, &mut peer);
        node
    });
}
