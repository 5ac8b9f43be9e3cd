//! Resumption in 1.3 by a pre-shared key that came with a ticket, and what it shares with keys from elsewhere
//! ([`external`]): what a server finds in a hello, what a client makes of a ticket, and what holds for both
//! (RFC 9846 §2.2, §4.3.9, §4.3.11, §4.7.1).
//!
//! Never reads a transcript that is not handed in.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use gramseal_wire::extension::{EarlyData, PreSharedKeyClientHello, PskIdentity, PskKeyExchangeModes};
use gramseal_wire::handshake::{ClientHello, NewSessionTicket13};
use gramseal_wire::{ExtensionType, ProtocolVersion, PskKeyExchangeMode};
use pki_types::{ServerName, UnixTime};

use super::external::{self, ExternalPsk, UnknownPsks};
use super::resume::{self, Asks, Life};
use super::schedule13::{EarlySecret, Origin, Session13};
use super::transcript::Transcript13;
use super::{EarlyClaim, Negotiated, early, select};
use crate::config::{ClientConfig, Psk, ServerConfig};
use crate::crypto::{Digest, Hash, HashAlgorithm};
use crate::error::{Error, LocalFault, PeerFault};
use crate::message::Message;
use crate::session::{MAX_SESSION_ID_LEN, Session};
use crate::suite::Suite13;

/// RFC 9846 §4.7.1: no ticket is good for longer.
pub(super) const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How many keys of one hello a server looks at: opening a ticket costs it more than the client.
const MAX_LOOKED_AT: usize = 8;

/// The form of what a hello of 1.3 says of pre-shared keys.
pub(super) fn check_form(hello: &ClientHello<'_>) -> Result<(), Error> {
    hello.extensions.find::<EarlyData>()?;
    if !hello.extensions.contains(ExtensionType::PRE_SHARED_KEY) {
        return Ok(());
    }
    // RFC 9846 §4.3.11
    if hello.extensions.iter().last().is_none_or(|(last, _)| last != ExtensionType::PRE_SHARED_KEY) {
        return Err(PeerFault::PskNotLast.into());
    }
    if hello.extensions.find::<PreSharedKeyClientHello<'_>>()?.is_some_and(|offer| !offer.is_complete()) {
        return Err(PeerFault::BinderCountMismatch.into());
    }
    // RFC 9846 §4.3.9
    if !hello.extensions.contains(ExtensionType::PSK_KEY_EXCHANGE_MODES) {
        return Err(PeerFault::MissingExtension(ExtensionType::PSK_KEY_EXCHANGE_MODES).into());
    }
    Ok(())
}

/// How a server would use a pre-shared key with the client that says `hello`, if at all: in the way that
/// the client prefers of those allowed here (RFC 9846 §4.3.9).
pub(super) fn mode(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<Option<PskKeyExchangeMode>, Error> {
    let Some(offered) = hello.extensions.find::<PskKeyExchangeModes<'_>>()? else { return Ok(None) };
    let ours = config.common.resumed_key_exchange.modes();
    let exchange = hello.extensions.contains(ExtensionType::KEY_SHARE);
    let works = |mode: &PskKeyExchangeMode| ours.contains(mode) && (exchange || *mode == PskKeyExchangeMode::PSK_KE);
    Ok(offered.modes.iter().find(works))
}

/// A key that the client offers and that may be used. Whether the client knows it is still to be seen.
pub(super) struct Found13<'h> {
    key: Key,
    /// Its place in the client's list.
    index: u16,
    /// What the client named it.
    identity: &'h [u8],
    obfuscated_age: u32,
    binder: &'h [u8],
    binders_len: usize,
    mode: PskKeyExchangeMode,
}

enum Key {
    Session(KnownSession),
    External(ExternalPsk),
}

/// A session that may be resumed.
struct KnownSession {
    session: Arc<Session>,
    by: By,
    /// By the clock of where it was found.
    now: UnixTime,
    /// The pre-shared key that authenticated both sides of it, if one did.
    psk: Option<Psk>,
}

/// What a client has shown of a session, for what depends on more than that it knows it.
pub(super) struct Shown<'a> {
    pub(super) session: &'a Session,
    pub(super) index: u16,
    pub(super) obfuscated_age: u32,
    pub(super) binder: &'a [u8],
    pub(super) now: UnixTime,
}

/// Where a session was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// In the store, for one use.
    Id,
    /// In the ticket itself.
    Ticket,
}

/// A key that the client has shown to know.
#[derive(Debug)]
pub(super) struct Shared13 {
    source: Source,
    /// Its place in the client's list.
    pub(super) index: u16,
    /// How many bytes of early data are taken with it, if any are.
    pub(super) early_data: Option<u32>,
}

