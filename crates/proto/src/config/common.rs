//! Settings that both roles have, and their defaults.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use gramseal_wire::{CipherSuite, NamedGroup, ProtocolVersion, PskKeyExchangeMode, SignatureScheme, SrtpProfile};

use super::{
    CertificateCompression, ConfigError, GroupKind, MovePolicy, PathCheck, PeerVerifier, is_finite_field, limits, srtp,
};
use crate::cid::ConnectionIds;
use crate::crypto::{CryptoProvider, HashAlgorithm, KeyKind};
use crate::keylog::KeyLog;
use crate::padding::Padding;
use crate::suite::{KeyExchange, SUITES_12, SUITES_13, Suite12, Suite13};
use crate::trace::Trace;

/// Whether DHE_RSA suites may be used (RFC 10015 forbids them by default).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "a switch has two positions")]
pub enum LegacySuites {
    /// Only AEAD suites with elliptic-curve forward secrecy.
    #[default]
    Refused,
    /// DHE_RSA as the last choice, for peers that have nothing else.
    Allowed,
}

/// Whether a connection of 1.3 that resumes a session, or goes on with a pre-shared key from elsewhere, agrees on a
/// new secret beside it (RFC 9846 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "a switch has two positions")]
pub enum ResumedKeyExchange {
    /// Always (`psk_dhe_ke`): who learns the session's secret or the key later cannot read what was recorded.
    #[default]
    Required,
    /// Not where both sides allow it (`psk_ke`): that saves each the work of a key exchange, and gives
    /// forward secrecy up.
    Optional,
}

impl ResumedKeyExchange {
    /// The modes that it stands for, the client's favourite first (RFC 9846 §4.3.9).
    pub(crate) fn modes(self) -> &'static [PskKeyExchangeMode] {
        match self {
            Self::Required => &[PskKeyExchangeMode::PSK_DHE_KE],
            Self::Optional => &[PskKeyExchangeMode::PSK_KE, PskKeyExchangeMode::PSK_DHE_KE],
        }
    }
}

/// What a side does about losses besides waiting for its timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "whether to wait is a yes or no")]
pub enum Repair {
    /// It acts on what it hears. In 1.3 it acknowledges at once where something is missing, where the peer may wait for
    /// that to send more, and after the handshake, and sends again what an ACK lacks. In both versions it sends its
    /// flight again when the peer repeats the flight before.
    #[default]
    Promptly,
    /// It leaves all that to timers: ACKs wait for a quarter of the timeout, but for the one that ends a client's
    /// handshake, and what they lack for the timeout. Each says again what those before it said, and a message after
    /// the handshake waits until those before it have arrived. For paths that reorder much, on which ACKs cost more than
    /// time. A peer that sends large flights in parts (RFC 9147 §5.8.3) takes longer with such a side.
    OnTimers,
}

