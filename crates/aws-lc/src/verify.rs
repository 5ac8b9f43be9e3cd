//! Verification of signatures: which key, hash and encoding each scheme means.

use aws_lc_rs::signature::{self, VerificationAlgorithm};
use gramseal_proto::crypto::SchemeVerifier;
use gramseal_wire::SignatureScheme;
use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

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

/// One way to verify: a kind of key, and what its signatures are called.
#[derive(Debug)]
struct Algorithm {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    inner: &'static dyn VerificationAlgorithm,
}

impl SignatureVerificationAlgorithm for Algorithm {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.inner.verify_sig(public_key, message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

macro_rules! algorithms {
    ($($name:ident = $key:expr, $signature:expr, $inner:ident;)*) => {$(
        static $name: &dyn SignatureVerificationAlgorithm =
            &Algorithm { key: $key, signature: $signature, inner: &signature::$inner };
    )*};
}

algorithms! {
    ECDSA_P256_SHA256 = alg_id::ECDSA_P256, alg_id::ECDSA_SHA256, ECDSA_P256_SHA256_ASN1;
    ECDSA_P256_SHA384 = alg_id::ECDSA_P256, alg_id::ECDSA_SHA384, ECDSA_P256_SHA384_ASN1;
    ECDSA_P256_SHA512 = alg_id::ECDSA_P256, alg_id::ECDSA_SHA512, ECDSA_P256_SHA512_ASN1;
    ECDSA_P384_SHA256 = alg_id::ECDSA_P384, alg_id::ECDSA_SHA256, ECDSA_P384_SHA256_ASN1;
    ECDSA_P384_SHA384 = alg_id::ECDSA_P384, alg_id::ECDSA_SHA384, ECDSA_P384_SHA384_ASN1;
    ECDSA_P384_SHA512 = alg_id::ECDSA_P384, alg_id::ECDSA_SHA512, ECDSA_P384_SHA512_ASN1;
    ECDSA_P521_SHA256 = alg_id::ECDSA_P521, alg_id::ECDSA_SHA256, ECDSA_P521_SHA256_ASN1;
    ECDSA_P521_SHA384 = alg_id::ECDSA_P521, alg_id::ECDSA_SHA384, ECDSA_P521_SHA384_ASN1;
    ECDSA_P521_SHA512 = alg_id::ECDSA_P521, alg_id::ECDSA_SHA512, ECDSA_P521_SHA512_ASN1;
    ED25519 = alg_id::ED25519, alg_id::ED25519, ED25519;
    RSA_PSS_SHA256 = alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA256, RSA_PSS_2048_8192_SHA256;
    RSA_PSS_SHA384 = alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA384, RSA_PSS_2048_8192_SHA384;
    RSA_PSS_SHA512 = alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA512, RSA_PSS_2048_8192_SHA512;
    RSA_PKCS1_SHA256 = alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA256, RSA_PKCS1_2048_8192_SHA256;
    RSA_PKCS1_SHA384 = alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA384, RSA_PKCS1_2048_8192_SHA384;
    RSA_PKCS1_SHA512 = alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA512, RSA_PKCS1_2048_8192_SHA512;
    RSA_PSS_SHA256_ABSENT_PARAMS = alg_id::RSA_ENCRYPTION, pss_absent_params(&PSS_256), RSA_PSS_2048_8192_SHA256;
    RSA_PSS_SHA384_ABSENT_PARAMS = alg_id::RSA_ENCRYPTION, pss_absent_params(&PSS_384), RSA_PSS_2048_8192_SHA384;
    RSA_PSS_SHA512_ABSENT_PARAMS = alg_id::RSA_ENCRYPTION, pss_absent_params(&PSS_512), RSA_PSS_2048_8192_SHA512;
    RSA_PKCS1_SHA256_ABSENT_PARAMS = alg_id::RSA_ENCRYPTION, pkcs1_absent_params(&PKCS1_256), RSA_PKCS1_2048_8192_SHA256;
    RSA_PKCS1_SHA384_ABSENT_PARAMS = alg_id::RSA_ENCRYPTION, pkcs1_absent_params(&PKCS1_384), RSA_PKCS1_2048_8192_SHA384;
    RSA_PKCS1_SHA512_ABSENT_PARAMS = alg_id::RSA_ENCRYPTION, pkcs1_absent_params(&PKCS1_512), RSA_PKCS1_2048_8192_SHA512;
}

static PSS_256: [u8; 61] = pss(1, 32);
static PSS_384: [u8; 61] = pss(2, 48);
static PSS_512: [u8; 61] = pss(3, 64);
static PKCS1_256: [u8; 11] = pkcs1(11);
static PKCS1_384: [u8; 11] = pkcs1(12);
static PKCS1_512: [u8; 11] = pkcs1(13);

const fn pss_absent_params(der: &'static [u8; 61]) -> AlgorithmIdentifier {
    AlgorithmIdentifier::from_slice(der)
}

const fn pkcs1_absent_params(der: &'static [u8; 11]) -> AlgorithmIdentifier {
    AlgorithmIdentifier::from_slice(der)
}

/// `rsassaPss` with the SHA-2 function whose identifier ends in `hash`, its NULL left out, and a
/// salt of `salt_len` bytes.
#[rustfmt::skip]
const fn pss(hash: u8, salt_len: u8) -> [u8; 61] {
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
const fn pkcs1(hash: u8) -> [u8; 11] {
    [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, hash]
}

#[cfg(test)]
mod tests {
    use super::{ALL_VERIFICATION_ALGORITHMS, PKCS1_256, PSS_384, alg_id};

    /// `der` without the NULLs in it, its outer lengths left as they are.
    fn without_nulls(der: &[u8]) -> Vec<u8> {
        let mut rest = der;
        let mut kept = Vec::new();
        while let Some((first, after)) = rest.split_first() {
            if let Some(after_null) = rest.strip_prefix(&[0x05, 0x00]) {
                rest = after_null;
            } else {
                kept.push(*first);
                rest = after;
            }
        }
        kept
    }

    #[test]
    fn identifiers_without_parameters_differ_in_nulls_and_lengths_only() {
        assert_eq!(PKCS1_256[..], without_nulls(&alg_id::RSA_PKCS1_SHA256));
        let with_nulls = without_nulls(&alg_id::RSA_PSS_SHA384);
        assert_eq!(PSS_384.len(), with_nulls.len());
        let differing: Vec<usize> = (0..PSS_384.len()).filter(|i| PSS_384[*i] != with_nulls[*i]).collect();
        // The lengths of: the parameters, [0] and its SEQUENCE, [1], its SEQUENCE, and the inner one.
        assert_eq!(differing, [12, 14, 16, 29, 31, 44]);
    }

    #[test]
    fn every_pair_of_identifiers_is_listed_once() {
        let mut pairs: Vec<_> = ALL_VERIFICATION_ALGORITHMS
            .iter()
            .map(|algorithm| {
                (algorithm.public_key_alg_id().as_ref().to_vec(), algorithm.signature_alg_id().as_ref().to_vec())
            })
            .collect();
        pairs.sort();
        pairs.dedup();
        assert_eq!(pairs.len(), ALL_VERIFICATION_ALGORITHMS.len());
    }
}
