//! Counters of a connection.

use alloc::boxed::Box;
use core::time::Duration;

use crate::discard::DiscardCounts;

/// What a connection has counted since it began.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Datagrams given to the connection.
    pub datagrams_received: u64,
    /// Datagrams that the protocol itself sent: of handshakes, with ACKs, with alerts, and with challenges and
    /// answers of return routability checks.
    pub datagrams_sent: u64,
    /// Records of application data that were opened.
    pub records_opened: u64,
    /// Payloads that the caller did not take from a [`Received`](crate::Received).
    pub payloads_ignored: u64,
    /// Records of application data that were sealed.
    pub records_sealed: u64,
    /// Flights that were sent again, whole or as far as the peer lacked them.
    pub retransmissions: u32,
    /// ACKs of 1.3 that were sent.
    pub acks_sent: u32,
    /// ACKs of 1.3 that came and could be read.
    pub acks_received: u32,
    /// KeyUpdates of ours that arrived: how often our keys have changed (1.3).
    pub key_updates_sent: u32,
    /// KeyUpdates of the peer's: how often its keys have changed (1.3).
    pub key_updates_received: u32,
    /// Connection ids given to the peer after the handshake (1.3).
    pub cids_issued: u32,
    /// Connection ids that the peer gave after the handshake (1.3), also those that were not kept.
    pub cids_received: u32,
    pub(super) round_trip: RoundTrip,
    /// What was dropped, by reason.
    pub discards: DiscardCounts,
    /// Since the peer was heard from elsewhere for the first time.
    pub(super) paths: Option<Box<PathCheckCounts>>,
}

impl Stats {
    /// What came of records from other addresses than the peer's. Answers that fit no check are among the
    /// [`discards`](Self::discards), as [`UnaskedPathAnswer`](crate::Discard::UnaskedPathAnswer).
    #[must_use]
    pub fn path_checks(&self) -> PathCheckCounts {
        self.paths.as_deref().copied().unwrap_or_default()
    }

    pub(super) fn paths(&mut self) -> &mut PathCheckCounts {
        self.paths.get_or_insert_default()
    }

    /// The time to the peer and back, as the handshake has shown it, or the check (RFC 9853) after which the peer had
    /// moved or stayed; `None` if all of the handshake was sent more than once, and nothing is known of the path since. Of
    /// the handshake it is the shortest between a flight and the first word of its answer that keys protect, or its ACK, so
    /// that it may contain the time which the peer took to answer.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        (self.round_trip.0 > 0).then(|| Duration::from_micros(self.round_trip.0.into()))
    }
}

/// Checks of whether the peer has moved (RFC 9853), and moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PathCheckCounts {
    /// Checks that were begun.
    pub begun: u32,
    /// Those after which the peer's address changed.
    pub succeeded: u32,
    /// Those that ended because the peer answered where it was: somebody else sends its records on, or it has come back
    /// (RFC 9853 §8.1.2).
    pub refuted: u32,
    /// Those to which nobody answered in time or not from where the peer seemed to be, and those to which path_drop came
    /// from there.
    pub failed: u32,
    /// Moves that were believed without a check: [`MovePolicy::FollowNewest`](crate::config::MovePolicy::FollowNewest).
    pub unchecked_moves: u32,
}

/// In microseconds; 0 before it is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RoundTrip(u32);

impl RoundTrip {
    /// Of a path about which nothing else is known.
    pub(super) fn of(taken: Duration) -> Self {
        Self(u32::try_from(taken.as_micros()).unwrap_or(u32::MAX).max(1))
    }

    pub(super) fn measured(&mut self, taken: Option<Duration>) {
        let Some(Self(micros)) = taken.map(Self::of) else { return };
        self.0 = if self.0 == 0 { micros } else { self.0.min(micros) };
    }
}

/// Counts on, up to the maximum: the peer decides how often.
pub(super) fn count(counter: &mut u32, more: u32) {
    *counter = counter.saturating_add(more);
}

#[cfg(test)]
mod tests {
    use super::{Duration, RoundTrip, Stats, count};

    #[test]
    fn the_shortest_round_trip_counts() {
        let mut stats = Stats::default();
        assert_eq!(stats.round_trip(), None);
        for (taken, shortest) in [(None, None), (Some(30), Some(30)), (Some(40), Some(30)), (Some(20), Some(20))] {
            stats.round_trip.measured(taken.map(Duration::from_millis));
            assert_eq!(stats.round_trip(), shortest.map(Duration::from_millis));
        }
        assert_eq!(size_of::<RoundTrip>(), 4);
        let mut nothing = RoundTrip::default();
        nothing.measured(Some(Duration::ZERO));
        assert_eq!(nothing.0, 1, "known, and shorter than a microsecond");
    }

    #[test]
    fn counters_stop_at_their_maximum() {
        let mut counter = u32::MAX - 1;
        for _ in 0..3 {
            count(&mut counter, 1);
        }
        assert_eq!(counter, u32::MAX);
    }
}
