//! Flows of payloads over loopback: a thread that sends as fast as it can and one that receives, each with a runtime of
//! its own where it needs one. Several kinds take turns in one run; what counts is what arrives.

mod datagrams;
mod flow;
mod ours;
mod plain;
mod quic;
mod tunnel;

use std::fmt;
use std::time::{Duration, Instant};

pub use flow::Flow;

/// Bytes of payload in each datagram.
pub const PAYLOAD: usize = 1200;

/// How many payloads are given to the system at once, where it takes several: as many as fit into 64 KB.
pub const BATCH: usize = 53;

/// Payloads at once where one flow is set beside many.
const BATCH_OF_MANY: usize = 32;

/// How many flows that is.
const MANY: usize = 1000;

/// How many ratios the median is taken from.
const ROUNDS: usize = 15;

/// How long a flow runs before it is measured, and how long it is measured.
const WARM_UP: Duration = Duration::from_millis(30);
const TURN: Duration = Duration::from_millis(120);

/// The smallest, the median and the largest of the rounds' ratios.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Ratio {
    /// The smallest.
    pub min: f64,
    /// The figure that counts.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Ratio {
    fn of(mut ratios: Vec<f64>) -> Self {
        ratios.sort_by(f64::total_cmp);
        Self { min: ratios[0], median: ratios[ratios.len() / 2], max: ratios[ratios.len() - 1] }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, median, max } = self;
        write!(f, "{min:>5.2} {median:>5.2} {max:>5.2}")
    }
}

/// One flow of each kind, all at the same time, of which one sends at a time.
#[derive(Debug)]
pub struct OneFlow {
    ours: Flow,
    raw: Flow,
    quic: Flow,
    plain: Flow,
}

/// What ours carries beside the others.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Carried {
    /// Beside batches of quinn-udp and the bare AEAD.
    pub raw: Ratio,
    /// Beside datagrams of quinn.
    pub quic: Ratio,
    /// Beside one call for each record.
    pub plain: Ratio,
    /// What each carries in gigabits of payload a second, in the order `ours, raw, quic, plain`: the medians.
    pub gigabits: [f64; 4],
}

impl OneFlow {
    /// Connects them.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn new() -> Self {
        Self { ours: ours::flow(1, BATCH), raw: datagrams::flow(BATCH), quic: quic::flow(), plain: plain::flow() }
    }

    /// Lets them take turns.
    #[must_use]
    pub fn compare(&self) -> Carried {
        let rounds = Rounds::of([&self.ours, &self.raw, &self.quic, &self.plain]);
        let [raw, quic, plain] = [1, 2, 3].map(|other| rounds.beside(other));
        Carried { raw, quic, plain, gigabits: rounds.gigabits() }
    }
}

impl Default for OneFlow {
    fn default() -> Self {
        Self::new()
    }
}

/// A flow through both ends of `gramseal tunnel`, and others to set it beside, of which one sends at a time.
#[derive(Debug)]
pub struct TunnelFlow {
    tunnel: Flow,
    udp: Flow,
    ours: Flow,
    _ends: tunnel::Ends,
}

/// What a tunnel carries beside others.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CarriedByTunnel {
    /// Beside the same two programs without a tunnel between them.
    pub udp: Ratio,
    /// Beside `send_many` and `recv_many` of one process.
    pub ours: Ratio,
    /// What each carries in gigabits of payload a second, in the order `tunnel, udp, ours`: the medians.
    pub gigabits: [f64; 3],
}

impl TunnelFlow {
    /// Builds the program, starts it twice, and connects all.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn new() -> Self {
        let (tunnel, ends) = tunnel::through_a_tunnel();
        Self { tunnel, udp: tunnel::direct(), ours: ours::flow(1, BATCH), _ends: ends }
    }

    /// Lets them take turns.
    #[must_use]
    pub fn compare(&self) -> CarriedByTunnel {
        let rounds = Rounds::of([&self.tunnel, &self.udp, &self.ours]);
        let [udp, ours] = [1, 2].map(|other| rounds.beside(other));
        CarriedByTunnel { udp, ours, gigabits: rounds.gigabits() }
    }
}

