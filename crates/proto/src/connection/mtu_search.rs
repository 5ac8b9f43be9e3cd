//! Finding out how large datagrams may be by trying (RFC 8899), after a handshake of 1.3.
//!
//! What is tried out is a KeyUpdate, the shortest message that is acknowledged and that either side may send at any
//! time: its record is padded until the datagram has the size in question (RFC 9846 §5.4). If an ACK names that record
//! the size passes. If the datagram gets lost, the KeyUpdate is repeated without padding, so that nothing else depends
//! on a size that may not pass; and once it has arrived so, another one tries again. In 1.2 nothing is acknowledged.
//!
//! ```text
//!            KeyUpdate of this size sent
//!   Wanted --------------------------------> OnItsWay
//!     ^                                         |
//!     |  acknowledged: larger, up to the limit  |
//!     +-----------------------------------------+
//!     |  lost three times: smaller              |
//!     +-----------------------------------------+----> nothing between what passes and what does not: done
//! ```

use alloc::boxed::Box;
use core::time::Duration;

use gramseal_wire::handshake::KeyUpdateRequest;
use gramseal_wire::{HandshakeType, RecordNumber};

use super::mtu::Mtu;
use super::stats::RoundTrip;
use super::{Connection, Phase};
use crate::config::Transport;
use crate::flight::Piece;
use crate::time::Instant;

/// How often a size is tried before it counts as too large (RFC 8899 §5.1.2: MAX_PROBES).
const MAX_PROBES: u8 = 3;
/// Sizes that are nearer to each other than this are not told apart.
const STEP: usize = 16;
/// How long what was found counts before a connection in use looks again (RFC 8899 §5.1.1: PMTU_RAISE_TIMER).
const RAISE_AFTER: Duration = Duration::from_secs(600);

/// A search under way: the states SEARCHING of RFC 8899 §5.2.
#[derive(Debug)]
pub(super) struct Search {
    /// The largest size that is known to pass, or taken for granted.
    passes: usize,
    /// The smallest size that is known not to, or is not to be tried.
    fails: usize,
    /// What is tried.
    size: usize,
    /// How often that was lost.
    lost: u8,
    /// The record that is on its way.
    on_its_way: Option<RecordNumber>,
}

/// What a probe has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Passed,
    Lost,
}

impl Search {
    /// From `passes` up to `most`; `None` if there is nothing between.
    fn between(passes: usize, most: usize) -> Option<Self> {
        // Usually the largest one passes, or a round one just below.
        (most > passes).then_some(Self { passes, fails: most + 1, size: most, lost: 0, on_its_way: None })
    }

    /// Goes on after a probe. `false` if all is known.
    fn next(&mut self, probe: Probe) -> bool {
        self.on_its_way = None;
        match probe {
            Probe::Passed => self.passes = self.size,
            Probe::Lost => {
                self.lost += 1;
                if self.lost < MAX_PROBES {
                    return true;
                }
                self.fails = self.size;
            }
        }
        self.lost = 0;
        self.size = self.passes.midpoint(self.fails);
        self.fails - self.passes > STEP
    }
}

/// What a connection keeps between searches.
#[derive(Debug, Default)]
pub(super) struct MtuSearch {
    search: Option<Box<Search>>,
    again: Option<Instant>,
    /// The handshake is over, and a search begins when nothing of it is on its way.
    due: bool,
    /// How many records had been sealed when the last search ended.
    sealed: u64,
}

impl MtuSearch {
    /// Of a connection that goes on with what was found elsewhere.
    pub(super) fn later(transport: &Transport, now: Instant) -> Self {
        Self { again: transport.max_mtu.map(|_| now + RAISE_AFTER), ..Self::default() }
    }

    pub(super) fn after_handshake(&mut self) {
        self.due = true;
    }

    /// The caller knows better.
    pub(super) fn stop(&mut self) {
        *self = Self::default();
    }
}

impl Connection {
    /// Begins to search for the largest datagram that passes, from [`Transport::mtu`](crate::config::Transport::mtu) up
    /// to [`Transport::max_mtu`](crate::config::Transport::max_mtu): for a path that may have changed. It is also begun
    /// after each handshake and every ten minutes while records are sent, and tells what it finds with
    /// [`Event::MtuChanged`](crate::Event::MtuChanged). Until then datagrams are as large as they were.
    ///
    /// Says whether there is anything to search for: not in 1.2, before the handshake is done, for connections that make
    /// [checkpoints](Self::checkpoint), and without a larger `max_mtu`. Each size takes a KeyUpdate or up to three.
    pub fn search_mtu(&mut self) -> bool {
        let transport = &self.role.common().transport;
        let Some(most) = transport.max_mtu else { return false };
        let able = self.phase == Phase::Connected && self.handshake.is_none() && self.checkpoints.is_none();
        if !able || self.post.is_none() {
            return false;
        }
        let epoch = self.records.write_epoch();
        // RFC 8449 §4: padding counts as content.
        let longest = self.records.overhead(epoch) + self.records.max_content(epoch);
        let most = most.min(Mtu::MOST.into()).min(longest);
        self.mtu_search.search = Search::between(transport.mtu, most).map(Box::new);
        self.mtu_search.again = None;
        self.probe_mtu();
        self.mtu_search.search.is_some()
    }

