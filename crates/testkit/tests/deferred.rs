//! Signers and verifiers that answer later, without a network: what a connection does while it
//! waits, and what it takes for an answer.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, ClientConfig, Identity, PeerVerifier, Presented, ServerConfig, Verdict};
use gramseal_proto::crypto::{CryptoError, Deferrable, SecureRandom, SigningKey};
use gramseal_proto::wire::{AlertDescription, HandshakeType, ProtocolVersion, SignatureScheme};
use gramseal_proto::{
    CertificateFault, CloseReason, Connection, Deferred, Error, LocalFault, Settled, TimedOut, Timer,
};
use gramseal_testkit::null::{self, NullKey, NullVerifier, Slow, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene, Scene13, Step};
use gramseal_testkit::sim::Side;
use pki_types::SubjectPublicKeyInfoDer;

/// A key out of reach, as its module says after a while.
#[derive(Debug)]
struct LostKey;

impl SigningKey for LostKey {
    fn schemes(&self) -> &[SignatureScheme] {
        &[SignatureScheme::ECDSA_SECP256R1_SHA256]
    }

    fn sign(&self, _: SignatureScheme, _: &[u8], _: &dyn SecureRandom) -> Deferrable<Result<Vec<u8>, CryptoError>> {
        Deferrable::later(async { Err(CryptoError::new()) })
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        None
    }
}

/// Never finishes.
#[derive(Debug)]
struct Pondering;

impl PeerVerifier for Pondering {
    fn verify(&self, _: &Presented<'_>) -> Deferrable<Verdict> {
        Deferrable::later(std::future::pending())
    }
}

fn poll(mut deferred: Deferred) -> Poll<Settled> {
    std::pin::Pin::new(&mut deferred).poll(&mut Context::from_waker(Waker::noop()))
}

fn run(deferred: Deferred) -> Settled {
    match poll(deferred) {
        Poll::Ready(settled) => settled,
        Poll::Pending => panic!("what these tests wait for is ready"),
    }
}

fn slow(verifier: NullVerifier) -> Arc<dyn PeerVerifier> {
    Arc::new(Slow(Arc::new(verifier)))
}

fn client(verifier: Arc<dyn PeerVerifier>) -> ClientConfig {
    ClientConfig::builder(null::provider(2), verifier)
        .with_versions(&[ProtocolVersion::DTLS1_2])
        .build()
        .expect("a client")
}

fn server(key: Arc<dyn SigningKey>) -> ServerConfig {
    let chain = vec![null::certificate(null::SERVER_NAME, &NullKey::new(ToyKind::EcdsaP256, 1), 0)];
    null::server_config(3, Identity::new(chain, key).expect("a chain")).build().expect("a server")
}

/// A client that got the server's whole flight, and waits for its verifier.
fn waiting(verifier: Arc<dyn PeerVerifier>) -> (Scene, Deferred) {
    let mut scene = Scene::client(client(verifier), 1);
    let flight = scene.first_flight(false);
    scene.take_sent();
    scene.play(&flight);
    let deferred = scene.connection().poll_deferred().expect("the verifier takes its time");
    (scene, deferred)
}

#[test]
fn what_comes_meanwhile_waits_in_order() {
    let (mut scene, deferred) = waiting(slow(NullVerifier::default()));
    assert!(scene.sent().is_empty(), "nothing is answered before the verdict");
    assert!(scene.connection().poll_deferred().is_none(), "it is handed out once");
    scene.settle(run(deferred));
    let answered: Vec<_> = scene.peer.received()[1..].iter().map(|message| message.msg_type).collect();
    assert_eq!(answered, [HandshakeType::CLIENT_KEY_EXCHANGE, HandshakeType::FINISHED]);
    let last = scene.last_flight(false);
    scene.play(&last);
    assert_eq!(scene.outcome(), Outcome::Connected);
}

#[test] // RFC 6347 §4.2.4: no timer runs for a flight that the peer need not answer
fn nothing_is_sent_again_while_we_keep_the_peer_waiting() {
    let (mut scene, deferred) = waiting(slow(NullVerifier::default()));
    scene.advance(Duration::from_secs(20));
    assert!(scene.sent().is_empty());
    let timer = scene.connection().poll_timeout().map(|(_, timer)| timer);
    assert_eq!(timer, Some(Timer::Handshake));
    // The peer repeats its flight; it will have its answer.
    scene.settle(run(deferred));
    assert!(!scene.sent().is_empty());
    let (when, timer) = scene.connection().poll_timeout().expect("a timer");
    assert_eq!(timer, Timer::Retransmit);
    scene.take_sent();
    scene.advance(Duration::from_millis(401));
    assert!(!scene.sent().is_empty(), "due at {when:?}");
}

