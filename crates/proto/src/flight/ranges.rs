//! Sets of byte positions, kept as ranges: what of a message has arrived, or is still to be sent.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::ops::Range;

use super::work;

/// A set of byte positions as sorted ranges that neither overlap nor touch.
///
/// With `n` ranges held, every operation takes O(log n) for each range that it looks at, adds or
/// removes, whatever the order of calls: nothing is ever shifted. Allocates nothing while there is
/// one range or none, as with nearly all messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// The leftmost range; empty only if the set is.
    first: Range<u32>,
    /// The others: start to end (exclusive). `None` if there are none, since even an empty map costs something each
    /// time it is looked at and when it goes.
    #[expect(clippy::box_collection, reason = "each message of a flight has two sets, and nearly none has others")]
    others: Option<Box<BTreeMap<u32, u32>>>,
}

impl Ranges {
    /// The empty set.
    pub(crate) const fn new() -> Self {
        Self { first: 0..0, others: None }
    }

    /// Adds `range`, joining it with what it touches.
    pub(crate) fn insert(&mut self, range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        let Range { mut start, mut end } = range;
        // From right to left over everything that overlaps or touches.
        while let Some((from, to)) = self.last_starting_up_to(end) {
            if to < start {
                break;
            }
            self.take_out(from);
            start = start.min(from);
            end = end.max(to);
        }
        self.put(start..end);
    }

    /// Takes `range` out, splitting what it cuts.
    pub(crate) fn remove(&mut self, range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        while let Some((from, to)) = self.last_starting_up_to(range.end - 1) {
            if to <= range.start {
                break;
            }
            self.take_out(from);
            if to > range.end {
                self.put(range.end..to);
            }
            if from < range.start {
                self.put(from..range.start);
            }
        }
    }

    /// Whether all of `range` is in the set; true of an empty range.
    pub(crate) fn contains(&self, range: Range<u32>) -> bool {
        range.is_empty() || self.last_starting_up_to(range.start).is_some_and(|(_, to)| to >= range.end)
    }

    /// Whether some of `range` is in the set.
    pub(super) fn has_any(&self, range: &Range<u32>) -> bool {
        !range.is_empty() && self.last_starting_up_to(range.end - 1).is_some_and(|(_, to)| to > range.start)
    }

