//! Peers that leave messages out, repeat, swap or add some, with keys, signatures and Finished that
//! fit what they really sent: the connection under test never completes, unless the RFCs say that
//! the deviation is to be ignored (RFC 6347 §4.2.2, RFC 5246 §7.3).

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, ClientConfig, ServerConfig};
use gramseal_proto::wire::HandshakeType;
use gramseal_proto::{CloseReason, Error};
use gramseal_testkit::decode::Item;
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene, Step};
use gramseal_testkit::sim::{Side, Sim};

/// Who is under test, and whether the client shows a certificate.
#[derive(Debug, Clone, Copy)]
struct Setting {
    under_test: Side,
    client_auth: bool,
}

const SETTINGS: [Setting; 4] = [
    Setting { under_test: Side::Client, client_auth: false },
    Setting { under_test: Side::Client, client_auth: true },
    Setting { under_test: Side::Server, client_auth: false },
    Setting { under_test: Side::Server, client_auth: true },
];

/// Which of the peer's flights is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flight {
    First,
    Last,
}

impl Setting {
    fn scene(self) -> Scene {
        match self.under_test {
            Side::Client => Scene::client(client(), 1),
            Side::Server => Scene::server(server(self.client_auth), 1),
        }
    }

    fn steps(self, flight: Flight) -> Vec<Step> {
        match flight {
            Flight::First => self.scene().first_flight(self.client_auth),
            Flight::Last => self.scene().last_flight(self.client_auth),
        }
    }

    /// Plays both flights, one of them replaced.
    fn play(self, flight: Flight, replaced: &[Step]) -> Scene {
        let mut scene = self.scene();
        for which in [Flight::First, Flight::Last] {
            if which == flight { scene.play(replaced) } else { scene.play(&self.steps(which)) }
        }
        scene
    }
}

fn client() -> ClientConfig {
    let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 0);
    null::client_config(2).with_identity(identity).build().expect("a client configuration")
}

fn server(client_auth: bool) -> ServerConfig {
    let mut builder = null::server_config(3, null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0));
    if client_auth {
        builder = builder.with_client_auth(ClientAuth::Required(Arc::new(NullVerifier::default())));
    }
    builder.build().expect("a server configuration")
}

/// Plays every variant that `change` makes of every flight.
fn for_every_flight(change: impl Fn(Setting, Flight, &[Step])) {
    for setting in SETTINGS {
        for flight in [Flight::First, Flight::Last] {
            change(setting, flight, &setting.steps(flight));
        }
    }
}

/// The connection is not connected, never was, and ends at the latest when its patience does.
#[track_caller]
fn assert_never_completes(mut scene: Scene, what: &str) {
    assert!(!scene.was_connected(), "{what}: completed");
    scene.advance(Duration::from_secs(600));
    let outcome = scene.outcome();
    assert!(matches!(outcome, Outcome::Closed(CloseReason::Failed(_))), "{what}: {outcome:?}");
    assert!(!scene.was_connected(), "{what}: completed later");
}

#[test]
fn an_honest_peer_connects() {
    for_every_flight(|setting, flight, steps| {
        let mut scene = setting.play(flight, steps);
        assert_eq!(scene.outcome(), Outcome::Connected, "{setting:?}");
        scene.play(&[Step::ApplicationData]);
        assert_eq!(scene.received(), [b"from the scripted peer"]);
    });
}

#[test] // RFC 5246 §7.3, RFC 6347 §4.2.2
fn a_skipped_message_never_completes() {
    for_every_flight(|setting, flight, steps| {
        for skipped in 0..steps.len() {
            let mut changed = steps.to_vec();
            let step = changed.remove(skipped);
            if is_valid(setting, flight, &changed) {
                continue;
            }
            let scene = setting.play(flight, &changed);
            assert_never_completes(scene, &format!("{setting:?}, {flight:?} flight without {step:?}"));
        }
    });
}

