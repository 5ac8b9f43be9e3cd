//! Clients that a server must refuse, each with its error here and its alert on the wire; and odd
//! ones that it must not refuse.

use std::sync::Arc;

use gramseal_proto::config::{ClientAuth, ServerConfig};
use gramseal_proto::wire::{
    AlertDescription as Alert, CipherSuite, DecodeError, ExtensionType as Ext, HandshakeType, NamedGroup,
    ProtocolVersion, SignatureScheme,
};
use gramseal_proto::{Incompatible, PeerFault};
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene};

use crate::hello::{ClientFields, list16};
use crate::{CERTIFICATE_FAULTS, assert_refused, send};

fn server(client_auth: ClientAuth) -> ServerConfig {
    null::server_config(3, null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0))
        .with_client_auth(client_auth)
        .with_alpn(["echo"])
        .build()
        .expect("a server configuration")
}

fn scene(client_auth: ClientAuth) -> Scene {
    Scene::server(server(client_auth), 1)
}

/// Sends a hello after `edit`.
fn say_hello(edit: impl FnOnce(&mut ClientFields)) -> Scene {
    let mut scene = scene(ClientAuth::None);
    let mut fields = ClientFields::of(&scene.peer.body_of(HandshakeType::CLIENT_HELLO));
    edit(&mut fields);
    send(&mut scene, HandshakeType::CLIENT_HELLO, &fields.body());
    scene
}

#[test] // RFC 8996 §5, RFC 9846 §4.3.1
fn versions_that_are_not_spoken() {
    for version in [ProtocolVersion::DTLS1_0, ProtocolVersion(0x0303), ProtocolVersion(0xFEFE)] {
        let scene = say_hello(|hello| hello.version = version);
        assert_refused(&scene, Incompatible::NoCommonVersion, Alert::PROTOCOL_VERSION);
    }
    let only13 = say_hello(|hello| hello.extensions.push(Ext::SUPPORTED_VERSIONS, &[2, 0xFE, 0xFC]));
    assert_refused(&only13, Incompatible::NoCommonVersion, Alert::PROTOCOL_VERSION);
}

#[test] // RFC 5246 §7.4.1.3, RFC 8422 §4, RFC 5246 §7.4.1.4.1, RFC 7301 §3.2
fn nothing_in_common() {
    let suite = say_hello(|hello| hello.suites = vec![CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]);
    assert_refused(&suite, Incompatible::NoCommonCipherSuite, Alert::HANDSHAKE_FAILURE);
    let group = say_hello(|hello| hello.extensions.replace(Ext::SUPPORTED_GROUPS, &list16([NamedGroup(22)])));
    assert_refused(&group, Incompatible::NoCommonGroup, Alert::HANDSHAKE_FAILURE);
    let sha1 = list16([SignatureScheme(0x0203)]);
    let scheme = say_hello(|hello| hello.extensions.replace(Ext::SIGNATURE_ALGORITHMS, &sha1));
    assert_refused(&scheme, Incompatible::NoCommonSignatureScheme, Alert::HANDSHAKE_FAILURE);
    let none = say_hello(|hello| hello.extensions.remove(Ext::SIGNATURE_ALGORITHMS));
    assert_refused(&none, Incompatible::NoCommonSignatureScheme, Alert::HANDSHAKE_FAILURE);
    let alpn = [0, 4, 3, b'f', b'o', b'o'];
    let protocol = say_hello(|hello| hello.extensions.push(Ext::APPLICATION_LAYER_PROTOCOL_NEGOTIATION, &alpn));
    assert_refused(&protocol, Incompatible::NoCommonApplicationProtocol, Alert::NO_APPLICATION_PROTOCOL);
}

#[test] // RFC 7627 §5.3, RFC 5746 §3.6
fn hellos_without_what_is_required() {
    let plain = say_hello(|hello| hello.extensions.remove(Ext::EXTENDED_MASTER_SECRET));
    assert_refused(&plain, Incompatible::NoExtendedMasterSecret, Alert::HANDSHAKE_FAILURE);
    let insecure = say_hello(|hello| hello.extensions.remove(Ext::RENEGOTIATION_INFO));
    assert_refused(&insecure, Incompatible::NoSecureRenegotiation, Alert::HANDSHAKE_FAILURE);
    let renegotiating = say_hello(|hello| hello.extensions.replace(Ext::RENEGOTIATION_INFO, &[1, 9]));
    assert_refused(&renegotiating, PeerFault::RenegotiationInfoMismatch, Alert::HANDSHAKE_FAILURE);
}

