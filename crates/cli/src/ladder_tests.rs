use gramseal::proto::wire::{Epoch, MessageSeq, SequenceNumber};

use super::*;

fn seen(direction: Direction, traced: Traced, flight: u32, retransmission: u32) -> Seen {
    let record = RecordNumber::new(Epoch(0), SequenceNumber(0));
    Seen { direction, traced, record, flight, retransmission }
}

fn message(msg_type: HandshakeType, seq: u16) -> Traced {
    fragment(msg_type, seq, 0, 100, 100)
}

fn fragment(msg_type: HandshakeType, seq: u16, offset: u32, length: u32, message_length: u32) -> Traced {
    Traced::Handshake {
        msg_type,
        message_seq: MessageSeq(seq),
        fragment_offset: offset,
        fragment_length: length,
        message_length,
    }
}

fn sent(traced: Traced, flight: u32, retransmission: u32) -> Seen {
    seen(Direction::Sent, traced, flight, retransmission)
}

/// A handshake without client authentication, each flight sent once.
fn usual() -> (Vec<Seen>, Vec<Seen>) {
    let client = vec![
        sent(message(HandshakeType::CLIENT_HELLO, 0), 1, 0),
        seen(Direction::Received, message(HandshakeType::HELLO_VERIFY_REQUEST, 0), 2, 0),
        sent(message(HandshakeType::CLIENT_HELLO, 1), 3, 0),
        seen(Direction::Received, message(HandshakeType::SERVER_HELLO, 1), 4, 0),
        sent(message(HandshakeType::CLIENT_KEY_EXCHANGE, 2), 5, 0),
        sent(Traced::ChangeCipherSpec, 5, 0),
        sent(message(HandshakeType::FINISHED, 3), 5, 0),
    ];
    let server = vec![
        seen(Direction::Received, message(HandshakeType::CLIENT_HELLO, 1), 3, 0),
        sent(message(HandshakeType::SERVER_HELLO, 1), 4, 0),
        sent(message(HandshakeType::SERVER_HELLO_DONE, 2), 4, 0),
        sent(Traced::ChangeCipherSpec, 6, 0),
        sent(message(HandshakeType::FINISHED, 3), 6, 0),
    ];
    (client, server)
}

const NAMES: [&str; 10] = [
    "ClientHello",
    "HelloVerifyRequest",
    "ClientHello",
    "ServerHello",
    "ServerHelloDone",
    "ClientKeyExchange",
    "ChangeCipherSpec",
    "Finished",
    "ChangeCipherSpec",
    "Finished",
];

fn names(rungs: &[Rung]) -> Vec<&str> {
    rungs.iter().map(|rung| rung.message.as_str()).collect()
}

#[test]
fn both_sides_make_one_ladder() {
    let (client, server) = usual();
    let rungs = ladder(&client, &server, 1);
    assert_eq!(names(&rungs), NAMES);
    assert_eq!(rungs.iter().map(|rung| rung.flight).collect::<Vec<_>>(), [1, 2, 3, 4, 4, 5, 5, 5, 6, 6]);
    assert!(rungs.iter().all(|rung| rung.sent == 1 && rung.fragments == 1));
    assert_eq!(rungs[1].from, Side::Server);
    assert_eq!(rungs[6].message_seq, None);
}

#[test]
fn retransmissions_are_a_column() {
    let (mut client, mut server) = usual();
    client.insert(1, sent(message(HandshakeType::CLIENT_HELLO, 0), 1, 1));
    // Repeated after the next flight has begun on the other side.
    client.push(sent(message(HandshakeType::CLIENT_KEY_EXCHANGE, 2), 6, 1));
    client.push(sent(message(HandshakeType::CLIENT_KEY_EXCHANGE, 2), 6, 2));
    server.push(sent(Traced::ChangeCipherSpec, 6, 1));
    let rungs = ladder(&client, &server, 2);
    assert_eq!(names(&rungs), NAMES);
    assert_eq!(rungs.iter().map(|rung| rung.sent).collect::<Vec<_>>(), [2, 2, 1, 1, 1, 3, 1, 1, 2, 1]);
}

#[test]
fn fragments_of_the_first_transmission_are_counted() {
    let (mut client, server) = usual();
    client[4] = sent(fragment(HandshakeType::CLIENT_KEY_EXCHANGE, 2, 0, 60, 100), 5, 0);
    client.insert(5, sent(fragment(HandshakeType::CLIENT_KEY_EXCHANGE, 2, 60, 40, 100), 5, 0));
    for offset in [0, 50] {
        client.push(sent(fragment(HandshakeType::CLIENT_KEY_EXCHANGE, 2, offset, 50, 100), 5, 1));
    }
    let rungs = ladder(&client, &server, 1);
    assert_eq!((rungs[5].fragments, rungs[5].sent, rungs[5].bytes), (2, 2, 100));
}

#[test]
fn a_second_cookie_adds_no_rung() {
    let (mut client, server) = usual();
    client.insert(3, seen(Direction::Received, message(HandshakeType::HELLO_VERIFY_REQUEST, 0), 4, 0));
    client.insert(4, sent(message(HandshakeType::CLIENT_HELLO, 2), 5, 0));
    let rungs = ladder(&client, &server, 2);
    assert_eq!(names(&rungs), NAMES);
    assert_eq!((rungs[2].sent, rungs[2].fragments, rungs[2].message_seq), (2, 1, Some(1)));
}

#[test]
fn a_handshake_that_stopped_has_a_short_ladder() {
    let (client, _) = usual();
    assert_eq!(names(&ladder(&client[..1], &[], 0)), NAMES[..1]);
    assert_eq!(names(&ladder(&client[..3], &[], 1)), NAMES[..3]);
}

#[test]
fn rungs_are_aligned() {
    let (client, server) = usual();
    let lines: Vec<String> = ladder(&client, &server, 1).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines[1],
        " 2  client <-- server  HelloVerifyRequest   message_seq  0  epoch 0    100 bytes   1 fragment   sent 1x"
    );
    assert!(lines.iter().all(|line| line.find("epoch") == lines[0].find("epoch")), "{lines:#?}");
}

#[test]
fn the_first_of_two_server_hellos_is_a_retry_request_sent_with_or_without_state() {
    let client = [
        sent(message(HandshakeType::CLIENT_HELLO, 0), 1, 0),
        seen(Direction::Received, message(HandshakeType::SERVER_HELLO, 0), 2, 0),
        sent(message(HandshakeType::CLIENT_HELLO, 1), 3, 0),
        seen(Direction::Received, message(HandshakeType::SERVER_HELLO, 1), 4, 0),
        sent(message(HandshakeType::FINISHED, 2), 5, 0),
    ];
    let server = [
        sent(message(HandshakeType::SERVER_HELLO, 0), 2, 0),
        sent(message(HandshakeType::SERVER_HELLO, 1), 4, 0),
        sent(message(HandshakeType::FINISHED, 2), 4, 0),
    ];
    let names = ["ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello", "Finished", "Finished"];
    for (server, cookies_sent) in [(&server[1..], 3), (&server[..], 0)] {
        let rungs = ladder(&client, server, cookies_sent);
        assert_eq!(rungs.iter().map(|rung| rung.message.as_str()).collect::<Vec<_>>(), names);
        assert_eq!(rungs[1].sent, cookies_sent.max(1));
        assert_eq!(rungs.iter().map(|rung| rung.flight).collect::<Vec<_>>(), [1, 2, 3, 4, 4, 5]);
    }
}