#[derive(Debug)]
enum Source {
    /// With the pre-shared key that authenticated both sides of it, if one did.
    Session(Arc<Session>, Option<Psk>),
    Elsewhere(ExternalPsk),
}

impl Shared13 {
    pub(super) fn secret(&self) -> &[u8] {
        match &self.source {
            Source::Session(session, _) => &session.secret,
            Source::Elsewhere(external) => &external.secret,
        }
    }

    /// The session that is resumed, if it is that.
    pub(super) fn session(&self) -> Option<&Session> {
        match &self.source {
            Source::Session(session, _) => Some(session),
            Source::Elsewhere(_) => None,
        }
    }

    /// The key from elsewhere that says who the client is, if one does.
    pub(super) fn external(&self) -> Option<&Psk> {
        match &self.source {
            Source::Session(_, psk) => psk.as_ref(),
            Source::Elsewhere(external) => Some(&external.psk),
        }
    }
}

/// The hashes of the suites with which keys from elsewhere that `hello` names can be used. The hello passed
/// [`check_form`].
pub(super) fn external_hashes(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<Vec<HashAlgorithm>, Error> {
    let Some(offer) = hello.extensions.find::<PreSharedKeyClientHello<'_>>()? else { return Ok(Vec::new()) };
    if config.psks.is_none() || mode(hello, config)?.is_none() {
        return Ok(Vec::new());
    }
    let names = offer.identities.iter().take(MAX_LOOKED_AT).map(|named| named.identity);
    Ok(external::hashes(names, UnknownPsks::of(hello, config), config))
}

/// The key in `hello` to use with `suite`: the first of a session, else the one from elsewhere that comes first for
/// the server; `None` for a handshake with certificates. The hello passed [`check_form`].
pub(super) fn find<'h>(
    hello: &ClientHello<'h>,
    suite: &Suite13,
    config: &ServerConfig,
) -> Result<Option<Found13<'h>>, Error> {
    find_among(MAX_LOOKED_AT, hello, suite, config)
}

/// The same among the first `most` that the hello names.
pub(super) fn find_among<'h>(
    most: usize,
    hello: &ClientHello<'h>,
    suite: &Suite13,
    config: &ServerConfig,
) -> Result<Option<Found13<'h>>, Error> {
    let Some(offer) = hello.extensions.find::<PreSharedKeyClientHello<'h>>()? else { return Ok(None) };
    let Some(mode) = mode(hello, config)? else { return Ok(None) };
    let binders_len = offer.binders_len();
    let found = |(index, named, binder): (u16, PskIdentity<'h>, &'h [u8]), key| {
        let (identity, obfuscated_age) = (named.identity, named.obfuscated_ticket_age);
        Found13 { key, index, identity, obfuscated_age, binder, binders_len, mode }
    };
    // Without one in common no handshake goes on.
    let alpn = select::alpn(hello, &config.common)?;
    let (version, server_name) = (ProtocolVersion::DTLS1_3, select::server_name(hello)?);
    let mut asks = Asks {
        version,
        now: UnixTime::since_unix_epoch(Duration::ZERO),
        server_name: server_name.as_deref(),
        alpn: alpn.as_deref(),
    };
    let offered = || (0..).zip(offer.identities.iter().zip(offer.binders.iter())).take(most);
    let mut elsewhere: Option<(usize, Found13<'h>)> = None;
    for (index, (named, binder)) in offered() {
        match look_up(named.identity, config) {
            Some(ticket) => {
                if let Some(session) = ticket.fits(suite, &mut asks, config) {
                    return Ok(Some(found((index, named, binder), Key::Session(session))));
                }
            }
            None => {
                let Some(psk) = external::find(named.identity, suite.hash, config)? else { continue };
                let rank = psk.rank(config);
                if elsewhere.as_ref().is_none_or(|(least, _)| rank < *least) {
                    elsewhere = Some((rank, found((index, named, binder), Key::External(psk))));
                }
            }
        }
    }
    if let Some((_, found)) = elsewhere {
        let shows_certificate = config.certificates_first && select::plan13(hello, config).is_ok();
        return Ok(Some(found).filter(|_| !shows_certificate));
    }
    let hides = config.psks.is_some() && UnknownPsks::of(hello, config) == UnknownPsks::Hidden;
    let Some((index, (named, binder))) = offered().next().filter(|_| hides) else { return Ok(None) };
    let decoy = external::decoy(named.identity, suite.hash, config)?;
    Ok(decoy.map(|decoy| found((index, named, binder), Key::External(decoy))))
}

