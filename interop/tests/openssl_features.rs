//! Cookies, client authentication, fragments, extensions and the end of associations.

use gramseal_interop::{
    Node, Process, SERVER_NAME, Weather, client, for_each, identity, openssl, pki, provider, server, trust, trust_ecdsa,
};
use gramseal_proto::config::{ClientAuth, ClientConfig, ServerConfigBuilder, Transport};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::{AlertDescription, HandshakeType, ProtocolVersion};
use gramseal_proto::{AlertReceived, CloseReason, Direction, Discard, Error};
use gramseal_testkit::pki::{TestIdentity, TestKeyKind as Kind, TestPki};

fn saw(node: &Node, direction: Direction, wanted: HandshakeType) -> bool {
    node.watch().log().saw(direction, wanted)
}

/// Our client with OpenSSL's server.
fn to_s_server(pki: &TestPki, theirs: &TestIdentity, config: impl Fn(Peers) -> Peers) -> (Node, Process) {
    let peers = config(Peers { node: client(pki), peer: openssl::s_server().identity(theirs) });
    let (peer, address) = peers.peer.listening();
    (Node::client(peers.node, SERVER_NAME, address, Weather::default()), peer)
}

struct Peers {
    node: gramseal_proto::config::ClientConfigBuilder,
    peer: openssl::OpenSsl,
}

/// OpenSSL's client with our server.
fn to_our_server(
    pki: &TestPki,
    config: ServerConfigBuilder,
    peer: impl Fn(openssl::OpenSsl) -> openssl::OpenSsl,
) -> (Node, Process) {
    let node = Node::server(config, CookiePolicy::Required, Weather::default());
    let process = peer(openssl::s_client(node.local_addr()).trust(pki)).start();
    (node, process)
}

#[test]
fn cookies_of_a_server_with_state() {
    let pki = TestPki::new();
    let (mut node, mut peer) =
        to_s_server(&pki, &pki.server(SERVER_NAME), |peers| Peers { peer: peers.peer.without_listen(), ..peers });
    openssl::check(&mut node, &mut peer);
    assert!(saw(&node, Direction::Received, HandshakeType::HELLO_VERIFY_REQUEST));
}

#[test]
fn our_server_without_cookies() {
    let pki = TestPki::new();
    let mut node = Node::server(server(&pki), CookiePolicy::Off, Weather::default());
    let mut peer = openssl::s_client(node.local_addr()).trust(&pki).start();
    openssl::check(&mut node, &mut peer);
    assert_eq!((node.endpoint_stats().incoming, node.endpoint_stats().cookies_sent), (1, 0));
}

#[test]
fn our_server_with_cookies() {
    let pki = TestPki::new();
    let (mut node, mut peer) = to_our_server(&pki, server(&pki), |peer| peer);
    openssl::check(&mut node, &mut peer);
    assert_eq!((node.endpoint_stats().incoming, node.endpoint_stats().cookies_sent), (1, 1));
}

#[test]
fn client_certificates_of_ours() {
    for_each(&Kind::ALL, |kind| {
        let pki = TestPki::new();
        let theirs = pki.server(SERVER_NAME);
        // OpenSSL's server cannot have Ed25519 itself.
        let pki = pki.with_keys(*kind);
        let who = pki.client("client.example");
        let (mut node, mut peer) = to_s_server(&pki, &theirs, |peers| Peers {
            node: peers.node.with_identity(identity(&who)),
            peer: peers.peer.require_client(&pki),
        });
        openssl::check(&mut node, &mut peer);
        assert!(saw(&node, Direction::Sent, HandshakeType::CERTIFICATE_VERIFY));
        assert!(peer.said("subject=CN = client.example"), "{}", peer.transcript());
    });
}

#[test] // RFC 9846 §4.3.3
fn a_hello_of_ours_with_signature_algorithms_cert() {
    // An RSA key signs the handshake, and nothing else.
    let pki = pki(Kind::Rsa2048);
    let (mut node, mut peer) = to_s_server(&pki, &pki.server(SERVER_NAME), |peers| Peers {
        node: ClientConfig::builder(provider(), trust_ecdsa(&pki)).with_versions(&[ProtocolVersion::DTLS1_2]),
        ..peers
    });
    openssl::check(&mut node, &mut peer);
}

#[test]
fn no_certificate_of_ours_where_it_is_optional() {
    let pki = TestPki::new();
    let (mut node, mut peer) = to_s_server(&pki, &pki.server(SERVER_NAME), |peers| Peers {
        peer: peers.peer.trust(&pki).args(["-verify", "4"]),
        ..peers
    });
    openssl::check(&mut node, &mut peer);
    assert!(saw(&node, Direction::Sent, HandshakeType::CERTIFICATE));
    assert!(!saw(&node, Direction::Sent, HandshakeType::CERTIFICATE_VERIFY));
}

