//! How busy clients keep an endpoint: which handshakes are not done, and how fast they came of late.
//!
//! Owns the two tables of prefixes and says which limit is reached. The first has no more entries than handshakes are
//! allowed, the second at most [`MAX_RATES`]. They are ordered trees, as in `demux`. Never knows a connection.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use super::limits::{HandshakeRate, Limit, Limits};
use super::prefix::Prefix;
use crate::Instant;

/// Prefixes whose handshakes of late are remembered. If there are more, those that began the fewest of late are
/// forgotten: they begin with a clean slate, and nobody is turned away for it.
const MAX_RATES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Load {
    half_open: usize,
    half_open_of: BTreeMap<Prefix, usize>,
    rates: Rates,
}

impl Load {
    /// Whether a handshake with a peer of this prefix may begin.
    pub(super) fn room(&self, now: Instant, prefix: Prefix, limits: &Limits) -> Result<(), Limit> {
        if self.half_open >= limits.half_open {
            return Err(Limit::HalfOpen);
        }
        if self.half_open_of.get(&prefix).is_some_and(|&count| count >= limits.half_open_of_prefix) {
            return Err(Limit::HalfOpenOfPrefix);
        }
        match &limits.handshake_rate {
            Some(rate) if !self.rates.allow(now, prefix, rate) => Err(Limit::HandshakeRate),
            Some(_) | None => Ok(()),
        }
    }

    /// A handshake with a peer of this prefix has begun.
    pub(super) fn begin(&mut self, now: Instant, prefix: Prefix, limits: &Limits) {
        self.half_open += 1;
        *self.half_open_of.entry(prefix).or_default() += 1;
        self.spend(now, prefix, limits);
    }

    /// A handshake with a peer of this prefix counts in how fast they come.
    pub(super) fn spend(&mut self, now: Instant, prefix: Prefix, limits: &Limits) {
        if let Some(rate) = &limits.handshake_rate {
            self.rates.spend(now, prefix, rate);
        }
    }

    /// One of those is done, or given up.
    pub(super) fn end(&mut self, prefix: Prefix) {
        let Some(count) = self.half_open_of.get_mut(&prefix) else { return };
        *count -= 1;
        if *count == 0 {
            self.half_open_of.remove(&prefix);
        }
        self.half_open -= 1;
    }

    /// How many are not done.
    pub(super) const fn half_open(&self) -> usize {
        self.half_open
    }
}

/// A token bucket for each prefix, as the time at which it is full again. Whose is full is not kept.
#[derive(Debug, Default)]
struct Rates {
    full_at: BTreeMap<Prefix, Instant>,
    by_time: BTreeSet<(Instant, Prefix)>,
}

impl Rates {
    fn allow(&self, now: Instant, prefix: Prefix, rate: &HandshakeRate) -> bool {
        self.full_after(now, prefix, rate) <= now + interval(rate) * rate.burst.max(1)
    }

    fn spend(&mut self, now: Instant, prefix: Prefix, rate: &HandshakeRate) {
        let full_at = self.full_after(now, prefix, rate);
        while let Some(&(at, full)) = self.by_time.first() {
            let crowded = self.full_at.len() >= MAX_RATES && !self.full_at.contains_key(&prefix);
            if at > now && !crowded {
                break;
            }
            self.by_time.pop_first();
            self.full_at.remove(&full);
        }
        if let Some(before) = self.full_at.insert(prefix, full_at) {
            self.by_time.remove(&(before, prefix));
        }
        self.by_time.insert((full_at, prefix));
    }

    /// When the bucket would be full again after one more.
    fn full_after(&self, now: Instant, prefix: Prefix, rate: &HandshakeRate) -> Instant {
        self.full_at.get(&prefix).copied().unwrap_or(now).max(now) + interval(rate)
    }
}

