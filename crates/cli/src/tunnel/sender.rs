//! A local program behind a tunnel client, told from others by its address, and its connection.
//!
//! ```text
//! Waiting ── handshake done ──▶ Open ── idle, and nothing waits ──▶ Gone
//!    ▲                           │
//!    └── ended, and it sends ────┘         Waiting ── handshake failed ──▶ Pausing ──▶ Gone
//! ```
//!
//! A server that dies tells nobody. So when this side sends and nothing comes back for half of `--reconnect-after`, it
//! asks: with a KeyUpdate in DTLS 1.3, which a peer has to acknowledge. Without an answer in the other half, a new
//! connection is made beside the old one, and takes its place once its handshake is done.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gramseal::{Connection, KeyUpdateRequest, Payloads, ProtocolVersion};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::burst;
use super::client::ClientTunnel;
use super::counts::{Dropped, Ended, Held, Way};
use super::pending::Pending;
use super::stop::Stop;
use crate::client::Established;
use crate::failure::Failure;

/// How long after a failed handshake the next one begins at the earliest.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Sender {
    pub(super) address: SocketAddr,
    phase: Mutex<Phase>,
    /// For the sender's task: its connection ended while something was to be sent, or is silent.
    news: Notify,
}

enum Phase {
    /// A handshake runs, or is about to.
    Waiting(Pending),
    Open(Open),
    /// A handshake has failed.
    Pausing,
    /// The task has ended, or is about to.
    Gone,
}

struct Open {
    connection: Connection,
    /// When something went either way.
    active: Instant,
    silence: Silence,
}

/// Whether the server is there, as far as this side can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// Something came after all that was sent.
    None,
    /// Something was sent at that time, and nothing came since.
    Since(Instant),
    /// It has lasted long enough to ask, which the task does.
    Asked,
}

/// Whether a sender took in what came from its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    /// The sender is gone; another one has to take its place.
    Gone,
}

/// Why a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Closed,
    Idle,
    Stop,
}

/// What the task does about silence.
enum Doubt<'t> {
    None,
    /// The server has until then to show that it is there: by anything that it sends, or by taking this update.
    Asked {
        until: Instant,
        updates: u32,
    },
    /// Another connection is being made.
    Replacing(Pin<Box<dyn Future<Output = Result<Established, Failure>> + Send + 't>>),
}

impl Sender {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, phase: Mutex::new(Phase::Waiting(Pending::default())), news: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends `payloads`, or keeps them until that is possible, within bounds.
    pub(super) fn take(&self, tunnel: &ClientTunnel, payloads: &[&[u8]]) -> Taken {
        let mut phase = self.lock();
        match &mut *phase {
            Phase::Gone => return Taken::Gone,
            Phase::Pausing => tunnel.counts.drop_many(Dropped::NotConnected, payloads.len()),
            Phase::Waiting(pending) => keep(tunnel, pending, payloads),
            Phase::Open(open) => match tunnel.counts.send(&tunnel.name, &open.connection, payloads) {
                Ok(()) => {
                    if open.sent(Instant::now(), tunnel.plan().patience()) {
                        self.news.notify_one();
                    }
                }
                Err(Ended { done }) => {
                    let mut pending = Pending::default();
                    keep(tunnel, &mut pending, &payloads[done..]);
                    *phase = Phase::Waiting(pending);
                    self.news.notify_one();
                }
            },
        }
        Taken::Yes
    }