    /// The parts of `within` that are not in the set, from left to right.
    pub(crate) fn missing(&self, within: Range<u32>) -> impl Iterator<Item = Range<u32>> + '_ {
        let covered_to = self.last_starting_up_to(within.start).map_or(within.start, |(_, to)| to.max(within.start));
        let mut at = covered_to;
        let mut held = self.starting_in(within.start..within.end.max(within.start));
        core::iter::from_fn(move || {
            while at < within.end {
                work::look();
                let (from, to) = held.next().unwrap_or((within.end, within.end));
                let gap = at..from.min(within.end);
                at = at.max(to);
                if !gap.is_empty() {
                    return Some(gap);
                }
            }
            None
        })
    }

    /// The leftmost range.
    pub(crate) fn first(&self) -> Option<Range<u32>> {
        Some(self.first.clone()).filter(|first| !first.is_empty())
    }

    /// How many separate ranges the set has.
    pub(crate) fn count(&self) -> usize {
        usize::from(!self.is_empty()) + self.others.as_ref().map_or(0, |others| others.len())
    }

    /// Whether the set holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Adds a range that touches none.
    fn put(&mut self, range: Range<u32>) {
        work::look();
        if self.is_empty() {
            self.first = range;
        } else if range.start < self.first.start {
            let second = core::mem::replace(&mut self.first, range);
            self.put_other(second);
        } else {
            self.put_other(range);
        }
    }

    #[cold]
    fn put_other(&mut self, range: Range<u32>) {
        self.others.get_or_insert_default().insert(range.start, range.end);
    }

    /// Removes the range that begins at `start`.
    fn take_out(&mut self, start: u32) {
        work::look();
        if start == self.first.start {
            let next = self.others.as_mut().and_then(|others| others.pop_first());
            self.first = next.map_or(0..0, |(from, to)| from..to);
        } else if let Some(others) = &mut self.others {
            others.remove(&start);
        }
        if self.others.as_ref().is_some_and(|others| others.is_empty()) {
            self.others = None;
        }
    }

    fn starting_in(&self, starts: Range<u32>) -> impl Iterator<Item = (u32, u32)> + '_ {
        let first = self.first().filter(|first| starts.contains(&first.start)).map(|first| (first.start, first.end));
        let others = self.others.iter().flat_map(move |others| others.range(starts.clone()));
        first.into_iter().chain(others.map(|(from, to)| (*from, *to)))
    }

    fn last_starting_up_to(&self, position: u32) -> Option<(u32, u32)> {
        work::look();
        let others = self.others.as_ref();
        let other = others.and_then(|others| others.range(..=position).next_back()).map(|(from, to)| (*from, *to));
        other.or_else(|| self.first().filter(|first| first.start <= position).map(|first| (first.start, first.end)))
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;
    use core::ops::Range;

    use proptest::prelude::*;

    use super::Ranges;

    fn held(ranges: &Ranges) -> Vec<Range<u32>> {
        ranges.starting_in(0..u32::MAX).map(|(from, to)| from..to).collect()
    }

    #[test]
    fn touching_ranges_become_one() {
        let mut ranges = Ranges::new();
        ranges.insert(0..4);
        ranges.insert(8..12);
        assert_eq!(ranges.count(), 2);
        ranges.insert(4..8);
        assert_eq!((ranges.first(), ranges.count()), (Some(0..12), 1));
    }

    #[test]
    fn removing_splits() {
        let mut ranges = Ranges::new();
        ranges.insert(0..10);
        ranges.remove(3..5);
        assert_eq!(held(&ranges), [0..3, 5..10]);
        ranges.remove(0..20);
        assert!(ranges.is_empty());
    }

    #[test]
    fn ranges_may_come_from_right_to_left() {
        let mut ranges = Ranges::new();
        for start in [8, 4, 0] {
            ranges.insert(start..start + 2);
        }
        assert_eq!(held(&ranges), [0..2, 4..6, 8..10]);
        ranges.remove(0..5);
        assert_eq!((held(&ranges), ranges.first()), ([5..6, 8..10].into(), Some(5..6)));
    }

    #[test]
    fn ranges_that_touch_have_nothing_in_common() {
        let mut ranges = Ranges::new();
        ranges.insert(2..4);
        ranges.insert(8..10);
        for (range, any) in [(0..2, false), (0..3, true), (3..4, true), (4..8, false), (4..9, true), (9..9, false)] {
            assert_eq!(ranges.has_any(&range), any, "{range:?}");
        }
    }

    #[test]
    fn missing_lists_the_gaps() {
        let mut ranges = Ranges::new();
        ranges.insert(2..4);
        ranges.insert(6..8);
        assert_eq!(ranges.missing(0..10).collect::<Vec<_>>(), [0..2, 4..6, 8..10]);
        assert!(ranges.missing(3..7).eq(core::iter::once(4..6)));
        assert_eq!(ranges.missing(6..8).count(), 0);
        assert_eq!(ranges.missing(5..5).count(), 0);
        assert!(ranges.contains(2..4) && ranges.contains(9..9) && !ranges.contains(2..5));
    }

    fn positions() -> impl Strategy<Value = Range<u32>> {
        (0u32..60, 0u32..20).prop_map(|(start, len)| start..start + len)
    }

    proptest! {
        #[test]
        fn agrees_with_a_set_of_positions(
            steps in prop::collection::vec((any::<bool>(), positions()), 0..40),
            probe in positions(),
        ) {
            let (mut ranges, mut model) = (Ranges::new(), BTreeSet::new());
            for (insert, range) in steps {
                if insert {
                    model.extend(range.clone());
                    ranges.insert(range);
                } else {
                    model.retain(|position| !range.contains(position));
                    ranges.remove(range);
                }
                let held = held(&ranges);
                prop_assert!(held.iter().all(|range| !range.is_empty()));
                prop_assert!(held.windows(2).all(|pair| pair[0].end < pair[1].start));
                prop_assert_eq!(&held.into_iter().flatten().collect::<BTreeSet<_>>(), &model);
            }
            let missing: Vec<u32> = ranges.missing(probe.clone()).flatten().collect();
            let expected: Vec<u32> = probe.clone().filter(|position| !model.contains(position)).collect();
            prop_assert_eq!(ranges.contains(probe), expected.is_empty());
            prop_assert_eq!(missing, expected);
        }
    }
}
