//! Finite-field Diffie-Hellman: named groups, and groups of the peer's choice.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_proto::crypto::{
    ActiveKx, CryptoError, FiniteFieldDh, FiniteFieldExchange, FiniteFieldParams, KxError, KxGroup, ParamsRejected,
    SecureRandom, SharedSecret,
};
use gramseal_wire::NamedGroup;

use crate::group::{Exponent, Group, without_leading_zeros};
use crate::primes::{self, WELL_KNOWN};
use crate::safe_prime::is_safe_prime;

/// The smallest modulus that is accepted, in bits.
const MIN_BITS: usize = 2048;

/// The largest modulus that is accepted, in bits: more would only burn our time.
const MAX_BITS: usize = 8192;

/// The generator of all groups of RFC 7919.
const GENERATOR: &[u8] = &[2];

/// The client's side of an exchange in a group of the server's choice.
///
/// A group that is not well known is tested, which takes from 12 ms at 2048 bits to 0.4 s at 8192
/// on a fast machine: verify the server's signature first.
pub static FINITE_FIELD: &dyn FiniteFieldDh = &AnyGroup;

/// ffdhe2048.
pub static FFDHE2048: &dyn KxGroup = &NAMED[0];

/// ffdhe3072.
pub static FFDHE3072: &dyn KxGroup = &NAMED[1];

/// ffdhe4096.
pub static FFDHE4096: &dyn KxGroup = &NAMED[2];

/// The groups that a server may use, the fastest first.
#[must_use]
pub fn ffdhe_groups() -> [&'static dyn KxGroup; 3] {
    [FFDHE2048, FFDHE3072, FFDHE4096]
}

static NAMED: [Named; 3] = [
    Named { name: NamedGroup::FFDHE2048, prime: &primes::FFDHE2048 },
    Named { name: NamedGroup::FFDHE3072, prime: &primes::FFDHE3072 },
    Named { name: NamedGroup::FFDHE4096, prime: &primes::FFDHE4096 },
];

/// A group of RFC 7919.
#[derive(Debug)]
struct Named {
    name: NamedGroup,
    prime: &'static [u8],
}

/// Bytes in a private exponent for a well-known group, from the bytes in its modulus: the sizes of
/// RFC 7919 §5.2 (225, 275, 325, 375, 400 bits), which are twice the group's strength, rounded up.
fn exponent_len(modulus_len: usize) -> usize {
    match modulus_len {
        0..=256 => 29,
        257..=384 => 35,
        385..=512 => 41,
        513..=768 => 47,
        _ => 50,
    }
}

/// Bytes in a private exponent for a group that is not well known. The strength of such a group is
/// anybody's guess, and its generator may give away one bit (RFC 7919 §5.2 assumes one that does
/// not); 512 bits are ample for every size and cost little beside the test of the prime.
const UNKNOWN_EXPONENT_LEN: usize = 64;

impl KxGroup for Named {
    fn name(&self) -> NamedGroup {
        self.name
    }

    fn start(&self, random: &dyn SecureRandom) -> Result<Box<dyn ActiveKx>, CryptoError> {
        let group = Group::new(self.prime, GENERATOR).ok_or_else(CryptoError::new)?;
        let exponent = Exponent::random(exponent_len(self.prime.len()), random)?;
        let public = group.public_value(&exponent);
        Ok(Box::new(Active { group, exponent, public }))
    }
}

struct Active {
    group: Group,
    exponent: Exponent,
    public: Vec<u8>,
}

impl ActiveKx for Active {
    fn public_key(&self) -> &[u8] {
        &self.public
    }

    /// Takes numbers without leading zeros too, as peers of 1.2 may send them (RFC 5246 §7.4.7.2);
    /// the full length that 1.3 demands (RFC 9846 §4.3.8.1) is for its handshake to check.
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, KxError> {
        if peer.len() > self.public.len() {
            return Err(KxError::InvalidShare);
        }
        let peer = self.group.element(peer).ok_or(KxError::InvalidShare)?;
        Ok(self.group.shared_secret(peer, &self.exponent))
    }
}

#[derive(Debug)]
struct AnyGroup;

impl FiniteFieldDh for AnyGroup {
    fn exchange(
        &self,
        params: FiniteFieldParams<'_>,
        peer: &[u8],
        random: &dyn SecureRandom,
    ) -> Result<FiniteFieldExchange, ParamsRejected> {
        let p = without_leading_zeros(params.p);
        check_size(p)?;
        let group = Group::new(p, params.g).ok_or(ParamsRejected::Unsafe)?;
        // What costs nothing comes before the test of the prime.
        let peer = group.element(peer).ok_or(ParamsRejected::BadPublicValue)?;
        let exponent_len = if WELL_KNOWN.contains(&p) {
            exponent_len(p.len())
        } else if is_safe_prime(group.modulus(), random).map_err(|_| ParamsRejected::BadPublicValue)? {
            UNKNOWN_EXPONENT_LEN
        } else {
            return Err(ParamsRejected::Unsafe);
        };
        let exponent = Exponent::random(exponent_len, random).map_err(|_| ParamsRejected::BadPublicValue)?;
        let public = group.public_value(&exponent);
        Ok(FiniteFieldExchange { public, secret: group.shared_secret(peer, &exponent) })
    }

    fn params(&self, group: NamedGroup) -> Option<FiniteFieldParams<'static>> {
        let named = NAMED.iter().find(|named| named.name == group)?;
        Some(FiniteFieldParams { p: named.prime, g: GENERATOR })
    }
}

/// Checks the size of `p`, which has no leading zeros.
fn check_size(p: &[u8]) -> Result<(), ParamsRejected> {
    let unused = p.first().map_or(0, |first| first.leading_zeros() as usize);
    match p.len() * 8 - unused {
        ..MIN_BITS => Err(ParamsRejected::TooSmall),
        MIN_BITS..=MAX_BITS => Ok(()),
        _ => Err(ParamsRejected::TooLarge),
    }
}
