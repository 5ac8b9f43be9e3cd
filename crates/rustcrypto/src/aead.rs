//! AES-GCM, ChaCha20-Poly1305 and AES-CCM (RFC 5116, RFC 8439, RFC 6655).
//!
//! Nonces are the caller's: the record layer derives them from record numbers. Expanded keys are
//! wiped when dropped.

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;

use aes::{Aes128, Aes256};
use aes_gcm::aead::consts::{U8, U12, U16};
use aes_gcm::aead::{AeadInOut, KeyInit, Tag};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use ccm::Ccm;
use chacha20poly1305::ChaCha20Poly1305;
use gramseal_proto::crypto::{Aead, AeadAlgorithm, AeadKey, CryptoError, NONCE_LEN};

/// AEAD_AES_128_GCM.
pub static AES_128_GCM: &dyn Aead = &Algorithm::<Aes128Gcm>::new(AeadAlgorithm::Aes128Gcm);

/// AEAD_AES_256_GCM.
pub static AES_256_GCM: &dyn Aead = &Algorithm::<Aes256Gcm>::new(AeadAlgorithm::Aes256Gcm);

/// AEAD_CHACHA20_POLY1305.
pub static CHACHA20_POLY1305: &dyn Aead = &Algorithm::<ChaCha20Poly1305>::new(AeadAlgorithm::ChaCha20Poly1305);

/// AEAD_AES_128_CCM.
pub static AES_128_CCM: &dyn Aead = &Algorithm::<Ccm<Aes128, U16, U12>>::new(AeadAlgorithm::Aes128Ccm);

/// AEAD_AES_256_CCM.
pub static AES_256_CCM: &dyn Aead = &Algorithm::<Ccm<Aes256, U16, U12>>::new(AeadAlgorithm::Aes256Ccm);

/// AEAD_AES_128_CCM_8: a tag of 8 bytes.
pub static AES_128_CCM_8: &dyn Aead = &Algorithm::<Ccm<Aes128, U8, U12>>::new(AeadAlgorithm::Aes128Ccm8);

/// AEAD_AES_256_CCM_8: a tag of 8 bytes.
pub static AES_256_CCM_8: &dyn Aead = &Algorithm::<Ccm<Aes256, U8, U12>>::new(AeadAlgorithm::Aes256Ccm8);

/// The CCM algorithms, which aws-lc-rs lacks.
#[must_use]
pub fn ccm_aeads() -> [&'static dyn Aead; 4] {
    [AES_128_CCM, AES_256_CCM, AES_128_CCM_8, AES_256_CCM_8]
}

struct Algorithm<C> {
    name: AeadAlgorithm,
    cipher: PhantomData<fn() -> C>,
}

impl<C> Algorithm<C> {
    const fn new(name: AeadAlgorithm) -> Self {
        Self { name, cipher: PhantomData }
    }
}

impl<C> fmt::Debug for Algorithm<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Algorithm").field(&self.name).finish()
    }
}

impl<C> Aead for Algorithm<C>
where
    C: AeadInOut<NonceSize = U12> + KeyInit + Send + Sync + 'static,
{
    fn algorithm(&self) -> AeadAlgorithm {
        self.name
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        let cipher = C::new_from_slice(key).map_err(|_| CryptoError::new())?;
        Ok(Box::new(Key { cipher, tag_len: self.name.tag_len() }))
    }
}

struct Key<C> {
    cipher: C,
    tag_len: usize,
}

impl<C> AeadKey for Key<C>
where
    C: AeadInOut<NonceSize = U12> + Send + Sync,
{
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        plaintext: &[u8],
        trailer: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        let (front, rest) = out.split_at_mut_checked(plaintext.len()).ok_or_else(CryptoError::new)?;
        let (back, tag_out) = rest.split_at_mut_checked(trailer.len()).ok_or_else(CryptoError::new)?;
        if tag_out.len() != self.tag_len {
            return Err(CryptoError::new());
        }
        front.copy_from_slice(plaintext);
        back.copy_from_slice(trailer);
        let (text, tag_out) = out.split_at_mut(plaintext.len() + trailer.len());
        let tag =
            self.cipher.encrypt_inout_detached(&nonce.into(), aad, text.into()).map_err(|_| CryptoError::new())?;
        tag_out.copy_from_slice(&tag);
        Ok(())
    }

    fn open(&self, nonce: [u8; NONCE_LEN], aad: &[u8], in_out: &mut [u8]) -> Result<usize, CryptoError> {
        let len = in_out.len().checked_sub(self.tag_len).ok_or_else(CryptoError::new)?;
        let (text, tag) = in_out.split_at_mut(len);
        let tag = Tag::<C>::try_from(&*tag).map_err(|_| CryptoError::new())?;
        self.cipher.decrypt_inout_detached(&nonce.into(), aad, text.into(), &tag).map_err(|_| CryptoError::new())?;
        Ok(len)
    }
}
