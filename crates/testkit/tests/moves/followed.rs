//! Peers that have moved.

use gramseal_proto::wire::handshake::KeyUpdateRequest;
use gramseal_proto::{ImageKey, config::ConnectionIds};
use gramseal_testkit::sim::{Fate, seeds};

use super::*;

#[test] // RFC 9853 §5.1, §5.2
fn a_client_that_moved_is_followed_once_it_has_answered() {
    each(|mut sim, pair, check| {
        let (home, there) = (believed(&sim, pair), address(1));
        sim.exchange(pair, b"from home");
        assert_checks(&sim, pair, [0; 4]);
        sim.move_client(pair, there);
        let began = sim.now();
        say(&mut sim, pair, b"from elsewhere");
        sim.run_until(|sim| checks_now(sim, pair), T).expect("a check begins");
        assert_eq!((believed(&sim, pair), moves(&sim, pair)), (home, vec![]), "nothing is believed yet");
        assert_eq!(sim.received(pair, Side::Server).last().expect("some"), b"from elsewhere", "but heard");

        sim.run_until(|sim| believed(sim, pair) == there, 2 * T).expect("it answers");
        let took = sim.now() - began;
        let round_trip = Duration::from_millis(20);
        let waited = if check == PathCheck::Enhanced { T_BEFORE } else { Duration::ZERO };
        assert!(took > waited + round_trip && took < waited + 3 * round_trip, "{took:?}");
        assert_eq!(moves(&sim, pair), [there]);
        let measured = connection(&sim, pair, Side::Server).stats().round_trip();
        assert_eq!(measured, Some(round_trip));
        assert_checks(&sim, pair, [1, 1, 0, 0]);
        let (server, stats) = (connection(&sim, pair, Side::Server), sim.endpoint_stats(pair));
        assert!(server.stats().discards.total() == 0 && stats.discards.total() == 0 && stats.named > 0);
        sim.exchange(pair, b"and on");
        assert!(!checks_now(&sim, pair));
        assert_eq!(moves(&sim, pair), [there], "told once");
    });
}

#[test] // RFC 9853 §5.3: losses are made up for
fn a_client_is_followed_over_a_bad_network() {
    for version in VERSIONS {
        for check in CHECKS {
            for seed in seeds(0..10) {
                let network = Sim::new(seed).loss(0.2).reorder(0.2).duplicate(0.1).jitter(Duration::from_millis(30));
                let (mut sim, pair) = Wanted::new(version, check).connect(network);
                for port in [1, 2] {
                    sim.move_client(pair, address(port));
                    speak_until_followed(&mut sim, pair);
                }
                assert_eq!(moves(&sim, pair), [address(1), address(2)], "{version} {check:?} {seed}");
                let before = sim.received(pair, Side::Client).len();
                for _ in 0..30 {
                    sim.send(pair, Side::Server, b"found").expect("connected");
                }
                sim.run_for(T);
                assert!(sim.received(pair, Side::Client).len() > before + 10, "{version} {check:?} {seed}");
            }
        }
    }
}

#[test]
fn what_the_endpoint_knows_moves_along() {
    each(|mut sim, pair, _| {
        let home = believed(&sim, pair);
        sim.move_client(pair, address(1));
        speak_until_followed(&mut sim, pair);
        let place = |sim: &Sim, at| {
            let server = sim.server_of(pair);
            sim.endpoint(server).connection(at)
        };
        assert_eq!((place(&sim, home), place(&sim, address(1))), (None, Some(pair)));
        sim.close(pair, Side::Client);
        sim.run_for(T);
        assert!(sim.closed(pair, Side::Server).is_some(), "close_notify finds it");
    });
}

#[test] // RFC 9853 §5: not meant for it, and yet
fn a_client_that_moves_twice_at_once_is_followed_in_the_end() {
    each(|mut sim, pair, _| {
        sim.move_client(pair, address(1));
        say(&mut sim, pair, b"one");
        sim.run_for(Duration::from_millis(12));
        assert!(checks_now(&sim, pair));
        sim.move_client(pair, address(2));
        speak_until_followed(&mut sim, pair);
        assert_eq!(moves(&sim, pair), [address(2)]);
        assert_checks(&sim, pair, [2, 1, 0, 1]);
        sim.exchange(pair, b"and on");
    });
}

#[test]
fn a_client_that_comes_back_during_a_check_is_where_it_was() {
    each(|mut sim, pair, check| {
        let home = believed(&sim, pair);
        sim.move_client(pair, address(1));
        say(&mut sim, pair, b"one");
        sim.run_for(Duration::from_millis(12));
        sim.move_client(pair, home);
        say(&mut sim, pair, b"two");
        sim.run_for(4 * T);
        assert_eq!((believed(&sim, pair), moves(&sim, pair)), (home, vec![]));
        let refuted = u32::from(check == PathCheck::Enhanced);
        assert_checks(&sim, pair, [1, 0, refuted, 1 - refuted]);
        sim.exchange(pair, b"and on");
    });
}

