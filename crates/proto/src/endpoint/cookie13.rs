//! The cookie of a HelloRetryRequest (RFC 9147 §5.1, RFC 9846 §4.3.2).
//!
//! It carries what a server has to know about the first hello when the second one comes:
//!
//! ```text
//! struct {
//!     Stamp stamp;
//!     CipherSuite suite;          // the one chosen
//!     NamedGroup group;           // the one that a share was asked of, or 0
//!     opaque kept[8];             // begins the hash of all that must not change
//!     opaque first_hello[];       // its hash, of as many bytes as the suite's hash function gives
//! } Cookie;
//! ```
//!
//! The stamp binds all of these to the address, so that the beginning of a hello is enough to see that its
//! sender has received the cookie. A client that changes what must not change from the first hello to the
//! second shows a cookie that is not valid.

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

/// How much of a hash shows that a hello stayed the same. This finds mistakes: whoever could bring two hellos with
/// the same to pass would be their client, and both are in the transcript.
const KEPT_LEN: usize = 8;

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
    let kept = kept(cookies, hello, *asked);
    let bound = Bound { label: LABEL, parts: [&suite, &group, &kept, first_hello.as_ref()] };
    let stamp = cookies.make(now, peer, &bound);
    [&stamp[..], &suite, &group, &kept, first_hello.as_ref()].concat()
}

/// What a cookie says that was made here for an address.
#[derive(Debug)]
pub(super) struct Shown {
    exchange: CookieExchange,
    kept: [u8; KEPT_LEN],
}

/// What `cookie` says, if it was made for this peer, and not too long ago. Whether it is for a hello is another
/// matter.
pub(super) fn read(cookies: &mut CookieMaker, now: Instant, peer: SocketAddr, cookie: &[u8]) -> Result<Shown, Refusal> {
    let (stamp, rest) = cookie.split_first_chunk::<STAMP_LEN>().ok_or(Refusal::Malformed)?;
    let (suite, rest) = rest.split_first_chunk().ok_or(Refusal::Malformed)?;
    let (group, rest) = rest.split_first_chunk().ok_or(Refusal::Malformed)?;
    let (kept, first_hello) = rest.split_first_chunk().ok_or(Refusal::Malformed)?;
    let known = Suite13::find(CipherSuite(u16::from_be_bytes(*suite))).ok_or(Refusal::Malformed)?;
    if first_hello.len() != known.hash.output_len() {
        return Err(Refusal::Malformed);
    }
    cookies.verify(now, peer, stamp, &Bound { label: LABEL, parts: [suite, group, kept, first_hello] })?;
    let asked_group = NamedGroup(u16::from_be_bytes(*group));
    let asked = Asked { suite: known, group: (asked_group != NO_GROUP).then_some(asked_group) };
    Ok(Shown { exchange: CookieExchange { asked, first_hello: Digest::new(first_hello) }, kept: *kept })
}

/// The same, if it is for this second hello too.
pub(super) fn verify(
    cookies: &mut CookieMaker,
    now: Instant,
    peer: SocketAddr,
    hello: &ClientHello<'_>,
    cookie: &[u8],
) -> Result<CookieExchange, Refusal> {
    let Shown { exchange, kept: shown } = read(cookies, now, peer, cookie)?;
    if kept(cookies, hello, exchange.asked) == shown { Ok(exchange) } else { Err(Refusal::Mismatch) }
}

fn kept(cookies: &CookieMaker, hello: &ClientHello<'_>, asked: Asked) -> [u8; KEPT_LEN] {
    *hash_of_kept(cookies.hash(), hello, asked).as_ref().first_chunk().expect("SHA-256 gives 32 bytes")
}
