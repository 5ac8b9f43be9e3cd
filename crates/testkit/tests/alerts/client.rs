//! Servers that a client must refuse, each with its error here and its alert on the wire.

use std::sync::Arc;

use gramseal_proto::config::ClientConfig;
use gramseal_proto::wire::{
    AlertDescription as Alert, CipherSuite, DOWNGRADE_TLS11, DOWNGRADE_TLS12, DecodeError, ExtensionType as Ext,
    HandshakeType, ProtocolVersion, SignatureScheme,
};
use gramseal_proto::{CloseReason, Error, Incompatible, PeerFault};
use gramseal_testkit::null::{self, NullKey, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene};

use crate::hello::{ServerFields, signed_params};
use crate::{CERTIFICATE_FAULTS, assert_refused, send};

fn client() -> ClientConfig {
    null::client_config(2).with_alpn(["echo"]).build().expect("a client configuration")
}

/// Answers the client's hello after `edit`.
fn answer(edit: impl FnOnce(&mut ServerFields)) -> Scene {
    let mut scene = Scene::client(client(), 1);
    let mut fields = ServerFields::of(&scene.peer.body_of(HandshakeType::SERVER_HELLO));
    edit(&mut fields);
    send(&mut scene, HandshakeType::SERVER_HELLO, &fields.body());
    scene
}

/// Plays the first `count` messages of a server's flight, then sends `msg_type` after `edit`.
fn flight(count: usize, msg_type: HandshakeType, edit: impl FnOnce(&mut Vec<u8>)) -> Scene {
    let mut scene = Scene::client(client(), 1);
    let steps = scene.first_flight(false);
    scene.play(&steps[..count]);
    let mut body = scene.peer.body_of(msg_type);
    edit(&mut body);
    send(&mut scene, msg_type, &body);
    scene
}

#[test] // RFC 8996 §5, RFC 9846 §4.3.1
fn versions_that_are_not_spoken() {
    for version in [ProtocolVersion::DTLS1_0, ProtocolVersion(0x0303), ProtocolVersion::DTLS1_3] {
        let scene = answer(|hello| hello.version = version);
        assert_refused(&scene, Incompatible::NoCommonVersion, Alert::PROTOCOL_VERSION);
    }
    let only13 = answer(|hello| hello.extensions.push(Ext::SUPPORTED_VERSIONS, &[0xFE, 0xFC]));
    assert_refused(&only13, Incompatible::NoCommonVersion, Alert::PROTOCOL_VERSION);
}

#[test] // RFC 9846 §4.2.3
fn a_downgrade_that_the_server_marks() {
    let to_1_1 = answer(|hello| hello.random[24..].copy_from_slice(&DOWNGRADE_TLS11));
    assert_refused(&to_1_1, PeerFault::Downgrade, Alert::ILLEGAL_PARAMETER);
    // 1.2 is all that this client speaks.
    let to_1_2 = answer(|hello| hello.random[24..].copy_from_slice(&DOWNGRADE_TLS12));
    assert_eq!(to_1_2.outcome(), Outcome::Waiting);
}

