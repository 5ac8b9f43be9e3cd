//! Connections that go on when their process has died.

use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ConnectionIds, ServerConfig};
use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::wire::handshake::KeyUpdateRequest::{NotRequested, Requested};
use gramseal_proto::wire::{ContentType, HandshakeType};
use gramseal_proto::{AuthenticateClientError, Checkpoint, Connection, Event, Instant, NotMovable, SendError};
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Peer13, Scene13, Seen};
use gramseal_testkit::rng::Rng;
use gramseal_testkit::sim::{Conditions, Pair, Side, Sim};
use gramseal_testkit::spy::Nonces;
use std::sync::Arc;

use crate::{Configs, VERSIONS, connect, connection, import, key, move_side};

fn checkpoint(sim: &mut Sim, pair: Pair, side: Side, records: u64) -> Checkpoint {
    let now = sim.now();
    connection(sim, pair, side).checkpoint(&key(), b"along", records, now).expect("nothing is under way")
}

/// Makes a checkpoint and says that it is stored.
fn store(sim: &mut Sim, pair: Pair, side: Side, records: u64) -> Vec<u8> {
    let made = checkpoint(sim, pair, side, records);
    connection(sim, pair, side).checkpoint_stored(&made);
    sim.flush(pair, side);
    made.image().to_vec()
}

/// The process dies, and another one goes on from `image`.
fn recover(sim: &mut Sim, pair: Pair, configs: &Configs, side: Side, image: &[u8]) {
    let imported = import(configs, side, image, sim.now()).expect("the image is as it was");
    assert_eq!(imported.attached, b"along");
    sim.replace(pair, side, imported.connection);
}

fn due(sim: &Sim, pair: Pair, side: Side) -> usize {
    sim.events(pair, side).iter().filter(|event| **event == Event::CheckpointDue).count()
}

#[test]
fn nothing_is_sealed_beyond_what_is_reserved() {
    for version in VERSIONS {
        let (mut sim, pair, _) = connect(version);
        let side = Side::Client;
        assert_eq!((connection(&mut sim, pair, side).checkpoint_left(), due(&sim, pair, side)), (None, 0));
        store(&mut sim, pair, side, 8);
        for sent in 0..8 {
            assert_eq!(connection(&mut sim, pair, side).checkpoint_left(), Some(8 - sent));
            assert_eq!(connection(&mut sim, pair, side).checkpoint_due(), sent >= 6, "{sent}");
            sim.send(pair, side, b"x").expect("it is reserved");
        }
        sim.flush(pair, side);
        assert_eq!(sim.send(pair, side, b"x"), Err(SendError::CheckpointDue));
        assert_eq!(due(&sim, pair, side), 1, "once for each checkpoint");
        // It still receives.
        sim.send(pair, Side::Server, b"in between").expect("the server is free");
        sim.run_for(Duration::from_secs(1));
        assert!(sim.received(pair, side).contains(&b"in between".to_vec()));
        // Made is not stored.
        let made = checkpoint(&mut sim, pair, side, 2);
        assert_eq!(sim.send(pair, side, b"x"), Err(SendError::CheckpointDue));
        connection(&mut sim, pair, side).checkpoint_stored(&made);
        assert!(sim.send(pair, side, b"x").is_ok() && sim.send(pair, side, b"x").is_ok());
        assert_eq!(sim.send(pair, side, b"x"), Err(SendError::CheckpointDue));
        connection(&mut sim, pair, side).end_checkpoints();
        assert_eq!(connection(&mut sim, pair, side).checkpoint_left(), None);
        sim.exchange(pair, b"free");
    }
}

