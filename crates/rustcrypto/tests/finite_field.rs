//! Finite-field exchanges: both sides agree, and groups and values that are no good are refused.

use std::sync::atomic::{AtomicU64, Ordering};

use gramseal_proto::crypto::{CryptoError, FiniteFieldParams, KxGroup, ParamsRejected, SecureRandom};
use gramseal_rustcrypto::{FINITE_FIELD, ffdhe_groups};
use gramseal_wire::NamedGroup;

/// A safe prime of 2050 bits that nobody else uses (`openssl prime -generate -safe`).
const SAFE: &str = "03D7EC553DFB6B0C5DD3ECD7F04A27C798DC5F21CA341DA2AE3C8299AEFB9B68D5B52DD8B00B9B47629F4F4C0B8C58CD6C1922ACAAF8FD02\
    616DD5CD110C6FCC72B684977147DA0D1023A44DED54787277CC0B295AADDC8075BFDC5CE52B3B787F655037DBBC44B3A1A06E76ED56FF6C\
    8E46E7D945B1CBBCED9FF110D54398130839BC8CAFB467B3AF83B2690EA96DB68D8EF4EDD2E64F6E6362D6213EF118E43C278C088AF01933\
    56BB5965B2F9051E2D7DE3D517FACA66AA27842535F0A52BF953821CA63C91C962409D2EC349F2A0DDAEC3E93FE486F3AEBD5515F6C4E3A7\
    A97401B818577C0458E707B7E650DC620BDEBCAA155E64D3F5C91C193A1765FB9F";

/// A prime p whose (p - 1) / 2 is composite, without small factors.
const PRIME_BUT_NOT_SAFE: &str = "C208615806E70C7FFBA33BD1CA35172CFE38408B923DB4FEC1D1DCB6F128D371D3959C924B302ADEFB9129CB0F3E51720DE9F5CF66841F85\
    C9A86595E748BA5A4BC5073DB929C9148FBEDB7C6AEB45100FBBB3EE736EA692B14C1D21DF2641F07881F47B6F01FBB49FA673E05425B919\
    81ECCB6115EAF11AC4AFB92EF44B33DFB670FD754B059FFDBA81DEC3A8E7E6A10D0BD003FDA98D0739F47271B5A14AF4A78372921B45911B\
    B655ABBA203E0D93AFCDD276E6FD65EE9846872573C11C1EC6A2BCF8939CC5F7F2C5B35BD3469D07B2779D3979296DFE97BA9752688BE6B1\
    529327A65E4C282BF6638767A1F549208856C8FB4F80B09804E5BAFAC21C440F";

/// A composite p whose (p - 1) / 2 is prime; neither has small factors.
const COMPOSITE: &str = "E295BC558995018495E845729BEC96564F3AE8EA4D90A122EB9F0E7C0E874E76E4F25386E2174D44462F49B23032A1168576C876ECCE13A8\
    DE976194D15B9C7C2EB7F217EAD48BCBE2A3414B8AB0E94C3E4B7BE5C41ED41230F3508F02EB097C574EB7D0623A74DF23AA3D55D48B29E5\
    0B89DC6A257A8FB5C88B0D4D3B1CF97EA313EDCE22B55690485777572E7F98AAFD1287742899E7E65B3F06B3CBBEC39F9EF63EEC4F051B49\
    0FF50C094CE158F6A5C3D86C5659CD7EC3704CC4D0156E9F213372681D87D00D1ED376AB436B444FB80D7A7C846CD981FF02EF0259AA0430\
    02491C96D6473F33ED3A1FFF6CB6E6D2C0DE3A3A20C4C3594C2E74022FF9E56B";

/// Random enough for a test, and the same in each run (SplitMix64).
#[derive(Debug)]
struct TestRandom(AtomicU64);

impl SecureRandom for TestRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        for byte in out {
            let state = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *byte = mixed.to_be_bytes()[0];
        }
        Ok(())
    }
}

#[derive(Debug)]
struct NoRandom;

impl SecureRandom for NoRandom {
    fn fill(&self, _: &mut [u8]) -> Result<(), CryptoError> {
        Err(CryptoError::new())
    }
}

fn random() -> TestRandom {
    TestRandom(AtomicU64::new(7919))
}

fn hex(digits: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two hexadecimal digits");
    (0..digits.len()).step_by(2).map(digit).collect()
}

fn prime_of(group: &dyn KxGroup) -> &'static [u8] {
    FINITE_FIELD.params(group.name()).expect("a group of RFC 7919").p
}

/// What becomes of an exchange in a group with modulus `p` and generator `g`; the server's value is 4.
fn verdict(p: &[u8], g: &[u8]) -> Result<(), ParamsRejected> {
    FINITE_FIELD.exchange(FiniteFieldParams { p, g }, &[4], &random()).map(|_| ())
}

#[test]
fn client_and_server_agree_in_the_named_groups() {
    for (group, len) in ffdhe_groups().into_iter().zip([256, 384, 512]) {
        let server = group.start(&random()).unwrap();
        assert_eq!(server.public_key().len(), len);
        let params = FINITE_FIELD.params(group.name()).unwrap();
        let client_random = TestRandom(AtomicU64::new(1));
        let client = FINITE_FIELD.exchange(params, server.public_key(), &client_random).unwrap();
        assert_eq!(client.public.len(), len);
        let server_secret = server.complete(&client.public).unwrap();
        assert_eq!(client.secret.as_ref(), server_secret.as_ref());
        assert_eq!(client.secret.as_ref().len(), len);
    }
}

#[test]
fn two_named_halves_agree() {
    let group = ffdhe_groups()[0];
    let client = group.start(&TestRandom(AtomicU64::new(5))).unwrap();
    let (share, secret) = group.answer(&random(), client.public_key()).unwrap();
    assert_eq!(client.complete(&share).unwrap().as_ref(), secret.as_ref());
}

