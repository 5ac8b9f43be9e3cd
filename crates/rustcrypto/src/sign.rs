//! Private keys in memory: reading them, signing with them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use ecdsa::hazmat::sign_prehashed_rfc6979;
use ed25519_dalek::Signer as _;
use gramseal_proto::crypto::{CryptoError, Deferrable, KeyLoader, KeyRejected, SecureRandom, SigningKey};
use gramseal_wire::SignatureScheme;
use p256::elliptic_curve;
use pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use rsa::pkcs1::RsaPrivateKeyRef;
use rsa::pkcs8::spki::EncodePublicKey;
use rsa::pkcs8::{AssociatedOid, ObjectIdentifier, PrivateKeyInfoRef};
use sec1::EcPrivateKey;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use crate::random::{Source, fill_secret};
use crate::verify::MIN_RSA_BITS;

/// Reads RSA keys of 2048 to 8192 bits, ECDSA keys on P-256, P-384 and P-521, and Ed25519 keys, in
/// PKCS#8 form and the first two also in their own (PKCS#1, SEC1).
pub static KEY_LOADER: &dyn KeyLoader = &Loader;

#[derive(Debug)]
struct Loader;

impl KeyLoader for Loader {
    fn load(&self, key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, KeyRejected> {
        match key {
            PrivateKeyDer::Pkcs8(key) => load_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => load_rsa(key.secret_pkcs1_der()),
            PrivateKeyDer::Sec1(key) => load_sec1(key.secret_sec1_der()),
            _ => Err(KeyRejected::BadEncoding),
        }
    }
}

fn load_pkcs8(key: &[u8]) -> Result<Arc<dyn SigningKey>, KeyRejected> {
    let info = PrivateKeyInfoRef::try_from(key).map_err(bad)?;
    match info.algorithm.oid {
        rsa::pkcs1::ALGORITHM_OID => load_rsa(info.private_key.as_bytes()),
        ed25519_dalek::pkcs8::ALGORITHM_OID => {
            let key = ed25519_dalek::SigningKey::try_from(info).map_err(bad)?;
            let public = key.verifying_key();
            Key::boxed(key, &[SignatureScheme::ED25519], &public)
        }
        elliptic_curve::ALGORITHM_OID => {
            // Curves without a name come with parameters that are none.
            let curve = info.algorithm.parameters_oid().map_err(|_| KeyRejected::Unsupported)?;
            let key = EcPrivateKey::try_from(info.private_key.as_bytes()).map_err(bad)?;
            load_ecdsa(curve, key)
        }
        _ => Err(KeyRejected::Unsupported),
    }
}

fn load_sec1(key: &[u8]) -> Result<Arc<dyn SigningKey>, KeyRejected> {
    let key = EcPrivateKey::try_from(key).map_err(bad)?;
    let named = key.parameters.as_ref().and_then(|parameters| parameters.named_curve());
    // RFC 5915 §3 gives the number the length of the curve's order.
    let curve = named.or(match key.private_key.len() {
        32 => Some(p256::NistP256::OID),
        48 => Some(p384::NistP384::OID),
        66 => Some(p521::NistP521::OID),
        _ => None,
    });
    load_ecdsa(curve.ok_or(KeyRejected::Unsupported)?, key)
}

/// Each curve signs with one hash only, as 1.3 wants it.
fn load_ecdsa(curve: ObjectIdentifier, key: EcPrivateKey<'_>) -> Result<Arc<dyn SigningKey>, KeyRejected> {
    match curve {
        p256::NistP256::OID => {
            let key = p256::SecretKey::try_from(key).map_err(bad)?;
            let public = key.public_key();
            Key::boxed(key, &[SignatureScheme::ECDSA_SECP256R1_SHA256], &public)
        }
        p384::NistP384::OID => {
            let key = p384::SecretKey::try_from(key).map_err(bad)?;
            let public = key.public_key();
            Key::boxed(key, &[SignatureScheme::ECDSA_SECP384R1_SHA384], &public)
        }
        p521::NistP521::OID => {
            let key = p521::SecretKey::try_from(key).map_err(bad)?;
            let public = key.public_key();
            Key::boxed(key, &[SignatureScheme::ECDSA_SECP521R1_SHA512], &public)
        }
        _ => Err(KeyRejected::Unsupported),
    }
}

/// What RSA keys sign with: PSS before PKCS#1.
static RSA_SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_RSAE_SHA256,
    SignatureScheme::RSA_PSS_RSAE_SHA384,
    SignatureScheme::RSA_PSS_RSAE_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// The largest RSA modulus, in bits.
const MAX_RSA_BITS: u32 = 8192;

fn load_rsa(key: &[u8]) -> Result<Arc<dyn SigningKey>, KeyRejected> {
    let numbers = RsaPrivateKeyRef::try_from(key).map_err(bad)?;
    match bits(numbers.modulus.as_bytes()) {
        ..MIN_RSA_BITS => return Err(KeyRejected::TooSmall),
        MIN_RSA_BITS..=MAX_RSA_BITS => {}
        _ => return Err(KeyRejected::Unsupported),
    }
    let key = rsa::PrivateKey::try_from(numbers).map_err(bad)?;
    let public = key.to_public_key();
    Key::boxed(key, RSA_SCHEMES, &public)
}

/// Bits in a big-endian number.
fn bits(number: &[u8]) -> u32 {
    let number = crate::group::without_leading_zeros(number);
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    u32::try_from(number.len() * 8).map_or(u32::MAX, |bits| bits - unused)
}

fn bad<E>(_: E) -> KeyRejected {
    KeyRejected::BadEncoding
}

/// A parsed private key. The libraries' types wipe themselves when dropped.
struct Key<S> {
    secret: S,
    schemes: &'static [SignatureScheme],
    public: SubjectPublicKeyInfoDer<'static>,
}

impl<S: Secret + 'static> Key<S> {
    fn boxed(
        secret: S,
        schemes: &'static [SignatureScheme],
        public: &impl EncodePublicKey,
    ) -> Result<Arc<dyn SigningKey>, KeyRejected> {
        let public = public.to_public_key_der().map_err(bad)?.into_vec().into();
        Ok(Arc::new(Self { secret, schemes, public }))
    }
}