#[test]
fn of_two_images_the_lower_one_counts_until_the_newer_one_is_stored() {
    for version in VERSIONS {
        let (mut sim, pair, _) = connect(version);
        let side = Side::Server;
        store(&mut sim, pair, side, 10);
        let more = checkpoint(&mut sim, pair, side, 20);
        assert_eq!(connection(&mut sim, pair, side).checkpoint_left(), Some(10), "the stored one counts");
        let fewer = checkpoint(&mut sim, pair, side, 3);
        assert_eq!(connection(&mut sim, pair, side).checkpoint_left(), Some(3), "this one may be the one that counts");
        connection(&mut sim, pair, side).checkpoint_stored(&more);
        assert_eq!(connection(&mut sim, pair, side).checkpoint_left(), Some(3), "a newer one was made");
        let most = checkpoint(&mut sim, pair, side, 30);
        connection(&mut sim, pair, side).checkpoint_stored(&fewer);
        assert_eq!(connection(&mut sim, pair, side).checkpoint_left(), Some(3), "and another one");
        connection(&mut sim, pair, side).checkpoint_stored(&most);
        assert_eq!(connection(&mut sim, pair, side).checkpoint_left(), Some(30));
    }
}

/// Both sides have connection ids, so that the server follows its client.
fn connect_with_ids(version: ProtocolVersion) -> (Sim, Pair, Configs) {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 300);
    let client = null::client_config(2).with_versions(&[version]).with_connection_ids(ConnectionIds::random());
    let server = null::server_config(3, identity).with_versions(&[version]);
    let server = server.with_connection_ids(ConnectionIds::random());
    crate::connect_as((Arc::new(client.build().expect("a client")), Arc::new(server.build().expect("a server"))))
}

#[test]
fn a_peer_that_has_moved_makes_a_checkpoint_due_and_nothing_waits_for_it() {
    for version in VERSIONS {
        let (mut sim, pair, _) = connect_with_ids(version);
        let side = Side::Server;
        let follow = |sim: &mut Sim, port: u16| {
            let to = ([203, 0, 113, 9], port).into();
            sim.move_client(pair, to);
            sim.send(pair, Side::Client, b"from elsewhere").expect("the client makes no checkpoints");
            let moved = Event::PeerMoved(to);
            sim.run_until(|sim| sim.events(pair, side).contains(&moved), Duration::from_secs(2)).expect("it answers");
        };
        store(&mut sim, pair, side, 1000);
        assert_eq!((connection(&mut sim, pair, side).checkpoint_due(), due(&sim, pair, side)), (false, 0), "{version}");
        follow(&mut sim, 1);
        assert_eq!((connection(&mut sim, pair, side).checkpoint_due(), due(&sim, pair, side)), (true, 1), "{version}");
        sim.exchange(pair, b"meanwhile");
        assert!(connection(&mut sim, pair, side).checkpoint_left().is_some_and(|left| left > 900), "{version}");
        // One that was made before the client moved once more reserves what it says, and is not the last.
        let made = checkpoint(&mut sim, pair, side, 2000);
        follow(&mut sim, 2);
        assert_eq!(due(&sim, pair, side), 1, "{version}: the caller has not done what it was told");
        connection(&mut sim, pair, side).checkpoint_stored(&made);
        sim.flush(pair, side);
        assert!(connection(&mut sim, pair, side).checkpoint_left().is_some_and(|left| left > 1900), "{version}");
        assert_eq!((connection(&mut sim, pair, side).checkpoint_due(), due(&sim, pair, side)), (true, 2), "{version}");
        store(&mut sim, pair, side, 1000);
        assert!(!connection(&mut sim, pair, side).checkpoint_due(), "{version}");
        // The other end of a path counts as well.
        sim.act(pair, side, Connection::use_another_path);
        assert_eq!((connection(&mut sim, pair, side).checkpoint_due(), due(&sim, pair, side)), (true, 3), "{version}");
        sim.exchange(pair, b"and on");
    }
}

#[test]
fn an_importer_begins_with_an_image_of_its_own() {
    for version in VERSIONS {
        for side in Side::BOTH {
            let (mut sim, pair, configs) = connect(version);
            let image = store(&mut sim, pair, side, 5);
            for attempt in 0..3 {
                // Each dies before it has stored anything.
                recover(&mut sim, pair, &configs, side, &image);
                assert_eq!(connection(&mut sim, pair, side).checkpoint_left(), Some(0));
                assert_eq!(sim.send(pair, side, b"x"), Err(SendError::CheckpointDue));
                assert_eq!(due(&sim, pair, side), attempt + 1);
                sim.send(pair, side.peer(), b"heard").expect("the peer is free");
                sim.run_for(Duration::from_secs(1));
            }
            store(&mut sim, pair, side, 5);
            sim.exchange(pair, b"after");
            assert_eq!(sim.received(pair, side).iter().filter(|payload| **payload == b"heard").count(), 3);
        }
    }
}