/// How a connection treats the network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers write `Transport { mtu: 1400, ..Transport::default() }`")]
pub struct Transport {
    /// The largest datagram to send, in bytes of UDP payload: 256 to 65,507. Default 1200.
    pub mtu: usize,
    /// How large datagrams may become where a search finds that the path carries more than `mtu`, in bytes of UDP
    /// payload: after a handshake of 1.3 larger ones are tried out (RFC 8899), up to this, with a KeyUpdate each.
    /// Ethernet carries 1472 with IPv4 and 1452 with IPv6. Default `None`: nothing is tried.
    pub max_mtu: Option<usize>,
    /// The first retransmission timeout; less than 10 ms is taken as 10 ms. Default 400 ms.
    pub initial_timeout: Duration,
    /// Where doubling stops. Default 60 s.
    pub max_timeout: Duration,
    /// How long a handshake may take. Default 60 s.
    pub handshake_timeout: Duration,
    /// How long a connection may go without a payload in either direction before it ends, with close_notify and
    /// [`CloseReason::Idle`](crate::CloseReason::Idle); it may last a quarter longer. `None`: for ever. Default one hour.
    pub idle_timeout: Option<Duration>,
    /// How often one flight is sent again at most before the association fails. Default `u32::MAX`: in a handshake as
    /// often as there is time for; after it, a message that is not acknowledged rests until the peer is heard from.
    pub max_retransmissions: u32,
    /// How many records of a flight of 1.3 may be on their way before the first is acknowledged (RFC 9147 §5.8.3).
    /// Default 10; 0 is taken as 1.
    pub records_at_once: usize,
    /// What is done about losses. Default: whatever helps, at once.
    pub repair: Repair,
    /// Whether ACKs of 1.3 may go without protection and are believed without it, before there are keys
    /// (RFC 9147 §7). Default: no. It saves repetitions when half of a large hello gets lost after a
    /// HelloRetryRequest, of which any part then counts as an ACK of all that the server sent; and it lets whoever can
    /// forge an address stop what we repeat, so that the handshake stalls.
    pub unprotected_acks: bool,
    /// Whether datagrams of a flight become smaller when it is sent again and again (RFC 6347 §4.1.1.1).
    /// Default: yes. No is for paths whose MTU is known.
    pub shrink_flights: bool,
    /// How many sequence numbers below the newest are still accepted once: 64 to 1024, rounded
    /// up to a multiple of 64. Default 64.
    pub replay_window: u32,
    /// The longest handshake message to accept, in bytes. Default 65,536. Clients whom a server asks for no certificate
    /// have nothing to say that is so long: it accepts 16,384 bytes at most from them, and after the handshake 4096 unless
    /// it has asked and the answer is still to come.
    pub max_message_len: u32,
    /// How long the side that spoke last keeps its last flight for a peer that repeats its own
    /// (RFC 6347 §4.2.4: twice the maximum segment lifetime). Default 240 s; it ends as soon as
    /// the peer's application data shows that the flight arrived.
    pub last_flight_kept: Duration,
    /// How long the peer's previous keys of 1.3 are kept after it has begun to use new ones, for records
    /// that are late (RFC 9147 §4.2.1: at most the maximum segment lifetime, 120 s). Default 60 s.
    pub previous_keys_kept: Duration,
    /// How the peer is checked when it seems to have moved. Default: [`PathCheck::Enhanced`].
    pub path_check: PathCheck,
    /// How long such a check waits for answers where nothing is known of the round trip (RFC 9853 §5.5: T), at least 30
    /// ms: from where the peer seems to be always, or longer if it was far away before. From where it was, three round
    /// trips are enough if they could be measured, or 100 ms. Four times as long is the most for either. In each of these
    /// times the peer is asked three times.
    /// Default 1 s. More is for networks with longer round trips.
    pub path_check_timeout: Duration,
    /// What a record from elsewhere does where no check was agreed on. Default: [`MovePolicy::Stay`].
    pub move_policy: MovePolicy,
    /// The last epoch that either side may update its keys of 1.3 to. Default, and most, 2^48 - 1
    /// ([`Transport::LAST_EPOCH`]); peers that keep epochs in two bytes go no further than 65,535. With less a peer that
    /// goes beyond is refused, although RFC 9147 §8 would have it bind only what is sent here.
    pub last_epoch: u64,
    /// How many records a key seals before it counts as nearly used up, which in 1.3 brings a new one. Default
    /// `u64::MAX`: as many as the standards allow, less a sixteenth.
    pub records_per_key: u64,
    /// How many records may fail to open before a key opens nothing any more, with which the association ends; in 1.3 the
    /// peer is asked for new keys after half of them. Default `u64::MAX`: as many as the standards allow, and never more
    /// than those: 2^36, 2^28 with AES-GCM in 1.2, 2^23.5 with AES-CCM, 2^20 with its short tags, for which RFC 9147 §4.5.3
    /// leaves it to the user.
    pub forgeries_per_key: u64,
}

impl Transport {
    /// The last epoch that RFC 9147 §8 allows.
    pub const LAST_EPOCH: u64 = (1 << 48) - 1;
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            mtu: 1200,
            max_mtu: None,
            initial_timeout: Duration::from_millis(400),
            max_timeout: Duration::from_secs(60),
            handshake_timeout: Duration::from_secs(60),
            idle_timeout: Some(Duration::from_secs(60 * 60)),
            max_retransmissions: u32::MAX,
            records_at_once: 10,
            repair: Repair::Promptly,
            unprotected_acks: false,
            shrink_flights: true,
            replay_window: 64,
            max_message_len: 65_536,
            last_flight_kept: Duration::from_secs(240),
            previous_keys_kept: Duration::from_secs(60),
            path_check: PathCheck::default(),
            path_check_timeout: Duration::from_secs(1),
            move_policy: MovePolicy::default(),
            last_epoch: Self::LAST_EPOCH,
            records_per_key: u64::MAX,
            forgeries_per_key: u64::MAX,
        }
    }
}