    /// Runs handshakes and takes in answers, until the sender is idle or `stop` ends it.
    pub(super) async fn serve(&self, tunnel: &ClientTunnel, mut stop: Stop) {
        let _counted = tunnel.counts.sender();
        loop {
            let connected = tokio::select! {
                connected = tunnel.connect() => connected,
                _ = stop.wanted() => break,
            };
            match connected {
                Ok(established) => {
                    let end = self.converse(tunnel, established, &mut stop).await;
                    if end == Ending::Stop || self.leave() {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(tunnel = %tunnel.name, sender = %self.address, %error, "no connection");
                    self.pause(tunnel);
                    tokio::select! {
                        () = sleep(PAUSE) => {}
                        _ = stop.wanted() => {}
                    }
                    break;
                }
            }
        }
        *self.lock() = Phase::Gone;
    }

    /// Takes datagrams out of connections, and changes to new ones where that is needed.
    async fn converse(&self, tunnel: &ClientTunnel, mut established: Established, stop: &mut Stop) -> Ending {
        let mut doubt = Doubt::None;
        let mut payloads = Payloads::new();
        let mut counted = self.open(tunnel, &established);
        let (end, why) = loop {
            let idle = tunnel.plan().args.flow.idle;
            tokio::select! {
                received = established.connection.recv_many(&mut payloads) => match received {
                    Ok(Some(_)) => {
                        self.answered();
                        self.pass_on(tunnel, &payloads).await;
                        burst::keep_little(&mut payloads);
                    }
                    Ok(None) => break (Ending::Closed, established.connection.closed().await.to_string()),
                    Err(error) => break (Ending::Closed, error.to_string()),
                },
                () = self.news.notified() => {
                    if !self.is_open() {
                        break (Ending::Closed, "nothing can be sent any more".to_owned());
                    }
                    if let (Doubt::None, Some(patience)) = (&doubt, tunnel.plan().patience()) {
                        doubt = ask(&established.connection, patience);
                    }
                }
                replaced = doubt.settled() => match replaced {
                    None => doubt = self.judge(tunnel, &established.connection, &doubt),
                    Some(Ok(other)) => {
                        tunnel.counts.reconnects.increment(1);
                        // The server may not be the one that has the old one; if it is, it hears that it is closed.
                        self.part(tunnel, &established, &mut payloads).await;
                        established = other;
                        counted = self.open(tunnel, &established);
                        doubt = Doubt::None;
                    }
                    Some(Err(error)) => {
                        tracing::warn!(tunnel = %tunnel.name, sender = %self.address, %error, "no new connection");
                        self.answered();
                        doubt = Doubt::None;
                    }
                },
                () = sleep_until(self.active() + idle) => {
                    if self.active() + idle <= Instant::now() {
                        break (Ending::Idle, "idle".to_owned());
                    }
                }
                _ = stop.wanted() => break (Ending::Stop, "the tunnel ends".to_owned()),
            }
        };
        self.part(tunnel, &established, &mut payloads).await;
        drop(counted);
        tracing::info!(tunnel = %tunnel.name, sender = %self.address, why, "connection ended");
        end
    }

    /// What the server sent goes to the local program.
    async fn pass_on(&self, tunnel: &ClientTunnel, payloads: &Payloads) {
        for payload in payloads {
            match tunnel.socket.send_to(payload, self.address).await {
                Ok(_) => tunnel.counts.moved(Way::Opened, payload.len()),
                Err(_) => tunnel.counts.drop(Dropped::LocalProgram),
            }
        }
    }

    /// Closes a connection. What came over it before goes on; it will not come again.
    async fn part(&self, tunnel: &ClientTunnel, established: &Established, payloads: &mut Payloads) {
        established.connection.close().await;
        while let Ok(Some(_)) = established.connection.recv_many(payloads).await {
            self.pass_on(tunnel, payloads).await;
        }
        established.endpoint.close().await;
        tunnel.counts.ended(&established.connection);
    }

    /// Sends what has waited, and from now on everything, over this connection.
    fn open(&self, tunnel: &ClientTunnel, established: &Established) -> Held {
        let connection = &established.connection;
        let negotiated = connection.negotiated();
        tracing::info!(
            tunnel = %tunnel.name, sender = %self.address, peer = %connection.peer_addr(),
            version = %negotiated.version, suite = %negotiated.cipher_suite, resumed = negotiated.resumed, "connected"
        );
        let mut phase = self.lock();
        let mut open = Open { connection: connection.clone(), active: Instant::now(), silence: Silence::None };
        if let Phase::Waiting(pending) = &mut *phase {
            let waited = pending.payloads();
            if let Err(Ended { done }) = tunnel.counts.send(&tunnel.name, connection, waited) {
                tunnel.counts.drop_many(Dropped::NotConnected, waited.len() - done);
            }
            if !waited.is_empty() {
                open.sent(Instant::now(), None);
            }
        }
        *phase = Phase::Open(open);
        tunnel.counts.connection()
    }

    /// A handshake has failed: what waited for it is lost.
    fn pause(&self, tunnel: &ClientTunnel) {
        if let Phase::Waiting(pending) = std::mem::replace(&mut *self.lock(), Phase::Pausing) {
            tunnel.counts.drop_many(Dropped::NotConnected, pending.payloads().len());
        }
    }

    /// Whether nothing waits to be sent, so that the sender is gone.
    fn leave(&self) -> bool {
        let mut phase = self.lock();
        let done = match &*phase {
            Phase::Waiting(pending) => pending.is_empty(),
            Phase::Open(_) | Phase::Pausing | Phase::Gone => true,
        };
        if done {
            *phase = Phase::Gone;
        }
        done
    }

    fn is_open(&self) -> bool {
        matches!(*self.lock(), Phase::Open(_))
    }

    /// The server is there.
    fn answered(&self) {
        if let Phase::Open(open) = &mut *self.lock() {
            (open.active, open.silence) = (Instant::now(), Silence::None);
        }
    }

    fn is_silent(&self) -> bool {
        matches!(&*self.lock(), Phase::Open(Open { silence: Silence::Since(_) | Silence::Asked, .. }))
    }

    /// When something went either way; now, if there is no connection.
    fn active(&self) -> Instant {
        match &*self.lock() {
            Phase::Open(open) => open.active,
            Phase::Waiting(_) | Phase::Pausing | Phase::Gone => Instant::now(),
        }
    }

    /// The server was asked and has had its time.
    fn judge<'t>(&self, tunnel: &'t ClientTunnel, connection: &Connection, doubt: &Doubt<'_>) -> Doubt<'t> {
        let updated = match doubt {
            Doubt::Asked { updates, .. } => connection.stats().protocol.key_updates_sent != *updates,
            Doubt::None | Doubt::Replacing(_) => false,
        };
        if updated || !self.is_silent() {
            tracing::debug!(tunnel = %tunnel.name, sender = %self.address, "the server is there");
            self.answered();
            return Doubt::None;
        }
        tracing::info!(tunnel = %tunnel.name, sender = %self.address, "the server is silent: connecting anew");
        Doubt::Replacing(Box::pin(tunnel.connect()))
    }
}

/// Appends what there is room for, and counts the rest.
fn keep(tunnel: &ClientTunnel, pending: &mut Pending, payloads: &[&[u8]]) {
    let kept = payloads.iter().filter(|payload| pending.push(payload)).count();
    tunnel.counts.drop_many(Dropped::HandshakeRuns, payloads.len() - kept);
}

impl Open {
    /// Something was sent; whether it is time to ask if the server is there.
    fn sent(&mut self, now: Instant, patience: Option<Duration>) -> bool {
        let (silence, ask) = self.silence.after_sending(now, patience);
        (self.active, self.silence) = (now, silence);
        ask
    }
}

impl Silence {
    /// Once something was sent; and whether it is time to ask if the server is there.
    fn after_sending(self, now: Instant, patience: Option<Duration>) -> (Self, bool) {
        match (self, patience) {
            (Self::None, _) => (Self::Since(now), false),
            (Self::Since(since), Some(patience)) if now.duration_since(since) >= patience / 2 => (Self::Asked, true),
            (silence, _) => (silence, false),
        }
    }
}

/// Asks the server whether it is there, if its version has a way to.
fn ask(connection: &Connection, patience: Duration) -> Doubt<'static> {
    let updates = connection.stats().protocol.key_updates_sent;
    if connection.negotiated().version == ProtocolVersion::DTLS1_3 {
        // One that is on its way already asks as well; where none can go, silence is all there is to judge by.
        let _ = connection.update_keys(KeyUpdateRequest::NotRequested);
    }
    Doubt::Asked { until: Instant::now() + patience / 2, updates }
}

impl Doubt<'_> {
    /// Waits until it can be said more: `None` if the time of an answer is up, otherwise what became of the new
    /// connection.
    async fn settled(&mut self) -> Option<Result<Established, Failure>> {
        match self {
            Self::None => std::future::pending().await,
            Self::Asked { until, .. } => {
                sleep_until(*until).await;
                None
            }
            Self::Replacing(connected) => Some(connected.await),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_what_follows_the_first_unanswered_payload() {
        let patience = Duration::from_secs(10);
        let start = Instant::now();
        let mut silence = Silence::None;
        let mut sent = |after: u64, answered: bool| {
            if answered {
                silence = Silence::None;
            }
            let (next, ask) = silence.after_sending(start + Duration::from_secs(after), Some(patience));
            silence = next;
            ask
        };
        assert_eq!(
            [sent(100, false), sent(104, false), sent(105, false), sent(106, false)],
            [false, false, true, false]
        );
        assert_eq!([sent(300, true), sent(304, false), sent(306, false)], [false, false, true], "asked anew");
        let (silence, ask) = Silence::Since(start).after_sending(start + patience, None);
        assert_eq!((silence, ask), (Silence::Since(start), false), "nobody asks");
    }
}
