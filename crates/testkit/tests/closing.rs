//! Alerts that end an association, those that do not, and what is still sent and read afterwards.

use std::time::Duration;

use gramseal_proto::config::{ConnectionIds, Transport};
use gramseal_proto::wire::{
    Alert, AlertDescription, AlertLevel, ContentType, HandshakeHeader, HandshakeType, MessageSeq, ProtocolVersion,
};
use gramseal_proto::{AlertReceived, CloseReason, Discard, Error, Event, LocalFault};
use gramseal_testkit::decode::{Item, items};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene, Step};
use gramseal_testkit::sim::{Side, Sim};

const HOUR: Duration = Duration::from_secs(3600);
const CLOSE_NOTIFY: Alert = Alert { level: AlertLevel::WARNING, description: AlertDescription::CLOSE_NOTIFY };
/// An alert under keys: 2 bytes, with explicit nonce and tag.
const SEALED_ALERT: Item = Item::Sealed(1, ContentType::ALERT, 26);

fn scenes() -> [Scene; 2] {
    [Scene::client(null::client(), 1), Scene::server(null::server(), 1)]
}

fn connected() -> [Scene; 2] {
    scenes().map(|mut scene| {
        scene.connect();
        scene
    })
}

/// Plays a handshake up to the moment when only the peer's Finished is missing, and its keys are in use.
fn before_finished() -> [Scene; 2] {
    scenes().map(|mut scene| {
        let first = scene.first_flight(false);
        scene.play(&first);
        let last = scene.last_flight(false);
        scene.play(&last[..last.len() - 1]);
        assert_eq!(scene.outcome(), Outcome::Waiting);
        scene
    })
}

#[test] // RFC 9325 §4.4
fn a_key_that_met_too_many_forgeries_ends_an_association_of_1_2() {
    for cids in [ConnectionIds::Off, ConnectionIds::random()] {
        let names = matches!(cids, ConnectionIds::Both(_));
        let versions = [ProtocolVersion::DTLS1_2];
        let transport = Transport { forgeries_per_key: 100, ..Transport::default() };
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
        let server = null::server_config(3, identity).with_versions(&versions).with_transport(transport);
        let client = null::client_config(2).with_versions(&versions).with_connection_ids(ConnectionIds::Peers);
        let server = server.with_connection_ids(cids).build().expect("a server");
        let mut sim = Sim::new(1);
        let pair = sim.connect(client.build().expect("a client"), server);
        sim.run_until(|sim| sim.connected(pair), Duration::from_secs(20)).expect("both sides connect");
        let mut forged = [0; 64];
        let client = sim.connection_mut(pair, Side::Client).expect("connected");
        let len = client.seal(b"x", &mut forged).expect("connected");
        forged[len - 1] ^= 1;
        // Without the id, which only who has seen the connection knows, it does not even count.
        let unnamed = [&[23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 99, 0, 40][..], &[7; 40]].concat();
        for _ in 0..200 * u8::from(names) {
            sim.inject(pair, Side::Server, unnamed.clone());
        }
        for _ in 0..100 {
            sim.inject(pair, Side::Server, forged[..len].to_vec());
        }
        assert_eq!(sim.closed(pair, Side::Server), None, "{names}");
        sim.inject(pair, Side::Server, forged[..len].to_vec());
        let worn_out = CloseReason::Failed(Error::Local(LocalFault::KeyWornOut));
        assert_eq!(sim.closed(pair, Side::Server), Some(&worn_out), "{names}");
        sim.run_for(Duration::from_secs(1));
        assert!(sim.closed(pair, Side::Client).is_some(), "it is told");
    }
}

fn alert(scene: &mut Scene, level: u8, description: AlertDescription) {
    let record = scene.peer.record(ContentType::ALERT, &[level, description.0]);
    scene.deliver([record]);
}

fn received(description: AlertDescription, authenticated: bool) -> Outcome {
    Outcome::Closed(CloseReason::Failed(Error::AlertReceived(AlertReceived { description, authenticated })))
}

