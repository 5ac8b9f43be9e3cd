//! Time as the caller counts it.

use core::ops::{Add, Sub};
use core::time::Duration;

/// A moment, in microseconds since a start that the caller picks.
///
/// The protocol compares and adds moments and never asks a clock. All moments given to one
/// connection or endpoint must count from the same start and must not run backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The moment `micros` microseconds after the start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the start.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time since `earlier`; zero if that is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Now, counted from the first call in this process.
    #[cfg(feature = "std")]
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that offers the system's clock to callers with std")]
    pub fn now() -> Self {
        use std::sync::OnceLock;
        use std::time::Instant as SystemInstant;
        static START: OnceLock<SystemInstant> = OnceLock::new();
        let start = START.get_or_init(SystemInstant::now);
        Self::default() + start.elapsed()
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}
