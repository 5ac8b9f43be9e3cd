//! Early data of DTLS 1.3 (RFC 9846 §2.3, §4.3.10, §8; RFC 9147 §5.6): what both sides of ours do with each other,
//! what a server takes and what not, and what peers that do otherwise reach.

mod answers;
mod cookies;
mod hostile;
mod replays;
mod unproved;

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ClientConfigBuilder, ConfigError, ServerConfig, ServerConfigBuilder};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::session::AntiReplayCache;
use gramseal_proto::wire::{NamedGroup, ProtocolVersion};
use gramseal_proto::{Discard, EarlyDataAnswer, Event, ExportError, SendEarlyError};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::Wiretap;
use gramseal_testkit::sessions::{ChangeClient, ChangeServer, Resumption, Stores};
use gramseal_testkit::sim::{Pair, Sent, Side, Sim};

const PATIENCE: Duration = Duration::from_secs(10);
const VERSIONS: [ProtocolVersion; 1] = [ProtocolVersion::DTLS1_3];
const KINDS: [Resumption; 2] = [Resumption::Id, Resumption::Ticket];
/// What servers take, in bytes.
const MAX: u32 = 1000;

/// A client that sends no early data.
fn client_builder(seed: u64, stores: &Stores) -> ClientConfigBuilder {
    stores.client(null::client_config(seed)).with_session_context("test").with_versions(&VERSIONS)
}

fn client(seed: u64, stores: &Stores, change: ChangeClient) -> Arc<ClientConfig> {
    change(client_builder(seed, stores).with_early_data()).build().expect("a client").into()
}

/// A server that takes no early data.
fn server_builder(seed: u64, stores: &Stores) -> ServerConfigBuilder {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    stores.server(null::server_config(seed, identity)).with_session_context("test").with_versions(&VERSIONS)
}

fn memory(stores: &Stores) -> Arc<AntiReplayCache> {
    Arc::new(AntiReplayCache::new(100, stores.clock.now()))
}

/// A server with a memory of its own for what it took.
fn server(seed: u64, stores: &Stores, change: ChangeServer) -> Arc<ServerConfig> {
    change(server_builder(seed, stores).with_early_data(MAX, memory(stores))).build().expect("a server").into()
}

const fn same<T>(builder: T) -> T {
    builder
}

/// Both sides with a session that allows early data.
struct Acquainted {
    stores: Stores,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

fn acquainted(kind: Resumption) -> Acquainted {
    acquainted_with(kind, same, same)
}

fn acquainted_with(kind: Resumption, change_client: ChangeClient, change_server: ChangeServer) -> Acquainted {
    let stores = Stores::new(Some(kind));
    let server = server(2, &stores, change_server);
    acquaint(stores, change_client, server)
}

fn acquaint(stores: Stores, change_client: ChangeClient, server: Arc<ServerConfig>) -> Acquainted {
    let client = client(1, &stores, change_client);
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(Arc::clone(&client), Arc::clone(&server));
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.events(pair, Side::Client), [Event::Connected], "it had nothing to offer");
    assert_eq!(stores.client.len(), 2);
    Acquainted { stores, client, server }
}

/// What came of early data in a connection that was made.
#[derive(Debug, PartialEq, Eq)]
struct Came {
    answer: Option<EarlyDataAnswer>,
    early_data: usize,
    resumed: bool,
}

const TAKEN: Came = Came { answer: Some(EarlyDataAnswer::Accepted), early_data: 1, resumed: true };
const REJECTED: Came = Came { answer: Some(EarlyDataAnswer::Rejected), early_data: 0, resumed: true };

fn answer(sim: &Sim, pair: Pair) -> Option<EarlyDataAnswer> {
    sim.events(pair, Side::Client).iter().find_map(|event| match event {
        Event::EarlyData(answer) => Some(*answer),
        _ => None,
    })
}

