//! From options to configurations.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gramseal::KeyLogFile;
use gramseal::proto::config::{
    CertificateCompression, ClientAuth, ClientConfig, ConfigError, ConnectionIds, Identity, LegacySuites, PeerVerifier,
    Psk, ServerConfig, Transport,
};
use gramseal::proto::wire::{CipherSuite, NamedGroup, ProtocolVersion, SrtpProfile};
use gramseal::proto::{KeyLog, RandomCids, Trace};
use gramseal::sessions::{self, ClientSessionStore};
use gramseal::trust::{self, TrustError};
use gramseal::webpki::{ChainVerifierBuilder, Fingerprint, OcspPolicy, RawPublicKeyVerifier};

use crate::args::{ClientAuthArgs, ProtocolArgs, RawPublicKey};
use crate::failure::Failure;

/// What both roles take from the common options.
pub(crate) struct Settings {
    /// None named: the library's own choice.
    versions: Vec<ProtocolVersion>,
    suites: Vec<CipherSuite>,
    groups: Vec<NamedGroup>,
    alpn: Vec<String>,
    srtp: Vec<SrtpProfile>,
    connection_ids: ConnectionIds,
    legacy: LegacySuites,
    compression: Vec<Arc<dyn CertificateCompression>>,
    pub(crate) transport: Transport,
    pub(crate) key_log: Option<Arc<dyn KeyLog>>,
    pub(crate) trace: Option<Arc<dyn Trace>>,
    /// Whether a client sends the share of a large group unasked.
    pub(crate) large_share_at_once: bool,
    /// Where a client keeps its sessions.
    pub(crate) session_store: Option<Arc<dyn ClientSessionStore>>,
    /// How many tickets a server gives to clients; without any, no session is resumed.
    pub(crate) tickets: u8,
    /// Whether a client announces early data.
    pub(crate) early_data: bool,
    /// How many bytes of it a server takes.
    pub(crate) max_early_data: u32,
}

/// Calls the setters that both builders have.
macro_rules! apply {
    ($settings:expr, $builder:expr) => {{
        let settings: &Settings = $settings;
        let mut builder = $builder
            .with_alpn(&settings.alpn)
            .with_srtp(&settings.srtp)
            .with_connection_ids(settings.connection_ids.clone())
            .with_legacy_suites(settings.legacy)
            .with_certificate_compression(settings.compression.iter().cloned())
            .with_transport(settings.transport.clone());
        if !settings.versions.is_empty() {
            builder = builder.with_versions(&settings.versions);
        }
        if !settings.suites.is_empty() {
            builder = builder.with_cipher_suites(&settings.suites);
        }
        if !settings.groups.is_empty() {
            builder = builder.with_groups(&settings.groups);
        }
        if let Some(key_log) = &settings.key_log {
            builder = builder.with_key_log(Arc::clone(key_log));
        }
        if let Some(trace) = &settings.trace {
            builder = builder.with_trace(Arc::clone(trace));
        }
        builder
    }};
}
impl Settings {
    /// Opens the key log, if there is one.
    pub(crate) fn new(common: &ProtocolArgs) -> Result<Self, Failure> {
        let mut transport = Transport::default();
        if let Some(mtu) = common.mtu {
            transport.mtu = mtu;
        }
        transport.max_mtu = common.max_mtu;
        Ok(Self {
            versions: common.dtls.iter().copied().map(ProtocolVersion::from).collect(),
            suites: common.suites.clone(),
            groups: common.groups.clone(),
            alpn: common.alpn.clone(),
            srtp: common.srtp.clone(),
            connection_ids: connection_ids(common.cid),
            legacy: if common.legacy { LegacySuites::Allowed } else { LegacySuites::Refused },
            compression: if common.compress_certificates { gramseal::compress::all() } else { Vec::new() },
            transport,
            key_log: key_log(common.keylog.as_deref())?,
            trace: None,
            large_share_at_once: false,
            session_store: None,
            tickets: 0,
            early_data: false,
            max_early_data: 0,
        })
    }

    pub(crate) fn client(&self, trust: Trust, identity: Option<Identity>) -> Result<Arc<ClientConfig>, Failure> {
        let builder = match trust {
            Trust::Certificates(verifier) => ClientConfig::builder(gramseal::provider(), verifier),
            Trust::Key(psk) => ClientConfig::psk_builder(gramseal::provider(), psk),
        };
        let mut builder = apply!(self, builder);
        if let Some(identity) = identity {
            builder = builder.with_identity(identity);
        }
        if self.large_share_at_once {
            builder = builder.with_large_share_at_once();
        }
        if let Some(store) = &self.session_store {
            builder = builder.with_session_store(Arc::clone(store));
        }
        if self.early_data {
            builder = builder.with_early_data();
        }
        builder.build().map(Arc::new).map_err(refused)
    }

    /// Without an identity the keys alone authenticate the server.
    pub(crate) fn server(
        &self,
        identity: Option<Identity>,
        psks: Vec<Psk>,
        client_auth: ClientAuth,
    ) -> Result<Arc<ServerConfig>, Failure> {
        let builder = match identity {
            Some(identity) if psks.is_empty() => ServerConfig::builder(gramseal::provider(), identity),
            Some(identity) => ServerConfig::builder(gramseal::provider(), identity).with_psks(Arc::new(psks)),
            None => ServerConfig::psk_builder(gramseal::provider(), Arc::new(psks)),
        };
        let mut builder = apply!(self, builder);
        if self.tickets > 0 {
            let keys = sessions::ticket_keys().map_err(Failure::connection)?;
            builder = builder.with_ticket_sealer(keys).with_ticket_count(self.tickets);
            builder = builder.with_session_store(sessions::server_cache());
        }
        if self.max_early_data > 0 {
            builder = builder.with_early_data(self.max_early_data, sessions::anti_replay());
        }
        builder.with_client_auth(client_auth).build().map(Arc::new).map_err(refused)
    }
}

