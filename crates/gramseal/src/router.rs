//! What all parts of one shard of an endpoint share: the socket, the table of connections, the timers.
//!
//! Lock order: a connection's state, then the timers or the socket; the table, then the place of a connection or the
//! strays of the shards. State and table are never held together, nor two tables, nor two states.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gramseal_proto as proto;
use gramseal_proto::Instant;
use gramseal_proto::endpoint::{AddCidError, CookieSecrets, Route};
use gramseal_proto::wire::AlertDescription;
use tokio::sync::Notify;

use crate::error::{CloseReason, ConnectError};
use crate::queue::Buffered;
use crate::shards::Shards;
use crate::shared::Shared;
use crate::socket::{Path, Socket};
use crate::stats::{Counter, Ended, EndpointStats};
use crate::telemetry;
use crate::timers::{Clock, Timers};

/// Names a connection of an endpoint; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(pub(crate) u64);

#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) socket: Socket,
    pub(crate) clock: Clock,
    pub(crate) timers: Timers,
    pub(crate) buffered: Arc<Buffered>,
    pub(crate) ended: Ended,
    /// For the driver: a nearer deadline, or the end.
    pub(crate) wake: Notify,
    /// Which one of the shards this is.
    pub(crate) index: usize,
    pub(crate) shards: Arc<Shards>,
    /// Datagrams that came here and belong to other shards.
    handed_over: Counter,
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    endpoint: proto::endpoint::Endpoint<Key>,
    connections: HashMap<Key, Arc<Shared>>,
    next_key: u64,
    /// In the order in which they came.
    waiting: VecDeque<Waiting>,
    expiry: Duration,
    phase: Phase,
}

/// A handshake that the application has not looked at yet.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) incoming: proto::endpoint::Incoming,
    pub(crate) path: Path,
    pub(crate) shard: usize,
    since: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Nobody can accept or connect any more; what is connected goes on.
    Unattended,
    Closed,
}

/// What a connection says of a connection id.
pub(crate) enum CidChange {
    Issued(proto::Cid),
    Retired(proto::Cid),
}

/// What `accept` finds.
pub(crate) enum Next {
    Waiting(Waiting),
    Nothing,
    Closed,
}

/// Whether a new connection may take the place of one at the same address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takeover {
    /// The peer proved its address and begins anew (RFC 6347 §4.2.8): its connection goes on until the handshake of
    /// this one is done.
    Allowed,
    Refused,
}

/// What a [`Router`] is made of.
pub(crate) struct Parts {
    pub(crate) socket: Socket,
    pub(crate) endpoint: proto::endpoint::EndpointConfig,
    /// How long a handshake may wait for the application.
    pub(crate) expiry: Duration,
    pub(crate) buffered: Arc<Buffered>,
    pub(crate) clock: Clock,
    pub(crate) index: usize,
    pub(crate) shards: Arc<Shards>,
}

impl Router {
    pub(crate) fn new(parts: Parts) -> Self {
        let table = Table {
            endpoint: proto::endpoint::Endpoint::new(parts.endpoint),
            connections: HashMap::new(),
            next_key: 0,
            waiting: VecDeque::new(),
            expiry: parts.expiry,
            phase: Phase::Open,
        };
        Self {
            socket: parts.socket,
            clock: parts.clock,
            timers: Timers::default(),
            buffered: parts.buffered,
            ended: Ended::default(),
            wake: Notify::new(),
            index: parts.index,
            shards: parts.shards,
            handed_over: Counter::default(),
            table: Mutex::new(table),
        }
    }

    /// Passes on what came together from `path`: datagrams next to each other in `run`, each of `stride` bytes but the
    /// last. `scratch` is for what goes back.
    pub(crate) fn handle(&self, now: Instant, path: Path, run: &mut [u8], stride: usize, scratch: &mut Vec<u8>) {
        let mut rest = run;
        while !rest.is_empty() {
            let owner = self.shards.owner(self, path.peer, rest);
            let len = owner.as_deref().unwrap_or(self).handle_front(now, path, rest, stride, scratch);
            if owner.is_some() {
                self.handed_over.add(len.div_ceil(stride) as u64);
            }
            rest = rest.split_at_mut(len).1;
        }
    }

