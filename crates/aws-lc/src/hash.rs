//! SHA-256 and SHA-384, running, as HMAC (RFC 2104), PRF of 1.2 (RFC 5246 §5) and HKDF (RFC 5869).

use aws_lc_rs::{digest, hkdf, hmac, tls_prf};
use gramseal_proto::crypto::{Digest, Hash, HashAlgorithm, HashContext, HmacKey, PrfKey, hmac_hkdf_expand, hmac_prf};
use zeroize::Zeroizing;

/// SHA-256 and HMAC-SHA-256.
pub static SHA256: &dyn Hash = &Function {
    name: HashAlgorithm::Sha256,
    digest: &digest::SHA256,
    hmac: hmac::HMAC_SHA256,
    hkdf: hkdf::HKDF_SHA256,
    prf: &tls_prf::P_SHA256,
};

/// SHA-384 and HMAC-SHA-384.
pub static SHA384: &dyn Hash = &Function {
    name: HashAlgorithm::Sha384,
    digest: &digest::SHA384,
    hmac: hmac::HMAC_SHA384,
    hkdf: hkdf::HKDF_SHA384,
    prf: &tls_prf::P_SHA384,
};

#[derive(Debug)]
struct Function {
    name: HashAlgorithm,
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    hkdf: hkdf::Algorithm,
    prf: &'static tls_prf::Algorithm,
}

impl Hash for Function {
    fn algorithm(&self) -> HashAlgorithm {
        self.name
    }

    fn start(&self) -> Box<dyn HashContext> {
        Box::new(Context(digest::Context::new(self.digest)))
    }

    fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut running = digest::Context::new(self.digest);
        parts.iter().for_each(|part| running.update(part));
        Digest::new(running.finish().as_ref())
    }

    fn hmac_key(&self, key: &[u8]) -> Box<dyn HmacKey> {
        Box::new(Key(hmac::Key::new(self.hmac, key)))
    }

    fn hmac(&self, key: &[u8], message: &[u8]) -> Digest {
        Digest::new(hmac::sign(&hmac::Key::new(self.hmac, key), message).as_ref())
    }

    fn hkdf_expand(&self, secret: &[u8], info: &[&[u8]], out: &mut [u8]) {
        // The library copies keys for HMAC, of which each has more than a kilobyte. It takes no secret that
        // is longer than its longest digest.
        if secret.len() > digest::MAX_OUTPUT_LEN {
            return hmac_hkdf_expand(&*self.hmac_key(secret), info, out);
        }
        let secret = hkdf::Prk::new_less_safe(self.hkdf, secret);
        let expanded = secret.expand(info, OutputLen(out.len())).and_then(|output| output.fill(out));
        debug_assert!(expanded.is_ok(), "at most 255 digests");
    }

    fn prf(&self, secret: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        Prf { algorithm: self.prf, hmac: self.hmac }.derive(secret, label, seed, out);
    }

    fn prf_key(&self, secret: &[u8]) -> Box<dyn PrfKey> {
        let prf = Prf { algorithm: self.prf, hmac: self.hmac };
        Box::new(PrfSecret { prf, secret: Zeroizing::new(secret.into()) })
    }
}

/// The library's PRF, and what it is made of where the library has none.
struct Prf {
    algorithm: &'static tls_prf::Algorithm,
    hmac: hmac::Algorithm,
}

impl Prf {
    fn derive(&self, secret: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        let derived = tls_prf::Secret::new(self.algorithm, secret).and_then(|secret| match seed {
            [seed] => secret.derive(label, seed, out.len()),
            [first, second] => secret.derive_with_seed_concatination(label, first, second, out.len()),
            _ => secret.derive(label, &seed.concat(), out.len()),
        });
        match derived {
            Ok(derived) => out.copy_from_slice(derived.as_ref()),
            // It takes no empty secret and gives no empty output.
            Err(_) => hmac_prf(&Key(hmac::Key::new(self.hmac, secret)), label, seed, out),
        }
    }
}

/// The library's PRF takes a secret anew each time.
struct PrfSecret {
    prf: Prf,
    secret: Zeroizing<Box<[u8]>>,
}

impl PrfKey for PrfSecret {
    fn derive(&self, label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        self.prf.derive(&self.secret, label, seed, out);
    }
}

/// How many bytes HKDF is to give.
struct OutputLen(usize);

impl hkdf::KeyType for OutputLen {
    fn len(&self) -> usize {
        self.0
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
