//! Which connection an address belongs to, and which handshakes wait for the application.
//!
//! Owns the two maps from addresses and the bounds of the second. Never looks at a datagram and
//! never decides what an address has to prove first. RFC 6347 §4.2.8.
//!
//! The maps are ordered trees: their keys are chosen by whoever sends datagrams, and a tree's worst
//! case is its usual case, whereas a hash table needs a seed that stays secret.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::{SocketAddr, SocketAddrV6};
use core::time::Duration;

use gramseal_wire::Random;

use super::Handover;
use crate::Instant;

/// Datagrams with early data that may wait with one ClientHello.
pub(super) const MAX_EARLY_DATAGRAMS: usize = 16;

/// The bounds of what waits for the application.
#[derive(Debug, Clone)]
pub(super) struct WaitingLimits {
    /// Handshakes.
    pub(super) count: usize,
    /// Bytes of their datagrams together.
    pub(super) bytes: usize,
    /// How long one may wait.
    pub(super) time: Duration,
}

/// What a ClientHello is to its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing<K> {
    /// It began the connection `K`.
    Began(K),
    /// It waits for the application.
    Waits,
    /// It is new there.
    New,
}

/// Why a ClientHello cannot wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// Another one from this address does.
    AddressWaits,
    /// Too many do.
    Full,
}

#[derive(Debug)]
pub(super) struct Demux<K> {
    routes: BTreeMap<SocketAddr, Routed<K>>,
    waiting: BTreeMap<SocketAddr, Waiting>,
    deadlines: BTreeSet<(Instant, SocketAddr)>,
    waiting_bytes: usize,
    limits: WaitingLimits,
}

#[derive(Debug)]
struct Routed<K> {
    key: K,
    /// The random of the ClientHello that began it; `None` if this side is the client.
    begun_by: Option<Random>,
}

#[derive(Debug)]
struct Waiting {
    random: Random,
    bytes: usize,
    deadline: Instant,
    /// Datagrams that came behind it.
    early_data: Vec<Vec<u8>>,
    /// How many bytes more of them there may be.
    early_room: usize,
}

impl<K: Copy + Eq> Demux<K> {
    pub(super) fn new(limits: WaitingLimits) -> Self {
        Self { routes: BTreeMap::new(), waiting: BTreeMap::new(), deadlines: BTreeSet::new(), waiting_bytes: 0, limits }
    }

    /// The connection of this address.
    pub(super) fn connection(&self, peer: SocketAddr) -> Option<K> {
        self.routes.get(&address(peer)).map(|routed| routed.key)
    }

    /// What a ClientHello with this random is to its address.
    pub(super) fn standing(&self, peer: SocketAddr, random: &Random) -> Standing<K> {
        let peer = address(peer);
        if self.waiting.get(&peer).is_some_and(|waiting| waiting.random == *random) {
            return Standing::Waits;
        }
        match self.routes.get(&peer) {
            Some(routed) if routed.begun_by.as_ref() == Some(random) => Standing::Began(routed.key),
            _ => Standing::New,
        }
    }

    /// Whether a ClientHello in a datagram of `bytes` may wait; how many bytes do then, all together.
    pub(super) fn room(&self, peer: SocketAddr, bytes: usize) -> Result<usize, NoRoom> {
        if self.waiting.contains_key(&address(peer)) {
            return Err(NoRoom::AddressWaits);
        }
        let total = self.waiting_bytes.saturating_add(bytes);
        let full = self.waiting.len() >= self.limits.count || total > self.limits.bytes;
        if full { Err(NoRoom::Full) } else { Ok(total) }
    }

    /// Notes that a ClientHello in a datagram of `bytes` waits for the application.
    /// `early_room` is how many bytes of early data may wait with it.
    pub(super) fn wait(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        random: &Random,
        bytes: usize,
        early_room: usize,
    ) -> Result<(), NoRoom> {
        let total = self.room(peer, bytes)?;
        let peer = address(peer);
        let deadline = now + self.limits.time;
        self.waiting_bytes = total;
        self.deadlines.insert((deadline, peer));
        self.waiting.insert(peer, Waiting { random: *random, bytes, deadline, early_data: Vec::new(), early_room });
        Ok(())
    }

    /// Keeps a datagram with early data for the ClientHello that waits there; `false` if there is none, or no
    /// room.
    pub(super) fn keep(&mut self, peer: SocketAddr, datagram: &[u8]) -> bool {
        let Some(waiting) = self.waiting.get_mut(&address(peer)) else { return false };
        let total = self.waiting_bytes.saturating_add(datagram.len());
        let full = waiting.early_data.len() >= MAX_EARLY_DATAGRAMS || total > self.limits.bytes;
        match waiting.early_room.checked_sub(datagram.len()).filter(|_| !full) {
            Some(room) => {
                waiting.early_room = room;
                waiting.bytes += datagram.len();
                self.waiting_bytes = total;
                waiting.early_data.push(datagram.to_vec());
                true
            }
            None => false,
        }
    }

    /// Forgets what has waited too long; returns how many that were.
    pub(super) fn expire(&mut self, now: Instant) -> u64 {
        let mut expired = 0;
        while let Some(&(deadline, peer)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_first();
            self.forget_waiting(peer);
            expired += 1;
        }
        expired
    }

    /// Forgets that this ClientHello waits.
    pub(super) fn refuse(&mut self, peer: SocketAddr, random: &Random) {
        let peer = address(peer);
        if self.waiting.get(&peer).is_some_and(|waiting| waiting.random == *random) {
            self.forget_waiting(peer);
        }
    }

    /// Routes the address to `key`. Whatever waits there is the beginning of that connection.
    pub(super) fn insert(&mut self, peer: SocketAddr, key: K) -> Handover<K> {
        let peer = address(peer);
        let (begun_by, early_data) = match self.forget_waiting(peer) {
            Some(waiting) => (Some(waiting.random), waiting.early_data),
            None => (None, Vec::new()),
        };
        let replaced = self.routes.insert(peer, Routed { key, begun_by }).map(|replaced| replaced.key);
        Handover { replaced, early_data }
    }

    /// Forgets the address if it still belongs to `key`.
    pub(super) fn remove(&mut self, peer: SocketAddr, key: K) {
        let peer = address(peer);
        if self.routes.get(&peer).is_some_and(|routed| routed.key == key) {
            self.routes.remove(&peer);
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.routes.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn forget_waiting(&mut self, peer: SocketAddr) -> Option<Waiting> {
        let waiting = self.waiting.remove(&peer)?;
        self.deadlines.remove(&(waiting.deadline, peer));
        self.waiting_bytes = self.waiting_bytes.saturating_sub(waiting.bytes);
        Some(waiting)
    }
}

/// The part of a socket address that names the peer: a flow label may change from one datagram to
/// the next (RFC 6437 §2).
pub(super) fn address(peer: SocketAddr) -> SocketAddr {
    match peer {
        SocketAddr::V4(_) => peer,
        SocketAddr::V6(v6) => SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into(),
    }
}
