//! What the network, or somebody on it, may do to records and fragments without hurting a
//! handshake or a connection, and what it must not achieve.

use std::time::Duration;

use gramseal_proto::wire::{AlertDescription, ContentType, HandshakeHeader, HandshakeType};
use gramseal_proto::{CloseReason, Discard};
use gramseal_testkit::null::{self};
use gramseal_testkit::peer::{Outcome, Peer, Scene, Step};
use gramseal_testkit::rng::Rng;
use gramseal_testkit::sim::Side;

const HANDSHAKE: ContentType = ContentType::HANDSHAKE;

fn scenes() -> [Scene; 2] {
    [Scene::client(null::client(), 1), Scene::server(null::server(), 1)]
}

/// Connects honestly.
fn connected(mut scene: Scene) -> Scene {
    let flight = scene.first_flight(false);
    scene.play(&flight);
    let flight = scene.last_flight(false);
    scene.play(&flight);
    assert_eq!(scene.outcome(), Outcome::Connected);
    scene
}

/// Plays an honest handshake whose flights `change` may rearrange as datagrams.
fn with_datagrams(mut scene: Scene, mut change: impl FnMut(Vec<Vec<u8>>) -> Vec<Vec<u8>>) -> Scene {
    for flight in [scene.first_flight(false), scene.last_flight(false)] {
        let datagrams = scene.peer.play(&flight);
        scene.deliver(change(datagrams));
    }
    scene
}

#[track_caller]
fn assert_data_passes(scene: &mut Scene) {
    let before = scene.received().len();
    scene.play(&[Step::ApplicationData]);
    assert_eq!(scene.outcome(), Outcome::Connected);
    assert_eq!(scene.received().len(), before + 1, "application data passes");
}

#[test] // RFC 6347 §4.1.2.6, §4.2.4
fn every_datagram_may_arrive_three_times() {
    for scene in scenes() {
        let thrice =
            |datagrams: Vec<Vec<u8>>| datagrams.iter().flat_map(|d| [d.clone(), d.clone(), d.clone()]).collect();
        let mut scene = with_datagrams(scene, thrice);
        assert_data_passes(&mut scene);
    }
}

#[test] // RFC 6347 §4.2.2
fn a_flight_may_arrive_in_any_order() {
    for seed in 0..50 {
        for scene in scenes() {
            let mut rng = Rng::new(seed);
            let mut scene = with_datagrams(scene, |datagrams| shuffled(&mut rng, datagrams));
            assert_data_passes(&mut scene);
        }
    }
}

#[test] // RFC 6347 §4.2.3
fn a_flight_may_arrive_as_one_datagram() {
    for scene in scenes() {
        let mut scene = with_datagrams(scene, |datagrams| vec![datagrams.concat()]);
        assert_data_passes(&mut scene);
    }
}

#[test] // RFC 6347 §4.2.3
fn messages_may_be_cut_anywhere_overlap_and_arrive_in_any_order() {
    for seed in 0..60 {
        for mut scene in scenes() {
            let mut rng = Rng::new(seed);
            for flight in [scene.first_flight(false), scene.last_flight(false)] {
                let datagrams = flight.iter().flat_map(|step| cut(&mut scene.peer, *step, &mut rng)).collect();
                let datagrams = shuffled(&mut rng, datagrams);
                scene.deliver(datagrams);
            }
            assert_eq!(scene.outcome(), Outcome::Connected, "seed {seed}");
            assert_data_passes(&mut scene);
        }
    }
}

/// The records of a step, its message cut twice at different places.
fn cut(peer: &mut Peer, step: Step, rng: &mut Rng) -> Vec<Vec<u8>> {
    let Step::Message(msg_type) = step else { return peer.play(&[step]) };
    let message = peer.message(msg_type);
    let mut records = Vec::new();
    for _ in 0..2 {
        let len = 1 + usize::try_from(rng.below(40)).expect("a small number");
        let mut fragments = Peer::fragment(&message, len);
        if fragments.is_empty() {
            fragments.push(message.clone());
        }
        records.extend(fragments.iter().map(|fragment| peer.record(HANDSHAKE, fragment)));
    }
    records
}

fn shuffled(rng: &mut Rng, mut datagrams: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    for last in (1..datagrams.len()).rev() {
        let other = usize::try_from(rng.below(last as u64 + 1)).expect("an index");
        datagrams.swap(last, other);
    }
    datagrams
}

