//! Our ClientHello, with the sessions it offers to resume (`session`, `psks`), and checking every answer
//! against it (`answers` of 1.2, `answers13`).

mod answers;
mod answers13;
mod certificates;
mod early;
mod psks;
mod session;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub(super) use answers::{Agreed12, check_point_formats};
pub(super) use answers13::{Agreed13, AgreedEncrypted};
pub(super) use certificates::AgreedCertificates;
use gramseal_wire::extension::{
    Alpn, EcPointFormats, ExtendedMasterSecret, ExtensionsBuf, KeyShareClientHello, KeyShareEntry, Padding,
    PostHandshakeAuth, RenegotiationInfo, ServerName as ServerNameExtension, SignatureAlgorithms, SupportedGroups,
    SupportedVersionsClientHello,
};
use gramseal_wire::handshake::ClientHello;
use gramseal_wire::{NamedGroup, OwnedList, OwnedOpaqueList, ProtocolVersion, Random, Sequence, SignatureScheme};
use pki_types::ServerName;

use crate::cid::Cid;
use crate::config::{ClientConfig, GroupKind};
use crate::crypto::ActiveKx;
use crate::error::{Error, LocalFault};
use crate::handshake::resume13::OfferedPsk;
use crate::handshake::{cids, limits, srtp};
use crate::session::Session;

/// Bytes that the extensions of most hellos of clients stay below, without a ticket.
const USUAL_OFFERS: usize = 192;
/// Bytes that the extensions of a 1.3 hello have at least, if need be with padding (RFC 7685). A HelloRetryRequest of
/// ours, with its cookie, is as long as the shortest hello with so many: what is shorter, its server would leave
/// unanswered, as nobody shall make it send more than they do.
const LEAST_OFFERS: usize = 96;
/// Bytes that the extensions of most hellos of servers stay below.
pub(super) const USUAL_ANSWERS: usize = 64;

/// The private halves of key shares, with their groups.
type Shares = Vec<(NamedGroup, Box<dyn ActiveKx>)>;

/// What we offered. Kept until the handshake no longer needs to check answers against it.
pub(super) struct Offer {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
    pub(super) random: Random,
    extensions: ExtensionsBuf,
    /// What we want to see in records to us; `None` if connection ids are not spoken of.
    cid: Option<Cid>,
    /// Of the key shares in the hello.
    shares: Shares,
    /// The session that the hello offers to resume.
    session: Option<Box<Session>>,
    /// What the hello names it, and what a server that resumes it says in turn.
    session_id: Vec<u8>,
    /// The pre-shared keys of 1.3 that it offers, in its order.
    psks: Vec<OfferedPsk>,
}

