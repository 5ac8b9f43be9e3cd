//! When and how a connection repeats its flights, and for how long it goes on (RFC 6347 §4.2.4).

use std::time::Duration;

use gramseal_proto::config::Transport;
use gramseal_proto::wire::{
    ClientHello, Codec, ContentType, Epoch, HandshakeHeader, HandshakeType, MessageSeq, PlaintextHeader,
};
use gramseal_proto::{CloseReason, Discard, Error, TimedOut, Timer};
use gramseal_testkit::decode::{Item, fragments, items, records};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Outcome, Peer, Scene, Step};
use gramseal_testkit::sim::{Side, Sim};

const HANDSHAKE: ContentType = ContentType::HANDSHAKE;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A scene in which the connection has sent a flight of several messages, and what that was.
fn waiting() -> [(Scene, Vec<Vec<u8>>); 2] {
    [Scene::client(null::client(), 1), Scene::server(null::server(), 1)].map(|mut scene| {
        scene.take_sent();
        let first = scene.first_flight(false);
        scene.play(&first);
        let sent = scene.take_sent();
        (scene, sent)
    })
}

fn headers(datagrams: &[Vec<u8>]) -> Vec<PlaintextHeader> {
    datagrams.iter().flat_map(|datagram| records(datagram)).map(|record| record.header).collect()
}

fn all_items(datagrams: &[Vec<u8>]) -> Vec<Item> {
    datagrams.iter().flat_map(|datagram| items(datagram)).collect()
}

#[test] // RFC 6347 §4.2.4, §4.2.4.1
fn a_timeout_repeats_the_whole_flight_and_doubles_the_wait() {
    for (mut scene, sent) in waiting() {
        for wait in [400, 800, 1600, 3200, 6400] {
            assert_eq!(scene.connection().poll_timeout().map(|(_, timer)| timer), Some(Timer::Retransmit));
            scene.advance(ms(wait - 1));
            assert!(scene.sent().is_empty(), "{wait}");
            scene.advance(ms(1));
            assert_eq!(all_items(&scene.take_sent()), all_items(&sent));
        }
        assert_eq!(scene.connection().stats().retransmissions, 5);
    }
}

#[test] // RFC 6347 §4.1, §4.2.2
fn a_repeated_message_has_its_number_and_epoch_and_a_new_record_number() {
    for (mut scene, sent) in waiting() {
        scene.advance(ms(400));
        let again = scene.take_sent();
        let (first, second) = (headers(&sent), headers(&again));
        assert_eq!(first.len(), second.len());
        for epoch in [Epoch(0), Epoch(1)] {
            let numbers = |headers: &[PlaintextHeader]| -> Vec<u64> {
                headers.iter().filter(|h| h.epoch == epoch).map(|h| h.sequence_number.0).collect()
            };
            let all = [numbers(&first), numbers(&second)].concat();
            let rising = all.windows(2).all(|pair| pair[1] == pair[0] + 1);
            assert!(rising, "one by one, retransmissions included: {all:?}");
        }
        let contents = |datagrams: &[Vec<u8>]| -> Vec<Vec<u8>> {
            let plain = |datagram: &Vec<u8>| -> Vec<Vec<u8>> {
                records(datagram).iter().filter(|r| r.header.epoch == Epoch(0)).map(|r| r.body.to_vec()).collect()
            };
            datagrams.iter().flat_map(plain).collect()
        };
        assert_eq!(contents(&sent), contents(&again));
    }
}

#[test] // RFC 6347 §4.2.4
fn half_a_flight_leaves_the_timer_and_our_flight_alone() {
    let mut scene = Scene::client(null::client(), 1);
    let hello = scene.take_sent();
    let flight = scene.first_flight(false);
    scene.advance(ms(300));
    scene.play(&flight[..3]);
    assert!(scene.sent().is_empty());
    scene.advance(ms(100));
    assert_eq!(all_items(&scene.take_sent()), all_items(&hello));
    scene.play(&flight[3..]);
    assert!(!scene.sent().is_empty());
}

