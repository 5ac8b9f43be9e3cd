//! Resumption in DTLS 1.3 (RFC 9846 §2.2, §4.3.11, §4.7.1; RFC 9149): what both sides of ours do with each
//! other, what they refuse, and what they forget.

mod hellos;
mod offers;
mod terms;

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::Negotiated;
use gramseal_proto::config::{ClientConfig, ResumedKeyExchange, ServerConfig};
use gramseal_proto::wire::{HandshakeType, NamedGroup, ProtocolVersion};
use gramseal_testkit::decode::Item;
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sessions::{ChangeClient, ChangeServer, Resumption, Settings, Stores};
use gramseal_testkit::sim::{Pair, Sent, Side, Sim};

const PATIENCE: Duration = Duration::from_secs(10);
const VERSIONS: [ProtocolVersion; 1] = [ProtocolVersion::DTLS1_3];
const KINDS: [Resumption; 2] = [Resumption::Id, Resumption::Ticket];

const PLAIN: Settings = Settings::PLAIN;

fn client(seed: u64, stores: &Stores, change: ChangeClient) -> Arc<ClientConfig> {
    let builder = stores.client(null::client_config(seed)).with_session_context("test").with_versions(&VERSIONS);
    change(builder).build().expect("a client").into()
}

fn server(seed: u64, stores: &Stores, change: ChangeServer) -> Arc<ServerConfig> {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let builder = stores.server(null::server_config(seed, identity));
    change(builder.with_session_context("test").with_versions(&VERSIONS)).build().expect("a server").into()
}