fn sent_items(scene: &mut Scene) -> Vec<Item> {
    scene.take_sent().iter().flat_map(|datagram| items(datagram)).collect()
}

#[track_caller]
fn assert_silent(scene: &mut Scene) {
    scene.advance(HOUR);
    assert_eq!(scene.take_sent(), Vec::<Vec<u8>>::new());
}

#[test] // RFC 5246 §7.2.1
fn closing_sends_one_close_notify_and_reads_nothing_more() {
    for mut scene in connected() {
        scene.take_sent();
        scene.close();
        assert_eq!(scene.peer.alerts(), [CLOSE_NOTIFY]);
        assert_eq!(sent_items(&mut scene), [SEALED_ALERT]);
        assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Local));
        // The answer, data that was under way, a second one, and a handshake message.
        alert(&mut scene, 1, AlertDescription::CLOSE_NOTIFY);
        scene.play(&[Step::ApplicationData, Step::ApplicationData, Step::Message(HandshakeType::FINISHED)]);
        assert_eq!(scene.connection().stats().discards.get(Discard::Closed), 4);
        assert!(scene.received().is_empty());
        scene.close();
        assert_silent(&mut scene);
        assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Local));
    }
}

#[test] // RFC 5246 §7.2.1
fn each_side_hears_once_how_the_association_ended() {
    for closes in Side::BOTH {
        let mut sim = Sim::new(1);
        let pair = sim.connect(null::client(), null::server());
        sim.run_until(|sim| sim.connected(pair), HOUR).expect("both sides connect");
        sim.exchange(pair, b"data");
        sim.close(pair, closes);
        sim.run_for(HOUR);
        assert_eq!(sim.events(pair, closes), [Event::Connected, Event::Closed(CloseReason::Local)]);
        assert_eq!(sim.events(pair, closes.peer()), [Event::Connected, Event::Closed(CloseReason::Peer)]);
    }
}

#[test] // RFC 5246 §7.2.1
fn data_after_the_peers_close_notify_is_dropped_and_counted() {
    for mut scene in connected() {
        alert(&mut scene, 1, AlertDescription::CLOSE_NOTIFY);
        scene.play(&[Step::ApplicationData]);
        assert!(scene.received().is_empty());
        assert_eq!(scene.connection().stats().discards.get(Discard::Closed), 1);
        // One answer, however often it says so.
        alert(&mut scene, 1, AlertDescription::CLOSE_NOTIFY);
        assert_eq!(scene.peer.alerts(), [CLOSE_NOTIFY]);
    }
}

#[test] // RFC 6347 §4.1.1
fn data_and_close_notify_may_share_a_datagram() {
    for mut scene in connected() {
        let data = scene.peer.play(&[Step::ApplicationData]).remove(0);
        let close = scene.peer.record(ContentType::ALERT, &[1, 0]);
        let late = scene.peer.play(&[Step::ApplicationData]).remove(0);
        scene.deliver([[data, close, late].concat()]);
        assert_eq!(scene.received().len(), 1);
        assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Peer));
    }
}

#[test] // RFC 5246 §7.2.1
fn a_handshake_can_be_closed() {
    for mut scene in scenes() {
        let flight = scene.first_flight(false);
        scene.play(&flight[..1]);
        scene.take_sent();
        scene.close();
        assert_eq!(sent_items(&mut scene), [Item::Alert(AlertDescription::CLOSE_NOTIFY.0)]);
        assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Local));
        scene.play(&flight[1..]);
        assert_silent(&mut scene);
        assert!(!scene.was_connected());
    }
}

