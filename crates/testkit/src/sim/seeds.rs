//! Which seeds a test runs with.

use std::env;

/// Seeds that once failed. Whoever fixes a fault found by a seed adds it here with the fault.
///
/// 24, 79, 698: with a wait that doubles up to 60 s, handshakes at 20 % loss were out of attempts
/// after 180 s.
pub const REGRESSIONS: &[u64] = &[24, 79, 698];

/// The seeds for a test: just `SIM_SEED` if that is set, otherwise [`REGRESSIONS`], then `seeds`.
///
/// # Panics
/// If `SIM_SEED` is not a number.
pub fn seeds(seeds: impl IntoIterator<Item = u64>) -> impl Iterator<Item = u64> {
    let only = env::var("SIM_SEED").ok().map(|seed| seed.parse().expect("SIM_SEED is a decimal number"));
    pick(only, seeds)
}

/// How many seeds a test of many runs takes: `SIM_SEEDS` if that is set, otherwise `usually`.
///
/// # Panics
/// If `SIM_SEEDS` is not a number.
#[must_use]
pub fn seed_count(usually: u64) -> u64 {
    env::var("SIM_SEEDS").map_or(usually, |count| count.parse().expect("SIM_SEEDS is a decimal number"))
}

fn pick(only: Option<u64>, seeds: impl IntoIterator<Item = u64>) -> impl Iterator<Item = u64> {
    let all = REGRESSIONS.iter().copied().chain(seeds);
    only.into_iter().chain(all.filter(move |_| only.is_none()))
}

#[cfg(test)]
mod tests {
    use super::{REGRESSIONS, pick};

    #[test]
    fn one_seed_replays_alone() {
        assert_eq!(pick(Some(7), 0..3).collect::<Vec<_>>(), [7]);
        let all: Vec<_> = pick(None, 0..3).collect();
        assert_eq!(all, [REGRESSIONS, &[0, 1, 2]].concat());
    }
}
