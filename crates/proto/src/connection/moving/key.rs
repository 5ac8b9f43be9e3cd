//! What images are sealed with.
//!
//! ```text
//! struct {
//!     opaque magic[4];            // "GsIm"
//!     uint16 format;              // of what is sealed
//!     opaque key_name[8];         // tells a wrong key from a damaged image
//!     opaque seed[16];            // random, makes the key of this image
//!     opaque sealed_fields[..];   // AEAD with that key over everything before it, and its tag
//! } image;
//! ```
//!
//! Each image has an AEAD key of its own, so that no nonce can repeat however many are sealed.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use gramseal_wire::Reader;
use zeroize::Zeroizing;

use super::error::{ImportError, NotMovable};
use crate::crypto::{
    Aead, CryptoError, CryptoProvider, HashAlgorithm, HmacKey, NONCE_LEN, SEED_LEN, sealing_aead, seeded_key,
};

const MAGIC: &[u8; 4] = b"GsIm";
/// What is sealed is a list of fields, so that a new one needs no new format: who does not know it says so.
const FORMAT: u16 = 1;
const NAME_LEN: usize = 8;
const HEADER_LEN: usize = MAGIC.len() + 2 + NAME_LEN + SEED_LEN;

// The labels keep the uses of the key apart.
const NAME_LABEL: &[u8] = b"gramseal image key name";
const SEAL_LABEL: &[u8] = b"gramseal image";

/// A key that seals images of connections, and opens them elsewhere.
///
/// Whoever has it and an image can read the connection's traffic and pose as this side of it. Wiped when dropped, as
/// far as the provider does so.
pub struct ImageKey {
    provider: Arc<CryptoProvider>,
    aead: &'static dyn Aead,
    hmac: Box<dyn HmacKey>,
    name: [u8; NAME_LEN],
}

impl ImageKey {
    /// Bytes in a secret.
    pub const LEN: usize = 32;

    /// From a secret that must be random and known to nobody else but those who import. Both sides need a provider
    /// with the same best AEAD: all of gramseal's take AES-256-GCM.
    ///
    /// # Errors
    /// If the provider lacks SHA-256, or every AEAD with tags of 16 bytes.
    pub fn new(provider: Arc<CryptoProvider>, secret: &[u8; Self::LEN]) -> Result<Self, CryptoError> {
        let hmac = provider.hash(HashAlgorithm::Sha256).ok_or(CryptoError)?.hmac_key(secret);
        let aead = sealing_aead(&provider).ok_or(CryptoError)?;
        let name = *hmac.sign(&[NAME_LABEL]).as_ref().first_chunk().ok_or(CryptoError)?;
        Ok(Self { provider, aead, hmac, name })
    }

    pub(super) fn seal(&self, fields: &[u8]) -> Result<Vec<u8>, NotMovable> {
        let mut image = Vec::with_capacity(HEADER_LEN + fields.len() + self.aead.algorithm().tag_len());
        image.extend_from_slice(MAGIC);
        image.extend_from_slice(&FORMAT.to_be_bytes());
        image.extend_from_slice(&self.name);
        image.extend_from_slice(&self.provider.random_array::<SEED_LEN>().map_err(|_| NotMovable::Crypto)?);
        let header = image.clone();
        image.resize(HEADER_LEN + fields.len() + self.aead.algorithm().tag_len(), 0);
        let (_, sealed) = image.split_at_mut(HEADER_LEN);
        let (_, seed) = header.split_at(HEADER_LEN - SEED_LEN);
        let key = seeded_key(self.aead, &*self.hmac, SEAL_LABEL, seed).ok_or(NotMovable::Crypto)?;
        key.seal([0; NONCE_LEN], &header, fields, &[], sealed).map_err(|_| NotMovable::Crypto)?;
        Ok(image)
    }

    pub(super) fn open(&self, image: &[u8]) -> Result<Zeroizing<Vec<u8>>, ImportError> {
        let (header, sealed) = image.split_at_checked(HEADER_LEN).ok_or(ImportError::NotAnImage)?;
        let mut r = Reader::new(header);
        let (magic, format, name) = (r.array()?, r.u16()?, r.array()?);
        let seed: [u8; SEED_LEN] = r.array()?;
        if magic != *MAGIC {
            return Err(ImportError::NotAnImage);
        }
        if format != FORMAT {
            return Err(ImportError::UnknownFormat(format));
        }
        if self.name != name {
            return Err(ImportError::WrongKey);
        }
        let key = seeded_key(self.aead, &*self.hmac, SEAL_LABEL, &seed).ok_or(ImportError::Crypto)?;
        let mut fields = Zeroizing::new(vec![0; sealed.len()]);
        fields.copy_from_slice(sealed);
        let len = key.open([0; NONCE_LEN], header, &mut fields).map_err(|_| ImportError::Tampered)?;
        fields.truncate(len);
        Ok(fields)
    }
}

impl fmt::Debug for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageKey").finish_non_exhaustive()
    }
}
