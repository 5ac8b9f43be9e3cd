//! ACKs of 1.3: what is told and when, what is believed, and what is sent again (RFC 9147 §7).

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, Transport};
use gramseal_proto::wire::handshake::KeyUpdateRequest;
use gramseal_proto::wire::{ContentType, HandshakeType as T, ProtocolVersion};
use gramseal_proto::{Discard, Timer};
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Peer13, Scene13, Seen, ack};
use gramseal_testkit::sim::{Side, Sim};

const ACK: ContentType = ContentType::ACK;
const HANDSHAKE: ContentType = ContentType::HANDSHAKE;
const VERSIONS: [ProtocolVersion; 1] = [ProtocolVersion::DTLS1_3];
/// A quarter of the first timeout.
const QUARTER: Duration = Duration::from_millis(100);

/// Both sides show certificates of 1200 bytes, in datagrams of 300.
fn scene(under_test: Side) -> Scene13 {
    let transport = Transport { mtu: 300, ..Transport::default() };
    match under_test {
        Side::Client => {
            let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 1200);
            let builder = null::client_config(2).with_versions(&VERSIONS).with_transport(transport);
            Scene13::client13(builder.with_identity(identity).build().expect("a client configuration"), 1)
        }
        Side::Server => {
            let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 1200);
            let builder = null::server_config(3, identity).with_versions(&VERSIONS).with_transport(transport);
            let builder = builder.with_client_auth(ClientAuth::Required(Arc::new(NullVerifier::default())));
            Scene13::server13(builder.build().expect("a server configuration"), 1)
        }
    }
}

/// A side that has just sent a flight of several records, and those records.
fn with_flight(under_test: Side) -> (Scene13, Vec<Seen>) {
    let mut scene = scene(under_test);
    scene.peer.take_seen();
    let count = if under_test == Side::Client { scene.handshake(true).len() } else { 1 };
    let honest = scene.handshake(true);
    scene.say(&honest[..count]);
    let flight = scene.peer.take_seen();
    assert!(flight.len() > 4, "{flight:?}");
    assert!(flight.iter().all(|seen| seen.content_type == HANDSHAKE));
    scene.take_sent();
    (scene, flight)
}

fn numbers(flight: &[Seen]) -> Vec<(u64, u64)> {
    flight.iter().map(|seen| (seen.number.epoch.0, seen.number.sequence_number.0)).collect()
}

/// An ACK as the peer sends it at this point: of the epoch of its handshake, or after it.
fn tell(scene: &mut Scene13, numbers: impl IntoIterator<Item = (u64, u64)>) {
    let epoch = if scene.peer.side() == Side::Server { 3 } else { 2 };
    let record = scene.peer.record_in(epoch, ACK, &ack(numbers));
    scene.deliver([record]);
}

fn contents(seen: &[Seen]) -> Vec<Vec<u8>> {
    seen.iter().map(|seen| seen.content.clone()).collect()
}

/// The lists in the ACKs among `seen`.
fn told(seen: &[Seen]) -> Vec<Vec<(u64, u64)>> {
    seen.iter().filter_map(Seen::acknowledged).collect()
}

#[test] // RFC 9147 §7.2, §5.8.1
fn exactly_the_record_that_an_ack_lacks_is_sent_again() {
    for side in Side::BOTH {
        let (_, flight) = with_flight(side);
        for lost in 0..flight.len() {
            let (mut scene, flight) = with_flight(side);
            // Old enough that the last record, too, can have arrived.
            scene.advance(QUARTER);
            let mut arrived = numbers(&flight);
            let _: (u64, u64) = arrived.remove(lost);
            tell(&mut scene, arrived);
            let again = scene.peer.take_seen();
            assert_eq!(contents(&again), contents(&flight[lost..=lost]), "{side:?}, {lost}");
            assert!(again[0].number > flight[flight.len() - 1].number || again[0].number.epoch.0 == 0, "a new number");
            // Its number is what the next ACK names.
            tell(&mut scene, numbers(&again));
            scene.advance(Duration::from_secs(10));
            assert_eq!(scene.peer.take_seen(), []);
            assert_ne!(scene.connection().poll_timeout().map(|(_, timer)| timer), Some(Timer::Retransmit));
        }
    }
}

#[test] // RFC 9147 §5.8.1
fn a_timeout_repeats_what_no_ack_named() {
    for side in Side::BOTH {
        let (mut scene, flight) = with_flight(side);
        let (first, rest) =
            numbers(&flight).split_first().map(|(first, rest)| (*first, rest.to_vec())).expect("records");
        // The peer has the last part alone, then nothing is heard of it.
        tell(&mut scene, [rest[rest.len() - 1]]);
        let again = scene.peer.take_seen();
        assert_eq!(contents(&again), contents(&flight[..flight.len() - 1]), "what was overtaken");
        let _: (u64, u64) = first;
        scene.advance(Duration::from_millis(401));
        let again = scene.peer.take_seen();
        assert_eq!(contents(&again), contents(&flight[..flight.len() - 1]), "{side:?}");
    }
}

