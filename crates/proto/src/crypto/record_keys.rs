//! The keys of one epoch and direction: what the handshake hands to the record layer.

use alloc::boxed::Box;
use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{AeadAlgorithm, AeadKey, CryptoError, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN};

/// Keys for the records of one epoch in one direction in DTLS 1.2.
pub(crate) struct RecordKeys12 {
    pub(crate) algorithm: AeadAlgorithm,
    pub(crate) key: Box<dyn AeadKey>,
    /// The implicit part of the nonce. GCM and CCM use its first 4 bytes (RFC 5288 §3, RFC 6655
    /// §3), ChaCha20-Poly1305 all 12 (RFC 7905 §2).
    pub(crate) iv: [u8; NONCE_LEN],
}

impl RecordKeys12 {
    /// What is not in a box of the provider's, which wipes its own.
    fn wipe(&mut self) {
        self.iv.as_mut_slice().zeroize();
    }
}

impl Drop for RecordKeys12 {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl ZeroizeOnDrop for RecordKeys12 {}

impl fmt::Debug for RecordKeys12 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordKeys12").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// Keys for the records of one epoch in one direction in DTLS 1.3.
pub(crate) struct RecordKeys13 {
    pub(crate) algorithm: AeadAlgorithm,
    pub(crate) key: Box<dyn AeadKey>,
    pub(crate) iv: [u8; NONCE_LEN],
    pub(crate) mask: Box<dyn MaskKey>,
}

impl RecordKeys13 {
    /// Frees what was expanded: nothing is sealed or opened with them any more.
    pub(crate) fn put_to_rest(&mut self) {
        self.key = Box::new(AtRest);
        self.mask = Box::new(AtRest);
    }

    fn wipe(&mut self) {
        self.iv.as_mut_slice().zeroize();
    }
}

/// In the place of a key that is not there; takes no memory.
struct AtRest;

impl AeadKey for AtRest {
    fn seal(&self, _: [u8; NONCE_LEN], _: &[u8], _: &[u8], _: &[u8], _: &mut [u8]) -> Result<(), CryptoError> {
        Err(CryptoError)
    }

    fn open(&self, _: [u8; NONCE_LEN], _: &[u8], _: &mut [u8]) -> Result<usize, CryptoError> {
        Err(CryptoError)
    }
}

impl MaskKey for AtRest {
    fn mask(&self, _: &[u8; MASK_SAMPLE_LEN]) -> Result<[u8; 2], CryptoError> {
        Err(CryptoError)
    }
}

impl Drop for RecordKeys13 {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl ZeroizeOnDrop for RecordKeys13 {}

impl fmt::Debug for RecordKeys13 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordKeys13").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;

    use super::{AeadAlgorithm, AtRest, NONCE_LEN, RecordKeys12, RecordKeys13};

    #[test]
    fn nothing_is_left_of_what_nonces_are_made_of() {
        let (algorithm, iv) = (AeadAlgorithm::Aes128Gcm, [0xAB; NONCE_LEN]);
        let mut keys = RecordKeys12 { algorithm, key: Box::new(AtRest), iv };
        keys.wipe();
        assert_eq!(keys.iv, [0; NONCE_LEN]);
        let mut keys = RecordKeys13 { algorithm, key: Box::new(AtRest), iv, mask: Box::new(AtRest) };
        keys.wipe();
        assert_eq!(keys.iv, [0; NONCE_LEN]);
    }
}
