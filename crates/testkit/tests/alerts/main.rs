//! What a peer can get wrong in a handshake: the error on this side, and the alert on the wire.

mod choice;
mod client;
mod credentials;
mod extensions;
mod finite_field;
mod hello;
mod local;
mod order;
mod request;
mod server;
mod v13;

use gramseal_proto::wire::{AlertDescription, AlertLevel, ContentType, HandshakeType};
use gramseal_proto::{CertificateFault, CloseReason, Error};
use gramseal_testkit::decode::{Item, items};
use gramseal_testkit::peer::{Outcome, Scene};

/// Everything that a verifier can find fault with, and the alert that says so.
const CERTIFICATE_FAULTS: [(CertificateFault, AlertDescription); 12] = [
    (CertificateFault::BadEncoding, AlertDescription::BAD_CERTIFICATE),
    (CertificateFault::UnknownIssuer, AlertDescription::UNKNOWN_CA),
    (CertificateFault::TooManyPaths, AlertDescription::UNKNOWN_CA),
    (CertificateFault::BadSignature, AlertDescription::BAD_CERTIFICATE),
    (CertificateFault::Expired, AlertDescription::CERTIFICATE_EXPIRED),
    (CertificateFault::NotYetValid, AlertDescription::CERTIFICATE_EXPIRED),
    (CertificateFault::Revoked, AlertDescription::CERTIFICATE_REVOKED),
    (CertificateFault::NameMismatch, AlertDescription::BAD_CERTIFICATE),
    (CertificateFault::WrongPurpose, AlertDescription::UNSUPPORTED_CERTIFICATE),
    (CertificateFault::Unsupported, AlertDescription::UNSUPPORTED_CERTIFICATE),
    (CertificateFault::FingerprintMismatch, AlertDescription::BAD_CERTIFICATE),
    (CertificateFault::Refused, AlertDescription::CERTIFICATE_UNKNOWN),
];

/// Sends a message with this body in the peer's current epoch.
fn send(scene: &mut Scene, msg_type: HandshakeType, body: &[u8]) {
    let message = scene.peer.message_of(msg_type, body);
    let record = scene.peer.record(ContentType::HANDSHAKE, &message);
    scene.deliver([record]);
}

/// The connection failed with `error`, told the peer so with one fatal `alert` as the last thing it
/// sent, and never connected. The alert is protected if our ChangeCipherSpec went before it.
#[track_caller]
fn assert_refused(scene: &Scene, error: impl Into<Error>, alert: AlertDescription) {
    let error = error.into();
    assert_eq!(error.alert(), Some(alert));
    assert_eq!(scene.outcome().without_place(), Outcome::Closed(CloseReason::Failed(error)));
    let sent: Vec<_> = scene.peer.alerts().iter().map(|alert| (alert.level, alert.description)).collect();
    assert_eq!(sent, [(AlertLevel::FATAL, alert)]);
    let items: Vec<Item> = scene.sent().iter().flat_map(|datagram| items(datagram)).collect();
    let (last, before) = items.split_last().expect("an alert");
    // 2 bytes, with explicit nonce and tag.
    let sealed = Item::Sealed(1, ContentType::ALERT, 8 + 2 + 16);
    let expected = if before.contains(&Item::ChangeCipherSpec) { sealed } else { Item::Alert(alert.0) };
    assert_eq!(*last, expected);
    assert!(!scene.was_connected());
}
