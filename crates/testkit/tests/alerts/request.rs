//! How a client answers a request for its certificate, and requests that it must refuse.

use gramseal_proto::wire::{
    AlertDescription as Alert, ClientCertificateType, DecodeError, HandshakeType, SignatureScheme,
};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene};

use crate::hello::{list16, written};
use crate::{assert_refused, send};

const ECDSA: SignatureScheme = SignatureScheme::ECDSA_SECP256R1_SHA256;
const RSA: SignatureScheme = SignatureScheme::RSA_PSS_RSAE_SHA256;

/// A request for certificates of these types with these signatures, from two authorities.
fn request(types: &[ClientCertificateType], schemes: &[SignatureScheme]) -> Vec<u8> {
    written(|w| {
        w.vec8(|w| types.iter().for_each(|ty| w.u8(ty.0)));
        w.bytes(&list16(schemes.iter().copied()));
        w.vec16(|w| {
            w.vec16(|w| w.bytes(&[0x30, 0]));
            w.vec16(|w| w.bytes(&[0x30, 0]));
        });
    })
}

/// Asks a client that has a certificate with a key of `kind`.
fn ask(kind: ToyKind, body: &[u8]) -> Scene {
    let identity = null::identity(kind, null::CLIENT_NAME, 0);
    let mut scene = Scene::client(null::client_config(2).with_identity(identity).build().expect("a client"), 1);
    let steps = scene.first_flight(false);
    scene.play(&steps[..3]);
    send(&mut scene, HandshakeType::CERTIFICATE_REQUEST, body);
    scene.play(&steps[3..]);
    scene
}

/// What a client sends after ServerHelloDone, up to ChangeCipherSpec.
fn answer(scene: &Scene) -> Vec<HandshakeType> {
    scene.peer.received()[1..].iter().map(|message| message.msg_type).filter(|ty| *ty != FINISHED).collect()
}

const FINISHED: HandshakeType = HandshakeType::FINISHED;

#[track_caller]
fn assert_shows_its_certificate(scene: &Scene) {
    use HandshakeType as T;
    assert_eq!(answer(scene), [T::CERTIFICATE, T::CLIENT_KEY_EXCHANGE, T::CERTIFICATE_VERIFY]);
    assert_ne!(scene.peer.received()[1].body, [0, 0, 0]);
}

#[track_caller]
fn assert_shows_none(scene: &Scene) {
    assert_eq!(answer(scene), [HandshakeType::CERTIFICATE, HandshakeType::CLIENT_KEY_EXCHANGE]);
    assert_eq!(scene.peer.received()[1].body, [0, 0, 0]);
}

const ECDSA_SIGN: ClientCertificateType = ClientCertificateType::ECDSA_SIGN;
const RSA_SIGN: ClientCertificateType = ClientCertificateType::RSA_SIGN;

#[test] // RFC 5246 §7.4.4, §7.4.6, RFC 8422 §5.5
fn a_client_shows_a_certificate_of_a_type_and_scheme_that_was_asked_for() {
    assert_shows_its_certificate(&ask(ToyKind::EcdsaP256, &request(&[ECDSA_SIGN], &[ECDSA])));
    assert_shows_its_certificate(&ask(ToyKind::Ed25519, &request(&[ECDSA_SIGN], &[SignatureScheme::ED25519])));
    assert_shows_its_certificate(&ask(ToyKind::Rsa, &request(&[ECDSA_SIGN, RSA_SIGN], &[ECDSA, RSA])));
    assert_shows_none(&ask(ToyKind::Rsa, &request(&[ECDSA_SIGN], &[ECDSA, RSA])));
    assert_shows_none(&ask(ToyKind::EcdsaP256, &request(&[RSA_SIGN], &[ECDSA, RSA])));
    assert_shows_none(&ask(ToyKind::EcdsaP256, &request(&[ECDSA_SIGN, RSA_SIGN], &[RSA])));
}

#[test] // RFC 8701 §4.2
fn a_client_skips_what_it_does_not_know_in_a_request() {
    let grease = SignatureScheme(0x5A5A);
    let mut scene = ask(ToyKind::EcdsaP256, &request(&[ClientCertificateType(0x5A), ECDSA_SIGN], &[grease, ECDSA]));
    assert_shows_its_certificate(&scene);
    let flight = scene.last_flight(false);
    scene.play(&flight);
    assert_eq!(scene.outcome(), Outcome::Connected);
}

#[test] // RFC 5246 §7.4.6
fn a_client_without_a_certificate_sends_an_empty_list() {
    let mut scene = Scene::client(null::client(), 1);
    let steps = scene.first_flight(true);
    scene.play(&steps);
    assert_shows_none(&scene);
    let flight = scene.last_flight(false);
    scene.play(&flight);
    assert_eq!(scene.outcome(), Outcome::Connected);
}

#[test] // RFC 5246 §7.4.4: none of the lists but that of authorities may be empty
fn requests_that_ask_for_nothing() {
    for body in [request(&[], &[ECDSA]), request(&[ECDSA_SIGN], &[])] {
        assert_refused(&ask(ToyKind::EcdsaP256, &body), DecodeError::EmptyVector, Alert::DECODE_ERROR);
    }
}
