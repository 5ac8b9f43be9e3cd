//! Records of 1.3 that are forged, replayed, stale or misshapen: each is counted by its reason and changes nothing
//! else; and every form that a record may have is read (RFC 9147 §4, §4.5).

use gramseal_proto::wire::{
    AlertDescription, ContentType, HandshakeHeader, HandshakeType, MessageSeq, ProtocolVersion,
};
use gramseal_proto::{AlertReceived, CloseReason, Discard, Error, PeerFault};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Form, Outcome, Peer13, Scene13};
use gramseal_testkit::sim::Side;

const DATA: ContentType = ContentType::APPLICATION_DATA;
const HANDSHAKE: ContentType = ContentType::HANDSHAKE;
const ALERT: ContentType = ContentType::ALERT;

fn scene(under_test: Side) -> Scene13 {
    let versions = [ProtocolVersion::DTLS1_3];
    match under_test {
        Side::Client => {
            Scene13::client13(null::client_config(2).with_versions(&versions).build().expect("a configuration"), 1)
        }
        Side::Server => {
            let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
            let server = null::server_config(3, identity).with_versions(&versions).build();
            Scene13::server13(server.expect("a configuration"), 1)
        }
    }
}

/// A side under test after each number of messages of an honest peer, up to a connection; with what is left to say.
fn stages(under_test: Side) -> Vec<(Scene13, Vec<HandshakeType>)> {
    let honest = scene(under_test).handshake(false);
    let after = |count: usize| {
        let mut scene = scene(under_test);
        scene.say(&honest[..count]);
        (scene, honest[count..].to_vec())
    };
    (0..=honest.len()).map(after).collect()
}

/// The connection under test goes on as if nothing had been.
#[track_caller]
fn assert_goes_on(mut scene: Scene13, rest: &[HandshakeType]) {
    scene.say(rest);
    assert_eq!(scene.outcome(), Outcome::Connected);
    let before = scene.received().len();
    let data = scene.peer.record_in(3, DATA, b"data");
    scene.deliver([data]);
    assert_eq!(scene.received().len(), before + 1);
}

/// A record with a unified header of these bits, and junk in it.
fn unified(first: u8, len: usize) -> Vec<u8> {
    let mut record = vec![first, 0x12];
    record.extend((first & 0b1000 != 0).then_some(0x34));
    let len_bytes = u16::try_from(len).expect("short").to_be_bytes();
    if first & 0b100 != 0 {
        record.extend(len_bytes);
    }
    record.resize(record.len() + len, 0x77);
    record
}

/// What anybody can send at any time, and why it is dropped.
fn forged_by_strangers() -> Vec<(Vec<u8>, Discard)> {
    let mut stranger = Peer13::new(Side::Client, 99);
    let mut oversized = unified(0x2C, 0);
    oversized[3..5].copy_from_slice(&u16::MAX.to_be_bytes());
    oversized.resize(5 + usize::from(u16::MAX), 0);
    vec![
        // A connection id that nobody agreed on, in each form.
        (unified(0x3F, 40), Discard::UnnegotiatedCid),
        (unified(0x3E, 40), Discard::UnnegotiatedCid),
        (unified(0x30, 40), Discard::UnnegotiatedCid),
        // Cut off: in the header, in the number, in the length, in the body.
        (vec![0x2E], Discard::Malformed),
        (vec![0x2E, 1], Discard::Malformed),
        (vec![0x26], Discard::Malformed),
        (vec![0x2E, 1, 2, 0], Discard::Malformed),
        (unified(0x2E, 40)[..44].to_vec(), Discard::Malformed),
        (unified(0x27, 40)[..43].to_vec(), Discard::Malformed),
        (oversized, Discard::Oversized),
        // Epochs without keys: of early data, and the one after the first two of application data.
        (unified(0x2D, 40), Discard::UnknownEpoch),
        (unified(0x2C, 40), Discard::UnknownEpoch),
        // ACKs, alerts and data without protection.
        (
            stranger.record_numbered(ContentType::ACK, 0, 9, &[0, 16, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]),
            Discard::UnexpectedContent,
        ),
        (stranger.record_numbered(ALERT, 0, 9, &[2, 40]), Discard::UnauthenticatedAlert),
        (stranger.record_numbered(ALERT, 0, 9, &[1, 0]), Discard::UnauthenticatedAlert),
        (stranger.record_numbered(ALERT, 0, 9, &[2]), Discard::Malformed),
        (stranger.record_numbered(DATA, 0, 9, b"data"), Discard::UnexpectedContent),
        (stranger.record_numbered(ContentType(24), 0, 9, b"beats"), Discard::UnknownContentType),
        (stranger.record_numbered(HANDSHAKE, 0, 9, &[]), Discard::Malformed),
        (stranger.record_numbered(HANDSHAKE, 0, 9, &[11, 0, 0]), Discard::Malformed),
    ]
}

