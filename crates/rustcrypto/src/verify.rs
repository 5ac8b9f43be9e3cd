//! Verification of signatures: which key, hash and encoding each scheme means.

use core::fmt;

use ecdsa::hazmat::verify_prehashed;
use gramseal_proto::crypto::SchemeVerifier;
use gramseal_wire::SignatureScheme;
use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// How signatures in handshakes are verified; the order is that of our preference.
///
/// In 1.2 an ECDSA scheme names the hash only, so each lists all curves, that of its name first.
pub static SCHEME_VERIFIERS: &[SchemeVerifier] = &[
    SchemeVerifier {
        scheme: SignatureScheme::ECDSA_SECP256R1_SHA256,
        algorithms: &[ECDSA_P256_SHA256, ECDSA_P384_SHA256, ECDSA_P521_SHA256],
    },
    SchemeVerifier { scheme: SignatureScheme::ED25519, algorithms: &[ED25519] },
    SchemeVerifier {
        scheme: SignatureScheme::ECDSA_SECP384R1_SHA384,
        algorithms: &[ECDSA_P384_SHA384, ECDSA_P256_SHA384, ECDSA_P521_SHA384],
    },
    SchemeVerifier {
        scheme: SignatureScheme::ECDSA_SECP521R1_SHA512,
        algorithms: &[ECDSA_P521_SHA512, ECDSA_P256_SHA512, ECDSA_P384_SHA512],
    },
    SchemeVerifier { scheme: SignatureScheme::RSA_PSS_RSAE_SHA256, algorithms: &[RSA_PSS_SHA256] },
    SchemeVerifier { scheme: SignatureScheme::RSA_PSS_RSAE_SHA384, algorithms: &[RSA_PSS_SHA384] },
    SchemeVerifier { scheme: SignatureScheme::RSA_PSS_RSAE_SHA512, algorithms: &[RSA_PSS_SHA512] },
    SchemeVerifier { scheme: SignatureScheme::RSA_PKCS1_SHA256, algorithms: &[RSA_PKCS1_SHA256] },
    SchemeVerifier { scheme: SignatureScheme::RSA_PKCS1_SHA384, algorithms: &[RSA_PKCS1_SHA384] },
    SchemeVerifier { scheme: SignatureScheme::RSA_PKCS1_SHA512, algorithms: &[RSA_PKCS1_SHA512] },
];

/// How signatures in certificates are verified: all of the above, and RSA signatures whose
/// identifier lacks the NULL that belongs there (RFC 4055 §2.1 wants both forms accepted).
pub static ALL_VERIFICATION_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    ECDSA_P256_SHA256,
    ECDSA_P256_SHA384,
    ECDSA_P256_SHA512,
    ECDSA_P384_SHA256,
    ECDSA_P384_SHA384,
    ECDSA_P384_SHA512,
    ECDSA_P521_SHA256,
    ECDSA_P521_SHA384,
    ECDSA_P521_SHA512,
    ED25519,
    RSA_PSS_SHA256,
    RSA_PSS_SHA384,
    RSA_PSS_SHA512,
    RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512,
    RSA_PSS_SHA256_ABSENT_PARAMS,
    RSA_PSS_SHA384_ABSENT_PARAMS,
    RSA_PSS_SHA512_ABSENT_PARAMS,
    RSA_PKCS1_SHA256_ABSENT_PARAMS,
    RSA_PKCS1_SHA384_ABSENT_PARAMS,
    RSA_PKCS1_SHA512_ABSENT_PARAMS,
];

/// Checks a signature: public key as it stands in a `SubjectPublicKeyInfo`, message, signature.
type Verify = fn(&[u8], &[u8], &[u8]) -> Result<(), InvalidSignature>;

/// One way to verify: a kind of key, and what its signatures are called.
struct Algorithm {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    verify: Verify,
}

impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Algorithm").field("key", &self.key).field("signature", &self.signature).finish_non_exhaustive()
    }
}

