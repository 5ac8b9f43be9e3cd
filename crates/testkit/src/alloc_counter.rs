//! Counting allocations, for tests that promise to make none.
//!
//! Linking this crate makes the counting allocator of `allocation-counter` the global one of the
//! test binary. It counts per thread, so tests that run beside each other do not disturb.

/// How often `work` allocated on this thread; growing an allocation counts as a new one.
pub fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

/// Memory that some work needed on this thread, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Memory {
    /// The most at any time.
    pub most: u64,
    /// What it has not given back.
    pub kept: i64,
}

/// How much memory `work` needs.
pub fn memory(work: impl FnOnce()) -> Memory {
    let measured = allocation_counter::measure(work);
    Memory { most: measured.bytes_max, kept: measured.bytes_current }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::allocations;

    #[test]
    fn allocations_are_counted_and_their_absence_too() {
        assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
        assert_eq!(allocations(|| _ = black_box([0; 64])), 0);
    }
}
