//! What endpoints and connections count.

use std::sync::atomic::{AtomicU64, Ordering};

use gramseal_proto as proto;

/// Counters of an endpoint since it began.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Cookies, handshakes offered to the application, and datagrams dropped before they reached
    /// a connection, by reason.
    pub routing: proto::endpoint::EndpointStats,
    /// Connections now, those in their handshakes included.
    pub connections: usize,
    /// Handshakes of clients now that are not done, those that nobody has accepted yet included.
    pub half_open: usize,
    /// Datagrams received.
    pub datagrams_received: u64,
    /// Datagrams that were sent, and accepted by the system.
    pub datagrams_sent: u64,
    /// Datagrams that were lost because the socket's send buffer was full.
    pub sends_blocked: u64,
    /// Datagrams that the system refused to send for another reason.
    pub send_errors: u64,
    /// Errors reported by the socket on receiving. They may come from ICMP messages, which anybody
    /// can forge, so they change nothing.
    pub receive_errors: u64,
}

/// Counters of a connection since it began.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// What the protocol counts.
    pub protocol: proto::Stats,
    /// Payloads that wait to be received.
    pub receive_queue: usize,
    /// Payloads dropped because too many waited, see [`ReceiveLimits`](crate::ReceiveLimits).
    pub receive_queue_dropped: u64,
    /// Payloads that were lost because the socket's send buffer was full.
    pub sends_blocked: u64,
}

/// Counts from many tasks.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
