//! Is a modulus that a peer chose a safe prime, p = 2q + 1 with q prime?
//!
//! In such a group every element but the trivial ones has the order q or 2q, so a short exponent is
//! safe and no value sent to us can confine the secret to a small subgroup.
//!
//! The peer has signed the group, and could as well publish the secret; what this guards against is
//! a server with a bad group that somebody else planted or that a faulty tool made. It runs in the
//! client's handshake, so its cost is bounded. Miller-Rabin with random bases lets a composite q
//! pass with a probability of at most 1/4 a round, however it was chosen, and of far less than 2^-80
//! where it was not chosen to pass. Given a prime q, one round with base 2 proves p prime
//! (Pocklington's criterion). Milliseconds on the machine that the performance figures are from:
//!
//! | bits of the modulus | rounds for q | time |
//! | --- | --- | --- |
//! | 2048 | 3 | 12 |
//! | 3072 | 3 | 52 |
//! | 4096 | 2 | 72 |
//! | 6144 | 1 | 165 |
//! | 8192 | 1 | 375 |
//!
//! Well-known primes are recognised before this and cost nothing.

use alloc::vec;

use crypto_bigint::{BoxedUint, Limb, NonZero, Odd};
use crypto_primes::hazmat::MillerRabin;
use gramseal_proto::crypto::{CryptoError, SecureRandom};

/// Small factors are looked for up to this number; they end the matter before the costly part.
const TRIAL_DIVISION_BOUND: u16 = 1000;

/// Whether `p` is a safe prime as far as this is checked.
pub(crate) fn is_safe_prime(p: &Odd<BoxedUint>, random: &dyn SecureRandom) -> Result<bool, CryptoError> {
    if has_small_factor(p) {
        return Ok(false);
    }
    let Some(q) = Odd::new(p.as_ref().shr(1)).into_option() else {
        return Ok(false);
    };
    let test = MillerRabin::new(q.clone());
    for _ in 0..rounds(p.bit_width_vartime()) {
        if !test.test(&random_below(&q, random)?).is_probably_prime() {
            return Ok(false);
        }
    }
    Ok(MillerRabin::new(p.clone()).test_base_two().is_probably_prime())
}

/// How often q is tested; see the table above.
fn rounds(bits: u32) -> u32 {
    match bits {
        0..=3072 => 3,
        3073..=4096 => 2,
        _ => 1,
    }
}

/// Whether a small odd number divides p or q = (p - 1) / 2.
fn has_small_factor(p: &Odd<BoxedUint>) -> bool {
    // Composite divisors are tried as well: skipping them would take more code than time.
    (3..TRIAL_DIVISION_BOUND).step_by(2).any(|divisor| {
        let divisor = NonZero::new(Limb::from(divisor)).expect("it is at least 3");
        p.as_ref().rem_limb(divisor) <= Limb::ONE
    })
}

/// A random number with one bit less than `bound`.
fn random_below(bound: &Odd<BoxedUint>, random: &dyn SecureRandom) -> Result<BoxedUint, CryptoError> {
    let precision = bound.bits_precision();
    let mut bytes = vec![0; (precision / 8) as usize];
    random.fill(&mut bytes)?;
    let number = BoxedUint::from_be_slice_truncated(&bytes, precision);
    Ok(number.shr(precision - (bound.bit_width_vartime() - 1)))
}
