//! What callers of a connection rely on: who may end it, what it can send and when, what it exports
//! and tells.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ServerConfig, Transport};
use gramseal_proto::wire::{AlertDescription, ContentType, HandshakeType};
use gramseal_proto::{
    AlertReceived, CloseReason, Connection, Direction, Error, ExportError, Instant, KeyLog, SendError, TimedOut, Trace,
    TraceEvent, Traced,
};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene};
use gramseal_testkit::sim::{Pair, Side, Sim};

const PATIENCE: Duration = Duration::from_secs(60);

fn scenes() -> [Scene; 2] {
    [Scene::client(null::client(), 1), Scene::server(null::server(), 1)]
}

fn connected(client: ClientConfig, server: ServerConfig) -> (Sim, Pair) {
    let mut sim = Sim::new(1);
    let pair = sim.connect(client, server);
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
    (sim, pair)
}

/// A fatal handshake_failure.
const FATAL: [u8; 2] = [2, 40];

fn failed(authenticated: bool) -> Outcome {
    let description = AlertDescription::HANDSHAKE_FAILURE;
    Outcome::Closed(CloseReason::Failed(Error::AlertReceived(AlertReceived { description, authenticated })))
}

#[test]
fn a_plaintext_alert_does_not_end_a_handshake_that_goes_on() {
    for mut scene in scenes() {
        let flight = scene.first_flight(false);
        for step in &flight {
            let forged = scene.peer.record(ContentType::ALERT, &FATAL);
            scene.deliver([forged]);
            scene.play(&[*step]);
        }
        let flight = scene.last_flight(false);
        scene.play(&flight);
        assert_eq!(scene.outcome(), Outcome::Connected);
    }
}

#[test]
fn a_plaintext_alert_is_believed_when_silence_follows() {
    for mut scene in scenes() {
        let flight = scene.first_flight(false);
        scene.play(&flight);
        // Each repetition of our flight draws the alert again; that must not renew our patience.
        for _ in 0..3 {
            let alert = scene.peer.record(ContentType::ALERT, &FATAL);
            scene.deliver([alert]);
            assert_eq!(scene.outcome(), Outcome::Waiting);
            scene.advance(Duration::from_millis(900));
        }
        // Our timeouts are over after 0.4, 1.2 and 2.8 s.
        scene.advance(Duration::from_millis(99));
        assert_eq!(scene.outcome(), Outcome::Waiting);
        scene.advance(Duration::from_millis(1));
        assert_eq!(scene.outcome(), failed(false));
    }
}

#[test] // RFC 5246 §7.2
fn a_protected_fatal_alert_ends_at_once_and_a_warning_does_not() {
    for mut scene in scenes() {
        scene.connect();
        let user_canceled = scene.peer.record(ContentType::ALERT, &[1, 90]);
        scene.deliver([user_canceled]);
        assert_eq!(scene.outcome(), Outcome::Connected);
        let alert = scene.peer.record(ContentType::ALERT, &FATAL);
        scene.deliver([alert]);
        assert_eq!(scene.outcome(), failed(true));
    }
}

#[test]
fn silence_and_a_handshake_that_does_not_end_are_told_apart() {
    let mut silent = Scene::client(null::client(), 1);
    silent.advance(PATIENCE);
    assert_eq!(silent.outcome(), Outcome::Closed(CloseReason::Failed(Error::TimedOut(TimedOut::NoAnswer))));
    let mut junk = Scene::client(null::client(), 1);
    let epoch_1 = junk.peer.record_numbered(ContentType::HANDSHAKE, 1, 3, b"early");
    junk.deliver([vec![0; 40], b"\x16 nothing".to_vec(), epoch_1]);
    junk.advance(PATIENCE);
    assert_eq!(junk.outcome(), Outcome::Closed(CloseReason::Failed(Error::TimedOut(TimedOut::NoAnswer))));
    let mut stuck = Scene::client(null::client(), 1);
    let flight = stuck.first_flight(false);
    stuck.play(&flight[..2]);
    stuck.advance(PATIENCE);
    assert_eq!(stuck.outcome(), Outcome::Closed(CloseReason::Failed(Error::TimedOut(TimedOut::Handshake))));
}

#[test] // RFC 5246 §7.4.1.1
fn a_hello_request_during_a_handshake_is_ignored() {
    let mut scene = Scene::client(null::client(), 1);
    let flight = scene.first_flight(false);
    scene.play(&flight[..2]);
    let request = [0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0];
    let record = scene.peer.record(ContentType::HANDSHAKE, &request);
    scene.deliver([record]);
    scene.play(&flight[2..]);
    let flight = scene.last_flight(false);
    scene.play(&flight);
    assert_eq!(scene.outcome(), Outcome::Connected);
}

