//! Whether a session may be resumed, and what is remembered of a new one (RFC 5246 §7.3, RFC 5077).
//! What is so in 1.3 alone is in [`resume13`](super::resume13).
//!
//! A session that may not be resumed is no fault: a full handshake follows.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use gramseal_wire::extension::SessionTicket;
use gramseal_wire::handshake::ClientHello;
use gramseal_wire::{CipherSuite, ProtocolVersion};
use pki_types::{IpAddr, ServerName, UnixTime};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::schedule12::psk_binding;
use super::{Negotiated, external, limits, select};
use crate::config::{ClientAuth, ClientConfig, PeerRole, Presented, Psk, ServerConfig, Verdict};
use crate::crypto::{CryptoProvider, Deferrable, Hash, HashAlgorithm};
use crate::error::Error;
use crate::session::{CONTEXT_LEN, Session, TicketSealer};
use crate::suite::Suite12;

/// A session that a server resumes.
pub(super) struct Found {
    pub(super) session: Arc<Session>,
    pub(super) suite: &'static Suite12,
    /// What this connection agrees on (RFC 7301 §3.1), which is what the session did.
    pub(super) alpn: Option<Vec<u8>>,
    /// The same of the host name (RFC 6066 §3).
    pub(super) server_name: Option<String>,
    pub(super) by: By,
}

/// How the client named the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Id,
    Ticket,
    /// With a ticket that is to be replaced.
    OldTicket,
}

/// The session that `hello` asks for, if we know it and may resume it.
pub(super) fn find(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<Option<Found>, Error> {
    let Some((session, by, now)) = look_up(hello, config)? else { return Ok(None) };
    // A hello without a protocol in common fails in a full handshake as it would here.
    let Ok(alpn) = select::alpn(hello, &config.common) else { return Ok(None) };
    let server_name = select::server_name(hello)?;
    let asks =
        Asks { version: ProtocolVersion::DTLS1_2, now, server_name: server_name.as_deref(), alpn: alpn.as_deref() };
    // RFC 5246 §7.4.1.3: a session keeps its suite.
    let suite = config.common.suites12().find(|suite| suite.id == session.cipher_suite);
    let suite = suite.filter(|suite| hello.cipher_suites.contains(&suite.id));
    let limits = limits::select(hello, &config.common)?;
    let suite = suite.filter(|suite| {
        fits_server(&session, &asks, config)
            && limits.fit(&session)
            && (session.psk_identity.is_none() || psk_on_server(&session, suite.hash, config).is_some())
    });
    Ok(suite.map(|suite| Found { session, suite, alpn, server_name, by }))
}

fn look_up(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<Option<(Arc<Session>, By, UnixTime)>, Error> {
    let sessions = &config.sessions;
    let ticket = hello.extensions.find::<SessionTicket<'_>>()?.map(|extension| extension.ticket);
    Ok(match ticket.filter(|ticket| !ticket.is_empty()) {
        // RFC 5077 §3.4: beside a ticket the session id names nothing.
        Some(ticket) => {
            // We issue no longer ones.
            let sealer = sessions.tickets.as_ref().filter(|_| ticket.len() <= sessions.max_ticket_len);
            sealer.and_then(|sealer| open(&**sealer, ticket))
        }
        None if hello.session_id.is_empty() => None,
        None => sessions
            .store
            .as_ref()
            .and_then(|store| store.get(hello.session_id).map(|session| (session, By::Id, store.now()))),
    })
}

fn open(sealer: &dyn TicketSealer, ticket: &[u8]) -> Option<(Arc<Session>, By, UnixTime)> {
    let opened = sealer.open(ticket)?;
    let session = Session::from_bytes(&opened.session).ok()?;
    Some((Arc::new(session), if opened.renew { By::OldTicket } else { By::Ticket }, sealer.now()))
}

/// What the new connection wants to be.
pub(super) struct Asks<'a> {
    pub(super) version: ProtocolVersion,
    pub(super) now: UnixTime,
    pub(super) server_name: Option<&'a str>,
    pub(super) alpn: Option<&'a [u8]>,
}

/// Whether our settings and the client's wishes are those of the session.
pub(super) fn fits_server(session: &Session, asks: &Asks<'_>, config: &ServerConfig) -> bool {
    let same_name = match (&session.server_name, &asks.server_name) {
        // RFC 6066 §3: never under another name.
        (Some(then), Some(now)) => then.eq_ignore_ascii_case(now),
        (None, None) => true,
        _ => false,
    };
    let certified = !session.peer_certificates.is_empty() || session.peer_raw_public_key.is_some();
    let authenticated = certified || session.psk_identity.is_some();
    let enough = authenticated || !matches!(config.client_auth, ClientAuth::Required(_));
    session.version == asks.version
        && config.common.versions.contains(&session.version)
        && !session.is_expired(asks.now)
        && session.context == config.sessions.context
        && same_name
        && session.alpn.as_deref() == asks.alpn
        && enough
}

/// The pre-shared key that authenticated both sides of `session`, whose suite has `hash`, if a server still has it.
pub(super) fn psk_on_server(session: &Session, hash: HashAlgorithm, config: &ServerConfig) -> Option<Psk> {
    let identity = session.psk_identity.as_ref()?;
    let psk = external::current(identity, session.psk_context.as_deref(), config)?;
    is_bound_to(session, hash, &psk, &config.common.provider).then_some(psk)
}

/// The same of a client.
pub(super) fn psk_on_client<'c>(session: &Session, hash: HashAlgorithm, config: &'c ClientConfig) -> Option<&'c Psk> {
    let named = |psk: &&Psk| {
        session.psk_identity.as_deref() == Some(psk.identity()) && session.psk_context.as_deref() == psk.import()
    };
    config.psks.iter().filter(named).find(|psk| is_bound_to(session, hash, psk, &config.common.provider))
}

