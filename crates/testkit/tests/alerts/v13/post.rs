//! What may not come after the handshake, and KeyUpdates that go wrong.

use std::time::Duration;

use gramseal_proto::config::ClientAuth;
use gramseal_proto::wire::handshake::{KeyUpdateRequest, NewSessionTicket13};
use gramseal_proto::wire::{
    Alert, AlertDescription, AlertLevel, Codec, ContentType, DecodeError, ExtensionType as Ext, ExtensionsBuf,
    HandshakeType as T,
};
use gramseal_proto::{CloseReason, Error, PeerFault};
use gramseal_testkit::null;
use gramseal_testkit::peer::{Outcome, Peer13, Scene13};
use gramseal_testkit::sessions::{Resumption, Stores};
use gramseal_testkit::sim::Side;

use super::{VERSIONS, client, server};

const HANDSHAKE: ContentType = ContentType::HANDSHAKE;
const DATA: ContentType = ContentType::APPLICATION_DATA;

/// A connection that has nothing more to do.
fn connected(under_test: Side) -> Scene13 {
    let mut scene = match under_test {
        Side::Client => Scene13::client13(client(), 1),
        Side::Server => Scene13::server13(server(ClientAuth::None), 1),
    };
    scene.connect13();
    scene.advance(Duration::from_secs(1));
    scene.peer.take_seen();
    scene.take_sent();
    scene
}

/// The connection ended with `error`; the last thing that it said was a fatal `alert` in the epoch of its data.
#[track_caller]
pub(super) fn refused(mut scene: Scene13, error: impl Into<Error>, alert: AlertDescription) {
    let error = error.into();
    assert_eq!(error.alert(), Some(alert));
    assert_eq!(scene.outcome().without_place(), Outcome::Closed(CloseReason::Failed(error)));
    let seen = scene.peer.take_seen();
    let (last, before) = seen.split_last().expect("an alert");
    assert_eq!((last.number.epoch.0, last.alert()), (3, Some(Alert { level: AlertLevel::FATAL, description: alert })));
    assert!(before.iter().all(|seen| seen.content_type == ContentType::ACK), "{before:?}");
    scene.take_sent();
    let data = scene.peer.record(DATA, b"data");
    scene.deliver([data]);
    scene.advance(Duration::from_secs(600));
    assert!(scene.sent().is_empty() && scene.received().is_empty());
}

fn says(side: Side, msg_type: T, body: &[u8]) -> Scene13 {
    let mut scene = connected(side);
    scene.say_of(msg_type, body);
    scene
}

#[test] // RFC 9846 §4.7, §4.7.2
fn messages_that_are_not_for_after_the_handshake() {
    for side in Side::BOTH {
        for msg_type in [
            T::HELLO_REQUEST,
            T::CLIENT_HELLO,
            T::SERVER_HELLO,
            T::HELLO_VERIFY_REQUEST,
            T::END_OF_EARLY_DATA,
            T::ENCRYPTED_EXTENSIONS,
            T::CERTIFICATE,
            T::CERTIFICATE_VERIFY,
            T::COMPRESSED_CERTIFICATE,
            T::FINISHED,
            // Our client does not offer to be asked later, and nobody asks a server.
            T::CERTIFICATE_REQUEST,
            T(99),
        ] {
            let body = connected(side).peer.body_of(msg_type);
            let scene = says(side, msg_type, &body);
            refused(scene, PeerFault::UnexpectedMessage(msg_type), AlertDescription::UNEXPECTED_MESSAGE);
        }
    }
    // RFC 9147 §9: no connection ids were agreed on.
    for side in Side::BOTH {
        for (msg_type, body) in [(T::NEW_CONNECTION_ID, &[0, 2, 1, 7, 1][..]), (T::REQUEST_CONNECTION_ID, &[1])] {
            let scene = says(side, msg_type, body);
            refused(scene, PeerFault::UnexpectedMessage(msg_type), AlertDescription::UNEXPECTED_MESSAGE);
        }
    }
    let ticket = connected(Side::Server).peer.body_of(T::NEW_SESSION_TICKET);
    let scene = says(Side::Server, T::NEW_SESSION_TICKET, &ticket);
    refused(scene, PeerFault::UnexpectedMessage(T::NEW_SESSION_TICKET), AlertDescription::UNEXPECTED_MESSAGE);
}