#[test] // RFC 9147 §7.2
fn records_that_were_never_sent_are_not_acknowledged() {
    for side in Side::BOTH {
        let (_, flight) = with_flight(side);
        let last = flight.last().expect("records").number.sequence_number.0;
        let nonsense: [Vec<(u64, u64)>; 7] = [
            vec![],
            vec![(2, last + 1)],
            vec![(0, 77), (2, 1 << 40)],
            // Of epochs to come, and the last there can be.
            vec![(3, 0), (3, 1), (4, 0), (u64::MAX, u64::MAX)],
            vec![(1, 0), (1, 1)],
            (0..1000).map(|number| (3, number)).collect(),
            (last + 1..1000).rev().map(|number| (2, number)).collect(),
        ];
        for numbers in nonsense {
            let (mut scene, flight) = with_flight(side);
            tell(&mut scene, numbers.clone());
            assert_eq!(scene.peer.take_seen(), [], "not even repeated, as it is just under way");
            scene.advance(Duration::from_millis(401));
            assert_eq!(contents(&scene.peer.take_seen()), contents(&flight), "{side:?}, {numbers:?}");
        }
    }
}

#[test] // RFC 9147 §7: only what is protected
fn acks_without_keys_or_with_others_are_not_believed() {
    for side in Side::BOTH {
        let (mut scene, flight) = with_flight(side);
        let content = ack(numbers(&flight));
        let plain = scene.peer.record_in(0, ACK, &content);
        let early = scene.peer.record_in(1, ACK, &content);
        let later = scene.peer.record_in(4, ACK, &content);
        scene.deliver([plain, early, later]);
        assert_eq!(scene.connection().stats().acks_received, 0);
        scene.advance(Duration::from_millis(401));
        assert_eq!(contents(&scene.peer.take_seen()), contents(&flight), "{side:?}");
    }
}

#[test] // RFC 9147 §7: a KeyUpdate that nobody has is sent until somebody has it
fn plain_acks_say_nothing_after_the_handshake() {
    let transport = Transport { unprotected_acks: true, ..Transport::default() };
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let server = null::server_config(3, identity).with_versions(&VERSIONS).with_transport(transport);
    let client = null::client_config(2).with_versions(&VERSIONS).build().expect("a client");
    let mut sim = Sim::new(1).delay(Duration::from_millis(20));
    let pair = sim.connect(client, server.build().expect("a server"));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(20)).expect("both sides connect");
    sim.run_for(Duration::from_secs(1));
    let lost = sim.sent_by(pair, Side::Server).count();
    sim.drop_nth(Side::Server, lost);
    sim.update_keys(pair, Side::Server, KeyUpdateRequest::NotRequested).expect("nothing is on its way");
    let content = ack((0..60).map(|number| (3, number)));
    let length = u16::try_from(content.len()).expect("short").to_be_bytes();
    sim.inject(pair, Side::Server, [&[26, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &length, &content].concat());
    sim.run_for(Duration::from_secs(10));
    let stats = |side| sim.connection(pair, side).expect("it is there").stats();
    assert_eq!(stats(Side::Server).discards.get(Discard::UnexpectedContent), 1);
    assert_eq!((stats(Side::Server).key_updates_sent, stats(Side::Client).key_updates_received), (1, 1));
    sim.exchange(pair, b"new keys");
}

#[test] // rfc9147bis §7.2: an ACK cannot speak of later epochs than its own
fn an_ack_says_nothing_of_epochs_after_its_own() {
    let (mut scene, flight) = with_flight(Side::Client);
    // In epoch 2 still, as the server does that has no later keys; it names a record of epoch 3.
    let record = scene.peer.record_in(2, ACK, &ack([(3, 0)].into_iter().chain(numbers(&flight[..1]))));
    scene.advance(QUARTER);
    scene.deliver([record]);
    assert_eq!(contents(&scene.peer.take_seen()), contents(&flight[1..]));
}

#[test] // RFC 9147 §7.2
fn a_flood_of_acks_draws_no_flood_of_flights() {
    for side in Side::BOTH {
        let (mut scene, flight) = with_flight(side);
        let mut retransmitted = 0;
        for round in 0..500_u64 {
            scene.advance(Duration::from_millis(40));
            let numbers: Vec<(u64, u64)> = (0..60).map(|number| (2, 500 + round * 7 + number)).collect();
            tell(&mut scene, if round % 2 == 0 { numbers } else { Vec::new() });
            retransmitted += scene.peer.take_seen().len();
        }
        assert_eq!(scene.connection().stats().acks_received, 500);
        // In 20 seconds: five timeouts, and the eight times that a peer may ask for more.
        let flights = retransmitted / flight.len();
        assert!(flights <= 5 + 8, "{side:?}: {flights}");
        assert!(matches!(scene.outcome(), Outcome::Waiting | Outcome::Connected));
    }
}