impl Offer {
    pub(super) fn new(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, Error> {
        let random = Random(config.common.provider.random_array()?);
        let mut extensions = extensions(&config, &name)?;
        let cid = cids::offer(&config.common, &mut extensions)?;
        let shares = if config.common.allows(ProtocolVersion::DTLS1_3) {
            push_version13(&config, &mut extensions)?
        } else {
            Vec::new()
        };
        let (session_id, psks) = (Vec::new(), Vec::new());
        let offer = Self { config, name, random, extensions, cid, shares, session: None, session_id, psks };
        offer.with_sessions()
    }

    /// The hello with `cookie`. RFC 6347 §4.2.1: all else stays the same from one to the next.
    pub(super) fn with_hello<R>(&self, cookie: &[u8], use_it: impl FnOnce(&ClientHello<'_>) -> R) -> R {
        use_it(&ClientHello {
            legacy_version: ProtocolVersion::DTLS1_2,
            random: self.random,
            session_id: &self.session_id,
            cookie,
            cipher_suites: self.config.lists.cipher_suites.as_list(),
            compression_methods: ClientHello::NULL_COMPRESSION,
            extensions: self.extensions.as_extensions(),
        })
    }

    /// The connection id that records to us may carry.
    pub(super) fn cid(&self) -> Option<&Cid> {
        self.cid.as_ref().filter(|cid| !cid.is_empty())
    }

    /// Host name sent to the server, if the name is one (RFC 6066 §3: never an address).
    pub(super) fn host_name(&self) -> Option<String> {
        host_name(&self.name).map(String::from)
    }

    pub(super) fn offers_group(&self, group: NamedGroup) -> bool {
        self.config.common.groups.contains(&group)
    }

    pub(super) fn offers_scheme(&self, scheme: SignatureScheme) -> bool {
        self.config.common.verify_schemes().any(|ours| ours == scheme)
    }
}

fn host_name<'n>(name: &'n ServerName<'_>) -> Option<&'n str> {
    match name {
        ServerName::DnsName(name) => Some(name.as_ref()),
        _ => None,
    }
}

fn extensions(config: &ClientConfig, name: &ServerName<'_>) -> Result<ExtensionsBuf, Error> {
    let common = &config.common;
    let mut buf = ExtensionsBuf::with_capacity(USUAL_OFFERS);
    if let Some(host) = host_name(name) {
        buf.push(&ServerNameExtension { host_name: host.as_bytes() });
    }
    let allows12 = common.allows(ProtocolVersion::DTLS1_2);
    if allows12 {
        buf.push(&ExtendedMasterSecret);
        buf.push(&RenegotiationInfo { renegotiated_connection: &[] });
    }
    // RFC 8422 §5.1, RFC 5246 §7.4.1.4.1: lists without an entry are left out. Who has pre-shared
    // keys alone may have neither groups nor signatures.
    let lists = &config.lists;
    if !common.groups.is_empty() {
        buf.push(&SupportedGroups { groups: lists.groups.as_list() });
    }
    if allows12 && !common.groups.is_empty() {
        buf.push(&EcPointFormats::UNCOMPRESSED);
    }
    // Where pre-shared keys alone will do, nothing is signed.
    let schemes = lists.signature_schemes.as_list();
    if config.verifier.is_some() && !schemes.is_empty() {
        buf.push(&SignatureAlgorithms { schemes });
    }
    certificates::push(&mut buf, config);
    if common.allows(ProtocolVersion::DTLS1_3) {
        certificates::push_authorities(&mut buf, config)?;
    }
    if !common.alpn.is_empty() {
        push_alpn(&mut buf, common.alpn.iter().map(Vec::as_slice))?;
    }
    srtp::offer(config, &mut buf);
    limits::offer(config, &mut buf);
    Ok(buf)
}

/// Adds what makes a hello one of 1.3 too: the versions, most preferred first, and key shares, whose private
/// halves are given back.
fn push_version13(config: &ClientConfig, buf: &mut ExtensionsBuf) -> Result<Shares, Error> {
    let versions: OwnedList<ProtocolVersion> = config.common.versions.iter().copied().collect();
    // RFC 9846 §4.3.6: only where we mean it, for a server may then ask at any time.
    if config.post_handshake_auth {
        buf.push(&PostHandshakeAuth);
    }
    buf.push(&SupportedVersionsClientHello { versions: versions.as_list() });
    let shares = push_shares(config, first_groups(config), buf)?;
    let missing = LEAST_OFFERS.saturating_sub(buf.as_extensions().as_bytes().len());
    if missing > 0 {
        buf.push(&Padding { len: u16::try_from(missing).unwrap_or_default() });
    }
    Ok(shares)
}

/// The groups of which a first hello has shares: our most preferred small one. A large share would make two
/// datagrams of it, which costs servers that have not seen our address yet more than some are ready to spend; so
/// that one comes when it is asked for, unless the configuration says otherwise. Where there is no other, there
/// is no share (RFC 9846 §4.3.8).
fn first_groups(config: &ClientConfig) -> impl Iterator<Item = NamedGroup> {
    let mut groups = config.common.groups.iter().map(|group| (*group, GroupKind::of(*group)));
    let small = groups.clone().find(|(_, kind)| *kind == GroupKind::Curve);
    let favourite = groups.find(|(_, kind)| kind.is_for_13());
    let large = favourite.filter(|(_, kind)| config.large_share_at_once && *kind == GroupKind::Encapsulation);
    large.into_iter().chain(small).map(|(group, _)| group)
}

/// Adds shares of `groups`, whose private halves are given back.
fn push_shares(
    config: &ClientConfig,
    groups: impl Iterator<Item = NamedGroup>,
    buf: &mut ExtensionsBuf,
) -> Result<Shares, Error> {
    let provider = &config.common.provider;
    let start = |group| {
        let kx = provider.group(group).ok_or(LocalFault::MissingAlgorithm)?;
        Ok((group, kx.start(&*provider.random)?))
    };
    let started = groups.map(start).collect::<Result<Vec<_>, Error>>()?;
    let entries = started.iter().map(|(group, kx)| KeyShareEntry { group: *group, key_exchange: kx.public_key() });
    let shares = Sequence::<KeyShareEntry<'_>>::encode(entries)?;
    buf.push(&KeyShareClientHello { client_shares: Sequence::new(&shares)? });
    Ok(started)
}

/// Adds the ALPN extension with `names` (RFC 7301 §3.1).
pub(super) fn push_alpn<'n>(buf: &mut ExtensionsBuf, names: impl Iterator<Item = &'n [u8]>) -> Result<(), Error> {
    let names = OwnedOpaqueList::new(names)?;
    buf.push(&Alpn { protocols: names.as_list() });
    Ok(())
}
