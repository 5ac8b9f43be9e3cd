//! What the fuzzers of this repository do with the bytes that they make up.
//!
//! Each target is a function of bytes that panics when something is wrong. The programs in `fuzz/` hand libFuzzer's bytes
//! to one each; this crate's tests replay the inputs of `fuzz/seeds` with a stable compiler. Targets for what `proto`
//! keeps to itself are in its module `fuzzing`.
//!
//! Everything is deterministic: keys, randomness and time are made up ([`gramseal_testkit::null`]), so that an input
//! always does the same.

pub mod certificates;
pub mod compression;
pub mod configs;
pub mod endpoint;
pub mod fresh;
pub mod host;
pub mod image;
pub mod input;
pub mod peers;
pub mod records;
pub mod sealed;
pub mod session;
pub mod tickets;
pub mod wire;

/// Does something with bytes.
pub type Run = fn(&[u8]);

/// The targets by name.
pub const TARGETS: &[(&str, Run)] = &[
    ("certificates", certificates::run),
    ("compression", compression::run),
    ("endpoint", endpoint::run),
    ("fresh", fresh::run),
    ("image", image::run),
    ("peer12", peers::run12),
    ("peer13", peers::run13),
    ("records", records::run),
    ("sealed", sealed::run),
    ("session", session::run),
    ("tickets", tickets::run),
    ("wire", wire::run),
];