#[test] // RFC 6347 §4.2.2
fn a_skipped_message_whose_number_is_left_out_too_is_waited_for() {
    for_every_flight(|setting, flight, steps| {
        for (skipped, step) in steps.iter().enumerate() {
            let Step::Message(msg_type) = step else { continue };
            let mut scene = setting.scene();
            if flight == Flight::Last {
                scene.play(&setting.steps(Flight::First));
            }
            scene.play(&steps[..skipped]);
            // Made, counted and hashed, but not sent.
            let withheld = scene.peer.message(*msg_type);
            drop(withheld);
            scene.play(&steps[skipped + 1..]);
            if flight == Flight::First {
                scene.play(&setting.steps(Flight::Last));
            }
            assert_eq!(scene.outcome(), Outcome::Waiting, "{setting:?}, {flight:?} flight without {step:?}");
            assert_never_completes(scene, &format!("{setting:?}, {flight:?} flight without {step:?}"));
        }
    });
}

#[test] // RFC 5246 §7.3
fn a_message_sent_as_two_messages_never_completes() {
    for_every_flight(|setting, flight, steps| {
        for (repeated, step) in steps.iter().enumerate() {
            // ChangeCipherSpec is no message; after Finished the handshake is over.
            let over = *step == Step::Message(HandshakeType::FINISHED);
            if over || *step == Step::ChangeCipherSpec {
                continue;
            }
            let mut changed = steps.to_vec();
            changed.insert(repeated, *step);
            let scene = setting.play(flight, &changed);
            assert_never_completes(scene, &format!("{setting:?}, {flight:?} flight with {step:?} twice"));
        }
    });
}

#[test] // RFC 5246 §7.3
fn swapped_messages_never_complete() {
    for_every_flight(|setting, flight, steps| {
        for first in 1..steps.len() {
            let mut changed = steps.to_vec();
            changed.swap(first - 1, first);
            let scene = setting.play(flight, &changed);
            assert_never_completes(scene, &format!("{setting:?}, {flight:?} flight as {changed:?}"));
        }
    });
}

/// What is inserted everywhere: every message of either role, of 1.3, of extensions that were not
/// agreed on, and one that nobody has defined.
const FOREIGN: [HandshakeType; 19] = [
    HandshakeType::CLIENT_HELLO,
    HandshakeType::SERVER_HELLO,
    HandshakeType::HELLO_VERIFY_REQUEST,
    HandshakeType::NEW_SESSION_TICKET,
    HandshakeType::END_OF_EARLY_DATA,
    HandshakeType::ENCRYPTED_EXTENSIONS,
    HandshakeType::REQUEST_CONNECTION_ID,
    HandshakeType::NEW_CONNECTION_ID,
    HandshakeType::CERTIFICATE,
    HandshakeType::SERVER_KEY_EXCHANGE,
    HandshakeType::CERTIFICATE_REQUEST,
    HandshakeType::SERVER_HELLO_DONE,
    HandshakeType::CERTIFICATE_VERIFY,
    HandshakeType::CLIENT_KEY_EXCHANGE,
    HandshakeType::FINISHED,
    HandshakeType::CERTIFICATE_STATUS,
    HandshakeType::KEY_UPDATE,
    HandshakeType(99),
    HandshakeType(0xFF),
];

#[test] // RFC 5246 §7.3
fn an_inserted_message_never_completes() {
    for_every_flight(|setting, flight, steps| {
        for at in 0..steps.len() {
            for inserted in FOREIGN {
                let mut changed = steps.to_vec();
                changed.insert(at, Step::Message(inserted));
                if is_valid(setting, flight, &changed) {
                    continue;
                }
                let scene = setting.play(flight, &changed);
                assert_never_completes(scene, &format!("{setting:?}, {flight:?} flight as {changed:?}"));
            }
        }
    });
}

/// Whether the changed flight is another one that the RFCs allow: with a cookie exchange before it,
/// with or without a certificate request, or honest up to the end of the handshake.
fn is_valid(setting: Setting, flight: Flight, changed: &[Step]) -> bool {
    let honest = setting.steps(flight);
    if setting.under_test == Side::Client && flight == Flight::First {
        let mut with_cookie = honest;
        with_cookie.insert(0, Step::Message(HandshakeType::HELLO_VERIFY_REQUEST));
        let asking = |client_auth| Setting { client_auth, ..setting }.steps(flight);
        return changed == with_cookie || changed == asking(false) || changed == asking(true);
    }
    flight == Flight::Last && changed.starts_with(&honest)
}