/// How peers can be authenticated with a configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) certificates: bool,
    /// Pre-shared keys in 1.2.
    pub(super) psk: bool,
    /// Pre-shared keys in 1.3, with suites of these hashes.
    pub(super) psk13: &'a [HashAlgorithm],
}

/// What the caller allows; `None` is the default, an empty list allows nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowed {
    pub(super) suites: Option<Vec<CipherSuite>>,
    pub(super) groups: Option<Vec<NamedGroup>>,
}

/// Settings of either role.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) versions: Vec<ProtocolVersion>,
    pub(crate) legacy: LegacySuites,
    pub(crate) suites: Vec<CipherSuite>,
    pub(crate) groups: Vec<NamedGroup>,
    /// The schemes whose signatures the provider can verify, most preferred first.
    verify_schemes: Vec<SignatureScheme>,
    pub(crate) alpn: Vec<Vec<u8>>,
    /// The most content that we take in a protected record; `None`: what the protocol allows.
    pub(crate) record_size_limit: Option<u16>,
    /// Empty: no SRTP.
    pub(crate) srtp: Vec<SrtpProfile>,
    pub(crate) transport: Transport,
    pub(crate) padding: Padding,
    pub(crate) cids: ConnectionIds,
    /// Only where connection ids are spoken of.
    pub(crate) rrc: bool,
    pub(crate) key_log: Option<Arc<dyn KeyLog>>,
    pub(crate) trace: Option<Arc<dyn Trace>>,
    pub(crate) session_context: Option<Vec<u8>>,
    pub(crate) resumed_key_exchange: ResumedKeyExchange,
    /// Most preferred first. Empty: certificates are not compressed.
    pub(crate) compression: Vec<Arc<dyn CertificateCompression>>,
}

impl Common {
    pub(super) fn new(provider: Arc<CryptoProvider>) -> Self {
        let schemes = provider.verifiers.iter().map(|verifier| verifier.scheme);
        Self {
            verify_schemes: schemes.filter(|scheme| KeyKind::of(*scheme).is_some()).collect(),
            provider,
            versions: Vec::from([ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2]),
            legacy: LegacySuites::default(),
            suites: Vec::new(),
            groups: Vec::new(),
            alpn: Vec::new(),
            record_size_limit: None,
            srtp: Vec::new(),
            transport: Transport::default(),
            padding: Padding::None,
            cids: ConnectionIds::default(),
            rrc: true,
            key_log: None,
            trace: None,
            session_context: None,
            resumed_key_exchange: ResumedKeyExchange::default(),
            compression: Vec::new(),
        }
    }

    /// Fills in what the caller left open and checks the whole.
    pub(super) fn finish(mut self, allowed: Allowed, means: Means<'_>) -> Result<Self, ConfigError> {
        self.check_versions()?;
        once(&mut self.versions);
        once(&mut self.verify_schemes);
        once(&mut self.alpn);
        once(&mut self.srtp);
        self.finish_suites(allowed.suites, means)?;
        self.finish_groups(allowed.groups)?;
        self.give_up_suites_without_group()?;
        if self.alpn.iter().any(|name| name.is_empty() || name.len() > 255) {
            return Err(ConfigError::BadApplicationProtocol);
        }
        limits::check_record_size_limit(self.record_size_limit)?;
        srtp::check_profiles(&self.srtp)?;
        if !(256..=65_507).contains(&self.transport.mtu) {
            return Err(ConfigError::BadMtu(self.transport.mtu));
        }
        // The first bytes of a process may take long; better now than in a handshake.
        self.provider.random_array::<1>().map_err(|_| ConfigError::NoRandomness)?;
        Ok(self)
    }

