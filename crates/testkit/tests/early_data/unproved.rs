//! Connections to addresses that are not proved (RFC 9147 §5.1): how many there are, whatever one ticket is good for.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_proto::endpoint::{CookiePolicy, Endpoint, EndpointConfig, HandshakeRate, Incoming, Limits, Route};
use gramseal_proto::session::{AntiReplayCache, CONTEXT_LEN, ClientSessionStore, ServerSessionStore, Session};
use gramseal_proto::{Connection, Instant};
use gramseal_testkit::null;
use gramseal_testkit::sessions::{Clock, Resumption, Stores};
use gramseal_testkit::sim::Sim;
use pki_types::UnixTime;

use super::replays::{first_flight, taken};
use super::{MAX, PATIENCE, VERSIONS, acquainted, memory, server_builder};

const NOW: Instant = Instant::from_micros(1_000_000);

/// The latest session.
#[derive(Debug)]
struct Latest(Clock, Mutex<Option<Session>>);

impl ClientSessionStore for Latest {
    fn now(&self) -> UnixTime {
        self.0.now()
    }

    fn take(&self, _: &str, _: &[u8; CONTEXT_LEN]) -> Option<Session> {
        self.1.lock().expect("no test panics").take()
    }

    fn put(&self, session: Session) {
        *self.1.lock().expect("no test panics") = Some(session);
    }
}

/// A client that offers one ticket as often as it likes.
struct Forger {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    store: Arc<Latest>,
    session: Session,
}

impl Forger {
    fn new() -> Self {
        let stores = Stores::new(Some(Resumption::Ticket));
        let store = Arc::new(Latest(stores.clock.clone(), Mutex::new(None)));
        let client = null::client_config(1).with_session_store(store.clone()).with_session_context("test");
        let client = Arc::new(client.with_versions(&VERSIONS).with_early_data().build().expect("a client"));
        let memory = Arc::new(AntiReplayCache::new(4000, stores.clock.now()));
        let server = Arc::new(server_builder(2, &stores).with_early_data(MAX, memory).build().expect("a server"));
        let mut sim = Sim::new(1).without_cookies();
        let pair = sim.connect(Arc::clone(&client), Arc::clone(&server));
        sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
        sim.run_for(PATIENCE);
        let session = store.take("", &[0; CONTEXT_LEN]).expect("a ticket");
        Self { client, server, store, session }
    }

    fn endpoint(&self, change: impl FnOnce(EndpointConfig) -> EndpointConfig) -> Endpoint<u32> {
        let config = EndpointConfig::server(Arc::clone(&self.server)).expect("the null provider has all it takes");
        Endpoint::new(change(config.with_cookie_policy(CookiePolicy::ExceptEarlyData)))
    }

    /// A client that begins, and its hello.
    fn begin(&self) -> (Connection, Vec<u8>) {
        self.store.put(self.session.clone());
        let name = null::SERVER_NAME.try_into().expect("a DNS name");
        let mut client =
            Connection::client(Arc::clone(&self.client), name, NOW).expect("the null provider never fails");
        let mut hello = Vec::new();
        assert!(client.poll_transmit(NOW, &mut hello));
        (client, hello)
    }
}

fn peer(number: u32) -> SocketAddr {
    (Ipv4Addr::from(0x0a00_0000 | number), 5000).into()
}

/// `None` if a cookie is asked for.
fn let_in(endpoint: &mut Endpoint<u32>, number: u32, hello: &[u8]) -> Option<Incoming> {
    match endpoint.route(NOW, peer(number), hello, &mut Vec::new()) {
        Route::Incoming(incoming) => Some(incoming),
        Route::Reply => None,
        other => panic!("{other:?}"),
    }
}

#[test] // RFC 9147 §5.1
fn connections_without_a_proved_address_are_few_and_the_rest_needs_a_cookie() {
    let forger = Forger::new();
    let mut endpoint = forger.endpoint(|config| config);
    let mut number = 0;
    let mut come = |endpoint: &mut Endpoint<u32>| {
        let (_, hello) = forger.begin();
        number += 1;
        if let_in(endpoint, number, &hello).is_none() {
            return false;
        }
        let _ = endpoint.insert(peer(number), number);
        true
    };
    for _ in 0..1024 {
        assert!(come(&mut endpoint));
    }
    assert!(!come(&mut endpoint) && !come(&mut endpoint));
    // One that ends makes room for one.
    endpoint.remove(peer(1), 1);
    assert!(come(&mut endpoint) && !come(&mut endpoint));
    // And so does one that turns out to be there.
    assert_eq!(endpoint.establish(peer(2), 2), None);
    assert!(come(&mut endpoint) && !come(&mut endpoint));
    assert_eq!(endpoint.half_open(), 1024);
}

#[test]
fn of_few_connections_those_without_a_proved_address_take_half() {
    let forger = Forger::new();
    let mut endpoint = forger.endpoint(|config| config.with_limits(Limits { connections: 3, ..Limits::default() }));
    for number in [1, 2] {
        let (_, hello) = forger.begin();
        assert!(let_in(&mut endpoint, number, &hello).is_some());
        let _ = endpoint.insert(peer(number), number);
    }
    let (_, hello) = forger.begin();
    assert!(let_in(&mut endpoint, 3, &hello).is_none(), "a cookie is asked for");
}

