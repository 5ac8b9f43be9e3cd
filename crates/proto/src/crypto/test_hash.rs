//! Real hash functions for the unit tests of key schedules.

use alloc::boxed::Box;

use hmac::{Hmac, KeyInit, Mac};
use sha2::digest::{Digest as _, Update};
use sha2::{Sha256, Sha384};

use super::{Digest, Hash, HashAlgorithm, HashContext, HmacKey};

macro_rules! hash {
    ($name:ident, $of:ty, $algorithm:expr) => {
        #[derive(Debug)]
        pub(crate) struct $name;

        impl Hash for $name {
            fn algorithm(&self) -> HashAlgorithm {
                $algorithm
            }

            fn start(&self) -> Box<dyn HashContext> {
                Box::new(<$of>::new())
            }

            fn hmac_key(&self, key: &[u8]) -> Box<dyn HmacKey> {
                Box::new(Hmac::<$of>::new_from_slice(key).expect("any length"))
            }
        }

        impl HashContext for $of {
            fn update(&mut self, data: &[u8]) {
                Update::update(self, data);
            }

            fn current(&self) -> Digest {
                Digest::new(&self.clone().finalize())
            }

            fn fork(&self) -> Box<dyn HashContext> {
                Box::new(self.clone())
            }
        }

        impl HmacKey for Hmac<$of> {
            fn sign(&self, parts: &[&[u8]]) -> Digest {
                let mut mac = self.clone();
                for part in parts {
                    Mac::update(&mut mac, part);
                }
                Digest::new(&mac.finalize().into_bytes())
            }
        }
    };
}

hash!(SHA256, Sha256, HashAlgorithm::Sha256);
hash!(SHA384, Sha384, HashAlgorithm::Sha384);
