//! Who we are: a certificate chain and the key to it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::SignatureScheme;
use pki_types::CertificateDer;

use super::ConfigError;
use crate::crypto::{KeyKind, SigningKey};

/// A certificate chain, our own certificate first, with its private key.
#[derive(Debug, Clone)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
}

impl Identity {
    /// Pairs a chain with its key.
    ///
    /// # Errors
    /// If the chain is empty.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: Arc<dyn SigningKey>) -> Result<Self, ConfigError> {
        if chain.is_empty() {
            return Err(ConfigError::EmptyCertificateChain);
        }
        Ok(Self { chain, key })
    }

    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub(crate) fn key(&self) -> &dyn SigningKey {
        &*self.key
    }

    /// Whether the key can authenticate suites of `kind`.
    pub(crate) fn is_of(&self, kind: KeyKind) -> bool {
        self.key.schemes().iter().any(|scheme| KeyKind::of(*scheme) == Some(kind))
    }

    /// The key's most preferred scheme that the peer offers.
    pub(crate) fn choose_scheme(
        &self,
        offered: impl Fn(SignatureScheme) -> bool,
        kind: Option<KeyKind>,
    ) -> Option<SignatureScheme> {
        let fits = |scheme: SignatureScheme| kind.is_none() || KeyKind::of(scheme) == kind;
        self.key.schemes().iter().copied().find(|scheme| fits(*scheme) && offered(*scheme))
    }
}
