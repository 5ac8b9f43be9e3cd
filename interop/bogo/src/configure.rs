//! Configurations of ours that do what the options ask.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gramseal_proto::config::{
    ClientAuth, ClientConfig, ConfigError, Identity, Psk, Repair, ServerConfig, ServerConfigBuilder, Transport,
};
use gramseal_proto::crypto::CryptoProvider;
use gramseal_proto::session::TicketKeys;
use gramseal_proto::wire::{AlertDescription, AlertLevel, NamedGroup, ProtocolVersion, SignatureScheme, SrtpProfile};
use gramseal_proto::{Direction, Trace, TraceEvent, Traced};

use crate::certificates::{self, Shared, Verifier};
use crate::clock;
use crate::keys::{self, Keys};
use crate::options::{CredentialKind, Options};
use crate::sessions::{ClientStore, ServerStore};
use crate::tickets::Tickets;

/// The wire values that the runner writes in decimal.
const DTLS13: u64 = 0xfefc;
const DTLS12: u64 = 0xfefd;
/// What BoringSSL takes for the path unless it is told otherwise, in bytes of UDP payload.
const DEFAULT_MTU: u64 = 1472;

/// Bytes in the longest ticket: BoringSSL's tell all about the client.
const LONGEST_TICKET: usize = 1 << 15;

/// What all connections of the process share.
pub(crate) struct Process {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) client_store: Arc<ClientStore>,
    pub(crate) server_store: Arc<ServerStore>,
    pub(crate) ticket_keys: Arc<TicketKeys>,
}

impl Process {
    pub(crate) fn new() -> Result<Self, String> {
        let provider = Arc::new(gramseal_aws_lc::provider());
        let keys =
            TicketKeys::random(Arc::clone(&provider), clock::time_of_day).map_err(|error| format!("{error:?}"))?;
        Ok(Self {
            provider,
            client_store: Arc::default(),
            server_store: ServerStore::new(),
            ticket_keys: Arc::new(keys),
        })
    }
}

/// What moved: whether there was a HelloRetryRequest, and a line for each thing as BoringSSL's shim tells it.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Watched>);

#[derive(Debug, Default)]
struct Watched {
    verify_request: bool,
    second_hello: bool,
    /// A line for each thing that moved.
    lines: String,
}

impl Watch {
    pub(crate) fn had_retry_request(&self) -> bool {
        self.0.lock().is_ok_and(|watched| watched.second_hello && !watched.verify_request)
    }

    /// Everything that moved, as BoringSSL's shim tells it.
    pub(crate) fn lines(&self) -> String {
        self.0.lock().map(|watched| watched.lines.clone()).unwrap_or_default()
    }
}

impl Trace for Watch {
    fn trace(&self, event: &TraceEvent) {
        use gramseal_proto::wire::HandshakeType;
        let Ok(mut watched) = self.0.lock() else { return };
        watched.lines.push_str(&line(event));
        let Traced::Handshake { msg_type, message_seq, .. } = event.traced else { return };
        watched.verify_request |= msg_type == HandshakeType::HELLO_VERIFY_REQUEST;
        watched.second_hello |= msg_type == HandshakeType::CLIENT_HELLO && message_seq.0 > 0;
    }
}

fn line(event: &TraceEvent) -> String {
    let verb = match event.direction {
        Direction::Sent => "write",
        Direction::Received => "read",
    };
    match event.traced {
        Traced::Handshake { msg_type, .. } => format!("{verb} hs {}\n", msg_type.0),
        Traced::ChangeCipherSpec => format!("{verb} ccs\n"),
        Traced::Alert(alert) => {
            let level = if alert == AlertDescription::CLOSE_NOTIFY { AlertLevel::WARNING } else { AlertLevel::FATAL };
            format!("{verb} alert {} {}\n", level.0, alert.0)
        }
        Traced::Ack { .. } => format!("{verb} ack\n"),
        other => format!("{verb} {other:?}\n"),
    }
}

/// What is set alike for both roles.
struct Common {
    provider: Arc<CryptoProvider>,
    versions: Vec<ProtocolVersion>,
    groups: Option<Vec<NamedGroup>>,
    srtp: Vec<SrtpProfile>,
    transport: Transport,
    session_context: Vec<u8>,
}

