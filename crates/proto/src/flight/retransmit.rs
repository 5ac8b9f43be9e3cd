//! When to send a flight again.
//!
//! RFC 6347 §4.2.4 (RFC 9147 §5.8) tells four states apart. Here they are not values but follow
//! from what the other parts hold:
//!
//! ```text
//!             handshake makes the next flight: Outbound::begin, push_*
//!   PREPARING --------------------------------------------------------> SENDING
//!       ^                                                               |     ^
//!       | next flight complete:                 nothing pending, and    |     | timer due: expire
//!       | progress                              an answer is expected:  |     | peer repeats its flight
//!       |                                       arm                     v     | (both: Outbound::rewind)
//!       +------------------------------------------------------------ WAITING-+
//!
//!   FINISHED  the last flight is out or in: stop. Whoever sent the last flight keeps it, and goes
//!             back to SENDING, without a timer, whenever the peer repeats its own last flight.
//! ```
//!
//! | state | `Outbound` | `Retransmit` |
//! |---|---|---|
//! | PREPARING | empty, or the previous flight | no deadline |
//! | SENDING | pieces pending | any |
//! | WAITING | nothing pending | a deadline |
//! | FINISHED | nothing pending | no deadline |
//!
//! A server before its first ClientHello is in WAITING with no flight and no deadline. This module
//! owns the timer's values only. It never asks a clock and never counts the caller's patience: how
//! long a handshake may take altogether is decided elsewhere.

use core::time::Duration;

use crate::time::Instant;

/// The retransmission timer of one handshake.
#[derive(Debug, Clone)]
pub(crate) struct Retransmit {
    initial: Duration,
    max: Duration,
    current: Duration,
    deadline: Option<Instant>,
    /// When the timer was last armed or re-armed.
    armed: Option<Instant>,
    expiries: u32,
}

impl Retransmit {
    /// A stopped timer that waits `initial` at first and never longer than `max`.
    pub(crate) fn new(initial: Duration, max: Duration) -> Self {
        let max = max.max(initial);
        Self { initial, max, current: initial, deadline: None, armed: None, expiries: 0 }
    }

    /// Starts the wait: the flight is out and an answer is expected. Also restarts it when a flight
    /// went out again because the peer repeated its own; that is no reason to wait longer.
    pub(crate) fn arm(&mut self, now: Instant) {
        self.deadline = Some(now + self.current);
        self.armed = Some(now);
    }

    /// Stops the wait and keeps its value.
    pub(crate) fn stop(&mut self) {
        self.deadline = None;
    }

    /// When the flight is to be sent again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the wait is over. If so, the next one has begun and is twice as long, up to the
    /// longest (RFC 6347 §4.2.4.1), and the flight must be sent again.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return false;
        }
        self.current = self.current.saturating_mul(2).min(self.max);
        self.expiries = self.expiries.saturating_add(1);
        self.arm(now);
        true
    }

    /// How often the wait for the peer's next flight was in vain.
    pub(crate) fn expiries(&self) -> u32 {
        self.expiries
    }

    /// The peer's next flight is complete: stops the wait and counts expiries anew.
    ///
    /// RFC 6347 §4.2.4.1: the wait keeps its length until a flight got through without a
    /// repetition, or until nothing happened for ten times its length.
    pub(crate) fn progress(&mut self, now: Instant) {
        let idle = self.armed.map_or(Duration::ZERO, |armed| now.saturating_since(armed));
        if self.expiries == 0 || idle >= self.current.saturating_mul(10) {
            self.current = self.initial;
        }
        self.expiries = 0;
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::vec::Vec;

    use super::Retransmit;
    use crate::time::Instant;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn timer() -> Retransmit {
        Retransmit::new(Duration::from_millis(400), Duration::from_secs(60))
    }

    #[test]
    fn does_nothing_until_armed_and_after_being_stopped() {
        let mut timer = timer();
        assert!(!timer.expire(at(1_000_000)));
        timer.arm(at(0));
        timer.stop();
        assert_eq!(timer.deadline(), None);
        assert!(!timer.expire(at(1_000_000)));
    }

    #[test] // RFC 6347 §4.2.4.1
    fn doubles_up_to_sixty_seconds() {
        let mut timer = timer();
        timer.arm(at(0));
        let mut waits = Vec::new();
        let mut now = at(0);
        for _ in 0..10 {
            let deadline = timer.deadline().expect("armed");
            waits.push((deadline - now).as_millis());
            assert!(!timer.expire(Instant::from_micros(deadline.as_micros() - 1)));
            assert!(timer.expire(deadline));
            now = deadline;
        }
        assert_eq!(waits, [400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
        assert_eq!(timer.expiries(), 10);
    }

    #[test]
    fn a_late_call_counts_one_expiry_and_waits_from_now() {
        let mut timer = timer();
        timer.arm(at(0));
        assert!(timer.expire(at(5000)));
        assert!(!timer.expire(at(5000)));
        assert_eq!(timer.deadline(), Some(at(5800)));
    }

    #[test] // RFC 6347 §4.2.4.1
    fn keeps_its_value_until_a_flight_gets_through_at_once() {
        let mut timer = timer();
        timer.arm(at(0));
        assert!(timer.expire(at(400)));
        timer.progress(at(500));
        assert_eq!((timer.deadline(), timer.expiries()), (None, 0));
        timer.arm(at(500));
        assert_eq!(timer.deadline(), Some(at(1300)), "loss: the longer wait stays");
        timer.progress(at(600));
        timer.arm(at(600));
        assert_eq!(timer.deadline(), Some(at(1000)), "no loss: back to the first wait");
    }

    #[test] // RFC 6347 §4.2.4.1
    fn a_long_silence_forgets_the_longer_wait() {
        let mut timer = timer();
        timer.arm(at(0));
        assert!(timer.expire(at(400)));
        timer.stop();
        timer.progress(at(400 + 8000));
        timer.arm(at(10_000));
        assert_eq!(timer.deadline(), Some(at(10_400)));
    }

    #[test]
    fn repeating_a_flight_on_request_does_not_double_the_wait() {
        let mut timer = timer();
        timer.arm(at(0));
        timer.arm(at(100));
        assert_eq!((timer.deadline(), timer.expiries()), (Some(at(500)), 0));
    }
}
