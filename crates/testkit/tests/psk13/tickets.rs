//! Sessions of connections with a key from elsewhere: they say who the peer is, and end with the key.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, Psk, ServerConfig};
use gramseal_proto::session::AntiReplayCache;
use gramseal_testkit::null;
use gramseal_testkit::sessions::{Resumption, Stores};
use gramseal_testkit::sim::{Pair, Sim};

use super::{connect_in, imported, negotiated, psk};

fn client(seed: u64, stores: &Stores, psk: Psk) -> Arc<ClientConfig> {
    let builder = ClientConfig::psk_builder(null::provider(seed), psk).with_session_context("test");
    stores.client(builder).with_early_data().build().expect("a client").into()
}

fn server(seed: u64, stores: &Stores, psks: Vec<Psk>) -> Arc<ServerConfig> {
    let builder = ServerConfig::psk_builder(null::provider(seed), Arc::new(psks)).with_session_context("test");
    let builder = builder.with_early_data(100, Arc::new(AntiReplayCache::new(10, stores.clock.now())));
    stores.server(builder).build().expect("a server").into()
}

/// Whether a second connection with these settings resumes, and that the key says who is there either way.
fn resumes(sim: &mut Sim, client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> (Pair, bool) {
    let pair = connect_in(sim, client, server);
    sim.run_for(Duration::from_secs(1));
    let [ours, theirs] = negotiated(sim, pair);
    assert_eq!(ours.resumed, theirs.resumed);
    for agreed in [&ours, &theirs] {
        assert_eq!(agreed.psk_identity.as_deref(), Some(&b"me"[..]));
    }
    (pair, ours.resumed)
}

#[test] // RFC 9846 §2.2, §4.7.1
fn a_session_keeps_who_the_peer_is() {
    for kind in [Resumption::Id, Resumption::Ticket] {
        for key in [psk("me", 1), imported("me", 1, "context")] {
            let stores = Stores::new(Some(kind));
            let (client, server) = (client(1, &stores, key.clone()), server(2, &stores, vec![psk("you", 1), key]));
            let mut sim = Sim::new(1).without_cookies();
            for round in 0..4 {
                assert_eq!(resumes(&mut sim, &client, &server).1, round > 0, "{kind:?}");
            }
        }
    }
}

#[test]
fn a_session_ends_with_its_key() {
    let same = |key: fn() -> Psk| [vec![key()], vec![key()]];
    let plain: fn() -> Psk = || psk("me", 1);
    let imported: fn() -> Psk = || imported("me", 1, "context");
    for key in [plain, imported] {
        for kind in [Resumption::Id, Resumption::Ticket] {
            let [first, _] = same(key);
            let stores = Stores::new(Some(kind));
            let mut sim = Sim::new(1).without_cookies();
            let (client_then, server_then) = (client(1, &stores, key()), server(2, &stores, first));
            assert!(!resumes(&mut sim, &client_then, &server_then).1);
            assert!(resumes(&mut sim, &client_then, &server_then).1);

            // The server has another key of this name now, and the client another one for another name.
            let replaced = Psk::new("me", [9; 32]).expect("good lengths");
            let server_now = server(3, &stores, vec![replaced.clone()]);
            let pair = sim.connect(Arc::clone(&client_then), Arc::clone(&server_now));
            sim.run_for(Duration::from_secs(100));
            assert!(!sim.connected(pair), "neither the session nor the key is good any more");

            // Nor does a client with another key offer the session of the one before.
            assert!(!resumes(&mut sim, &client(4, &stores, replaced), &server_now).1);
        }
    }
}

#[test] // RFC 9846 §4.3.10: what is no ticket of a session allows none here
fn early_data_goes_with_sessions_alone() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let (client, server) = (client(1, &stores, psk("me", 1)), server(2, &stores, vec![psk("me", 1)]));
    let mut sim = Sim::new(1).without_cookies();
    let first = sim.connect(Arc::clone(&client), Arc::clone(&server));
    assert!(sim.send_early(first, b"early").is_err());
    sim.run_for(Duration::from_secs(2));
    assert!(sim.connected(first));
    let second = sim.connect(client, server);
    sim.send_early(second, b"early").expect("the session allows it");
    sim.run_for(Duration::from_secs(2));
    assert_eq!(sim.early_data(second), [b"early".to_vec()]);
    assert_eq!(
        negotiated(&sim, second).map(|agreed| agreed.psk_identity),
        [Some(b"me".to_vec()), Some(b"me".to_vec())]
    );
}