#[test] // RFC 9147 §4.2.2: the peer takes the nearest number
fn no_more_is_reserved_than_the_peer_can_tell_apart() {
    for (version, limit) in [(VERSIONS[0], 1 << 20), (VERSIONS[1], 1 << 14)] {
        for side in Side::BOTH {
            let (mut sim, pair, configs) = connect(version);
            let now = sim.now();
            let more = connection(&mut sim, pair, side).checkpoint(&key(), b"", limit + 1, now);
            assert_eq!(more.err(), Some(NotMovable::TooManyRecords { limit }));
            assert_eq!(connection(&mut sim, pair, side).checkpoint_left(), None, "nothing changed");
            let image = store(&mut sim, pair, side, limit);
            recover(&mut sim, pair, &configs, side, &image);
            let image = store(&mut sim, pair, side, limit);
            recover(&mut sim, pair, &configs, side, &image);
            connection(&mut sim, pair, side).end_checkpoints();
            sim.exchange(pair, b"two reservations later");
        }
    }
}

#[test] // RFC 9147 §8: nobody hears of new keys that no image has
fn new_keys_wait_for_a_checkpoint() {
    let (mut sim, pair, configs) = connect(ProtocolVersion::DTLS1_3);
    let side = Side::Server;
    let old = store(&mut sim, pair, side, 100);
    // The peer's KeyUpdate is taken and not acknowledged.
    sim.update_keys(pair, Side::Client, NotRequested).expect("none is on its way");
    sim.run_for(Duration::from_millis(100));
    assert_eq!(connection(&mut sim, pair, side).stats().key_updates_received, 1);
    assert_eq!(connection(&mut sim, pair, Side::Client).stats().key_updates_sent, 0);
    assert_eq!((due(&sim, pair, side), connection(&mut sim, pair, side).checkpoint_left()), (1, Some(0)));
    // So that an importer of the old image gets it once more.
    recover(&mut sim, pair, &configs, side, &old);
    sim.run_for(Duration::from_secs(2));
    assert_eq!(connection(&mut sim, pair, side).stats().key_updates_received, 1);
    assert_eq!(connection(&mut sim, pair, Side::Client).stats().key_updates_sent, 0);
    store(&mut sim, pair, side, 100);
    sim.run_for(Duration::from_secs(5));
    assert_eq!(connection(&mut sim, pair, Side::Client).stats().key_updates_sent, 1);

    // Ours goes out when an image has it, and the new keys are used when another one has them.
    sim.update_keys(pair, side, NotRequested).expect("none is on its way");
    sim.run_for(Duration::from_secs(1));
    assert_eq!(connection(&mut sim, pair, Side::Client).stats().key_updates_received, 0);
    store(&mut sim, pair, side, 100);
    // An image of the time before the peer has heard of it, whose importer would make the same new keys.
    let overtaken = checkpoint(&mut sim, pair, side, 100);
    sim.run_for(Duration::from_secs(1));
    assert_eq!(connection(&mut sim, pair, Side::Client).stats().key_updates_received, 1);
    assert_eq!(sim.send(pair, side, b"x"), Err(SendError::CheckpointDue));
    connection(&mut sim, pair, side).checkpoint_stored(&overtaken);
    assert_eq!(sim.send(pair, side, b"x"), Err(SendError::CheckpointDue));
    store(&mut sim, pair, side, 100);
    sim.exchange(pair, b"after");
}

#[test]
fn a_checkpoint_that_something_overtook_is_not_enough() {
    let (mut sim, pair, _) = connect(ProtocolVersion::DTLS1_3);
    let side = Side::Client;
    store(&mut sim, pair, side, 100);
    let overtaken = checkpoint(&mut sim, pair, side, 100);
    sim.update_keys(pair, Side::Server, NotRequested).expect("none is on its way");
    sim.run_for(Duration::from_millis(100));
    connection(&mut sim, pair, side).checkpoint_stored(&overtaken);
    assert_eq!(connection(&mut sim, pair, side).checkpoint_left(), Some(0));
    assert!(connection(&mut sim, pair, side).checkpoint_due());
}