    fn check_versions(&self) -> Result<(), ConfigError> {
        let known = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];
        match self.versions.iter().find(|version| !known.contains(version)) {
            Some(version) => Err(ConfigError::UnsupportedVersion(*version)),
            None if self.versions.is_empty() => Err(ConfigError::NothingAllowed("version")),
            None => Ok(()),
        }
    }

    /// Whether this version may be agreed on.
    pub(crate) fn allows(&self, version: ProtocolVersion) -> bool {
        self.versions.contains(&version)
    }

    /// Fills in the suites, and gives up the versions that have none.
    fn finish_suites(&mut self, allowed: Option<Vec<CipherSuite>>, means: Means<'_>) -> Result<(), ConfigError> {
        self.suites = allowed.unwrap_or_else(|| self.default_suites(means));
        once(&mut self.suites);
        let usable12 = |id| Suite12::find(id).is_some_and(|suite| self.can_use(suite, means));
        let usable13 = |id| Suite13::find(id).is_some_and(|suite| self.can_use13(suite, means));
        if let Some(id) = self.suites.iter().find(|id| !usable12(**id) && !usable13(**id)) {
            return Err(ConfigError::UnsupportedCipherSuite(*id));
        }
        self.give_up_versions_without_suite("cipher suite")
    }

    fn default_suites(&self, means: Means<'_>) -> Vec<CipherSuite> {
        let unasked12 = |suite: &&Suite12| self.can_use(suite, means) && !suite.must_be_named();
        let unasked13 = |suite: &&Suite13| self.can_use13(suite, means) && !suite.must_be_named();
        let suites13 = SUITES_13.iter().filter(unasked13).map(|suite| suite.id);
        suites13.chain(SUITES_12.iter().filter(unasked12).map(|suite| suite.id)).collect()
    }

    fn can_use13(&self, suite: &Suite13, means: Means<'_>) -> bool {
        let groups = self.provider.groups.iter().any(|group| GroupKind::of(group.name()).is_for_13());
        let known = self.provider.aead(suite.aead).is_some() && self.provider.hash(suite.hash).is_some();
        let authenticated = means.certificates || means.psk13.contains(&suite.hash);
        self.allows(ProtocolVersion::DTLS1_3) && authenticated && groups && known
    }

    fn can_use(&self, suite: &Suite12, means: Means<'_>) -> bool {
        let curves = || self.provider.groups.iter().any(|group| GroupKind::of(group.name()) == GroupKind::Curve);
        let exchange = match suite.key_exchange {
            KeyExchange::Ecdhe => means.certificates && curves(),
            KeyExchange::EcdhePsk => means.psk && curves(),
            KeyExchange::Psk => means.psk,
            KeyExchange::Dhe => {
                means.certificates && self.legacy == LegacySuites::Allowed && self.provider.finite_field.is_some()
            }
        };
        let known = self.provider.aead(suite.aead).is_some() && self.provider.hash(suite.hash).is_some();
        self.allows(ProtocolVersion::DTLS1_2) && exchange && known
    }

    fn finish_groups(&mut self, allowed: Option<Vec<NamedGroup>>) -> Result<(), ConfigError> {
        // A list that is asked for has to name something; the default may find nothing.
        let needed = allowed.is_some()
            || self.suites12().any(|suite| suite.key_exchange != KeyExchange::Psk)
            || self.suites13().next().is_some();
        let speaks13 = self.allows(ProtocolVersion::DTLS1_3);
        let usable = |name: &NamedGroup| speaks13 || GroupKind::of(*name) != GroupKind::Encapsulation;
        let unasked = |name: &NamedGroup| self.legacy == LegacySuites::Allowed || !is_finite_field(*name);
        let names = self.provider.groups.iter().map(|group| group.name());
        self.groups = allowed.unwrap_or_else(|| names.filter(usable).filter(unasked).collect());
        once(&mut self.groups);
        match self.groups.iter().find(|name| !usable(name) || self.provider.group(**name).is_none()) {
            Some(name) => Err(ConfigError::UnsupportedGroup(*name)),
            None if needed && self.groups.is_empty() => Err(ConfigError::NothingAllowed("group")),
            None => Ok(()),
        }
    }

    /// Gives up the suites that none of the groups serves, and the versions that have none left.
    fn give_up_suites_without_group(&mut self) -> Result<(), ConfigError> {
        let has = |is_fit: fn(GroupKind) -> bool| self.groups.iter().any(|group| is_fit(GroupKind::of(*group)));
        let (curves, any13) = (has(|kind| kind == GroupKind::Curve), has(GroupKind::is_for_13));
        self.suites.retain(|id| match Suite12::find(*id).map(|suite| suite.key_exchange) {
            None => any13,
            Some(KeyExchange::Ecdhe | KeyExchange::EcdhePsk) => curves,
            // A server may have a group of its own, and a pre-shared key needs none.
            Some(KeyExchange::Dhe | KeyExchange::Psk) => true,
        });
        self.give_up_versions_without_suite("group")
    }

    fn give_up_versions_without_suite(&mut self, what: &'static str) -> Result<(), ConfigError> {
        let (any12, any13) = (self.suites12().next().is_some(), self.suites13().next().is_some());
        self.versions.retain(|version| if *version == ProtocolVersion::DTLS1_3 { any13 } else { any12 });
        if self.versions.is_empty() { Err(ConfigError::NothingAllowed(what)) } else { Ok(()) }
    }

    /// The allowed 1.2 suites, most preferred first.
    pub(crate) fn suites12(&self) -> impl Iterator<Item = &'static Suite12> + '_ {
        self.suites.iter().filter_map(|id| Suite12::find(*id))
    }

    /// The allowed 1.3 suites, most preferred first.
    pub(crate) fn suites13(&self) -> impl Iterator<Item = &'static Suite13> + '_ {
        self.suites.iter().filter_map(|id| Suite13::find(*id))
    }

    /// The schemes whose signatures the provider can verify, most preferred first.
    pub(crate) fn verify_schemes(&self) -> impl Iterator<Item = SignatureScheme> + '_ {
        self.verify_schemes.iter().copied()
    }

    /// The schemes of signatures in certificates that `verifier` can check, if they are others than those
    /// (RFC 9846 §4.3.3).
    pub(crate) fn certificate_schemes<'v>(&self, verifier: &'v dyn PeerVerifier) -> Option<&'v [SignatureScheme]> {
        let (schemes, ours) = (verifier.certificate_schemes(), &self.verify_schemes);
        let more = || schemes.iter().any(|scheme| !ours.contains(scheme));
        let fewer = || ours.iter().any(|scheme| !schemes.contains(scheme));
        (!schemes.is_empty() && (more() || fewer())).then_some(schemes)
    }
}

