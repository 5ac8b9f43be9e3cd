//! A network in a box: hosts, datagrams and time, all made up.
//!
//! Owns virtual time, the order of arrivals and what goes wrong on the way. Everything random
//! follows from one seed, so a run repeats exactly; a panic while a [`Sim`] lives prints the seed,
//! and `SIM_SEED=…` makes [`seeds`] return just that one. `SIM_SEEDS=3000` makes long tests longer. Never reads a clock or starts a thread.
//!
//! ```text
//! let mut sim = Sim::new(seed).loss(0.2).reorder(0.1).mtu(600);
//! let pair = sim.connect(client_config, server_config);
//! sim.run_until(|sim| sim.connected(pair), Duration::from_secs(180)).expect("both sides connect");
//! ```

mod host;
mod log;
mod network;
mod seeds;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_proto::endpoint::{CookiePolicy, Endpoint, EndpointStats};
use gramseal_proto::wire::handshake::KeyUpdateRequest;
use gramseal_proto::wire::{RecordHeader, Records};
use gramseal_proto::{
    AuthenticateClientError, CloseReason, Connection, Event, Instant, SendEarlyError, SendError, UpdateKeysError,
};
use pki_types::ServerName;

use self::host::{Host, Listener, Outgoing};
pub use self::log::{Sent, Stuck};
pub use self::network::{Conditions, Fate, Side};
pub use self::seeds::{REGRESSIONS, seed_count, seeds};
use crate::null::SERVER_NAME;
use crate::rng::Rng;

/// A client and a server that talk to each other in a [`Sim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair(usize);

/// An endpoint of a [`Sim`] that any number of clients can connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server(usize);

/// The simulated network with its hosts.
pub struct Sim {
    seed: u64,
    rng: Rng,
    now: Instant,
    cookies: CookiePolicy,
    conditions: [Conditions; 2],
    rules: Vec<Rule>,
    arrivals: BinaryHeap<Reverse<(Instant, usize, Arrival)>>,
    listeners: Vec<Listener>,
    /// The listener of each pair.
    servers: Vec<Server>,
    hosts: Vec<[Host; 2]>,
    /// Where the client of a pair is, if it has moved.
    moved: HashMap<Pair, SocketAddr>,
    timers: BTreeSet<(Instant, Pair, Side)>,
    /// A host that the caller may have changed.
    touched: Option<(Pair, Side)>,
    log: Vec<Sent>,
    numbers: HashSet<(Pair, Side, u64, u64)>,
}

/// Says of a datagram whether it shall be dropped.
type Rule = Box<dyn FnMut(&Sent) -> bool>;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Arrival {
    pair: Pair,
    to: Side,
    source: SocketAddr,
    destination: SocketAddr,
    bytes: Vec<u8>,
}