#[test] // RFC 5246 §7.2
fn warnings_are_ignored_whether_protected_or_not() {
    let warnings = [
        AlertDescription::NO_RENEGOTIATION,
        AlertDescription::USER_CANCELED,
        AlertDescription::UNRECOGNIZED_NAME,
        AlertDescription::HANDSHAKE_FAILURE,
        AlertDescription(250),
    ];
    for mut scene in scenes() {
        let flights = [scene.first_flight(false), scene.last_flight(false)];
        for step in flights.iter().flatten() {
            warnings.iter().for_each(|warning| alert(&mut scene, 1, *warning));
            scene.play(&[*step]);
        }
        warnings.iter().for_each(|warning| alert(&mut scene, 1, *warning));
        // Neither of the two levels that there are.
        alert(&mut scene, 3, AlertDescription::HANDSHAKE_FAILURE);
        assert_eq!(scene.outcome(), Outcome::Connected);
        scene.play(&[Step::ApplicationData]);
        assert_eq!(scene.received().len(), 1);
        assert!(scene.peer.alerts().is_empty());
    }
}

#[test] // RFC 5246 §7.2.2
fn a_fatal_alert_is_final_and_not_answered() {
    for mut scene in before_finished().into_iter().chain(connected()) {
        let missing = scene.last_flight(false).pop().expect("Finished");
        let was_connected = scene.was_connected();
        scene.take_sent();
        alert(&mut scene, 2, AlertDescription::BAD_CERTIFICATE);
        assert_eq!(scene.outcome(), received(AlertDescription::BAD_CERTIFICATE, true));
        scene.play(&[missing, Step::ApplicationData]);
        assert_silent(&mut scene);
        assert_eq!((scene.was_connected(), scene.received().len()), (was_connected, 0));
    }
}

#[test] // RFC 5246 §7.2.1
fn a_protected_close_notify_ends_a_handshake_at_once() {
    for mut scene in before_finished() {
        alert(&mut scene, 1, AlertDescription::CLOSE_NOTIFY);
        assert_eq!(scene.outcome(), received(AlertDescription::CLOSE_NOTIFY, true));
        assert!(!scene.was_connected());
    }
}

#[test]
fn a_plaintext_close_notify_is_believed_when_silence_follows() {
    for mut scene in scenes() {
        let flight = scene.first_flight(false);
        scene.play(&flight);
        alert(&mut scene, 1, AlertDescription::CLOSE_NOTIFY);
        assert_eq!(scene.outcome(), Outcome::Waiting);
        assert_eq!(scene.connection().stats().discards.get(Discard::UnauthenticatedAlert), 1);
        // Three waits: 400, 800 and 1600 ms.
        scene.advance(Duration::from_millis(2799));
        assert_eq!(scene.outcome(), Outcome::Waiting);
        scene.advance(Duration::from_millis(1));
        assert_eq!(scene.outcome(), received(AlertDescription::CLOSE_NOTIFY, false));
        scene.take_sent();
        assert_silent(&mut scene);
    }
}

#[test]
fn a_word_from_the_peer_makes_up_for_a_plaintext_alert() {
    for mut scene in scenes() {
        let first = scene.first_flight(false);
        scene.play(&first);
        let last = scene.last_flight(false);
        alert(&mut scene, 2, AlertDescription::HANDSHAKE_FAILURE);
        scene.advance(Duration::from_millis(2700));
        // The peer repeats itself: it did not give up. Somebody else wrote the alert.
        let Step::Message(msg_type) = first[0] else { unreachable!("a flight of messages") };
        scene.peer.set_next_message(0);
        let body = scene.peer.body_of(msg_type);
        let length = u32::try_from(body.len()).expect("short");
        let header = HandshakeHeader::whole(msg_type, length, MessageSeq(0));
        let repeated = scene.peer.record(ContentType::HANDSHAKE, &[&header.to_bytes()[..], &body].concat());
        scene.deliver([repeated]);
        scene.advance(Duration::from_secs(30));
        assert_eq!(scene.outcome(), Outcome::Waiting);
        scene.peer.set_next_message(u16::try_from(first.len()).expect("few"));
        scene.play(&last);
        assert_eq!(scene.outcome(), Outcome::Connected);
    }
}
