//! Requests for a certificate after the handshake, and answers to them, that go wrong.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, PeerVerifier, ServerConfig};
use gramseal_proto::wire::{AlertDescription, ContentType, ExtensionType, HandshakeType as T, SignatureScheme};
use gramseal_proto::{CertificateFault, ClientAnswer, Incompatible, PeerFault};
use gramseal_testkit::null::{self, NullKey, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Peer13, Scene13};

use super::post::refused;
use super::{VERSIONS, server};

fn verifier() -> Arc<dyn PeerVerifier> {
    Arc::new(NullVerifier::default())
}

/// A client that lets itself be asked, and has nothing more to do.
fn client() -> Scene13 {
    let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 0);
    let client = null::client_config(2).with_versions(&VERSIONS).with_identity(identity).with_post_handshake_auth();
    let mut scene = Scene13::client13(client.build().expect("a client"), 1);
    scene.connect13();
    settle(&mut scene);
    scene
}

fn settle(scene: &mut Scene13) {
    scene.advance(Duration::from_secs(1));
    scene.peer.take_seen();
    scene.take_sent();
}

/// A server that has asked its client, and the context of the request.
pub(super) fn asking(config: impl Into<Arc<ServerConfig>>) -> (Scene13, Vec<u8>) {
    let mut scene = Scene13::server13(config, 1);
    scene.peer.offer_post_handshake_auth();
    scene.connect13();
    settle(&mut scene);
    let context = ask(&mut scene);
    (scene, context)
}

fn ask(scene: &mut Scene13) -> Vec<u8> {
    scene.connection().authenticate_client().expect("nothing is in the way");
    // Something has to make it send.
    let ack = scene.peer.ack([]);
    scene.deliver([ack]);
    let request = scene.peer.received().last().expect("a request");
    assert_eq!(request.msg_type, T::CERTIFICATE_REQUEST);
    let len = usize::from(request.body[0]);
    let context = request.body[1..=len].to_vec();
    let seen = scene.peer.take_seen();
    let number = seen.first().expect("the request").number;
    let ack = scene.peer.ack([(number.epoch.0, number.sequence_number.0)]);
    scene.deliver([ack]);
    context
}

fn asked() -> (Scene13, Vec<u8>) {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let server = null::server_config(3, identity).with_versions(&VERSIONS).with_post_handshake_verifier(verifier());
    asking(server.build().expect("a server"))
}

/// `body`, which begins with an empty context, with this one.
pub(super) fn in_context(context: &[u8], body: &[u8]) -> Vec<u8> {
    assert_eq!(body[0], 0);
    [&[u8::try_from(context.len()).expect("a short context")], context, &body[1..]].concat()
}

fn say_certificate(scene: &mut Scene13, context: &[u8]) {
    let body = in_context(context, &scene.peer.body_of(T::CERTIFICATE));
    scene.say_of(T::CERTIFICATE, &body);
}

pub(super) fn say_finished(scene: &mut Scene13) {
    let body = scene.peer.finished_afterwards(scene.peer.epoch());
    scene.say_of(T::FINISHED, &body);
}

fn answer(scene: &mut Scene13, context: &[u8]) {
    say_certificate(scene, context);
    scene.say(&[T::CERTIFICATE_VERIFY]);
    say_finished(scene);
}

fn known(scene: &mut Scene13) -> usize {
    scene.connection().negotiated().expect("connected").peer_certificates.len()
}

#[test] // RFC 9846 §4.7.2, §4.5
fn an_answer_as_the_standard_has_it_is_accepted() {
    let (mut scene, context) = asked();
    assert_eq!(known(&mut scene), 0);
    answer(&mut scene, &context);
    assert_eq!((scene.outcome(), known(&mut scene)), (Outcome::Connected, 1));
    assert_eq!(scene.client_answers(), [ClientAnswer::Authenticated]);
}

#[test] // RFC 9846 §4.5
fn an_exchange_is_bound_to_the_handshake_and_the_newest_keys_alone() {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let server = null::server_config(3, identity).with_versions(&VERSIONS).with_post_handshake_verifier(verifier());
    let mut scene = Scene13::server13(server.build().expect("a server"), 1);
    scene.peer.offer_post_handshake_auth();
    scene.connect13();
    settle(&mut scene);
    let handshake = scene.peer.transcript_len();
    for round in 1..4 {
        // Neither the exchange before nor the KeyUpdate is a part of this one.
        scene.peer.cut_transcript(handshake);
        let context = ask(&mut scene);
        let request = scene.peer.transcript_len();
        scene.say_of(T::KEY_UPDATE, &[0]);
        scene.peer.set_epoch(3 + round);
        scene.peer.cut_transcript(request);
        answer(&mut scene, &context);
        assert_eq!(scene.outcome(), Outcome::Connected, "{round}");
        assert_eq!(scene.client_answers().len(), usize::try_from(round).expect("few"));
    }
}

