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
    /// When the flight went out, as long as nothing of it was sent again and nothing came of the answer.
    sent_once: Option<Instant>,
    expiries: u32,
    /// How often the peer had the flight repeated.
    requests: u8,
}

/// No first wait is shorter: one of zero would double to zero, and repeat a flight without end.
const LEAST_WAIT: Duration = Duration::from_millis(10);
/// Nor is one longer.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The nearest first wait that there can be.
pub(crate) fn first_wait(initial: Duration) -> Duration {
    initial.clamp(LEAST_WAIT, LONGEST_WAIT)
}

/// So often a peer may have one flight repeated. It asks when its own timer runs out, each time
/// after twice the time, so that a minute holds eight times; whoever asks more is not waiting.
const MAX_REQUESTS: u8 = 8;

impl Retransmit {
    /// A stopped timer that waits `initial`, at least 10 ms, at first and never longer than `max`,
    /// for which RFC 6347 §4.2.4.1 wants no less than 60 s.
    pub(crate) fn new(initial: Duration, max: Duration) -> Self {
        let initial = first_wait(initial);
        let max = max.max(initial);
        Self { initial, max, current: initial, deadline: None, armed: None, sent_once: None, expiries: 0, requests: 0 }
    }

    /// Starts the wait: the flight is out and an answer is expected.
    pub(crate) fn arm(&mut self, now: Instant) {
        self.deadline = Some(now + self.current);
        self.armed = Some(now);
    }

    /// A new flight is out: starts the wait for the answer.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.arm(now);
        self.sent_once = Some(now);
    }

    /// Something of the answer came. Says how long that took, if it is the first and nobody can mistake for which copy
    /// of our flight it is.
    pub(crate) fn answered(&mut self, now: Instant) -> Option<Duration> {
        self.sent_once.take().map(|sent| now.saturating_since(sent))
    }

    /// The peer repeats its own flight, so it misses ours: whether to send ours again at once. If
    /// so, the wait begins anew and is no longer than before. Not more often than the first wait
    /// and not for ever, or whoever repeats or forges one small datagram of the peer's could make us
    /// send it any number of flights.
    pub(crate) fn repeat_on_request(&mut self, now: Instant) -> bool {
        let due =
            self.deadline.is_some() && self.armed.is_some_and(|armed| now.saturating_since(armed) >= self.initial);
        if !due || self.requests >= MAX_REQUESTS {
            return false;
        }
        self.requests += 1;
        self.sent_once = None;
        self.arm(now);
        true
    }

    /// We kept the peer waiting: if it is its turn, the wait begins anew.
    pub(crate) fn resume(&mut self, now: Instant) {
        self.sent_once = None;
        if self.deadline.is_some() {
            self.arm(now);
        }
    }

    /// The first wait.
    pub(crate) fn initial(&self) -> Duration {
        self.initial
    }

    /// From now on the first wait is another one. A wait that has begun, and those after it, change in proportion.
    pub(crate) fn set_initial(&mut self, initial: Duration) {
        let initial = first_wait(initial);
        self.max = self.max.max(initial);
        self.current = self.current.mul_f64(initial.as_secs_f64() / self.initial.as_secs_f64()).min(self.max);
        self.initial = initial;
        if let (Some(deadline), Some(armed)) = (&mut self.deadline, self.armed) {
            *deadline = armed + self.current;
        }
    }

    /// Stops the wait and keeps its value.
    pub(crate) fn stop(&mut self) {
        self.deadline = None;
    }

    /// When the flight is to be sent again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long part of the peer's flight is waited on before it is acknowledged (RFC 9147 §7.1), and
    /// how old ours must be before an ACK says that all that it lacks is lost.
    pub(crate) fn quarter(&self) -> Duration {
        self.current / 4
    }

    /// Whether what was sent last has been on its way for [`Self::quarter`].
    pub(crate) fn is_quarter_over(&self, now: Instant) -> bool {
        self.armed.is_some_and(|armed| now.saturating_since(armed) >= self.quarter())
    }

    /// Whether the wait is over. If so, the next one has begun and is twice as long, up to the
    /// longest (RFC 6347 §4.2.4.1), and the flight must be sent again.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return false;
        }
        self.current = self.current.saturating_mul(2).min(self.max);
        self.expiries = self.expiries.saturating_add(1);
        self.sent_once = None;
        self.arm(now);
        true
    }

    /// How often the wait for the peer's next flight was in vain.
    pub(crate) fn expiries(&self) -> u32 {
        self.expiries
    }

    /// The peer's next flight is complete: stops the wait and begins with the first one again.
    ///
    /// RFC 6347 §4.2.4.1 would rather keep a longer wait until a flight passes without loss. But
    /// while the peer sends its flight piece by piece our own wait grows for nothing, and a
    /// handshake of a few flights has no time to shrink it again. Other implementations start
    /// anew as well.
    pub(crate) fn progress(&mut self) {
        self.current = self.initial;
        self.expiries = 0;
        self.requests = 0;
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::time::Duration;

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

    #[test]
    fn whoever_was_kept_waiting_gets_the_whole_wait() {
        let mut timer = timer();
        timer.resume(at(10));
        assert_eq!(timer.deadline(), None, "it was not its turn");
        timer.arm(at(0));
        timer.resume(at(300));
        assert_eq!(timer.deadline(), Some(at(700)));
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
    fn a_new_flight_begins_with_the_first_wait() {
        let mut timer = timer();
        timer.arm(at(0));
        assert!(timer.expire(at(400)));
        timer.progress();
        assert_eq!((timer.deadline(), timer.expiries()), (None, 0));
        timer.arm(at(500));
        assert_eq!(timer.deadline(), Some(at(900)));
    }

    #[test] // RFC 6347 §4.2.4
    fn a_flight_is_repeated_on_request_but_not_for_every_datagram() {
        let mut timer = timer();
        assert!(!timer.repeat_on_request(at(1000)), "nothing was sent");
        timer.arm(at(0));
        assert!(timer.expire(at(400)));
        assert!(!timer.repeat_on_request(at(799)));
        assert!(timer.repeat_on_request(at(800)));
        assert_eq!((timer.deadline(), timer.expiries()), (Some(at(1600)), 1), "no longer than before");
        assert!(!timer.repeat_on_request(at(900)));
    }

    #[test]
    fn only_what_was_sent_once_measures_the_round_trip() {
        let wait = Duration::from_millis(400);
        let new = || {
            let mut timer = Retransmit::new(wait, Duration::from_secs(60));
            timer.begin(at(0));
            timer
        };
        let mut timer = new();
        assert_eq!([timer.answered(at(30)), timer.answered(at(31))], [Some(Duration::from_millis(30)), None]);
        let mut repeated = new();
        assert!(repeated.expire(at(400)));
        assert_eq!(repeated.answered(at(430)), None);
        let mut asked = new();
        assert!(asked.repeat_on_request(at(400)));
        assert_eq!(asked.answered(at(430)), None);
        let mut resumed = new();
        resumed.resume(at(10));
        assert_eq!(resumed.answered(at(430)), None);
        timer.progress();
        timer.begin(at(500));
        assert_eq!(timer.answered(at(520)), Some(Duration::from_millis(20)));
    }
}