#[test] // RFC 6347 §4.1.1
fn no_datagram_is_larger_than_configured_and_the_largest_payload_fills_one() {
    for mtu in [256, 301, 548, 1200, 9000] {
        let transport = Transport { mtu, ..Transport::default() };
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 3000);
        let client = null::client_config(2).with_transport(transport.clone()).build().expect("a client");
        let server = null::server_config(3, identity).with_transport(transport).build().expect("a server");
        let (mut sim, pair) = connected(client, server);
        let connection = sim.connection_mut(pair, Side::Client).expect("connected");
        let limit = connection.max_payload();
        let mut datagram = vec![0; 10_000];
        let payload = vec![7; limit];
        assert_eq!(connection.seal(&payload, &mut datagram), Ok(mtu));
        assert_eq!(connection.sealed_len(limit), mtu);
        let longer = vec![7; limit + 1];
        assert_eq!(connection.seal(&longer, &mut datagram), Err(SendError::TooLarge { limit }));
        assert_eq!(connection.seal(&payload, &mut datagram[..9]), Err(SendError::BufferTooSmall { needed: mtu }));
        assert!(sim.sent().iter().all(|sent| sent.bytes.len() <= mtu));
        assert!(sim.sent().iter().any(|sent| sent.bytes.len() > mtu.min(3000) / 2));
    }
}

#[test]
fn application_data_is_sent_between_connected_and_closed_only() {
    let mut out = [0; 100];
    let mut connection = Connection::client(
        Arc::new(null::client()),
        null::SERVER_NAME.try_into().expect("a name"),
        Instant::from_micros(0),
    )
    .expect("a client begins");
    assert_eq!(connection.seal(b"x", &mut out), Err(SendError::NotConnected));
    let (mut sim, pair) = connected(null::client(), null::server());
    let connection = sim.connection_mut(pair, Side::Client).expect("connected");
    assert!(connection.seal(b"x", &mut out).is_ok());
    connection.close();
    assert_eq!(connection.seal(b"x", &mut out), Err(SendError::Closed));
    assert!(connection.poll_timeout().is_none());
}

#[test] // RFC 5705 §4
fn exporters_agree_and_refuse_the_protocols_own_labels() {
    let (sim, pair) = connected(null::client(), null::server());
    let [ours, theirs] = Side::BOTH.map(|side| sim.connection(pair, side).expect("connected"));
    let export = |connection: &Connection, label: &[u8], context: Option<&[u8]>| {
        let mut out = [0; 40];
        connection.export_keying_material(label, context, &mut out).map(|()| out)
    };
    let without = export(ours, b"EXPORTER-a", None).expect("connected");
    assert_eq!(export(theirs, b"EXPORTER-a", None), Ok(without));
    let empty = export(ours, b"EXPORTER-a", Some(b"")).expect("connected");
    assert_eq!(export(theirs, b"EXPORTER-a", Some(b"")), Ok(empty));
    assert_ne!(without, empty);
    assert_ne!(export(ours, b"EXPORTER-b", None), Ok(without));
    for label in [&b"client finished"[..], b"server finished", b"master secret", b"key expansion"] {
        assert_eq!(export(ours, label, None), Err(ExportError::ReservedLabel));
    }
    assert_eq!(export(ours, b"EXPORTER-a", Some(&[0; 65_536])), Err(ExportError::ContextTooLong));
}

/// Label, the client's random, secret.
type Logged = (String, [u8; 32], Vec<u8>);

/// Keeps what it hears.
#[derive(Debug, Default)]
struct Ears {
    secrets: Mutex<Vec<Logged>>,
    events: Mutex<Vec<TraceEvent>>,
}

impl KeyLog for Ears {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        let line = (label.to_owned(), *client_random, secret.to_vec());
        self.secrets.lock().expect("not poisoned").push(line);
    }
}

impl Trace for Ears {
    fn trace(&self, event: &TraceEvent) {
        self.events.lock().expect("not poisoned").push(*event);
    }
}

