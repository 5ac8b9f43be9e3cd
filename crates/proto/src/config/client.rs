//! The configuration of clients.

use alloc::sync::Arc;

use alloc::vec::Vec;

use super::common::{Allowed, Means, common_setters};
use super::{ClientSessions, Common, ConfigError, Identity, PeerVerifier, Psk, srtp};
use crate::crypto::CryptoProvider;
use crate::session::ClientSessionStore;

/// What a client needs to know; shared by all its connections.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    pub(crate) common: Common,
    /// `None`: servers with certificates are not accepted.
    pub(crate) verifier: Option<Arc<dyn PeerVerifier>>,
    /// In order of preference.
    pub(crate) identities: Vec<Arc<Identity>>,
    pub(crate) psks: Vec<Psk>,
    /// `None`: no session is resumed.
    pub(crate) sessions: Option<ClientSessions>,
    pub(crate) srtp_mki: Vec<u8>,
}

impl ClientConfig {
    /// Begins a configuration. `verifier` decides which servers are accepted.
    pub fn builder(provider: Arc<CryptoProvider>, verifier: Arc<dyn PeerVerifier>) -> ClientConfigBuilder {
        ClientConfigBuilder { verifier: Some(verifier), ..Self::bare(provider) }
    }

    /// Begins a configuration for servers that share a key with us, and for no others.
    pub fn psk_builder(provider: Arc<CryptoProvider>, psk: Psk) -> ClientConfigBuilder {
        Self::bare(provider).with_psk(psk)
    }

    fn bare(provider: Arc<CryptoProvider>) -> ClientConfigBuilder {
        ClientConfigBuilder {
            common: Common::new(provider),
            allowed: Allowed::default(),
            verifier: None,
            identities: Vec::new(),
            psks: Vec::new(),
            session_store: None,
            srtp_mki: Vec::new(),
        }
    }
}

/// A client configuration in the making.
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientConfigBuilder {
    common: Common,
    allowed: Allowed,
    verifier: Option<Arc<dyn PeerVerifier>>,
    identities: Vec<Arc<Identity>>,
    psks: Vec<Psk>,
    session_store: Option<Arc<dyn ClientSessionStore>>,
    srtp_mki: Vec<u8>,
}

impl ClientConfigBuilder {
    common_setters!();

    /// Adds a key that we share with servers. The first is used, unless another one is for the hint
    /// that the server sends.
    pub fn with_psk(mut self, psk: Psk) -> Self {
        self.psks.push(psk);
        self
    }

    /// Adds a credential to show to servers that ask for one, most preferred first. A server sees the
    /// first that it can make use of: see [`Identity`].
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identities.push(Arc::new(identity));
        self
    }

    /// Resumes sessions by id or ticket, and keeps them in `store`. Default: every handshake is a full
    /// one. Several configurations can share a store; each finds only what fits its settings.
    pub fn with_session_store(mut self, store: Arc<dyn ClientSessionStore>) -> Self {
        self.session_store = Some(store);
        self
    }

    /// The SRTP master key identifier to offer with the profiles, of at most 255 bytes (RFC 5764
    /// §4.1.3). Default: none. Each association of one SRTP session needs another one, and so a
    /// configuration of its own.
    pub fn with_srtp_mki(mut self, mki: impl Into<Vec<u8>>) -> Self {
        self.srtp_mki = mki.into();
        self
    }

    /// Checks the whole.
    ///
    /// # Errors
    /// What cannot work, see [`ConfigError`].
    pub fn build(self) -> Result<ClientConfig, ConfigError> {
        let Self { common, allowed, verifier, identities, psks, srtp_mki, session_store } = self;
        let common = common.finish(allowed, Means { certificates: verifier.is_some(), psk: !psks.is_empty() })?;
        let sessions = match session_store {
            Some(store) => Some(ClientSessions::new(store, &common, verifier.as_deref(), &identities)?),
            None => None,
        };
        srtp::check_mki(&srtp_mki, &common.srtp)?;
        Ok(ClientConfig { common, verifier, identities, psks, srtp_mki, sessions })
    }
}
