//! The time, which passes only when the runner, or a flag, says so.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gramseal_proto::Instant;
use gramseal_proto::pki_types::UnixTime;

/// Microseconds since some day in 2024: tickets and sessions want a time of day.
static MICROS: AtomicU64 = AtomicU64::new(0);
const BEGINNING: u64 = 1_720_000_000;

pub(crate) fn now() -> Instant {
    // Not 0, which some would take for "never".
    Instant::from_micros(1_000_000 + MICROS.load(Ordering::Relaxed))
}

pub(crate) fn time_of_day() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(BEGINNING) + Duration::from_micros(MICROS.load(Ordering::Relaxed)))
}

pub(crate) fn advance(by: Duration) {
    MICROS.fetch_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
}