/// What `--cid` asks for.
fn connection_ids(len: Option<u8>) -> ConnectionIds {
    match len {
        None => ConnectionIds::default(),
        Some(0) => ConnectionIds::Off,
        Some(len) => ConnectionIds::Both(Arc::new(RandomCids::new(len))),
    }
}

fn refused(error: ConfigError) -> Failure {
    match error {
        ConfigError::UnsupportedCipherSuite(suite) if suite.to_string().starts_with("TLS_DHE_") => {
            Failure::usage(format!("{error} (--legacy)"))
        }
        ConfigError::EarlyDataWithoutSessions => {
            Failure::usage("early data needs DTLS 1.3 (--dtls) and tickets (--tickets)")
        }
        error => Failure::usage(error),
    }
}

fn key_log(file: Option<&Path>) -> Result<Option<Arc<dyn KeyLog>>, Failure> {
    let opened = match file {
        Some(file) => KeyLogFile::open(file).map(Some).map_err(|error| Failure::usage(error).at(file)),
        None => KeyLogFile::from_env().map_err(|error| Failure::usage(format!("SSLKEYLOGFILE: {error}"))),
    };
    Ok(opened?.map(|key_log| key_log as Arc<dyn KeyLog>))
}

/// What `--listen` says, as an address.
pub(crate) fn listen_address(listen: &str) -> Result<SocketAddr, Failure> {
    let unusable = |error: &dyn std::fmt::Display| Failure::option("listen", format_args!("{listen}: {error}"));
    let mut addresses = listen.to_socket_addrs().map_err(|error| unusable(&error))?;
    addresses.next().ok_or_else(|| unusable(&"no address"))
}

/// How a client knows its server.
pub(crate) enum Trust {
    Certificates(Arc<dyn PeerVerifier>),
    Key(Psk),
}

/// Which servers a client believes.
pub(crate) fn verifier(args: &ClientAuthArgs) -> Result<Arc<dyn PeerVerifier>, Failure> {
    let trusted = &args.trust;
    if trusted.insecure {
        return Ok(Arc::new(gramseal::webpki::dangerous::AcceptAnyCertificate));
    }
    if !trusted.raw_public_keys.is_empty() {
        return Ok(Arc::new(raw_public_keys(&trusted.raw_public_keys)?));
    }
    if let Some(fingerprint) = trusted.fingerprint {
        return Ok(trust::fingerprints([fingerprint]));
    }
    let ocsp = if args.ocsp { OcspPolicy::Required } else { OcspPolicy::Ignore };
    let chain = match &trusted.ca {
        Some(file) => with_roots(file)?,
        None => trust::chain().with_system_roots().0,
    };
    let chain = with_crls(chain, &args.crls)?.with_ocsp(ocsp).without_authorities().build();
    Ok(Arc::new(chain.map_err(|error| match &trusted.ca {
        Some(file) => Failure::usage(error).at(file),
        None => Failure::usage(format!("the operating system's roots: {error}")),
    })?))
}

/// Trusts clients with certificates from the roots in a PEM file, less what `crls` revoke.
pub(crate) fn roots(file: &Path, crls: &[PathBuf]) -> Result<Arc<dyn PeerVerifier>, Failure> {
    let chain = with_crls(with_roots(file)?, crls)?.build();
    Ok(Arc::new(chain.map_err(|error| Failure::usage(error).at(file))?))
}

/// Trusts peers by their raw public keys.
pub(crate) fn raw_public_keys(keys: &[RawPublicKey]) -> Result<RawPublicKeyVerifier, Failure> {
    let mut allowed = Vec::new();
    for key in keys {
        match key {
            RawPublicKey::Fingerprint(fingerprint) => allowed.push(*fingerprint),
            RawPublicKey::File(file) => {
                let found = trust::public_keys_from_pem(&read(file)?);
                let found = found.map_err(|error| Failure::usage(error).at(file))?;
                if found.is_empty() {
                    return Err(Failure::usage("holds no public key").at(file));
                }
                allowed.extend(found.iter().map(Fingerprint::of_public_key));
            }
        }
    }
    Ok(RawPublicKeyVerifier::new(allowed))
}

fn with_roots(file: &Path) -> Result<ChainVerifierBuilder, Failure> {
    let roots = trust::certificates_from_pem(&read(file)?);
    let chain = roots.and_then(|roots| Ok(trust::chain().with_roots(roots)?));
    chain.map_err(|error| Failure::usage(error).at(file))
}

/// Adds the revocation lists in `files`, each of which holds one in DER form or any number in PEM.
fn with_crls(mut chain: ChainVerifierBuilder, files: &[PathBuf]) -> Result<ChainVerifierBuilder, Failure> {
    /// What every list in DER form begins with: the tag of a SEQUENCE.
    const DER: u8 = 0x30;
    for file in files {
        let unusable = |error: TrustError| Failure::usage(error).at(file);
        let bytes = read(file)?;
        let lists = match bytes.first() {
            Some(&DER) => vec![bytes.into()],
            _ => trust::crls_from_pem(&bytes).map_err(unusable)?,
        };
        chain = chain.with_crls(lists).map_err(|error| unusable(error.into()))?;
    }
    Ok(chain)
}

/// The content of `file`.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::usage(error).at(file))
}
