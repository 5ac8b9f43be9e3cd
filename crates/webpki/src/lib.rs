//! Decides whether a peer is who it should be: implementations of [`PeerVerifier`].
//!
//! - [`ChainVerifier`]: the certificate leads to a trusted root, is valid now, is meant for the
//!   peer's role and, for a server, carries its name; where that is asked for, also that it is not revoked
//!   ([`ChainVerifierBuilder::with_crls`], [`ChainVerifierBuilder::with_ocsp`]).
//! - [`FingerprintVerifier`]: the certificate is one of those named beforehand.
//! - [`RawPublicKeyVerifier`]: there is no certificate, but the public key is one of those named
//!   beforehand.
//! - [`dangerous::AcceptAnyCertificate`]: anything goes.
//!
//! [`public_key_of`] and [`describe`] serve applications that write a verifier of their own or
//! show certificates to people; [`host_names`], [`issuers`] and [`certificate_schemes`] tell when to
//! show one of several certificates of ours.
//!
//! Chains are checked by `rustls-webpki`, none of whose types appears here, so that its releases
//! are not ours. Signature algorithms come from the crypto provider. This crate never checks that
//! a peer holds its private key (the handshake does), and never touches the network: revocation
//! lists come from the caller, OCSP responses from the peer.
//!
//! Standards: RFC 5280 (certificates and paths), RFC 9525 (names of servers), RFC 5246 §7.4.2 and
//! §7.4.4, RFC 6960 (OCSP), RFC 7250 (raw public keys).

mod builder;
mod chain;
mod context;
mod crl;
pub mod dangerous;
mod describe;
mod fault;
mod fields;
mod fingerprint;
mod key;
mod ocsp;
mod own;
mod paths;
mod raw_key;
mod schemes;
#[cfg(feature = "system-roots")]
mod system;

pub use builder::{ChainVerifierBuilder, RootsError};
pub use chain::ChainVerifier;
pub use crl::{CrlDepth, CrlError, CrlPolicy, Outdated, Uncovered};
pub use describe::{Description, describe};
pub use fingerprint::{Fingerprint, FingerprintVerifier, ParseFingerprintError};
pub use gramseal_proto::config::{PeerCredential, PeerRole, PeerVerified, PeerVerifier, Presented, Verdict};
pub use gramseal_proto::crypto::Deferrable;
pub use gramseal_proto::wire::{CertificateType, SignatureScheme};
pub use gramseal_proto::{CertificateFault, CrlFault, OcspFault};
pub use key::{belong_together, public_key_of, public_key_of_raw};
pub use ocsp::OcspPolicy;
pub use own::{host_names, issuers};
pub use raw_key::RawPublicKeyVerifier;
pub use schemes::certificate_schemes;
#[cfg(feature = "system-roots")]
pub use system::SystemRoots;
