//! Hash functions and HMAC (RFC 2104): what transcripts and key schedules are made of.

use alloc::boxed::Box;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::kdf::HmacPrf;
use super::{PrfKey, hmac_hkdf_expand, hmac_prf};

/// The hash functions of the cipher suites that gramseal knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
}

impl HashAlgorithm {
    /// Bytes in a digest.
    #[must_use]
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// Output of a hash function or of HMAC: up to [`Digest::MAX_LEN`] bytes, wiped when dropped.
#[derive(Clone)]
pub struct Digest {
    bytes: [u8; Self::MAX_LEN],
    len: usize,
}

impl Digest {
    /// The longest digest that fits, in bytes.
    pub const MAX_LEN: usize = 64;

    /// Takes over `bytes`; what exceeds [`Self::MAX_LEN`] is cut off.
    // Part of its callers, which mostly know the length.
    #[inline]
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let len = bytes.len().min(Self::MAX_LEN);
        let mut own = [0; Self::MAX_LEN];
        for (to, from) in own.iter_mut().zip(bytes) {
            *to = *from;
        }
        Self { bytes: own, len }
    }

    /// Whether `other` holds the same bytes, in time that does not depend on them.
    #[must_use]
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        self.as_ref().ct_eq(other).into()
    }

    fn wipe(&mut self) {
        // The rest is zero already, and wiping goes byte by byte.
        if let Some(used) = self.bytes.get_mut(..self.len) {
            used.zeroize();
        }
    }
}

impl AsRef<[u8]> for Digest {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Digest {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl ZeroizeOnDrop for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({} bytes)", self.len)
    }
}

/// A hash function of a provider, and HMAC with it.
pub trait Hash: Send + Sync + fmt::Debug {
    /// Which function this is.
    fn algorithm(&self) -> HashAlgorithm;

    /// Begins a running hash.
    fn start(&self) -> Box<dyn HashContext>;

    /// The digest of the concatenation of `parts`.
    fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut running = self.start();
        parts.iter().for_each(|part| running.update(part));
        running.current()
    }

    /// Expands a key of any length for HMAC.
    fn hmac_key(&self, key: &[u8]) -> Box<dyn HmacKey>;

    /// HMAC with a key that is used once. To be replaced where that needs no memory for the key.
    fn hmac(&self, key: &[u8], message: &[u8]) -> Digest {
        self.hmac_key(key).sign(&[message])
    }

    /// HKDF-Expand with this function (RFC 5869 §2.3): fills `out`, at most 255 digests long, from
    /// `secret` and the concatenation of `info`. To be replaced where a library has one of its own.
    fn hkdf_expand(&self, secret: &[u8], info: &[&[u8]], out: &mut [u8]) {
        hmac_hkdf_expand(&*self.hmac_key(secret), info, out);
    }

    /// The PRF of 1.2 with this function (RFC 5246 §5): fills `out` from `secret`, `label` and the
    /// concatenation of `seed`. To be replaced where a library has one of its own.
    fn prf(&self, secret: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        hmac_prf(&*self.hmac_key(secret), label, seed, out);
    }

    /// Expands `secret` for the PRF of 1.2, for whoever derives several things from it. To be replaced where that
    /// takes less memory, or where a library's own PRF is faster.
    fn prf_key(&self, secret: &[u8]) -> Box<dyn PrfKey> {
        Box::new(HmacPrf(self.hmac_key(secret)))
    }
}

/// A running hash.
pub trait HashContext: Send + Sync {
    /// Appends to what is hashed.
    fn update(&mut self, data: &[u8]);

    /// The digest of all that was appended so far; the context goes on.
    fn current(&self) -> Digest;

    /// A second context in the same state.
    fn fork(&self) -> Box<dyn HashContext>;
}

/// An expanded HMAC key.
pub trait HmacKey: Send + Sync {
    /// Authenticates the concatenation of `parts`.
    fn sign(&self, parts: &[&[u8]]) -> Digest;
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::Digest;

    #[test]
    fn digest_shows_its_length_and_nothing_else() {
        let digest = Digest::new(&[0xAB; 32]);
        assert_eq!(format!("{digest:?}"), "Digest(32 bytes)");
        assert!(digest.ct_eq(&[0xAB; 32]));
        assert!(!digest.ct_eq(&[0xAB; 31]));
    }

    #[test]
    fn nothing_is_left_of_a_digest() {
        for len in [20, 48, 64, 65] {
            let mut digest = Digest::new(&[0xAB; 65][..len]);
            digest.wipe();
            assert_eq!(digest.bytes, [0; Digest::MAX_LEN]);
        }
    }
}
