//! use_srtp, record_size_limit and max_fragment_length, in both roles, against GnuTLS.

use gramseal_interop::{Node, Process, SERVER_NAME, Weather, client, for_each, gnutls, server};
use gramseal_proto::config::{ClientConfigBuilder, ServerConfigBuilder, Transport};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::SrtpProfile;
use gramseal_testkit::pki::TestPki;

/// With GnuTLS's names of them. Its version in Debian has no AEAD profiles.
const PROFILES: [(SrtpProfile, &str); 4] = [
    (SrtpProfile::AES128_CM_HMAC_SHA1_80, "SRTP_AES128_CM_HMAC_SHA1_80"),
    (SrtpProfile::AES128_CM_HMAC_SHA1_32, "SRTP_AES128_CM_HMAC_SHA1_32"),
    (SrtpProfile::NULL_HMAC_SHA1_80, "SRTP_NULL_HMAC_SHA1_80"),
    (SrtpProfile::NULL_HMAC_SHA1_32, "SRTP_NULL_SHA1_32"),
];

/// Our client with GnuTLS's server.
fn to_gnutls(config: ClientConfigBuilder, pki: &TestPki, args: &[&str]) -> (Node, Process) {
    let peer = gnutls::serv().identity(&pki.server(SERVER_NAME)).args(["--disable-client-cert"]).args(args);
    let (peer, address) = peer.listening();
    (Node::client(config, SERVER_NAME, address, Weather::default()), peer)
}

/// GnuTLS's client with our server.
fn from_gnutls(config: ServerConfigBuilder, pki: &TestPki, args: &[&str]) -> (Node, Process) {
    let node = Node::server(config, CookiePolicy::Required, Weather::default());
    let peer = gnutls::cli(node.local_addr()).trust(pki).args(["--verify-hostname", SERVER_NAME]).args(args);
    (node, peer.start())
}

/// So that only the records are too small.
fn wide() -> Transport {
    Transport { mtu: 8000, ..Transport::default() }
}

#[test] // RFC 5764 §4.1
fn use_srtp_as_client() {
    for_each(&PROFILES, |(profile, name)| {
        let pki = TestPki::new();
        let config = client(&pki).with_srtp(&PROFILES.map(|(profile, _)| profile)).with_srtp_mki(*b"mki");
        let (mut node, peer) = to_gnutls(config, &pki, &["--srtp-profiles", name]);
        gnutls::check_server(&mut node, &peer);
        let srtp = node.connection().negotiated().and_then(|agreed| agreed.srtp.clone()).expect("agreed");
        assert_eq!(srtp.profile, *profile);
    });
}

#[test] // RFC 5764 §4.1, §4.2
fn use_srtp_as_server() {
    for_each(&PROFILES, |(profile, name)| {
        let pki = TestPki::new();
        let all = PROFILES.map(|(_, name)| name).join(":");
        // The later ones count.
        let export = ["--keymatexport", "EXTRACTOR-dtls_srtp", "--keymatexportsize", "60"];
        let args = [&["--srtp-profiles", &all][..], &export].concat();
        let (mut node, peer) = from_gnutls(server(&pki).with_srtp(&[*profile]), &pki, &args);
        gnutls::connected(&mut node, &peer);
        assert!(peer.said(&format!("SRTP profile: {name}")), "{}", peer.transcript());
        let keys = node.connection().srtp_keys().expect("agreed");
        let (client, server) = (keys.peer(), keys.local());
        let ours = [client.key(), server.key(), client.salt(), server.salt()].concat();
        let theirs = peer.value("- Key material: ").expect("printed when connected");
        assert_eq!(theirs.to_lowercase(), ours.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    });
}

#[test] // RFC 8449 §4
fn record_size_limit_as_client() {
    for_each(&[(512, 600), (16_384, 1000), (600, 512)], |(ours, theirs)| {
        let pki = TestPki::new();
        let config = client(&pki).with_record_size_limit(*ours).with_transport(wide());
        let (mut node, peer) = to_gnutls(config, &pki, &["--recordsize", &theirs.to_string()]);
        gnutls::check_server(&mut node, &peer);
        assert_eq!(node.connection().max_payload(), *theirs);
    });
}

#[test] // RFC 8449 §4
fn record_size_limit_as_server() {
    for_each(&[(512, 600), (16_384, 1000), (700, 512)], |(ours, theirs)| {
        let pki = TestPki::new();
        let config = server(&pki).with_record_size_limit(*ours).with_transport(wide());
        let (mut node, mut peer) = from_gnutls(config, &pki, &["--recordsize", &theirs.to_string()]);
        gnutls::check_client(&mut node, &mut peer);
        assert_eq!(node.connection().max_payload(), *theirs);
    });
}

#[test] // RFC 6066 §4
fn max_fragment_length_as_client() {
    let pki = TestPki::new();
    let config = client(&pki).with_max_fragment_length(512).with_transport(wide());
    let (mut node, peer) = to_gnutls(config, &pki, &[]);
    gnutls::check_server(&mut node, &peer);
    assert_eq!(node.connection().max_payload(), 512);
}
