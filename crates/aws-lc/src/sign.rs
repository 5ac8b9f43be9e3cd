//! Private keys in memory: reading them, signing with them.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair,
};
use gramseal_proto::crypto::{CryptoError, Deferrable, KeyLoader, KeyRejected, SecureRandom, SigningKey};
use gramseal_wire::SignatureScheme;
use pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer, alg_id};

use crate::der;

/// Reads RSA keys of 2048 to 8192 bits, ECDSA keys on P-256, P-384 and P-521, and Ed25519 keys, in
/// PKCS#8 form and the first two also in their own (PKCS#1, SEC1).
pub static KEY_LOADER: &dyn KeyLoader = &Loader;

#[derive(Debug)]
struct Loader;

impl KeyLoader for Loader {
    fn load(&self, key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, KeyRejected> {
        match key {
            PrivateKeyDer::Pkcs8(key) => load_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => Key::rsa(RsaKeyPair::from_der(key.secret_pkcs1_der()).map_err(reason)?),
            PrivateKeyDer::Sec1(key) => load_sec1(key.secret_sec1_der()),
            _ => Err(KeyRejected::BadEncoding),
        }
    }
}

fn load_pkcs8(key: &[u8]) -> Result<Arc<dyn SigningKey>, KeyRejected> {
    let algorithm = der::pkcs8_algorithm(key).ok_or(KeyRejected::BadEncoding)?;
    if algorithm == alg_id::RSA_ENCRYPTION.as_ref() {
        Key::rsa(RsaKeyPair::from_pkcs8(key).map_err(reason)?)
    } else if algorithm == alg_id::ED25519.as_ref() {
        // Version 1 files, which OpenSSL writes, hold no public key to check against.
        Key::ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(key).map_err(reason)?)
    } else {
        let curve = CURVES.iter().find(|curve| algorithm == curve.key.as_ref()).ok_or(KeyRejected::Unsupported)?;
        Key::ecdsa(curve, EcdsaKeyPair::from_pkcs8(curve.algorithm, key).map_err(reason)?)
    }
}

fn load_sec1(key: &[u8]) -> Result<Arc<dyn SigningKey>, KeyRejected> {
    let (field_len, name) = der::sec1_curve(key).ok_or(KeyRejected::BadEncoding)?;
    let is_it = |curve: &&Curve| curve.field_len == field_len && name.is_none_or(|name| curve.key.ends_with(name));
    let curve = CURVES.iter().find(is_it).ok_or(KeyRejected::Unsupported)?;
    Key::ecdsa(curve, EcdsaKeyPair::from_private_key_der(curve.algorithm, key).map_err(reason)?)
}

/// The library says what it disliked as text only.
fn reason(rejected: error::KeyRejected) -> KeyRejected {
    match rejected.description_() {
        "TooSmall" => KeyRejected::TooSmall,
        "TooLarge" | "WrongAlgorithm" => KeyRejected::Unsupported,
        _ => KeyRejected::BadEncoding,
    }
}

/// A curve that ECDSA keys may be on. Each signs with one hash only: the library offers no other,
/// and 1.3 allows no other.
struct Curve {
    key: pki_types::AlgorithmIdentifier,
    /// Bytes in a private key.
    field_len: usize,
    algorithm: &'static EcdsaSigningAlgorithm,
    schemes: &'static [SignatureScheme],
}

static CURVES: [Curve; 3] = [
    Curve {
        key: alg_id::ECDSA_P256,
        field_len: 32,
        algorithm: &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
        schemes: &[SignatureScheme::ECDSA_SECP256R1_SHA256],
    },
    Curve {
        key: alg_id::ECDSA_P384,
        field_len: 48,
        algorithm: &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
        schemes: &[SignatureScheme::ECDSA_SECP384R1_SHA384],
    },
    Curve {
        key: alg_id::ECDSA_P521,
        field_len: 66,
        algorithm: &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
        schemes: &[SignatureScheme::ECDSA_SECP521R1_SHA512],
    },
];

/// What RSA keys sign with: PSS before PKCS#1.
static RSA_SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_RSAE_SHA256,
    SignatureScheme::RSA_PSS_RSAE_SHA384,
    SignatureScheme::RSA_PSS_RSAE_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// A parsed private key.
struct Key {
    secret: Secret,
    schemes: &'static [SignatureScheme],
    public: SubjectPublicKeyInfoDer<'static>,
}

enum Secret {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    fn rsa(pair: RsaKeyPair) -> Result<Arc<dyn SigningKey>, KeyRejected> {
        let public = pair.public_key().as_der();
        Self::finish(Secret::Rsa(pair), RSA_SCHEMES, public)
    }

    fn ecdsa(curve: &Curve, pair: EcdsaKeyPair) -> Result<Arc<dyn SigningKey>, KeyRejected> {
        let public = pair.public_key().as_der();
        Self::finish(Secret::Ecdsa(pair), curve.schemes, public)
    }

    fn ed25519(pair: Ed25519KeyPair) -> Result<Arc<dyn SigningKey>, KeyRejected> {
        let public = pair.public_key().as_der();
        Self::finish(Secret::Ed25519(pair), &[SignatureScheme::ED25519], public)
    }

    fn finish(
        secret: Secret,
        schemes: &'static [SignatureScheme],
        public: Result<PublicKeyX509Der<'static>, error::Unspecified>,
    ) -> Result<Arc<dyn SigningKey>, KeyRejected> {
        let public = public.map_err(|_| KeyRejected::BadEncoding)?;
        let public = SubjectPublicKeyInfoDer::from(public.as_ref().to_vec());
        Ok(Arc::new(Self { secret, schemes, public }))
    }
}

impl Key {
    fn sign_now(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        if !self.schemes.contains(&scheme) {
            return Err(CryptoError::new());
        }
        let signature = match &self.secret {
            Secret::Rsa(pair) => return sign_rsa(pair, scheme, message),
            Secret::Ecdsa(pair) => pair.sign(&SystemRandom::new(), message),
            Secret::Ed25519(pair) => pair.try_sign(message),
        };
        signature.map(|signature| signature.as_ref().to_vec()).map_err(|_| CryptoError::new())
    }
}

impl SigningKey for Key {
    fn schemes(&self) -> &[SignatureScheme] {
        self.schemes
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        _random: &dyn SecureRandom,
    ) -> Deferrable<Result<Vec<u8>, CryptoError>> {
        self.sign_now(scheme, message).into()
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.public.as_ref()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("schemes", &self.schemes).finish_non_exhaustive()
    }
}

fn sign_rsa(pair: &RsaKeyPair, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let encoding: &'static dyn RsaEncoding = match scheme {
        SignatureScheme::RSA_PSS_RSAE_SHA256 => &signature::RSA_PSS_SHA256,
        SignatureScheme::RSA_PSS_RSAE_SHA384 => &signature::RSA_PSS_SHA384,
        SignatureScheme::RSA_PSS_RSAE_SHA512 => &signature::RSA_PSS_SHA512,
        SignatureScheme::RSA_PKCS1_SHA256 => &signature::RSA_PKCS1_SHA256,
        SignatureScheme::RSA_PKCS1_SHA384 => &signature::RSA_PKCS1_SHA384,
        SignatureScheme::RSA_PKCS1_SHA512 => &signature::RSA_PKCS1_SHA512,
        _ => return Err(CryptoError::new()),
    };
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), message, &mut signature).map_err(|_| CryptoError::new())?;
    Ok(signature)
}