#[test]
fn checkpoints_go_on_across_an_export() {
    for version in VERSIONS {
        let (mut sim, pair, configs) = connect(version);
        let side = Side::Client;
        let image = store(&mut sim, pair, side, 6);
        sim.exchange(pair, b"one of six");
        move_side(&mut sim, pair, &configs, side);
        assert_eq!(connection(&mut sim, pair, side).checkpoint_left(), Some(5));
        sim.exchange(pair, b"two of six");
        // The image is still as good as it was.
        recover(&mut sim, pair, &configs, side, &image);
        store(&mut sim, pair, side, 6);
        sim.exchange(pair, b"after");
    }
}

#[test] // RFC 9147 §7.2: what is acknowledged is never sent again
fn a_message_in_part_is_not_acknowledged() {
    let client = null::client_config(2).with_versions(&[ProtocolVersion::DTLS1_3]).build().expect("a configuration");
    let mut scene = Scene13::client13(client, 1);
    scene.connect13();
    let store = |scene: &mut Scene13| {
        let made = scene.connection().checkpoint(&key(), b"", 100, Instant::default()).expect("nothing is under way");
        scene.connection().checkpoint_stored(&made);
    };
    store(&mut scene);
    scene.peer.take_seen();
    let ticket = scene.peer.message(HandshakeType::NEW_SESSION_TICKET);
    let pieces: Vec<_> = Peer13::fragment(&ticket, 12).into_iter().take(2).collect();
    assert_eq!(pieces.len(), 2);
    let deliver = |scene: &mut Scene13, piece: usize| {
        let record = scene.peer.record_in(3, ContentType::HANDSHAKE, &pieces[piece]);
        scene.deliver([record]);
        scene.advance(Duration::from_secs(5));
        scene.peer.take_seen().iter().filter_map(Seen::acknowledged).map(|numbers| numbers.len()).sum::<usize>()
    };
    assert_eq!(deliver(&mut scene, 0), 0, "an importer would not have it");
    assert_eq!(deliver(&mut scene, 1), 0, "the message is whole, and no image has it");
    store(&mut scene);
    assert_eq!(deliver(&mut scene, 0), 2, "the part that made it whole, and the one that is repeated");
}

#[test] // RFC 9846 §4.7.2
fn who_makes_checkpoints_asks_no_client_who_it_is() {
    let (mut sim, pair, _) = connect(ProtocolVersion::DTLS1_3);
    store(&mut sim, pair, Side::Server, 10);
    assert_eq!(sim.authenticate_client(pair), Err(AuthenticateClientError::MakesCheckpoints));
    sim.exchange(pair, b"after");
}

#[test]
fn closing_without_a_checkpoint_says_nothing_to_the_peer() {
    let (mut sim, pair, _) = connect(ProtocolVersion::DTLS1_2);
    store(&mut sim, pair, Side::Client, 0);
    sim.close(pair, Side::Client);
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.closed(pair, Side::Server), None);
}

/// What one process keeps where the next one finds it.
struct Survivor {
    side: Side,
    stored: Vec<u8>,
    /// Made and perhaps stored, but nobody has said so.
    unconfirmed: Option<Checkpoint>,
}

impl Survivor {
    fn act(&mut self, sim: &mut Sim, pair: Pair, configs: &Configs, rng: &mut Rng, now: Instant) {
        match rng.below(12) {
            0 => {
                if let Ok(made) = connection(sim, pair, self.side).checkpoint(&key(), b"along", rng.below(12), now) {
                    // It reaches the store or not, before anybody says so.
                    if rng.chance(0.7) {
                        self.stored = made.image().to_vec();
                        self.unconfirmed = Some(made);
                    }
                }
            }
            1 | 2 => {
                if let Some(made) = self.unconfirmed.take() {
                    connection(sim, pair, self.side).checkpoint_stored(&made);
                    sim.flush(pair, self.side);
                }
            }
            3 => {
                self.unconfirmed = None;
                let stored = self.stored.clone();
                recover(sim, pair, configs, self.side, &stored);
            }
            4 => {
                // Not with 1.2, or while one is on its way.
                let request = if rng.chance(0.5) { Requested } else { NotRequested };
                let _ = sim.update_keys(pair, self.side, request);
            }
            _ => {
                // Some find nothing reserved.
                let _ = sim.send(pair, self.side, b"data");
            }
        }
    }
}

