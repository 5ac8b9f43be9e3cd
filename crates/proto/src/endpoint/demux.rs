//! Which connection a connection id or an address belongs to, and which handshakes wait for the application.
//!
//! Owns the maps from ids and addresses, and their bounds. Never looks at a datagram and never decides what an
//! address has to prove first. RFC 6347 §4.2.8, RFC 9147 §5.11, RFC 9146 §3.
//!
//! An address has one connection, and while the client there begins anew a second one, which takes the place of
//! the first when its handshake is done. Until then both live: who showed a cookie is at the address, but only who
//! has gone through a handshake is the client whose connection may end.
//!
//! A peer with a connection id may move. At an address that nobody has, its connection is found by that, too; where
//! another connection is, that one stays what the address leads to. Whoever begins anew at an address may be somebody
//! else than the client that moved there: a connection ends so only where it began, or if nothing else leads to it.
//!
//! The maps are ordered trees: their keys are chosen by whoever sends datagrams, and a tree's worst
//! case is its usual case, whereas a hash table needs a seed that stays secret. And only order finds the id that some
//! bytes begin with without knowing how long it is.

use alloc::collections::btree_map::Entry;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::Bound;

use gramseal_wire::Random;

use super::limits::{Limit, Limits};
use super::load::Load;
use super::prefix::Prefix;
use super::{AddCidError, Handover};
use crate::connection::address;
use crate::{Cid, Instant};

/// Datagrams with early data that may wait with one ClientHello.
pub(super) const MAX_EARLY_DATAGRAMS: usize = 16;
/// Connections of one address that are found by their ids alone: they are looked through one by one.
pub(super) const MAX_GUESTS: usize = 16;
/// Handshakes that are not done and whose clients are perhaps not at their address: a ticket that can be used again makes
/// any number of hellos, from any address.
const MAX_UNPROVED: usize = 1024;

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

/// What let a ClientHello in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// What the policy asks of all.
    Enough,
    /// Its early data, which says nothing of its address. Who forges those of others must not take the places of those who
    /// are there.
    EarlyData,
}

/// Why a ClientHello cannot wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// Another one from this address does.
    AddressWaits,
    /// A limit is reached.
    Limit(Limit),
}

impl Proof {
    /// How much of what may wait, or be connected, one may find used and still have room.
    const fn share(self, all: usize) -> usize {
        match self {
            Self::Enough => all,
            Self::EarlyData => all.div_ceil(2),
        }
    }
}

#[derive(Debug)]
pub(super) struct Demux<K> {
    routes: BTreeMap<SocketAddr, Routed<K>>,
    /// The connections of clients that begin anew, until they are established.
    successors: BTreeMap<SocketAddr, Routed<K>>,
    /// Connections whose peers moved to an address that has another one, or where another one began since: they are found
    /// by their ids alone. At most [`MAX_GUESTS`] at each address, with the one that may become the next.
    guests: BTreeMap<SocketAddr, Vec<Routed<K>>>,
    guest_count: usize,
    /// No id in it begins with another.
    cids: BTreeMap<Cid, K>,
    waiting: BTreeMap<SocketAddr, Waiting>,
    deadlines: BTreeSet<(Instant, SocketAddr)>,
    waiting_bytes: usize,
    /// Handshakes of clients that early data alone let in, those that wait included.
    unproved: usize,
    load: Load,
    limits: Limits,
    /// When the latest hello came.
    now: Instant,
}

/// The connections of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known<K> {
    pub(super) current: K,
    /// Whether its handshake is done.
    pub(super) is_established: bool,
    /// That of a client which begins anew.
    pub(super) successor: Option<K>,
}

#[derive(Debug)]
struct Routed<K> {
    key: K,
    /// The ClientHello that began it; `None` if this side is the client.
    begun_by: Option<Beginning>,
    /// Those that also lead to it.
    cids: Vec<Cid>,
    stage: Stage,
}

/// Tells a ClientHello of an address from others of it: the end of its random, since some clients begin theirs with
/// the time. There is one of these for each connection, and all that a client gains by a random that ends as another
/// did is that its hello goes to its own connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Beginning([u8; 8]);

