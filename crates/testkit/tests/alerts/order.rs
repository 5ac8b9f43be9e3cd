//! Messages that may not come where they come, with the exact error and alert. `deviations.rs`
//! shows for many more that the handshake does not complete.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, ServerConfig};
use gramseal_proto::wire::{AlertDescription as Alert, ContentType, HandshakeType as T};
use gramseal_proto::{CloseReason, Discard, Error, PeerFault};
use gramseal_testkit::decode::{Item, items};
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene, Step};

use crate::{assert_refused, send};

fn asking_server() -> ServerConfig {
    let verifier = Arc::new(NullVerifier::default());
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let builder = null::server_config(3, identity).with_client_auth(ClientAuth::Required(verifier));
    builder.build().expect("a server configuration")
}

fn client() -> Scene {
    Scene::client(null::client(), 1)
}

fn server() -> Scene {
    Scene::server(null::server(), 1)
}

#[track_caller]
fn assert_unexpected(mut scene: Scene, before: &[Step], msg_type: T) {
    scene.play(before);
    assert_eq!(scene.outcome(), Outcome::Waiting);
    scene.play(&[Step::Message(msg_type)]);
    assert_refused(&scene, PeerFault::UnexpectedMessage(msg_type), Alert::UNEXPECTED_MESSAGE);
}

#[test] // RFC 5246 §7.3
fn messages_that_a_client_does_not_expect() {
    let first = client().first_flight(true);
    // Anything but ServerHello, HelloVerifyRequest and what is ignored.
    for other in [T::CERTIFICATE, T::SERVER_HELLO_DONE, T::FINISHED, T::NEW_SESSION_TICKET, T(99)] {
        assert_unexpected(client(), &[], other);
    }
    // Each message of the flight left out.
    for at in 1..3 {
        let Step::Message(next) = first[at + 1] else { unreachable!("a flight of messages") };
        assert_unexpected(client(), &first[..at], next);
    }
    // Each message of the flight twice; the last one comes in the old epoch when Finished is due.
    for at in 0..4 {
        let Step::Message(again) = first[at] else { unreachable!("a flight of messages") };
        assert_unexpected(client(), &first[..=at], again);
    }
    // In the place of Finished, under its keys: a ticket that was not asked for.
    let mut steps = first;
    steps.push(Step::ChangeCipherSpec);
    assert_unexpected(client(), &steps, T::NEW_SESSION_TICKET);
}

#[test] // RFC 5246 §7.3
fn messages_that_a_server_does_not_expect() {
    for other in [T::SERVER_HELLO, T::CLIENT_KEY_EXCHANGE, T::FINISHED, T(99)] {
        assert_unexpected(server(), &[], other);
    }
    let hello = [Step::Message(T::CLIENT_HELLO)];
    for other in [T::CERTIFICATE, T::CERTIFICATE_VERIFY, T::FINISHED] {
        assert_unexpected(server(), &hello, other);
    }
    let asking = || Scene::server(asking_server(), 1);
    assert_unexpected(asking(), &hello, T::CLIENT_KEY_EXCHANGE);
    let with_certificate = [hello[0], Step::Message(T::CERTIFICATE)];
    assert_unexpected(asking(), &with_certificate, T::CERTIFICATE_VERIFY);
    let keyed = [hello[0], Step::Message(T::CLIENT_KEY_EXCHANGE), Step::ChangeCipherSpec];
    assert_unexpected(server(), &keyed, T::CERTIFICATE_VERIFY);
}

#[test] // RFC 6347 §4.1
fn a_message_before_finished_under_the_new_keys() {
    let mut scene = Scene::server(asking_server(), 1);
    let hello = scene.first_flight(true);
    scene.play(&hello);
    let steps = [Step::Message(T::CERTIFICATE), Step::Message(T::CLIENT_KEY_EXCHANGE), Step::SwitchKeys];
    scene.play(&steps);
    scene.play(&[Step::Message(T::CERTIFICATE_VERIFY)]);
    assert_refused(&scene, PeerFault::WrongEpoch(T::CERTIFICATE_VERIFY), Alert::UNEXPECTED_MESSAGE);
}

#[test] // RFC 6347 §4.1: anybody can write it, so it ends nothing
fn a_finished_without_protection_is_dropped() {
    for mut scene in [client(), server()] {
        let first = scene.first_flight(false);
        scene.play(&first);
        let last = scene.last_flight(false);
        let (finished, before) = last.split_last().expect("a flight");
        let before: Vec<Step> = before.iter().copied().filter(|step| *step != Step::ChangeCipherSpec).collect();
        scene.play(&before);
        scene.play(&[Step::BareChangeCipherSpec, *finished]);
        assert_eq!(scene.outcome(), Outcome::Waiting);
        assert_eq!(scene.connection().stats().discards.get(Discard::UnexpectedContent), 1);
    }
}

#[test] // RFC 5246 §7.2.2
fn nothing_but_the_alert_goes_out_once_a_handshake_failed() {
    let mut scene = server();
    let hello = scene.peer.message(T::CLIENT_HELLO);
    let record = scene.peer.record(ContentType::HANDSHAKE, &hello);
    scene.deliver([record]);
    scene.advance(Duration::from_millis(900));
    scene.take_sent();
    // One datagram asks for our flight again and then breaks the rules.
    let again = scene.peer.record(ContentType::HANDSHAKE, &hello);
    let wrong = scene.peer.play(&[Step::Message(T::CERTIFICATE)]).remove(0);
    scene.deliver([[again, wrong].concat()]);
    assert_eq!(scene.connection().stats().retransmissions, 2, "the timer and the request");
    let sent: Vec<Item> = scene.take_sent().iter().flat_map(|datagram| items(datagram)).collect();
    assert_eq!(sent, [Item::Alert(Alert::UNEXPECTED_MESSAGE.0)]);
}

/// A message of `msg_type` after `before`, one byte longer and one shorter than it should be.
fn misshapen(scene: impl Fn() -> Scene, before: &[Step], msg_type: T) {
    for change in [|body: &mut Vec<u8>| body.push(0), |body: &mut Vec<u8>| body.truncate(body.len().max(1) - 1)] {
        let mut scene = scene();
        scene.play(before);
        let mut body = scene.peer.body_of(msg_type);
        let len = body.len();
        change(&mut body);
        if body.len() == len {
            continue;
        }
        send(&mut scene, msg_type, &body);
        let Outcome::Closed(CloseReason::Failed(Error::Decode(error))) = scene.outcome() else {
            panic!("{msg_type} of {} bytes: {:?}", body.len(), scene.outcome());
        };
        assert_eq!(error.message, Some(msg_type));
        assert_refused(&scene, error.error, Alert::DECODE_ERROR);
    }
}

#[test] // RFC 5246 §7.2.2
fn every_message_must_have_its_exact_length() {
    let types = [T::SERVER_HELLO, T::CERTIFICATE, T::SERVER_KEY_EXCHANGE, T::CERTIFICATE_REQUEST, T::SERVER_HELLO_DONE];
    for (at, msg_type) in types.into_iter().enumerate() {
        misshapen(client, &client().first_flight(true)[..at], msg_type);
    }
    let asking = || Scene::server(asking_server(), 1);
    let types = [T::CLIENT_HELLO, T::CERTIFICATE, T::CLIENT_KEY_EXCHANGE, T::CERTIFICATE_VERIFY];
    let steps = types.map(Step::Message);
    for (at, msg_type) in types.into_iter().enumerate() {
        misshapen(asking, &steps[..at], msg_type);
    }
}
