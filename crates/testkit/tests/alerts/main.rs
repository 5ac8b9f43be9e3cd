//! What a peer can get wrong in a handshake: the error on this side, and the alert on the wire.

mod client;
mod hello;
mod server;

use gramseal_proto::wire::{AlertDescription, AlertLevel, ContentType, HandshakeType};
use gramseal_proto::{CloseReason, Error};
use gramseal_testkit::peer::{Outcome, Scene};

/// Sends a message with this body in the peer's current epoch.
fn send(scene: &mut Scene, msg_type: HandshakeType, body: &[u8]) {
    let message = scene.peer.message_of(msg_type, body);
    let record = scene.peer.record(ContentType::HANDSHAKE, &message);
    scene.deliver([record]);
}

/// The connection failed with `error`, told the peer so with one fatal `alert`, and never connected.
#[track_caller]
fn assert_refused(scene: &Scene, error: impl Into<Error>, alert: AlertDescription) {
    let error = error.into();
    assert_eq!(error.alert(), Some(alert));
    assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Failed(error)));
    let sent: Vec<_> = scene.peer.alerts().iter().map(|alert| (alert.level, alert.description)).collect();
    assert_eq!(sent, [(AlertLevel::FATAL, alert)]);
    assert!(!scene.was_connected());
}
