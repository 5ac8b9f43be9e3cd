//! The end of a connection of 1.3, and alerts on the way there (RFC 9846 §6.1).

use std::time::Duration;

use gramseal_proto::config::Transport;
use gramseal_proto::wire::handshake::KeyUpdateRequest;
use gramseal_proto::wire::{Alert, AlertDescription, AlertLevel, ContentType, ProtocolVersion};
use gramseal_proto::{AlertReceived, CloseReason, Discard, Error, SendError};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene, Scene13};
use gramseal_testkit::sim::Side;

const GOODBYE: Alert = Alert { level: AlertLevel::WARNING, description: AlertDescription::CLOSE_NOTIFY };

/// A side that has heard the first `count` messages of an honest peer.
fn after(under_test: Side, count: usize) -> Scene13 {
    let versions = [ProtocolVersion::DTLS1_3];
    let mut scene = match under_test {
        Side::Client => {
            Scene13::client13(null::client_config(2).with_versions(&versions).build().expect("a configuration"), 1)
        }
        Side::Server => {
            let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
            let server = null::server_config(3, identity).with_versions(&versions).build();
            Scene13::server13(server.expect("a configuration"), 1)
        }
    };
    let honest = scene.handshake(false);
    scene.say(&honest[..count.min(honest.len())]);
    scene.peer.take_seen();
    scene.take_sent();
    scene
}

fn connected(under_test: Side) -> Scene13 {
    let scene = after(under_test, usize::MAX);
    assert_eq!(scene.outcome(), Outcome::Connected);
    scene
}

/// The alerts that were sent, with their epochs; nothing else was.
fn alerts(scene: &mut Scene13) -> Vec<(u64, Alert)> {
    let seen = scene.peer.take_seen();
    seen.iter().map(|seen| (seen.number.epoch.0, seen.alert().expect("an alert"))).collect()
}

#[test]
fn a_goodbye_is_protected_and_said_once() {
    for side in Side::BOTH {
        let mut scene = connected(side);
        for _ in 0..2 {
            scene.close();
        }
        assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Local));
        assert_eq!(alerts(&mut scene), [(3, GOODBYE)]);
        assert_eq!(scene.connection().seal(b"data", &mut [0; 100]), Err(SendError::Closed));
        scene.advance(Duration::from_secs(600));
        assert_eq!(alerts(&mut scene), []);
    }
}

#[test]
fn what_follows_the_peers_goodbye_does_not_count() {
    for side in Side::BOTH {
        let mut scene = connected(side);
        let goodbye = scene.peer.record(ContentType::ALERT, &[1, 0]);
        let data = scene.peer.record(ContentType::APPLICATION_DATA, b"data");
        scene.deliver([goodbye, data]);
        assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Peer));
        assert!(scene.received().is_empty());
        assert_eq!(scene.connection().stats().discards.get(Discard::Closed), 1);
        assert!(alerts(&mut scene).iter().all(|(epoch, alert)| (*epoch, *alert) == (3, GOODBYE)));
    }
}

#[test] // RFC 9846 §6.1: whoever gives up within a handshake says so
fn a_goodbye_within_a_handshake_ends_it() {
    for side in Side::BOTH {
        let mut scene = after(side, 1);
        let goodbye = scene.peer.record(ContentType::ALERT, &[1, 0]);
        scene.deliver([goodbye]);
        let received = AlertReceived { description: AlertDescription::CLOSE_NOTIFY, authenticated: true };
        assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Failed(Error::AlertReceived(received))));
        assert_eq!(alerts(&mut scene), []);
        scene.advance(Duration::from_secs(600));
        assert!(scene.sent().is_empty());
    }
}

#[test] // RFC 9147 §4.5.2: anybody can write it
fn a_goodbye_without_protection_ends_nothing() {
    for side in Side::BOTH {
        let mut scene = connected(side);
        let goodbye = scene.peer.record_numbered(ContentType::ALERT, 0, 90, &[1, 0]);
        let before = scene.connection().stats().discards.total();
        scene.deliver([goodbye]);
        assert_eq!((scene.outcome(), scene.connection().stats().discards.total()), (Outcome::Connected, before + 1));
    }
}

#[test]
fn whoever_gives_up_within_a_handshake_uses_the_newest_keys_that_it_has() {
    for (side, epochs) in [(Side::Client, [0, 2]), (Side::Server, [0, 3])] {
        for (count, epoch) in epochs.into_iter().enumerate() {
            let mut scene = after(side, count);
            scene.close();
            assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Local));
            assert_eq!(alerts(&mut scene), [(epoch, GOODBYE)], "{side:?}, {count}");
        }
    }
}