#[test] // RFC 5246 §7.4.1.2, RFC 8422 §5.1.2
fn hellos_without_what_everybody_supports() {
    let compressed = say_hello(|hello| hello.compression = vec![1]);
    assert_refused(&compressed, PeerFault::NullCompressionMissing, Alert::ILLEGAL_PARAMETER);
    let points = say_hello(|hello| hello.extensions.replace(Ext::EC_POINT_FORMATS, &[1, 1]));
    assert_refused(&points, PeerFault::UncompressedPointsMissing, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 5246 §7.2.2
fn hellos_that_cannot_be_read() {
    let twice = say_hello(|hello| hello.extensions.push(Ext::EXTENDED_MASTER_SECRET, &[]));
    assert_refused(&twice, DecodeError::DuplicateExtension, Alert::DECODE_ERROR);
    let long_id = say_hello(|hello| hello.session_id = vec![7; 33]);
    assert_refused(&long_id, DecodeError::BadVectorLength, Alert::DECODE_ERROR);
    let not_empty = say_hello(|hello| hello.extensions.replace(Ext::EXTENDED_MASTER_SECRET, &[0]));
    assert_refused(&not_empty, DecodeError::TrailingBytes, Alert::DECODE_ERROR);
    let mut scene = scene(ClientAuth::None);
    let mut body = scene.peer.body_of(HandshakeType::CLIENT_HELLO);
    body.push(0);
    send(&mut scene, HandshakeType::CLIENT_HELLO, &body);
    assert_refused(&scene, DecodeError::TrailingBytes, Alert::DECODE_ERROR);
}

/// The scene goes on to a connection.
#[track_caller]
fn assert_connects(mut scene: Scene) {
    let flight = scene.last_flight(false);
    scene.play(&flight);
    assert_eq!(scene.outcome(), Outcome::Connected);
}

#[test] // RFC 5746 §3.6
fn the_signalling_suite_stands_for_renegotiation_info() {
    assert_connects(say_hello(|hello| {
        hello.extensions.remove(Ext::RENEGOTIATION_INFO);
        hello.suites.push(CipherSuite::EMPTY_RENEGOTIATION_INFO_SCSV);
    }));
}

#[test] // RFC 8701 §3.2, RFC 5246 §7.4.1.4
fn what_is_unknown_is_ignored_wherever_it_stands() {
    const GREASE: u16 = 0x5A5A;
    assert_connects(say_hello(|hello| {
        hello.suites.insert(0, CipherSuite(GREASE));
        hello.session_id = vec![7; 32];
        hello.compression = vec![64, 0];
        let groups = list16([NamedGroup(GREASE), NamedGroup::X25519]);
        hello.extensions.replace(Ext::SUPPORTED_GROUPS, &groups);
        let schemes = list16([SignatureScheme(GREASE), SignatureScheme::ECDSA_SECP256R1_SHA256]);
        hello.extensions.replace(Ext::SIGNATURE_ALGORITHMS, &schemes);
        hello.extensions.replace(Ext::EC_POINT_FORMATS, &[2, 0x0A, 0]);
        hello.extensions.push(Ext::SUPPORTED_VERSIONS, &[6, 0x5A, 0x5A, 0xFE, 0xFC, 0xFE, 0xFD]);
        let names = [0, 8, 2, 0x5A, 0x5A, 4, b'e', b'c', b'h', b'o'];
        hello.extensions.push(Ext::APPLICATION_LAYER_PROTOCOL_NEGOTIATION, &names);
        hello.extensions.push(Ext(GREASE), &[]);
        hello.extensions.push(Ext(0x6A6A), b"something");
    }));
}

#[test] // RFC 6347 §4.2.1: only 1.0 and 1.2 were ever numbered so; whoever says more also speaks 1.2
fn a_newer_legacy_version_is_taken_for_1_2() {
    assert_connects(say_hello(|hello| hello.version = ProtocolVersion::DTLS1_3));
}

#[test] // RFC 7507 §3
fn a_fallback_to_the_newest_version_is_no_fallback() {
    assert_connects(say_hello(|hello| hello.suites.push(CipherSuite::FALLBACK_SCSV)));
}

fn required() -> ClientAuth {
    ClientAuth::Required(Arc::new(NullVerifier::default()))
}

/// Plays a client up to its Certificate, which has this body.
fn show_certificate(client_auth: ClientAuth, body: &[u8]) -> Scene {
    let mut scene = scene(client_auth);
    let hello = scene.first_flight(true);
    scene.play(&hello);
    send(&mut scene, HandshakeType::CERTIFICATE, body);
    scene
}

#[test] // RFC 5246 §7.4.6
fn a_client_without_a_certificate() {
    let scene = show_certificate(required(), &[0, 0, 0]);
    assert_refused(&scene, Incompatible::CertificateRequired, Alert::HANDSHAKE_FAILURE);
    let optional = ClientAuth::Optional(Arc::new(NullVerifier::default()));
    assert_connects(show_certificate(optional, &[0, 0, 0]));
}

#[test] // RFC 5246 §7.2.2
fn certificates_that_are_not_accepted() {
    for (fault, alert) in CERTIFICATE_FAULTS {
        let verifier = Arc::new(NullVerifier::default().refusing(fault));
        let body = scene(ClientAuth::None).peer.body_of(HandshakeType::CERTIFICATE);
        let scene = show_certificate(ClientAuth::Optional(verifier), &body);
        assert_refused(&scene, fault, alert);
    }
}

#[test] // RFC 5246 §7.4.8
fn a_client_that_does_not_hold_its_certificates_key() {
    let mut scene = scene(required());
    let hello = scene.first_flight(true);
    scene.play(&hello);
    scene.play(&scene.last_flight(true)[..2]);
    let mut body = scene.peer.body_of(HandshakeType::CERTIFICATE_VERIFY);
    *body.last_mut().expect("a signature") ^= 1;
    send(&mut scene, HandshakeType::CERTIFICATE_VERIFY, &body);
    assert_refused(&scene, PeerFault::BadSignature, Alert::DECRYPT_ERROR);
}

#[test] // RFC 5246 §7.4.8
fn a_signature_scheme_that_was_not_offered() {
    let mut scene = scene(required());
    let hello = scene.first_flight(true);
    scene.play(&hello);
    scene.play(&scene.last_flight(true)[..2]);
    let mut body = scene.peer.body_of(HandshakeType::CERTIFICATE_VERIFY);
    body[..2].copy_from_slice(&[2, 3]);
    send(&mut scene, HandshakeType::CERTIFICATE_VERIFY, &body);
    assert_refused(&scene, PeerFault::UnofferedSignatureScheme, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 5246 §7.4.8
fn a_signature_scheme_that_does_not_go_with_the_certificates_key() {
    let mut scene = scene(required());
    let hello = scene.first_flight(true);
    scene.play(&hello);
    scene.play(&scene.last_flight(true)[..2]);
    let mut body = scene.peer.body_of(HandshakeType::CERTIFICATE_VERIFY);
    body[..2].copy_from_slice(&SignatureScheme::RSA_PSS_RSAE_SHA256.0.to_be_bytes());
    send(&mut scene, HandshakeType::CERTIFICATE_VERIFY, &body);
    assert_refused(&scene, PeerFault::BadSignature, Alert::DECRYPT_ERROR);
}

#[test] // RFC 8422 §5.11
fn a_share_that_is_none() {
    let mut scene = scene(ClientAuth::None);
    let hello = scene.first_flight(false);
    scene.play(&hello);
    send(&mut scene, HandshakeType::CLIENT_KEY_EXCHANGE, &[3, 1, 2, 3]);
    assert_refused(&scene, PeerFault::BadKeyShare, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 5246 §7.4.9
fn a_finished_that_does_not_fit() {
    let mut scene = scene(ClientAuth::None);
    let hello = scene.first_flight(false);
    scene.play(&hello);
    scene.play(&scene.last_flight(false)[..2]);
    let mut body = scene.peer.body_of(HandshakeType::FINISHED);
    body[0] ^= 1;
    send(&mut scene, HandshakeType::FINISHED, &body);
    assert_refused(&scene, PeerFault::FinishedMismatch, Alert::DECRYPT_ERROR);
}
