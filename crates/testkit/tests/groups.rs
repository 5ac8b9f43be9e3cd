//! Which groups a configuration makes use of in which version.

use std::time::Duration;

use gramseal_proto::config::{ClientConfigBuilder, ConfigError, LegacySuites};
use gramseal_proto::wire::{
    CipherSuite, ClientHello, Codec, NamedGroup, ProtocolVersion, SrtpProfile, SupportedGroups,
    SupportedVersionsClientHello,
};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::Scene13;
use gramseal_testkit::sim::Sim;

const NEWER: ProtocolVersion = ProtocolVersion::DTLS1_3;
const OLDER: ProtocolVersion = ProtocolVersion::DTLS1_2;

const CURVES: [NamedGroup; 4] =
    [NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1, NamedGroup::SECP521R1];
const HYBRIDS: [NamedGroup; 2] = [NamedGroup::X25519MLKEM768, NamedGroup::SECP256R1MLKEM768];

const SUITE12: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
const SUITE13: CipherSuite = CipherSuite::TLS_AES_128_GCM_SHA256;

/// What a hello offers: groups, versions of 1.3 on, and how many suites of either version.
#[derive(Debug, PartialEq, Eq)]
struct Offered {
    groups: Vec<NamedGroup>,
    versions: Vec<ProtocolVersion>,
    suites12: bool,
    suites13: bool,
}

fn client() -> ClientConfigBuilder {
    null::client_config(2)
}

fn offered(config: ClientConfigBuilder) -> Offered {
    let scene = Scene13::client13(config.build().expect("a configuration that works"), 1);
    let body = &scene.peer.received()[0].body;
    let hello = ClientHello::from_bytes(body).expect("a hello");
    let groups = hello.extensions.find::<SupportedGroups<'_>>().expect("well formed").expect("there").groups;
    let versions = hello.extensions.find::<SupportedVersionsClientHello<'_>>().expect("well formed");
    let is13 = |id: u16| (0x1300..0x1400).contains(&id);
    Offered {
        groups: groups.iter().collect(),
        versions: versions.map(|offer| offer.versions.iter().collect()).unwrap_or_default(),
        suites12: hello.cipher_suites.iter().any(|suite| !is13(suite.0)),
        suites13: hello.cipher_suites.iter().any(|suite| is13(suite.0)),
    }
}

#[test]
fn each_version_gets_the_groups_that_are_of_use_to_it() {
    let all = [&CURVES[..], &HYBRIDS].concat();
    let both = offered(client().with_versions(&[NEWER, OLDER]));
    assert_eq!(both, Offered { groups: all.clone(), versions: vec![NEWER, OLDER], suites12: true, suites13: true });
    let newer = offered(client().with_versions(&[NEWER]));
    assert_eq!(newer, Offered { groups: all, versions: vec![NEWER], suites12: false, suites13: true });
    let older = offered(client().with_versions(&[OLDER]));
    assert_eq!(older, Offered { groups: CURVES.to_vec(), versions: vec![], suites12: true, suites13: false });
}

#[test]
fn a_version_that_no_group_serves_is_not_offered() {
    let hybrid = offered(client().with_versions(&[NEWER, OLDER]).with_groups(&HYBRIDS));
    assert_eq!(hybrid, Offered { groups: HYBRIDS.to_vec(), versions: vec![NEWER], suites12: false, suites13: true });
    let finite = client().with_versions(&[NEWER, OLDER]).with_legacy_suites(LegacySuites::Allowed);
    let finite = offered(finite.with_groups(&[NamedGroup::FFDHE2048]));
    assert_eq!(
        finite,
        Offered { groups: vec![NamedGroup::FFDHE2048], versions: vec![], suites12: true, suites13: false }
    );
}

#[test]
fn groups_that_no_allowed_version_can_use_are_refused() {
    let build = |config: ClientConfigBuilder| config.build().map(drop);
    for group in HYBRIDS {
        let named = client().with_versions(&[OLDER]).with_groups(&[NamedGroup::X25519, group]);
        assert_eq!(build(named), Err(ConfigError::UnsupportedGroup(group)));
    }
    let finite = client().with_versions(&[NEWER]).with_groups(&[NamedGroup::FFDHE2048]);
    assert_eq!(build(finite), Err(ConfigError::NothingAllowed("group")));
}

#[test] // RFC 9147 §5.1
fn the_shortest_hello_of_ours_is_long_enough_for_the_longest_request_of_ours() {
    for groups in [&HYBRIDS[..1], &CURVES[..2]] {
        let suites = [CipherSuite::TLS_AES_256_GCM_SHA384];
        let config = client().with_versions(&[NEWER]).with_groups(groups).with_cipher_suites(&suites);
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
        let server = null::server_config(3, identity).with_versions(&[NEWER]).with_groups(&[HYBRIDS[0], CURVES[1]]);
        let mut sim = Sim::new(1);
        let pair = sim.connect(config.build().expect("a configuration"), server.build().expect("a configuration"));
        sim.run_until(|sim| sim.connected(pair), Duration::from_secs(1)).expect("an answer");
    }
}

#[test] // RFC 9846 §4.3.7
fn a_group_named_twice_is_offered_once() {
    let [first, second] = [NamedGroup::SECP256R1, NamedGroup::X25519];
    let repeated = client()
        .with_versions(&[NEWER, OLDER, NEWER])
        .with_groups(&[first, second, first, first, second])
        .with_cipher_suites(&[SUITE12, SUITE13, SUITE12, SUITE13])
        .with_alpn(["a", "b", "a"])
        .with_srtp(&[SrtpProfile::AEAD_AES_128_GCM, SrtpProfile::AEAD_AES_128_GCM]);
    let scene = Scene13::client13(repeated.build().expect("a configuration that works"), 1);
    let plain = client()
        .with_versions(&[NEWER, OLDER])
        .with_groups(&[first, second])
        .with_cipher_suites(&[SUITE12, SUITE13])
        .with_alpn(["a", "b"])
        .with_srtp(&[SrtpProfile::AEAD_AES_128_GCM]);
    let expected = Scene13::client13(plain.build().expect("a configuration that works"), 1);
    assert_eq!(scene.peer.received()[0].body, expected.peer.received()[0].body);
    let hello = ClientHello::from_bytes(&scene.peer.received()[0].body).expect("a hello");
    let listed = hello.extensions.find::<SupportedGroups<'_>>().expect("well formed").expect("there").groups;
    assert_eq!(listed.iter().collect::<Vec<_>>(), [first, second]);
}