#[test] // RFC 9147 §4.5.2
fn what_strangers_send_is_counted_by_reason_and_ends_nothing() {
    for side in Side::BOTH {
        for (mut scene, rest) in stages(side) {
            for (datagram, reason) in forged_by_strangers() {
                // What nothing authenticates is not even looked at once a connection needs no more of it.
                let over = scene.outcome() == Outcome::Connected && datagram[0] < 32;
                let reason = match reason {
                    Discard::UnauthenticatedAlert | Discard::UnexpectedContent | Discard::Malformed if over => {
                        let before = scene.connection().stats().discards.total();
                        scene.take_sent();
                        scene.deliver([datagram]);
                        assert_eq!(scene.connection().stats().discards.total(), before + 1);
                        assert_eq!((scene.outcome(), scene.sent()), (Outcome::Connected, &[][..]));
                        continue;
                    }
                    reason => reason,
                };
                scene.assert_dropped(datagram, reason);
            }
            assert_goes_on(scene, &rest);
        }
    }
}

#[test] // RFC 9147 §4.2.1, §4.5.2
fn forged_records_of_each_epoch_are_not_authentic() {
    for side in Side::BOTH {
        for (mut scene, rest) in stages(side) {
            // The keys of epoch 3 come with Finished; until then its records are put aside, some of them.
            let keyed = rest.len() < scene.handshake(false).len();
            if keyed {
                for first in [0x2E, 0x26, 0x2A, 0x22] {
                    // A client whose flight was not acknowledged still reads the epoch of the handshake.
                    scene.assert_dropped(unified(first, 40), Discard::BadTag);
                    scene.assert_dropped(unified(first, 12), Discard::Malformed);
                }
            }
            if rest.is_empty() {
                for first in [0x2F, 0x27, 0x2B, 0x23] {
                    scene.assert_dropped(unified(first, 40), Discard::BadTag);
                    scene.assert_dropped(unified(first, 12), Discard::Malformed);
                }
            }
            assert_goes_on(scene, &rest);
        }
    }
}

#[test] // RFC 9147 §4.2.1: kept, within bounds
fn a_flood_of_early_records_is_bounded_and_does_no_harm() {
    for side in Side::BOTH {
        let (mut scene, rest) = stages(side).remove(0);
        for index in 0..5000_usize {
            scene.deliver([unified([0x2E, 0x2F][index % 2], 40)]);
        }
        let discards = scene.connection().stats().discards.clone();
        assert_eq!((discards.get(Discard::NextEpochFull), discards.total()), (5000 - 16, 5000 - 16));
        assert!(scene.take_sent().len() <= 1, "the first hello at most");
        assert_goes_on(scene, &rest);
    }
}

#[test] // RFC 9147 §4
fn every_form_of_the_header_is_read_in_a_handshake_and_after_it() {
    for side in Side::BOTH {
        for short_number in [false, true] {
            for without_length in [false, true] {
                for padding in [0, 1, 300] {
                    let form = Form { short_number, without_length, padding };
                    let mut scene = scene(side);
                    for (index, msg_type) in scene.handshake(false).into_iter().enumerate() {
                        let epoch = scene.peer.epoch();
                        let message = scene.peer.message(msg_type);
                        let number = index as u64;
                        let record = scene.peer.record_formed(HANDSHAKE, epoch, number, &message, form);
                        scene.deliver([record]);
                    }
                    assert_eq!(scene.outcome(), Outcome::Connected, "{side:?}, {form:?}");
                    // Numbers that need more than 8 bits, without a gap of more than those can tell.
                    for number in (0..700).step_by(100) {
                        let record = scene.peer.record_formed(DATA, 3, number, b"data", form);
                        scene.deliver([record]);
                    }
                    assert_eq!((scene.received().len(), scene.connection().stats().discards.total()), (7, 0));
                }
            }
        }
    }
}

#[test] // RFC 9147 §4.5.1
fn a_record_of_any_epoch_counts_once() {
    for side in Side::BOTH {
        let honest = scene(side).handshake(false);
        for at in 1..honest.len() {
            let mut scene = scene(side);
            scene.say(&honest[..at]);
            let record = scene.peer.datagram(honest[at]);
            scene.deliver([record.clone()]);
            let retransmissions = scene.connection().stats().retransmissions;
            for _ in 0..3 {
                scene.assert_dropped(record.clone(), Discard::Replayed);
            }
            // Nor does it make us say again that it came.
            scene.advance(std::time::Duration::from_millis(1));
            assert!(scene.sent().is_empty());
            assert_eq!(scene.connection().stats().retransmissions, retransmissions);
            assert_goes_on(scene, &honest[at + 1..]);
        }
    }
}

