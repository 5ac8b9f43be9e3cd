//! Whom to trust: the usual rules as values for the configuration builders.
//!
//! They come from [`crate::webpki`], which has more to choose from, and verify signatures with the
//! algorithms of [`crate::provider`].

use std::fmt;
use std::sync::Arc;

use gramseal_proto::CertificateFault;
use gramseal_proto::config::PeerVerifier;
pub use gramseal_webpki::Fingerprint;
use gramseal_webpki::{
    ChainVerifier, ChainVerifierBuilder, CrlError, FingerprintVerifier, RawPublicKeyVerifier, RootsError,
};
use pki_types::pem::{self, PemObject};
use pki_types::{CertificateDer, CertificateRevocationListDer, SubjectPublicKeyInfoDer};

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

/// Trusts the raw public keys (RFC 7250) with these fingerprints and nobody else; see
/// [`Fingerprint::of_public_key`].
#[must_use]
pub fn raw_public_keys(allowed: impl IntoIterator<Item = Fingerprint>) -> Arc<dyn PeerVerifier> {
    Arc::new(RawPublicKeyVerifier::new(allowed))
}

/// The public keys in `pem` (`PUBLIC KEY`); there may be none.
///
/// # Errors
/// If it is not PEM, or holds something that is no public key.
pub fn public_keys_from_pem(pem: &[u8]) -> Result<Vec<SubjectPublicKeyInfoDer<'static>>, TrustError> {
    let keys: Vec<SubjectPublicKeyInfoDer<'static>> =
        SubjectPublicKeyInfoDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(TrustError::KeyPem)?;
    match keys.iter().find_map(|key| gramseal_webpki::public_key_of_raw(key).err()) {
        Some(fault) => Err(TrustError::Key(fault)),
        None => Ok(keys),
    }
}

/// Certificates, lists and keys that nobody can be verified with.
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
    /// The public keys are not PEM.
    KeyPem(pem::Error),
    /// A public key cannot be read.
    Key(CertificateFault),
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
            Self::KeyPem(error) => write!(f, "the public keys cannot be read: {error}"),
            Self::Key(_) => f.write_str("a public key cannot be read"),
        }
    }
}

impl std::error::Error for TrustError {}