/// Connects, and lets the tickets come.
fn connect(sim: &mut Sim, client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Pair {
    let pair = sim.connect(Arc::clone(client), Arc::clone(server));
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
    sim.run_for(Duration::from_secs(1));
    pair
}

/// Connects with one kind of settings and then with another. Whether the second resumed the first.
fn resumes(stores: &Stores, then: Settings, now: Settings) -> bool {
    let mut sim = Sim::new(1).without_cookies();
    // Randomness must not repeat itself, or a new session has the id of the old one.
    let [first, second] = [(1, then), (3, now)].map(|(seed, settings)| {
        let client = client(seed, stores, settings.client);
        connect(&mut sim, &client, &server(seed + 1, stores, settings.server))
    });
    assert!(!is_resumed(&sim, first));
    is_resumed(&sim, second)
}

fn negotiated(sim: &Sim, pair: Pair) -> [Negotiated; 2] {
    Side::BOTH.map(|side| {
        sim.connection(pair, side).and_then(|connection| connection.negotiated()).expect("connected").clone()
    })
}

/// Whether both sides say that `pair` goes on with an earlier session.
fn is_resumed(sim: &Sim, pair: Pair) -> bool {
    let [client, server] = negotiated(sim, pair).map(|negotiated| negotiated.resumed);
    assert_eq!(client, server);
    client
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

/// How many datagrams of the handshake itself a side sent.
fn hellos(sim: &Sim, pair: Pair, side: Side) -> usize {
    let is_hello = |item: &Item| {
        let types = [HandshakeType::CLIENT_HELLO, HandshakeType::SERVER_HELLO];
        matches!(item, Item::Handshake { msg_type, .. } if types.contains(msg_type))
    };
    sim.sent_by(pair, side).flat_map(Sent::items).filter(is_hello).count()
}

#[test] // RFC 9846 §2.2
fn a_second_connection_resumes_the_session_of_the_first() {
    for kind in KINDS {
        let stores = Stores::new(Some(kind));
        let (client, server) = (client(1, &stores, PLAIN.client), server(2, &stores, PLAIN.server));
        let mut sim = Sim::new(1).without_cookies();
        let mut exports = Vec::new();
        for round in 0..5 {
            let pair = connect(&mut sim, &client, &server);
            let [ours, theirs] = negotiated(&sim, pair);
            assert_eq!((ours.resumed, theirs.resumed), (round > 0, round > 0), "{kind:?}");
            assert_eq!(ours.peer_certificates.len(), 1, "who the server is stays known");
            assert_eq!(ours.version, ProtocolVersion::DTLS1_3);
            assert_eq!((ours.group, theirs.group), (Some(NamedGroup::X25519), Some(NamedGroup::X25519)));
            assert_eq!(theirs.server_name.as_deref(), Some(null::SERVER_NAME));
            sim.exchange(pair, b"hello");
            exports.push(exported(&sim, pair));
        }
        exports.sort_unstable();
        exports.dedup();
        assert_eq!(exports.len(), 5, "each has keys of its own");
    }
}

#[test] // RFC 9846 §2.2, §4.3.11
fn a_resumed_handshake_shows_no_certificate_and_stays_short() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let (client, server) = (client(1, &stores, PLAIN.client), server(2, &stores, PLAIN.server));
    let mut sim = Sim::new(1).without_cookies();
    let sizes = [false, true].map(|resumed| {
        let pair = connect(&mut sim, &client, &server);
        assert_eq!(is_resumed(&sim, pair), resumed);
        sim.sent_by(pair, Side::Server).next().expect("it answers").bytes.len()
    });
    // A toy certificate has some 100 bytes, a toy signature 40.
    assert!(sizes[1] + 100 < sizes[0], "{sizes:?}");
}

#[test] // RFC 9846 §4.3.11.2
fn a_session_is_resumed_after_a_hello_retry_request_too() {
    for kind in KINDS {
        let stores = Stores::new(Some(kind));
        let client = client(1, &stores, PLAIN.client);
        let server = server(2, &stores, |builder| builder.with_groups(&[NamedGroup::SECP256R1]));
        let mut sim = Sim::new(1).without_cookies();
        for resumed in [false, true, true] {
            let pair = connect(&mut sim, &client, &server);
            assert_eq!(is_resumed(&sim, pair), resumed);
            assert_eq!([Side::Client, Side::Server].map(|side| hellos(&sim, pair, side)), [2, 2]);
            assert_eq!(negotiated(&sim, pair).map(|agreed| agreed.group), [Some(NamedGroup::SECP256R1); 2]);
        }
    }
}

#[test] // RFC 9846 §4.3.9
fn the_key_exchange_is_left_out_only_where_both_sides_allow_it() {
    let alone = Settings {
        client: |builder| builder.with_resumed_key_exchange(ResumedKeyExchange::Optional),
        server: |builder| builder.with_resumed_key_exchange(ResumedKeyExchange::Optional),
    };
    for (client_too, server_too) in [(false, false), (false, true), (true, false), (true, true)] {
        let stores = Stores::new(Some(Resumption::Ticket));
        let client = client(1, &stores, if client_too { alone.client } else { PLAIN.client });
        let server = server(2, &stores, if server_too { alone.server } else { PLAIN.server });
        let mut sim = Sim::new(1).without_cookies();
        connect(&mut sim, &client, &server);
        let pair = connect(&mut sim, &client, &server);
        assert!(is_resumed(&sim, pair));
        let group = (!(client_too && server_too)).then_some(NamedGroup::X25519);
        assert_eq!(negotiated(&sim, pair).map(|agreed| agreed.group), [group; 2]);
        sim.exchange(pair, b"hello");
    }
}

/// How many tickets a client has after each of two connections.
fn tickets(change_client: ChangeClient, change_server: ChangeServer) -> [usize; 2] {
    let stores = Stores::new(Some(Resumption::Ticket));
    let (client, server) = (client(1, &stores, change_client), server(2, &stores, change_server));
    let mut sim = Sim::new(1).without_cookies();
    [(); 2].map(|()| {
        connect(&mut sim, &client, &server);
        stores.client.len()
    })
}

#[test] // RFC 9149 §3, RFC 9846 §4.7.1
fn tickets_are_as_many_as_the_server_gives_and_the_client_wants() {
    assert_eq!(tickets(PLAIN.client, PLAIN.server), [2, 2], "one is used, one comes");
    assert_eq!(tickets(PLAIN.client, |builder| builder.with_ticket_count(1)), [1, 1]);
    assert_eq!(tickets(PLAIN.client, |builder| builder.with_ticket_count(0)), [0, 0]);
    assert_eq!(tickets(|builder| builder.with_ticket_request(3, 2), PLAIN.server), [3, 4]);
    assert_eq!(tickets(|builder| builder.with_ticket_request(1, 0), PLAIN.server), [1, 0]);
    assert_eq!(tickets(|builder| builder.with_ticket_request(0, 9), PLAIN.server), [0, 0]);
    let stingy: ChangeServer = |builder| builder.with_ticket_count(0);
    assert_eq!(tickets(|builder| builder.with_ticket_request(3, 2), stingy), [0, 0]);
}

#[test] // RFC 9149 §3
fn a_client_that_asks_for_very_many_tickets_gets_eight() {
    let stores = Stores::new(Some(Resumption::Id));
    let client = client(1, &stores, |builder| builder.with_ticket_request(255, 255));
    connect(&mut Sim::new(1).without_cookies(), &client, &server(2, &stores, PLAIN.server));
    assert_eq!((stores.server.len(), stores.client.len()), (8, 4), "and keeps the latest four");
}

#[test] // RFC 9846 §4.3.9
fn who_keeps_no_tickets_gets_none() {
    let stores = Stores::new(Some(Resumption::Id));
    let forgetful = Arc::new(null::client_config(1).with_versions(&VERSIONS).build().expect("a client"));
    connect(&mut Sim::new(1).without_cookies(), &forgetful, &server(2, &stores, PLAIN.server));
    assert!(stores.server.is_empty());
}

#[test] // RFC 9846 §4.7.1
fn resuming_again_and_again_does_not_lengthen_the_life_of_a_session() {
    for (kind, hours) in [(Resumption::Id, 24), (Resumption::Ticket, 12)] {
        let stores = Stores::new(Some(kind));
        let (client, server) = (client(1, &stores, PLAIN.client), server(2, &stores, PLAIN.server));
        let mut sim = Sim::new(1).without_cookies();
        for hour in 0..=hours {
            let pair = connect(&mut sim, &client, &server);
            assert_eq!(is_resumed(&sim, pair), hour != 0 && hour != hours, "{kind:?} after {hour} hours");
            stores.clock.advance(Duration::from_secs(3600));
        }
    }
}
