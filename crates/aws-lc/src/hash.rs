//! SHA-256 and SHA-384, running and as HMAC (RFC 2104).

use aws_lc_rs::{digest, hmac};
use gramseal_proto::crypto::{Digest, Hash, HashAlgorithm, HashContext, HmacKey};

/// SHA-256 and HMAC-SHA-256.
pub static SHA256: &dyn Hash =
    &Function { name: HashAlgorithm::Sha256, digest: &digest::SHA256, hmac: hmac::HMAC_SHA256 };

/// SHA-384 and HMAC-SHA-384.
pub static SHA384: &dyn Hash =
    &Function { name: HashAlgorithm::Sha384, digest: &digest::SHA384, hmac: hmac::HMAC_SHA384 };

#[derive(Debug)]
struct Function {
    name: HashAlgorithm,
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
}

impl Hash for Function {
    fn algorithm(&self) -> HashAlgorithm {
        self.name
    }

    fn start(&self) -> Box<dyn HashContext> {
        Box::new(Context(digest::Context::new(self.digest)))
    }

    fn hmac_key(&self, key: &[u8]) -> Box<dyn HmacKey> {
        Box::new(Key(hmac::Key::new(self.hmac, key)))
    }
}

struct Context(digest::Context);

impl HashContext for Context {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn current(&self) -> Digest {
        Digest::new(self.0.clone().finish().as_ref())
    }

    fn fork(&self) -> Box<dyn HashContext> {
        Box::new(Self(self.0.clone()))
    }
}

struct Key(hmac::Key);

impl HmacKey for Key {
    fn sign(&self, parts: &[&[u8]]) -> Digest {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        Digest::new(context.sign().as_ref())
    }
}
