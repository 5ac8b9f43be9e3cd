//! The deadlines of all connections of an endpoint, and the clock they are read on.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gramseal_proto::Instant;

use crate::router::Key;

/// Counts from when the endpoint began. It is tokio's clock, so that tests may stop it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(tokio::time::Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::default() + self.0.elapsed()
    }

    /// The same moment for tokio's timers.
    pub(crate) fn when(&self, moment: Instant) -> tokio::time::Instant {
        // The protocol counts whole microseconds: without one more, a timer may fire just before.
        self.0 + Duration::from_micros(moment.as_micros().saturating_add(1))
    }
}

/// Which connection to wake when.
#[derive(Debug, Default)]
pub(crate) struct Timers(Mutex<BTreeSet<(Instant, Key)>>);

/// Whether the moment to wake up for has come nearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rearmed {
    Earlier,
    NotEarlier,
}

impl Timers {
    /// Moves the deadline of `key`.
    pub(crate) fn rearm(&self, key: Key, old: Option<Instant>, new: Option<Instant>) -> Rearmed {
        let mut deadlines = self.lock();
        if let Some(old) = old {
            deadlines.remove(&(old, key));
        }
        let Some(new) = new else { return Rearmed::NotEarlier };
        deadlines.insert((new, key));
        if deadlines.first() == Some(&(new, key)) { Rearmed::Earlier } else { Rearmed::NotEarlier }
    }

    /// The next deadline of all.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.lock().first().map(|(deadline, _)| *deadline)
    }

    /// Takes out one deadline that has passed.
    pub(crate) fn pop_due(&self, now: Instant) -> Option<Key> {
        let mut deadlines = self.lock();
        if deadlines.first()?.0 > now {
            return None;
        }
        deadlines.pop_first().map(|(_, key)| key)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(Instant, Key)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Option<Instant> {
        Some(Instant::from_micros(micros))
    }

    #[test]
    fn only_the_first_deadline_needs_the_driver() {
        let timers = Timers::default();
        assert_eq!(timers.rearm(Key(1), None, at(50)), Rearmed::Earlier);
        assert_eq!(timers.rearm(Key(2), None, at(60)), Rearmed::NotEarlier);
        assert_eq!(timers.rearm(Key(2), at(60), at(40)), Rearmed::Earlier);
        assert_eq!(timers.rearm(Key(1), at(50), None), Rearmed::NotEarlier);
        assert_eq!(timers.next(), at(40));
        assert_eq!(timers.pop_due(Instant::from_micros(39)), None);
        assert_eq!(timers.pop_due(Instant::from_micros(40)), Some(Key(2)));
        assert_eq!(timers.next(), None);
    }
}
