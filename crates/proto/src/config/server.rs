//! The configuration of servers.

use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::ProtocolVersion;
#[cfg(test)]
use gramseal_wire::{CipherSuite, NamedGroup};

use super::common::{Allowed, Means, common_setters};
use super::{Common, ConfigError, Identity, PeerVerifier, PskLookup, ServerSessions};
use crate::cid::{CidGenerator, ConnectionIds};
use crate::crypto::{CryptoProvider, HashAlgorithm, signs13};
use crate::session::{AntiReplay, ServerSessionStore, TicketSealer};
use crate::suite::Suite12;

/// Bytes of the longest handshake message that a client has reason to send which shows no certificate: a ClientHello.
const WITHOUT_CERTIFICATES: u32 = 16_384;

/// The same after the handshake: a few connection ids.
const LATER: u32 = 4096;

/// Bytes in the longest ticket. With one of this length, a hello with its cookie still fits into one datagram
/// of 1200 bytes, which servers without state need.
const MAX_TICKET_LEN: usize = 768;

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
    /// In order of preference; empty: only pre-shared keys authenticate us.
    pub(crate) identities: Vec<Arc<Identity>>,
    pub(crate) client_auth: ClientAuth,
    /// Where it is another one than in the handshake.
    pub(crate) post_handshake_verifier: Option<Arc<dyn PeerVerifier>>,
    pub(crate) psks: Option<Arc<dyn PskLookup>>,
    /// Whether a certificate goes before a key that a client of 1.3 names.
    pub(crate) certificates_first: bool,
    /// Whether clients learn that the keys that they name are not known.
    pub(crate) tells_unknown_psks: bool,
    pub(crate) sessions: ServerSessions,
    /// Whether clients hear that we have read the name they ask for.
    pub(crate) acknowledges_name: bool,
    /// `None`: no early data is taken.
    pub(crate) early_data: Option<ServerEarlyData>,
}

/// What early data a server takes.
#[derive(Debug, Clone)]
pub(crate) struct ServerEarlyData {
    /// Of one connection.
    pub(crate) max_bytes: u32,
    pub(crate) replays: Arc<dyn AntiReplay>,
}

impl ServerConfig {
    /// Begins a configuration. `identity` is what clients see, unless others are added.
    pub fn builder(provider: Arc<CryptoProvider>, identity: Identity) -> ServerConfigBuilder {
        Self::bare(provider).with_identity(identity)
    }

    /// Begins a configuration for clients that share a key with us, and for no others.
    pub fn psk_builder(provider: Arc<CryptoProvider>, psks: Arc<dyn PskLookup>) -> ServerConfigBuilder {
        Self::bare(provider).with_psks(psks)
    }

    fn bare(provider: Arc<CryptoProvider>) -> ServerConfigBuilder {
        ServerConfigBuilder {
            common: Common::new(provider),
            allowed: Allowed::default(),
            identities: Vec::new(),
            client_auth: ClientAuth::None,
            post_handshake_verifier: None,
            psks: None,
            certificates_first: false,
            tells_unknown_psks: false,
            session_store: None,
            ticket_sealer: None,
            ticket_count: 2,
            max_ticket_len: MAX_TICKET_LEN,
            acknowledges_name: true,
            early_data: None,
        }
    }

    /// The same, but no early data is taken, and tickets allow none.
    #[must_use]
    pub fn without_early_data(self: Arc<Self>) -> Arc<Self> {
        match self.early_data {
            Some(_) => Arc::new(Self { early_data: None, ..Self::clone(&self) }),
            None => self,
        }
    }

    /// Where the connection ids for records from clients come from; `None` if none are wanted.
    #[must_use]
    pub fn cid_generator(&self) -> Option<&Arc<dyn CidGenerator>> {
        match &self.common.cids {
            ConnectionIds::Both(generator) => Some(generator),
            ConnectionIds::Off | ConnectionIds::Peers => None,
        }
    }

    /// The same with another generator of connection ids.
    #[must_use]
    pub fn with_cid_generator(&self, generator: Arc<dyn CidGenerator>) -> Self {
        let mut config = self.clone();
        config.common.cids = ConnectionIds::Both(generator);
        config
    }

    /// Who decides about certificates that clients show after the handshake.
    pub(crate) fn later_verifier(&self) -> Option<&Arc<dyn PeerVerifier>> {
        self.post_handshake_verifier.as_ref().or_else(|| self.client_auth.verifier())
    }

    /// The longest message that a client may send in the handshake, in bytes.
    pub(crate) fn longest_message(&self) -> u32 {
        let without_certificates = self.client_auth.verifier().is_none();
        self.common.transport.max_message_len.min(if without_certificates { WITHOUT_CERTIFICATES } else { u32::MAX })
    }

    /// The longest message that a client may send after the handshake unless it is asked for a certificate, in bytes.
    pub(crate) fn longest_later(&self) -> u32 {
        self.common.transport.max_message_len.min(LATER)
    }

    /// The cryptography it uses.
    #[must_use]
    pub fn provider(&self) -> &Arc<CryptoProvider> {
        &self.common.provider
    }
}