impl SignatureVerificationAlgorithm for Algorithm {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        (self.verify)(public_key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

/// First bytes of the points that a certificate may hold: compressed in two ways, and as they are
/// (RFC 5480 §2.2).
const POINT_FORMATS: [u8; 3] = [2, 3, 4];

macro_rules! ecdsa {
    ($curve:ident) => {
        /// ECDSA on this curve over a digest of any length: unlike the library's usual entrance,
        /// which refuses SHA-256 on P-521, as 1.2 needs it.
        fn $curve(public_key: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
            if !public_key.first().is_some_and(|first| POINT_FORMATS.contains(first)) {
                return Err(InvalidSignature);
            }
            let key = $curve::PublicKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
            let signature = $curve::ecdsa::Signature::from_der(signature).map_err(|_| InvalidSignature)?;
            verify_prehashed(&key.to_projective(), digest, &signature).map_err(|_| InvalidSignature)
        }
    };
}

ecdsa!(p256);
ecdsa!(p384);
ecdsa!(p521);

/// Ed25519 as RFC 8032 §5.1.7 has it, without the cofactor.
fn ed25519(public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
    let public_key = public_key.try_into().map_err(|_| InvalidSignature)?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(public_key).map_err(|_| InvalidSignature)?;
    let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| InvalidSignature)?;
    ed25519_dalek::Verifier::verify(&key, message, &signature).map_err(|_| InvalidSignature)
}

/// The smallest RSA modulus that is accepted, in bits (BCP 195).
pub(crate) const MIN_RSA_BITS: u32 = 2048;

/// Reads a public key of 2048 to 8192 bits; the upper bound is the library's.
fn rsa_key(public_key: &[u8]) -> Result<rsa::PublicKey, InvalidSignature> {
    let key = rsa::PublicKey::from_pkcs1_der(public_key).map_err(|_| InvalidSignature)?;
    if key.n().bit_width_vartime() < MIN_RSA_BITS {
        return Err(InvalidSignature);
    }
    Ok(key)
}

/// RSASSA-PSS with a salt as long as the digest (RFC 9846 §4.3.3).
fn pss<D: Digest + sha2::digest::FixedOutputReset>(
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), InvalidSignature> {
    rsa_key(public_key)?.pss_verify::<D>(message, signature).map_err(|_| InvalidSignature)
}

/// RSASSA-PKCS1-v1_5.
fn pkcs1<D: Digest + rsa::pkcs8::AssociatedOid>(
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), InvalidSignature> {
    rsa_key(public_key)?.pkcs1v15_verify::<D>(message, signature).map_err(|_| InvalidSignature)
}

macro_rules! algorithms {
    ($($name:ident = $key:expr, $signature:expr, $verify:expr;)*) => {$(
        static $name: &dyn SignatureVerificationAlgorithm =
            &Algorithm { key: $key, signature: $signature, verify: $verify };
    )*};
}

algorithms! {
    ECDSA_P256_SHA256 = alg_id::ECDSA_P256, alg_id::ECDSA_SHA256, |key, message, signature| p256(key, &Sha256::digest(message), signature);
    ECDSA_P256_SHA384 = alg_id::ECDSA_P256, alg_id::ECDSA_SHA384, |key, message, signature| p256(key, &Sha384::digest(message), signature);
    ECDSA_P256_SHA512 = alg_id::ECDSA_P256, alg_id::ECDSA_SHA512, |key, message, signature| p256(key, &Sha512::digest(message), signature);
    ECDSA_P384_SHA256 = alg_id::ECDSA_P384, alg_id::ECDSA_SHA256, |key, message, signature| p384(key, &Sha256::digest(message), signature);
    ECDSA_P384_SHA384 = alg_id::ECDSA_P384, alg_id::ECDSA_SHA384, |key, message, signature| p384(key, &Sha384::digest(message), signature);
    ECDSA_P384_SHA512 = alg_id::ECDSA_P384, alg_id::ECDSA_SHA512, |key, message, signature| p384(key, &Sha512::digest(message), signature);
    ECDSA_P521_SHA256 = alg_id::ECDSA_P521, alg_id::ECDSA_SHA256, |key, message, signature| p521(key, &Sha256::digest(message), signature);
    ECDSA_P521_SHA384 = alg_id::ECDSA_P521, alg_id::ECDSA_SHA384, |key, message, signature| p521(key, &Sha384::digest(message), signature);
    ECDSA_P521_SHA512 = alg_id::ECDSA_P521, alg_id::ECDSA_SHA512, |key, message, signature| p521(key, &Sha512::digest(message), signature);
    ED25519 = alg_id::ED25519, alg_id::ED25519, ed25519;
    RSA_PSS_SHA256 = alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA256, pss::<Sha256>;
    RSA_PSS_SHA384 = alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA384, pss::<Sha384>;
    RSA_PSS_SHA512 = alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA512, pss::<Sha512>;
    RSA_PKCS1_SHA256 = alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA256, pkcs1::<Sha256>;
    RSA_PKCS1_SHA384 = alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA384, pkcs1::<Sha384>;
    RSA_PKCS1_SHA512 = alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA512, pkcs1::<Sha512>;
    RSA_PSS_SHA256_ABSENT_PARAMS = alg_id::RSA_ENCRYPTION, AlgorithmIdentifier::from_slice(&PSS_256), pss::<Sha256>;
    RSA_PSS_SHA384_ABSENT_PARAMS = alg_id::RSA_ENCRYPTION, AlgorithmIdentifier::from_slice(&PSS_384), pss::<Sha384>;
    RSA_PSS_SHA512_ABSENT_PARAMS = alg_id::RSA_ENCRYPTION, AlgorithmIdentifier::from_slice(&PSS_512), pss::<Sha512>;
    RSA_PKCS1_SHA256_ABSENT_PARAMS = alg_id::RSA_ENCRYPTION, AlgorithmIdentifier::from_slice(&PKCS1_256), pkcs1::<Sha256>;
    RSA_PKCS1_SHA384_ABSENT_PARAMS = alg_id::RSA_ENCRYPTION, AlgorithmIdentifier::from_slice(&PKCS1_384), pkcs1::<Sha384>;
    RSA_PKCS1_SHA512_ABSENT_PARAMS = alg_id::RSA_ENCRYPTION, AlgorithmIdentifier::from_slice(&PKCS1_512), pkcs1::<Sha512>;
}

static PSS_256: [u8; 61] = pss_id(1, 32);
static PSS_384: [u8; 61] = pss_id(2, 48);
static PSS_512: [u8; 61] = pss_id(3, 64);
static PKCS1_256: [u8; 11] = pkcs1_id(11);
static PKCS1_384: [u8; 11] = pkcs1_id(12);
static PKCS1_512: [u8; 11] = pkcs1_id(13);

/// `rsassaPss` with the SHA-2 function whose identifier ends in `hash`, its NULL left out, and a
/// salt of `salt_len` bytes.
#[rustfmt::skip]
const fn pss_id(hash: u8, salt_len: u8) -> [u8; 61] {
    [
        0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A, // rsassaPss
        0x30, 0x30,
        0xA0, 0x0D, 0x30, 0x0B, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash,
        0xA1, 0x1A, 0x30, 0x18, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08, // mgf1
        0x30, 0x0B, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash,
        0xA2, 0x03, 0x02, 0x01, salt_len,
    ]
}

/// `sha…WithRSAEncryption` without its NULL; the hash is in the last number.
const fn pkcs1_id(hash: u8) -> [u8; 11] {
    [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, hash]
}