/// Whether `psk` is the pre-shared key that authenticated both sides of `session`. One that was
/// replaced under the same identity may have been stolen: its sessions end with it.
fn is_bound_to(session: &Session, hash: HashAlgorithm, psk: &Psk, provider: &CryptoProvider) -> bool {
    let bound = provider.hash(hash).map(|hash| psk_binding(hash, &session.secret, psk.key()));
    matches!((bound, session.psk_binding), (Some(now), Some(then)) if bool::from(now.ct_eq(&then)))
}

/// Whether a client may offer this session to `server_name`.
pub(super) fn fits_client(session: &Session, server_name: &str, config: &ClientConfig) -> bool {
    let common = &config.common;
    let named = !session.id.is_empty() || !session.ticket.is_empty();
    let Some(suite) = common.suites12().find(|suite| suite.id == session.cipher_suite) else { return false };
    named
        && session.version == ProtocolVersion::DTLS1_2
        && common.versions.contains(&session.version)
        && session.server_name.as_deref() == Some(server_name)
        && config.sessions.as_ref().is_some_and(|sessions| session.context == sessions.context)
        && (session.psk_identity.is_none() || psk_on_client(session, suite.hash, config).is_some())
}

/// What the verifier says now of the server that `session` remembers, where a client asks it again. Where a
/// pre-shared key says who the server is, there is nothing to ask.
pub(super) fn reverify(session: &Session, name: &ServerName<'_>, config: &ClientConfig) -> Option<Deferrable<Verdict>> {
    let verifier = config.verifier.as_ref().filter(|_| config.reverifies)?;
    let role = PeerRole::Server(name);
    let presented = match (&session.peer_raw_public_key, session.peer_certificates.split_first()) {
        (Some(key), _) => Presented::raw_public_key(key, role),
        (None, Some((end_entity, intermediates))) => Presented::chain(end_entity, intermediates, role),
        (None, None) => return None,
    };
    Some(verifier.verify(&presented.with_ocsp_response(&session.peer_ocsp_response)))
}

/// By what name a client's store knows a server.
pub(super) fn store_name(name: &ServerName<'_>) -> String {
    match name {
        ServerName::DnsName(name) => name.as_ref().to_ascii_lowercase(),
        ServerName::IpAddress(IpAddr::V4(address)) => Ipv4Addr::from(*address.as_ref()).to_string(),
        ServerName::IpAddress(IpAddr::V6(address)) => Ipv6Addr::from(*address.as_ref()).to_string(),
        // There is no other kind; what one would be called fits no session.
        _ => String::new(),
    }
}

/// What a resumed connection takes over from its session.
pub(super) fn negotiated(session: &Session, cipher_suite: CipherSuite, alpn: Option<Vec<u8>>) -> Negotiated {
    Negotiated {
        group: session.group,
        alpn,
        peer_certificates: session.peer_certificates.clone(),
        peer_raw_public_key: session.peer_raw_public_key.clone(),
        peer_ocsp_response: session.peer_ocsp_response.clone(),
        psk_identity: session.psk_identity.clone(),
        peer_signature_scheme: session.peer_signature_scheme,
        resumed: true,
        ..Negotiated::new(session.version, cipher_suite)
    }
}

/// The life of a session that is established now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub(super) established: u64,
    pub(super) expires: u64,
}

impl Life {
    pub(super) fn beginning(now: UnixTime, lifetime: Duration) -> Self {
        let established = now.as_secs();
        Self { established, expires: established.saturating_add(lifetime.as_secs()) }
    }
}

impl Session {
    /// The same, tied to the pre-shared key that authenticated both sides, if one did.
    pub(super) fn bound_to(mut self, psk: Option<&Psk>, hash: &dyn Hash) -> Self {
        if let Some(psk) = psk {
            self.psk_binding = Some(psk_binding(hash, &self.secret, psk.key()));
            self.psk_context = psk.import().map(<[u8]>::to_vec);
        }
        self
    }
}

/// What to remember of a handshake, before it has an id or a ticket and before it is tied to a
/// pre-shared key.
pub(super) fn remembered(
    negotiated: &Negotiated,
    secret: Zeroizing<Vec<u8>>,
    context: [u8; CONTEXT_LEN],
    max_fragment_length: Option<u16>,
    life: Life,
) -> Session {
    Session {
        version: negotiated.version,
        cipher_suite: negotiated.cipher_suite,
        secret: secret.into(),
        context,
        server_name: negotiated.server_name.clone(),
        alpn: negotiated.alpn.clone(),
        psk_identity: negotiated.psk_identity.clone(),
        psk_context: None,
        psk_binding: None,
        peer_certificates: negotiated.peer_certificates.clone(),
        peer_raw_public_key: negotiated.peer_raw_public_key.clone(),
        peer_ocsp_response: negotiated.peer_ocsp_response.clone(),
        group: negotiated.group,
        peer_signature_scheme: negotiated.peer_signature_scheme,
        max_fragment_length,
        established: life.established,
        expires: life.expires,
        issued: life.established,
        age_add: 0,
        max_early_data: 0,
        id: Vec::new(),
        ticket: Vec::new(),
    }
}
