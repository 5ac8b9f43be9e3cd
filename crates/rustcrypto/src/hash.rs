//! SHA-256 and SHA-384, running and as HMAC (RFC 2104).

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;

use gramseal_proto::crypto::{Digest, Hash, HashAlgorithm, HashContext, HmacKey};
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
    Hmac<D>: Mac + KeyInit + Clone + Send + Sync,
{
    fn algorithm(&self) -> HashAlgorithm {
        self.name
    }

    fn start(&self) -> Box<dyn HashContext> {
        Box::new(Context(D::new()))
    }

    fn hmac_key(&self, key: &[u8]) -> Box<dyn HmacKey> {
        Box::new(Key(<Hmac<D> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length")))
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

impl<M: Mac + Clone + Send + Sync> HmacKey for Key<M> {
    fn sign(&self, parts: &[&[u8]]) -> Digest {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        Digest::new(&mac.finalize().into_bytes())
    }
}