#[test] // RFC 9147 §7.2
fn the_same_ack_again_sends_nothing_again() {
    for side in Side::BOTH {
        let (mut scene, flight) = with_flight(side);
        scene.advance(QUARTER);
        let arrived = numbers(&flight)[1..].to_vec();
        tell(&mut scene, arrived.clone());
        assert_eq!(scene.peer.take_seen().len(), 1);
        for _ in 0..100 {
            tell(&mut scene, arrived.clone());
            assert_eq!(scene.peer.take_seen(), []);
        }
    }
}

#[test] // RFC 9147 §7.1, §7.2
fn an_ack_at_any_time_does_no_harm() {
    for side in Side::BOTH {
        let honest = scene(side).handshake(true);
        for at in 0..=honest.len() {
            let mut scene = scene(side);
            scene.say(&honest[..at]);
            for epoch in (0..=scene.peer.epoch()).filter(|epoch| *epoch != 1) {
                for content in [ack([]), ack([(0, 0), (2, 0), (2, 1), (3, 0)]), ack((0..900).map(|n| (2, n)))] {
                    let record = scene.peer.record_in(epoch, ACK, &content);
                    scene.deliver([record]);
                }
            }
            scene.say(&honest[at..]);
            assert_eq!(scene.outcome(), Outcome::Connected, "{side:?}, {at}");
        }
    }
}

#[test] // RFC 9147 §7
fn a_record_of_which_a_part_was_dropped_is_not_acknowledged() {
    for side in Side::BOTH {
        for far_first in [false, true] {
            let mut scene = scene(side);
            let honest = scene.handshake(true);
            scene.say(&honest[..1]);
            scene.peer.take_seen();
            let due = scene.peer.message(honest[1]);
            let far = Peer13::whole(T::CERTIFICATE, 60, b"");
            let parts = if far_first { [far, due.clone()] } else { [due.clone(), far] };
            let record = scene.peer.record_numbered(HANDSHAKE, 2, 0, &parts.concat());
            scene.deliver([record]);
            assert_eq!(scene.connection().stats().discards.get(Discard::FragmentTooFarAhead), 1);
            scene.advance(QUARTER);
            let numbers: Vec<(u64, u64)> = told(&scene.peer.take_seen()).concat();
            assert!(!numbers.contains(&(2, 0)), "{side:?}: {numbers:?}");
            // In a record of its own it is.
            let record = scene.peer.record_numbered(HANDSHAKE, 2, 1, &due);
            scene.deliver([record]);
            scene.advance(QUARTER);
            let numbers = told(&scene.peer.take_seen()).concat();
            assert!(numbers.contains(&(2, 1)), "{side:?}: {numbers:?}");
        }
    }
}

#[test] // RFC 9147 §7.1
fn part_of_a_flight_is_told_after_a_quarter_of_the_timeout_and_what_is_out_of_order_at_once() {
    for side in Side::BOTH {
        let mut scene = scene(side);
        let honest = scene.handshake(true);
        scene.say(&honest[..1]);
        scene.peer.take_seen();
        let datagrams: Vec<Vec<u8>> = honest[1..3].iter().map(|msg_type| scene.peer.datagram(*msg_type)).collect();
        let [first, second] = &datagrams[..] else { panic!("two datagrams") };

        // The second one alone: something is missing.
        scene.deliver([second.clone()]);
        let seen = scene.peer.take_seen();
        let plain = if side == Side::Client { vec![(0, 0)] } else { vec![] };
        assert_eq!(told(&seen), [[&plain[..], &[(2, 1)]].concat()], "{side:?}");
        // RFC 9147 §7: in the highest epoch that it sends in.
        assert_eq!(seen[0].number.epoch.0, if side == Side::Client { 2 } else { 3 });
        // Now it is complete as far as anybody knows: it is told when time has passed, with what was told.
        scene.deliver([first.clone()]);
        assert_eq!(scene.peer.take_seen(), []);
        scene.advance(QUARTER - Duration::from_millis(1));
        assert_eq!(scene.peer.take_seen(), []);
        scene.advance(Duration::from_millis(1));
        assert_eq!(told(&scene.peer.take_seen()), [[&plain[..], &[(2, 0), (2, 1)]].concat()], "{side:?}");
        // And once.
        scene.advance(QUARTER / 2);
        assert_eq!(scene.peer.take_seen(), []);
    }
}