#[test] // RFC 9853 §5.2: the application decides what is sent meanwhile; where it goes does not depend on that
fn payloads_go_where_the_client_was_until_it_is_believed() {
    each(|mut sim, pair, _| {
        let (home, there) = (believed(&sim, pair), address(1));
        sim.move_client(pair, there);
        say(&mut sim, pair, b"one");
        sim.run_for(Duration::from_millis(12));
        let before = sent_to(&sim, pair, home).len();
        sim.send(pair, Side::Server, b"too early").expect("connected");
        assert_eq!(sent_to(&sim, pair, home).len(), before + 1);
        assert_eq!(sent_to(&sim, pair, home).last().expect("one").fate, Fate::Astray);
        sim.run_until(|sim| believed(sim, pair) == there, 2 * T).expect("it answers");
        sim.exchange(pair, b"in time");
    });
}

#[test] // RFC 9147 §8
fn keys_are_updated_across_a_move() {
    for check in CHECKS {
        for (updater, asks) in [
            (Side::Client, KeyUpdateRequest::NotRequested),
            (Side::Client, KeyUpdateRequest::Requested),
            (Side::Server, KeyUpdateRequest::Requested),
        ] {
            let wanted = Wanted::new(ProtocolVersion::DTLS1_3, check);
            let (mut sim, pair) = wanted.connect(Sim::new(1).loss(0.1));
            sim.update_keys(pair, updater, asks).expect("connected");
            sim.move_client(pair, address(1));
            speak_until_followed(&mut sim, pair);
            let updates = |sim: &Sim| connection(sim, pair, updater).stats().key_updates_sent;
            sim.run_until(|sim| updates(sim) == 1, Duration::from_secs(60)).expect("the update arrives");
            assert_eq!(moves(&sim, pair), [address(1)]);
            for side in Side::BOTH {
                let before = sim.received(pair, side.peer()).len();
                for _ in 0..20 {
                    sim.send(pair, side, b"and on").expect("connected");
                }
                sim.run_for(T);
                assert!(sim.received(pair, side.peer()).len() > before, "{check:?} {updater:?}");
            }
        }
    }
}

#[test] // RFC 9853 §9
fn a_new_path_gets_a_new_connection_id_where_there_is_one() {
    for check in CHECKS {
        let mut wanted = Wanted::new(ProtocolVersion::DTLS1_3, check);
        wanted.client_cids = ConnectionIds::random();
        let (mut sim, pair) = wanted.connect(Sim::new(1));
        sim.act(pair, Side::Server, |server| server.request_cids(2)).expect("ids are spoken of");
        sim.run_for(T);
        let before = connection(&sim, pair, Side::Server).peer_cid().to_vec();
        sim.move_client(pair, address(1));
        speak_until_followed(&mut sim, pair);
        let sent = sent_to(&sim, pair, address(1));
        assert!(!sent.is_empty());
        for sent in sent {
            assert!(!sent.bytes[1..].starts_with(&before), "the id shows whose it is");
        }
        sim.exchange(pair, b"and on");
    }
}

#[test]
fn a_caller_who_knows_where_the_peer_is_ends_the_check() {
    each(|mut sim, pair, _| {
        sim.move_client(pair, address(1));
        say(&mut sim, pair, b"one");
        sim.run_for(Duration::from_millis(12));
        assert!(checks_now(&sim, pair));
        sim.act(pair, Side::Server, |server| server.set_peer(address(1)));
        assert!(!checks_now(&sim, pair));
        sim.exchange(pair, b"and on");
        assert_checks(&sim, pair, [1, 0, 0, 0]);
        assert_eq!(moves(&sim, pair), [], "the caller knows");
    });
}

#[test]
fn a_check_stays_behind_when_the_association_moves_to_another_process() {
    each(|mut sim, pair, _| {
        sim.move_client(pair, address(1));
        say(&mut sim, pair, b"one");
        sim.run_for(Duration::from_millis(12));
        assert!(checks_now(&sim, pair));
        let (home, now) = (believed(&sim, pair), sim.now());
        let key = ImageKey::new(null::provider(9), &[7; ImageKey::LEN]).expect("the provider has all it takes");
        let image = sim.act(pair, Side::Server, |server| server.export(&key, &[], now)).expect("it is quiet");
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
        let config = null::server_config(4, identity).with_connection_ids(ConnectionIds::random());
        let config = Arc::new(config.build().expect("a server"));
        let mut server = Connection::import_server(config, &key, &image, now).expect("an image").connection;
        server.set_peer(home);
        // The endpoint knows the ids already.
        while server.poll_event().is_some() {}
        sim.replace(pair, Side::Server, server);
        assert!(!checks_now(&sim, pair));
        speak_until_followed(&mut sim, pair);
        sim.exchange(pair, b"and on");
    });
}
