//! Peers that resume a session and then leave messages out, repeat, swap or add some, with keys and
//! Finished that fit what they really sent: the connection under test never completes
//! (RFC 5246 §7.3, RFC 5077 §3.3).

use std::time::Duration;

use gramseal_proto::wire::{AlertDescription, CipherSuite, ContentType, HandshakeType};
use gramseal_proto::{CloseReason, Error, Incompatible, PeerFault};
use gramseal_testkit::null;
use gramseal_testkit::peer::{Outcome, Scene, Step};
use gramseal_testkit::sessions::{Resumption, Stores};
use gramseal_testkit::sim::Side;

const FINISHED: Step = Step::Message(HandshakeType::FINISHED);
const TICKET: Step = Step::Message(HandshakeType::NEW_SESSION_TICKET);
const HELLO: Step = Step::Message(HandshakeType::SERVER_HELLO);

/// Who is under test, and how the session is resumed.
#[derive(Debug, Clone, Copy)]
struct Setting {
    under_test: Side,
    resumption: Resumption,
}

const fn setting(under_test: Side, resumption: Resumption) -> Setting {
    Setting { under_test, resumption }
}

const SETTINGS: [Setting; 6] = [
    setting(Side::Client, Resumption::Id),
    setting(Side::Client, Resumption::Ticket),
    setting(Side::Client, Resumption::NewTicket),
    setting(Side::Server, Resumption::Id),
    setting(Side::Server, Resumption::Ticket),
    setting(Side::Server, Resumption::NewTicket),
];

impl Setting {
    /// Both sides remember a session, and the peer is about to speak.
    fn scene(self) -> Scene {
        Scene::resumed(self.under_test, self.resumption)
    }

    /// What the peer says after the ClientHello.
    fn steps(self) -> Vec<Step> {
        match (self.under_test, self.resumption) {
            (Side::Server, _) => vec![Step::ChangeCipherSpec, FINISHED],
            (Side::Client, Resumption::NewTicket) => vec![HELLO, TICKET, Step::ChangeCipherSpec, FINISHED],
            (Side::Client, _) => vec![HELLO, Step::ChangeCipherSpec, FINISHED],
        }
    }

    fn play(self, steps: &[Step]) -> Scene {
        let mut scene = self.scene();
        if self.under_test == Side::Server {
            scene.play(&[Step::Message(HandshakeType::CLIENT_HELLO)]);
        }
        scene.play(steps);
        scene
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

#[track_caller]
fn assert_refused(scene: &Scene, error: impl Into<Error>, alert: AlertDescription) {
    assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Failed(error.into())));
    assert_eq!(scene.peer.alerts().last().map(|alert| alert.description), Some(alert));
    assert!(!scene.was_connected());
}

#[test]
fn an_honest_peer_resumes() {
    for setting in SETTINGS {
        let mut scene = setting.play(&setting.steps());
        assert_eq!(scene.outcome(), Outcome::Connected, "{setting:?}");
        assert!(scene.connection().negotiated().is_some_and(|negotiated| negotiated.resumed));
        scene.play(&[Step::ApplicationData]);
        assert_eq!(scene.received(), [b"from the scripted peer"]);
    }
}

#[test] // RFC 5246 §7.3
fn a_skipped_message_never_resumes() {
    for setting in SETTINGS {
        let steps = setting.steps();
        for skipped in 0..steps.len() {
            let mut changed = steps.clone();
            let step = changed.remove(skipped);
            assert_never_completes(setting.play(&changed), &format!("{setting:?} without {step:?}"));
        }
    }
}

#[test] // RFC 5246 §7.3
fn swapped_messages_never_resume() {
    for setting in SETTINGS {
        let steps = setting.steps();
        for first in 1..steps.len() {
            let mut changed = steps.clone();
            changed.swap(first - 1, first);
            assert_never_completes(setting.play(&changed), &format!("{setting:?}: {changed:?}"));
        }
    }
}

/// Every message of either role in 1.2.
const FOREIGN: [HandshakeType; 11] = [
    HandshakeType::CLIENT_HELLO,
    HandshakeType::SERVER_HELLO,
    HandshakeType::NEW_SESSION_TICKET,
    HandshakeType::CERTIFICATE,
    HandshakeType::SERVER_KEY_EXCHANGE,
    HandshakeType::CERTIFICATE_REQUEST,
    HandshakeType::SERVER_HELLO_DONE,
    HandshakeType::CERTIFICATE_VERIFY,
    HandshakeType::CLIENT_KEY_EXCHANGE,
    HandshakeType::FINISHED,
    HandshakeType::CERTIFICATE_STATUS,
];

#[test] // RFC 5246 §7.3, RFC 5077 §3.3: also a ticket that was not promised, or a second one
fn an_inserted_message_never_resumes() {
    for setting in SETTINGS {
        let steps = setting.steps();
        for at in 0..steps.len() {
            for inserted in FOREIGN {
                let mut changed = steps.clone();
                changed.insert(at, Step::Message(inserted));
                // Then it comes after the end.
                if changed.starts_with(&steps) {
                    continue;
                }
                assert_never_completes(setting.play(&changed), &format!("{setting:?}: {changed:?}"));
            }
        }
    }
}

#[test] // RFC 5077 §3.3
fn a_promised_ticket_that_does_not_come_and_one_that_was_not_promised() {
    let promised = SETTINGS[2].play(&[HELLO, Step::ChangeCipherSpec, FINISHED]);
    let finished = PeerFault::UnexpectedMessage(HandshakeType::FINISHED);
    assert_refused(&promised, finished, AlertDescription::UNEXPECTED_MESSAGE);
    // What is not protected cannot take the place of Finished: anybody could have sent it.
    for (setting, steps) in [(SETTINGS[1], &[HELLO, TICKET][..]), (SETTINGS[2], &[HELLO, TICKET, TICKET])] {
        let mut scene = setting.play(steps);
        assert_eq!(scene.outcome(), Outcome::Waiting);
        scene.play(&[Step::ChangeCipherSpec, FINISHED]);
        assert_never_completes(scene, "a Finished over a ticket that counts for nothing");
    }
}

