//! The cookie of a HelloRetryRequest (RFC 9147 §5.1, RFC 9846 §4.3.2).
//!
//! It carries what a server has to know about the first hello when the second one comes:
//!
//! ```text
//! struct {
//!     Stamp stamp;
//!     CipherSuite suite;          // the one chosen
//!     NamedGroup group;           // the one that a share was asked of, or 0
//!     opaque first_hello[];       // its hash, of as many bytes as the suite's hash function gives
//! } Cookie;
//! ```
//!
//! Bound are these, and the hash of all of the hello that must not change from the first to the
//! second: a client that changes any of it shows a cookie that is not valid.

use alloc::vec::Vec;
use core::net::SocketAddr;

use gramseal_wire::handshake::ClientHello;
use gramseal_wire::{CipherSuite, NamedGroup};

use super::cookie::{Bound, CookieMaker, Refusal, STAMP_LEN};
use crate::Instant;
use crate::crypto::Digest;
use crate::handshake::{Asked, CookieExchange, hash_of_kept};
use crate::suite::Suite13;

const LABEL: &[u8; 19] = b"gramseal cookie 1.3";

/// Stands for no group.
const NO_GROUP: NamedGroup = NamedGroup(0);

/// The cookie that `peer` has to bring back after `hello`.
pub(super) fn make(
    cookies: &mut CookieMaker,
    now: Instant,
    peer: SocketAddr,
    hello: &ClientHello<'_>,
    exchange: &CookieExchange,
) -> Vec<u8> {
    let CookieExchange { asked, first_hello } = exchange;
    let suite = asked.suite.id.0.to_be_bytes();
    let group = asked.group.unwrap_or(NO_GROUP).0.to_be_bytes();
    let kept = hash_of_kept(cookies.hash(), hello, *asked);
    let bound = Bound { label: LABEL, parts: [&suite, &group, first_hello.as_ref(), kept.as_ref()] };
    let stamp = cookies.make(now, peer, &bound);
    [&stamp[..], &suite, &group, first_hello.as_ref()].concat()
}

/// What `cookie` says, if it was made for this peer and is for this second hello, and not too old.
pub(super) fn verify(
    cookies: &mut CookieMaker,
    now: Instant,
    peer: SocketAddr,
    hello: &ClientHello<'_>,
    cookie: &[u8],
) -> Result<CookieExchange, Refusal> {
    let (stamp, rest) = cookie.split_first_chunk::<STAMP_LEN>().ok_or(Refusal::Malformed)?;
    let (suite, rest) = rest.split_first_chunk().ok_or(Refusal::Malformed)?;
    let (group, first_hello) = rest.split_first_chunk().ok_or(Refusal::Malformed)?;
    let known = Suite13::find(CipherSuite(u16::from_be_bytes(*suite))).ok_or(Refusal::Malformed)?;
    if first_hello.len() != known.hash.output_len() {
        return Err(Refusal::Malformed);
    }
    let asked_group = NamedGroup(u16::from_be_bytes(*group));
    let asked = Asked { suite: known, group: (asked_group != NO_GROUP).then_some(asked_group) };
    let kept = hash_of_kept(cookies.hash(), hello, asked);
    let bound = Bound { label: LABEL, parts: [suite, group, first_hello, kept.as_ref()] };
    cookies.verify(now, peer, stamp, &bound)?;
    Ok(CookieExchange { asked, first_hello: Digest::new(first_hello) })
}
