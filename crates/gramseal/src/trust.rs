//! Whom to trust: the usual rules as values for the configuration builders.
//!
//! They come from [`crate::webpki`], which has more to choose from, and verify signatures with the
//! algorithms of [`crate::provider`].

use std::fmt;
use std::sync::Arc;

use gramseal_proto::config::PeerVerifier;
use gramseal_webpki::{ChainVerifier, ChainVerifierBuilder, Fingerprint, FingerprintVerifier, RootsError};
use pki_types::CertificateDer;
use pki_types::pem::{self, PemObject};

/// Begins a verifier of certificate chains, for those who want more than the functions here.
pub fn chain() -> ChainVerifierBuilder {
    ChainVerifier::builder(gramseal_aws_lc::ALL_VERIFICATION_ALGORITHMS)
}

/// Trusts chains to the root certificates in `pem`.
///
/// # Errors
/// If there are none, or one cannot serve as a root.
pub fn roots_from_pem(pem: &[u8]) -> Result<Arc<dyn PeerVerifier>, TrustError> {
    let roots: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(TrustError::Pem)?;
    Ok(Arc::new(chain().with_roots(roots)?.build()?))
}

/// Trusts chains to the roots that the operating system trusts.
///
/// # Errors
/// If it has none.
#[cfg(feature = "system-roots")]
pub fn system_roots() -> Result<Arc<dyn PeerVerifier>, TrustError> {
    let (chain, _found) = chain().with_system_roots();
    Ok(Arc::new(chain.without_authorities().build()?))
}

/// Trusts the certificates with these fingerprints and no others, whoever issued them.
#[must_use]
pub fn fingerprints(allowed: impl IntoIterator<Item = Fingerprint>) -> Arc<dyn PeerVerifier> {
    Arc::new(FingerprintVerifier::new(allowed))
}

/// Certificates that nobody can be verified with.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrustError {
    /// They are not PEM.
    Pem(pem::Error),
    /// They cannot serve as roots.
    Roots(RootsError),
}

impl From<RootsError> for TrustError {
    fn from(error: RootsError) -> Self {
        Self::Roots(error)
    }
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem(error) => write!(f, "the root certificates cannot be read: {error}"),
            Self::Roots(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TrustError {}
