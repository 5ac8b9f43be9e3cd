//! Peers of 1.3 that leave messages out, repeat, swap or add some, with keys, signatures and Finished that fit what
//! they really sent: the connection under test never completes, unless the order is one of those that the standard
//! has (RFC 9846 §4, RFC 9147 §5.2).

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::CloseReason;
use gramseal_proto::config::{ClientAuth, ClientConfig, ServerConfig};
use gramseal_proto::wire::{ContentType, HandshakeType as T, ProtocolVersion};
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Peer13, Scene13, TYPES13};
use gramseal_testkit::sim::Side;

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

impl Setting {
    fn scene(self) -> Scene13 {
        match self.under_test {
            Side::Client => Scene13::client13(client(), 1),
            Side::Server => Scene13::server13(server(self.client_auth), 1),
        }
    }

    fn honest(self) -> Vec<T> {
        self.scene().handshake(self.client_auth)
    }

    /// Whether messages in this order make a handshake, perhaps with more after it.
    fn is_valid(self, types: &[T]) -> bool {
        let scene = self.scene();
        match self.under_test {
            Side::Client => [false, true].into_iter().any(|asks| types.starts_with(&scene.handshake(asks))),
            Side::Server => types.starts_with(&scene.handshake(self.client_auth)),
        }
    }

    /// Plays `types`; the connection completes only where it may.
    fn play(self, types: &[T], what: &str) {
        if self.is_valid(types) {
            return;
        }
        let mut scene = self.scene();
        scene.say(types);
        let what = format!("{self:?}, {what}: {types:?}");
        assert!(!scene.was_connected(), "{what}: completed");
        scene.advance(Duration::from_secs(600));
        let outcome = scene.outcome();
        assert!(matches!(outcome, Outcome::Closed(CloseReason::Failed(_))), "{what}: {outcome:?}");
        assert!(!scene.was_connected(), "{what}: completed later");
    }
}

fn client() -> ClientConfig {
    let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 0);
    let builder = null::client_config(2).with_versions(&[ProtocolVersion::DTLS1_3]).with_identity(identity);
    builder.build().expect("a client configuration")
}

fn server(client_auth: bool) -> ServerConfig {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let mut builder = null::server_config(3, identity).with_versions(&[ProtocolVersion::DTLS1_3]);
    if client_auth {
        builder = builder.with_client_auth(ClientAuth::Required(Arc::new(NullVerifier::default())));
    }
    builder.build().expect("a server configuration")
}

#[test]
fn an_honest_peer_connects() {
    for setting in SETTINGS {
        let mut scene = setting.scene();
        scene.say(&setting.honest());
        assert_eq!(scene.outcome(), Outcome::Connected, "{setting:?}");
        let data = scene.peer.record(ContentType::APPLICATION_DATA, b"from the scripted peer");
        scene.deliver([data]);
        assert_eq!(scene.received(), [b"from the scripted peer"]);
        assert_eq!(scene.connection().stats().discards.total(), 0);
        let types: Vec<T> = scene.peer.received().iter().map(|message| message.msg_type).collect();
        let theirs = match setting.under_test {
            Side::Client if setting.client_auth => {
                &[T::CLIENT_HELLO, T::CERTIFICATE, T::CERTIFICATE_VERIFY, T::FINISHED][..]
            }
            Side::Client => &[T::CLIENT_HELLO, T::FINISHED],
            Side::Server if setting.client_auth => &[
                T::SERVER_HELLO,
                T::ENCRYPTED_EXTENSIONS,
                T::CERTIFICATE_REQUEST,
                T::CERTIFICATE,
                T::CERTIFICATE_VERIFY,
                T::FINISHED,
            ],
            Side::Server => {
                &[T::SERVER_HELLO, T::ENCRYPTED_EXTENSIONS, T::CERTIFICATE, T::CERTIFICATE_VERIFY, T::FINISHED]
            }
        };
        assert_eq!(types, theirs, "{setting:?}");
    }
}

#[test] // RFC 9846 §4
fn a_skipped_message_never_completes() {
    for setting in SETTINGS {
        let honest = setting.honest();
        for skipped in 0..honest.len() {
            let mut types = honest.clone();
            let _: T = types.remove(skipped);
            setting.play(&types, "skipped");
        }
    }
}

#[test] // RFC 9846 §4
fn a_repeated_message_with_a_number_of_its_own_never_completes() {
    for setting in SETTINGS {
        let honest = setting.honest();
        for repeated in 0..honest.len() - 1 {
            let mut types = honest.clone();
            types.insert(repeated, types[repeated]);
            setting.play(&types, "repeated");
        }
    }
}

#[test] // RFC 9846 §4
fn swapped_messages_never_complete() {
    for setting in SETTINGS {
        let honest = setting.honest();
        for first in 0..honest.len() {
            for second in first + 1..honest.len() {
                let mut types = honest.clone();
                types.swap(first, second);
                setting.play(&types, "swapped");
            }
        }
    }
}

#[test] // RFC 9846 §4
fn an_added_message_never_completes() {
    for setting in SETTINGS {
        let honest = setting.honest();
        for at in 0..honest.len() {
            for added in TYPES13 {
                let mut types = honest.clone();
                types.insert(at, added);
                setting.play(&types, "added");
            }
        }
    }
}

#[test] // RFC 9147 §5.2
fn messages_may_come_in_any_order_and_any_number_of_times_if_their_numbers_tell() {
    for setting in SETTINGS {
        let mut scene = setting.scene();
        let honest = setting.honest();
        // The first message makes the keys of the others.
        scene.say(&honest[..1]);
        let rest: Vec<Vec<u8>> = honest[1..].iter().map(|msg_type| scene.peer.datagram(*msg_type)).collect();
        let last_only = rest.len() - 1;
        scene.deliver(rest[1.min(last_only)..].iter().rev().cloned());
        assert!(rest.len() == 1 || scene.outcome() == Outcome::Waiting);
        scene.deliver(rest.iter().cloned());
        assert_eq!(scene.outcome(), Outcome::Connected, "{setting:?}");
    }
}

/// Every message in pieces of one size, in any order.
#[test] // RFC 9147 §5.5
fn messages_may_come_in_pieces() {
    for setting in SETTINGS {
        for size in [1, 2, 7, 40] {
            let mut scene = setting.scene();
            for msg_type in setting.honest() {
                let epoch = scene.peer.epoch();
                let message = scene.peer.message(msg_type);
                let pieces = Peer13::fragment(&message, size).into_iter().rev();
                let records: Vec<Vec<u8>> =
                    pieces.map(|piece| scene.peer.record_in(epoch, ContentType::HANDSHAKE, &piece)).collect();
                scene.deliver(records);
            }
            assert_eq!(scene.outcome(), Outcome::Connected, "{setting:?}, {size}");
        }
    }
}