#[test] // RFC 9147 §4.5.1, §4.5.2
fn what_is_wrong_with_authentic_records_is_counted_by_reason() {
    for side in Side::BOTH {
        for (mut scene, rest) in stages(side).into_iter().skip(1) {
            let connected = rest.is_empty();
            // The epoch that the peer is in: of the handshake, or of application data.
            let epoch = if connected { 3 } else { 2 };
            let mut number = 9;
            let peer = &mut scene.peer;
            let mut record = |content_type: ContentType, content: &[u8], padding: usize| {
                number += 1;
                peer.record_formed(content_type, epoch, number, content, Form { padding, ..Form::default() })
            };
            let far = message(HandshakeType::CERTIFICATE, 60, 0);
            let mut long = message(HandshakeType::CERTIFICATE, 6, 65_537);
            long[9..12].fill(0);
            let cases = vec![
                (record(ContentType(0), &[], 10), Discard::Malformed),
                (record(ContentType(24), b"beats", 0), Discard::UnknownContentType),
                (record(ContentType::TLS12_CID, b"beats", 0), Discard::UnknownContentType),
                (record(ContentType::CHANGE_CIPHER_SPEC, &[1], 0), Discard::UnexpectedContent),
                (record(HANDSHAKE, &far, 0), Discard::FragmentTooFarAhead),
                (record(HANDSHAKE, &long, 0), Discard::MessageTooLong),
                (record(ContentType::ACK, &[], 0), Discard::Malformed),
                (record(ContentType::ACK, &[0, 15], 0), Discard::Malformed),
                (record(ContentType::ACK, &[0, 16, 0], 0), Discard::Malformed),
                (record(ContentType::ACK, &[0, 0, 0], 0), Discard::Malformed),
                (record(DATA, &[7; (1 << 14) + 1], 0), Discard::Oversized),
            ];
            for (datagram, reason) in cases {
                scene.assert_dropped(datagram, reason);
            }
            assert_goes_on(scene, &rest);
        }
    }
}

fn message(msg_type: HandshakeType, message_seq: u16, length: u32) -> Vec<u8> {
    HandshakeHeader::whole(msg_type, length, MessageSeq(message_seq)).to_bytes().to_vec()
}

#[test] // RFC 9147 §5.5
fn fragments_that_contradict_each_other_are_dropped() {
    for side in Side::BOTH {
        let (mut scene, rest) = stages(side).swap_remove(1);
        let whole = scene.peer.message(rest[0]);
        let (header, body) = whole.split_at(HandshakeHeader::LEN);
        let pieces = Peer13::fragment(&whole, 1);
        let first = scene.peer.record_in(2, HANDSHAKE, &pieces[0]);
        scene.deliver([first]);
        let outcome = scene.outcome();
        let number = u16::from_be_bytes([header[4], header[5]]);
        // Another type, and another length, of the same message.
        let other_type = scene.peer.record_in(2, HANDSHAKE, &Peer13::whole(HandshakeType(99), number, body));
        scene.assert_dropped(other_type, Discard::FragmentMismatch);
        let longer = [body, &[0]].concat();
        let longer = scene.peer.record_in(2, HANDSHAKE, &Peer13::whole(rest[0], number, &longer));
        scene.assert_dropped(longer, Discard::FragmentMismatch);
        assert_eq!(scene.outcome(), outcome);
        // Of bytes that come twice the first ones count.
        let mut changed = pieces[0].clone();
        *changed.last_mut().expect("a byte") ^= 1;
        let changed = scene.peer.record_in(2, HANDSHAKE, &changed);
        scene.assert_dropped(changed, Discard::FragmentOld);
        let again = scene.peer.record_in(2, HANDSHAKE, &whole);
        scene.deliver([again]);
        assert_goes_on(scene, &rest[1..]);
    }
}

