//! ACKs of DTLS 1.3: which records with handshake messages came, and when to tell the peer.
//!
//! RFC 9147 §7 and §7.1. It is told what came and never asks what was in it; what the peer's own ACKs
//! mean for our flight is in `outbound.rs`.

use alloc::vec::Vec;
use core::time::Duration;

use gramseal_wire::{Ack, Codec, OwnedList, RecordNumber};

use super::RECORDS_AT_ONCE;
use crate::time::Instant;

/// The record numbers for the next ACK.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    /// What came of the peer's present flight, in the order of arrival.
    numbers: Vec<RecordNumber>,
    /// The latest record of which a part was dropped.
    refused: Option<RecordNumber>,
    /// How many came since the last ACK.
    untold: usize,
    due: Due,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Due {
    /// Nothing came, or all of it was told.
    #[default]
    Never,
    /// After a wait, unless the rest of the flight comes before.
    After {
        since: Instant,
        wait: Duration,
    },
    Now,
}

impl Acks {
    /// The most record numbers that are kept: 1 KB in an ACK. Of more, the latest are told.
    const MAX_NUMBERS: usize = 64;

    /// Nothing to acknowledge; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self { numbers: Vec::new(), refused: None, untold: 0, due: Due::Never }
    }

    /// A record came of which something was kept, or which came before. Unless something else happens
    /// it is acknowledged after `patience`, if there is anybody to hear of it.
    pub(crate) fn note(&mut self, number: RecordNumber, now: Instant, patience: Option<Duration>) {
        if self.refused == Some(number) {
            return;
        }
        if !self.numbers.contains(&number) {
            if self.numbers.len() >= Self::MAX_NUMBERS {
                self.numbers.remove(0);
            }
            self.numbers.push(number);
            self.untold += 1;
        }
        if let (Due::Never, Some(wait)) = (self.due, patience) {
            self.due = Due::After { since: now, wait };
        }
    }

    /// Whether so much came since the last ACK that the peer may send no more before it hears of it
    /// (RFC 9147 §5.8.3).
    pub(crate) fn is_awaited(&self) -> bool {
        self.untold >= RECORDS_AT_ONCE
    }

    /// A part of this record was dropped: whoever believed that it came would never send that part again
    /// (RFC 9147 §7). Other parts of it come before or after.
    pub(crate) fn refuse(&mut self, number: RecordNumber) {
        self.refused = Some(number);
        self.numbers.retain(|noted| *noted != number);
        if self.numbers.is_empty() {
            self.due = Due::Never;
        }
    }

    /// Something is missing, or nothing else answers what came: it is acknowledged at once.
    pub(crate) fn hurry(&mut self) {
        if !self.numbers.is_empty() {
            self.due = Due::Now;
        }
    }

    /// Our next flight acknowledges everything (RFC 9147 §7.1).
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    /// When the peer should hear what came.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.due {
            Due::After { since, wait } => Some(since + wait),
            Due::Never | Due::Now => None,
        }
    }

    /// A wait that has begun becomes longer or shorter in proportion.
    pub(crate) fn scale(&mut self, by: f64) {
        if let Due::After { wait, .. } = &mut self.due {
            *wait = wait.mul_f64(by);
        }
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.due = Due::Now;
        }
    }

    /// Writes the content of an ACK record of at most `room` bytes into `content`, if one is due. What
    /// was told is told again in the next one, as long as the flight lasts.
    pub(crate) fn take(&mut self, room: usize, content: &mut Vec<u8>) -> bool {
        let fits = room.saturating_sub(2) / 16;
        if self.due != Due::Now || fits == 0 {
            return false;
        }
        self.due = Due::Never;
        self.untold = 0;
        let mut latest: Vec<_> = self.numbers.iter().rev().take(fits).copied().collect();
        // RFC 9147 §7: in ascending order.
        latest.sort_unstable();
        let numbers: OwnedList<RecordNumber> = latest.into_iter().collect();
        content.clear();
        match (Ack { record_numbers: numbers.as_list() }).to_vec() {
            Ok(bytes) => content.extend_from_slice(&bytes),
            Err(_) => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::time::Duration;

    use gramseal_wire::{Ack, Codec, Epoch, RecordNumber, SequenceNumber};

    use super::Acks;
    use crate::time::Instant;

    const PATIENCE: Option<Duration> = Some(Duration::from_millis(100));
    const ROOM: usize = 1200;

    fn number(epoch: u64, sequence_number: u64) -> RecordNumber {
        RecordNumber::new(Epoch(epoch), SequenceNumber(sequence_number))
    }

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn take(acks: &mut Acks, room: usize) -> Option<Vec<RecordNumber>> {
        let mut content = Vec::new();
        let taken = acks.take(room, &mut content);
        taken.then(|| Ack::from_bytes(&content).expect("an ACK").record_numbers.iter().collect())
    }

    #[test] // RFC 9147 §7.1
    fn part_of_a_flight_is_acknowledged_after_a_while() {
        let mut acks = Acks::new();
        assert_eq!(acks.deadline(), None);
        acks.note(number(2, 1), at(0), PATIENCE);
        acks.note(number(2, 0), at(50), PATIENCE);
        assert_eq!(acks.deadline(), Some(at(100)), "counted from the first");
        acks.handle_timeout(at(99));
        assert_eq!(take(&mut acks, ROOM), None);
        acks.handle_timeout(at(100));
        assert_eq!(take(&mut acks, ROOM), Some([number(2, 0), number(2, 1)].to_vec()), "in ascending order");
        assert_eq!((take(&mut acks, ROOM), acks.deadline()), (None, None));
    }

    #[test] // RFC 9147 §7.1
    fn what_is_out_of_order_is_acknowledged_at_once() {
        let mut acks = Acks::new();
        acks.hurry();
        assert_eq!(take(&mut acks, ROOM), None, "an empty ACK tells nothing");
        acks.note(number(2, 4), at(0), PATIENCE);
        acks.hurry();
        assert_eq!(take(&mut acks, ROOM), Some([number(2, 4)].to_vec()));
    }

    #[test] // RFC 9147 §7
    fn a_record_of_which_a_part_was_dropped_is_not_acknowledged() {
        let mut acks = Acks::new();
        acks.note(number(2, 0), at(0), PATIENCE);
        acks.hurry();
        acks.refuse(number(2, 0));
        acks.note(number(2, 0), at(0), PATIENCE);
        acks.hurry();
        assert_eq!((take(&mut acks, ROOM), acks.deadline()), (None, None), "whichever part came first");
        acks.note(number(2, 1), at(0), PATIENCE);
        acks.note(number(2, 2), at(0), PATIENCE);
        acks.refuse(number(2, 1));
        acks.hurry();
        assert_eq!(take(&mut acks, ROOM), Some([number(2, 2)].to_vec()));
    }

    #[test] // RFC 9147 §7.2
    fn an_ack_says_again_what_earlier_ones_said() {
        let mut acks = Acks::new();
        for (sequence_number, told) in [(3, 1), (1, 2), (1, 2)] {
            acks.note(number(2, sequence_number), at(0), PATIENCE);
            acks.hurry();
            assert_eq!(take(&mut acks, ROOM).map(|numbers| numbers.len()), Some(told));
        }
    }

    #[test] // RFC 9147 §7
    fn the_next_flight_begins_a_new_list() {
        let mut acks = Acks::new();
        acks.note(number(0, 1), at(0), PATIENCE);
        acks.clear();
        assert_eq!(acks.deadline(), None);
        acks.note(number(2, 1), at(0), PATIENCE);
        acks.hurry();
        assert_eq!(take(&mut acks, ROOM), Some([number(2, 1)].to_vec()));
    }

    #[test] // RFC 9147 §7.1
    fn a_long_list_keeps_its_latest_and_tells_what_fits() {
        let mut acks = Acks::new();
        for sequence_number in 0..1000 {
            acks.note(number(2, sequence_number), at(0), PATIENCE);
        }
        acks.hurry();
        let told = take(&mut acks, 2000).expect("due");
        assert_eq!((told.len(), told[0], told[63]), (64, number(2, 936), number(2, 999)));
        acks.hurry();
        assert_eq!(take(&mut acks, 17), None, "no room for a number");
        assert_eq!(take(&mut acks, 2 + 2 * 16 + 15), Some([number(2, 998), number(2, 999)].to_vec()));
    }

    #[test] // RFC 9147 §5.8.3
    fn after_ten_records_an_ack_is_awaited() {
        let mut acks = Acks::new();
        for sequence_number in 0..10 {
            assert!(!acks.is_awaited(), "{sequence_number}");
            // What came again is not counted again.
            (0..2).for_each(|_| acks.note(number(2, sequence_number), at(0), PATIENCE));
        }
        assert!(acks.is_awaited());
        acks.hurry();
        assert!(take(&mut acks, ROOM).is_some() && !acks.is_awaited());
    }
}
