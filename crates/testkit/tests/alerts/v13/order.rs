//! Messages of 1.3 that may not come where they come, under the keys that they should have; and what comes under other
//! keys than it should, which anybody could have sent, or nobody.

use gramseal_proto::wire::{self, AlertDescription as Alert, AlertLevel, ContentType, HandshakeType as T};
use gramseal_proto::{CloseReason, Discard, PeerFault};
use gramseal_testkit::peer::{Outcome, Peer13, Scene13, TYPES13};
use gramseal_testkit::sim::Side;

use super::{assert_refused, client_after, send, server_after};

/// Everything but `expected` and `skip` is refused after `count` honest messages.
fn refused_after(scene: impl Fn() -> Scene13, epoch: u64, expected: &[T], skip: &[T]) {
    for msg_type in TYPES13.into_iter().filter(|msg_type| !expected.contains(msg_type) && !skip.contains(msg_type)) {
        let mut scene = scene();
        let body = scene.peer.body_of(msg_type);
        send(&mut scene, msg_type, &body);
        assert_refused(scene, epoch, PeerFault::UnexpectedMessage(msg_type), Alert::UNEXPECTED_MESSAGE);
    }
}

#[test] // RFC 9846 §4
fn messages_that_a_client_does_not_expect() {
    // A cookie may be asked for; the other one means nothing and is ignored.
    refused_after(|| client_after(0), 0, &[T::SERVER_HELLO], &[T::HELLO_VERIFY_REQUEST, T::HELLO_REQUEST]);
    let due = [&[T::ENCRYPTED_EXTENSIONS][..], &[T::CERTIFICATE_REQUEST, T::CERTIFICATE], &[T::CERTIFICATE]];
    for (count, due) in (1..).zip(due) {
        refused_after(|| client_after(count), 2, due, &[]);
    }
    refused_after(|| client_after(4), 2, &[T::CERTIFICATE_VERIFY], &[]);
    refused_after(|| client_after(5), 2, &[T::FINISHED], &[]);
}

#[test] // RFC 9846 §4
fn messages_that_a_server_does_not_expect() {
    // Without keys it may be forged.
    refused_after(|| server_after(0), 0, &[T::CLIENT_HELLO], &[T::HELLO_VERIFY_REQUEST, T::HELLO_REQUEST]);
    for (count, due) in (1..).zip([T::CERTIFICATE, T::CERTIFICATE_VERIFY, T::FINISHED]) {
        refused_after(|| server_after(count), 3, &[due], &[]);
    }
}

/// A side that has the keys of the handshake, and the rest of what its peer says.
fn keyed(under_test: Side) -> (Scene13, Vec<T>) {
    let scene = match under_test {
        Side::Client => client_after(1),
        Side::Server => server_after(1),
    };
    let rest = scene.handshake(true)[1..].to_vec();
    (scene, rest)
}

#[test] // RFC 9147 §6.1: anybody can write it, so it is dropped and ends nothing
fn what_belongs_under_keys_does_not_count_without_them() {
    for side in Side::BOTH {
        let (_, rest) = keyed(side);
        for at in 0..rest.len() {
            let (mut scene, _) = keyed(side);
            scene.say(&rest[..at]);
            scene.take_sent();
            // A good one, a forged one, and one that would break the rules.
            let epoch = scene.peer.epoch();
            let number = u16::try_from(at + 1).expect("few");
            for msg_type in [rest[at], T::CLIENT_HELLO, T::SERVER_HELLO, T(99)] {
                let forged = Peer13::whole(msg_type, number, b"forged");
                let record = scene.peer.record_in(0, ContentType::HANDSHAKE, &forged);
                scene.deliver([record]);
            }
            assert_eq!((scene.outcome(), scene.sent()), (Outcome::Waiting, &[][..]));
            assert_eq!(scene.connection().stats().discards.get(Discard::UnexpectedContent), 4);
            scene.peer.set_epoch(epoch);
            scene.say(&rest[at..]);
            assert_eq!(scene.outcome(), Outcome::Connected, "{side:?}, {at}");
        }
    }
}

