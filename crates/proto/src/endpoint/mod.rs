//! Many peers on one socket: which connection a datagram belongs to, and who may begin one.
//!
//! Owns the tables from connection ids and addresses to the caller's keys, the stateless cookie exchange and the limits
//! to what clients can begin. Never owns a connection, opens a
//! record, or keeps anything for an address that has not proved that it receives what is sent to
//! it. RFC 6347 §4.2.1 and §4.2.8, RFC 9147 §5.1 and §5.11, RFC 9146 §3, RFC 7983, RFC 9443.
//!
//! # Contract
//!
//! Give every datagram to [`Endpoint::route`], or several that came together to [`Endpoint::route_run`], and do what the
//! [`Route`] says:
//!
//! - `Connection(key)`: the datagram is for that connection. If the reply buffer is not empty, send it to
//!   the peer as well.
//! - `Either { current, successor }`: the client perhaps begins anew, and only keys can tell whose the datagram is.
//!   Give a copy to each connection.
//! - `Incoming(incoming)`: decide. [`Incoming::accept`] makes a connection that has handled the
//!   hello already; keep it under a key, tell the key with [`Endpoint::insert`], and do what the
//!   [`Handover`] says. Or [`Endpoint::refuse`] or [`Endpoint::ignore`] it.
//! - `Reply`: send the reply buffer to the peer.
//! - `Kept`: nothing. What is kept for all addresses together has a small bound.
//! - `Discard(reason)`: nothing; it is counted. `Discard::Foreign` may be for another protocol on
//!   the same socket, which [`DatagramKind::of`](gramseal_wire::DatagramKind::of) tells by the
//!   first byte.
//!
//! Tell a connection that this side begins with `insert` as well, one that is
//! [connected](crate::Event::Connected) with [`Endpoint::establish`], and one that is closed with
//! [`Endpoint::remove`]: the [`Limits`] count handshakes until then.
//!
//! Where connection ids are wanted ([`ConnectionIds::Both`](crate::config::ConnectionIds::Both)), tell those of each
//! connection with [`Endpoint::add_cid`] and [`Endpoint::remove_cid`], as its [events](crate::Event::CidIssued) say,
//! and give it datagrams with [`handle_datagram_from`](crate::Connection::handle_datagram_from): they may come from
//! anywhere then. Where its peer is from then on, [`Event::PeerMoved`](crate::Event::PeerMoved) tells, for
//! [`Endpoint::move_peer`].
//!
//! ```
//! use std::collections::HashMap;
//! use std::net::SocketAddr;
//! use std::sync::Arc;
//!
//! use gramseal_proto::config::ServerConfig;
//! use gramseal_proto::endpoint::{Endpoint, Route};
//! use gramseal_proto::{Connection, Event, Instant};
//!
//! struct Server {
//!     endpoint: Endpoint<u64>,
//!     connections: HashMap<u64, Connection>,
//!     config: Arc<ServerConfig>,
//!     next_key: u64,
//! }
//!
//! impl Server {
//!     /// Returns what to send back to `peer`, apart from what the connections have to send.
//!     fn received(&mut self, now: Instant, peer: SocketAddr, datagram: &mut [u8]) -> Option<Vec<u8>> {
//!         let mut reply = Vec::new();
//!         match self.endpoint.route(now, peer, datagram, &mut reply) {
//!             Route::Connection(key) => {
//!                 let connection = self.connections.get_mut(&key)?;
//!                 for payload in connection.handle_datagram(now, datagram) {
//!                     println!("{} bytes from {peer}", payload.len());
//!                 }
//!                 return (!reply.is_empty()).then_some(reply);
//!             }
//!             Route::Either { current, successor } => {
//!                 for key in [current, successor] {
//!                     if let Some(connection) = self.connections.get_mut(&key) {
//!                         for payload in connection.handle_datagram(now, &mut datagram.to_vec()) {
//!                             println!("{} bytes from {peer}", payload.len());
//!                         }
//!                     }
//!                 }
//!             }
//!             Route::Incoming(incoming) => {
//!                 self.next_key += 1;
//!                 let mut connection = incoming.accept(Arc::clone(&self.config), now);
//!                 let inserted = self.endpoint.insert(peer, self.next_key);
//!                 if let Some(replaced) = inserted.replaced {
//!                     self.connections.remove(&replaced);
//!                 }
//!                 for mut datagram in inserted.early_data {
//!                     drop(connection.handle_datagram(now, &mut datagram));
//!                 }
//!                 self.connections.insert(self.next_key, connection);
//!             }
//!             Route::Reply => return Some(reply),
//!             Route::Kept | Route::Discard(_) => {}
//!         }
//!         None
//!     }
//!
//!     /// To be called with each event of a connection.
//!     fn happened(&mut self, peer: SocketAddr, key: u64, event: &Event) {
//!         let gone = match event {
//!             Event::Connected => self.endpoint.establish(peer, key),
//!             Event::Closed(_) => {
//!                 self.endpoint.remove(peer, key);
//!                 Some(key)
//!             }
//!             _ => None,
//!         };
//!         gone.map(|key| self.connections.remove(&key));
//!     }
//! }
//! ```

