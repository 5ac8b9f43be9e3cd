//! The provider: everything the protocol needs from cryptography, as one value.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use gramseal_wire::{NamedGroup, SignatureScheme};
use pki_types::SignatureVerificationAlgorithm;
use zeroize::Zeroizing;

use super::{Aead, AeadAlgorithm, CryptoError, FiniteFieldDh, Hash, HashAlgorithm, KeyLoader, KxGroup, PublicKey};

/// A source of random bytes fit for keys.
pub trait SecureRandom: Send + Sync + fmt::Debug {
    /// Fills `out`.
    ///
    /// # Errors
    /// If the source fails; the operation that asked fails with it.
    fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError>;
}

/// How signatures of one scheme are verified.
///
/// In 1.2 a scheme names the hash only, so an ECDSA scheme lists an algorithm per curve; the first
/// is the one whose curve the scheme's name means, and the only one that 1.3 allows
/// (RFC 9846 §4.3.3).
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "providers outside this crate make these values")]
pub struct SchemeVerifier {
    /// The scheme on the wire.
    pub scheme: SignatureScheme,
    /// What verifies it, for each kind of public key that may go with it.
    pub algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
}

/// Cryptography for the protocol. The record half is `aeads`; the rest is the handshake half.
///
/// Order is preference where there is a choice (`groups`, `verifiers`).
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "providers are composed by naming every part")]
pub struct CryptoProvider {
    /// Record protection.
    pub aeads: Vec<&'static dyn Aead>,
    /// Hash functions with HMAC.
    pub hashes: Vec<&'static dyn Hash>,
    /// Key agreement.
    pub groups: Vec<&'static dyn KxGroup>,
    /// Finite-field exchange with parameters of the peer's, for the legacy suites of 1.2.
    pub finite_field: Option<&'static dyn FiniteFieldDh>,
    /// Signature verification.
    pub verifiers: Vec<SchemeVerifier>,
    /// Private keys.
    pub keys: &'static dyn KeyLoader,
    /// Randomness.
    pub random: Arc<dyn SecureRandom>,
}

impl CryptoProvider {
    /// The AEAD of this name, if the provider has it.
    #[must_use]
    pub fn aead(&self, algorithm: AeadAlgorithm) -> Option<&'static dyn Aead> {
        self.aeads.iter().copied().find(|aead| aead.algorithm() == algorithm)
    }

    /// The hash function of this name, if the provider has it.
    #[must_use]
    pub fn hash(&self, algorithm: HashAlgorithm) -> Option<&'static dyn Hash> {
        self.hashes.iter().copied().find(|hash| hash.algorithm() == algorithm)
    }

    /// The group of this name, if the provider has it.
    #[must_use]
    pub fn group(&self, name: NamedGroup) -> Option<&'static dyn KxGroup> {
        self.groups.iter().copied().find(|group| group.name() == name)
    }

    /// Fresh random bytes.
    ///
    /// # Errors
    /// If the source fails.
    pub fn random_array<const N: usize>(&self) -> Result<[u8; N], CryptoError> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Fresh random bytes that nobody else may know: filled in where they are wiped.
    pub(crate) fn random_secret<const N: usize>(&self) -> Result<Zeroizing<[u8; N]>, CryptoError> {
        let mut bytes = Zeroizing::new([0; N]);
        self.random.fill(&mut *bytes)?;
        Ok(bytes)
    }

    /// Verifies a signature of DTLS 1.2, where the scheme does not bind the curve.
    ///
    /// # Errors
    /// If the scheme is unknown, does not go with `key`, or the signature is wrong.
    pub fn verify12(
        &self,
        scheme: SignatureScheme,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        let verifier = self.verifiers.iter().find(|v| v.scheme == scheme).ok_or(CryptoError)?;
        let algorithm = verifier
            .algorithms
            .iter()
            .find(|algorithm| algorithm.public_key_alg_id().as_ref() == key.algorithm())
            .ok_or(CryptoError)?;
        algorithm.verify_signature(key.key(), message, signature).map_err(|_| CryptoError)
    }

    /// Verifies a signature of DTLS 1.3, where an ECDSA scheme is for the curve in its name alone
    /// (RFC 9846 §4.3.3).
    ///
    /// # Errors
    /// If the scheme is unknown, does not go with `key`, or the signature is wrong.
    pub fn verify13(
        &self,
        scheme: SignatureScheme,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        let verifier = self.verifiers.iter().find(|v| v.scheme == scheme).ok_or(CryptoError)?;
        let algorithm = verifier.algorithms.first().ok_or(CryptoError)?;
        if algorithm.public_key_alg_id().as_ref() != key.algorithm() {
            return Err(CryptoError);
        }
        algorithm.verify_signature(key.key(), message, signature).map_err(|_| CryptoError)
    }
}