#[test] // RFC 6347 §4.2.1, §4.2.6
fn a_server_may_ask_for_a_cookie() {
    for setting in &SETTINGS[..2] {
        let mut steps = setting.steps(Flight::First);
        steps.insert(0, Step::Message(HandshakeType::HELLO_VERIFY_REQUEST));
        assert_eq!(setting.play(Flight::First, &steps).outcome(), Outcome::Connected, "{setting:?}");
    }
    // Of the first hello a server keeps nothing that it could check a CertificateVerify with.
    let mut sim = Sim::new(1);
    let pair = sim.connect(client(), server(true));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    let request = sim.sent_by(pair, Side::Server).next().and_then(|sent| sent.items().into_iter().next());
    assert!(
        matches!(request, Some(Item::Handshake { msg_type: HandshakeType::HELLO_VERIFY_REQUEST, .. })),
        "{request:?}"
    );
    let agreed = sim.connection(pair, Side::Server).and_then(|connection| connection.negotiated());
    assert_eq!(agreed.map(|agreed| agreed.peer_certificates.len()), Some(1));
}

#[test] // RFC 5246 §7.4.6, §7.4.8
fn a_required_client_certificate_cannot_be_avoided() {
    let setting = SETTINGS[3];
    let steps = setting.steps(Flight::Last);
    let without = |types: &[HandshakeType]| {
        let mut steps = steps.clone();
        steps.retain(|step| !types.iter().any(|msg_type| *step == Step::Message(*msg_type)));
        setting.play(Flight::Last, &steps)
    };
    let (certificate, verify) = (HandshakeType::CERTIFICATE, HandshakeType::CERTIFICATE_VERIFY);
    assert_never_completes(without(&[certificate]), "no Certificate");
    assert_never_completes(without(&[verify]), "no CertificateVerify");
    assert_never_completes(without(&[certificate, verify]), "neither of them");

    let mut scene = setting.scene();
    scene.play(&setting.steps(Flight::First));
    let empty = scene.peer.message_of(certificate, &[0, 0, 0]);
    let record = scene.peer.record(gramseal_proto::wire::ContentType::HANDSHAKE, &empty);
    scene.deliver([record]);
    scene.play(&steps[1..]);
    assert_never_completes(scene, "an empty Certificate");
}

#[test] // RFC 6347 §4.2.5: the epoch of a record says which keys it has; ChangeCipherSpec adds nothing
fn change_cipher_spec_may_be_lost_repeated_or_early() {
    for setting in SETTINGS {
        let honest = setting.steps(Flight::Last);
        let at = honest.iter().position(|step| *step == Step::ChangeCipherSpec).expect("one ChangeCipherSpec");
        let mut lost = honest.clone();
        lost[at] = Step::SwitchKeys;
        let mut repeated = honest.clone();
        repeated.insert(at, Step::BareChangeCipherSpec);
        repeated.insert(at + 2, Step::ChangeCipherSpec);
        let mut early = lost.clone();
        early.insert(0, Step::BareChangeCipherSpec);
        for steps in [lost, repeated, early] {
            let scene = setting.play(Flight::Last, &steps);
            assert_eq!(scene.outcome(), Outcome::Connected, "{setting:?}, last flight as {steps:?}");
        }
    }
}

#[test] // RFC 5246 §7.4.9
fn a_finished_that_is_wrong_by_one_bit_fails() {
    for setting in SETTINGS {
        let mut scene = setting.scene();
        scene.play(&setting.steps(Flight::First));
        let mut steps = setting.steps(Flight::Last);
        steps.pop();
        scene.play(&steps);
        let mut verify_data = scene.peer.body_of(HandshakeType::FINISHED);
        verify_data[11] ^= 1;
        let finished = scene.peer.message_of(HandshakeType::FINISHED, &verify_data);
        let record = scene.peer.record(gramseal_proto::wire::ContentType::HANDSHAKE, &finished);
        scene.deliver([record]);
        let mismatch = Error::Peer(gramseal_proto::PeerFault::FinishedMismatch);
        assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Failed(mismatch)), "{setting:?}");
        let alert = scene.peer.alerts().last().expect("an alert");
        assert_eq!(alert.description, gramseal_proto::wire::AlertDescription::DECRYPT_ERROR);
        assert_never_completes(scene, "a wrong Finished");
    }
}
