//! Our side: one connection on a socket of its own, driven by the thread that waits for something.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use gramseal_proto::config::{ClientConfig, ClientConfigBuilder, ServerConfig, ServerConfigBuilder};
use gramseal_proto::endpoint::{CookiePolicy, Endpoint, EndpointConfig, EndpointStats, Route};
use gramseal_proto::pki_types::ServerName;
use gramseal_proto::wire::KeyUpdateRequest;
use gramseal_proto::{
    ClientAnswer, CloseReason, Connection, EarlyDataAnswer, Event, ImageKey, Instant, Negotiated, NotMovable,
};

use crate::network::{Network, Weather};
use crate::{PATIENCE, Process, Watch, provider};

/// How long [`Node::run_for`] waits before the caller tries again.
const A_WHILE: Duration = Duration::from_millis(1500);

/// The key of the one connection.
const KEY: u8 = 0;

/// What images are sealed with.
fn image_key() -> ImageKey {
    ImageKey::new(provider(), &[7; ImageKey::LEN]).expect("a provider that has it all")
}

/// Our side of a test.
#[derive(Debug)]
pub struct Node {
    network: Network,
    endpoint: Endpoint<u8>,
    client: Option<Arc<ClientConfig>>,
    server: Option<Arc<ServerConfig>>,
    connection: Option<Connection>,
    peer: Option<SocketAddr>,
    watch: Watch,
    received: Vec<Vec<u8>>,
    early_data: Vec<Vec<u8>>,
    answer: Option<EarlyDataAnswer>,
    connected: bool,
    closed: Option<CloseReason>,
    client_answers: Vec<ClientAnswer>,
    junk: Vec<Vec<u8>>,
    latest: Vec<u8>,
    datagram: Vec<u8>,
}

impl Node {
    /// A client of the server called `name` at `peer`.
    ///
    /// # Panics
    /// If the configuration cannot work.
    #[must_use]
    pub fn client(config: ClientConfigBuilder, name: &str, peer: SocketAddr, weather: Weather) -> Self {
        let watch = Watch::default();
        let config = config.with_key_log(Arc::new(watch.clone())).with_trace(Arc::new(watch.clone()));
        let config = Arc::new(config.build().expect("a configuration that works"));
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut node = Self::new(EndpointConfig::client(), None, watch, weather);
        let mut connection = Connection::client(Arc::clone(&config), name, Instant::now()).expect("random bytes");
        connection.set_peer(peer);
        node.client = Some(config);
        assert_eq!(node.endpoint.insert(peer, KEY).replaced, None);
        node.connection = Some(connection);
        node.peer = Some(peer);
        node.drain();
        node
    }

    /// A server that waits for one client.
    ///
    /// # Panics
    /// If the configuration cannot work.
    #[must_use]
    pub fn server(config: ServerConfigBuilder, cookies: CookiePolicy, weather: Weather) -> Self {
        let watch = Watch::default();
        let config = config.with_key_log(Arc::new(watch.clone())).with_trace(Arc::new(watch.clone()));
        let config = Arc::new(config.build().expect("a configuration that works"));
        let endpoint = EndpointConfig::server(Arc::clone(&config)).expect("random bytes").with_cookie_policy(cookies);
        Self::new(endpoint, Some(config), watch, weather)
    }

    fn new(endpoint: EndpointConfig, server: Option<Arc<ServerConfig>>, watch: Watch, weather: Weather) -> Self {
        Self {
            network: Network::new(weather),
            endpoint: Endpoint::new(endpoint),
            client: None,
            server,
            connection: None,
            peer: None,
            watch,
            received: Vec::new(),
            early_data: Vec::new(),
            answer: None,
            connected: false,
            closed: None,
            client_answers: Vec::new(),
            junk: Vec::new(),
            latest: Vec::new(),
            datagram: Vec::new(),
        }
    }

