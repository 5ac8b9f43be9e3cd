//! ClientHellos that a server refuses, and odd ones that it must not refuse.

use gramseal_proto::config::ClientAuth;
use gramseal_proto::wire::{
    AlertDescription as Alert, CipherSuite, Codec, DecodeError, ExtensionType as Ext, HandshakeType, NamedGroup,
    ProtocolVersion, ServerHello, SignatureScheme,
};
use gramseal_proto::{Error, Incompatible, PeerFault};
use gramseal_testkit::peer::{Outcome, Scene13};

use super::{assert_refused, send, server, shares};
use crate::hello::{ClientFields, list16, written};

/// Sends a hello after `edit`.
fn say_hello(edit: impl FnOnce(&mut ClientFields)) -> Scene13 {
    let mut scene = Scene13::server13(server(ClientAuth::None), 1);
    let mut fields = ClientFields::of(&scene.peer.body_of(HandshakeType::CLIENT_HELLO));
    edit(&mut fields);
    send(&mut scene, HandshakeType::CLIENT_HELLO, &fields.body());
    scene
}

#[track_caller]
fn refused(scene: Scene13, error: impl Into<Error>, alert: Alert) {
    assert_refused(scene, 0, error, alert);
}

#[track_caller]
fn connects(mut scene: Scene13) {
    scene.say(&[HandshakeType::FINISHED]);
    assert_eq!(scene.outcome(), Outcome::Connected);
}

#[test] // RFC 9846 §4.3.1
fn versions_that_are_not_spoken() {
    for versions in [&[2, 0xFE, 0xFB][..], &[2, 0x03, 0x04], &[4, 0xFE, 0xFF, 0x5A, 0x5A]] {
        let scene = say_hello(|hello| hello.extensions.replace(Ext::SUPPORTED_VERSIONS, versions));
        refused(scene, Incompatible::NoCommonVersion, Alert::PROTOCOL_VERSION);
    }
    let none = say_hello(|hello| hello.extensions.replace(Ext::SUPPORTED_VERSIONS, &[0]));
    refused(none, DecodeError::EmptyVector, Alert::DECODE_ERROR);
    let half = say_hello(|hello| hello.extensions.replace(Ext::SUPPORTED_VERSIONS, &[3, 0xFE, 0xFC, 0xFE]));
    refused(half, DecodeError::BadVectorLength, Alert::DECODE_ERROR);
}

#[test] // RFC 9147 §5.3
fn fields_of_1_2_that_are_in_use() {
    let cookie = say_hello(|hello| hello.cookie = vec![7; 20]);
    refused(cookie, PeerFault::LegacyCookie, Alert::ILLEGAL_PARAMETER);
    for compression in [&[1][..], &[1, 0], &[0, 1], &[0, 0]] {
        let scene = say_hello(|hello| hello.compression = compression.to_vec());
        refused(scene, PeerFault::CompressionOffered, Alert::ILLEGAL_PARAMETER);
    }
    let long_id = say_hello(|hello| hello.session_id = vec![7; 33]);
    refused(long_id, DecodeError::BadVectorLength, Alert::DECODE_ERROR);
}

#[test] // RFC 9147 §5.3, §5.4: it is for servers of 1.2
fn a_session_id_is_ignored_and_not_repeated() {
    let scene = say_hello(|hello| hello.session_id = vec![7; 32]);
    let answer = scene.peer.received()[0].body.clone();
    assert_eq!(ServerHello::from_bytes(&answer).expect("a hello").session_id, [0; 0]);
    connects(scene);
}

#[test] // RFC 9846 §9.2
fn hellos_that_lack_something() {
    for missing in [Ext::KEY_SHARE, Ext::SUPPORTED_GROUPS, Ext::SIGNATURE_ALGORITHMS] {
        let scene = say_hello(|hello| hello.extensions.remove(missing));
        refused(scene, PeerFault::MissingExtension(missing), Alert::MISSING_EXTENSION);
    }
}

#[test] // RFC 9846 §4.2.1, §4.3.3
fn nothing_in_common() {
    for suites in [&[CipherSuite(0x5A5A)][..], &[CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]] {
        let scene = say_hello(|hello| hello.suites = suites.to_vec());
        refused(scene, Incompatible::NoCommonCipherSuite, Alert::HANDSHAKE_FAILURE);
    }
    let groups = say_hello(|hello| {
        hello.extensions.replace(Ext::SUPPORTED_GROUPS, &list16([NamedGroup(0x5A5A), NamedGroup::FFDHE2048]));
        hello.extensions.replace(Ext::KEY_SHARE, &shares(&[]));
    });
    refused(groups, Incompatible::NoCommonGroup, Alert::HANDSHAKE_FAILURE);
    // PKCS#1 is for certificates alone.
    for scheme in [SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme(0x0203), SignatureScheme::ED25519] {
        let scene = say_hello(|hello| hello.extensions.replace(Ext::SIGNATURE_ALGORITHMS, &list16([scheme])));
        refused(scene, Incompatible::NoCommonSignatureScheme, Alert::HANDSHAKE_FAILURE);
    }
    let alpn = [0, 4, 3, b'f', b'o', b'o'];
    let protocol = say_hello(|hello| hello.extensions.push(Ext::APPLICATION_LAYER_PROTOCOL_NEGOTIATION, &alpn));
    refused(protocol, Incompatible::NoCommonApplicationProtocol, Alert::NO_APPLICATION_PROTOCOL);
}

