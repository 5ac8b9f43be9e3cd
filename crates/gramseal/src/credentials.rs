//! The default cryptography, and identities from PEM.

use std::fmt;
use std::sync::{Arc, OnceLock};

use gramseal_proto::CertificateFault;
use gramseal_proto::config::{ConfigError, Identity};
use gramseal_proto::crypto::{CryptoProvider, KeyRejected, SigningKey};
use pki_types::pem::{self, PemObject};
use pki_types::{CertificateDer, PrivateKeyDer};

/// The default cryptography: aws-lc-rs, and in pure Rust what that lacks: AES-CCM, and finite-field
/// groups, which are used only where a configuration allows legacy suites. The hash functions are in pure
/// Rust too: their HMAC takes less than half the time, and handshakes that resume a session consist of it.
///
/// Made once in a process and shared: the first call takes tens of milliseconds.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| {
        let mut provider = gramseal_aws_lc::provider();
        provider.finite_field = Some(gramseal_rustcrypto::FINITE_FIELD);
        provider.groups.extend(gramseal_rustcrypto::ffdhe_groups());
        provider.aeads.extend(gramseal_rustcrypto::ccm_aeads());
        provider.hashes = vec![gramseal_rustcrypto::SHA256, gramseal_rustcrypto::SHA384];
        Arc::new(provider)
    }))
}

/// Reads an identity for [`provider`]: the certificates in `chain`, our own first, and the first
/// private key in `key` (PKCS#8, PKCS#1 or SEC1). Both are PEM and may be the same text.
///
/// The identity knows the host names, the issuers and the signatures of its certificates, so that it can
/// stand beside others in one configuration.
///
/// # Errors
/// See [`IdentityError`].
pub fn identity_from_pem(chain: &[u8], key: &[u8]) -> Result<Identity, IdentityError> {
    identity_with_key(chain, private_key_from_pem(key)?)
}

/// Like [`identity_from_pem`], with a private key that need not be in memory: one in a hardware module
/// signs [later](crate::proto::crypto::Deferrable).
///
/// # Errors
/// See [`IdentityError`]. Whether the key belongs to the certificate can be checked only if it tells
/// its public half.
pub fn identity_with_key(chain: &[u8], key: Arc<dyn SigningKey>) -> Result<Identity, IdentityError> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(IdentityError::Chain)?;
    let mut names = Vec::new();
    if let Some(own) = chain.first() {
        if !gramseal_webpki::belong_together(own, &*key).map_err(IdentityError::Certificate)? {
            return Err(IdentityError::KeyMismatch);
        }
        names = gramseal_webpki::host_names(own).map_err(IdentityError::Certificate)?;
    }
    let issuers = gramseal_webpki::issuers(&chain).map_err(IdentityError::Certificate)?;
    let schemes = gramseal_webpki::certificate_schemes(&chain).map_err(IdentityError::Certificate)?;
    let identity = Identity::new(chain, key).map_err(IdentityError::Config)?;
    Ok(identity.with_names(names).with_issuers(issuers).with_certificate_schemes(schemes))
}

/// Reads an identity for [`provider`] that is a raw public key (RFC 7250): the public half of the
/// first private key in `key` (PEM; PKCS#8, PKCS#1 or SEC1). Peers have to know it already.
///
/// # Errors
/// See [`IdentityError`].
pub fn raw_public_key_from_pem(key: &[u8]) -> Result<Identity, IdentityError> {
    Identity::raw_public_key(private_key_from_pem(key)?).map_err(IdentityError::Config)
}

fn private_key_from_pem(pem: &[u8]) -> Result<Arc<dyn SigningKey>, IdentityError> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(IdentityError::Key)?;
    provider().keys.load(&key).map_err(IdentityError::KeyRejected)
}

/// Text that makes no identity.
#[derive(Debug)]
#[non_exhaustive]
pub enum IdentityError {
    /// The chain is not PEM.
    Chain(pem::Error),
    /// There is no private key in PEM.
    Key(pem::Error),
    /// The private key cannot be used.
    KeyRejected(KeyRejected),
    /// A certificate of the chain cannot be used, above all our own, which is the first.
    Certificate(CertificateFault),
    /// The private key belongs to another certificate than the first of the chain.
    KeyMismatch,
    /// The chain and the key make no identity: above all, a chain without a certificate.
    Config(ConfigError),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(error) => write!(f, "the certificate chain cannot be read: {error}"),
            Self::Key(pem::Error::NoItemsFound) => f.write_str("there is no private key in PEM"),
            Self::Key(error) => write!(f, "the private key cannot be read: {error}"),
            Self::KeyRejected(reason) => reason.fmt(f),
            Self::Certificate(CertificateFault::Unsupported) => {
                f.write_str("our own certificate is older than version 3 or has an unknown critical extension")
            }
            Self::Certificate(_) => f.write_str("our own certificate or one of its chain cannot be read"),
            Self::KeyMismatch => f.write_str("the private key does not belong to the first certificate of the chain"),
            Self::Config(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for IdentityError {}

#[cfg(test)]
mod tests {
    use super::*;
    use gramseal_testkit::pki::TestPki;

    #[test]
    fn identities_say_what_is_missing() {
        let identity = TestPki::new().server("a.test");
        let (chain, key) = (identity.chain_pem.as_bytes(), identity.key_pem.as_bytes());
        assert!(identity_from_pem(chain, key).is_ok());
        assert!(matches!(identity_from_pem(key, key), Err(IdentityError::Config(ConfigError::EmptyCertificateChain))));
        let other = TestPki::new().server("a.test");
        let mixed = identity_from_pem(chain, other.key_pem.as_bytes());
        assert!(matches!(mixed, Err(IdentityError::KeyMismatch)));
        let missing = identity_from_pem(chain, chain).map(drop);
        assert_eq!(missing.unwrap_err().to_string(), "there is no private key in PEM");
    }

    #[test]
    fn finite_field_groups_are_there_for_the_legacy_switch() {
        let provider = provider();
        assert!(provider.finite_field.is_some());
        assert!(provider.group(gramseal_rustcrypto::FFDHE2048.name()).is_some());
        assert!(Arc::ptr_eq(&provider, &super::provider()));
    }
}
