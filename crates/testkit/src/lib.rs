//! Network simulator, scripted peer, null cryptography and test certificates.

pub mod pki;
