//! Arithmetic in one finite-field group.
//!
//! The modulus, the generator and public values are public and handled in variable time. Powers
//! with a private exponent take the same time and touch the same memory for all exponents of one
//! length. What is secret is wiped, except for the intermediate powers that the arithmetic crate
//! keeps on the heap while it computes.

use alloc::vec;
use alloc::vec::Vec;

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use gramseal_proto::crypto::{CryptoError, SecureRandom, SharedSecret};
use zeroize::{Zeroize, Zeroizing};

use crate::random::fill_secret;

/// A private exponent.
pub(crate) struct Exponent(Zeroizing<BoxedUint>);

impl Exponent {
    /// A random number of `len` bytes.
    pub(crate) fn random(len: usize, random: &dyn SecureRandom) -> Result<Self, CryptoError> {
        let mut bytes = Zeroizing::new(vec![0; len]);
        fill_secret(random, &mut bytes)?;
        Ok(Self::from_bytes(&bytes))
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(BoxedUint::from_be_slice_vartime(bytes)))
    }
}

/// A modulus and a generator.
#[derive(Clone)]
pub(crate) struct Group {
    arithmetic: BoxedMontyParams,
    generator: BoxedUint,
    /// Bytes in the modulus.
    len: usize,
}

impl Group {
    /// Takes big-endian numbers; `None` unless the modulus is odd, of two bytes at least, and the
    /// generator in 2..=p-2.
    pub(crate) fn new(p: &[u8], g: &[u8]) -> Option<Self> {
        let p = without_leading_zeros(p);
        // Below 3 there would be no p-2 to compare with.
        if p.len() < 2 {
            return None;
        }
        let modulus = Odd::new(BoxedUint::from_be_slice_vartime(p)).into_option()?;
        let mut group =
            Self { arithmetic: BoxedMontyParams::new_vartime(modulus), generator: BoxedUint::one(), len: p.len() };
        group.generator = group.element(g)?;
        Some(group)
    }

    /// The prime.
    pub(crate) fn modulus(&self) -> &Odd<BoxedUint> {
        self.arithmetic.modulus()
    }

    /// Reads a public value, which must be in 2..=p-2 (RFC 7919 §5.1); leading zeros may be missing
    /// or superfluous.
    pub(crate) fn element(&self, bytes: &[u8]) -> Option<BoxedUint> {
        let bytes = without_leading_zeros(bytes);
        let element = BoxedUint::from_be_slice(bytes, self.arithmetic.bits_precision()).ok()?;
        let last = self.modulus().as_ref().wrapping_sub(BoxedUint::from(2_u8));
        (element >= BoxedUint::from(2_u8) && element <= last).then_some(element)
    }

    /// Our public value, as long as the modulus.
    pub(crate) fn public_value(&self, exponent: &Exponent) -> Vec<u8> {
        self.power(self.generator.clone(), exponent)
    }

    /// The number shared with the peer, as long as the modulus.
    pub(crate) fn shared_secret(&self, peer: BoxedUint, exponent: &Exponent) -> SharedSecret {
        SharedSecret::new(self.power(peer, exponent))
    }

    fn power(&self, base: BoxedUint, exponent: &Exponent) -> Vec<u8> {
        let mut power = BoxedMontyForm::new(base, &self.arithmetic).pow(&exponent.0);
        let number = Zeroizing::new(power.retrieve());
        power.zeroize();
        let mut bytes = number.to_be_bytes().into_vec();
        // Whole machine words come out; the modulus may be shorter than they are. A shared secret's
        // leftover bytes stay within the vector's capacity, which is wiped with it.
        bytes.drain(..bytes.len().saturating_sub(self.len));
        bytes
    }
}

/// The same big-endian number in as few bytes as possible.
pub(crate) fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{Exponent, Group};
    use crate::primes;

    fn hex(digits: &str) -> Vec<u8> {
        let digit = |at| u8::from_str_radix(digits.get(at..at + 2).expect("two digits a byte"), 16).expect("a byte");
        (0..digits.len()).step_by(2).map(digit).collect()
    }

    /// Made once by OpenSSL 3.0: `openssl genpkey` for two keys in each group, `openssl pkeyutl
    /// -derive` for the secret. Each line is group, modulus if it is none of RFC 7919, private
    /// exponent, public value, the peer's public value, shared secret without leading zeros.
    #[test]
    fn powers_are_those_of_another_library() {
        let mut count = 0;
        for line in include_str!("openssl-vectors.txt").lines() {
            let [name, modulus, private, public, peer, secret] =
                line.split(' ').collect::<Vec<_>>().try_into().expect("six words");
            let (modulus, generator) = match name {
                "ffdhe2048" => (primes::FFDHE2048.to_vec(), 2),
                "ffdhe3072" => (primes::FFDHE3072.to_vec(), 2),
                "ffdhe4096" => (primes::FFDHE4096.to_vec(), 2),
                _ => (hex(modulus), 5),
            };
            let group = Group::new(&modulus, &[generator]).unwrap();
            let exponent = Exponent::from_bytes(&hex(private));
            assert_eq!(group.public_value(&exponent), hex(public), "{name}");
            let computed = group.shared_secret(group.element(&hex(peer)).unwrap(), &exponent);
            assert_eq!(computed.as_ref().len(), modulus.len());
            assert_eq!(computed.without_leading_zeros(), hex(secret), "{name}");
            count += 1;
        }
        assert_eq!(count, 4);
    }

    #[test]
    fn even_and_empty_moduli_make_no_group() {
        let mut even = primes::FFDHE2048;
        even[255] &= 0xFE;
        assert!(Group::new(&even, &[2]).is_none());
        assert!(Group::new(&[], &[2]).is_none());
        assert!(Group::new(&[1], &[2]).is_none());
        assert!(Group::new(&[0, 0], &[2]).is_none());
    }

    #[test] // RFC 7919 §5.1
    fn elements_lie_between_the_trivial_ones() {
        let group = Group::new(&primes::FFDHE2048, &[2]).unwrap();
        // The last byte of the modulus is 0xFF, so these are p-2, p-1, p.
        let near_the_end = |low| {
            let mut number = primes::FFDHE2048;
            number[255] = low;
            group.element(&number).is_some()
        };
        assert!(near_the_end(0xFD));
        assert!(!near_the_end(0xFE));
        assert!(!near_the_end(0xFF));
        assert!(group.element(&[2]).is_some());
        assert!(group.element(&[0, 0, 2]).is_some());
        for trivial in [&[][..], &[0], &[1], &[0xFF; 256], &[1; 257]] {
            assert!(group.element(trivial).is_none());
        }
    }
}