    /// Passes on as many datagrams at the front of `run` as go the same way, and says how many bytes they have.
    fn handle_front(&self, now: Instant, path: Path, run: &mut [u8], stride: usize, scratch: &mut Vec<u8>) -> usize {
        let mut table = self.lock();
        let (route, len) = table.endpoint.route_run(now, path.peer, run, stride, scratch);
        let datagrams = &mut run[..len];
        match route {
            Route::Connection(key) => {
                let connection = table.connections.get(&key).cloned();
                drop(table);
                if !scratch.is_empty() {
                    let _ = self.socket.send(path, scratch);
                }
                if let Some(connection) = connection {
                    connection.handle_run(now, path, datagrams, stride, scratch);
                }
            }
            Route::Either { current, successor } => {
                let connections = [current, successor].map(|key| table.connections.get(&key).cloned());
                drop(table);
                if !scratch.is_empty() {
                    let _ = self.socket.send(path, scratch);
                }
                // Opened in place, so each gets a copy. A client seldom begins anew.
                for connection in connections.into_iter().flatten() {
                    connection.handle_run(now, path, &mut datagrams.to_vec(), stride, scratch);
                }
            }
            Route::Incoming(incoming) => {
                if table.wait(Waiting { incoming, path, shard: self.index, since: now }) {
                    drop(table);
                    self.shards.accept.notify_one();
                }
            }
            Route::Reply => {
                drop(table);
                // Lost if the socket is full; the client asks again.
                let _ = self.socket.send(path, scratch);
            }
            Route::Discard(reason) => telemetry::discarded(path.peer, reason),
            Route::Kept => {}
        }
        len
    }

    /// Whether a connection here has the id that `datagram` names.
    pub(crate) fn knows_cid_in(&self, datagram: &[u8]) -> bool {
        self.lock().endpoint.knows_cid_in(datagram)
    }

    /// Whether there is a connection with this address.
    pub(crate) fn has(&self, peer: SocketAddr) -> bool {
        self.lock().endpoint.connection(peer).is_some()
    }

    /// Goes on with another socket.
    pub(crate) fn rebind(&self, socket: UdpSocket) -> io::Result<()> {
        self.socket.replace(socket)?;
        // The driver waits for the one before.
        self.wake.notify_one();
        let connections: Vec<_> = self.lock().connections.values().cloned().collect();
        for connection in connections {
            connection.leave_socket();
        }
        Ok(())
    }

    /// The connection of this key, unless it has ended.
    pub(crate) fn connection(&self, key: Key) -> Option<Arc<Shared>> {
        self.lock().connections.get(&key).cloned()
    }

    /// Lets every connection act whose time has come.
    pub(crate) fn fire_timers(&self, now: Instant, scratch: &mut Vec<u8>) {
        while let Some(key) = self.timers.pop_due(now) {
            if let Some(connection) = self.connection(key) {
                connection.handle_timeout(now, scratch);
            }
        }
    }

    pub(crate) fn next_waiting(&self) -> Next {
        let now = self.clock.now();
        let mut table = self.lock();
        table.expire(now);
        match table.waiting.pop_front() {
            Some(waiting) => {
                if !table.waiting.is_empty() || !self.shards.is_single() {
                    // Wake-ups that nobody waits for yet merge into one: it is passed on.
                    self.shards.accept.notify_one();
                }
                Next::Waiting(waiting)
            }
            None if table.phase == Phase::Open => Next::Nothing,
            None => Next::Closed,
        }
    }

    /// Turns a client away with an alert.
    pub(crate) fn refuse(&self, path: Path, incoming: proto::endpoint::Incoming, alert: AlertDescription) {
        let mut reply = Vec::new();
        self.lock().endpoint.refuse(incoming, alert, &mut reply);
        // Lost if the socket is full; the client asks again.
        let _ = self.socket.send(path, &reply);
    }

    pub(crate) fn ignore(&self, incoming: proto::endpoint::Incoming) {
        self.lock().endpoint.ignore(incoming);
    }

    /// Takes a connection in; its first flight is still to be sent.
    pub(crate) fn insert(
        self: &Arc<Self>,
        path: Path,
        protocol: proto::Connection,
        takeover: Takeover,
    ) -> Result<Arc<Shared>, ConnectError> {
        let elsewhere = takeover == Takeover::Refused && self.shards.is_elsewhere(self.index, path.peer);
        let mut table = self.lock();
        if table.phase != Phase::Open {
            return Err(ConnectError::EndpointClosed);
        }
        if elsewhere || takeover == Takeover::Refused && table.endpoint.connection(path.peer).is_some() {
            return Err(ConnectError::AlreadyConnected(path.peer));
        }
        let key = Key(table.next_key);
        table.next_key += 1;
        let connection = Arc::new(Shared::new(Arc::clone(self), key, path, protocol));
        table.connections.insert(key, Arc::clone(&connection));
        let inserted = table.endpoint.insert(path.peer, key);
        let replaced = inserted.replaced.and_then(|old| table.connections.remove(&old));
        if takeover == Takeover::Refused {
            // The system may give what comes from there to any of the sockets.
            self.shards.add_address(self.index, key, path.peer);
        }
        drop(table);
        if let Some(replaced) = replaced {
            // Its address belongs to somebody else now: no close_notify goes there.
            replaced.abandon(CloseReason::Replaced);
        }
        for mut datagram in inserted.early_data {
            connection.handle_datagram(self.clock.now(), path, &mut datagram, &mut Vec::new());
        }
        Ok(connection)
    }