impl Beginning {
    fn of(random: &Random) -> Self {
        Self(*random.0.last_chunk().expect("32 bytes"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A client's handshake is not done. Another one with a cookie takes its place.
    HalfOpen(Proof),
    /// Begun by this side, or accepted only when the hello had expired; its handshake is not done. Only one that is
    /// done takes its place.
    Begun,
    /// Established. The same holds.
    Firm,
    /// Established, and its peer has moved. None takes its place, as long as its ids lead to it.
    Moved,
}

#[derive(Debug)]
struct Waiting {
    random: Random,
    proof: Proof,
    bytes: usize,
    deadline: Instant,
    /// Datagrams that came behind it.
    early_data: Vec<Vec<u8>>,
    /// How many bytes more of them there may be.
    early_room: usize,
}

impl<K: Copy + Eq> Demux<K> {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            routes: BTreeMap::new(),
            successors: BTreeMap::new(),
            guests: BTreeMap::new(),
            guest_count: 0,
            cids: BTreeMap::new(),
            waiting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            waiting_bytes: 0,
            unproved: 0,
            load: Load::default(),
            limits,
            now: Instant::default(),
        }
    }

    /// The connections of this address.
    pub(super) fn known(&self, peer: SocketAddr) -> Option<Known<K>> {
        let peer = address(peer);
        let current = self.routes.get(&peer)?;
        let is_established = matches!(current.stage, Stage::Firm | Stage::Moved);
        let successor = self.successors.get(&peer).map(|routed| routed.key);
        Some(Known { current: current.key, is_established, successor })
    }

    /// The connection whose id `bytes` begin with.
    pub(super) fn named(&self, bytes: &[u8]) -> Option<K> {
        self.find_cid(bytes).map(|(_, key)| key)
    }

    /// The id that `bytes` begin with.
    pub(super) fn cid_of(&self, bytes: &[u8]) -> Option<&Cid> {
        self.find_cid(bytes).map(|(cid, _)| cid)
    }

    fn find_cid(&self, bytes: &[u8]) -> Option<(&Cid, K)> {
        // Everything between an id and what begins with it begins with it, too. So it is the next one below, if any.
        let (cid, key) = self.cids.range::<[u8], _>((Bound::Unbounded, Bound::Included(bytes))).next_back()?;
        bytes.starts_with(cid).then_some((cid, *key))
    }

    /// Lets `cid` lead to the connection `key` at `peer`.
    pub(super) fn add_cid(&mut self, peer: SocketAddr, key: K, cid: Cid) -> Result<(), AddCidError> {
        let above = self.cids.range::<[u8], _>((Bound::Included(cid.as_bytes()), Bound::Unbounded)).next();
        let below = self.cids.range::<[u8], _>((Bound::Unbounded, Bound::Included(cid.as_bytes()))).next_back();
        let begins = above.is_some_and(|(other, _)| other.starts_with(&cid));
        if cid.is_empty() || begins || below.is_some_and(|(other, _)| cid.starts_with(other)) {
            return Err(AddCidError::Taken);
        }
        let routed = self.routed_mut(peer, key).ok_or(AddCidError::NoConnection)?;
        routed.cids.reserve_exact(1);
        routed.cids.push(cid.clone());
        self.cids.insert(cid, key);
        Ok(())
    }

    /// Forgets `cid`, if it leads to the connection `key` at `peer`.
    pub(super) fn remove_cid(&mut self, peer: SocketAddr, key: K, cid: &[u8]) {
        let Some(routed) = self.routed_mut(peer, key) else { return };
        if let Some(at) = routed.cids.iter().position(|own| **own == *cid) {
            routed.cids.swap_remove(at);
            self.cids.remove(cid);
        }
    }

    /// What a ClientHello with this random is to its address.
    pub(super) fn standing(&self, peer: SocketAddr, random: &Random) -> Standing<K> {
        let peer = address(peer);
        if self.waiting.get(&peer).is_some_and(|waiting| waiting.random == *random) {
            return Standing::Waits;
        }
        let beginning = Some(Beginning::of(random));
        let connections = [self.successors.get(&peer), self.routes.get(&peer)];
        let began = connections.into_iter().flatten().find(|routed| routed.begun_by == beginning);
        began.map_or(Standing::New, |routed| Standing::Began(routed.key))
    }

    /// Whether a ClientHello in a datagram of `bytes` may wait; how many bytes do then, all together.
    pub(super) fn room(&self, now: Instant, peer: SocketAddr, bytes: usize, proof: Proof) -> Result<usize, NoRoom> {
        if self.waiting.contains_key(&address(peer)) {
            return Err(NoRoom::AddressWaits);
        }
        if self.connections() + self.waiting() >= self.limits.connections {
            return Err(NoRoom::Limit(Limit::Connections));
        }
        let total = self.waiting_bytes.saturating_add(bytes);
        if self.waiting.len() >= proof.share(self.limits.incoming) || total > proof.share(self.limits.incoming_bytes) {
            return Err(NoRoom::Limit(Limit::Incoming));
        }
        if proof == Proof::EarlyData && self.unproved >= MAX_UNPROVED.min(proof.share(self.limits.connections)) {
            return Err(NoRoom::Limit(Limit::HalfOpen));
        }
        self.load.room(now, Prefix::of(peer), &self.limits).map_err(NoRoom::Limit)?;
        Ok(total)
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
        proof: Proof,
    ) -> Result<(), NoRoom> {
        let total = self.room(now, peer, bytes, proof)?;
        match proof {
            Proof::Enough => self.load.begin(now, Prefix::of(peer), &self.limits),
            Proof::EarlyData => self.unproved += 1,
        }
        let peer = address(peer);
        let deadline = now + self.limits.incoming_expiry;
        self.waiting_bytes = total;
        self.deadlines.insert((deadline, peer));
        let early_data = Vec::new();
        self.waiting.insert(peer, Waiting { random: *random, proof, bytes, deadline, early_data, early_room });
        Ok(())
    }

    /// Keeps a datagram with early data for the ClientHello that waits there; `false` if there is none, or no
    /// room.
    pub(super) fn keep(&mut self, peer: SocketAddr, datagram: &[u8]) -> bool {
        let Some(waiting) = self.waiting.get_mut(&address(peer)) else { return false };
        let total = self.waiting_bytes.saturating_add(datagram.len());
        let max = waiting.proof.share(self.limits.incoming_bytes);
        let full = waiting.early_data.len() >= MAX_EARLY_DATAGRAMS || total > max;
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
        self.now = now;
        let mut expired = 0;
        while let Some(&(deadline, peer)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            self.give_up(peer);
            expired += 1;
        }
        expired
    }

    /// Forgets that this ClientHello waits.
    pub(super) fn forget(&mut self, peer: SocketAddr, random: &Random) {
        let peer = address(peer);
        if self.waiting.get(&peer).is_some_and(|waiting| waiting.random == *random) {
            self.give_up(peer);
        }
    }

    /// Routes the address to `key`. Whatever waits there is the beginning of that connection.
    pub(super) fn insert(&mut self, peer: SocketAddr, key: K) -> Handover<K> {
        let peer = address(peer);
        let (routed, early_data) = match self.no_longer_waits(peer) {
            Some(waiting) => {
                let begun_by = Some(Beginning::of(&waiting.random));
                let stage = Stage::HalfOpen(waiting.proof);
                (Routed { key, begun_by, cids: Vec::new(), stage }, waiting.early_data)
            }
            None => (Routed { key, begun_by: None, cids: Vec::new(), stage: Stage::Begun }, Vec::new()),
        };
        let firm = self.routes.get(&peer).is_some_and(|current| !matches!(current.stage, Stage::HalfOpen(_)));
        let place = if firm { &mut self.successors } else { &mut self.routes };
        let replaced = place.insert(peer, routed);
        Handover { replaced: replaced.map(|replaced| self.gone(peer, &replaced)), early_data }
    }

    /// Notes that the handshake of `key` is done. Gives the connection whose place it takes.
    pub(super) fn establish(&mut self, peer: SocketAddr, key: K) -> Option<K> {
        let peer = address(peer);
        if self.successors.get(&peer).is_some_and(|successor| successor.key == key) {
            let successor = self.successors.remove(&peer)?;
            self.done(peer, successor.stage);
            let before = self.routes.insert(peer, Routed { stage: Stage::Firm, ..successor })?;
            if before.stage == Stage::Moved && !before.cids.is_empty() && self.has_room_for_guest(peer) {
                self.add_guest(peer, before);
                return None;
            }
            return Some(self.gone(peer, &before));
        }
        let current = self.routes.get_mut(&peer).filter(|current| current.key == key)?;
        // Its peer may have moved before this was told.
        if current.stage != Stage::Moved {
            let before = core::mem::replace(&mut current.stage, Stage::Firm);
            self.done(peer, before);
        }
        None
    }

    /// The peer of the connection `key` is at another address from now on. Whether it is to be found there: if not, it stays
    /// in its place, and its ids lead to it.
    pub(super) fn move_peer(&mut self, from: SocketAddr, to: SocketAddr, key: K) -> bool {
        let (from, to) = (address(from), address(to));
        if from == to {
            return true;
        }
        let has_room = self.has_room_for_guest(to);
        let Some(moved) = self.routed_mut(from, key) else { return false };
        // Only who is connected moves.
        let before = core::mem::replace(&mut moved.stage, Stage::Moved);
        self.done(from, before);
        let Some(moved) = has_room.then(|| self.take(from, key)).flatten() else { return false };
        match self.routes.entry(to) {
            Entry::Vacant(vacant) => drop(vacant.insert(moved)),
            Entry::Occupied(_) => self.add_guest(to, moved),
        }
        true
    }

    /// Who has the place after a move counts as well: who begins there makes a guest of it.
    fn has_room_for_guest(&self, peer: SocketAddr) -> bool {
        let to_be = self.routes.get(&peer).is_some_and(|current| current.stage == Stage::Moved);
        self.guests.get(&peer).map_or(0, Vec::len) + usize::from(to_be) < MAX_GUESTS
    }

    fn add_guest(&mut self, peer: SocketAddr, guest: Routed<K>) {
        self.guests.entry(peer).or_default().push(guest);
        self.guest_count += 1;
    }

    /// Forgets the connection `key` of this address; its successor takes its place.
    pub(super) fn remove(&mut self, peer: SocketAddr, key: K) {
        let peer = address(peer);
        if let Some(removed) = self.take(peer, key) {
            self.gone(peer, &removed);
        }
    }

    /// Takes the connection `key` out of this address; its successor takes its place.
    fn take(&mut self, peer: SocketAddr, key: K) -> Option<Routed<K>> {
        let is_it = |routed: Option<&Routed<K>>| routed.is_some_and(|routed| routed.key == key);
        if is_it(self.routes.get(&peer)) {
            match self.successors.remove(&peer) {
                Some(successor) => self.routes.insert(peer, successor),
                None => self.routes.remove(&peer),
            }
        } else if is_it(self.successors.get(&peer)) {
            self.successors.remove(&peer)
        } else {
            let guests = self.guests.get_mut(&peer)?;
            let at = guests.iter().position(|guest| guest.key == key)?;
            let guest = guests.swap_remove(at);
            self.guest_count -= 1;
            if guests.is_empty() {
                self.guests.remove(&peer);
            }
            Some(guest)
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.routes.len() + self.successors.len() + self.guest_count
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Handshakes of clients that are not done, those that wait included.
    pub(super) const fn half_open(&self) -> usize {
        self.load.half_open() + self.unproved
    }

    /// The handshake of this address is over, if the connection was in it.
    fn ended(&mut self, peer: SocketAddr, stage: Stage) {
        match stage {
            Stage::HalfOpen(Proof::Enough) => self.load.end(Prefix::of(peer)),
            Stage::HalfOpen(Proof::EarlyData) => self.unproved -= 1,
            Stage::Begun | Stage::Firm | Stage::Moved => {}
        }
    }

    /// The same, and the client is there: by now its handshake counts like those of others.
    fn done(&mut self, peer: SocketAddr, stage: Stage) {
        if stage == Stage::HalfOpen(Proof::EarlyData) {
            self.load.spend(self.now, Prefix::of(peer), &self.limits);
        }
        self.ended(peer, stage);
    }

    /// The connection of this address is over.
    fn gone(&mut self, peer: SocketAddr, routed: &Routed<K>) -> K {
        self.ended(peer, routed.stage);
        for cid in &routed.cids {
            self.cids.remove(cid);
        }
        routed.key
    }

    fn routed_mut(&mut self, peer: SocketAddr, key: K) -> Option<&mut Routed<K>> {
        let peer = address(peer);
        let connections = [self.routes.get_mut(&peer), self.successors.get_mut(&peer)];
        let guests = self.guests.get_mut(&peer).into_iter().flatten();
        connections.into_iter().flatten().chain(guests).find(|routed| routed.key == key)
    }

    fn give_up(&mut self, peer: SocketAddr) {
        if let Some(waiting) = self.no_longer_waits(peer) {
            self.ended(peer, Stage::HalfOpen(waiting.proof));
        }
    }

    fn no_longer_waits(&mut self, peer: SocketAddr) -> Option<Waiting> {
        let waiting = self.waiting.remove(&peer)?;
        self.deadlines.remove(&(waiting.deadline, peer));
        self.waiting_bytes = self.waiting_bytes.saturating_sub(waiting.bytes);
        Some(waiting)
    }
}
