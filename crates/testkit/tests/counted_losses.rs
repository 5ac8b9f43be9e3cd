//! Whatever a connection drops is counted, and says why.

use gramseal_proto::wire::{ContentType, HandshakeType};
use gramseal_testkit::null::{self};
use gramseal_testkit::peer::{Peer, Scene};

const HANDSHAKE: ContentType = ContentType::HANDSHAKE;

fn total(scene: &mut Scene) -> u64 {
    scene.connection().stats().discards.total()
}

#[test] // RFC 6347 §4.1: there is no epoch 2, so nothing of it is early
fn records_of_an_epoch_that_cannot_come_are_counted() {
    for mut scene in [Scene::client(null::client(), 1), Scene::server(null::server(), 1)] {
        let flight = scene.first_flight(false);
        scene.play(&flight);
        let mut flight = scene.last_flight(false);
        flight.pop();
        scene.play(&flight);
        let before = total(&mut scene);
        for number in 0..30 {
            let record = scene.peer.record_numbered(HANDSHAKE, 2, number, b"of no use");
            scene.deliver([record]);
        }
        assert_eq!(total(&mut scene), before + 30);
    }
}

#[test]
fn a_version_of_a_message_that_gives_way_is_counted() {
    let mut scene = Scene::client(null::client(), 1);
    let before = total(&mut scene);
    for forged in 90..100u8 {
        let mut part = Peer::fragment(&scene.peer.message_of(HandshakeType(forged), &[0; 100]), 40).remove(0);
        part[4..6].copy_from_slice(&[0, 0]);
        let record = scene.peer.record(HANDSHAKE, &part);
        scene.deliver([record]);
    }
    assert_eq!(total(&mut scene), before + 9, "one of ten counts");
}
