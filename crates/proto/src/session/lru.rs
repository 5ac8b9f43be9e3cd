//! A map that forgets what was used least recently when it is full.

use alloc::collections::BTreeMap;

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
    /// Counts uses.
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
        let used = self.tick();
        self.bytes += size;
        self.by_use.insert(used, key.clone());
        self.entries.insert(key, Entry { used, size, value });
    }

    /// Looks up `key`, which counts as a use.
    pub(super) fn get(&mut self, key: &K) -> Option<&V> {
        let now = self.tick();
        let entry = self.entries.get_mut(key)?;
        self.by_use.remove(&entry.used);
        entry.used = now;
        self.by_use.insert(now, key.clone());
        Some(&entry.value)
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.by_use.remove(&entry.used);
        self.bytes -= entry.size;
        Some(entry.value)
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

    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
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
    fn a_map_without_room_keeps_nothing() {
        let mut lru = Lru::new(Bounds { entries: 0, bytes: 100 });
        lru.insert(0, (), 1);
        assert_eq!(lru.len(), 0);
    }
}