mod admission;
mod config;
mod cookie;
mod cookie12;
mod cookie13;
mod demux;
mod gather;
mod hello;
mod incoming;
mod limits;
mod load;
mod prefix;
mod run;
mod stats;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use gramseal_wire::{AlertDescription, Cid12Header, ContentType, DatagramKind, UnifiedHeader};

use admission::{Address, Admission, Admitted, Arrival, Verdict};
use config::ServerSide;
pub use config::{CookiePolicy, EndpointConfig};
pub use cookie::CookieSecrets;
use demux::{Demux, Known, NoRoom, Proof, Standing};
use gather::Gathering;
use hello::{Hello, Part};
pub use incoming::Incoming;
pub use limits::{HandshakeRate, LimitCounts, Limits};
pub use prefix::Prefix;
use stats::add;
pub use stats::{CookieRefusals, EndpointStats};

use crate::discard::Discard;
use crate::handshake::AdmittedBy;
use crate::{Cid, Instant};

/// What to do with a datagram.
#[derive(Debug)]
#[must_use = "a datagram that is not acted on is lost"]
#[expect(clippy::exhaustive_enums, reason = "callers have to act on every kind")]
pub enum Route<K> {
    /// It belongs to this connection. The reply buffer may hold a datagram to send to the peer, for a client
    /// that perhaps begins anew at the address with a hello in several datagrams.
    Connection(K),
    /// It belongs to one of two connections at the same address, of which only the keys can tell: each gets a copy.
    Either {
        /// The one that there was.
        current: K,
        /// That of a client which has begun anew, until one of the two is gone.
        successor: K,
    },
    /// It begins a handshake that the application may accept.
    Incoming(Incoming),
    /// The reply buffer holds the one datagram to send back to the peer.
    Reply,
    /// It is a part of a ClientHello, kept for a while in which the rest may come, or early data behind a hello
    /// that waits.
    Kept,
    /// It was dropped and counted.
    Discard(Discard),
}

/// What to do when an address has a connection from now on.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handover<K> {
    /// The key that this one replaces, because the client began anew before it got through the handshake. Its
    /// connection gets no more datagrams and is the caller's to close.
    pub replaced: Option<K>,
    /// The datagrams that came while the [`Incoming`] waited, in the order in which they came: for the accepted
    /// connection to handle. There are none unless the server takes early data and the client has announced some.
    pub early_data: Vec<Vec<u8>>,
}

/// A connection id does not lead to its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddCidError {
    /// It is empty, or it begins with one that is in use, or one in use begins with it. The connection should be
    /// closed: its peer uses it.
    Taken,
    /// There is no such connection at this address, or another one has replaced it.
    NoConnection,
}

impl fmt::Display for AddCidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "the connection id is in use already",
            Self::NoConnection => "there is no such connection",
        })
    }
}

impl core::error::Error for AddCidError {}

/// Routes the datagrams of one socket to connections that the caller keeps under keys of type `K`.
///
/// See the [module](self) for how to use it.
#[derive(Debug)]
pub struct Endpoint<K> {
    demux: Demux<K>,
    /// `None`: no handshakes are accepted.
    admission: Option<Admission>,
    gathering: Gathering,
    stats: EndpointStats,
}

impl<K: Copy + Eq> Endpoint<K> {
    /// An endpoint without connections.
    #[must_use]
    pub fn new(config: EndpointConfig) -> Self {
        let admission = config.server.map(ServerSide::into_admission);
        Self {
            demux: Demux::new(config.limits),
            admission,
            gathering: Gathering::default(),
            stats: EndpointStats::default(),
        }
    }

