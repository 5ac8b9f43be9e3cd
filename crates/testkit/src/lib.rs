//! What gramseal's own tests are made of: a simulated network, a scripted peer, cryptography that
//! protects nothing but runs fast and repeats exactly, checks for cryptography that protects, and a
//! counter of allocations.
//!
//! Nothing here reads a clock, starts a thread or opens a socket. Never use it outside tests.

pub mod alloc_counter;
pub mod conformance;
pub mod decode;
pub mod null;
pub mod peer;
#[cfg(feature = "pki")]
pub mod pki;
pub mod rng;
pub mod secrets;
pub mod sessions;
pub mod sim;
pub mod spy;
