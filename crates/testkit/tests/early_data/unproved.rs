//! Connections to addresses that are not proved (RFC 9147 §5.1): how many there are, whatever one ticket is good for.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_proto::endpoint::{CookiePolicy, Endpoint, EndpointConfig, Incoming, Route};
use gramseal_proto::session::{AntiReplayCache, CONTEXT_LEN, ClientSessionStore, Session};
use gramseal_proto::{Connection, Instant};
use gramseal_testkit::null;
use gramseal_testkit::sessions::{Clock, Resumption, Stores};
use gramseal_testkit::sim::Sim;
use pki_types::UnixTime;

use super::{MAX, PATIENCE, VERSIONS, server_builder};

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
    let (mut connections, mut number) = (VecDeque::new(), 0);
    let mut come = |connections: &mut VecDeque<(Connection, Connection)>| {
        let (client, hello) = forger.begin();
        number += 1;
        let Some(incoming) = let_in(&mut endpoint, number, &hello) else { return false };
        connections.push_back((client, incoming.accept(Arc::clone(&forger.server), NOW)));
        let _ = endpoint.insert(peer(number), number);
        true
    };
    for _ in 0..1024 {
        assert!(come(&mut connections));
    }
    assert!(!come(&mut connections) && !come(&mut connections));
    // One that ends makes room for one.
    connections.pop_front();
    assert!(come(&mut connections) && !come(&mut connections));
    // And so does one that turns out to be there.
    let (mut client, mut server) = connections.pop_front().expect("many");
    let mut datagram = Vec::new();
    while !server.is_connected() {
        while server.poll_transmit(NOW, &mut datagram) {
            drop(client.handle_datagram(NOW, &mut datagram));
        }
        while client.poll_transmit(NOW, &mut datagram) {
            drop(server.handle_datagram(NOW, &mut datagram));
        }
    }
    assert!(come(&mut connections) && !come(&mut connections));
}

#[test]
fn a_hello_that_cannot_wait_does_not_use_its_early_data_up() {
    let forger = Forger::new();
    let mut endpoint = forger.endpoint(|config| config.with_incoming_limit(1));
    let [(_, first), (_, second)] = [(); 2].map(|()| forger.begin());
    let waiting = let_in(&mut endpoint, 1, &first).expect("room for one");
    assert!(let_in(&mut endpoint, 2, &second).is_none(), "a cookie costs no room");
    endpoint.refuse(waiting);
    assert!(let_in(&mut endpoint, 2, &second).is_some());
}
