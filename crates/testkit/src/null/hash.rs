//! Stand-ins for SHA-256, SHA-384 and HMAC.

use gramseal_proto::crypto::{Digest, Hash, HashAlgorithm, HashContext, HmacKey};

use super::mix::Mixer;

pub(super) static ALL: &[&dyn Hash] = &[&NullHash(HashAlgorithm::Sha256), &NullHash(HashAlgorithm::Sha384)];

/// Takes a hash function's place: same lengths, none of its strength.
#[derive(Debug, Clone, Copy)]
pub struct NullHash(HashAlgorithm);

impl NullHash {
    /// The stand-in for `algorithm`.
    #[must_use]
    pub const fn new(algorithm: HashAlgorithm) -> Self {
        Self(algorithm)
    }
}

impl Hash for NullHash {
    fn algorithm(&self) -> HashAlgorithm {
        self.0
    }

    fn start(&self) -> Box<dyn HashContext> {
        Box::new(Running { mixer: Mixer::new(0x1000 + self.0 as u64), len: self.0.output_len() })
    }

    fn hmac_key(&self, key: &[u8]) -> Box<dyn HmacKey> {
        let mut mixer = Mixer::new(0x2000 + self.0 as u64);
        mixer.part(key);
        Box::new(Running { mixer, len: self.0.output_len() })
    }
}

struct Running {
    mixer: Mixer,
    len: usize,
}

impl Running {
    fn digest(&self) -> Digest {
        let mut bytes = [0; Digest::MAX_LEN];
        self.mixer.fill(&mut bytes[..self.len]);
        Digest::new(&bytes[..self.len])
    }
}

impl HashContext for Running {
    fn update(&mut self, data: &[u8]) {
        self.mixer.update(data);
    }

    fn current(&self) -> Digest {
        self.digest()
    }

    fn fork(&self) -> Box<dyn HashContext> {
        Box::new(Self { mixer: self.mixer.clone(), len: self.len })
    }
}

impl HmacKey for Running {
    fn sign(&self, parts: &[&[u8]]) -> Digest {
        let mut keyed = Self { mixer: self.mixer.clone(), len: self.len };
        for part in parts {
            keyed.mixer.update(part);
        }
        keyed.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_have_their_length_and_depend_on_key_and_message() {
        for hash in ALL {
            let mut context = hash.start();
            context.update(b"abc");
            let abc = context.current();
            assert_eq!(abc.as_ref().len(), hash.algorithm().output_len());
            let mut fork = context.fork();
            fork.update(b"d");
            assert_ne!(fork.current().as_ref(), abc.as_ref());
            assert_eq!(context.current().as_ref(), abc.as_ref());

            let mac = hash.hmac_key(b"key").sign(&[b"ab", b"c"]);
            assert_eq!(mac.as_ref(), hash.hmac_key(b"key").sign(&[b"abc"]).as_ref());
            assert_ne!(mac.as_ref(), hash.hmac_key(b"kez").sign(&[b"abc"]).as_ref());
            assert_ne!(mac.as_ref(), abc.as_ref());
        }
        assert_ne!(&ALL[0].start().current().as_ref()[..32], &ALL[1].start().current().as_ref()[..32]);
    }
}