impl Common {
    fn new(options: &Options, process: &Process) -> Result<Self, String> {
        let mut provider = CryptoProvider::clone(&process.provider);
        if !options.verify_prefs.is_empty() {
            let prefs = options.verify_prefs.iter().map(|code| SignatureScheme(*code));
            let known = |scheme| provider.verifiers.iter().find(|verifier| verifier.scheme == scheme).copied();
            provider.verifiers = prefs.filter_map(known).collect();
        }
        let groups = options.curves.iter().map(|code| NamedGroup(*code)).collect::<Vec<_>>();
        Ok(Self {
            provider: Arc::new(provider),
            versions: versions(options),
            groups: (!groups.is_empty()).then_some(groups),
            srtp: srtp(&options.srtp_profiles)?,
            transport: transport(options),
            session_context: options.session_id_context.clone(),
        })
    }
}

fn versions(options: &Options) -> Vec<ProtocolVersion> {
    // Smaller numbers are newer versions.
    let allows = |version: u64, forbidden: bool| {
        !forbidden
            && options.min_version.is_none_or(|min| version <= min)
            && options.max_version.is_none_or(|max| version >= max)
    };
    let newer = allows(DTLS13, options.switches.no_tls13).then_some(ProtocolVersion::DTLS1_3);
    let older = allows(DTLS12, options.switches.no_tls12).then_some(ProtocolVersion::DTLS1_2);
    newer.into_iter().chain(older).collect()
}

fn srtp(names: &[u8]) -> Result<Vec<SrtpProfile>, String> {
    let names = String::from_utf8_lossy(names);
    let known = |name: &str| match name {
        "SRTP_AES128_CM_SHA1_80" => Ok(SrtpProfile::AES128_CM_HMAC_SHA1_80),
        "SRTP_AES128_CM_SHA1_32" => Ok(SrtpProfile::AES128_CM_HMAC_SHA1_32),
        "SRTP_AEAD_AES_128_GCM" => Ok(SrtpProfile::AEAD_AES_128_GCM),
        "SRTP_AEAD_AES_256_GCM" => Ok(SrtpProfile::AEAD_AES_256_GCM),
        other => Err(format!("unknown SRTP profile {other}")),
    };
    names.split(':').filter(|name| !name.is_empty()).map(known).collect()
}

/// The largest datagram at first, in bytes.
pub(crate) fn mtu(options: &Options) -> usize {
    usize::try_from(options.mtu.unwrap_or(DEFAULT_MTU)).unwrap_or(usize::MAX)
}

/// BoringSSL's ways, as the runner expects them.
fn transport(options: &Options) -> Transport {
    let initial = options.initial_timeout_duration_ms.unwrap_or(400);
    Transport {
        mtu: mtu(options),
        initial_timeout: Duration::from_millis(initial),
        handshake_timeout: Duration::from_secs(24 * 60 * 60),
        idle_timeout: None,
        max_retransmissions: 12,
        max_message_len: options.max_cert_list.and_then(|bytes| u32::try_from(bytes).ok()).unwrap_or(1 << 16),
        records_at_once: usize::MAX,
        last_epoch: 0xffff,
        repair: Repair::OnTimers,
        unprotected_acks: true,
        shrink_flights: false,
        replay_window: 256,
        previous_keys_kept: Duration::from_secs(240),
        ..Transport::default()
    }
}