#[test]
fn client_certificates_of_openssl() {
    for_each(&Kind::ALL, |kind| {
        let pki = pki(*kind);
        let who = pki.client("client.example");
        let config = server(&pki).with_client_auth(ClientAuth::Required(trust(&pki)));
        let (mut node, mut peer) = to_our_server(&pki, config, |peer| peer.identity(&who));
        openssl::check(&mut node, &mut peer);
        assert_eq!(node.connection().negotiated().expect("connected").peer_certificates.first(), who.chain.first());
        assert!(peer.said("Acceptable client certificate CA names\nCN = Gramseal Test Root"), "{}", peer.transcript());
    });
}

#[test]
fn signature_schemes_of_openssl_clients() {
    for_each(&["RSA-PSS+SHA256", "RSA-PSS+SHA512", "RSA+SHA256", "RSA+SHA384"], |scheme| {
        let pki = pki(Kind::Rsa2048);
        let who = pki.client("client.example");
        let config = server(&pki).with_client_auth(ClientAuth::Required(trust(&pki)));
        let list = format!("{scheme}:ECDSA+SHA256");
        let (mut node, mut peer) =
            to_our_server(&pki, config, |peer| peer.identity(&who).args(["-client_sigalgs", &list]));
        openssl::check(&mut node, &mut peer);
        assert!(node.connection().negotiated().expect("connected").peer_signature_scheme.is_some());
    });
}

#[test]
fn no_certificate_of_openssl_where_it_is_optional() {
    let pki = TestPki::new();
    let config = server(&pki).with_client_auth(ClientAuth::Optional(trust(&pki)));
    let (mut node, mut peer) = to_our_server(&pki, config, |peer| peer);
    openssl::check(&mut node, &mut peer);
    assert!(node.connection().negotiated().expect("connected").peer_certificates.is_empty());
}

#[test]
fn small_datagrams_as_client() {
    // Ours; OpenSSL's link MTU, of which 28 bytes are IP's and UDP's. None: that of the loopback.
    for_each(&[(256, Some(256)), (512, Some(300)), (1200, Some(1500)), (512, None)], |(ours, theirs)| {
        let pki = TestPki::new().with_big_chain();
        let who = pki.client("client.example");
        let transport = Transport { mtu: *ours, ..Transport::default() };
        let (mut node, mut peer) = to_s_server(&pki, &pki.server(SERVER_NAME), |peers| {
            let node = peers.node.with_transport(transport.clone()).with_identity(identity(&who));
            let peer = peers.peer.require_client(&pki);
            let peer = match theirs {
                Some(mtu) => peer.args(["-mtu", &mtu.to_string()]),
                None => peer,
            };
            Peers { node, peer }
        });
        openssl::check(&mut node, &mut peer);
        assert!(node.watch().log().fragments_sent() > 4, "{}", node.state());
        assert_eq!(node.connection().negotiated().expect("connected").peer_certificates.len(), 3);
    });
}

#[test]
fn small_datagrams_as_server() {
    for_each(&[(256, Some(256)), (512, Some(300)), (1200, Some(1500)), (512, None)], |(ours, theirs)| {
        let pki = TestPki::new().with_big_chain();
        let who = pki.client("client.example");
        let transport = Transport { mtu: *ours, ..Transport::default() };
        let config = server(&pki).with_client_auth(ClientAuth::Required(trust(&pki))).with_transport(transport);
        let (mut node, mut peer) = to_our_server(&pki, config, |peer| {
            let peer = peer.identity(&who);
            match theirs {
                Some(mtu) => peer.args(["-mtu", &mtu.to_string()]),
                None => peer,
            }
        });
        openssl::check(&mut node, &mut peer);
        assert!(node.watch().log().fragments_sent() > 4, "{}", node.state());
        assert_eq!(node.connection().negotiated().expect("connected").peer_certificates, who.chain);
    });
}

#[test]
fn alpn_as_client() {
    let pki = TestPki::new();
    let (mut node, mut peer) = to_s_server(&pki, &pki.server(SERVER_NAME), |peers| Peers {
        node: peers.node.with_alpn(["other", "coap"]),
        peer: peers.peer.args(["-alpn", "coap,echo"]),
    });
    openssl::check(&mut node, &mut peer);
    assert_eq!(node.connection().negotiated().expect("connected").alpn.as_deref(), Some(&b"coap"[..]));
    assert!(peer.said("ALPN protocols selected: coap"), "{}", peer.transcript());
}

