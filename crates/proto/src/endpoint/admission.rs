//! What a client has to show before anything is kept for it.
//!
//! Owns the decision between believing a hello, asking for a cookie in the way of its version, and
//! turning it away. Never touches the table of addresses. RFC 6347 §4.2.1 and §4.2.8, RFC 9147 §5.1.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use gramseal_wire::extension::Cookie;
use gramseal_wire::handshake::ClientHello;
use gramseal_wire::{AlertDescription, Codec, ExtensionType, ProtocolVersion};

use super::config::CookiePolicy;
use super::cookie::CookieMaker;
use super::demux::MAX_EARLY_DATAGRAMS;
use super::gather::Sender;
use super::hello::{self, Hello, Part};
use super::stats::{EndpointStats, add};
use super::{cookie12, cookie13};
use crate::Instant;
use crate::config::ServerConfig;
use crate::discard::Discard;
use crate::error::{Error, PeerFault};
use crate::handshake::{self, AdmittedBy, Asked, CookieExchange, chooses13, claims_early_data};

/// Whether an address has a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    Connected,
    Unknown,
}

/// How a hello was let in.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) admitted_by: AdmittedBy,
    /// How many bytes of early data may wait with it.
    pub(super) early_data: usize,
}

impl Admitted {
    /// Without early data.
    const fn by(admitted_by: AdmittedBy) -> Self {
        Self { admitted_by, early_data: 0 }
    }
}

/// What comes of a hello.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It may begin a handshake.
    Admitted(Admitted),
    /// It is answered; nothing is kept.
    Answered,
    Dropped(Discard),
}

/// A hello to judge, and what may come of it.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    pub(super) now: Instant,
    pub(super) peer: SocketAddr,
    pub(super) address: Address,
    pub(super) hello: &'a Hello<'a>,
    /// Whether its early data could let it in.
    pub(super) has_room: bool,
    /// Bytes that came for it.
    pub(super) bytes: usize,
    pub(super) stats: &'a mut EndpointStats,
    /// For an answer.
    pub(super) reply: &'a mut Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Admission {
    pub(super) policy: CookiePolicy,
    pub(super) cookies: CookieMaker,
    pub(super) config: Arc<ServerConfig>,
}

impl Admission {
    /// Whether the hello shows what the policy asks for; fills the reply if it does not and can be answered.
    pub(super) fn judge(&mut self, mut arrival: Arrival<'_>) -> Verdict {
        if !self.gathers() {
            return self.judge12(&mut arrival);
        }
        let Some(body) = arrival.hello.body else { return self.judge_fragment(&mut arrival) };
        let read = ClientHello::from_bytes(body).map_err(Error::from);
        match read.and_then(|whole| Ok(chooses13(&whole, &self.config)?.then_some(whole))) {
            Ok(Some(whole)) => self.judge13(&mut arrival, &whole, body).unwrap_or_else(|error| arrival.refuse(&error)),
            // Who speaks nothing that we do hears of it once its address is proved, in the way of 1.2.
            Ok(None) => self.judge12(&mut arrival),
            Err(_) if self.config.common.allows(ProtocolVersion::DTLS1_2) || self.needs_no_cookie(&arrival) => {
                self.judge12(&mut arrival)
            }
            Err(error) => arrival.refuse(&error),
        }
    }

    /// Whether hellos can be judged only when they are whole.
    pub(super) fn gathers(&self) -> bool {
        self.config.common.allows(ProtocolVersion::DTLS1_3)
    }

    /// How many bytes of early data may wait with this hello, records and all.
    fn early_data(&self, hello: &ClientHello<'_>) -> usize {
        /// More than a record has beyond its payload.
        const RECORD: usize = 64;
        match &self.config.early_data {
            Some(early) if hello.extensions.contains(ExtensionType::EARLY_DATA) => {
                usize::try_from(early.max_bytes).unwrap_or(usize::MAX).saturating_add(MAX_EARLY_DATAGRAMS * RECORD)
            }
            Some(_) | None => 0,
        }
    }

    /// What the part of a hello shows of its sender.
    pub(super) fn sender(&mut self, now: Instant, peer: SocketAddr, part: &Part<'_>) -> Sender {
        match part.cookie().map(|cookie| cookie13::read(&mut self.cookies, now, peer, cookie)) {
            Some(Ok(_)) => Sender::Proved,
            Some(Err(_)) | None => Sender::Unknown,
        }
    }