    /// Says what to do with a datagram from `peer`.
    ///
    /// `reply` is cleared, and filled if the route is [`Route::Reply`]: with one datagram, never
    /// longer than what came. It may be with [`Route::Connection`]. Until a hello brings a valid cookie nothing
    /// is kept, except, where 1.3 is spoken, parts of hellos that come in several datagrams: one of an address,
    /// each of at most 4096 bytes, for at most 70 seconds. There are 64 of them at most, and another 256 of hellos
    /// whose first part has shown a valid cookie, eight of each IPv4 address or IPv6 /64.
    pub fn route(&mut self, now: Instant, peer: SocketAddr, datagram: &[u8], reply: &mut Vec<u8>) -> Route<K> {
        reply.clear();
        self.decide(now, peer, datagram, reply).unwrap_or_else(|reason| {
            self.stats.discards.count(reason);
            Route::Discard(reason)
        })
    }

    /// Like [`route`](Self::route), for datagrams that came together from `peer`, as the system gives them where it merges
    /// them (GRO): each has `stride` bytes but the last, which may be shorter, and they lie next to each other in
    /// `datagrams`. Says what to do with the first, and how many bytes at the front of `datagrams` go the same way, in
    /// whole datagrams. More than one do so only if they are protected and belong to one connection.
    pub fn route_run(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        datagrams: &[u8],
        stride: usize,
        reply: &mut Vec<u8>,
    ) -> (Route<K>, usize) {
        let stride = stride.max(1);
        let (first, rest) = datagrams.split_at(stride.min(datagrams.len()));
        let route = self.route(now, peer, first, reply);
        let mut len = first.len();
        if matches!(route, Route::Connection(_)) && reply.is_empty() {
            let alike = run::Alike::of(first, |bytes| self.demux.cid_of(bytes));
            let more = rest.chunks(stride).take_while(|next| alike.goes_with(next));
            let (count, bytes) = more.fold((0, 0), |(count, bytes), next| (count + 1, bytes + next.len()));
            add(&mut self.stats.named, if alike.is_named() { count } else { 0 });
            len += bytes;
        }
        (route, len)
    }

    /// Whether one of the connections here has the id that `datagram` [names](cid_in), if it names any.
    #[must_use]
    pub fn knows_cid_in(&self, datagram: &[u8]) -> bool {
        cid_in(datagram).is_some_and(|bytes| self.demux.named(bytes).is_some())
    }

    /// Routes datagrams from `peer` to `key` from now on: a connection that this side began, or an
    /// accepted [`Incoming`].
    ///
    /// If the peer has a connection that is established, or that this side began, that one goes on until the
    /// handshake of this one is done (RFC 6347 §4.2.8, RFC 9147 §5.11).
    pub fn insert(&mut self, peer: SocketAddr, key: K) -> Handover<K> {
        self.gathering.forget(peer);
        self.demux.insert(peer, key)
    }

    /// Notes that the handshake of the connection `key` at `peer` is done. If the client has begun anew with it,
    /// gives the key of the connection that there was before: it gets no more datagrams and is the caller's to close.
    pub fn establish(&mut self, peer: SocketAddr, key: K) -> Option<K> {
        let replaced = self.demux.establish(peer, key);
        add(&mut self.stats.restarts, u64::from(replaced.is_some()));
        replaced
    }

    /// From now on datagrams with `cid` go to the connection `key` at `peer`, wherever they come from, until the id or
    /// the connection is removed.
    ///
    /// # Errors
    /// See [`AddCidError`].
    pub fn add_cid(&mut self, peer: SocketAddr, key: K, cid: Cid) -> Result<(), AddCidError> {
        self.demux.add_cid(peer, key, cid)
    }

    /// Forgets an id of the connection `key` at `peer`, if it is one.
    pub fn remove_cid(&mut self, peer: SocketAddr, key: K, cid: &[u8]) {
        self.demux.remove_cid(peer, key, cid);
    }

    /// Notes that the peer of the connection `key` is at `to` from now on, and no longer at `from`: with each
    /// [`Event::PeerMoved`](crate::Event::PeerMoved). A handshake from `from` then has nothing to do with it. If there is
    /// another connection at `to`, that one goes on, and datagrams from there that have no connection id are for it. A
    /// connection that has moved does not end when a client begins anew where it is, as long as its ids lead to it.
    ///
    /// Gives whether the place of the connection is `to` now. It stays `from`, for every later call, if 16 that have moved
    /// are at `to` already or there is no such connection; its ids lead to it all the same. Only where `from` has 16 others
    /// that have moved, too, a client that begins anew there ends it.
    #[must_use = "the connection may have its place where it was"]
    pub fn move_peer(&mut self, from: SocketAddr, to: SocketAddr, key: K) -> bool {
        self.demux.move_peer(from, to, key)
    }

