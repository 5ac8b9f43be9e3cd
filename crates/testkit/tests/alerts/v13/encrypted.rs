//! EncryptedExtensions and CertificateRequests that a client refuses.

use gramseal_proto::wire::{
    AlertDescription as Alert, Codec, DecodeError, EncryptedExtensions, ExtensionType as Ext, ExtensionsBuf,
    HandshakeType,
};
use gramseal_proto::{Error, PeerFault};
use gramseal_testkit::peer::{Outcome, Scene13};

use super::{assert_refused, client_after, send};
use crate::hello::written;

#[track_caller]
fn refused(scene: Scene13, error: impl Into<Error>, alert: Alert) {
    assert_refused(scene, 2, error, alert);
}

fn extensions(list: &[(Ext, &[u8])]) -> Vec<u8> {
    let mut extensions = ExtensionsBuf::new();
    list.iter().for_each(|(extension, content)| extensions.push_raw(*extension, content));
    EncryptedExtensions { extensions: extensions.as_extensions() }.to_vec().expect("short")
}

fn encrypted(list: &[(Ext, &[u8])]) -> Scene13 {
    let mut scene = client_after(1);
    send(&mut scene, HandshakeType::ENCRYPTED_EXTENSIONS, &extensions(list));
    scene
}

const ALPN: Ext = Ext::APPLICATION_LAYER_PROTOCOL_NEGOTIATION;
const ECHO: (Ext, &[u8]) = (ALPN, &[0, 5, 4, b'e', b'c', b'h', b'o']);

#[test] // RFC 9846 §4.4.1
fn answers_that_a_server_may_give() {
    let groups = (Ext::SUPPORTED_GROUPS, &[0, 4, 0, 24, 0x5A, 0x5A][..]);
    for list in [&[][..], &[ECHO], &[(Ext::SERVER_NAME, &[])], &[groups, ECHO]] {
        assert_eq!(encrypted(list).outcome(), Outcome::Waiting);
    }
}

#[test] // RFC 9846 §4.3
fn answers_to_what_was_not_asked() {
    for unasked in [Ext(0x5A5A), Ext::EARLY_DATA, Ext::COOKIE, Ext::PRE_SHARED_KEY, Ext::USE_SRTP, Ext::HEARTBEAT] {
        refused(encrypted(&[(unasked, &[])]), PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);
    }
}

#[test] // RFC 9846 §4.3
fn answers_in_the_wrong_message() {
    for misplaced in [
        Ext::KEY_SHARE,
        Ext::SUPPORTED_VERSIONS,
        Ext::SIGNATURE_ALGORITHMS,
        Ext::EXTENDED_MASTER_SECRET,
        Ext::RENEGOTIATION_INFO,
        Ext::EC_POINT_FORMATS,
    ] {
        refused(encrypted(&[ECHO, (misplaced, &[])]), PeerFault::MisplacedExtension, Alert::ILLEGAL_PARAMETER);
    }
}

#[test] // RFC 7301 §3.1, RFC 6066 §3
fn answers_that_do_not_fit_the_question() {
    let other = (ALPN, &[0, 4, 3, b'f', b'o', b'o'][..]);
    refused(encrypted(&[other]), PeerFault::UnofferedApplicationProtocol, Alert::ILLEGAL_PARAMETER);
    let two = (ALPN, &[0, 10, 4, b'e', b'c', b'h', b'o', 4, b'e', b'c', b'h', b'o'][..]);
    refused(encrypted(&[two]), DecodeError::BadVectorLength, Alert::DECODE_ERROR);
    refused(encrypted(&[(ALPN, &[0, 0])]), DecodeError::EmptyVector, Alert::DECODE_ERROR);
    refused(encrypted(&[(Ext::SERVER_NAME, &[0])]), DecodeError::TrailingBytes, Alert::DECODE_ERROR);
}