/// An alert that anybody can write, repeated while the peer goes on.
#[test] // RFC 9147 §4.5.2
fn whoever_is_heard_has_not_given_up() {
    // The server has not acknowledged our Finished, but it goes on.
    let mut scene = connected(Side::Client);
    for _ in 0..4 {
        let forged = scene.peer.record_numbered(ContentType::ALERT, 0, 90, &[2, 40]);
        let data = scene.peer.record(ContentType::APPLICATION_DATA, b"data");
        scene.deliver([forged, data]);
        scene.advance(Duration::from_secs(5));
        assert_eq!(scene.outcome(), Outcome::Connected);
    }
    // Nor do ACKs come from who has given up.
    let mut scene = after(Side::Client, 1);
    for _ in 0..4 {
        let forged = scene.peer.record_numbered(ContentType::ALERT, 0, 90, &[2, 40]);
        let ack = scene.peer.record_in(2, ContentType::ACK, &gramseal_testkit::peer::ack([]));
        scene.deliver([forged, ack]);
        scene.advance(Duration::from_secs(5));
        assert_eq!(scene.outcome(), Outcome::Waiting);
    }
}

#[test] // RFC 9147 §5.8.4
fn what_nothing_protects_is_no_sign_of_the_peer() {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let server = null::server_config(3, identity).with_versions(&[ProtocolVersion::DTLS1_3]);
    let server =
        server.with_transport(Transport { initial_timeout: Duration::from_millis(100), ..Transport::default() });
    let mut scene = Scene13::server13(server.build().expect("a configuration"), 1);
    let honest = scene.handshake(false);
    scene.say(&honest);
    scene.take_sent();
    scene.connection().update_keys(KeyUpdateRequest::NotRequested).expect("nothing is on its way");
    // It is never acknowledged, and rests in the end.
    let data = scene.peer.record(ContentType::APPLICATION_DATA, b"data");
    scene.deliver([data]);
    assert_eq!(scene.take_sent().len(), 1);
    scene.advance(Duration::from_secs(100));
    scene.take_sent();
    let before = scene.connection().stats().retransmissions;
    for content_type in [ContentType::ALERT, ContentType::HANDSHAKE] {
        let forged = scene.peer.record_in(0, content_type, &[1, 0]);
        scene.deliver([forged]);
    }
    assert_eq!((scene.connection().stats().retransmissions, scene.sent()), (before, &[][..]));
    let data = scene.peer.record(ContentType::APPLICATION_DATA, b"data");
    scene.deliver([data]);
    assert_eq!((scene.connection().stats().retransmissions, scene.sent().len()), (before + 1, 1));
}

#[test] // RFC 5246 §7.2.1, RFC 9846 §6.1
fn an_alert_of_the_callers_has_its_level() {
    let fatal = |description| vec![Alert { level: AlertLevel::FATAL, description }];
    let canceled = Alert { level: AlertLevel::WARNING, description: AlertDescription::USER_CANCELED };
    for (description, said) in [
        (AlertDescription::ACCESS_DENIED, fatal(AlertDescription::ACCESS_DENIED)),
        (AlertDescription::NO_RENEGOTIATION, fatal(AlertDescription::NO_RENEGOTIATION)),
        (AlertDescription(200), fatal(AlertDescription(200))),
        (AlertDescription::CLOSE_NOTIFY, vec![GOODBYE]),
        (AlertDescription::USER_CANCELED, vec![canceled, GOODBYE]),
    ] {
        for side in Side::BOTH {
            for mut scene in [connected(side), after(side, 2)] {
                let epoch = if scene.was_connected() || side == Side::Server { 3 } else { 2 };
                scene.connection().abort(description);
                // What there is to send is sent.
                scene.deliver([Vec::new()]);
                assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Local));
                let seen = alerts(&mut scene);
                assert_eq!(seen, said.iter().map(|alert| (epoch, *alert)).collect::<Vec<_>>(), "{side:?}");
            }
        }
        for mut scene in [Scene::client(null::client(), 1), Scene::server(null::server(), 1)] {
            scene.connect();
            scene.connection().abort(description);
            scene.deliver([Vec::new()]);
            assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Local));
            assert_eq!(scene.peer.alerts(), said);
        }
    }
}
