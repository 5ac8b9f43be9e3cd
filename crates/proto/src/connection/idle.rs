//! When a connection that nobody uses ends.
//!
//! Payloads cost nothing for it: their counters are looked at four times in each timeout, and four times without a
//! change are the end. So a connection ends between one timeout and a quarter more after its last payload.

use core::time::Duration;

use super::{CloseReason, Connection, Phase, Stats};
use crate::time::Instant;

/// How often the counters are looked at in each timeout.
const LOOKS: u8 = 4;

/// What was seen when the counters were looked at last.
#[derive(Debug, Default)]
pub(super) struct Idle {
    /// When to look again.
    look: Instant,
    /// So many payloads had come and gone.
    payloads: u64,
    /// How often that has not changed.
    unchanged: u8,
}

impl Idle {
    /// Whether nothing has happened for a whole timeout.
    fn look(&mut self, now: Instant, timeout: Duration, stats: &Stats) -> bool {
        let payloads = stats.records_opened.wrapping_add(stats.records_sealed);
        self.unchanged = if payloads == self.payloads { self.unchanged.saturating_add(1) } else { 0 };
        self.payloads = payloads;
        self.look = now + interval(timeout);
        self.unchanged >= LOOKS
    }
}

fn interval(timeout: Duration) -> Duration {
    (timeout / u32::from(LOOKS)).max(Duration::from_millis(1))
}

impl Connection {
    fn idle_timeout(&self) -> Option<Duration> {
        self.role.common().transport.idle_timeout.filter(|_| self.phase == Phase::Connected)
    }

    /// From now on the connection may be idle.
    pub(super) fn begin_idle(&mut self, now: Instant) {
        if let Some(timeout) = self.idle_timeout() {
            self.idle.look = now + interval(timeout);
        }
    }

    /// When to see whether the connection is idle.
    pub(super) fn idle_deadline(&self) -> Option<Instant> {
        self.idle_timeout().map(|_| self.idle.look)
    }

    /// Ends a connection that nobody has used for too long, and says whether it did. One that was not looked at in
    /// time, because the machine slept, gets the time to take in what has come meanwhile.
    pub(super) fn end_if_idle(&mut self, now: Instant) -> bool {
        let Some(timeout) = self.idle_timeout().filter(|_| self.idle.look <= now) else { return false };
        let ends = self.idle.look(now, timeout, &self.stats);
        if ends {
            self.say_goodbye();
            self.end(CloseReason::Idle);
        }
        ends
    }
}
