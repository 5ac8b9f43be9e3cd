//! ServerHellos that a client refuses, before it has any keys.

use gramseal_proto::wire::{
    AlertDescription as Alert, CipherSuite, DOWNGRADE_TLS11, DOWNGRADE_TLS12, DecodeError, ExtensionType as Ext,
    HandshakeType, NamedGroup, ProtocolVersion,
};
use gramseal_proto::{Error, Incompatible, PeerFault};
use gramseal_testkit::peer::{Outcome, Scene, Scene13};

use super::{assert_refused, client, send};
use crate::hello::{ServerFields, written};

/// Answers the client's hello after `edit`.
fn answer(edit: impl FnOnce(&mut ServerFields)) -> Scene13 {
    let mut scene = Scene13::client13(client(), 1);
    let mut fields = ServerFields::of(&scene.peer.body_of(HandshakeType::SERVER_HELLO));
    edit(&mut fields);
    send(&mut scene, HandshakeType::SERVER_HELLO, &fields.body());
    scene
}

#[track_caller]
fn refused(scene: Scene13, error: impl Into<Error>, alert: Alert) {
    assert_refused(scene, 0, error, alert);
}

/// The content of key_share in a ServerHello.
fn share(group: NamedGroup, key: &[u8]) -> Vec<u8> {
    written(|w| {
        w.u16(group.0);
        w.vec16(|w| w.bytes(key));
    })
}

#[test] // RFC 9846 §4.2.3: the field that used to tell the version
fn a_version_field_other_than_that_of_1_2() {
    for version in [ProtocolVersion::DTLS1_0, ProtocolVersion::DTLS1_3, ProtocolVersion(0x0303)] {
        let scene = answer(|hello| hello.version = version);
        refused(scene, Incompatible::NoCommonVersion, Alert::PROTOCOL_VERSION);
    }
}