    /// Sends the next probe, unless a KeyUpdate is on its way, which then becomes one or is waited for.
    fn probe_mtu(&mut self) {
        if self.mtu_search.search.is_none() {
            return;
        }
        let settled = self.post.as_ref().is_some_and(|post| !post.updates.is_on_its_way());
        if settled && self.update_keys(KeyUpdateRequest::NotRequested).is_err() {
            self.mtu_search.search = None;
        }
    }

    /// Begins what the handshake made due, once its tickets have arrived.
    pub(super) fn begin_due_search(&mut self) {
        let settled = self.post.as_ref().is_some_and(|post| post.flights.is_empty());
        if self.mtu_search.due && settled {
            self.mtu_search.due = false;
            self.search_mtu();
        }
    }

    /// Whether the next KeyUpdate tries out a size.
    pub(super) fn wants_probe(&self) -> bool {
        self.mtu_search.search.as_ref().is_some_and(|search| search.on_its_way.is_none())
    }

    /// How long the datagram with this piece is to be, if it is to try that out.
    pub(super) fn probed_size(&self, piece: &Piece) -> Option<usize> {
        let search = self.mtu_search.search.as_ref().filter(|search| search.on_its_way.is_none())?;
        (piece.msg_type == Some(HandshakeType::KEY_UPDATE)).then_some(search.size)
    }

    /// The probe went out in this record.
    pub(super) fn probe_sent(&mut self, number: RecordNumber) {
        if let Some(search) = &mut self.mtu_search.search {
            search.on_its_way = Some(number);
        }
    }

    /// The peer acknowledges these records; `updated` says that the KeyUpdate on its way has arrived, padded or not.
    pub(super) fn mind_probe(&mut self, mut numbers: impl Iterator<Item = RecordNumber>, updated: bool, now: Instant) {
        let Some(search) = &mut self.mtu_search.search else { return };
        let Some(number) = search.on_its_way else { return };
        let probe = if numbers.any(|acknowledged| acknowledged == number) { Probe::Passed } else { Probe::Lost };
        if probe == Probe::Lost && !updated {
            return;
        }
        let goes_on = search.next(probe);
        let (passes, fails) = (search.passes, search.fails);
        // What passes may be used at once; what does not, no more.
        if passes > self.mtu.bytes() || fails <= self.mtu.bytes() {
            self.mtu.found(passes);
            self.records.set_largest_record(self.mtu.bytes());
            self.unread.mtu = Some(self.mtu.bytes());
        }
        if !goes_on {
            self.end_mtu_search(now);
        }
    }

    /// A KeyUpdate has arrived, so that the next one may be sent.
    pub(super) fn go_on_probing(&mut self) {
        self.probe_mtu();
    }

    fn end_mtu_search(&mut self, now: Instant) {
        self.mtu_search =
            MtuSearch { again: Some(now + RAISE_AFTER), sealed: self.stats.records_sealed, ..MtuSearch::default() };
    }

    /// The peer is somewhere else (RFC 8899 §5.2: DISABLED): what was found on the path before counts no more.
    pub(super) fn begin_another_path(&mut self) {
        let before = self.mtu.bytes();
        self.stats.round_trip = RoundTrip::default();
        self.mtu.change_path();
        self.mtu_search = MtuSearch { due: true, ..MtuSearch::default() };
        let now = self.mtu.bytes();
        if now != before {
            self.records.set_largest_record(now);
            self.unread.mtu = Some(now);
        }
    }

    /// When to look again.
    pub(super) fn mtu_deadline(&self) -> Option<Instant> {
        self.mtu_search.again
    }

    /// Looks again if it is time to, and if the connection is in use.
    pub(super) fn mind_mtu(&mut self, now: Instant) {
        if self.mtu_search.again.take_if(|at| *at <= now).is_none() {
            return;
        }
        if self.stats.records_sealed == self.mtu_search.sealed || !self.search_mtu() {
            self.end_mtu_search(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Probe, STEP, Search};

    /// What a search over a path of `carries` bytes finds, and how many probes it takes.
    fn search(passes: usize, most: usize, carries: usize) -> (usize, usize) {
        let Some(mut search) = Search::between(passes, most) else { return (passes, 0) };
        let mut probes = 0;
        loop {
            probes += 1;
            assert!(search.passes < search.size && search.size < search.fails, "{search:?}");
            let probe = if search.size <= carries { Probe::Passed } else { Probe::Lost };
            if !search.next(probe) {
                return (search.passes, probes);
            }
        }
    }

    #[test] // RFC 8899 §5.3
    fn a_search_finds_what_the_path_carries() {
        for carries in 1200..1500 {
            let (found, probes) = search(1200, 1472, carries);
            assert!(found <= carries.min(1472) && found + STEP >= carries.min(1472), "{carries}: {found}");
            assert!(probes <= 3 * 6, "{carries}: {probes}");
        }
        assert_eq!(search(1200, 1472, 1472), (1472, 1), "the largest is tried first");
        assert_eq!(search(1200, 1200, 9000), (1200, 0));
    }
}
