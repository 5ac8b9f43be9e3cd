//! The same of DTLS 1.3, where most of it happens under keys.

mod asked;
mod authentication;
mod choice;
mod client;
mod compressed;
mod encrypted;
mod extensions;
mod forms;
mod hybrid;
mod order;
mod post;
mod retry;
mod server;
mod signature_algorithms_cert;

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, ClientConfig, ServerConfig};
use gramseal_proto::wire::{
    Alert, AlertDescription, AlertLevel, ContentType, HandshakeType, NamedGroup, ProtocolVersion,
};
use gramseal_proto::{CloseReason, Error};
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene13};

use crate::hello::written;

/// Of both versions, so that what a 1.3 server says is never right for want of an offer alone.
const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];

fn client() -> ClientConfig {
    let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 0);
    let builder = null::client_config(2).with_versions(&VERSIONS).with_alpn(["echo"]).with_identity(identity);
    builder.build().expect("a client configuration")
}

fn server(client_auth: ClientAuth) -> ServerConfig {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let builder = null::server_config(3, identity).with_versions(&VERSIONS).with_alpn(["echo"]);
    builder.with_client_auth(client_auth).build().expect("a server configuration")
}

fn required() -> ClientAuth {
    ClientAuth::Required(Arc::new(NullVerifier::default()))
}

/// A client that has heard the first `count` messages of an honest server, which asks for a certificate.
fn client_after(count: usize) -> Scene13 {
    let mut scene = Scene13::client13(client(), 1);
    let honest = scene.handshake(true);
    scene.say(&honest[..count]);
    scene
}

/// A server that asks for a certificate and has heard the first `count` messages of an honest client.
fn server_after(count: usize) -> Scene13 {
    let mut scene = Scene13::server13(server(required()), 1);
    let honest = scene.handshake(true);
    scene.say(&honest[..count]);
    scene
}

/// Sends a message with this body as the last thing that the peer does.
fn send(scene: &mut Scene13, msg_type: HandshakeType, body: &[u8]) {
    assert_eq!(scene.outcome(), Outcome::Waiting, "nothing was wrong before");
    scene.take_sent();
    scene.peer.take_seen();
    scene.say_of(msg_type, body);
}

/// The connection failed with `error` and sent just one thing: a fatal `alert`, in `epoch`. Whatever comes later it
/// stays silent, and it never connected.
#[track_caller]
fn assert_refused(mut scene: Scene13, epoch: u64, error: impl Into<Error>, alert: AlertDescription) {
    let error = error.into();
    assert_eq!(error.alert(), Some(alert));
    assert_eq!(scene.outcome().without_place(), Outcome::Closed(CloseReason::Failed(error)));
    let alerts: Vec<_> = scene.peer.take_seen().iter().map(|seen| (seen.number.epoch.0, seen.alert())).collect();
    assert_eq!(alerts, [(epoch, Some(Alert { level: AlertLevel::FATAL, description: alert }))]);
    assert_eq!(scene.take_sent().len(), 1);
    let again = scene.peer.record_in(0, ContentType::HANDSHAKE, &[1; 20]);
    scene.deliver([again]);
    scene.advance(Duration::from_secs(600));
    assert!(scene.sent().is_empty() && !scene.was_connected());
}

/// The content of key_share in a ClientHello.
fn shares(list: &[(NamedGroup, &[u8])]) -> Vec<u8> {
    written(|w| {
        w.vec16(|w| {
            for (group, key) in list {
                w.u16(group.0);
                w.vec16(|w| w.bytes(key));
            }
        });
    })
}