#[test] // RFC 9846 §4.3.8
fn shares_that_are_none() {
    for key in [&[0; 32][..], &[7; 32], &[1; 31], &[1; 33]] {
        let list = shares(&[(NamedGroup::X25519, key)]);
        let scene = say_hello(|hello| hello.extensions.replace(Ext::KEY_SHARE, &list));
        refused(scene, PeerFault::BadKeyShare, Alert::ILLEGAL_PARAMETER);
    }
    // Compressed, and the point at infinity.
    for key in [&[2; 33][..], &[0; 1]] {
        let list = shares(&[(NamedGroup::SECP256R1, key)]);
        let scene = say_hello(|hello| hello.extensions.replace(Ext::KEY_SHARE, &list));
        refused(scene, PeerFault::BadKeyShare, Alert::ILLEGAL_PARAMETER);
    }
    let empty = shares(&[(NamedGroup::X25519, &[])]);
    let empty = say_hello(|hello| hello.extensions.replace(Ext::KEY_SHARE, &empty));
    refused(empty, DecodeError::EmptyVector, Alert::DECODE_ERROR);
    let single = say_hello(|hello| hello.extensions.replace(Ext::KEY_SHARE, &[0, 29]));
    refused(single, DecodeError::Truncated, Alert::DECODE_ERROR);
}

#[test] // RFC 9846 §4.3.8: a server may check it, and we do
fn shares_that_no_client_may_offer() {
    let twice = say_hello(|hello| {
        let own = hello.extensions.get(Ext::KEY_SHARE).expect("in every hello of 1.3");
        let content = written(|w| w.vec16(|w| w.bytes(&[&own[2..], &own[2..]].concat())));
        hello.extensions.replace(Ext::KEY_SHARE, &content);
    });
    refused(twice, PeerFault::BadKeyShareList, Alert::ILLEGAL_PARAMETER);
    let unlisted = say_hello(|hello| hello.extensions.replace(Ext::SUPPORTED_GROUPS, &list16([NamedGroup::SECP256R1])));
    refused(unlisted, PeerFault::BadKeyShareList, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 9846 §6.2
fn hellos_that_cannot_be_read() {
    let twice = say_hello(|hello| hello.extensions.push(Ext::SUPPORTED_VERSIONS, &[2, 0xFE, 0xFC]));
    refused(twice, DecodeError::DuplicateExtension, Alert::DECODE_ERROR);
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut scene = Scene13::server13(server(ClientAuth::None), 1);
        let mut body = scene.peer.body_of(HandshakeType::CLIENT_HELLO);
        change(&mut body);
        send(&mut scene, HandshakeType::CLIENT_HELLO, &body);
        scene
    };
    refused(changed(|body| body.push(0)), DecodeError::TrailingBytes, Alert::DECODE_ERROR);
    refused(changed(|body| body.truncate(40)), DecodeError::Truncated, Alert::DECODE_ERROR);
    refused(changed(Vec::clear), DecodeError::Truncated, Alert::DECODE_ERROR);
}

#[test] // RFC 8701 §3.2, RFC 9846 §4.2.2
fn what_is_unknown_is_ignored_wherever_it_stands() {
    const GREASE: u16 = 0x5A5A;
    connects(say_hello(|hello| {
        hello.suites.insert(0, CipherSuite(GREASE));
        let groups = [NamedGroup(GREASE), NamedGroup::X25519, NamedGroup::SECP256R1];
        hello.extensions.replace(Ext::SUPPORTED_GROUPS, &list16(groups));
        let own = hello.extensions.get(Ext::KEY_SHARE).expect("in every hello of 1.3");
        let grease = [&GREASE.to_be_bytes()[..], &[0, 1, 0]].concat();
        hello.extensions.replace(Ext::KEY_SHARE, &written(|w| w.vec16(|w| w.bytes(&[&grease, &own[2..]].concat()))));
        let schemes = [SignatureScheme(GREASE), SignatureScheme::ECDSA_SECP256R1_SHA256];
        hello.extensions.replace(Ext::SIGNATURE_ALGORITHMS, &list16(schemes));
        hello.extensions.push(Ext::SIGNATURE_ALGORITHMS_CERT, &list16([SignatureScheme(GREASE)]));
        hello.extensions.replace(Ext::SUPPORTED_VERSIONS, &[4, 0x5A, 0x5A, 0xFE, 0xFC]);
        hello.extensions.push(Ext(GREASE), &[]);
        hello.extensions.push(Ext::PADDING, &[0; 100]);
        hello.extensions.push(Ext(0x6A6A), b"something");
    }));
}

/// The extension alone selects the version. The field that it replaces has one value all the same, and a hello that
/// offers 1.3 with another one is refused, also where that other one is the number of 1.3 itself.
#[test] // RFC 9846 §4.2.2, RFC 9147 §5.3
fn a_version_field_of_a_hello_other_than_that_of_1_2() {
    for version in [ProtocolVersion::DTLS1_0, ProtocolVersion::DTLS1_3, ProtocolVersion(0x0303)] {
        let scene = say_hello(|hello| hello.version = version);
        refused(scene, Incompatible::NoCommonVersion, Alert::PROTOCOL_VERSION);
    }
}

#[test] // RFC 9846 §4.2.4: an empty list asks to be told
fn a_hello_without_a_share_is_asked_for_one() {
    let mut scene = say_hello(|hello| hello.extensions.replace(Ext::KEY_SHARE, &[0, 0]));
    let request = ServerHello::from_bytes(&scene.peer.received()[0].body).expect("a hello");
    assert!(request.is_hello_retry_request());
    scene.say(&[HandshakeType::CLIENT_HELLO, HandshakeType::FINISHED]);
    assert_eq!(scene.outcome(), Outcome::Connected);
}