#[test] // RFC 6347 §4.2.3; an attacker on the path mixes in fragments that contradict the first
fn fragments_that_contradict_earlier_ones_are_dropped() {
    for mut scene in scenes() {
        let flight = scene.first_flight(false);
        for step in &flight {
            let Step::Message(msg_type) = *step else { continue };
            let message = scene.peer.message(msg_type);
            let fragments = Peer::fragment(&message, 20);
            let Some((first, rest)) = fragments.split_first() else {
                let record = scene.peer.record(HANDSHAKE, &message);
                scene.deliver([record]);
                continue;
            };
            let mut wrong_type = fragments.last().unwrap_or(first).clone();
            wrong_type[0] = 99;
            let mut wrong_length = fragments.last().unwrap_or(first).clone();
            wrong_length[3] ^= 0x01;
            let all = [first.clone(), wrong_type, wrong_length];
            for fragment in all.iter().chain(rest) {
                let record = scene.peer.record(HANDSHAKE, fragment);
                scene.deliver([record]);
            }
        }
        let flight = scene.last_flight(false);
        scene.play(&flight);
        assert_data_passes(&mut scene);
    }
}

#[test] // RFC 6347 §4.1.2.7: only an authenticated message may end an association
fn junk_and_forged_plaintext_do_not_end_a_handshake() {
    for mut scene in scenes() {
        let flights = [scene.first_flight(false), scene.last_flight(false)];
        for step in flights.iter().flatten() {
            scene.deliver(forgeries());
            scene.play(&[*step]);
        }
        scene.deliver(forgeries());
        assert_data_passes(&mut scene);
    }
}

#[test]
fn junk_and_forged_plaintext_do_not_end_a_connection() {
    for scene in scenes() {
        let mut scene = connected(scene);
        scene.take_sent();
        for _ in 0..20 {
            scene.deliver(forgeries());
        }
        assert_data_passes(&mut scene);
        assert_eq!(scene.take_sent(), Vec::<Vec<u8>>::new(), "nothing is answered");
    }
}

/// What anybody on the network can make.
fn forgeries() -> Vec<Vec<u8>> {
    let mut attacker = Peer::new(Side::Client, 99);
    let mut forged = vec![vec![0; 100], vec![0xFF; 100], vec![22; 12], Vec::new(), vec![0x80; 40], vec![0x2F; 60]];
    let alert = |description: AlertDescription| [2, description.0];
    forged.push(attacker.record(ContentType::ALERT, &alert(AlertDescription::HANDSHAKE_FAILURE)));
    forged.push(attacker.record(ContentType::ALERT, &[1, 0]));
    forged.push(attacker.record(ContentType::ALERT, &[2, 0]));
    forged.push(attacker.record(ContentType::ALERT, &[7]));
    forged.push(attacker.record(ContentType::APPLICATION_DATA, b"forged"));
    forged.push(attacker.record(ContentType::CHANGE_CIPHER_SPEC, &[2]));
    forged.push(attacker.record(ContentType::CHANGE_CIPHER_SPEC, &[1]));
    forged.push(attacker.record(ContentType(77), b"unknown"));
    // Far ahead, far behind, truncated, and longer than they say.
    let header = |message_seq: u16, length: u32| {
        let whole = HandshakeHeader::whole(HandshakeType(11), length, gramseal_proto::wire::MessageSeq(message_seq));
        whole.to_bytes().to_vec()
    };
    forged.push(attacker.record(HANDSHAKE, &header(5000, 0)));
    forged.push(attacker.record(HANDSHAKE, &header(1, 0xFF_FFFF)));
    forged.push(attacker.record(HANDSHAKE, &[11, 0, 0]));
    // Epochs that do not exist yet, and one that is about to.
    for epoch in [1, 2, 0xFFFF] {
        forged.push(attacker.record_numbered(HANDSHAKE, epoch, (1 << 48) - 1, b"forged"));
        forged.push(attacker.record_numbered(ContentType::APPLICATION_DATA, epoch, 5, b"forged"));
        forged.push(attacker.record_numbered(ContentType::ALERT, epoch, 6, &[2, 40]));
    }
    let mut cut = attacker.record_numbered(ContentType::APPLICATION_DATA, 1, 7, b"forged");
    cut.truncate(20);
    forged.push(cut);
    forged
}

#[test] // RFC 6347 §4.2.4
fn application_data_before_finished_is_not_given_out() {
    for mut scene in scenes() {
        let flight = scene.first_flight(false);
        scene.play(&flight);
        let mut flight = scene.last_flight(false);
        let finished = flight.pop().expect("Finished");
        scene.play(&flight);
        scene.play(&[Step::ApplicationData]);
        assert!(scene.received().is_empty());
        scene.play(&[finished]);
        assert!(scene.received().is_empty(), "nor when Finished follows");
        assert_data_passes(&mut scene);
    }
}

