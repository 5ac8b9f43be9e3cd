//! Stateless cookies: proof that a peer receives what is sent to its address (RFC 6347 §4.2.1,
//! RFC 9147 §5.1).
//!
//! Owns the secrets and their rotation, and the stamp that makes a cookie one. Never keeps anything
//! about a peer: a stamp is recomputed from the ClientHello that brings it back. What it binds, the
//! version says (`cookie12`, `cookie13`).
//!
//! ```text
//! struct {
//!     uint8 key_id;        // which secret, derived from the secret
//!     uint8 time_step;     // low byte of the step in which the cookie was made
//!     opaque mac[16];      // first half of HMAC-SHA256
//! } Stamp;
//! ```
//!
//! The MAC covers the whole time step, the peer's address and port, and what is bound. `key_id` and
//! `time_step` save work: a forged cookie costs at most one HMAC for each secret that has the id. They
//! may be forged, and then the MAC does not fit.

use alloc::sync::Arc;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Instant;
use crate::crypto::{CryptoError, CryptoProvider, Hash, HashAlgorithm, HmacKey, SecureRandom};

/// Bytes in a stamp.
pub(super) const STAMP_LEN: usize = 2 + MAC_LEN;
const MAC_LEN: usize = 16;

/// A lifetime is counted in this many steps; a cookie lives for up to one step longer.
const STEPS_PER_LIFETIME: u64 = 4;

/// Keeps the naming of a secret apart from its other uses, which have the labels of [`Bound`].
const KEY_ID_LABEL: &[u8] = b"gramseal cookie key id";

/// What a stamp holds together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound<'a> {
    /// Names the kind of cookie: all have the same length, so that none passes as one of another kind.
    pub(super) label: &'static [u8; 19],
    /// The same number of bytes each time, or telling by themselves where they end.
    pub(super) parts: [&'a [u8]; 4],
}

/// The secrets that cookies are made and checked with: a current one, and the one before it.
///
/// Servers that answer for one address (a fleet behind a load balancer) share secrets made with
/// [`from_bytes`](Self::from_bytes), so that each accepts the cookies of the others; they also need
/// a common clock, see [`EndpointConfig::with_cookie_clock`](super::EndpointConfig::with_cookie_clock).
#[derive(Clone)]
pub struct CookieSecrets {
    hash: &'static dyn Hash,
    current: Secret,
    previous: Option<Secret>,
}

impl CookieSecrets {
    /// Bytes in a secret.
    pub const SECRET_LEN: usize = 32;

    /// Begins with one secret from the provider's random source.
    ///
    /// # Errors
    /// If that source fails or the provider has no SHA-256.
    pub fn random(provider: &CryptoProvider) -> Result<Self, CryptoError> {
        let secret = provider.random_secret::<{ Self::SECRET_LEN }>()?;
        Self::from_bytes(provider, &secret, None)
    }

    /// Begins with secrets from elsewhere; `previous` is still accepted but makes no new cookies.
    ///
    /// A secret must be random and known to nobody else.
    ///
    /// # Errors
    /// If the provider has no SHA-256.
    pub fn from_bytes(
        provider: &CryptoProvider,
        current: &[u8; Self::SECRET_LEN],
        previous: Option<&[u8; Self::SECRET_LEN]>,
    ) -> Result<Self, CryptoError> {
        let hash = provider.hash(HashAlgorithm::Sha256).ok_or_else(CryptoError::new)?;
        let previous = previous.map(|bytes| Secret::new(hash, bytes));
        Ok(Self { hash, current: Secret::new(hash, current), previous })
    }

    /// Makes new cookies with `next` from now on. The secret that was current stays accepted until
    /// the next rotation, so that handshakes under way go on; the one before it is forgotten.
    pub fn rotate(&mut self, next: &[u8; Self::SECRET_LEN]) {
        let next = Secret::new(self.hash, next);
        self.previous = Some(core::mem::replace(&mut self.current, next));
    }
}

impl fmt::Debug for CookieSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieSecrets").field("previous", &self.previous.is_some()).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Secret {
    id: u8,
    key: Arc<dyn HmacKey>,
}

impl Secret {
    fn new(hash: &'static dyn Hash, bytes: &[u8]) -> Self {
        let key: Arc<dyn HmacKey> = hash.hmac_key(bytes).into();
        let id = key.sign(&[KEY_ID_LABEL]).as_ref().first().copied().unwrap_or_default();
        Self { id, key }
    }

    fn mac(&self, step: u64, peer: SocketAddr, bound: &Bound<'_>) -> [u8; MAC_LEN] {
        let [a, b, c, d] = bound.parts;
        let digest = self.key.sign(&[bound.label, &step.to_be_bytes(), &address_bytes(peer), a, b, c, d]);
        *digest.as_ref().first_chunk().expect("SHA-256 gives 32 bytes")
    }
}