#[test] // RFC 9846 §4.4.2
fn the_context_of_a_request_is_its_own() {
    let (first, second) = (asked().1, {
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
        let server = null::server_config(9, identity).with_versions(&VERSIONS).with_post_handshake_verifier(verifier());
        asking(server.build().expect("a server")).1
    });
    assert!(first.len() >= 16 && first != second);
    let (mut scene, first) = asked();
    answer(&mut scene, &first);
    assert_ne!(ask(&mut scene), first);
}

#[test] // RFC 9846 §4.5.1
fn answers_to_other_requests() {
    for context in [&[][..], b"another context", &[0; 16], &[0; 255]] {
        let (mut scene, _) = asked();
        say_certificate(&mut scene, context);
        refused(scene, PeerFault::CertificateContextMismatch, AlertDescription::ILLEGAL_PARAMETER);
    }
}

#[test] // RFC 9846 §4.5
fn messages_of_an_answer_out_of_turn() {
    let unexpected = |scene, msg_type| {
        refused(scene, PeerFault::UnexpectedMessage(msg_type), AlertDescription::UNEXPECTED_MESSAGE);
    };
    for msg_type in [T::CERTIFICATE_VERIFY, T::FINISHED] {
        let (mut scene, _) = asked();
        scene.say(&[msg_type]);
        unexpected(scene, msg_type);
    }
    for msg_type in [T::CERTIFICATE, T::FINISHED, T::KEY_UPDATE, T(99)] {
        let (mut scene, context) = asked();
        say_certificate(&mut scene, &context);
        scene.say(&[msg_type]);
        unexpected(scene, msg_type);
    }
    for msg_type in [T::CERTIFICATE, T::CERTIFICATE_VERIFY, T::KEY_UPDATE] {
        let (mut scene, context) = asked();
        say_certificate(&mut scene, &context);
        scene.say(&[T::CERTIFICATE_VERIFY, msg_type]);
        unexpected(scene, msg_type);
    }
    let (mut scene, context) = asked();
    answer(&mut scene, &context);
    say_certificate(&mut scene, &context);
    unexpected(scene, T::CERTIFICATE);
}

#[test] // RFC 9846 §4.5.2, §4.5.3
fn proofs_that_prove_nothing() {
    let other = NullKey::new(ToyKind::EcdsaP256, 77);
    let proof: [fn(&Peer13, &NullKey) -> Vec<u8>; 2] = [
        |peer, other| peer.certificate_verify(other, SignatureScheme::ECDSA_SECP256R1_SHA256),
        |peer, _| peer.certificate_verify_as(peer.side().peer(), &NullKey::new(ToyKind::EcdsaP256, 1)),
    ];
    for proof in proof {
        let (mut scene, context) = asked();
        say_certificate(&mut scene, &context);
        let body = proof(&scene.peer, &other);
        scene.say_of(T::CERTIFICATE_VERIFY, &body);
        say_finished(&mut scene);
        assert_eq!(known(&mut scene), 0);
        refused(scene, PeerFault::BadSignature, AlertDescription::DECRYPT_ERROR);
    }
    // A signature from before the request.
    let (mut scene, context) = asked();
    let early = scene.peer.body_of(T::CERTIFICATE_VERIFY);
    say_certificate(&mut scene, &context);
    scene.say_of(T::CERTIFICATE_VERIFY, &early);
    say_finished(&mut scene);
    refused(scene, PeerFault::BadSignature, AlertDescription::DECRYPT_ERROR);

    let (mut scene, context) = asked();
    say_certificate(&mut scene, &context);
    // The last one is made with the secret of the handshake.
    scene.say(&[T::CERTIFICATE_VERIFY, T::FINISHED]);
    refused(scene, PeerFault::FinishedMismatch, AlertDescription::DECRYPT_ERROR);
}

