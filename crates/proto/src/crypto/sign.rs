//! Signatures: private keys of ours, public keys of peers.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use gramseal_wire::SignatureScheme;
use pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};

use super::{CryptoError, Deferrable, SecureRandom};

/// The families of signature keys; a 1.2 suite names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// RSA (`rsaEncryption`).
    Rsa,
    /// ECDSA; suites also file EdDSA here (RFC 8422 §5.10).
    Ecdsa,
}

impl KeyKind {
    /// The family whose keys make signatures of `scheme`; `None` for schemes gramseal does not use.
    #[must_use]
    pub fn of(scheme: SignatureScheme) -> Option<Self> {
        match scheme {
            SignatureScheme::RSA_PKCS1_SHA256
            | SignatureScheme::RSA_PKCS1_SHA384
            | SignatureScheme::RSA_PKCS1_SHA512
            | SignatureScheme::RSA_PSS_RSAE_SHA256
            | SignatureScheme::RSA_PSS_RSAE_SHA384
            | SignatureScheme::RSA_PSS_RSAE_SHA512 => Some(Self::Rsa),
            SignatureScheme::ECDSA_SECP256R1_SHA256
            | SignatureScheme::ECDSA_SECP384R1_SHA384
            | SignatureScheme::ECDSA_SECP521R1_SHA512
            | SignatureScheme::ED25519 => Some(Self::Ecdsa),
            _ => None,
        }
    }
}

/// Whether 1.3 signs handshakes with `scheme` (RFC 9846 §4.3.3: PKCS#1 is for certificates alone).
pub(crate) fn signs13(scheme: SignatureScheme) -> bool {
    let pkcs1 = matches!(
        scheme,
        SignatureScheme::RSA_PKCS1_SHA256 | SignatureScheme::RSA_PKCS1_SHA384 | SignatureScheme::RSA_PKCS1_SHA512
    );
    !pkcs1 && KeyKind::of(scheme).is_some()
}

/// A private key of ours: in memory, or a handle to one kept elsewhere.
pub trait SigningKey: Send + Sync + fmt::Debug {
    /// The schemes it can sign with, most preferred first.
    fn schemes(&self) -> &[SignatureScheme];

    /// Signs `message`, hashing it as `scheme` says. A key that lies elsewhere may answer later: the
    /// handshake waits.
    ///
    /// # Errors
    /// If `scheme` is not one of [`Self::schemes`] or the key is out of reach.
    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        random: &dyn SecureRandom,
    ) -> Deferrable<Result<Vec<u8>, CryptoError>>;

    /// The public half, DER-encoded; `None` if it is not known.
    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>>;
}

/// A private key could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyRejected {
    /// Not a private key in PKCS#8, PKCS#1 or SEC1 form, or a damaged one.
    BadEncoding,
    /// A kind of key, or a curve, that this provider does not sign with.
    Unsupported,
    /// An RSA key of fewer than 2048 bits.
    TooSmall,
}

impl fmt::Display for KeyRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadEncoding => "the private key is damaged or in an unknown form",
            Self::Unsupported => "the private key is of a kind that cannot be used",
            Self::TooSmall => "the RSA key has fewer than 2048 bits",
        })
    }
}

impl core::error::Error for KeyRejected {}

/// Reads private keys.
pub trait KeyLoader: Send + Sync + fmt::Debug {
    /// Parses `key` once, for many signatures.
    ///
    /// # Errors
    /// [`KeyRejected`] says what is wrong with it.
    fn load(&self, key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, KeyRejected>;
}

/// A peer's public key, split as signature verification wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Vec<u8>,
    key: Vec<u8>,
}

impl PublicKey {
    /// From the two fields of a `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7): the content of the
    /// `AlgorithmIdentifier` SEQUENCE without its own tag and length, and the content of the
    /// BIT STRING without the count of unused bits.
    #[must_use]
    pub fn new(algorithm: Vec<u8>, key: Vec<u8>) -> Self {
        Self { algorithm, key }
    }

    /// Content of the `AlgorithmIdentifier`.
    #[must_use]
    pub fn algorithm(&self) -> &[u8] {
        &self.algorithm
    }

    /// The key itself.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}
