//! The places of a server's connections: how many there are, and who makes room when there are no more.
//!
//! A client can take all places with one payload for each, and keep them for `--idle`. So when all are taken, a newcomer
//! whose handshake is done gets the place over which nothing has gone for longest, if that is long enough. And one network
//! gets a part of them only: who has all that it may have makes room for its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gramseal::proto::endpoint::Prefix;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::counts::Dropped;
use crate::args::FlowArgs;

/// Who was active within this time keeps its place.
const KEPT: Duration = Duration::from_secs(10);

/// How many senders there may be when one from some address comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) all: usize,
    pub(super) of_network: usize,
}

impl Bounds {
    /// What `flow` says about who comes from `peer`.
    pub(super) fn new(flow: &FlowArgs, peer: SocketAddr) -> Self {
        let all = flow.max_senders;
        let of_network = match flow.max_senders_per_network {
            Some(most) => most,
            // The programs of this machine.
            None if peer.ip().to_canonical().is_loopback() => all,
            None => all.div_ceil(2),
        };
        Self { all, of_network }
    }
}

/// All places of one server.
#[derive(Default)]
pub(super) struct Places(Mutex<Vec<Arc<Slot>>>);

struct Slot {
    /// Of the address that the connection began from: a client that moves does not spend the share of others.
    network: Prefix,
    /// When something went over the connection.
    active: Mutex<Instant>,
    lost: Notify,
}

/// A place, until the value is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    slot: Arc<Slot>,
}

/// What became of a newcomer.
pub(super) enum Granted {
    /// There was room.
    Free(Place),
    /// Somebody else lost this place.
    Displaced(Place),
}

impl Places {
    /// A place for a connection that is there already: also where there are too many.
    pub(super) fn add(self: &Arc<Self>, network: Prefix, now: Instant) -> Place {
        self.push(&mut self.slots(), network, now)
    }

