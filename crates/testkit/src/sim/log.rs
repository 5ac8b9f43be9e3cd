//! What was sent in a simulation, and how it reads when a run fails.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use gramseal_proto::Instant;

use super::{Fate, Pair, Side};
use crate::decode::{Item, items};

/// A datagram that a host sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// The pair it belongs to.
    pub pair: Pair,
    /// The side that sent it.
    pub from: Side,
    /// Where it goes.
    pub to: SocketAddr,
    /// How many datagrams this side of the pair had sent before.
    pub index: usize,
    /// The datagram.
    pub bytes: Vec<u8>,
    /// What became of it.
    pub fate: Fate,
}

impl Sent {
    /// What can be seen in it without keys.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        items(&self.bytes)
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.saturating_since(Instant::default()).as_secs_f64();
        let arrow = if self.from == Side::Client { "C->S" } else { "S->C" };
        write!(
            f,
            "{seconds:9.3} {arrow} {:3} {:5} bytes {:8}",
            self.index,
            self.bytes.len(),
            format!("{:?}", self.fate)
        )?;
        self.items().iter().try_for_each(|item| write!(f, " {item}"))
    }
}

/// The time was up, or nothing more could happen, before what a test waited for came true.
///
/// Its `Debug` form is for people: it ends in the datagrams that were sent last.
#[derive(Clone)]
#[non_exhaustive]
pub struct Stuck {
    /// The seed to repeat the run with.
    pub seed: u64,
    /// How much virtual time went by.
    pub after: Duration,
    /// Whether nothing at all was left to happen.
    pub quiet: bool,
    pub(super) ladder: String,
}

/// How many datagrams a report shows.
const SHOWN: usize = 60;

/// The last datagrams of `log`, one a line.
pub(super) fn ladder(log: &[Sent]) -> String {
    let hidden = log.len().saturating_sub(SHOWN);
    let mut text = if hidden > 0 { format!("({hidden} datagrams before)\n") } else { String::new() };
    for sent in &log[hidden..] {
        text += &format!("{sent}\n");
    }
    text
}

impl fmt::Debug for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.quiet { "nothing left to happen" } else { "time is up" };
        write!(f, "{why} after {:?}, SIM_SEED={}\n{}", self.after, self.seed, self.ladder)
    }
}
