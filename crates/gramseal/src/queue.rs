//! What a connection has received and nobody has fetched yet.
//!
//! One buffer of bytes, so that a payload costs a copy and, once the buffer has grown, no allocation. Who fetches all
//! that is there gives a buffer for it instead of a second copy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Bytes of room that an empty queue may keep.
const KEPT_WHEN_EMPTY: usize = 16 * 1024;

/// How much connections keep for an application that does not fetch it.
///
/// What comes beyond is dropped, as a full socket buffer would drop it, and counted in
/// [`ConnectionStats::receive_queue_dropped`](crate::ConnectionStats::receive_queue_dropped).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers write `ReceiveLimits { bytes: …, ..default() }`")]
pub struct ReceiveLimits {
    /// Payloads of each connection. Default 1024.
    pub payloads: usize,
    /// Bytes of payloads of each connection. Default 1 MiB.
    pub bytes: usize,
    /// Bytes of payloads of all connections of an endpoint together. Default 256 MiB.
    pub total_bytes: usize,
}

impl Default for ReceiveLimits {
    fn default() -> Self {
        Self { payloads: 1024, bytes: 1 << 20, total_bytes: 256 << 20 }
    }
}

/// What the queues of an endpoint hold together, and what they may.
#[derive(Debug)]
pub(crate) struct Buffered {
    bytes: AtomicUsize,
    limits: ReceiveLimits,
}

impl Buffered {
    pub(crate) fn new(limits: ReceiveLimits) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicUsize::new(0), limits })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether there is room for so many bytes, which then are taken.
    fn take(&self, bytes: usize) -> bool {
        let fits = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= self.limits.total_bytes;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Whether a payload found room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    Kept,
    Dropped,
}

/// Payloads next to each other in one buffer, in the order in which they came:
/// [`Connection::recv_many`](crate::Connection::recv_many) fills it.
///
/// Keep it for the next call: 16 KiB of what it has room for are used again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payloads {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Payloads {
    /// None, and no room for any.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), ends: Vec::new() }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The payload with this number, from 0 on.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.bytes.get(start..end)
    }

    /// Each payload, the oldest first.
    pub fn iter(&self) -> PayloadsIter<'_> {
        PayloadsIter { payloads: self, start: 0, ends: self.ends.iter() }
    }

    /// All bytes without what tells the payloads apart.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn push(&mut self, payload: &[u8]) {
        self.bytes.extend_from_slice(payload);
        self.ends.push(self.bytes.len());
    }
}

impl<'a> IntoIterator for &'a Payloads {
    type Item = &'a [u8];
    type IntoIter = PayloadsIter<'a>;

    fn into_iter(self) -> PayloadsIter<'a> {
        self.iter()
    }
}

/// See [`Payloads::iter`].
#[derive(Debug, Clone)]
pub struct PayloadsIter<'a> {
    payloads: &'a Payloads,
    start: usize,
    ends: std::slice::Iter<'a, usize>,
}

impl<'a> Iterator for PayloadsIter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = *self.ends.next()?;
        let start = std::mem::replace(&mut self.start, end);
        self.payloads.bytes.get(start..end)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ends.size_hint()
    }
}

impl ExactSizeIterator for PayloadsIter<'_> {}

#[derive(Debug)]
pub(crate) struct ReceiveQueue {
    kept: Payloads,
    /// How many at the front have been fetched, and where the next begins.
    fetched: usize,
    start: usize,
    all: Arc<Buffered>,
    /// What is taken of the common bound already, for payloads that are to come.
    reserved: usize,
    dropped: u64,
}

impl Drop for ReceiveQueue {
    fn drop(&mut self) {
        self.all.give_back(self.bytes() + self.reserved);
    }
}

impl ReceiveQueue {
    pub(crate) fn new(all: Arc<Buffered>) -> Self {
        Self { kept: Payloads::new(), fetched: 0, start: 0, all, reserved: 0, dropped: 0 }
    }

    /// Takes what payloads of so many bytes need of the common bound, at once, if it is there: all connections share that
    /// counter. What is left over goes back with [`release`](Self::release).
    pub(crate) fn reserve(&mut self, bytes: usize) {
        if self.all.take(bytes) {
            self.reserved += bytes;
        }
    }

    pub(crate) fn release(&mut self) {
        self.all.give_back(std::mem::take(&mut self.reserved));
    }

    /// Appends `payload`, or drops it if there is no room: the newest goes, so that what is there
    /// stays in order and costs no more work.
    pub(crate) fn push(&mut self, payload: &[u8]) -> Pushed {
        let limits = &self.all.limits;
        let full = self.len() >= limits.payloads || payload.len() > limits.bytes.saturating_sub(self.bytes());
        let left = self.reserved.checked_sub(payload.len());
        if full || (left.is_none() && !self.all.take(payload.len())) {
            self.dropped = self.dropped.saturating_add(1);
            return Pushed::Dropped;
        }
        self.reserved = left.unwrap_or(self.reserved);
        self.kept.push(payload);
        Pushed::Kept
    }

