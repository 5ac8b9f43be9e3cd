//! Cryptography for gramseal in pure Rust.