#[test]
fn server_name_as_client() {
    let pki = TestPki::new();
    let theirs = pki.server(SERVER_NAME);
    // By default the certificate of another, which we would refuse; ours for those who name it.
    let (mut node, mut peer) = to_s_server(&pki, &pki.server("another.example"), |peers| Peers {
        peer: peers.peer.args(["-servername", SERVER_NAME]).file("-cert2", "second.pem", &theirs.chain_pem).file(
            "-key2",
            "second.key",
            &theirs.key_pem,
        ),
        ..peers
    });
    // Not `check`: OpenSSL keeps no key log for a second certificate.
    openssl::connected(&mut node, &peer);
    openssl::exchange(&mut node, &mut peer, "by name");
    assert_eq!(node.connection().negotiated().expect("connected").peer_certificates, theirs.chain);
    assert!(peer.said(&format!("Hostname in TLS extension: \"{SERVER_NAME}\"")), "{}", peer.transcript());
}

#[test]
fn alpn_and_names_as_server() {
    let pki = TestPki::new();
    let config = server(&pki).with_alpn(["coap", "echo"]);
    let (mut node, mut peer) =
        to_our_server(&pki, config, |peer| peer.args(["-alpn", "other,echo", "-servername", SERVER_NAME]));
    openssl::check(&mut node, &mut peer);
    let negotiated = node.connection().negotiated().expect("connected");
    assert_eq!(negotiated.alpn.as_deref(), Some(&b"echo"[..]));
    assert_eq!(negotiated.server_name.as_deref(), Some(SERVER_NAME));
    assert!(peer.said("ALPN protocol: echo"), "{}", peer.transcript());
}

#[test]
fn renegotiation_is_refused_to_servers() {
    let pki = TestPki::new();
    let (mut node, mut peer) = to_s_server(&pki, &pki.server(SERVER_NAME), |peers| peers);
    openssl::check(&mut node, &mut peer);
    peer.type_line("r");
    node.run_until("our refusal", &peer, |node| {
        node.watch().log().alerts(Direction::Sent).contains(&AlertDescription::NO_RENEGOTIATION)
    });
    // We would go on; for OpenSSL's server our warning is the end.
    let alert = AlertReceived { description: AlertDescription::HANDSHAKE_FAILURE, authenticated: true };
    assert_eq!(node.run_to_end(&peer), CloseReason::Failed(Error::AlertReceived(alert)));
}

#[test]
fn renegotiation_is_refused_to_clients() {
    let pki = TestPki::new();
    let (mut node, mut peer) = to_our_server(&pki, server(&pki), |peer| peer);
    openssl::check(&mut node, &mut peer);
    peer.type_line("R");
    node.run_until("our refusal", &peer, |node| {
        node.watch().log().alerts(Direction::Sent).contains(&AlertDescription::NO_RENEGOTIATION)
    });
    peer.wait_for("no renegotiation");
    // RFC 5746 §4.2 leaves it to the client: OpenSSL's ends the association.
    let alert = AlertReceived { description: AlertDescription::HANDSHAKE_FAILURE, authenticated: true };
    assert_eq!(node.run_to_end(&peer), CloseReason::Failed(Error::AlertReceived(alert)));
}

#[test]
fn close_notify_from_us() {
    let pki = TestPki::new();
    let (mut node, mut peer) = to_s_server(&pki, &pki.server(SERVER_NAME), |peers| peers);
    openssl::check(&mut node, &mut peer);
    node.close();
    assert_eq!(node.closed(), Some(&CloseReason::Local));
    // It answers in kind; we have ended before.
    node.run_until("the answer", &peer, |node| node.connection().stats().discards.get(Discard::Closed) > 0);
    peer.wait_for("CONNECTION CLOSED");
    let (mut node, mut peer) = to_our_server(&pki, server(&pki), |peer| peer);
    openssl::check(&mut node, &mut peer);
    node.close();
    assert_eq!(node.closed(), Some(&CloseReason::Local));
    peer.wait_for("closed\n");
}

#[test]
fn close_notify_from_openssl() {
    let pki = TestPki::new();
    // Only its client: when told to quit, its server closes the socket before it says so.
    let (mut node, mut peer) = to_our_server(&pki, server(&pki), |peer| peer);
    openssl::check(&mut node, &mut peer);
    peer.end_input();
    assert_eq!(node.run_to_end(&peer), CloseReason::Peer);
}