/// The names in a list as they go over the wire: a byte of length before each.
fn names(mut list: &[u8]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    while let Some((len, rest)) = list.split_first() {
        let (name, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        names.push(name.to_vec());
        list = rest;
    }
    names
}

fn failed(error: ConfigError) -> String {
    match error {
        ConfigError::NothingAllowed("version") => format!(":NO_SUPPORTED_VERSIONS_ENABLED: {error}"),
        _ => format!(":CONFIGURATION: {error}"),
    }
}

pub(crate) fn client(
    options: &Options,
    process: &Process,
    seen: &Shared,
    watch: &Arc<Watch>,
) -> Result<ClientConfig, String> {
    let common = Common::new(options, process)?;
    let provider = Arc::clone(&common.provider);
    let keys = keys::all(options).map_err(failed)?;
    // Who has keys of 1.3 and does not verify accepts nothing else.
    let keys_alone = !options.switches.verify_peer && options.psk.is_empty();
    let mut keys = keys.into_iter();
    let mut builder = match keys.next() {
        Some(first) if keys_alone => ClientConfig::psk_builder(provider, first),
        first => {
            let builder = ClientConfig::builder(provider, Arc::new(Verifier::new(options, seen)));
            first.into_iter().fold(builder, |builder, psk| builder.with_psk(psk))
        }
    };
    builder = keys.fold(builder, |builder, psk| builder.with_psk(psk)).with_identity_required();
    for identity in certificates::identities(options, &common.provider, seen)? {
        builder = builder.with_identity(identity);
    }
    if let Some(groups) = &common.groups {
        builder = builder.with_groups(groups);
    }
    builder = builder
        .with_versions(&common.versions)
        .with_srtp(&common.srtp)
        .with_transport(common.transport)
        .with_session_context(common.session_context)
        .with_alpn(names(&options.advertise_alpn))
        .with_large_share_at_once()
        .with_large_tickets()
        .with_session_store(process.client_store.clone())
        .with_trace(watch.clone());
    if options.switches.reverify_on_resume {
        builder = builder.with_reverification();
    }
    builder.build().map_err(failed)
}

pub(crate) fn server(
    options: &Options,
    process: &Process,
    seen: &Shared,
    watch: &Arc<Watch>,
) -> Result<ServerConfig, String> {
    let common = Common::new(options, process)?;
    let switches = &options.switches;
    let identities = certificates::identities(options, &common.provider, seen)?;
    let keys = keys::all(options).map_err(failed)?;
    let shows_certificates = !identities.is_empty();
    let mut builder = server_builder(options, &common.provider, identities, keys)?.with_unknown_psks_told();
    if options.credentials.first().is_some_and(|credential| credential.kind != CredentialKind::PreSharedKey) {
        builder = builder.with_certificates_first();
    }
    let verifier = Arc::new(Verifier::new(options, seen));
    // Who shows no certificate asks for none either: our API refuses to be told so.
    if switches.require_any_client_certificate && shows_certificates {
        builder = builder.with_client_auth(ClientAuth::Required(verifier));
    } else if switches.verify_peer && shows_certificates {
        builder = builder.with_client_auth(ClientAuth::Optional(verifier));
    }
    if let Some(groups) = &common.groups {
        builder = builder.with_groups(groups);
    }
    if switches.no_ticket {
        builder = builder.with_ticket_count(0);
    } else {
        let tickets = Tickets::new(process.ticket_keys.clone(), switches);
        builder = builder.with_ticket_sealer(Arc::new(tickets)).with_max_ticket_len(LONGEST_TICKET);
    }
    if switches.no_server_name_ack {
        builder = builder.without_server_name_ack();
    }
    if !switches.skip_ticket {
        builder = builder.with_session_store(process.server_store.clone());
    }
    builder
        .with_versions(&common.versions)
        .with_srtp(&common.srtp)
        .with_transport(common.transport)
        .with_session_context(common.session_context)
        .with_alpn(server_protocols(options))
        .with_trace(watch.clone())
        .build()
        .map_err(failed)
}

fn server_builder(
    options: &Options,
    provider: &Arc<CryptoProvider>,
    identities: Vec<Identity>,
    keys: Vec<Psk>,
) -> Result<ServerConfigBuilder, String> {
    let provider = Arc::clone(provider);
    let keys = (!keys.is_empty()).then(|| Arc::new(Keys::new(keys, options)));
    let mut identities = identities.into_iter();
    let builder = match (identities.next(), keys) {
        (Some(identity), None) => ServerConfig::builder(provider, identity),
        (Some(identity), Some(keys)) => ServerConfig::builder(provider, identity).with_psks(keys),
        (None, Some(keys)) => ServerConfig::psk_builder(provider, keys),
        (None, None) => return Err(":NO_CERTIFICATE_SET: nothing to show".into()),
    };
    Ok(identities.fold(builder, ServerConfigBuilder::with_identity))
}

/// What a server whose callback would choose the given protocol allows.
fn server_protocols(options: &Options) -> Vec<Vec<u8>> {
    if options.switches.reject_alpn {
        return vec![b"a protocol that nobody has".to_vec()];
    }
    Some(options.select_alpn.clone()).filter(|name| !name.is_empty()).into_iter().collect()
}