#[test] // RFC 9850 §2
fn both_sides_log_the_same_secret_and_trace_the_same_messages() {
    let [left, right] = [Arc::<Ears>::default(), Arc::default()];
    let client = null::client_config(2).with_key_log(left.clone()).with_trace(left.clone());
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let server = null::server_config(3, identity).with_key_log(right.clone()).with_trace(right.clone());
    connected(client.build().expect("a client"), server.build().expect("a server"));

    let [left_secrets, right_secrets] = [&left, &right].map(|ears| ears.secrets.lock().expect("not poisoned").clone());
    assert_eq!(left_secrets, right_secrets);
    let (label, _, secret) = &left_secrets[0];
    assert_eq!((label.as_str(), secret.len(), left_secrets.len()), ("CLIENT_RANDOM", 48, 1));

    let messages = |ears: &Ears, direction| -> Vec<(HandshakeType, u32)> {
        let events = ears.events.lock().expect("not poisoned");
        let of = |event: &TraceEvent| match event.traced {
            Traced::Handshake { msg_type, .. } if event.direction == direction => Some((msg_type, event.flight)),
            _ => None,
        };
        events.iter().filter_map(of).collect()
    };
    use HandshakeType as T;
    let server_flight = [
        (T::SERVER_HELLO, 4),
        (T::CERTIFICATE, 4),
        (T::SERVER_KEY_EXCHANGE, 4),
        (T::SERVER_HELLO_DONE, 4),
        (T::FINISHED, 6),
    ];
    assert_eq!(messages(&right, Direction::Sent), server_flight);
    assert_eq!(messages(&left, Direction::Received)[1..], server_flight);
    assert_eq!(messages(&left, Direction::Received)[0], (T::HELLO_VERIFY_REQUEST, 2));
    let client_sent = messages(&left, Direction::Sent);
    assert_eq!(client_sent[..2], [(T::CLIENT_HELLO, 1), (T::CLIENT_HELLO, 3)]);
    assert_eq!(client_sent[1..], messages(&right, Direction::Received));
}

#[test]
fn a_trace_numbers_retransmissions_and_keeps_the_order_on_the_wire() {
    let ears = Arc::<Ears>::default();
    let config = null::client_config(2).with_trace(ears.clone()).build().expect("a client");
    let mut scene = Scene::client(config, 1);
    scene.advance(Duration::from_millis(1200));
    let first = scene.first_flight(false);
    scene.play(&first);
    scene.advance(Duration::from_millis(400));
    let last = scene.last_flight(false);
    scene.play(&last);
    scene.close();

    let events = ears.events.lock().expect("not poisoned").clone();
    let name = |event: &TraceEvent| match event.traced {
        Traced::Handshake { msg_type, .. } => msg_type.to_string(),
        Traced::ChangeCipherSpec => "ChangeCipherSpec".to_owned(),
        Traced::Alert(description) => description.to_string(),
        _ => String::new(),
    };
    let sent: Vec<_> = events.iter().filter(|event| event.direction == Direction::Sent).collect();
    let lines: Vec<_> = sent.iter().map(|event| (name(event), event.flight, event.retransmission)).collect();
    let mut expected = Vec::new();
    expected.extend((0..3).map(|n| ("ClientHello".to_owned(), 1, n)));
    for n in 0..2 {
        expected.extend(["ClientKeyExchange", "ChangeCipherSpec", "Finished"].map(|ty| (ty.to_owned(), 3, n)));
    }
    expected.push(("close_notify".to_owned(), 0, 0));
    assert_eq!(lines, expected);
    // Record numbers rise within an epoch, in the order of the trace.
    for epoch in 0..2 {
        let numbers: Vec<u64> = sent
            .iter()
            .filter(|event| event.record.epoch.0 == epoch)
            .map(|event| event.record.sequence_number.0)
            .collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    }
    let received: Vec<_> = events.iter().filter(|event| event.direction == Direction::Received).map(name).collect();
    let types = ["ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone", "ChangeCipherSpec", "Finished"];
    assert_eq!(received, types);
    assert!(events.iter().filter(|event| event.direction == Direction::Received).all(|e| e.retransmission == 0));
}

#[test]
fn a_smaller_mtu_holds_for_what_is_sent_from_then_on() {
    let (mut sim, pair) = connected(null::client(), null::server());
    let connection = sim.connection_mut(pair, Side::Client).expect("connected");
    connection.set_mtu(300);
    let limit = connection.max_payload();
    let mut out = [0; 2000];
    assert_eq!(connection.seal(&vec![1; limit], &mut out), Ok(300));
    assert_eq!(connection.seal(&vec![1; limit + 1], &mut out), Err(SendError::TooLarge { limit }));
    // RFC 5246 §6.2.1: no record has more content than 2^14 bytes, whatever the path carries.
    connection.set_mtu(65_507);
    assert_eq!(connection.max_payload(), 1 << 14);
}

#[test] // RFC 5246 §6.2.1
fn empty_payloads_arrive_and_empty_records_of_the_protocol_do_no_harm() {
    let (mut sim, pair) = connected(null::client(), null::server());
    sim.exchange(pair, b"");
    for mut scene in scenes() {
        let flights = [scene.first_flight(false), scene.last_flight(false)];
        for step in flights.iter().flatten() {
            for content_type in [ContentType::HANDSHAKE, ContentType::ALERT, ContentType::CHANGE_CIPHER_SPEC] {
                let empty = scene.peer.record(content_type, b"");
                // Under keys nobody but the peer makes them: that is an error.
                if empty[3..5] == [0, 0] {
                    scene.deliver([empty]);
                }
            }
            scene.play(&[*step]);
        }
        assert_eq!(scene.outcome(), Outcome::Connected);
    }
}
