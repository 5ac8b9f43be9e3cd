//! Keys that seal sessions into tickets (RFC 5077 §4, §5).
//!
//! ```text
//! struct {
//!     opaque key_name[8];          // which key of which period
//!     opaque seed[16];             // random, makes the key of this ticket
//!     opaque sealed_session[..];   // AEAD with that key, and its tag
//! } ticket;
//! ```
//!
//! Each ticket has an AEAD key of its own, so that no nonce can repeat however many hosts seal. Time
//! is cut into periods; the key of the next period follows from the one before and not the other way
//! round, so that what is forgotten stays so (RFC 9325 §3.4). Hosts that begin with one secret have the
//! same keys at all times and accept each other's tickets; so does whoever steals one of these keys, from
//! its period on. Keys of one process alone take in fresh randomness with each period instead: a stolen
//! one opens the tickets of its own period only.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use pki_types::UnixTime;
use zeroize::Zeroizing;

use super::{Clock, OpenedTicket, TicketSealer};
use crate::crypto::{
    Aead, AeadKey, CryptoProvider, Hash, HashAlgorithm, HmacKey, NONCE_LEN, SEED_LEN, sealing_aead, seeded_key,
};

const NAME_LEN: usize = 8;
const HEADER_LEN: usize = NAME_LEN + SEED_LEN;

// The labels keep the uses of a period's key apart.
const NAME_LABEL: &[u8] = b"gramseal ticket key name";
const NEXT_LABEL: &[u8] = b"gramseal ticket next period";
const SEAL_LABEL: &[u8] = b"gramseal ticket";

/// A secret that is older than so many periods is refused, and a clock that jumps over so many is not
/// believed: each costs a step from key to key.
const MAX_PERIODS: u64 = 100_000;

/// A secret for [`TicketKeys`] that hosts share.
pub struct TicketSecret {
    bytes: Zeroizing<[u8; Self::LEN]>,
    since: UnixTime,
}

impl TicketSecret {
    /// Bytes in a secret.
    pub const LEN: usize = 32;

    /// A secret that must be random and known to nobody else, in use since `since`: all hosts must give
    /// the same time, which must not lie ahead.
    #[must_use]
    pub fn new(bytes: &[u8; Self::LEN], since: UnixTime) -> Self {
        Self { bytes: Zeroizing::new(*bytes), since }
    }
}

impl fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketSecret").field("since", &self.since).finish_non_exhaustive()
    }
}

/// Keys that seal sessions into tickets and change by themselves.
///
/// Tickets of the current period and of the one before are accepted; a session lives one period, so
/// none dies with its key.
pub struct TicketKeys {
    clock: Clock,
    period: Duration,
    provider: Arc<CryptoProvider>,
    hash: &'static dyn Hash,
    aead: &'static dyn Aead,
    succession: Succession,
    /// The first one seals, all open.
    chains: Mutex<Vec<Chain>>,
}

impl TicketKeys {
    /// How long one key seals, unless something else is asked for.
    pub const DEFAULT_PERIOD: Duration = Duration::from_secs(12 * 60 * 60);

    /// Keys of this process alone, from the provider's random source; no key follows from another. `clock`
    /// gives the time of day, usually `UnixTime::now`.
    ///
    /// # Errors
    /// If that source fails or the provider lacks an algorithm.
    pub fn random(
        provider: Arc<CryptoProvider>,
        clock: impl Fn() -> UnixTime + Send + Sync + 'static,
    ) -> Result<Self, BadTicketKeys> {
        let bytes = provider.random_secret().map_err(|_| BadTicketKeys::NoRandomness)?;
        let secret = TicketSecret::new(&bytes, clock());
        let keys = Self::shared(provider, clock, Self::DEFAULT_PERIOD, &[secret])?;
        Ok(Self { succession: Succession::Random, ..keys })
    }

