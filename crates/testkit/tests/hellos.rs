//! Forged and repeated hellos: before the keys change anybody can send them, and what the RFC does
//! not make fatal must not end or block a handshake.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::wire::{ContentType, HandshakeHeader, HandshakeType, MessageSeq, SequenceNumber};
use gramseal_proto::{Connection, FirstHello, Instant};
use gramseal_testkit::null::{self};
use gramseal_testkit::peer::{Outcome, Peer, Scene};
use gramseal_testkit::sim::Side;
use pki_types::ServerName;

const HANDSHAKE: ContentType = ContentType::HANDSHAKE;

/// A HelloVerifyRequest that anybody could have made.
fn cookie_request(record: u64, message_seq: u16, cookie: &[u8]) -> Vec<u8> {
    let len = u8::try_from(cookie.len()).expect("a short cookie");
    let body = [&[0xFE, 0xFF, len], cookie].concat();
    message(HandshakeType::HELLO_VERIFY_REQUEST, record, message_seq, &body)
}

fn message(msg_type: HandshakeType, record: u64, message_seq: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a short message");
    let header = HandshakeHeader::whole(msg_type, length, MessageSeq(message_seq));
    Peer::new(Side::Server, 77).record_numbered(HANDSHAKE, 0, record, &[&header.to_bytes()[..], body].concat())
}

/// Number of the record and of the message of a ClientHello.
fn numbers(hello: &[u8]) -> (u64, u16) {
    let record: [u8; 8] = hello[3..11].try_into().expect("a record");
    (u64::from_be_bytes(record), u16::from_be_bytes([hello[17], hello[18]]))
}

/// The scripted server asks for its own cookie as RFC 6347 §4.2.1 says, for the last hello.
fn ask_for_cookie(scene: &mut Scene) {
    let hello = scene.take_sent().pop().expect("a hello");
    let (record, message_seq) = numbers(&hello);
    scene.peer.set_next_message(message_seq);
    let request = scene.peer.message(HandshakeType::HELLO_VERIFY_REQUEST);
    let request = scene.peer.record_numbered(HANDSHAKE, 0, record, &request);
    scene.deliver([request]);
}

#[track_caller]
fn assert_connects(scene: &mut Scene) {
    for flight in [scene.first_flight(false), scene.last_flight(false)] {
        scene.play(&flight);
    }
    assert_eq!(scene.outcome(), Outcome::Connected);
}

#[test] // RFC 6347 §4.2.1: a slow path, a repeated hello, and cookies that change with time
fn a_second_answer_to_the_first_hello_does_not_replace_the_cookie() {
    let mut scene = Scene::client(null::client(), 1);
    scene.advance(Duration::from_millis(500));
    assert_eq!(scene.take_sent().len(), 2, "the hello is repeated");
    scene.deliver([cookie_request(0, 0, b"one")]);
    assert_eq!(scene.take_sent().len(), 1);
    for record in [0, 1, 0, 7, (1 << 48) - 1] {
        scene.deliver([cookie_request(record, 0, b"another"), cookie_request(record, 1, b"a third")]);
        assert!(scene.take_sent().is_empty(), "record {record}");
    }
}

#[test]
fn forged_cookie_requests_do_not_shut_out_the_real_one() {
    for numbering in [|_| 0, |forged| forged, |forged| 3 * forged] {
        let mut scene = Scene::client(null::client(), 1);
        for forged in 0..40u16 {
            scene.deliver([cookie_request(
                u64::from(forged),
                numbering(forged),
                &[9, u8::try_from(forged).expect("small")],
            )]);
        }
        scene.advance(Duration::from_millis(500));
        ask_for_cookie(&mut scene);
        assert_eq!(scene.take_sent().len(), 1, "a hello with the real cookie");
        assert_connects(&mut scene);
    }
}

