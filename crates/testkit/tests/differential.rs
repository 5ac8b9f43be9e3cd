//! The two providers against each other: where they overlap they agree bit for bit.
//!
//! Inputs come from a seed, which a failure names.

use std::sync::Arc;

use gramseal_proto::crypto::{CryptoError, CryptoProvider, NONCE_LEN, SecureRandom};
use gramseal_testkit::conformance::public_key;
use gramseal_testkit::null::SeededRandom;
use gramseal_testkit::rng::Rng;
use gramseal_wire::NamedGroup;
use pki_types::PrivateKeyDer;
use pki_types::pem::PemObject;

/// Lengths around the blocks of AES, ChaCha20 and the hash functions, and that of a full record.
const LENGTHS: [usize; 20] =
    [0, 1, 15, 16, 17, 31, 32, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 1200, 4096, 1 << 14];

fn aws_lc() -> CryptoProvider {
    gramseal_aws_lc::provider()
}

fn rustcrypto(seed: u64) -> CryptoProvider {
    gramseal_rustcrypto::provider(Arc::new(SeededRandom::new(seed)))
}

fn bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
    (0..len).map(|_| u8::try_from(rng.below(256)).expect("below 256")).collect()
}

#[test]
fn records_are_sealed_and_opened_alike() {
    for seed in 0..20 {
        let rng = &mut Rng::new(seed);
        let (one, two) = (aws_lc(), rustcrypto(seed));
        for aead in &one.aeads {
            let other = two.aead(aead.algorithm()).expect("every AEAD of aws-lc");
            let key = bytes(rng, aead.algorithm().key_len());
            let (key, other_key) = (aead.key(&key).unwrap(), other.key(&key).unwrap());
            for len in LENGTHS {
                let nonce: [u8; NONCE_LEN] = bytes(rng, NONCE_LEN).try_into().unwrap();
                let aad_len = usize::try_from(rng.below(40)).unwrap();
                let (aad, text) = (bytes(rng, aad_len), bytes(rng, len));
                let (front, trailer) = text.split_at(len - len.min(usize::try_from(rng.below(20)).unwrap()));
                let mut sealed = vec![0; len + aead.algorithm().tag_len()];
                let mut other_sealed = sealed.clone();
                key.seal(nonce, &aad, front, trailer, &mut sealed).unwrap();
                other_key.seal(nonce, &aad, front, trailer, &mut other_sealed).unwrap();
                assert_eq!(sealed, other_sealed, "{aead:?}, {len} bytes, seed {seed}");
                assert_eq!(key.open(nonce, &aad, &mut other_sealed), Ok(len));
                assert_eq!(other_key.open(nonce, &aad, &mut sealed), Ok(len));
                assert_eq!((&sealed[..len], &other_sealed[..len]), (&text[..], &text[..]));
            }
        }
    }
}

#[test]
fn hashes_and_macs_are_alike() {
    for seed in 0..20 {
        let rng = &mut Rng::new(seed);
        let (one, two) = (aws_lc(), rustcrypto(seed));
        for hash in &one.hashes {
            let other = two.hash(hash.algorithm()).expect("every hash of aws-lc");
            let (mut running, mut other_running) = (hash.start(), other.start());
            for len in LENGTHS {
                let message = bytes(rng, len);
                running.update(&message);
                other_running.update(&message);
                assert_eq!(running.current().as_ref(), other_running.current().as_ref(), "{hash:?}, seed {seed}");
                let key_len = usize::try_from(rng.below(200)).unwrap();
                let key = bytes(rng, key_len);
                let (mac, other_mac) = (hash.hmac_key(&key), other.hmac_key(&key));
                let (front, back) = message.split_at(len / 3);
                assert_eq!(
                    mac.sign(&[front, back]).as_ref(),
                    other_mac.sign(&[&message]).as_ref(),
                    "HMAC with {hash:?}, key of {key_len} bytes, seed {seed}"
                );
            }
        }
    }
}

#[test]
fn shares_agree_both_ways() {
    for seed in 0..10 {
        let (one, two) = (aws_lc(), rustcrypto(seed));
        for group in &one.groups {
            let other = two.group(group.name()).expect("every group of aws-lc");
            for (client, server) in [(*group, other), (other, *group)] {
                let ours = client.start(&*two.random).unwrap();
                let (share, secret) = server.answer(&*two.random, ours.public_key()).unwrap();
                assert_eq!(ours.complete(&share).unwrap().as_ref(), secret.as_ref(), "{group:?}, seed {seed}");
            }
        }
    }
}

macro_rules! keys {
    ($($name:literal)*) => {
        [$(&include_bytes!(concat!("../src/conformance/data/", $name, ".pem"))[..]),*]
    };
}