/// Connects with a payload of early data, and then uses the connection.
fn come(sim: &mut Sim, client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> (Pair, Came) {
    let pair = sim.connect(Arc::clone(client), Arc::clone(server));
    sim.send_early(pair, b"early").expect("the session allows it");
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
    sim.exchange(pair, b"later");
    sim.run_for(Duration::from_secs(1));
    for side in Side::BOTH {
        assert_eq!(sim.received(pair, side), [b"later"], "early data is nothing else");
    }
    let agreed = Side::BOTH.map(|side| {
        let connection = sim.connection(pair, side).expect("a connection");
        let negotiated = connection.negotiated().expect("connected");
        (negotiated.early_data, negotiated.resumed)
    });
    assert_eq!(agreed[0], agreed[1]);
    let came = Came { answer: answer(sim, pair), early_data: sim.early_data(pair).len(), resumed: agreed[0].1 };
    assert_eq!(agreed[0].0, came.answer == Some(EarlyDataAnswer::Accepted));
    (pair, came)
}

/// Whether a datagram is early data.
fn is_early(sent: &Sent) -> bool {
    is_early_record(&sent.bytes)
}

fn is_early_record(bytes: &[u8]) -> bool {
    // The unified header with the bits of epoch 1 (RFC 9147 §4).
    bytes[0] & 0b1110_0011 == 0b0010_0001
}

fn discards(sim: &Sim, pair: Pair, reason: Discard) -> u32 {
    sim.connection(pair, Side::Server).expect("a connection").stats().discards.get(reason)
}

#[test] // RFC 9846 §2.3
fn early_data_arrives_before_the_handshake_is_done() {
    for kind in KINDS {
        let Acquainted { client, server, .. } = acquainted(kind);
        let mut sim = Sim::new(1).without_cookies();
        let pair = sim.connect(client, server);
        for payload in [&b"one"[..], b"", b"three"] {
            sim.send_early(pair, payload).expect("the session allows it");
        }
        sim.run_until(|sim| sim.early_data(pair).len() == 3, Duration::from_millis(10)).expect("one way is enough");
        assert!(!sim.connected(pair));
        assert_eq!(sim.early_data(pair), [&b"one"[..], b"", b"three"]);
        sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
        assert_eq!(sim.events(pair, Side::Client), [Event::EarlyData(EarlyDataAnswer::Accepted), Event::Connected]);
        assert_eq!(sim.events(pair, Side::Server), [Event::Connected]);
        sim.exchange(pair, b"hello");
        assert_eq!(sim.early_data(pair).len(), 3);
    }
}

#[test] // RFC 9846 §4.3.11.3
fn early_data_may_follow_until_the_handshake_is_done() {
    let Acquainted { client, server, .. } = acquainted(Resumption::Ticket);
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(client, server);
    sim.run_for(Duration::from_millis(15));
    assert!(sim.connection(pair, Side::Server).is_some(), "the server has answered");
    sim.send_early(pair, b"later").expect("still possible");
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
    assert_eq!(sim.early_data(pair), [b"later"]);
    assert_eq!(sim.send_early(pair, b"too late"), Err(SendEarlyError::Over));
}

#[test] // RFC 9846 §4.3.10
fn without_a_session_that_allows_it_there_is_none() {
    let begin = |client: Arc<ClientConfig>, server: Arc<ServerConfig>| {
        let mut sim = Sim::new(1).without_cookies();
        let pair = sim.connect(client, server);
        let sent = sim.send_early(pair, b"early");
        sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
        assert_eq!(answer(&sim, pair), None, "nothing was offered");
        sim.run_for(Duration::from_secs(1));
        sent
    };
    let stores = Stores::new(Some(Resumption::Ticket));
    let shy = Arc::new(server_builder(2, &stores).build().expect("a server"));
    let (eager, unasked) = (client(1, &stores, same), server(3, &stores, same));
    for _ in 0..2 {
        assert_eq!(begin(Arc::clone(&eager), Arc::clone(&shy)), Err(SendEarlyError::NotOffered));
    }
    let stores = Stores::new(Some(Resumption::Ticket));
    let plain = Arc::new(client_builder(1, &stores).build().expect("a client"));
    for _ in 0..2 {
        assert_eq!(begin(Arc::clone(&plain), Arc::clone(&unasked)), Err(SendEarlyError::NotOffered));
    }
}

#[test]
fn early_data_that_could_never_come_is_refused() {
    let none = Stores::new(None);
    let without = Err(ConfigError::EarlyDataWithoutSessions);
    let of = |stores: &Stores, max| server_builder(1, stores).with_early_data(max, memory(stores));
    let older = [ProtocolVersion::DTLS1_2];
    assert_eq!(of(&none, MAX).build().map(drop), without);
    assert_eq!(client_builder(1, &none).with_early_data().build().map(drop), without);
    for kind in KINDS {
        let stores = Stores::new(Some(kind));
        assert_eq!(of(&stores, MAX).with_versions(&older).build().map(drop), without);
        assert_eq!(client_builder(1, &stores).with_early_data().with_versions(&older).build().map(drop), without);
        assert_eq!(of(&stores, 0).build().map(drop), Err(ConfigError::NothingAllowed("early data")));
    }
}

#[test] // RFC 9846 §4.7.1
fn a_client_sends_no_more_than_its_ticket_allows() {
    let Acquainted { client, server, .. } = acquainted(Resumption::Ticket);
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(client, server);
    let room = |sim: &Sim| sim.connection(pair, Side::Client).expect("a client").max_early_payload();
    assert_eq!(room(&sim), 1000);
    assert_eq!(sim.send_early(pair, &[1; 1001]), Err(SendEarlyError::TooLarge { limit: 1000 }));
    sim.send_early(pair, &[1; 990]).expect("within the limit");
    assert_eq!(room(&sim), 10);
    assert_eq!(sim.send_early(pair, &[1; 11]), Err(SendEarlyError::TooLarge { limit: 10 }));
    sim.send_early(pair, &[1; 10]).expect("within the limit");
    assert_eq!(room(&sim), 0);
    sim.send_early(pair, &[]).expect("nothing is no more");
    let client = sim.connection_mut(pair, Side::Client).expect("a client");
    assert_eq!(client.seal_early(&[], &mut [0; 5]), Err(SendEarlyError::BufferTooSmall { needed: 22 }));
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
    assert_eq!(sim.early_data(pair).iter().map(Vec::len).collect::<Vec<_>>(), [990, 10, 0]);
}

#[test]
fn early_data_fits_into_datagrams_and_is_padded_as_the_rest() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let server = server_builder(2, &stores).with_early_data(100_000, memory(&stores)).build().expect("a server");
    let client = client(1, &stores, |builder| builder.with_padding(gramseal_proto::config::Padding::Block(128)));
    let server = Arc::new(server);
    let mut sim = Sim::new(1).without_cookies();
    for early in [false, true] {
        let pair = sim.connect(Arc::clone(&client), Arc::clone(&server));
        if early {
            let limit = sim.connection(pair, Side::Client).expect("a client").max_early_payload();
            assert!((1100..1200).contains(&limit), "{limit}");
            sim.send_early(pair, &vec![1; limit]).expect("it fits");
            sim.send_early(pair, b"a").expect("it fits");
            let sizes: Vec<_> = sim.sent_by(pair, Side::Client).filter(|sent| is_early(sent)).collect();
            assert!(sizes[0].bytes.len() <= 1200 && sizes[1].bytes.len() > 128, "{sizes:?}");
        }
        sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
        sim.run_for(Duration::from_secs(1));
        assert_eq!(sim.early_data(pair).len(), if early { 2 } else { 0 });
    }
}

