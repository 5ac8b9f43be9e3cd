//! The timer: two pieces of work that take turns.

use std::fmt;
use std::time::{Duration, Instant};

/// How many ratios the median is taken from.
const ROUNDS: usize = 41;

/// How often the sides change within a round.
const TURNS: u32 = 8;

/// How long one side works before it is the other's turn.
const TURN: Duration = Duration::from_micros(150);

/// Work that can be repeated: `run` does it `count` times and returns how long that took, without
/// what it had to prepare.
pub trait Work {
    /// Does the work `count` times.
    fn run(&mut self, count: u32) -> Duration;
}

impl<F: FnMut()> Work for F {
    fn run(&mut self, count: u32) -> Duration {
        let start = Instant::now();
        for _ in 0..count {
            self();
        }
        start.elapsed()
    }
}

/// Two costs and how they relate.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Comparison {
    /// Median time of one piece of our work, in nanoseconds.
    pub ours: f64,
    /// Median time of one piece of the raw work, in nanoseconds.
    pub raw: f64,
    /// The smallest ratio of a round.
    pub min: f64,
    /// The median of the rounds' ratios: the figure that counts.
    pub median: f64,
    /// The largest ratio of a round.
    pub max: f64,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ours, raw, min, median, max } = self;
        write!(f, "{ours:>9.0} {raw:>9.0}   {min:>5.2} {median:>5.3} {max:>5.2}")
    }
}

/// The heading over the columns of a [`Comparison`].
pub const COLUMNS: &str = "  ours ns    raw ns     min  ratio   max";

/// Measures `ours` beside `raw`.
pub fn compare(ours: &mut impl Work, raw: &mut impl Work) -> Comparison {
    let ours_count = count_for(ours);
    let raw_count = count_for(raw);
    let mut rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| round(ours, ours_count, raw, raw_count)).collect();
    let mut ratios: Vec<f64> = rounds.iter().map(|(ours, raw)| ours / raw).collect();
    ratios.sort_by(f64::total_cmp);
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ours = rounds[ROUNDS / 2].0;
    rounds.sort_by(|a, b| a.1.total_cmp(&b.1));
    let raw = rounds[ROUNDS / 2].1;
    Comparison { ours, raw, min: ratios[0], median: ratios[ROUNDS / 2], max: ratios[ROUNDS - 1] }
}

/// Nanoseconds of one piece of each side's work, in the fastest turn of each: what takes the processor away makes turns
/// slower and never faster.
fn round(ours: &mut impl Work, ours_count: u32, raw: &mut impl Work, raw_count: u32) -> (f64, f64) {
    let mut fastest = [Duration::MAX; 2];
    for turn in 0..TURNS {
        // Who begins changes too: a clock that rises or falls must not favour one side.
        if turn % 2 == 0 {
            fastest[0] = fastest[0].min(ours.run(ours_count));
            fastest[1] = fastest[1].min(raw.run(raw_count));
        } else {
            fastest[1] = fastest[1].min(raw.run(raw_count));
            fastest[0] = fastest[0].min(ours.run(ours_count));
        }
    }
    let each = |turn: Duration, count: u32| turn.as_secs_f64() * 1e9 / f64::from(count);
    (each(fastest[0], ours_count), each(fastest[1], raw_count))
}

/// How often the work fits into a turn; warms it up on the way.
fn count_for(work: &mut impl Work) -> u32 {
    let mut count = 1;
    loop {
        let taken = work.run(count).min(work.run(count));
        if taken >= TURN || count >= 1 << 16 {
            return count;
        }
        count *= 2;
    }
}
