//! Every reason for which a connection drops something is counted under its name, once, and
//! changes nothing else (RFC 6347 §4.1.2.7).

use gramseal_proto::Discard;
use gramseal_proto::wire::{ContentType, HandshakeHeader, HandshakeType, MessageSeq};
use gramseal_testkit::null::{self};
use gramseal_testkit::peer::{Outcome, Peer, Scene, Step};
use gramseal_testkit::sim::Side;

const DATA: ContentType = ContentType::APPLICATION_DATA;
const HANDSHAKE: ContentType = ContentType::HANDSHAKE;

fn scenes() -> [Scene; 2] {
    [Scene::client(null::client(), 1), Scene::server(null::server(), 1)]
}

fn with_version(mut record: Vec<u8>, version: u16) -> Vec<u8> {
    record[1..3].copy_from_slice(&version.to_be_bytes());
    record
}

/// What is no record of this connection at any time.
fn malformed() -> Vec<(Vec<u8>, Discard)> {
    let mut attacker = Peer::new(Side::Client, 99);
    let record = attacker.record(HANDSHAKE, &[0; 40]);
    let mut long = record.clone();
    long[11..13].copy_from_slice(&u16::MAX.to_be_bytes());
    long.resize(13 + usize::from(u16::MAX), 0);
    vec![
        // STUN, TURN channels, RTP, QUIC.
        (vec![0; 20], Discard::Foreign),
        (vec![0x40; 20], Discard::Foreign),
        (vec![0x80; 20], Discard::Foreign),
        (vec![0xC0; 20], Discard::Foreign),
        (record[..12].to_vec(), Discard::Malformed),
        (record[..record.len() - 1].to_vec(), Discard::Malformed),
        (with_version(record, 0x0303), Discard::UnknownVersion),
        (long, Discard::Oversized),
        (attacker.record(ContentType(24), b"beats"), Discard::UnknownContentType),
        (attacker.record_numbered(DATA, 3, 1, b"later"), Discard::UnknownEpoch),
    ]
}

fn message(msg_type: u8, message_seq: u16, length: u32) -> Vec<u8> {
    HandshakeHeader::whole(HandshakeType(msg_type), length, MessageSeq(message_seq)).to_bytes().to_vec()
}

#[test]
fn what_is_dropped_during_a_handshake_is_counted_by_reason() {
    for mut scene in scenes() {
        let first = scene.first_flight(false);
        let mut attacker = Peer::new(Side::Client, 99);
        for (datagram, reason) in malformed() {
            scene.assert_dropped(datagram, reason);
        }
        let mut too_long = attacker.record(HANDSHAKE, &message(11, 0, 65_537));
        // A fragment without bytes, so that it can be read.
        too_long[13 + 9..13 + 12].fill(0);
        for (record, reason) in [
            (attacker.record(DATA, b"data"), Discard::UnexpectedContent),
            (attacker.record(ContentType::ALERT, &[2, 40]), Discard::UnauthenticatedAlert),
            (attacker.record(ContentType::ALERT, &[2]), Discard::Malformed),
            (attacker.record(ContentType::CHANGE_CIPHER_SPEC, &[2]), Discard::Malformed),
            (attacker.record(HANDSHAKE, &[11, 0, 0]), Discard::Malformed),
            (attacker.record(HANDSHAKE, &message(11, 7, 0)), Discard::FragmentTooFarAhead),
            (too_long, Discard::MessageTooLong),
            (attacker.record(HANDSHAKE, &message(0, 0, 0)), Discard::UnexpectedContent),
        ] {
            scene.assert_dropped(record, reason);
        }
        scene.play(&first);
        let mut last = scene.last_flight(false);
        let finished = last.pop().expect("Finished");
        scene.play(&last);
        let data = scene.peer.play(&[Step::ApplicationData]).remove(0);
        scene.assert_dropped(data, Discard::BeforeFinished);
        scene.play(&[finished]);
        assert_eq!(scene.outcome(), Outcome::Connected);
    }
}

