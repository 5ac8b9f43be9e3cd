//! What a client has to show before anything is kept for it.
//!
//! Owns the decision between believing a hello and asking for a cookie. Never touches the table of
//! addresses. RFC 6347 §4.2.1 and §4.2.8. (The HelloRetryRequest cookie of 1.3 belongs here, too.)

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::config::CookiePolicy;
use super::cookie::CookieMaker;
use super::hello::{self, Hello};
use super::stats::{EndpointStats, add};
use crate::Instant;

/// Whether an address has a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    Connected,
    Unknown,
}

#[derive(Debug)]
pub(super) struct Admission {
    pub(super) policy: CookiePolicy,
    pub(super) cookies: CookieMaker,
}

impl Admission {
    /// Whether the hello shows what the policy asks for.
    pub(super) fn admits(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        hello: &Hello<'_>,
        address: Address,
        stats: &mut EndpointStats,
    ) -> bool {
        // RFC 6347 §4.2.8: only a client that has proved its address may replace a connection there,
        // whatever the policy.
        if self.policy == CookiePolicy::Off && address == Address::Unknown {
            return true;
        }
        if hello.prefix.cookie.is_empty() {
            return false;
        }
        match self.cookies.verify(now, peer, &hello.prefix) {
            Ok(()) => {
                add(&mut stats.cookies_accepted, 1);
                true
            }
            // RFC 6347 §4.2.1: as good as none, so the client is asked again.
            Err(refusal) => {
                stats.cookies_refused.count(refusal);
                false
            }
        }
    }

    /// Fills `reply` with the datagram that asks for a cookie.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        hello: &Hello<'_>,
        stats: &mut EndpointStats,
        reply: &mut Vec<u8>,
    ) {
        let cookie = self.cookies.make(now, peer, &hello.prefix);
        hello::write_verify_request(hello, &cookie, reply);
        add(&mut stats.cookies_sent, 1);
    }
}
