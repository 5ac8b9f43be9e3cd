//! The configuration of servers.

use alloc::sync::Arc;

use super::common::common_setters;
use super::{Common, ConfigError, Identity, PeerVerifier};
use crate::crypto::CryptoProvider;

/// Whether clients show certificates.
#[derive(Debug, Clone, Default)]
#[expect(clippy::exhaustive_enums, reason = "the three policies there are")]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    None,
    /// They are asked and may decline; what they show must pass.
    Optional(Arc<dyn PeerVerifier>),
    /// Who shows no certificate is refused.
    Required(Arc<dyn PeerVerifier>),
}

impl ClientAuth {
    pub(crate) fn verifier(&self) -> Option<&Arc<dyn PeerVerifier>> {
        match self {
            Self::None => None,
            Self::Optional(verifier) | Self::Required(verifier) => Some(verifier),
        }
    }
}

/// What a server needs to know; shared by all its connections.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    pub(crate) common: Common,
    pub(crate) identity: Identity,
    pub(crate) client_auth: ClientAuth,
}

impl ServerConfig {
    /// Begins a configuration. `identity` is what clients see.
    pub fn builder(provider: Arc<CryptoProvider>, identity: Identity) -> ServerConfigBuilder {
        ServerConfigBuilder { common: Common::new(provider), identity, client_auth: ClientAuth::None }
    }

    /// The cryptography it uses.
    #[must_use]
    pub fn provider(&self) -> &Arc<CryptoProvider> {
        &self.common.provider
    }
}

/// A server configuration in the making.
#[derive(Debug, Clone)]
#[must_use]
pub struct ServerConfigBuilder {
    common: Common,
    identity: Identity,
    client_auth: ClientAuth,
}

impl ServerConfigBuilder {
    common_setters!();

    /// Whether and how clients prove who they are. Default: they do not.
    pub fn with_client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// Checks the whole.
    ///
    /// # Errors
    /// What cannot work, see [`ConfigError`].
    pub fn build(self) -> Result<ServerConfig, ConfigError> {
        let common = self.common.finish()?;
        if !common.suites12().any(|suite| self.identity.is_of(suite.auth)) {
            return Err(ConfigError::NoCipherSuiteForKey);
        }
        Ok(ServerConfig { common, identity: self.identity, client_auth: self.client_auth })
    }
}
