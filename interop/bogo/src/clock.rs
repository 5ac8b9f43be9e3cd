//! The time, which passes only when the runner, or a flag, says so.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gramseal_proto::Instant;
use gramseal_proto::pki_types::UnixTime;

/// Nanoseconds that have passed since [`BEGINNING`].
static NANOS: AtomicU64 = AtomicU64::new(0);
/// A day in 2024, in seconds since 1970: tickets and sessions want a time of day.
const BEGINNING: u64 = 1_720_000_000;

pub(crate) fn now() -> Instant {
    // Not 0, which some would take for "never".
    Instant::from_micros(1_000_000 + NANOS.load(Ordering::Relaxed) / 1000)
}

pub(crate) fn time_of_day() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(BEGINNING) + Duration::from_nanos(NANOS.load(Ordering::Relaxed)))
}

pub(crate) fn advance(by: Duration) {
    NANOS.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
}
