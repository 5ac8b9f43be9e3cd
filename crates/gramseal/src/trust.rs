//! Whom to trust: the usual rules as values for the configuration builders.
//!
//! They come from [`crate::webpki`], which has more to choose from, and verify signatures with the
//! algorithms of [`crate::provider`].

use std::fmt;
use std::sync::Arc;

use gramseal_proto::config::PeerVerifier;
use gramseal_webpki::{ChainVerifier, ChainVerifierBuilder, CrlError, Fingerprint, FingerprintVerifier, RootsError};
use pki_types::pem::{self, PemObject};
use pki_types::{CertificateDer, CertificateRevocationListDer};

/// Begins a verifier of certificate chains, for those who want more than the functions here.
///
/// For example, trust in the roots of one file, less what the lists of another revoke:
///
/// ```
/// use gramseal::trust::{self, TrustError};
/// use gramseal::webpki::ChainVerifier;
///
/// fn verifier(roots: &[u8], lists: &[u8]) -> Result<ChainVerifier, TrustError> {
///     let chain = trust::chain().with_roots(trust::certificates_from_pem(roots)?)?;
///     Ok(chain.with_crls(trust::crls_from_pem(lists)?)?.build()?)
/// }
/// ```
pub fn chain() -> ChainVerifierBuilder {
    ChainVerifier::builder(gramseal_aws_lc::ALL_VERIFICATION_ALGORITHMS)
}

/// Trusts chains to the root certificates in `pem`.
///
/// # Errors
/// If there are none, or one cannot serve as a root.
pub fn roots_from_pem(pem: &[u8]) -> Result<Arc<dyn PeerVerifier>, TrustError> {
    Ok(Arc::new(chain().with_roots(certificates_from_pem(pem)?)?.build()?))
}

/// The certificates in `pem`; there may be none.
///
/// # Errors
/// If it is not PEM.
pub fn certificates_from_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(TrustError::Pem)
}

/// The revocation lists in `pem` (`X509 CRL`), for
/// [`ChainVerifierBuilder::with_crls`]; there may be none.
///
/// # Errors
/// If it is not PEM.
pub fn crls_from_pem(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, TrustError> {
    CertificateRevocationListDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(TrustError::CrlPem)
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

/// Certificates and lists that nobody can be verified with.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrustError {
    /// The certificates are not PEM.
    Pem(pem::Error),
    /// They cannot serve as roots.
    Roots(RootsError),
    /// The revocation lists are not PEM.
    CrlPem(pem::Error),
    /// The revocation lists cannot be used.
    Crls(CrlError),
}

impl From<RootsError> for TrustError {
    fn from(error: RootsError) -> Self {
        Self::Roots(error)
    }
}

impl From<CrlError> for TrustError {
    fn from(error: CrlError) -> Self {
        Self::Crls(error)
    }
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem(error) => write!(f, "the root certificates cannot be read: {error}"),
            Self::Roots(error) => error.fmt(f),
            Self::CrlPem(error) => write!(f, "the revocation lists cannot be read: {error}"),
            Self::Crls(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TrustError {}