#[test] // RFC 6347 §4.2.4
fn a_repeated_flight_is_answered_at_once_and_not_more_than_once_a_wait() {
    let mut scene = Scene::server(null::server(), 1);
    let hello = scene.peer.message(HandshakeType::CLIENT_HELLO);
    let record = scene.peer.record(HANDSHAKE, &hello);
    scene.deliver([record]);
    let flight = all_items(&scene.take_sent());
    scene.advance(ms(400));
    assert_eq!(all_items(&scene.take_sent()), flight, "the timer");
    scene.advance(ms(500));
    for _ in 0..5 {
        let again = scene.peer.record(HANDSHAKE, &hello);
        scene.deliver([again]);
    }
    assert_eq!(all_items(&scene.take_sent()), flight, "the request, once");
    assert_eq!(scene.connection().stats().discards.get(Discard::FragmentOld), 5);
}

/// A server that has finished, with the datagram that makes it repeat its last flight.
fn finished() -> (Scene, impl Fn(&mut Scene)) {
    let mut scene = Scene::server(null::server(), 1);
    let first = scene.first_flight(false);
    scene.play(&first);
    let last = scene.last_flight(false);
    scene.play(&last[..last.len() - 1]);
    let finished = scene.peer.message(HandshakeType::FINISHED);
    let ask = move |scene: &mut Scene| {
        let record = scene.peer.record(HANDSHAKE, &finished);
        scene.deliver([record]);
    };
    ask(&mut scene);
    assert_eq!(scene.outcome(), Outcome::Connected);
    scene.take_sent();
    (scene, ask)
}

#[test] // RFC 6347 §4.2.4: twice the maximum segment lifetime
fn the_last_flight_is_forgotten_after_four_minutes() {
    let (mut scene, ask) = finished();
    assert_eq!(scene.connection().poll_timeout().map(|(_, timer)| timer), Some(Timer::LastFlight));
    scene.advance(ms(239_999));
    assert!(scene.sent().is_empty(), "no timer repeats it");
    ask(&mut scene);
    let repeated = scene.take_sent();
    assert_eq!(all_items(&repeated)[0], Item::ChangeCipherSpec);
    let epochs: Vec<u64> = headers(&repeated).iter().map(|header| header.epoch.0).collect();
    assert_eq!(epochs, [0, 1], "ChangeCipherSpec and Finished, each in its epoch");
    scene.advance(ms(1));
    assert_eq!(scene.connection().poll_timeout().map(|(_, timer)| timer), Some(Timer::Idle));
    ask(&mut scene);
    assert!(scene.sent().is_empty());
    scene.play(&[Step::ApplicationData]);
    assert_eq!((scene.outcome(), scene.received().len()), (Outcome::Connected, 1));
}

#[test]
fn the_time_for_the_last_flight_can_be_chosen() {
    let transport = Transport { last_flight_kept: ms(1000), ..Transport::default() };
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let config = null::server_config(3, identity).with_transport(transport).build().expect("a configuration");
    let mut scene = Scene::server(config, 1);
    scene.connect();
    scene.advance(ms(999));
    assert!(scene.connection().poll_timeout().is_some());
    scene.advance(ms(1));
    assert_eq!(
        (scene.outcome(), scene.connection().poll_timeout().map(|(_, timer)| timer)),
        (Outcome::Connected, Some(Timer::Idle))
    );
}

#[test]
fn a_handshake_ends_at_its_deadline_on_either_side() {
    for (mut scene, _) in waiting() {
        scene.advance(ms(59_999));
        assert_eq!(scene.outcome(), Outcome::Waiting);
        assert_eq!(scene.connection().poll_timeout().map(|(_, timer)| timer), Some(Timer::Handshake));
        scene.take_sent();
        scene.advance(ms(1));
        let timed_out = CloseReason::Failed(Error::TimedOut(TimedOut::Handshake));
        assert_eq!(scene.outcome(), Outcome::Closed(timed_out));
        assert_eq!((scene.connection().poll_timeout(), scene.sent()), (None, &[][..]));
        assert!(scene.peer.alerts().is_empty(), "there is nobody to tell");
    }
}

#[test] // RFC 6347 §4.1.1.1
fn a_flight_that_is_lost_again_and_again_goes_out_in_smaller_datagrams() {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 3000);
    let mut scene = Scene::server(null::server_config(3, identity).build().expect("a configuration"), 1);
    let hello = scene.first_flight(false);
    scene.play(&hello);
    for (wait, largest) in [(0, 1200), (400, 1200), (800, 600), (1600, 600), (3200, 548), (6400, 548)] {
        scene.advance(ms(wait));
        let sent = scene.take_sent();
        let longest = sent.iter().map(Vec::len).max().expect("a flight");
        assert!(longest <= largest && longest > largest - 50, "{longest} after {wait} ms");
    }
    let last = scene.last_flight(false);
    scene.play(&last);
    assert_eq!(scene.outcome(), Outcome::Connected);
    assert_eq!(scene.connection().max_payload(), 1200 - 37, "application data is not concerned");
}