/// A session that a hello names, before it is known whether it may be resumed.
struct Ticket {
    session: Arc<Session>,
    by: By,
    now: UnixTime,
}

impl Ticket {
    /// The session, if it may be resumed with `suite` by who asks.
    fn fits(self, suite: &Suite13, asks: &mut Asks<'_>, config: &ServerConfig) -> Option<KnownSession> {
        let Self { session, by, now } = self;
        asks.now = now;
        // RFC 9846 §4.7.1: with the hash of the session, whatever the rest of the suite is.
        let same_hash = Suite13::find(session.cipher_suite).is_some_and(|then| then.hash == suite.hash);
        if !same_hash || !resume::fits_server(&session, asks, config) {
            return None;
        }
        let psk = resume::psk_on_server(&session, suite.hash, config);
        (session.psk_identity.is_none() || psk.is_some()).then_some(KnownSession { session, by, now, psk })
    }
}

fn look_up(identity: &[u8], config: &ServerConfig) -> Option<Ticket> {
    let sessions = &config.sessions;
    let store = sessions.store.as_ref().filter(|_| identity.len() == MAX_SESSION_ID_LEN);
    if let Some((session, now)) = store.and_then(|store| store.get(identity).map(|session| (session, store.now()))) {
        return Some(Ticket { session, by: By::Id, now });
    }
    let sealer = sessions.tickets.as_ref().filter(|_| identity.len() <= sessions.max_ticket_len)?;
    let session = Session::from_bytes(&sealer.open(identity)?.session).ok()?;
    Some(Ticket { session: Arc::new(session), by: By::Ticket, now: sealer.now() })
}

impl Found13<'_> {
    /// Whether no key exchange goes with it.
    pub(super) fn is_alone(&self) -> bool {
        self.mode == PskKeyExchangeMode::PSK_KE
    }

    /// Whether it is from elsewhere, as far as the client can know: also where nobody has it.
    pub(super) fn is_external(&self) -> bool {
        matches!(self.key, Key::External(_))
    }

    /// What the client shows of the session, if it names one.
    pub(super) fn shown(&self) -> Option<Shown<'_>> {
        let Self { key, index, obfuscated_age, binder, .. } = self;
        match key {
            Key::Session(KnownSession { session, now, .. }) => {
                Some(Shown { session, index: *index, obfuscated_age: *obfuscated_age, binder, now: *now })
            }
            Key::External(_) => None,
        }
    }

    /// Checks that the client knows the key. `hello` is the whole message, `before` what the transcript
    /// has up to it, if anything.
    pub(super) fn check_binder(
        &self,
        hello: &Message,
        before: Option<&Transcript13>,
        suite: &Suite13,
        config: &ServerConfig,
    ) -> Result<(), Error> {
        let hash = config.common.provider.hash(suite.hash).ok_or(LocalFault::MissingAlgorithm)?;
        let digest = Transcript13::digest_of_cut(hash, before, hello.bytes(), self.binders_len);
        let bound = match &self.key {
            Key::Session(KnownSession { session, .. }) => {
                EarlySecret::with_psk(hash, &session.secret).binder(Origin::Resumption, &digest)
            }
            Key::External(external) => external.binder(&digest),
        };
        // RFC 9846 §4.3.11: of this key alone, and a wrong one ends the handshake.
        if !bound.ct_eq(self.binder) {
            return Err(PeerFault::BinderMismatch.into());
        }
        Ok(())
    }

    /// Checks that the client knows the key, and takes the session out of the store if it was there:
    /// `None` if another connection was faster. `message` is `hello`, and `before` what the transcript has up
    /// to it, if anything.
    pub(super) fn claim(
        self,
        hello: &ClientHello<'_>,
        message: &Message,
        before: Option<&Transcript13>,
        suite: &Suite13,
        config: &ServerConfig,
        claim: EarlyClaim,
    ) -> Result<Option<Shared13>, Error> {
        self.check_binder(message, before, suite, config)?;
        // RFC 9846 §4.3.10: a hello that was asked for has no early data.
        let shown = self.shown().filter(|_| before.is_none());
        // Only now: whoever saw the ticket go by must not be able to use it up.
        if let (Key::Session(KnownSession { by: By::Id, .. }), Some(store)) = (&self.key, &config.sessions.store) {
            if store.take(self.identity).is_none() {
                return Ok(None);
            }
        }
        let early_data = shown.and_then(|shown| early::taken(hello, &shown, suite, config, claim));
        let source = match self.key {
            Key::Session(KnownSession { session, psk, .. }) => Source::Session(session, psk),
            Key::External(external) => Source::Elsewhere(external),
        };
        Ok(Some(Shared13 { source, index: self.index, early_data }))
    }
}

