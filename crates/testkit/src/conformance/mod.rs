//! What every cryptography provider must do, as checks that run against any of them.
//!
//! Each function panics with what is wrong. The checks know a provider by its
//! [`CryptoProvider`] alone, so one composed from parts of others is checked like any other. They
//! own the known answers; the long lists of Wycheproof are in `tests/wycheproof.rs`.
//!
//! Whatever a provider lacks is not checked: say with [`has`] what it must have.

mod aead;
mod group;
mod hash;
mod key;
mod mask;
mod signature;

use gramseal_proto::crypto::{AeadAlgorithm, CryptoError, CryptoProvider, HashAlgorithm, PublicKey, SecureRandom};
use gramseal_wire::{NamedGroup, SignatureScheme};
use pki_types::{AlgorithmIdentifier, alg_id};

pub use aead::aeads;
pub use group::{finite_field, groups, key_agreement_known_answers};
pub use hash::hashes;
pub use key::keys;
pub use mask::masks;
pub use signature::{SHORT_RSA_SCHEME, certificate_algorithms, short_rsa_signature, signatures};

/// What every signature of the suite is over.
pub const MESSAGE: &[u8] = b"signed elsewhere";

/// Checks that `provider` has these and no others, apart from signatures: of those it must verify
/// every scheme that gramseal knows.
pub fn has(provider: &CryptoProvider, aeads: &[AeadAlgorithm], groups: &[NamedGroup]) {
    let found: Vec<_> = provider.aeads.iter().map(|aead| aead.algorithm()).collect();
    assert_eq!(found, aeads);
    let found: Vec<_> = provider.groups.iter().map(|group| group.name()).collect();
    assert_eq!(found, groups);
    let found: Vec<_> = provider.hashes.iter().map(|hash| hash.algorithm()).collect();
    assert_eq!(found, [HashAlgorithm::Sha256, HashAlgorithm::Sha384]);
    let found: Vec<_> = provider.verifiers.iter().map(|verifier| verifier.scheme).collect();
    assert_eq!(found, SCHEMES);
}

/// Every signature scheme, in the order of preference.
const SCHEMES: [SignatureScheme; 10] = [
    SignatureScheme::ECDSA_SECP256R1_SHA256,
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_SECP384R1_SHA384,
    SignatureScheme::ECDSA_SECP521R1_SHA512,
    SignatureScheme::RSA_PSS_RSAE_SHA256,
    SignatureScheme::RSA_PSS_RSAE_SHA384,
    SignatureScheme::RSA_PSS_RSAE_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// The bytes that `text`, hexadecimal digits and white space, stands for.
#[must_use]
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("two digits make a byte")).collect()
}

/// Splits a `SubjectPublicKeyInfo` of a known kind of key as the reader of certificates does.
///
/// # Panics
/// If the kind of key is none that gramseal uses.
#[must_use]
pub fn public_key(info: &[u8]) -> PublicKey {
    let ids = [alg_id::RSA_ENCRYPTION, alg_id::ECDSA_P256, alg_id::ECDSA_P384, alg_id::ECDSA_P521, alg_id::ED25519];
    let find = |id: &AlgorithmIdentifier| {
        let at = info.windows(id.len()).position(|window| window == id.as_ref())?;
        Some((id.to_vec(), at + id.len()))
    };
    let (algorithm, end) = ids.iter().find_map(find).expect("a known kind of key");
    let header_len = match info[end + 1] {
        0x82 => 4,
        0x81 => 3,
        _ => 2,
    };
    PublicKey::new(algorithm, info[end + header_len + 1..].to_vec())
}

/// A random source that says the same bytes over and over: for private keys that must be known.
#[derive(Debug)]
pub struct FixedRandom(Vec<u8>);

impl FixedRandom {
    /// Each request gets `bytes`, repeated as often as it takes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl SecureRandom for FixedRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        for (to, from) in out.iter_mut().zip(self.0.iter().cycle()) {
            *to = *from;
        }
        Ok(())
    }
}
