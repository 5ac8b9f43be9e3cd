//! Stand-ins for every AEAD: a keyed stream and a keyed checksum.

use gramseal_proto::crypto::{Aead, AeadAlgorithm, AeadKey, CryptoError, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN};

use super::mix::Mixer;
use crate::rng::scramble;

pub(super) static ALL: &[&dyn Aead] = &[
    &NullAead(AeadAlgorithm::Aes128Gcm),
    &NullAead(AeadAlgorithm::Aes256Gcm),
    &NullAead(AeadAlgorithm::ChaCha20Poly1305),
    &NullAead(AeadAlgorithm::Aes128Ccm),
    &NullAead(AeadAlgorithm::Aes256Ccm),
    &NullAead(AeadAlgorithm::Aes128Ccm8),
    &NullAead(AeadAlgorithm::Aes256Ccm8),
];

/// Takes an algorithm's place: same lengths, none of its strength.
#[derive(Debug)]
pub struct NullAead(AeadAlgorithm);

impl Aead for NullAead {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        let keyed = self.keyed(0, key)?;
        Ok(Box::new(NullAeadKey { keyed, tag_len: self.0.tag_len() }))
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        Ok(Box::new(NullMaskKey(self.keyed(0x3000, key)?)))
    }
}

impl NullAead {
    fn keyed(&self, use_of_key: u64, key: &[u8]) -> Result<Mixer, CryptoError> {
        if key.len() != self.0.key_len() {
            return Err(CryptoError::new());
        }
        let mut keyed = Mixer::new(use_of_key + self.0 as u64);
        keyed.part(key);
        Ok(keyed)
    }
}

struct NullMaskKey(Mixer);

impl MaskKey for NullMaskKey {
    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> Result<[u8; 2], CryptoError> {
        let mut mixer = self.0.clone();
        mixer.update(sample);
        let mut mask = [0; 2];
        mixer.fill(&mut mask);
        Ok(mask)
    }
}

struct NullAeadKey {
    keyed: Mixer,
    tag_len: usize,
}

impl NullAeadKey {
    /// Applies or removes the keyed stream, none of whose bytes is zero: no byte of the ciphertext
    /// equals the plaintext's, so that a test never mistakes one for the other.
    fn apply_stream(&self, nonce: [u8; NONCE_LEN], bytes: &mut [u8]) {
        let mut stream = self.keyed.clone();
        stream.update(&nonce);
        let start = stream.output(0);
        for (chunk, index) in bytes.chunks_mut(8).zip(0..) {
            let word = scramble(start.wrapping_add(index)) | 0x0101_0101_0101_0101;
            for (byte, mask) in chunk.iter_mut().zip(word.to_be_bytes()) {
                *byte ^= mask;
            }
        }
    }

    fn tag(&self, nonce: [u8; NONCE_LEN], aad: &[u8], plaintext: &[u8]) -> [u8; 16] {
        let mut sum = self.keyed.clone();
        sum.update(&nonce);
        sum.part(aad);
        sum.part(plaintext);
        let mut tag = [0; 16];
        sum.fill(&mut tag);
        tag
    }
}

impl AeadKey for NullAeadKey {
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        plaintext: &[u8],
        trailer: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        if out.len() != plaintext.len() + trailer.len() + self.tag_len {
            return Err(CryptoError::new());
        }
        let (body, tag) = out.split_at_mut(plaintext.len() + trailer.len());
        body[..plaintext.len()].copy_from_slice(plaintext);
        body[plaintext.len()..].copy_from_slice(trailer);
        tag.copy_from_slice(&self.tag(nonce, aad, body)[..self.tag_len]);
        self.apply_stream(nonce, body);
        Ok(())
    }

    fn open(&self, nonce: [u8; NONCE_LEN], aad: &[u8], in_out: &mut [u8]) -> Result<usize, CryptoError> {
        let len = in_out.len().checked_sub(self.tag_len).ok_or_else(CryptoError::new)?;
        let (body, tag) = in_out.split_at_mut(len);
        self.apply_stream(nonce, body);
        if self.tag(nonce, aad, body)[..self.tag_len] == *tag { Ok(len) } else { Err(CryptoError::new()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: &dyn AeadKey, tag_len: usize) -> Vec<u8> {
        let mut out = vec![0; 14 + tag_len];
        key.seal([7; 12], b"aad", b"hello there", b"\x17\0\0", &mut out).unwrap();
        out
    }

    #[test]
    fn every_algorithm_opens_what_it_sealed_and_nothing_else() {
        for aead in ALL {
            let algorithm = aead.algorithm();
            let key = aead.key(&vec![3; algorithm.key_len()]).unwrap();
            let record = sealed(&*key, algorithm.tag_len());
            assert!(record.iter().zip(b"hello there").all(|(sealed, plain)| sealed != plain));
            let mut opened = record.clone();
            assert_eq!(key.open([7; 12], b"aad", &mut opened), Ok(14));
            assert_eq!(&opened[..14], b"hello there\x17\0\0");

            for byte in 0..record.len() {
                let mut damaged = record.clone();
                damaged[byte] ^= 0x10;
                assert!(key.open([7; 12], b"aad", &mut damaged).is_err());
            }
            assert!(key.open([8; 12], b"aad", &mut record.clone()).is_err());
            assert!(key.open([7; 12], b"aaD", &mut record.clone()).is_err());
            let other = aead.key(&vec![4; algorithm.key_len()]).unwrap();
            assert!(other.open([7; 12], b"aad", &mut record.clone()).is_err());
            assert!(key.open([7; 12], b"aad", &mut [0; 7]).is_err());
            assert!(aead.key(&[0; 5]).is_err());
        }
    }

    #[test]
    fn masks_depend_on_key_and_sample() {
        for aead in ALL {
            let key = |byte| aead.mask_key(&vec![byte; aead.algorithm().key_len()]).unwrap();
            let mask = key(3).mask(&[7; 16]);
            assert_eq!(mask, key(3).mask(&[7; 16]));
            assert_ne!(mask, key(4).mask(&[7; 16]));
            assert_ne!(mask, key(3).mask(&[8; 16]));
            assert!(aead.mask_key(&[0; 5]).is_err());
        }
    }
}