#[test]
fn one_who_asks_for_cookies_all_the_time_does_not_make_a_client_send_all_the_time() {
    let mut scene = Scene::client(null::client(), 1);
    for forged in 0..1000u16 {
        scene.deliver([cookie_request(u64::from(forged), 0, &forged.to_be_bytes())]);
    }
    assert!(scene.take_sent().len() < 10);
}

#[test] // RFC 6347 §4.2.1: a cookie has 0 to 255 bytes
fn a_request_with_an_empty_cookie_is_answered_once() {
    let mut scene = Scene::client(null::client(), 1);
    scene.take_sent();
    scene.deliver([cookie_request(0, 0, b"")]);
    assert_eq!(scene.sent().len(), 1, "the same hello with the next number");
    let (record, message_seq) = numbers(&scene.take_sent()[0]);
    assert_eq!((record, message_seq), (1, 1));
    for again in [cookie_request(0, 0, b""), cookie_request(1, 0, b""), cookie_request(1, 1, b"")] {
        scene.deliver([again]);
        assert!(scene.take_sent().is_empty(), "a repetition");
    }
    scene.deliver([cookie_request(1, 1, b"another")]);
    assert_eq!(numbers(&scene.take_sent()[0]), (2, 2));
    assert_eq!(scene.outcome(), Outcome::Waiting);
}

#[test]
fn empty_cookies_in_turn_with_others_do_not_make_a_client_send_all_the_time() {
    let mut scene = Scene::client(null::client(), 1);
    for forged in 0..1000u64 {
        let cookie: &[u8] = if forged % 2 == 0 { b"" } else { b"forged" };
        scene.deliver([cookie_request(forged, 0, cookie)]);
    }
    assert!(scene.take_sent().len() < 10);
}

#[test] // A server without state sends one to whatever address a forged ClientHello names.
fn a_cookie_request_amid_a_handshake_is_ignored() {
    let mut scene = Scene::client(null::client(), 1);
    let flight = scene.first_flight(false);
    for (at, step) in flight.iter().enumerate() {
        scene.play(&[*step]);
        for message_seq in 0..10 {
            scene.deliver([cookie_request(at as u64, message_seq, b"reflected")]);
        }
    }
    let flight = scene.last_flight(false);
    scene.play(&flight);
    assert_eq!(scene.outcome(), Outcome::Connected);
}

#[test]
fn another_client_hello_amid_a_handshake_is_ignored() {
    let mut scene = Scene::server(null::server(), 1);
    let hello = scene.peer.body_of(HandshakeType::CLIENT_HELLO);
    let flight = scene.first_flight(false);
    scene.play(&flight);
    for message_seq in 1..4 {
        scene.deliver([message(HandshakeType::CLIENT_HELLO, u64::from(message_seq), message_seq, &hello)]);
    }
    let flight = scene.last_flight(false);
    scene.play(&flight);
    assert_eq!(scene.outcome(), Outcome::Connected);
}

#[test]
fn a_forged_cookie_request_does_not_part_a_client_from_a_server_without_cookies() {
    let now = Instant::from_micros(1);
    let name = ServerName::try_from(null::SERVER_NAME).expect("a DNS name");
    let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
    let mut client = Connection::client(Arc::new(null::client()), name, now).expect("a client begins");
    let mut server = Connection::server(Arc::new(null::server()), first, now);
    let hello = sent(&mut client, now);
    drop(client.handle_datagram(now, &mut cookie_request(0, 0, b"forged")));
    let mut to_server = [hello, sent(&mut client, now)].concat();
    for _ in 0..4 {
        to_server.iter_mut().for_each(|datagram| drop(server.handle_datagram(now, datagram)));
        sent(&mut server, now).iter_mut().for_each(|datagram| drop(client.handle_datagram(now, datagram)));
        to_server = sent(&mut client, now);
    }
    assert!(client.is_connected() && server.is_connected());
}

fn sent(connection: &mut Connection, now: Instant) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    let mut datagram = Vec::new();
    while connection.poll_transmit(now, &mut datagram) {
        sent.push(std::mem::take(&mut datagram));
    }
    sent
}