    /// Keys from secrets that other hosts have, too. The first one seals; tickets of all are accepted,
    /// so that a new secret can be put in front of an old one. RFC 9325 §3.4 wants a new secret every
    /// week or so: as long as somebody keeps a secret, all its tickets can be read.
    ///
    /// All hosts must have the same `period`; less than a second is taken as a second. Their clocks
    /// may differ a little.
    ///
    /// # Errors
    /// If the provider lacks an algorithm, or the secrets cannot serve; see [`BadTicketKeys`].
    pub fn shared(
        provider: Arc<CryptoProvider>,
        clock: impl Fn() -> UnixTime + Send + Sync + 'static,
        period: Duration,
        secrets: &[TicketSecret],
    ) -> Result<Self, BadTicketKeys> {
        let hash = provider.hash(HashAlgorithm::Sha256).ok_or(BadTicketKeys::MissingAlgorithm)?;
        let aead = sealing_aead(&provider).ok_or(BadTicketKeys::MissingAlgorithm)?;
        if secrets.is_empty() {
            return Err(BadTicketKeys::NoSecret);
        }
        let period = period.max(Duration::from_secs(1));
        let now = clock().as_secs();
        let mut chains: Vec<Chain> = secrets.iter().map(|secret| Chain::new(hash, secret)).collect();
        if chains.iter_mut().any(|chain| chain.advance(now, period.as_secs(), |key| key.next(hash, &[])).is_err()) {
            return Err(BadTicketKeys::SecretTooOld);
        }
        let (clock, succession, chains) = (Arc::new(clock), Succession::Derived, Mutex::new(chains));
        Ok(Self { clock, period, provider, hash, aead, succession, chains })
    }

    /// The key with which to seal now.
    fn current(&self) -> Arc<PeriodKey> {
        self.with_chains(|chains| chains.first().map(|chain| chain.current.clone())).expect("`shared` wants a secret")
    }

    /// The key of this name, and whether it is the one to seal with.
    fn find(&self, name: &[u8; NAME_LEN]) -> Option<(Arc<PeriodKey>, bool)> {
        self.with_chains(|chains| {
            let keys = chains.iter().enumerate().flat_map(|(index, chain)| {
                let current = core::iter::once((chain.current.clone(), index == 0));
                current.chain(chain.previous.clone().map(|key| (key, false)))
            });
            if let Some(found) = keys.into_iter().find(|(key, _)| key.name == *name) {
                return Some(found);
            }
            if self.succession == Succession::Random {
                return None;
            }
            // Another host's clock may be a little ahead.
            let ahead =
                chains.iter().enumerate().map(|(index, chain)| (chain.current.next(self.hash, &[]), index == 0));
            ahead.into_iter().find(|(key, _)| key.name == *name).map(|(key, first)| (Arc::new(key), first))
        })
    }

    fn with_chains<T>(&self, use_them: impl FnOnce(&[Chain]) -> T) -> T {
        let now = (self.clock)().as_secs();
        let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        for chain in chains.iter_mut() {
            // A clock that is not believed leaves the keys as they are.
            let _believed = chain.advance(now, self.period.as_secs(), |key| self.successor(key));
        }
        use_them(&chains)
    }

    /// The key of the period after that of `key`.
    fn successor(&self, key: &PeriodKey) -> PeriodKey {
        match self.succession {
            Succession::Derived => key.next(self.hash, &[]),
            Succession::Random => {
                // Without randomness nothing can be sealed, and what is derived is still another key.
                let fresh = self.provider.random_secret::<32>().unwrap_or_default();
                key.next(self.hash, &fresh[..])
            }
        }
    }

    /// The AEAD key of one ticket.
    fn ticket_key(&self, key: &PeriodKey, seed: &[u8]) -> Option<Box<dyn AeadKey>> {
        seeded_key(self.aead, &*key.hmac, SEAL_LABEL, seed)
    }
}

impl TicketSealer for TicketKeys {
    fn now(&self) -> UnixTime {
        (self.clock)()
    }

    fn lifetime(&self) -> Duration {
        self.period
    }