impl Sim {
    /// A perfect network (10 ms each way) whose chances follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rng: Rng::new(seed),
            now: Instant::from_micros(1_000_000),
            cookies: CookiePolicy::Required,
            conditions: [Conditions::default(), Conditions::default()],
            rules: Vec::new(),
            arrivals: BinaryHeap::new(),
            listeners: Vec::new(),
            servers: Vec::new(),
            hosts: Vec::new(),
            moved: HashMap::new(),
            timers: BTreeSet::new(),
            touched: None,
            log: Vec::new(),
            numbers: HashSet::new(),
        }
    }

    /// Loses datagrams with this probability.
    #[must_use]
    pub fn loss(self, probability: f64) -> Self {
        self.both(|conditions| conditions.loss = probability)
    }

    /// Lets later datagrams overtake one with this probability.
    #[must_use]
    pub fn reorder(self, probability: f64) -> Self {
        self.both(|conditions| conditions.reorder = probability)
    }

    /// Delivers datagrams twice with this probability.
    #[must_use]
    pub fn duplicate(self, probability: f64) -> Self {
        self.both(|conditions| conditions.duplicate = probability)
    }

    /// Flips bits in datagrams with this probability.
    #[must_use]
    pub fn corrupt(self, probability: f64) -> Self {
        self.both(|conditions| conditions.corrupt = probability)
    }

    /// How long datagrams take, one way.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        self.both(|conditions| conditions.delay = delay)
    }

    /// How much longer some take, at most.
    #[must_use]
    pub fn jitter(self, jitter: Duration) -> Self {
        self.both(|conditions| conditions.jitter = jitter)
    }

    /// Drops datagrams with more than `bytes` of UDP payload.
    #[must_use]
    pub fn mtu(self, bytes: usize) -> Self {
        self.both(|conditions| conditions.mtu = bytes)
    }

    /// Servers ask for no cookie.
    #[must_use]
    pub fn without_cookies(self) -> Self {
        self.cookies(CookiePolicy::Off)
    }

    /// When servers ask for cookies.
    #[must_use]
    pub fn cookies(mut self, policy: CookiePolicy) -> Self {
        self.cookies = policy;
        self
    }

    /// Sets the conditions for what `from` sends.
    #[must_use]
    pub fn conditions(mut self, from: Side, conditions: Conditions) -> Self {
        self.set_conditions(from, conditions);
        self
    }

    /// Changes the conditions for what `from` sends, from now on.
    pub fn set_conditions(&mut self, from: Side, conditions: Conditions) {
        self.conditions[from as usize] = conditions;
    }

    fn both(mut self, change: impl Fn(&mut Conditions)) -> Self {
        self.conditions.iter_mut().for_each(change);
        self
    }

    /// Drops every datagram of which `rule` says so.
    pub fn drop_if(&mut self, rule: impl FnMut(&Sent) -> bool + 'static) {
        self.rules.push(Box::new(rule));
    }

    /// Drops the datagram that `from` sends after `index` others.
    pub fn drop_nth(&mut self, from: Side, index: usize) {
        self.drop_if(move |sent| sent.from == from && sent.index == index);
    }

    /// Starts a client that connects to a server of its own, named [`SERVER_NAME`].
    ///
    /// # Panics
    /// If the client cannot even begin.
    pub fn connect(&mut self, client: impl Into<Arc<ClientConfig>>, server: impl Into<Arc<ServerConfig>>) -> Pair {
        let server = self.serve(server);
        self.connect_to(client, server)
    }

    /// Starts an endpoint for clients to [`connect_to`](Self::connect_to).
    pub fn serve(&mut self, server: impl Into<Arc<ServerConfig>>) -> Server {
        self.listeners.push(Listener::new(server.into(), self.cookies));
        Server(self.listeners.len() - 1)
    }

    /// Starts a client that connects to `server`, with an address in a network of its own.
    ///
    /// # Panics
    /// If the client cannot even begin.
    pub fn connect_to(&mut self, client: impl Into<Arc<ClientConfig>>, server: Server) -> Pair {
        let name = ServerName::try_from(SERVER_NAME).expect("a DNS name");
        let mut connection = Connection::client(client.into(), name, self.now).expect("a client begins");
        connection.set_peer(server_address(server));
        let pair = Pair(self.hosts.len());
        self.hosts.push([Host::client(connection), Host::default()]);
        self.servers.push(server);
        self.after_input(pair, Side::Client);
        pair
    }

    /// The server of a pair.
    #[must_use]
    pub fn server_of(&self, pair: Pair) -> Server {
        self.servers[pair.0]
    }

    /// The endpoint of a server.
    #[must_use]
    pub fn endpoint(&self, server: Server) -> &Endpoint<Pair> {
        &self.listeners[server.0].endpoint
    }

    /// Runs until `done` says so.
    ///
    /// # Errors
    /// If that takes more than `limit` of virtual time, or nothing is left to happen.
    pub fn run_until(&mut self, done: impl Fn(&Self) -> bool, limit: Duration) -> Result<(), Stuck> {
        let start = self.now;
        while !done(self) {
            let next = self.next();
            if next.is_none_or(|at| at > start + limit) {
                let (after, ladder) = (self.now - start, log::ladder(&self.log));
                return Err(Stuck { seed: self.seed, after, quiet: next.is_none(), ladder });
            }
            self.step();
        }
        Ok(())
    }

    /// Runs for `time`, whatever happens.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.next().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Sends application data.
    ///
    /// # Errors
    /// Those of [`Connection::seal`]; [`SendError::NotConnected`] if there is no connection yet.
    pub fn send(&mut self, pair: Pair, from: Side, payload: &[u8]) -> Result<(), SendError> {
        let connection = self.host_mut(pair, from).connection.as_mut().ok_or(SendError::NotConnected)?;
        let mut datagram = vec![0; connection.sealed_len(payload.len())];
        let len = connection.seal(payload, &mut datagram)?;
        datagram.truncate(len);
        let (nearly_exhausted, to) = (connection.is_nearly_exhausted(), connection.peer());
        self.transmit(pair, from, (to, datagram));
        self.rearm(pair, from);
        if nearly_exhausted {
            // A KeyUpdate may wait.
            self.after_input(pair, from);
        }
        Ok(())
    }

    /// Sends early data of the client.
    ///
    /// # Errors
    /// Those of [`Connection::seal_early`].
    pub fn send_early(&mut self, pair: Pair, payload: &[u8]) -> Result<(), SendEarlyError> {
        let connection = self.host_mut(pair, Side::Client).connection.as_mut().ok_or(SendEarlyError::NotOffered)?;
        let mut datagram = vec![0; connection.sealed_early_len(payload.len())];
        let len = connection.seal_early(payload, &mut datagram)?;
        datagram.truncate(len);
        self.transmit(pair, Side::Client, (None, datagram));
        self.rearm(pair, Side::Client);
        Ok(())
    }

    /// Sends `payload` both ways and waits until it arrived; for networks that lose nothing.
    ///
    /// # Panics
    /// If it does not arrive within 10 virtual seconds.
    pub fn exchange(&mut self, pair: Pair, payload: &[u8]) {
        for side in Side::BOTH {
            self.send(pair, side, payload).expect("connected");
            let arrived = |sim: &Self| sim.received(pair, side.peer()).iter().any(|received| received == payload);
            self.run_until(arrived, Duration::from_secs(10)).expect("application data arrives");
        }
    }

    /// Closes one side; its close_notify is sent at once.
    pub fn close(&mut self, pair: Pair, side: Side) {
        if let Some(connection) = &mut self.host_mut(pair, side).connection {
            connection.close();
        }
        self.after_input(pair, side);
    }

    /// Begins to update the keys of `side` (1.3); its KeyUpdate is sent at once.
    ///
    /// # Errors
    /// Those of [`Connection::update_keys`].
    pub fn update_keys(&mut self, pair: Pair, side: Side, peer: KeyUpdateRequest) -> Result<(), UpdateKeysError> {
        let connection = self.host_mut(pair, side).connection.as_mut().ok_or(UpdateKeysError::NotConnected)?;
        connection.update_keys(peer)?;
        self.after_input(pair, side);
        Ok(())
    }

    /// Lets the application of `side` do something with its connection; what that has to send is sent at once.
    ///
    /// # Panics
    /// If there is no connection yet.
    pub fn act<T>(&mut self, pair: Pair, side: Side, what: impl FnOnce(&mut Connection) -> T) -> T {
        let done = what(self.host_mut(pair, side).connection.as_mut().expect("a connection"));
        self.after_input(pair, side);
        done
    }

    /// Asks the client for a certificate (1.3); the request is sent at once.
    ///
    /// # Errors
    /// Those of [`Connection::authenticate_client`].
    pub fn authenticate_client(&mut self, pair: Pair) -> Result<(), AuthenticateClientError> {
        let server = self.host_mut(pair, Side::Server).connection.as_mut();
        server.ok_or(AuthenticateClientError::NotConnected)?.authenticate_client()?;
        self.after_input(pair, Side::Server);
        Ok(())
    }

    /// From now on what the client of this pair sends comes from `address`, as behind a NAT that has forgotten it; what is
    /// sent to where it was is lost.
    pub fn move_client(&mut self, pair: Pair, address: SocketAddr) {
        self.moved.insert(pair, address);
    }

    /// Puts `connection` in the place of what `side` has, as if another process went on with it.
    ///
    /// # Panics
    /// If there is no connection yet.
    pub fn replace(&mut self, pair: Pair, side: Side, connection: Connection) {
        let host = self.host_mut(pair, side);
        assert!(host.connection.is_some(), "there is nothing to go on with");
        host.connection = Some(connection);
        self.after_input(pair, side);
    }

    /// Sends what waits on `side`, as after a call that changed its connection.
    pub fn flush(&mut self, pair: Pair, side: Side) {
        self.after_input(pair, side);
    }

    /// Hands `datagram` to `to` at once, as if the peer had sent it.
    pub fn inject(&mut self, pair: Pair, to: Side, datagram: Vec<u8>) {
        self.inject_from(pair, to, self.address(pair, to.peer()), datagram);
    }

    /// Where a side of a pair is.
    #[must_use]
    pub fn address(&self, pair: Pair, side: Side) -> SocketAddr {
        match side {
            Side::Client => self.moved.get(&pair).copied().unwrap_or_else(|| client_address(pair)),
            Side::Server => server_address(self.servers[pair.0]),
        }
    }

    /// The same, as if it had come from `from`.
    pub fn inject_from(&mut self, pair: Pair, to: Side, from: SocketAddr, datagram: Vec<u8>) {
        let now = self.now;
        let host = &mut self.hosts[pair.0][to as usize];
        let listener = &mut self.listeners[self.servers[pair.0].0];
        if to == Side::Client || listener.passes(now, from, pair, host, &datagram) {
            host.handle_datagram(now, from, datagram);
        }
        self.after_input(pair, to);
    }

    /// Whether both sides have completed the handshake.
    #[must_use]
    pub fn connected(&self, pair: Pair) -> bool {
        Side::BOTH.iter().all(|side| self.connection(pair, *side).is_some_and(Connection::is_connected))
    }

    /// Why `side` is closed, if it is.
    #[must_use]
    pub fn closed(&self, pair: Pair, side: Side) -> Option<&CloseReason> {
        self.events(pair, side).iter().find_map(|event| match event {
            Event::Closed(reason) => Some(reason),
            _ => None,
        })
    }

    /// The connection of a side. A server has none until it believes the client.
    #[must_use]
    pub fn connection(&self, pair: Pair, side: Side) -> Option<&Connection> {
        self.host(pair, side).connection.as_ref()
    }

    /// As [`Self::connection`], to change it. What it wants to send waits for the next event.
    pub fn connection_mut(&mut self, pair: Pair, side: Side) -> Option<&mut Connection> {
        self.rearm_touched();
        self.touched = Some((pair, side));
        self.host_mut(pair, side).connection.as_mut()
    }

    /// The application data that a side received so far.
    #[must_use]
    pub fn received(&self, pair: Pair, side: Side) -> &[Vec<u8>] {
        &self.host(pair, side).received
    }

    /// The early data that the server took so far.
    #[must_use]
    pub fn early_data(&self, pair: Pair) -> &[Vec<u8>] {
        &self.host(pair, Side::Server).early_data
    }

    /// The events of a side so far.
    #[must_use]
    pub fn events(&self, pair: Pair, side: Side) -> &[Event] {
        &self.host(pair, side).events
    }

    /// What the endpoint of the pair's server has counted so far.
    #[must_use]
    pub fn endpoint_stats(&self, pair: Pair) -> &EndpointStats {
        self.endpoint(self.servers[pair.0]).stats()
    }

    /// Every datagram sent so far.
    #[must_use]
    pub fn sent(&self) -> &[Sent] {
        &self.log
    }

    /// The datagrams that one side sent so far.
    pub fn sent_by(&self, pair: Pair, from: Side) -> impl Iterator<Item = &Sent> {
        self.log.iter().filter(move |sent| sent.pair == pair && sent.from == from)
    }

    /// The virtual time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// When something happens next.
    fn next(&mut self) -> Option<Instant> {
        self.rearm_touched();
        let arrival = self.arrivals.peek().map(|Reverse((at, ..))| *at);
        let timeout = self.timers.first().map(|(at, ..)| *at);
        arrival.into_iter().chain(timeout).min().map(|at| at.max(self.now))
    }

    /// Lets the next thing happen: an arrival, or a timeout.
    fn step(&mut self) {
        self.rearm_touched();
        let timeout = self.timers.first().copied();
        let arrival_at = self.arrivals.peek().map(|Reverse((at, ..))| *at);
        if let Some((at, pair, side)) = timeout.filter(|(at, ..)| arrival_at.is_none_or(|arrival| *at < arrival)) {
            self.now = self.now.max(at);
            let now = self.now;
            self.host_mut(pair, side).handle_timeout(now);
            self.after_input(pair, side);
            // Otherwise virtual time would stand still for ever.
            let next = self.host(pair, side).timeout();
            assert!(next.is_none_or(|next| next > now), "a timer of the {side:?} does not advance");
        } else if let Some(Reverse((at, _, arrival))) = self.arrivals.pop() {
            self.now = self.now.max(at);
            if arrival.destination == self.address(arrival.pair, arrival.to) {
                self.inject_from(arrival.pair, arrival.to, arrival.source, arrival.bytes);
            }
        }
    }

    fn after_input(&mut self, pair: Pair, side: Side) {
        let now = self.now;
        let host = &mut self.hosts[pair.0][side as usize];
        let events = host.events.len();
        host.drain(now);
        // One that another process goes on with, and that does not know yet where its peer is, has told all before.
        if side == Side::Server && host.connection.as_ref().is_some_and(|connection| connection.peer().is_some()) {
            let listener = &mut self.listeners[self.servers[pair.0].0];
            host.events[events..].iter().for_each(|event| listener.happened(pair, event));
        }
        for datagram in host.take_outgoing() {
            self.transmit(pair, side, datagram);
        }
        self.rearm(pair, side);
    }

    /// Notes when the host wants to be woken.
    fn rearm(&mut self, pair: Pair, side: Side) {
        let host = &mut self.hosts[pair.0][side as usize];
        let deadline = host.timeout();
        let before = std::mem::replace(&mut host.armed, deadline);
        if before != deadline {
            before.map(|at| self.timers.remove(&(at, pair, side)));
            deadline.map(|at| self.timers.insert((at, pair, side)));
        }
    }

    fn rearm_touched(&mut self) {
        if let Some((pair, side)) = self.touched.take() {
            self.rearm(pair, side);
        }
    }

    fn transmit(&mut self, pair: Pair, from: Side, (to, bytes): Outgoing) {
        self.check_numbers(pair, from, &bytes);
        let (source, other) = (self.address(pair, from), self.address(pair, from.peer()));
        let destination = to.unwrap_or(other);
        let host = self.host_mut(pair, from);
        let index = host.sent;
        host.sent += 1;
        let (fate, arrivals) = self.conditions[from as usize].carry(&mut self.rng, &bytes);
        let fate = if destination == other { fate } else { Fate::Astray };
        let mut sent = Sent { at: self.now, pair, from, to: destination, index, bytes, fate };
        // Every rule sees every datagram, for those that count.
        for rule in &mut self.rules {
            if rule(&sent) && sent.fate != Fate::Astray {
                sent.fate = Fate::Dropped;
            }
        }
        if sent.fate == Fate::Arrives {
            for arrival in arrivals {
                let order = self.log.len();
                let arriving = Arrival { pair, to: from.peer(), source, destination, bytes: arrival.bytes };
                self.arrivals.push(Reverse((self.now + arrival.after, order, arriving)));
            }
        }
        self.log.push(sent);
    }

    /// No record number may protect two records: it is the AEAD's nonce.
    fn check_numbers(&mut self, pair: Pair, from: Side, datagram: &[u8]) {
        let cid_len = self.connection(pair, from).map_or(0, |connection| connection.peer_cid().len());
        for record in Records::new(datagram, cid_len).flatten() {
            let (epoch, number) = match record.header {
                RecordHeader::Plaintext(header) => (header.epoch.0, header.sequence_number.0),
                RecordHeader::Cid12(header) => (header.epoch.0, header.sequence_number.0),
                // Its number is masked.
                RecordHeader::Unified(_) => continue,
            };
            let fresh = epoch == 0 || self.numbers.insert((pair, from, epoch, number));
            assert!(fresh, "the {from:?} used record number {epoch}.{number} twice");
        }
    }

    fn host(&self, pair: Pair, side: Side) -> &Host {
        &self.hosts[pair.0][side as usize]
    }

    fn host_mut(&mut self, pair: Pair, side: Side) -> &mut Host {
        &mut self.hosts[pair.0][side as usize]
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the simulation that failed: SIM_SEED={}\n{}", self.seed, log::ladder(&self.log));
        }
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("seed", &self.seed).field("now", &self.now).finish_non_exhaustive()
    }
}

/// Each client has an IPv4 /24 of its own, so that no limit of an endpoint takes them for one another's neighbours.
fn client_address(pair: Pair) -> SocketAddr {
    let [high, low] = u16::try_from(pair.0).expect("fewer pairs than networks").to_be_bytes();
    SocketAddr::from(([10, high, low, 1], 10_000))
}

fn server_address(server: Server) -> SocketAddr {
    let port = 10_000 + u16::try_from(server.0).expect("fewer servers than ports");
    SocketAddr::from(([198, 51, 100, 1], port))
}
