//! Time: when to act without being asked.

use core::time::Duration;

use gramseal_wire::Epoch;

use super::handshaking::LastFlight;
use super::stats::count;
use super::{Connection, Phase, Timer};
use crate::error::{Error, TimedOut};
use crate::flight::{Acks, PostFlights, first_wait};
use crate::time::Instant;

/// After this many timeouts of one flight its datagrams become smaller, and again after as many
/// (RFC 6347 §4.1.1.1).
const TIMEOUTS_PER_MTU_STEP: u32 = 2;

impl Connection {
    /// When to call [`handle_timeout`](Self::handle_timeout), and what for; `None` for never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        self.timers().min_by_key(|(at, _)| *at)
    }

    /// All that the connection waits for, in no order.
    pub fn timers(&self) -> impl Iterator<Item = (Instant, Timer)> {
        let ack = self.acks().filter(|_| self.speaks_acks()).and_then(Acks::deadline).map(|at| (at, Timer::Ack));
        let kept = self.post.as_ref().and_then(|post| post.last_flight_kept).map(|at| (at, Timer::LastFlight));
        let post = self.post.as_ref();
        let repeat = post.and_then(|post| post.flights.deadline()).map(|at| (at, Timer::Retransmit));
        let previous = post.and_then(|post| post.updates.previous_until).map(|at| (at, Timer::PreviousKeys));
        let idle = self.idle_deadline().map(|at| (at, Timer::Idle));
        let search = self.mtu_deadline().map(|at| (at, Timer::Mtu));
        let cids = self.new_cids.as_ref().and_then(|cids| cids.deadline()).map(|at| (at, Timer::PreviousCids));
        let path = self.path_deadline().map(|at| (at, Timer::PathCheck));
        let timers = [self.flight_timer(), ack, kept, repeat, previous, cids, search, idle, path];
        timers.into_iter().flatten().filter(|_| self.phase != Phase::Closed)
    }

    /// What the handshake waits for.
    fn flight_timer(&self) -> Option<(Instant, Timer)> {
        let handshake = self.handshake.as_ref()?;
        if handshake.is_done() && handshake.last_flight == LastFlight::Kept {
            return Some((handshake.deadline, Timer::LastFlight));
        }
        match handshake.retransmit.deadline() {
            Some(retransmit) if !handshake.state.is_waiting() && retransmit < handshake.deadline => {
                Some((retransmit, Timer::Retransmit))
            }
            _ => Some((handshake.deadline, Timer::Handshake)),
        }
    }

    /// Acts on all timers that are due at `now`; harmless when none is.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.phase == Phase::Closed || self.end_if_idle(now) {
            return;
        }
        self.forget_last_flight(now);
        self.forget_previous_keys(now);
        self.mind_mtu(now);
        self.forget_stale_cids(now);
        self.mind_path_check(now);
        let at_most = self.role.common().transport.max_retransmissions;
        if let Some(post) = &mut self.post {
            let rests_after = if at_most == u32::MAX { PostFlights::MAX_TIMEOUTS } else { at_most };
            count(&mut self.stats.retransmissions, post.flights.handle_timeout(now, rests_after));
            if at_most < u32::MAX && post.flights.expiries() > at_most {
                return self.fail(Error::TimedOut(TimedOut::PostHandshake));
            }
        }
        if self.speaks_acks() {
            if let Some(acks) = self.acks_mut() {
                acks.handle_timeout(now);
            }
        }
        let Some(handshake) = &mut self.handshake else { return };
        if now >= handshake.deadline {
            return self.give_up_waiting();
        }
        // The peer waits for us, not we for it.
        if handshake.state.is_waiting() || !handshake.retransmit.expire(now) {
            return;
        }
        let transport = &self.role.common().transport;
        let (at_most, at_once) = (transport.max_retransmissions, transport.records_at_once);
        let shrinks = transport.shrink_flights;
        let Some(handshake) = &mut self.handshake else { return };
        if handshake.retransmit.expiries() > at_most {
            return self.give_up_waiting();
        }
        handshake.state.timed_out();
        if let Some(suspicion) = &mut handshake.suspicion {
            suspicion.patience = suspicion.patience.saturating_sub(1);
            if suspicion.patience == 0 {
                let error = suspicion.error();
                return self.fail(error);
            }
        }
        if shrinks && handshake.retransmit.expiries() % TIMEOUTS_PER_MTU_STEP == 0 {
            self.mtu.shrink_flights();
        }
        handshake.outbound.time_out(at_once);
        count(&mut self.stats.retransmissions, 1);
    }

    /// How long to wait for the peer before a flight is sent again the first time, from now on; less than 10 ms is
    /// taken as 10 ms, and more than a day as a day. For who learns how far the peer is only after the connection was made. Waits that have begun
    /// change in proportion. At first it is [`Transport::initial_timeout`](crate::config::Transport::initial_timeout).
    pub fn set_initial_timeout(&mut self, initial: Duration) {
        let initial = first_wait(initial);
        let before = match (&self.handshake, &self.post) {
            (Some(handshake), _) => handshake.retransmit.initial(),
            (None, Some(post)) => post.initial_wait,
            (None, None) => return,
        };
        if let Some(handshake) = &mut self.handshake {
            handshake.retransmit.set_initial(initial);
        }
        if let Some(acks) = self.acks_mut() {
            acks.scale(initial.as_secs_f64() / before.as_secs_f64());
        }
        if let Some(post) = &mut self.post {
            post.initial_wait = initial;
            post.flights.set_initial_wait(initial);
        }
    }

    /// The peer has had the time to hear that its last flight came.
    fn forget_last_flight(&mut self, now: Instant) {
        let Some(post) = &mut self.post else { return };
        if post.last_flight_kept.take_if(|at| *at <= now).is_some() {
            self.forget_read_before(Epoch::APPLICATION);
        }
    }

    /// Records of epochs before `epoch` are not read any more.
    pub(super) fn forget_read_before(&mut self, epoch: Epoch) {
        self.records.retire_read_before(epoch);
        if let Some(post) = &mut self.post {
            post.after.forget_read_before(epoch);
        }
    }

    /// The peer has had its time, or as many repetitions as it may have.
    fn give_up_waiting(&mut self) {
        let Some(handshake) = &self.handshake else { return };
        if handshake.is_done() && handshake.last_flight == LastFlight::Kept {
            return self.confirm();
        }
        let error = match handshake.suspicion {
            Some(suspicion) => suspicion.error(),
            // Datagrams alone mean nothing: anybody can send some.
            None if !handshake.heard => Error::TimedOut(TimedOut::NoAnswer),
            None => Error::TimedOut(TimedOut::Handshake),
        };
        self.fail(error);
    }
}
