//! The server's choices: pure functions of the client's hello and our configuration.

use alloc::string::String;
use alloc::vec::Vec;

use gramseal_wire::extension::{
    Alpn, EcPointFormats, ExtendedMasterSecret, RenegotiationInfo, ServerName, SupportedGroups,
    SupportedVersionsClientHello,
};
use gramseal_wire::handshake::{ClientHello, DOWNGRADE_TLS12};
use gramseal_wire::{CipherSuite, CompressionMethod, ExtensionType, List, NamedGroup, ProtocolVersion, Random};

use pki_types::DnsName;

use super::compression;
use super::credential::{self, Chosen, Plan};
use super::limits::{self, RecordLimits};
use super::offer::check_point_formats;
use super::offered_groups::OfferedGroups;
use super::resume13::{self, Shared13};
use super::server::Asked;
use super::srtp::{self, Srtp};
use crate::config::{Common, GroupKind, ServerConfig, is_finite_field};
use crate::error::{Error, Incompatible, PeerFault};
use crate::suite::{KeyExchange, Suite12, Suite13};

/// What the server chose for a 1.2 handshake.
#[derive(Debug)]
pub(super) struct Selected12 {
    pub(super) suite: &'static Suite12,
    /// `None` for a pre-shared key without ECDHE.
    pub(super) group: Option<NamedGroup>,
    /// `None` where a pre-shared key authenticates us.
    pub(super) certificates: Option<Plan>,
    pub(super) alpn: Option<Vec<u8>>,
    pub(super) srtp: Option<Srtp>,
    pub(super) limits: RecordLimits,
    pub(super) server_name: Option<String>,
    /// Whether the client lists point formats, so that we list ours (RFC 8422 §5.2).
    pub(super) client_lists_point_formats: bool,
}

/// The version to speak, or why none (RFC 6347 §4.2.1, RFC 9846 §4.3.1).
pub(super) fn version(hello: &ClientHello<'_>, ours: &[ProtocolVersion]) -> Result<ProtocolVersion, Error> {
    let (older, newer) = (ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3);
    let (speaks12, speaks13) = match hello.extensions.find::<SupportedVersionsClientHello<'_>>()? {
        Some(supported) => (supported.versions.contains(&older), supported.versions.contains(&newer)),
        // DTLS counts downwards: a smaller number is a newer version.
        None => (hello.legacy_version.is_dtls() && hello.legacy_version.0 <= older.0, false),
    };
    if speaks13 && ours.contains(&newer) {
        return Ok(newer);
    }
    if !speaks12 || !ours.contains(&older) {
        return Err(Incompatible::NoCommonVersion.into());
    }
    // RFC 7507 §3: the client says it tried something newer first and failed.
    let fell_back = hello.cipher_suites.contains(&CipherSuite::FALLBACK_SCSV);
    if fell_back && ours.contains(&newer) {
        return Err(PeerFault::InappropriateFallback.into());
    }
    Ok(older)
}

/// Marks a 1.2 server's random if we could speak 1.3 (RFC 9846 §4.2.3).
pub(super) fn with_sentinel(mut random: Random, ours: &[ProtocolVersion]) -> Random {
    if ours.contains(&ProtocolVersion::DTLS1_3) {
        for (to, from) in random.0.iter_mut().rev().zip(DOWNGRADE_TLS12.iter().rev()) {
            *to = *from;
        }
    }
    random
}

