//! Groups made of two (draft-ietf-tls-hybrid-design).

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::NamedGroup;

use super::{ActiveKx, CryptoError, KxError, KxGroup, SecureRandom, SharedSecret};

/// Two key exchanges as one, safe as long as one of the two is: shares and secrets are those of the parts, one
/// after the other, in the same order (draft-ietf-tls-hybrid-design §3.2, §3.3).
#[derive(Debug)]
pub struct HybridGroup {
    name: NamedGroup,
    parts: [&'static dyn KxGroup; 2],
    /// Of the first part; the second has the rest.
    lengths: ShareLengths,
}

/// How long the shares of a group are, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there are two sides")]
pub struct ShareLengths {
    /// Of the side that starts, a client's.
    pub start: usize,
    /// Of the side that answers, a server's.
    pub answer: usize,
}

impl ShareLengths {
    /// Of ML-KEM-768 (FIPS 203 §8).
    pub const ML_KEM_768: Self = Self { start: 1184, answer: 1088 };
    /// Of secp256r1, uncompressed (RFC 9846 §4.3.8.2).
    pub const SECP256R1: Self = Self { start: 65, answer: 65 };
}

impl HybridGroup {
    /// The group called `name` of `parts`, the first of which has shares of `lengths`.
    #[must_use]
    pub const fn new(name: NamedGroup, parts: [&'static dyn KxGroup; 2], lengths: ShareLengths) -> Self {
        Self { name, parts, lengths }
    }
}

impl KxGroup for HybridGroup {
    fn name(&self) -> NamedGroup {
        self.name
    }

    fn start(&self, random: &dyn SecureRandom) -> Result<Box<dyn ActiveKx>, CryptoError> {
        let [first, second] = self.parts;
        let parts = [first.start(random)?, second.start(random)?];
        let share = parts.each_ref().map(|part| part.public_key()).concat();
        Ok(Box::new(ActiveHybrid { parts, share, first_answer: self.lengths.answer }))
    }

    fn answer(&self, random: &dyn SecureRandom, peer: &[u8]) -> Result<(Vec<u8>, SharedSecret), KxError> {
        let (first, second) = peer.split_at_checked(self.lengths.start).ok_or(KxError::InvalidShare)?;
        let [one, two] = self.parts;
        let (mut share, first) = one.answer(random, first)?;
        let (rest, second) = two.answer(random, second)?;
        share.extend_from_slice(&rest);
        Ok((share, joined(&first, &second)))
    }
}

struct ActiveHybrid {
    parts: [Box<dyn ActiveKx>; 2],
    share: Vec<u8>,
    first_answer: usize,
}

impl ActiveKx for ActiveHybrid {
    fn public_key(&self) -> &[u8] {
        &self.share
    }

    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, KxError> {
        let Self { parts: [one, two], first_answer, .. } = *self;
        let (first, second) = peer.split_at_checked(first_answer).ok_or(KxError::InvalidShare)?;
        let (first, second) = (one.complete(first)?, two.complete(second)?);
        Ok(joined(&first, &second))
    }
}

fn joined(first: &SharedSecret, second: &SharedSecret) -> SharedSecret {
    let (first, second) = (first.as_ref(), second.as_ref());
    // At its full length from the start: a buffer that grows leaves a copy behind.
    let mut both = Vec::with_capacity(first.len() + second.len());
    both.extend_from_slice(first);
    both.extend_from_slice(second);
    SharedSecret::new(both)
}
