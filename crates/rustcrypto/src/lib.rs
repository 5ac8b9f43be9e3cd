//! Cryptography for gramseal in pure Rust.
//!
//! This crate fits the crates of the RustCrypto and dalek projects to the traits of
//! [`gramseal_proto::crypto`]: AES-GCM, AES-CCM and ChaCha20-Poly1305, SHA-256/384 and HMAC, ECDHE
//! alone and beside ML-KEM, finite-field Diffie-Hellman (RFC 7919, and the groups of a 1.2 server's
//! choice), signatures and private keys. It owns no protocol rule and implements no primitive. It needs
//! `alloc` but not `std`.
//!
//! Randomness is the caller's: every key, nonce and blinding factor comes from the [`SecureRandom`]
//! that is handed in, and from nowhere else. A seeded source therefore repeats a run exactly. With
//! the feature `getrandom` there is one of the operating system's.
//!
//! A provider can be composed from parts. To add what aws-lc-rs lacks to the provider that is made
//! of it, append [`ccm_aeads`] to `aeads` and [`ffdhe_groups`] to `groups`, and set `finite_field`
//! to [`FINITE_FIELD`]. A device names only what its suites need; `examples/alloc_only` shows one, with
//! a handshake that needs no `std` and no certificates.
//!
//! # RSA and its timing
//!
//! The `rsa` crate was once open to the Marvin attack (RUSTSEC-2023-0071): the time that a *decryption*
//! took told of its padding. gramseal never decrypts with RSA, there being no suites with RSA key
//! transport; it verifies, which has no secrets, and signs, with the base, the exponents and the
//! moduli blinded by fresh random numbers. The release used (0.10) does its arithmetic in constant
//! time. Where many signatures a second are made for strangers, ECDSA, Ed25519 or the aws-lc
//! provider are faster and better examined.

#![no_std]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc, clippy::alloc_instead_of_core)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod aead;
mod ffdhe;
mod group;
mod hash;
mod kx;
mod ml_kem;
mod primes;
mod random;
mod routable_cids;
mod safe_prime;
mod sign;
mod verify;
#[cfg(test)]
mod wiping;

use alloc::sync::Arc;
use alloc::vec;

use gramseal_proto::crypto::{CryptoProvider, SecureRandom};

pub use self::ml_kem::{MLKEM768, SECP256R1MLKEM768, X25519MLKEM768};
pub use aead::{
    AES_128_CCM, AES_128_CCM_8, AES_128_GCM, AES_256_CCM, AES_256_CCM_8, AES_256_GCM, CHACHA20_POLY1305, ccm_aeads,
};
pub use ffdhe::{FFDHE2048, FFDHE3072, FFDHE4096, FINITE_FIELD, ffdhe_groups};
pub use hash::{SHA256, SHA384};
pub use kx::{SECP256R1, SECP384R1, SECP521R1, X25519};
#[cfg(feature = "getrandom")]
pub use random::OsRandom;
pub use routable_cids::{RoutableCids, RoutableCidsError};
pub use sign::KEY_LOADER;
pub use verify::{ALL_VERIFICATION_ALGORITHMS, SCHEME_VERIFIERS};

/// Everything this crate has, in the order of preference: X25519MLKEM768 first.
///
/// `random` must be fit for keys; with the feature `getrandom`, `OsRandom` is.
#[must_use]
pub fn provider(random: Arc<dyn SecureRandom>) -> CryptoProvider {
    let mut aeads = vec![AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305];
    aeads.extend(ccm_aeads());
    let mut groups = vec![X25519MLKEM768, SECP256R1MLKEM768, X25519, SECP256R1, SECP384R1, SECP521R1];
    groups.extend(ffdhe_groups());
    CryptoProvider {
        aeads,
        hashes: vec![SHA256, SHA384],
        groups,
        finite_field: Some(FINITE_FIELD),
        verifiers: SCHEME_VERIFIERS.to_vec(),
        keys: KEY_LOADER,
        random,
    }
}