#[test] // RFC 9846 §4.7.1
fn tickets_that_cannot_be_read() {
    let good = connected(Side::Client).peer.body_of(T::NEW_SESSION_TICKET);
    assert_eq!(says(Side::Client, T::NEW_SESSION_TICKET, &good).outcome(), Outcome::Connected);
    let trailing = [&good[..], &[0]].concat();
    let without_ticket = [&good[..8], &[0, 0, 0, 0, 0]].concat();
    for (body, error) in [
        (&trailing[..], DecodeError::TrailingBytes),
        (&good[..good.len() - 1], DecodeError::Truncated),
        (&[], DecodeError::Truncated),
        (&without_ticket, DecodeError::EmptyVector),
    ] {
        refused(says(Side::Client, T::NEW_SESSION_TICKET, body), error, AlertDescription::DECODE_ERROR);
    }
}

#[test] // RFC 9846 §9.3
fn what_is_unknown_in_a_ticket_is_ignored() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let config = stores.client(null::client_config(2).with_versions(&VERSIONS)).build().expect("a configuration");
    let mut scene = Scene13::client13(config, 1);
    scene.connect13();
    assert!(stores.client.is_empty());
    let ticket = NewSessionTicket13::from_bytes(&scene.peer.body_of(T::NEW_SESSION_TICKET)).map(|good| {
        let mut extensions = ExtensionsBuf::new();
        extensions.push_raw(Ext(0x5A5A), &[]);
        extensions.push_raw(Ext(0x6A6A), b"something");
        NewSessionTicket13 { extensions: extensions.as_extensions(), ..good }.to_vec().expect("short")
    });
    scene.say_of(T::NEW_SESSION_TICKET, &ticket.expect("a ticket"));
    assert_eq!(scene.outcome(), Outcome::Connected);
    assert_eq!(stores.client.len(), 1, "the ticket is kept");
}

#[test] // RFC 9846 §4.7.3
fn key_updates_that_cannot_be_read() {
    for side in Side::BOTH {
        let update = |body: &[u8]| says(side, T::KEY_UPDATE, body);
        refused(update(&[]), DecodeError::Truncated, AlertDescription::DECODE_ERROR);
        refused(update(&[0, 0]), DecodeError::TrailingBytes, AlertDescription::DECODE_ERROR);
        for request in [2, 255] {
            refused(update(&[request]), PeerFault::BadKeyUpdateRequest, AlertDescription::ILLEGAL_PARAMETER);
        }
    }
}

#[test] // RFC 9147 §8
fn a_second_key_update_under_the_keys_that_the_first_gave_up() {
    for side in Side::BOTH {
        let mut scene = says(side, T::KEY_UPDATE, &[0]);
        assert_eq!(scene.outcome(), Outcome::Connected);
        scene.say_of(T::KEY_UPDATE, &[0]);
        refused(scene, PeerFault::WrongEpoch(T::KEY_UPDATE), AlertDescription::UNEXPECTED_MESSAGE);
    }
}

#[test] // RFC 9147 §8
fn a_key_update_in_pieces_of_two_epochs_never_becomes_whole() {
    for side in Side::BOTH {
        let mut scene = connected(side);
        // A message of two bytes that no state would take, half of it under each keys.
        let update = scene.peer.datagram(T::KEY_UPDATE);
        let message = scene.peer.message_of(T(99), &[1, 2]);
        let pieces = Peer13::fragment(&message, 1);
        let first = scene.peer.record_in(3, HANDSHAKE, &pieces[0]);
        let second = scene.peer.record_in(4, HANDSHAKE, &pieces[1]);
        scene.deliver([update, first, second]);
        assert_eq!(scene.outcome(), Outcome::Connected);
        let data = scene.peer.record_in(4, DATA, b"data");
        scene.deliver([data]);
        assert_eq!(scene.received(), [b"data"]);
    }
}

#[test] // RFC 9147 §5.2, RFC 9846 §5, §5.1
fn records_that_hold_something_else_than_their_type_says_are_refused() {
    for side in Side::BOTH {
        let alert = (ContentType::ALERT, PeerFault::MalformedAlert, AlertDescription::DECODE_ERROR);
        let messages = (HANDSHAKE, PeerFault::MalformedHandshakeRecord, AlertDescription::DECODE_ERROR);
        for ((content_type, fault, description), content) in
            [(alert, &[][..]), (alert, &[1]), (alert, &[1, 0, 1, 0]), (messages, &[]), (messages, &[4, 0, 0])]
        {
            let mut scene = connected(side);
            let record = scene.peer.record_in(3, content_type, content);
            scene.deliver([record]);
            refused(scene, fault, description);
        }
    }
}

