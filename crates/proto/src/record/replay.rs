//! The replay window: which sequence numbers of an epoch were received (RFC 6347 §4.1.2.6,
//! RFC 9147 §4.5.1).
//!
//! It knows numbers only. That a number reaches [`ReplayWindow::accept`] only after its record
//! opened is the rule of `open.rs`.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use gramseal_wire::{DecodeError, Reader, SequenceNumber, Writer};

use crate::discard::Discard;

const WORD_BITS: u64 = 64;

/// A sliding window over the sequence numbers of one epoch.
///
/// It remembers exactly the `size` numbers up to the highest one accepted. 24 bytes; windows
/// larger than 64 keep `size / 8 + 8` bytes on the heap.
pub(crate) struct ReplayWindow {
    /// One more than the highest number accepted; 0 at the start.
    right: u64,
    received: Received,
}

enum Received {
    /// Bit `n` stands for `right - 1 - n`.
    Word(u64),
    /// Bit `s % 64` of word `s / 64 % len` stands for `s`. The spare word makes that unambiguous:
    /// a window of `64 * (len - 1)` numbers touches at most `len` words.
    Ring(Box<[u64]>),
}

impl ReplayWindow {
    /// The largest size, in records.
    const MAX_SIZE: u32 = 1024;

    /// A window of `size` records, rounded up to a multiple of 64 and at most 1024. RFC 6347
    /// §4.1.2.6 prefers 64.
    pub(crate) fn new(size: u32) -> Self {
        let words = size.clamp(1, Self::MAX_SIZE).div_ceil(64) as usize;
        let received =
            if words == 1 { Received::Word(0) } else { Received::Ring(vec![0; words + 1].into_boxed_slice()) };
        Self { right: 0, received }
    }

    /// Writes it out.
    pub(crate) fn write_image(&self, w: &mut Writer<'_>) {
        w.u64(self.right);
        let words = match &self.received {
            Received::Word(word) => core::slice::from_ref(word),
            Received::Ring(words) => words,
        };
        w.vec8(|w| words.iter().for_each(|word| w.u64(*word)));
    }

    /// Reads what [`Self::write_image`] wrote.
    pub(crate) fn read_image(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let right = r.u64()?;
        let (mut bytes, mut words) = (Reader::new(r.vec8()?), Vec::new());
        while !bytes.is_empty() {
            words.push(bytes.u64()?);
        }
        // A ring has a word more than its size takes.
        const LARGEST: usize = (ReplayWindow::MAX_SIZE / 64 + 1) as usize;
        let received = match words.as_slice() {
            [word] => Received::Word(*word),
            ring if (3..=LARGEST).contains(&ring.len()) => Received::Ring(words.into_boxed_slice()),
            _ => return Err(DecodeError::BadVectorLength),
        };
        if right > SequenceNumber::MAX.0 + 1 { Err(DecodeError::IllegalValue) } else { Ok(Self { right, received }) }
    }

    /// The number above the highest one received; 0 at first.
    #[inline]
    pub(crate) fn expected(&self) -> SequenceNumber {
        SequenceNumber(self.right)
    }

    /// Whether a record with this number may be new. Changes nothing.
    #[inline]
    pub(crate) fn check(&self, number: SequenceNumber) -> Result<(), Discard> {
        let number = number.0;
        // How far left of the highest accepted number it lies.
        let Some(age) = self.right.checked_sub(1).and_then(|highest| highest.checked_sub(number)) else {
            return Ok(());
        };
        let seen = match &self.received {
            Received::Word(_) if age >= WORD_BITS => return Err(Discard::TooOld),
            Received::Word(bits) => bits >> age & 1 != 0,
            Received::Ring(words) if age >= WORD_BITS * (words.len() as u64 - 1) => return Err(Discard::TooOld),
            Received::Ring(words) => words.get(ring_index(number, words.len())).is_some_and(|w| w & bit(number) != 0),
        };
        if seen { Err(Discard::Replayed) } else { Ok(()) }
    }

    /// Marks a number as received, moving the window to the right if needed.
    ///
    /// Only for records that opened: a forged number must not move the window. Neither does one that
    /// [`Self::check`] refuses.
    #[inline]
    pub(crate) fn accept(&mut self, number: SequenceNumber) -> Result<(), Discard> {
        self.check(number)?;
        let number = number.0;
        let old_right = self.right;
        self.right = old_right.max(number.saturating_add(1));
        let moved = self.right - old_right;
        let age = self.right - 1 - number;
        match &mut self.received {
            Received::Word(bits) => {
                *bits = if moved >= WORD_BITS { 0 } else { *bits << moved };
                *bits |= 1 << age;
            }
            Received::Ring(words) => {
                // Words that the window enters may hold bits from one turn of the ring ago.
                let entered = number / WORD_BITS + 1;
                let first = old_right.div_ceil(WORD_BITS).max(entered.saturating_sub(words.len() as u64));
                for word in first..entered {
                    let index = ring_index(word * WORD_BITS, words.len());
                    if let Some(word) = words.get_mut(index) {
                        *word = 0;
                    }
                }
                let index = ring_index(number, words.len());
                if let Some(word) = words.get_mut(index) {
                    *word |= bit(number);
                }
            }
        }
        Ok(())
    }
}