    /// Notes that the handshake of a connection is done. If its client began anew with it, its connection of before
    /// ends.
    pub(crate) fn establish(&self, connection: &Shared) {
        let mut table = self.lock();
        let before = table.endpoint.establish(connection.place(), connection.key);
        let before = before.and_then(|key| table.connections.remove(&key));
        drop(table);
        if let Some(before) = before {
            // Its address belongs to its successor now: no close_notify goes there.
            before.abandon(CloseReason::Replaced);
        }
    }

    /// Routes datagrams with these connection ids to a connection, or no longer.
    pub(crate) fn change_cids(&self, connection: &Shared, changes: Vec<CidChange>) -> Result<(), AddCidError> {
        let mut table = self.lock();
        // As it is now that nobody can change it.
        let (peer, key) = (connection.place(), connection.key);
        changes.into_iter().try_for_each(|change| match change {
            CidChange::Issued(cid) => {
                table.endpoint.add_cid(peer, key, cid.clone())?;
                self.shards.add_cid(self.index, key, &cid);
                Ok(())
            }
            CidChange::Retired(cid) => {
                table.endpoint.remove_cid(peer, key, &cid);
                self.shards.remove_cid(self.index, key, &cid);
                Ok(())
            }
        })
    }

    /// Routes datagrams from `to` to a connection whose peer has moved there.
    pub(crate) fn move_peer(&self, connection: &Shared, to: SocketAddr) {
        let mut table = self.lock();
        if table.connections.contains_key(&connection.key) {
            let from = connection.place();
            if table.endpoint.move_peer(from, to, connection.key) {
                connection.set_place(to);
            }
        }
    }

    /// Forgets a connection that has ended.
    pub(crate) fn remove(&self, connection: &Shared) {
        let mut table = self.lock();
        table.endpoint.remove(connection.place(), connection.key);
        let removed = table.connections.remove(&connection.key);
        let finished = table.is_finished();
        drop(table);
        drop(removed);
        self.shards.forget(self.index, connection.key);
        if finished {
            self.shards.wake();
        }
    }

    /// Nobody holds the endpoint any more.
    pub(crate) fn unattend(&self) {
        let mut table = self.lock();
        if table.phase == Phase::Open {
            table.phase = Phase::Unattended;
        }
        table.waiting.clear();
        drop(table);
        self.shards.wake();
    }

    /// Closes every connection and takes no more.
    pub(crate) fn close(&self) {
        for connection in self.shut() {
            connection.close();
        }
    }

    /// The driver is gone: nothing will move any more.
    pub(crate) fn abandon(&self) {
        for connection in self.shut() {
            connection.abandon(CloseReason::EndpointGone);
        }
    }

    fn shut(&self) -> Vec<Arc<Shared>> {
        let mut table = self.lock();
        table.phase = Phase::Closed;
        table.waiting.clear();
        let connections = table.connections.values().cloned().collect();
        drop(table);
        self.shards.accept.notify_waiters();
        self.shards.wake();
        connections
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.lock().is_finished()
    }

    /// Nothing happens if this endpoint accepts no handshakes.
    pub(crate) fn rotate_cookie_secret(&self, next: &[u8; CookieSecrets::SECRET_LEN]) {
        if let Some(secrets) = self.lock().endpoint.cookie_secrets() {
            secrets.rotate(next);
        }
    }

    pub(crate) fn stats(&self) -> EndpointStats {
        let table = self.lock();
        let routing = table.endpoint.stats().clone();
        let (discards_of_ended, retransmissions_of_ended) = self.ended.dropped();
        EndpointStats {
            handshakes: self.ended.handshakes(routing.incoming_refused + routing.incoming_ignored),
            routing,
            discards_of_ended,
            retransmissions_of_ended,
            connections: table.connections.len(),
            half_open: table.endpoint.half_open(),
            buffered_bytes: self.buffered.bytes(),
            handed_over: self.handed_over.value(),
            idle_closed: self.ended.idle.value(),
            datagrams_received: self.socket.received.value(),
            datagrams_sent: self.socket.sent.value(),
            sends_blocked: self.socket.blocked.value(),
            send_errors: self.socket.send_errors.value(),
            receive_errors: self.socket.receive_errors.value(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Whether the handshake may wait.
    fn wait(&mut self, waiting: Waiting) -> bool {
        self.expire(waiting.since);
        if self.phase != Phase::Open {
            self.endpoint.ignore(waiting.incoming);
            return false;
        }
        self.waiting.push_back(waiting);
        true
    }

    /// Drops what has waited too long, as the protocol does: its bound is the bound of this queue.
    fn expire(&mut self, now: Instant) {
        while let Some(oldest) = self.waiting.front() {
            if oldest.since + self.expiry > now {
                break;
            }
            if let Some(oldest) = self.waiting.pop_front() {
                self.endpoint.ignore(oldest.incoming);
            }
        }
    }

    fn is_finished(&self) -> bool {
        match self.phase {
            Phase::Open => false,
            // Who is still there has not been told of the end: the driver must not abandon it.
            Phase::Unattended | Phase::Closed => self.connections.is_empty(),
        }
    }
}
