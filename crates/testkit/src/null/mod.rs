//! A whole [`CryptoProvider`] of fake cryptography. **It protects nothing**: anybody can compute
//! every key and forge every signature in it. It exists so that tests run fast and repeat exactly.
//!
//! What it keeps of the real thing: lengths on the wire; ciphertext that differs from plaintext in
//! every byte; tags, digests and signatures that come out wrong when a bit, a key or an order is
//! wrong; key agreement whose two sides agree. Given a seed, every byte it makes is fixed.

mod aead;
mod certificate;
mod hash;
mod kx;
mod mix;
mod random;
mod sign;
mod slow;

use std::sync::Arc;

use gramseal_proto::config::{ClientConfig, ClientConfigBuilder, Identity, ServerConfig, ServerConfigBuilder};
use gramseal_proto::crypto::CryptoProvider;
use gramseal_proto::wire::ProtocolVersion;

pub use aead::NullAead;
pub use certificate::{NullVerifier, certificate};
pub use hash::NullHash;
pub use kx::{NullFiniteField, NullGroup};
pub use random::SeededRandom;
pub use sign::{NullKey, NullKeyLoader, NullVerification, ToyKind};
pub use slow::Slow;

/// The name in the certificates of [`identity`] and the one to connect to.
pub const SERVER_NAME: &str = "server.example";

/// The name that clients of these tests show in their certificates.
pub const CLIENT_NAME: &str = "client.example";

/// The provider whose random bytes follow from `seed`.
#[must_use]
pub fn provider(seed: u64) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        aeads: aead::ALL.to_vec(),
        hashes: hash::ALL.to_vec(),
        groups: kx::GROUPS.to_vec(),
        finite_field: Some(&NullFiniteField),
        verifiers: sign::VERIFIERS.to_vec(),
        keys: &NullKeyLoader,
        random: Arc::new(SeededRandom::new(seed)),
    })
}

/// A key of `kind` with a certificate for `name` that is at least `certificate_len` bytes long.
#[must_use]
pub fn identity(kind: ToyKind, name: &str, certificate_len: usize) -> Identity {
    let key = NullKey::new(kind, 1);
    let chain = vec![certificate(name, &key, certificate_len)];
    Identity::new(chain, Arc::new(key)).expect("the chain holds a certificate")
}

/// A client of 1.2 that believes every toy certificate with the right name.
pub fn client_config(seed: u64) -> ClientConfigBuilder {
    ClientConfig::builder(provider(seed), Arc::new(NullVerifier::default())).with_versions(&[ProtocolVersion::DTLS1_2])
}

/// A server of 1.2 that shows `identity`.
pub fn server_config(seed: u64, identity: Identity) -> ServerConfigBuilder {
    ServerConfig::builder(provider(seed), identity).with_versions(&[ProtocolVersion::DTLS1_2])
}

/// [`client_config`] as it is: a client under test where nothing about it matters.
///
/// # Panics
/// Never: nothing in it can fail.
#[must_use]
pub fn client() -> ClientConfig {
    client_config(2).build().expect("the defaults work")
}

/// [`server_config`] as it is, with an ECDSA identity for [`SERVER_NAME`].
///
/// # Panics
/// Never: nothing in it can fail.
#[must_use]
pub fn server() -> ServerConfig {
    server_config(3, identity(ToyKind::EcdsaP256, SERVER_NAME, 0)).build().expect("the defaults work")
}