/// The ClientHellos among what was sent, as their bodies.
fn hellos(datagrams: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let of = |datagram: &Vec<u8>| -> Vec<Vec<u8>> {
        records(datagram).iter().flat_map(|r| fragments(r.body)).map(|fragment| fragment.body.to_vec()).collect()
    };
    datagrams.iter().flat_map(of).collect()
}

#[test] // RFC 6347 §4.2.1, and what erratum 4103 reports about it: that version decides nothing
fn cookies_of_any_length_and_version_are_answered_with_the_same_hello() {
    for version in [[0xFE, 0xFF], [0xFE, 0xFD], [0xFE, 0xFC], [0x03, 0x03]] {
        for len in [0u8, 1, 32, 255] {
            let mut scene = Scene::client(null::client(), 1);
            let cookie = vec![7; usize::from(len)];
            let body = [&version[..], &[len], &cookie].concat();
            let request = scene.peer.message_of(HandshakeType::HELLO_VERIFY_REQUEST, &body);
            let record = scene.peer.record(HANDSHAKE, &request);
            scene.deliver([record]);
            let sent = hellos(&scene.take_sent());
            let [first, second] = [0, 1].map(|at| ClientHello::from_bytes(&sent[at]).expect("a hello"));
            assert!(first.cookie.is_empty());
            assert_eq!(second.cookie, cookie);
            assert_eq!(ClientHello { cookie: &cookie, ..first }, second);
            scene.connect();
        }
    }
}

#[test] // RFC 6347 §4.2.1
fn a_server_goes_on_from_the_record_number_of_the_hello_with_the_cookie() {
    let mut sim = Sim::new(1);
    // Two repetitions of the first hello make its numbers and those of the messages differ.
    sim.drop_nth(Side::Client, 0);
    sim.drop_nth(Side::Client, 1);
    let pair = sim.connect(null::client(), null::server());
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(60)).expect("both sides connect");
    let first = |from: Side, msg_type: HandshakeType, cookie: usize| {
        let sent: Vec<Vec<u8>> = sim.sent_by(pair, from).map(|sent| sent.bytes.clone()).collect();
        let is = |datagram: &&Vec<u8>| {
            let record = records(datagram)[0];
            let fragment = fragments(record.body).first().map(|f| (f.msg_type, f.body.to_vec()));
            // The cookie's length follows version, random and an empty session id.
            fragment.is_some_and(|(ty, body)| {
                ty == msg_type && (ty != HandshakeType::CLIENT_HELLO || usize::from(body[35]) >= cookie)
            })
        };
        let datagram = sent.iter().find(is).expect("sent").clone();
        headers(&[datagram])[0].sequence_number
    };
    let hello = first(Side::Client, HandshakeType::CLIENT_HELLO, 1);
    assert_eq!(hello.0, 3);
    assert_eq!(first(Side::Server, HandshakeType::SERVER_HELLO, 0), hello);
}

#[test] // RFC 6347 §4.2.2
fn messages_are_numbered_from_zero_one_by_one_on_each_side() {
    let mut scene = Scene::client(null::client(), 1);
    let mut flight = vec![Step::Message(HandshakeType::HELLO_VERIFY_REQUEST)];
    flight.extend(scene.first_flight(true));
    scene.play(&flight);
    let numbers: Vec<u16> = scene.peer.received().iter().map(|message| message.message_seq.0).collect();
    // Two hellos, Certificate, ClientKeyExchange, Finished.
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
}

#[test] // RFC 6347 §4.2.3
fn a_fragment_that_leaves_its_message_is_dropped() {
    for (mut scene, _) in waiting() {
        let mut beyond = HandshakeHeader::whole(HandshakeType(20), 4, MessageSeq(9)).to_bytes().to_vec();
        beyond[8] = 2;
        beyond.extend([0; 4]);
        let record = Peer::new(Side::Client, 9).record(HANDSHAKE, &beyond);
        scene.deliver([record]);
        assert_eq!(scene.connection().stats().discards.get(Discard::Malformed), 1);
        assert_eq!(scene.outcome(), Outcome::Waiting);
    }
}
