//! The configuration of clients.

use alloc::sync::Arc;

use super::common::common_setters;
use super::{Common, ConfigError, Identity, PeerVerifier};
use crate::crypto::CryptoProvider;

/// What a client needs to know; shared by all its connections.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    pub(crate) common: Common,
    pub(crate) verifier: Arc<dyn PeerVerifier>,
    pub(crate) identity: Option<Identity>,
}

impl ClientConfig {
    /// Begins a configuration. `verifier` decides which servers are accepted.
    pub fn builder(provider: Arc<CryptoProvider>, verifier: Arc<dyn PeerVerifier>) -> ClientConfigBuilder {
        ClientConfigBuilder { common: Common::new(provider), verifier, identity: None }
    }
}

/// A client configuration in the making.
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientConfigBuilder {
    common: Common,
    verifier: Arc<dyn PeerVerifier>,
    identity: Option<Identity>,
}

impl ClientConfigBuilder {
    common_setters!();

    /// The certificate to show to servers that ask for one.
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Checks the whole.
    ///
    /// # Errors
    /// What cannot work, see [`ConfigError`].
    pub fn build(self) -> Result<ClientConfig, ConfigError> {
        Ok(ClientConfig { common: self.common.finish()?, verifier: self.verifier, identity: self.identity })
    }
}
