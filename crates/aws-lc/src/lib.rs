//! Cryptography for gramseal from aws-lc-rs.
//!
//! This crate fits aws-lc-rs to the traits of [`gramseal_proto::crypto`]: AES-GCM and
//! ChaCha20-Poly1305, SHA-256/384 and HMAC, ECDHE alone and beside ML-KEM, signatures, private keys,
//! randomness. It owns no protocol rule and implements no primitive; finite-field groups and CCM, which
//! aws-lc-rs does not offer, are the `gramseal-rustcrypto` crate's.
//!
//! Keys and signatures made here draw their randomness inside the library: the `random` arguments
//! of the traits are not consulted, because aws-lc-rs has no door for another source.

mod aead;
mod der;
mod hash;
mod kx;
mod ml_kem;
mod random;
mod sign;
mod verify;

use std::sync::Arc;

use gramseal_proto::crypto::{CryptoProvider, SecureRandom};

pub use aead::{AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305};
pub use hash::{SHA256, SHA384};
pub use kx::{SECP256R1, SECP384R1, SECP521R1, X25519};
pub use ml_kem::{MLKEM768, SECP256R1MLKEM768, X25519MLKEM768};
pub use random::BufferedRandom;
pub use sign::KEY_LOADER;
pub use verify::{ALL_VERIFICATION_ALGORITHMS, SCHEME_VERIFIERS};

/// Everything this crate has, in the order of preference: X25519MLKEM768 first.
///
/// The first call in a process takes tens of milliseconds, because the library's random source
/// gathers its seed then; better here than in the first handshake.
#[must_use]
pub fn provider() -> CryptoProvider {
    let random = BufferedRandom::new();
    // A source that fails now says so again when it is asked in earnest; here is nobody to tell.
    let _ = random.fill(&mut [0; 1]);
    CryptoProvider {
        aeads: vec![AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305],
        hashes: vec![SHA256, SHA384],
        groups: vec![X25519MLKEM768, SECP256R1MLKEM768, X25519, SECP256R1, SECP384R1, SECP521R1],
        finite_field: None,
        verifiers: SCHEME_VERIFIERS.to_vec(),
        keys: KEY_LOADER,
        random: Arc::new(random),
    }
}
