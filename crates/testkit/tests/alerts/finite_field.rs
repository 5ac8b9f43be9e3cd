//! Finite-field exchanges behind the legacy switch: what either role refuses about the group.

use gramseal_proto::config::LegacySuites;
use gramseal_proto::wire::{
    AlertDescription as Alert, CipherSuite, DecodeError, ExtensionType as Ext, HandshakeType, NamedGroup,
    SignatureScheme,
};
use gramseal_proto::{Incompatible, PeerFault};
use gramseal_testkit::null::{self, NullKey, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene};

use crate::hello::{ClientFields, ServerFields, list16, signed_params, written};
use crate::{assert_refused, send};

const DHE: CipherSuite = CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256;
const ECDHE: CipherSuite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
const SCHEME: SignatureScheme = SignatureScheme::RSA_PSS_RSAE_SHA256;

/// Offers a client under test this group and share, all signed as it should be.
fn offer_group(p: &[u8], g: &[u8], public: &[u8]) -> Scene {
    let config = null::client_config(2).with_legacy_suites(LegacySuites::Allowed).build().expect("a configuration");
    let mut scene = Scene::client(config, 1);
    let mut hello = ServerFields::of(&scene.peer.body_of(HandshakeType::SERVER_HELLO));
    hello.suite = DHE;
    send(&mut scene, HandshakeType::SERVER_HELLO, &hello.body());
    let key = NullKey::new(ToyKind::Rsa, 1);
    let certificate = null::certificate(null::SERVER_NAME, &key, 0);
    send(&mut scene, HandshakeType::CERTIFICATE, &written(|w| w.vec24(|w| w.vec24(|w| w.bytes(&certificate)))));
    let params = written(|w| [p, g, public].iter().for_each(|number| w.vec16(|w| w.bytes(number))));
    let body = signed_params(&scene, &hello, &key, &params);
    send(&mut scene, HandshakeType::SERVER_KEY_EXCHANGE, &body);
    send(&mut scene, HandshakeType::SERVER_HELLO_DONE, &[]);
    scene
}

/// A prime as far as the null provider knows, of `len` bytes.
fn prime(len: usize) -> Vec<u8> {
    vec![0xFF; len]
}

#[test] // RFC 7919 §3, RFC 5246 §F.1.1.3
fn groups_that_are_too_small_too_large_or_unsafe() {
    let even = [&prime(255)[..], &[0xFE]].concat();
    for (p, g) in [(prime(255), 2), (prime(128), 2), (prime(1025), 2), (even, 2), (prime(256), 1)] {
        let scene = offer_group(&p, &[g], &[7; 256]);
        assert_refused(&scene, Incompatible::UnsafeFiniteFieldGroup, Alert::INSUFFICIENT_SECURITY);
    }
}

#[test] // RFC 7919 §5.1
fn a_finite_field_share_that_is_none() {
    let scene = offer_group(&prime(256), &[2], &[7; 256]);
    assert_refused(&scene, PeerFault::BadKeyShare, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 5246 §7.4.3
fn finite_field_parameters_that_cannot_be_read() {
    let scene = offer_group(&prime(256), &[], &[7; 256]);
    assert_refused(&scene, DecodeError::EmptyVector, Alert::DECODE_ERROR);
}

/// Says hello to a server with an RSA key, with these suites and groups.
fn say_hello(legacy: LegacySuites, suites: &[CipherSuite], groups: &[NamedGroup]) -> Scene {
    let identity = null::identity(ToyKind::Rsa, null::SERVER_NAME, 0);
    let config = null::server_config(3, identity).with_legacy_suites(legacy).build().expect("a configuration");
    let mut scene = Scene::server(config, 1);
    let mut hello = ClientFields::of(&scene.peer.body_of(HandshakeType::CLIENT_HELLO));
    hello.suites = suites.to_vec();
    hello.extensions.replace(Ext::SUPPORTED_GROUPS, &list16(groups.iter().copied()));
    hello.extensions.replace(Ext::SIGNATURE_ALGORITHMS, &list16([SCHEME]));
    send(&mut scene, HandshakeType::CLIENT_HELLO, &hello.body());
    scene
}

/// A group of RFC 7919 that nobody has defined.
const UNKNOWN: NamedGroup = NamedGroup(0x01FF);

#[test] // RFC 7919 §4
fn a_client_whose_finite_field_groups_are_all_unknown() {
    // Neither does an exchange with curves work out, whichever of the two is preferred.
    for suites in [&[DHE][..], &[DHE, ECDHE], &[ECDHE, DHE]] {
        let scene = say_hello(LegacySuites::Allowed, suites, &[UNKNOWN]);
        assert_refused(&scene, Incompatible::NoCommonFiniteFieldGroup, Alert::INSUFFICIENT_SECURITY);
    }
    // A server that does no such exchange has no suite in common.
    let modern = say_hello(LegacySuites::Refused, &[DHE], &[UNKNOWN]);
    assert_refused(&modern, Incompatible::NoCommonCipherSuite, Alert::HANDSHAKE_FAILURE);
}

/// The suite of the ServerHello.
#[track_caller]
fn chosen(scene: &Scene) -> CipherSuite {
    assert_eq!(scene.outcome(), Outcome::Waiting);
    ServerFields::of(&scene.peer.received()[0].body).suite
}

#[test] // RFC 7919 §4
fn finite_field_suites_are_chosen_only_with_a_group_that_the_client_can_have() {
    let hello = |groups: &[NamedGroup]| say_hello(LegacySuites::Allowed, &[DHE, ECDHE], groups);
    assert_eq!(chosen(&hello(&[UNKNOWN, NamedGroup::X25519])), ECDHE);
    assert_eq!(chosen(&hello(&[NamedGroup::FFDHE3072])), DHE);
    assert_eq!(chosen(&hello(&[UNKNOWN, NamedGroup::FFDHE2048])), DHE);
    // A list without any says nothing about such groups.
    assert_eq!(chosen(&hello(&[NamedGroup(0x5A5A)])), DHE);
}