/// Whether a client may offer this session to `server_name`.
pub(super) fn fits_client(session: &Session, server_name: &str, config: &ClientConfig) -> bool {
    // RFC 9846 §4.7.1: any suite with its hash will do.
    let hash = Suite13::find(session.cipher_suite).map(|suite| suite.hash);
    session.version == ProtocolVersion::DTLS1_3
        && config.common.allows(session.version)
        && config.common.suites13().any(|suite| Some(suite.hash) == hash)
        && hash.is_some_and(|hash| hash.output_len() == session.secret.len())
        && !session.ticket.is_empty()
        && session.server_name.as_deref() == Some(server_name)
        && config.sessions.as_ref().is_some_and(|sessions| session.context == sessions.context)
        && (session.psk_identity.is_none()
            || hash.is_some_and(|hash| resume::psk_on_client(session, hash, config).is_some()))
}

/// What the tickets have in common that a client's connection brings.
#[derive(Debug)]
pub(crate) struct TicketTerms {
    /// By which its store knows the server.
    pub(crate) server_name: Box<str>,
    /// When the full handshake took place, and how long it counts here. In seconds since 1970.
    pub(crate) established: u64,
    pub(super) expires: u64,
    /// The pre-shared key that says who the server is, if one does.
    pub(super) psk: Option<Psk>,
}

impl TicketTerms {
    /// Of a connection with `name`, which may go on from a pre-shared key. `None` if no tickets are kept.
    pub(super) fn new(name: &ServerName<'_>, shared: Option<&OfferedPsk>, config: &ClientConfig) -> Option<Self> {
        let resumed = shared.and_then(OfferedPsk::session);
        let store = &config.sessions.as_ref()?.store;
        let now = store.now();
        let begun = resumed.map_or(now, Session::established);
        // RFC 9846 §4.7.1: what was authenticated once is not believed for ever, however often it is
        // resumed.
        let Life { established, expires } = Life::beginning(begun, store.lifetime());
        let psk = shared.and_then(|shared| shared.external(config)).cloned();
        Some(Self { server_name: resume::store_name(name).into(), established, expires, psk })
    }

    /// The session that `ticket` stands for; `None` if it is not worth keeping.
    pub(crate) fn session(
        &self,
        ticket: &NewSessionTicket13<'_>,
        max_early_data: u32,
        negotiated: &Negotiated,
        secrets: &Session13,
        config: &ClientConfig,
    ) -> Option<Session> {
        let sessions = config.sessions.as_ref()?;
        let now = sessions.store.now().as_secs();
        let life = self.life(ticket, now, config.longest_ticket())?;
        let secret = secrets.ticket_psk(ticket.nonce)?;
        let hash = config.common.provider.hash(Suite13::find(negotiated.cipher_suite)?.hash)?;
        let session = Session {
            server_name: Some(self.server_name.as_ref().into()),
            issued: now,
            age_add: ticket.age_add,
            max_early_data,
            ticket: ticket.ticket.to_vec(),
            ..resume::remembered(negotiated, secret, sessions.context, None, life)
        };
        Some(session.bound_to(self.psk.as_ref(), hash))
    }

    /// How long a ticket is worth keeping that came `now`.
    fn life(&self, ticket: &NewSessionTicket13<'_>, now: u64, longest: usize) -> Option<Life> {
        // RFC 9846 §4.7.1: 0 means not at all.
        if ticket.lifetime == 0 || ticket.ticket.len() > longest {
            return None;
        }
        let lifetime = MAX_LIFETIME.as_secs().min(ticket.lifetime.into());
        Some(Life { established: self.established, expires: self.expires.min(now.saturating_add(lifetime)) })
    }
}

/// What a client says of the age of a ticket (RFC 9846 §4.3.11.1), in milliseconds.
pub(super) fn obfuscated_age(session: &Session, now: UnixTime) -> u32 {
    let age = now.as_secs().saturating_sub(session.issued).saturating_mul(1000);
    // Modulo 2^32, as the rest is.
    let [.., a, b, c, d] = age.to_be_bytes();
    u32::from_be_bytes([a, b, c, d]).wrapping_add(session.age_add)
}

/// The hash that goes with the secret of a session.
pub(super) fn hash_of(session: &Session, config: &ClientConfig) -> Option<&'static dyn Hash> {
    config.common.provider.hash(Suite13::find(session.cipher_suite)?.hash)
}

