//! What a peer or a configuration can make us do that is of no use to anybody.

use std::time::Duration;

use gramseal_proto::config::{LegacySuites, Transport};
use gramseal_proto::crypto::SigningKey;
use gramseal_proto::wire::{AlertDescription, ContentType, HandshakeHeader, HandshakeType, MessageSeq, NamedGroup};
use gramseal_proto::{CloseReason, Error, PeerFault};
use gramseal_testkit::null::{self, NullKey, SeededRandom, ToyKind};
use gramseal_testkit::peer::{Outcome, Peer, Scene, Step};
use gramseal_testkit::rng::Rng;
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

/// A server that waits for its client's last flight.
fn waiting() -> Scene {
    let mut scene = Scene::server(null::server(), 1);
    let flight = scene.first_flight(false);
    scene.play(&flight);
    scene.take_sent();
    scene
}

#[test] // RFC 6347 §4.2.4; forged with the client's address, 25 bytes ask for a flight
fn forged_repetitions_draw_few_flights() {
    let mut undisturbed = waiting();
    undisturbed.advance(Duration::from_secs(50));
    let timeouts = undisturbed.connection().stats().retransmissions;

    let mut scene = waiting();
    let header = HandshakeHeader::whole(HandshakeType(99), 0, MessageSeq(0)).to_bytes();
    for number in 0..1000 {
        let record = scene.peer.record_numbered(HANDSHAKE, 0, number, &header);
        scene.deliver([record]);
        scene.advance(Duration::from_millis(50));
    }
    let drawn = scene.connection().stats().retransmissions;
    assert!((8..=8 + timeouts).contains(&drawn), "{drawn} flights in 50 s, {timeouts} without being asked");
    assert_eq!(scene.take_sent().len(), drawn.try_into().expect("few"), "a datagram for each");
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

/// A peer of 1.2 that sends anything but a Finished of its own.
struct Hostile(Rng);

impl Hostile {
    /// A message of any type but Finished, as it should be or not.
    fn message(&mut self, peer: &mut Peer) -> Vec<u8> {
        let types = [0, 1, 2, 3, 4, 11, 12, 13, 14, 15, 16, 21, 22, 24, 67, 99];
        let msg_type = HandshakeType(types[self.0.index(types.len())]);
        let mut body = if self.0.index(3) == 0 { self.0.junk(60) } else { peer.body_of(msg_type) };
        self.0.damage(&mut body);
        let length = u32::try_from(body.len()).expect("short");
        let header = HandshakeHeader::whole(msg_type, length, MessageSeq(self.0.byte(9).into()));
        [&header.to_bytes()[..], &body].concat()
    }

    /// A fragment whose fields need not fit each other, of a Finished perhaps.
    fn fragment(&mut self) -> Vec<u8> {
        let body = self.0.junk(40);
        let msg_type = HandshakeType(self.0.byte(25));
        let mut header = HandshakeHeader::whole(msg_type, self.0.byte(60).into(), MessageSeq(0)).to_bytes();
        header[5] = self.0.byte(9);
        header[8] = self.0.byte(60);
        header[11] = if self.0.index(5) == 0 { self.0.byte(255) } else { u8::try_from(body.len()).expect("short") };
        [&header[..], &body].concat()
    }

    fn datagram(&mut self, peer: &mut Peer, keyed: bool) -> Vec<u8> {
        let (content_type, content) = match self.0.index(8) {
            0 => (ContentType(self.0.byte(40)), self.0.junk(80)),
            1 => (ContentType::CHANGE_CIPHER_SPEC, vec![1]),
            2 => (HANDSHAKE, self.fragment()),
            3 => (HANDSHAKE, [self.fragment(), self.message(peer)].concat()),
            4 => (ContentType::APPLICATION_DATA, self.0.junk(30)),
            _ => (HANDSHAKE, self.message(peer)),
        };
        // Alerts would end it too soon.
        let content_type = if content_type == ContentType::ALERT { HANDSHAKE } else { content_type };
        let epoch = u16::from(keyed && self.0.index(3) > 0);
        let mut datagram = peer.record_numbered(content_type, epoch, self.0.below(60), &content);
        self.0.damage_datagram(&mut datagram);
        datagram
    }
}

#[test]
fn whatever_a_peer_of_1_2_with_the_keys_sends_it_does_not_connect_without_a_finished() {
    let mut ended = 0;
    for seed in 0..800_u64 {
        let scene = if seed % 2 == 0 { Scene::client(null::client(), 1) } else { Scene::server(null::server(), 1) };
        let (mut scene, mut hostile) = (scene, Hostile(Rng::new(seed)));
        let honest = [scene.first_flight(false), scene.last_flight(false)].concat();
        let stage = hostile.0.index(honest.len());
        scene.play(&honest[..stage]);
        // A server has them with the client's last flight, a client with its own ClientKeyExchange.
        let keyed = stage + 2 >= honest.len();
        for _ in 0..40 {
            let datagram = hostile.datagram(&mut scene.peer, keyed);
            scene.deliver([datagram]);
            if hostile.0.index(10) == 0 {
                scene.advance(Duration::from_millis(hostile.0.below(500)));
            }
            assert!(!scene.was_connected() && scene.received().is_empty(), "seed {seed}");
        }
        ended += usize::from(scene.outcome() != Outcome::Waiting);
        scene.advance(Duration::from_secs(600));
        assert!(matches!(scene.outcome(), Outcome::Closed(_)), "seed {seed}");
    }
    assert!((50..780).contains(&ended), "some end at once, some are waited for: {ended}");
}
