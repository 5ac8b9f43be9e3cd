//! Randomness: the caller's source as the libraries want it, and that of the operating system.

use core::fmt;

use gramseal_proto::crypto::{CryptoError, SecureRandom};
use rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

/// Bytes that are asked for at least where secrets are made. Sources may keep some ready for short
/// requests, and two machines resumed from one snapshot would then have the same; no private key
/// may come from there.
const LEAST_REQUEST: usize = 64;

/// Fills `out` with bytes for a private key, a nonce of a signature or a blinding factor.
pub(crate) fn fill_secret(random: &dyn SecureRandom, out: &mut [u8]) -> Result<(), CryptoError> {
    if out.len() >= LEAST_REQUEST {
        return random.fill(out);
    }
    let mut bytes = Zeroizing::new([0; LEAST_REQUEST]);
    random.fill(bytes.as_mut())?;
    for (to, from) in out.iter_mut().zip(bytes.iter()) {
        *to = *from;
    }
    Ok(())
}

/// The caller's source, for libraries that draw secrets themselves.
pub(crate) struct Source<'a>(pub(crate) &'a dyn SecureRandom);

impl TryRng for Source<'_> {
    type Error = Failed;

    fn try_next_u32(&mut self) -> Result<u32, Failed> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Failed> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Failed> {
        fill_secret(self.0, out).map_err(|_| Failed)
    }
}

impl TryCryptoRng for Source<'_> {}

/// The caller's source failed.
#[derive(Debug)]
pub(crate) struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the random source failed")
    }
}

impl core::error::Error for Failed {}

/// The random source of the operating system.
#[cfg(feature = "getrandom")]
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct OsRandom;

#[cfg(feature = "getrandom")]
impl OsRandom {
    /// The source; its values are all alike.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

#[cfg(feature = "getrandom")]
impl SecureRandom for OsRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        getrandom::fill(out).map_err(|_| CryptoError::new())
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use gramseal_proto::crypto::{CryptoError, SecureRandom};
    use rand_core::TryRng as _;

    use super::{Source, fill_secret};

    /// Remembers the shortest request.
    #[derive(Debug)]
    struct Shortest(AtomicUsize);

    impl SecureRandom for Shortest {
        fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
            self.0.fetch_min(out.len(), Ordering::Relaxed);
            out.fill(7);
            Ok(())
        }
    }

    #[test]
    fn no_secret_comes_out_of_a_pool_for_short_requests() {
        let random = Shortest(AtomicUsize::new(usize::MAX));
        for len in [1, 29, 32, 66, 200] {
            let mut out = std::vec![0; len];
            fill_secret(&random, &mut out).unwrap();
            assert!(out.iter().all(|byte| *byte == 7));
        }
        assert_eq!(Source(&random).try_next_u32().unwrap(), 0x0707_0707);
        assert_eq!(random.0.into_inner(), 64);
    }

    #[derive(Debug)]
    struct Broken;

    impl SecureRandom for Broken {
        fn fill(&self, _out: &mut [u8]) -> Result<(), CryptoError> {
            Err(CryptoError::new())
        }
    }

    #[test]
    fn a_failure_of_the_source_reaches_whoever_asked() {
        assert!(fill_secret(&Broken, &mut [0; 8]).is_err());
        assert!(Source(&Broken).try_next_u64().is_err());
    }

    #[cfg(feature = "getrandom")]
    #[test]
    fn the_system_gives_other_bytes_each_time() {
        let [one, two] = [(); 2].map(|()| {
            let mut bytes = [0; 32];
            super::OsRandom::new().fill(&mut bytes).unwrap();
            bytes
        });
        assert_ne!(one, two);
    }
}