    /// From now on, every datagram from the peer comes after all of `junk`, with its address.
    pub fn add_junk(&mut self, junk: Vec<u8>) {
        self.junk.push(junk);
    }

    /// Where the peer finds us.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.network.local_addr()
    }

    /// The connection.
    ///
    /// # Panics
    /// If there is none yet.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("there is a connection")
    }

    /// What the handshake agreed on.
    ///
    /// # Panics
    /// If it is not connected.
    #[must_use]
    pub fn agreed(&self) -> &Negotiated {
        self.connection().negotiated().expect("connected")
    }

    /// What it showed.
    #[must_use]
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Counters of the endpoint.
    #[must_use]
    pub fn endpoint_stats(&self) -> &EndpointStats {
        self.endpoint.stats()
    }

    /// How many datagrams the weather took.
    #[must_use]
    pub fn lost(&self) -> u32 {
        self.network.lost
    }

    /// How many datagrams went out and how many came in so far, lost ones among them.
    #[must_use]
    pub fn moved(&self) -> [u32; 2] {
        self.network.moved
    }

    /// The datagram that came last, as it came.
    #[must_use]
    pub fn latest(&self) -> &[u8] {
        &self.latest
    }

    /// Whether the handshake finished.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Why the association ended, if it did.
    #[must_use]
    pub fn closed(&self) -> Option<&CloseReason> {
        self.closed.as_ref()
    }

    /// Whether a payload with `text` in it came.
    #[must_use]
    pub fn received(&self, text: &str) -> bool {
        self.received.iter().any(|payload| String::from_utf8_lossy(payload).contains(text))
    }

    /// Sends application data.
    ///
    /// # Panics
    /// If the connection cannot.
    pub fn send(&mut self, payload: &[u8]) {
        let connection = self.connection.as_mut().expect("there is a connection");
        let mut datagram = vec![0; connection.sealed_len(payload.len())];
        let length = connection.seal(payload, &mut datagram).expect("a connection that can send");
        let peer = self.peer.expect("a connection has a peer");
        self.network.send(peer, &datagram[..length]);
    }

    /// Sends early data, as client.
    ///
    /// # Panics
    /// If the connection cannot.
    pub fn send_early(&mut self, payload: &[u8]) {
        let connection = self.connection.as_mut().expect("there is a connection");
        let mut datagram = vec![0; connection.sealed_early_len(payload.len())];
        let length = connection.seal_early(payload, &mut datagram).expect("a session that allows it");
        let peer = self.peer.expect("a connection has a peer");
        self.network.send(peer, &datagram[..length]);
    }

    /// The early data that came, as server.
    #[must_use]
    pub fn early_data(&self) -> &[Vec<u8>] {
        &self.early_data
    }

    /// What the server said of our early data.
    #[must_use]
    pub fn early_data_answer(&self) -> Option<EarlyDataAnswer> {
        self.answer
    }

    /// Changes our keys and asks for new ones of the peer's (1.3).
    ///
    /// # Panics
    /// If the connection cannot.
    pub fn update_keys(&mut self) {
        let connection = self.connection.as_mut().expect("there is a connection");
        connection.update_keys(KeyUpdateRequest::Requested).expect("connected with 1.3");
        self.drain();
    }

    /// Lets the connection do something, and sends what follows.
    ///
    /// # Panics
    /// If there is no connection yet.
    pub fn act<T>(&mut self, what: impl FnOnce(&mut Connection) -> T) -> T {
        let done = what(self.connection.as_mut().expect("there is a connection"));
        self.drain();
        done
    }

    /// Asks the client for a certificate (1.3).
    ///
    /// # Panics
    /// If the connection cannot.
    pub fn authenticate_client(&mut self) {
        let connection = self.connection.as_mut().expect("there is a connection");
        connection.authenticate_client().expect("a client that can be asked");
        self.drain();
    }

    /// How the client has answered so far.
    #[must_use]
    pub fn client_answers(&self) -> &[ClientAnswer] {
        &self.client_answers
    }

    /// An image of the connection, as soon as nothing is under way that has none; it reserves `records`.
    ///
    /// # Panics
    /// If there is none in time.
    pub fn checkpoint(&mut self, process: &Process, records: u64) -> Vec<u8> {
        let mut made = None;
        self.run_until_movable(process, |connection| {
            made = Some(connection.checkpoint(&image_key(), &[], records, Instant::now())?);
            Ok(())
        });
        let made = made.expect("waited for it");
        if let Some(connection) = &mut self.connection {
            connection.checkpoint_stored(&made);
        }
        self.drain();
        made.image().to_vec()
    }

    /// Goes on from an image of the connection, with nothing of what this process has in memory.
    ///
    /// # Panics
    /// If the image is not what it was.
    pub fn recover(&mut self, image: &[u8]) {
        let now = Instant::now();
        let imported = match (&self.client, &self.server) {
            (Some(config), _) => Connection::import_client(Arc::clone(config), &image_key(), image, now),
            (None, Some(config)) => Connection::import_server(Arc::clone(config), &image_key(), image, now),
            (None, None) => panic!("neither client nor server"),
        };
        let mut connection = imported.expect("an image of this connection").connection;
        // Another process has another endpoint.
        let peer = self.peer.expect("a connection has a peer");
        connection.set_peer(peer);
        self.connection = Some(connection);
        self.endpoint.remove(peer, KEY);
        assert_eq!(self.endpoint.insert(peer, KEY).replaced, None);
        self.drain();
    }

    /// Moves the connection as if to another process, as soon as nothing is under way that does not move.
    ///
    /// # Panics
    /// If that takes too long.
    pub fn change_process(&mut self, process: &Process) {
        let mut image = Vec::new();
        self.run_until_movable(process, |connection| {
            image = connection.export(&image_key(), &[], Instant::now())?;
            Ok(())
        });
        self.recover(&image);
    }

    /// There is no image any more.
    pub fn end_checkpoints(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.end_checkpoints();
        }
        self.drain();
    }

    fn run_until_movable(
        &mut self,
        process: &Process,
        mut action: impl FnMut(&mut Connection) -> Result<(), NotMovable>,
    ) {
        let started = Clock::now();
        loop {
            match action(self.connection.as_mut().expect("there is a connection")) {
                Ok(()) => return,
                Err(NotMovable::LastFlight | NotMovable::MessageInPart) if started.elapsed() < PATIENCE => self.step(),
                Err(error) => panic!("{error}: {}; {}", self.state(), process.transcript()),
            }
        }
    }

    /// Closes in good order.
    pub fn close(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close();
        }
        self.drain();
    }

    /// Forgets the connection that has ended, as server: the next client is welcome.
    ///
    /// # Panics
    /// If it has not ended.
    pub fn next(&mut self) {
        assert!(self.server.is_some() && self.closed.is_some(), "{}", self.state());
        if let Some(peer) = self.peer.take() {
            self.endpoint.remove(peer, KEY);
        }
        (self.connection, self.closed, self.connected) = (None, None, false);
        self.received.clear();
        self.early_data.clear();
        self.watch.clear();
    }

    /// Works until `done`; the failure message shows what `process` said.
    ///
    /// # Panics
    /// If that takes too long, or the association ends before.
    pub fn run_until(&mut self, what: &str, process: &Process, mut done: impl FnMut(&Self) -> bool) {
        let started = Clock::now();
        while !done(self) {
            if started.elapsed() > PATIENCE {
                panic!("waiting for {what}: {}; {}", self.state(), process.transcript());
            }
            self.step();
        }
    }

    /// Where it is, for messages.
    #[must_use]
    pub fn state(&self) -> String {
        let stats = self.connection.as_ref().map(Connection::stats);
        format!("closed: {:?}\n{stats:?}\n{:?}\n{}", self.closed, self.endpoint.stats(), self.watch.log())
    }

    /// Works for a while, or until `done`, and says whether it is.
    pub fn run_for(&mut self, mut done: impl FnMut(&Self) -> bool) -> bool {
        let started = Clock::now();
        while !done(self) {
            if started.elapsed() > A_WHILE {
                return false;
            }
            self.step();
        }
        true
    }

    /// Works until the association has ended and says why.
    ///
    /// # Panics
    /// If that takes too long.
    pub fn run_to_end(&mut self, process: &Process) -> CloseReason {
        self.run_until("the end", process, |node| node.closed.is_some());
        self.closed.clone().expect("waited for it")
    }

    /// One datagram or one moment.
    fn step(&mut self) {
        if let Some((peer, mut datagram)) = self.network.receive() {
            for mut junk in self.junk.clone() {
                self.datagram_from(peer, &mut junk);
            }
            self.datagram_from(peer, &mut datagram);
        }
        if let Some(connection) = &mut self.connection {
            let now = Instant::now();
            if connection.poll_timeout().is_some_and(|(due, _)| due <= now) {
                connection.handle_timeout(now);
            }
        }
        self.drain();
    }

    fn datagram_from(&mut self, peer: SocketAddr, datagram: &mut [u8]) {
        let now = Instant::now();
        self.latest = datagram.to_vec();
        let mut reply = Vec::new();
        match self.endpoint.route(now, peer, datagram, &mut reply) {
            Route::Connection(_) | Route::Either { .. } => {
                if !reply.is_empty() {
                    self.network.send(peer, &reply);
                }
                let connection = self.connection.as_mut().expect("its key came from here");
                let payloads = connection.handle_datagram_from(now, peer, datagram);
                self.received.extend(payloads.map(|payload| payload.to_vec()));
            }
            Route::Incoming(incoming) => {
                let config = self.server.clone().expect("only servers accept");
                let mut connection = incoming.accept(config, now);
                // The newest is the only one that is kept.
                self.endpoint.remove(peer, KEY);
                for mut early in self.endpoint.insert(peer, KEY).early_data {
                    drop(connection.handle_datagram(now, &mut early));
                }
                self.connection = Some(connection);
                self.peer = Some(peer);
            }
            Route::Reply => self.network.send(peer, &reply),
            Route::Kept | Route::Discard(_) => {}
        }
        self.drain();
    }

    fn drain(&mut self) {
        let (Some(connection), Some(peer)) = (&mut self.connection, self.peer) else { return };
        while connection.poll_transmit(Instant::now(), &mut self.datagram) {
            self.network.send(connection.peer().unwrap_or(peer), &self.datagram);
        }
        while let Some(to) = connection.poll_transmit_to(&mut self.datagram) {
            self.network.send(to, &self.datagram);
        }
        self.early_data.extend(std::iter::from_fn(|| connection.poll_early_data()));
        while let Some(event) = connection.poll_event() {
            match event {
                Event::EarlyData(answer) => self.answer = Some(answer),
                Event::Connected => self.connected = true,
                Event::ClientAnswered(answer) => self.client_answers.push(answer),
                Event::CheckpointDue | Event::MtuChanged(_) => {}
                Event::CidIssued(cid) => self.endpoint.add_cid(peer, KEY, cid).expect("nobody else has it"),
                Event::CidRetired(cid) => self.endpoint.remove_cid(peer, KEY, &cid),
                Event::PeerMoved(to) => {
                    assert!(self.endpoint.move_peer(peer, to, KEY), "nobody else is there");
                    self.peer = Some(to);
                }
                // Who does not follow has nothing to do with it.
                Event::PeerElsewhere(_) => {}
                Event::Closed(reason) => self.closed = Some(reason),
                other => panic!("a new kind of event: {other:?}"),
            }
        }
    }
}