#[test] // RFC 9147 §4.5.1
fn numbers_left_of_the_window_are_dropped_and_forged_ones_do_not_move_it() {
    for side in Side::BOTH {
        let (mut scene, _) = stages(side).pop().expect("connected");
        let record = scene.peer.record_numbered(DATA, 3, 200, b"data");
        scene.deliver([record]);
        let late = scene.peer.record_numbered(DATA, 3, 200 - 64, b"data");
        scene.assert_dropped(late, Discard::TooOld);
        let mut forged = scene.peer.record_numbered(DATA, 3, 20_000, b"data");
        *forged.last_mut().expect("a tag") ^= 1;
        scene.assert_dropped(forged, Discard::BadTag);
        let edge = scene.peer.record_numbered(DATA, 3, 200 - 63, b"data");
        scene.deliver([edge]);
        assert_eq!(scene.received().len(), 2);
    }
}

#[test] // RFC 9147 §6.1
fn epochs_that_are_over_or_not_there_yet_say_nothing() {
    for side in Side::BOTH {
        let mut scene = scene(side);
        scene.connect13();
        scene.advance(std::time::Duration::from_secs(600));
        // Nobody repeats a handshake any more: what is of its epoch is as good as forged.
        let data = scene.peer.record_numbered(DATA, 2, 500, b"data");
        scene.assert_dropped(data, Discard::UnknownEpoch);
        let finished = scene.peer.record_numbered(HANDSHAKE, 2, 501, &message(HandshakeType::FINISHED, 4, 0));
        scene.assert_dropped(finished, Discard::UnknownEpoch);
        for epoch in [4, 5, 6] {
            let next = scene.peer.record_numbered(DATA, epoch, 0, b"data");
            scene.assert_dropped(next, Discard::UnknownEpoch);
        }
        // The same bits as those of the present epoch.
        let next = scene.peer.record_numbered(DATA, 7, 0, b"data");
        scene.assert_dropped(next, Discard::BadTag);
    }
}

#[test] // RFC 9846 §5, §5.1, RFC 9147 §5.2
fn records_that_no_peer_makes_end_the_association() {
    for side in Side::BOTH {
        for at in 1..stages(side).len() {
            let (ends, beyond) = (PeerFault::MalformedHandshakeRecord, [20, 0, 0, 1, 0, 9, 0, 0, 0, 0, 0, 2, 1, 1]);
            let mut cases = vec![
                (ALERT, &[][..], PeerFault::MalformedAlert),
                (ALERT, &[2], PeerFault::MalformedAlert),
                (ALERT, &[2, 40, 2, 40], PeerFault::MalformedAlert),
                (HANDSHAKE, &[], ends),
                (HANDSHAKE, &[20, 0, 0], ends),
                // A fragment that reaches beyond its message.
                (HANDSHAKE, &beyond, ends),
            ];
            if !stages(side).swap_remove(at).1.is_empty() {
                cases.push((DATA, b"data", PeerFault::MisplacedApplicationData));
            }
            for (content_type, content, fault) in cases {
                let (mut scene, _) = stages(side).swap_remove(at);
                let record = scene.peer.record(content_type, content);
                scene.deliver([record]);
                let failed = CloseReason::Failed(Error::Peer(fault));
                assert_eq!(scene.outcome(), Outcome::Closed(failed), "{side:?}, {at}, {content:?}");
            }
        }
    }
}

#[test] // RFC 9846 §6: the level says nothing
fn every_protected_alert_is_an_error_but_two() {
    for side in Side::BOTH {
        for (at, (_, rest)) in stages(side).into_iter().enumerate().skip(1) {
            for (level, description) in [(1, 40), (2, 40), (1, 200), (1, 100), (0, 0x50), (1, 90), (2, 90)] {
                let (mut scene, _) = stages(side).swap_remove(at);
                let alert = scene.peer.record(ALERT, &[level, description]);
                scene.take_sent();
                scene.deliver([alert]);
                if description == AlertDescription::USER_CANCELED.0 {
                    assert_goes_on(scene, &rest);
                    continue;
                }
                let received = AlertReceived { description: AlertDescription(description), authenticated: true };
                let failed = CloseReason::Failed(Error::AlertReceived(received));
                assert_eq!(scene.outcome(), Outcome::Closed(failed), "{side:?}, {at}, {level} {description}");
                assert!(scene.sent().is_empty(), "nothing answers an error");
            }
        }
    }
}

#[test] // RFC 9147 §4.5.2, §11: whoever is on the path can write it
fn plaintext_alerts_end_nothing_while_the_peer_goes_on() {
    for side in Side::BOTH {
        for (mut scene, rest) in stages(side) {
            for description in [0, 10, 40, 70, 90, 200] {
                for level in [1, 2] {
                    let alert = scene.peer.record_numbered(ALERT, 0, 77, &[level, description]);
                    scene.take_sent();
                    scene.deliver([alert]);
                    assert!(scene.sent().is_empty());
                }
            }
            assert_goes_on(scene, &rest);
        }
    }
}