    /// A place, if there are fewer than there may be or somebody loses one.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn take(self: &Arc<Self>, bounds: Bounds, network: Prefix, now: Instant) -> Result<Granted, Dropped> {
        let mut slots = self.slots();
        let Some(at) = to_displace(&slots, bounds, network, now)? else {
            return Ok(Granted::Free(self.push(&mut slots, network, now)));
        };
        slots.swap_remove(at).lost.notify_one();
        Ok(Granted::Displaced(self.push(&mut slots, network, now)))
    }

    /// Whether [`take`](Self::take) would find a place.
    ///
    /// # Errors
    /// Why it would not.
    pub(super) fn have_room(&self, bounds: Bounds, network: Prefix, now: Instant) -> Result<(), Dropped> {
        to_displace(&self.slots(), bounds, network, now).map(|_| ())
    }

    fn push(self: &Arc<Self>, slots: &mut Vec<Arc<Slot>>, network: Prefix, now: Instant) -> Place {
        let slot = Arc::new(Slot { network, active: Mutex::new(now), lost: Notify::new() });
        slots.push(Arc::clone(&slot));
        Place { places: Arc::clone(self), slot }
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose place a newcomer of this network gets: that over which nothing has gone for longest, if that is long enough;
/// `None` if there is room.
fn to_displace(slots: &[Arc<Slot>], bounds: Bounds, network: Prefix, now: Instant) -> Result<Option<usize>, Dropped> {
    let is_neighbour = |slot: &Slot| slot.network == network;
    let has_share = slots.iter().filter(|slot| is_neighbour(slot)).count() >= bounds.of_network;
    if !has_share && slots.len() < bounds.all {
        return Ok(None);
    }
    let candidates = slots.iter().enumerate().filter(|(_, slot)| !has_share || is_neighbour(slot));
    let longest_idle = candidates.map(|(at, slot)| (at, slot.active())).min_by_key(|(_, active)| *active);
    let reason = if slots.len() < bounds.all { Dropped::TooManyOfNetwork } else { Dropped::TooManySenders };
    longest_idle.filter(|(_, active)| *active + KEPT <= now).map(|(at, _)| Some(at)).ok_or(reason)
}

impl Slot {
    fn active(&self) -> Instant {
        *self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Something goes over the connection.
    pub(super) fn touch(&self, now: Instant) {
        *self.slot.active.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// When something went over it last.
    pub(super) fn active(&self) -> Instant {
        self.slot.active()
    }

    /// Waits until the place is somebody else's.
    pub(super) async fn lost(&self) {
        self.slot.lost.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.slots().retain(|slot| !Arc::ptr_eq(slot, &self.slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    fn network(peer: &str) -> Prefix {
        Prefix::of(peer.parse().expect("an address"))
    }

    #[tokio::test]
    async fn the_longest_idle_makes_room() {
        let (places, start) = (Arc::new(Places::default()), Instant::now());
        let (bounds, network) = (Bounds { all: 2, of_network: 2 }, network("192.0.2.1:1"));
        let take = |seconds| places.take(bounds, network, after(start, seconds));
        let have_room = |seconds| places.have_room(bounds, network, after(start, seconds)).is_ok();
        let Ok(Granted::Free(first)) = take(0) else { panic!("there is room") };
        let Ok(Granted::Free(second)) = take(1) else { panic!("there is room") };
        first.touch(after(start, 5));
        assert_eq!(take(10).err(), Some(Dropped::TooManySenders), "both were active within ten seconds");
        assert!(!have_room(10) && have_room(11));
        let Ok(Granted::Displaced(third)) = take(11) else { panic!("the second makes room") };
        // Returns, because it was told.
        second.lost().await;
        assert!(take(12).is_err());
        drop(second);
        assert!(take(13).is_err(), "its place was given away already");
        drop(third);
        assert!(matches!(take(13), Ok(Granted::Free(_))));
        assert!(matches!(take(13), Ok(Granted::Free(_))), "who leaves gives the place back");
    }

    #[tokio::test]
    async fn a_network_that_has_its_share_makes_room_for_its_own() {
        let (places, start) = (Arc::new(Places::default()), Instant::now());
        let bounds = Bounds { all: 4, of_network: 2 };
        let take = |peer, seconds| places.take(bounds, network(peer), after(start, seconds));
        let Ok(Granted::Free(other)) = take("198.51.100.1:1", 0) else { panic!("there is room") };
        let Ok(Granted::Free(first)) = take("192.0.2.1:1", 1) else { panic!("there is room") };
        let Ok(Granted::Free(_second)) = take("192.0.2.2:2", 2) else { panic!("there is room") };
        let full = Some(Dropped::TooManyOfNetwork);
        assert_eq!(take("192.0.2.3:3", 3).err(), full, "and there is room for others");
        assert_eq!(places.have_room(bounds, network("192.0.2.3:3"), after(start, 3)).err(), full);
        let Ok(Granted::Displaced(third)) = take("192.0.2.3:3", 11) else { panic!("the first makes room") };
        first.lost().await;
        drop(first);
        let Ok(Granted::Free(_fourth)) = take("[2001:db8::1]:1", 12) else { panic!("there is room") };
        // All places are taken: now who has been idle longest makes room, of whatever network.
        let Ok(Granted::Displaced(_)) = take("203.0.113.1:1", 12) else { panic!("the other makes room") };
        other.lost().await;
        drop(third);
        assert!(matches!(take("192.0.2.3:3", 13), Ok(Granted::Free(_))), "who leaves gives the share back");
    }

    #[test]
    fn old_connections_go_on_where_there_are_too_many() {
        let (places, now) = (Arc::new(Places::default()), Instant::now());
        let (bounds, network) = (Bounds { all: 2, of_network: 2 }, network("192.0.2.1:1"));
        let old: Vec<Place> = (0..3).map(|_| places.add(network, now)).collect();
        assert!(places.take(bounds, network, now).is_err());
        drop(old);
        assert!(places.take(bounds, network, now).is_ok());
    }

    #[test]
    fn a_network_has_half_of_the_places_unless_it_is_this_machine() {
        let flow = |most| FlowArgs {
            idle: Duration::from_secs(1),
            max_senders: 5,
            max_senders_per_network: most,
            socket_buffer: None,
        };
        let of_network = |most, peer: &str| Bounds::new(&flow(most), peer.parse().expect("an address")).of_network;
        assert_eq!([of_network(None, "192.0.2.1:1"), of_network(None, "[2001:db8::1]:1")], [3, 3]);
        assert_eq!([of_network(None, "127.0.0.1:1"), of_network(None, "[::ffff:127.0.0.1]:1")], [5, 5]);
        assert_eq!([of_network(Some(1), "192.0.2.1:1"), of_network(Some(1), "[::1]:1")], [1, 1]);
    }
}