#[test]
fn what_is_dropped_by_a_connection_is_counted_by_reason() {
    for mut scene in scenes() {
        scene.connect();
        for (datagram, reason) in malformed() {
            scene.assert_dropped(datagram, reason);
        }
        let mut attacker = Peer::new(Side::Client, 99);
        scene.assert_dropped(attacker.record(HANDSHAKE, &message(0, 0, 0)), Discard::UnknownEpoch);
        scene.assert_dropped(attacker.record(ContentType::ALERT, &[2, 40]), Discard::UnknownEpoch);
        scene.assert_dropped(attacker.record_numbered(DATA, 1, 1 << 40, b"forged"), Discard::BadTag);

        let peer = &mut scene.peer;
        let old_version = with_version(peer.record_numbered(DATA, 1, 50, b"data"), 0xFEFF);
        let heartbeat = peer.record_numbered(ContentType(24), 1, 51, b"beats");
        let change = peer.record_numbered(ContentType::CHANGE_CIPHER_SPEC, 1, 52, &[1]);
        let old_message = peer.record_numbered(HANDSHAKE, 1, 55, &message(16, 0, 0));
        scene.assert_dropped(old_version, Discard::UnknownVersion);
        scene.assert_dropped(heartbeat, Discard::UnknownContentType);
        scene.assert_dropped(change, Discard::UnexpectedContent);
        scene.assert_dropped(old_message, Discard::FragmentOld);

        let record = scene.peer.record_numbered(DATA, 1, 200, b"data");
        scene.deliver([record.clone()]);
        assert_eq!(scene.received().len(), 1);
        // The window is asked before the key (RFC 6347 §4.1.2.6).
        let mut forged = record.clone();
        *forged.last_mut().expect("a tag") ^= 1;
        scene.assert_dropped(forged, Discard::Replayed);
        scene.assert_dropped(record, Discard::Replayed);
        let late = scene.peer.record_numbered(DATA, 1, 200 - 64, b"data");
        scene.assert_dropped(late, Discard::TooOld);
        let mut changed = scene.peer.record_numbered(DATA, 1, 201, b"data");
        *changed.last_mut().expect("a tag") ^= 1;
        scene.assert_dropped(changed, Discard::BadTag);
        // The number that was forged is still free.
        let genuine = scene.peer.record_numbered(DATA, 1, 201, b"data");
        scene.deliver([genuine]);
        assert_eq!(scene.received().len(), 2);
    }
}

#[test] // RFC 6347 §4.1
fn early_records_beyond_the_bound_are_counted_and_do_no_harm() {
    for mut scene in scenes() {
        let mut attacker = Peer::new(Side::Client, 99);
        for number in 0..16 {
            let early = attacker.record_numbered(DATA, 1, number, b"early");
            scene.deliver([early]);
        }
        assert_eq!(scene.connection().stats().discards.total(), 0);
        let early = attacker.record_numbered(DATA, 1, 16, b"early");
        scene.assert_dropped(early, Discard::NextEpochFull);
        scene.connect();
        // They are tried as soon as there are keys: none is authentic.
        assert_eq!(scene.connection().stats().discards.get(Discard::BadTag), 16);
    }
}

#[test] // RFC 6347 §4.1: kept, so that reordering costs no timeout
fn a_finished_that_overtakes_its_flight_is_kept() {
    let mut scene = Scene::server(null::server(), 1);
    let first = scene.first_flight(false);
    scene.play(&first);
    let steps = scene.last_flight(false);
    let mut last = scene.peer.play(&steps);
    last.reverse();
    scene.deliver(last);
    assert_eq!(scene.outcome(), Outcome::Connected);
    let stats = scene.connection().stats();
    assert_eq!((stats.discards.total(), stats.retransmissions), (0, 0));
}