#[cfg(test)]
impl ServerConfig {
    /// One that chooses among these and can do no more: for tests of choices alone.
    pub(crate) fn of_choices(
        provider: Arc<CryptoProvider>,
        versions: &[ProtocolVersion],
        suites: &[CipherSuite],
        groups: &[NamedGroup],
    ) -> Self {
        let mut common = Common::new(provider);
        (common.versions, common.suites, common.groups) = (versions.to_vec(), suites.to_vec(), groups.to_vec());
        let sessions =
            ServerSessions::new(None, None, 0, MAX_TICKET_LEN, &common, &ClientAuth::None).expect("no session is kept");
        Self {
            common,
            identities: Vec::new(),
            client_auth: ClientAuth::None,
            post_handshake_verifier: None,
            psks: None,
            certificates_first: false,
            tells_unknown_psks: false,
            sessions,
            acknowledges_name: true,
            early_data: None,
        }
    }
}

/// A server configuration in the making.
#[derive(Debug, Clone)]
#[must_use]
pub struct ServerConfigBuilder {
    common: Common,
    allowed: Allowed,
    identities: Vec<Arc<Identity>>,
    client_auth: ClientAuth,
    post_handshake_verifier: Option<Arc<dyn PeerVerifier>>,
    psks: Option<Arc<dyn PskLookup>>,
    certificates_first: bool,
    tells_unknown_psks: bool,
    session_store: Option<Arc<dyn ServerSessionStore>>,
    ticket_sealer: Option<Arc<dyn TicketSealer>>,
    ticket_count: u8,
    max_ticket_len: usize,
    acknowledges_name: bool,
    early_data: Option<ServerEarlyData>,
}

impl ServerConfigBuilder {
    common_setters!();