#[test]
fn a_verifier_that_never_answers_costs_the_handshake_and_no_more() {
    let (mut scene, deferred) = waiting(Arc::new(Pondering));
    assert!(poll(deferred).is_pending());
    scene.advance(Duration::from_secs(61));
    let timed_out = CloseReason::Failed(Error::TimedOut(TimedOut::Handshake));
    assert_eq!(scene.outcome(), Outcome::Closed(timed_out));
}

#[test]
fn a_late_refusal_is_told_like_an_early_one() {
    let verifier = NullVerifier::default().refusing(CertificateFault::Revoked);
    let (mut scene, deferred) = waiting(slow(verifier));
    scene.settle(run(deferred));
    let refused = CloseReason::Failed(CertificateFault::Revoked.into());
    assert_eq!(scene.outcome(), Outcome::Closed(refused));
    let alerts: Vec<_> = scene.peer.alerts().iter().map(|alert| alert.description).collect();
    assert_eq!(alerts, [AlertDescription::CERTIFICATE_REVOKED]);
}

#[test]
fn a_key_that_is_lost_meanwhile_is_a_fault_of_ours() {
    let mut scene = Scene::server(server(Arc::new(LostKey)), 1);
    let hello = scene.first_flight(false);
    scene.play(&hello);
    assert!(scene.sent().is_empty(), "a flight goes out as a whole");
    let deferred = scene.connection().poll_deferred().expect("the key takes its time");
    scene.settle(run(deferred));
    assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Failed(LocalFault::Crypto.into())));
    let alerts: Vec<_> = scene.peer.alerts().iter().map(|alert| alert.description).collect();
    assert_eq!(alerts, [AlertDescription::INTERNAL_ERROR]);
}

#[test]
fn an_answer_that_another_connection_waits_for_changes_nothing() {
    let refusing = NullVerifier::default().refusing(CertificateFault::Revoked);
    let (mut scene, deferred) = waiting(slow(refusing));
    let (_, other) = waiting(slow(NullVerifier::default()));
    scene.settle(run(other));
    assert_eq!(scene.outcome(), Outcome::Waiting);
    assert!(scene.sent().is_empty());
    // Its own is still the one that counts.
    scene.settle(run(deferred));
    assert!(matches!(scene.outcome(), Outcome::Closed(_)));
}

#[test]
fn an_answer_after_the_end_changes_nothing() {
    let (mut scene, deferred) = waiting(slow(NullVerifier::default()));
    scene.close();
    scene.take_sent();
    scene.settle(run(deferred));
    assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Local));
    assert!(scene.sent().is_empty());
}

#[test]
fn a_server_waits_for_its_verifier_before_it_looks_at_the_signature() {
    let key = Arc::new(NullKey::new(ToyKind::EcdsaP256, 1));
    let chain = vec![null::certificate(null::SERVER_NAME, &key, 0)];
    let verifier = NullVerifier::default().with_client_name("somebody else");
    let config = null::server_config(3, Identity::new(chain, key).expect("a chain"))
        .with_client_auth(ClientAuth::Required(slow(verifier)))
        .build();
    let mut scene = Scene::server(config.expect("a server"), 1);
    let hello = scene.first_flight(true);
    scene.play(&hello);
    let flight = scene.last_flight(true);
    scene.play(&flight);
    assert_eq!(scene.outcome(), Outcome::Waiting);
    let deferred = scene.connection().poll_deferred().expect("the verifier takes its time");
    scene.settle(run(deferred));
    let refused = CloseReason::Failed(CertificateFault::NameMismatch.into());
    assert_eq!(scene.outcome(), Outcome::Closed(refused));
    assert!(!scene.was_connected());
}

#[test]
fn nothing_is_deferred_where_answers_come_at_once() {
    let mut scene = Scene::client(null::client(), 1);
    for step in [scene.first_flight(false), scene.last_flight(false)] {
        scene.play(&step);
        assert!(scene.connection().poll_deferred().is_none());
    }
    scene.play(&[Step::ApplicationData]);
    assert_eq!(scene.received().len(), 1);
    fn is_send<T: Send>() {}
    is_send::<Connection>();
}

/// Version 1.3 alone.
const NEWEST: [ProtocolVersion; 1] = [ProtocolVersion::DTLS1_3];