    /// The connection at `peer`, to which datagrams from there go that have no connection id.
    #[must_use]
    pub fn connection(&self, peer: SocketAddr) -> Option<K> {
        self.demux.known(peer).map(|known| known.current)
    }

    /// Forgets the connection `key` at `peer`. Nothing happens if another one has replaced it.
    pub fn remove(&mut self, peer: SocketAddr, key: K) {
        self.demux.remove(peer, key);
    }

    /// Forgets a handshake and fills `reply` with the alert that tells the client so. That one believes it or not:
    /// if it repeats its hello, that comes up as a new [`Incoming`].
    pub fn refuse(&mut self, incoming: Incoming, alert: AlertDescription, reply: &mut Vec<u8>) {
        hello::write_alert(incoming.first, alert, reply);
        add(&mut self.stats.incoming_refused, 1);
        self.forget(incoming);
    }

    /// Forgets a handshake, in silence. The client repeats its hello some times, and as long as its
    /// cookie is good each comes up as a new [`Incoming`].
    pub fn ignore(&mut self, incoming: Incoming) {
        add(&mut self.stats.incoming_ignored, 1);
        self.forget(incoming);
    }

    #[expect(clippy::needless_pass_by_value, reason = "what was refused cannot be accepted any more")]
    fn forget(&mut self, incoming: Incoming) {
        self.demux.forget(incoming.peer, &incoming.random);
    }

    /// The secrets that cookies are made with, to rotate them by hand; `None` if this endpoint
    /// accepts no handshakes.
    pub fn cookie_secrets(&mut self) -> Option<&mut CookieSecrets> {
        self.admission.as_mut().map(|admission| admission.cookies.secrets_mut())
    }

