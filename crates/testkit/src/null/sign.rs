//! Stand-ins for signatures: a "signature" is a hash that starts with the public key, so anybody
//! can make one. Only the lengths and code points are real.

use std::sync::Arc;

use gramseal_proto::crypto::{
    CryptoError, Deferrable, KeyLoader, KeyRejected, PublicKey, SchemeVerifier, SecureRandom, SigningKey,
};
use gramseal_wire::SignatureScheme;
use pki_types::{
    AlgorithmIdentifier, InvalidSignature, PrivateKeyDer, PrivatePkcs8KeyDer, SignatureVerificationAlgorithm,
    SubjectPublicKeyInfoDer, alg_id,
};

use super::mix::Mixer;

/// The kinds of toy keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests go through all kinds there are")]
pub enum ToyKind {
    /// Stands in for ECDSA with P-256.
    EcdsaP256,
    /// Stands in for RSA with 2048 bits.
    Rsa,
    /// Stands in for Ed25519.
    Ed25519,
}

impl ToyKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::EcdsaP256, Self::Rsa, Self::Ed25519];

    /// Bytes in a signature.
    const fn signature_len(self) -> usize {
        match self {
            Self::EcdsaP256 => 71,
            Self::Rsa => 256,
            Self::Ed25519 => 64,
        }
    }

    const fn algorithm(self) -> AlgorithmIdentifier {
        match self {
            Self::EcdsaP256 => alg_id::ECDSA_P256,
            Self::Rsa => alg_id::RSA_ENCRYPTION,
            Self::Ed25519 => alg_id::ED25519,
        }
    }

    const fn schemes(self) -> &'static [SignatureScheme] {
        match self {
            Self::EcdsaP256 => &[SignatureScheme::ECDSA_SECP256R1_SHA256],
            Self::Rsa => &[SignatureScheme::RSA_PSS_RSAE_SHA256, SignatureScheme::RSA_PKCS1_SHA256],
            Self::Ed25519 => &[SignatureScheme::ED25519],
        }
    }
}

pub(super) static VERIFIERS: &[SchemeVerifier] = &[
    verifier(SignatureScheme::ECDSA_SECP256R1_SHA256, &[&ECDSA]),
    verifier(SignatureScheme::ED25519, &[&ED25519]),
    verifier(SignatureScheme::RSA_PSS_RSAE_SHA256, &[&RSA_PSS]),
    verifier(SignatureScheme::RSA_PKCS1_SHA256, &[&RSA_PKCS1]),
];

const fn verifier(
    scheme: SignatureScheme,
    algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
) -> SchemeVerifier {
    SchemeVerifier { scheme, algorithms }
}

static ECDSA: NullVerification =
    NullVerification { kind: ToyKind::EcdsaP256, scheme: SignatureScheme::ECDSA_SECP256R1_SHA256 };
static ED25519: NullVerification = NullVerification { kind: ToyKind::Ed25519, scheme: SignatureScheme::ED25519 };
static RSA_PSS: NullVerification =
    NullVerification { kind: ToyKind::Rsa, scheme: SignatureScheme::RSA_PSS_RSAE_SHA256 };
static RSA_PKCS1: NullVerification = NullVerification { kind: ToyKind::Rsa, scheme: SignatureScheme::RSA_PKCS1_SHA256 };

/// Verifies the toy signatures of one scheme.
#[derive(Debug)]
pub struct NullVerification {
    kind: ToyKind,
    scheme: SignatureScheme,
}

impl SignatureVerificationAlgorithm for NullVerification {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let right =
            public_key.len() == NullKey::PUBLIC_LEN && signature == sign(public_key, self.kind, self.scheme, message);
        if right { Ok(()) } else { Err(InvalidSignature) }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.kind.algorithm()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self.scheme {
            SignatureScheme::ECDSA_SECP256R1_SHA256 => alg_id::ECDSA_SHA256,
            SignatureScheme::RSA_PSS_RSAE_SHA256 => alg_id::RSA_PSS_SHA256,
            SignatureScheme::RSA_PKCS1_SHA256 => alg_id::RSA_PKCS1_SHA256,
            _ => alg_id::ED25519,
        }
    }
}

/// A toy key pair.
#[derive(Debug, Clone)]
pub struct NullKey {
    kind: ToyKind,
    public: [u8; Self::PUBLIC_LEN],
}

