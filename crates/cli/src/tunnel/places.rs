//! The places of a server's connections: how many there are, and who makes room when there are no more.
//!
//! A client can take all places with one payload for each, and keep them for `--idle`. So when all are taken, a newcomer
//! whose handshake is done gets the place over which nothing has gone for longest, if that is long enough.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Who was active within this time keeps its place.
const KEPT: Duration = Duration::from_secs(10);

/// All places of one server.
#[derive(Default)]
pub(super) struct Places(Mutex<Vec<Arc<Slot>>>);

struct Slot {
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
    pub(super) fn add(self: &Arc<Self>, now: Instant) -> Place {
        self.push(&mut self.slots(), now)
    }

    /// A place, if there are fewer than `most` or somebody loses one.
    pub(super) fn take(self: &Arc<Self>, most: usize, now: Instant) -> Option<Granted> {
        let mut slots = self.slots();
        if slots.len() < most {
            return Some(Granted::Free(self.push(&mut slots, now)));
        }
        let (at, _) = longest_idle(&slots).filter(|(_, active)| *active + KEPT <= now)?;
        slots.swap_remove(at).lost.notify_one();
        Some(Granted::Displaced(self.push(&mut slots, now)))
    }

    /// Whether [`take`](Self::take) would find a place.
    pub(super) fn have_room(&self, most: usize, now: Instant) -> bool {
        let slots = self.slots();
        slots.len() < most || longest_idle(&slots).is_some_and(|(_, active)| active + KEPT <= now)
    }

    fn push(self: &Arc<Self>, slots: &mut Vec<Arc<Slot>>, now: Instant) -> Place {
        let slot = Arc::new(Slot { active: Mutex::new(now), lost: Notify::new() });
        slots.push(Arc::clone(&slot));
        Place { places: Arc::clone(self), slot }
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the slot is over which nothing has gone for longest, and since when.
fn longest_idle(slots: &[Arc<Slot>]) -> Option<(usize, Instant)> {
    slots.iter().map(|slot| slot.active()).enumerate().min_by_key(|(_, active)| *active)
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

    #[tokio::test]
    async fn the_longest_idle_makes_room() {
        let (places, start) = (Arc::new(Places::default()), Instant::now());
        let take = |seconds| places.take(2, after(start, seconds));
        let Some(Granted::Free(first)) = take(0) else { panic!("there is room") };
        let Some(Granted::Free(second)) = take(1) else { panic!("there is room") };
        first.touch(after(start, 5));
        assert!(take(10).is_none(), "both were active within ten seconds");
        assert!(!places.have_room(2, after(start, 10)) && places.have_room(2, after(start, 11)));
        let Some(Granted::Displaced(third)) = take(11) else { panic!("the second makes room") };
        // Returns, because it was told.
        second.lost().await;
        assert!(take(12).is_none());
        drop(second);
        assert!(take(13).is_none(), "its place was given away already");
        drop(third);
        assert!(matches!(take(13), Some(Granted::Free(_))));
        assert!(matches!(take(13), Some(Granted::Free(_))), "who leaves gives the place back");
    }

    #[test]
    fn old_connections_go_on_where_there_are_too_many() {
        let (places, now) = (Arc::new(Places::default()), Instant::now());
        let old: Vec<Place> = (0..3).map(|_| places.add(now)).collect();
        assert!(places.take(2, now).is_none());
        drop(old);
        assert!(places.take(2, now).is_some());
    }
}