#[test]
fn larger_named_groups_are_not_served() {
    assert!(FINITE_FIELD.params(NamedGroup::FFDHE6144).is_none());
    assert!(FINITE_FIELD.params(NamedGroup::SECP256R1).is_none());
}

#[test] // RFC 7919 §5.1
fn public_values_out_of_range_are_refused() {
    let group = ffdhe_groups()[0];
    let prime = prime_of(group);
    let mut last = prime.to_vec();
    last[255] -= 1;
    let too_long = [&[0], &[1; 256][..]].concat();
    for value in [&[][..], &[0], &[1], &last, prime, &[0xFF; 256], &too_long] {
        assert!(group.start(&random()).unwrap().complete(value).is_err());
    }
    for value in [&[][..], &[0], &[1], &last, prime, &[0xFF; 256]] {
        let params = FiniteFieldParams { p: prime, g: &[2] };
        let result = FINITE_FIELD.exchange(params, value, &random());
        assert_eq!(result.unwrap_err(), ParamsRejected::BadPublicValue);
    }
}

#[test]
fn a_public_value_may_lack_leading_zeros() {
    let group = ffdhe_groups()[0];
    let padded = [vec![0; 255], vec![9]].concat();
    let secret = |value: &[u8]| group.start(&random()).unwrap().complete(value).unwrap();
    assert_eq!(secret(&[9]).as_ref(), secret(&padded).as_ref());
    assert_eq!(secret(&[9]).as_ref().len(), 256);
}

#[test]
fn an_unknown_safe_prime_is_accepted() {
    let p = hex(SAFE);
    verdict(&p, &[5]).unwrap();
    verdict(&[&[0, 0], &p[..]].concat(), &[0, 5]).unwrap();
}

#[test]
fn both_sides_agree_in_an_unknown_group() {
    let p = hex(SAFE);
    let params = FiniteFieldParams { p: &p, g: &[5] };
    let (one, other) = (TestRandom(AtomicU64::new(1)), TestRandom(AtomicU64::new(2)));
    let ours = FINITE_FIELD.exchange(params, &[4], &one).unwrap();
    let theirs = FINITE_FIELD.exchange(params, &[4], &other).unwrap();
    assert_ne!(ours.public, theirs.public);
    // The same randomness makes the same exponents again, now with the other's public value.
    let (one, other) = (TestRandom(AtomicU64::new(1)), TestRandom(AtomicU64::new(2)));
    let ours_again = FINITE_FIELD.exchange(params, &theirs.public, &one).unwrap();
    let theirs_again = FINITE_FIELD.exchange(params, &ours.public, &other).unwrap();
    assert_eq!(ours_again.public, ours.public);
    assert_eq!(ours_again.secret.as_ref(), theirs_again.secret.as_ref());
    assert_eq!(ours_again.secret.as_ref().len(), 257);
}

#[test]
fn moduli_that_are_no_safe_primes_are_refused() {
    assert_eq!(verdict(&hex(PRIME_BUT_NOT_SAFE), &[2]), Err(ParamsRejected::Unsafe));
    assert_eq!(verdict(&hex(COMPOSITE), &[2]), Err(ParamsRejected::Unsafe));
    let mut even = prime_of(ffdhe_groups()[0]).to_vec();
    even[255] -= 1;
    assert_eq!(verdict(&even, &[2]), Err(ParamsRejected::Unsafe));
    let mut altered = prime_of(ffdhe_groups()[0]).to_vec();
    for bit in 1..8 {
        altered[128] ^= 1 << bit;
        assert_eq!(verdict(&altered, &[2]), Err(ParamsRejected::Unsafe));
    }
    assert_eq!(verdict(&[0xFF; 256], &[2]), Err(ParamsRejected::Unsafe));
}

#[test] // RFC 7919 §5.1 in spirit: 0, 1 and p - 1 generate nothing.
fn generators_out_of_range_are_refused() {
    let prime = prime_of(ffdhe_groups()[0]);
    let mut last = prime.to_vec();
    last[255] -= 1;
    for g in [&[][..], &[0], &[1], &last, prime, &[0xFF; 300]] {
        assert_eq!(verdict(prime, g), Err(ParamsRejected::Unsafe));
    }
}

#[test] // Decision of the project: 2048 to 8192 bits.
fn moduli_of_other_sizes_are_refused() {
    let mut just_too_small = [0xFF; 256];
    just_too_small[0] = 0x7F;
    for p in [&[][..], &[0], &[23], &[0xFF; 128], &just_too_small, &[&[0; 100][..], &[0xFF; 255]].concat()] {
        assert_eq!(verdict(p, &[2]), Err(ParamsRejected::TooSmall));
    }
    let just_too_large = [&[1], &[0xFF; 1024][..]].concat();
    for p in [&just_too_large[..], &[0xFF; 4096]] {
        assert_eq!(verdict(p, &[2]), Err(ParamsRejected::TooLarge));
    }
    // Of the right size, and so refused for what it is.
    assert_eq!(verdict(&[0xFF; 1024], &[2]), Err(ParamsRejected::Unsafe));
}

#[test]
fn without_randomness_there_is_no_exchange() {
    let group = ffdhe_groups()[0];
    assert!(group.start(&NoRandom).is_err());
    for (p, g) in [(prime_of(group).to_vec(), 2), (hex(SAFE), 5)] {
        let result = FINITE_FIELD.exchange(FiniteFieldParams { p: &p, g: &[g] }, &[4], &NoRandom);
        assert_eq!(result.unwrap_err(), ParamsRejected::BadPublicValue);
    }
}
