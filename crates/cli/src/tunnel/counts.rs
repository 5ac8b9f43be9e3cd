//! What a tunnel counts, for `/metrics`. All names begin with `gramseal_tunnel_`.

use std::sync::atomic::{AtomicUsize, Ordering};

use gramseal::{Connection, Payloads, SendError};
use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

use crate::failure::Failure;

/// Which way a payload goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From a local program into a connection.
    Sealed,
    /// Out of a connection to a local program.
    Opened,
}

/// Why a payload of a local program, or for one, went no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    /// It does not fit into a datagram of DTLS.
    TooLarge,
    /// There are as many senders as there may be.
    TooManySenders,
    /// There are as many senders of its network as there may be.
    TooManyOfNetwork,
    /// Too much came while the handshake ran.
    HandshakeRuns,
    /// There was no connection, as after a handshake that failed.
    NotConnected,
    /// The system did not take it.
    System,
    /// The local program did not take it.
    LocalProgram,
    /// Nobody fetched it in time.
    QueueFull,
}

impl Dropped {
    const ALL: [Self; 8] = [
        Self::TooLarge,
        Self::TooManySenders,
        Self::TooManyOfNetwork,
        Self::HandshakeRuns,
        Self::NotConnected,
        Self::System,
        Self::LocalProgram,
        Self::QueueFull,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::TooManySenders => "too_many_senders",
            Self::TooManyOfNetwork => "too_many_of_network",
            Self::HandshakeRuns => "handshake_runs",
            Self::NotConnected => "not_connected",
            Self::System => "system",
            Self::LocalProgram => "local_program",
            Self::QueueFull => "queue_full",
        }
    }
}

/// Nothing can be sent over the connection any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    /// So many payloads were sent, or dropped and counted, before; the others were neither.
    pub(super) done: usize,
}

/// Payloads one way.
struct Moved {
    datagrams: Counter,
    bytes: Counter,
}

/// The counters of one tunnel. Looked up once: what is counted for each datagram is an atomic addition.
pub(super) struct Counts {
    senders: Gauge,
    connections: Gauge,
    full: Counter,
    resumed: Counter,
    failed: Counter,
    timed_out: Counter,
    sealed: Moved,
    opened: Moved,
    dropped: [Counter; Dropped::ALL.len()],
    pub(super) imported: Counter,
    pub(super) exported: Counter,
    pub(super) reconnects: Counter,
    pub(super) displaced: Counter,
    /// The smallest limit that a payload was reported to exceed.
    reported_limit: AtomicUsize,
}