fn bit(number: u64) -> u64 {
    1 << (number % WORD_BITS)
}

fn ring_index(number: u64, words: usize) -> usize {
    let index = number / WORD_BITS % words as u64;
    usize::try_from(index).expect("smaller than a length")
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec;

    use gramseal_wire::{DecodeError, Reader, SequenceNumber};
    use proptest::prelude::*;

    use super::ReplayWindow;
    use crate::discard::Discard;

    /// Every number ever accepted.
    struct Model {
        size: u64,
        accepted: BTreeSet<u64>,
    }

    impl Model {
        fn check(&self, number: u64) -> Result<(), Discard> {
            if self.accepted.last().is_some_and(|highest| number + self.size <= *highest) {
                return Err(Discard::TooOld);
            }
            if self.accepted.contains(&number) { Err(Discard::Replayed) } else { Ok(()) }
        }
    }

    #[test]
    fn an_image_has_as_many_words_as_a_window_can_have() {
        let read = |words: u8, right: u64| {
            let image = [&right.to_be_bytes()[..], &[8 * words], &vec![0; usize::from(8 * words)]].concat();
            ReplayWindow::read_image(&mut Reader::new(&image)).err()
        };
        for (words, expected) in [
            (0, Some(DecodeError::BadVectorLength)),
            (1, None),
            (2, Some(DecodeError::BadVectorLength)),
            (3, None),
            (17, None),
            (18, Some(DecodeError::BadVectorLength)),
        ] {
            assert_eq!(read(words, 1), expected, "{words}");
        }
        assert_eq!((read(1, 1 << 48), read(1, (1 << 48) + 1)), (None, Some(DecodeError::IllegalValue)));
    }

    #[test] // RFC 6347 §4.1.2.6
    fn the_left_edge_is_the_size_below_the_highest() {
        for size in [64, 128, 1024] {
            let mut window = ReplayWindow::new(size);
            window.accept(SequenceNumber(5000)).expect("the first");
            let age = |age: u64| SequenceNumber(5000 - age);
            assert_eq!(window.check(age(0)), Err(Discard::Replayed));
            assert_eq!(window.check(age(u64::from(size) - 1)), Ok(()), "{size}");
            assert_eq!(window.check(age(u64::from(size))), Err(Discard::TooOld), "{size}");
        }
    }

    #[test]
    fn asking_changes_nothing() {
        let mut window = ReplayWindow::new(64);
        window.accept(SequenceNumber(3)).expect("the first");
        assert_eq!(window.check(SequenceNumber(1 << 47)), Ok(()));
        assert_eq!(window.check(SequenceNumber(2)), Ok(()));
        assert_eq!(window.check(SequenceNumber(2)), Ok(()));
    }

    #[test]
    fn odd_sizes_are_rounded_up_within_bounds() {
        for (asked, size) in [(0, 64), (1, 64), (65, 128), (1000, 1024), (u32::MAX, 1024)] {
            let mut window = ReplayWindow::new(asked);
            window.accept(SequenceNumber(size)).expect("the first");
            assert_eq!(window.check(SequenceNumber(1)), Ok(()), "{asked}");
            assert_eq!(window.check(SequenceNumber(0)), Err(Discard::TooOld), "{asked}");
        }
    }

    #[test]
    fn stays_small() {
        assert!(size_of::<ReplayWindow>() <= 24);
    }

    proptest! {
        #[test] // RFC 6347 §4.1.2.6
        fn agrees_with_a_set_of_all_numbers(
            size in prop::sample::select(alloc::vec![64u32, 128, 192, 1024]),
            // Steps from the number before, mostly small; some jump over the whole window.
            steps in prop::collection::vec(
                prop_oneof![8 => -80i64..80, 3 => -1100i64..1100, 1 => -70_000i64..70_000],
                1..300,
            ),
        ) {
            let mut window = ReplayWindow::new(size);
            let mut model = Model { size: u64::from(size), accepted: BTreeSet::new() };
            let mut number = 0u64;
            for step in steps {
                number = number.saturating_add_signed(step);
                let expected = model.check(number);
                prop_assert_eq!(window.check(SequenceNumber(number)), expected, "number {}", number);
                // Also what is refused, as a caller's mistake must not open the window again.
                prop_assert_eq!(window.accept(SequenceNumber(number)), expected, "number {}", number);
                if expected.is_ok() {
                    model.accepted.insert(number);
                }
                let highest = *model.accepted.last().expect("at least one");
                let left = highest.saturating_sub(u64::from(size));
                for near in (left.saturating_sub(2)..left + 3).chain(number.saturating_sub(66)..=highest.min(number + 66) + 2) {
                    prop_assert_eq!(window.check(SequenceNumber(near)), model.check(near), "near {}", near);
                }
            }
        }
    }
}
