//! New keys after a handshake of 1.3 (RFC 9147 §8): from either side or both, over networks good and bad.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gramseal_proto::config::Transport;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::wire::handshake::KeyUpdateRequest::{NotRequested, Requested};
use gramseal_proto::{CloseReason, Error, KeyLog, LocalFault, PeerFault, Stats, UpdateKeysError};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sim::{Pair, Side, Sim, seeds};

/// A few timeouts.
const ENOUGH: Duration = Duration::from_secs(10);

fn connect_logged(mut sim: Sim, logs: [Option<Arc<Lines>>; 2]) -> (Sim, Pair) {
    let versions = [ProtocolVersion::DTLS1_3];
    let [left, right] = logs;
    let mut client = null::client_config(2).with_versions(&versions);
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 300);
    let mut server = null::server_config(3, identity).with_versions(&versions);
    if let Some(log) = left {
        client = client.with_key_log(log);
    }
    if let Some(log) = right {
        server = server.with_key_log(log);
    }
    let pair = sim.connect(client.build().expect("a configuration"), server.build().expect("a configuration"));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(180)).expect("both sides connect");
    (sim, pair)
}

fn connect(sim: Sim) -> (Sim, Pair) {
    connect_logged(sim.without_cookies(), [None, None])
}

fn stats(sim: &Sim, pair: Pair, side: Side) -> &Stats {
    sim.connection(pair, side).expect("a connection").stats()
}

/// How often each side has updated its keys, as it counts and as the peer does.
fn updates(sim: &Sim, pair: Pair) -> [(u32, u32); 2] {
    Side::BOTH.map(|side| (stats(sim, pair, side).key_updates_sent, stats(sim, pair, side.peer()).key_updates_received))
}

#[test] // RFC 9147 §8
fn a_key_update_is_acknowledged_and_then_used() {
    for side in Side::BOTH {
        let (mut sim, pair) = connect(Sim::new(1));
        sim.run_for(Duration::from_secs(1));
        sim.update_keys(pair, side, NotRequested).expect("nothing is on its way");
        assert_eq!(updates(&sim, pair), [(0, 0); 2], "not before it is acknowledged");
        // What is sealed meanwhile is sealed with the old keys.
        sim.send(pair, side, b"old keys").expect("connected");
        sim.run_for(Duration::from_millis(100));
        let mut expected = [(0, 0); 2];
        expected[side as usize] = (1, 1);
        assert_eq!(updates(&sim, pair), expected);
        sim.exchange(pair, b"new keys");
        assert_eq!(sim.received(pair, side.peer()), [&b"old keys"[..], b"new keys"]);
        assert_eq!(Side::BOTH.map(|side| stats(&sim, pair, side).retransmissions), [0, 0]);
    }
}

#[test] // RFC 9846 §4.7.3
fn a_peer_that_is_asked_updates_its_keys_too() {
    for side in Side::BOTH {
        let (mut sim, pair) = connect(Sim::new(1));
        sim.update_keys(pair, side, Requested).expect("nothing is on its way");
        sim.run_for(Duration::from_secs(1));
        assert_eq!(updates(&sim, pair), [(1, 1); 2]);
        sim.exchange(pair, b"new keys");
    }
}

#[test] // RFC 9846 §4.7.3
fn requests_that_cross_are_both_answered() {
    let (mut sim, pair) = connect(Sim::new(1));
    sim.run_for(Duration::from_secs(1));
    for side in Side::BOTH {
        sim.update_keys(pair, side, Requested).expect("nothing is on its way");
    }
    sim.run_for(Duration::from_secs(1));
    assert_eq!(updates(&sim, pair), [(2, 2); 2]);
    sim.exchange(pair, b"new keys");
}

#[test] // RFC 9147 §8
fn only_one_key_update_is_on_its_way() {
    let (mut sim, pair) = connect(Sim::new(1));
    sim.update_keys(pair, Side::Client, NotRequested).expect("nothing is on its way");
    let again = sim.update_keys(pair, Side::Client, NotRequested);
    assert_eq!(again, Err(UpdateKeysError::OnItsWay));
    sim.run_for(Duration::from_secs(1));
    sim.update_keys(pair, Side::Client, NotRequested).expect("the first has arrived");
    sim.run_for(Duration::from_secs(1));
    assert_eq!(updates(&sim, pair)[0], (2, 2));
}

#[test]
fn keys_are_updated_only_in_a_connection_of_1_3() {
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(null::client(), null::server());
    assert_eq!(sim.update_keys(pair, Side::Client, NotRequested), Err(UpdateKeysError::NotConnected));
    sim.run_until(|sim| sim.connected(pair), ENOUGH).expect("both sides connect");
    assert_eq!(sim.update_keys(pair, Side::Client, NotRequested), Err(UpdateKeysError::NotInThisVersion));
    sim.close(pair, Side::Client);
    assert_eq!(sim.update_keys(pair, Side::Client, NotRequested), Err(UpdateKeysError::Closed));
}

