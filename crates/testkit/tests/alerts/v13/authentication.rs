//! Certificate, CertificateVerify and Finished that do not prove what they should, of servers and of clients.

use std::sync::Arc;

use gramseal_proto::config::{ClientAuth, ClientConfig};
use gramseal_proto::wire::{
    AlertDescription as Alert, DecodeError, ExtensionType as Ext, HandshakeType, SignatureScheme, Writer,
};
use gramseal_proto::{Error, Incompatible, PeerFault};
use gramseal_testkit::null::{self, NullKey, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Peer13, Scene13};
use gramseal_testkit::sim::Side;

use super::{VERSIONS, assert_refused, client_after, send, server, server_after};
use crate::CERTIFICATE_FAULTS;
use crate::hello::written;

const CERTIFICATE: HandshakeType = HandshakeType::CERTIFICATE;
const VERIFY: HandshakeType = HandshakeType::CERTIFICATE_VERIFY;
const FINISHED: HandshakeType = HandshakeType::FINISHED;

/// A side that is about to hear `msg_type` from a peer that was honest so far.
fn before(under_test: Side, msg_type: HandshakeType) -> Scene13 {
    let left = match msg_type {
        CERTIFICATE => 3,
        VERIFY => 2,
        _ => 1,
    };
    match under_test {
        Side::Client => client_after(6 - left),
        Side::Server => server_after(4 - left),
    }
}

#[track_caller]
fn refused(scene: Scene13, error: impl Into<Error>, alert: Alert) {
    // A server could write application data by now.
    let epoch = if scene.peer.side() == Side::Server { 2 } else { 3 };
    assert_refused(scene, epoch, error, alert);
}

fn says(under_test: Side, msg_type: HandshakeType, edit: impl FnOnce(&mut Vec<u8>)) -> Scene13 {
    let mut scene = before(under_test, msg_type);
    let mut body = scene.peer.body_of(msg_type);
    edit(&mut body);
    send(&mut scene, msg_type, &body);
    scene
}

/// A Certificate message; each entry a certificate and the extensions with it.
fn certificates(context: &[u8], entries: &[(&[u8], &[u8])]) -> Vec<u8> {
    let entry = |w: &mut Writer<'_>, (certificate, extensions): &(&[u8], &[u8])| {
        w.vec24(|w| w.bytes(certificate));
        w.vec16(|w| w.bytes(extensions));
    };
    written(|w| {
        w.vec8(|w| w.bytes(context));
        w.vec24(|w| entries.iter().for_each(|one| entry(w, one)));
    })
}

#[test] // RFC 9846 §4.5.1
fn certificates_that_are_not_read() {
    for side in Side::BOTH {
        let shows = |body: &[u8]| says(side, CERTIFICATE, |old| *old = body.to_vec());
        let context = certificates(&[7], &[(b"certificate", &[])]);
        refused(shows(&context), PeerFault::CertificateContextMismatch, Alert::ILLEGAL_PARAMETER);
        let without_bytes = certificates(&[], &[(&[], &[])]);
        refused(shows(&without_bytes), DecodeError::EmptyVector, Alert::DECODE_ERROR);
        refused(says(side, CERTIFICATE, |body| body.push(0)), DecodeError::TrailingBytes, Alert::DECODE_ERROR);
        refused(shows(&[]), DecodeError::Truncated, Alert::DECODE_ERROR);
        // As in 1.2.
        refused(shows(&[0, 0, 4, 0, 0, 1, 9]), DecodeError::Truncated, Alert::DECODE_ERROR);
        // The form is right, what is in it is nothing.
        let junk = gramseal_proto::CertificateFault::BadEncoding;
        refused(shows(&certificates(&[], &[(b"junk", &[])])), junk, Alert::BAD_CERTIFICATE);
    }
}

#[test]
fn chains_that_are_too_long() {
    for side in Side::BOTH {
        let chain = |count: usize| {
            let mut scene = before(side, CERTIFICATE);
            let own = scene.peer.body_of(CERTIFICATE);
            // What follows is the context, the length of all, and that of the first.
            let first = &own[7..own.len() - 2];
            let mut entries = vec![(first, &[][..])];
            entries.resize(count, (&[0x30], &[]));
            send(&mut scene, CERTIFICATE, &certificates(&[], &entries));
            scene
        };
        assert_eq!(chain(16).outcome(), Outcome::Waiting);
        for count in [17, 2000] {
            refused(chain(count), PeerFault::ChainTooLong, Alert::BAD_CERTIFICATE);
        }
    }
}

