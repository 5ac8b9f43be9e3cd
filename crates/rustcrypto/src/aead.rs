//! AES-GCM, ChaCha20-Poly1305 and AES-CCM (RFC 5116, RFC 8439, RFC 6655).
//!
//! Nonces are the caller's: the record layer derives them from record numbers. Expanded keys are
//! wiped when dropped.

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;

use aes::cipher::{BlockCipherEncrypt, BlockSizeUser};
use aes::{Aes128, Aes256};
use aes_gcm::aead::consts::{U8, U12, U16};
use aes_gcm::aead::{AeadInOut, KeyInit, Tag};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use ccm::Ccm;
use chacha20::cipher::{KeyIvInit, StreamCipherCore};
use chacha20::variants::Ietf;
use chacha20::{ChaChaCore, R20};
use chacha20poly1305::ChaCha20Poly1305;
use gramseal_proto::crypto::{Aead, AeadAlgorithm, AeadKey, CryptoError, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN};
use zeroize::Zeroizing;

/// AEAD_AES_128_GCM.
pub static AES_128_GCM: &dyn Aead = &Algorithm::<Aes128Gcm, Aes128>::new(AeadAlgorithm::Aes128Gcm);

/// AEAD_AES_256_GCM.
pub static AES_256_GCM: &dyn Aead = &Algorithm::<Aes256Gcm, Aes256>::new(AeadAlgorithm::Aes256Gcm);

/// AEAD_CHACHA20_POLY1305.
pub static CHACHA20_POLY1305: &dyn Aead =
    &Algorithm::<ChaCha20Poly1305, ChaCha20Mask>::new(AeadAlgorithm::ChaCha20Poly1305);

/// AEAD_AES_128_CCM.
pub static AES_128_CCM: &dyn Aead = &Algorithm::<Ccm<Aes128, U16, U12>, Aes128>::new(AeadAlgorithm::Aes128Ccm);

/// AEAD_AES_256_CCM.
pub static AES_256_CCM: &dyn Aead = &Algorithm::<Ccm<Aes256, U16, U12>, Aes256>::new(AeadAlgorithm::Aes256Ccm);

/// AEAD_AES_128_CCM_8: a tag of 8 bytes.
pub static AES_128_CCM_8: &dyn Aead = &Algorithm::<Ccm<Aes128, U8, U12>, Aes128>::new(AeadAlgorithm::Aes128Ccm8);

/// AEAD_AES_256_CCM_8: a tag of 8 bytes.
pub static AES_256_CCM_8: &dyn Aead = &Algorithm::<Ccm<Aes256, U8, U12>, Aes256>::new(AeadAlgorithm::Aes256Ccm8);

/// The CCM algorithms, which aws-lc-rs lacks.
#[must_use]
pub fn ccm_aeads() -> [&'static dyn Aead; 4] {
    [AES_128_CCM, AES_256_CCM, AES_128_CCM_8, AES_256_CCM_8]
}

/// An AEAD and, for record numbers, the cipher inside it.
struct Algorithm<C, M> {
    name: AeadAlgorithm,
    ciphers: PhantomData<fn() -> (C, M)>,
}

impl<C, M> Algorithm<C, M> {
    const fn new(name: AeadAlgorithm) -> Self {
        Self { name, ciphers: PhantomData }
    }
}

impl<C, M> fmt::Debug for Algorithm<C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Algorithm").field(&self.name).finish()
    }
}

impl<C, M> Aead for Algorithm<C, M>
where
    C: AeadInOut<NonceSize = U12> + KeyInit + Send + Sync + 'static,
    M: Mask,
{
    fn algorithm(&self) -> AeadAlgorithm {
        self.name
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        let cipher = C::new_from_slice(key).map_err(|_| CryptoError::new())?;
        Ok(Box::new(Key { cipher, tag_len: self.name.tag_len() }))
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        let mask = M::new(key).ok_or_else(CryptoError::new)?;
        Ok(Box::new(Masking(mask)))
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

/// A cipher that masks record numbers (RFC 9147 §4.2.3).
trait Mask: Sized + Send + Sync + 'static {
    /// `None` if the key has the wrong length.
    fn new(key: &[u8]) -> Option<Self>;

    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> Result<[u8; 2], CryptoError>;
}

impl<B> Mask for B
where
    B: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit + Send + Sync + 'static,
{
    fn new(key: &[u8]) -> Option<Self> {
        Self::new_from_slice(key).ok()
    }

    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> Result<[u8; 2], CryptoError> {
        let mut block = (*sample).into();
        self.encrypt_block(&mut block);
        let [first, second, ..]: [u8; MASK_SAMPLE_LEN] = block.into();
        Ok([first, second])
    }
}

/// ChaCha20 has no state between blocks, so that all there is to keep is its key.
struct ChaCha20Mask(Zeroizing<[u8; 32]>);

impl Mask for ChaCha20Mask {
    fn new(key: &[u8]) -> Option<Self> {
        key.try_into().ok().map(|key| Self(Zeroizing::new(key)))
    }

    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> Result<[u8; 2], CryptoError> {
        let [c0, c1, c2, c3, nonce @ ..] = *sample;
        // One block by itself: a whole stream would refuse the last counter there is.
        let mut core = ChaChaCore::<R20, Ietf>::new(&(*self.0).into(), &nonce.into());
        core.set_block_pos(u32::from_le_bytes([c0, c1, c2, c3]));
        let mut block = [0; 64].into();
        core.write_keystream_block(&mut block);
        let [first, second, ..]: [u8; 64] = block.into();
        Ok([first, second])
    }
}

struct Masking<M>(M);

impl<M: Mask> MaskKey for Masking<M> {
    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> Result<[u8; 2], CryptoError> {
        self.0.mask(sample)
    }
}