    /// Adds another credential, for other names or for clients that cannot make use of those before
    /// it. Who asks for a name sees the first that is [for that name](Identity::with_names), else the
    /// first that is for any, else the first of all.
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identities.push(Arc::new(identity));
        self
    }

    /// Where to find the keys that we share with clients. In 1.2 suites with certificates go first, unless
    /// the order is given; in 1.3 a key that the client names goes before a certificate, unless
    /// [`with_certificates_first`](Self::with_certificates_first) says otherwise.
    pub fn with_psks(mut self, psks: Arc<dyn PskLookup>) -> Self {
        self.psks = Some(psks);
        self
    }

    /// Shows clients of 1.3 a certificate if they can make use of one, even if they name a key that we share. Sessions
    /// are resumed nevertheless. Default: the key goes first.
    pub fn with_certificates_first(mut self) -> Self {
        self.certificates_first = true;
        self
    }

    /// Tells clients that the pre-shared keys that they name are not known here, and so everybody which identities
    /// exist, for clients whose operators have to tell that fault from a wrong key: unknown_psk_identity in 1.2
    /// (RFC 4279 §2), handshake_failure in 1.3. Default: the handshake fails as with a wrong key (RFC 9846 §F.6).
    pub fn with_unknown_psks_told(mut self) -> Self {
        self.tells_unknown_psks = true;
        self
    }

    /// Whether and how clients prove who they are with certificates. Default: they do not. A client
    /// with a pre-shared key has proved it by that, and is not asked.
    pub fn with_client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// Who decides about a certificate that a client of 1.3 shows when it is
    /// [asked after the handshake](crate::Connection::authenticate_client). Default: the verifier of
    /// [`with_client_auth`](Self::with_client_auth), if it has one. A client that was not asked for a
    /// certificate in the handshake can show X.509 certificates only (RFC 7250 §4.2), one with a pre-shared key none.
    ///
    /// Each connection with a client that can be asked keeps a running hash for it, a few hundred bytes.
    pub fn with_post_handshake_verifier(mut self, verifier: Arc<dyn PeerVerifier>) -> Self {
        self.post_handshake_verifier = Some(verifier);
        self
    }

    /// Keeps sessions in `store` and lets clients resume them by id (RFC 5246 §7.3); in 1.3 the id is the
    /// ticket, and good for one connection. Default: no session is kept.
    pub fn with_session_store(mut self, store: Arc<dyn ServerSessionStore>) -> Self {
        self.session_store = Some(store);
        self
    }

    /// Gives sessions to clients as tickets and lets them resume with these (RFC 5077, RFC 9846 §4.7.1).
    /// Default: no tickets. Beside a session store, it serves the clients that ask for tickets, and those
    /// of 1.3. No host can tell whether a ticket was used before.
    pub fn with_ticket_sealer(mut self, sealer: Arc<dyn TicketSealer>) -> Self {
        self.ticket_sealer = Some(sealer);
        self
    }

    /// How many tickets a client of 1.3 gets after a full handshake, 0 for none at all. Default 2; with
    /// each connection that resumes a session comes one. A client that says how many it wants (RFC 9149)
    /// gets as many, and at most 8. Without a session store or a ticket sealer there are none.
    pub fn with_ticket_count(mut self, tickets: u8) -> Self {
        self.ticket_count = tickets;
        self
    }

    /// The longest ticket, in bytes: in place of a longer one the client gets the id of a session in the store, if
    /// there is one. Default 768, with which the hello that brings the ticket back still fits into one datagram,
    /// cookie included. A ticket holds the client's certificate; where no store is shared, or where those are large,
    /// it may need more.
    pub fn with_max_ticket_len(mut self, bytes: usize) -> Self {
        // No message has room for more.
        self.max_ticket_len = bytes.min(usize::from(u16::MAX));
        self
    }

    /// Does not tell clients that the name they ask for was read (`server_name`, RFC 6066 §3), as servers do that make
    /// no use of it. Default: told, in full handshakes.
    pub fn without_server_name_ack(mut self) -> Self {
        self.acknowledges_name = false;
        self
    }

    /// Takes early data (0-RTT, RFC 9846 §2.3) of at most `max_bytes` from clients of 1.3 that resume a session:
    /// tickets say so from then on, and [`poll_early_data`](crate::Connection::poll_early_data) gives it. Needs 1.3, and
    /// a session store or a ticket sealer; with `gramseal`, also connections that `Incoming::accept_early` begins.
    /// Default: none is taken. What goes with an older ticket that allows more than
    /// `max_bytes` is rejected, all of it.
    ///
    /// It comes before the handshake has shown that the client is there: **others can send it again**, to this
    /// server as often as `replays` lets them, usually never, and to each other host that accepts the same tickets
    /// ([`AntiReplay`]). It has no forward secrecy: who learns the session's secret later can read what was recorded.
    ///
    /// A server that asks for cookies never takes any, since a client that is asked for one begins anew: see
    /// [`CookiePolicy`](crate::endpoint::CookiePolicy).
    pub fn with_early_data(mut self, max_bytes: u32, replays: Arc<dyn AntiReplay>) -> Self {
        self.early_data = Some(ServerEarlyData { max_bytes, replays });
        self
    }

    /// Checks the whole.
    ///
    /// # Errors
    /// What cannot work, see [`ConfigError`].
    pub fn build(self) -> Result<ServerConfig, ConfigError> {
        let psk13: &[HashAlgorithm] =
            if self.psks.is_some() { &[HashAlgorithm::Sha256, HashAlgorithm::Sha384] } else { &[] };
        let means = Means { certificates: !self.identities.is_empty(), psk: self.psks.is_some(), psk13 };
        let common = self.common.finish(self.allowed, means)?;
        let serves = |suite: &Suite12| match suite.auth {
            Some(kind) => self.identities.iter().any(|identity| identity.is_of(kind)),
            None => true,
        };
        let serves13 = self.identities.iter().any(|identity| identity.choose_scheme(signs13, None).is_some());
        let allows13 = common.allows(ProtocolVersion::DTLS1_3);
        let (serves13, serves13_by_key) = (allows13 && serves13, allows13 && self.psks.is_some());
        if !serves13 && !serves13_by_key && !common.suites12().any(serves) {
            return Err(ConfigError::NoCipherSuiteForKey);
        }
        if self.post_handshake_verifier.is_some() && common.verify_schemes().next().is_none() {
            return Err(ConfigError::NothingAllowed("signature scheme"));
        }
        if self.client_auth.verifier().is_some() {
            // RFC 4279 §2: with a pre-shared key clients are not asked.
            if !serves13 && !common.suites12().any(|suite| suite.auth.is_some() && serves(suite)) {
                return Err(ConfigError::ClientAuthWithoutCertificate);
            }
            if common.verify_schemes().next().is_none() {
                return Err(ConfigError::NothingAllowed("signature scheme"));
            }
        }
        let Self { identities, client_auth, post_handshake_verifier, psks, session_store, .. } = self;
        let (ticket_sealer, early_data, acknowledges_name) =
            (self.ticket_sealer, self.early_data, self.acknowledges_name);
        let (count, max_len) = (self.ticket_count, self.max_ticket_len);
        let sessions = ServerSessions::new(session_store, ticket_sealer, count, max_len, &common, &client_auth)?;
        check_early_data(early_data.as_ref(), &sessions, &common)?;
        Ok(ServerConfig {
            common,
            identities,
            client_auth,
            post_handshake_verifier,
            psks,
            certificates_first: self.certificates_first,
            tells_unknown_psks: self.tells_unknown_psks,
            sessions,
            acknowledges_name,
            early_data,
        })
    }
}

fn check_early_data(
    early_data: Option<&ServerEarlyData>,
    sessions: &ServerSessions,
    common: &Common,
) -> Result<(), ConfigError> {
    let kept = sessions.store.is_some() || sessions.tickets.is_some();
    match early_data {
        Some(early) if early.max_bytes == 0 => Err(ConfigError::NothingAllowed("early data")),
        Some(_) if !kept || !common.allows(ProtocolVersion::DTLS1_3) => Err(ConfigError::EarlyDataWithoutSessions),
        _ => Ok(()),
    }
}
