//! SHA-256 and SHA-384, running, as HMAC (RFC 2104) and as PRF of 1.2 (RFC 5246 §5).

use aws_lc_rs::{digest, hmac, tls_prf};
use gramseal_proto::crypto::{Digest, Hash, HashAlgorithm, HashContext, HmacKey, hmac_prf};

/// SHA-256 and HMAC-SHA-256.
pub static SHA256: &dyn Hash = &Function {
    name: HashAlgorithm::Sha256,
    digest: &digest::SHA256,
    hmac: hmac::HMAC_SHA256,
    prf: &tls_prf::P_SHA256,
};

/// SHA-384 and HMAC-SHA-384.
pub static SHA384: &dyn Hash = &Function {
    name: HashAlgorithm::Sha384,
    digest: &digest::SHA384,
    hmac: hmac::HMAC_SHA384,
    prf: &tls_prf::P_SHA384,
};

#[derive(Debug)]
struct Function {
    name: HashAlgorithm,
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    prf: &'static tls_prf::Algorithm,
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

    fn prf(&self, secret: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        let derived = tls_prf::Secret::new(self.prf, secret).and_then(|secret| match seed {
            [seed] => secret.derive(label, seed, out.len()),
            [first, second] => secret.derive_with_seed_concatination(label, first, second, out.len()),
            _ => secret.derive(label, &seed.concat(), out.len()),
        });
        match derived {
            Ok(derived) => out.copy_from_slice(derived.as_ref()),
            // It takes no empty secret and gives no empty output.
            Err(_) => hmac_prf(&*self.hmac_key(secret), label, seed, out),
        }
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