/// A key that a client offers.
pub(super) enum OfferedPsk {
    /// Of a session, with its hash.
    Ticket(Session, &'static dyn Hash),
    External(ExternalPsk),
}

impl OfferedPsk {
    pub(super) fn hash(&self) -> &'static dyn Hash {
        match self {
            Self::Ticket(_, hash) => *hash,
            Self::External(external) => external.hash,
        }
    }

    /// What the hello calls it.
    pub(super) fn name(&self) -> &[u8] {
        match self {
            Self::Ticket(session, _) => &session.ticket,
            Self::External(external) => &external.name,
        }
    }

    pub(super) fn secret(&self) -> &[u8] {
        match self {
            Self::Ticket(session, _) => &session.secret,
            Self::External(external) => &external.secret,
        }
    }

    /// What binds it to a hello that hashes to `transcript` up to its binders.
    pub(super) fn binder(&self, transcript: &Digest) -> Digest {
        match self {
            Self::Ticket(session, hash) => {
                EarlySecret::with_psk(*hash, &session.secret).binder(Origin::Resumption, transcript)
            }
            Self::External(external) => external.binder(transcript),
        }
    }

    /// The session that it resumes, if it is of one.
    pub(super) fn session(&self) -> Option<&Session> {
        match self {
            Self::Ticket(session, _) => Some(session),
            Self::External(_) => None,
        }
    }

    /// The same, for keeping.
    pub(super) fn into_session(self) -> Option<Session> {
        match self {
            Self::Ticket(session, _) => Some(session),
            Self::External(_) => None,
        }
    }

    /// The key from elsewhere that says who the server is, if one does.
    fn external<'p>(&'p self, config: &'p ClientConfig) -> Option<&'p Psk> {
        match self {
            Self::Ticket(session, hash) => resume::psk_on_client(session, hash.algorithm(), config),
            Self::External(external) => Some(&external.psk),
        }
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn session(issued: u64, age_add: u32) -> Session {
        let negotiated = Negotiated::new(ProtocolVersion::DTLS1_3, gramseal_wire::CipherSuite::TLS_AES_128_GCM_SHA256);
        let life = Life { established: 500, expires: 10_000_000 };
        let secret = Zeroizing::new(alloc::vec![1; 32]);
        Session { issued, age_add, ..resume::remembered(&negotiated, secret, [0; 32], None, life) }
    }

    #[test] // RFC 9846 §4.7.1
    fn a_ticket_is_kept_for_a_week_at_most_and_not_at_all_if_it_is_of_no_use() {
        let terms =
            TicketTerms { server_name: "server.example".into(), established: 500, expires: 2_000_000, psk: None };
        let expires = |lifetime: u32, len: usize| {
            let (ticket, extensions) = (alloc::vec![1; len], gramseal_wire::Extensions::EMPTY);
            let ticket = NewSessionTicket13 { lifetime, age_add: 0, nonce: &[0], ticket: &ticket, extensions };
            terms.life(&ticket, 1000, 1200).map(|life| life.expires)
        };
        let week = 604_800;
        assert_eq!(expires(60, 100), Some(1060));
        assert_eq!((expires(week, 100), expires(week + 1, 100)), (Some(605_800), Some(605_800)));
        assert_eq!(expires(u32::MAX, 1200), Some(605_800));
        assert_eq!((expires(0, 100), expires(60, 1201)), (None, None));
        let terms = TicketTerms { expires: 1010, ..terms };
        let ticket = [7; 10];
        let extensions = gramseal_wire::Extensions::EMPTY;
        let ticket = NewSessionTicket13 { lifetime: 60, age_add: 0, nonce: &[], ticket: &ticket, extensions };
        assert_eq!(terms.life(&ticket, 1000, 1200).map(|life| life.expires), Some(1010), "our own limit holds too");
    }

    #[test] // RFC 9846 §4.3.11.1
    fn the_age_of_a_ticket_is_hidden_modulo_2_to_the_32() {
        let at = |secs| UnixTime::since_unix_epoch(Duration::from_secs(secs));
        assert_eq!(obfuscated_age(&session(1000, 0), at(1000)), 0);
        assert_eq!(obfuscated_age(&session(1000, 7), at(1003)), 3007);
        assert_eq!(obfuscated_age(&session(1000, u32::MAX), at(1001)), 999);
        let week = 7 * 24 * 60 * 60;
        assert_eq!(obfuscated_age(&session(1000, 0), at(1000 + week)), 604_800_000);
        assert_eq!(obfuscated_age(&session(1000, 5), at(900)), 5, "a clock that was set back makes none older");
    }
}