#[test] // RFC 9147 §8
fn a_storm_of_key_updates_is_followed_and_nothing_piles_up() {
    for side in Side::BOTH {
        let mut scene = connected(side);
        for round in 0..600 {
            // Each asks for ours, which the peer never acknowledges.
            scene.peer.set_epoch(3 + round);
            scene.say_of(T::KEY_UPDATE, &[1]);
            assert_eq!(scene.outcome(), Outcome::Connected, "{side:?}, {round}");
        }
        let data = scene.peer.record_in(603, DATA, b"data");
        scene.deliver([data]);
        assert_eq!(scene.received(), [b"data"]);
        let (acks, others): (Vec<_>, Vec<_>) =
            scene.peer.take_seen().into_iter().partition(|seen| seen.content_type == ContentType::ACK);
        assert_eq!((acks.len(), others.len()), (600, 1), "each is acknowledged, and one update of ours is on its way");
        let stats = scene.connection().stats();
        assert_eq!((stats.key_updates_received, stats.key_updates_sent), (600, 0));
        // Epochs that are over are not read.
        let before = scene.connection().stats().discards.total();
        let old = scene.peer.record_numbered(DATA, 500, 9, b"data");
        scene.deliver([old]);
        assert_eq!((scene.connection().stats().discards.total(), scene.received().len()), (before + 1, 1));
    }
}

#[test] // RFC 9147 §8, §7.2
fn new_keys_are_not_used_for_an_ack_that_says_nothing_of_them() {
    for side in Side::BOTH {
        let mut scene = connected(side);
        scene.connection().update_keys(KeyUpdateRequest::NotRequested).expect("nothing is on its way");
        scene.deliver([]);
        let data = scene.peer.record(DATA, b"wakes it up");
        scene.deliver([data]);
        let seen = scene.peer.take_seen();
        let update = seen.iter().find(|seen| seen.content_type == HANDSHAKE).expect("a KeyUpdate").number;
        let own = (update.epoch.0, update.sequence_number.0);
        for numbers in [vec![], vec![(3, own.1 + 1)], vec![(4, 0)], vec![(2, own.1)], vec![(7, own.1)]] {
            let ack = scene.peer.ack(numbers);
            scene.deliver([ack]);
            assert_eq!(scene.connection().stats().key_updates_sent, 0, "{side:?}");
        }
        let plain = scene.peer.record_in(0, ContentType::ACK, &gramseal_testkit::peer::ack([own]));
        scene.deliver([plain]);
        assert_eq!(scene.connection().stats().key_updates_sent, 0, "{side:?}");
        let ack = scene.peer.ack([own]);
        scene.deliver([ack]);
        assert_eq!(scene.connection().stats().key_updates_sent, 1, "{side:?}");
    }
}

#[test] // RFC 9846 §4.7.3
fn a_peer_that_was_asked_for_new_keys_is_not_asked_again_before_it_has_answered() {
    for side in Side::BOTH {
        let mut scene = connected(side);
        let mut asked = Vec::new();
        for round in 0..3 {
            scene.connection().update_keys(KeyUpdateRequest::Requested).expect("nothing is on its way");
            // It makes the keys that are about to be used.
            let _verify_data = scene.peer.finished_afterwards(3 + round);
            let data = scene.peer.record(DATA, b"wakes it up");
            scene.deliver([data]);
            let seen = scene.peer.take_seen();
            let update = seen.iter().find(|seen| seen.content_type == HANDSHAKE).expect("a KeyUpdate");
            asked.push(*update.content.last().expect("a body"));
            let own = (update.number.epoch.0, update.number.sequence_number.0);
            let ack = scene.peer.ack([own]);
            scene.deliver([ack]);
            if round == 1 {
                scene.say_of(T::KEY_UPDATE, &[0]);
                scene.peer.set_epoch(4);
            }
        }
        assert_eq!(asked, [1, 0, 1], "{side:?}");
    }
}