#[test]
fn who_turns_out_to_be_there_has_begun_a_handshake_like_others() {
    let forger = Forger::new();
    let rate = HandshakeRate { per_second: 1, burst: 1 };
    let limits = Limits { handshake_rate: Some(rate), ..Limits::default() };
    let mut endpoint = forger.endpoint(|config| config.with_limits(limits));
    let come = |endpoint: &mut Endpoint<u32>, number| {
        let (_, hello) = forger.begin();
        let came = let_in(endpoint, number, &hello).is_some();
        let _ = endpoint.insert(peer(number), number);
        came
    };
    assert!(come(&mut endpoint, 1) && come(&mut endpoint, 2), "nobody knows who is there");
    assert_eq!(endpoint.establish(peer(1), 1), None);
    assert!(!come(&mut endpoint, 3) && come(&mut endpoint, 1 << 16), "another network is not concerned");
}

#[test]
fn a_hello_that_cannot_wait_does_not_use_its_early_data_up() {
    let forger = Forger::new();
    // The other half is for those who show a cookie.
    let mut endpoint = forger.endpoint(|config| config.with_limits(Limits { incoming: 2, ..Limits::default() }));
    let [(_, first), (_, second)] = [(); 2].map(|()| forger.begin());
    let waiting = let_in(&mut endpoint, 1, &first).expect("room for one");
    assert!(let_in(&mut endpoint, 2, &second).is_none(), "a cookie costs no room");
    let Route::Incoming(there) = with_cookie(&mut endpoint, peer(3)) else { panic!("room for another") };
    endpoint.ignore(waiting);
    endpoint.ignore(there);
    assert!(let_in(&mut endpoint, 2, &second).is_some());
}

/// Finds nothing, and counts how often it was asked.
#[derive(Debug)]
struct Asked(Clock, AtomicUsize);

impl ServerSessionStore for Asked {
    fn now(&self) -> UnixTime {
        self.0.now()
    }

    fn put(&self, _: &[u8], _: Session) {}

    fn get(&self, _: &[u8]) -> Option<Arc<Session>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        None
    }

    fn remove(&self, _: &[u8]) {}
}

#[test] // RFC 9846 §4.3.10
fn for_a_stranger_one_session_is_looked_up() {
    let acquainted = acquainted(Resumption::Id);
    let stores = &acquainted.stores;
    let store = Arc::new(Asked(stores.clock.clone(), AtomicUsize::new(0)));
    let server = server_builder(2, stores).with_session_store(store.clone()).with_early_data(MAX, memory(stores));
    let server = Arc::new(server.build().expect("a server"));
    let config = EndpointConfig::server(Arc::clone(&server)).expect("the null provider has all it takes");
    let mut endpoint = Endpoint::new(config.with_cookie_policy(CookiePolicy::ExceptEarlyData));
    let [hello, _] = &first_flight(&acquainted)[..] else { panic!("a hello and early data") };
    let hello = with_identities(hello, 3);
    assert!(let_in(&mut endpoint, 1, &hello).is_none());
    assert_eq!(store.1.load(Ordering::Relaxed), 1);
    // Where addresses are known to be good, it may offer more.
    assert!(taken(&server, &[hello]).is_empty());
    assert_eq!(store.1.load(Ordering::Relaxed), 1 + 3);
}

/// The hello with its one identity, which is an id, and its binder so many times.
fn with_identities(hello: &[u8], times: usize) -> Vec<u8> {
    const IDENTITY: usize = 2 + 32 + 4;
    const BINDER: usize = 1 + 32;
    let (front, psk) = hello.split_at(hello.len() - (2 + 2 + 2 + IDENTITY + 2 + BINDER));
    let (identity, binder) = (&psk[6..6 + IDENTITY], &psk[8 + IDENTITY..]);
    let length = |bytes: usize| u16::try_from(bytes).expect("short").to_be_bytes();
    let identities = [&length(times * IDENTITY)[..], &identity.repeat(times)].concat();
    let binders = [&length(times * BINDER)[..], &binder.repeat(times)].concat();
    let content = [identities, binders].concat();
    let mut hello = [front, &psk[..2], &length(content.len()), &content].concat();
    // Where the length of the extensions is: behind the version, the random and four lists.
    let mut at = 25 + 34;
    for width in [1, 1, 2, 1] {
        let len = hello[at..at + width].iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
        at += width + len;
    }
    let total = hello.len();
    for (at, rest) in [(at, at + 2), (11, 13), (14 + 1, 25), (23, 25)] {
        hello[at..at + 2].copy_from_slice(&length(total - rest));
    }
    hello
}

/// What becomes of a client that says hello and shows the cookie that it is asked for.
fn with_cookie(endpoint: &mut Endpoint<u32>, at: SocketAddr) -> Route<u32> {
    let client = Arc::new(null::client_config(7).with_versions(&VERSIONS).build().expect("a client"));
    let name = null::SERVER_NAME.try_into().expect("a DNS name");
    let mut client = Connection::client(client, name, NOW).expect("the null provider never fails");
    let (mut datagram, mut reply) = (Vec::new(), Vec::new());
    assert!(client.poll_transmit(NOW, &mut datagram));
    assert!(matches!(endpoint.route(NOW, at, &datagram, &mut reply), Route::Reply));
    drop(client.handle_datagram(NOW, &mut reply));
    assert!(client.poll_transmit(NOW, &mut datagram));
    endpoint.route(NOW, at, &datagram, &mut reply)
}

#[test]
fn who_forges_addresses_keeps_nobody_out_who_is_there() {
    let forger = Forger::new();
    let mut endpoint = forger.endpoint(|config| config);
    for number in 0..256 {
        let (_, hello) = forger.begin();
        assert!(let_in(&mut endpoint, number, &hello).is_some());
        // Some wait for the application, some have a connection.
        if number % 2 == 0 {
            let _ = endpoint.insert(peer(number), number);
        }
    }
    // In the same network, and really there.
    let route = with_cookie(&mut endpoint, (Ipv4Addr::new(10, 0, 0, 7), 6000).into());
    assert!(matches!(route, Route::Incoming(_)), "{route:?} {:?}", endpoint.stats().limits);
}
