//! A server with a hundred clients that talk to it, and whoever else sends it something.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ConnectionIds, ServerConfig};
use gramseal_proto::endpoint::{Endpoint, EndpointConfig, Limits, Route};
use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::{Connection, Event, Instant};
use gramseal_testkit::null::{self, ToyKind};

use super::junk::Junk;

pub(crate) const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];

/// Clients that nothing shall disturb.
pub(crate) const CLIENTS: usize = 100;

/// Where the server is.
const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 4433);

pub(crate) struct Site {
    pub(crate) now: Instant,
    pub(crate) endpoint: Endpoint<usize>,
    pub(crate) served: BTreeMap<usize, Connection>,
    config: Arc<ServerConfig>,
    next_key: usize,
    pub(crate) clients: Vec<Client>,
    /// Datagrams to the server, and from it to one of the clients.
    arrivals: VecDeque<(SocketAddr, Vec<u8>)>,
    answers: VecDeque<(SocketAddr, Vec<u8>)>,
    reply: Vec<u8>,
    /// Comes before each datagram, in the name of its sender.
    pub(crate) forged: Option<Junk>,
    /// Bytes that went to addresses which are none of the clients'.
    pub(crate) to_strangers: usize,
    /// The last datagram of those.
    pub(crate) last_to_strangers: Vec<u8>,
}

pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) connection: Connection,
    received: Vec<u8>,
}

/// The address of a client, in a network of its own.
fn client_address(number: usize) -> SocketAddr {
    let number = u8::try_from(number).expect("few clients");
    SocketAddr::from(([192, 168, number, 1], 5000))
}

/// Somebody else's, one of very many.
pub(crate) fn stranger(number: u64) -> SocketAddr {
    let [.., a, b, c] = number.to_be_bytes();
    SocketAddr::from(([10, a, b, c], 6000))
}

pub(crate) fn server_config() -> Arc<ServerConfig> {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 300);
    let config = null::server_config(3, identity).with_versions(&VERSIONS);
    Arc::new(config.with_connection_ids(ConnectionIds::random()).build().expect("a configuration"))
}

/// Every version with and without connection ids.
fn client_config(number: usize) -> Arc<ClientConfig> {
    let config = null::client_config(number as u64).with_versions(&[VERSIONS[number % 2]]);
    let cids = if number % 4 < 2 { ConnectionIds::Peers } else { ConnectionIds::Off };
    Arc::new(config.with_connection_ids(cids).build().expect("a configuration"))
}

/// A client that has sent nothing yet.
pub(crate) fn client(number: usize, now: Instant) -> Connection {
    let name = null::SERVER_NAME.try_into().expect("a DNS name");
    Connection::client(client_config(number), name, now).expect("a client begins")
}

/// The first hello of a client: 1.3 if the number is even, else 1.2.
pub(crate) fn first_hello(number: usize, now: Instant) -> Vec<u8> {
    let mut datagram = Vec::new();
    assert!(client(number, now).poll_transmit(now, &mut datagram));
    datagram
}

impl Site {
    /// With all clients connected.
    pub(crate) fn new(limits: Limits) -> Self {
        let config = server_config();
        let endpoint = EndpointConfig::server(Arc::clone(&config)).expect("the null provider has all it takes");
        let mut site = Self {
            now: Instant::from_micros(1_000_000),
            endpoint: Endpoint::new(endpoint.with_limits(limits)),
            served: BTreeMap::new(),
            config,
            next_key: 0,
            clients: Vec::new(),
            arrivals: VecDeque::new(),
            answers: VecDeque::new(),
            reply: Vec::with_capacity(2048),
            forged: None,
            to_strangers: 0,
            last_to_strangers: Vec::with_capacity(2048),
        };
        for _ in 0..CLIENTS {
            let number = site.add_client();
            assert!(site.clients[number].connection.is_connected());
        }
        // Nothing of the handshakes is on its way any more.
        site.pass(Duration::from_secs(300));
        site.exchange_all();
        site
    }

    /// Starts another client, and lets it connect as far as it can without waiting.
    pub(crate) fn add_client(&mut self) -> usize {
        let number = self.clients.len();
        let connection = client(number, self.now);
        self.clients.push(Client { address: client_address(number), connection, received: Vec::new() });
        self.drain_client(number);
        self.settle();
        number
    }

    /// A datagram comes to the server.
    pub(crate) fn server_receives(&mut self, from: SocketAddr, datagram: &mut [u8]) {
        let mut reply = std::mem::take(&mut self.reply);
        match self.endpoint.route(self.now, from, datagram, &mut reply) {
            Route::Connection(key) => {
                if !reply.is_empty() {
                    self.answer(from, &reply);
                }
                self.connection_receives(key, from, datagram);
            }
            Route::Either { current, successor } => {
                for key in [current, successor] {
                    self.connection_receives(key, from, &mut datagram.to_vec());
                }
            }
            Route::Incoming(incoming) => {
                self.next_key += 1;
                let connection = incoming.accept(Arc::clone(&self.config), self.now);
                if let Some(replaced) = self.endpoint.insert(from, self.next_key).replaced {
                    self.served.remove(&replaced);
                }
                self.served.insert(self.next_key, connection);
                self.drain_served(self.next_key);
            }
            Route::Reply => self.answer(from, &reply),
            Route::Kept | Route::Discard(_) => {}
        }
        self.reply = reply;
    }

