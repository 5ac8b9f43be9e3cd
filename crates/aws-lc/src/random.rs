//! Randomness from aws-lc, a little of it kept ready per thread.
//!
//! A call into the library costs the same for 8 bytes as for 256 (about 0.35 microseconds), and a
//! handshake asks for several small pieces. Each thread therefore keeps a pool; bytes that were
//! handed out are wiped from it at once, the rest when the thread ends.
//!
//! A pool is memory, and memory is copied by `fork`: parent and child would hand out the same
//! bytes. The pool notes the process that filled it and is thrown away in any other. What no
//! process can see, two machines resumed from one snapshot, may repeat what was in the pool; that
//! is why it is small and why long requests, such as private exponents, never come from it.

use std::cell::RefCell;
use std::process;

use aws_lc_rs::rand;
use gramseal_proto::crypto::{CryptoError, SecureRandom};
use zeroize::Zeroize;

/// Bytes in a thread's pool.
const POOL_LEN: usize = 256;

/// Requests of more bytes than this go to the library directly.
const POOLED_REQUEST_LEN: usize = 32;

/// The random source of aws-lc behind a small buffer per thread.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct BufferedRandom;

impl BufferedRandom {
    /// The source; its values are all alike.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl SecureRandom for BufferedRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        if out.len() > POOLED_REQUEST_LEN {
            return fill_directly(out);
        }
        // The pool is gone while its thread winds up; then the library answers.
        POOL.try_with(|pool| pool.borrow_mut().take(out)).unwrap_or_else(|_| fill_directly(out))
    }
}

fn fill_directly(out: &mut [u8]) -> Result<(), CryptoError> {
    rand::fill(out).map_err(|_| CryptoError::new())
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool::new()) };
}

struct Pool {
    bytes: [u8; POOL_LEN],
    /// How many bytes, at the front, are still to be handed out.
    ready: usize,
    /// The process that filled the pool.
    owner: u32,
}

impl Pool {
    const fn new() -> Self {
        Self { bytes: [0; POOL_LEN], ready: 0, owner: 0 }
    }

    fn take(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        let process = process::id();
        if self.ready < out.len() || self.owner != process {
            self.ready = 0;
            fill_directly(&mut self.bytes)?;
            self.ready = POOL_LEN;
            self.owner = process;
        }
        let rest = self.ready - out.len();
        let taken = &mut self.bytes[rest..self.ready];
        out.copy_from_slice(taken);
        taken.zeroize();
        self.ready = rest;
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::{BufferedRandom, POOL_LEN, Pool};
    use gramseal_proto::crypto::SecureRandom;

    #[test]
    fn no_two_requests_get_the_same_bytes() {
        let draw = || {
            let draw_one = |_| {
                let mut bytes = [0; 16];
                BufferedRandom::new().fill(&mut bytes).unwrap();
                bytes
            };
            (0..500).map(draw_one).collect::<Vec<_>>()
        };
        let threads = [thread::spawn(draw), thread::spawn(draw)];
        let all: HashSet<[u8; 16]> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(all.len(), 1000);
    }

    #[test]
    fn what_was_handed_out_is_wiped() {
        let mut pool = Pool::new();
        let mut out = [0; 32];
        pool.take(&mut out).unwrap();
        assert_ne!(out, [0; 32]);
        assert_eq!(pool.ready, POOL_LEN - 32);
        assert_eq!(pool.bytes[pool.ready..], [0; 32]);
    }

    #[test]
    fn a_pool_filled_by_another_process_is_not_used() {
        let mut pool = Pool::new();
        pool.take(&mut [0; 1]).unwrap();
        let inherited = pool.bytes;
        pool.owner = pool.owner.wrapping_add(1);
        let mut out = [0; 32];
        pool.take(&mut out).unwrap();
        assert!(!inherited.windows(32).any(|window| window == out));
        assert_eq!(pool.ready, POOL_LEN - 32);
    }

    #[test]
    fn long_requests_are_filled_to_the_end() {
        let mut out = [0; 300];
        BufferedRandom::new().fill(&mut out).unwrap();
        assert!(out.chunks(20).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
    }
}