#[test] // RFC 5246 §7.4.1.3
fn choices_that_were_not_offered() {
    let suite = answer(|hello| hello.suite = CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256);
    assert_refused(&suite, PeerFault::UnofferedCipherSuite, Alert::ILLEGAL_PARAMETER);
    let unknown = answer(|hello| hello.suite = CipherSuite(0x5A5A));
    assert_refused(&unknown, PeerFault::UnofferedCipherSuite, Alert::ILLEGAL_PARAMETER);
    let compression = answer(|hello| hello.compression = 1);
    assert_refused(&compression, PeerFault::UnofferedCompression, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 5246 §7.4.1.4, RFC 7301 §3.1
fn answers_that_were_not_asked_for() {
    let ticket = answer(|hello| hello.extensions.push(Ext::SESSION_TICKET, &[]));
    assert_refused(&ticket, PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);
    let unknown = answer(|hello| hello.extensions.push(Ext(0x5A5A), &[]));
    assert_refused(&unknown, PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);
    let other = [0, 4, 3, b'f', b'o', b'o'];
    let protocol = answer(|hello| hello.extensions.push(Ext::APPLICATION_LAYER_PROTOCOL_NEGOTIATION, &other));
    assert_refused(&protocol, PeerFault::UnofferedApplicationProtocol, Alert::ILLEGAL_PARAMETER);
    let two = [0, 10, 4, b'e', b'c', b'h', b'o', 4, b'e', b'c', b'h', b'o'];
    let protocols = answer(|hello| hello.extensions.push(Ext::APPLICATION_LAYER_PROTOCOL_NEGOTIATION, &two));
    assert!(matches!(protocols.outcome(), Outcome::Closed(CloseReason::Failed(Error::Decode(_)))));
}

#[test] // RFC 6066 §3, RFC 5246 §7.4.1.4.1
fn answers_that_no_server_may_give() {
    let acknowledged = answer(|hello| hello.extensions.push(Ext::SERVER_NAME, &[]));
    assert_eq!(acknowledged.outcome(), Outcome::Waiting);
    let named = answer(|hello| hello.extensions.push(Ext::SERVER_NAME, &[0, 4, 0, 0, 1, b'a']));
    assert_refused(&named, DecodeError::TrailingBytes, Alert::DECODE_ERROR);
    let schemes = answer(|hello| hello.extensions.push(Ext::SIGNATURE_ALGORITHMS, &[0, 2, 4, 3]));
    assert_refused(&schemes, PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);
}

#[test] // RFC 5246 §7.4.1.3: whom we asked for no session gives the one that begins any name
fn a_new_session_may_have_an_identifier_of_any_length() {
    for len in [0, 1, 31, 32] {
        let mut scene = answer(|hello| hello.session_id = vec![7; len]);
        let rest = [&scene.first_flight(false)[1..], &scene.last_flight(false)].concat();
        scene.play(&rest);
        assert_eq!(scene.outcome(), Outcome::Connected, "{len} bytes");
    }
}

#[test]
fn what_a_server_may_answer_without_being_asked() {
    let silent = answer(|hello| hello.extensions.remove(Ext::EC_POINT_FORMATS));
    assert_eq!(silent.outcome(), Outcome::Waiting);
    // RFC 8422 §5.2 gives servers no such answer, but some send it.
    let groups = answer(|hello| hello.extensions.push(Ext::SUPPORTED_GROUPS, &[0, 2, 0, 29]));
    assert_eq!(groups.outcome(), Outcome::Waiting);
}

#[test] // RFC 7627 §5.2, RFC 5746 §3.4, RFC 8422 §5.1.2
fn answers_that_lack_something() {
    let plain = answer(|hello| hello.extensions.remove(Ext::EXTENDED_MASTER_SECRET));
    assert_refused(&plain, Incompatible::NoExtendedMasterSecret, Alert::HANDSHAKE_FAILURE);
    let insecure = answer(|hello| hello.extensions.remove(Ext::RENEGOTIATION_INFO));
    assert_refused(&insecure, Incompatible::NoSecureRenegotiation, Alert::HANDSHAKE_FAILURE);
    let renegotiating = answer(|hello| hello.extensions.replace(Ext::RENEGOTIATION_INFO, &[1, 9]));
    assert_refused(&renegotiating, PeerFault::RenegotiationInfoMismatch, Alert::HANDSHAKE_FAILURE);
    let points = answer(|hello| hello.extensions.replace(Ext::EC_POINT_FORMATS, &[1, 1]));
    assert_refused(&points, PeerFault::UncompressedPointsMissing, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 5246 §7.2.2
fn answers_that_cannot_be_read() {
    let long_id = answer(|hello| hello.session_id = vec![7; 33]);
    assert_refused(&long_id, DecodeError::BadVectorLength, Alert::DECODE_ERROR);
    let twice = answer(|hello| hello.extensions.push(Ext::EXTENDED_MASTER_SECRET, &[]));
    assert_refused(&twice, DecodeError::DuplicateExtension, Alert::DECODE_ERROR);
    let trailing = flight(1, HandshakeType::CERTIFICATE, |body| body.push(0));
    assert_refused(&trailing, DecodeError::TrailingBytes, Alert::DECODE_ERROR);
}

#[test] // RFC 5246 §7.4.2
fn a_server_without_a_certificate() {
    let scene = flight(1, HandshakeType::CERTIFICATE, |body| *body = vec![0, 0, 0]);
    assert_refused(&scene, PeerFault::NoCertificate, Alert::BAD_CERTIFICATE);
}

#[test]
fn a_certificate_that_is_not_accepted() {
    for (fault, alert) in CERTIFICATE_FAULTS {
        let verifier = Arc::new(NullVerifier::default().refusing(fault));
        let config = ClientConfig::builder(null::provider(2), verifier)
            .with_versions(&[ProtocolVersion::DTLS1_2])
            .build()
            .expect("a client configuration");
        let mut scene = Scene::client(config, 1);
        let steps = scene.first_flight(false);
        scene.play(&steps[..2]);
        assert_refused(&scene, fault, alert);
    }
}

const KEY_EXCHANGE: HandshakeType = HandshakeType::SERVER_KEY_EXCHANGE;

#[test] // RFC 8422 §5.4, RFC 5246 §7.4.3
fn key_exchanges_that_were_not_offered() {
    let group = flight(2, KEY_EXCHANGE, |body| body[1..3].copy_from_slice(&[0, 22]));
    assert_refused(&group, PeerFault::UnofferedGroup, Alert::ILLEGAL_PARAMETER);
    // Offered, for 1.3.
    let hybrid = flight(2, KEY_EXCHANGE, |body| body[1..3].copy_from_slice(&[0x11, 0xEC]));
    assert_refused(&hybrid, PeerFault::UnofferedGroup, Alert::ILLEGAL_PARAMETER);
    // curve_type, group, length of the share, 32 bytes, then the scheme.
    let scheme_at = 1 + 2 + 1 + 32;
    let sha1 = flight(2, KEY_EXCHANGE, |body| body[scheme_at..scheme_at + 2].copy_from_slice(&[2, 3]));
    assert_refused(&sha1, PeerFault::UnofferedSignatureScheme, Alert::ILLEGAL_PARAMETER);
    let rsa = SignatureScheme::RSA_PKCS1_SHA256.0.to_be_bytes();
    let kind = flight(2, KEY_EXCHANGE, |body| body[scheme_at..scheme_at + 2].copy_from_slice(&rsa));
    assert_refused(&kind, PeerFault::WrongKeyForCipherSuite, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 8422 §5.11; the signature is right
fn a_share_that_is_none() {
    let mut scene = Scene::client(client(), 1);
    let hello = ServerFields::of(&scene.peer.body_of(HandshakeType::SERVER_HELLO));
    let steps = scene.first_flight(false);
    scene.play(&steps[..2]);
    let params = [&[3, 0, 29, 32][..], &[7; 32]].concat();
    let body = signed_params(&scene, &hello, &NullKey::new(ToyKind::EcdsaP256, 1), &params);
    send(&mut scene, HandshakeType::SERVER_KEY_EXCHANGE, &body);
    scene.play(&steps[3..]);
    assert_refused(&scene, PeerFault::BadKeyShare, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 5246 §7.4.3
fn a_server_that_does_not_hold_its_certificates_key() {
    let share = flight(2, KEY_EXCHANGE, |body| body[10] ^= 1);
    assert_refused(&share, PeerFault::BadSignature, Alert::DECRYPT_ERROR);
    let signature = flight(2, KEY_EXCHANGE, |body| *body.last_mut().expect("a signature") ^= 1);
    assert_refused(&signature, PeerFault::BadSignature, Alert::DECRYPT_ERROR);
}

#[test] // RFC 5246 §7.4.9
fn a_finished_that_does_not_fit() {
    let mut scene = Scene::client(client(), 1);
    let steps = scene.first_flight(false);
    scene.play(&steps);
    scene.play(&scene.last_flight(false)[..1]);
    let mut body = scene.peer.body_of(HandshakeType::FINISHED);
    body[0] ^= 1;
    send(&mut scene, HandshakeType::FINISHED, &body);
    assert_refused(&scene, PeerFault::FinishedMismatch, Alert::DECRYPT_ERROR);
}
