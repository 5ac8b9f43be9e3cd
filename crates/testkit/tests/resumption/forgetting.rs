//! What is forgotten, and when (RFC 5246 §7.2.2); and how long the client, who speaks last here, keeps
//! its last flight (RFC 6347 §4.2.4).

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::Timer;
use gramseal_proto::wire::{ContentType, HandshakeType};
use gramseal_testkit::decode::items;
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene, Step};
use gramseal_testkit::sessions::{Resumption, Stores};

const HELLO: Step = Step::Message(HandshakeType::SERVER_HELLO);
const FINISHED: Step = Step::Message(HandshakeType::FINISHED);

/// A fatal handshake_failure.
const FATAL: [u8; 2] = [2, 40];
const CLOSE_NOTIFY: [u8; 2] = [1, 0];

/// A client that is connected to a scripted server and remembers the session, and its configuration.
fn client(stores: &Stores) -> (Scene, Arc<gramseal_proto::config::ClientConfig>) {
    let config = Arc::new(stores.client(null::client_config(2)).build().expect("a client"));
    let mut scene = Scene::client(Arc::clone(&config), 1);
    scene.peer.set_session_id(&[9; 32]);
    scene.connect();
    assert_eq!(stores.client.len(), 1);
    (scene, config)
}

fn server(stores: &Stores) -> (Scene, Arc<gramseal_proto::config::ServerConfig>) {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let config = Arc::new(stores.server(null::server_config(3, identity)).build().expect("a server"));
    let mut scene = Scene::server(Arc::clone(&config), 1);
    scene.connect();
    assert_eq!(stores.server.len(), 1);
    (scene, config)
}

#[test] // RFC 5246 §7.2.2
fn a_fatal_alert_ends_the_session_and_close_notify_does_not() {
    for (alert, left) in [(FATAL, 0), (CLOSE_NOTIFY, 1)] {
        let stores = Stores::new(Some(Resumption::Id));
        let (mut scene, _) = client(&stores);
        let record = scene.peer.record(ContentType::ALERT, &alert);
        scene.deliver([record]);
        assert!(matches!(scene.outcome(), Outcome::Closed(_)));
        assert_eq!(stores.client.len(), left);

        let (mut scene, _) = server(&stores);
        let record = scene.peer.record(ContentType::ALERT, &alert);
        scene.deliver([record]);
        assert!(matches!(scene.outcome(), Outcome::Closed(_)));
        assert_eq!(stores.server.len(), left);
    }
}

#[test] // RFC 5246 §7.2.2
fn a_fatal_alert_ends_the_session_of_a_resumed_connection_too() {
    let stores = Stores::new(Some(Resumption::Id));
    let (first, config) = server(&stores);
    let id = first.peer.received()[0].body[35..67].to_vec();
    let mut scene = Scene::server(config, 2);
    scene.peer.resume(&first.peer);
    scene.peer.set_session_id(&id);
    scene.play(&[Step::Message(HandshakeType::CLIENT_HELLO), Step::ChangeCipherSpec, FINISHED]);
    assert_eq!(scene.outcome(), Outcome::Connected);
    let record = scene.peer.record(ContentType::ALERT, &FATAL);
    scene.deliver([record]);
    assert_eq!(stores.server.len(), 0);
}

#[test]
fn a_failure_leaves_the_session_of_another_connection_alone() {
    let stores = Stores::new(Some(Resumption::Id));
    let (mut old, config) = client(&stores);
    // The session is offered, refused and replaced.
    let mut new = Scene::client(config, 5);
    new.peer.set_session_id(&[8; 32]);
    new.connect();
    let record = old.peer.record(ContentType::ALERT, &FATAL);
    old.deliver([record]);
    assert_eq!(stores.client.len(), 1, "it is the new one");
    let record = new.peer.record(ContentType::ALERT, &FATAL);
    new.deliver([record]);
    assert_eq!(stores.client.len(), 0);
}

#[test] // RFC 5077 §5.1
fn who_does_not_know_a_session_cannot_end_it() {
    let stores = Stores::new(Some(Resumption::Id));
    let (first, config) = server(&stores);
    let id = first.peer.received()[0].body[35..67].to_vec();
    // An onlooker knows the id. Plaintext out of turn fails its handshake and nothing else.
    let mut scene = Scene::server(config, 2);
    scene.peer.set_session_id(&id);
    scene.play(&[Step::Message(HandshakeType::CLIENT_HELLO), FINISHED]);
    scene.advance(Duration::from_secs(600));
    assert!(matches!(scene.outcome(), Outcome::Closed(_)));
    assert_eq!(stores.server.len(), 1);
}

