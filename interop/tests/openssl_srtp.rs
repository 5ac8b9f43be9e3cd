//! use_srtp, in both roles, against OpenSSL: the profile, and the keys by OpenSSL's exporter.

use gramseal_interop::{Node, Process, SERVER_NAME, Weather, client, for_each, openssl, pki, server};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::SrtpProfile;
use gramseal_testkit::pki::TestKeyKind;

/// A profile, OpenSSL's name of it, and the bytes of master key and master salt.
type Case = (SrtpProfile, &'static str, usize, usize);

const CASES: [Case; 4] = [
    (SrtpProfile::AES128_CM_HMAC_SHA1_80, "SRTP_AES128_CM_SHA1_80", 16, 14),
    (SrtpProfile::AES128_CM_HMAC_SHA1_32, "SRTP_AES128_CM_SHA1_32", 16, 14),
    (SrtpProfile::AEAD_AES_128_GCM, "SRTP_AEAD_AES_128_GCM", 16, 12),
    (SrtpProfile::AEAD_AES_256_GCM, "SRTP_AEAD_AES_256_GCM", 32, 12),
];

/// All of ours, another order than OpenSSL's.
const OURS: [SrtpProfile; 4] = [
    SrtpProfile::AEAD_AES_256_GCM,
    SrtpProfile::AEAD_AES_128_GCM,
    SrtpProfile::AES128_CM_HMAC_SHA1_32,
    SrtpProfile::AES128_CM_HMAC_SHA1_80,
];

/// Arguments for OpenSSL: the profiles, and the exporter of their keys. They come after the
/// exporter that every test asks for, so that these count.
fn args(profiles: &str, key_len: usize, salt_len: usize) -> [String; 6] {
    let len = (2 * (key_len + salt_len)).to_string();
    ["-use_srtp", profiles, "-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen", &len].map(str::to_owned)
}

/// Waits for the connection, then compares profile and keys; `client` is whose keys come first.
fn check(node: &mut Node, peer: &mut Process, case: &Case, we_are_client: bool) {
    let (profile, name, key_len, salt_len) = *case;
    openssl::connected(node, peer);
    let negotiated = node.connection().negotiated().expect("connected");
    let srtp = negotiated.srtp.as_ref().expect("a profile was agreed on");
    assert_eq!((srtp.profile, srtp.mki.len()), (profile, 0));
    assert!(peer.said(&format!("SRTP Extension negotiated, profile={name}\n")), "{}", peer.transcript());

    let keys = node.connection().srtp_keys().expect("a profile was agreed on");
    let (client, server) = if we_are_client { (keys.local(), keys.peer()) } else { (keys.peer(), keys.local()) };
    assert_eq!((client.key().len(), client.salt().len()), (key_len, salt_len));
    let ours = [client.key(), server.key(), client.salt(), server.salt()].concat();
    let theirs = peer.value("Keying material: ").expect("printed when connected");
    assert_eq!(theirs.to_lowercase(), ours.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    openssl::exchange(node, peer, "data beside the media");
}

#[test] // RFC 5764 §4.1, §4.2
fn use_srtp_as_client() {
    let pki = pki(TestKeyKind::EcdsaP256);
    for_each(&CASES, |case| {
        let (_, name, key_len, salt_len) = *case;
        let peer = openssl::s_server().identity(&pki.server(SERVER_NAME)).args(args(name, key_len, salt_len));
        let (mut peer, address) = peer.listening();
        // OpenSSL's server knows no identifiers and answers with an empty one.
        let config = client(&pki).with_srtp(&OURS).with_srtp_mki(*b"interop");
        let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
        check(&mut node, &mut peer, case, true);
    });
}

#[test] // RFC 5764 §4.1, §4.2
fn use_srtp_as_server() {
    let pki = pki(TestKeyKind::EcdsaP256);
    for_each(&CASES, |case| {
        let (profile, _, key_len, salt_len) = *case;
        // The client offers all; our preference decides.
        let all = CASES.map(|(_, name, ..)| name).join(":");
        let config = server(&pki).with_srtp(&[profile]);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let peer = openssl::s_client(node.local_addr()).args(args(&all, key_len, salt_len));
        let mut peer = peer.trust(&pki).start();
        check(&mut node, &mut peer, case, false);
    });
}

#[test] // RFC 5764 §4.1.1
fn without_a_profile_in_common_openssl_connects_too() {
    let pki = pki(TestKeyKind::EcdsaP256);
    let config = server(&pki).with_srtp(&[SrtpProfile::AEAD_AES_128_GCM]);
    let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
    let peer = openssl::s_client(node.local_addr()).args(["-use_srtp", "SRTP_AES128_CM_SHA1_80"]);
    let mut peer = peer.trust(&pki).start();
    openssl::check(&mut node, &mut peer);
    assert_eq!(node.connection().negotiated().and_then(|agreed| agreed.srtp.as_ref()), None);
}