#[test]
fn signatures_of_one_verify_with_the_other() {
    let pems = keys!["rsa2048" "rsa2048-pkcs1" "p256" "p256-sec1" "p384" "p384-sec1" "p521" "p521-sec1" "ed25519"];
    let (one, two) = (aws_lc(), rustcrypto(1));
    for pem in pems {
        let der = PrivateKeyDer::from_pem_slice(pem).unwrap();
        let (key, other_key) = (one.keys.load(&der).unwrap(), two.keys.load(&der).unwrap());
        assert_eq!(key.schemes(), other_key.schemes());
        assert_eq!(key.public_key(), other_key.public_key());
        let public = public_key(key.public_key().unwrap().as_ref());
        for scheme in key.schemes() {
            for len in [0, 1, 130, 1000] {
                let message = bytes(&mut Rng::new(7), len);
                let signature =
                    key.sign(*scheme, &message, &*one.random).now().expect("a local key answers at once").unwrap();
                two.verify12(*scheme, &public, &message, &signature).unwrap();
                let other_signature = other_key
                    .sign(*scheme, &message, &*two.random)
                    .now()
                    .expect("a local key answers at once")
                    .unwrap();
                one.verify12(*scheme, &public, &message, &other_signature).unwrap();
                // RSA PKCS#1 and Ed25519 leave nothing to chance.
                if format!("{scheme:?}").contains("pkcs1") || format!("{scheme:?}").contains("ed25519") {
                    assert_eq!(signature, other_signature, "{scheme:?}");
                }
            }
        }
    }
}

/// Points of a certificate may be compressed: both read them. Neither reads other forms, except that
/// aws-lc-rs takes the hybrid one, which RFC 5480 §2.2 forbids.
#[test]
fn points_in_certificates_are_read_alike() {
    let (one, two) = (aws_lc(), rustcrypto(1));
    for pem in keys!["p256" "p384" "p521"] {
        let key = one.keys.load(&PrivateKeyDer::from_pem_slice(pem).unwrap()).unwrap();
        let scheme = key.schemes()[0];
        let signature = key.sign(scheme, b"message", &*one.random).now().expect("a local key answers at once").unwrap();
        let whole = public_key(key.public_key().unwrap().as_ref());
        let point = whole.key();
        let field_len = point.len() / 2;
        let parity = point[2 * field_len] & 1;
        let with = |key: Vec<u8>| gramseal_proto::crypto::PublicKey::new(whole.algorithm().to_vec(), key);
        let compressed = with([&[2 + parity], &point[1..=field_len]].concat());
        let others = [
            (compressed, true),
            (with([&[3 - parity], &point[1..=field_len]].concat()), false),
            (with([&[5], &point[1..=field_len]].concat()), false),
            (with(vec![0]), false),
            (with(vec![]), false),
            (with([point, &[0]].concat()), false),
        ];
        for (public, fits) in others {
            for provider in [&one, &two] {
                let result = provider.verify12(scheme, &public, b"message", &signature);
                assert_eq!(result.is_ok(), fits, "{scheme:?}, {:?}", public.key());
            }
        }
        let hybrid = with([&[6 + parity], &point[1..]].concat());
        assert!(two.verify12(scheme, &hybrid, b"message", &signature).is_err());
    }
}

/// What the caller's source says decides everything; aws-lc-rs has no door for a source.
#[test]
fn a_seeded_run_repeats_exactly() {
    let run = |seed| {
        let provider = rustcrypto(seed);
        let mut all: Vec<Vec<u8>> = Vec::new();
        for group in provider.groups.iter().filter(|group| group.name() != NamedGroup::FFDHE4096) {
            let ours = group.start(&*provider.random).unwrap();
            all.push(ours.public_key().to_vec());
        }
        for pem in keys!["rsa2048" "p256" "p384" "p521" "ed25519"] {
            let key = provider.keys.load(&PrivateKeyDer::from_pem_slice(pem).unwrap()).unwrap();
            all.push(
                key.sign(key.schemes()[0], b"message", &*provider.random)
                    .now()
                    .expect("a local key answers at once")
                    .unwrap(),
            );
        }
        all
    };
    assert_eq!(run(1), run(1));
    let different = run(1).iter().zip(run(2)).filter(|(one, two)| **one != *two).count();
    // All but the Ed25519 signature.
    assert_eq!(different, run(1).len() - 1);
}

#[derive(Debug)]
struct Broken;

impl SecureRandom for Broken {
    fn fill(&self, _out: &mut [u8]) -> Result<(), CryptoError> {
        Err(CryptoError::new())
    }
}

/// Neither a key pair nor a signature is made with what a failing source left behind.
#[test]
fn a_failing_source_fails_what_needs_it() {
    let provider = rustcrypto(1);
    for group in &provider.groups {
        assert!(group.start(&Broken).is_err(), "{group:?}");
    }
    for pem in keys!["rsa2048" "p256" "p384" "p521"] {
        let key = provider.keys.load(&PrivateKeyDer::from_pem_slice(pem).unwrap()).unwrap();
        for scheme in key.schemes() {
            assert!(
                key.sign(*scheme, b"message", &Broken).now().expect("a local key answers at once").is_err(),
                "{scheme:?}"
            );
        }
    }
}