/// What every 1.2 hello must have, whether it resumes a session or not.
pub(super) fn check12(hello: &ClientHello<'_>) -> Result<(), Error> {
    if !hello.compression_methods.contains(&CompressionMethod::NULL) {
        return Err(PeerFault::NullCompressionMissing.into());
    }
    check_required(hello)?;
    check_point_formats(hello.extensions.find::<EcPointFormats<'_>>()?)
}

/// Everything else about a full 1.2 handshake, for a hello that passed [`check12`].
pub(super) fn select12(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<Selected12, Error> {
    let formats = hello.extensions.find::<EcPointFormats<'_>>()?;
    let (suite, group, chosen) = suite12(hello, config)?;
    let certificates = chosen.map(|chosen| credential::plan(hello, config, chosen)).transpose()?;
    Ok(Selected12 {
        suite,
        group,
        certificates,
        alpn: alpn(hello, &config.common)?,
        srtp: srtp::select(hello, &config.common)?,
        limits: limits::select(hello, &config.common)?,
        server_name: server_name(hello)?,
        client_lists_point_formats: formats.is_some(),
    })
}

/// What the server chose for a 1.3 handshake.
#[derive(Debug)]
pub(super) struct Selected13<'h> {
    pub(super) suite: &'static Suite13,
    /// The group and the client's share of it; `None` where a pre-shared key does without.
    pub(super) share: Option<(NamedGroup, &'h [u8])>,
    pub(super) auth: Auth13,
    pub(super) alpn: Option<Vec<u8>>,
    pub(super) srtp: Option<Srtp>,
    pub(super) limits: RecordLimits,
    pub(super) server_name: Option<String>,
}

/// How the sides of a 1.3 handshake know each other.
#[derive(Debug)]
pub(super) enum Auth13 {
    /// We show a certificate.
    Certificate(Plan),
    /// Both know a key: of a session, or from elsewhere.
    Psk(Shared13),
}

impl Auth13 {
    pub(super) fn psk(&self) -> Option<&Shared13> {
        match self {
            Self::Certificate(_) => None,
            Self::Psk(shared) => Some(shared),
        }
    }
}

/// The suite for a 1.3 handshake with a hello whose form is checked here.
pub(super) fn suite13(
    hello: &ClientHello<'_>,
    config: &ServerConfig,
    asked: Option<Asked>,
) -> Result<&'static Suite13, Error> {
    check13(hello)?;
    // RFC 9846 §4.2.4: it is chosen once, even if another host of a fleet answers the second hello.
    let may = |suite: &&Suite13| asked.is_none_or(|asked| asked.suite == *suite);
    let both = || config.common.suites13().filter(may).filter(|suite| hello.cipher_suites.contains(&suite.id));
    let first = both().next().ok_or(Incompatible::NoCommonCipherSuite)?;
    if both().all(|suite| suite.hash == first.hash) {
        return Ok(first);
    }
    // RFC 9846 §4.3.11: a key from elsewhere goes with one hash, and may be all that there is.
    let hashes = resume13::external_hashes(hello, config)?;
    let fitting = both().find(|suite| hashes.contains(&suite.hash)).filter(|_| !hashes.contains(&first.hash));
    Ok(fitting.unwrap_or(first))
}

/// Whether a certificate can do, where no pre-shared key does.
pub(super) fn check_certificates13(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<(), Error> {
    if config.identities.is_empty() && hello.extensions.contains(ExtensionType::PRE_SHARED_KEY) {
        let usable = resume13::mode(hello, config)?.is_some();
        return Err(if usable { Incompatible::NoPreSharedKey } else { Incompatible::NoCommonPskMode }.into());
    }
    check_full13(hello)?;
    if config.identities.is_empty() { Err(Incompatible::NoPreSharedKey.into()) } else { Ok(()) }
}

/// Our credential for a 1.3 handshake without a pre-shared key.
pub(super) fn plan13(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<Plan, Error> {
    check_certificates13(hello, config)?;
    let candidates = credential::candidates(hello, config)?;
    let chosen = candidates.choose13()?;
    let compression = compression::choose(&hello.extensions, &config.common)?;
    Ok(Plan { compression, ..credential::plan(hello, config, chosen)? })
}

/// Everything else about a 1.3 handshake.
pub(super) fn select13<'h>(
    hello: &ClientHello<'h>,
    config: &ServerConfig,
    suite: &'static Suite13,
    share: Option<(NamedGroup, &'h [u8])>,
    auth: Auth13,
) -> Result<Selected13<'h>, Error> {
    let common = &config.common;
    Ok(Selected13 {
        suite,
        share,
        auth,
        alpn: alpn(hello, common)?,
        srtp: srtp::select(hello, common)?,
        limits: limits::select(hello, common)?.with_content_type(),
        server_name: server_name(hello)?,
    })
}

/// What a HelloRetryRequest with a cookie has to ask for (RFC 9147 §5.1). It is sent anyway, so that nothing
/// speaks against asking for a share of our most preferred group, if that is not there yet.
pub(super) fn ask13(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<Asked, Error> {
    let suite = suite13(hello, config, None)?;
    let offered = OfferedGroups::read(hello)?;
    let group = match offered.favourite(&config.common) {
        Ok(group) => Some(group).filter(|group| offered.share(*group).is_none()),
        // Who has a key may need no group.
        Err(Error::Incompatible(_)) if hello.extensions.contains(ExtensionType::PRE_SHARED_KEY) => None,
        Err(error) => return Err(error),
    };
    // RFC 9846 §4.3.9: a hello without shares wants none, or is refused once its address is proved.
    let wants_shares = hello.extensions.contains(ExtensionType::KEY_SHARE);
    Ok(Asked { suite, group: group.filter(|_| wants_shares) })
}

/// The form of a 1.3 hello (RFC 9147 §5.3, RFC 9846 §4.2.2 and §9.2).
fn check13(hello: &ClientHello<'_>) -> Result<(), Error> {
    // RFC 9846 §4.2.2: in 1.3 the field is of no use and always says 1.2.
    if hello.legacy_version != ProtocolVersion::DTLS1_2 {
        return Err(Incompatible::NoCommonVersion.into());
    }
    if !hello.cookie.is_empty() {
        return Err(PeerFault::LegacyCookie.into());
    }
    if hello.compression_methods.as_bytes() != [CompressionMethod::NULL.0] {
        return Err(PeerFault::CompressionOffered.into());
    }
    resume13::check_form(hello)?;
    let (groups, shares) = (ExtensionType::SUPPORTED_GROUPS, ExtensionType::KEY_SHARE);
    match [groups, shares].map(|extension| hello.extensions.contains(extension)) {
        [true, false] => Err(PeerFault::MissingExtension(shares).into()),
        [false, true] => Err(PeerFault::MissingExtension(groups).into()),
        _ if hello.extensions.contains(ExtensionType::PRE_SHARED_KEY) => Ok(()),
        _ => check_full13(hello),
    }
}

/// What a hello of 1.3 must have beyond that, unless it goes on with a pre-shared key (RFC 9846 §9.2).
pub(super) fn check_full13(hello: &ClientHello<'_>) -> Result<(), Error> {
    let needed = [ExtensionType::SIGNATURE_ALGORITHMS, ExtensionType::SUPPORTED_GROUPS, ExtensionType::KEY_SHARE];
    match needed.into_iter().find(|extension| !hello.extensions.contains(*extension)) {
        Some(missing) => Err(PeerFault::MissingExtension(missing).into()),
        None => Ok(()),
    }
}

/// The extensions without which we do not talk.
fn check_required(hello: &ClientHello<'_>) -> Result<(), Error> {
    // RFC 5746 §3.6: the extension, which must be empty, or the signalling suite.
    match hello.extensions.find::<RenegotiationInfo<'_>>()? {
        Some(info) if !info.renegotiated_connection.is_empty() => {
            return Err(PeerFault::RenegotiationInfoMismatch.into());
        }
        Some(_) => {}
        None if hello.cipher_suites.contains(&CipherSuite::EMPTY_RENEGOTIATION_INFO_SCSV) => {}
        None => return Err(Incompatible::NoSecureRenegotiation.into()),
    }
    // RFC 7627 §5.3
    match hello.extensions.find::<ExtendedMasterSecret>()? {
        Some(_) => Ok(()),
        None => Err(Incompatible::NoExtendedMasterSecret.into()),
    }
}

/// A suite with what it needs: a group and a credential, or neither.
type Choice = (&'static Suite12, Option<NamedGroup>, Option<Chosen>);

/// The first suite of ours that the client offers and for which group and credential work out.
fn suite12(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<Choice, Error> {
    let groups = hello.extensions.find::<SupportedGroups<'_>>()?.map(|extension| extension.groups);
    let candidates = credential::candidates(hello, config)?;
    // What is missing for the last suite that both sides know is the most telling reason.
    let mut missing = candidates.nothing_in_common();
    let lists_finite_field = groups.as_ref().is_some_and(|groups| groups.iter().any(is_finite_field));
    let mut no_finite_field_group = false;
    for suite in config.common.suites12().filter(|suite| hello.cipher_suites.contains(&suite.id)) {
        if suite.auth.is_some_and(|kind| !candidates.have_key_of(kind)) {
            continue;
        }
        let group = group12(suite, groups.as_ref(), &config.common);
        if group.is_none() && suite.key_exchange != KeyExchange::Psk {
            missing = Incompatible::NoCommonGroup;
            no_finite_field_group |= lists_finite_field && suite.key_exchange == KeyExchange::Dhe;
            continue;
        }
        let Some(kind) = suite.auth else { return Ok((suite, group, None)) };
        match candidates.choose(kind) {
            Ok(chosen) => return Ok((suite, group, Some(chosen))),
            Err(reason) => missing = reason,
        }
    }
    // RFC 7919 §4: its alert is prescribed if nothing else works out, whatever came last.
    Err(if no_finite_field_group { Incompatible::NoCommonFiniteFieldGroup } else { missing }.into())
}

/// The group for `suite`, out of what the client lists.
fn group12(suite: &Suite12, offered: Option<&List<'_, NamedGroup>>, common: &Common) -> Option<NamedGroup> {
    if suite.key_exchange == KeyExchange::Psk {
        return None;
    }
    let finite_field = suite.key_exchange == KeyExchange::Dhe;
    let kind = if finite_field { GroupKind::FiniteField } else { GroupKind::Curve };
    let mut ours = common.groups.iter().copied().filter(|group| GroupKind::of(*group) == kind);
    match offered {
        // RFC 7919 §4: a client that lists no finite-field group leaves the choice to the server.
        Some(offered) if finite_field && !offered.iter().any(is_finite_field) => ours.next(),
        Some(offered) => ours.find(|group| offered.contains(group)),
        None => ours.next(),
    }
}

/// RFC 7301 §3.2: our most preferred name that the client offers.
pub(super) fn alpn(hello: &ClientHello<'_>, common: &Common) -> Result<Option<Vec<u8>>, Error> {
    let Some(offered) = hello.extensions.find::<Alpn<'_>>()? else { return Ok(None) };
    if common.alpn.is_empty() {
        return Ok(None);
    }
    match common.alpn.iter().find(|ours| offered.iter().any(|name| name == ours.as_slice())) {
        Some(name) => Ok(Some(name.clone())),
        None => Err(Incompatible::NoCommonApplicationProtocol.into()),
    }
}

pub(super) fn server_name(hello: &ClientHello<'_>) -> Result<Option<String>, Error> {
    let name = hello.extensions.find::<ServerName<'_>>()?.map(|extension| extension.host_name);
    // What is no host name (RFC 6066 §3) cannot be ours, and applications show or log what is; the
    // certificate check is the client's.
    let name = name.and_then(|name| DnsName::try_from(name).ok());
    Ok(name.map(|name| String::from(name.as_ref())))
}

/// Whether the client sent `server_name`, so that we acknowledge it (RFC 6066 §3).
pub(super) fn acknowledges_name(hello: &ClientHello<'_>, config: &ServerConfig) -> bool {
    config.acknowledges_name && hello.extensions.contains(ExtensionType::SERVER_NAME)
}

#[cfg(test)]
mod tests {
    use gramseal_wire::OwnedList;
    use gramseal_wire::extension::{Extensions, ExtensionsBuf};

    use super::*;

    #[test] // RFC 9846 §4.2.3
    fn random_is_marked_only_by_a_server_that_speaks_more() {
        let random = Random([9; 32]);
        let both = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];
        assert!(with_sentinel(random, &both).0.ends_with(&DOWNGRADE_TLS12));
        assert_eq!(with_sentinel(random, &[ProtocolVersion::DTLS1_2]).0, [9; 32]);
    }

    #[test] // RFC 7507 §3
    fn a_fallback_from_a_newer_version_is_refused() {
        let suites: OwnedList<CipherSuite> = [CipherSuite::FALLBACK_SCSV].into_iter().collect();
        let mut hello = ClientHello {
            legacy_version: ProtocolVersion::DTLS1_2,
            random: Random([0; 32]),
            session_id: &[],
            cookie: &[],
            cipher_suites: suites.as_list(),
            compression_methods: List::default(),
            extensions: Extensions::default(),
        };
        let (older, newer) = (ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3);
        assert_eq!(version(&hello, &[older]), Ok(older));
        assert_eq!(version(&hello, &[newer, older]), Err(PeerFault::InappropriateFallback.into()));
        // It never spoke anything that we do: that is the plainer reason.
        hello.legacy_version = ProtocolVersion::DTLS1_0;
        assert_eq!(version(&hello, &[newer, older]), Err(Incompatible::NoCommonVersion.into()));
    }

    #[test] // RFC 6066 §3
    fn only_host_names_reach_the_application() {
        let named = |host_name: &[u8]| {
            let mut extensions = ExtensionsBuf::new();
            extensions.push(&ServerName { host_name });
            let hello = ClientHello {
                legacy_version: ProtocolVersion::DTLS1_2,
                random: Random([0; 32]),
                session_id: &[],
                cookie: &[],
                cipher_suites: List::default(),
                compression_methods: List::default(),
                extensions: extensions.as_extensions(),
            };
            server_name(&hello).expect("it can be read")
        };
        assert_eq!(named(b"example.org").as_deref(), Some("example.org"));
        for hostile in [&b"\x1b[2Jexample.org"[..], b"a\nexample.org", "\u{202e}gro".as_bytes(), b"../etc", b"\xFF"] {
            assert_eq!(named(hostile), None);
        }
    }
}