    /// A connection of the server takes a datagram, and sends every payload back.
    fn connection_receives(&mut self, key: usize, from: SocketAddr, datagram: &mut [u8]) {
        let Some(connection) = self.served.get_mut(&key) else { return };
        let payloads = connection.handle_datagram_from(self.now, from, datagram).map(|payload| payload.to_vec());
        let payloads: Vec<Vec<u8>> = payloads.collect();
        for payload in payloads {
            let sealed = seal(connection, &payload);
            self.answers.push_back((from, sealed));
        }
        self.drain_served(key);
    }

    fn answer(&mut self, to: SocketAddr, datagram: &[u8]) {
        if self.client_at(to).is_some() {
            self.answers.push_back((to, datagram.to_vec()));
        } else {
            self.to_strangers += datagram.len();
            self.last_to_strangers.clear();
            self.last_to_strangers.extend_from_slice(datagram);
        }
    }

    fn client_at(&self, address: SocketAddr) -> Option<usize> {
        self.clients.iter().position(|client| client.address == address)
    }

    fn drain_served(&mut self, key: usize) {
        let Some(connection) = self.served.get_mut(&key) else { return };
        let peer = connection.peer().expect("its hello came from there");
        let mut datagrams = Vec::new();
        let mut datagram = Vec::new();
        while connection.poll_transmit(self.now, &mut datagram) {
            datagrams.push(std::mem::take(&mut datagram));
        }
        let mut closed = false;
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Connected => assert_eq!(self.endpoint.establish(peer, key), None),
                Event::CidIssued(cid) => self.endpoint.add_cid(peer, key, cid).expect("nobody else has it"),
                Event::CidRetired(cid) => self.endpoint.remove_cid(peer, key, &cid),
                Event::Closed(_) => closed = true,
                _ => {}
            }
        }
        if closed {
            self.endpoint.remove(peer, key);
            self.served.remove(&key);
        }
        datagrams.iter().for_each(|datagram| self.answer(peer, datagram));
    }

    fn drain_client(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let mut datagram = Vec::new();
        while client.connection.poll_transmit(self.now, &mut datagram) {
            self.arrivals.push_back((client.address, std::mem::take(&mut datagram)));
        }
        while let Some(event) = client.connection.poll_event() {
            assert!(!matches!(event, Event::Closed(_)), "client {number} notices: {event:?}");
        }
    }

    /// A datagram comes to a client, from the server as it seems.
    pub(crate) fn client_receives(&mut self, number: usize, datagram: &mut [u8]) {
        let client = &mut self.clients[number];
        for payload in client.connection.handle_datagram_from(self.now, SERVER, datagram) {
            client.received.clear();
            client.received.extend_from_slice(payload);
        }
        self.drain_client(number);
    }

    /// Delivers what is on its way.
    pub(crate) fn settle(&mut self) {
        loop {
            if let Some((from, mut datagram)) = self.arrivals.pop_front() {
                self.forge(|site, forged| site.server_receives(from, forged));
                self.server_receives(from, &mut datagram);
            } else if let Some((to, mut datagram)) = self.answers.pop_front() {
                let number = self.client_at(to).expect("asked before");
                self.forge(|site, forged| site.client_receives(number, forged));
                self.client_receives(number, &mut datagram);
            } else {
                return;
            }
        }
    }

    /// Sends forged alerts and ACKs, if there shall be some.
    fn forge(&mut self, mut send: impl FnMut(&mut Self, &mut [u8])) {
        let Some(mut junk) = self.forged.take() else { return };
        for _ in 0..25 {
            send(self, junk.alert());
            send(self, junk.ack());
        }
        self.forged = Some(junk);
    }

    /// As much time passes as a datagram takes on a fast line; no timer is looked at.
    pub(crate) fn pass_quickly(&mut self) {
        self.now = self.now + Duration::from_micros(5);
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let due = |connection: &Connection| connection.poll_timeout().map(|(at, _)| at).filter(|at| *at <= end);
        loop {
            let served = self.served.iter().filter_map(|(key, connection)| Some((due(connection)?, *key))).min();
            let client = self.clients.iter().map(|client| due(&client.connection));
            let client = client.zip(0..).filter_map(|(at, number)| Some((at?, number))).min();
            match (served, client) {
                (Some((at, key)), client) if client.is_none_or(|(other, _)| at <= other) => {
                    self.now = self.now.max(at);
                    self.served.get_mut(&key).expect("just seen").handle_timeout(self.now);
                    self.drain_served(key);
                }
                (_, Some((at, number))) => {
                    self.now = self.now.max(at);
                    self.clients[number].connection.handle_timeout(self.now);
                    self.drain_client(number);
                }
                (_, None) => break,
            }
            self.settle();
        }
        self.now = end;
    }

    /// One client asks and hears the answer, at once.
    pub(crate) fn exchange(&mut self, number: usize) {
        let payload = self.now.as_micros().to_be_bytes();
        let client = &mut self.clients[number];
        let mut sealed = seal(&mut client.connection, &payload);
        let address = client.address;
        self.server_receives(address, &mut sealed);
        self.settle();
        assert_eq!(self.clients[number].received, payload, "client {number} notices");
    }

    pub(crate) fn exchange_all(&mut self) {
        (0..self.clients.len()).for_each(|number| self.exchange(number));
    }

    /// Whether nobody had to repeat anything since these counts.
    pub(crate) fn repeated(&self) -> u32 {
        let clients = self.clients.iter().map(|client| &client.connection);
        clients.chain(self.served.values()).map(|connection| connection.stats().retransmissions).sum()
    }
}

pub(crate) fn seal(connection: &mut Connection, payload: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0; connection.sealed_len(payload.len())];
    let len = connection.seal(payload, &mut datagram).expect("connected");
    datagram.truncate(len);
    datagram
}
