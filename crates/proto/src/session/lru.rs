//! A map that forgets what was used least recently when it is full.

use alloc::collections::BTreeMap;
use core::borrow::Borrow;

/// How much a map may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) entries: usize,
    pub(super) bytes: usize,
}

/// The map. An ordered one has no collisions to attack.
#[derive(Debug)]
pub(super) struct Lru<K, V> {
    bounds: Bounds,
    bytes: usize,
    /// The number of the latest use.
    now: u64,
    entries: BTreeMap<K, Entry<V>>,
    by_use: BTreeMap<u64, K>,
}

#[derive(Debug)]
struct Entry<V> {
    used: u64,
    size: usize,
    value: V,
}

impl<K: Ord + Clone, V> Lru<K, V> {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self { bounds, bytes: 0, now: 0, entries: BTreeMap::new(), by_use: BTreeMap::new() }
    }

    /// Keeps `value`, which counts as `size` bytes, in place of what had the same key. What alone
    /// exceeds the bounds is not kept.
    pub(super) fn insert(&mut self, key: K, value: V, size: usize) {
        self.remove(&key);
        if size > self.bounds.bytes || self.bounds.entries == 0 {
            return;
        }
        while self.entries.len() >= self.bounds.entries || self.bytes + size > self.bounds.bytes {
            if !self.forget_oldest() {
                return;
            }
        }
        self.now += 1;
        self.bytes += size;
        self.by_use.insert(self.now, key.clone());
        self.entries.insert(key, Entry { used: self.now, size, value });
    }

    /// Looks up `key`, which counts as a use.
    pub(super) fn get<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.use_of(key).map(|entry| &entry.value)
    }

    /// Changes the value of `key`, if it has one, which counts as a use. `change` also says as how many bytes it
    /// counts from now on.
    pub(super) fn change<R>(&mut self, key: &K, change: impl FnOnce(&mut V) -> (R, usize)) -> Option<R> {
        let entry = self.use_of(key)?;
        let (result, size) = change(&mut entry.value);
        let before = core::mem::replace(&mut entry.size, size);
        self.bytes = self.bytes - before + size;
        if size > self.bounds.bytes {
            self.remove(key);
        }
        // The one that was changed would be the last to go.
        while self.bytes > self.bounds.bytes && self.forget_oldest() {}
        Some(result)
    }

    pub(super) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.remove(key)?;
        self.by_use.remove(&entry.used);
        self.bytes -= entry.size;
        Some(entry.value)
    }

    fn use_of<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut Entry<V>>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.get_mut(key)?;
        // Whoever has one entry, or uses one again and again, need not touch the order.
        if entry.used != self.now {
            self.now += 1;
            if let Some(key) = self.by_use.remove(&entry.used) {
                self.by_use.insert(self.now, key);
            }
            entry.used = self.now;
        }
        Some(entry)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All values, in the order of their keys.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|entry| &entry.value)
    }

    fn forget_oldest(&mut self) -> bool {
        let Some((_, key)) = self.by_use.pop_first() else { return false };
        if let Some(entry) = self.entries.remove(&key) {
            self.bytes -= entry.size;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut lru = Lru::new(Bounds { entries: 3, bytes: 1000 });
        for key in 0..3 {
            lru.insert(key, key * 10, 10);
        }
        assert_eq!(lru.get(&0), Some(&0));
        lru.insert(3, 30, 10);
        assert_eq!([0, 1, 2, 3].map(|key| lru.get(&key).copied()), [Some(0), None, Some(20), Some(30)]);
        assert_eq!(lru.len(), 3);
    }

    #[test]
    fn bytes_are_bounded_and_given_back() {
        let mut lru = Lru::new(Bounds { entries: 100, bytes: 100 });
        lru.insert(0, (), 60);
        lru.insert(1, (), 40);
        lru.insert(1, (), 30);
        assert_eq!((lru.bytes, lru.len()), (90, 2));
        lru.insert(2, (), 90);
        assert_eq!((lru.bytes, lru.len()), (90, 1));
        lru.insert(3, (), 101);
        assert_eq!(lru.get(&3), None, "too large to be kept");
        assert_eq!((lru.bytes, lru.len()), (90, 1), "and nothing went for it");
        assert_eq!(lru.remove(&2), Some(()));
        assert_eq!((lru.bytes, lru.len(), lru.by_use.len()), (0, 0, 0));
    }

    #[test]
    fn a_change_counts_as_a_use_and_keeps_the_bounds() {
        let mut lru = Lru::new(Bounds { entries: 3, bytes: 100 });
        for key in 0..3 {
            lru.insert(key, key, 20);
        }
        assert_eq!(lru.change(&0, |value| (core::mem::replace(value, 7), 30)), Some(0));
        assert_eq!(lru.change(&9, |value| (*value, 0)), None);
        assert_eq!((lru.bytes, lru.len()), (70, 3));
        lru.change(&0, |_| ((), 70));
        assert_eq!([0, 1, 2].map(|key| lru.get(&key).copied()), [Some(7), None, Some(2)], "the oldest makes room");
        lru.change(&0, |_| ((), 101));
        assert_eq!(
            (lru.get(&0).copied(), lru.bytes, lru.len()),
            (None, 20, 1),
            "too large to be kept, and nothing went for it"
        );
    }

    #[test]
    fn a_map_without_room_keeps_nothing() {
        let mut lru = Lru::new(Bounds { entries: 0, bytes: 100 });
        lru.insert(0, (), 1);
        assert_eq!(lru.len(), 0);
    }
}