fn watched_client(nonces: &Nonces, version: ProtocolVersion, seed: u64) -> Arc<ClientConfig> {
    let provider = nonces.spied(&null::provider(seed));
    let builder = ClientConfig::builder(provider, Arc::new(NullVerifier::default()));
    Arc::new(builder.with_versions(&[version]).build().expect("a configuration"))
}

fn watched_server(nonces: &Nonces, version: ProtocolVersion, seed: u64) -> Arc<ServerConfig> {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 300);
    let builder = ServerConfig::builder(nonces.spied(&null::provider(seed)), identity);
    Arc::new(builder.with_versions(&[version]).build().expect("a configuration"))
}

/// A connection of which both sides are watched, one of them at a time dies again and again.
fn life(version: ProtocolVersion, side: Side, seed: u64) -> (usize, usize) {
    let nonces = Nonces::default();
    let configs = (watched_client(&nonces, version, seed), watched_server(&nonces, version, !seed));
    let mut sim = Sim::new(seed).without_cookies();
    let pair = sim.connect(configs.0.clone(), configs.1.clone());
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    sim.exchange(pair, b"before");
    sim.run_for(Duration::from_secs(1));
    let mut rng = Rng::new(seed);
    let stored = store(&mut sim, pair, side, 6);
    let mut survivor = Survivor { side, stored, unconfirmed: None };
    for from in Side::BOTH {
        sim.set_conditions(from, Conditions { loss: 0.1, ..Conditions::default() });
    }
    for _ in 0..120 {
        let now = sim.now();
        survivor.act(&mut sim, pair, &configs, &mut rng, now);
        if rng.chance(0.3) {
            let _ = sim.send(pair, side.peer(), b"from the peer");
        }
        if rng.chance(0.05) {
            let _ = sim.update_keys(pair, side.peer(), Requested);
        }
        sim.run_for(Duration::from_millis(rng.below(700)));
    }
    for from in Side::BOTH {
        sim.set_conditions(from, Conditions::default());
    }
    // Whatever happened, the two still understand each other.
    for _ in 0..4 {
        let now = sim.now();
        if let Ok(made) = connection(&mut sim, pair, side).checkpoint(&key(), b"along", 1000, now) {
            connection(&mut sim, pair, side).checkpoint_stored(&made);
        }
        sim.flush(pair, side);
        sim.run_for(Duration::from_secs(130));
    }
    sim.exchange(pair, b"after all");
    (nonces.sealed(), nonces.repeated())
}

#[test] // RFC 5116 §2.1, RFC 9846 §5.3
fn no_key_seals_two_records_with_one_nonce_however_often_a_process_dies() {
    for version in VERSIONS {
        for side in Side::BOTH {
            for seed in 0..40 {
                let (sealed, repeated) = life(version, side, seed);
                assert!(sealed > 30, "{version:?} {side:?} {seed}: {sealed}");
                assert_eq!(repeated, 0, "{version:?} {side:?} {seed}");
            }
        }
    }
}

#[test]
fn the_spy_sees_an_image_that_is_imported_twice() {
    let nonces = Nonces::default();
    let configs = (watched_client(&nonces, ProtocolVersion::DTLS1_2, 9), Arc::new(null::server()));
    let (mut sim, pair, configs) = crate::connect_as(configs);
    let now = sim.now();
    let image = connection(&mut sim, pair, Side::Client).export(&key(), b"", now).expect("nothing is under way");
    for _ in 0..2 {
        let mut twin: Connection = import(&configs, Side::Client, &image, now).expect("as it was").connection;
        twin.seal(b"twice", &mut [0; 100]).expect("connected");
    }
    assert_eq!(nonces.repeated(), 1);
}