impl Default for TunnelFlow {
    fn default() -> Self {
        Self::new()
    }
}

/// How many datagrams of each flow arrived each second, round by round.
struct Rounds<const N: usize>(Vec<[f64; N]>);

impl<const N: usize> Rounds<N> {
    /// Lets `flows` take turns.
    fn of(flows: [&Flow; N]) -> Self {
        let mut rounds = Vec::new();
        for round in 0..ROUNDS {
            let mut rates = [0.0; N];
            // Nobody is always behind the same neighbour: every other round goes backwards.
            let step = if round % 2 == 0 { 1 } else { N - 1 };
            for turn in 0..N {
                let which = (turn * step + round) % N;
                rates[which] = measure(flows[which]).rate;
            }
            rounds.push(rates);
        }
        Self(rounds)
    }

    /// The first flow beside another.
    fn beside(&self, other: usize) -> Ratio {
        Ratio::of(self.0.iter().map(|rates| rates[0] / rates[other]).collect())
    }

    /// The medians of what each carried, in gigabits of payload a second.
    fn gigabits(&self) -> [f64; N] {
        let bits = 8e-9 * PAYLOAD as f64;
        std::array::from_fn(|which| Ratio::of(self.0.iter().map(|rates| rates[which] * bits).collect()).median)
    }
}

/// One flow, and a thousand on one endpoint, of the same batches.
#[derive(Debug)]
pub struct ManyFlows {
    one: Flow,
    many: Flow,
}

impl ManyFlows {
    /// Connects them.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn new() -> Self {
        Self { one: ours::flow(1, BATCH_OF_MANY), many: ours::flow(MANY, BATCH_OF_MANY) }
    }

    /// What a datagram of many flows costs beside one of a single flow, in processor time of both sides.
    #[must_use]
    pub fn compare(&self) -> Ratio {
        let ratio = |_| {
            let [one, many] = [&self.one, &self.many].map(measure);
            (many.sending + many.receiving) / (one.sending + one.receiving)
        };
        Ratio::of((0..ROUNDS).map(ratio).collect())
    }
}

impl Default for ManyFlows {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs one kind of flow alone for some turns, and prints for each what arrived and what that cost.
///
/// # Panics
/// If there is no such kind.
pub fn watch(kind: &str, turns: u32) {
    let flow = match kind {
        "ours" => ours::flow(1, BATCH),
        "many" => ours::flow(MANY, BATCH_OF_MANY),
        "raw" => datagrams::flow(BATCH),
        "quinn" => quic::flow(),
        "plain" => plain::flow(),
        _ => panic!("ours, many, raw, quinn or plain"),
    };
    println!("gigabits  arrived  ns to send  to receive");
    for _ in 0..turns {
        let turn = measure(&flow);
        let gigabits = turn.rate * 8e-9 * PAYLOAD as f64;
        println!("{gigabits:>8.2} {:>8.2} {:>11.0} {:>11.0}", turn.arrived, turn.sending, turn.receiving);
    }
}

/// What a turn has shown.
struct Turn {
    /// Datagrams that arrived each second.
    rate: f64,
    /// The part of what was sent.
    arrived: f64,
    /// Nanoseconds of processor time that sending one takes, and receiving one. Not all that are sent arrive, so each
    /// side is counted by itself.
    sending: f64,
    receiving: f64,
}

fn measure(flow: &Flow) -> Turn {
    flow.run();
    std::thread::sleep(WARM_UP);
    let (before, since) = (flow.progress(), Instant::now());
    std::thread::sleep(TURN);
    let (after, taken) = (flow.progress(), since.elapsed());
    flow.pause();
    let progress = after - before;
    Turn {
        rate: progress.received / taken.as_secs_f64(),
        arrived: progress.received / progress.sent,
        sending: progress.sending / progress.sent,
        receiving: progress.receiving / progress.received,
    }
}
