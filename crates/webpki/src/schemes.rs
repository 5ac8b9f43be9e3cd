//! Signatures in certificates, by the names that TLS has for them (RFC 9846 §4.3.3).

use gramseal_proto::CertificateFault;
use gramseal_proto::wire::SignatureScheme;
use pki_types::{AlgorithmIdentifier, CertificateDer, alg_id};

use crate::chain::Algorithms;
use crate::fields;

/// A scheme, the identifier of its signatures, and that of the keys to them.
#[derive(Debug)]
struct Known(SignatureScheme, AlgorithmIdentifier, AlgorithmIdentifier);

/// In the order of preference.
static KNOWN: [Known; 12] = [
    Known(SignatureScheme::ECDSA_SECP256R1_SHA256, alg_id::ECDSA_SHA256, alg_id::ECDSA_P256),
    Known(SignatureScheme::ECDSA_SECP384R1_SHA384, alg_id::ECDSA_SHA384, alg_id::ECDSA_P384),
    Known(SignatureScheme::ECDSA_SECP521R1_SHA512, alg_id::ECDSA_SHA512, alg_id::ECDSA_P521),
    Known(SignatureScheme::ED25519, alg_id::ED25519, alg_id::ED25519),
    Known(SignatureScheme::RSA_PSS_RSAE_SHA256, alg_id::RSA_PSS_SHA256, alg_id::RSA_ENCRYPTION),
    Known(SignatureScheme::RSA_PSS_RSAE_SHA384, alg_id::RSA_PSS_SHA384, alg_id::RSA_ENCRYPTION),
    Known(SignatureScheme::RSA_PSS_RSAE_SHA512, alg_id::RSA_PSS_SHA512, alg_id::RSA_ENCRYPTION),
    Known(SignatureScheme::RSA_PKCS1_SHA256, alg_id::RSA_PKCS1_SHA256, alg_id::RSA_ENCRYPTION),
    Known(SignatureScheme::RSA_PKCS1_SHA384, alg_id::RSA_PKCS1_SHA384, alg_id::RSA_ENCRYPTION),
    Known(SignatureScheme::RSA_PKCS1_SHA512, alg_id::RSA_PKCS1_SHA512, alg_id::RSA_ENCRYPTION),
    Known(SignatureScheme::RSA_PKCS1_SHA1, RSA_SHA1, alg_id::RSA_ENCRYPTION),
    Known(SignatureScheme::ECDSA_SHA1, ECDSA_SHA1, alg_id::ECDSA_P256),
];

/// `sha1WithRSAEncryption` (RFC 8017 §A.2.4).
const RSA_SHA1: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(&[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x05, 0x05, 0x00]);

/// `ecdsa-with-SHA1` (RFC 3279 §2.2.3).
const ECDSA_SHA1: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(&[0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x01]);

/// The schemes that `algorithms` verify.
pub(crate) fn verified_by(algorithms: Algorithms) -> Vec<SignatureScheme> {
    let verified = |known: &&Known| {
        algorithms.iter().any(|one| one.signature_alg_id() == known.1 && one.public_key_alg_id() == known.2)
    };
    KNOWN.iter().filter(verified).map(|known| known.0).collect()
}

/// The schemes of the signatures on the certificates of `chain`, each once, without self-signed certificates.
/// For [`Identity::with_certificate_schemes`](gramseal_proto::config::Identity::with_certificate_schemes).
///
/// An ECDSA signature tells its hash and not its curve: it counts as the scheme of the curve that goes with
/// that hash. If there is one that TLS has no scheme for, no schemes are given: nobody could name it, and so
/// nobody should be kept from seeing the chain because they do not.
///
/// # Errors
/// [`CertificateFault::BadEncoding`] if one of them cannot be read.
pub fn certificate_schemes(chain: &[CertificateDer<'_>]) -> Result<Vec<SignatureScheme>, CertificateFault> {
    let mut schemes = Vec::new();
    for certificate in chain {
        let signed = fields::signed(certificate).map_err(|_| CertificateFault::BadEncoding)?;
        if signed.issuer == signed.subject {
            continue;
        }
        let Some(Known(scheme, ..)) = KNOWN.iter().find(|known| known.1.as_ref() == signed.algorithm) else {
            return Ok(Vec::new());
        };
        if !schemes.contains(scheme) {
            schemes.push(*scheme);
        }
    }
    Ok(schemes)
}

#[cfg(test)]
mod tests {
    use pki_types::{InvalidSignature, SignatureVerificationAlgorithm};

    use super::*;

    /// Knows the one or the other.
    #[derive(Debug)]
    struct Algorithm(&'static Known);

    impl SignatureVerificationAlgorithm for Algorithm {
        fn verify_signature(&self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), InvalidSignature> {
            Err(InvalidSignature)
        }

        fn public_key_alg_id(&self) -> AlgorithmIdentifier {
            self.0.2
        }

        fn signature_alg_id(&self) -> AlgorithmIdentifier {
            self.0.1
        }
    }

    static SHA1_FIRST: &[&dyn SignatureVerificationAlgorithm] =
        &[&Algorithm(&KNOWN[11]), &Algorithm(&KNOWN[10]), &Algorithm(&KNOWN[9]), &Algorithm(&KNOWN[0])];

    #[test] // RFC 9846 §4.3.3
    fn sha_1_stands_last_where_it_is_listed() {
        let sha1 = [SignatureScheme::RSA_PKCS1_SHA1, SignatureScheme::ECDSA_SHA1];
        let listed = verified_by(SHA1_FIRST);
        assert_eq!(listed.len(), 4);
        assert_eq!(listed[2..], sha1);
        let is_sha1 = |known: &Known| sha1.contains(&known.0);
        assert_eq!(KNOWN.iter().skip_while(|known| !is_sha1(known)).count(), sha1.len(), "none is behind them");
    }
}