impl NullKey {
    pub(super) const PUBLIC_LEN: usize = 32;
    const MAGIC: &'static [u8; 8] = b"NULLKEY\0";

    /// The key pair that belongs to `seed`.
    #[must_use]
    pub fn new(kind: ToyKind, seed: u64) -> Self {
        let mut mixer = Mixer::new(0x4000 + kind as u64);
        mixer.update(&seed.to_be_bytes());
        let mut public = [0; Self::PUBLIC_LEN];
        mixer.fill(&mut public);
        Self { kind, public }
    }

    /// Bytes for [`NullKeyLoader`], in the place of PKCS#8. They hold no secret: there is none.
    #[must_use]
    pub fn to_pkcs8(&self) -> PrivateKeyDer<'static> {
        let mut bytes = Self::MAGIC.to_vec();
        bytes.push(self.kind as u8);
        bytes.extend_from_slice(&self.public);
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(bytes))
    }

    /// The public half, as verification wants it.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::new(self.kind.algorithm().as_ref().to_vec(), self.public.to_vec())
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        [&[self.kind as u8][..], &self.public].concat()
    }

    /// From [`Self::to_bytes`] and what follows it.
    pub(super) fn split_from(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (kind, rest) = bytes.split_first()?;
        let kind = *ToyKind::ALL.get(usize::from(*kind))?;
        let (public, rest) = rest.split_first_chunk()?;
        Some((Self { kind, public: *public }, rest))
    }
}

impl SigningKey for NullKey {
    fn schemes(&self) -> &[SignatureScheme] {
        self.kind.schemes()
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        _: &dyn SecureRandom,
    ) -> Deferrable<Result<Vec<u8>, CryptoError>> {
        Deferrable::Now(match self.kind.schemes().contains(&scheme) {
            true => Ok(sign(&self.public, self.kind, scheme, message)),
            false => Err(CryptoError::new()),
        })
    }

    /// No DER: what [`NullVerifier`](super::NullVerifier) reads.
    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.to_bytes()))
    }
}

fn sign(public: &[u8], kind: ToyKind, scheme: SignatureScheme, message: &[u8]) -> Vec<u8> {
    let mut mixer = Mixer::new(0x5000 + u64::from(scheme.0));
    mixer.part(public);
    mixer.part(message);
    let mut signature = vec![0; kind.signature_len()];
    mixer.fill(&mut signature);
    signature
}

/// Reads what [`NullKey::to_pkcs8`] made.
#[derive(Debug)]
pub struct NullKeyLoader;

impl KeyLoader for NullKeyLoader {
    fn load(&self, key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, KeyRejected> {
        let bytes = key.secret_der().strip_prefix(NullKey::MAGIC).ok_or(KeyRejected::BadEncoding)?;
        match NullKey::split_from(bytes) {
            Some((key, [])) => Ok(Arc::new(key)),
            _ => Err(KeyRejected::BadEncoding),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SeededRandom, provider};
    use super::*;

    #[test]
    fn signatures_verify_under_their_key_scheme_and_message_only() {
        let (provider, random) = (provider(1), SeededRandom::new(1));
        for kind in ToyKind::ALL {
            let key = NullKeyLoader.load(&NullKey::new(kind, 5).to_pkcs8()).unwrap();
            let (public, other) = (NullKey::new(kind, 5).public(), NullKey::new(kind, 6).public());
            for scheme in key.schemes() {
                let signature = key.sign(*scheme, b"message", &random).now().unwrap().unwrap();
                assert!(provider.verify12(*scheme, &public, b"message", &signature).is_ok());
                assert!(provider.verify12(*scheme, &public, b"messagE", &signature).is_err());
                assert!(provider.verify12(*scheme, &other, b"message", &signature).is_err());
                assert!(provider.verify12(*scheme, &public, b"message", &signature[1..]).is_err());
            }
            assert!(key.sign(SignatureScheme::RSA_PKCS1_SHA512, b"", &random).now().unwrap().is_err());
        }
    }

    #[test]
    fn junk_is_no_private_key() {
        let junk = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(b"NULLKEY\0junk".to_vec()));
        assert_eq!(NullKeyLoader.load(&junk).unwrap_err(), KeyRejected::BadEncoding);
    }
}