#[test] // RFC 9846 §6.2
fn encrypted_extensions_that_cannot_be_read() {
    refused(encrypted(&[ECHO, ECHO]), DecodeError::DuplicateExtension, Alert::DECODE_ERROR);
    for (body, error) in [
        (&[][..], DecodeError::Truncated),
        (&[0], DecodeError::Truncated),
        (&[0, 1, 0], DecodeError::Truncated),
        (&[0, 0, 0], DecodeError::TrailingBytes),
    ] {
        let mut scene = client_after(1);
        send(&mut scene, HandshakeType::ENCRYPTED_EXTENSIONS, body);
        refused(scene, error, Alert::DECODE_ERROR);
    }
}

const SCHEMES: (Ext, &[u8]) = (Ext::SIGNATURE_ALGORITHMS, &[0, 2, 4, 3]);

fn request(context: &[u8], list: &[(Ext, &[u8])]) -> Scene13 {
    let mut scene = client_after(2);
    let body = written(|w| {
        w.vec8(|w| w.bytes(context));
        w.bytes(&extensions(list));
    });
    send(&mut scene, HandshakeType::CERTIFICATE_REQUEST, &body);
    scene
}

#[test] // RFC 9846 §4.3.5, §4.4.2
fn what_a_client_ignores_in_a_request() {
    let oids = (Ext::OID_FILTERS, &[0, 6, 2, 0x2A, 3, 0, 1, 9][..]);
    let certificates = (Ext::SIGNATURE_ALGORITHMS_CERT, &[0, 2, 4, 1][..]);
    for list in [
        &[SCHEMES][..],
        &[(Ext(0x5A5A), b"something"), SCHEMES],
        &[SCHEMES, oids],
        &[SCHEMES, certificates],
        &[SCHEMES, (Ext::STATUS_REQUEST, &[1, 0, 0, 0, 0])],
        &[SCHEMES, (Ext::SERVER_NAME, &[])],
    ] {
        let mut scene = request(&[], list);
        let rest = scene.handshake(false)[2..].to_vec();
        scene.say(&rest);
        assert_eq!(scene.outcome(), Outcome::Connected, "{list:?}");
        let answer: Vec<_> = scene.peer.received().iter().map(|message| message.msg_type).collect();
        let with_certificate = [HandshakeType::CERTIFICATE, HandshakeType::CERTIFICATE_VERIFY, HandshakeType::FINISHED];
        assert_eq!(answer[1..], with_certificate);
    }
}

#[test] // RFC 9846 §4.3, §4.4.2
fn requests_that_a_client_refuses() {
    let context = request(&[7], &[SCHEMES]);
    refused(context, PeerFault::CertificateContextMismatch, Alert::ILLEGAL_PARAMETER);
    let missing = PeerFault::MissingExtension(Ext::SIGNATURE_ALGORITHMS);
    refused(request(&[], &[]), missing, Alert::MISSING_EXTENSION);
    refused(request(&[], &[(Ext(0x5A5A), &[])]), missing, Alert::MISSING_EXTENSION);
    for misplaced in [
        Ext::KEY_SHARE,
        Ext::SUPPORTED_VERSIONS,
        Ext::SUPPORTED_GROUPS,
        Ext::PRE_SHARED_KEY,
        Ext::COOKIE,
        Ext::EARLY_DATA,
        ALPN,
    ] {
        let scene = request(&[], &[SCHEMES, (misplaced, &[])]);
        refused(scene, PeerFault::MisplacedExtension, Alert::ILLEGAL_PARAMETER);
    }
    refused(request(&[], &[SCHEMES, SCHEMES]), DecodeError::DuplicateExtension, Alert::DECODE_ERROR);
    let none = (Ext::SIGNATURE_ALGORITHMS, &[0, 0][..]);
    refused(request(&[], &[none]), DecodeError::EmptyVector, Alert::DECODE_ERROR);
    let no_authorities = (Ext::CERTIFICATE_AUTHORITIES, &[0, 0][..]);
    refused(request(&[], &[SCHEMES, no_authorities]), DecodeError::EmptyVector, Alert::DECODE_ERROR);
    let mut trailing = client_after(2);
    let mut body = trailing.peer.body_of(HandshakeType::CERTIFICATE_REQUEST);
    body.push(0);
    send(&mut trailing, HandshakeType::CERTIFICATE_REQUEST, &body);
    refused(trailing, DecodeError::TrailingBytes, Alert::DECODE_ERROR);
}