/// Keeps the first of what stands in a list more than once: hellos must not repeat a group (RFC 9846 §4.3.7), and
/// gain nothing from repeating anything else.
fn once<T: PartialEq>(list: &mut Vec<T>) {
    let mut kept = Vec::with_capacity(list.len());
    for item in list.drain(..) {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    *list = kept;
}

/// The setters that the builders of both roles share.
macro_rules! common_setters {
    () => {
        /// The versions to allow, most preferred first. Default: DTLS 1.3 and DTLS 1.2; the newest that both
        /// sides know is spoken. A version for which no suite is allowed is not offered.
        pub fn with_versions(mut self, versions: &[gramseal_wire::ProtocolVersion]) -> Self {
            self.common.versions = versions.to_vec();
            self
        }

        /// The cipher suites to allow, most preferred first. Default: all that the provider has, but
        /// those with 8-byte tags or with a pre-shared key alone, which has no forward secrecy, only
        /// where they are named here, and those of [`LegacySuites`]($crate::config::LegacySuites) only
        /// if they are allowed.
        pub fn with_cipher_suites(mut self, suites: &[gramseal_wire::CipherSuite]) -> Self {
            self.allowed.suites = Some(suites.to_vec());
            self
        }

        /// The groups to allow, most preferred first. Default: the provider's, finite-field ones only
        /// if legacy suites are allowed.
        ///
        /// The post-quantum ones, which come first by default, are for 1.3 alone; if only such are named,
        /// nothing older is spoken.
        pub fn with_groups(mut self, groups: &[gramseal_wire::NamedGroup]) -> Self {
            self.allowed.groups = Some(groups.to_vec());
            self
        }

        /// The application protocols to offer or accept, most preferred first (RFC 7301).
        pub fn with_alpn<T: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = T>) -> Self {
            self.common.alpn = protocols.into_iter().map(|name| name.as_ref().to_vec()).collect();
            self
        }

        /// The SRTP protection profiles to offer or accept, most preferred first, for media that goes beside
        /// the association (RFC 5764). Default: none, and then SRTP is not spoken of. What was agreed on is
        /// in [`Negotiated::srtp`]($crate::Negotiated::srtp), the keys come from
        /// [`Connection::srtp_keys`]($crate::Connection::srtp_keys).
        ///
        /// Profiles with `NULL` in their names do not encrypt, and the tags of those that end in `_32` are short:
        /// nothing uses either without naming it here.
        pub fn with_srtp(mut self, profiles: &[gramseal_wire::SrtpProfile]) -> Self {
            self.common.srtp = profiles.to_vec();
            self
        }

        /// Asks the peer not to put more than `bytes` of content into a protected record, 64 to 16,384
        /// (RFC 8449). The peer keeps to it if it knows the extension; larger records from it are then
        /// dropped. Clients say nothing by default; servers answer all clients that do, by default with
        /// 16,384.
        ///
        /// The limit is for memory that is scarce here. How large a datagram the path carries is another
        /// matter: [`Transport::mtu`]($crate::config::Transport::mtu).
        pub fn with_record_size_limit(mut self, bytes: u16) -> Self {
            self.common.record_size_limit = Some(bytes);
            self
        }

        /// Allows DHE_RSA suites for peers that have nothing better.
        pub fn with_legacy_suites(mut self, legacy: $crate::config::LegacySuites) -> Self {
            self.common.legacy = legacy;
            self
        }

        /// How connections treat the network.
        pub fn with_transport(mut self, transport: $crate::config::Transport) -> Self {
            self.common.transport = transport;
            self
        }

        /// What to do about connection ids, which tell the peer's records apart when its address changes (RFC 9146, RFC 9147
        /// §9). Default: [`ConnectionIds::Peers`]($crate::config::ConnectionIds::Peers). What was agreed on is in
        /// [`Negotiated::cids`]($crate::Negotiated::cids).
        pub fn with_connection_ids(mut self, cids: $crate::config::ConnectionIds) -> Self {
            self.common.cids = cids;
            self
        }

        /// Whether to agree with the peer on return routability checks (RFC 9853), where
        /// [connection ids](Self::with_connection_ids) are spoken of: each side then finds out whether the other is where
        /// its records come from, and [moves](crate::Event::PeerMoved) it if it is. Default: yes. What was agreed on is in
        /// [`Negotiated::return_routability_check`]($crate::Negotiated::return_routability_check).
        ///
        /// [`Transport::path_check`]($crate::config::Transport) says how it is done.
        ///
        /// No is for applications of `gramseal_proto` alone that have a way of their own to check addresses, and name them
        /// with [`set_peer`]($crate::Connection::set_peer); [`Transport::move_policy`]($crate::config::Transport) says
        /// what happens without checks.
        pub fn with_return_routability_check(mut self, enabled: bool) -> Self {
            self.common.rrc = enabled;
            self
        }

        /// Hides how long payloads are, in 1.3, and in 1.2 where the peer has a connection id. Default: [`Padding::None`]($crate::config::Padding::None).
        pub fn with_padding(mut self, padding: $crate::config::Padding) -> Self {
            self.common.padding = padding;
            self
        }

        /// Hands the secrets of every connection to `key_log`: for debugging only.
        pub fn with_key_log(mut self, key_log: alloc::sync::Arc<dyn $crate::KeyLog>) -> Self {
            self.common.key_log = Some(key_log);
            self
        }

        /// Shows every handshake message to `trace`.
        pub fn with_trace(mut self, trace: alloc::sync::Arc<dyn $crate::Trace>) -> Self {
            self.common.trace = Some(trace);
            self
        }

        /// Says that sessions may be resumed under every configuration of this role with the same
        /// `context`, although their verifiers may differ. By default it is the verifier's
        /// [`session_context`]($crate::config::PeerVerifier::session_context) that must be the same.
        pub fn with_session_context(mut self, context: impl Into<alloc::vec::Vec<u8>>) -> Self {
            self.common.session_context = Some(context.into());
            self
        }

        /// Whether a connection of 1.3 that resumes a session, or goes on with a [`Psk`]($crate::config::Psk), needs
        /// a key exchange beside it. Default: it does. Without one on both sides there is no forward secrecy.
        pub fn with_resumed_key_exchange(mut self, exchange: $crate::config::ResumedKeyExchange) -> Self {
            self.common.resumed_key_exchange = exchange;
            self
        }

        /// Lets certificates of 1.3 be compressed, either side's, with these algorithms, most preferred first
        /// (RFC 8879): peers hear which ones we can undo, and ours are compressed with the first of these that
        /// the peer can undo. That saves datagrams where chains are long. Default: not, because it lets
        /// everybody who finishes a key exchange reach a decompressor.
        ///
        /// What the peer sends is decompressed to at most
        /// [`Transport::max_message_len`]($crate::config::Transport::max_message_len) bytes. A certificate that
        /// is shown after the handshake is not compressed: nobody waits for it to fit into a flight.
        pub fn with_certificate_compression(
            mut self,
            algorithms: impl IntoIterator<Item = alloc::sync::Arc<dyn $crate::config::CertificateCompression>>,
        ) -> Self {
            self.common.compression = algorithms.into_iter().collect();
            self
        }
    };
}
pub(super) use common_setters;
