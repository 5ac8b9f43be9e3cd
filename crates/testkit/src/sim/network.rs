//! The network between two hosts: what happens to one datagram on its way.

use std::time::Duration;

use crate::rng::Rng;

/// One of the two hosts of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "an association has two sides")]
pub enum Side {
    /// The host that connects.
    Client,
    /// The host that accepts.
    Server,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// The other one.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What the network does to datagrams in one direction. Probabilities go from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "tests write `Conditions { loss: 0.5, ..Conditions::default() }`")]
pub struct Conditions {
    /// How often a datagram disappears.
    pub loss: f64,
    /// How often a datagram is held back so long that later ones overtake it.
    pub reorder: f64,
    /// How often a datagram arrives twice.
    pub duplicate: f64,
    /// How often up to three bits of a datagram are flipped.
    pub corrupt: f64,
    /// How long every datagram takes. Default 10 ms.
    pub delay: Duration,
    /// Up to this much longer, evenly distributed.
    pub jitter: Duration,
    /// The largest datagram that passes, in bytes of UDP payload.
    pub mtu: usize,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            loss: 0.0,
            reorder: 0.0,
            duplicate: 0.0,
            corrupt: 0.0,
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            mtu: 65_507,
        }
    }
}

/// What became of a datagram when it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It arrives, perhaps late, damaged or twice.
    Arrives,
    /// The network lost it by chance.
    Lost,
    /// It is larger than the MTU of the path.
    TooLarge,
    /// A rule of the test dropped it.
    Dropped,
    /// It goes to an address where neither host is. One that goes to where a client still is, and arrives when that has
    /// moved, is lost too.
    Astray,
}

/// One arrival: how long after it was sent, and what arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) after: Duration,
    pub(super) bytes: Vec<u8>,
}

/// How far the network holds a datagram back that others shall overtake, at most.
const OVERTAKEN: Duration = Duration::from_millis(150);

impl Conditions {
    /// Decides what happens to `datagram`: nothing arrives, or one copy, or two.
    pub(super) fn carry(&self, rng: &mut Rng, datagram: &[u8]) -> (Fate, Vec<Arrival>) {
        let lost = rng.chance(self.loss);
        let copies = 1 + usize::from(rng.chance(self.duplicate));
        let arrivals = (0..copies).map(|_| self.copy(rng, datagram)).collect();
        if datagram.len() > self.mtu {
            return (Fate::TooLarge, Vec::new());
        }
        if lost { (Fate::Lost, Vec::new()) } else { (Fate::Arrives, arrivals) }
    }

    fn copy(&self, rng: &mut Rng, datagram: &[u8]) -> Arrival {
        let mut after = self.delay + fraction(rng, self.jitter);
        if rng.chance(self.reorder) {
            after += self.delay + fraction(rng, OVERTAKEN);
        }
        let mut bytes = datagram.to_vec();
        if rng.chance(self.corrupt) {
            for _ in 0..=rng.below(3) {
                flip_a_bit(rng, &mut bytes);
            }
        }
        Arrival { after, bytes }
    }
}

fn fraction(rng: &mut Rng, of: Duration) -> Duration {
    let micros = u64::try_from(of.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(rng.below(micros.saturating_add(1)))
}

fn flip_a_bit(rng: &mut Rng, bytes: &mut [u8]) {
    let at = rng.below(bytes.len() as u64 * 8);
    let Ok(index) = usize::try_from(at / 8) else { return };
    if let Some(byte) = bytes.get_mut(index) {
        *byte ^= 1 << (at % 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Carried = (Fate, Vec<Arrival>);

    fn arrivals(conditions: &Conditions, count: usize) -> Vec<Carried> {
        let mut rng = Rng::new(3);
        (0..count).map(|_| conditions.carry(&mut rng, &[0xAA; 100])).collect()
    }

    #[test]
    fn a_good_network_delivers_everything_in_time() {
        let expected = Arrival { after: Duration::from_millis(10), bytes: vec![0xAA; 100] };
        for (fate, arrivals) in arrivals(&Conditions::default(), 50) {
            assert_eq!((fate, arrivals), (Fate::Arrives, vec![expected.clone()]));
        }
    }

    #[test]
    fn every_condition_does_what_it_says() {
        let count = |conditions: Conditions, what: &dyn Fn(&Carried) -> bool| {
            arrivals(&conditions, 1000).iter().filter(|arrival| what(arrival)).count()
        };
        let base = Conditions::default;
        let around = |count, expected: usize| (expected * 8 / 10..=expected * 12 / 10).contains(&count);
        assert!(around(count(Conditions { loss: 0.3, ..base() }, &|a| a.0 == Fate::Lost && a.1.is_empty()), 300));
        assert!(around(count(Conditions { duplicate: 0.3, ..base() }, &|a| a.1.len() == 2), 300));
        let late = |a: &Carried| a.1[0].after >= Duration::from_millis(20);
        assert!(around(count(Conditions { reorder: 0.3, ..base() }, &late), 300));
        let damaged = |a: &Carried| a.1[0].bytes != [0xAA; 100];
        assert!(around(count(Conditions { corrupt: 0.3, ..base() }, &damaged), 300));
        assert_eq!(count(Conditions { mtu: 99, ..base() }, &|a| a.0 == Fate::TooLarge && a.1.is_empty()), 1000);
        assert_eq!(count(Conditions { mtu: 100, ..base() }, &|a| a.0 == Fate::Arrives), 1000);
        let jitter = Duration::from_millis(5);
        let times = arrivals(&Conditions { jitter, ..base() }, 100);
        assert!(times.iter().all(|(_, a)| (10..=15).contains(&a[0].after.as_millis())));
        assert!(times.iter().any(|(_, a)| a[0].after != times[0].1[0].after));
    }
}
