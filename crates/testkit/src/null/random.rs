//! Randomness that is none: a seed names every byte.

use std::sync::{Mutex, PoisonError};

use gramseal_proto::crypto::{CryptoError, SecureRandom};

use crate::rng::Rng;

/// A random source that repeats itself exactly when it is made again from the same seed.
#[derive(Debug)]
pub struct SeededRandom(Mutex<Rng>);

impl SeededRandom {
    /// The source that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Rng::new(seed)))
    }
}

impl SecureRandom for SeededRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        let mut rng = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in out.chunks_mut(8) {
            for (to, from) in chunk.iter_mut().zip(rng.next_u64().to_be_bytes()) {
                *to = from;
            }
        }
        Ok(())
    }
}