#[test] // RFC 6347 §4.1.2.6
fn a_replayed_record_is_given_out_once() {
    for scene in scenes() {
        let mut scene = connected(scene);
        let records: Vec<_> = (0..100u64)
            .map(|n| scene.peer.record_numbered(ContentType::APPLICATION_DATA, 1, 10 + n, b"data"))
            .collect();
        scene.deliver(records.iter().rev().cloned());
        let count = scene.received().len();
        assert!((60..=100).contains(&count), "the window has 64 numbers or more: {count}");
        scene.deliver(records);
        assert_eq!(scene.received().len(), count);
    }
}

#[test] // RFC 5246 §7.2.2, RFC 5746 §4.2, §4.4
fn renegotiation_is_refused_with_a_warning_and_the_connection_goes_on() {
    for scene in scenes() {
        let mut scene = connected(scene);
        let asks = match scene.peer.side() {
            Side::Client => HandshakeType::CLIENT_HELLO,
            Side::Server => HandshakeType::HELLO_REQUEST,
        };
        for message_seq in [0, 50] {
            scene.peer.set_next_message(message_seq);
            let alerts = scene.peer.alerts().len();
            scene.play(&[Step::Message(asks)]);
            let answers = &scene.peer.alerts()[alerts..];
            assert_eq!(answers.len(), 1, "{asks}#{message_seq}: {answers:?}");
            assert_eq!((answers[0].level.0, answers[0].description), (1, AlertDescription::NO_RENEGOTIATION));
            assert_data_passes(&mut scene);
        }
    }
}

#[test] // RFC 5246 §7.2.2
fn only_the_beginning_of_a_request_to_renegotiate_is_answered() {
    for scene in scenes() {
        let mut scene = connected(scene);
        let asks = match scene.peer.side() {
            Side::Client => HandshakeType::CLIENT_HELLO,
            Side::Server => HandshakeType::HELLO_REQUEST,
        };
        let fragments = Peer::fragment(&scene.peer.message_of(asks, &[1; 90]), 30);
        for (fragment, answers) in fragments.iter().zip([1, 0, 0]) {
            let alerts = scene.peer.alerts().len();
            let record = scene.peer.record(HANDSHAKE, fragment);
            scene.deliver([record]);
            assert_eq!(scene.peer.alerts().len() - alerts, answers);
        }
        assert_eq!(scene.connection().stats().discards.get(Discard::FragmentOld), 2);
        assert_data_passes(&mut scene);
    }
}

#[test] // RFC 6347 §4.2.4
fn a_server_answers_a_repeated_finished_with_its_last_flight() {
    let mut scene = Scene::server(null::server(), 1);
    let flight = scene.first_flight(false);
    scene.play(&flight);
    let mut flight = scene.last_flight(false);
    flight.pop();
    scene.play(&flight);
    let finished = scene.peer.message(HandshakeType::FINISHED);
    scene.take_sent();
    for _ in 0..3 {
        let record = scene.peer.record(HANDSHAKE, &finished);
        scene.deliver([record]);
        let sent = scene.take_sent();
        assert_eq!(sent.len(), 1, "ChangeCipherSpec and Finished in one datagram");
        assert_eq!(scene.outcome(), Outcome::Connected);
    }
    // The client's data shows that it has the flight.
    assert_data_passes(&mut scene);
    let record = scene.peer.record(HANDSHAKE, &finished);
    scene.deliver([record]);
    assert!(scene.take_sent().is_empty());
}

#[test] // RFC 5246 §7.2.1
fn close_notify_is_answered_and_nothing_is_left_to_wait_for() {
    for scene in scenes() {
        let mut scene = connected(scene);
        let record = scene.peer.record(ContentType::ALERT, &[1, 0]);
        scene.deliver([record]);
        assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Peer));
        let alert = scene.peer.alerts().last().expect("an answer");
        assert_eq!(alert.description, AlertDescription::CLOSE_NOTIFY);
        assert!(scene.connection().is_closed());
        assert_eq!(scene.connection().poll_timeout(), None, "a closed connection waits for nothing");
        scene.take_sent();
        scene.play(&[Step::ApplicationData]);
        scene.advance(Duration::from_secs(600));
        assert!(scene.received().is_empty() && scene.take_sent().is_empty());
    }
}

#[test]
fn a_silent_peer_is_given_up_and_hears_whole_flights_until_then() {
    let mut scene = Scene::client(null::client(), 1);
    scene.take_sent();
    scene.advance(Duration::from_secs(59));
    assert_eq!(scene.outcome(), Outcome::Waiting);
    let repeated = scene.take_sent().len();
    assert!((5..10).contains(&repeated), "doubling from 400 ms: {repeated} repetitions");
    scene.advance(Duration::from_secs(2));
    assert!(matches!(scene.outcome(), Outcome::Closed(CloseReason::Failed(_))));
    assert_eq!(scene.connection().poll_timeout(), None);
}
