//! Authenticated encryption of records (RFC 5116).

use alloc::boxed::Box;
use core::fmt;

use super::CryptoError;

/// Bytes in a nonce of every AEAD that DTLS uses.
pub const NONCE_LEN: usize = 12;

/// Bytes of the ciphertext that the mask of a record number depends on (RFC 9147 §4.2.3).
pub const MASK_SAMPLE_LEN: usize = 16;

/// The AEAD algorithms of the cipher suites that gramseal knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AeadAlgorithm {
    /// AEAD_AES_128_GCM.
    Aes128Gcm,
    /// AEAD_AES_256_GCM.
    Aes256Gcm,
    /// AEAD_CHACHA20_POLY1305 (RFC 8439).
    ChaCha20Poly1305,
    /// AEAD_AES_128_CCM (RFC 5116).
    Aes128Ccm,
    /// AEAD_AES_256_CCM (RFC 5116).
    Aes256Ccm,
    /// AEAD_AES_128_CCM_8 (RFC 6655).
    Aes128Ccm8,
    /// AEAD_AES_256_CCM_8 (RFC 6655).
    Aes256Ccm8,
}

impl AeadAlgorithm {
    /// Bytes in a key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Ccm | Self::Aes128Ccm8 => 16,
            Self::Aes256Gcm | Self::Aes256Ccm | Self::Aes256Ccm8 | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Bytes that sealing adds for authentication.
    #[must_use]
    pub const fn tag_len(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes256Gcm | Self::ChaCha20Poly1305 | Self::Aes128Ccm | Self::Aes256Ccm => 16,
            Self::Aes128Ccm8 | Self::Aes256Ccm8 => 8,
        }
    }
}

/// One AEAD algorithm of a provider: makes keys.
pub trait Aead: Send + Sync + fmt::Debug {
    /// Which algorithm this is.
    fn algorithm(&self) -> AeadAlgorithm;

    /// Expands `key`, of [`AeadAlgorithm::key_len`] bytes, for use with many records.
    ///
    /// # Errors
    /// If `key` has another length.
    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError>;

    /// Expands `key`, of [`AeadAlgorithm::key_len`] bytes too, to mask record numbers of 1.3 with the
    /// cipher inside the algorithm (RFC 9147 §4.2.3).
    ///
    /// # Errors
    /// If `key` has another length.
    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError>;
}

/// An expanded AEAD key: seals or opens the records of one epoch in one direction.
pub trait AeadKey: Send + Sync {
    /// Encrypts `plaintext` followed by `trailer` into `out`, then appends the tag.
    ///
    /// `out` must be exactly as long as both inputs and the tag together. The trailer (the inner
    /// content type and padding of 1.3; empty in 1.2) spares a copy of the payload.
    ///
    /// # Errors
    /// If `out` has the wrong length or the input is too long for the algorithm.
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        plaintext: &[u8],
        trailer: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError>;

    /// Verifies and decrypts `in_out` (ciphertext, then tag) in place and returns the length of
    /// the plaintext, which is then at its front.
    ///
    /// # Errors
    /// If the tag is wrong; `in_out` may then hold anything.
    fn open(&self, nonce: [u8; NONCE_LEN], aad: &[u8], in_out: &mut [u8]) -> Result<usize, CryptoError>;
}

/// An expanded key that masks the record numbers of one epoch in one direction (RFC 9147 §4.2.3).
pub trait MaskKey: Send + Sync {
    /// The first bytes of the mask for the record whose ciphertext begins with `sample`, as many as a
    /// header has of its number at most.
    ///
    /// AES encrypts the sample as one block; ChaCha20 takes its first 4 bytes as the block counter,
    /// little-endian, and the rest as the nonce.
    ///
    /// # Errors
    /// If the provider fails.
    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> Result<[u8; 2], CryptoError>;
}
