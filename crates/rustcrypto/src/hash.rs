//! SHA-256 and SHA-384, running, as HMAC (RFC 2104), PRF of 1.2 (RFC 5246 §5) and HKDF (RFC 5869).

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;

use gramseal_proto::crypto::{Digest, Hash, HashAlgorithm, HashContext, HmacKey, PrfKey, hmac_hkdf_expand, hmac_prf};
use hkdf::{Hkdf, HmacImpl};
use hmac::{EagerHash, Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384};

/// SHA-256 and HMAC-SHA-256.
pub static SHA256: &dyn Hash = &Function::<Sha256> { name: HashAlgorithm::Sha256, inner: PhantomData };

/// SHA-384 and HMAC-SHA-384.
pub static SHA384: &dyn Hash = &Function::<Sha384> { name: HashAlgorithm::Sha384, inner: PhantomData };

struct Function<D> {
    name: HashAlgorithm,
    inner: PhantomData<fn() -> D>,
}

impl<D> fmt::Debug for Function<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Function").field(&self.name).finish()
    }
}

impl<D> Hash for Function<D>
where
    D: sha2::Digest + EagerHash + Clone + Send + Sync + 'static,
    Hmac<D>: HmacImpl + Mac + KeyInit + Clone + Send + Sync,
{
    fn algorithm(&self) -> HashAlgorithm {
        self.name
    }

    fn start(&self) -> Box<dyn HashContext> {
        Box::new(Context(D::new()))
    }

    fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut running = D::new();
        parts.iter().for_each(|part| running.update(part));
        Digest::new(&running.finalize())
    }

    fn hmac_key(&self, key: &[u8]) -> Box<dyn HmacKey> {
        Box::new(Key::<Hmac<D>>::new(key))
    }

    // The keys of what follows serve once, and need no place on the heap.

    fn hmac(&self, key: &[u8], message: &[u8]) -> Digest {
        Key::<Hmac<D>>::new(key).sign(&[message])
    }

    fn hkdf_expand(&self, secret: &[u8], info: &[&[u8]], out: &mut [u8]) {
        match Hkdf::<D>::from_prk(secret) {
            Ok(hkdf) => hkdf.expand_multi_info(info, out).expect("at most 255 digests"),
            // The crate takes no secret that is shorter than a digest.
            Err(_) => hmac_hkdf_expand(&Key::<Hmac<D>>::new(secret), info, out),
        }
    }

    fn prf(&self, secret: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        hmac_prf(&Key::<Hmac<D>>::new(secret), label, seed, out);
    }

    fn prf_key(&self, secret: &[u8]) -> Box<dyn PrfKey> {
        Box::new(Key::<Hmac<D>>::new(secret))
    }
}

struct Context<D>(D);

impl<D: sha2::Digest + Clone + Send + Sync + 'static> HashContext for Context<D> {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn current(&self) -> Digest {
        Digest::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn HashContext> {
        Box::new(Self(self.0.clone()))
    }
}

/// The state after the padded key, to be continued with each message.
struct Key<M>(M);

impl<M: KeyInit> Key<M> {
    fn new(key: &[u8]) -> Self {
        Self(<M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length"))
    }
}

impl<M: Mac + Clone + Send + Sync> PrfKey for Key<M> {
    fn derive(&self, label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        hmac_prf(self, label, seed, out);
    }
}

impl<M: Mac + Clone + Send + Sync> HmacKey for Key<M> {
    fn sign(&self, parts: &[&[u8]]) -> Digest {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        Digest::new(&mac.finalize().into_bytes())
    }
}