    fn seal(&self, session: &[u8]) -> Option<Vec<u8>> {
        let key = self.current();
        let mut ticket = vec![0; HEADER_LEN + session.len() + self.aead.algorithm().tag_len()];
        let (header, sealed) = ticket.split_at_mut(HEADER_LEN);
        let (name, seed) = header.split_at_mut(NAME_LEN);
        name.copy_from_slice(&key.name);
        self.provider.random.fill(seed).ok()?;
        // The key is used once, so the nonce says nothing.
        let ticket_key = self.ticket_key(&key, seed)?;
        ticket_key.seal([0; NONCE_LEN], header, session, &[], sealed).ok()?;
        Some(ticket)
    }

    fn open(&self, ticket: &[u8]) -> Option<OpenedTicket> {
        let (header, sealed) = ticket.split_at_checked(HEADER_LEN)?;
        let (name, seed) = header.split_first_chunk()?;
        let (key, current) = self.find(name)?;
        let mut session = Zeroizing::new(sealed.to_vec());
        let len = self.ticket_key(&key, seed)?.open([0; NONCE_LEN], header, &mut session).ok()?;
        session.truncate(len);
        Some(OpenedTicket { session, renew: !current })
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKeys").field("period", &self.period).finish_non_exhaustive()
    }
}

/// Why there are no [`TicketKeys`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadTicketKeys {
    /// The provider lacks SHA-256, or every AEAD with tags of 16 bytes.
    MissingAlgorithm,
    /// The random source does not work.
    NoRandomness,
    /// Not one secret was given.
    NoSecret,
    /// A secret is older than 100,000 periods.
    SecretTooOld,
}

impl fmt::Display for BadTicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingAlgorithm => "the cryptography provider lacks an algorithm for tickets",
            Self::NoRandomness => "the random source does not work",
            Self::NoSecret => "there is no secret for tickets",
            Self::SecretTooOld => "a secret for tickets is older than 100000 periods",
        })
    }
}

impl core::error::Error for BadTicketKeys {}

/// Where the key of the next period comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Succession {
    /// From the one before, on all hosts alike.
    Derived,
    /// From the one before and fresh randomness.
    Random,
}

/// The clock went on by more than [`MAX_PERIODS`].
struct ClockJumped;

/// The keys that follow from one secret, as far as they are needed.
struct Chain {
    since: u64,
    /// How many periods `current` is away from the secret.
    index: u64,
    current: Arc<PeriodKey>,
    previous: Option<Arc<PeriodKey>>,
}

impl Chain {
    fn new(hash: &'static dyn Hash, secret: &TicketSecret) -> Self {
        let current = Arc::new(PeriodKey::new(hash, &secret.bytes[..]));
        Self { since: secret.since.as_secs(), index: 0, current, previous: None }
    }

    /// Goes on to the period of `now`; never back, should the clock do so.
    fn advance(
        &mut self,
        now: u64,
        period: u64,
        successor: impl Fn(&PeriodKey) -> PeriodKey,
    ) -> Result<(), ClockJumped> {
        let due = now.saturating_sub(self.since) / period.max(1);
        if due.saturating_sub(self.index) > MAX_PERIODS {
            return Err(ClockJumped);
        }
        while self.index < due {
            let next = Arc::new(successor(&self.current));
            self.previous = Some(core::mem::replace(&mut self.current, next));
            self.index += 1;
        }
        Ok(())
    }
}

/// The key of one period.
struct PeriodKey {
    name: [u8; NAME_LEN],
    hmac: Box<dyn HmacKey>,
}

impl PeriodKey {
    fn new(hash: &'static dyn Hash, key: &[u8]) -> Self {
        let hmac = hash.hmac_key(key);
        let name = *hmac.sign(&[NAME_LABEL]).as_ref().first_chunk().expect("SHA-256 gives 32 bytes");
        Self { name, hmac }
    }

    fn next(&self, hash: &'static dyn Hash, fresh: &[u8]) -> Self {
        Self::new(hash, self.hmac.sign(&[NEXT_LABEL, fresh]).as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::{OpenedTicket, TicketSecret};
    use crate::crypto::assert_wiped;

    #[test]
    fn the_secret_of_ticket_keys_is_wiped_when_dropped() {
        assert_wiped(|secret: &TicketSecret| &secret.bytes);
        assert_wiped(|ticket: &OpenedTicket| &ticket.session);
    }
}
