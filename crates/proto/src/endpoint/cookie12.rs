//! The cookie of a HelloVerifyRequest (RFC 6347 §4.2.1): a stamp alone.
//!
//! Bound are the hello's version and random. Of the other fields that RFC 6347 §4.2.1 suggests, the
//! lists may lie beyond the first fragment of a ClientHello, and the session id is not the same in both
//! hellos of every client that presents a ticket (Mbed TLS 2.28 draws another). The random binds a
//! cookie to one handshake without them.

use core::net::SocketAddr;

use gramseal_wire::ClientHelloPrefix;

use super::cookie::{Bound, CookieMaker, Refusal, STAMP_LEN};
use crate::Instant;

/// Bytes in a cookie. RFC 4347 allows 32 and HelloVerifyRequest must stay shorter than ClientHello.
pub(super) const COOKIE_LEN: usize = STAMP_LEN;

const LABEL: &[u8; 19] = b"gramseal cookie 1.2";

/// The cookie that `peer` has to bring back with the same hello.
pub(super) fn make(
    cookies: &mut CookieMaker,
    now: Instant,
    peer: SocketAddr,
    hello: &ClientHelloPrefix<'_>,
) -> [u8; COOKIE_LEN] {
    let version = hello.legacy_version.0.to_be_bytes();
    cookies.make(now, peer, &bound(&version, hello))
}

/// Whether the hello's cookie was made for this peer and this hello, not too long ago.
pub(super) fn verify(
    cookies: &mut CookieMaker,
    now: Instant,
    peer: SocketAddr,
    hello: &ClientHelloPrefix<'_>,
) -> Result<(), Refusal> {
    let stamp = hello.cookie.try_into().map_err(|_| Refusal::Malformed)?;
    let version = hello.legacy_version.0.to_be_bytes();
    cookies.verify(now, peer, stamp, &bound(&version, hello))
}

fn bound<'a>(version: &'a [u8; 2], hello: &'a ClientHelloPrefix<'_>) -> Bound<'a> {
    Bound { label: LABEL, parts: [version, &hello.random.0, &[], &[]] }
}
