//! Keys for tests: no cryptography, but every input counts.

use alloc::boxed::Box;

pub(super) use crate::crypto::test_aead::{Block, Real};
use crate::crypto::{
    AeadAlgorithm, AeadKey, CryptoError, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN, RecordKeys12, RecordKeys13,
};

/// Record keys that differ by `seed`.
pub(super) fn test_keys(algorithm: AeadAlgorithm, seed: u8) -> RecordKeys12 {
    let key = TestKey { seed, tag_len: algorithm.tag_len() };
    RecordKeys12 { algorithm, key: Box::new(key), iv: [seed; NONCE_LEN] }
}

/// The same for 1.3.
pub(super) fn test_keys13(algorithm: AeadAlgorithm, seed: u8) -> RecordKeys13 {
    let key = TestKey { seed, tag_len: algorithm.tag_len() };
    RecordKeys13 { algorithm, key: Box::new(key), iv: [seed; NONCE_LEN], mask: Box::new(TestMask(seed)) }
}

struct TestMask(u8);

impl MaskKey for TestMask {
    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> Result<[u8; 2], CryptoError> {
        let [first, second, ..] = checksum(&[&[self.0], sample]).to_be_bytes();
        Ok([first | 1, second | 1])
    }
}

/// A toy AEAD: the plaintext under a mask, and a checksum of everything as the tag.
struct TestKey {
    seed: u8,
    tag_len: usize,
}

impl TestKey {
    fn mask(&self, nonce: [u8; NONCE_LEN], text: &mut [u8]) {
        let mask = checksum(&[&[self.seed], &nonce]).to_be_bytes();
        text.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    }

    fn tag(&self, nonce: [u8; NONCE_LEN], aad: &[u8], text: &[u8]) -> [u8; 16] {
        let half = checksum(&[&[self.seed], &nonce, aad, text]);
        (u128::from(half) << 64 | u128::from(!half)).to_be_bytes()
    }
}

impl AeadKey for TestKey {
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        plaintext: &[u8],
        trailer: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        let text = [plaintext, trailer].concat();
        if out.len() != text.len() + self.tag_len {
            return Err(CryptoError);
        }
        let (sealed, tag) = out.split_at_mut(text.len());
        sealed.copy_from_slice(&text);
        self.mask(nonce, sealed);
        tag.copy_from_slice(&self.tag(nonce, aad, &text)[..self.tag_len]);
        Ok(())
    }

    fn open(&self, nonce: [u8; NONCE_LEN], aad: &[u8], in_out: &mut [u8]) -> Result<usize, CryptoError> {
        let len = in_out.len().checked_sub(self.tag_len).ok_or(CryptoError)?;
        let (text, tag) = in_out.split_at_mut(len);
        self.mask(nonce, text);
        if self.tag(nonce, aad, text)[..self.tag_len] == *tag { Ok(len) } else { Err(CryptoError) }
    }
}

/// FNV-1a, with the length of each part mixed in.
fn checksum(parts: &[&[u8]]) -> u64 {
    let lengths = parts.iter().map(|part| part.len() as u64);
    let bytes = parts.iter().flat_map(|part| part.iter().map(|byte| u64::from(*byte)));
    lengths.chain(bytes).fold(0xcbf2_9ce4_8422_2325, |hash, value| (hash ^ value).wrapping_mul(0x0100_0000_01b3))
}