#[test] // RFC 9147 §5.6, §6.1
fn early_data_that_is_lost_reordered_or_doubled_is_a_datagram_like_others() {
    let Acquainted { client, server, stores } = acquainted(Resumption::Ticket);
    for seed in gramseal_testkit::sim::seeds(0..200) {
        let policy = if seed % 2 == 0 { CookiePolicy::Off } else { CookiePolicy::ExceptEarlyData };
        let mut sim = Sim::new(seed).loss(0.2).reorder(0.2).duplicate(0.2).cookies(policy);
        let pair = sim.connect(Arc::clone(&client), Arc::clone(&server));
        let mut sent = Vec::new();
        for number in 0..10_u8 {
            sim.send_early(pair, &[number; 3]).expect("the session allows it");
            sent.push(vec![number; 3]);
        }
        sim.run_until(|sim| sim.connected(pair), Duration::from_secs(180)).expect("both sides connect");
        sim.run_for(Duration::from_secs(5));
        let mut came = sim.early_data(pair).to_vec();
        came.sort();
        came.dedup();
        assert_eq!(came.len(), sim.early_data(pair).len(), "seed {seed}: each comes once");
        assert!(came.iter().all(|payload| sent.contains(payload)), "seed {seed}");
        assert!(sim.received(pair, Side::Server).is_empty(), "seed {seed}: and as nothing else");
        assert_eq!(answer(&sim, pair), Some(EarlyDataAnswer::Accepted), "seed {seed}");
        sim.run_for(Duration::from_secs(200));
        // What was taken is forgotten after a while.
        stores.clock.advance(Duration::from_secs(30));
        assert!(!stores.client.is_empty(), "seed {seed}: the next has a ticket");
    }
}

