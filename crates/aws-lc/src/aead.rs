//! AES-GCM and ChaCha20-Poly1305 (RFC 5116, RFC 8439).
//!
//! Nonces are the caller's: the record layer derives them from record numbers.

use aws_lc_rs::aead::quic::{self, HeaderProtectionKey};
use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use gramseal_proto::crypto::{Aead, AeadAlgorithm, AeadKey, CryptoError, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN};

/// AEAD_AES_128_GCM.
pub static AES_128_GCM: &dyn Aead =
    &Algorithm { name: AeadAlgorithm::Aes128Gcm, aead: &aead::AES_128_GCM, mask: &quic::AES_128 };

/// AEAD_AES_256_GCM.
pub static AES_256_GCM: &dyn Aead =
    &Algorithm { name: AeadAlgorithm::Aes256Gcm, aead: &aead::AES_256_GCM, mask: &quic::AES_256 };

/// AEAD_CHACHA20_POLY1305.
pub static CHACHA20_POLY1305: &dyn Aead =
    &Algorithm { name: AeadAlgorithm::ChaCha20Poly1305, aead: &aead::CHACHA20_POLY1305, mask: &quic::CHACHA20 };

#[derive(Debug)]
struct Algorithm {
    name: AeadAlgorithm,
    aead: &'static aead::Algorithm,
    /// QUIC masks its packet numbers as DTLS masks record numbers (RFC 9001 §5.4).
    mask: &'static quic::Algorithm,
}

impl Aead for Algorithm {
    fn algorithm(&self) -> AeadAlgorithm {
        self.name
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        let key = UnboundKey::new(self.aead, key).map_err(|_| CryptoError::new())?;
        Ok(Box::new(Key(LessSafeKey::new(key))))
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        let key = HeaderProtectionKey::new(self.mask, key).map_err(|_| CryptoError::new())?;
        Ok(Box::new(Masking(key)))
    }
}

struct Key(LessSafeKey);

impl AeadKey for Key {
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        plaintext: &[u8],
        trailer: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        if self.0.algorithm() == &aead::CHACHA20_POLY1305 && !trailer.is_empty() {
            return self.seal_copied(nonce, aad, [plaintext, trailer], out);
        }
        // The library compares the length of what remains with the trailer and the tag.
        let (ciphertext, rest) = out.split_at_mut_checked(plaintext.len()).ok_or_else(CryptoError::new)?;
        self.0
            .seal_out_of_place_scatter(nonce_of(nonce), Aad::from(aad), plaintext, ciphertext, trailer, rest)
            .map_err(|_| CryptoError::new())
    }

    fn open(&self, nonce: [u8; NONCE_LEN], aad: &[u8], in_out: &mut [u8]) -> Result<usize, CryptoError> {
        // With the tag apart the library takes a shorter way in, and does not move the plaintext to
        // where it is already.
        let len = in_out.len().checked_sub(self.0.algorithm().tag_len()).ok_or_else(CryptoError::new)?;
        let (ciphertext, tag) = in_out.split_at_mut(len);
        let plaintext = self
            .0
            .open_in_place_separate_tag(nonce_of(nonce), Aad::from(aad), tag, ciphertext)
            .map_err(|_| CryptoError::new())?;
        Ok(plaintext.len())
    }
}

impl Key {
    /// The same after a copy. The library enciphers a trailer of its own with one more call of ChaCha20, which
    /// takes far longer than copying.
    fn seal_copied(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        [plaintext, trailer]: [&[u8]; 2],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        let inner_len = plaintext.len() + trailer.len();
        let (inner, tag) = out.split_at_mut_checked(inner_len).ok_or_else(CryptoError::new)?;
        let (front, back) = inner.split_at_mut(plaintext.len());
        front.copy_from_slice(plaintext);
        back.copy_from_slice(trailer);
        let made = self
            .0
            .seal_in_place_separate_tag(nonce_of(nonce), Aad::from(aad), inner)
            .map_err(|_| CryptoError::new())?;
        if tag.len() != made.as_ref().len() {
            return Err(CryptoError::new());
        }
        tag.copy_from_slice(made.as_ref());
        Ok(())
    }
}

struct Masking(HeaderProtectionKey);

impl MaskKey for Masking {
    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> Result<[u8; 2], CryptoError> {
        let [first, second, ..] = self.0.new_mask(sample).map_err(|_| CryptoError::new())?;
        Ok([first, second])
    }
}

fn nonce_of(bytes: [u8; NONCE_LEN]) -> Nonce {
    Nonce::assume_unique_for_key(bytes)
}
