//! What an endpoint counts.

use super::cookie::Refusal;
use super::limits::LimitCounts;
use crate::discard::DiscardCounts;

/// Counters of an endpoint since it began. They stop at their maximum instead of wrapping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Cookies sent: one HelloVerifyRequest or HelloRetryRequest each.
    pub cookies_sent: u64,
    /// ClientHellos whose cookie was good.
    pub cookies_accepted: u64,
    /// ClientHellos whose cookie was not, by reason. Each was answered with a new cookie, or in 1.3,
    /// which allows no second one, with an alert.
    pub cookies_refused: CookieRefusals,
    /// ClientHellos of 1.3 that were answered with an alert: their cookie was refused, or there is
    /// nothing in common.
    pub hellos_refused: u64,
    /// Parts of ClientHellos that were kept for the rest of them.
    pub hello_parts: u64,
    /// Datagrams that were kept as early data behind a ClientHello that waited.
    pub early_datagrams: u64,
    /// Handshakes offered to the application.
    pub incoming: u64,
    /// ClientHellos that were not offered because one from the same address waits already; most
    /// are retransmissions.
    pub incoming_repeated: u64,
    /// ClientHellos that were not offered because of a limit, by limit.
    pub limits: LimitCounts,
    /// Handshakes that waited for the application longer than the limit.
    pub incoming_expired: u64,
    /// Handshakes that the application refused with an alert.
    pub incoming_refused: u64,
    /// Handshakes that the application ignored.
    pub incoming_ignored: u64,
    /// Connections whose client began anew at the same address and got through the handshake.
    pub restarts: u64,
    /// Datagrams whose connection was found by a connection id (RFC 9146 §3).
    pub named: u64,
    /// Datagrams dropped before they reached a connection, by reason.
    pub discards: DiscardCounts,
}

impl EndpointStats {
    /// Adds what another endpoint has counted.
    pub fn add(&mut self, other: &Self) {
        add(&mut self.cookies_sent, other.cookies_sent);
        add(&mut self.cookies_accepted, other.cookies_accepted);
        self.cookies_refused.add(&other.cookies_refused);
        add(&mut self.hellos_refused, other.hellos_refused);
        add(&mut self.hello_parts, other.hello_parts);
        add(&mut self.early_datagrams, other.early_datagrams);
        add(&mut self.incoming, other.incoming);
        add(&mut self.incoming_repeated, other.incoming_repeated);
        self.limits.add(&other.limits);
        add(&mut self.incoming_expired, other.incoming_expired);
        add(&mut self.incoming_refused, other.incoming_refused);
        add(&mut self.incoming_ignored, other.incoming_ignored);
        add(&mut self.restarts, other.restarts);
        add(&mut self.named, other.named);
        self.discards.add(&other.discards);
    }
}

/// How often a cookie was refused, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CookieRefusals {
    /// Not a cookie of ours by its layout.
    pub malformed: u64,
    /// Made with a secret that is not known or not known any more.
    pub unknown_secret: u64,
    /// Older than the lifetime.
    pub expired: u64,
    /// Made for another address or another hello, or forged.
    pub mismatch: u64,
}

impl CookieRefusals {
    /// All refusals together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.malformed.saturating_add(self.unknown_secret).saturating_add(self.expired).saturating_add(self.mismatch)
    }

    fn add(&mut self, other: &Self) {
        add(&mut self.malformed, other.malformed);
        add(&mut self.unknown_secret, other.unknown_secret);
        add(&mut self.expired, other.expired);
        add(&mut self.mismatch, other.mismatch);
    }

    pub(super) fn count(&mut self, refusal: Refusal) {
        let counter = match refusal {
            Refusal::Malformed => &mut self.malformed,
            Refusal::UnknownSecret => &mut self.unknown_secret,
            Refusal::Expired => &mut self.expired,
            Refusal::Mismatch => &mut self.mismatch,
        };
        add(counter, 1);
    }
}

/// Counts on, up to the maximum.
pub(super) fn add(counter: &mut u64, more: u64) {
    *counter = counter.saturating_add(more);
}
