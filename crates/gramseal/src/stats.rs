//! What endpoints and connections count.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gramseal_proto::{self as proto, DiscardCounts, Error};

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
    /// What became of handshakes.
    pub handshakes: HandshakeCounts,
    /// Connections that nobody used for too long ([`Transport::idle_timeout`](crate::Transport::idle_timeout)).
    pub idle_closed: u64,
    /// Datagrams that came to another [shard](crate::EndpointBuilder::with_shards) than their connection's and were handed
    /// over.
    pub handed_over: u64,
    /// What the connections that have ended had dropped, by reason. Those that go on tell their own:
    /// [`ConnectionStats::protocol`].
    pub discards_of_ended: DiscardCounts,
    /// How often those that have ended had sent flights again.
    pub retransmissions_of_ended: u64,
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
        self.handshakes.add(&other.handshakes);
        self.idle_closed += other.idle_closed;
        self.handed_over += other.handed_over;
        self.discards_of_ended.add(&other.discards_of_ended);
        self.retransmissions_of_ended += other.retransmissions_of_ended;
        self.datagrams_received += other.datagrams_received;
        self.datagrams_sent += other.datagrams_sent;
        self.sends_blocked += other.sends_blocked;
        self.send_errors += other.send_errors;
        self.receive_errors += other.receive_errors;
    }
}

/// What became of handshakes, of clients and of this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HandshakeCounts {
    /// Done.
    pub completed: u64,
    /// Not done at their deadline ([`Transport::handshake_timeout`](crate::Transport::handshake_timeout)).
    pub timed_out: u64,
    /// Nothing in common: [`Error::Incompatible`](crate::Error::Incompatible).
    pub incompatible: u64,
    /// The peer's certificate was not accepted: [`Error::Certificate`](crate::Error::Certificate).
    pub certificate: u64,
    /// The peer broke a rule, or sent what cannot be read: [`Error::Peer`](crate::Error::Peer) and
    /// [`Error::Decode`](crate::Error::Decode).
    pub peer_fault: u64,
    /// The peer refused this side with an alert: [`Error::AlertReceived`](crate::Error::AlertReceived).
    pub alert_received: u64,
    /// Something failed here: [`Error::Local`](crate::Error::Local).
    pub local_fault: u64,
    /// Nobody waited for the end any more, the peer began anew, or the endpoint closed.
    pub abandoned: u64,
    /// The application refused the client, or ignored it.
    pub refused: u64,
}

impl HandshakeCounts {
    #[cfg(feature = "metrics")]
    pub(crate) fn of(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Completed => self.completed,
            Outcome::TimedOut => self.timed_out,
            Outcome::Incompatible => self.incompatible,
            Outcome::Certificate => self.certificate,
            Outcome::PeerFault => self.peer_fault,
            Outcome::AlertReceived => self.alert_received,
            Outcome::LocalFault => self.local_fault,
            Outcome::Abandoned => self.abandoned,
        }
    }

    fn add(&mut self, other: &Self) {
        self.completed += other.completed;
        self.timed_out += other.timed_out;
        self.incompatible += other.incompatible;
        self.certificate += other.certificate;
        self.peer_fault += other.peer_fault;
        self.alert_received += other.alert_received;
        self.local_fault += other.local_fault;
        self.abandoned += other.abandoned;
        self.refused += other.refused;
    }
}

/// Counters of a connection since it began.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// What the protocol counts, also how often each reason made it drop something.
    pub protocol: proto::Stats,
    /// The time to the peer and back, see [`Stats::round_trip`](proto::Stats::round_trip).
    pub round_trip: Option<Duration>,
    /// The largest datagram that is sent, in bytes of UDP payload.
    pub mtu: usize,
    /// Payloads that wait to be received.
    pub receive_queue: usize,
    /// Payloads dropped because too many waited, see [`ReceiveLimits`](crate::ReceiveLimits).
    pub receive_queue_dropped: u64,
    /// Payloads that were lost because the socket's send buffer was full.
    pub sends_blocked: u64,
}

/// Which of the outcomes a handshake had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    TimedOut,
    Incompatible,
    Certificate,
    PeerFault,
    AlertReceived,
    LocalFault,
    Abandoned,
}

impl Outcome {
    const COUNT: usize = 8;

    #[cfg(feature = "metrics")]
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Completed,
        Self::TimedOut,
        Self::Incompatible,
        Self::Certificate,
        Self::PeerFault,
        Self::AlertReceived,
        Self::LocalFault,
        Self::Abandoned,
    ];

    /// Why a handshake ended that was not done.
    pub(crate) fn of(reason: &CloseReason) -> Self {
        match reason {
            CloseReason::Failed(Error::TimedOut(_)) => Self::TimedOut,
            CloseReason::Failed(Error::Incompatible(_)) => Self::Incompatible,
            CloseReason::Failed(Error::Certificate(_)) => Self::Certificate,
            CloseReason::Failed(Error::Peer(_) | Error::Decode(_)) => Self::PeerFault,
            CloseReason::Failed(Error::AlertReceived(_)) => Self::AlertReceived,
            CloseReason::Failed(_) => Self::LocalFault,
            _ => Self::Abandoned,
        }
    }

    /// A short name that never changes.
    #[cfg(feature = "metrics")]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::TimedOut => "timed_out",
            Self::Incompatible => "incompatible",
            Self::Certificate => "certificate",
            Self::PeerFault => "peer_fault",
            Self::AlertReceived => "alert_received",
            Self::LocalFault => "local_fault",
            Self::Abandoned => "abandoned",
        }
    }
}

/// What became of connections and their handshakes.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    handshakes: [Counter; Outcome::COUNT],
    pub(crate) idle: Counter,
    /// Of connections that have ended.
    dropped: Mutex<(DiscardCounts, u64)>,
}

impl Ended {
    /// A handshake has come to its end.
    pub(crate) fn handshake(&self, outcome: Outcome) {
        if let Some(counter) = self.handshakes.get(outcome as usize) {
            counter.add(1);
        }
    }

    /// A connection has ended.
    pub(crate) fn connection(&self, reason: &CloseReason, stats: &proto::Stats) {
        if *reason == CloseReason::Idle {
            self.idle.add(1);
        }
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        dropped.0.add(&stats.discards);
        dropped.1 += u64::from(stats.retransmissions);
    }

    /// With as many clients as the application did not want.
    pub(crate) fn handshakes(&self, refused: u64) -> HandshakeCounts {
        let [completed, timed_out, incompatible, certificate, peer_fault, alert_received, local_fault, abandoned] =
            std::array::from_fn(|outcome| self.handshakes[outcome].value());
        HandshakeCounts {
            completed,
            timed_out,
            incompatible,
            certificate,
            peer_fault,
            alert_received,
            local_fault,
            abandoned,
            refused,
        }
    }

    /// What ended connections had dropped, and how often they had sent something again.
    pub(crate) fn dropped(&self) -> (DiscardCounts, u64) {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
