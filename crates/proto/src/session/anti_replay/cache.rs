//! The hellos whose early data was taken, in memory (RFC 9846 §8.2).

use alloc::collections::BTreeMap;
use alloc::collections::btree_set::BTreeSet;
use core::fmt;
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use pki_types::UnixTime;

use super::{AntiReplay, EarlyHello, WINDOW};

/// The hellos whose early data was taken, in memory, each for as long as a copy of it could pass for a
/// fresh one. When it is full, no early data is taken until the oldest is forgotten.
///
/// A process that has just begun cannot know what the one before it took: until its window is over it
/// takes early data with tickets alone that are younger than it is.
pub struct AntiReplayCache {
    limit: usize,
    window: Duration,
    since: UnixTime,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    until: BTreeMap<[u8; 32], UnixTime>,
    by_time: BTreeSet<(UnixTime, [u8; 32])>,
    /// The latest time that was heard of, which a clock that is set back does not change.
    latest: u64,
}

impl AntiReplayCache {
    /// For at most `hellos` at a time, some 150 bytes each. `since` is the time of day: what was
    /// taken before is not known.
    #[must_use]
    pub fn new(hellos: usize, since: UnixTime) -> Self {
        Self { limit: hellos, window: Self::DEFAULT_WINDOW, since, taken: Mutex::default() }
    }

    /// How far from one another the time at which a hello says that it was sent and that at which it comes
    /// may be. Default [`DEFAULT_WINDOW`](Self::DEFAULT_WINDOW).
    #[must_use]
    pub fn with_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Ten seconds.
    pub const DEFAULT_WINDOW: Duration = WINDOW;

    /// How many hellos it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.with(|taken| taken.until.len())
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut Taken) -> T) -> T {
        // Nothing is left half done when a holder of the lock panics that could let a copy in.
        use_it(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AntiReplay for AntiReplayCache {
    fn window(&self) -> Duration {
        self.window
    }

    fn claim(&self, hello: &EarlyHello) -> bool {
        // RFC 9846 §8.2: one before us may have taken it, unless its ticket did not exist then.
        if hello.issued < self.since && hello.fresh_from < self.since {
            return false;
        }
        self.with(|taken| taken.claim(hello, self.limit))
    }
}

impl Taken {
    fn claim(&mut self, hello: &EarlyHello, limit: usize) -> bool {
        self.latest = self.latest.max(hello.now.as_secs());
        // What is forgotten now must not be fresh again when the clock is set back.
        if hello.fresh_until.as_secs() < self.latest {
            return false;
        }
        while let Some((until, binder)) = self.by_time.first().copied() {
            if until.as_secs() >= self.latest {
                break;
            }
            self.by_time.pop_first();
            self.until.remove(&binder);
        }
        if self.until.len() >= limit || self.until.contains_key(&hello.binder) {
            return false;
        }
        self.until.insert(hello.binder, hello.fresh_until);
        self.by_time.insert((hello.fresh_until, hello.binder));
        true
    }
}

impl fmt::Debug for AntiReplayCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AntiReplayCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_000_000;

    fn at(secs: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(secs))
    }

    /// A hello that comes at the time at which it was sent, `secs` after the start, with a ticket from then.
    fn hello(binder: u8, secs: u64) -> EarlyHello {
        let now = START + secs;
        EarlyHello {
            binder: [binder; 32],
            issued: at(now),
            now: at(now),
            fresh_from: at(now - 10),
            fresh_until: at(now + 10),
        }
    }

    #[test] // RFC 9846 §8.2
    fn a_hello_counts_once_and_is_kept_as_long_as_a_copy_would_be_fresh() {
        let cache = AntiReplayCache::new(10, at(START));
        assert!(cache.claim(&hello(1, 0)));
        for later in [0, 5, 10] {
            assert!(!cache.claim(&EarlyHello { now: at(START + later), ..hello(1, 0) }), "{later}");
        }
        assert!(cache.claim(&hello(2, 10)));
        assert_eq!(cache.len(), 2);
        assert!(cache.claim(&hello(3, 11)));
        assert_eq!(cache.len(), 2, "the first is forgotten");
    }

    #[test]
    fn a_full_cache_takes_nothing_until_there_is_room() {
        let cache = AntiReplayCache::new(3, at(START));
        assert_eq!([1, 2, 3, 4].map(|binder| cache.claim(&hello(binder, 0))), [true, true, true, false]);
        assert!(!cache.claim(&hello(5, 10)));
        assert!(cache.claim(&hello(5, 11)));
        assert_eq!(cache.len(), 1);
        assert!(!AntiReplayCache::new(0, at(START)).claim(&hello(1, 0)));
    }

    #[test] // RFC 9846 §8.2
    fn what_could_have_been_taken_before_the_start_is_not_taken_again() {
        let cache = AntiReplayCache::new(10, at(START));
        let older = |binder, secs| EarlyHello { issued: at(START - 1), ..hello(binder, secs) };
        assert!(!cache.claim(&older(1, 0)) && !cache.claim(&older(1, 9)));
        assert!(cache.claim(&older(1, 10)), "nobody took anything since");
        assert!(cache.claim(&hello(2, 0)), "the ticket is younger");
    }

    #[test]
    fn a_clock_that_is_set_back_brings_nothing_back() {
        let cache = AntiReplayCache::new(10, at(START));
        assert!(cache.claim(&hello(1, 0)));
        assert!(cache.claim(&hello(2, 100)));
        assert_eq!(cache.len(), 1);
        assert!(!cache.claim(&hello(1, 0)));
    }
}