impl Counts {
    /// Of the tunnel with this name.
    pub(super) fn new(tunnel: &str) -> Self {
        let label = || [("tunnel", tunnel.to_owned())];
        let handshakes = |outcome: &'static str| counter!("gramseal_tunnel_handshakes_total", "tunnel" => tunnel.to_owned(), "outcome" => outcome);
        let traffic = |way: &'static str| Moved {
            datagrams: counter!("gramseal_tunnel_datagrams_total", "tunnel" => tunnel.to_owned(), "way" => way),
            bytes: counter!("gramseal_tunnel_bytes_total", "tunnel" => tunnel.to_owned(), "way" => way),
        };
        Self {
            senders: gauge!("gramseal_tunnel_senders", &label()),
            connections: gauge!("gramseal_tunnel_connections", &label()),
            full: handshakes("full"),
            resumed: handshakes("resumed"),
            failed: handshakes("failed"),
            timed_out: handshakes("timed_out"),
            sealed: traffic("sealed"),
            opened: traffic("opened"),
            dropped: Dropped::ALL.map(|reason| {
                let reason = reason.name();
                counter!("gramseal_tunnel_dropped_total", "tunnel" => tunnel.to_owned(), "reason" => reason)
            }),
            imported: counter!("gramseal_tunnel_imported_total", &label()),
            exported: counter!("gramseal_tunnel_exported_total", &label()),
            reconnects: counter!("gramseal_tunnel_reconnects_total", &label()),
            displaced: counter!("gramseal_tunnel_displaced_total", &label()),
            reported_limit: AtomicUsize::new(usize::MAX),
        }
    }

    /// A payload of so many bytes went this way.
    pub(super) fn moved(&self, way: Way, bytes: usize) {
        let traffic = match way {
            Way::Sealed => &self.sealed,
            Way::Opened => &self.opened,
        };
        traffic.datagrams.increment(1);
        traffic.bytes.increment(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Sends payloads of a local program over `connection`, as many at once as the system takes. One that cannot be sent
    /// is dropped, and the others go all the same; that one does not fit is told once.
    ///
    /// # Errors
    /// If the connection has ended, or its keys are used up.
    pub(super) fn send<P: AsRef<[u8]>>(
        &self,
        tunnel: &str,
        connection: &Connection,
        payloads: &[P],
    ) -> Result<(), Ended> {
        let (mut done, mut at_once) = (0, payloads.len());
        while let Some(next) = payloads.get(done..).filter(|rest| !rest.is_empty()) {
            match connection.send_many(&next[..at_once.min(next.len())]) {
                // There is no room in the socket's buffer, and so none for the others.
                Ok(0) => {
                    self.drop_many(Dropped::System, next.len());
                    return Ok(());
                }
                Ok(sent) => {
                    next[..sent].iter().for_each(|payload| self.moved(Way::Sealed, payload.as_ref().len()));
                    (done, at_once) = (done + sent, payloads.len());
                }
                Err(SendError::Closed | SendError::KeysExhausted) => return Err(Ended { done }),
                Err(SendError::TooLarge { limit }) => {
                    self.drop(Dropped::TooLarge);
                    let len = next.first().map_or(0, |payload| payload.as_ref().len());
                    if self.is_news(limit) {
                        tracing::warn!(
                            tunnel,
                            len,
                            limit,
                            "a payload is larger than a datagram of DTLS takes: dropped"
                        );
                    }
                    done += 1;
                }
                Err(_) => {
                    self.drop(Dropped::System);
                    // The next may fare the same: it alone is sealed to find out.
                    (done, at_once) = (done + 1, 1);
                }
            }
        }
        Ok(())
    }

    /// Closes `connection`, and counts what came over it that nobody was there for.
    pub(super) async fn turn_away(&self, connection: &Connection, reason: Dropped) {
        connection.close().await;
        let mut payloads = Payloads::new();
        while let Ok(Some(count)) = connection.recv_many(&mut payloads).await {
            self.drop_many(reason, count);
        }
        self.ended(connection);
    }

    /// A payload went no further.
    pub(super) fn drop(&self, reason: Dropped) {
        self.drop_many(reason, 1);
    }

    pub(super) fn drop_many(&self, reason: Dropped, how_many: usize) {
        self.add_drops(reason, u64::try_from(how_many).unwrap_or(u64::MAX));
    }

    fn add_drops(&self, reason: Dropped, how_many: u64) {
        if let Some(at) = Dropped::ALL.iter().position(|known| *known == reason) {
            self.dropped[at].increment(how_many);
        }
    }

    /// Whether a payload over this limit is worth a line in the log: there was none for a limit as small.
    fn is_news(&self, limit: usize) -> bool {
        self.reported_limit.fetch_min(limit, Ordering::Relaxed) > limit
    }

    pub(super) fn failed(&self, why: &Failure) {
        match why {
            Failure::Connection { timed_out: true, .. } => &self.timed_out,
            Failure::Connection { .. } | Failure::Usage(_) => &self.failed,
        }
        .increment(1);
    }

    pub(super) fn established(&self, connection: &Connection) {
        if connection.negotiated().resumed { &self.resumed } else { &self.full }.increment(1);
    }

    /// One more sender, until the value is dropped.
    pub(super) fn sender(&self) -> Held {
        Held::of(&self.senders)
    }

    /// One more connection, until the value is dropped.
    pub(super) fn connection(&self) -> Held {
        Held::of(&self.connections)
    }

    /// What a connection that has ended knows of losses.
    pub(super) fn ended(&self, connection: &Connection) {
        let stats = connection.stats();
        self.add_drops(Dropped::System, stats.sends_blocked);
        self.add_drops(Dropped::QueueFull, stats.receive_queue_dropped);
    }
}

/// Something that a gauge counts as long as it is there.
pub(super) struct Held(Gauge);

impl Held {
    fn of(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// How often the configuration was read anew, by outcome.
pub(super) struct Reloads {
    pub(super) done: Counter,
    pub(super) failed: Counter,
}

impl Reloads {
    pub(super) fn new() -> Self {
        let outcome = |outcome: &'static str| counter!("gramseal_tunnel_reloads_total", "outcome" => outcome);
        Self { done: outcome("done"), failed: outcome("failed") }
    }
}

/// Tells the recorder what the numbers mean.
pub(super) fn describe() {
    describe_gauge!("gramseal_tunnel_senders", "Local senders, or clients, that are being served");
    describe_gauge!("gramseal_tunnel_connections", "Connections whose handshake is done");
    describe_counter!("gramseal_tunnel_handshakes_total", "Handshakes by outcome: full, resumed, failed, timed_out");
    describe_counter!("gramseal_tunnel_datagrams_total", "Payloads sealed for the peer, and opened for the local side");
    describe_counter!("gramseal_tunnel_bytes_total", Unit::Bytes, "Bytes of these payloads");
    describe_counter!("gramseal_tunnel_dropped_total", "Payloads that went no further, by reason");
    describe_counter!("gramseal_tunnel_imported_total", "Connections that went on from a state file");
    describe_counter!("gramseal_tunnel_exported_total", "Connections that were put into a state file");
    describe_counter!("gramseal_tunnel_reconnects_total", "Connections that took the place of one nobody answered on");
    describe_counter!("gramseal_tunnel_displaced_total", "Idle connections that made room for others");
    describe_counter!("gramseal_tunnel_reloads_total", "Times the configuration was read anew, by outcome");
}