/// A side of 1.3 that waits for its verifier: it has heard as much as the peer can say before it hears an answer.
fn waiting13(side: Side, verifier: NullVerifier) -> (Scene13, Deferred) {
    let mut scene = match side {
        Side::Client => {
            let config = ClientConfig::builder(null::provider(2), slow(verifier)).with_versions(&NEWEST);
            Scene13::client13(config.build().expect("a client"), 1)
        }
        Side::Server => {
            let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
            let config = null::server_config(3, identity).with_versions(&NEWEST);
            let config = config.with_client_auth(ClientAuth::Required(slow(verifier)));
            Scene13::server13(config.build().expect("a server"), 1)
        }
    };
    let honest = scene.handshake(side == Side::Server);
    if side == Side::Server {
        scene.say(&honest[..1]);
        scene.peer.take_seen();
        scene.take_sent();
    }
    scene.say(&honest[usize::from(side == Side::Server)..]);
    let deferred = scene.connection().poll_deferred().expect("the verifier takes its time");
    (scene, deferred)
}

#[test]
fn what_comes_meanwhile_waits_in_order_in_1_3() {
    for side in Side::BOTH {
        let (mut scene, deferred) = waiting13(side, NullVerifier::default());
        assert_eq!(scene.outcome(), Outcome::Waiting);
        assert!(scene.connection().poll_deferred().is_none(), "it is handed out once");
        scene.settle(run(deferred));
        assert_eq!(scene.outcome(), Outcome::Connected, "{side:?}");
    }
}

#[test]
fn a_late_refusal_is_told_like_an_early_one_in_1_3() {
    for side in Side::BOTH {
        let verifier = NullVerifier::default().refusing(CertificateFault::Revoked);
        let (mut scene, deferred) = waiting13(side, verifier);
        scene.peer.take_seen();
        scene.settle(run(deferred));
        let refused = CloseReason::Failed(CertificateFault::Revoked.into());
        assert_eq!(scene.outcome(), Outcome::Closed(refused));
        let alerts: Vec<_> = scene.peer.take_seen().iter().filter_map(|seen| seen.alert()).collect();
        assert_eq!(alerts.len(), 1);
        assert_eq!(alerts[0].description, AlertDescription::CERTIFICATE_REVOKED);
        assert!(!scene.was_connected());
    }
}

#[test]
fn a_key_that_is_lost_meanwhile_is_a_fault_of_ours_in_1_3() {
    let chain = || vec![null::certificate(null::SERVER_NAME, &NullKey::new(ToyKind::EcdsaP256, 1), 0)];
    let lost = || Identity::new(chain(), Arc::new(LostKey)).expect("a chain");
    for side in Side::BOTH {
        let mut scene = match side {
            Side::Client => {
                let config = null::client_config(2).with_versions(&NEWEST).with_identity(lost());
                Scene13::client13(config.build().expect("a client"), 1)
            }
            Side::Server => {
                let config = null::server_config(3, lost()).with_versions(&NEWEST);
                Scene13::server13(config.build().expect("a server"), 1)
            }
        };
        let honest = scene.handshake(side == Side::Client);
        scene.say(if side == Side::Client { &honest } else { &honest[..1] });
        let deferred = scene.connection().poll_deferred().expect("the key takes its time");
        scene.peer.take_seen();
        scene.settle(run(deferred));
        assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Failed(LocalFault::Crypto.into())), "{side:?}");
        let alerts: Vec<_> = scene.peer.take_seen().iter().filter_map(|seen| seen.alert()).collect();
        assert_eq!(alerts.last().map(|alert| alert.description), Some(AlertDescription::INTERNAL_ERROR));
    }
}

/// The client has the keys of the handshake only when it has the ServerHello, which goes out with what follows it.
#[test] // RFC 9846 §6
fn a_server_of_1_3_that_has_said_nothing_says_without_keys_that_it_gives_up() {
    for lost in [true, false] {
        let key = NullKey::new(ToyKind::EcdsaP256, 1);
        let chain = vec![null::certificate(null::SERVER_NAME, &key, 0)];
        let key: Arc<dyn SigningKey> = if lost { Arc::new(LostKey) } else { Arc::new(Slow(Arc::new(key))) };
        let config = null::server_config(3, Identity::new(chain, key).expect("a chain")).with_versions(&NEWEST);
        let mut scene = Scene13::server13(config.build().expect("a server"), 1);
        scene.say(&[HandshakeType::CLIENT_HELLO]);
        let deferred = scene.connection().poll_deferred().expect("the key takes its time");
        if lost {
            scene.settle(run(deferred));
        } else {
            scene.close();
        }
        let seen: Vec<_> = scene.peer.take_seen().iter().map(|seen| (seen.number.epoch.0, seen.alert())).collect();
        let expected = if lost { AlertDescription::INTERNAL_ERROR } else { AlertDescription::CLOSE_NOTIFY };
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!((seen[0].0, seen[0].1.map(|alert| alert.description)), (0, Some(expected)));
    }
}