#[test] // RFC 9846 §4.3, §4.5.1
fn extensions_of_a_certificate_that_were_not_asked_for() {
    for side in Side::BOTH {
        for unasked in [Ext::STATUS_REQUEST, Ext::SIGNED_CERTIFICATE_TIMESTAMP, Ext::KEY_SHARE, Ext(0x5A5A)] {
            let [high, low] = unasked.0.to_be_bytes();
            let extension = [high, low, 0, 1, 0];
            for entries in [&[(&b"one"[..], &extension[..])][..], &[(b"one", &[]), (b"two", &extension)]] {
                let scene = says(side, CERTIFICATE, |body| *body = certificates(&[], entries));
                refused(scene, PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);
            }
        }
    }
}

#[test] // RFC 9846 §4.5.1.3
fn nobody_shows_nothing_where_something_is_required() {
    let empty = |side| says(side, CERTIFICATE, |body| *body = certificates(&[], &[]));
    refused(empty(Side::Client), PeerFault::EmptyCertificate, Alert::DECODE_ERROR);
    refused(empty(Side::Server), Incompatible::NoClientCertificate, Alert::CERTIFICATE_REQUIRED);
}

#[test] // RFC 9846 §4.5.1.3
fn a_client_may_show_nothing_where_that_is_allowed_and_then_signs_nothing() {
    let optional = ClientAuth::Optional(Arc::new(NullVerifier::default()));
    let asked = || {
        let mut scene = Scene13::server13(server(optional.clone()), 1);
        scene.say(&[HandshakeType::CLIENT_HELLO]);
        scene.say_of(CERTIFICATE, &certificates(&[], &[]));
        scene
    };
    let mut scene = asked();
    scene.say(&[FINISHED]);
    assert_eq!(scene.outcome(), Outcome::Connected);
    let mut scene = asked();
    let body = scene.peer.body_of(VERIFY);
    send(&mut scene, VERIFY, &body);
    refused(scene, PeerFault::UnexpectedMessage(VERIFY), Alert::UNEXPECTED_MESSAGE);
}

#[test] // RFC 9846 §6.2
fn a_certificate_that_is_not_accepted() {
    for (fault, alert) in CERTIFICATE_FAULTS {
        let verifier = Arc::new(NullVerifier::default().refusing(fault));
        let config = ClientConfig::builder(null::provider(2), verifier.clone()).with_versions(&VERSIONS);
        let mut scene = Scene13::client13(config.build().expect("a client configuration"), 1);
        let honest = scene.handshake(false);
        scene.say(&honest[..2]);
        let body = scene.peer.body_of(CERTIFICATE);
        send(&mut scene, CERTIFICATE, &body);
        refused(scene, fault, alert);

        let mut scene = Scene13::server13(server(ClientAuth::Required(verifier)), 1);
        scene.say(&[HandshakeType::CLIENT_HELLO]);
        let body = scene.peer.body_of(CERTIFICATE);
        send(&mut scene, CERTIFICATE, &body);
        refused(scene, fault, alert);
    }
}

fn verifies(side: Side, key: &NullKey, scheme: SignatureScheme) -> Scene13 {
    let mut scene = before(side, VERIFY);
    let body = scene.peer.certificate_verify(key, scheme);
    send(&mut scene, VERIFY, &body);
    scene
}

#[test] // RFC 9846 §4.5.2
fn a_peer_that_does_not_hold_its_certificates_key() {
    for side in Side::BOTH {
        let changed = says(side, VERIFY, |body| *body.last_mut().expect("a signature") ^= 1);
        refused(changed, PeerFault::BadSignature, Alert::DECRYPT_ERROR);
        let other = NullKey::new(ToyKind::EcdsaP256, 2);
        let scene = verifies(side, &other, SignatureScheme::ECDSA_SECP256R1_SHA256);
        refused(scene, PeerFault::BadSignature, Alert::DECRYPT_ERROR);
        // A scheme that is offered, and not one of the certificate's key.
        let scene = verifies(side, &NullKey::new(ToyKind::Ed25519, 1), SignatureScheme::ED25519);
        refused(scene, PeerFault::BadSignature, Alert::DECRYPT_ERROR);
        let without = says(side, VERIFY, |body| body.splice(2.., [0, 0]).for_each(drop));
        refused(without, PeerFault::BadSignature, Alert::DECRYPT_ERROR);
    }
}

