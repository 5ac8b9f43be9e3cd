//! Providers that are watched: one remembers which nonce every AEAD key has sealed with, one counts what strangers
//! make it do.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use gramseal_proto::crypto::{
    ActiveKx, Aead, AeadAlgorithm, AeadKey, CryptoError, CryptoProvider, Digest, Hash, HashAlgorithm, HashContext,
    HmacKey, KxError, KxGroup, MASK_SAMPLE_LEN, MaskKey, NONCE_LEN, SecureRandom, SharedSecret,
};
use gramseal_wire::NamedGroup;

/// What was sealed with the providers that [`spied`](Nonces::spied) made.
#[derive(Clone, Default)]
pub struct Nonces(Arc<Mutex<Seen>>);

/// Without the keys.
impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").field("sealed", &self.sealed()).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Seen {
    sealed: HashSet<(Vec<u8>, [u8; NONCE_LEN])>,
    repeated: usize,
}

impl Nonces {
    /// `provider`, with every AEAD watched. A few bytes stay in memory for good.
    #[must_use]
    pub fn spied(&self, provider: &CryptoProvider) -> Arc<CryptoProvider> {
        watched(provider, |aead| Box::new(SpyAead { aead, nonces: self.clone() }))
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

    /// Every key that sealed something, with a nonce of it.
    #[must_use]
    pub fn keys(&self) -> Vec<(Vec<u8>, [u8; NONCE_LEN])> {
        self.with(|seen| seen.sealed.iter().cloned().collect())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// `provider` with something before each AEAD.
fn watched(provider: &CryptoProvider, watch: impl Fn(&'static dyn Aead) -> Box<dyn Aead>) -> Arc<CryptoProvider> {
    let aeads = provider.aeads.iter().map(|aead| -> &'static dyn Aead { Box::leak(watch(*aead)) });
    Arc::new(CryptoProvider { aeads: aeads.collect(), ..provider.clone() })
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

/// Counts what the providers that [`spied`](Work::spied) made are asked to do.
#[derive(Debug, Clone, Default)]
pub struct Work(Arc<Mutex<Done>>);

/// What was asked for so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Done {
    /// AEAD and mask keys that were expanded.
    pub keys: usize,
    /// Bytes, tags included, that were to be opened, whether they did or not.
    pub opened_bytes: usize,
    /// Masks of record numbers.
    pub masks: usize,
    /// Hashes, those in MACs not counted.
    pub hashes: usize,
    /// Bytes that went into them.
    pub hashed_bytes: usize,
    /// Keys for HMAC that were expanded.
    pub mac_keys: usize,
    /// HMACs.
    pub macs: usize,
    /// Key exchanges begun or answered.
    pub exchanges: usize,
}

impl Work {
    /// `provider`, with every AEAD, hash function and group counted. A few bytes stay in memory for good.
    #[must_use]
    pub fn spied(&self, provider: &CryptoProvider) -> Arc<CryptoProvider> {
        let aeads = watched(provider, |inner| Box::new(self.before(inner)));
        let hashes =
            provider.hashes.iter().map(|hash| -> &'static dyn Hash { Box::leak(Box::new(self.before(*hash))) });
        let groups =
            provider.groups.iter().map(|group| -> &'static dyn KxGroup { Box::leak(Box::new(self.before(*group))) });
        Arc::new(CryptoProvider { hashes: hashes.collect(), groups: groups.collect(), ..(*aeads).clone() })
    }

    fn before<T>(&self, inner: T) -> Counted<T> {
        Counted { inner, work: self.clone() }
    }

    /// What was asked for so far.
    #[must_use]
    pub fn done(&self) -> Done {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, what: impl FnOnce(&mut Done)) {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What is counted on its way to the real one.
#[derive(Debug)]
struct Counted<T> {
    inner: T,
    work: Work,
}

impl Aead for Counted<&'static dyn Aead> {
    fn algorithm(&self) -> AeadAlgorithm {
        self.inner.algorithm()
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, CryptoError> {
        self.work.count(|done| done.keys += 1);
        Ok(Box::new(Counted { inner: self.inner.key(key)?, work: self.work.clone() }))
    }

    fn mask_key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, CryptoError> {
        self.work.count(|done| done.keys += 1);
        Ok(Box::new(Counted { inner: self.inner.mask_key(key)?, work: self.work.clone() }))
    }
}

impl AeadKey for Counted<Box<dyn AeadKey>> {
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        plaintext: &[u8],
        trailer: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.inner.seal(nonce, aad, plaintext, trailer, out)
    }

    fn open(&self, nonce: [u8; NONCE_LEN], aad: &[u8], in_out: &mut [u8]) -> Result<usize, CryptoError> {
        self.work.count(|done| done.opened_bytes += in_out.len());
        self.inner.open(nonce, aad, in_out)
    }
}

impl MaskKey for Counted<Box<dyn MaskKey>> {
    fn mask(&self, sample: &[u8; MASK_SAMPLE_LEN]) -> Result<[u8; 2], CryptoError> {
        self.work.count(|done| done.masks += 1);
        self.inner.mask(sample)
    }
}

impl Hash for Counted<&'static dyn Hash> {
    fn algorithm(&self) -> HashAlgorithm {
        self.inner.algorithm()
    }

    fn start(&self) -> Box<dyn HashContext> {
        self.work.count(|done| done.hashes += 1);
        Box::new(self.work.before(self.inner.start()))
    }

    fn hmac_key(&self, key: &[u8]) -> Box<dyn HmacKey> {
        self.work.count(|done| done.mac_keys += 1);
        Box::new(self.work.before(self.inner.hmac_key(key)))
    }
}

impl HashContext for Counted<Box<dyn HashContext>> {
    fn update(&mut self, data: &[u8]) {
        self.work.count(|done| done.hashed_bytes += data.len());
        self.inner.update(data);
    }

    fn current(&self) -> Digest {
        self.inner.current()
    }

    fn fork(&self) -> Box<dyn HashContext> {
        Box::new(self.work.before(self.inner.fork()))
    }
}

impl HmacKey for Counted<Box<dyn HmacKey>> {
    fn sign(&self, parts: &[&[u8]]) -> Digest {
        self.work.count(|done| done.macs += 1);
        self.inner.sign(parts)
    }
}

impl KxGroup for Counted<&'static dyn KxGroup> {
    fn name(&self) -> NamedGroup {
        self.inner.name()
    }

    fn start(&self, random: &dyn SecureRandom) -> Result<Box<dyn ActiveKx>, CryptoError> {
        self.work.count(|done| done.exchanges += 1);
        self.inner.start(random)
    }

    fn answer(&self, random: &dyn SecureRandom, peer: &[u8]) -> Result<(Vec<u8>, SharedSecret), KxError> {
        self.work.count(|done| done.exchanges += 1);
        self.inner.answer(random, peer)
    }
}
