//! What connections tell those who listen by `tracing`: a span for each connection, in it what becomes of it, and at
//! the level `TRACE` what is dropped and why. Without the feature nothing is left of it.
//!
//! Nothing is told for each datagram, and as long as nobody listens a connection keeps nothing for it.

use std::io;
use std::net::SocketAddr;

use gramseal_proto::{ClientAnswer, Discard, DiscardCounts, Stats};

use crate::error::CloseReason;

/// Where a connection tells what happens.
#[derive(Debug)]
pub(crate) struct Telemetry {
    #[cfg(feature = "tracing")]
    span: Option<Box<tracing::Span>>,
}

#[cfg(feature = "tracing")]
impl Telemetry {
    pub(crate) fn new(peer: SocketAddr) -> Self {
        let span = tracing::debug_span!("connection", %peer);
        Self { span: (!span.is_disabled()).then(|| Box::new(span)) }
    }

    fn tell(&self, what: impl FnOnce()) {
        match &self.span {
            Some(span) => span.in_scope(what),
            None => what(),
        }
    }

    pub(crate) fn connected(&self, stats: &Stats) {
        self.tell(
            || tracing::debug!(round_trip = ?stats.round_trip(), retransmissions = stats.retransmissions, "connected"),
        );
    }

    pub(crate) fn client_answered(&self, answer: ClientAnswer) {
        self.tell(|| tracing::debug!(?answer, "client answered"));
    }

    pub(crate) fn moved(&self, to: SocketAddr) {
        self.tell(|| tracing::debug!(%to, "peer has moved"));
    }

    pub(crate) fn elsewhere(&self, from: SocketAddr) {
        self.tell(|| tracing::debug!(%from, "peer seems to have moved"));
    }

    /// The end of a connection, or of its handshake.
    pub(crate) fn closed(&self, connected: bool, reason: &CloseReason) {
        self.tell(|| match connected {
            true => tracing::debug!(%reason, "closed"),
            false => tracing::debug!(%reason, "handshake failed"),
        });
    }

    /// What was dropped before, if anybody is to hear what is dropped from now on.
    pub(crate) fn before(&self, stats: &Stats) -> Option<DiscardCounts> {
        tracing::enabled!(tracing::Level::TRACE).then(|| stats.discards.clone())
    }

    /// Tells what was dropped since.
    pub(crate) fn discarded(&self, before: Option<DiscardCounts>, stats: &Stats) {
        let Some(before) = before else { return };
        self.tell(|| {
            for (reason, count) in stats.discards.iter() {
                let dropped = count.saturating_sub(before.get(reason));
                if dropped > 0 {
                    tracing::trace!(reason = reason.name(), dropped, "discarded");
                }
            }
        });
    }
}

#[cfg(not(feature = "tracing"))]
#[expect(clippy::unused_self, reason = "the same calls as with the feature")]
impl Telemetry {
    pub(crate) fn new(_: SocketAddr) -> Self {
        Self {}
    }

    pub(crate) fn connected(&self, _: &Stats) {}

    pub(crate) fn client_answered(&self, _: ClientAnswer) {}

    pub(crate) fn moved(&self, _: SocketAddr) {}

    pub(crate) fn elsewhere(&self, _: SocketAddr) {}

    pub(crate) fn closed(&self, _: bool, _: &CloseReason) {}

    pub(crate) fn before(&self, _: &Stats) -> Option<DiscardCounts> {
        None
    }

    pub(crate) fn discarded(&self, _: Option<DiscardCounts>, _: &Stats) {}
}

/// A datagram was dropped before it reached a connection.
#[cfg(feature = "tracing")]
pub(crate) fn discarded(peer: SocketAddr, reason: Discard) {
    tracing::trace!(%peer, reason = reason.name(), "discarded");
}

/// The same without the feature.
#[cfg(not(feature = "tracing"))]
pub(crate) fn discarded(_: SocketAddr, _: Discard) {}

/// A line could not be written.
#[cfg(feature = "tracing")]
pub(crate) fn key_log_failed(error: &io::Error) {
    tracing::debug!(%error, "the key log cannot be written");
}

/// The same without the feature.
#[cfg(not(feature = "tracing"))]
pub(crate) fn key_log_failed(_: &io::Error) {}
