//! A provider that remembers which nonce every AEAD key has sealed with.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use gramseal_proto::crypto::{Aead, AeadAlgorithm, AeadKey, CryptoError, CryptoProvider, MaskKey, NONCE_LEN};

/// What was sealed with the providers that [`spied`](Nonces::spied) made.
#[derive(Debug, Clone, Default)]
pub struct Nonces(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    sealed: HashSet<(Vec<u8>, [u8; NONCE_LEN])>,
    repeated: usize,
}

impl Nonces {
    /// `provider`, with every AEAD watched. A few bytes stay in memory for good.
    #[must_use]
    pub fn spied(&self, provider: &CryptoProvider) -> Arc<CryptoProvider> {
        let watch = |aead: &&'static dyn Aead| -> &'static dyn Aead {
            Box::leak(Box::new(SpyAead { aead: *aead, nonces: self.clone() }))
        };
        Arc::new(CryptoProvider { aeads: provider.aeads.iter().map(watch).collect(), ..provider.clone() })
    }

    /// How many pairs of key and nonce sealed something.
    #[must_use]
    pub fn sealed(&self) -> usize {
        self.with(|seen| seen.sealed.len())
    }

    /// How often a pair of key and nonce sealed something that had done so before.
    #[must_use]
    pub fn repeated(&self) -> usize {
        self.with(|seen| seen.repeated)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug)]
struct SpyAead {
    aead: &'static dyn Aead,
    nonces: Nonces,
}

impl Aead for SpyAead {
    fn algorithm(&self) -> AeadAlgorithm {
        self.aead.algorithm()
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        let inner = self.aead.key(key)?;
        Ok(Box::new(SpyKey { inner, name: key.to_vec(), nonces: self.nonces.clone() }))
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        self.aead.mask_key(key)
    }
}

struct SpyKey {
    inner: Box<dyn AeadKey>,
    name: Vec<u8>,
    nonces: Nonces,
}

impl AeadKey for SpyKey {
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        plaintext: &[u8],
        trailer: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.nonces.with(|seen| {
            let fresh = seen.sealed.insert((self.name.clone(), nonce));
            seen.repeated += usize::from(!fresh);
        });
        self.inner.seal(nonce, aad, plaintext, trailer, out)
    }

    fn open(&self, nonce: [u8; NONCE_LEN], aad: &[u8], in_out: &mut [u8]) -> Result<usize, CryptoError> {
        self.inner.open(nonce, aad, in_out)
    }
}
