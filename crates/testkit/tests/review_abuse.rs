//! What a peer or a configuration can make us do that is of no use to anybody.

use gramseal_proto::config::LegacySuites;
use gramseal_proto::crypto::SigningKey;
use gramseal_proto::wire::{ContentType, HandshakeType, NamedGroup};
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
    let signature = key.sign(scheme, &signed, &SeededRandom::new(0)).expect("a scheme of the key");
    let length = u16::try_from(signature.len()).expect("short").to_be_bytes();
    let body = [&params[..], &scheme.0.to_be_bytes(), &length, &signature].concat();
    let message = scene.peer.message_of(HandshakeType::SERVER_KEY_EXCHANGE, &body);
    let record = scene.peer.record(HANDSHAKE, &message);
    scene.deliver([record]);
    scene.play(&[Step::Message(HandshakeType::SERVER_HELLO_DONE)]);
    let fault = Error::Peer(PeerFault::UnofferedGroup);
    assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Failed(fault)));
}
