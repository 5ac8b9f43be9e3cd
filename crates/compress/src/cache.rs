//! An algorithm that remembers what it made of the last messages.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use gramseal_proto::config::{CertificateCompression, DecompressError};
use gramseal_proto::wire::CertificateCompressionAlgorithm;

/// Messages that are remembered.
const MESSAGES: usize = 64;

/// One way of compressing.
pub(crate) trait Algorithm: Send + Sync {
    const NAME: CertificateCompressionAlgorithm;

    fn compress(message: &[u8]) -> Option<Vec<u8>>;

    fn decompress(compressed: &[u8], message: &mut [u8]) -> Result<(), DecompressError>;
}

/// A message and what became of it.
type Entry = (Box<[u8]>, Option<Vec<u8>>);

/// `A` with a memory.
pub(crate) struct Cached<A> {
    /// Used last, first.
    recent: Mutex<VecDeque<Entry>>,
    algorithm: PhantomData<A>,
}

impl<A> Default for Cached<A> {
    fn default() -> Self {
        Self { recent: Mutex::default(), algorithm: PhantomData }
    }
}

impl<A: Algorithm> fmt::Debug for Cached<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CertificateCompression").field(&A::NAME).finish()
    }
}

impl<A> Cached<A> {
    fn recent(&self) -> std::sync::MutexGuard<'_, VecDeque<Entry>> {
        // Nothing in it is ever half done.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Algorithm> CertificateCompression for Cached<A> {
    fn algorithm(&self) -> CertificateCompressionAlgorithm {
        A::NAME
    }

    fn compress(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut recent = self.recent();
        if let Some(index) = recent.iter().position(|(known, _)| **known == *message) {
            let entry = recent.remove(index)?;
            let compressed = entry.1.clone();
            recent.push_front(entry);
            return compressed;
        }
        // Nobody waits for this; who asks for the same meanwhile does it, too.
        drop(recent);
        let compressed = A::compress(message);
        let mut recent = self.recent();
        recent.truncate(MESSAGES - 1);
        recent.push_front((message.into(), compressed.clone()));
        compressed
    }

    fn decompress(&self, compressed: &[u8], message: &mut [u8]) -> Result<(), DecompressError> {
        A::decompress(compressed, message)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static WORK: Cell<u32> = const { Cell::new(0) };
    }

    /// Counts how often it has to do something.
    struct Counting;

    impl Algorithm for Counting {
        const NAME: CertificateCompressionAlgorithm = CertificateCompressionAlgorithm(0xFFFF);

        fn compress(message: &[u8]) -> Option<Vec<u8>> {
            WORK.set(WORK.get() + 1);
            (message[0] != 0).then(|| message.to_vec())
        }

        fn decompress(_: &[u8], _: &mut [u8]) -> Result<(), DecompressError> {
            Err(DecompressError)
        }
    }

    #[test]
    fn the_last_messages_are_compressed_once() {
        let cached = Cached::<Counting>::default();
        let count = u8::try_from(MESSAGES).expect("not many");
        // 0 cannot be compressed, which is known too.
        for _ in 0..3 {
            for message in 0..count {
                assert_eq!(cached.compress(&[message]), (message != 0).then(|| vec![message]));
            }
        }
        assert_eq!(WORK.get(), u32::from(count));
        // What was not used for longest makes room.
        assert!(cached.compress(&[0]).is_none());
        assert_eq!(cached.compress(&[count]), Some(vec![count]));
        assert_eq!(WORK.get(), u32::from(count) + 1);
        assert!(cached.compress(&[0]).is_none());
        assert_eq!(WORK.get(), u32::from(count) + 1);
        assert_eq!(cached.compress(&[1]), Some(vec![1]));
        assert_eq!(WORK.get(), u32::from(count) + 2);
        assert_eq!(cached.recent().len(), MESSAGES);
    }
}