impl<S: Secret> SigningKey for Key<S> {
    fn schemes(&self) -> &[SignatureScheme] {
        self.schemes
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        random: &dyn SecureRandom,
    ) -> Deferrable<Result<Vec<u8>, CryptoError>> {
        Deferrable::Now(match self.schemes.contains(&scheme) {
            true => self.secret.sign(scheme, message, random),
            false => Err(CryptoError::new()),
        })
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.public.as_ref()))
    }
}

impl<S> fmt::Debug for Key<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("schemes", &self.schemes).finish_non_exhaustive()
    }
}

/// What signs; the scheme was checked to be one of the key's.
trait Secret: Send + Sync {
    fn sign(&self, scheme: SignatureScheme, message: &[u8], random: &dyn SecureRandom) -> Result<Vec<u8>, CryptoError>;
}

impl Secret for rsa::PrivateKey {
    /// Base, exponents and moduli are blinded with numbers of the caller's source.
    fn sign(&self, scheme: SignatureScheme, message: &[u8], random: &dyn SecureRandom) -> Result<Vec<u8>, CryptoError> {
        let source = &mut Source(random);
        let signature = match scheme {
            SignatureScheme::RSA_PSS_RSAE_SHA256 => self.pss_sign_with_rng::<Sha256, _>(source, message),
            SignatureScheme::RSA_PSS_RSAE_SHA384 => self.pss_sign_with_rng::<Sha384, _>(source, message),
            SignatureScheme::RSA_PSS_RSAE_SHA512 => self.pss_sign_with_rng::<Sha512, _>(source, message),
            SignatureScheme::RSA_PKCS1_SHA256 => self.pkcs1v15_sign_with_rng::<Sha256, _>(source, message),
            SignatureScheme::RSA_PKCS1_SHA384 => self.pkcs1v15_sign_with_rng::<Sha384, _>(source, message),
            SignatureScheme::RSA_PKCS1_SHA512 => self.pkcs1v15_sign_with_rng::<Sha512, _>(source, message),
            _ => return Err(CryptoError::new()),
        };
        signature.map_err(|_| CryptoError::new())
    }
}

impl Secret for ed25519_dalek::SigningKey {
    fn sign(&self, _: SignatureScheme, message: &[u8], _: &dyn SecureRandom) -> Result<Vec<u8>, CryptoError> {
        self.try_sign(message).map(|signature| signature.to_vec()).map_err(|_| CryptoError::new())
    }
}

/// Bytes of randomness that go into the nonce of an ECDSA signature.
const NONCE_RANDOM_LEN: usize = 32;

macro_rules! ecdsa {
    ($curve:ident, $name:ident, $hash:ident) => {
        impl Secret for $curve::SecretKey {
            /// The nonce is that of RFC 6979 §3.6: it depends on the key and the message, so that a
            /// bad random source cannot give the key away, and on fresh bytes, so that faults and
            /// side channels cannot be averaged over equal runs.
            fn sign(
                &self,
                _: SignatureScheme,
                message: &[u8],
                random: &dyn SecureRandom,
            ) -> Result<Vec<u8>, CryptoError> {
                let mut fresh = Zeroizing::new([0; NONCE_RANDOM_LEN]);
                fill_secret(random, fresh.as_mut())?;
                let secret = Zeroizing::new(self.to_nonzero_scalar());
                let digest = $hash::digest(message);
                let (signature, _) = sign_prehashed_rfc6979::<$curve::$name, $hash>(&secret, &digest, fresh.as_ref());
                Ok(signature.to_der().as_bytes().to_vec())
            }
        }
    };
}

ecdsa!(p256, NistP256, Sha256);
ecdsa!(p384, NistP384, Sha384);
ecdsa!(p521, NistP521, Sha512);