#[test] // RFC 9147 §5.6
fn any_single_datagram_of_such_a_handshake_may_get_lost() {
    let policies = [CookiePolicy::Off, CookiePolicy::ExceptEarlyData];
    for (side, policy) in Side::BOTH.iter().flat_map(|side| policies.map(|policy| (*side, policy))) {
        for index in 0..6 {
            let Acquainted { client, server, .. } = acquainted(Resumption::Ticket);
            let mut sim = Sim::new(1).cookies(policy);
            sim.drop_nth(side, index);
            let (pair, came) = {
                let pair = sim.connect(client, server);
                sim.send_early(pair, b"early").expect("the session allows it");
                sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
                sim.run_for(Duration::from_secs(2));
                (pair, sim.early_data(pair).len())
            };
            // With the hello early data is lost, which nobody waits for yet; it is never sent again.
            let lost = side == Side::Client && index < 2;
            assert_eq!((answer(&sim, pair), came), (TAKEN.answer, usize::from(!lost)), "{side:?} {index}");
            let sent = sim.sent_by(pair, Side::Client).filter(|sent| is_early(sent)).count();
            assert_eq!(sent, 1, "{side:?} {index}");
        }
    }
}

#[test] // RFC 9147 §5.6
fn what_is_late_is_not_taken_any_more() {
    let Acquainted { client, server, .. } = acquainted(Resumption::Ticket);
    let mut sim = Sim::new(1).without_cookies();
    sim.drop_if(is_early);
    let (pair, came) = come(&mut sim, &client, &server);
    assert_eq!(came, Came { early_data: 0, ..TAKEN });
    let late = sim.sent_by(pair, Side::Client).find(|sent| is_early(sent)).expect("it was sent").bytes.clone();
    sim.inject(pair, Side::Server, late);
    assert!(sim.early_data(pair).is_empty() && sim.received(pair, Side::Server).len() == 1);
    assert_eq!(discards(&sim, pair, Discard::UnknownEpoch), 1);
}

#[test] // RFC 9846 §7.5, RFC 9850 §2
fn both_sides_export_the_same_early_keys_and_log_the_same_early_secrets() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let taps: [Arc<Wiretap>; 2] = Default::default();
    let client = client_builder(1, &stores).with_early_data().with_key_log(taps[0].clone());
    let server = server_builder(2, &stores).with_early_data(MAX, memory(&stores)).with_key_log(taps[1].clone());
    let client = Arc::new(client.build().expect("a client"));
    let server = Arc::new(server.build().expect("a server"));
    let mut sim = Sim::new(1).without_cookies();
    let export = |sim: &Sim, pair, side, label: &[u8], early: bool| {
        let mut out = [0; 32];
        let connection = sim.connection(pair, side).expect("a connection");
        let exported = match early {
            true => connection.export_early_keying_material(label, b"context", &mut out),
            false => connection.export_keying_material(label, Some(b"context"), &mut out),
        };
        exported.map(|()| out)
    };
    let pair = sim.connect(Arc::clone(&client), Arc::clone(&server));
    assert_eq!(export(&sim, pair, Side::Client, b"label", true), Err(ExportError::NoEarlyData));
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
    sim.run_for(Duration::from_secs(1));
    let labels = ["CLIENT_EARLY_TRAFFIC_SECRET", "EARLY_EXPORTER_SECRET"];
    assert!(taps.iter().all(|tap| labels.iter().all(|label| tap.secret(label).is_none())));

    let pair = sim.connect(client, server);
    let ours = export(&sim, pair, Side::Client, b"label", true).expect("early data is possible");
    sim.run_for(Duration::from_millis(10));
    assert_eq!(export(&sim, pair, Side::Server, b"label", true), Ok(ours));
    assert_ne!(export(&sim, pair, Side::Server, b"other", true), Ok(ours));
    let reserved = export(&sim, pair, Side::Client, b"master secret", true);
    assert_eq!(reserved, Err(ExportError::ReservedLabel));
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
    assert_ne!(export(&sim, pair, Side::Client, b"label", false), Ok(ours));
    for side in Side::BOTH {
        assert_eq!(export(&sim, pair, side, b"label", true), Err(ExportError::NoEarlyData), "it is over");
    }
    for label in labels {
        assert!(taps[0].secret(label).is_some(), "{label}");
        assert_eq!(taps[0].secret(label), taps[1].secret(label));
    }
}

#[test] // RFC 9846 §4.3.10
fn early_data_goes_with_or_without_a_key_exchange() {
    use gramseal_proto::config::ResumedKeyExchange;
    let Acquainted { client, server, .. } = acquainted_with(
        Resumption::Ticket,
        |builder| builder.with_resumed_key_exchange(ResumedKeyExchange::Optional),
        |builder| builder.with_resumed_key_exchange(ResumedKeyExchange::Optional),
    );
    let mut sim = Sim::new(1).without_cookies();
    let (pair, came) = come(&mut sim, &client, &server);
    assert_eq!(came, TAKEN);
    let group = sim.connection(pair, Side::Client).and_then(|client| client.negotiated()).expect("connected").group;
    assert_eq!(group, None::<NamedGroup>);
}
