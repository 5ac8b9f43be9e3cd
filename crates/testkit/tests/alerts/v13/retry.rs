//! HelloRetryRequests, and second hellos (RFC 9846 §4.2.2, §4.2.4). `tests/retry13.rs` has more of those that are
//! repeated or come from nobody.

use gramseal_proto::config::ServerConfig;
use gramseal_proto::wire::{
    AlertDescription as Alert, CipherSuite, DecodeError, ExtensionType as Ext, HandshakeType, NamedGroup,
    ProtocolVersion,
};
use gramseal_proto::{Error, Incompatible, PeerFault};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Outcome, Peer13, Scene13};

use super::{VERSIONS, assert_refused, client, send};
use crate::hello::{ClientFields, ServerFields, list16, written};

#[track_caller]
fn refused(scene: Scene13, error: impl Into<Error>, alert: Alert) {
    assert_refused(scene, 0, error, alert);
}

const P256: Option<NamedGroup> = Some(NamedGroup::SECP256R1);

/// Asks a client for a share of P-256 after `edit`.
fn ask(edit: impl FnOnce(&mut ServerFields)) -> Scene13 {
    let mut scene = Scene13::client13(client(), 1);
    let mut fields = ServerFields::of(&Peer13::retry_body(P256, None));
    edit(&mut fields);
    send(&mut scene, HandshakeType::SERVER_HELLO, &fields.body());
    scene
}

#[test]
fn an_honest_request_is_followed() {
    let mut scene = ask(|_| ());
    let rest = scene.handshake(true);
    scene.say(&rest);
    assert_eq!(scene.outcome(), Outcome::Connected);
    let group = scene.connection().negotiated().and_then(|negotiated| negotiated.group);
    assert_eq!(group, P256);
}