/// Sends a ServerHello after `edit`.
fn answer(setting: Setting, edit: impl FnOnce(&mut Vec<u8>)) -> Scene {
    let mut scene = setting.scene();
    let mut body = scene.peer.body_of(HandshakeType::SERVER_HELLO);
    edit(&mut body);
    let message = scene.peer.message_of(HandshakeType::SERVER_HELLO, &body);
    let record = scene.peer.record(ContentType::HANDSHAKE, &message);
    scene.deliver([record]);
    scene
}

/// Where the suite stands in a ServerHello with an id of 32 bytes.
const SUITE: usize = 2 + 32 + 1 + 32;

#[test] // RFC 5246 §7.4.1.3
fn a_session_keeps_its_suite() {
    for setting in &SETTINGS[..3] {
        let other = CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256.0.to_be_bytes();
        let scene = answer(*setting, |hello| hello[SUITE..SUITE + 2].copy_from_slice(&other));
        assert_refused(&scene, PeerFault::ResumedWithOtherCipherSuite, AlertDescription::ILLEGAL_PARAMETER);
    }
}

#[test] // RFC 7627 §5.3
fn a_client_resumes_only_with_extended_master_secret() {
    for setting in &SETTINGS[..3] {
        // Its type becomes one that nobody offers, or it is gone: the first extension has 4 bytes.
        let scene = answer(*setting, |hello| {
            let extensions = SUITE + 3;
            hello.drain(extensions + 2..extensions + 6);
            hello[extensions + 1] -= 4;
        });
        assert_refused(&scene, Incompatible::NoExtendedMasterSecret, AlertDescription::HANDSHAKE_FAILURE);
    }
}

#[test] // RFC 7627 §5.3
fn a_server_resumes_only_with_extended_master_secret() {
    for setting in &SETTINGS[3..] {
        let mut scene = setting.scene();
        let mut body = scene.peer.body_of(HandshakeType::CLIENT_HELLO);
        // The same length with a type that nobody knows.
        let ems = body.windows(4).rposition(|bytes| bytes == [0, 23, 0, 0]).expect("extended_master_secret");
        body[ems] = 0xAA;
        let message = scene.peer.message_of(HandshakeType::CLIENT_HELLO, &body);
        let record = scene.peer.record(ContentType::HANDSHAKE, &message);
        scene.deliver([record]);
        assert_refused(&scene, Incompatible::NoExtendedMasterSecret, AlertDescription::HANDSHAKE_FAILURE);
    }
}

#[test] // RFC 5246 §7.4.1.3
fn only_the_echo_of_the_offered_id_resumes() {
    for setting in &SETTINGS[..2] {
        // Another id, a shorter one, and none: all of them begin a full handshake.
        let edits: [fn(&mut Vec<u8>); 3] = [
            |hello| hello[35] ^= 1,
            |hello| {
                hello[34] -= 1;
                hello.remove(35);
            },
            |hello| {
                hello[34] = 0;
                hello.drain(35..67);
            },
        ];
        for edit in edits {
            let mut scene = answer(*setting, edit);
            assert_eq!(scene.outcome(), Outcome::Waiting);
            scene.play(&[Step::ChangeCipherSpec, FINISHED]);
            assert_never_completes(scene, "a Finished that no key exchange went before");
        }
    }
}

#[test] // RFC 5246 §7.4.1.3
fn an_id_without_a_session_behind_it_resumes_nothing() {
    // The client has no session, so whatever id comes is that of a new one, also an empty one.
    for id in [&[][..], &[7; 32]] {
        let stores = Stores::new(Some(Resumption::Id));
        let config = stores.client(null::client_config(2)).build().expect("a client");
        let mut scene = Scene::client(config, 1);
        scene.peer.set_session_id(id);
        scene.play(&[HELLO, Step::ChangeCipherSpec, FINISHED]);
        assert_never_completes(scene, "a Finished that no key exchange went before");
    }
}

#[test] // RFC 5077 §3.2
fn a_promise_has_no_content_and_answers_a_request() {
    let mut scene = SETTINGS[1].scene();
    scene.peer.set_session_ticket(b"x");
    scene.play(&[HELLO]);
    assert_eq!(scene.peer.alerts().last().map(|alert| alert.description), Some(AlertDescription::DECODE_ERROR));

    let mut unasked = Scene::client(null::client(), 1);
    unasked.peer.set_session_ticket(&[]);
    unasked.play(&[HELLO]);
    assert_refused(&unasked, PeerFault::UnofferedExtension, AlertDescription::UNSUPPORTED_EXTENSION);
}

#[test] // RFC 5246 §7.4.9
fn a_finished_that_is_wrong_by_one_bit_does_not_resume() {
    for setting in SETTINGS {
        let mut steps = setting.steps();
        steps.pop();
        let mut scene = setting.play(&steps);
        let mut verify_data = scene.peer.body_of(HandshakeType::FINISHED);
        verify_data[0] ^= 0x80;
        let finished = scene.peer.message_of(HandshakeType::FINISHED, &verify_data);
        let record = scene.peer.record(ContentType::HANDSHAKE, &finished);
        scene.deliver([record]);
        assert_refused(&scene, PeerFault::FinishedMismatch, AlertDescription::DECRYPT_ERROR);
    }
}