#[test] // RFC 9846 §4.5.2: the context string keeps the two roles apart
fn a_signature_that_the_other_side_could_have_made() {
    for side in Side::BOTH {
        let mut scene = before(side, VERIFY);
        let body = scene.peer.certificate_verify_as(side, &NullKey::new(ToyKind::EcdsaP256, 1));
        send(&mut scene, VERIFY, &body);
        refused(scene, PeerFault::BadSignature, Alert::DECRYPT_ERROR);
    }
}

#[test] // RFC 9846 §4.5.2
fn a_signature_over_another_handshake() {
    for side in Side::BOTH {
        let mut earlier = before(side, CERTIFICATE);
        let body = earlier.peer.body_of(VERIFY);
        let mut scene = before(side, VERIFY);
        send(&mut scene, VERIFY, &body);
        refused(scene, PeerFault::BadSignature, Alert::DECRYPT_ERROR);
        earlier.take_sent();
    }
}

#[test] // RFC 9846 §4.3.3, §4.5.2
fn schemes_that_1_3_does_not_have() {
    let rsa = NullKey::new(ToyKind::Rsa, 1);
    for side in Side::BOTH {
        // The certificate is of an RSA key, whose PKCS#1 signatures are fine in certificates.
        let mut scene = before(side, CERTIFICATE);
        let name = if side == Side::Client { null::SERVER_NAME } else { null::CLIENT_NAME };
        scene.say_of(CERTIFICATE, &Peer13::certificate_body(name, &rsa));
        let body = scene.peer.certificate_verify(&rsa, SignatureScheme::RSA_PKCS1_SHA256);
        send(&mut scene, VERIFY, &body);
        refused(scene, PeerFault::UnofferedSignatureScheme, Alert::ILLEGAL_PARAMETER);
        for scheme in [[2, 3], [2, 1], [0x5A, 0x5A], [6, 3]] {
            let scene = says(side, VERIFY, |body| body[..2].copy_from_slice(&scheme));
            refused(scene, PeerFault::UnofferedSignatureScheme, Alert::ILLEGAL_PARAMETER);
        }
    }
}

#[test] // RFC 9846 §6.2
fn a_certificate_verify_that_cannot_be_read() {
    for side in Side::BOTH {
        refused(says(side, VERIFY, |body| body.push(0)), DecodeError::TrailingBytes, Alert::DECODE_ERROR);
        refused(says(side, VERIFY, |body| body.truncate(3)), DecodeError::Truncated, Alert::DECODE_ERROR);
        refused(says(side, VERIFY, Vec::clear), DecodeError::Truncated, Alert::DECODE_ERROR);
    }
}

#[test] // RFC 9846 §4.5.3
fn a_finished_that_does_not_fit() {
    for side in Side::BOTH {
        let edits: [fn(&mut Vec<u8>); 5] =
            [|body| body[0] ^= 1, |body| body[31] ^= 0x80, |body| body.truncate(31), |body| body.push(0), Vec::clear];
        for edit in edits {
            refused(says(side, FINISHED, edit), PeerFault::FinishedMismatch, Alert::DECRYPT_ERROR);
        }
        // The one that was due earlier.
        let body = before(side, VERIFY).peer.body_of(FINISHED);
        refused(says(side, FINISHED, |now| *now = body), PeerFault::FinishedMismatch, Alert::DECRYPT_ERROR);
        // Our own, sent back.
        if side == Side::Server {
            let mut scene = before(side, FINISHED);
            let own = scene.peer.received().last().expect("a Finished").body.clone();
            send(&mut scene, FINISHED, &own);
            refused(scene, PeerFault::FinishedMismatch, Alert::DECRYPT_ERROR);
        }
    }
}