#[test] // RFC 9846 §4.3.1
fn an_extension_that_selects_a_version_other_than_1_3() {
    for version in
        [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_0, ProtocolVersion(0xFEFB), ProtocolVersion(0x0304)]
    {
        let version = version.0.to_be_bytes();
        let scene = answer(|hello| hello.extensions.replace(Ext::SUPPORTED_VERSIONS, &version));
        refused(scene, PeerFault::UnofferedVersion, Alert::ILLEGAL_PARAMETER);
    }
    let list = answer(|hello| hello.extensions.replace(Ext::SUPPORTED_VERSIONS, &[2, 0xFE, 0xFC]));
    refused(list, DecodeError::TrailingBytes, Alert::DECODE_ERROR);
    // Without the extension it is a hello of 1.2, which has none of the suites of 1.3.
    let older = answer(|hello| hello.extensions.remove(Ext::SUPPORTED_VERSIONS));
    refused(older, PeerFault::UnofferedCipherSuite, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 9846 §4.2.3
fn a_downgrade_that_the_server_marks() {
    for sentinel in [DOWNGRADE_TLS12, DOWNGRADE_TLS11] {
        let mut scene = Scene::client(client(), 1);
        let mut fields = ServerFields::of(&scene.peer.body_of(HandshakeType::SERVER_HELLO));
        fields.random[24..].copy_from_slice(&sentinel);
        crate::send(&mut scene, HandshakeType::SERVER_HELLO, &fields.body());
        crate::assert_refused(&scene, PeerFault::Downgrade, Alert::ILLEGAL_PARAMETER);
        // Who speaks 1.3 has nothing to mark.
        let newer = answer(|hello| hello.random[24..].copy_from_slice(&sentinel));
        assert_eq!(newer.outcome(), Outcome::Waiting);
    }
}

#[test] // RFC 9846 §4.2.3
fn choices_that_were_not_offered() {
    for suite in [
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::TLS_AES_128_CCM_8_SHA256,
        CipherSuite(0x5A5A),
    ] {
        let scene = answer(|hello| hello.suite = suite);
        refused(scene, PeerFault::UnofferedCipherSuite, Alert::ILLEGAL_PARAMETER);
    }
    let compression = answer(|hello| hello.compression = 1);
    refused(compression, PeerFault::UnofferedCompression, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 9147 §5.4, and rfc9147bis
fn a_session_id_that_is_repeated() {
    for len in [1, 32] {
        let scene = answer(|hello| hello.session_id = vec![7; len]);
        refused(scene, PeerFault::SessionIdEchoed, Alert::ILLEGAL_PARAMETER);
    }
    let long = answer(|hello| hello.session_id = vec![7; 33]);
    refused(long, DecodeError::BadVectorLength, Alert::DECODE_ERROR);
}

#[test] // RFC 9846 §4.3.8
fn shares_that_do_not_answer_ours() {
    let none = answer(|hello| hello.extensions.remove(Ext::KEY_SHARE));
    refused(none, PeerFault::MissingExtension(Ext::KEY_SHARE), Alert::MISSING_EXTENSION);
    let replaced = |content: &[u8]| answer(|hello| hello.extensions.replace(Ext::KEY_SHARE, content));
    // Offered without a share, not offered, not known.
    for group in [NamedGroup::SECP256R1, NamedGroup::X448, NamedGroup(0x5A5A)] {
        refused(replaced(&share(group, &[4; 65])), PeerFault::UnofferedGroup, Alert::ILLEGAL_PARAMETER);
    }
    // All zero, no point, too short, too long.
    for key in [&[0; 32][..], &[7; 32], &[1; 31], &[1; 33]] {
        refused(replaced(&share(NamedGroup::X25519, key)), PeerFault::BadKeyShare, Alert::ILLEGAL_PARAMETER);
    }
    refused(replaced(&share(NamedGroup::X25519, &[])), DecodeError::EmptyVector, Alert::DECODE_ERROR);
    // As in a HelloRetryRequest, as in a ClientHello.
    refused(replaced(&[0, 29]), DecodeError::Truncated, Alert::DECODE_ERROR);
    let list = written(|w| w.vec16(|w| w.bytes(&share(NamedGroup::X25519, &[9; 32]))));
    let Outcome::Closed(_) = replaced(&list).outcome() else { panic!("a list is no share") };
    let mut long = share(NamedGroup::X25519, &[9; 32]);
    long.push(0);
    refused(replaced(&long), DecodeError::TrailingBytes, Alert::DECODE_ERROR);
}

#[test] // RFC 9846 §4.3
fn extensions_that_a_hello_may_not_have() {
    // Not asked for.
    for unasked in [Ext(0x5A5A), Ext::COOKIE, Ext::PRE_SHARED_KEY, Ext::EARLY_DATA, Ext::OID_FILTERS] {
        let scene = answer(|hello| hello.extensions.push(unasked, &[0, 0]));
        refused(scene, PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);
    }
    // Asked for, and answered elsewhere or never.
    for misplaced in [
        Ext::SERVER_NAME,
        Ext::SUPPORTED_GROUPS,
        Ext::SIGNATURE_ALGORITHMS,
        Ext::APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
        Ext::EXTENDED_MASTER_SECRET,
        Ext::RENEGOTIATION_INFO,
    ] {
        let scene = answer(|hello| hello.extensions.push(misplaced, &[]));
        refused(scene, PeerFault::MisplacedExtension, Alert::ILLEGAL_PARAMETER);
    }
    for twice in [Ext::KEY_SHARE, Ext::SUPPORTED_VERSIONS] {
        let scene = answer(|hello| {
            let content = hello.extensions.get(twice).expect("in every hello of 1.3");
            hello.extensions.push(twice, &content);
        });
        refused(scene, DecodeError::DuplicateExtension, Alert::DECODE_ERROR);
    }
}

#[test] // RFC 9846 §6.2
fn hellos_that_cannot_be_read() {
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut scene = Scene13::client13(client(), 1);
        let mut body = scene.peer.body_of(HandshakeType::SERVER_HELLO);
        change(&mut body);
        send(&mut scene, HandshakeType::SERVER_HELLO, &body);
        scene
    };
    refused(changed(|body| body.push(0)), DecodeError::TrailingBytes, Alert::DECODE_ERROR);
    refused(changed(|body| body.truncate(20)), DecodeError::Truncated, Alert::DECODE_ERROR);
    refused(changed(|body| body.truncate(body.len() - 1)), DecodeError::Truncated, Alert::DECODE_ERROR);
    refused(changed(Vec::clear), DecodeError::Truncated, Alert::DECODE_ERROR);
}
