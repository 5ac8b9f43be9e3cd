//! The bare cryptography, called directly: what a record and a handshake cost at least.

use std::fmt;

use aws_lc_rs::aead::{self, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use aws_lc_rs::kem::{self, DecapsulationKey, EncapsulationKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair, VerificationAlgorithm};

use crate::pair::Key;

/// As many bytes of additional data as a record may have. 1.2 has the most.
const AAD: [u8; 13] = [7; 13];

/// Bytes of a tag.
pub const TAG_LEN: usize = 16;

/// An AEAD key that makes a nonce for each record.
pub struct Aead {
    key: LessSafeKey,
    number: u64,
    aad: &'static [u8],
}

impl Aead {
    /// With some key, and 13 bytes of additional data, as in 1.2.
    #[must_use]
    pub fn new(algorithm: &'static aead::Algorithm) -> Self {
        Self::with_aad(algorithm, AAD.len())
    }

    /// With some key, and `aad_len` bytes of additional data, at most 13.
    ///
    /// # Panics
    /// If it is more.
    #[must_use]
    pub fn with_aad(algorithm: &'static aead::Algorithm, aad_len: usize) -> Self {
        let key = &[7; 32][..algorithm.key_len()];
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).expect("the right length"));
        Self { key, number: 0, aad: &AAD[..aad_len] }
    }

    fn nonce(&mut self) -> Nonce {
        self.number += 1;
        let mut nonce = [7; NONCE_LEN];
        nonce[4..].copy_from_slice(&self.number.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }

    /// Seals `plaintext` into `out`, which has room for the tag too.
    ///
    /// # Panics
    /// If it has not.
    pub fn seal(&mut self, plaintext: &[u8], out: &mut [u8]) {
        let nonce = self.nonce();
        let (ciphertext, tag) = out.split_at_mut(plaintext.len());
        self.key
            .seal_out_of_place_scatter(nonce, Aad::from(self.aad), plaintext, ciphertext, &[], tag)
            .expect("the lengths fit");
    }

    /// Opens what was sealed with the nonce whose turn it is; the length of the plaintext.
    ///
    /// # Panics
    /// If the tag is wrong.
    pub fn open(&mut self, in_out: &mut [u8]) -> usize {
        let nonce = self.nonce();
        self.key.open_in_place(nonce, Aad::from(self.aad), in_out).expect("sealed with this nonce").len()
    }
}

impl fmt::Debug for Aead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aead").field("number", &self.number).finish_non_exhaustive()
    }
}

/// Bytes of a certificate that its signature covers, about.
const CERTIFICATE_LEN: usize = 400;

/// The public-key operations of one handshake, both sides together: two key generations, two
/// agreements, with ML-KEM a key pair, an encapsulation and its opening beside them, the signature over
/// the server's share and its verification, and the verification of the one signature in the certificate
/// chain.
#[derive(Debug)]
pub struct Handshake {
    agreement: &'static agreement::Algorithm,
    ml_kem: bool,
    signer: Signer,
    verification: &'static dyn VerificationAlgorithm,
    certificate_verification: &'static dyn VerificationAlgorithm,
    public_key: Vec<u8>,
    certificate: Vec<u8>,
    certificate_signature: Vec<u8>,
}

#[derive(Debug)]
enum Signer {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Handshake {
    /// With new long-term keys, which do not count.
    ///
    /// # Panics
    /// If the library cannot make keys.
    #[must_use]
    pub fn new(key: Key, agreement: &'static agreement::Algorithm) -> Self {
        let pkcs8 = key.generate().serialize_der();
        let certificate = vec![7; CERTIFICATE_LEN];
        match key {
            Key::EcdsaP256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8);
                let pair = pair.expect("an ECDSA key");
                let public_key = pair.public_key().as_ref().to_vec();
                let signer = Signer::Ecdsa(pair);
                Self {
                    agreement,
                    ml_kem: false,
                    verification: &signature::ECDSA_P256_SHA256_ASN1,
                    certificate_verification: &signature::ECDSA_P256_SHA256_ASN1,
                    public_key,
                    certificate_signature: signer.sign(&certificate),
                    signer,
                    certificate,
                }
            }
            Key::Rsa2048 => {
                let pair = RsaKeyPair::from_pkcs8(&pkcs8).expect("an RSA key");
                let mut certificate_signature = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), &certificate, &mut certificate_signature)
                    .expect("the lengths fit");
                Self {
                    agreement,
                    ml_kem: false,
                    verification: &signature::RSA_PSS_2048_8192_SHA256,
                    certificate_verification: &signature::RSA_PKCS1_2048_8192_SHA256,
                    public_key: pair.public_key().as_ref().to_vec(),
                    signer: Signer::Rsa(pair),
                    certificate,
                    certificate_signature,
                }
            }
        }
    }

    /// With ML-KEM-768 beside the agreement.
    #[must_use]
    pub const fn with_ml_kem(mut self) -> Self {
        self.ml_kem = true;
        self
    }

    /// All of it, once.
    ///
    /// # Panics
    /// If an operation fails.
    pub fn run(&self) {
        let random = SystemRandom::new();
        let make = || EphemeralPrivateKey::generate(self.agreement, &random).expect("random bytes");
        let (server, client) = (make(), make());
        let server_share = server.compute_public_key().expect("a good key");
        // Both randoms, and the header of the server's parameters, before its share.
        let params = [&[7; 64 + 4], server_share.as_ref()].concat();
        let signature = self.signer.sign(&params);

        self.certificate_verification
            .verify_sig(&self.public_key, &self.certificate, &self.certificate_signature)
            .expect("the authority's signature");
        self.verification.verify_sig(&self.public_key, &params, &signature).expect("the server's signature");
        let client_share = client.compute_public_key().expect("a good key");
        let agree = |ours: EphemeralPrivateKey, theirs: &[u8]| {
            agree_ephemeral(ours, UnparsedPublicKey::new(self.agreement, theirs), (), |secret| {
                let mut premaster_secret = [0; 32];
                premaster_secret.copy_from_slice(secret);
                Ok(premaster_secret)
            })
        };
        let ours = agree(client, server_share.as_ref()).expect("a good share");
        let theirs = agree(server, client_share.as_ref()).expect("a good share");
        assert_eq!(ours, theirs);
        if self.ml_kem {
            exchange_with_ml_kem();
        }
    }
}

fn exchange_with_ml_kem() {
    let client = DecapsulationKey::generate(&kem::ML_KEM_768).expect("random bytes");
    let share = client.encapsulation_key().and_then(|key| key.key_bytes()).expect("a good key");
    let key = EncapsulationKey::new(&kem::ML_KEM_768, share.as_ref()).expect("a good key");
    let (ciphertext, theirs) = key.encapsulate().expect("a good key");
    let ours = client.decapsulate(ciphertext.as_ref().into()).expect("a ciphertext");
    assert_eq!(ours.as_ref(), theirs.as_ref());
}

impl Signer {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ecdsa(pair) => pair.sign(&SystemRandom::new(), message).expect("random bytes").as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature)
                    .expect("the lengths fit");
                signature
            }
        }
    }
}