/// Always 19 bytes: family, address, port. An IPv4 address is the same through a socket of either
/// family, and flow labels and zones, which differ between hosts of a fleet, are left out.
fn address_bytes(peer: SocketAddr) -> [u8; 19] {
    let mut bytes = [0; 19];
    let (family, ip) = match peer.ip().to_canonical() {
        IpAddr::V4(ip) => (4, ip.to_ipv6_mapped().octets()),
        IpAddr::V6(ip) => (6, ip.octets()),
    };
    let [first, middle @ .., high, low] = &mut bytes;
    *first = family;
    *middle = ip;
    [*high, *low] = peer.port().to_be_bytes();
    bytes
}

/// Why a cookie was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not a cookie of this layout.
    Malformed,
    /// Made with a secret that is not known (any more).
    UnknownSecret,
    /// Made too long ago, or in the future.
    Expired,
    /// For another address or another hello, or forged.
    Mismatch,
}

/// Makes and checks cookies, and renews its secret when that is due.
#[derive(Debug)]
pub(super) struct CookieMaker {
    secrets: CookieSecrets,
    step: u64,
    clock_at_start: Duration,
    rotation: Option<Rotation>,
}

#[derive(Debug)]
struct Rotation {
    every: Duration,
    random: Arc<dyn SecureRandom>,
    due: Option<Instant>,
}

impl CookieMaker {
    /// `rotation`: how often to draw a new secret and from where; `None` leaves that to the caller.
    pub(super) fn new(
        secrets: CookieSecrets,
        lifetime: Duration,
        clock_at_start: Duration,
        rotation: Option<(Duration, Arc<dyn SecureRandom>)>,
    ) -> Self {
        let lifetime = u64::try_from(lifetime.as_micros()).unwrap_or(u64::MAX);
        Self {
            secrets,
            step: lifetime.div_ceil(STEPS_PER_LIFETIME).max(1),
            clock_at_start,
            rotation: rotation.map(|(every, random)| Rotation { every, random, due: None }),
        }
    }

    pub(super) fn secrets_mut(&mut self) -> &mut CookieSecrets {
        &mut self.secrets
    }

    /// The function that what is bound may be hashed with.
    pub(super) fn hash(&self) -> &'static dyn Hash {
        self.secrets.hash
    }

    /// The stamp that `peer` has to bring back with what it binds.
    pub(super) fn make(&mut self, now: Instant, peer: SocketAddr, bound: &Bound<'_>) -> [u8; STAMP_LEN] {
        self.rotate_if_due(now);
        let step = self.step_at(now);
        let mut stamp = [0; STAMP_LEN];
        let [key_id, time_step, mac @ ..] = &mut stamp;
        *key_id = self.secrets.current.id;
        *time_step = low_byte(step);
        *mac = self.secrets.current.mac(step, peer, bound);
        stamp
    }

    /// Whether the stamp was made here (or by a host with the same secrets) for this peer and what it
    /// binds, not too long ago.
    pub(super) fn verify(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        stamp: &[u8; STAMP_LEN],
        bound: &Bound<'_>,
    ) -> Result<(), Refusal> {
        self.rotate_if_due(now);
        let [key_id, time_step, mac @ ..] = stamp;
        let mut refusal = Refusal::UnknownSecret;
        for secret in [Some(&self.secrets.current), self.secrets.previous.as_ref()].into_iter().flatten() {
            if secret.id != *key_id {
                continue;
            }
            let step = self.accepted_step(now, *time_step).ok_or(Refusal::Expired)?;
            if secret.mac(step, peer, bound).ct_eq(mac).into() {
                return Ok(());
            }
            refusal = Refusal::Mismatch;
        }
        Err(refusal)
    }

    /// The one step that ends in `low` among those whose cookies are still good. One step ahead is
    /// good as well: clocks of a fleet differ a little.
    fn accepted_step(&self, now: Instant, low: u8) -> Option<u64> {
        let current = self.step_at(now);
        let oldest = current.saturating_sub(STEPS_PER_LIFETIME);
        (oldest..=current.saturating_add(1)).find(|&step| low_byte(step) == low)
    }

    fn step_at(&self, now: Instant) -> u64 {
        (now + self.clock_at_start).as_micros() / self.step
    }

    fn rotate_if_due(&mut self, now: Instant) {
        let Some(rotation) = &mut self.rotation else { return };
        let due = *rotation.due.get_or_insert(now + rotation.every);
        if now < due {
            return;
        }
        // If the source fails, the old secret serves on and the next period tries again: a server
        // that stops answering would be worse.
        rotation.due = Some(now + rotation.every);
        let mut next = Zeroizing::new([0; CookieSecrets::SECRET_LEN]);
        if rotation.random.fill(&mut *next).is_ok() {
            self.secrets.rotate(&next);
        }
    }
}

fn low_byte(step: u64) -> u8 {
    let [.., low] = step.to_be_bytes();
    low
}