    /// How many addresses have something kept for them: connections and waiting handshakes.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.demux.connections() + self.demux.waiting()
    }

    /// How many handshakes of clients are not done, those that wait for the application included.
    #[must_use]
    pub const fn half_open(&self) -> usize {
        self.demux.half_open()
    }

    /// What was counted so far.
    #[must_use]
    pub const fn stats(&self) -> &EndpointStats {
        &self.stats
    }

    fn decide(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        datagram: &[u8],
        reply: &mut Vec<u8>,
    ) -> Result<Route<K>, Discard> {
        match datagram.first().copied().map(DatagramKind::of) {
            Some(DatagramKind::Dtls) => {}
            Some(_) => return Err(Discard::Foreign),
            None => return Err(Discard::Malformed),
        }
        if let Some(bytes) = cid_in(datagram) {
            return self.find(peer, bytes, datagram);
        }
        let known = self.demux.known(peer);
        let gathered = match Hello::read(datagram) {
            Ok(hello) => match self.begin(now, peer, &hello, datagram, datagram.len(), reply) {
                Err(Discard::HelloFragment) => self.gather(now, peer, datagram, reply),
                decided => return decided,
            },
            Err(Discard::HelloFragment) if known.is_none() || self.gathering.has(peer) => {
                self.gather(now, peer, datagram, reply)
            }
            Err(_) if known.is_none() && hello::is_early_data(datagram) && self.demux.keep(peer, datagram) => {
                add(&mut self.stats.early_datagrams, 1);
                Ok(Route::Kept)
            }
            Err(reason) => Err(reason),
        };
        match (known, gathered) {
            // Anybody can send a part of a hello in the peer's name, and the connection may need those of
            // its own. Only a good cookie shows that the peer begins anew.
            (Some(known), Ok(Route::Reply | Route::Kept) | Err(_)) => Ok(known.route(datagram)),
            (_, gathered) => gathered,
        }
    }

    /// The connection of a datagram that has a connection id, with which `bytes` begin.
    fn find(&mut self, peer: SocketAddr, bytes: &[u8], datagram: &[u8]) -> Result<Route<K>, Discard> {
        if let Some(key) = self.demux.named(bytes) {
            add(&mut self.stats.named, 1);
            return Ok(Route::Connection(key));
        }
        // An id that is none any more, or not yet: who is at that address knows, and counts.
        self.demux.known(peer).map(|known| known.route(datagram)).ok_or(Discard::UnknownCid)
    }

    /// Goes on with a part of a hello, if parts are of use here.
    fn gather(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        datagram: &[u8],
        reply: &mut Vec<u8>,
    ) -> Result<Route<K>, Discard> {
        let admission =
            self.admission.as_mut().filter(|admission| admission.gathers()).ok_or(Discard::HelloFragment)?;
        let part = Part::read(datagram)?;
        let sender = admission.sender(now, peer, &part);
        match self.gathering.add(now, peer, sender, &part, datagram.len(), &mut self.stats.discards)? {
            None => {
                add(&mut self.stats.hello_parts, 1);
                Ok(Route::Kept)
            }
            Some(whole) => self.begin(now, peer, &Hello::read(&whole.datagram)?, &whole.datagram, whole.bytes, reply),
        }
    }

    /// What comes of a hello, for which `bytes` came.
    fn begin(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        hello: &Hello<'_>,
        datagram: &[u8],
        bytes: usize,
        reply: &mut Vec<u8>,
    ) -> Result<Route<K>, Discard> {
        let known = self.demux.known(peer);
        let Some(admission) = &mut self.admission else {
            return known.map(|known| known.route(datagram)).ok_or(Discard::UnknownPeer);
        };
        let address = if known.is_some() { Address::Connected } else { Address::Unknown };
        add(&mut self.stats.incoming_expired, self.demux.expire(now));
        match self.demux.standing(peer, &hello.prefix.random) {
            Standing::Began(key) => Ok(Route::Connection(key)),
            Standing::Waits => Err(self.no_room(NoRoom::AddressWaits)),
            Standing::New => {
                let has_room = self.demux.room(now, peer, datagram.len(), Proof::EarlyData).is_ok();
                let arrival = Arrival { now, peer, address, hello, has_room, bytes, stats: &mut self.stats, reply };
                match admission.judge(arrival) {
                    Verdict::Admitted(admitted) => self.offer(now, peer, hello, admitted, datagram),
                    Verdict::Answered => Ok(Route::Reply),
                    Verdict::Dropped(reason) => Err(reason),
                }
            }
        }
    }

    fn offer(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        hello: &Hello<'_>,
        admitted: Admitted,
        datagram: &[u8],
    ) -> Result<Route<K>, Discard> {
        let random = hello.prefix.random;
        let Admitted { admitted_by, early_data } = admitted;
        let proof = match &admitted_by {
            AdmittedBy::EarlyData => Proof::EarlyData,
            AdmittedBy::Open | AdmittedBy::Cookie(_) => Proof::Enough,
        };
        let waits = self.demux.wait(now, peer, &random, datagram.len(), early_data, proof);
        waits.map_err(|no_room| self.no_room(no_room))?;
        add(&mut self.stats.incoming, 1);
        Ok(Route::Incoming(Incoming { peer, random, first: hello.first, admitted_by, datagram: datagram.to_vec() }))
    }

    fn no_room(&mut self, no_room: NoRoom) -> Discard {
        match no_room {
            NoRoom::AddressWaits => {
                add(&mut self.stats.incoming_repeated, 1);
                Discard::AlreadyWaiting
            }
            NoRoom::Limit(limit) => {
                self.stats.limits.count(limit);
                Discard::LimitReached
            }
        }
    }
}

impl<K: Copy> Known<K> {
    /// Which of the two a datagram is for.
    fn route(self, datagram: &[u8]) -> Route<K> {
        let Self { current, is_established, successor } = self;
        match successor {
            // An established connection has nothing to do with messages before there are keys. One that this side
            // began waits for some.
            Some(successor) if is_established && hello::is_unprotected(datagram) => Route::Connection(successor),
            Some(successor) => Route::Either { current, successor },
            None => Route::Connection(current),
        }
    }
}

/// What begins with a connection id, if the first record of the datagram has one (RFC 9146 §4, RFC 9147 §4). How long
/// the id is, only who gave it knows.
#[must_use]
pub fn cid_in(datagram: &[u8]) -> Option<&[u8]> {
    let first = *datagram.first()?;
    if first == ContentType::TLS12_CID.0 {
        return Some(datagram.get(Cid12Header::CID_OFFSET..).unwrap_or_default());
    }
    let named = UnifiedHeader::starts_with(first) && UnifiedHeader::has_cid(first);
    if named { datagram.get(UnifiedHeader::CID_OFFSET..) } else { None }
}