#[test] // rfc9147bis §7
fn nothing_is_acknowledged_before_the_version_is_known() {
    // Half a hello at the server.
    let mut server = scene(Side::Server);
    let hello = server.peer.message(T::CLIENT_HELLO);
    let pieces = Peer13::fragment(&hello, 60);
    let record = server.peer.record_in(0, HANDSHAKE, &pieces[1]);
    server.deliver([record]);
    server.advance(Duration::from_secs(5));
    assert!(server.sent().is_empty());

    // At the client protected records before the ServerHello, and then a part of it.
    let mut client = scene(Side::Client);
    let hello = client.peer.message(T::SERVER_HELLO);
    client.peer.take_seen();
    let early = client.peer.datagram(T::ENCRYPTED_EXTENSIONS);
    let part = Peer13::fragment(&hello, 40);
    let part = client.peer.record_in(0, HANDSHAKE, &part[1]);
    client.deliver([early, part]);
    client.advance(Duration::from_secs(5));
    let seen = client.peer.take_seen();
    assert!(!seen.is_empty() && seen.iter().all(|seen| seen.content_type == HANDSHAKE), "its hello alone");
    assert_eq!(client.connection().stats().acks_sent, 0);
}

#[test] // RFC 9147 §7: ascending, and no longer than anybody needs
fn an_ack_is_ascending_and_bounded() {
    for side in Side::BOTH {
        let mut scene = scene(side);
        let honest = scene.handshake(true);
        let before = honest.iter().position(|msg_type| *msg_type == T::CERTIFICATE).expect("a certificate");
        scene.say(&honest[..before]);
        scene.peer.take_seen();
        let message = scene.peer.message(T::CERTIFICATE);
        let pieces = Peer13::fragment(&message, 1);
        assert!(pieces.len() > 65, "{}", pieces.len());
        // Not the first one, so that it does not become whole.
        for piece in pieces[1..].iter().rev() {
            let record = scene.peer.record_in(2, HANDSHAKE, piece);
            scene.deliver([record]);
        }
        let seen = scene.peer.take_seen();
        let lists = told(&seen);
        assert_eq!(lists.len(), pieces.len() - 1, "each is out of order");
        assert!(lists.iter().all(|list| list.len() <= 64 && list.is_sorted()));
        let last = lists.last().expect("an ACK");
        assert!(last.len() >= 16 && last.last() == told(&seen).concat().iter().max(), "the latest are told");
        assert!(scene.take_sent().iter().all(|datagram| datagram.len() <= 300));
    }
}

#[test] // RFC 9147 §5.8.1
fn a_finished_that_is_repeated_is_acknowledged_each_time() {
    let mut scene = scene(Side::Server);
    let honest = scene.handshake(true);
    let (_, before) = honest.split_last().expect("a flight");
    scene.say(before);
    let finished = scene.peer.message(T::FINISHED);
    scene.peer.take_seen();
    for round in 0..50 {
        let record = scene.peer.record_numbered(HANDSHAKE, 2, 40 + round, &finished);
        scene.deliver([record]);
        let seen = scene.peer.take_seen();
        assert_eq!((seen.len(), told(&seen).len()), (1, 1), "one small record for another");
        assert!(told(&seen)[0].contains(&(2, 40 + round)));
        assert_eq!(scene.outcome(), Outcome::Connected);
    }
    assert_eq!(scene.connection().stats().retransmissions, 0);
    // The handshake's keys are forgotten some time.
    scene.advance(Duration::from_secs(300));
    let record = scene.peer.record_numbered(HANDSHAKE, 2, 99, &finished);
    scene.deliver([record]);
    assert_eq!((scene.peer.take_seen(), scene.connection().stats().discards.get(Discard::UnknownEpoch)), (vec![], 1));
}

#[test] // RFC 9147 §5.8.1
fn a_server_that_repeats_its_finished_gets_ours_again_until_it_has_it() {
    let mut scene = scene(Side::Client);
    let honest = scene.handshake(true);
    let (_, before) = honest.split_last().expect("a flight");
    scene.say(before);
    let finished = scene.peer.message(T::FINISHED);
    scene.peer.take_seen();
    let record = scene.peer.record_numbered(HANDSHAKE, 2, 40, &finished);
    scene.deliver([record]);
    let flight = scene.peer.take_seen();
    let mut answers = 0;
    for round in 0..100 {
        scene.advance(Duration::from_millis(10));
        let record = scene.peer.record_numbered(HANDSHAKE, 2, 41 + round, &finished);
        scene.deliver([record]);
        answers += usize::from(!scene.peer.take_seen().is_empty());
    }
    assert!(answers <= 2, "in one second: {answers}");
    tell(&mut scene, numbers(&flight));
    let record = scene.peer.record_numbered(HANDSHAKE, 2, 200, &finished);
    scene.deliver([record]);
    assert_eq!(scene.peer.take_seen(), []);
    assert_eq!(scene.connection().stats().discards.get(Discard::UnknownEpoch), 1, "nobody needs that epoch any more");
}