#[test] // RFC 9846 §5.1, RFC 9147 §6.1
fn a_message_that_spans_two_epochs_never_becomes_whole() {
    for side in Side::BOTH {
        let (mut scene, rest) = keyed(side);
        let message = scene.peer.message(rest[0]);
        let pieces = Peer13::fragment(&message, (message.len() - 12).div_ceil(2));
        let [first, second] = &pieces[..] else { panic!("two pieces") };
        let plain = scene.peer.record_in(0, ContentType::HANDSHAKE, first);
        let sealed = scene.peer.record_in(2, ContentType::HANDSHAKE, second);
        scene.take_sent();
        scene.deliver([plain]);
        assert_eq!((scene.outcome(), scene.sent()), (Outcome::Waiting, &[][..]));
        assert_eq!(scene.connection().stats().discards.get(Discard::UnexpectedContent), 1);
        scene.deliver([sealed]);
        let rest: Vec<Vec<u8>> = rest[1..].iter().map(|msg_type| scene.peer.datagram(*msg_type)).collect();
        scene.deliver(rest);
        assert_eq!(scene.outcome(), Outcome::Waiting, "half of a message is missing");
        let missing = scene.peer.record_in(2, ContentType::HANDSHAKE, first);
        scene.deliver([missing]);
        assert_eq!(scene.outcome(), Outcome::Connected);
    }
}

/// What stands behind the message that changes the keys, in the same record, has the old ones.
#[test] // RFC 9846 §5.1
fn nothing_follows_a_hello_in_its_record() {
    let mut scene = client_after(0);
    let messages = [scene.peer.message(T::SERVER_HELLO), scene.peer.message(T::ENCRYPTED_EXTENSIONS)];
    let record = scene.peer.record_in(0, ContentType::HANDSHAKE, &messages.concat());
    scene.deliver([record]);
    assert_eq!(scene.outcome(), Outcome::Waiting);
    assert_eq!(scene.connection().stats().discards.get(Discard::UnexpectedContent), 1);
    let good = scene.peer.record_in(2, ContentType::HANDSHAKE, &messages[1]);
    scene.deliver([good]);
    let rest = scene.handshake(true)[2..].to_vec();
    scene.say(&rest);
    assert_eq!(scene.outcome(), Outcome::Connected);
}

#[test] // RFC 9846 §5.1
fn nothing_follows_a_finished_in_its_record() {
    for side in Side::BOTH {
        let (mut scene, rest) = keyed(side);
        let (_, before) = rest.split_last().expect("a flight");
        scene.say(before);
        let messages = [scene.peer.message(T::FINISHED), scene.peer.message(T::KEY_UPDATE)];
        let record = scene.peer.record_in(2, ContentType::HANDSHAKE, &messages.concat());
        scene.peer.take_seen();
        scene.take_sent();
        scene.deliver([record]);
        // The handshake is done; what followed is of an epoch that is over.
        let failed = CloseReason::Failed(PeerFault::WrongEpoch(T::KEY_UPDATE).into());
        assert_eq!(scene.outcome(), Outcome::Closed(failed));
        // A client's last flight is void.
        let epoch = if side == Side::Client { 2 } else { 3 };
        let alerts = scene.peer.take_seen();
        let alerts: Vec<_> = alerts.iter().filter_map(|seen| Some((seen.number.epoch.0, seen.alert()?))).collect();
        let alert = wire::Alert { level: AlertLevel::FATAL, description: Alert::UNEXPECTED_MESSAGE };
        assert_eq!(alerts, [(epoch, alert)]);
    }
}

#[test] // RFC 9147 §5, §5.7: 1.3 has none, and a message of one byte may be forged
fn change_cipher_spec_means_nothing() {
    for side in Side::BOTH {
        let count = keyed(side).1.len() + 1;
        for at in 0..=count {
            let mut scene = match side {
                Side::Client => client_after(0),
                Side::Server => server_after(0),
            };
            let honest = scene.handshake(true);
            scene.say(&honest[..at]);
            let outcome = scene.outcome();
            scene.take_sent();
            for content in [&[1][..], &[2], &[], &[1, 1]] {
                let plain = scene.peer.record_in(0, ContentType::CHANGE_CIPHER_SPEC, content);
                scene.deliver([plain]);
                if at > 0 {
                    let sealed = scene.peer.record_in(2, ContentType::CHANGE_CIPHER_SPEC, content);
                    scene.deliver([sealed]);
                }
            }
            assert_eq!((scene.outcome(), scene.sent()), (outcome, &[][..]));
            scene.say(&honest[at..]);
            assert_eq!(scene.outcome(), Outcome::Connected, "{side:?}, {at}");
        }
    }
}

#[test] // RFC 9846 §5
fn the_keys_of_the_handshake_protect_no_application_data() {
    for side in Side::BOTH {
        let (mut scene, _) = keyed(side);
        let record = scene.peer.record_in(2, ContentType::APPLICATION_DATA, b"data");
        scene.peer.take_seen();
        scene.take_sent();
        scene.deliver([record]);
        let epoch = if side == Side::Client { 2 } else { 3 };
        assert_refused(scene, epoch, PeerFault::MisplacedApplicationData, Alert::UNEXPECTED_MESSAGE);
    }
}
