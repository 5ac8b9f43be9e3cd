//! Resumption in DTLS 1.2 by session id (RFC 5246 §7.3) and by ticket (RFC 5077): what both sides of
//! ours do with each other, and what they forget.

mod agreements;
mod forgetting;
mod refusals;
mod tickets;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_proto::{KeyLog, Negotiated};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sessions::{Resumption, Stores};
use gramseal_testkit::sim::{Pair, Side, Sim};

const PATIENCE: Duration = Duration::from_secs(10);

fn configs(stores: &Stores) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let client = stores.client(null::client_config(1)).build().expect("a client");
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let server = stores.server(null::server_config(2, identity)).build().expect("a server");
    (client.into(), server.into())
}

fn connect(sim: &mut Sim, client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Pair {
    let pair = sim.connect(Arc::clone(client), Arc::clone(server));
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
    pair
}

fn negotiated(sim: &Sim, pair: Pair) -> [Negotiated; 2] {
    Side::BOTH.map(|side| {
        sim.connection(pair, side).and_then(|connection| connection.negotiated()).expect("connected").clone()
    })
}

fn exported(sim: &Sim, pair: Pair) -> [u8; 32] {
    let [client, server] = Side::BOTH.map(|side| {
        let mut out = [0; 32];
        let connection = sim.connection(pair, side).expect("a connection");
        connection.export_keying_material(b"EXPERIMENTAL test", None, &mut out).expect("connected");
        out
    });
    assert_eq!(client, server);
    client
}

/// Whether both sides say that `pair` goes on with an earlier session.
fn is_resumed(sim: &Sim, pair: Pair) -> bool {
    let [client, server] = negotiated(sim, pair).map(|negotiated| negotiated.resumed);
    assert_eq!(client, server);
    client
}

#[test] // RFC 5246 §7.3, RFC 5077 §3.1
fn a_second_connection_resumes_the_session_of_the_first() {
    for kind in [Resumption::Id, Resumption::Ticket] {
        let stores = Stores::new(Some(kind));
        let (client, server) = configs(&stores);
        let mut sim = Sim::new(1);
        let mut exports = Vec::new();
        for round in 0..4 {
            let pair = connect(&mut sim, &client, &server);
            let [ours, theirs] = negotiated(&sim, pair);
            assert_eq!((ours.resumed, theirs.resumed), (round > 0, round > 0), "{kind:?}");
            assert_eq!(ours.peer_certificates.len(), 1);
            assert_eq!((ours.cipher_suite, ours.group), (theirs.cipher_suite, theirs.group));
            assert!(ours.group.is_some(), "that of the first handshake");
            assert_eq!(theirs.server_name.as_deref(), Some(null::SERVER_NAME));
            sim.exchange(pair, b"hello");
            // RFC 5246 §F.1.4: new randoms make new keys.
            exports.push(exported(&sim, pair));
        }
        exports.sort_unstable();
        exports.dedup();
        assert_eq!(exports.len(), 4);
    }
}

/// Hears the key log.
#[derive(Debug, Default)]
struct Ears(Mutex<Vec<Line>>);

/// Label, random and secret.
type Line = (String, [u8; 32], Vec<u8>);

impl KeyLog for Ears {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        self.0.lock().expect("nobody panicked").push((label.into(), *client_random, secret.to_vec()));
    }
}

#[test] // RFC 9850 §2
fn a_resumed_connection_is_logged_with_its_own_random() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let [left, right] = [Arc::new(Ears::default()), Arc::new(Ears::default())];
    let client = stores.client(null::client_config(1)).with_key_log(left.clone()).build().expect("a client");
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let server = stores.server(null::server_config(2, identity)).with_key_log(right.clone());
    let (client, server) = (Arc::new(client), Arc::new(server.build().expect("a server")));
    let mut sim = Sim::new(1);
    for _ in 0..2 {
        connect(&mut sim, &client, &server);
    }
    let heard = left.0.lock().expect("nobody panicked").clone();
    assert_eq!(heard, *right.0.lock().expect("nobody panicked"));
    let [(label, first_random, first_secret), (resumed_label, random, secret)] = &heard[..] else {
        panic!("one line for each connection: {heard:?}");
    };
    assert_eq!([label, resumed_label], ["CLIENT_RANDOM"; 2]);
    assert_ne!(first_random, random);
    assert_eq!(first_secret, secret, "the master secret of the session");
}

#[test] // RFC 6347 §4.2.4
fn an_abbreviated_handshake_has_three_flights() {
    let stores = Stores::new(Some(Resumption::Id));
    let (client, server) = configs(&stores);
    let mut sim = Sim::new(1).without_cookies();
    connect(&mut sim, &client, &server);
    let pair = connect(&mut sim, &client, &server);
    assert!(is_resumed(&sim, pair));
    let sent = |side| sim.sent_by(pair, side).count();
    assert_eq!((sent(Side::Client), sent(Side::Server)), (2, 1), "each flight in a datagram");
}