#[test] // RFC 9147 §8: KeyUpdate, its ACK, the answer, the ACK of that
fn any_single_datagram_of_an_update_may_get_lost() {
    let run = |lost: Option<(Side, usize)>| {
        let (mut sim, pair) = connect(Sim::new(1));
        sim.run_for(Duration::from_secs(1));
        let before = Side::BOTH.map(|side| sim.sent_by(pair, side).count());
        if let Some((side, index)) = lost {
            sim.drop_nth(side, before[side as usize] + index);
        }
        sim.update_keys(pair, Side::Client, Requested).expect("nothing is on its way");
        sim.run_for(ENOUGH);
        let sent = Side::BOTH.map(|side| sim.sent_by(pair, side).count() - before[side as usize]);
        (sim, pair, sent)
    };
    let (_, _, sent) = run(None);
    assert_eq!(sent, [2, 1], "KeyUpdate; ACK and KeyUpdate; ACK");
    for side in Side::BOTH {
        for index in 0..sent[side as usize] {
            let (mut sim, pair, _) = run(Some((side, index)));
            assert_eq!(updates(&sim, pair), [(1, 1); 2], "{side:?} datagram {index}");
            sim.exchange(pair, b"new keys");
        }
    }
}

#[test] // RFC 9147 §8
fn the_old_keys_open_what_is_late_and_are_then_forgotten() {
    let (mut sim, pair) = connect(Sim::new(1));
    sim.run_for(Duration::from_secs(1));
    let late = |sim: &mut Sim| {
        let client = sim.connection_mut(pair, Side::Client).expect("connected");
        let mut datagram = vec![0; 100];
        let len = client.seal(b"late", &mut datagram).expect("connected");
        datagram.truncate(len);
        datagram
    };
    let first = late(&mut sim);
    let second = late(&mut sim);
    sim.update_keys(pair, Side::Client, NotRequested).expect("nothing is on its way");
    // However long it takes, the old keys stay until the new ones are in use.
    sim.run_for(Duration::from_secs(1000));
    sim.inject(pair, Side::Server, first);
    assert_eq!(sim.received(pair, Side::Server), [b"late"]);
    sim.exchange(pair, b"new keys");
    sim.run_for(Duration::from_secs(61));
    sim.inject(pair, Side::Server, second);
    assert_eq!(sim.received(pair, Side::Server), [&b"late"[..], b"new keys"]);
}

#[test]
fn storms_of_updates_survive_a_bad_network() {
    for seed in seeds(0..100) {
        let (mut sim, pair) = connect(Sim::new(seed).loss(0.2).reorder(0.1).duplicate(0.05));
        let mut begun = [0; 2];
        for round in 0..20u32 {
            for side in Side::BOTH {
                let peer = if round % 3 == 0 { Requested } else { NotRequested };
                begun[side as usize] += u32::from(sim.update_keys(pair, side, peer).is_ok());
                sim.send(pair, side, &round.to_be_bytes()).expect("connected");
            }
            sim.run_for(Duration::from_millis(u64::from(round) * 50));
        }
        sim.run_for(Duration::from_secs(120));
        assert!(sim.connected(pair), "seed {seed}");
        for (side, (sent, received)) in updates(&sim, pair).into_iter().enumerate() {
            assert_eq!(sent, received, "seed {seed}");
            assert!(sent >= begun[side] && sent > 1, "seed {seed}: {sent} of {begun:?}");
        }
        for side in Side::BOTH {
            sim.set_conditions(side, gramseal_testkit::sim::Conditions::default());
        }
        sim.exchange(pair, b"still there");
    }
}

#[test] // RFC 9850
fn updated_secrets_are_logged_alike_on_both_sides() {
    let logs = [Arc::new(Lines::default()), Arc::new(Lines::default())];
    let sim = Sim::new(1).without_cookies();
    let (mut sim, pair) = connect_logged(sim, logs.clone().map(Some));
    for _ in 0..2 {
        sim.update_keys(pair, Side::Client, Requested).expect("nothing is on its way");
        sim.run_for(Duration::from_secs(1));
    }
    let [mut ours, mut theirs] = logs.map(|log| log.0.lock().expect("not poisoned").clone());
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
    for label in
        ["CLIENT_TRAFFIC_SECRET_1", "SERVER_TRAFFIC_SECRET_1", "CLIENT_TRAFFIC_SECRET_2", "SERVER_TRAFFIC_SECRET_2"]
    {
        assert_eq!(ours.iter().filter(|(known, _)| known == label).count(), 1, "{label}");
    }
    let mut secrets: Vec<_> = ours.iter().map(|(_, secret)| secret).collect();
    secrets.dedup();
    assert_eq!(secrets.len(), ours.len(), "each is another one");
}

/// A pair whose keys are used for less than they might be.
fn connect_with(transport: Transport) -> (Sim, Pair) {
    connect_differently(transport.clone(), transport)
}

