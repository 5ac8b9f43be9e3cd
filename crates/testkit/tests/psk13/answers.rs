//! What a client with keys from elsewhere makes of servers that break the rules (RFC 9846 §4.3.11).

use std::sync::Arc;

use gramseal_proto::config::{ClientConfig, Psk, ResumedKeyExchange};
use gramseal_proto::wire::{AlertDescription, ExtensionType, HandshakeType};
use gramseal_proto::{CloseReason, Error, PeerFault};
use gramseal_testkit::null;
use gramseal_testkit::peer::{Outcome, Scene, Scene13};

use super::{client, client_with_verifier, imported, psk};

const KEY: [u8; 32] = [1; 32];

/// A client before a server that goes on with the key at this place.
fn scene(config: Arc<ClientConfig>, selected: u16) -> Scene13 {
    let mut scene = Scene::client13(config, 1);
    scene.peer.resume(KEY.to_vec(), selected);
    scene
}

fn failed(fault: PeerFault) -> Outcome {
    Outcome::Closed(CloseReason::Failed(Error::Peer(fault)))
}

const FLIGHT: [HandshakeType; 3] =
    [HandshakeType::SERVER_HELLO, HandshakeType::ENCRYPTED_EXTENSIONS, HandshakeType::FINISHED];

#[test] // RFC 9846 §2.2
fn a_scripted_server_that_knows_the_key_connects() {
    for config in [client(psk("a", 1)), client_with_verifier([psk("a", 1)])] {
        let mut scene = scene(config, 0);
        scene.say(&FLIGHT);
        assert_eq!(scene.outcome(), Outcome::Connected);
        let agreed = scene.connection().negotiated().expect("connected");
        assert_eq!(agreed.psk_identity.as_deref(), Some(&b"a"[..]));
    }
}

#[test] // RFC 9846 §4.5.3
fn a_server_that_does_not_know_the_key_is_found_out() {
    let mut scene = scene(client(psk("a", 2)), 0);
    scene.say(&FLIGHT);
    // Its records do not open, and so it has said nothing yet.
    assert_eq!(scene.outcome(), Outcome::Waiting);
    assert!(!scene.was_connected());
}

#[test] // RFC 9846 §4.3.11
fn the_choice_has_to_be_one_that_was_offered_and_fits_the_suite() {
    // The peer's suite has SHA-256.
    for (config, selected) in [
        (client(psk("a", 1)), 1),
        (client(psk("a", 1)), 0xFFFF),
        (client_with_verifier([psk("a", 1).with_hash(gramseal_proto::crypto::HashAlgorithm::Sha384)]), 0),
        (client(imported("a", 1, "")), 1),
    ] {
        let mut scene = scene(config, selected);
        scene.say(&[HandshakeType::SERVER_HELLO]);
        assert_eq!(scene.outcome(), failed(PeerFault::UnofferedPsk));
    }
    assert_eq!(Error::from(PeerFault::UnofferedPsk).alert(), Some(AlertDescription::ILLEGAL_PARAMETER));
}

#[test] // RFC 9846 §4.5: no certificate where a key says who is there
fn a_server_with_a_key_shows_and_asks_for_no_certificate() {
    for message in [HandshakeType::CERTIFICATE_REQUEST, HandshakeType::CERTIFICATE] {
        let mut scene = scene(client_with_verifier([psk("a", 1)]), 0);
        scene.say(&[HandshakeType::SERVER_HELLO, HandshakeType::ENCRYPTED_EXTENSIONS, message]);
        assert_eq!(scene.outcome(), failed(PeerFault::UnexpectedMessage(message)));
    }
}

#[test] // RFC 9846 §4.3.11
fn who_trusts_no_certificate_needs_a_key() {
    let mut scene = Scene::client13(client(psk("a", 1)), 1);
    scene.say(&[HandshakeType::SERVER_HELLO]);
    assert_eq!(scene.outcome(), failed(PeerFault::MissingExtension(ExtensionType::PRE_SHARED_KEY)));
    // Others go on with what the server shows.
    let mut scene = Scene::client13(client_with_verifier([psk("a", 1)]), 1);
    scene.connect13();
}

/// The body of the peer's ServerHello without its share.
fn without_share(scene: &Scene13) -> Vec<u8> {
    use gramseal_proto::wire::{Codec, ExtensionsBuf, ServerHello};
    let body = scene.peer.body_of(HandshakeType::SERVER_HELLO);
    let hello = ServerHello::from_bytes(&body).expect("a hello");
    let mut extensions = ExtensionsBuf::new();
    for (extension, content) in hello.extensions.iter().filter(|(extension, _)| *extension != ExtensionType::KEY_SHARE)
    {
        extensions.push_raw(extension, content);
    }
    ServerHello { extensions: extensions.as_extensions(), ..hello }.to_vec().expect("short")
}

#[test] // RFC 9846 §4.3.9, §4.3.11
fn a_server_does_without_a_key_exchange_only_if_the_client_says_so() {
    let config = |exchange| {
        let key = Psk::new("a", KEY).expect("good lengths");
        let builder = ClientConfig::psk_builder(null::provider(1), key).with_resumed_key_exchange(exchange);
        Arc::new(builder.build().expect("a client"))
    };
    for (exchange, outcome) in [
        (ResumedKeyExchange::Required, failed(PeerFault::UnofferedPskMode)),
        (ResumedKeyExchange::Optional, Outcome::Waiting),
    ] {
        let mut scene = scene(config(exchange), 0);
        let body = without_share(&scene);
        scene.say_of(HandshakeType::SERVER_HELLO, &body);
        assert_eq!(scene.outcome(), outcome);
    }
}