#[test] // RFC 9846 §4.2.4
fn requests_that_a_client_refuses() {
    let suite = ask(|request| request.suite = CipherSuite::TLS_AES_128_CCM_8_SHA256);
    refused(suite, PeerFault::UnofferedCipherSuite, Alert::ILLEGAL_PARAMETER);
    let older = ask(|request| request.suite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
    refused(older, PeerFault::UnofferedCipherSuite, Alert::ILLEGAL_PARAMETER);
    let id = ask(|request| request.session_id = vec![7]);
    refused(id, PeerFault::SessionIdEchoed, Alert::ILLEGAL_PARAMETER);
    let compression = ask(|request| request.compression = 1);
    refused(compression, PeerFault::UnofferedCompression, Alert::ILLEGAL_PARAMETER);
    let version = ask(|request| request.version = ProtocolVersion::DTLS1_3);
    refused(version, Incompatible::NoCommonVersion, Alert::PROTOCOL_VERSION);
    for version in [[0xFE, 0xFD], [0xFE, 0xFB]] {
        let scene = ask(|request| request.extensions.replace(Ext::SUPPORTED_VERSIONS, &version));
        refused(scene, PeerFault::UnofferedVersion, Alert::ILLEGAL_PARAMETER);
    }
    let nothing = ask(|request| request.extensions.remove(Ext::KEY_SHARE));
    refused(nothing, PeerFault::RetryWithoutChange, Alert::ILLEGAL_PARAMETER);
    for group in [NamedGroup::X25519, NamedGroup::X448, NamedGroup(0x5A5A), NamedGroup::FFDHE2048] {
        let scene = ask(|request| request.extensions.replace(Ext::KEY_SHARE, &group.0.to_be_bytes()));
        refused(scene, PeerFault::UnofferedGroup, Alert::ILLEGAL_PARAMETER);
    }
}

#[test] // RFC 9846 §4.3
fn extensions_of_a_request_that_a_client_refuses() {
    for unasked in [Ext(0x5A5A), Ext::EARLY_DATA, Ext::PRE_SHARED_KEY] {
        let scene = ask(|request| request.extensions.push(unasked, &[]));
        refused(scene, PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);
    }
    for misplaced in [Ext::SERVER_NAME, Ext::SUPPORTED_GROUPS, Ext::APPLICATION_LAYER_PROTOCOL_NEGOTIATION] {
        let scene = ask(|request| request.extensions.push(misplaced, &[]));
        refused(scene, PeerFault::MisplacedExtension, Alert::ILLEGAL_PARAMETER);
    }
    let share = ask(|request| request.extensions.replace(Ext::KEY_SHARE, &[0, 23, 0, 1, 9]));
    refused(share, DecodeError::TrailingBytes, Alert::DECODE_ERROR);
    let cookie = ask(|request| request.extensions.push(Ext::COOKIE, &[0, 0]));
    refused(cookie, DecodeError::EmptyVector, Alert::DECODE_ERROR);
    let twice = ask(|request| request.extensions.push(Ext::KEY_SHARE, &[0, 23]));
    refused(twice, DecodeError::DuplicateExtension, Alert::DECODE_ERROR);
}

#[test] // RFC 9846 §4.2.4
fn a_second_request() {
    for (group, cookie) in [(P256, None), (Some(NamedGroup::SECP384R1), None), (None, Some(&b"cookie"[..]))] {
        let mut scene = ask(|_| ());
        send(&mut scene, HandshakeType::SERVER_HELLO, &Peer13::retry_body(group, cookie));
        let fault = PeerFault::UnexpectedMessage(HandshakeType::SERVER_HELLO);
        refused(scene, fault, Alert::UNEXPECTED_MESSAGE);
    }
}

/// Answers the second hello after `edit`.
fn answer(edit: impl FnOnce(&mut ServerFields)) -> Scene13 {
    let mut scene = ask(|_| ());
    let mut fields = ServerFields::of(&scene.peer.body_of(HandshakeType::SERVER_HELLO));
    edit(&mut fields);
    send(&mut scene, HandshakeType::SERVER_HELLO, &fields.body());
    scene
}

#[test] // RFC 9846 §4.2.4, §4.3.8
fn a_server_that_changes_its_mind() {
    for suite in [CipherSuite::TLS_AES_256_GCM_SHA384, CipherSuite::TLS_CHACHA20_POLY1305_SHA256] {
        refused(answer(|hello| hello.suite = suite), PeerFault::ChangedAfterRetry, Alert::ILLEGAL_PARAMETER);
    }
    let older = answer(|hello| {
        hello.suite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
        hello.extensions.remove(Ext::SUPPORTED_VERSIONS);
    });
    refused(older, PeerFault::ChangedAfterRetry, Alert::ILLEGAL_PARAMETER);
    // The share that the first hello had, which the client has forgotten.
    let share = written(|w| {
        w.u16(NamedGroup::X25519.0);
        w.vec16(|w| w.bytes(&[9; 32]));
    });
    let group = answer(|hello| hello.extensions.replace(Ext::KEY_SHARE, &share));
    refused(group, PeerFault::UnofferedGroup, Alert::ILLEGAL_PARAMETER);
}

fn picky() -> ServerConfig {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let builder = null::server_config(3, identity).with_versions(&VERSIONS).with_groups(&[NamedGroup::SECP256R1]);
    builder.build().expect("a server configuration")
}

/// A server that has asked for a share of P-256 hears a second hello after `edit`.
fn say_again(edit: impl FnOnce(&mut ClientFields)) -> Scene13 {
    let mut scene = Scene13::server13(picky(), 1);
    scene.say(&[HandshakeType::CLIENT_HELLO]);
    let mut fields = ClientFields::of(&scene.peer.body_of(HandshakeType::CLIENT_HELLO));
    edit(&mut fields);
    send(&mut scene, HandshakeType::CLIENT_HELLO, &fields.body());
    scene
}

#[test]
fn an_honest_second_hello_connects() {
    let mut scene = say_again(|hello| hello.extensions.push(Ext::PADDING, &[0; 10]));
    scene.say(&[HandshakeType::FINISHED]);
    assert_eq!(scene.outcome(), Outcome::Connected);
}

#[test] // RFC 9846 §4.2.2
fn second_hellos_that_change_more_than_they_may() {
    let edits: [fn(&mut ClientFields); 9] = [
        |hello| hello.random = [6; 32],
        |hello| hello.session_id = vec![1],
        |hello| hello.version = ProtocolVersion::DTLS1_0,
        |hello| hello.suites.push(CipherSuite::TLS_AES_256_GCM_SHA384),
        |hello| hello.extensions.push(Ext(0x5A5A), &[]),
        |hello| hello.extensions.push(Ext::SERVER_NAME, &[0, 4, 0, 0, 1, b'a']),
        |hello| hello.extensions.replace(Ext::SIGNATURE_ALGORITHMS, &[0, 4, 4, 3, 8, 4]),
        |hello| hello.extensions.replace(Ext::SUPPORTED_GROUPS, &list16([NamedGroup::SECP256R1])),
        // What was asked for is not there.
        |hello| hello.extensions.replace(Ext::KEY_SHARE, &[0, 0]),
    ];
    for edit in edits {
        refused(say_again(edit), PeerFault::ChangedAfterRetry, Alert::ILLEGAL_PARAMETER);
    }
    let missing = say_again(|hello| hello.extensions.remove(Ext::KEY_SHARE));
    refused(missing, PeerFault::MissingExtension(Ext::KEY_SHARE), Alert::MISSING_EXTENSION);
    let older = say_again(|hello| hello.extensions.replace(Ext::SUPPORTED_VERSIONS, &[2, 0xFE, 0xFD]));
    refused(older, PeerFault::ChangedAfterRetry, Alert::ILLEGAL_PARAMETER);
    let compression = say_again(|hello| hello.compression = vec![0, 1]);
    refused(compression, PeerFault::ChangedAfterRetry, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 9846 §4.3.8
fn second_hellos_with_shares_that_were_not_asked_for() {
    let x25519 = [&[0, 29, 0, 32][..], &[9; 32]].concat();
    let both = say_again(|hello| {
        let own = hello.extensions.get(Ext::KEY_SHARE).expect("in every hello of 1.3");
        hello.extensions.replace(Ext::KEY_SHARE, &written(|w| w.vec16(|w| w.bytes(&[&own[2..], &x25519].concat()))));
    });
    refused(both, PeerFault::ChangedAfterRetry, Alert::ILLEGAL_PARAMETER);
    let other = written(|w| w.vec16(|w| w.bytes(&x25519)));
    let other = say_again(|hello| hello.extensions.replace(Ext::KEY_SHARE, &other));
    refused(other, PeerFault::ChangedAfterRetry, Alert::ILLEGAL_PARAMETER);
    let point = written(|w| w.vec16(|w| w.bytes(&[&[0, 23, 0, 65][..], &[4; 65]].concat())));
    let point = say_again(|hello| hello.extensions.replace(Ext::KEY_SHARE, &point));
    refused(point, PeerFault::BadKeyShare, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 9846 §4.2.2: who did not ask for a cookie gets none
fn a_cookie_that_nobody_asked_for() {
    let scene = say_again(|hello| hello.extensions.push(Ext::COOKIE, &[0, 1, 7]));
    refused(scene, PeerFault::ChangedAfterRetry, Alert::ILLEGAL_PARAMETER);
}
