//! What a connection has received and nobody has fetched yet.
//!
//! One ring of bytes, so that a payload costs a copy and, once the ring has grown, no allocation.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};

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

#[derive(Debug)]
pub(crate) struct ReceiveQueue {
    bytes: VecDeque<u8>,
    lengths: VecDeque<usize>,
    all: Arc<Buffered>,
    dropped: u64,
}

impl Drop for ReceiveQueue {
    fn drop(&mut self) {
        self.all.give_back(self.bytes.len());
    }
}

impl ReceiveQueue {
    pub(crate) fn new(all: Arc<Buffered>) -> Self {
        Self { bytes: VecDeque::new(), lengths: VecDeque::new(), all, dropped: 0 }
    }

    /// Appends `payload`, or drops it if there is no room: the newest goes, so that what is there
    /// stays in order and costs no more work.
    pub(crate) fn push(&mut self, payload: &[u8]) -> Pushed {
        let limits = &self.all.limits;
        let full =
            self.lengths.len() >= limits.payloads || payload.len() > limits.bytes.saturating_sub(self.bytes.len());
        if full || !self.all.take(payload.len()) {
            self.dropped = self.dropped.saturating_add(1);
            return Pushed::Dropped;
        }
        self.bytes.extend(payload);
        self.lengths.push_back(payload.len());
        Pushed::Kept
    }

    /// The oldest payload.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let len = *self.lengths.front()?;
        let mut payload = BytesMut::zeroed(len);
        self.pop_into(&mut payload)?;
        Some(payload.freeze())
    }

    /// Moves the oldest payload into `out` and returns its length, which may be more than `out`
    /// holds; then the rest is lost.
    pub(crate) fn pop_into(&mut self, out: &mut [u8]) -> Option<usize> {
        let len = self.lengths.pop_front()?;
        let (first, second) = self.bytes.as_slices();
        let mut copied = 0;
        for part in [first, second] {
            let wanted = len.min(out.len()) - copied;
            let part = &part[..part.len().min(wanted)];
            out[copied..copied + part.len()].copy_from_slice(part);
            copied += part.len();
        }
        self.bytes.drain(..len);
        self.all.give_back(len);
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_WHEN_EMPTY {
            self.bytes = VecDeque::new();
        }
        Some(len)
    }

    /// Gives back all room of an empty queue, for a connection that may be quiet for long.
    pub(crate) fn rest(&mut self) {
        if self.lengths.is_empty() {
            (self.bytes, self.lengths) = (VecDeque::new(), VecDeque::new());
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lengths.len()
    }

    /// How many payloads found no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(payloads: usize, bytes: usize) -> ReceiveQueue {
        let limits = ReceiveLimits { payloads, bytes, ..ReceiveLimits::default() };
        ReceiveQueue::new(Buffered::new(limits))
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
    fn payloads_come_out_whole_and_in_order_around_the_ring() {
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
        assert!(queue.bytes.capacity() <= KEPT_WHEN_EMPTY);
        queue.push(b"one more");
        queue.pop();
        assert!(queue.bytes.capacity() > 0);
        queue.rest();
        assert_eq!((queue.bytes.capacity(), queue.lengths.capacity()), (0, 0));
    }
}
