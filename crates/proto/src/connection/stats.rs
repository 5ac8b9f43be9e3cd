//! Counters of a connection.

use crate::discard::DiscardCounts;

/// What a connection has counted since it began.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Datagrams given to the connection.
    pub datagrams_received: u64,
    /// Datagrams that the protocol itself sent: handshake and alerts.
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
    /// What was dropped, by reason.
    pub discards: DiscardCounts,
}

/// Counts on, up to the maximum: the peer decides how often.
pub(super) fn count(counter: &mut u32, more: u32) {
    *counter = counter.saturating_add(more);
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn counters_stop_at_their_maximum() {
        let mut counter = u32::MAX - 1;
        for _ in 0..3 {
            count(&mut counter, 1);
        }
        assert_eq!(counter, u32::MAX);
    }
}