    fn needs_no_cookie(&self, arrival: &Arrival<'_>) -> bool {
        // RFC 6347 §4.2.8, RFC 9147 §5.11: only a client that has proved its address may replace a
        // connection there, whatever the policy.
        self.policy == CookiePolicy::Off && arrival.address == Address::Unknown
    }

    /// Whether early data that is taken may let this hello in.
    fn excepts_early_data(&self, arrival: &Arrival<'_>) -> bool {
        self.policy == CookiePolicy::ExceptEarlyData && arrival.address == Address::Unknown && arrival.has_room
    }

    fn judge12(&mut self, arrival: &mut Arrival<'_>) -> Verdict {
        let &mut Arrival { now, peer, hello, .. } = arrival;
        if self.needs_no_cookie(arrival) {
            return Verdict::Admitted(Admitted::by(AdmittedBy::Open));
        }
        if !hello.prefix.cookie.is_empty() {
            match cookie12::verify(&mut self.cookies, now, peer, &hello.prefix) {
                Ok(()) => {
                    add(&mut arrival.stats.cookies_accepted, 1);
                    return Verdict::Admitted(Admitted::by(AdmittedBy::Open));
                }
                // RFC 6347 §4.2.1: as good as none, so the client is asked again.
                Err(refusal) => arrival.stats.cookies_refused.count(refusal),
            }
        }
        let cookie = cookie12::make(&mut self.cookies, now, peer, &hello.prefix);
        hello::write_verify_request(hello, &cookie, arrival.reply);
        add(&mut arrival.stats.cookies_sent, 1);
        Verdict::Answered
    }

    /// Of which version it is may stand in another fragment. That one may come before the handshake is accepted,
    /// and would be lost: so who needs no cookie waits for all of it, too.
    fn judge_fragment(&mut self, arrival: &mut Arrival<'_>) -> Verdict {
        // RFC 9147 §5.3: 1.3 leaves that field empty.
        if !arrival.hello.prefix.cookie.is_empty() {
            return self.judge12(arrival);
        }
        Verdict::Dropped(Discard::HelloFragment)
    }

    fn judge13(&mut self, arrival: &mut Arrival<'_>, whole: &ClientHello<'_>, body: &[u8]) -> Result<Verdict, Error> {
        let &mut Arrival { now, peer, hello, bytes, .. } = arrival;
        if let Some(Cookie { cookie }) = whole.extensions.find()? {
            // Its hash stands in no transcript but the one that the cookie continues: where a cookie is,
            // it has to be good, whatever the policy.
            return match cookie13::verify(&mut self.cookies, now, peer, whole, cookie) {
                Ok(exchange) => {
                    add(&mut arrival.stats.cookies_accepted, 1);
                    Ok(Verdict::Admitted(Admitted::by(AdmittedBy::Cookie(Box::new(exchange)))))
                }
                // RFC 9147 §5.1: a client that was asked twice would give up; this one can begin anew.
                Err(refusal) => {
                    arrival.stats.cookies_refused.count(refusal);
                    Err(PeerFault::InvalidCookie.into())
                }
            };
        }
        if self.needs_no_cookie(arrival) {
            return Ok(Verdict::Admitted(Admitted {
                admitted_by: AdmittedBy::Open,
                early_data: self.early_data(whole),
            }));
        }
        // Last, for a claim uses the early data up.
        if self.excepts_early_data(arrival) && claims_early_data(whole, body, &self.config) {
            return Ok(Verdict::Admitted(Admitted {
                admitted_by: AdmittedBy::EarlyData,
                early_data: self.early_data(whole),
            }));
        }
        let asked = Asked::with_cookie(whole, &self.config)?;
        let exchange = CookieExchange { asked, first_hello: handshake::hash_of_hello(asked, &self.config, body)? };
        let cookie = cookie13::make(&mut self.cookies, now, peer, whole, &exchange);
        asked.request(Some(&cookie), |request| hello::write_retry_request(hello, request, arrival.reply));
        // Nobody shall make us send more than they do. Only a hello with next to nothing in it is that short.
        if arrival.reply.len() > bytes {
            arrival.reply.clear();
            return Ok(Verdict::Dropped(Discard::HelloTooShort));
        }
        add(&mut arrival.stats.cookies_sent, 1);
        Ok(Verdict::Answered)
    }
}

impl Arrival<'_> {
    /// Answers with an alert what no cookie would help.
    fn refuse(self, error: &Error) -> Verdict {
        let description = error.alert().unwrap_or(AlertDescription::INTERNAL_ERROR);
        hello::write_alert(self.hello.first, description, self.reply);
        add(&mut self.stats.hellos_refused, 1);
        Verdict::Answered
    }
}