#[test] // RFC 5246 §7.2.2, RFC 5077 §3.2
fn a_session_whose_handshake_fails_is_forgotten() {
    let stores = Stores::new(Some(Resumption::Id));
    let (first, config) = client(&stores);
    let mut scene = Scene::client(config, 2);
    assert_eq!(stores.client.len(), 0, "it was taken");
    scene.peer.resume(&first.peer);
    scene.play(&[HELLO]);
    scene.advance(Duration::from_secs(600));
    assert!(matches!(scene.outcome(), Outcome::Closed(_)));
    assert_eq!(stores.client.len(), 0);
}

#[test] // RFC 5246 §7.4.1.3
fn a_server_that_will_not_keep_the_session_says_so() {
    let stores = Stores::new(Some(Resumption::Id));
    let config = stores.client(null::client_config(2)).build().expect("a client");
    let mut scene = Scene::client(config, 1);
    scene.connect();
    assert_eq!(stores.client.len(), 0, "there is no name to ask for it by");
}

#[test] // RFC 5246 §7.2.2
fn a_session_is_not_remembered_before_finished() {
    let stores = Stores::new(Some(Resumption::Id));
    let config = stores.client(null::client_config(2)).build().expect("a client");
    let mut scene = Scene::client(config, 1);
    scene.peer.set_session_id(&[9; 32]);
    scene.play(&scene.first_flight(false));
    scene.play(&[Step::ChangeCipherSpec]);
    assert_eq!(stores.client.len(), 0);
    scene.play(&[FINISHED]);
    assert_eq!(stores.client.len(), 1);
}

/// A client that has resumed, with the server's Finished to repeat.
fn resumed(stores: &Stores) -> (Scene, Vec<u8>) {
    let (first, config) = client(stores);
    let mut scene = Scene::client(config, 2);
    scene.peer.resume(&first.peer);
    scene.play(&[HELLO, Step::ChangeCipherSpec]);
    let finished = scene.peer.message(HandshakeType::FINISHED);
    scene.take_sent();
    repeat(&mut scene, &finished);
    assert_eq!(scene.outcome(), Outcome::Connected);
    (scene, finished)
}

fn repeat(scene: &mut Scene, finished: &[u8]) {
    let record = scene.peer.record(ContentType::HANDSHAKE, finished);
    scene.deliver([record]);
}

#[test] // RFC 6347 §4.2.4
fn a_client_that_spoke_last_answers_a_repeated_finished() {
    let stores = Stores::new(Some(Resumption::Id));
    let (mut scene, finished) = resumed(&stores);
    let flight: Vec<_> = scene.take_sent().iter().flat_map(|datagram| items(datagram)).collect();
    assert_eq!(flight.len(), 2, "ChangeCipherSpec and Finished");
    assert_eq!(scene.connection().poll_timeout().map(|(_, timer)| timer), Some(Timer::LastFlight));
    scene.advance(Duration::from_millis(239_999));
    assert!(scene.sent().is_empty(), "no timer repeats it");
    repeat(&mut scene, &finished);
    let again: Vec<_> = scene.take_sent().iter().flat_map(|datagram| items(datagram)).collect();
    assert_eq!(again, flight);
    scene.advance(Duration::from_millis(1));
    assert_eq!(scene.connection().poll_timeout().map(|(_, timer)| timer), Some(Timer::Idle));
    repeat(&mut scene, &finished);
    assert!(scene.sent().is_empty(), "it is forgotten");
}

#[test]
fn data_from_the_server_shows_that_the_last_flight_arrived() {
    let stores = Stores::new(Some(Resumption::Id));
    let (mut scene, finished) = resumed(&stores);
    scene.play(&[Step::ApplicationData]);
    assert_eq!(scene.connection().poll_timeout().map(|(_, timer)| timer), Some(Timer::Idle));
    scene.take_sent();
    repeat(&mut scene, &finished);
    assert!(scene.sent().is_empty(), "it is forgotten");
    assert_eq!(scene.outcome(), Outcome::Connected);
}