    /// The oldest payload.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let payload = Bytes::copy_from_slice(self.oldest()?);
        self.drop_oldest();
        Some(payload)
    }

    /// Moves the oldest payload into `out` and returns its length, which may be more than `out`
    /// holds; then the rest is lost.
    pub(crate) fn pop_into(&mut self, out: &mut [u8]) -> Option<usize> {
        let payload = self.oldest()?;
        let len = payload.len();
        let copied = len.min(out.len());
        out[..copied].copy_from_slice(&payload[..copied]);
        self.drop_oldest();
        Some(len)
    }

    /// Gives all payloads for the room that `payloads` has, and returns how many there are; `None` and no change if
    /// there are none. Little of that room is kept: it counts in no bound, and many connections may be given as much.
    pub(crate) fn swap(&mut self, payloads: &mut Payloads) -> Option<usize> {
        if self.len() == 0 {
            return None;
        }
        self.all.give_back(self.bytes());
        self.close_up();
        payloads.clear();
        std::mem::swap(&mut self.kept, payloads);
        self.kept.bytes.shrink_to(KEPT_WHEN_EMPTY);
        self.kept.ends.shrink_to(KEPT_WHEN_EMPTY / size_of::<usize>());
        Some(payloads.len())
    }

    fn oldest(&self) -> Option<&[u8]> {
        let end = *self.kept.ends.get(self.fetched)?;
        self.kept.bytes.get(self.start..end)
    }

    fn drop_oldest(&mut self) {
        let Some(end) = self.kept.ends.get(self.fetched).copied() else { return };
        self.all.give_back(end - self.start);
        self.fetched += 1;
        self.start = end;
        if self.fetched == self.kept.ends.len() {
            (self.fetched, self.start) = (0, 0);
            self.kept.clear();
            if self.kept.bytes.capacity() > KEPT_WHEN_EMPTY {
                self.kept.bytes = Vec::new();
            }
        } else if wasted(self.start, self.kept.bytes.len(), KEPT_WHEN_EMPTY)
            || wasted(self.fetched, self.kept.ends.len(), KEPT_WHEN_EMPTY / size_of::<usize>())
        {
            self.close_up();
        }
    }

    /// Frees the room of what has been fetched.
    fn close_up(&mut self) {
        if self.fetched == 0 {
            return;
        }
        self.kept.bytes.drain(..self.start);
        self.kept.ends.drain(..self.fetched);
        self.kept.ends.iter_mut().for_each(|end| *end -= self.start);
        (self.fetched, self.start) = (0, 0);
    }

    /// Gives back all room of an empty queue, for a connection that may be quiet for long.
    pub(crate) fn rest(&mut self) {
        if self.len() == 0 {
            self.kept = Payloads::new();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.ends.len() - self.fetched
    }

    /// Bytes of payloads that nobody has fetched.
    fn bytes(&self) -> usize {
        self.kept.bytes.len() - self.start
    }

    /// How many payloads found no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Whether so much of a buffer is free in front that closing it up moves each byte once on average.
const fn wasted(free: usize, len: usize, least: usize) -> bool {
    free > least && free > len / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(payloads: usize, bytes: usize) -> ReceiveQueue {
        let limits = ReceiveLimits { payloads, bytes, ..ReceiveLimits::default() };
        ReceiveQueue::new(Buffered::new(limits))
    }

    #[test]
    fn what_waits_is_bounded_by_default() {
        let ReceiveLimits { payloads, bytes, total_bytes } = ReceiveLimits::default();
        assert_eq!((payloads, bytes, total_bytes), (1024, 1 << 20, 256 << 20));
    }

    #[test]
    fn queues_share_a_bound_and_give_back_what_they_held() {
        let limits = ReceiveLimits { total_bytes: 10, ..ReceiveLimits::default() };
        let all = Buffered::new(limits);
        let [mut one, mut two] = [(); 2].map(|()| ReceiveQueue::new(Arc::clone(&all)));
        assert_eq!(
            [one.push(b"six by"), two.push(b"five "), two.push(b"four")],
            [Pushed::Kept, Pushed::Dropped, Pushed::Kept]
        );
        assert_eq!((all.bytes(), two.dropped()), (10, 1));
        assert_eq!(one.pop().unwrap(), "six by");
        assert_eq!((all.bytes(), one.push(b"others")), (4, Pushed::Kept));
        drop(one);
        assert_eq!((all.bytes(), two.push(b"five ")), (4, Pushed::Kept));
        drop(two);
        assert_eq!(all.bytes(), 0);
    }

    #[test]
    fn payloads_come_out_whole_and_in_order() {
        let mut queue = queue(8, 64);
        for round in 0_u8..50 {
            let payload = vec![round; usize::from(round % 13)];
            assert_eq!(queue.push(&payload), Pushed::Kept);
            assert_eq!(queue.push(b"second"), Pushed::Kept);
            assert_eq!(queue.pop().unwrap(), payload);
            let mut out = [0; 16];
            assert_eq!(queue.pop_into(&mut out), Some(6));
            assert_eq!(&out[..6], b"second");
        }
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn both_bounds_drop_the_newest_and_count() {
        let mut few = queue(2, 100);
        assert_eq!([few.push(b"a"), few.push(b"b"), few.push(b"c")], [Pushed::Kept, Pushed::Kept, Pushed::Dropped]);
        assert_eq!((few.len(), few.dropped()), (2, 1));
        assert_eq!(few.pop().unwrap(), "a");

        let mut small = queue(100, 5);
        assert_eq!(
            [small.push(b"abc"), small.push(b"abc"), small.push(b"ab")],
            [Pushed::Kept, Pushed::Dropped, Pushed::Kept]
        );
        assert_eq!(small.dropped(), 1);
    }

    #[test]
    fn a_short_buffer_loses_the_rest_of_that_payload_only() {
        let mut queue = queue(8, 64);
        queue.push(b"long payload");
        queue.push(b"next");
        let mut out = [0; 4];
        assert_eq!(queue.pop_into(&mut out), Some(12));
        assert_eq!(&out, b"long");
        assert_eq!(queue.pop().unwrap(), "next");
    }

    #[test]
    fn an_empty_queue_gives_its_room_back() {
        let mut queue = queue(1000, 1 << 20);
        for _ in 0..100 {
            queue.push(&[0; 1200]);
        }
        queue.rest();
        assert_eq!(queue.len(), 100, "nothing is lost");
        while queue.pop().is_some() {}
        assert!(queue.kept.bytes.capacity() <= KEPT_WHEN_EMPTY);
        queue.push(b"one more");
        queue.pop();
        assert!(queue.kept.bytes.capacity() > 0);
        queue.rest();
        assert_eq!((queue.kept.bytes.capacity(), queue.kept.ends.capacity()), (0, 0));
    }

    #[test]
    fn all_that_is_there_comes_at_once_and_the_room_goes_back() {
        let mut queue = queue(1000, 1 << 20);
        let mut payloads = Payloads::new();
        assert_eq!(queue.swap(&mut payloads), None);
        for round in 0_u8..3 {
            // A queue that grew, shrank and was closed up on the way.
            for n in 0..100 {
                queue.push(&vec![n; usize::from(round) * 300 + usize::from(n % 7)]);
            }
            for n in 0..90 {
                assert_eq!(queue.pop().unwrap(), vec![n; usize::from(round) * 300 + usize::from(n % 7)]);
            }
            queue.push(b"");
            assert_eq!(queue.swap(&mut payloads), Some(11));
            let expected: Vec<Vec<u8>> =
                (90..100).map(|n| vec![n; usize::from(round) * 300 + usize::from(n % 7)]).chain([vec![]]).collect();
            assert!(payloads.iter().eq(expected.iter().map(Vec::as_slice)));
            assert_eq!(payloads.get(3), Some(&expected[3][..]));
            assert_eq!((payloads.get(11), payloads.iter().len()), (None, 11));
            assert_eq!((queue.len(), queue.all.bytes()), (0, 0));
        }
        assert!(payloads.bytes.capacity() > KEPT_WHEN_EMPTY);
        queue.push(b"next");
        let before = queue.kept.bytes.as_ptr();
        assert_eq!(queue.swap(&mut payloads), Some(1));
        assert_eq!(payloads.bytes.as_ptr(), before, "nothing was copied");
        let room = queue.kept.bytes.capacity();
        assert!((1..=KEPT_WHEN_EMPTY).contains(&room), "{room}");
    }

    #[test]
    fn a_queue_keeps_little_of_the_room_that_it_is_given() {
        let mut queue = queue(1 << 17, 1 << 20);
        let mut payloads = Payloads { bytes: Vec::with_capacity(1 << 20), ends: Vec::with_capacity(1 << 17) };
        queue.push(b"one");
        assert_eq!(queue.swap(&mut payloads), Some(1));
        let Payloads { bytes, ends } = &queue.kept;
        assert_eq!((bytes.capacity(), ends.capacity() * size_of::<usize>()), (KEPT_WHEN_EMPTY, KEPT_WHEN_EMPTY));
    }

    #[test]
    fn what_is_reserved_is_used_first_and_the_rest_goes_back() {
        let limits = ReceiveLimits { total_bytes: 10, ..ReceiveLimits::default() };
        let all = Buffered::new(limits);
        let [mut one, mut two] = [(); 2].map(|()| ReceiveQueue::new(Arc::clone(&all)));
        one.reserve(8);
        assert_eq!(
            [one.push(b"abc"), two.push(b"abc"), two.push(b"ab")],
            [Pushed::Kept, Pushed::Dropped, Pushed::Kept]
        );
        assert_eq!(all.bytes(), 10);
        one.release();
        assert_eq!(all.bytes(), 5);
        two.reserve(6);
        assert_eq!([two.push(b"12345"), two.push(b"6")], [Pushed::Kept, Pushed::Dropped], "there was less than wanted");
        two.release();
        one.reserve(0);
        drop((one, two));
        assert_eq!(all.bytes(), 0);
    }
}
