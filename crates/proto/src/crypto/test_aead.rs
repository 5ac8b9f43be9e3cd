//! Real AEADs for the unit tests of records and handshakes, and the block cipher inside one.

use alloc::boxed::Box;

use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{AeadInPlace, KeyInit, Nonce};
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::BlockEncrypt;

use super::{Aead, AeadAlgorithm, AeadKey, CryptoError, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN};

/// AES-128-GCM.
#[derive(Debug)]
pub(crate) struct Gcm;

impl Aead for Gcm {
    fn algorithm(&self) -> AeadAlgorithm {
        AeadAlgorithm::Aes128Gcm
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        Ok(Box::new(Real(Aes128Gcm::new_from_slice(key).map_err(|_| CryptoError)?)))
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        Ok(Box::new(Block(Aes128::new_from_slice(key).map_err(|_| CryptoError)?)))
    }
}

/// AES-128 by itself, which masks numbers.
pub(crate) struct Block(pub(crate) Aes128);

impl MaskKey for Block {
    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> Result<[u8; 2], CryptoError> {
        let mut block = (*sample).into();
        self.0.encrypt_block(&mut block);
        Ok([block[0], block[1]])
    }
}

/// An AEAD from the RustCrypto project.
pub(crate) struct Real<A>(pub(crate) A);

impl<A: AeadInPlace + Send + Sync> AeadKey for Real<A> {
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        plaintext: &[u8],
        trailer: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        let mut text = [plaintext, trailer].concat();
        let tag = self.0.encrypt_in_place_detached(Nonce::<A>::from_slice(&nonce), aad, &mut text);
        out.copy_from_slice(&[&text, &tag.expect("short")[..]].concat());
        Ok(())
    }

    fn open(&self, nonce: [u8; NONCE_LEN], aad: &[u8], in_out: &mut [u8]) -> Result<usize, CryptoError> {
        let mut text = in_out.to_vec();
        self.0.decrypt_in_place(Nonce::<A>::from_slice(&nonce), aad, &mut text).map_err(|_| CryptoError)?;
        in_out[..text.len()].copy_from_slice(&text);
        Ok(text.len())
    }
}