fn interval(rate: &HandshakeRate) -> Duration {
    Duration::from_secs(1) / rate.per_second.max(1)
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    fn prefix(number: u32) -> Prefix {
        Prefix::of((Ipv4Addr::from_bits(number << 8), 1).into())
    }

    fn millis(millis: u64) -> Instant {
        Instant::default() + Duration::from_millis(millis)
    }

    fn limits(per_second: u32, burst: u32) -> Limits {
        Limits { handshake_rate: Some(HandshakeRate { per_second, burst }), ..Limits::default() }
    }

    /// Begins as many handshakes as it may and ends them at once.
    fn burst(load: &mut Load, now: Instant, prefix: Prefix, limits: &Limits) -> usize {
        let may = |load: &mut Load| load.room(now, prefix, limits).is_ok();
        let mut begun = 0;
        while begun < 1000 && may(load) {
            load.begin(now, prefix, limits);
            load.end(prefix);
            begun += 1;
        }
        begun
    }

    #[test]
    fn a_prefix_may_burst_and_then_goes_on_at_its_rate() {
        let (mut load, limits) = (Load::default(), limits(10, 5));
        assert_eq!(burst(&mut load, millis(0), prefix(1), &limits), 5);
        assert_eq!(load.room(millis(99), prefix(1), &limits), Err(Limit::HandshakeRate));
        assert_eq!(burst(&mut load, millis(0), prefix(2), &limits), 5, "another prefix has its own");
        assert_eq!(burst(&mut load, millis(100), prefix(1), &limits), 1);
        assert_eq!(burst(&mut load, millis(350), prefix(1), &limits), 2);
        assert_eq!(burst(&mut load, millis(10_000), prefix(1), &limits), 5, "no more is saved up");
    }

    #[test]
    fn a_rate_of_nothing_is_the_slowest_and_no_rate_is_no_limit() {
        let mut load = Load::default();
        assert_eq!(burst(&mut load, millis(0), prefix(1), &limits(0, 0)), 1);
        let unlimited = Limits { handshake_rate: None, ..Limits::default() };
        assert_eq!(burst(&mut load, millis(0), prefix(1), &unlimited), 1000);
    }

    #[test]
    fn what_is_remembered_of_rates_is_bounded_and_the_busiest_stays() {
        let (mut load, limits) = (Load::default(), limits(1, 2));
        assert_eq!(burst(&mut load, millis(0), prefix(0), &limits), 2);
        for number in 1..20_000 {
            load.begin(millis(1), prefix(number), &limits);
            load.end(prefix(number));
        }
        assert_eq!((load.rates.full_at.len(), load.rates.by_time.len()), (MAX_RATES, MAX_RATES));
        assert_eq!(load.room(millis(2), prefix(0), &limits), Err(Limit::HandshakeRate));
        load.begin(millis(60_000), prefix(1), &limits);
        assert_eq!((load.rates.full_at.len(), load.rates.by_time.len()), (1, 1), "the others are even");
    }

    #[test]
    fn handshakes_that_are_not_done_are_counted_by_prefix_and_together() {
        let limits = Limits { half_open: 5, half_open_of_prefix: 3, ..Limits::default() };
        let mut load = Load::default();
        for _ in 0..3 {
            assert_eq!(load.room(millis(0), prefix(1), &limits), Ok(()));
            load.begin(millis(0), prefix(1), &limits);
        }
        assert_eq!(load.room(millis(0), prefix(1), &limits), Err(Limit::HalfOpenOfPrefix));
        load.begin(millis(0), prefix(2), &limits);
        load.begin(millis(0), prefix(2), &limits);
        assert_eq!(load.room(millis(0), prefix(3), &limits), Err(Limit::HalfOpen));
        load.end(prefix(1));
        assert_eq!(load.room(millis(0), prefix(1), &limits), Ok(()));
        for number in [1, 1, 2, 2, 2, 7] {
            load.end(prefix(number));
        }
        assert_eq!((load.half_open(), load.half_open_of.len()), (0, 0));
    }
}
