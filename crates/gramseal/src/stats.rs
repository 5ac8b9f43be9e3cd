//! What endpoints and connections count.

use std::sync::atomic::{AtomicU64, Ordering};

use gramseal_proto::{self as proto, Error};

use crate::error::CloseReason;

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
    /// Bytes of payloads now that were received and nobody has fetched yet.
    pub buffered_bytes: usize,
    /// Handshakes that were not done at their deadline
    /// ([`Transport::handshake_timeout`](crate::Transport::handshake_timeout)).
    pub handshakes_timed_out: u64,
    /// Connections that nobody used for too long ([`Transport::idle_timeout`](crate::Transport::idle_timeout)).
    pub idle_closed: u64,
    /// Datagrams that came to another [shard](crate::EndpointBuilder::with_shards) than their connection's and were handed
    /// over.
    pub handed_over: u64,
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

impl EndpointStats {
    /// Adds what another shard has counted. What waits to be fetched is counted for all of them together.
    pub(crate) fn add(&mut self, other: &Self) {
        self.routing.add(&other.routing);
        self.connections += other.connections;
        self.half_open += other.half_open;
        self.handshakes_timed_out += other.handshakes_timed_out;
        self.idle_closed += other.idle_closed;
        self.handed_over += other.handed_over;
        self.datagrams_received += other.datagrams_received;
        self.datagrams_sent += other.datagrams_sent;
        self.sends_blocked += other.sends_blocked;
        self.send_errors += other.send_errors;
        self.receive_errors += other.receive_errors;
    }
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

/// Connections that ended because of time.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) handshakes_timed_out: Counter,
    pub(crate) idle: Counter,
}

impl Ended {
    pub(crate) fn count(&self, reason: &CloseReason) {
        match reason {
            CloseReason::Idle => self.idle.add(1),
            CloseReason::Failed(Error::TimedOut(_)) => self.handshakes_timed_out.add(1),
            _ => {}
        }
    }
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