/// The same, each side in its own way.
fn connect_differently(ours: Transport, theirs: Transport) -> (Sim, Pair) {
    let mut sim = Sim::new(1).without_cookies();
    let versions = [ProtocolVersion::DTLS1_3];
    let client = null::client_config(2).with_versions(&versions).with_transport(ours);
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 300);
    let server = null::server_config(3, identity).with_versions(&versions).with_transport(theirs);
    let pair = sim.connect(client.build().expect("a configuration"), server.build().expect("a configuration"));
    sim.run_until(|sim| sim.connected(pair), ENOUGH).expect("both sides connect");
    sim.run_for(Duration::from_secs(1));
    (sim, pair)
}

#[test] // RFC 9147 §4.5.3
fn keys_are_updated_before_they_have_sealed_as_much_as_they_may() {
    let (mut sim, pair) = connect_with(Transport { records_per_key: 10, ..Transport::default() });
    for number in 0..100u8 {
        sim.send(pair, Side::Client, &[number]).expect("connected");
        sim.run_for(Duration::from_millis(100));
    }
    let [(client, heard), server] = updates(&sim, pair);
    assert!(client >= 9 && client == heard, "{client} updates for 100 records");
    assert_eq!(server, (0, 0), "the other side has sealed ACKs alone");
    assert_eq!(sim.received(pair, Side::Server).len(), 100);
}

#[test] // RFC 9147 §4.5.3
fn forgeries_make_a_side_ask_for_new_keys_and_at_last_end_it() {
    let (mut sim, pair) = connect_with(Transport { forgeries_per_key: 100, ..Transport::default() });
    let forge = |sim: &mut Sim, count: usize| {
        let mut datagram = [0; 64];
        let client = sim.connection_mut(pair, Side::Client).expect("connected");
        let len = client.seal(b"x", &mut datagram).expect("connected");
        datagram[len - 1] ^= 1;
        for _ in 0..count {
            sim.inject(pair, Side::Server, datagram[..len].to_vec());
        }
    };
    forge(&mut sim, 49);
    sim.exchange(pair, b"old keys");
    assert_eq!(updates(&sim, pair), [(0, 0); 2]);
    forge(&mut sim, 1);
    sim.run_for(Duration::from_secs(1));
    assert_eq!(updates(&sim, pair), [(1, 1); 2], "the peer was asked, and is told of our own new keys");
    sim.exchange(pair, b"new keys");

    // The next answer of the peer never comes.
    sim.drop_if(|sent| sent.from == Side::Client);
    forge(&mut sim, 100);
    assert_eq!(sim.closed(pair, Side::Server), None);
    forge(&mut sim, 1);
    let worn_out = CloseReason::Failed(Error::Local(LocalFault::KeyWornOut));
    assert_eq!(sim.closed(pair, Side::Server), Some(&worn_out));
}

#[test] // RFC 9147 §8
fn nobody_updates_keys_beyond_the_last_epoch() {
    // Application data begins with epoch 3.
    let bounded = Transport { last_epoch: 5, ..Transport::default() };
    let (mut sim, pair) = connect_with(bounded.clone());
    for round in 1..=2 {
        sim.update_keys(pair, Side::Client, NotRequested).expect("an epoch is left");
        sim.run_for(Duration::from_secs(1));
        assert_eq!(updates(&sim, pair), [(round, round), (0, 0)]);
    }
    assert_eq!(sim.update_keys(pair, Side::Client, NotRequested), Err(UpdateKeysError::Exhausted));
    // Who is asked and has none left does not answer, and the other one goes on.
    for round in 1..=2 {
        sim.update_keys(pair, Side::Server, Requested).expect("an epoch is left");
        sim.run_for(Duration::from_secs(1));
        assert_eq!(updates(&sim, pair), [(2, 2), (round, round)]);
        sim.exchange(pair, b"still there");
    }

    // A peer with another bound is held to ours.
    let (mut sim, pair) = connect_differently(Transport::default(), bounded);
    for _ in 0..2 {
        sim.update_keys(pair, Side::Client, NotRequested).expect("nothing is on its way");
        sim.run_for(Duration::from_secs(1));
    }
    sim.update_keys(pair, Side::Client, NotRequested).expect("nothing is on its way");
    sim.run_for(Duration::from_secs(1));
    let refused = CloseReason::Failed(Error::Peer(PeerFault::TooManyKeyUpdates));
    assert_eq!(sim.closed(pair, Side::Server), Some(&refused));
}

/// Labels and secrets of a key log.
#[derive(Debug, Default)]
struct Lines(Mutex<Vec<(String, Vec<u8>)>>);

impl KeyLog for Lines {
    fn log(&self, label: &str, _: &[u8; 32], secret: &[u8]) {
        self.0.lock().expect("not poisoned").push((label.to_owned(), secret.to_vec()));
    }
}
