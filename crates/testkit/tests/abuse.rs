//! What a peer or a configuration can make us do that is of no use to anybody.

use std::time::Duration;

use gramseal_proto::config::{LegacySuites, Transport};
use gramseal_proto::crypto::SigningKey;
use gramseal_proto::wire::{AlertDescription, ContentType, HandshakeHeader, HandshakeType, MessageSeq, NamedGroup};
use gramseal_proto::{CloseReason, Error, PeerFault};
use gramseal_testkit::null::{self, NullKey, SeededRandom, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene, Step};
use gramseal_wire::SignatureScheme;

const HANDSHAKE: ContentType = ContentType::HANDSHAKE;

#[test] // RFC 7919 §4, RFC 8422 §5.4: the list of groups serves two kinds of exchanges
fn a_server_cannot_put_a_finite_field_group_into_an_elliptic_curve_exchange() {
    let config = null::client_config(2).with_legacy_suites(LegacySuites::Allowed).build().expect("a configuration");
    let mut scene = Scene::client(config, 1);
    let hello = scene.take_sent().remove(0);
    let server_hello = scene.peer.body_of(HandshakeType::SERVER_HELLO);
    scene.play(&[Step::Message(HandshakeType::SERVER_HELLO), Step::Message(HandshakeType::CERTIFICATE)]);

    let group = NamedGroup::FFDHE2048.0.to_be_bytes();
    let params = [&[3, group[0], group[1], 32][..], &[7; 32]].concat();
    let signed = [&hello[27..59], &server_hello[2..34], &params].concat();
    let scheme = SignatureScheme::ECDSA_SECP256R1_SHA256;
    let key = NullKey::new(ToyKind::EcdsaP256, 1);
    let signature = key
        .sign(scheme, &signed, &SeededRandom::new(0))
        .now()
        .expect("a local key answers at once")
        .expect("a scheme of the key");
    let length = u16::try_from(signature.len()).expect("short").to_be_bytes();
    let body = [&params[..], &scheme.0.to_be_bytes(), &length, &signature].concat();
    let message = scene.peer.message_of(HandshakeType::SERVER_KEY_EXCHANGE, &body);
    let record = scene.peer.record(HANDSHAKE, &message);
    scene.deliver([record]);
    scene.play(&[Step::Message(HandshakeType::SERVER_HELLO_DONE)]);
    let fault = Error::Peer(PeerFault::UnofferedGroup);
    assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Failed(fault)));
}

#[test] // RFC 6347 §4.2.4.1
fn no_configuration_makes_a_client_repeat_itself_without_a_pause() {
    let transport = Transport { initial_timeout: Duration::ZERO, max_timeout: Duration::ZERO, ..Transport::default() };
    let mut scene = Scene::client(null::client_config(2).with_transport(transport).build().expect("or refused"), 1);
    scene.advance(Duration::from_secs(1));
    assert!(scene.take_sent().len() < 200);
}

#[test] // RFC 6347 §4.2.4; forged with the client's address, 25 bytes ask for a flight
fn forged_repetitions_draw_few_flights() {
    let mut scene = Scene::server(null::server(), 1);
    let flight = scene.first_flight(false);
    scene.play(&flight);
    scene.take_sent();
    let header = HandshakeHeader::whole(HandshakeType(99), 0, MessageSeq(0)).to_bytes();
    for number in 0..1000 {
        let record = scene.peer.record_numbered(HANDSHAKE, 0, number, &header);
        scene.deliver([record]);
        scene.advance(Duration::from_millis(50));
    }
    let drawn = scene.take_sent().len();
    assert!(drawn <= 20, "{drawn} flights in 50 s");
    let flight = scene.last_flight(false);
    scene.play(&flight);
    assert_eq!(scene.outcome(), Outcome::Connected);
}

#[test] // RFC 5246 §7.2.2
fn nothing_is_sent_to_a_peer_that_has_said_it_failed() {
    let mut scene = Scene::client(null::client(), 1);
    let flight = scene.first_flight(false);
    scene.play(&flight);
    scene.play(&[Step::ChangeCipherSpec]);
    let alert = scene.peer.record(ContentType::ALERT, &[2, AlertDescription::DECRYPT_ERROR.0]);
    // Our flight is due again, but the alert comes before it goes out.
    scene.take_sent();
    scene.advance(Duration::from_millis(399));
    scene.connection().handle_timeout(gramseal_proto::Instant::from_micros(1_400_000));
    scene.deliver([alert]);
    assert!(matches!(scene.outcome(), Outcome::Closed(CloseReason::Failed(Error::AlertReceived(_)))));
    assert_eq!(scene.take_sent(), Vec::<Vec<u8>>::new());
}