#[test] // RFC 9846 §4.5.1.3
fn certificates_that_a_server_does_not_take_later() {
    let refusing = Arc::new(NullVerifier::default().refusing(CertificateFault::Revoked));
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let config = null::server_config(3, identity).with_versions(&VERSIONS).with_post_handshake_verifier(refusing);
    let (mut scene, context) = asking(config.build().expect("a server"));
    answer(&mut scene, &context);
    refused(scene, CertificateFault::Revoked, AlertDescription::CERTIFICATE_REVOKED);
}

#[test] // RFC 9846 §4.5.1.3
fn nothing_is_shown_later_only_where_that_is_allowed() {
    let nothing = |context: &[u8]| in_context(context, &[0, 0, 0, 0]);
    let (mut scene, context) = asked();
    scene.say_of(T::CERTIFICATE, &nothing(&context));
    say_finished(&mut scene);
    assert_eq!(scene.client_answers(), [ClientAnswer::Declined]);
    assert_eq!(scene.outcome(), Outcome::Connected);

    let mut scene = Scene13::server13(server(ClientAuth::Required(verifier())), 1);
    scene.peer.offer_post_handshake_auth();
    scene.say(&[T::CLIENT_HELLO, T::CERTIFICATE, T::CERTIFICATE_VERIFY, T::FINISHED]);
    settle(&mut scene);
    let context = ask(&mut scene);
    scene.say_of(T::CERTIFICATE, &nothing(&context));
    refused(scene, Incompatible::NoClientCertificate, AlertDescription::CERTIFICATE_REQUIRED);
}

#[test] // RFC 9846 §4.5
fn an_answer_under_keys_that_were_given_up() {
    let (mut scene, context) = asked();
    scene.say_of(T::KEY_UPDATE, &[0]);
    scene.peer.set_epoch(3);
    say_certificate(&mut scene, &context);
    refused(scene, PeerFault::WrongEpoch(T::CERTIFICATE), AlertDescription::UNEXPECTED_MESSAGE);
}

#[test] // RFC 9846 §4.4.2
fn requests_that_a_client_refuses_later() {
    let request = client().peer.body_of(T::CERTIFICATE_REQUEST);
    let mut scene = client();
    scene.say_of(T::CERTIFICATE_REQUEST, &in_context(b"context", &[0, 0, 0]));
    let missing = PeerFault::MissingExtension(ExtensionType::SIGNATURE_ALGORITHMS);
    refused(scene, missing, AlertDescription::MISSING_EXTENSION);
    // An offer to be asked later has no place in a request.
    let mut extended = request;
    extended[2] += 4;
    extended.extend([0, 49, 0, 0]);
    let mut scene = client();
    scene.say_of(T::CERTIFICATE_REQUEST, &in_context(b"context", &extended));
    refused(scene, PeerFault::MisplacedExtension, AlertDescription::ILLEGAL_PARAMETER);
}

#[test] // RFC 9846 §4.7.2
fn a_client_answers_with_the_context_of_the_request() {
    let mut scene = client();
    for context in [&b"context"[..], b"another", &[7; 255]] {
        let request = in_context(context, &scene.peer.body_of(T::CERTIFICATE_REQUEST));
        let before = scene.peer.received().len();
        scene.say_of(T::CERTIFICATE_REQUEST, &request);
        let answer = &scene.peer.received()[before..];
        let types: Vec<_> = answer.iter().map(|message| message.msg_type).collect();
        assert_eq!(types, [T::CERTIFICATE, T::CERTIFICATE_VERIFY, T::FINISHED]);
        assert_eq!(usize::from(answer[0].body[0]), context.len());
        assert!(answer[0].body[1..].starts_with(context));
        let seen = scene.peer.take_seen();
        let carried = seen.iter().filter(|seen| seen.content_type == ContentType::HANDSHAKE);
        let ack = scene.peer.ack(carried.map(|seen| (seen.number.epoch.0, seen.number.sequence_number.0)));
        scene.deliver([ack]);
    }
}

#[test]
fn requests_do_not_pile_up() {
    let mut scene = client();
    let request = scene.peer.body_of(T::CERTIFICATE_REQUEST);
    // No answer is acknowledged: five fit into what a side sends, eight more wait.
    for number in 0..13 {
        scene.say_of(T::CERTIFICATE_REQUEST, &in_context(&[number], &request));
        assert_eq!(scene.outcome(), Outcome::Connected, "{number}");
    }
    scene.peer.take_seen();
    scene.say_of(T::CERTIFICATE_REQUEST, &in_context(b"one more", &request));
    refused(scene, PeerFault::TooManyCertificateRequests, AlertDescription::UNEXPECTED_MESSAGE);
}
