//! Keys that seal one byte string each, at rest: made of a long-lived key and a random seed, so that no nonce can
//! repeat however many are sealed.

use alloc::boxed::Box;

use super::{Aead, AeadAlgorithm, AeadKey, CryptoProvider, HmacKey};

/// Bytes in a seed.
pub(crate) const SEED_LEN: usize = 16;

/// What seals at rest; `None` without an AEAD that has tags of 16 bytes.
pub(crate) fn sealing_aead(provider: &CryptoProvider) -> Option<&'static dyn Aead> {
    let preferred = [
        AeadAlgorithm::Aes256Gcm,
        AeadAlgorithm::ChaCha20Poly1305,
        AeadAlgorithm::Aes256Ccm,
        AeadAlgorithm::Aes128Gcm,
        AeadAlgorithm::Aes128Ccm,
    ];
    preferred.into_iter().find_map(|name| provider.aead(name))
}

/// The key of one byte string. It is used once, so that its nonce says nothing.
pub(crate) fn seeded_key(aead: &dyn Aead, hmac: &dyn HmacKey, label: &[u8], seed: &[u8]) -> Option<Box<dyn AeadKey>> {
    let material = hmac.sign(&[label, seed]);
    let material = material.as_ref().get(..aead.algorithm().key_len())?;
    aead.key(material).ok()
}
