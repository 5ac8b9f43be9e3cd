//! What gramseal needs from a cryptography library, as traits.
//!
//! This module owns vocabulary only: it implements no primitive. A [`CryptoProvider`] is a plain
//! value made of lists, so that a provider can be composed from parts of others; its record half
//! (`aeads`) and its handshake half are chosen apart.

mod aead;
mod deferrable;
mod hash;
mod hybrid;
mod kdf;
mod kx;
mod provider;
mod record_keys;
mod secret;
mod seeded;
mod sign;
#[cfg(test)]
pub(crate) mod test_aead;
#[cfg(test)]
pub(crate) mod test_hash;
#[cfg(test)]
pub(crate) mod test_hex;

use core::fmt;

pub use aead::{Aead, AeadAlgorithm, AeadKey, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN};
pub use deferrable::Deferrable;
pub use hash::{Digest, Hash, HashAlgorithm, HashContext, HmacKey};
pub use hybrid::{HybridGroup, ShareLengths};
pub use kdf::{PrfKey, hmac_hkdf_expand, hmac_prf};
pub use kx::{
    ActiveKx, FiniteFieldDh, FiniteFieldExchange, FiniteFieldParams, KxError, KxGroup, ParamsRejected, SharedSecret,
};
pub use provider::{CryptoProvider, SchemeVerifier, SecureRandom};
pub(crate) use record_keys::{RecordKeys12, RecordKeys13};
#[cfg(test)]
pub(crate) use secret::assert_wiped;
pub(crate) use secret::{SecretArray, SecretBytes};
pub(crate) use seeded::{SEED_LEN, sealing_aead, seeded_key};
pub(crate) use sign::signs13;
pub use sign::{KeyKind, KeyLoader, KeyRejected, PublicKey, SigningKey};

/// A cryptographic operation failed.
///
/// There is nothing more to know: details would only help an attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CryptoError;

impl fmt::Display for CryptoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cryptographic operation failed")
    }
}

impl core::error::Error for CryptoError {}

impl CryptoError {
    /// The one value of this type.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Default for CryptoError {
    fn default() -> Self {
        Self::new()
    }
}
