//! How much an endpoint takes on, and how often it had to turn somebody away for that.

use core::time::Duration;

use super::stats::add;

/// What an endpoint takes on at most, so that no number of clients can use up its memory or its time.
///
/// All of it is about handshakes that clients begin, and none about connections that this side begins. A hello counts
/// once it has shown what the [cookie policy](super::CookiePolicy) asks for: strangers who forge addresses use up no
/// limit, unless the policy lets everybody in. Whom [early data](super::CookiePolicy::ExceptEarlyData) alone lets in
/// counts as half open in no limit before its handshake is done: of those there are 1024 at most, or half as many as
/// `connections` if that is less. Whoever is turned away hears nothing and may find room when it repeats its hello.
///
/// A prefix is the first 24 bits of an IPv4 address or the first 56 of an IPv6 address. That is about what one customer
/// or one small network has: fewer bits would let strangers far away spend each other's share, and more would give
/// one who has a usual assignment (RFC 6177) 256 shares. Where all clients come from few addresses, as behind a
/// proxy, set the limits of a prefix to those of all.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers write `Limits { connections: …, ..default() }`")]
pub struct Limits {
    /// Handshakes that wait for the application to accept them. Default 1024.
    pub incoming: usize,
    /// Bytes of the datagrams of waiting handshakes, early data included. Default 2 MiB.
    pub incoming_bytes: usize,
    /// How long a handshake may wait for the application. Default 30 s.
    pub incoming_expiry: Duration,
    /// Handshakes that are not done, those that wait for the application included. Each holds up to 20 KB, and of
    /// messages that never get whole up to 80 KB, or 300 KB where clients are asked for certificates. Default 4096.
    pub half_open: usize,
    /// Of these, how many with peers of one prefix. Default 256.
    pub half_open_of_prefix: usize,
    /// How fast handshakes with peers of one prefix may begin; `None` is without limit. Default 256 each second, 512
    /// at once: as many as take a few percent of a processor.
    pub handshake_rate: Option<HandshakeRate>,
    /// Connections, those in their handshakes included. Default 262,144.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            incoming: 1024,
            incoming_bytes: 2 << 20,
            incoming_expiry: Duration::from_secs(30),
            half_open: 4096,
            half_open_of_prefix: 256,
            handshake_rate: Some(HandshakeRate { per_second: 256, burst: 512 }),
            connections: 1 << 18,
        }
    }
}

impl Limits {
    /// The share of each of `count` endpoints that take on so much together, rounded up.
    #[must_use]
    pub fn share_of(&self, count: usize) -> Self {
        let share = |all: usize| all.div_ceil(count.max(1));
        let rate = |all: u32| all.div_ceil(u32::try_from(count).unwrap_or(u32::MAX).max(1));
        Self {
            incoming: share(self.incoming),
            incoming_bytes: share(self.incoming_bytes),
            incoming_expiry: self.incoming_expiry,
            half_open: share(self.half_open),
            half_open_of_prefix: share(self.half_open_of_prefix),
            handshake_rate: self.handshake_rate.map(|HandshakeRate { per_second, burst }| HandshakeRate {
                per_second: rate(per_second),
                burst: rate(burst),
            }),
            connections: share(self.connections),
        }
    }
}

/// How fast something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a rate is two numbers")]
pub struct HandshakeRate {
    /// In the long run, each second; 0 is taken as 1.
    pub per_second: u32,
    /// After a quiet time, at once; 0 is taken as 1.
    pub burst: u32,
}

/// Which limit turned a hello away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Incoming,
    HalfOpen,
    HalfOpenOfPrefix,
    HandshakeRate,
    Connections,
}

/// How many ClientHellos were dropped because of each of the [`Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LimitCounts {
    /// Too many handshakes, or too many bytes of them, waited for the application.
    pub incoming: u64,
    /// Too many handshakes were not done.
    pub half_open: u64,
    /// Too many handshakes with peers of the same prefix were not done.
    pub half_open_of_prefix: u64,
    /// Handshakes with peers of the same prefix came too fast.
    pub handshake_rate: u64,
    /// There were too many connections.
    pub connections: u64,
}

impl LimitCounts {
    /// All of them together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.incoming
            .saturating_add(self.half_open)
            .saturating_add(self.half_open_of_prefix)
            .saturating_add(self.handshake_rate)
            .saturating_add(self.connections)
    }

    pub(super) fn add(&mut self, other: &Self) {
        add(&mut self.incoming, other.incoming);
        add(&mut self.half_open, other.half_open);
        add(&mut self.half_open_of_prefix, other.half_open_of_prefix);
        add(&mut self.handshake_rate, other.handshake_rate);
        add(&mut self.connections, other.connections);
    }

    pub(super) fn count(&mut self, limit: Limit) {
        let counter = match limit {
            Limit::Incoming => &mut self.incoming,
            Limit::HalfOpen => &mut self.half_open,
            Limit::HalfOpenOfPrefix => &mut self.half_open_of_prefix,
            Limit::HandshakeRate => &mut self.handshake_rate,
            Limit::Connections => &mut self.connections,
        };
        add(counter, 1);
    }
}
