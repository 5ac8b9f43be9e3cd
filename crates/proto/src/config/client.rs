//! The configuration of clients.

use alloc::sync::Arc;

use alloc::vec::Vec;

use gramseal_wire::extension::MaxFragmentLength;
use gramseal_wire::{CipherSuite, NamedGroup, OwnedList, ProtocolVersion, SignatureScheme};

use super::common::{Allowed, Means, common_setters};
use super::{ClientSessions, Common, ConfigError, Identity, PeerVerifier, Psk, limits, srtp};
use crate::crypto::{CryptoProvider, HashAlgorithm};
use crate::session::ClientSessionStore;

/// What a client needs to know; shared by all its connections.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    pub(crate) common: Common,
    pub(crate) lists: HelloLists,
    /// `None`: servers with certificates are not accepted.
    pub(crate) verifier: Option<Arc<dyn PeerVerifier>>,
    /// In order of preference.
    pub(crate) identities: Vec<Arc<Identity>>,
    pub(crate) psks: Vec<Psk>,
    /// `None`: no session is resumed.
    pub(crate) sessions: Option<ClientSessions>,
    pub(crate) srtp_mki: Vec<u8>,
    pub(crate) max_fragment_length: Option<MaxFragmentLength>,
    /// Whether hellos name the authorities that the verifier trusts.
    pub(crate) names_authorities: bool,
    /// Whether the server of a session is verified again when it is resumed.
    pub(crate) reverifies: bool,
    /// How many tickets to ask for, after a full handshake and after a resumed one.
    pub(crate) ticket_request: Option<(u8, u8)>,
    /// Whether servers of 1.3 may ask for a certificate after the handshake.
    pub(crate) post_handshake_auth: bool,
    /// Whether a request that none of the credentials fits is fatal.
    pub(crate) identity_required: bool,
    /// Whether hellos announce early data where the session allows it.
    pub(crate) early_data: bool,
    /// Whether a first hello has the share of a large group.
    pub(crate) large_share_at_once: bool,
    /// Whether tickets may be so long that hellos need several datagrams.
    pub(crate) large_tickets: bool,
}

/// The lists that all hellos have, as they go on the wire.
#[derive(Debug, Clone)]
pub(crate) struct HelloLists {
    pub(crate) cipher_suites: OwnedList<CipherSuite>,
    pub(crate) groups: OwnedList<NamedGroup>,
    pub(crate) signature_schemes: OwnedList<SignatureScheme>,
    /// For signatures in certificates, if those are others.
    pub(crate) certificate_schemes: Option<OwnedList<SignatureScheme>>,
}

impl HelloLists {
    fn new(common: &Common, verifier: Option<&dyn PeerVerifier>) -> Self {
        let certificate_schemes = verifier.and_then(|verifier| common.certificate_schemes(verifier));
        Self {
            cipher_suites: common.suites.as_slice().into(),
            groups: common.groups.as_slice().into(),
            signature_schemes: common.verify_schemes().collect(),
            certificate_schemes: certificate_schemes.map(OwnedList::from),
        }
    }
}

impl ClientConfig {
    /// The longest ticket worth keeping, in bytes: what no hello of ours carries would only take the place of others
    /// in the store.
    pub(crate) fn longest_ticket(&self) -> usize {
        if self.large_tickets { usize::from(u16::MAX) } else { self.common.transport.mtu }
    }

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
            max_fragment_length: None,
            names_authorities: false,
            reverifies: false,
            ticket_request: None,
            post_handshake_auth: false,
            identity_required: false,
            early_data: false,
            large_share_at_once: false,
            large_tickets: false,
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
    max_fragment_length: Option<u16>,
    names_authorities: bool,
    reverifies: bool,
    ticket_request: Option<(u8, u8)>,
    post_handshake_auth: bool,
    identity_required: bool,
    early_data: bool,
    large_share_at_once: bool,
    large_tickets: bool,
}

impl ClientConfigBuilder {
    common_setters!();

    /// Adds a key that we share with servers. In 1.2 the first is used, unless another one is for the hint
    /// that the server sends. In 1.3 the server sees the names of all, up to 6, and chooses; an imported key
    /// has two names, one for each hash of the suites.
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

    /// Ends the connection where a server asks for a certificate and none of ours is of use to it, in the handshake
    /// or after it: [`Incompatible::NoFittingIdentity`](crate::Incompatible::NoFittingIdentity) says why. Without
    /// credentials it changes nothing. Default: the server learns that there is none, and decides
    /// (RFC 5246 §7.4.6, RFC 9846 §4.5.1).
    pub fn with_identity_required(mut self) -> Self {
        self.identity_required = true;
        self
    }

    /// Resumes sessions by id or ticket, and keeps them in `store`. Default: every handshake is a full
    /// one. Several configurations can share a store; each finds only what fits its settings.
    ///
    /// In 1.3 the server sends its tickets after the handshake, and each serves for one connection.
    pub fn with_session_store(mut self, store: Arc<dyn ClientSessionStore>) -> Self {
        self.session_store = Some(store);
        self
    }

    /// Asks the verifier again about the server of a session that is resumed, with the chain or key and the stapled
    /// response of the full handshake; if it refuses, the handshake fails as a full one would, and the next one is
    /// full: by then the server may have another certificate or response. Default: a session counts as long as it
    /// lives, although its certificate may expire or be revoked in the meantime.
    ///
    /// It is asked when the server has shown that it knows the session. As early data is sent before that, the two do
    /// not go together.
    pub fn with_reverification(mut self) -> Self {
        self.reverifies = true;
        self
    }

