//! Cryptography for gramseal in pure Rust: finite-field Diffie-Hellman, which aws-lc-rs lacks.
//!
//! These are the groups of RFC 7919, and the client's side of the exchange with a group of the
//! server's choice (RFC 5246 §7.4.3). This is no whole provider. It owns no protocol rule; the arithmetic is the `crypto-bigint` crate's and
//! the primality test the `crypto-primes` crate's.
//!
//! Add it to a provider by setting `finite_field` to [`FINITE_FIELD`] and appending
//! [`ffdhe_groups`] to `groups`.

#![no_std]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc, clippy::alloc_instead_of_core)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod ffdhe;
mod group;
mod primes;
mod safe_prime;

pub use ffdhe::{FFDHE2048, FFDHE3072, FFDHE4096, FINITE_FIELD, ffdhe_groups};