    /// Asks servers of 1.3 for so many tickets after a full handshake, and so many after one that resumes
    /// a session (RFC 9149). Default: nothing is said. It is not said without a session store either.
    pub fn with_ticket_request(mut self, after_full: u8, after_resumed: u8) -> Self {
        self.ticket_request = Some((after_full, after_resumed));
        self
    }

    /// The SRTP master key identifier to offer with the profiles, of at most 255 bytes (RFC 5764
    /// §4.1.3). Default: none. Each association of one SRTP session needs another one, and so a
    /// configuration of its own.
    pub fn with_srtp_mki(mut self, mki: impl Into<Vec<u8>>) -> Self {
        self.srtp_mki = mki.into();
        self
    }

    /// Asks the server that neither side put more than `bytes` of content into any record: 512, 1024,
    /// 2048 or 4096 (RFC 6066 §4). For servers that do not know
    /// [`with_record_size_limit`](Self::with_record_size_limit), which may be asked for beside it
    /// and goes first. Default: not asked for.
    pub fn with_max_fragment_length(mut self, bytes: u16) -> Self {
        self.max_fragment_length = Some(bytes);
        self
    }

    /// Names the authorities that the verifier trusts to servers of 1.3, so that one with several
    /// certificates can show a fitting one (RFC 9846 §4.3.4). Default: not, because the names of all that a
    /// system trusts are many kilobytes in every hello.
    pub fn with_authorities_named(mut self) -> Self {
        self.names_authorities = true;
        self
    }

    /// Lets servers of 1.3 ask for a certificate at any time after the handshake (RFC 9846 §4.3.6). They see
    /// what they would have seen in the handshake, see [`with_identity`](Self::with_identity), or learn that
    /// nothing fits. Default: a server that asks then is refused, and so is always one that knows us by a pre-shared key
    /// from elsewhere (RFC 9846 §4.4.2).
    ///
    /// Each connection keeps a running hash for it, a few hundred bytes.
    pub fn with_post_handshake_auth(mut self) -> Self {
        self.post_handshake_auth = true;
        self
    }

    /// Announces early data (0-RTT, RFC 9846 §2.3) to servers of 1.3 that allowed it with the session that is
    /// resumed: then [`seal_early`](crate::Connection::seal_early) sends some at once. Default: not. Needs 1.3
    /// and a session store.
    ///
    /// **Others can send it again**, how often the server decides, and it has no forward secrecy. So it is for what
    /// may happen twice.
    pub fn with_early_data(mut self) -> Self {
        self.early_data = true;
        self
    }

    /// Keeps tickets however long they are, and offers them in hellos that need several datagrams. For servers that
    /// put whole certificates into tickets. Default: a session whose ticket would make a hello outgrow its datagram is
    /// not kept, or not offered, because servers that ask for cookies may leave such a hello unanswered.
    pub fn with_large_tickets(mut self) -> Self {
        self.large_tickets = true;
        self
    }

    /// Sends the share of a post-quantum group with the first hello, if such a group is the most preferred one,
    /// beside one of the first group that is small. That makes the hello larger than a datagram usually is.
    ///
    /// Default: only the small share comes with the first hello, and the large one when the server asks for it.
    /// Servers that ask for a cookie, as servers of this library do, ask for both at once, so that it costs
    /// nothing; and some servers, of DTLS 1.2 or of 1.3, leave a first hello in several datagrams unanswered. A
    /// server that never asks takes the small share. With this setting it can take the large one, which is
    /// worth it where servers do without cookies. To have nothing but post-quantum groups, name no others in
    /// [`with_groups`](Self::with_groups).
    pub fn with_large_share_at_once(mut self) -> Self {
        self.large_share_at_once = true;
        self
    }

    /// Checks the whole.
    ///
    /// # Errors
    /// What cannot work, see [`ConfigError`].
    pub fn build(self) -> Result<ClientConfig, ConfigError> {
        let Self { common, allowed, verifier, identities, psks, srtp_mki, session_store, .. } = self;
        let (names_authorities, reverifies) = (self.names_authorities, self.reverifies);
        let ticket_request = self.ticket_request;
        let (post_handshake_auth, early_data) = (self.post_handshake_auth, self.early_data);
        let (large_share_at_once, large_tickets) = (self.large_share_at_once, self.large_tickets);
        let identity_required = self.identity_required;
        let hashes = [HashAlgorithm::Sha256, HashAlgorithm::Sha384];
        let hashes: Vec<HashAlgorithm> =
            hashes.into_iter().filter(|hash| psks.iter().any(|psk| psk.fits13(*hash))).collect();
        let means = Means { certificates: verifier.is_some(), psk: psks.iter().any(Psk::serves12), psk13: &hashes };
        let common = common.finish(allowed, means)?;
        srtp::check_mki(&srtp_mki, &common.srtp)?;
        let max_fragment_length = self.max_fragment_length.map(limits::max_fragment_length).transpose()?;
        let sessions = session_store
            .map(|store| ClientSessions::new(store, &common, verifier.as_deref(), &identities, max_fragment_length));
        let sessions = sessions.transpose()?;
        if early_data && !(sessions.is_some() && common.allows(ProtocolVersion::DTLS1_3)) {
            return Err(ConfigError::EarlyDataWithoutSessions);
        }
        if early_data && reverifies {
            return Err(ConfigError::EarlyDataBeforeReverification);
        }
        Ok(ClientConfig {
            lists: HelloLists::new(&common, verifier.as_deref()),
            common,
            verifier,
            identities,
            psks,
            sessions,
            srtp_mki,
            max_fragment_length,
            names_authorities,
            reverifies,
            ticket_request,
            post_handshake_auth,
            identity_required,
            early_data,
            large_share_at_once,
            large_tickets,
        })
    }
}
